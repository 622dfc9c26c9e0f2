"""Nights on Spark end in the published file and the pages that nights on DuckDB end in, and are as safe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration import sql
from orchestration.publication import publish
from orchestration.publication.extract import extract
from orchestration.warehouse import spark_session
from tests.warehouse_fixture import Warehouse, at, call_row, differences, digests, run_row, three_days

MISSING = spark_session.why_missing()
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"no Spark here: {MISSING}"),
    pytest.mark.xdist_group("spark"),
]
LATER = at("2026-10-04 09:00")


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Warehouse, Warehouse]]:
    """Two data folders with the same exports, one for each engine, at one hour of one day."""
    monkeypatch.setenv("CREDIT_USAGE_NOW", "2026-10-05T03:00:00+00:00")
    duckdb = Warehouse(tmp_path / "duckdb")
    spark = Warehouse(tmp_path / "spark").with_settings(engine="spark", spark_master="local[2]")
    for made in (duckdb, spark):
        made.clear()
        runs, spans = three_days()
        made.drop("first/runs.jsonl", runs)
        made.drop("first/spans.jsonl", spans)
    yield duckdb, spark
    shutil.rmtree(tmp_path, ignore_errors=True)


def builds(warehouse: Warehouse) -> list[str]:
    """Names of what Spark built and was not removed yet."""
    return sorted(path.name for path in warehouse.settings.spark_dir.iterdir())


def pages(warehouse: Warehouse) -> dict[str, str]:
    """Hashes of the site's files, but for the one that remembers what each date was built of: the engine is part of that."""
    return {
        name: digest
        for name, digest in digests(warehouse.settings.site_dir).items()
        if name != "site-manifest.json"
    }


def test_nights_on_both_engines_end_the_same(both: tuple[Warehouse, Warehouse]) -> None:
    """A night on Spark publishes other rows or pages, changes an earlier publication, shows one workspace the others, or publishes what
    failed a check.
    """
    duckdb, spark = both
    for made in both:
        assert made.night(suites=True) is not None
        made.render()
    assert not differences(spark, duckdb.settings.published_path, spark.settings.published_path)
    assert pages(duckdb) == pages(spark), "the pages differ"

    kept = spark.query("select * from facts.fct_span_usage order by all")
    for made in both:
        made.drop("late/runs.jsonl", [run_row("req_4", LATER)])
        made.drop(
            "late/spans.jsonl",
            [
                call_row("req_4", "s1", LATER + timedelta(seconds=1)),
                call_row("req_1", "s9", at("2026-10-01 09:00:05")),
            ],
        )
        publication = made.night(suites=True)
        assert publication is not None
        assert publication.touched_dates == ("2026-10-01", "2026-10-04"), (
            "an incremental night rebuilds other dates"
        )
        made.render()
    assert not differences(spark, duckdb.settings.published_path, spark.settings.published_path)
    assert pages(duckdb) == pages(spark), "the pages of the second night differ"
    assert builds(spark) == ["000001", "000002"]

    given = extract(spark.settings, "ws_a", spark.root / "given").path
    with sql.connect(spark.settings, given, read_only=True) as connection:
        views = connection.execute("select sql from duckdb_views() where not internal").fetchall()
        others = connection.execute(
            "select count(*) from facts.fct_span_usage where workspace_id <> 'ws_a'"
        ).fetchall()
    assert not [view for (view,) in views if "read_parquet" in view], (
        "who gets one workspace is told where the files of all are"
    )
    assert others == [(0,)]

    publish.rollback(spark.settings)
    assert spark.query("select * from facts.fct_span_usage order by all") == kept, (
        "the first publication reads what the second wrote"
    )
