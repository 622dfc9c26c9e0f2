"""`python -m benchmarks.with_pandas LANDING FOLDER`: the same facts and most of the marts in plain pandas, as people would write it.

What belongs here: the way of a notebook, from native landing files (JSON Lines) to pickles of the facts and CSV
files of the marts. It leaves out what `bare` leaves out, adds up money in binary floats, and holds everything in memory. `--like PUBLISHED`
takes the prices of a publication of the same files and says how its sums differ.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.bare import MONEY, TOKENS
from orchestration.sql import literal

SUMS = [*TOKENS, *MONEY]
PERCENTILES = (0.5, 0.9, 0.95, 0.99)


def read(landing: Path, name: str) -> pd.DataFrame:
    """All files of a kind in one frame; ids stay text."""
    frames = [pd.read_json(path, lines=True, dtype=False) for path in sorted(landing.rglob(f"{name}.jsonl"))]
    return pd.concat(frames, ignore_index=True)


def prices(published: Path | None) -> pd.DataFrame:
    """One price for each model, as in `bare`."""
    columns = ["uncached_input_usd", "cached_input_usd", "cache_write_5m_usd", "output_usd"]
    if published is None:
        return pd.DataFrame(columns=["provider", "model", *columns])
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(published)} as published (read_only)")
        listed = ", ".join(f"{name}::double as {name}" for name in columns)
        return connection.execute(
            f"select provider_name as provider, model_name as model, {listed} from published.dimensions.dim_model_name "
            "inner join published.dimensions.dim_price_set using (price_key) "
            "qualify row_number() over (partition by provider_name, model_name order by valid_from desc, above_input_tokens) = 1"
        ).df()


def _side(spans: pd.DataFrame, *names: str) -> pd.Series:
    """A side's value: a number, or an object with parts."""
    value = spans.get(names[0], pd.Series(index=spans.index, dtype=object))
    for name in names[1:]:
        if name in spans:
            value = value.where(value.notna(), spans[name])
    return value


def _part(side: pd.Series, name: str) -> pd.Series:
    return side.map(lambda v: v.get(name) if isinstance(v, dict) else None)


def _number(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values.map(lambda v: None if isinstance(v, dict) else v), errors="coerce")


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame else pd.Series(index=frame.index, dtype=object)


def _utc(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True, format="ISO8601")


def facts(landing: Path, published: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spans and runs, with usage, cost and dates."""
    runs = read(landing, "runs").drop_duplicates(["workspace_id", "run_id"], keep="last")
    spans = read(landing, "spans").drop_duplicates(["workspace_id", "run_id", "span_id"], keep="last")
    runs["started_at"], runs["completed_at"] = _utc(runs["started_at"]), _utc(_column(runs, "completed_at"))
    runs["usage_date"] = runs["started_at"].dt.date
    runs["duration_ms"] = (runs["completed_at"] - runs["started_at"]).dt.total_seconds() * 1000
    spans["started_at"], spans["ended_at"] = _utc(spans["started_at"]), _utc(_column(spans, "ended_at"))
    spans["duration_ms"] = (spans["ended_at"] - spans["started_at"]).dt.total_seconds() * 1000
    side_in = _side(spans, "input_tokens", "prompt_tokens")
    side_out = _side(spans, "output_tokens", "completion_tokens")
    spans["is_model_call"] = spans["kind"].isin(["completion", "embedding", "image_generation"])
    is_service = _column(spans, "service").notna() & ~spans["kind"].isin(["run", "step", "agent"])
    spans["is_call"] = spans["is_model_call"] | is_service

    def told(name: str, nested: pd.Series, part: str) -> pd.Series:
        own = pd.to_numeric(_column(spans, name), errors="coerce")
        return own.where(own.notna(), pd.to_numeric(_part(nested, part), errors="coerce"))

    tokens_in = _number(side_in)
    spans["tokens_in"] = tokens_in.where(tokens_in.notna(), pd.to_numeric(_part(side_in, "total_tokens")))
    tokens_out = _number(side_out)
    spans["tokens_out"] = tokens_out.where(tokens_out.notna(), pd.to_numeric(_part(side_out, "total_tokens")))
    spans["cached_tokens"] = told("cached_tokens", side_in, "cached_tokens")
    spans["reasoning_tokens"] = told("reasoning_tokens", side_out, "reasoning_tokens")
    spans["audio_input_tokens"] = told("audio_input_tokens", side_in, "audio_tokens")
    spans["audio_output_tokens"] = pd.to_numeric(_part(side_out, "audio_tokens"), errors="coerce")
    for name in ("cache_write_tokens", "image_tokens", "citation_tokens"):
        spans[name] = pd.to_numeric(_column(spans, name), errors="coerce")
    of_run = runs[["workspace_id", "run_id", "usage_date", "run_type", "charge_type"]]
    spans = spans.merge(of_run, on=["workspace_id", "run_id"], how="left", suffixes=("", "_of_run"))
    spans["payer"] = spans["charge_type"].fillna(spans["charge_type_of_run"]).fillna("hosted")
    spans["provider"], spans["model"] = (
        _column(spans, "provider").fillna(""),
        _column(spans, "model").fillna(""),
    )
    spans = spans.merge(prices(published), on=["provider", "model"], how="left")
    zero = spans.fillna(dict.fromkeys(("tokens_in", "tokens_out", "cached_tokens", "cache_write_tokens"), 0))
    computed = (
        (zero["tokens_in"] - zero["cached_tokens"] - zero["cache_write_tokens"]).clip(lower=0)
        * zero["uncached_input_usd"]
        + zero["cached_tokens"] * zero["cached_input_usd"].fillna(0)
        + zero["cache_write_tokens"] * zero["cache_write_5m_usd"].fillna(0)
        + zero["tokens_out"] * zero["output_usd"].fillna(0)
    )
    reported = pd.to_numeric(_column(spans, "provider_cost_usd"), errors="coerce")
    cost = reported.where(reported.notna(), computed)
    spans["input_tokens"], spans["output_tokens"] = spans["tokens_in"], spans["tokens_out"]
    spans["total_tokens"] = zero["tokens_in"] + zero["tokens_out"] + spans["image_tokens"].fillna(0)
    spans["provider_cost_usd"] = cost
    spans["wallet_cost_usd"] = cost.fillna(0).where(spans["payer"] == "hosted", 0)
    spans["external_cost_usd"] = cost.fillna(0).where(spans["payer"] == "personal", 0)
    spans["task_credits"] = pd.to_numeric(_column(spans, "task_credits"), errors="coerce")
    spans["total_cost_usd"] = spans["wallet_cost_usd"]
    spans.loc[~spans["is_call"], SUMS] = None
    return spans, with_sums(runs, spans)


def with_sums(runs: pd.DataFrame, spans: pd.DataFrame) -> pd.DataFrame:
    """Runs with their own sums, and with those of all runs below them."""
    own = spans.groupby(["workspace_id", "run_id"])[SUMS].sum().add_prefix("own_").reset_index()
    runs = runs.merge(own, on=["workspace_id", "run_id"], how="left")
    own_sums = [f"own_{name}" for name in SUMS]
    runs[own_sums] = runs[own_sums].fillna(0)
    totals = runs.set_index(["workspace_id", "run_id"])[own_sums].copy()
    level = runs[["workspace_id", "run_id", "parent_run_id"]].dropna(subset=["parent_run_id"])
    parent = level.set_index(["workspace_id", "run_id"])["parent_run_id"]
    pairs = level.rename(columns={"parent_run_id": "ancestor"})
    while len(pairs):
        below = (
            pairs.merge(own, on=["workspace_id", "run_id"])
            .groupby(["workspace_id", "ancestor"])[own_sums]
            .sum()
        )
        below.index = below.index.set_names(["workspace_id", "run_id"])
        totals = totals.add(below, fill_value=0)
        above = pd.MultiIndex.from_frame(pairs[["workspace_id", "ancestor"]])
        pairs = pairs.assign(ancestor=parent.reindex(above).to_numpy()).dropna(subset=["ancestor"])
    totals.columns = [name.replace("own_", "all_", 1) for name in totals.columns]
    return runs.merge(totals.reset_index(), on=["workspace_id", "run_id"], how="left")


def marts(spans: pd.DataFrame, runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Frames by name."""
    day = ["usage_date", "workspace_id"]
    calls = spans[spans["is_call"]].assign(
        call_count=1, failed_call_count=spans["status"].eq("failed").astype(int)
    )

    def summed(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
        counted = ["call_count", "failed_call_count", *SUMS]
        return frame.groupby([*day, *keys], dropna=False)[counted].sum().reset_index()

    def latency(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
        done = frame[frame["status"].eq("completed")]
        found = done.groupby([*day, *keys], dropna=False)["duration_ms"].quantile(
            list(PERCENTILES), interpolation="higher"
        )
        return found.unstack().reset_index()

    tools = calls[calls["kind"].eq("tool")]
    users = runs.dropna(subset=["user_id"]).groupby([*day, "user_id"])
    return {
        "total_cost": summed(calls, []),
        "service_costs": summed(calls, ["service", "is_model_call"]),
        "model_costs": summed(calls[calls["is_model_call"]], ["provider", "model"]),
        "usage_breakdown": summed(calls, ["run_type", "service", "provider", "model", "payer"]),
        "tool_usage": summed(tools, ["service"]),
        "model_observability": latency(calls[calls["is_model_call"]], ["provider", "model"]),
        "span_performance": latency(spans, ["name", "kind"]),
        "trace_performance": latency(runs, ["run_type"]),
        "top_users": users[["own_total_cost_usd", "own_total_tokens"]].sum().reset_index(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.with_pandas", description=__doc__)
    parser.add_argument(
        "landing", type=Path, help="folder with runs.jsonl and spans.jsonl, in any subfolders"
    )
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument(
        "--like", type=Path, help="a publication of the same files: its prices are taken, its sums compared"
    )
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    spans, runs = facts(options.landing, options.like)
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = [
        name for name in spans.columns if name not in ("prompt_tokens", "completion_tokens", "attributes")
    ]
    spans[kept].to_pickle(options.folder / "fct_span_usage.pickle")
    runs.drop(columns="user_metadata", errors="ignore").to_pickle(options.folder / "fct_run_usage.pickle")
    for name, frame in marts(spans, runs).items():
        frame.columns = [str(column) for column in frame.columns]
        frame.to_csv(options.folder / f"{name}.csv", index=False)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    document: dict[str, object] = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "spans": len(spans),
    }
    if options.like:
        with duckdb.connect(str(options.like), read_only=True) as connection:
            theirs = connection.execute(
                f"select {', '.join(f'sum({name})' for name in SUMS)} from facts.fct_span_usage"
            ).fetchone()
        document["differing"] = {
            name: [float(spans[name].sum()), float(value or 0)]
            for name, value in zip(SUMS, theirs or (), strict=True)
            if abs(float(spans[name].sum()) - float(value or 0)) > 1e-6
        }
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
