-- Grain: one row per combination of names that spans carry (provider, model, response model, service tier). No measures.
with model_names as (

    select *
    from {{ source('plan', 'model_name') }}

)

select
    provider_name,
    model_name,
    response_model_name,
    service_tier,
    price_key,
    priced_provider,
    priced_model,
    price_rule,
    is_tier_unknown,
    catalogue_provider,
    catalogue_model,
    file_provider,
    file_pattern,
    variant
from model_names
order by
    provider_name,
    model_name,
    response_model_name,
    service_tier
