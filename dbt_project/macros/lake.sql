{#-
    The committed parts of an entity as a relation; `plan.<entity>_shape`, an empty table of the same columns, where there are none.
    Parts of another contract version may lack columns: each version is read apart, and the shape gives what is missing, as NULL and
    with its type. Reading all parts by name would have to open every file of the lake, every night.
-#}
{% macro lake_relation(entity) -%}
    {{ adapter.dispatch("lake_relation", "credit_usage")(entity) }}
{%- endmacro %}

{% macro duckdb__lake_relation(entity) -%}
    {%- set rows = plan_rows(
        "plan", "parts",
        "select contract_version, path from plan.parts where entity = '" ~ entity ~ "' order by contract_version, lake_date, batch_seq, path"
    ) -%}
    {%- set paths = {} -%}
    {%- for row in rows -%}
        {%- do paths.setdefault(row[0], []).append(row[1]) -%}
    {%- endfor -%}
    {%- set current = plan_rows_once("plan", "night", "select contract_version from plan.night") -%}
    {%- if rows | length == 0 -%}
        {{ source("plan", entity ~ "_shape") }}
    {%- elif paths.keys() | list == [current[0][0]] -%}
        {{ duckdb__read_parts(rows | map(attribute=1) | list) }}
    {%- else -%}
        (
            select * from {{ source("plan", entity ~ "_shape") }}
            {%- for version in paths %}
            union all by name
            select * from {{ duckdb__read_parts(paths[version]) }}
            {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__read_parts(paths) -%}
    read_parquet(
        [{% for path in paths %}'{{ path | replace("'", "''") }}'{{ ", " if not loop.last }}{% endfor %}],
        hive_partitioning = true,
        hive_types = {'lake_date': date, 'batch_seq': integer}
    )
{%- endmacro %}
