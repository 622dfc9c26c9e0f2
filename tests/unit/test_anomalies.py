"""The anomalies mart finds what is planted, and keeps quiet on ordinary days; benchmarks/anomalies.py prints the same figures."""

from __future__ import annotations

import random
from datetime import date, timedelta

import duckdb

from benchmarks import anomalies

_FIRST = date(2026, 1, 5)
_COLUMNS = (
    "usage_date date, workspace_id varchar, provider varchar, model varchar, service varchar, resource_id varchar, "
    "resource_name varchar, api_key_id varchar, api_key_name varchar, call_count bigint, "
    "total_cost_usd decimal(38, 12), external_cost_usd decimal(38, 12)"
)


def _odd(rows: list[tuple[object, ...]], columns: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute(f"create table fct_usage_daily ({_COLUMNS})")
        connection.executemany(f"insert into fct_usage_daily values ({', '.join('?' * 12)})", rows)
        return connection.execute(f"select {columns} from ({anomalies.model_sql()})").fetchall()


def test_planted_anomalies_are_found_and_ordinary_days_are_not() -> None:
    """A runaway key, a price three times too high or an outage is missed, or ordinary days are called odd."""
    found = anomalies.measure(7)
    counts = {kind: int(str(told).split()[0]) for kind, told in dict(found["found_by_kind"]).items()}  # type: ignore[call-overload]
    assert counts["new runaway key"] == anomalies.PLANTS_PER_KIND
    assert min(counts["calls x4"], counts["outage"]) >= 10, counts
    assert counts["cost per call x3"] >= 7, counts
    # 450 ordinary days of workspaces, each with 40 series of three measures.
    assert int(str(found["false_alarm_days"])) <= 9, found


def test_a_key_without_a_name_is_judged_by_its_id() -> None:
    """A runaway key, or resource, is not told of because the export gives it an id and no name."""
    rows: list[tuple[object, ...]] = [
        (
            _FIRST + timedelta(days=day), "ws", "acme", "m", "AI Model", "r", None, "k", None,
            1000 if day == 40 else 100, 10, 0,
        )
        for day in range(42)
    ]  # fmt: skip
    odd = _odd(rows, "usage_date, dimension, dimension_key, dimension_name, top_contributors")
    day = _FIRST + timedelta(days=40)
    told = "m / r / k: 1000 calls, $10.000000"
    assert (day, "api_key", "k", "k", told) in odd
    assert (day, "resource", "r", "r", told) in odd


def test_a_name_that_is_given_on_some_days_only_makes_no_anomaly() -> None:
    """The days on which an export left the name of a key out count as days without usage, so that all others look odd."""
    rows: list[tuple[object, ...]] = [
        (
            _FIRST + timedelta(days=day), "ws", "acme", "m", "AI Model", "r", "Triage" if day % 3 == 0 else None,
            "k", "Production" if day % 3 == 0 else None, 100, 10, 0,
        )
        for day in range(60)
    ]  # fmt: skip
    assert _odd(rows, "*") == []


def test_a_day_is_judged_alike_as_long_as_it_is_judged() -> None:
    """An odd day of two months ago appears, disappears or changes its band only because it has become old."""
    chance = random.Random(3)
    rows: list[tuple[object, ...]] = [
        (
            _FIRST + timedelta(days=day), "ws", "acme", f"m{model}", "AI Model", "r", "R", "k", "K",
            round(200 * chance.lognormvariate(0, 0.5)), round(20 * chance.lognormvariate(0, 0.8), 6), 0,
        )
        for day in range(230)
        for model in range(8)
    ]  # fmt: skip
    columns = "usage_date, dimension, dimension_key, measure, expected, band_lower, band_upper"
    newest = _FIRST + timedelta(days=229)
    young = [row for row in rows if row[0] <= newest - timedelta(days=70)]  # type: ignore[operator]
    common = (newest - timedelta(days=89), newest - timedelta(days=71))
    then, now = (
        sorted(row for row in _odd(given, columns) if common[0] <= row[0] <= common[1])  # type: ignore[operator]
        for given in (young, rows)
    )
    assert then
    assert then == now
