-- Grain: one row per usage_date, workspace, service and is_model_call. All measures are additive.
{{ config(materialized='by_usage_date') }}

with usage_daily as (

    select *
    from {{ ref('fct_usage_daily') }}
    where {{ touched('usage_date') }}

),

summed as (

    select
        usage_date,
        workspace_id,
        service,
        is_model_call,
        {{ sums(call_measures()) }},
        {{ sums(token_measures()) }},
        {{ sum_as('units', 'units') }},
        {{ sums(money_measures()) }}
    from usage_daily
    group by
        usage_date,
        workspace_id,
        service,
        is_model_call

)

select
    usage_date,
    workspace_id,
    service,
    is_model_call,
    {{ columns(call_measures()) }},
    {{ columns(token_measures()) }},
    units,
    {{ columns(money_measures()) }}
from summed
order by
    usage_date,
    workspace_id,
    service,
    is_model_call
