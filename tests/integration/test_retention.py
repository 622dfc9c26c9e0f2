"""Old runs and calls leave the published file and the pages; every daily figure stays, also where late rows of old days come."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from orchestration import night
from orchestration.publication import copies
from tests.traces import traces
from tests.warehouse_fixture import Warehouse, at, call_row, differences, run_row

pytestmark = pytest.mark.xdist_group("publication")

DAILY = (
    "facts.fct_usage_daily", "facts.fct_user_daily", "facts.fct_pricing_daily", "marts.mart_analytics__total_cost",
    "marts.mart_analytics__service_costs", "marts.mart_analytics__trace_performance", "marts.mart_analytics__run_latency_histogram",
    "marts.mart_users__summary", "marts.mart_analytics__tool_usage",
)  # fmt: skip
KEPT_FROM = date(2026, 10, 3)


def daily(warehouse: Warehouse) -> dict[str, Any]:
    return {table: warehouse.query(f"from {table} order by all") for table in DAILY}


def late() -> list[dict[str, Any]]:
    """A span of a run of 1 October, and a grandchild on 2 October of the agent that ran on the 1st: both days are dropped by then. And a
    run that began, by its own clock, on the day before the one that started it: that one stays.
    """
    return [
        call_row("req_early", "s1", at("2026-10-02 23:59:31"), provider_cost_usd="0.17"),
        call_row("req_1", "s_late", at("2026-10-01 09:00:05"), provider_cost_usd="0.11"),
        call_row("req_grandchild", "s1", at("2026-10-02 00:11:01"), provider_cost_usd="0.13"),
    ]


def test_old_detail_goes_and_daily_figures_stay(published: Warehouse, tmp_path: Path) -> None:
    """A daily figure changes because runs were dropped; late rows of old days are lost or counted without their families; dropped runs
    are still on a page; or checks fail for what is not there any more.
    """
    kept = published.with_settings(keep_detail_days=1)
    before = daily(published)
    assert traces(published.settings.site_dir, ["req_agent"]), (
        "the old runs are on no page in the first place"
    )
    plan = kept.build(with_tests=False)
    assert (plan.is_full_build, plan.is_dropping_detail) == (False, True), "without news nothing is dropped"
    kept.publish(suites=False)
    kept.render()
    assert daily(kept) == before
    for table in (
        "facts.fct_span_usage",
        "facts.fct_run_usage",
        "marts.mart_logs__prompt_runs",
        "marts.mart_details__spans",
    ):
        assert kept.one(f"select min(usage_date) from {table}") == KEPT_FROM, f"{table} has old rows"
    assert kept.one("select detail_from_date from meta.publication") == KEPT_FROM
    assert traces(kept.settings.site_dir, ["req_agent", "req_child", "req_1"]) == []
    assert "Single runs are kept from 3 Oct 2026 on" in next(
        kept.settings.site_dir.glob("ws-a-*/prompts.html")
    ).read_text(encoding="utf-8")
    quality = next(kept.settings.site_dir.glob("ws-a-*/quality.html")).read_text(encoding="utf-8")
    assert "These do not add up" not in quality
    assert night.prepare(kept.settings, run_id="test").is_empty, "each night drops the same again"

    # Late rows of dropped days: as if all had been there.
    grandchild = run_row("req_grandchild", at("2026-10-02 00:11"), parent_run_id="req_child", user_id=None)
    kept.drop("late/spans.jsonl", late())
    early = run_row("req_early", at("2026-10-02 23:59:30"), parent_run_id="req_3", user_id=None)
    kept.drop("late/runs.jsonl", [grandchild, early])
    kept.land()
    assert not kept.build(with_tests=False).is_full_build
    kept.publish(suites=False)
    assert kept.query("select run_id from facts.fct_run_usage where usage_date < date '2026-10-03'") == [
        ("req_early",)
    ]
    # A night like all others: its tests pass without the old runs.
    kept.drop(
        "new/spans.jsonl", [call_row("req_3", "s2", at("2026-10-03 09:00:03"), provider_cost_usd="0.2")]
    )
    kept.land()
    assert not kept.build().is_full_build
    kept.publish(suites=False)
    nightly = tmp_path / "nightly.duckdb"
    copies.copy_file(kept.settings.published_path, nightly)
    assert daily(kept) != before, "the late rows are nowhere"

    checked = kept.cli("check", "--json", CREDIT_USAGE_KEEP_DETAIL_DAYS="1")
    assert checked.code == 0, checked.out + checked.err

    # All days again: from the lake.
    whole = published.with_settings(keep_detail_days=0)
    assert whole.build(with_tests=False).reason == "detail of more days is to be kept"
    whole.publish(suites=False)
    assert whole.one("select count(*) from facts.fct_run_usage where usage_date < date '2026-10-03'") == 6
    with mock.patch.object(night, "now", lambda: at("2026-11-26 12:00")):
        kept.build(with_tests=False)
        kept.publish(suites=False)
    assert differences(kept, kept.settings.published_path, nightly) == [], (
        "nights and a build from the lake differ"
    )
