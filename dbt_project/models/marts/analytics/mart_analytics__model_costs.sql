-- Grain: one row per usage_date, workspace, provider and model. Additive, except cost_per_million_tokens_usd.
{{ config(materialized='by_usage_date') }}

with usage_daily as (

    select *
    from {{ ref('fct_usage_daily') }}
    where
        {{ touched('usage_date') }}
        and is_model_call

),

summed as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        {{ sums(call_measures()) }},
        {{ sums(token_measures()) }},
        {{ sums(money_measures()) }}
    from usage_daily
    group by
        usage_date,
        workspace_id,
        provider,
        model

),

with_priced_tokens as (

    -- tokens without a price would make a model look cheaper than it is
    select
        *,
        total_tokens - unpriced_total_tokens as priced_tokens
    from summed

)

select
    usage_date,
    workspace_id,
    provider,
    model,
    {{ columns(call_measures()) }},
    {{ columns(token_measures()) }},
    {{ columns(money_measures()) }},
    {{ exact_ratio('provider_cost_usd', 'priced_tokens', scale=12, multiplier=1000000) }} as cost_per_million_tokens_usd
from with_priced_tokens
order by
    usage_date,
    workspace_id,
    provider,
    model
