-- Of every day whose runs are kept, touched tonight or not, the runs add up to its daily figures.
{{ config(meta={'dagster': {'ref': {'name': 'fct_run_usage'}}}) }}

with signed as (

    select
        usage_date,
        workspace_id,
        own_total_cost_usd as total_cost_usd,
        own_total_tokens as total_tokens,
        1 as run_count
    from {{ ref('fct_run_usage') }}

    union all

    select
        usage_date,
        workspace_id,
        -total_cost_usd as total_cost_usd,
        -total_tokens as total_tokens,
        -run_count as run_count
    from {{ ref('fct_user_daily') }}
    where {{ 'usage_date >= ' ~ detail_from() if detail_from() is not none else 'true' }}

)

select
    usage_date,
    workspace_id,
    sum(total_cost_usd) as surplus_total_cost_usd,
    sum(total_tokens) as surplus_total_tokens,
    sum(run_count) as surplus_run_count
from signed
where {{ 'usage_date >= ' ~ detail_from() if detail_from() is not none else 'true' }}
group by
    usage_date,
    workspace_id
having
    sum(total_cost_usd) <> 0
    or sum(total_tokens) <> 0
    or sum(run_count) <> 0
