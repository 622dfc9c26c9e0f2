{#-
    A table keyed by `usage_date` of which exactly the touched dates are replaced: delete on literal dates, insert the model's select.
    dbt's own delete+insert keys on the rows that arrive, so a date that became empty would keep its old rows, and it writes the new
    rows twice (temporary table, then target). On a full build the table is created anew. Contracts hold in both cases.
-#}
{% materialization by_usage_date, adapter="duckdb" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set rebuild = existing is none or existing.type != "table" or is_full_build() -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if rebuild -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ create_table_as(False, target_relation, sql) }}
        {%- endcall -%}
    {%- else -%}
        {%- if config.get("contract").enforced -%}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif -%}
        {%- set names = adapter.get_columns_in_relation(target_relation) | map(attribute="name") | list -%}
        {%- call statement("delete_dates") -%}
            delete from {{ target_relation }} where {{ touched("usage_date") }}
        {%- endcall -%}
        {%- call statement("main") -%}
            insert into {{ target_relation }} ({{ names | join(", ") }})
            select {{ names | join(", ") }}
            from (
                {{ sql }}
            ) as replacement
        {%- endcall -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- if rebuild -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
