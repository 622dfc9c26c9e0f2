-- Grain: one row per usage_date, workspace, run type and latency bucket; completed runs. Counts additive.
{{ config(materialized='by_usage_date') }}

with completed_runs as (

    select
        usage_date,
        workspace_id,
        run_type,
        {{ latency_bucket_index('duration_ms') }} as bucket_index
    from {{ ref('fct_run_usage') }}
    where
        {{ touched('usage_date') }}
        and status = 'completed'
        and duration_ms is not null

),

counted as (

    select
        usage_date,
        workspace_id,
        run_type,
        bucket_index,
        {{ count_as('run_count') }}
    from completed_runs
    group by
        usage_date,
        workspace_id,
        run_type,
        bucket_index

)

select
    usage_date,
    workspace_id,
    run_type,
    bucket_index,
    {{ latency_bucket_lower_ms('bucket_index') }} as bucket_lower_ms,
    {{ latency_bucket_upper_ms('bucket_index') }} as bucket_upper_ms,
    run_count
from counted
order by
    usage_date,
    workspace_id,
    run_type,
    bucket_index
