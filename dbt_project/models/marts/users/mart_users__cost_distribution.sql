-- Grain: one row per workspace and cost bucket that has a tracked user. Additive.
{{ config(materialized='lasting_table') }}

with user_daily as (

    select *
    from {{ ref('fct_user_daily') }}
    where user_id is not null

),

cost_buckets as (

    {{ decade_cost_buckets() }}

),

users as (

    select
        workspace_id,
        user_id,
        {{ sums(unpriced_measures()) }},
        {{ sum_as('total_cost_usd', 'total_cost_usd') }}
    from user_daily
    group by
        workspace_id,
        user_id

),

counted as (

    select
        users.workspace_id,
        cost_buckets.bucket_index,
        cost_buckets.bucket_lower_usd,
        cost_buckets.bucket_upper_usd,
        {{ count_as('user_count') }},
        {{ sums(unpriced_measures(), from_prefix='users.') }},
        {{ sum_as('users.total_cost_usd', 'total_cost_usd') }}
    from users
    inner join cost_buckets
        on
            (users.total_cost_usd <= 0 and cost_buckets.bucket_index = 0)
            or (
                cost_buckets.bucket_index > 0
                and users.total_cost_usd >= cost_buckets.bucket_lower_usd
                and (users.total_cost_usd < cost_buckets.bucket_upper_usd or cost_buckets.bucket_upper_usd is null)
            )
    group by
        users.workspace_id,
        cost_buckets.bucket_index,
        cost_buckets.bucket_lower_usd,
        cost_buckets.bucket_upper_usd

)

select
    workspace_id,
    bucket_index,
    bucket_lower_usd,
    bucket_upper_usd,
    user_count,
    {{ columns(unpriced_measures()) }},
    total_cost_usd
from counted
order by
    workspace_id,
    bucket_index
