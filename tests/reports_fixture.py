# ruff: noqa: E501  (SQL laid out as tables)
"""A published file for the reports' tests: every mart, dimension and meta table, filled from one deterministic set of runs and spans.

What belongs here: made-up spans and runs, and the marts derived from them in plain SQL so that their totals agree with one another.
What does not: any claim on how dbt builds the real marts. Values are chosen by hash, so the same arguments give the same file content.
"""

from __future__ import annotations

from pathlib import Path

from reports import columns as col

ACME = "acme"
"""Workspace with a plain id, UTC, and a credit price from the fourth day on."""
HOSTILE = "../Tenant Ünïcode/</script>"
"""Workspace whose id looks like a path and whose strings try to break out of the page."""
RUN_WITH_CHILDREN = "acme-agent-parent"
HOSTILE_NAME = "</script><script>window.pwned=1</script>"

_TOKENS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "image_tokens",
    "citation_tokens", "audio_input_tokens", "audio_output_tokens", "total_tokens",
)  # fmt: skip
_MONEY = (
    "provider_cost_usd", "wallet_cost_usd", "external_cost_usd", "task_credits", "task_credit_cost_usd", "total_cost_usd",
)  # fmt: skip
_COUNTS = (
    "call_count",
    "failed_call_count",
    "unpriced_call_count",
    "unknown_usage_call_count",
    "unpriced_total_tokens",
)


METERS = tuple(name for name, _ in col.METERS)
_UNITS = {
    "uncached_input": "input_tokens - cached_tokens - cache_write_tokens", "cached_input": "cached_tokens", "cache_write_5m": "cache_write_tokens",
    "output": "output_tokens - reasoning_tokens", "reasoning": "reasoning_tokens", "image_output": "image_tokens", "citation": "citation_tokens",
    "image": "(span_kind = 'image_generation')", "request": "1",
}  # fmt: skip
"""Quantities and rates of which the costs of `_runs_sql` are made."""
_RATES = {
    **dict.fromkeys(("uncached_input", "cached_input", "cache_write_5m"), "0.0000003125"),
    **dict.fromkeys(("output", "reasoning"), "0.000001250001"),
    "image": "case when priced_model = 'image-model-1' then 0.04 end",
    "image_output": "case when priced_model = 'image-model-1' then 0 end",
}


def _money_type(column: str) -> str:
    return "decimal(38,6)" if column == "task_credits" else "decimal(38,12)"


def _sums(prefix: str = "", names: tuple[str, ...] = _MONEY) -> str:
    return ", ".join(f"coalesce(sum({prefix}{m}), 0)::{_money_type(m)} as {m}" for m in names)


def _token_sums(names: tuple[str, ...] = _TOKENS) -> str:
    return ", ".join(f"coalesce(sum({t}), 0)::bigint as {t}" for t in names)


_UNPRICED = (
    "count(*) filter (cost_source = 'unpriced')::bigint as unpriced_call_count, "
    "coalesce(sum(total_tokens) filter (cost_source = 'unpriced'), 0)::bigint as unpriced_total_tokens"
)
_OWN_UNPRICED = "sum(own_unpriced)::bigint as unpriced_call_count, sum(own_unpriced_tokens)::bigint as unpriced_total_tokens"
_MEASURES = (
    "count(*)::bigint as call_count, count(*) filter (status = 'failed')::bigint as failed_call_count, "
    f"count(*) filter (is_usage_unknown)::bigint as unknown_usage_call_count, {_UNPRICED}"
)
_BUCKET = """case when duration_ms <= 0 then 0 else ceil(ln(duration_ms) / ln(1.02))::integer + 1 end as bucket_index"""
_BOUNDS = """case when bucket_index = 0 then 0.0::double else pow(1.02, bucket_index - 2) end as bucket_lower_ms,
    case when bucket_index = 0 then 0.0::double else pow(1.02, bucket_index - 1) end as bucket_upper_ms"""
_PERCENTILES = ", ".join(
    f"quantile_disc(duration_ms, 0.{p}) filter (status = 'completed')::bigint as latency_p{p}_ms"
    for p in ("50", "90", "95", "99")
)


def _runs_sql(days: int, runs_per_day: int) -> str:
    hostile = HOSTILE.replace("'", "''")
    return f"""
    create temp macro h(x, salt) as (hash(x::varchar || salt) % 1000000)::bigint;
    create temp table run0 as
    with n as (select unnest(range({days * runs_per_day})) as i),
    w as (select i, case when h(i, 'w') % 4 = 3 then '{hostile}' else '{ACME}' end as workspace_id,
        date '2026-10-01' + (i // {runs_per_day})::integer as d from n)
    select
        workspace_id, i,
        'req_' || md5('run' || i) as run_id,
        case when h(i, 't') % 10 < 6 then 'prompt' when h(i, 't') % 10 < 8 then 'workflow' else 'agent' end as run_type,
        d as usage_date,
        d + interval (i % {runs_per_day} * 86000 // {runs_per_day}) second + interval (h(i, 'ms') % 1000) millisecond as started_at,
        null::varchar as parent_run_id
    from w
    union all
    select '{ACME}', -1, '{RUN_WITH_CHILDREN}', 'agent', date '2026-10-01' + {days - 1}, timestamp '2026-10-01 22:00:00' + interval {days - 1} day, null
    union all
    select '{ACME}', -2, 'acme-child-agent', 'agent', date '2026-10-01' + {days - 1}, timestamp '2026-10-01 22:00:02' + interval {days - 1} day, '{RUN_WITH_CHILDREN}'
    union all
    select '{ACME}', -3, 'acme-grandchild-workflow', 'workflow', date '2026-10-01' + {days - 1}, timestamp '2026-10-01 22:00:03' + interval {days - 1} day, 'acme-child-agent';

    create temp table span as
    with k as (
        select r.*, unnest(range(case run_type when 'prompt' then 2 when 'workflow' then 5 else 8 end)) as s from run0 r
        union all
        select '{ACME}', 900000 + j, 'never-arrived-' || (j % 3), null, date '2026-10-05' + (j % 20)::integer,
            timestamp '2026-10-05 10:00:00' + interval (j % 20) day, null, 1 from (select unnest(range(12)) as j)
    ), v as (
        select *, run_id || '.' || s as span_id, h(run_id || s, 'k') as k, h(run_id || s, 'd') as dd,
            run_type is null as is_orphan,
            case when run_type = 'prompt' then 0 else h(run_id || s, 'kk') % 10 end as kind_no
        from k
    ), t as (
        select *,
            case when s = 0 then 'run' when run_type is null or kind_no < 5 then 'completion' when kind_no < 7 then 'tool'
                when kind_no = 7 then 'image_generation' when kind_no = 8 then 'step' else 'embedding' end as span_kind
        from v
    ), u as (
        select *,
            case span_kind when 'completion' then 'AI Model' when 'embedding' then 'AI Model' when 'image_generation' then 'Image Generation'
                when 'tool' then case when k % 3 = 0 then 'Google Search' when k % 3 = 1 then 'Website Scrape' else 'Exa Search' end end as service,
            case when workspace_id = '{ACME}' then case k % 4 when 0 then 'openai' when 1 then 'anthropic' when 2 then 'google' else 'anthropic' end
                else case when k % 2 = 0 then '<b>evil & co</b>' else 'mistral' end end as provider0,
            span_kind in ('completion', 'tool', 'image_generation', 'embedding') as is_call,
            (20 + dd % 4000) * (1 + s % 3) as duration_ms,
            case when dd % 37 = 0 then 'failed' when dd % 411 = 0 then 'cancelled' else 'completed' end as status,
            case when h(i, 'c') % 5 = 0 or (h(i, 'c') % 7 = 1 and s % 2 = 0) then 'personal' else 'hosted' end as charge_type
        from t
    ), p as (
        select *,
            case when is_call and span_kind <> 'tool' then provider0 end as provider,
            case when is_call and span_kind <> 'tool' then case span_kind when 'image_generation' then 'image-model-1' when 'embedding' then 'embed-small'
                else case provider0 when 'openai' then 'gpt-5-mini' when 'anthropic' then 'claude-sonnet-4-5' when 'google' then 'gemini-2.5-flash'
                when 'mistral' then 'mistral-large' else '{HOSTILE_NAME}' end end end as model,
            case when span_kind in ('completion', 'embedding') and dd % 97 <> 0 then 200 + k % 9000 end as input_tokens,
            case when span_kind = 'completion' and dd % 97 <> 0 then 20 + k % 1300 when span_kind = 'embedding' and dd % 97 <> 0 then 0 end as output_tokens,
            case when span_kind = 'image_generation' and dd % 97 <> 0 then 1056 end as image_tokens,
            span_kind in ('completion', 'embedding', 'image_generation') as is_model_call
        from u
    ), c as (
        select *,
            is_model_call and input_tokens is null and image_tokens is null as is_usage_unknown,
            case when not is_call then null when is_model_call and (dd % 29 = 0 or (is_orphan and i % 4 = 1) or i = -2) or (span_kind = 'tool' and dd % 23 = 0) then 'unpriced' when is_model_call and dd % 2 = 0 then 'priced'
                when is_model_call then 'reported' end as cost_source
        from p
    ), m as (
        select *,
            case when is_call and cost_source is distinct from 'unpriced' then
                (case when span_kind = 'tool' then 0 when span_kind = 'image_generation' then 0.04
                else coalesce(input_tokens, 0)::decimal(38,0) * 0.000000312500 + coalesce(output_tokens, 0)::decimal(38,0) * 0.000001250001 end)::decimal(38,12)
            end as provider_cost_usd,
            case when is_call then (case when span_kind = 'tool' then 1 + k % 3 else 1 end)::decimal(18,6) end as task_credits,
            case when is_call and workspace_id = '{ACME}' and usage_date >= date '2026-10-04' then 0.002::decimal(20,12) end as credit_price_usd,
            case when cost_source = 'unpriced' then 'unpriced' when is_model_call then case when dd % 13 = 0 then 'partial' when dd % 19 = 0 then 'free' else 'priced' end end as price_status
        from c
    )
    select
        usage_date, workspace_id, run_id, run_type, span_id, 'tr_' || run_id as trace_id,
        case when s = 0 or is_orphan then null when s > 4 and run_type = 'agent' then run_id || '.' || (s - 3) else run_id || '.0' end as parent_span_id,
        case when s = 0 then run_type || ' run' when workspace_id <> '{ACME}' and k % 11 = 0 then '{HOSTILE_NAME}'
            when span_kind = 'tool' then lower(replace(service, ' ', '_')) when span_kind = 'step' then 'step ' || s else 'chat ' || coalesce(model, '') end as span_name,
        span_kind, service, provider, model, charge_type,
        status, started_at + interval (s * 300) millisecond as started_at,
        started_at + interval (s * 300 + duration_ms) millisecond as ended_at, duration_ms::bigint as duration_ms, (s * 300)::bigint as start_offset_ms,
        1 + (dd % 41 = 0)::integer as attempt,
        case when is_call then 'call' when s = 0 then 'rollup' when span_kind = 'step' and k % 3 = 0 then 'duplicate' else 'none' end as billing_role,
        case when is_call then 'has usage of its own' when s = 0 then 'sums its children' when span_kind = 'step' and k % 3 = 0 then 'same response id' else 'no usage' end as billing_reason,
        case when is_call then span_id when (s = 0 and run_type = 'prompt') or (span_kind = 'step' and k % 3 = 0) then run_id || '.1' end as billed_span_id,
        case when is_call or (s = 0 and run_type = 'prompt') or (span_kind = 'step' and k % 3 = 0) then run_id end as billed_run_id,
        case when not is_call and (s = 0 or (span_kind = 'step' and k % 3 = 0)) then 1230 end::bigint as rollup_reported_input_tokens,
        case when not is_call and (s = 0 or (span_kind = 'step' and k % 3 = 0)) then 4 end::bigint as rollup_reported_output_tokens,
        case when not is_call and (s = 0 or (span_kind = 'step' and k % 3 = 0)) then 1234 end::bigint as rollup_reported_total_tokens,
        case when not is_call and span_kind = 'step' and k % 3 = 0 then 0.000321 end::decimal(38,12) as rollup_reported_provider_cost_usd,
        null::decimal(18,6) as rollup_reported_task_credits,
        is_model_call, is_usage_unknown, is_orphan, false as is_parent_missing,
        case when is_model_call and not is_usage_unknown then coalesce(input_tokens, 0) end::bigint as input_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(input_tokens, 0) // 3 end::bigint as cached_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(input_tokens, 0) // 11 end::bigint as cache_write_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(output_tokens, 0) end::bigint as output_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(output_tokens, 0) // 4 end::bigint as reasoning_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(image_tokens, 0) end::bigint as image_tokens,
        case when is_model_call and not is_usage_unknown then (dd % 7 = 0)::bigint * 40 end::bigint as citation_tokens,
        case when is_model_call and not is_usage_unknown then 0 end::bigint as audio_input_tokens,
        case when is_model_call and not is_usage_unknown then 0 end::bigint as audio_output_tokens,
        case when is_model_call and not is_usage_unknown then coalesce(input_tokens, 0) + coalesce(output_tokens, 0) + coalesce(image_tokens, 0) end::bigint as total_tokens,
        case when is_call then 1 end::bigint as units,
        provider_cost_usd, cost_source,
        case when is_call then case when charge_type = 'hosted' then coalesce(provider_cost_usd, 0) else 0 end end::decimal(38,12) as wallet_cost_usd,
        case when is_call then case when charge_type = 'personal' then coalesce(provider_cost_usd, 0) else 0 end end::decimal(38,12) as external_cost_usd,
        price_status,
        case when price_status = 'unpriced' then case when is_usage_unknown then 'unknown_usage' when not is_model_call then 'no_model_named' when k % 3 = 0 then 'no_price_for_its_usage' when k % 7 = 0 then 'a_new_reason' else 'no_price' end end as unpriced_reason,
        case when price_status <> 'unpriced' then provider end as priced_provider,
        case when price_status <> 'unpriced' then replace(model, 'gemini-2.5-flash', 'gemini-2.5-flash-001') end as priced_model,
        case when price_status <> 'unpriced' then left(md5(concat_ws('/', provider, model)), 16) end as price_set_id,
        case when cost_source = 'reported' then provider_cost_usd end as reported_provider_cost_usd,
        case when price_status <> 'unpriced' then (provider_cost_usd * (case when cost_source = 'reported' and dd % 5 = 0 then 1.0 + 0.07 * (dd % 3 - 1) else 1 end)::decimal(3,2))::decimal(38,12) end as computed_provider_cost_usd,
        case when k % 5 = 0 then model || '-turbo' else model end as response_model,
        case when is_model_call then 'input_includes_cached' end as token_convention,
        case when is_call and k % 2 = 0 then task_credits end as reported_task_credits,
        case when is_call then task_credits + k % 2 - 1 end::decimal(38,6) as computed_task_credits,
        case when is_call then case when k % 2 = 0 then 'reported' else 'rated' end end as credit_source,
        credit_price_usd,
        task_credits,
        case when is_call then task_credits::decimal(38,0) * coalesce(credit_price_usd, 0) end::decimal(38,12) as task_credit_cost_usd,
        case when is_call then (case when charge_type = 'hosted' then coalesce(provider_cost_usd, 0) else 0 end)
            + task_credits::decimal(38,0) * coalesce(credit_price_usd, 0) end::decimal(38,12) as total_cost_usd,
        case when status = 'failed' then 'upstream said <img src=x onerror=alert(1)>' end as error_message,
        case when dd % 211 = 0 then 'cached_tokens_exceed_input_tokens' end as quality_flags,
        case when dd % 5 = 0 then '{{"temperature": 0.2, "note": "=cmd|x"}}' end as attributes
    from m;
    """


def _run_facts_sql() -> str:
    own_tokens = ", ".join(f"coalesce(sum({t}), 0)::bigint as own_{t}" for t in _TOKENS)
    own_money = ", ".join(f"coalesce(sum({m}), 0)::{_money_type(m)} as own_{m}" for m in _MONEY)
    incl = ", ".join(
        [f"sum(d.own_{t})::bigint as total_{t.removeprefix('total_')}" for t in _TOKENS]
        + [f"sum(d.own_{m})::{_money_type(m)} as total_{m.removeprefix('total_')}" for m in _MONEY]
    )
    return f"""
    create temp table own as
    select workspace_id, run_id, max(ended_at) as ended_at, {own_tokens}, {own_money},
        coalesce(sum(total_cost_usd) filter (span_kind = 'image_generation'), 0)::decimal(38,12) as own_image_generation_cost_usd,
        count(*) filter (cost_source = 'unpriced')::bigint as own_unpriced,
        coalesce(sum(total_tokens) filter (cost_source = 'unpriced'), 0)::bigint as own_unpriced_tokens,
        count(*) filter (span_kind = 'tool')::bigint as own_tool_call_count,
        list_sort(list(distinct service) filter (span_kind = 'tool')) as tools,
        count(distinct provider) as providers, max(provider) as provider, count(distinct model) as models, max(model) as model,
        count(distinct charge_type) filter (billing_role = 'call') as charge_types, max(charge_type) filter (billing_role = 'call') as charge_type
    from span where not is_orphan group by all;

    create temp table family as
    with recursive f as (
        select workspace_id, run_id as root, run_id from run0
        union all
        select r.workspace_id, f.root, r.run_id from f join run0 r on r.parent_run_id = f.run_id and r.workspace_id = f.workspace_id
    ) select * from f;

    create temp table incl as
    select f.workspace_id, f.root as run_id, {incl}, sum(d.own_unpriced)::bigint as unpriced_call_count,
        sum(d.own_unpriced_tokens)::bigint as unpriced_total_tokens,
        sum(d.own_tool_call_count)::bigint as tool_call_count, max(d.ended_at) as ended_at
    from family f join own d on d.workspace_id = f.workspace_id and d.run_id = f.run_id group by all;

    create temp table run as
    select
        r.usage_date, r.workspace_id, r.run_id, r.run_type, r.started_at, r.parent_run_id, 'tr_' || r.run_id as trace_id,
        case when h(i, 'st') % 23 = 0 then 'failed' when h(i, 'st') % 97 = 1 then 'running' when h(i, 'st') % 131 = 2 then 'cancelled' else 'completed' end as status,
        case when h(i, 'st') % 97 = 1 then null else t.ended_at end as completed_at,
        case when h(i, 'st') % 97 = 1 then null else date_diff('millisecond', r.started_at, t.ended_at) end::bigint as duration_ms,
        r.run_type || '_' || h(i, 'r') % 7 as resource_id,
        case when r.workspace_id <> '{ACME}' then ['{HOSTILE_NAME}', 'مرحبا بالعالم', '🚀 emoji "quoted" & more', '=cmd|'' /C calc''!A0',
            repeat('long name ', 1000), 'line' || chr(8232) || 'sep'][1 + h(i, 'n') % 6]
            else ['Summarise ticket', 'Translate page', 'Research brief', 'Support triage', 'Lead scoring', 'Weekly digest', 'Invoice reader'][1 + h(i, 'r') % 7] end as name,
        case when o.charge_types > 1 then 'mixed' else o.charge_type end as charge_type,
        case when o.providers > 1 then 'mixed' else o.provider end as provider, case when o.models > 1 then 'mixed' else o.model end as model,
        coalesce(o.tools, []::varchar[]) as tools,
        ['dashboard', 'api', 'scheduled', 'webhook', 'agent'][1 + h(i, 's') % 5] as source,
        ['direct', 'callback'][1 + h(i, 'dl') % 2] as delivery,
        'key_' || h(i, 'a') % 4 as api_key_id, 'Key ' || h(i, 'a') % 4 as api_key_name,
        ['Ada', 'Grace', 'Linus', null][1 + h(i, 'co') % 4] as collaborator,
        case when h(i, 'u') % 5 = 0 then null else (case when r.workspace_id = '{ACME}' then 'user-' else 'u<i>' end) || (h(i, 'uu') % 60)::varchar end as user_id,
        case when h(i, 'm') % 3 = 0 then '{{"plan": "' || ['free', 'pro'][1 + h(i, 'p') % 2] || '", "beta": true, "seats": 3}}' end as user_metadata,
        ['v1', 'v2', null][1 + h(i, 'v') % 3] as deployment,
        case when h(i, 'st') % 23 = 0 then 'The provider said: <script>alert(1)</script>' end as error_message,
        o.* exclude (workspace_id, run_id, ended_at, tools, providers, provider, models, model, charge_types, charge_type),
        t.* exclude (workspace_id, run_id, ended_at),
        (select count(*) from run0 c where c.parent_run_id = r.run_id)::bigint as child_run_count
    from run0 r join own o on o.workspace_id = r.workspace_id and o.run_id = r.run_id
    join incl t on t.workspace_id = r.workspace_id and t.run_id = r.run_id;
    """


_LOG_COLUMNS = """usage_date, workspace_id, run_id, completed_at, started_at, resource_id, name, provider, model, charge_type, status, tools,
    tool_call_count, total_tokens, total_input_tokens, total_cached_tokens, total_cache_write_tokens, total_output_tokens,
    total_reasoning_tokens, total_image_tokens, total_citation_tokens, total_audio_input_tokens, total_audio_output_tokens,
    total_cost_usd, total_task_credits, total_task_credit_cost_usd, total_wallet_cost_usd, total_external_cost_usd, total_provider_cost_usd,
    (own_total_tokens - own_image_tokens)::bigint as own_total_tokens, own_image_tokens,
    (total_tokens - own_total_tokens)::bigint as child_runs_total_tokens,
    (own_total_cost_usd - own_image_generation_cost_usd)::decimal(38,12) as own_cost_usd,
    own_image_generation_cost_usd as image_generation_cost_usd,
    (total_cost_usd - own_total_cost_usd)::decimal(38,12) as child_runs_cost_usd,
    duration_ms, api_key_id, api_key_name, collaborator, source, delivery, user_id, user_metadata, deployment, parent_run_id,
    unpriced_call_count, unpriced_total_tokens, error_message"""


def _marts_sql() -> str:
    calls = "from span where billing_role = 'call'"
    unattributed = ", ".join(
        f"coalesce(sum({m}) filter (is_orphan), 0)::{t} as unattributed_{m}"
        for m, t in (
            ("total_tokens", "bigint"),
            ("task_credits", "decimal(38,6)"),
            ("total_cost_usd", "decimal(38,12)"),
            ("external_cost_usd", "decimal(38,12)"),
            ("provider_cost_usd", "decimal(38,12)"),
        )
    )
    log_marts = "".join(
        f"create table marts.mart_logs__{kind}_runs as select {_LOG_COLUMNS} from run where run_type = '{kind}';\n"
        f"""create table marts.mart_details__{kind}_summary as select l.*, r.trace_id, r.child_run_count,
            r.total_tokens as reported_total_tokens, r.total_cost_usd as reported_total_cost_usd
            from marts.mart_logs__{kind}_runs l join run r on r.workspace_id = l.workspace_id and r.run_id = l.run_id;\n"""
        for kind in ("prompt", "workflow", "agent")
    )
    rest = [
        t
        for t in _TOKENS
        if t
        not in ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    ]
    return f"""
    create schema marts; create schema dimensions; create schema meta;
    create table dimensions.dim_workspace as
    select * from (values ('{ACME}', 'Acme Corp', 'UTC', 'hosted', true, true),
        ('{HOSTILE.replace("'", "''")}', '<b>Evil</b> & "Söns"', 'America/New_York', 'personal', false, true))
        as t(workspace_id, workspace_name, time_zone, default_charge_type, has_credit_price, is_configured);
    create table dimensions.dim_credit_price as
    select '{ACME}' as workspace_id, date '2026-10-04' as valid_from, null::date as valid_to, 0.002::decimal(20,12) as credit_price_usd;

    create table marts.mart_analytics__total_cost as
    with c as (select usage_date, workspace_id, {_MEASURES}, {_token_sums()}, {_sums()},
        count(*) filter (is_orphan)::bigint as unattributed_call_count,
        count(*) filter (is_orphan and cost_source = 'unpriced')::bigint as unattributed_unpriced_call_count,
        coalesce(sum(total_tokens) filter (is_orphan and cost_source = 'unpriced'), 0)::bigint as unattributed_unpriced_total_tokens, {unattributed} {calls} group by usage_date, workspace_id),
    r as (select usage_date, workspace_id, count(*)::bigint as run_count, count(*) filter (status = 'failed')::bigint as failed_run_count
        from run group by usage_date, workspace_id)
    select usage_date, workspace_id, coalesce(run_count, 0) as run_count, coalesce(failed_run_count, 0) as failed_run_count,
        c.* exclude (usage_date, workspace_id) from c full join r using (usage_date, workspace_id);
    create table marts.mart_analytics__service_costs as
    select usage_date, workspace_id, coalesce(service, 'Unknown') as service, is_model_call, {_MEASURES}, {_token_sums()},
        sum(units)::bigint as units, {_sums()} {calls} group by all;
    create table marts.mart_analytics__usage_breakdown as
    select s.usage_date, s.workspace_id, coalesce(s.service, 'Unknown') as service, s.provider, s.model,
        coalesce(r.name, r.resource_id) as resource_name, coalesce(r.api_key_name, r.api_key_id) as api_key, s.charge_type, r.collaborator, s.is_model_call,
        {_MEASURES.replace("status", "s.status").replace("total_tokens)", "s.total_tokens)")}, {", ".join(f"coalesce(sum(s.{t}), 0)::bigint as {t}" for t in _TOKENS)}, {_sums("s.")}
    from (select * {calls}) as s left join run as r on r.workspace_id = s.workspace_id and r.run_id = s.run_id group by all;
    create table marts.mart_analytics__model_costs as
    select usage_date, workspace_id, provider, model, {_MEASURES}, {_token_sums()}, {_sums()},
        null::decimal(38,12) as cost_per_million_tokens_usd {calls} and is_model_call group by all;
    create table marts.mart_analytics__unpriced_usage as
    select usage_date, workspace_id, provider, model, price_status, coalesce(unpriced_reason, 'partly_priced') as reason,
        count(*)::bigint as call_count, {_token_sums()}, {_sums(names=("provider_cost_usd",))}
    {calls} and cost_source <> 'reported' and price_status in ('unpriced', 'partial') group by all;
    create table marts.mart_analytics__cost_differences as
    with c as (select *, abs(reported_provider_cost_usd - computed_provider_cost_usd) * 100
            > greatest(reported_provider_cost_usd, computed_provider_cost_usd) as differs
        {calls} and reported_provider_cost_usd is not null and computed_provider_cost_usd is not null)
    select usage_date, workspace_id, provider, model, priced_provider, priced_model, count(*)::bigint as compared_call_count,
        count(*) filter (differs)::bigint as differing_call_count, sum(reported_provider_cost_usd)::decimal(38,12) as reported_cost_usd,
        sum(computed_provider_cost_usd)::decimal(38,12) as computed_cost_usd,
        sum(computed_provider_cost_usd - reported_provider_cost_usd)::decimal(38,12) as difference_usd,
        coalesce(sum(abs(computed_provider_cost_usd - reported_provider_cost_usd)) filter (differs), 0)::decimal(38,12) as at_stake_usd
    from c group by all having differing_call_count > 0;
    create table marts.mart_analytics__token_usage as
    select usage_date, workspace_id,
        coalesce(sum(input_tokens - cached_tokens - cache_write_tokens), 0)::bigint as uncached_input_tokens,
        {_token_sums(("cached_tokens", "cache_write_tokens"))},
        coalesce(sum(output_tokens - reasoning_tokens), 0)::bigint as visible_output_tokens,
        {_token_sums(("reasoning_tokens", "image_tokens", "citation_tokens", "input_tokens", "output_tokens", "total_tokens"))}
    {calls} group by all;
    create table marts.mart_analytics__model_observability as
    select usage_date, workspace_id, provider, model, count(*)::bigint as call_count,
        count(*) filter (status = 'completed')::bigint as completed_call_count, count(*) filter (status = 'failed')::bigint as failed_call_count,
        (count(*) filter (status = 'failed') * 100.0 / count(*))::decimal(9,4) as error_rate_pct, {_PERCENTILES}
    {calls} and is_model_call group by all;
    create table marts.mart_analytics__model_latency_histogram as
    select usage_date, workspace_id, provider, model, bucket_index, {_BOUNDS}, count(*)::bigint as call_count
    from (select *, {_BUCKET} {calls} and is_model_call and status = 'completed') group by all;
    create table marts.mart_analytics__trace_performance as
    select usage_date, workspace_id, run_type, count(*)::bigint as run_count, count(*) filter (status = 'completed')::bigint as completed_run_count,
        count(*) filter (status = 'failed')::bigint as failed_run_count,
        coalesce(sum(duration_ms) filter (status = 'completed'), 0)::bigint as run_duration_ms, {_PERCENTILES}
    from run group by all;
    create table marts.mart_analytics__run_latency_histogram as
    select usage_date, workspace_id, run_type, bucket_index, {_BOUNDS}, count(*)::bigint as run_count
    from (select *, {_BUCKET} from run where status = 'completed') group by all;
    create table marts.mart_analytics__span_performance as
    with d as (select usage_date, workspace_id, sum(duration_ms)::bigint as run_duration_ms from run group by all)
    select s.usage_date, s.workspace_id, span_name, span_kind, count(*)::bigint as span_count, count(*) filter (status = 'failed')::bigint as failed_span_count,
        sum(duration_ms)::bigint as span_duration_ms, quantile_disc(duration_ms, 0.95) filter (status = 'completed')::bigint as latency_p95_ms,
        any_value(d.run_duration_ms) as run_duration_ms
    from span s join d using (usage_date, workspace_id) group by all;
    create table marts.mart_analytics__span_latency_histogram as
    select usage_date, workspace_id, span_name, span_kind, bucket_index, {_BOUNDS}, count(*)::bigint as span_count
    from (select *, {_BUCKET} from span where status = 'completed') group by all;
    create table marts.mart_analytics__tool_usage as
    select usage_date, workspace_id, coalesce(service, span_name) as tool_name, count(*)::bigint as call_count,
        count(*) filter (status = 'failed')::bigint as failed_call_count, {_UNPRICED}, sum(duration_ms)::bigint as duration_ms,
        quantile_disc(duration_ms, 0.95)::bigint as latency_p95_ms, {_sums(names=("total_cost_usd", "task_credits"))}
    from span where span_kind = 'tool' group by all;
    create table marts.mart_analytics__top_users as
    with u as (
        select usage_date, workspace_id, user_id, count(*)::bigint as run_count, sum(own_total_tokens)::bigint as total_tokens,
            {_OWN_UNPRICED}, {", ".join(f"sum(own_{m})::{_money_type(m)} as {m}" for m in _MONEY)} from run group by all)
    select *, case when user_id is not null then row_number() over (partition by usage_date, workspace_id, user_id is null order by total_cost_usd desc, user_id) end::bigint as cost_rank,
        case when user_id is not null then row_number() over (partition by usage_date, workspace_id, user_id is null order by run_count desc, user_id) end::bigint as request_rank,
        case when user_id is not null then row_number() over (partition by usage_date, workspace_id, user_id is null order by total_tokens desc, user_id) end::bigint as token_rank
    from u;
    create table marts.mart_users__summary as
    select workspace_id, user_id, min(started_at) as first_request_at, max(started_at) as last_request_at, count(*)::bigint as total_requests,
        sum(own_total_tokens)::bigint as total_tokens, {_OWN_UNPRICED}, {", ".join(f"sum(own_{m})::{_money_type(m)} as {m}" for m in _MONEY)}
    from run where user_id is not null group by all;
    create table marts.mart_users__activity as
    select usage_date, workspace_id, user_id, count(*)::bigint as run_count, count(*) filter (status = 'failed')::bigint as failed_run_count,
        sum(own_total_tokens)::bigint as total_tokens, {_OWN_UNPRICED}, {", ".join(f"sum(own_{m})::{_money_type(m)} as {m}" for m in _MONEY)}
    from run where user_id is not null group by all;
    create table marts.mart_users__cost_distribution as
    select workspace_id, case when total_cost_usd <= 0 then 0 when total_cost_usd < 0.01 then 10 when total_cost_usd < 0.1 then 11 when total_cost_usd < 1 then 12 else 13 end as bucket_index,
        case when bucket_index = 0 then 0 else [0.001, 0.01, 0.1, 1][bucket_index - 9] end::decimal(38,12) as bucket_lower_usd,
        case when bucket_index = 0 then 0 else [0.01, 0.1, 1, 10][bucket_index - 9] end::decimal(38,12) as bucket_upper_usd,
        count(*)::bigint as user_count, sum(unpriced_call_count)::bigint as unpriced_call_count,
        sum(unpriced_total_tokens)::bigint as unpriced_total_tokens, sum(total_cost_usd)::decimal(38,12) as total_cost_usd
    from marts.mart_users__summary group by all;
    {log_marts}
    create table dimensions.dim_price_set as
    select distinct price_set_id, priced_provider || '/' || priced_model || '||' as price_key, timestamp '0001-01-01' as valid_from,
        timestamp '9999-12-31' as valid_to, {", ".join(f"{_RATES.get(m, 'null')}::decimal(38,18) as {m}_usd" for m in METERS)}
    from span where price_set_id is not null;
    create table dimensions.dim_model_name as
    select distinct priced_provider || '/' || priced_model || '||' as price_key, priced_provider as catalogue_provider, priced_model as catalogue_model,
        null::varchar as file_provider, null::varchar as file_pattern, '' as variant from span where price_set_id is not null;
    create table dimensions.dim_price as
    select distinct priced_provider as provider, priced_model as model_rule, 'catalogue' as source, 'catalogue 1.2' as source_version,
        date '2026-09-01' as checked_at from span where price_set_id is not null;
    create table marts.mart_details__spans as
    select usage_date, workspace_id, run_id, span_id, parent_span_id, span_name, span_kind, service, provider, model, charge_type, status, started_at, ended_at,
        duration_ms, start_offset_ms, attempt, billing_role, billed_run_id, billed_span_id, billing_reason,
        rollup_reported_input_tokens, rollup_reported_output_tokens, rollup_reported_total_tokens, rollup_reported_provider_cost_usd, rollup_reported_task_credits,
        units, {", ".join(f"case when price_set_id is not null then {_UNITS.get(m, '0')} end::bigint as {m}_units" for m in METERS)},
        {", ".join(["input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", *rest])},
        provider_cost_usd, cost_source, wallet_cost_usd, external_cost_usd, task_credits, task_credit_cost_usd, total_cost_usd,
        response_model, price_status, unpriced_reason, priced_provider, priced_model, price_set_id, reported_provider_cost_usd, computed_provider_cost_usd,
        reported_task_credits, computed_task_credits, credit_source, credit_price_usd, token_convention, is_orphan, is_parent_missing, error_message, quality_flags, attributes
    from span;
    create table marts.mart_details__child_runs as
    select c.workspace_id, c.parent_run_id, c.run_id, c.usage_date, p.usage_date as parent_usage_date, c.run_type, c.name, c.status, c.started_at,
        c.duration_ms, c.total_tokens, c.total_cost_usd, c.total_task_credits, c.unpriced_call_count, c.unpriced_total_tokens
    from run c join run p on p.workspace_id = c.workspace_id and p.run_id = c.parent_run_id;

    create table marts.mart_analytics__budgets as
    select '{ACME}' as workspace_id, month_start_date, through_date, 0.5::decimal(38,12) as monthly_budget_usd, spent_usd, days_elapsed, days_left,
        pace_usd_per_day, projected_usd, 0.5::decimal(38,12) - spent_usd as remaining_usd, budget_days_left, budget_status
    from (values
        (date '2026-10-01', date '2026-10-31', 0.25::decimal(38,12), 31::bigint, 0::bigint, 0.008064516129::decimal(38,12), 0.25::decimal(38,12), null::bigint, 'within'),
        (date '2026-11-01', date '2026-11-09', 0.4::decimal(38,12), 9::bigint, 21::bigint, 0.044444444444::decimal(38,12), 1.333333333324::decimal(38,12), 2::bigint, 'heading_over'))
        as t(month_start_date, through_date, spent_usd, days_elapsed, days_left, pace_usd_per_day, projected_usd, budget_days_left, budget_status);
    create table marts.mart_analytics__anomalies as
    select usage_date, '{ACME}' as workspace_id, dimension, dimension_key, dimension_name, measure, direction, actual::decimal(38,6) as actual, expected::decimal(38,6) as expected,
        band_lower::decimal(38,6) as band_lower, band_upper::decimal(38,6) as band_upper, at_stake_usd::decimal(38,6) as at_stake_usd, 30::bigint as history_days, top_contributors
    from (values
        (date '2026-11-08', 'api_key', 'key_1', '<script>alert(1)</script>', 'total_cost_usd', 'above', 4.125, 0.75, 0.3, 1.5, 3.375, 'gpt-4o / <b>Bot</b> / key: 1200 calls, $4.000000; x: 1 calls, $0.125000'),
        (date '2026-11-08', 'api_key', 'key_1', '<script>alert(1)</script>', 'call_count', 'above', 1201, 210.5, 80, 400, 3.375, 'gpt-4o / <b>Bot</b> / key: 1200 calls, $4.000000; x: 1 calls, $0.125000'),
        (date '2026-11-08', 'service', 'prompt', 'prompt', 'call_count', 'above', 1300, 300, 80, 500, 3.3, null),
        (date '2026-10-10', 'model', 'openai/gpt-4o', 'gpt-4o', 'external_cost_usd', 'below', 0, 2.5, 1, 5, 2.5, null))
        as t(usage_date, dimension, dimension_key, dimension_name, measure, direction, actual, expected, band_lower, band_upper, at_stake_usd, top_contributors);

    create table meta.publication as select 'pub-1' as publication_id, timestamp '2026-11-10 02:31:00' as published_at, '0.1.0' as generated_by,
        timestamp '2026-11-09 23:55:00' as data_through_at, 1::bigint as batch_count, 40::bigint as touched_date_count,
        '{{}}' as manifest, 'pub-0' as previous_publication_id, timestamp '2026-11-09 02:31:00' as previous_published_at;
    create table meta.changes as
    select workspace_id, usage_date, null::bigint as run_count_before, run_count as run_count_after, null::bigint as call_count_before, call_count as call_count_after,
        null::bigint as unpriced_call_count_before, unpriced_call_count as unpriced_call_count_after, null::bigint as total_tokens_before, total_tokens as total_tokens_after,
        null::decimal(38,6) as task_credits_before, task_credits as task_credits_after, null::decimal(38,12) as total_cost_usd_before, total_cost_usd as total_cost_usd_after
    from marts.mart_analytics__total_cost where workspace_id = '{ACME}' and usage_date >= '2026-11-09';
    create table meta.batches (batch_seq bigint, loaded_at timestamp, rows_read bigint, rows_loaded bigint, rows_duplicate bigint,
        rows_superseded bigint, rows_quarantined bigint);
    create table meta.files (batch_seq bigint, file_no bigint, path varchar, sha256 varchar, size_bytes bigint, format varchar, entity varchar,
        status varchar, reason varchar, rows_read bigint, rows_loaded bigint, rows_duplicate bigint, rows_superseded bigint, rows_quarantined bigint);
    create table meta.quarantine (batch_seq bigint, file_no bigint, path varchar, line_number bigint, entity varchar, field varchar, reason varchar,
        message varchar, workspace_id varchar, raw varchar);
    create table meta.check_results (publication_id varchar, check_name varchar, severity varchar, status varchar, failures bigint, message varchar);
    insert into meta.check_results values
        ('pub-0', 'fct_span_usage__unpriced_share', 'warning', 'pass', 0, 'Calls without a price are rare: none'),
        ('pub-1', 'fct_span_usage__unpriced_share', 'warning', 'fail', 12, 'Calls without a price are rare: 12 rows break it (allowed 5), for example run_id=req_of_somebody'),
        ('pub-1', 'fct_span_usage__unique_key', 'blocking', 'pass', 0, 'passed'),
        ('pub-1', 'mart_logs__agent_runs__one_row_per_run', 'blocking', 'pass', 0, 'passed'),
        ('pub-1', 'reconcile__total_cost_equals_spans', 'blocking', 'pass', 0, 'The total cost mart equals the sum over spans: equal in all 80 workspace days');
    insert into meta.batches values (1, timestamp '2026-11-10 02:30:00', 1000, 990, 5, 2, 3);
    insert into meta.quarantine values
        (1, 1, 'export/runs.jsonl', 7, 'runs', 'status', 'not_allowed', 'status is no status', '{ACME}', '{{}}'),
        (1, 1, 'export/runs.jsonl', 8, 'runs', 'status', 'not_allowed', 'status is no status', '{ACME}', '{{}}'),
        (1, 1, 'export/runs.jsonl', 9, 'runs', null, 'not_json', 'the line is no JSON object', null, '<script>');
    """


def make_published(path: Path, *, days: int = 40, runs_per_day: int = 30) -> Path:
    """Write a published file with `days` × `runs_per_day` runs in two workspaces, and return its path."""
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(_runs_sql(days, runs_per_day))
        connection.execute(_run_facts_sql())
        connection.execute(_marts_sql())
    return path
