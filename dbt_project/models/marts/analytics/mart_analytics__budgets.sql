-- Grain: one row per month and workspace with a monthly budget. Not additive over workspaces: each has its own budget.
{{ config(materialized='lasting_table') }}

{%- set remaining_units = usd_units('(monthly_budget_usd - spent_usd)') %}

with daily as (

    select
        usage_date,
        workspace_id,
        cast(date_trunc('month', usage_date) as date) as month_start_date,
        total_cost_usd
    from {{ ref('fct_usage_daily') }}

),

workspaces as (

    select
        workspace_id,
        monthly_budget_usd
    from {{ ref('dim_workspace') }}
    where monthly_budget_usd is not null

),

-- Every workspace is judged as of the newest day of usage that there is: a quiet workspace has spent nothing since.
newest as (

    select max(usage_date) as usage_date
    from daily

),

spent as (

    select
        daily.workspace_id,
        daily.month_start_date,
        workspaces.monthly_budget_usd,
        least(newest.usage_date, cast(daily.month_start_date + interval 1 month - interval 1 day as date)) as through_date,
        cast(daily.month_start_date + interval 1 month - interval 1 day as date) as month_end_date,
        {{ sum_as('daily.total_cost_usd', 'spent_usd') }}
    from daily
    inner join workspaces
        on daily.workspace_id = workspaces.workspace_id
    cross join newest
    group by
        daily.workspace_id,
        daily.month_start_date,
        workspaces.monthly_budget_usd,
        newest.usage_date

),

counted as (

    select
        *,
        day(through_date) as days_elapsed,
        day(month_end_date) - day(through_date) as days_left
    from spent

),

paced as (

    select
        *,
        {{ usd_divided_by('spent_usd', 'days_elapsed') }} as pace_usd_per_day
    from counted

),

projected as (

    select
        *,
        cast(spent_usd + days_left * pace_usd_per_day as decimal(38, 12)) as projected_usd
    from paced

)

select
    workspace_id,
    month_start_date,
    through_date,
    monthly_budget_usd,
    spent_usd,
    cast(days_elapsed as bigint) as days_elapsed,
    cast(days_left as bigint) as days_left,
    pace_usd_per_day,
    projected_usd,
    cast(monthly_budget_usd - spent_usd as decimal(38, 12)) as remaining_usd,
    case
        when spent_usd > monthly_budget_usd then cast(0 as bigint)
        when pace_usd_per_day > 0 and projected_usd > monthly_budget_usd
            then cast({{ whole_quotient(remaining_units ~ ' * days_elapsed', usd_units('spent_usd')) }} as bigint)
    end as budget_days_left,
    case
        when spent_usd > monthly_budget_usd then 'over'
        when projected_usd > monthly_budget_usd then 'heading_over'
        else 'within'
    end as budget_status
from projected
order by
    workspace_id,
    month_start_date
