-- Grain: one row per workspace and stretch of usage dates with a credit price. No measures.
with credit_prices as (

    select *
    from {{ source('plan', 'credit_price') }}

)

select
    workspace_id,
    valid_from,
    valid_to,
    credit_price_usd
from credit_prices
order by
    workspace_id,
    valid_from
