-- Grain: one row per parent run and direct child run. total_* include the child's own descendants: not additive.
{{ config(materialized='lasting_view') }}

with child_runs as (

    select
        *,
        {{ run_name() }}
    from {{ ref('fct_run_usage') }}
    where parent_run_id is not null

),

parent_runs as (

    select
        workspace_id,
        run_id,
        usage_date as parent_usage_date
    from {{ ref('fct_run_usage') }}

)

select
    child_runs.workspace_id,
    child_runs.parent_run_id,
    child_runs.run_id,
    child_runs.usage_date,
    parent_runs.parent_usage_date,
    child_runs.run_type,
    child_runs.name,
    child_runs.status,
    child_runs.started_at,
    child_runs.duration_ms,
    child_runs.total_tokens,
    child_runs.total_cost_usd,
    child_runs.total_unpriced_call_count as unpriced_call_count,
    child_runs.total_unpriced_total_tokens as unpriced_total_tokens,
    child_runs.total_task_credits
from child_runs
inner join parent_runs
    on
        child_runs.workspace_id = parent_runs.workspace_id
        and child_runs.parent_run_id = parent_runs.run_id
-- a run that names itself as its parent is nobody's child
where child_runs.parent_run_id <> child_runs.run_id
