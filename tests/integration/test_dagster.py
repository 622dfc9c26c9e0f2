"""The graph as the UI shows it, and that what it shows is true: lineage, checks, partitions, schedule, sensor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
import pytest

from orchestration import night, sql
from orchestration.defs.build import build_definitions
from orchestration.defs.common import CANDIDATE, PUBLISHED, RAW_RUNS, RAW_SPANS, REPORTS, USAGE_DATES
from orchestration.defs.jobs import NIGHTLY
from orchestration.defs.quality import RECONCILIATION, SUITE
from orchestration.defs.run import instance
from orchestration.publication.lock import run_lock
from orchestration.quality import reconciliation, suites
from orchestration.settings import Settings
from orchestration.warehouse.manifest import read_manifest
from tests.integration.test_publication import held_by_another
from tests.warehouse_fixture import Warehouse, at, call_row, digests, run_row

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture
def definitions(warehouse: Warehouse) -> dg.Definitions:
    return build_definitions(warehouse.settings)


def graph(definitions: dg.Definitions) -> Any:
    return definitions.resolve_asset_graph()


@contextmanager
def quiet(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The persistent instance, Dagster's log kept out of the test's output, the lock given back afterwards."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with run_lock(settings.data_dir), instance(settings) as opened:
        yield opened


def partitions_of(warehouse: Warehouse) -> set[str]:
    """Usage dates that the UI shows as materialised."""
    with instance(warehouse.settings) as opened:
        return set(opened.get_materialized_partitions(USAGE_DATES))


SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


# -- definitions -------------------------------------------------------------------------------------------------------------------


def test_definitions_load_and_are_valid(definitions: dg.Definitions) -> None:
    """`dagster dev` shows an error instead of the graph."""
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_job_def(NIGHTLY) is not None
    from orchestration.definitions import defs

    dg.Definitions.validate_loadable(defs)


def test_every_asset_is_described_grouped_and_owned(definitions: dg.Definitions) -> None:
    """An asset in the UI of which nobody knows what it is or whom to ask."""
    nodes = [node for node in graph(definitions).asset_nodes if node.is_materializable]
    assert len(nodes) > 30
    for node in nodes:
        name = node.key.to_user_string()
        assert node.description, f"{name} has no description"
        assert len(node.description) > 20, f"{name} is hardly described"
        assert "select" not in node.description.lower().split(), f"{name} is described by its SQL"
        assert node.group_name not in (None, "default"), f"{name} is in no group"
        assert node.owners, f"{name} has no owner"


def test_the_graph_reads_like_the_path_of_the_data(definitions: dg.Definitions) -> None:
    """The graph in the UI tells another story than landing → candidate → models → published → dates and reports."""
    found = graph(definitions)

    def parents(key: dg.AssetKey) -> set[str]:
        return {parent.to_user_string() for parent in found.get(key).parent_keys}

    assert parents(RAW_RUNS) == parents(RAW_SPANS) == set()
    assert parents(CANDIDATE) == {"raw_runs", "raw_spans"}
    assert parents(dg.AssetKey("stg_native__spans")) == {"candidate"}
    assert parents(dg.AssetKey("int_spans__current")) >= {"stg_native__spans", "int_runs__directory"}
    assert parents(dg.AssetKey("int_spans__judged")) >= {"int_spans__current", "int_calls__judged"}
    assert parents(dg.AssetKey("fct_span_usage")) >= {"int_spans__judged", "int_runs__current"}
    assert parents(dg.AssetKey("mart_analytics__total_cost")) == {"fct_usage_daily", "fct_run_usage"}
    assert parents(PUBLISHED) >= {
        "fct_span_usage",
        "fct_run_usage",
        "mart_analytics__total_cost",
        "dim_workspace",
    }
    assert parents(USAGE_DATES) == parents(REPORTS) == {"published_warehouse"}
    readable = {
        key.to_user_string()
        for key in found.materializable_asset_keys
        if key.path[-1].startswith(("fct_", "mart_", "dim_"))
    }
    assert parents(PUBLISHED) == readable, "the publication does not wait for every table that readers see"


def test_dbt_tests_and_rules_are_asset_checks(warehouse: Warehouse, definitions: dg.Definitions) -> None:
    """A rule runs at night that nobody can see in the UI, or a blocking one is shown as harmless."""
    checks = {
        (key.asset_key.to_user_string(), key.name): graph(definitions).get(key)
        for key in graph(definitions).asset_check_keys
    }
    told = "\n".join(check.description or "" for check in checks.values())
    rules = [*suites.declared_rules(with_freshness=True), *reconciliation.IDENTITIES]
    assert len(rules) > 40
    for rule in rules:
        assert f"- `{rule.name}` (" in told, f"{rule.name} is part of no asset check"
        assert rule.statement in told, f"the UI does not say what {rule.name} judges"
    tests = [
        node["name"]
        for node in read_manifest(warehouse.settings)["nodes"].values()
        if node["resource_type"] == "test"
    ]
    assert len(tests) > 10
    missing = set(tests) - {name for _, name in checks}
    assert not missing, f"dbt tests that are no asset checks: {sorted(missing)}"
    bare = [name for (_, name), check in checks.items() if len(check.description or "") < 10]
    assert not bare, f"the UI does not say what these judge: {bare}"
    assert ("mart_analytics__total_cost", RECONCILIATION) in checks
    assert not graph(definitions).get(dg.AssetCheckKey(RAW_SPANS, SUITE)).blocking, (
        "nothing is built before the audit"
    )


def test_schedule_follows_the_settings(warehouse: Warehouse) -> None:
    """The night runs at another hour than set, or starts by itself on a new installation."""
    made = build_definitions(
        replace(warehouse.settings, schedule_cron="15 4 * * *", schedule_time_zone="Europe/Berlin")
    )
    schedule = made.resolve_schedule_def("nightly_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 4 * * *", "Europe/Berlin")
    assert schedule.job_name == NIGHTLY
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_sensor_starts_one_run_per_change(warehouse: Warehouse, definitions: dg.Definitions) -> None:
    """The sensor is on unasked, starts a run for each look at the same files, or misses a file."""
    sensor = definitions.resolve_sensor_def("landing_sensor")
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED

    def look(cursor: str | None) -> Any:
        ephemeral = dg.DagsterInstance.ephemeral()
        with dg.build_sensor_context(ephemeral, cursor, definitions=definitions) as context:
            return sensor.evaluate_tick(context)

    assert look(None).run_requests == [], "an empty folder, or none, starts a run"
    warehouse.drop("a.jsonl", [run_row("req_1", at("2026-10-01 09:00"))])
    first = look(None)
    assert len(first.run_requests) == 1
    assert look(first.cursor).run_requests == [], "unchanged files start another run"
    warehouse.drop("b.jsonl", [run_row("req_2", at("2026-10-01 10:00"))])
    second = look(first.cursor)
    assert len(second.run_requests) == 1
    assert second.run_requests[0].run_key != first.run_requests[0].run_key, (
        "Dagster would take it for the same request"
    )


def test_a_killed_run_does_not_hold_the_pool_for_ever(
    warehouse: Warehouse, definitions: dg.Definitions
) -> None:
    """After a power cut every scheduled night waits behind the one that was cut off; or a run at work is called dead."""
    schedule = definitions.resolve_schedule_def("nightly_schedule")
    with instance(warehouse.settings) as opened:
        killed = opened.add_run(dg.DagsterRun(job_name=NIGHTLY, status=dg.DagsterRunStatus.STARTED))
        begins = opened.add_run(dg.DagsterRun(job_name=NIGHTLY, status=dg.DagsterRunStatus.STARTING))

        def tick() -> list[dg.DagsterRunStatus]:
            with dg.build_schedule_context(instance=opened) as context:
                assert len(schedule.evaluate_tick(context).run_requests or []) == 1
            return [opened.get_run_by_id(run.run_id).status for run in (killed, begins)]  # type: ignore[union-attr]

        with held_by_another(warehouse, 60):
            assert tick() == [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
        assert tick() == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTING]


# -- runs --------------------------------------------------------------------------------------------------------------------------


def test_partitions_are_the_dates_of_the_night_and_checks_are_kept(published: Warehouse) -> None:
    """The UI shows dates as built that are not, or leaves out built ones; or check results are not stored."""
    assert partitions_of(published) == {"2026-10-01", "2026-10-02", "2026-10-03"}
    published.drop("second/runs.jsonl", [run_row("req_4", at("2026-10-05 09:00"))])
    published.drop("second/spans.jsonl", [call_row("req_lost", "s2", at("2026-10-02 12:10:00"))])
    with instance(published.settings) as opened:
        before = {
            key: opened.get_latest_storage_id_by_partition(
                USAGE_DATES, dg.DagsterEventType.ASSET_MATERIALIZATION
            )[key]
            for key in ("2026-10-01", "2026-10-02", "2026-10-03")
        }
    result = published.nightly()
    assert result.success, result.failure
    assert partitions_of(published) == {"2026-10-01", "2026-10-02", "2026-10-03", "2026-10-05"}
    with instance(published.settings) as opened:
        after = opened.get_latest_storage_id_by_partition(
            USAGE_DATES, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        marked = {key for key in after if key and after[key] != before.get(key)}
        assert marked == {"2026-10-02", "2026-10-05"}, "the night marks other dates than it rebuilt"
        run = opened.get_run_by_id(result.run_id)
        assert run is not None
        records = opened.get_records_for_run(
            result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        evaluations = [record.event_log_entry.dagster_event for record in records]
        told = sum(
            int(event.asset_check_evaluation_data.metadata["checks"].value) for event in evaluations if event
        )
        assert told > 200, "check results are not in the event log"
    of_each = published.query(
        "select publication_id, list(check_name order by check_name) from meta.check_results group by all order by all"
    )
    assert of_each[-1][1] == of_each[0][1], "a night that leaves views out leaves out what is tested of them"


def test_a_range_of_dates_is_rebuilt_in_one_run(published: Warehouse) -> None:
    """A backfill in the UI starts a run per date, rebuilds other dates, or publishes nothing."""
    definitions = build_definitions(published.settings)
    assert graph(definitions).get(USAGE_DATES).backfill_policy.policy_type.value == "SINGLE_RUN"
    job = definitions.resolve_implicit_global_asset_job_def()
    with quiet(published.settings) as opened:
        result = job.execute_in_process(
            instance=opened,
            asset_selection=[USAGE_DATES],
            tags={
                "dagster/asset_partition_range_start": "2026-10-01",
                "dagster/asset_partition_range_end": "2026-10-02",
            },
            run_config=SILENT,
            raise_on_error=False,
        )
        assert result.success, [event.message for event in result.get_step_failure_events()]
        events = result.get_asset_materialization_events()
    dates = [event.partition for event in events if event.asset_key == USAGE_DATES]
    assert sorted(map(str, dates)) == ["2026-10-01", "2026-10-02"]
    others = {event.asset_key for event in events} - {USAGE_DATES}
    assert others == {PUBLISHED, REPORTS}, "the UI shows the publication and the pages as older than they are"
    stamp = (published.settings.site_dir / "assets" / "publication.js").read_text(encoding="utf-8")
    assert "000002" in stamp, "the pages still show the publication before the backfill"
    manifest = night.publish.read_manifest(published.settings)
    assert manifest is not None
    assert (manifest["publication_id"], manifest["touched_dates"]) == ("000002", ["2026-10-01", "2026-10-02"])


def test_models_alone_publish_nothing_and_the_next_night_discards_them(published: Warehouse) -> None:
    """Someone materialises models in the UI and readers see an unaudited candidate, at once or the night after."""
    before = {**digests(published.settings.published_dir), **digests(published.settings.site_dir)}
    definitions = build_definitions(published.settings)
    models = [
        key
        for key in graph(definitions).materializable_asset_keys
        if key.path[-1].startswith(("stg_", "int_", "fct_", "mart_", "dim_"))
    ]
    job = definitions.resolve_implicit_global_asset_job_def()
    with quiet(published.settings) as opened:
        result = job.execute_in_process(
            instance=opened, asset_selection=models, run_config=SILENT, raise_on_error=False
        )
        assert result.success, [event.message for event in result.get_step_failure_events()]
    assert published.settings.candidate_path.exists()
    assert {**digests(published.settings.published_dir), **digests(published.settings.site_dir)} == before
    with sql.connect(published.settings, published.settings.candidate_path) as connection:
        connection.execute("delete from facts.fct_run_usage")
    assert published.nightly().success
    assert {**digests(published.settings.published_dir), **digests(published.settings.site_dir)} == before
    with pytest.raises(LookupError, match="no candidate"):
        night.release(published.settings)


def test_the_failed_check_is_named_in_the_log(published: Warehouse) -> None:
    """Whoever reads the last lines of a failed run does not learn which check stopped it."""
    published.drop("second/runs.jsonl", [run_row("req_4", at("2026-10-04 09:00"))])
    published.drop(
        "second/spans.jsonl",
        [call_row("req_4", "s1", at("2026-10-04 09:00:01"), provider_cost_usd="2000000")],
    )
    result = published.nightly()
    assert (result.success, result.data_failed) == (False, True)
    with instance(published.settings) as opened:
        logs = [record.event_log_entry for record in opened.get_records_for_run(result.run_id).records]
        evaluations = [
            entry.dagster_event.asset_check_evaluation_data
            for entry in logs
            if entry.dagster_event
            and entry.dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]
    told = [entry.user_message for entry in logs if entry.user_message.startswith("The night failed in ")]
    failed = {
        name
        for found in evaluations
        if not found.passed and found.severity is dg.AssetCheckSeverity.ERROR
        for name in str(found.metadata["failed"].value).split(", ")
    }
    assert len(told) == 1, "the hook tells nothing, or tells every stage after the failed one too"
    assert failed, "the check itself is not shown as failed in the UI"
    assert any(name in told[0] for name in failed), f"{told[0]!r} names none of {sorted(failed)}"
    assert partitions_of(published) == {"2026-10-01", "2026-10-02", "2026-10-03"}, (
        "a night that published nothing marks its dates"
    )


def test_dates_before_the_first_partition_are_published_and_said(warehouse: Warehouse) -> None:
    """Usage older than the UI's first partition stops the night."""
    late = warehouse.with_settings(partitions_start_date="2026-10-02")
    late.drop(
        "runs.jsonl", [run_row("req_1", at("2026-10-01 09:00")), run_row("req_2", at("2026-10-02 09:00"))]
    )
    result = late.nightly()
    assert result.success, result.failure
    assert partitions_of(late) == {"2026-10-02"}
    assert [row[0] for row in late.query("select usage_date from facts.fct_run_usage order by 1")] == [
        date(2026, 10, 1),
        date(2026, 10, 2),
    ]
    assert result.materialized["usage_dates"]["dates_outside_partitions"] == 1
