-- Grain: one row per usage_date, workspace, provider and model. Counts additive; error rate and percentiles are not.
{{ config(materialized='by_usage_date') }}

with model_calls as (

    select *
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and billing_role = 'call'
        and is_model_call

),

summed as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        {{ count_as('call_count') }},
        {{ count_as('completed_call_count', "status = 'completed'") }},
        {{ count_as('failed_call_count', "status = 'failed'") }},
        {{ latency_percentiles('duration_ms', only_when="status = 'completed'") }}
    from model_calls
    group by
        usage_date,
        workspace_id,
        provider,
        model

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    call_count,
    completed_call_count,
    failed_call_count,
    cast(
        {{ exact_ratio('failed_call_count', 'call_count', scale=4, multiplier=100) }}
        as decimal(9, 4)
    ) as error_rate_pct,
    latency_p50_ms,
    latency_p90_ms,
    latency_p95_ms,
    latency_p99_ms
from summed
order by
    usage_date,
    workspace_id,
    provider,
    model
