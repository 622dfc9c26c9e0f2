-- Grain: one row per usage_date, workspace and user_id (NULL: no tracked user). All measures are additive.
{{ config(materialized='lasting_view') }}

with user_daily as (

    select *
    from {{ ref('fct_user_daily') }}

)

select
    usage_date,
    workspace_id,
    user_id,
    run_count,
    failed_run_count,
    total_tokens,
    {{ columns(unpriced_measures()) }},
    {{ columns(money_measures()) }}
from user_daily
