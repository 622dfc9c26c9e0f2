{#- The committed parts of an entity as a relation; `plan.<entity>_shape`, an empty table of the same columns, where there are none. -#}
{% macro lake_relation(entity) -%}
    {%- set rows = plan_rows(
        "plan", "parts", "select path from plan.parts where entity = '" ~ entity ~ "' order by lake_date, batch_seq, path"
    ) -%}
    {%- if rows | length == 0 -%}
        {{ source("plan", entity ~ "_shape") }}
    {%- else -%}
        {{ adapter.dispatch("read_parts", "credit_usage")(rows | map(attribute=0) | list) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_parts(paths) -%}
    read_parquet(
        [{% for path in paths %}'{{ path | replace("'", "''") }}'{{ ", " if not loop.last }}{% endfor %}],
        hive_partitioning = true,
        hive_types = {'lake_date': date, 'batch_seq': integer}
    )
{%- endmacro %}
