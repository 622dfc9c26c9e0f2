"""A lake that an earlier contract version wrote: its parts lack columns, and are read, compared and pruned as before."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import sql
from orchestration.landing import conform
from orchestration.landing.contract import CONTRACT_VERSION, RUNS, SPANS
from orchestration.landing.ingest import ingest
from orchestration.landing.lake import Lake
from tests.warehouse_fixture import Row, Warehouse, at, call_row, run_row

# The columns of version 1, in their order, as its parts have them.
OLD_COLUMNS = {
    "runs": (
        "file_no, run_id, workspace_id, run_type, resource_id, resource_name, source, delivery, charge_type, status, started_at, "
        "completed_at, updated_at, provider, model, api_key_id, api_key_name, collaborator, user_id, user_metadata, trace_id, "
        "parent_run_id, deployment, error_message, reported_total_tokens, reported_total_cost_usd, version_at, quality_flags, "
        "attributes"
    ),
    "spans": (
        "file_no, span_id, trace_id, run_id, workspace_id, parent_span_id, name, kind, service, provider, model, charge_type, status, "
        "started_at, ended_at, attempt, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, "
        "image_tokens, citation_tokens, audio_input_tokens, audio_output_tokens, units, provider_cost_usd, task_credits, "
        "error_message, version_at, quality_flags, attributes"
    ),
}
NEW_COLUMNS = (
    "response_model",
    "service_tier",
    "cache_write_1h_tokens",
    "image_input_tokens",
    "web_search_count",
    "reported_total_tokens",
    "source_format",
    "token_convention",
)

COLUMNS_OF_VERSION_3 = ("response_id", *(item.name for item in SPANS.fields if item.is_foreign))
"""NULL in rows of the contract, which is what `test_old_parts_alone_build` finds them to be: its models read them all."""


def age(lake: Lake) -> None:
    """Make every batch one that version 1 wrote: its parts with its columns, its manifest with its number."""
    for path in sorted(lake.root.glob("*/lake_date=*/*/*.parquet")):
        listed = OLD_COLUMNS[path.relative_to(lake.root).parts[0]]
        old = path.with_suffix(".old")
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (select {listed} from read_parquet({sql.literal(path)}, hive_partitioning = false)) "
                f"to {sql.literal(old)} (format parquet)"
            )
        old.replace(path)
    for path in lake.batches_dir.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**document, "contract_version": 1}), encoding="utf-8")


def spans_of(day: str) -> tuple[list[Row], list[Row]]:
    """A run of one day with one call, in the words of either version."""
    runs = [run_row(f"req_{day}", at(f"{day} 09:00"))]
    return runs, [call_row(f"req_{day}", "s1", at(f"{day} 09:00:01"), input_tokens=None, prompt_tokens=1000)]


OLD_DAYS = ("2026-10-01", "2026-10-02", "2026-10-03")
NEW_DAY = "2026-10-04"


@pytest.fixture
def old(warehouse: Warehouse) -> Warehouse:
    """Three days that version 1 landed."""
    for day in OLD_DAYS:
        runs, spans = spans_of(day)
        warehouse.drop(f"{day}/runs.jsonl", runs)
        warehouse.drop(f"{day}/spans.jsonl", spans)
        warehouse.land()
    age(Lake(warehouse.settings.lake_dir))
    return warehouse


def land_new_day(warehouse: Warehouse) -> None:
    """A day of this version, whose call has a usage body."""
    body = {"input_tokens": 6, "cache_read_input_tokens": 10, "output_tokens": 4, "service_tier": "priority"}
    runs, spans = spans_of(NEW_DAY)
    warehouse.drop(f"{NEW_DAY}/runs.jsonl", runs)
    warehouse.drop(
        f"{NEW_DAY}/spans.jsonl", [{**spans[0], "prompt_tokens": None, "output_tokens": None, "usage": body}]
    )
    warehouse.land()


def test_version_one_is_not_this_version() -> None:
    """The tests below would compare a version with itself."""
    assert CONTRACT_VERSION > 1
    for entity in (RUNS, SPANS):
        old = OLD_COLUMNS[entity.name].split(", ")
        known = (*old, *COLUMNS_OF_VERSION_3)
        added = [name for name in conform.lake_columns(entity) if name not in known]
        assert added == [name for name in NEW_COLUMNS if name in added], "a new column needs a test here"
        assert (len(added) > 0) == (entity is SPANS)


def test_old_parts_alone_build(old: Warehouse) -> None:
    """After an upgrade the first night, which has nothing new, would fail on every column that old parts lack."""
    assert old.night(with_tests=False) is not None
    assert old.query(
        "select usage_date::varchar, input_tokens, provider_cost_usd from facts.fct_span_usage order by 1"
    ) == [(day, 1000, Decimal("0.012500000000")) for day in OLD_DAYS]


def test_old_and_new_parts_build_together(old: Warehouse) -> None:
    """Old rows would be lost beside new ones, or take over columns that they never had."""
    land_new_day(old)
    old.build(with_tests=False)
    listed = ", ".join(NEW_COLUMNS)
    rows = old.query(
        f"select lake_date::varchar, input_tokens, cached_tokens, {listed} from staging.stg_native__spans order by 1",
        old.settings.candidate_path,
    )
    absent = (None,) * 6
    assert rows == [
        *((day, 1000, None, *absent, "native", None) for day in OLD_DAYS),
        (NEW_DAY, 16, 10, None, "priority", None, None, None, None, "native", "anthropic_messages"),
    ]
    old.publish(suites=False)
    assert old.one("select sum(input_tokens)::bigint from facts.fct_span_usage") == 3016


def test_incremental_nights_read_old_parts(old: Warehouse) -> None:
    """A night after the upgrade would see new parts only, and empty the dates that it rebuilds from old ones."""
    old.night(with_tests=False)
    before = old.save("old-published")
    late = [call_row(f"req_{OLD_DAYS[1]}", "late", at(f"{OLD_DAYS[1]} 09:00:05"), total_tokens=1050)]
    old.drop("late.jsonl", late)
    plan_dates = old.night(with_tests=False)
    assert plan_dates is not None
    assert old.query(
        "select usage_date::varchar, count(*) from facts.fct_span_usage group by all order by all"
    ) == [(OLD_DAYS[0], 1), (OLD_DAYS[1], 2), (OLD_DAYS[2], 1)]
    shutil.rmtree(before)


@pytest.mark.parametrize("with_new_day", [False, True], ids=["old parts", "old and new parts"])
def test_files_are_still_pruned(old: Warehouse, with_new_day: bool) -> None:
    """Reading several versions together would open the whole lake each night, to learn columns or to find dates."""
    if with_new_day:
        land_new_day(old)
    old.build(with_tests=False)
    day = NEW_DAY if with_new_day else OLD_DAYS[1]
    batch = 4 if with_new_day else 2
    with sql.connect(old.settings, old.settings.candidate_path, read_only=True) as connection:
        ((_, plan),) = connection.execute(
            "explain analyze select sum(input_tokens), count(token_convention) from staging.stg_native__spans "
            f"where batch_seq in ({batch}) and lake_date in (date '{day}')"
        ).fetchall()
    opened = [line for line in plan.split("\n") if ".parquet" in line or "Files Read" in line]
    assert sum(f"lake_date={day}" in line for line in opened) == 1, plan
    assert not [line for line in opened if "lake_date=" in line and f"lake_date={day}" not in line], plan


def test_rows_of_an_old_lake_are_recognised(old: Warehouse) -> None:
    """A file that is sent again after the upgrade, packed in another way, would be loaded a second time."""
    for day in OLD_DAYS:
        runs, spans = spans_of(day)
        old.drop(f"again/{day}-runs.jsonl.gz", runs)
        old.drop(f"again/{day}-spans.jsonl.gz", [*spans, {**spans[0], "span_id": "s2"}])
    report = ingest(old.settings)
    assert report.manifest
    assert report.manifest.contract_version == CONTRACT_VERSION
    assert (report.manifest.total("rows_duplicate"), report.manifest.total("rows_loaded")) == (6, 3)


def test_each_batch_keeps_the_version_that_wrote_it(old: Warehouse) -> None:
    """Nobody could tell which parts lack columns."""
    land_new_day(old)
    manifests = Lake(old.settings.lake_dir).manifests()
    assert [manifest.contract_version for manifest in manifests] == [1, 1, 1, CONTRACT_VERSION]
    files = [Path(name).suffix for manifest in manifests for part in manifest.parts for name in part.files]
    assert set(files) == {".parquet"}
