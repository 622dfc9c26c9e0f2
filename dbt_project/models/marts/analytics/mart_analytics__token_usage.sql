-- Grain: one row per usage_date and workspace. All measures are additive.
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
        {{ sums(token_measures()) }}
    from usage_daily
    group by
        usage_date,
        workspace_id

),

classes as (

    -- plain subtraction: a subset larger than its whole is a fault that must show, as a negative class
    select
        *,
        input_tokens - cached_tokens - cache_write_tokens as uncached_input_tokens,
        output_tokens - reasoning_tokens as visible_output_tokens
    from summed

)

select
    usage_date,
    workspace_id,
    uncached_input_tokens,
    cached_tokens,
    cache_write_tokens,
    visible_output_tokens,
    reasoning_tokens,
    image_tokens,
    citation_tokens,
    input_tokens,
    output_tokens,
    total_tokens
from classes
order by
    usage_date,
    workspace_id
