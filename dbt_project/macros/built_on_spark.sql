{#-
    A night on Spark ends in the same DuckDB file. `plan.built_tables` then names the folders of what Spark has built; models take their rows
    from there instead of working them out, with the same types, comments and tests. Models with `stays_in_lake` become views on the
    folders: they are what outgrows one machine.
-#}

{#- True when Spark has built this night's tables. -#}
{% macro is_built_on_spark() -%}
    {{ return(target.type == "duckdb" and execute and adapter.get_relation(target.database, "plan", "built_tables") is not none) }}
{%- endmacro %}

{#- A model's SQL, or on such a night what reads its rows: those of the touched dates, or with `everywhere` those of all. -#}
{% macro as_built(sql, everywhere=false) -%}
    {%- if not is_built_on_spark() -%}
        {{ return(sql) }}
    {%- endif -%}
    {%- set rows = plan_rows(
        "plan", "built_tables",
        "select folder, usage_date is not null from plan.built_tables where table_name = '" ~ this.schema ~ "." ~ this.identifier ~ "'"
        ~ ("" if everywhere else " and (usage_date is null or " ~ touched("usage_date") ~ ")") ~ " order by usage_date"
    ) -%}
    {%- if rows | length == 0 -%}
        {{ return("select * from (" ~ sql ~ ") as nothing limit 0") }}
    {%- endif -%}
    {%- set read -%}
        select
            {%- for column in model.columns.values() %}
            cast({{ column.name }} as {{ column.data_type }}) as {{ column.name }}{{ "," if not loop.last }}
            {%- endfor %}
        from read_parquet(
            [{% for row in rows %}'{{ row[0] | replace("'", "''") }}/*.parquet'{{ ", " if not loop.last }}{% endfor %}]
            {%- if rows[0][1] %}, hive_partitioning = true, hive_types = {'usage_date': date}{% else %}, hive_partitioning = false{% endif %}
        )
    {%- endset -%}
    {{ return(read) }}
{%- endmacro %}

{#- The model as a view on its folders. -#}
{% macro view_of_built(sql) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- call statement("main") -%}
        {{ create_view_as(target_relation, as_built(sql, everywhere=true)) }}
    {%- endcall -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({"relations": [target_relation]}) }}
{%- endmacro %}
