-- Grain: one row per workspace and tracked user, over the whole history. Additive over users; first/last min/max.
{{ config(materialized='lasting_table') }}

with user_daily as (

    select *
    from {{ ref('fct_user_daily') }}
    where user_id is not null

),

summed as (

    select
        workspace_id,
        user_id,
        min(first_request_at) as first_request_at,
        max(last_request_at) as last_request_at,
        {{ sum_as('run_count', 'total_requests') }},
        {{ sum_as('total_tokens', 'total_tokens') }},
        {{ sums(unpriced_measures()) }},
        {{ sums(money_measures()) }}
    from user_daily
    group by
        workspace_id,
        user_id

)

select
    workspace_id,
    user_id,
    first_request_at,
    last_request_at,
    total_requests,
    total_tokens,
    {{ columns(unpriced_measures()) }},
    {{ columns(money_measures()) }}
from summed
order by
    workspace_id,
    user_id
