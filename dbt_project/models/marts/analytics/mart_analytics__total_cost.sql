-- Grain: one row per usage_date and workspace, runs without calls and orphan-only days included. All measures additive.
{{ config(materialized='by_usage_date') }}

with usage_daily as (

    select *
    from {{ ref('fct_usage_daily') }}
    where {{ touched('usage_date') }}

),

runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

),

usage_totals as (

    select
        usage_date,
        workspace_id,
        {{ sums(call_measures()) }},
        {{ sums(token_measures()) }},
        {{ sums(money_measures()) }},
        {{ sums(unattributed_measures(), to_prefix='unattributed_', only_when='is_unattributed') }}
    from usage_daily
    group by
        usage_date,
        workspace_id

),

run_totals as (

    select
        usage_date,
        workspace_id,
        {{ count_as('run_count') }},
        {{ count_as('failed_run_count', "status = 'failed'") }}
    from runs
    group by
        usage_date,
        workspace_id

),

joined as (

    -- a full join: a day may have runs without any call, or orphans without any run
    select
        coalesce(usage_totals.usage_date, run_totals.usage_date) as usage_date,
        coalesce(usage_totals.workspace_id, run_totals.workspace_id) as workspace_id,
        {{ zero_when_missing(['run_count', 'failed_run_count'], 'run_totals') }},
        {{ zero_when_missing(call_measures() + token_measures() + money_measures(), 'usage_totals') }},
        {{ zero_when_missing(prefixed(unattributed_measures(), 'unattributed_'), 'usage_totals') }}
    from usage_totals
    full outer join run_totals
        on
            usage_totals.usage_date = run_totals.usage_date
            and usage_totals.workspace_id = run_totals.workspace_id

)

select
    usage_date,
    workspace_id,
    run_count,
    failed_run_count,
    {{ columns(call_measures()) }},
    {{ columns(token_measures()) }},
    {{ columns(money_measures()) }},
    {{ columns(prefixed(unattributed_measures(), 'unattributed_')) }}
from joined
order by
    usage_date,
    workspace_id
