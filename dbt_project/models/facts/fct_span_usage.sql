-- Grain: one row per span (workspace_id, run_id, span_id). Additive: measures are filled on billed calls only, so sums are right.
{{ config(chunked=500000, stays_in_lake=true) }}

with recursive spans as (

    select *
    from {{ ref('int_spans__judged') }}
    where {{ in_chunk(on_lake=true) }}

),

-- Read again and not from `spans`: what is read twice is kept whole, and full rows of two million spans do not fit in memory.
places as (

    select
        workspace_id,
        run_id,
        span_id,
        parent_span_id,
        span_kind,
        started_at,
        ended_at,
        {{ has_provider_usage() }} as is_carrier
    from {{ ref('int_spans__judged') }}
    where {{ in_chunk(on_lake=true) }}

),

runs as (

    select
        workspace_id,
        run_id,
        run_type,
        delivery,
        charge_type
    from {{ ref('int_runs__current') }}
    where {{ in_chunk() }}

),

workspaces as (

    select *
    from {{ ref('dim_workspace') }}

),

model_names as (

    select *
    from {{ ref('dim_model_name') }}

),

price_sets as (

    select *
    from {{ ref('dim_price_set') }}

),

rate_sets as (

    select *
    from {{ ref('dim_rate_set') }}

),

credit_prices as (

    select *
    from {{ ref('dim_credit_price') }}

),

-- A run, step or agent span that carries tokens or cost repeats those of the calls below it, unless the run has no other
-- carrier. Credits do not make a carrier: a search that only took credits has not repeated anybody's tokens.
runs_with_usage as (

    select
        workspace_id,
        run_id,
        bool_or(not {{ is_wrapper() }}) as has_calls,
        count(*) as carrier_count
    from places
    where is_carrier
    group by
        workspace_id,
        run_id

),

-- Where there are only wrappers, those without a carrier below them are the calls. Few runs are like that: few spans are walked.
spans_of_nested_wrappers as (

    select places.*
    from places
    inner join runs_with_usage
        on
            places.workspace_id = runs_with_usage.workspace_id
            and places.run_id = runs_with_usage.run_id
    where
        not runs_with_usage.has_calls
        and runs_with_usage.carrier_count > 1

),

lineage as (

    select
        workspace_id,
        run_id,
        span_id,
        parent_span_id as ancestor_span_id
    from spans_of_nested_wrappers
    where
        is_carrier
        and parent_span_id is not null

    union distinct

    select
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id,
        above.parent_span_id as ancestor_span_id
    from lineage
    inner join spans_of_nested_wrappers as above
        on
            lineage.workspace_id = above.workspace_id
            and lineage.run_id = above.run_id
            and lineage.ancestor_span_id = above.span_id
    where above.parent_span_id is not null

),

-- Spans that name each other as parents are above each other: neither repeats the other, or their usage would be lost.
wrappers_of_carriers as (

    select distinct
        lineage.workspace_id,
        lineage.run_id,
        lineage.ancestor_span_id as span_id
    from lineage
    left join lineage as opposite
        on
            lineage.workspace_id = opposite.workspace_id
            and lineage.run_id = opposite.run_id
            and lineage.span_id = opposite.ancestor_span_id
            and lineage.ancestor_span_id = opposite.span_id
    where
        lineage.span_id <> lineage.ancestor_span_id
        and opposite.span_id is null

),

-- Around a circle of parents the times cannot go forward all the way: some span of it starts before the one above it, or lies
-- around it. Few do, and circles are looked for from those alone.
backward as (

    select
        children.workspace_id,
        children.run_id,
        children.span_id,
        children.parent_span_id
    from places as children
    inner join places as above
        on
            children.workspace_id = above.workspace_id
            and children.run_id = above.run_id
            and children.parent_span_id = above.span_id
    where
        children.started_at < above.started_at
        or (children.started_at = above.started_at and coalesce(children.ended_at >= above.ended_at, true))

),

climbed as (

    select
        workspace_id,
        run_id,
        span_id,
        parent_span_id as ancestor_span_id,
        1 as tree_depth
    from backward

    union all

    select
        climbed.workspace_id,
        climbed.run_id,
        climbed.span_id,
        above.parent_span_id as ancestor_span_id,
        climbed.tree_depth + 1 as tree_depth
    from climbed
    inner join places as above
        on
            climbed.workspace_id = above.workspace_id
            and climbed.run_id = above.run_id
            and climbed.ancestor_span_id = above.span_id
    where
        above.parent_span_id is not null
        and climbed.ancestor_span_id <> climbed.span_id
        and climbed.tree_depth < {{ max_depth_of_calls() }}

),

spans_in_circles as (

    select distinct
        climbed.workspace_id,
        climbed.run_id,
        climbed.ancestor_span_id as span_id
    from climbed
    inner join climbed as closed
        on
            climbed.workspace_id = closed.workspace_id
            and climbed.run_id = closed.run_id
            and climbed.span_id = closed.span_id
            and closed.ancestor_span_id = closed.span_id

),

-- What decides who pays and which rates apply.
attributed as (

    select
        spans.*,
        {{ service_of('spans', 'runs') }} as rated_service,
        {{ is_deep_search('spans') }} as is_deep_search,
        coalesce(spans.charge_type, nullif(runs.charge_type, 'mixed'), workspaces.default_charge_type) as payer,
        {{ rate_card_of('spans', 'workspaces') }} as rate_card
    from spans
    left join runs
        on
            spans.workspace_id = runs.workspace_id
            and spans.run_id = runs.run_id
    left join workspaces
        on spans.workspace_id = workspaces.workspace_id

),

rated as (

    select
        attributed.*,
        rate_sets.service_rate_id,
        {{ is_wrapper('attributed') }} as is_wrapper,
        {{ has_provider_usage('attributed') }} as has_provider_usage,
        -- An agent's, a prompt's or a step's own charge: nobody else's call, even where its tokens repeat those below it.
        {{ is_wrapper('attributed') }}
        and rate_sets.service_rate_id is not null
        and lower(attributed.rated_service) not in ('ai model', 'image generation') as has_own_charge,
        cast(
            rate_sets.task_credits * case when rate_sets.unit = 'unit' then coalesce(attributed.units, 1) else 1 end
            as decimal(38, 6)
        ) as rated_task_credits,
        rate_sets.service_rate_id is not null and rate_sets.task_credits is null as is_rate_variable
    from attributed
    left join rate_sets
        on
            {{ rate_set_applies(
                'attributed', 'rate_sets', 'attributed.rate_card', 'attributed.rated_service', 'attributed.payer',
                'attributed.is_deep_search'
            ) }}

),

resolved as (

    select
        rated.*,
        case
            when rated.service is not null or rated.span_kind <> 'step' or rated.has_own_charge then rated.rated_service
        end as billed_service,
        {{ milliseconds_from('rated.started_at', 'rated.ended_at') }} as duration_ms,
        coalesce(
            rated.judged_role in ('duplicate', 'rollup')
            or (rated.call_marker = 'not_call' and rated.has_provider_usage)
            or (
                rated.is_wrapper
                and rated.source_format = 'native'
                and rated.has_provider_usage
                and (runs_with_usage.has_calls or wrappers_of_carriers.span_id is not null)
            ),
            false
        ) as repeats_usage,
        rated.parent_span_id is not null and parents.span_id is null and not rated.is_child_run as is_parent_missing,
        -- A clock runs wrong, or a tree bites its tail; either is kept as it is. A child may well end after its parent.
        case
            when spans_in_circles.span_id is not null then 'parents_in_a_circle'
            when rated.started_at < {{ shifted_ms('parents.started_at', '-' ~ same_moment_ms()) }}
                then 'starts_before_parent'
        end as tree_flag,
        case
            when rated.input_tokens is not null or rated.output_tokens is not null or rated.image_tokens is not null
                then
                    coalesce(rated.input_tokens, 0)
                    + coalesce(rated.output_tokens, 0)
                    + coalesce(rated.image_tokens, 0)
        end as total_tokens
    from rated
    left join runs_with_usage
        on
            rated.workspace_id = runs_with_usage.workspace_id
            and rated.run_id = runs_with_usage.run_id
    left join wrappers_of_carriers
        on
            rated.workspace_id = wrappers_of_carriers.workspace_id
            and rated.run_id = wrappers_of_carriers.run_id
            and rated.span_id = wrappers_of_carriers.span_id
    left join places as parents
        on
            rated.workspace_id = parents.workspace_id
            and rated.run_id = parents.run_id
            and rated.parent_span_id = parents.span_id
    left join spans_in_circles
        on
            rated.workspace_id = spans_in_circles.workspace_id
            and rated.run_id = spans_in_circles.run_id
            and rated.span_id = spans_in_circles.span_id

),

roles as (

    select
        *,
        case
            when judged_role is not null then judged_role
            when call_marker = 'not_call' and has_provider_usage then 'rollup'
            when call_marker = 'call' or span_kind in ('completion', 'embedding', 'image_generation') then 'call'
            when is_wrapper and has_own_charge then 'call'
            when not has_provider_usage and reported_task_credits is null and (service is null or is_wrapper) then 'none'
            when repeats_usage then 'rollup'
            else 'call'
        end as billing_role
    from resolved

),

judged as (

    select
        *,
        billing_role = 'call' as is_call,
        billing_role = 'call' and not repeats_usage as bears_usage,
        billing_role = 'call'
        and not repeats_usage
        and (
            coalesce(call_marker = 'call', false)
            or span_kind in ('completion', 'embedding', 'image_generation')
            or model is not null
        ) as is_model_call
    from roles

),

priced as (

    select
        judged.*,
        case when price_sets.price_set_id is not null then model_names.priced_provider end as priced_provider,
        case when price_sets.price_set_id is not null then model_names.priced_model end as priced_model,
        coalesce(model_names.is_tier_unknown, false) as is_tier_unknown,
        price_sets.price_set_id,
        price_sets.is_free,
        {%- for meter in meter_quantities() %}
            price_sets.{{ meter }}_usd,
        {%- endfor %}
        {%- for meter in guessable_meters() %}
            price_sets.is_{{ meter }}_guessed,
        {%- endfor %}
        credit_prices.credit_price_usd,
        -- tokens come from a model, whatever the span calls itself: without a price they are unpriced, not free
        judged.is_model_call or (judged.bears_usage and judged.total_tokens is not null) as is_priceable
    from judged
    left join model_names
        on
            judged.bears_usage
            and {{ is_named('judged', 'model_names') }}
    left join price_sets
        on {{ price_set_applies('judged', 'model_names', 'price_sets') }}
    left join credit_prices
        on
            judged.workspace_id = credit_prices.workspace_id
            and (credit_prices.valid_from is null or judged.usage_date >= credit_prices.valid_from)
            and (credit_prices.valid_to is null or judged.usage_date < credit_prices.valid_to)

),

counted as (

    select
        *,
        {{ meter_columns() }}
    from priced

),

metered as (

    select
        *,
        {{ has_priced_part() }} as has_priced_part,
        {{ has_unpriced_part() }} as has_unpriced_part,
        {{ metered_cost() }} as metered_cost_usd
    from counted

),

reasoned as (

    select
        *,
        case
            when not is_priceable then null
            when model is null and response_model is null then 'no_model_named'
            when price_set_id is null then 'no_price'
            when has_priced_part then null
            when has_unpriced_part then 'no_price_for_its_usage'
            when total_tokens is null then 'unknown_usage'
        end as unpriced_reason
    from metered

),

costed as (

    select
        *,
        case
            when not is_priceable then null
            when unpriced_reason is not null then 'unpriced'
            when is_free and not has_unpriced_part and not is_tier_unknown then 'free'
            when is_tier_unknown or has_unpriced_part or {{ has_guessed_part() }} then 'partial'
            else 'priced'
        end as price_status,
        case when is_priceable and unpriced_reason is null then metered_cost_usd end as computed_provider_cost_usd,
        case when is_call then rated_task_credits end as computed_task_credits,
        case when is_call then coalesce(cast(reported_task_credits as decimal(38, 6)), rated_task_credits) end as task_credits
    from reasoned

),

charged as (

    select
        *,
        case when bears_usage then coalesce(reported_provider_cost_usd, computed_provider_cost_usd) end as provider_cost_usd,
        case
            when is_call
                then {{ half_even("coalesce(task_credits, 0) * coalesce(credit_price_usd, cast(0 as decimal(20, 12)))", 12) }}
        end as task_credit_cost_usd
    from costed

)

select
    usage_date,
    workspace_id,
    run_id,
    span_id,
    trace_id,
    parent_span_id,
    span_name,
    span_kind,
    billed_service as service,
    provider,
    model,
    response_model,
    service_tier,
    payer as charge_type,
    status,
    started_at,
    ended_at,
    duration_ms,
    attempt,
    billing_role,
    case
        when is_call and judged_span_id is null then run_id
        when judged_span_id is not null then judged_run_id
    end as billed_run_id,
    case
        when is_call and judged_span_id is null then span_id
        else judged_span_id
    end as billed_span_id,
    case
        when judged_reason is not null then judged_reason
        when call_marker = 'not_call' and billing_role = 'rollup' then 'its source says that it is no call'
        when billing_role = 'rollup' then 'repeats usage of the calls in its run'
        when billing_role = 'none' then 'carries no usage'
        when call_marker = 'call' or span_kind in ('completion', 'embedding', 'image_generation') then 'model call'
        when is_wrapper and has_own_charge then 'own charge of the rate card'
        when is_wrapper and has_provider_usage then 'only carrier of usage in its run'
        else 'service call'
    end as billing_reason,
    is_model_call,
    is_orphan,
    is_parent_missing,
    {%- for measure in token_measures() + ['cache_write_1h_tokens', 'image_input_tokens'] %}
        case when bears_usage then {{ measure }} end as {{ measure }},
    {%- endfor %}
    is_model_call and total_tokens is null as is_usage_unknown,
    token_convention,
    case when is_call then units end as units,
    case when bears_usage then web_search_count end as web_search_count,
    reported_provider_cost_usd,
    computed_provider_cost_usd,
    provider_cost_usd,
    case
        when bears_usage and reported_provider_cost_usd is not null then 'reported'
        when computed_provider_cost_usd is not null then 'priced'
        when is_priceable then 'unpriced'
    end as cost_source,
    price_status,
    unpriced_reason,
    case when is_priceable then priced_provider end as priced_provider,
    case when is_priceable then priced_model end as priced_model,
    case when is_priceable then price_set_id end as price_set_id,
    case
        when is_call then case when payer = 'hosted' then coalesce(provider_cost_usd, 0) else 0 end
    end as wallet_cost_usd,
    case
        when is_call then case when payer = 'personal' then coalesce(provider_cost_usd, 0) else 0 end
    end as external_cost_usd,
    reported_task_credits,
    computed_task_credits,
    task_credits,
    case
        when is_call and reported_task_credits is not null then 'reported'
        when is_call and rated_task_credits is not null then 'rated'
        when is_call and is_rate_variable then 'unrated'
    end as credit_source,
    case when is_call then service_rate_id end as service_rate_id,
    case when is_call then credit_price_usd end as credit_price_usd,
    task_credit_cost_usd,
    case
        when is_call
            then
                task_credit_cost_usd
                + case when payer = 'hosted' then coalesce(provider_cost_usd, 0) else 0 end
    end as total_cost_usd,
    case when repeats_usage then input_tokens end as rollup_reported_input_tokens,
    case when repeats_usage then output_tokens end as rollup_reported_output_tokens,
    case when repeats_usage then total_tokens end as rollup_reported_total_tokens,
    case when repeats_usage then reported_provider_cost_usd end as rollup_reported_provider_cost_usd,
    case when billing_role in ('rollup', 'duplicate') then reported_task_credits end as rollup_reported_task_credits,
    error_message,
    scope,
    response_id,
    source_format,
    nullif(concat_ws(',', quality_flags, billing_flags, tree_flag), '') as quality_flags,
    attributes
from charged
order by
    usage_date,
    workspace_id,
    run_id,
    started_at,
    span_id
