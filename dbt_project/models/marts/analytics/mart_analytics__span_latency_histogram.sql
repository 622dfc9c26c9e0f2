-- Grain: one row per usage_date, workspace, span name, kind and latency bucket; completed spans. Counts additive.
{{ config(materialized='by_usage_date') }}

with completed_spans as (

    select
        usage_date,
        workspace_id,
        span_name,
        span_kind,
        {{ latency_bucket_index('duration_ms') }} as bucket_index
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and status = 'completed'
        and duration_ms is not null

),

counted as (

    select
        usage_date,
        workspace_id,
        span_name,
        span_kind,
        bucket_index,
        {{ count_as('span_count') }}
    from completed_spans
    group by
        usage_date,
        workspace_id,
        span_name,
        span_kind,
        bucket_index

)

select
    usage_date,
    workspace_id,
    span_name,
    span_kind,
    bucket_index,
    {{ latency_bucket_lower_ms('bucket_index') }} as bucket_lower_ms,
    {{ latency_bucket_upper_ms('bucket_index') }} as bucket_upper_ms,
    span_count
from counted
order by
    usage_date,
    workspace_id,
    span_name,
    span_kind,
    bucket_index
