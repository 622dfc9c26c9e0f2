"""`python -m benchmarks.bare LANDING DATABASE`: the same facts and marts in plain SQL, no Dagster, no dbt, no checks. The yardstick.

What belongs here: the fastest way by hand, in one connection, from native landing files (JSON Lines) to tables of the same grain and
measures. It leaves out what makes the product trustworthy: no quarantine, no line that is not as expected, no duplicates, no versions, no
prices but one of input, cached input, cache writes and output for each model (no dates, tiers, audio, images, requests), no time zones but
UTC, no roll-ups but run spans, no tests. `--like PUBLISHED` takes the prices of a publication of the same files and compares its sums with
it, so that it is known to do the same work: all tokens and calls are equal, of the sample data's cost 0.4 % is missing.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from orchestration.sql import literal

TOKENS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "image_tokens",
    "citation_tokens", "audio_input_tokens", "audio_output_tokens", "total_tokens",
)  # fmt: skip
MONEY = ("provider_cost_usd", "wallet_cost_usd", "external_cost_usd", "task_credits", "total_cost_usd")
BUCKET = "case when duration_ms <= 0 then 0 else ceil(ln(duration_ms) / ln(1.02)) + 1 end::integer"
PERCENTILES = ", ".join(
    f"quantile_disc(duration_ms, {share}) filter (where status = 'completed') as latency_p{round(share * 100)}_ms"
    for share in (0.5, 0.9, 0.95, 0.99)
)
COUNTS = "count(*) as call_count, count(*) filter (where status = 'failed') as failed_call_count"


def _sums(names: Sequence[str] = (*TOKENS, *MONEY), *, prefix: str = "") -> str:
    return ", ".join(f"coalesce(sum({prefix}{name}), 0) as {name}" for name in names)


# Columns by name in both files; a number that is an object is read as text and told apart below.
RUN_TEXTS = (
    "run_id", "workspace_id", "run_type", "resource_id", "resource_name", "source", "delivery", "charge_type", "status",
    "provider", "model", "api_key_id", "api_key_name", "collaborator", "user_id", "user_metadata", "trace_id", "parent_run_id",
    "deployment", "error_message",
)  # fmt: skip
SPAN_TEXTS = (
    "span_id", "trace_id", "run_id", "workspace_id", "parent_span_id", "name", "kind", "service", "provider", "model",
    "response_model", "charge_type", "status", "error_message", "attributes", "input_tokens", "output_tokens", "prompt_tokens",
    "completion_tokens", "provider_cost_usd", "task_credits",
)  # fmt: skip
SPAN_NUMBERS = (
    "attempt", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "image_tokens",
    "citation_tokens", "audio_input_tokens", "units",
)  # fmt: skip


def _read(files: str, texts: Sequence[str], times: Sequence[str], numbers: Sequence[str] = ()) -> str:
    columns = {
        **dict.fromkeys(texts, "varchar"),
        **dict.fromkeys(times, "timestamptz"),
        **dict.fromkeys(numbers, "bigint"),
    }
    listed = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    return f"read_json({files}, format = 'newline_delimited', columns = {{{listed}}})"


def _files(folders: Sequence[Path], name: str) -> str:
    return (
        "[" + ", ".join(literal(str(folder / name)) for folder in folders if (folder / name).exists()) + "]"
    )


def _nested(side: str, field: str) -> str:
    return f"json_extract_string(case when {side}[1] = '{{' then {side} end, '$.{field}')::bigint"


SPANS = "facts.fct_span_usage"
VIEWS = {
    SPANS: "span_usage",
    "facts.fct_run_usage": "run_usage",
    "facts.fct_usage_daily": "usage_daily",
}
_GROUP_BYTES = 1_500_000_000
_TOUCHED = "usage_date in (select usage_date from touched)"


def groups(landing: Path) -> list[list[Path]]:
    """Folders with files, together as large as is good to sort at once: all of 18 million spans took more than 8 GB."""
    found: list[list[Path]] = []
    size = _GROUP_BYTES
    for spans in sorted(landing.rglob("spans.jsonl")):
        if size >= _GROUP_BYTES:
            found.append([])
            size = 0
        found[-1].append(spans.parent)
        size += spans.stat().st_size
    return found


def read_runs(folders: Sequence[Path]) -> str:
    """Query of the runs' rows."""
    runs = _read(_files(folders, "runs.jsonl"), RUN_TEXTS, ("started_at", "completed_at", "updated_at"))
    return f"""select started_at::date as usage_date, * replace (
        started_at::timestamp as started_at, completed_at::timestamp as completed_at, updated_at::timestamp as updated_at),
        date_diff('ms', started_at, completed_at) as duration_ms from {runs}"""


def read_spans(folders: Sequence[Path]) -> str:
    """Query of `fct_span_usage`; its runs are there."""
    spans = _read(_files(folders, "spans.jsonl"), SPAN_TEXTS, ("started_at", "ended_at"), SPAN_NUMBERS)
    is_call = "kind in ('completion', 'embedding', 'image_generation')"
    return f"""with sides as (
                select * exclude (input_tokens, output_tokens, prompt_tokens, completion_tokens),
                    coalesce(input_tokens, prompt_tokens) as side_in, coalesce(output_tokens, completion_tokens) as side_out
                from {spans}
            ),
            read as (
                select *,
                    coalesce(try_cast(side_in as bigint), {_nested("side_in", "total_tokens")}) as tokens_in,
                    coalesce(try_cast(side_out as bigint), {_nested("side_out", "total_tokens")}) as tokens_out,
                    coalesce(cached_tokens, {_nested("side_in", "cached_tokens")}) as cached,
                    cache_write_tokens as written,
                    coalesce(reasoning_tokens, {_nested("side_out", "reasoning_tokens")}) as reasoned,
                    coalesce(audio_input_tokens, {_nested("side_in", "audio_tokens")}) as heard,
                    {_nested("side_out", "audio_tokens")} as spoken,
                    provider_cost_usd::decimal(38, 12) as reported_cost,
                    {is_call} or (service is not null and kind not in ('run', 'step', 'agent')) as is_call
                from sides
            ),
            joined as (
                select read.*, runs.usage_date, coalesce(read.charge_type, runs.charge_type, 'hosted') as payer,
                    round_even(
                        greatest(coalesce(tokens_in, 0) - coalesce(cached, 0) - coalesce(written, 0), 0)::decimal(38, 0)
                            * uncached_input_usd
                        + coalesce(cached, 0)::decimal(38, 0) * coalesce(cached_input_usd, 0)
                        + coalesce(written, 0)::decimal(38, 0) * coalesce(cache_write_5m_usd, 0)
                        + coalesce(tokens_out, 0)::decimal(38, 0) * coalesce(output_usd, 0), 12)::decimal(38, 12) as computed_cost
                from read
                left join runs using (workspace_id, run_id)
                left join prices on coalesce(read.provider, '') = provider_name and coalesce(read.model, '') = model_name
            ),
            costed as (
                select *, case when is_call then coalesce(reported_cost, computed_cost) end as cost,
                    case when is_call then task_credits::decimal(38, 6) end as credits
                from joined
            )
            select usage_date, workspace_id, run_id, span_id, trace_id, parent_span_id, name as span_name, kind as span_kind,
                service, provider, model, response_model, payer as charge_type, status,
                started_at::timestamp as started_at, ended_at::timestamp as ended_at,
                date_diff('ms', started_at, ended_at) as duration_ms, attempt::integer as attempt,
                case when is_call then 'call' when coalesce(tokens_in, tokens_out) is not null then 'rollup' else 'none' end
                    as billing_role,
                {is_call} as is_model_call,
                case when is_call then tokens_in end as input_tokens, case when is_call then cached end as cached_tokens,
                case when is_call then written end as cache_write_tokens, case when is_call then tokens_out end as output_tokens,
                case when is_call then reasoned end as reasoning_tokens, case when is_call then image_tokens end as image_tokens,
                case when is_call then citation_tokens end as citation_tokens, case when is_call then heard end as audio_input_tokens,
                case when is_call then spoken end as audio_output_tokens,
                case when is_call then coalesce(tokens_in, 0) + coalesce(tokens_out, 0) + coalesce(image_tokens, 0) end as total_tokens,
                units, reported_cost as reported_provider_cost_usd, computed_cost as computed_provider_cost_usd,
                cost as provider_cost_usd,
                case when is_call then case when payer = 'hosted' then coalesce(cost, 0) else 0 end end as wallet_cost_usd,
                case when is_call then case when payer = 'personal' then coalesce(cost, 0) else 0 end end as external_cost_usd,
                credits as task_credits,
                case when is_call then case when payer = 'hosted' then coalesce(cost, 0) else 0 end end as total_cost_usd,
                error_message, attributes
            from costed
            order by usage_date, workspace_id, run_id, started_at, span_id"""


def aggregates() -> list[tuple[str, str]]:
    """(table, query of its rows on the dates in `touched`) in order; of earlier tables they read the views of `VIEWS`."""
    return [
        (
            "facts.fct_run_usage",
            f"""with recursive own as (
                select workspace_id, run_id, count(*) as span_count, {_sums()} from span_usage group by all
            ),
            pairs as (
                select workspace_id, parent_run_id as ancestor_run_id, run_id from runs where parent_run_id is not null
                union all
                select pairs.workspace_id, runs.parent_run_id, pairs.run_id
                from pairs inner join runs on pairs.workspace_id = runs.workspace_id and pairs.ancestor_run_id = runs.run_id
                where runs.parent_run_id is not null
            ),
            below as (
                select pairs.workspace_id, pairs.ancestor_run_id, {_sums(prefix="own.")}
                from pairs inner join own using (workspace_id, run_id) group by all
            )
            select runs.*, {", ".join(f"coalesce(own.{name}, 0) as own_{name}" for name in (*TOKENS, *MONEY))},
                {", ".join(f"coalesce(own.{name}, 0) + coalesce(below.{name}, 0) as all_{name}" for name in (*TOKENS, *MONEY))}
            from runs
            left join own using (workspace_id, run_id)
            left join below on runs.workspace_id = below.workspace_id and runs.run_id = below.ancestor_run_id
            where runs.{_TOUCHED}
            order by usage_date, runs.workspace_id, runs.run_id""",
        ),
        (
            "facts.fct_usage_daily",
            f"""select spans.usage_date, spans.workspace_id, run_type, resource_id, resource_name, source, api_key_id, api_key_name,
                collaborator, spans.charge_type, service, spans.provider, spans.model, is_model_call,
                count(*) as call_count, count(*) filter (where spans.status = 'failed') as failed_call_count,
                {_sums(prefix="spans.")}
            from span_usage as spans left join runs using (workspace_id, run_id)
            where billing_role = 'call' group by all order by all""",
        ),
        *(
            (
                f"marts.{name}",
                f"select {keys}, sum(call_count) as call_count, {_sums()} "
                f"from usage_daily {where} group by all order by {keys}",
            )
            for name, keys, where in (
                ("total_cost", "usage_date, workspace_id", ""),
                ("service_costs", "usage_date, workspace_id, service, is_model_call", ""),
                ("model_costs", "usage_date, workspace_id, provider, model", "where is_model_call"),
            )
        ),
        *(
            (
                f"marts.{name}",
                f"select usage_date, workspace_id, {keys}, {measures} from {source} "
                f"where {where} group by all order by all",
            )
            for name, keys, measures, source, where in (
                ("span_latency", f"span_name, span_kind, {BUCKET} as bucket_index", "count(*) as n", "span_usage",
                 "status = 'completed' and duration_ms is not null"),
                ("model_latency", f"provider, model, {BUCKET} as bucket_index", "count(*) as n", "span_usage",
                 "status = 'completed' and duration_ms is not null and is_model_call"),
                ("run_latency", f"run_type, {BUCKET} as bucket_index", "count(*) as n", "run_usage",
                 "status = 'completed' and duration_ms is not null"),
                ("model_observability", "provider, model", f"{COUNTS}, {PERCENTILES}", "span_usage", "is_model_call"),
                ("trace_performance", "run_type", f"count(*) as run_count, {PERCENTILES}", "run_usage", "true"),
                ("span_performance", "span_name, span_kind", f"{COUNTS}, sum(duration_ms) as duration_ms, {PERCENTILES}",
                 "span_usage", "true"),
                ("tool_usage", "coalesce(service, span_name) as tool_name", f"{COUNTS}, sum(duration_ms) as duration_ms, {PERCENTILES}",
                 "span_usage", "billing_role = 'call' and span_kind = 'tool'"),
                ("top_users", "user_id", "count(*) as run_count, sum(own_total_cost_usd) as total_cost_usd, "
                 "sum(own_total_tokens) as total_tokens", "run_usage", "user_id is not null"),
            )
        ),
    ]  # fmt: skip


def build(
    landing: Path, database: Path, like: Path | None, memory_limit: str, onto: Path | None = None
) -> tuple[list[tuple[str, float]], float]:
    """Seconds of each statement, and of all with opening and closing the file. `onto` is a file of earlier days: it is copied, and what
    lands replaces and joins what is in it.
    """
    database.unlink(missing_ok=True)
    began = time.perf_counter()
    seconds = []
    if onto is not None:
        shutil.copyfile(onto, database)
        seconds.append(("copy", time.perf_counter() - began))
    with duckdb.connect(
        config={"memory_limit": memory_limit, "temp_directory": f"{database}.tmp"}
    ) as connection:
        connection.execute(
            f"attach {literal(database)} as bare (storage_version 'v1.2.0'); use bare; set TimeZone = 'UTC'"
        )
        connection.execute("create schema if not exists facts; create schema if not exists marts")
        connection.execute(
            "create temp table prices (provider_name varchar, model_name varchar, uncached_input_usd decimal(38, 20), "
            "cached_input_usd decimal(38, 20), cache_write_5m_usd decimal(38, 20), output_usd decimal(38, 20))"
        )
        if like is not None:
            connection.execute(f"attach {literal(like)} as published (read_only)")
            connection.execute(
                "insert into prices select provider_name, model_name, uncached_input_usd, cached_input_usd, cache_write_5m_usd, "
                "output_usd from published.dimensions.dim_model_name inner join published.dimensions.dim_price_set using (price_key) "
                "qualify row_number() over (partition by provider_name, model_name order by valid_from desc, above_input_tokens) = 1"
            )
        for name, statement in statements(connection, landing, is_further=onto is not None):
            started = time.perf_counter()
            connection.execute(statement)
            seconds.append((name, time.perf_counter() - started))
        connection.execute("checkpoint")
    return seconds, time.perf_counter() - began


def statements(
    connection: duckdb.DuckDBPyConnection, landing: Path, *, is_further: bool
) -> Iterator[tuple[str, str]]:
    """(table, SQL) in order: spans a group of folders at a time, sums of a group's number of dates at a time."""
    parts = groups(landing)
    folders = [folder for part in parts for folder in part]
    if is_further:
        yield from _replacing(folders)
        yield from _sums_of_touched(is_new=False, replacing=True)
        return
    yield "runs", f"create table runs as {read_runs(folders)}"
    for number, part in enumerate(parts):
        yield SPANS, _adding(SPANS, read_spans(part), is_new=number == 0)
    days = [
        day for (day,) in connection.execute("select distinct usage_date from runs order by 1").fetchall()
    ]
    at_once = -(-len(days) // len(parts))
    for start in range(0, len(days), at_once):
        listed = ", ".join(f"(date '{day}')" for day in days[start : start + at_once])
        yield "runs", f"create or replace temp table touched as from (values {listed}) as days (usage_date)"
        yield from _sums_of_touched(is_new=start == 0, replacing=False)


def _replacing(folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """A further day's rows take the place of older versions; `touched` is what dates they change."""
    for table, keys, query in (
        ("runs", "workspace_id, run_id", read_runs(folders)),
        (SPANS, "workspace_id, run_id, span_id", read_spans(folders)),
    ):
        yield table, f"create temp table arrived as {query}"
        if table == "runs":
            yield (
                table,
                "create temp table touched as select usage_date from arrived union "
                f"select usage_date from {table} semi join arrived using ({keys})",
            )
        yield table, f"delete from {table} where ({keys}) in (select ({keys}) from arrived)"
        yield table, f"insert into {table} select * from arrived; drop table arrived"


def _sums_of_touched(*, is_new: bool, replacing: bool) -> Iterator[tuple[str, str]]:
    yield SPANS, _view(SPANS)
    for table, query in aggregates():
        if replacing:
            yield table, f"delete from {table} where {_TOUCHED}"
        yield table, _adding(table, query, is_new=is_new)
        if table in VIEWS:
            yield table, _view(table)


def _adding(table: str, query: str, *, is_new: bool) -> str:
    return f"create table {table} as {query}" if is_new else f"insert into {table} {query}"


def _view(table: str) -> str:
    return f"create or replace temp view {VIEWS[table]} as select * from {table} where {_TOUCHED}"


def summed(seconds: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Seconds of each table, groups together."""
    found: dict[str, float] = {}
    for name, value in seconds:
        found[name] = found.get(name, 0.0) + value
    return found


def compare(database: Path, published: Path) -> list[tuple[str, object, object]]:
    """Sums that differ between the two files: (measure, bare, published)."""
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {literal(database)} as bare (read_only); attach {literal(published)} as published (read_only)"
        )
        measures = [
            "count(*)",
            "count(*) filter (where billing_role = 'call')",
            *(f"sum({name})" for name in (*TOKENS, *MONEY)),
        ]
        query = f"select {', '.join(measures)} from {{}}.facts.fct_span_usage"
        ours = connection.execute(query.format("bare")).fetchone() or ()
        theirs = connection.execute(query.format("published")).fetchone() or ()
    return [found for found in zip(measures, ours, theirs, strict=True) if (found[1] or 0) != (found[2] or 0)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare", description=__doc__)
    parser.add_argument(
        "landing", type=Path, help="folder with runs.jsonl and spans.jsonl, in any subfolders"
    )
    parser.add_argument("database", type=Path, help="file to write")
    parser.add_argument(
        "--like", type=Path, help="a publication of the same files: its prices are taken, its sums compared"
    )
    parser.add_argument(
        "--onto", type=Path, metavar="FILE", help="add to a copy of this file, made of earlier days"
    )
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    seconds, total = build(
        options.landing, options.database, options.like, options.memory_limit, options.onto
    )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = {
        "seconds": round(total, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "file_bytes": options.database.stat().st_size,
    }
    differing = compare(options.database, options.like) if options.like else []
    if options.json:
        print(
            json.dumps(
                {**cost, "statements": summed(seconds), "differing": [str(item) for item in differing]},
                indent=2,
            )
        )
    else:
        for name, value in summed(seconds).items():
            print(f"{name:<24} {value:8.2f} s")
        print(", ".join(f"{name} {value}" for name, value in cost.items()))
        for measure, ours, theirs in differing:
            print(f"differs: {measure}: {ours} here, {theirs} published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
