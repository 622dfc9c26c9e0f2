-- Grain: one row per usage_date, workspace, model as named and as priced, and outcome of pricing. All measures additive.
{{ config(materialized='by_usage_date') }}

with calls as (

    select
        *,
        coalesce(
            case when bears_comparison then {{ differs('reported_provider_cost_usd', 'computed_provider_cost_usd') }} end, false
        ) as is_differing
    from (
        select
            *,
            reported_provider_cost_usd is not null and computed_provider_cost_usd is not null as bears_comparison
        from {{ ref('fct_span_usage') }}
        where
            {{ touched('usage_date') }}
            and price_status is not null
    ) as priceable

),

summed as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        response_model,
        priced_provider,
        priced_model,
        cost_source,
        price_status,
        unpriced_reason,
        {{ count_as('call_count') }},
        {{ sums(token_measures()) }},
        {{ sum_as('provider_cost_usd', 'provider_cost_usd') }},
        {{ count_as('compared_call_count', 'bears_comparison') }},
        {{ sum_as('reported_provider_cost_usd', 'compared_reported_cost_usd', 'bears_comparison') }},
        {{ sum_as('computed_provider_cost_usd', 'compared_computed_cost_usd', 'bears_comparison') }},
        {{ count_as('differing_call_count', 'is_differing') }},
        {{ sum_as('abs(reported_provider_cost_usd - computed_provider_cost_usd)', 'at_stake_usd', 'is_differing') }}
    from calls
    group by
        usage_date,
        workspace_id,
        provider,
        model,
        response_model,
        priced_provider,
        priced_model,
        cost_source,
        price_status,
        unpriced_reason

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    response_model,
    priced_provider,
    priced_model,
    cost_source,
    price_status,
    unpriced_reason,
    call_count,
    {{ columns(token_measures()) }},
    provider_cost_usd,
    compared_call_count,
    compared_reported_cost_usd,
    compared_computed_cost_usd,
    differing_call_count,
    at_stake_usd
from summed
order by
    usage_date,
    workspace_id,
    provider,
    model,
    response_model,
    priced_provider,
    priced_model,
    cost_source,
    price_status,
    unpriced_reason
