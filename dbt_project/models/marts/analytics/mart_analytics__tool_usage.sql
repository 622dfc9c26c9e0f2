-- Grain: one row per usage_date, workspace and tool name. Additive, except latency_p95_ms.
{{ config(materialized='by_usage_date') }}

with tool_spans as (

    -- a duplicate is the same tool call seen twice, so it is left out here as it is left out of the bill
    select
        *,
        coalesce(service, span_name) as tool_name
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and {{ is_tool_call() }}

),

summed as (

    select
        usage_date,
        workspace_id,
        tool_name,
        {{ count_as('call_count') }},
        {{ count_as('failed_call_count', "status = 'failed'") }},
        {{ count_as('unpriced_call_count', "cost_source = 'unpriced'") }},
        {{ sum_as('total_tokens', 'unpriced_total_tokens', "cost_source = 'unpriced'") }},
        {{ sum_as('duration_ms', 'duration_ms') }},
        {{ exact_percentile_ms('duration_ms', 0.95, only_when="status = 'completed'") }} as latency_p95_ms,
        {{ sum_as('total_cost_usd', 'total_cost_usd') }},
        {{ sum_as('task_credits', 'task_credits') }}
    from tool_spans
    group by
        usage_date,
        workspace_id,
        tool_name

)

select
    usage_date,
    workspace_id,
    tool_name,
    call_count,
    failed_call_count,
    {{ columns(unpriced_measures()) }},
    duration_ms,
    latency_p95_ms,
    total_cost_usd,
    task_credits
from summed
order by
    usage_date,
    workspace_id,
    tool_name
