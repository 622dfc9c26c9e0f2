-- Grain: one row per usage_date, workspace, model as named and reason the cost is unknown or partly so. All measures additive.
with pricing as (

    select *
    from {{ ref('fct_pricing_daily') }}
    where {{ touched('usage_date') }}

),

-- A reported cost needs no price, so only calls without one are listed.
summed as (

    select
        usage_date,
        workspace_id,
        provider,
        coalesce(response_model, model) as model,  -- noqa: RF04
        price_status,
        coalesce(unpriced_reason, 'partly_priced') as reason,
        {{ sum_as('call_count', 'call_count') }},
        {{ sums(token_measures()) }},
        {{ sum_as('provider_cost_usd', 'provider_cost_usd') }}
    from pricing
    where
        cost_source <> 'reported'
        and price_status in ('unpriced', 'partial')
    group by
        usage_date,
        workspace_id,
        provider,
        coalesce(response_model, model),
        price_status,
        coalesce(unpriced_reason, 'partly_priced')

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    price_status,
    reason,
    call_count,
    {{ columns(token_measures()) }},
    provider_cost_usd
from summed
order by
    usage_date,
    workspace_id,
    provider,
    model,
    price_status,
    reason
