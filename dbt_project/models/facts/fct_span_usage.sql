-- Grain: one row per span (workspace_id, run_id, span_id). Additive: measures are filled on billed calls only, so sums are right.
with recursive spans as (

    select *
    from {{ ref('int_spans__current') }}

),

runs as (

    select
        workspace_id,
        run_id,
        charge_type
    from {{ ref('int_runs__current') }}

),

workspaces as (

    select *
    from {{ ref('dim_workspace') }}

),

-- A run, step or agent span that carries tokens or cost repeats those of the calls below it, unless the run has no other
-- carrier. Credits do not make a carrier: a search that only took credits has not repeated anybody's tokens.
runs_with_usage as (

    select
        workspace_id,
        run_id,
        bool_or(not {{ is_wrapper() }}) as has_calls,
        count(*) as carrier_count
    from spans
    where {{ has_provider_usage() }}
    group by
        workspace_id,
        run_id

),

-- Where there are only wrappers, those without a carrier below them are the calls. Few runs are like that: few spans are walked.
spans_of_nested_wrappers as (

    select
        spans.workspace_id,
        spans.run_id,
        spans.span_id,
        spans.parent_span_id,
        {{ has_provider_usage('spans') }} as is_carrier
    from spans
    inner join runs_with_usage
        on
            spans.workspace_id = runs_with_usage.workspace_id
            and spans.run_id = runs_with_usage.run_id
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

parents as (

    select distinct
        children.workspace_id,
        children.run_id,
        children.parent_span_id
    from spans as children
    inner join spans as parents
        on
            children.workspace_id = parents.workspace_id
            and children.run_id = parents.run_id
            and children.parent_span_id = parents.span_id

),

resolved as (

    select
        spans.usage_date,
        spans.workspace_id,
        spans.run_id,
        spans.span_id,
        spans.trace_id,
        spans.parent_span_id,
        spans.span_name,
        spans.span_kind,
        spans.service,
        spans.provider,
        spans.model,
        coalesce(spans.charge_type, nullif(runs.charge_type, 'mixed'), workspaces.default_charge_type) as charge_type,
        spans.status,
        spans.started_at,
        spans.ended_at,
        {{ milliseconds_from('spans.started_at', 'spans.ended_at') }} as duration_ms,
        spans.attempt,
        case
            when spans.span_kind in ('completion', 'embedding', 'image_generation') then 'call'
            when not {{ has_usage('spans') }} and spans.service is null then 'none'
            when not {{ is_wrapper('spans') }} then 'call'
            when not {{ has_provider_usage('spans') }}
                then case when spans.reported_task_credits is not null then 'call' else 'none' end
            when runs_with_usage.has_calls or wrappers_of_carriers.span_id is not null then 'rollup'
            else 'call'
        end as billing_role,
        {{ is_wrapper('spans') }} and {{ has_provider_usage('spans') }} as is_carrying_wrapper,
        spans.is_orphan,
        spans.parent_span_id is not null and parents.parent_span_id is null and not spans.is_child_run as is_parent_missing,
        spans.input_tokens,
        spans.cached_tokens,
        spans.cache_write_tokens,
        spans.output_tokens,
        spans.reasoning_tokens,
        spans.image_tokens,
        spans.citation_tokens,
        spans.audio_input_tokens,
        spans.audio_output_tokens,
        case
            when spans.input_tokens is not null or spans.output_tokens is not null or spans.image_tokens is not null
                then
                    coalesce(spans.input_tokens, 0)
                    + coalesce(spans.output_tokens, 0)
                    + coalesce(spans.image_tokens, 0)
        end as total_tokens,
        spans.units,
        spans.reported_provider_cost_usd,
        spans.reported_task_credits,
        spans.error_message,
        spans.quality_flags,
        spans.attributes
    from spans
    left join runs
        on
            spans.workspace_id = runs.workspace_id
            and spans.run_id = runs.run_id
    left join workspaces
        on spans.workspace_id = workspaces.workspace_id
    left join runs_with_usage
        on
            spans.workspace_id = runs_with_usage.workspace_id
            and spans.run_id = runs_with_usage.run_id
    left join wrappers_of_carriers
        on
            spans.workspace_id = wrappers_of_carriers.workspace_id
            and spans.run_id = wrappers_of_carriers.run_id
            and spans.span_id = wrappers_of_carriers.span_id
    left join parents
        on
            spans.workspace_id = parents.workspace_id
            and spans.run_id = parents.run_id
            and spans.parent_span_id = parents.parent_span_id

),

judged as (

    select
        *,
        billing_role = 'call' as is_call,
        billing_role = 'call'
        and (span_kind in ('completion', 'embedding', 'image_generation') or model is not null) as is_model_call
    from resolved

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
    service,
    provider,
    model,
    charge_type,
    status,
    started_at,
    ended_at,
    duration_ms,
    attempt,
    billing_role,
    case when is_call then span_id end as billed_span_id,
    case
        when billing_role = 'rollup' then 'repeats usage of the calls in its run'
        when billing_role = 'none' then 'carries no usage'
        when span_kind in ('completion', 'embedding', 'image_generation') then 'model call'
        when is_carrying_wrapper then 'only carrier of usage in its run'
        else 'service call'
    end as billing_reason,
    is_model_call,
    is_orphan,
    is_parent_missing,
    case when is_call then input_tokens end as input_tokens,
    case when is_call then cached_tokens end as cached_tokens,
    case when is_call then cache_write_tokens end as cache_write_tokens,
    case when is_call then output_tokens end as output_tokens,
    case when is_call then reasoning_tokens end as reasoning_tokens,
    case when is_call then image_tokens end as image_tokens,
    case when is_call then citation_tokens end as citation_tokens,
    case when is_call then audio_input_tokens end as audio_input_tokens,
    case when is_call then audio_output_tokens end as audio_output_tokens,
    case when is_call then total_tokens end as total_tokens,
    is_model_call and total_tokens is null as is_usage_unknown,
    case when is_call then units end as units,
    reported_provider_cost_usd,
    case when is_call then reported_provider_cost_usd end as provider_cost_usd,
    case
        when is_call and reported_provider_cost_usd is not null then 'reported'
        -- tokens come from a model, whatever the span calls itself: without a price they are unpriced, not free
        when is_model_call or (is_call and total_tokens is not null) then 'unpriced'
    end as cost_source,
    case
        when is_call
            then case when charge_type = 'hosted' then coalesce(reported_provider_cost_usd, 0) else 0 end
    end as wallet_cost_usd,
    case
        when is_call
            then case when charge_type = 'personal' then coalesce(reported_provider_cost_usd, 0) else 0 end
    end as external_cost_usd,
    case when is_call then reported_task_credits end as task_credits,
    case when is_call then cast(0 as decimal(38, 12)) end as task_credit_cost_usd,
    case
        when is_call
            then case when charge_type = 'hosted' then coalesce(reported_provider_cost_usd, 0) else 0 end
    end as total_cost_usd,
    case when billing_role = 'rollup' then input_tokens end as rollup_reported_input_tokens,
    case when billing_role = 'rollup' then output_tokens end as rollup_reported_output_tokens,
    case when billing_role = 'rollup' then total_tokens end as rollup_reported_total_tokens,
    case when billing_role = 'rollup' then reported_provider_cost_usd end as rollup_reported_provider_cost_usd,
    case when billing_role = 'rollup' then reported_task_credits end as rollup_reported_task_credits,
    error_message,
    quality_flags,
    attributes
from judged
order by
    usage_date,
    workspace_id,
    run_id,
    started_at,
    span_id
