-- Grain: one row per usage_date, workspace, span name and kind. Additive, except latency_p95_ms and run_duration_ms.
{{ config(materialized='by_usage_date') }}

with spans as (

    select *
    from {{ ref('fct_span_usage') }}
    where {{ touched('usage_date') }}

),

runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

),

span_totals as (

    select
        usage_date,
        workspace_id,
        span_name,
        span_kind,
        {{ count_as('span_count') }},
        {{ count_as('failed_span_count', "status = 'failed'") }},
        {{ sum_as('duration_ms', 'span_duration_ms') }},
        {{ exact_percentile_ms('duration_ms', 0.95, only_when="status = 'completed'") }} as latency_p95_ms
    from spans
    group by
        usage_date,
        workspace_id,
        span_name,
        span_kind

),

run_totals as (

    select
        usage_date,
        workspace_id,
        {{ sum_as('duration_ms', 'run_duration_ms') }}
    from runs
    group by
        usage_date,
        workspace_id

)

select
    span_totals.usage_date,
    span_totals.workspace_id,
    span_totals.span_name,
    span_totals.span_kind,
    span_totals.span_count,
    span_totals.failed_span_count,
    span_totals.span_duration_ms,
    span_totals.latency_p95_ms,
    coalesce(run_totals.run_duration_ms, 0) as run_duration_ms
from span_totals
left join run_totals
    on
        span_totals.usage_date = run_totals.usage_date
        and span_totals.workspace_id = run_totals.workspace_id
order by
    span_totals.usage_date,
    span_totals.workspace_id,
    span_totals.span_name,
    span_totals.span_kind
