-- Grain: one row per rate card, service, charge type, unit, case and stretch of time, as the card says it. No measures.
with rates as (

    select *
    from {{ source('plan', 'service_rate') }}

)

select
    rate_card,
    service,
    charge_type,
    unit,
    applies,
    valid_from,
    valid_to,
    task_credits,
    source,
    source_version
from rates
order by
    rate_card,
    service,
    charge_type,
    unit,
    applies,
    valid_from
