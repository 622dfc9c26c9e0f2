{#-
    A table keyed by `usage_date` of which exactly the touched dates are replaced: delete on literal dates, insert the model's select.
    dbt's own delete+insert keys on the rows that arrive, so a date that became empty would keep its old rows, and it writes the new
    rows twice (temporary table, then target). On a full build the table is created anew, by its contract; other nights insert into it
    what the same SQL selects, by name (a changed file of the project is a full build).
    With `chunked=N` the rows are written chunk by chunk, dates of some N spans each (`chunks_of_dates`), so that memory and time follow
    the rows of a chunk, and each join holds its right side in memory, as it is written: DuckDB takes a part chosen by its path for one
    row and would hold the full rows of the spans instead (1.9 GB and 11 s for half a million of them, against 1.0 GB and 6 s).
-#}
{% materialization by_usage_date, adapter="duckdb" %}
    {%- if config.get("stays_in_lake") and is_built_on_spark() -%}
        {{ return(view_of_built(sql)) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set rebuild = existing is none or existing.type != "table" or is_full_build() -%}
    {%- set selects = [] -%}
    {%- if config.get("chunked") -%}
        {%- for chunk in chunks_of_dates(config.get("chunked")) -%}
            {%- do selects.append(of_chunk(sql, chunk)) -%}
        {%- endfor -%}
        {%- do run_query("set disabled_optimizers = 'build_side_probe_side'") -%}
    {%- endif -%}
    {%- if not selects -%}
        {%- do selects.append(as_built(sql)) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if rebuild -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ create_table_as(False, target_relation, selects.pop(0)) }}
        {%- endcall -%}
    {%- else -%}
        {%- call statement("delete_dates") -%}
            delete from {{ target_relation }} where {{ touched("usage_date") }}
        {%- endcall -%}
    {%- endif -%}
    {%- for select in selects -%}
        {%- call statement("main") -%}
            insert into {{ target_relation }} by name
            {{ select }}
        {%- endcall -%}
    {%- endfor -%}

    {%- if config.get("chunked") -%}
        {%- do run_query("reset disabled_optimizers") -%}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- if rebuild -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
