"""A small warehouse file in the published shape, built by plain SQL, to test and to time the audit.

Each run has six spans: its root, two completions, a search, an image or embedding, and a roll-up of
them. Every 75th run never arrives, so its spans are orphans. All amounts are exact and deterministic.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

FIRST_DATE = date(2026, 3, 1)
DATES = (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3))

TOKENS = [
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "image_tokens",
    "citation_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "total_tokens",
]
MONEY = [
    "provider_cost_usd",
    "wallet_cost_usd",
    "external_cost_usd",
    "task_credits",
    "task_credit_cost_usd",
    "total_cost_usd",
]
COUNTS = [
    "call_count",
    "failed_call_count",
    "unpriced_call_count",
    "unknown_usage_call_count",
    "unpriced_total_tokens",
]


def _type(measure: str) -> str:
    if measure.endswith("_usd"):
        return "decimal(38, 12)"
    return "decimal(38, 6)" if measure.endswith("credits") else "bigint"


def _sums(names: list[str], prefix: str = "") -> str:
    return ", ".join(f"coalesce(sum({prefix}{name}), 0)::{_type(name)} as {prefix}{name}" for name in names)


_SPAN_COUNTS = """
    count(*) filter (where billing_role = 'call') as call_count,
    count(*) filter (where billing_role = 'call' and status = 'failed') as failed_call_count,
    count(*) filter (where cost_source = 'unpriced') as unpriced_call_count,
    count(*) filter (where is_usage_unknown) as unknown_usage_call_count,
    coalesce(sum(total_tokens) filter (where cost_source = 'unpriced'), 0)::bigint as unpriced_total_tokens
"""

_SPANS = """
create table facts.fct_span_usage as
with spans as (
    select
        run_no,
        kind_no,
        run_no * 6 + kind_no as span_no,
        date '{first}' + (run_no % 3)::integer as usage_date,
        'ws_' || (run_no % 2) as workspace_id,
        'req_' || run_no as run_id,
        (run_no % 75 = 74) as is_orphan,
        (kind_no between 1 and 4) as is_call,
        (kind_no in (1, 2)) as is_completion,
        (run_no % 40 = 7 and kind_no = 1) as is_unpriced,
        (run_no % 40 = 9 and kind_no = 2) as is_unknown,
        case when run_no % 5 = 0 then 'personal' else 'hosted' end as charge_type
    from range({runs}) as r(run_no), range(6) as k(kind_no)
),
measured as (
    select
        *,
        (is_call and not is_unknown) as is_counted,
        case when is_completion then 1000 + span_no % 977 end as sent,
        case when is_completion then 100 + span_no % 97 end as made,
        case when kind_no = 4 and run_no % 2 = 0 then 1290 end as drawn,
        case
            when is_unpriced or not is_call then null
            else (0.000013::decimal(38, 12) * (span_no % 977 + 1) + 0.000000000001::decimal(38, 12) * kind_no)
        end::decimal(38, 12) as provider_cost_usd,
        case when is_call then (case when kind_no = 3 then 2 else 1 end) end::decimal(18, 6) as task_credits
    from spans
),
tokens as (
    select
        *,
        case when is_counted then coalesce(sent, 0) end::bigint as input_tokens,
        case when is_counted then coalesce(sent, 0) // 2 end::bigint as cached_tokens,
        case when is_counted then coalesce(sent, 0) // 10 end::bigint as cache_write_tokens,
        case when is_counted then coalesce(made, 0) end::bigint as output_tokens,
        case when is_counted then coalesce(made, 0) // 3 end::bigint as reasoning_tokens,
        case when is_counted then coalesce(drawn, 0) end::bigint as image_tokens,
        case when is_counted then kind_no end::bigint as citation_tokens,
        case when is_counted then 0 end::bigint as audio_input_tokens,
        case when is_counted then 0 end::bigint as audio_output_tokens,
        case
            when not is_call then null
            when charge_type = 'hosted' then coalesce(provider_cost_usd, 0)
            else 0
        end::decimal(38, 12) as wallet_cost_usd,
        case
            when not is_call then null
            when charge_type = 'personal' then coalesce(provider_cost_usd, 0)
            else 0
        end::decimal(38, 12) as external_cost_usd,
        (task_credits::decimal(38, 0) * 0.0125::decimal(38, 12))::decimal(38, 12) as task_credit_cost_usd
    from measured
)
select
    usage_date,
    workspace_id,
    run_id,
    'span_' || span_no as span_id,
    'trace_' || run_no as trace_id,
    case when kind_no > 0 then 'span_' || run_no * 6 end as parent_span_id,
    ['root', 'plan', 'answer', 'search', 'draw', 'wrapper'][kind_no + 1] as span_name,
    case kind_no
        when 0 then 'run'
        when 3 then 'tool'
        when 4 then (case when run_no % 2 = 0 then 'image_generation' else 'embedding' end)
        when 5 then 'agent'
        else 'completion'
    end as span_kind,
    case kind_no when 3 then 'Google Search' when 4 then 'Image Generation' else 'AI Model' end as service,
    case when is_call and kind_no <> 3 then 'openai' end as provider,
    case when is_call and kind_no <> 3 then 'gpt-' || kind_no end as model,
    charge_type,
    case when run_no % 20 = 3 and kind_no = 2 then 'failed' else 'completed' end as status,
    usage_date::timestamp + to_minutes((run_no % 1000)::integer) as started_at,
    usage_date::timestamp + to_minutes((run_no % 1000)::integer) + interval 2 second as ended_at,
    2000::bigint as duration_ms,
    1 as attempt,
    case when is_call then 'call' when kind_no = 5 then 'rollup' else 'none' end as billing_role,
    (is_call and kind_no <> 3) as is_model_call,
    is_orphan,
    false as is_parent_missing,
    {token_columns},
    (input_tokens + output_tokens + image_tokens)::bigint as total_tokens,
    is_unknown as is_usage_unknown,
    case when is_call then 1 end::bigint as units,
    provider_cost_usd as reported_provider_cost_usd,
    provider_cost_usd,
    case when is_unpriced then 'unpriced' when is_call then 'reported' end as cost_source,
    case when is_unpriced then 'unpriced' when is_call then 'priced' end as price_status,
    case when is_unpriced then 'no_price' end as unpriced_reason,
    case when is_call then 'rated' end as credit_source,
    case when is_call then coalesce(provider_cost_usd, 0.005) end::decimal(38, 12) as computed_provider_cost_usd,
    case when is_call then 1::decimal(38, 6) end as computed_task_credits,
    wallet_cost_usd,
    external_cost_usd,
    task_credits,
    task_credit_cost_usd,
    (task_credit_cost_usd + wallet_cost_usd)::decimal(38, 12) as total_cost_usd,
    null::varchar as error_message,
    null::varchar as quality_flags
from tokens
order by usage_date, workspace_id, span_no
"""

_RUNS = """
create table facts.fct_run_usage as
with own as (
    select
        usage_date,
        workspace_id,
        run_id,
        min(started_at) as started_at,
        max(ended_at) as completed_at,
        count(*) as span_count,
        {span_counts},
        {sums},
        coalesce(sum(total_cost_usd) filter (where span_kind = 'image_generation'), 0)::decimal(38, 12)
            as image_cost_usd
    from facts.fct_span_usage
    where not is_orphan
    group by all
)
select
    usage_date,
    workspace_id,
    run_id,
    ['prompt', 'workflow', 'agent'][1 + length(run_id) % 3] as run_type,
    'api' as source,
    'direct' as delivery,
    'hosted' as charge_type,
    case when failed_call_count > 0 then 'failed' else 'completed' end as status,
    started_at,
    completed_at,
    2000::bigint as duration_ms,
    false as is_parent_missing,
    0::bigint as tool_call_count,
    span_count,
    {counts},
    0::bigint as child_run_count,
    0::bigint as descendant_run_count,
    {own},
    image_cost_usd as own_image_generation_cost_usd,
    {total},
    total_tokens as reported_total_tokens,
    null::varchar as quality_flags,
    'p1' as resource_id,
    'default' as api_key_name,
    'ada' as collaborator,
    'user_1' as user_id
from own
order by usage_date, workspace_id, run_id
"""

_TOTAL_COST = """
create table marts.mart_analytics__total_cost as
with spans as (
    select
        usage_date,
        workspace_id,
        {span_counts},
        {sums},
        count(*) filter (where is_orphan and billing_role = 'call') as unattributed_call_count,
        count(*) filter (where is_orphan and cost_source = 'unpriced') as unattributed_unpriced_call_count,
        coalesce(sum(total_tokens) filter (where is_orphan and cost_source = 'unpriced'), 0)::bigint
            as unattributed_unpriced_total_tokens,
        coalesce(sum(total_tokens) filter (where is_orphan), 0)::bigint as unattributed_total_tokens,
        coalesce(sum(task_credits) filter (where is_orphan), 0)::decimal(38, 6) as unattributed_task_credits,
        coalesce(sum(total_cost_usd) filter (where is_orphan), 0)::decimal(38, 12)
            as unattributed_total_cost_usd,
        coalesce(sum(external_cost_usd) filter (where is_orphan), 0)::decimal(38, 12)
            as unattributed_external_cost_usd,
        coalesce(sum(provider_cost_usd) filter (where is_orphan), 0)::decimal(38, 12)
            as unattributed_provider_cost_usd
    from facts.fct_span_usage
    group by all
),
runs as (
    select usage_date, workspace_id, count(*) as run_count,
        count(*) filter (where status = 'failed') as failed_run_count
    from facts.fct_run_usage
    group by all
)
select spans.*, coalesce(run_count, 0)::bigint as run_count,
    coalesce(failed_run_count, 0)::bigint as failed_run_count
from spans
left join runs using (usage_date, workspace_id)
"""

_SMALL_MARTS = """
create table marts.mart_analytics__service_costs as
    select usage_date, workspace_id, service, is_model_call, {span_counts}, {sums},
        coalesce(sum(units), 0)::bigint as units
    from facts.fct_span_usage where billing_role = 'call' group by all;
create table marts.mart_analytics__model_costs as
    select usage_date, workspace_id, provider, model, {span_counts}, {sums},
        1.5::decimal(38, 12) as cost_per_million_tokens_usd
    from facts.fct_span_usage where is_model_call group by all;
create table marts.mart_analytics__token_usage as
    select usage_date, workspace_id,
        (input_tokens - cached_tokens - cache_write_tokens)::bigint as uncached_input_tokens,
        (output_tokens - reasoning_tokens)::bigint as visible_output_tokens,
        cached_tokens, cache_write_tokens, reasoning_tokens, image_tokens, citation_tokens,
        input_tokens, output_tokens, total_tokens
    from marts.mart_analytics__total_cost;
create table marts.mart_analytics__model_observability as
    select usage_date, workspace_id, provider, model, call_count,
        call_count - failed_call_count as completed_call_count, failed_call_count,
        2.5::decimal(9, 4) as error_rate_pct, 1::bigint as latency_p50_ms, 2::bigint as latency_p90_ms,
        2::bigint as latency_p95_ms, 3::bigint as latency_p99_ms
    from marts.mart_analytics__model_costs;
create table marts.mart_analytics__trace_performance as
    select usage_date, workspace_id, run_type, count(*) as run_count,
        count(*) filter (where status = 'completed') as completed_run_count,
        count(*) filter (where status = 'failed') as failed_run_count,
        sum(duration_ms)::bigint as run_duration_ms, 1::bigint as latency_p50_ms, 2::bigint as latency_p90_ms,
        2::bigint as latency_p95_ms, 3::bigint as latency_p99_ms
    from facts.fct_run_usage group by all;
create table marts.mart_analytics__span_performance as
    select usage_date, workspace_id, span_name, span_kind, count(*) as span_count,
        count(*) filter (where status = 'failed') as failed_span_count,
        sum(duration_ms)::bigint as span_duration_ms, 2000::bigint as latency_p95_ms,
        1000000::bigint as run_duration_ms
    from facts.fct_span_usage group by all;
create table marts.mart_analytics__tool_usage as
    select usage_date, workspace_id, service as tool_name, count(*) as call_count,
        0::bigint as failed_call_count,
        sum(duration_ms)::bigint as duration_ms, 2000::bigint as latency_p95_ms,
        sum(total_cost_usd)::decimal(38, 12) as total_cost_usd,
        sum(task_credits)::decimal(38, 6) as task_credits
    from facts.fct_span_usage where span_kind = 'tool' group by all;
create table marts.mart_users__activity as
    select usage_date, workspace_id, 'user_1' as user_id, count(*) as run_count,
        count(*) filter (where status = 'failed') as failed_run_count, sum(own_total_tokens)::bigint as total_tokens,
        sum(unpriced_call_count)::bigint as unpriced_call_count, sum(unpriced_total_tokens)::bigint as unpriced_total_tokens,
        {own_money}
    from facts.fct_run_usage group by all;
create table marts.mart_analytics__top_users as
    select usage_date, workspace_id, user_id, run_count, total_tokens, unpriced_call_count, unpriced_total_tokens, {money},
        1::bigint as cost_rank, 1::bigint as request_rank, 1::bigint as token_rank
    from marts.mart_users__activity;
create table plan.landing_files (
    batch_seq integer, is_new boolean, path varchar, source_format varchar, status varchar, reason varchar,
    rows_read bigint, rows_loaded bigint, rows_duplicate bigint, rows_superseded bigint, rows_quarantined bigint
);
insert into plan.landing_files values (1, true, 'a.jsonl', 'native', 'loaded', null, 10, 9, 1, 0, 0);
create table dimensions.dim_price as
    select 'catalogue' as source, 'prices 1' as source_version, date '2026-02-01' as checked_at;
create table facts.fct_usage_daily as
    select usage_date, workspace_id, is_orphan as is_unattributed, charge_type, service, provider, model, is_model_call,
        {span_counts}, {sums}
    from facts.fct_span_usage where billing_role = 'call' group by all;
create table facts.fct_pricing_daily as
    select usage_date, workspace_id, provider, model, null::varchar as response_model, price_status, unpriced_reason,
        count(*) as call_count
    from facts.fct_span_usage where is_model_call group by all;
create table marts.mart_analytics__anomalies (
    usage_date date, workspace_id varchar, dimension varchar, dimension_key varchar, dimension_name varchar, measure varchar,
    direction varchar, actual decimal(38, 6), expected decimal(38, 6), at_stake_usd decimal(38, 6)
);
create table marts.mart_analytics__budgets as
    select 'ws' as workspace_id, date '2026-10-01' as month_start_date, 500::decimal(38, 12) as monthly_budget_usd,
        1::decimal(38, 12) as spent_usd, 10::decimal(38, 12) as projected_usd, 'within' as budget_status;
create table marts.mart_analytics__unpriced_usage as
    select usage_date, workspace_id, provider, model, 'unpriced' as price_status, count(*) as call_count,
        coalesce(sum(total_tokens), 0)::bigint as total_tokens
    from facts.fct_span_usage where cost_source = 'unpriced' group by all;
create table marts.mart_analytics__model_latency_histogram as
    select usage_date, workspace_id, provider, model, 385 as bucket_index,
        1990.0::double as bucket_lower_ms,
        2030.0::double as bucket_upper_ms, call_count
    from marts.mart_analytics__model_costs;
create table marts.mart_analytics__run_latency_histogram as
    select usage_date, workspace_id, run_type, 385 as bucket_index,
        1990.0::double as bucket_lower_ms,
        2030.0::double as bucket_upper_ms, run_count
    from marts.mart_analytics__trace_performance;
create table marts.mart_analytics__span_latency_histogram as
    select usage_date, workspace_id, span_name, span_kind, 385 as bucket_index,
        1990.0::double as bucket_lower_ms,
        2030.0::double as bucket_upper_ms, span_count
    from marts.mart_analytics__span_performance;
"""

_LOG_MART = """
create view marts.mart_logs__{name} as
select usage_date, workspace_id, run_id, status,
    own_total_tokens - own_image_tokens as own_total_tokens, own_image_tokens,
    own_total_cost_usd - own_image_generation_cost_usd as own_cost_usd,
    own_image_generation_cost_usd as image_generation_cost_usd
from facts.fct_run_usage
where run_type = '{run_type}'
"""


def build(path: Path, *, runs: int = 150) -> Path:
    """Write a clean warehouse file with `runs` × 6 spans over three dates and two workspaces."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create schema facts; create schema marts; create schema plan; create schema dimensions"
        )
        connection.execute(_SPANS.format(first=FIRST_DATE, runs=runs, token_columns=", ".join(TOKENS[:-1])))
        both = [*TOKENS, *MONEY]
        parts = {
            "span_counts": _SPAN_COUNTS,
            "sums": _sums(both),
            "counts": ", ".join(COUNTS),
            "money": ", ".join(MONEY),
            "own_money": ", ".join(
                f"sum(own_{name})::{'decimal(38, 6)' if name == 'task_credits' else 'decimal(38, 12)'} as {name}"
                for name in MONEY
            ),
            "own": ", ".join(f"{name} as own_{name}" for name in both),
            "total": ", ".join(
                name if name in ("total_tokens", "total_cost_usd") else f"{name} as total_{name}"
                for name in both
            ),
        }
        connection.execute(_RUNS.format(**parts))
        connection.execute(_TOTAL_COST.format(**parts))
        connection.execute(_SMALL_MARTS.format(**parts))
        for run_type in ("prompt", "workflow", "agent"):
            connection.execute(_LOG_MART.format(name=f"{run_type}_runs", run_type=run_type))
    return path
