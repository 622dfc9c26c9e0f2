-- Grain: one row per provider, model_rule, variant, meter, tier and stretch of time. No measures: prices never add up.
with prices as (

    select *
    from {{ source('plan', 'price') }}

)

select
    provider,
    model_rule,
    meter,
    variant,
    above_input_tokens,
    valid_from,
    valid_to,
    daily_from,
    daily_to,
    unit_size,
    unit_price_usd,
    source,
    source_version,
    checked_at
from prices
order by
    source,
    provider,
    model_rule,
    variant,
    meter,
    above_input_tokens,
    valid_from,
    daily_from
