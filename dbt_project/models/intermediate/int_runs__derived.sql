-- Grain: one row per trace of another format that no run row describes (workspace_id, run_id). No measures.
{{ config(materialized='by_usage_date') }}

-- A trace is a run. Its root gives name, times and status; user, session, key and deployment come from the nearest span that says
-- so.
-- A trace that only repeats calls of other traces is none (`is_repetition`): a client without a current span opens such traces.
with spans as (

    select *
    from {{ ref('int_spans__judged') }}

),

directory as (

    select
        workspace_id,
        run_id
    from {{ ref('int_runs__directory') }}
    where
        {{ touched('usage_date') }}
        and is_foreign
        and not has_run

),

placed as (

    select
        spans.*,
        coalesce(spans.judged_role = 'duplicate' and spans.judged_run_id <> spans.run_id, false) as is_billed_elsewhere,
        row_number() over (
            partition by
                spans.workspace_id,
                spans.run_id
            order by
                spans.parent_span_id is not null,
                spans.span_kind <> 'run',
                spans.started_at,
                spans.span_id
        ) as place
    from spans
    inner join directory
        on
            spans.workspace_id = directory.workspace_id
            and spans.run_id = directory.run_id

),

traces as (

    select
        usage_date,
        workspace_id,
        run_id,
        case
            when bool_or(span_kind = 'agent') then 'agent'
            when count(*) filter (where span_kind = 'step') > 1 then 'workflow'
            else 'prompt'
        end as run_type,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        max(case when place = 1 then status end) as status,
        max(case when place = 1 then span_name end) as root_name,
        max(case when place = 1 then error_message end) as root_error_message,
        max(case when place = 1 then trace_id end) as trace_id,
        max(case when place = 1 and ended_at is null then 1 else 0 end) as is_root_open,
        {%- for name in [
            'resource_id', 'resource_name', 'api_key_id', 'api_key_name', 'collaborator', 'user_id', 'session_id',
            'user_metadata', 'deployment',
        ] %}
            {{ first_present(name, 'place') }} as {{ name }},
        {%- endfor %}
        {{ first_present("case when status = 'failed' then error_message end", 'place') }} as first_error_message,
        bool_and(is_billed_elsewhere) as is_repetition
    from placed
    group by
        usage_date,
        workspace_id,
        run_id

)

select
    usage_date,
    workspace_id,
    run_id,
    run_type,
    resource_id,
    coalesce(resource_name, root_name) as resource_name,
    cast(null as string) as source,  -- noqa: RF04
    cast(null as string) as delivery,
    cast(null as string) as charge_type,
    coalesce(status, 'completed') as status,
    started_at,
    case when is_root_open = 0 or status in ('completed', 'failed', 'cancelled') then ended_at end as completed_at,
    cast(null as timestamp) as updated_at,
    cast(null as string) as provider,  -- noqa: RF04
    cast(null as string) as model,  -- noqa: RF04
    api_key_id,
    api_key_name,
    collaborator,
    user_id,
    {{ with_session('user_metadata', 'session_id') }} as user_metadata,
    trace_id,
    cast(null as string) as parent_run_id,
    deployment,
    case when status = 'failed' then coalesce(root_error_message, first_error_message) end as error_message,
    cast(null as bigint) as reported_total_tokens,
    cast(null as decimal(38, 12)) as reported_total_cost_usd,
    cast(null as string) as quality_flags,
    cast(null as string) as attributes,
    is_repetition
from traces
order by
    usage_date,
    workspace_id,
    run_id
