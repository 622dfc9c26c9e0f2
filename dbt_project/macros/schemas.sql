{#- Schemas are named as configured (`facts`, `marts`, …), without dbt's target prefix: others query them by these names. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
