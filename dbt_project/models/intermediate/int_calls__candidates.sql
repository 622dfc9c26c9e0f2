-- Grain: one row per span that stands for a model call or claims one's usage (workspace_id, run_id, span_id). Not additive.
{{ config(materialized='by_usage_date') }}

-- The evidence by which spans that saw the same call are found, and the usage that each of them claims. Spans of the contract are
-- here only where they may be seen twice: with a response id, nested in one another, or beside files of another format.
with recursive spans as (

    select
        usage_date,
        workspace_id,
        run_id,
        span_id,
        parent_span_id,
        source_format,
        coalesce(scope, source_format) as scope,
        response_id,
        status,
        started_at,
        ended_at,
        {{ columns(words_of_calls() + usage_classes()) }},
        {{ is_marked_call() }} as is_marked,
        {{ has_provider_usage() }} as bears_usage,
        {{ tells_tokens() }} as has_tokens,
        span_kind = 'image_generation' as makes_images,
        source_format <> 'native' and call_marker is null as is_unmarked
    from {{ ref('int_spans__current') }}

),

-- Read again and not from `spans`: most spans of the contract drop out by these few columns.
children as (

    select
        workspace_id,
        run_id,
        parent_span_id
    from {{ ref('int_spans__current') }}
    where parent_span_id is not null

),

calls_of_the_contract as (

    select
        workspace_id,
        run_id,
        span_id
    from {{ ref('int_spans__current') }}
    where
        source_format = 'native'
        and {{ is_marked_call() }}
        and {{ has_provider_usage() }}

),

traces as (

    select
        workspace_id,
        run_id
    from {{ ref('int_spans__current') }}
    where source_format <> 'native'

),

nested_runs as (

    select distinct
        children.workspace_id,
        children.run_id
    from children
    inner join calls_of_the_contract as parents
        on
            children.workspace_id = parents.workspace_id
            and children.run_id = parents.run_id
            and children.parent_span_id = parents.span_id

),

walked_runs as (

    select
        workspace_id,
        run_id
    from nested_runs

    union distinct

    select
        workspace_id,
        run_id
    from traces

),

-- Calls of the contract that lie in no tree of calls are looked at where another source, or another run, may have seen them too.
looked_at as (

    select
        spans.*,
        walked_runs.run_id is not null as is_walked
    from spans
    left join walked_runs
        on
            spans.workspace_id = walked_runs.workspace_id
            and spans.run_id = walked_runs.run_id
    where
        walked_runs.run_id is not null
        or (spans.is_marked and (spans.response_id is not null or {{ has_foreign_sources() }}))

),

walked as (

    select *
    from looked_at
    where is_walked

),

-- Everything above a span that stands for usage. Spans that name each other as parents end the walk at the greatest depth.
lineage as (

    select
        workspace_id,
        run_id,
        span_id,
        parent_span_id as ancestor_span_id,
        bears_usage,
        1 as tree_depth
    from walked
    where
        parent_span_id is not null
        and (bears_usage or is_marked)

    union all

    select
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id,
        above.parent_span_id as ancestor_span_id,
        lineage.bears_usage,
        lineage.tree_depth + 1 as tree_depth
    from lineage
    inner join walked as above
        on
            lineage.workspace_id = above.workspace_id
            and lineage.run_id = above.run_id
            and lineage.ancestor_span_id = above.span_id
    where
        above.parent_span_id is not null
        and above.parent_span_id <> lineage.span_id
        and lineage.tree_depth < {{ max_depth_of_calls() }}

),

-- A span without a marker is a call only where nothing below it bears usage. Spans above each other are not: usage would be lost.
above_usage as (

    select distinct
        lineage.workspace_id,
        lineage.run_id,
        lineage.ancestor_span_id as span_id
    from lineage
    inner join walked
        on
            lineage.workspace_id = walked.workspace_id
            and lineage.run_id = walked.run_id
            and lineage.ancestor_span_id = walked.span_id
    left join lineage as opposite
        on
            lineage.workspace_id = opposite.workspace_id
            and lineage.run_id = opposite.run_id
            and lineage.span_id = opposite.ancestor_span_id
            and lineage.ancestor_span_id = opposite.span_id
    where
        lineage.bears_usage
        and walked.is_unmarked
        and opposite.span_id is null

),

claims as (

    select
        looked_at.*,
        looked_at.is_marked or above_usage.span_id is null as is_call
    from looked_at
    left join above_usage
        on
            looked_at.workspace_id = above_usage.workspace_id
            and looked_at.run_id = above_usage.run_id
            and looked_at.span_id = above_usage.span_id
    where
        looked_at.is_marked
        or (looked_at.is_unmarked and looked_at.bears_usage)

),

calls_above as (

    select
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id,
        {{ list_in_order('lineage.ancestor_span_id', 'lineage.tree_depth') }} as call_ancestors
    from lineage
    inner join claims
        on
            lineage.workspace_id = claims.workspace_id
            and lineage.run_id = claims.run_id
            and lineage.ancestor_span_id = claims.span_id
    where claims.is_call
    group by
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id

),

tops as (

    select
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id,
        max(lineage.tree_depth) as tree_depth,
        max_by(lineage.ancestor_span_id, lineage.tree_depth) as top_span_id
    from lineage
    group by
        lineage.workspace_id,
        lineage.run_id,
        lineage.span_id

)

select
    claims.usage_date,
    claims.workspace_id,
    claims.run_id,
    claims.span_id,
    claims.parent_span_id,
    claims.source_format,
    claims.scope,
    claims.response_id,
    {{ model_keys('claims.model', 'claims.response_model') }} as model_keys,
    claims.status,
    claims.started_at,
    claims.ended_at,
    {{ time_bucket('claims.started_at') }} as start_bucket,
    claims.is_call,
    claims.is_marked,
    claims.bears_usage,
    claims.has_tokens,
    claims.makes_images,
    coalesce(calls_above.call_ancestors, {{ no_texts() }}) as call_ancestors,
    cast(coalesce(tops.tree_depth, 0) as integer) as tree_depth,
    -- A client that found no current span opens a trace of its own: its root is a call.
    case
        when claims.parent_span_id is null then claims.is_call
        else coalesce({{ list_holds('calls_above.call_ancestors', 'tops.top_span_id') }}, false)
    end as is_in_trace_of_its_own,
    {{ columns(words_of_calls() + usage_classes(), 'claims') }}
from claims
left join calls_above
    on
        claims.workspace_id = calls_above.workspace_id
        and claims.run_id = calls_above.run_id
        and claims.span_id = calls_above.span_id
left join tops
    on
        claims.workspace_id = tops.workspace_id
        and claims.run_id = tops.run_id
        and claims.span_id = tops.span_id
order by
    claims.usage_date,
    claims.workspace_id,
    claims.started_at,
    claims.run_id,
    claims.span_id
