-- What a workspace with a budget spent in a month is the sum of its days, to the last decimal; no month is missing.
{{ config(meta={'dagster': {'ref': {'name': 'mart_analytics__budgets'}}}) }}

with budgets as (

    select *
    from {{ ref('mart_analytics__budgets') }}

),

workspaces as (

    select workspace_id
    from {{ ref('dim_workspace') }}
    where monthly_budget_usd is not null

),

months as (

    select
        usage_daily.workspace_id,
        cast(date_trunc('month', usage_daily.usage_date) as date) as month_start_date,
        sum(usage_daily.total_cost_usd) as total_cost_usd
    from {{ ref('fct_usage_daily') }} as usage_daily
    inner join workspaces
        on usage_daily.workspace_id = workspaces.workspace_id
    group by
        usage_daily.workspace_id,
        month_start_date

)

select
    coalesce(budgets.workspace_id, months.workspace_id) as workspace_id,
    coalesce(budgets.month_start_date, months.month_start_date) as month_start_date,
    budgets.spent_usd,
    months.total_cost_usd
from budgets
full outer join months
    on
        budgets.workspace_id = months.workspace_id
        and budgets.month_start_date = months.month_start_date
where budgets.spent_usd is distinct from months.total_cost_usd
