-- Grain: one row per price_key, stretch of time, daily window and tier. No measures: the rates of all meters, side by side.
with price_sets as (

    select *
    from {{ source('plan', 'price_set') }}

)

select
    price_set_id,
    price_key,
    valid_from,
    valid_to,
    daily_from_s,
    daily_to_s,
    above_input_tokens,
    up_to_input_tokens,
    {%- for meter in meter_quantities() %}
        {{ meter }}_usd,
    {%- endfor %}
    {%- for meter in guessable_meters() %}
        is_{{ meter }}_guessed,
    {%- endfor %}
    is_free
from price_sets
order by
    price_key,
    valid_from,
    daily_from_s,
    above_input_tokens
