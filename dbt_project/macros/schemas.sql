{#- Schemas are named as configured (`facts`, `marts`, …), without dbt's target prefix: others query them by these names. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ schema_name(custom_schema_name) if custom_schema_name is not none else target.schema }}
{%- endmacro %}

{#- A schema by the name it has in this build: a catalogue of Spark may be shared, and holds them with this data folder's prefix. -#}
{% macro schema_name(name) -%}
    {{ env_var("CREDIT_USAGE_SPARK_SCHEMA_PREFIX", "") ~ name }}
{%- endmacro %}

{#- The name of a relation's schema without that prefix, as folders and lists of tables have it. -#}
{% macro plain_schema(relation) -%}
    {{ relation.schema[(schema_name("") | length):] }}
{%- endmacro %}

{#- A query with the names that its schemas have in this build; a text that begins with one is left as it is. -#}
{% macro with_schema_names(query) -%}
    {{ modules.re.sub("(?<!')\\b(plan|staging|staged|intermediate)[.](?=[a-z])", schema_name("") ~ "\\1.", query) }}
{%- endmacro %}
