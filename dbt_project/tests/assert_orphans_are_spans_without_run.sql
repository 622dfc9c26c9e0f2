-- A span has a run in fct_run_usage on its own date, or it is an orphan; never both, never neither. A trace that only repeats
-- calls of other traces has none, and its spans carry nothing.
{{ config(meta={'dagster': {'ref': {'name': 'fct_span_usage'}}}) }}

with span_runs as (

    select distinct
        usage_date,
        workspace_id,
        run_id,
        is_orphan
    from {{ ref('fct_span_usage') }}
    where {{ touched('usage_date') }}

),

repetitions as (

    select
        workspace_id,
        run_id
    from {{ ref('int_runs__derived') }}
    where is_repetition

),

runs as (

    select
        usage_date,
        workspace_id,
        run_id
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

)

select
    span_runs.usage_date,
    span_runs.workspace_id,
    span_runs.run_id,
    span_runs.is_orphan
from span_runs
left join runs
    on
        span_runs.usage_date = runs.usage_date
        and span_runs.workspace_id = runs.workspace_id
        and span_runs.run_id = runs.run_id
left join repetitions
    on
        span_runs.workspace_id = repetitions.workspace_id
        and span_runs.run_id = repetitions.run_id
where
    span_runs.is_orphan = (runs.run_id is not null)
    and repetitions.run_id is null
