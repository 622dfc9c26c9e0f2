-- Grain: one row per usage_date, workspace and user_id (NULL: no tracked user). Additive; first/last are min/max.
{{ config(materialized='by_usage_date') }}

with runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

),

summed as (

    select
        usage_date,
        workspace_id,
        user_id,
        {{ count_as('run_count') }},
        {{ count_as('failed_run_count', "status = 'failed'") }},
        min(started_at) as first_request_at,
        max(started_at) as last_request_at,
        {{ sums(unpriced_measures()) }},
        {{ sum_as('own_total_tokens', 'total_tokens') }},
        {{ sums(user_token_measures(), from_prefix='own_') }},
        {{ sums(money_measures(), from_prefix='own_') }}
    from runs
    group by
        usage_date,
        workspace_id,
        user_id

)

select
    usage_date,
    workspace_id,
    user_id,
    run_count,
    failed_run_count,
    first_request_at,
    last_request_at,
    {{ columns(unpriced_measures()) }},
    total_tokens,
    {{ columns(user_token_measures()) }},
    {{ columns(money_measures()) }}
from summed
order by
    usage_date,
    workspace_id,
    user_id
