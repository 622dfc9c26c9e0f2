{#
    Rows for unit tests of models that read views on the lake: dbt can read the columns of a relation that is there,
    so those of others, and their types, are listed here. Only unit tests call these.
#}

{#- `rows` as typed SQL; a column that a row leaves out has its default, else NULL. A misspelt column is an error. -#}
{% macro fixture_rows(columns, defaults, rows) -%}
    {%- for row in rows %}
        {%- for name in row if name not in columns -%}
            {{ exceptions.raise_compiler_error("fixture has no column '" ~ name ~ "'") }}
        {%- endfor %}
        select
        {%- for name, type in columns.items() %}
            {%- set value = row[name] if name in row else defaults.get(name) %}
            cast({{ 'null' if value is none else "'" ~ (value | string | replace("'", "''")) ~ "'" }} as {{ type }}) as {{ name }}
            {{- ',' if not loop.last }}
        {%- endfor %}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- int_spans__judged: completions of run r in workspace w, unless a row says otherwise. -#}
{% macro fixture_of_spans(rows) -%}
    {%- set columns = {'usage_date': 'date', 'lake_date': 'date', 'is_orphan': 'boolean', 'is_child_run': 'boolean'} -%}
    {%- for name in [
        'workspace_id', 'run_id', 'span_id', 'trace_id', 'parent_span_id', 'span_name', 'span_kind', 'service',
        'provider', 'model', 'response_model', 'service_tier', 'charge_type', 'status', 'error_message', 'source_format',
        'token_convention', 'quality_flags', 'attributes', 'response_id', 'call_marker', 'scope', 'session_id', 'user_id',
        'user_metadata', 'resource_id', 'resource_name', 'api_key_id', 'api_key_name', 'collaborator', 'deployment',
        'judged_role', 'judged_reason', 'judged_run_id', 'judged_span_id', 'billing_flags',
    ] -%}
        {%- do columns.update({name: 'varchar'}) -%}
    {%- endfor -%}
    {%- do columns.update({'started_at': 'timestamp', 'ended_at': 'timestamp', 'attempt': 'bigint', 'units': 'bigint'}) -%}
    {%- for name in ['cache_write_1h_tokens', 'image_input_tokens', 'web_search_count', 'reported_total_tokens'] -%}
        {%- do columns.update({name: 'bigint'}) -%}
    {%- endfor -%}
    {%- for name in token_measures() if name != 'total_tokens' -%}
        {%- do columns.update({name: 'bigint'}) -%}
    {%- endfor -%}
    {%- do columns.update({'reported_provider_cost_usd': 'decimal(38, 12)', 'reported_task_credits': 'decimal(18, 6)'}) -%}
    {{ fixture_rows(columns, {
        'usage_date': '2026-03-01', 'lake_date': '2026-03-01', 'is_orphan': false, 'is_child_run': false, 'workspace_id': 'w', 'run_id': 'r',
        'span_name': 'name', 'span_kind': 'completion', 'status': 'completed', 'started_at': '2026-03-01 10:00:00',
        'source_format': 'native',
    }, rows) }}
{%- endmacro %}

{#- int_runs__current: completed agent runs of workspace w, unless a row says otherwise. -#}
{% macro fixture_of_runs(rows) -%}
    {%- set columns = {'usage_date': 'date'} -%}
    {%- for name in [
        'workspace_id', 'run_id', 'run_type', 'resource_id', 'resource_name', 'source', 'delivery', 'charge_type',
        'status', 'provider', 'model', 'api_key_id', 'api_key_name', 'collaborator', 'user_id', 'user_metadata',
        'trace_id', 'parent_run_id', 'deployment', 'error_message', 'quality_flags', 'attributes',
    ] -%}
        {%- do columns.update({name: 'varchar'}) -%}
    {%- endfor -%}
    {%- do columns.update({
        'started_at': 'timestamp', 'completed_at': 'timestamp', 'updated_at': 'timestamp',
        'reported_total_tokens': 'bigint', 'reported_total_cost_usd': 'decimal(38, 12)',
    }) -%}
    {{ fixture_rows(columns, {
        'usage_date': '2026-03-01', 'workspace_id': 'w', 'run_id': 'r', 'run_type': 'agent', 'status': 'completed',
        'started_at': '2026-03-01 10:00:00',
    }, rows) }}
{%- endmacro %}
