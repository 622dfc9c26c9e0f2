"""The SQL that invents one day: runs, their units of work, the calls, a timetable, the two contract tables.

What belongs here: every decision about what a sample row looks like. What does not: file formats
(`export.py`), names and prices (`catalogue.py`). Everything is set-wise; times are epoch milliseconds until
the last step.

Session variables read: seed, late, workspaces, users, epoch_day (days since 1970), root_runs (runs that no
other run starts).

Keys. A run has `run_key = epoch_day * 2^30 + root * 64 + child * 8 + grandchild`, so a family of runs
shares `run_key // 64` and a child with its own children shares `run_key // 8`. A unit of work is one step
of a workflow or one turn or tool of an agent; its calls are numbered `unit_no * 8 + attempt`, its container
span `unit_no * 8`, the run's root span 0.
"""

from __future__ import annotations

DAY_MS = 86_400_000

PLAN_RUNS = f"""
create or replace temp table plan_run as
with
root_draw as (
    select
        getvariable('epoch_day')::bigint * 1073741824 + i * 64 as run_key,
        i as root_no,
        case
            when u(run_key, 0, 'type') < 0.665 then 'prompt'
            when u(run_key, 0, 'type') < 0.885 then 'workflow'
            else 'agent'
        end as run_type,
        row_number() over (partition by run_type order by i) as type_rank,
    from range(getvariable('root_runs')::bigint) as roots(i)
),
root_situation as (
    select
        *,
        -- By rank rather than by chance, so that even a small day has each of them.
        getvariable('late')::boolean and run_type = 'prompt' and type_rank % 101 = 3 as is_orphan,
        getvariable('late')::boolean
            and case run_type
                -- Not daily, so that the 99th percentile of the durations is not theirs.
                when 'workflow' then type_rank % 53 = 5 and getvariable('epoch_day')::bigint % 3 = 0
                when 'agent' then type_rank % 67 = 4 and getvariable('epoch_day')::bigint % 5 = 1
                else false
            end
            as is_long,
        case
            when run_type <> 'agent' or is_long then 0
            when u(run_key, 0, 'children') < 0.42 then 0
            when u(run_key, 0, 'children') < 0.74 then 1
            when u(run_key, 0, 'children') < 0.93 then 2
            else 3
        end as child_runs,
    from root_draw
),
child_draw as (
    select
        root.run_key + ordinal * 8 as run_key,
        root.run_key as parent_key,
        ordinal + 2 as call_unit_no,
        case when u(root.run_key + ordinal * 8, 0, 'type') < 0.5 then 'agent' else 'workflow' end as run_type,
        row_number() over (order by root.run_key, ordinal) as child_rank,
    from root_situation as root, range(1, root.child_runs + 1) as ordinals(ordinal)
),
child_situation as (
    select
        *,
        getvariable('late')::boolean and child_rank % 17 = 2 as is_late_child,
        case
            when run_type <> 'agent' then 0
            when u(run_key, 0, 'children') < 0.5 then 0
            when u(run_key, 0, 'children') < 0.86 then 1
            else 2
        end as child_runs,
    from child_draw
),
grandchild_draw as (
    select
        child.run_key + ordinal as run_key,
        child.run_key as parent_key,
        ordinal + 2 as call_unit_no,
        case when u(child.run_key + ordinal, 0, 'type') < 0.3 then 'agent' else 'workflow' end as run_type,
        child.is_late_child,
    from child_situation as child, range(1, child.child_runs + 1) as ordinals(ordinal)
),
family as (
    select
        run_key, null as parent_key, null as call_unit_no, run_type, child_runs, 0 as depth,
        false as is_late_child,
    from root_situation
    union all
    select run_key, parent_key, call_unit_no, run_type, child_runs, 1, is_late_child from child_situation
    union all
    select run_key, parent_key, call_unit_no, run_type, 0, 2, is_late_child from grandchild_draw
),
-- What a whole family shares.
root_trait as (
    select
        run_key as root_key,
        is_orphan,
        is_long,
        zipf(getvariable('workspaces')::bigint, u(run_key, 0, 'workspace')) as workspace_no,
        getvariable('epoch_day')::bigint * {DAY_MS} + case
            -- The last seconds before midnight: the spans of these runs fall into the next day.
            when root_no % 61 = 3 then {DAY_MS} - 1 - floor(u(run_key, 0, 'midnight') * 4000)::bigint
            else pick(getvariable('hours'), u(run_key, 0, 'hour')) * 3600000
                + floor(u(run_key, 0, 'millisecond') * 3600000)::bigint
        end as start_ms,
        h(run_key, 0, 'iso') % 100 as iso_style,
        case
            when u(run_key, 0, 'source') < 0.58 then 'api'
            when u(run_key, 0, 'source') < 0.78 then 'dashboard'
            when u(run_key, 0, 'source') < 0.86 then 'webhook'
            when u(run_key, 0, 'source') < 0.94 then 'scheduled'
            when u(run_key, 0, 'source') < 0.975 then 'experiment'
            else 'live'
        end as root_source,
        pick(getvariable('collaborators'), pow(u(run_key, 0, 'collaborator'), 1.6)) as collaborator,
        zipf(5, u(run_key, 0, 'api key')) as key_no,
        zipf(getvariable('users')::bigint, u(run_key, 0, 'user')) as user_no,
        root_source in ('api', 'webhook', 'live') and u(run_key, 0, 'tracked') < 0.88 as has_user,
        has_user and u(run_key, 0, 'metadata') < 0.75 as has_metadata,
        case
            when u(run_key, 0, 'deployment') < 0.7 then 'production'
            when u(run_key, 0, 'deployment') < 0.85 then 'staging'
        end as deployment,
    from root_situation
)
select
    family.*,
    root_trait.* exclude (start_ms),
    case when family.depth = 0 then root_trait.start_ms end as root_start_ms,
    resource.resource_key,
    resource.resource_id,
    resource.resource_name,
    case family.run_type
        when 'prompt' then 1
        when 'workflow' then 3 + floor(u(family.run_key, 0, 'units') * 5)::bigint
        when 'agent' then case when family.depth = 0
            then 7 + floor(u(family.run_key, 0, 'units') * 16)::bigint
            else 5 + floor(u(family.run_key, 0, 'units') * 9)::bigint end
    end as unit_count,
    case
        when u(family.run_key, 0, 'outcome') < 0.035 then 'failed'
        when u(family.run_key, 0, 'outcome') < 0.05 then 'cancelled'
        else 'completed'
    end as outcome,
    pick(getvariable('completion_models'), case when u(family.run_key, 0, 'override') < 0.12
        then u(family.run_key, 0, 'model') else u(resource.resource_key, 0, 'model') end) as model_no,
from family
inner join root_trait
    on root_trait.root_key = family.run_key - family.run_key % 64
inner join (
    select *, count(*) over (partition by workspace_no, run_type) as resource_count
    from ref_workspace_resource
) as resource
    on resource.workspace_no = root_trait.workspace_no
    and resource.run_type = family.run_type
    and resource.resource_no = zipf(resource.resource_count, u(family.run_key, 0, 'resource'))
"""

PLAN_CALLS = """
create or replace temp table plan_call as
with
unit as (
    select
        run.*,
        unit_no,
        unit_no = run.unit_count as is_last,
        case run.run_type
            when 'prompt' then 'completion'
            when 'workflow' then case
                when u(run.resource_key, unit_no, 'step') < 0.5 then 'completion'
                when u(run.resource_key, unit_no, 'step') < 0.8 then 'service'
                when u(run.resource_key, unit_no, 'step') < 0.83 then 'image_generation'
                when u(run.resource_key, unit_no, 'step') < 0.91 then 'embedding'
                else 'transform'
            end
            else case
                when unit_no = 1 and u(run.resource_key, 0, 'retrieval') < 0.55 then 'embedding'
                when unit_no <= 2 or is_last then 'completion'
                when unit_no <= 2 + run.child_runs then 'child run'
                when u(run.run_key, unit_no, 'turn') < 0.32 then 'completion'
                when u(run.run_key, unit_no, 'turn') < 0.64 then 'service'
                when u(run.run_key, unit_no, 'turn') < 0.655 then 'image_generation'
                else 'tool'
            end
        end as unit_kind,
        unit_kind = 'completion' and u(run.run_key, unit_no, 'retry') < 0.04 as is_retried,
    from plan_run as run, range(1, run.unit_count + 1) as units(unit_no)
),
call as (
    select
        unit.*,
        attempt,
        unit_no * 8 + attempt as call_no,
        case
            when is_retried and attempt = 1 then 'failed'
            when is_last then outcome
            when unit_kind in ('service', 'tool') and u(run_key, unit_no, 'tool fault') < 0.02 then 'failed'
            else 'completed'
        end as call_status,
        case
            when unit_kind = 'embedding' then (select model_no from ref_model where kind = 'embedding')
            when unit_kind = 'image_generation'
                then (select model_no from ref_model where kind = 'image_generation')
            when unit_kind <> 'completion' then null
            -- A workflow's steps each have their own model, an agent now and then asks another one.
            when run_type = 'workflow'
                then pick(getvariable('completion_models'), u(resource_key, unit_no, 'step model'))
            when run_type = 'agent' and u(run_key, unit_no, 'second model') < 0.1
                then pick(getvariable('completion_models'), u(run_key, unit_no, 'which model'))
            else model_no
        end as call_model_no,
        case when unit_kind = 'service'
            then pick(getvariable('services'), u(run_key, unit_no, 'service')) end as service_no,
    from unit, range(1, 2 + is_retried::bigint) as attempts(attempt)
),
-- One layer per depth of dependency: an alias that is used again within its own select is expanded at each
-- use.
drawn as (
    select
        call.* exclude (model_no, call_model_no, outcome),
        model.* exclude (kind, weight),
        service.service,
        service.span_name,
        service.hosted_credits,
        service.personal_credits,
        service.personal_cost_usd,
        service.median_ms,
        child.run_type is not distinct from 'agent' as is_agent_call,
        coalesce(charge.charge_type, 'hosted') as call_charge_type,
        model.model_no is not null
            and (call.call_status <> 'failed' or u(call.run_key, call.call_no, 'failed usage') < 0.45)
            and not (
                call.is_retried and call.attempt = 1 and u(call.run_key, call.call_no, 'retry usage') < 0.6
            ) as has_usage,
        exp(7.0 + 0.5 * gauss(call.resource_key, 0, 'prompt size'))
            * exp(0.5 * gauss(call.run_key, call.call_no, 'input'))
            -- An agent sends its growing conversation with every turn.
            * case call.run_type when 'agent' then 1 + 0.4 * call.unit_no else 1 end as input_size,
        exp(5.5 + 0.75 * gauss(call.run_key, call.call_no, 'output'))
            * case call.call_status when 'completed' then 1 else 0.4 end as output_size,
        -- Google's deep result pages cost more credits.
        case when service.service like 'Google%' and service.hosted_credits = 2 then case
            when u(call.run_key, call.call_no, 'depth') < 0.1 then 50
            when u(call.run_key, call.call_no, 'depth') < 0.35 then 20
        end end as search_depth,
        u(call.run_key, call.call_no, 'cost lost') < 0.012 as is_cost_lost,
    from call
    left join ref_model as model
        on model.model_no = call.call_model_no
    left join ref_service as service
        on service.service_no = call.service_no
    left join ref_charge as charge
        on charge.workspace_no = call.workspace_no
        and charge.supplier = coalesce(model.provider, service.service)
    left join plan_run as child
        on call.unit_kind = 'child run'
        and child.parent_key = call.run_key
        and child.call_unit_no = call.unit_no
),
sized as (
    select
        *,
        has_usage and unit_kind = 'completion' as is_text,
        case when has_usage and unit_kind <> 'image_generation'
            then greatest(8, least(160000, floor(input_size)))::bigint end as input_tokens,
        case when has_usage and unit_kind = 'completion'
            then greatest(1, floor(output_size))::bigint end as visible_tokens,
        case
            when has_usage and unit_kind = 'image_generation'
                then 1 + floor(3 * pow(u(run_key, call_no, 'images'), 2))::bigint
            when unit_kind = 'service' then 1
        end as units,
    from drawn
),
classed as (
    select
        *,
        case when is_text and reasoning_pct > 0 then floor(
            visible_tokens * reasoning_pct / 50.0 * exp(0.6 * gauss(run_key, call_no, 'reasoning'))
        )::bigint end as reasoning_tokens,
        case when is_text and cached_pct > 0 then case
            when u(run_key, call_no, 'cached') * 100 < cached_pct
                then floor(input_tokens * (0.35 + 0.48 * u(run_key, call_no, 'cached share')))
            else 0
        end::bigint end as cached_tokens,
        case when is_text and cache_write_pct > 0 then case
            when u(run_key, call_no, 'cache write') * 100 < cache_write_pct
                then floor(input_tokens * (0.02 + 0.1 * u(run_key, call_no, 'cache write share')))
            else 0
        end::bigint end as cache_write_tokens,
        case when is_text and citation_price > 0
            then 120 + floor(u(run_key, call_no, 'citations') * 2400)::bigint end as citation_tokens,
        -- What is neither cached nor written is at least 5 % of the input: audio stays within it.
        case when is_text and audio_price > 0 and u(run_key, call_no, 'audio') < 0.08
            then floor(input_tokens * 0.05)::bigint end as audio_input_tokens,
        case when unit_kind = 'image_generation'
            then units * case when u(run_key, call_no, 'quality') < 0.9 then 1056 else 4160 end
        end as image_tokens,
    from sized
),
counted as (
    select
        *,
        visible_tokens + coalesce(reasoning_tokens, 0) as output_tokens,
        input_tokens - coalesce(cached_tokens, 0) - coalesce(cache_write_tokens, 0)
            - coalesce(audio_input_tokens, 0) as full_price_tokens,
    from classed
)
select
    * exclude (input_price, cached_price, cache_write_price, output_price, citation_price, image_price,
        audio_price),
    case
        when unit_kind = 'service' then case when call_charge_type = 'personal' and call_status = 'completed'
            then personal_cost_usd end
        when not has_usage or not is_priced or is_cost_lost then null
        else
            coalesce(full_price_tokens, 0)::decimal(38, 0) * input_price
            + coalesce(cached_tokens, 0)::decimal(38, 0) * cached_price
            + coalesce(cache_write_tokens, 0)::decimal(38, 0) * cache_write_price
            + coalesce(audio_input_tokens, 0)::decimal(38, 0) * audio_price
            + coalesce(output_tokens, 0)::decimal(38, 0) * output_price
            + coalesce(citation_tokens, 0)::decimal(38, 0) * citation_price
            + coalesce(image_tokens, 0)::decimal(38, 0) * image_price
    end::decimal(38, 12) as provider_cost_usd,
    case
        when unit_kind = 'service' then case
            when call_status <> 'completed' then 0
            when call_charge_type = 'personal' then personal_credits
            -- Exa varies per call: in half credits; `/` would make it binary.
            when hosted_credits is null
                then 5 + floor(u(run_key, call_no, 'credits') * 20)::decimal(18, 6) * 0.5
            when search_depth > 40 then 3
            else hosted_credits
        end
        when unit_kind = 'image_generation' then coalesce(units, 0)
        when model_no is not null then has_usage::integer
        when is_agent_call then 1
    end::decimal(18, 6) as task_credits,
    greatest(1, floor(case
        when model_no is not null then base_ms * exp(0.35 * gauss(run_key, call_no, 'base time'))
            + coalesce(output_tokens, image_tokens, 0) * token_ms
            * exp(0.2 * gauss(run_key, call_no, 'token time'))
        when unit_kind = 'service' then median_ms * exp(0.5 * gauss(run_key, call_no, 'time'))
        when unit_kind = 'tool' then 110 * exp(0.9 * gauss(run_key, call_no, 'time'))
        else 14 * exp(0.6 * gauss(run_key, call_no, 'time'))
    end))::bigint as call_ms,
from counted
"""

# A call of a child run lasts as long as the child does, children's children included; a late child is
# dispatched and not waited for. Its start is the next day.
TIMETABLE = f"""
create or replace temp table run_span as
with
own as (
    select
        run_key,
        -- 12 ms of overhead per unit, 15 ms around a child run: see unit_span.
        sum(call_ms)::bigint + max(unit_count) * 12
            + (sum((unit_kind = 'child run')::bigint) * 15)::bigint as own_ms,
        any_value(depth) as depth,
        any_value(is_late_child) as is_late_child,
        any_value(is_long) as is_long,
    from plan_call
    group by run_key
)
select
    own.run_key,
    own.own_ms + coalesce(case own.depth
        when 0 then (sum(own.own_ms) filter (where own.depth > 0 and not own.is_late_child)
            over (partition by own.run_key // 64))
        when 1 then (sum(own.own_ms) filter (where own.depth = 2) over (partition by own.run_key // 8))
    end, 0)::bigint as run_ms,
    -- A long run waits, before its last unit, until some hours into the next day.
    case when own.is_long then
        (getvariable('epoch_day')::bigint + 1) * {DAY_MS} + 7200000 - run.root_start_ms
        + floor(u(own.run_key, 0, 'pause') * 21600000)::bigint
    else 0 end as pause_ms,
from own
inner join plan_run as run
    on run.run_key = own.run_key;

create or replace temp table unit_span as
with
unit as (
    select
        run_key,
        unit_no,
        sum(call_ms)::bigint + 2 as busy_ms,
        any_value(unit_kind) = 'child run' as is_child_call,
        any_value(is_last) as is_last,
    from plan_call
    group by run_key, unit_no
),
timed as (
    select
        unit.*,
        unit.busy_ms + case when unit.is_child_call
            then 15 + case when child.is_late_child then 0 else child_span.run_ms end else 0 end as unit_ms,
        case when unit.is_last then run_span.pause_ms else 0 end as pause_ms,
    from unit
    inner join run_span
        on run_span.run_key = unit.run_key
    left join plan_run as child
        on unit.is_child_call
        and child.parent_key = unit.run_key
        and child.call_unit_no = unit.unit_no
    left join run_span as child_span
        on child_span.run_key = child.run_key
)
select
    run_key,
    unit_no,
    unit_ms,
    busy_ms,
    (sum(10 + pause_ms + unit_ms) over (partition by run_key order by unit_no) - unit_ms)::bigint
        as offset_ms,
from timed;

create or replace temp table run_time as
with
root as (
    select run_key, root_start_ms as start_ms from plan_run where depth = 0
),
child as (
    select
        run.run_key,
        case when run.is_late_child
            then (getvariable('epoch_day')::bigint + 1) * {DAY_MS} + 1800000
                + floor(u(run.run_key, 0, 'late child') * 28800000)::bigint
            else root.start_ms + unit_span.offset_ms + unit_span.busy_ms
        end as start_ms,
    from plan_run as run
    inner join root
        on root.run_key = run.parent_key
    inner join unit_span
        on unit_span.run_key = run.parent_key
        and unit_span.unit_no = run.call_unit_no
    where run.depth = 1
),
grandchild as (
    select
        run.run_key,
        child.start_ms + unit_span.offset_ms + unit_span.busy_ms as start_ms,
    from plan_run as run
    inner join child
        on child.run_key = run.parent_key
    inner join unit_span
        on unit_span.run_key = run.parent_key
        and unit_span.unit_no = run.call_unit_no
    where run.depth = 2
),
started as (
    select * from root
    union all
    select * from child
    union all
    select * from grandchild
)
select
    started.run_key,
    started.start_ms,
    started.start_ms + run_span.run_ms + run_span.pause_ms as end_ms,
    -- A UUIDv7 without dashes: 48 bits of time, version, 12 random bits, variant, 62 random bits.
    format('{{:012x}}', started.start_ms) || '7' || left(hex16(started.run_key, 0, 'run id'), 3)
        || substr('89ab', 1 + (h(started.run_key, 0, 'variant') % 4)::integer, 1)
        || left(hex16(started.run_key, 1, 'run id'), 15) as run_hex,
from started
inner join run_span
    on run_span.run_key = started.run_key
"""

# deliver: 0 = in the export of its own day, 1 = in the next one. is_repeat: a row whose id was delivered
# before.
DAY_RUNS = """
create or replace temp table day_run as
with
usage as (
    select run_key, sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0))::bigint as total_tokens
    from plan_call
    group by run_key
),
version as (
    select run_key, false as is_running, is_late_child::bigint as deliver, false as is_repeat
    from plan_run
    where not is_orphan and not is_long
    union all
    select run_key, true, 0, false from plan_run where is_long
    union all
    select run_key, false, 1, true from plan_run where is_long
    union all
    select run_key, false, 1, true
    from plan_run
    where getvariable('late')::boolean and not is_orphan and not is_long and not is_late_child
        and u(run_key, 0, 'sent twice') < 0.009
)
select
    version.deliver,
    version.is_repeat,
    run.iso_style,
    'req_' || run_time.run_hex as run_id,
    ref_workspace.workspace_id,
    run.run_type,
    run.resource_id,
    run.resource_name,
    case when run.depth > 0 then 'agent' else run.root_source end as source,
    case
        when run.depth > 0 or run.root_source = 'dashboard' then 'direct'
        when u(run.run_key, 0, 'delivery') < 0.66 then 'direct'
        when u(run.run_key, 0, 'delivery') < 0.94 then 'callback'
        when u(run.run_key, 0, 'delivery') < 0.97 then 'sync'
        else 'async'
    end as delivery,
    -- A workflow's steps speak for themselves.
    case when run.run_type <> 'workflow' then charge.charge_type end as charge_type,
    case when version.is_running then 'running' else run.outcome end as status,
    make_timestamp_ms(run_time.start_ms) as started_at,
    case when not version.is_running then make_timestamp_ms(run_time.end_ms) end as completed_at,
    make_timestamp_ms(case when version.is_running
        then run_time.start_ms + 60000
        else run_time.end_ms + 20 + (h(run.run_key, 0, 'updated') % 900)::bigint
    end) as updated_at,
    case when run.run_type <> 'workflow' then model.provider end as provider,
    case when run.run_type <> 'workflow' then model.model end as model,
    case when run.root_source in ('api', 'webhook', 'live') then key.api_key_id end as api_key_id,
    case when run.root_source in ('api', 'webhook', 'live') then key.api_key_name end as api_key_name,
    run.collaborator,
    case
        when not run.has_user then null
        when run.user_no % 12 = 5
            then 'user' || run.user_no || '+' || ref_workspace.workspace_id || '@example.org'
        else 'usr_' || left(hex16(run.workspace_no, run.user_no, 'user id'), 10)
    end as user_id,
    case when run.has_metadata then '{' || concat_ws(',',
        '"plan":"' || pick(getvariable('plans'), u(run.workspace_no, run.user_no, 'plan')) || '"',
        '"seats":' || (1 + h(run.workspace_no, run.user_no, 'seats') % 40),
        '"beta":' || (u(run.workspace_no, run.user_no, 'beta') < 0.2),
        '"campaign":' || case when u(run.run_key, 0, 'campaign') < 0.4
            then '"' || pick(getvariable('campaigns'), u(run.run_key, 0, 'which campaign')) || '"'
            else 'null' end
    ) || '}' end as user_metadata,
    hex16(run.root_key, 0, 'trace') || hex16(run.root_key, 1, 'trace') as trace_id,
    'req_' || parent.run_hex as parent_run_id,
    run.deployment,
    case when run.outcome = 'failed' and not version.is_running
        then 'Step failed: ' || pick(['rate limit exceeded (429)', 'provider timed out after 60 s',
            'content policy: "unsafe request"'], u(run.run_key, 0, 'error')) end as error_message,
    case when run.run_type = 'prompt' and u(run.run_key, 0, 'reported') < 0.5 then usage.total_tokens
    end as reported_total_tokens,
    -- Not in the contract: readers keep it among the attributes.
    case when run.root_source = 'api' and u(run.run_key, 0, 'client') < 0.15
        then '2.' || (h(run.run_key, 0, 'client version') % 9) || '.0' end as client_version,
from version
inner join plan_run as run
    on run.run_key = version.run_key
inner join run_time
    on run_time.run_key = run.run_key
inner join usage
    on usage.run_key = run.run_key
inner join ref_workspace
    on ref_workspace.workspace_no = run.workspace_no
inner join ref_workspace_key as key
    on key.workspace_no = run.workspace_no
    and key.key_no = run.key_no
inner join ref_model as model
    on model.model_no = run.model_no
inner join ref_charge as charge
    on charge.workspace_no = run.workspace_no
    and charge.supplier = model.provider
left join run_time as parent
    on parent.run_key = run.parent_key
"""

PLAN_SPANS = """
create or replace temp table plan_span as
with
root_span as (
    select
        run.run_key,
        0 as span_no,
        null::bigint as parent_no,
        case when run.run_type = 'agent' then run.resource_name else run.run_type || ' run' end as name,
        case when run.run_type = 'agent' then 'agent' else 'run' end as kind,
        run.outcome as status,
        run_time.start_ms,
        run_time.end_ms,
        run.is_long or run.is_late_child as is_next_day,
    from plan_run as run
    inner join run_time
        on run_time.run_key = run.run_key
),
unit as (
    select
        call.run_key,
        call.unit_no,
        any_value(call.run_type) as run_type,
        any_value(call.unit_kind) as unit_kind,
        arg_max(call.call_status, call.attempt) as status,
        any_value((call.is_long and call.is_last) or call.is_late_child) as is_next_day,
    from plan_call as call
    group by call.run_key, call.unit_no
),
container as (
    select
        unit.run_key,
        unit.unit_no * 8 as span_no,
        0::bigint as parent_no,
        case
            when unit.run_type = 'agent' then 'knowledge base'
            else 'step ' || unit.unit_no || ': ' || case unit.unit_kind
                when 'completion' then 'write'
                when 'service' then 'look up'
                when 'image_generation' then 'illustrate'
                when 'embedding' then 'retrieve'
                else 'transform'
            end
        end as name,
        case when unit.run_type = 'agent' then 'retrieval' else 'step' end as kind,
        unit.status,
        run_time.start_ms + unit_span.offset_ms as start_ms,
        run_time.start_ms + unit_span.offset_ms + unit_span.unit_ms as end_ms,
        unit.is_next_day,
    from unit
    inner join unit_span
        on unit_span.run_key = unit.run_key
        and unit_span.unit_no = unit.unit_no
    inner join run_time
        on run_time.run_key = unit.run_key
    where unit.run_type = 'workflow' or (unit.run_type = 'agent' and unit.unit_kind = 'embedding')
),
leaf as (
    select
        call.run_key,
        call.call_no as span_no,
        case when call.run_type = 'workflow' or (call.run_type = 'agent' and call.unit_kind = 'embedding')
            then call.unit_no * 8 else 0 end as parent_no,
        case call.unit_kind
            when 'completion' then 'chat ' || call.model
            when 'embedding' then 'embed query'
            when 'image_generation' then 'generate_image'
            when 'service' then call.span_name
            when 'child run' then case when call.is_agent_call then 'ask_agent' else 'run_workflow' end
            else pick(getvariable('internal_tools'), pow(u(call.run_key, call.call_no, 'tool'), 1.5))
        end as name,
        case when call.unit_kind in ('service', 'child run', 'tool')
            then 'tool' else call.unit_kind end as kind,
        case
            when call.unit_kind in ('completion', 'embedding') then 'AI Model'
            when call.unit_kind = 'image_generation' then 'Image Generation'
            when call.unit_kind = 'child run' and call.is_agent_call then 'Agent'
            else call.service
        end as service,
        call.provider,
        call.model,
        case when call.model is not null or call.service is not null or call.is_agent_call
            then call.call_charge_type end as charge_type,
        call.call_status as status,
        run_time.start_ms + unit_span.offset_ms + 1 + (sum(call.call_ms) over (
            partition by call.run_key, call.unit_no order by call.attempt
        ) - call.call_ms)::bigint as call_start_ms,
        case when call.unit_kind = 'child run'
            then run_time.start_ms + unit_span.offset_ms + unit_span.unit_ms - 1
            else call_start_ms + call.call_ms
        end as call_end_ms,
        case when call.unit_kind = 'completion' then call.attempt end as attempt,
        call.input_tokens,
        call.cached_tokens,
        call.cache_write_tokens,
        call.output_tokens,
        call.reasoning_tokens,
        call.image_tokens,
        call.citation_tokens,
        call.audio_input_tokens,
        call.units,
        call.provider_cost_usd,
        call.task_credits,
        case
            when call.call_status <> 'failed' then null
            when call.model is not null then pick(['Rate limit exceeded (429)',
                'Provider timed out after 60 s', 'Content policy: "unsafe request"'],
                u(call.run_key, call.call_no, 'error'))
            else 'Tool returned HTTP 502'
        end as error_message,
        case when call.search_depth is not null
            then '{"depth":' || call.search_depth || ',"language":"en"}' end as attributes,
        (call.is_long and call.is_last) or call.is_late_child as is_next_day,
    from plan_call as call
    inner join unit_span
        on unit_span.run_key = call.run_key
        and unit_span.unit_no = call.unit_no
    inner join run_time
        on run_time.run_key = call.run_key
    where call.unit_kind <> 'transform'
)
select *, false as is_call from root_span
union all by name
select *, false as is_call from container
union all by name
select * rename (call_start_ms as start_ms, call_end_ms as end_ms), true as is_call from leaf
"""

# A statement of its own: DuckDB 2.0.0 stops with "dict-surviving cache: global dictionary column changed
# identity" when the joins below read the union above within one query.
DAY_SPANS = """
create or replace temp table day_span as
with
delivered as (
    select
        *,
        is_next_day or (getvariable('late')::boolean and is_call and u(run_key, span_no, 'late') < 0.008) as
        is_late, getvariable('late')::boolean and not is_late and u(run_key, span_no, 'sent twice') < 0.0035
        as is_sent_twice, from plan_span
)
select
    delivery.deliver,
    delivery.is_repeat,
    run.iso_style,
    -- How this row writes its numbers: one of the token shapes, and now and then as text.
    case
        when span.input_tokens is null then 'flat'
        when h(span.run_key, span.span_no, 'shape') % 100 < 64 then 'flat'
        when h(span.run_key, span.span_no, 'shape') % 100 < 76 then 'flat prompt'
        when h(span.run_key, span.span_no, 'shape') % 100 < 88 then 'nested input'
        else 'nested prompt'
    end as token_shape,
    case when h(span.run_key, span.span_no, 'text numbers') % 31 = 0 then '"' else '' end as number_quote,
    hex16(span.run_key, span.span_no, 'span') as span_id,
    hex16(run.root_key, 0, 'trace') || hex16(run.root_key, 1, 'trace') as trace_id,
    'req_' || run_time.run_hex as run_id,
    ref_workspace.workspace_id,
    case when span.parent_no is not null
        then hex16(span.run_key, span.parent_no, 'span') end as parent_span_id,
    span.name,
    span.kind,
    span.service,
    span.provider,
    span.model,
    span.charge_type,
    span.status,
    make_timestamp_ms(span.start_ms) as started_at,
    make_timestamp_ms(span.end_ms) as ended_at,
    span.attempt,
    span.input_tokens,
    span.cached_tokens,
    span.cache_write_tokens,
    span.output_tokens,
    span.reasoning_tokens,
    span.image_tokens,
    span.citation_tokens,
    span.audio_input_tokens,
    null::bigint as audio_output_tokens,
    span.units,
    span.provider_cost_usd,
    span.task_credits,
    span.error_message,
    span.attributes,
    -- Not in the contract: readers keep it among the attributes.
    case when span.is_call and u(span.run_key, span.span_no, 'region') < 0.08
        then pick(['eu-central-1', 'us-east-1'], u(span.run_key, span.span_no, 'which region')) end as region,
from delivered as span
inner join (values (0, false), (1, false), (1, true)) as delivery(deliver, is_repeat)
    on case
        when delivery.is_repeat then span.is_sent_twice
        else delivery.deliver = span.is_late::integer
    end
inner join plan_run as run
    on run.run_key = span.run_key
inner join run_time
    on run_time.run_key = span.run_key
inner join ref_workspace
    on ref_workspace.workspace_no = run.workspace_no
"""


DAY_STATEMENTS = (PLAN_RUNS, PLAN_CALLS, TIMETABLE, DAY_RUNS, PLAN_SPANS, DAY_SPANS)
"""What builds `day_run` and `day_span`, in order."""
