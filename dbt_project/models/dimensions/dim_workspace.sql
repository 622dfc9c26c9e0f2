-- Grain: one row per workspace that any row names (workspace_id). No measures.
with seen as (

    select distinct workspace_id
    from {{ ref('int_runs__directory') }}

),

settings as (

    select *
    from {{ source('plan', 'workspace_settings') }}

),

workspaces_with_a_credit_price as (

    select distinct workspace_id
    from {{ source('plan', 'credit_price') }}

)

select
    seen.workspace_id,
    coalesce(settings.workspace_name, seen.workspace_id) as workspace_name,
    coalesce(settings.time_zone, default_settings.time_zone) as time_zone,
    coalesce(settings.default_charge_type, default_settings.default_charge_type) as default_charge_type,
    settings.rate_card,
    settings.monthly_budget_usd,
    credit_prices.workspace_id is not null as has_credit_price,
    settings.workspace_id is not null as is_configured
from seen
left join settings
    on seen.workspace_id = settings.workspace_id
left join workspaces_with_a_credit_price as credit_prices
    on seen.workspace_id = credit_prices.workspace_id
inner join settings as default_settings
    on default_settings.workspace_id is null
order by seen.workspace_id
