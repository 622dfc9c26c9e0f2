{#-
    The project's materializations on Spark. A build writes tables in a folder of its own and nothing of earlier builds is changed: the
    partitions of dates that are not touched stay where they are, and the new table names them (`plan.kept_partitions`, which
    `orchestration/warehouse/spark.py` fills from what was published). So a build that fails, or is not published, leaves no trace.
-#}

{#- A table with these rows in this build's folder. Types are the contract's, where the model has one: ANSI mode refuses what does not fit. -#}
{% macro spark_create_table(relation, sql, partitioned=false) -%}
    {%- do run_query("drop table if exists " ~ relation) -%}
    {%- call statement("main") -%}
        create table {{ relation }} using parquet
        {% if partitioned %}partitioned by (usage_date){% endif %}
        location {{ spark_location(plain_schema(relation), relation.identifier) }}
        as
        {% if model.config.contract.enforced %}
        select
            {%- for column in model.columns.values() %}
            cast({{ column.name }} as {{ spark_type(column.data_type) }}) as {{ column.name }}{{ "," if not loop.last }}
            {%- endfor %}
        from ({{ sql }}) as built
        {% else %}
        {{ sql }}
        {% endif %}
    {%- endcall -%}
{%- endmacro %}

{#- A type of the contract in Spark's words. There is no time of day: it stays text, and gets its type where it is published. -#}
{% macro spark_type(data_type) -%}
    {{ {"varchar": "string", "varchar[]": "array<string>", "time": "string"}.get(data_type, data_type) }}
{%- endmacro %}

{#- Let the new table have the partitions of the old one, those of these dates left out. `replaced` is a predicate on usage_date. -#}
{% macro spark_keep_partitions(relation, replaced) -%}
    {%- set rows = plan_rows(
        "plan", "kept_partitions",
        "select cast(usage_date as string), location from plan.kept_partitions "
        ~ "where table_name = '" ~ plain_schema(relation) ~ "." ~ relation.identifier ~ "' and not (" ~ replaced ~ ") order by 1"
    ) -%}
    {%- for some in rows | batch(500) -%}
        {%- call statement("kept_" ~ loop.index) -%}
            alter table {{ relation }} add
            {%- for row in some %}
            partition (usage_date = '{{ row[0] }}') location '{{ row[1] | replace("\\", "\\\\") | replace("'", "\\'") }}'
            {%- endfor %}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}

{% materialization by_usage_date, adapter="spark" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- do spark_create_table(target_relation, with_staged_parts(sql), partitioned=true) -%}
    {%- if not is_full_build() -%}
        {%- do spark_keep_partitions(target_relation, touched("usage_date")) -%}
    {%- endif -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- Rows of new keys beside those that are there, date by date: the dates of what changed, old and new, are written anew. -#}
{% materialization incremental, adapter="spark" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or is_full_build() -%}
        {%- do spark_create_table(target_relation, with_staged_parts(sql), partitioned=true) -%}
    {%- else -%}
        {%- set changed = staged("changed", with_staged_parts(sql)) -%}
        {%- set dates = run_query(
            "select cast(usage_date as string) from " ~ changed
            ~ " union distinct select cast(previous_usage_date as string) from " ~ changed ~ " where previous_usage_date is not null"
        ) -%}
        {%- set replaced = in_dates("usage_date", dates) -%}
        {%- set columns = adapter.get_columns_in_relation(existing) | map(attribute="name") | join(", ") -%}
        {%- set merged = staged(
            "merged",
            "select " ~ columns ~ " from " ~ this ~ " left anti join " ~ changed ~ " using (" ~ config.get("unique_key") | join(", ")
            ~ ") where " ~ replaced ~ " union all select " ~ columns ~ " from " ~ changed
        ) -%}
        {%- do spark_create_table(target_relation, "select * from " ~ merged, partitioned=true) -%}
        {%- do spark_keep_partitions(target_relation, replaced) -%}
    {%- endif -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization table, adapter="spark" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- do spark_create_table(target_relation, with_staged_parts(sql)) -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization lasting_table, adapter="spark" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- do spark_create_table(target_relation, with_staged_parts(sql)) -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization lasting_view, adapter="spark" %}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- call statement("main") -%}
        create or replace view {{ target_relation }} as {{ sql }}
    {%- endcall -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
