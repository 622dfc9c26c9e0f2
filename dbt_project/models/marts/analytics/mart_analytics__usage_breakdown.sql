-- Grain: one row per usage_date, workspace and combination of the seven dimensions of pages and is_model_call. Additive.
{{ config(materialized='lasting_view') }}

with usage_daily as (

    select *
    from {{ ref('fct_usage_daily') }}

),

named as (

    -- a page shows names, so two ids of one name are one line on it
    select
        usage_date,
        workspace_id,
        service,
        provider,
        model,
        coalesce(resource_name, resource_id) as resource_name,
        coalesce(api_key_name, api_key_id) as api_key,
        charge_type,
        collaborator,
        is_model_call,
        {{ columns(call_measures()) }},
        {{ columns(token_measures()) }},
        {{ columns(money_measures()) }}
    from usage_daily

),

summed as (

    select
        usage_date,
        workspace_id,
        service,
        provider,
        model,
        resource_name,
        api_key,
        charge_type,
        collaborator,
        is_model_call,
        {{ sums(call_measures()) }},
        {{ sums(token_measures()) }},
        {{ sums(money_measures()) }}
    from named
    group by
        usage_date,
        workspace_id,
        service,
        provider,
        model,
        resource_name,
        api_key,
        charge_type,
        collaborator,
        is_model_call

)

select
    usage_date,
    workspace_id,
    service,
    provider,
    model,
    resource_name,
    api_key,
    charge_type,
    collaborator,
    is_model_call,
    {{ columns(call_measures()) }},
    {{ columns(token_measures()) }},
    {{ columns(money_measures()) }}
from summed
