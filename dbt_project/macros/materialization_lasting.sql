{#-
    A view that follows from the project's files alone. It lasts from publication to publication: whenever a file of the project
    changes, the night is a full build, which makes it anew. Views that name tonight's parts or dates are ordinary views. With
    the tables below it is what took 793 statements of a small build to 481.
-#}
{% materialization lasting_view, adapter="duckdb" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- if existing is none or existing.type != "view" or is_full_build() -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ create_view_as(target_relation, sql) }}
        {%- endcall -%}
        {%- do persist_docs(target_relation, model) -%}
        {{ adapter.commit() }}
    {%- else -%}
        {#- dbt asks each node for what its main statement answered. -#}
        {%- do store_raw_result("main", message="kept", code="KEPT", rows_affected="-1") -%}
    {%- endif -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#-
    A table that is worked out whole each night, in the table that is there: its columns, comments and contract are those of the last full
    build, for the same reason. dbt's `table` builds beside it, renames twice, checks the contract and writes the comments again.
-#}
{% materialization lasting_table, adapter="duckdb" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- if existing is none or existing.type != "table" or is_full_build() -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ create_table_as(False, target_relation, as_built(sql)) }}
        {%- endcall -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- else -%}
        {%- call statement("delete_all") -%}
            delete from {{ target_relation }}
        {%- endcall -%}
        {%- call statement("main") -%}
            insert into {{ target_relation }} by name
            {{ as_built(sql) }}
        {%- endcall -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
