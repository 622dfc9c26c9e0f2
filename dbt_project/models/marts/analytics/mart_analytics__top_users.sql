-- Grain: one row per usage_date, workspace and user_id (NULL: no tracked user). Additive, except the ranks.
{{ config(materialized='lasting_view') }}

with user_daily as (

    select *
    from {{ ref('fct_user_daily') }}

),

ranked as (

    -- runs without a tracked user stay as a row, so that the day adds up, but take no rank from anybody
    select
        *,
        {{ rank_of_tracked_users('total_cost_usd') }} as cost_rank,
        {{ rank_of_tracked_users('run_count') }} as request_rank,
        {{ rank_of_tracked_users('total_tokens') }} as token_rank
    from user_daily

)

select
    usage_date,
    workspace_id,
    user_id,
    run_count,
    total_tokens,
    {{ columns(unpriced_measures()) }},
    {{ columns(money_measures()) }},
    cost_rank,
    request_rank,
    token_rank
from ranked
