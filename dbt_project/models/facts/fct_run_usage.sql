-- Grain: one row per run (workspace_id, run_id). own_* is additive over runs; total_* includes descendant runs and is not.
{{ config(chunked=2000000, stays_in_lake=true) }}

with recursive runs as (

    select *
    from {{ ref('int_runs__current') }}
    where {{ in_chunk() }}

),

directory as (

    select *
    from {{ ref('int_runs__directory') }}

),

edges as (

    select
        usage_date,
        workspace_id,
        parent_run_id,
        run_id
    from directory
    where
        parent_run_id is not null
        and has_run

),

-- Not from `runs`: what is read twice is kept whole. A run that has not arrived is no harm here, nothing is joined to it below.
ancestors as (

    select
        usage_date,
        workspace_id,
        run_id
    from directory
    where
        {{ touched('usage_date') }}
        and {{ in_chunk() }}

),

-- `union` keeps a pair once, which also ends the walk where runs name each other as parents.
pairs as (

    select
        edges.workspace_id,
        edges.parent_run_id as ancestor_run_id,
        edges.run_id,
        edges.usage_date
    from edges
    inner join ancestors
        on
            edges.workspace_id = ancestors.workspace_id
            and edges.parent_run_id = ancestors.run_id
    where edges.run_id <> edges.parent_run_id

    union distinct

    select
        pairs.workspace_id,
        pairs.ancestor_run_id,
        edges.run_id,
        edges.usage_date
    from pairs
    inner join edges
        on
            pairs.workspace_id = edges.workspace_id
            and pairs.run_id = edges.parent_run_id
    where edges.run_id <> pairs.ancestor_run_id

),

family as (

    select
        usage_date,
        workspace_id,
        run_id
    from ancestors

    union distinct

    select
        usage_date,
        workspace_id,
        run_id
    from pairs

),

-- All spans of a run are on its date, so those of other dates stay unread.
spans as (

    select spans.*
    from {{ ref('fct_span_usage') }} as spans
    inner join family
        on
            spans.usage_date = family.usage_date
            and spans.workspace_id = family.workspace_id
            and spans.run_id = family.run_id
    where {{ touched_family('spans.usage_date') }}

),

-- Own amounts of the runs and of their descendants, wherever those lie.
own as (

    select
        workspace_id,
        run_id,
        count(*) as span_count,
        {{ count_as('call_count', "billing_role = 'call'") }},
        {{ count_as('failed_call_count', "billing_role = 'call' and status = 'failed'") }},
        {{ count_as('unpriced_call_count', "cost_source = 'unpriced'") }},
        {{ count_as('unknown_usage_call_count', 'is_usage_unknown') }},
        {{ sum_as('total_tokens', 'unpriced_total_tokens', "cost_source = 'unpriced'") }},
        {{ count_as('tool_call_count', is_tool_call()) }},
        {{ list_distinct_sorted('coalesce(service, span_name)', is_tool_call()) }} as tools,
        {{ sums(token_measures()) }},
        {{ sums(money_measures()) }},
        {{ sum_as('total_cost_usd', 'image_generation_cost_usd', "span_kind = 'image_generation'") }},
        min(provider) filter (where is_model_call) as first_provider,
        max(provider) filter (where is_model_call) as last_provider,
        min(model) filter (where is_model_call) as first_model,
        max(model) filter (where is_model_call) as last_model,
        min(charge_type) filter (where billing_role = 'call') as first_charge_type,
        max(charge_type) filter (where billing_role = 'call') as last_charge_type
    from spans
    group by
        workspace_id,
        run_id

),

descendants as (

    select
        pairs.workspace_id,
        pairs.ancestor_run_id,
        count(*) as descendant_run_count,
        {{ sums(unpriced_measures(), from_prefix='own.') }},
        {{ sum_as('own.tool_call_count', 'tool_call_count') }},
        {{ sums(token_measures(), from_prefix='own.', to_prefix='') }},
        {{ sums(money_measures(), from_prefix='own.', to_prefix='') }}
    from pairs
    left join own
        on
            pairs.workspace_id = own.workspace_id
            and pairs.run_id = own.run_id
    group by
        pairs.workspace_id,
        pairs.ancestor_run_id

),

children as (

    select
        workspace_id,
        parent_run_id,
        count(*) as child_run_count
    from edges
    where run_id <> parent_run_id
    group by
        workspace_id,
        parent_run_id

),

named_parents as (

    select distinct
        workspace_id,
        parent_run_id
    from edges
    where {{ in_chunk() }}

),

parents as (

    select
        directory.workspace_id,
        directory.run_id
    from directory
    inner join named_parents
        on
            directory.workspace_id = named_parents.workspace_id
            and directory.run_id = named_parents.parent_run_id
    where
        directory.has_run
        or directory.is_foreign

),

workspaces as (

    select *
    from {{ ref('dim_workspace') }}

)

-- depends_on: {{ ref('int_dates__family') }}
select
    runs.usage_date,
    runs.workspace_id,
    runs.run_id,
    runs.run_type,
    runs.resource_id,
    runs.resource_name,
    runs.source,
    runs.delivery,
    case
        when own.first_charge_type <> own.last_charge_type then 'mixed'
        else coalesce(own.first_charge_type, runs.charge_type, workspaces.default_charge_type)
    end as charge_type,
    runs.status,
    runs.started_at,
    runs.completed_at,
    runs.updated_at,
    {{ milliseconds_from('runs.started_at', 'runs.completed_at') }} as duration_ms,
    coalesce(
        runs.provider, case when own.first_provider <> own.last_provider then 'mixed' else own.first_provider end
    ) as provider,  -- noqa: RF04
    coalesce(
        runs.model, case when own.first_model <> own.last_model then 'mixed' else own.first_model end
    ) as model,  -- noqa: RF04
    runs.api_key_id,
    runs.api_key_name,
    runs.collaborator,
    runs.user_id,
    runs.user_metadata,
    runs.trace_id,
    runs.parent_run_id,
    runs.parent_run_id is not null and parents.run_id is null as is_parent_missing,
    runs.deployment,
    runs.error_message,
    coalesce(own.tools, {{ no_texts() }}) as tools,
    coalesce(own.tool_call_count, 0) as tool_call_count,
    coalesce(own.span_count, 0) as span_count,
    coalesce(own.call_count, 0) as call_count,
    coalesce(own.failed_call_count, 0) as failed_call_count,
    coalesce(own.unpriced_call_count, 0) as unpriced_call_count,
    coalesce(own.unknown_usage_call_count, 0) as unknown_usage_call_count,
    coalesce(own.unpriced_total_tokens, 0) as unpriced_total_tokens,
    coalesce(children.child_run_count, 0) as child_run_count,
    coalesce(descendants.descendant_run_count, 0) as descendant_run_count,
    {%- for measure in token_measures() + money_measures() %}
        coalesce(own.{{ measure }}, 0) as own_{{ measure }},
    {%- endfor %}
    coalesce(own.image_generation_cost_usd, 0) as own_image_generation_cost_usd,
    {%- for measure in token_measures() + money_measures() %}
        coalesce(own.{{ measure }}, 0) + coalesce(descendants.{{ measure }}, 0) as {{ inclusive(measure) }},
    {%- endfor %}
    coalesce(own.unpriced_call_count, 0) + coalesce(descendants.unpriced_call_count, 0) as total_unpriced_call_count,
    coalesce(own.unpriced_total_tokens, 0) + coalesce(descendants.unpriced_total_tokens, 0) as total_unpriced_total_tokens,
    coalesce(own.tool_call_count, 0) + coalesce(descendants.tool_call_count, 0) as total_tool_call_count,
    runs.reported_total_tokens,
    runs.reported_total_cost_usd,
    runs.quality_flags,
    runs.attributes
from runs
left join own
    on
        runs.workspace_id = own.workspace_id
        and runs.run_id = own.run_id
left join descendants
    on
        runs.workspace_id = descendants.workspace_id
        and runs.run_id = descendants.ancestor_run_id
left join children
    on
        runs.workspace_id = children.workspace_id
        and runs.run_id = children.parent_run_id
left join parents
    on
        runs.workspace_id = parents.workspace_id
        and runs.parent_run_id = parents.run_id
left join workspaces
    on runs.workspace_id = workspaces.workspace_id
order by
    runs.usage_date,
    runs.workspace_id,
    runs.run_id
