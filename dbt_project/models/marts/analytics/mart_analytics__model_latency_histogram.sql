-- Grain: one row per usage_date, workspace, provider, model and latency bucket; completed model calls. Counts additive.
{{ config(materialized='by_usage_date') }}

with completed_calls as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        {{ latency_bucket_index('duration_ms') }} as bucket_index
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and billing_role = 'call'
        and is_model_call
        and status = 'completed'
        and duration_ms is not null

),

counted as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        bucket_index,
        {{ count_as('call_count') }}
    from completed_calls
    group by
        usage_date,
        workspace_id,
        provider,
        model,
        bucket_index

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    bucket_index,
    {{ latency_bucket_lower_ms('bucket_index') }} as bucket_lower_ms,
    {{ latency_bucket_upper_ms('bucket_index') }} as bucket_upper_ms,
    call_count
from counted
order by
    usage_date,
    workspace_id,
    provider,
    model,
    bucket_index
