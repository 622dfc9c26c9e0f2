-- Grain: one row per usage_date, workspace and run type. Counts and run_duration_ms additive; percentiles are not.
{{ config(materialized='by_usage_date') }}

with runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

),

summed as (

    select
        usage_date,
        workspace_id,
        run_type,
        {{ count_as('run_count') }},
        {{ count_as('completed_run_count', "status = 'completed'") }},
        {{ count_as('failed_run_count', "status = 'failed'") }},
        {{ sum_as('duration_ms', 'run_duration_ms', only_when="status = 'completed'") }},
        {{ latency_percentiles('duration_ms', only_when="status = 'completed'") }}
    from runs
    group by
        usage_date,
        workspace_id,
        run_type

)

select
    usage_date,
    workspace_id,
    run_type,
    run_count,
    completed_run_count,
    failed_run_count,
    run_duration_ms,
    latency_p50_ms,
    latency_p90_ms,
    latency_p95_ms,
    latency_p99_ms
from summed
order by
    usage_date,
    workspace_id,
    run_type
