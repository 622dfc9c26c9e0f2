"""`python -m benchmarks.panels PUBLISHED`: what an analyst waits for, one query for each panel and page of the product.

What belongs here: the questions of the surfaces as SQL on the published marts, and their time with a cold open of the file (a connection of
its own for each query; the operating system may hold the file). What does not: any verdict.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

_RANGE = "workspace_id = $workspace and usage_date between $first and $last"
_RUN = "workspace_id = $workspace and usage_date = $day and run_id = $run"
_TOKENS = (
    "sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens), sum(total_tokens)"
)
PANELS = {
    "total cost by day": "select usage_date, sum(wallet_cost_usd), sum(task_credit_cost_usd), sum(total_cost_usd), sum(external_cost_usd) "
    f"from marts.mart_analytics__total_cost where {_RANGE} group by all order by all",
    "service costs": "select service, sum(call_count), sum(task_credits), sum(total_cost_usd) as cost "
    f"from marts.mart_analytics__service_costs where {_RANGE} group by all order by cost desc",
    "model costs": f"select provider, model, sum(call_count), {_TOKENS}, sum(total_cost_usd) as cost, sum(unpriced_call_count) "
    f"from marts.mart_analytics__model_costs where {_RANGE} group by all order by cost desc",
    "token usage": "select usage_date, sum(uncached_input_tokens), sum(cached_tokens), sum(reasoning_tokens), sum(citation_tokens), "
    f"sum(image_tokens), sum(visible_output_tokens) from marts.mart_analytics__token_usage where {_RANGE} group by all order by all",
    "model observability": "select provider, model, bucket_index, sum(call_count) from marts.mart_analytics__model_latency_histogram "
    f"where {_RANGE} group by all order by all",
    "trace performance": "select run_type, bucket_index, sum(run_count) from marts.mart_analytics__run_latency_histogram "
    f"where {_RANGE} group by all order by all",
    "slowest spans": "select span_name, sum(span_count), sum(span_duration_ms) as busy_ms, max(latency_p95_ms) "
    f"from marts.mart_analytics__span_performance where {_RANGE} group by all order by busy_ms desc limit 20",
    "tool usage": "select tool_name, sum(call_count), sum(failed_call_count), sum(duration_ms) from marts.mart_analytics__tool_usage "
    f"where {_RANGE} group by all order by 2 desc",
    "top users": "select user_id, sum(run_count), sum(total_tokens), sum(total_cost_usd) as cost from marts.mart_analytics__top_users "
    f"where {_RANGE} group by all order by cost desc limit 20",
    "cost by API key": "select usage_date, api_key, sum(total_cost_usd) from marts.mart_analytics__usage_breakdown "
    f"where {_RANGE} group by all order by all",
    "users": "select * from marts.mart_users__summary where workspace_id = $workspace order by total_cost_usd desc limit 50",
    "user activity": "select usage_date, sum(total_cost_usd), sum(run_count), sum(total_tokens), count(distinct user_id) "
    f"from marts.mart_users__activity where {_RANGE} group by all order by all",
    **{
        f"newest {kind} runs": f"select * from marts.mart_logs__{kind}_runs where {_RANGE} order by completed_at desc nulls last limit 50"
        for kind in ("prompt", "workflow", "agent")
    },
    "failed prompt runs of a user": "select count(*), sum(total_cost_usd) from marts.mart_logs__prompt_runs "
    f"where {_RANGE} and status = 'failed' and user_id = $user",
}
SHEET = {
    "run sheet: summary": f"select * from marts.mart_details__agent_summary where {_RUN}",
    "run sheet: trace": f"select * from marts.mart_details__spans where {_RUN} order by started_at, span_id",
    "run sheet: a pasted run id": "select * from marts.mart_logs__agent_runs where run_id = $run",
}


def measure(published: Path, days: int = 30, repeat: int = 5) -> dict[str, float]:
    """Median milliseconds of each query over the last `days` days of the largest workspace."""
    with duckdb.connect(str(published), read_only=True) as connection:
        values = connection.execute(
            "with newest as (select max(usage_date) as last from marts.mart_analytics__total_cost) "
            "select workspace_id as workspace, last::varchar as last, (last - $days::integer + 1)::varchar as first "
            "from marts.mart_analytics__total_cost, newest group by all order by sum(run_count) desc limit 1",
            {"days": days},
        ).fetchone()
        if values is None:
            raise LookupError(f"no usage in {published}")
        workspace, last, first = values
        found = connection.execute(
            "select usage_date::varchar, run_id, user_id from facts.fct_run_usage where run_type = 'agent' and workspace_id = ? "
            "and usage_date <= ? and user_id is not null order by usage_date desc, run_id limit 1",
            [workspace, last],
        ).fetchone()
    day, run, user = found or (last, "", "")
    parameters = {
        "workspace": workspace,
        "first": first,
        "last": last,
        "user": user,
        "day": day,
        "run": run,
    }
    return {
        name: statistics.median(_milliseconds(published, query, parameters) for _ in range(repeat))
        for name, query in {**PANELS, **SHEET}.items()
    }


def _milliseconds(published: Path, query: str, parameters: dict[str, str]) -> float:
    used = {name: value for name, value in parameters.items() if f"${name}" in query}
    started = time.perf_counter()
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute(query, used).fetchall()
    return (time.perf_counter() - started) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panels", description=__doc__)
    parser.add_argument("published", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = measure(options.published, options.days, options.repeat)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        print(f"{name:<32} {value:8.1f} ms")
    print(f"{'median':<32} {statistics.median(found.values()):8.1f} ms")
    print(f"{'worst':<32} {max(found.values()):8.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
