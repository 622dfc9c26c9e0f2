-- Grain: one row per usage_date, workspace and model with calls whose reported and computed cost differ by over 1 %. Additive.
with pricing as (

    select *
    from {{ ref('fct_pricing_daily') }}
    where {{ touched('usage_date') }}

),

summed as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        priced_provider,
        priced_model,
        {{ sum_as('compared_call_count', 'compared_call_count') }},
        {{ sum_as('differing_call_count', 'differing_call_count') }},
        {{ sum_as('compared_reported_cost_usd', 'reported_cost_usd') }},
        {{ sum_as('compared_computed_cost_usd', 'computed_cost_usd') }},
        {{ sum_as('at_stake_usd', 'at_stake_usd') }}
    from pricing
    group by
        usage_date,
        workspace_id,
        provider,
        model,
        priced_provider,
        priced_model

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    priced_provider,
    priced_model,
    compared_call_count,
    differing_call_count,
    reported_cost_usd,
    computed_cost_usd,
    cast(computed_cost_usd - reported_cost_usd as decimal(38, 12)) as difference_usd,
    at_stake_usd
from summed
where differing_call_count > 0
order by
    usage_date,
    workspace_id,
    provider,
    model,
    priced_provider,
    priced_model
