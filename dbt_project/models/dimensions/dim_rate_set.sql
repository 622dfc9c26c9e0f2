-- Grain: one row per rate card, service, charge type, depth of search and stretch of time. No measures: what applies, resolved.
with rate_sets as (

    select *
    from {{ source('plan', 'rate_set') }}

)

select
    service_rate_id,
    rate_card,
    service_key,
    charge_type,
    is_deep,
    valid_from,
    valid_to,
    unit,
    task_credits
from rate_sets
order by
    rate_card,
    service_key,
    charge_type,
    is_deep,
    valid_from
