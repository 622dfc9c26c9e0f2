{#
    What the log tables and the detail sheets show of a run, written once: the inclusive totals, and the split of tokens
    and cost into the run's own work, its image generation and its child runs. The three parts add up to the total.
#}

{#- What the lake says of a run and its winning version keeps: all but the lake's own columns and its key of versions. -#}
{% macro columns_of_runs() -%}
    {{ return([
        "workspace_id", "run_id", "run_type", "resource_id", "resource_name", "source", "delivery", "charge_type", "status", "started_at",
        "completed_at", "updated_at", "provider", "model", "api_key_id", "api_key_name", "collaborator", "user_id", "user_metadata",
        "trace_id", "parent_run_id", "deployment", "error_message", "reported_total_tokens", "reported_total_cost_usd", "quality_flags",
        "attributes",
    ]) }}
{%- endmacro %}

{#- The name that a reader sees: a resource without a name shows its id. -#}
{% macro run_name() -%}
    coalesce(resource_name, resource_id) as name
{%- endmacro %}

{#- Inclusive totals, named as in fct_run_usage. -#}
{% macro inclusive_run_totals() -%}
    total_tokens,
    {{ columns(prefixed(token_measures() | reject('equalto', 'total_tokens') | list, 'total_')) }},
    total_cost_usd,
    total_task_credits,
    total_task_credit_cost_usd,
    total_wallet_cost_usd,
    total_external_cost_usd,
    total_provider_cost_usd
{%- endmacro %}

{#- What the inclusive totals lack, by the names of the daily marts. -#}
{% macro inclusive_unpriced() -%}
    total_unpriced_call_count as unpriced_call_count,
    total_unpriced_total_tokens as unpriced_total_tokens
{%- endmacro %}

{#- Qualified, because the mart's own_total_tokens (without images) has the name of the fact's (with them). -#}
{% macro split_of_run_totals() -%}
    runs.own_total_tokens - runs.own_image_tokens as own_total_tokens,
    own_image_tokens,
    runs.total_tokens - runs.own_total_tokens as child_runs_total_tokens,
    cast(own_total_cost_usd - own_image_generation_cost_usd as decimal(38, 12)) as own_cost_usd,
    own_image_generation_cost_usd as image_generation_cost_usd,
    cast(total_cost_usd - own_total_cost_usd as decimal(38, 12)) as child_runs_cost_usd
{%- endmacro %}

{#- The columns of a log table, all three run types alike. -#}
{% macro run_log_columns() -%}
    usage_date,
    workspace_id,
    run_id,
    completed_at,
    started_at,
    resource_id,
    {{ run_name() }},
    provider,
    model,
    charge_type,
    status,
    tools,
    tool_call_count,
    total_tool_call_count,
    {{ inclusive_run_totals() }},
    {{ split_of_run_totals() }},
    duration_ms,
    api_key_id,
    api_key_name,
    collaborator,
    source,
    delivery,
    user_id,
    user_metadata,
    deployment,
    parent_run_id,
    {{ inclusive_unpriced() }},
    error_message
{%- endmacro %}

{#- The columns of a run's detail sheet: header, pills, split, links. -#}
{% macro run_summary_columns() -%}
    run_id,
    usage_date,
    workspace_id,
    status,
    deployment,
    resource_id,
    {{ run_name() }},
    source,
    delivery,
    provider,
    model,
    charge_type,
    api_key_id,
    api_key_name,
    collaborator,
    started_at,
    completed_at,
    duration_ms,
    tools,
    tool_call_count,
    total_tool_call_count,
    {{ inclusive_run_totals() }},
    {{ split_of_run_totals() }},
    {{ inclusive_unpriced() }},
    user_id,
    user_metadata,
    trace_id,
    parent_run_id,
    is_parent_missing,
    child_run_count,
    descendant_run_count,
    error_message,
    reported_total_tokens,
    reported_total_cost_usd,
    quality_flags,
    attributes
{%- endmacro %}
