"""What readers see changes only as a whole, only after a good audit, and survives a kill at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest

from orchestration import night, sql
from orchestration.defs import landing
from orchestration.doctor import examine
from orchestration.publication import candidate, copies, lock, publish
from orchestration.publication.lock import LockHeldError
from orchestration.settings import REPOSITORY, load
from orchestration.site import render_site
from orchestration.warehouse import dbt
from tests.disk_calls import recorded
from tests.warehouse_fixture import Warehouse, at, call_row, differences, digests, run_row, times

pytestmark = pytest.mark.xdist_group("publication")


def seen_by_readers(warehouse: Warehouse) -> dict[str, str]:
    """Bytes of everything that readers open."""
    published, site = warehouse.settings.published_dir, warehouse.settings.site_dir
    return {**digests(published), **{f"site/{name}": digest for name, digest in digests(site).items()}}


def drop_fourth_day(warehouse: Warehouse, **fields: Any) -> None:
    """One more run, on 4 October."""
    warehouse.drop("second/runs.jsonl", [run_row("req_4", at("2026-10-04 09:00"))])
    warehouse.drop("second/spans.jsonl", [call_row("req_4", "s1", at("2026-10-04 09:00:01"), **fields)])


# -- a failed check --------------------------------------------------------------------------------------------------------------


def test_tampered_candidate_is_not_published(published: Warehouse) -> None:
    """A candidate whose marts disagree with its facts reaches readers, or what readers have is lost with it."""
    before = seen_by_readers(published)
    drop_fourth_day(published)
    real_build = night.build

    def tampered(settings: Any) -> night.Build:
        built = real_build(settings)
        with sql.connect(settings, settings.candidate_path) as connection:
            connection.execute(
                "update marts.mart_analytics__total_cost set total_cost_usd = total_cost_usd + 0.000000000001 "
                "where usage_date = date '2026-10-04'"
            )
        return built

    with mock.patch.object(night, "build", tampered):
        failed = published.cli("nightly", "--json")
    assert failed.code == 1, f"a failed blocking check must end with 1: {failed.err}"
    document = failed.json()
    assert document["success"] is False
    assert document["published"] is False
    assert "blocking checks failed" in document["error"]
    assert seen_by_readers(published) == before, "a failed night changed what readers see"
    assert (published.settings.warehouse_dir / "failed.duckdb").exists(), (
        "the candidate is not kept for inspection"
    )
    assert not published.settings.candidate_path.exists()

    healed = published.cli("nightly", "--json")
    assert healed.code == 0, healed.err + healed.out
    assert healed.json()["published"] is True
    assert published.one("select count(*) from facts.fct_run_usage where run_id = 'req_4'") == 1
    assert published.one("select count(*) from meta.publication where publication_id = '000002'") == 1
    assert published.one("select previous_publication_id from meta.publication") == "000001"
    assert (
        published.one(
            "select string_agg(concat_ws(' ', usage_date, coalesce(run_count_before, -1), run_count_after), ', ') "
            "from meta.changes"
        )
        == "2026-10-04 -1 1"
    ), "the dates that changed since the last publication are not told, or others are"


def test_bad_data_blocks_by_name_until_it_is_replaced(published: Warehouse) -> None:
    """A call that costs two million dollars is published, or the operator is not told which check stopped it."""
    before = seen_by_readers(published)
    drop_fourth_day(published, provider_cost_usd="2000000")
    failed = published.cli("nightly")
    assert failed.code == 1, failed.err
    assert "fct_span_usage" in failed.err, f"the failed check is not named: {failed.err}"
    assert seen_by_readers(published) == before
    drop_fourth_day(published)
    published.drop(
        "third/spans.jsonl",
        [call_row("req_4", "s1", at("2026-10-04 09:00:01"), ended_at="2026-10-04T09:00:09Z")],
    )
    assert published.cli("nightly").code == 0, "the corrected version of the span does not heal the night"
    assert (
        str(published.one("select sum(provider_cost_usd) from facts.fct_span_usage where run_id = 'req_4'"))
        == "0.012500000000"
    )


def test_failing_dbt_test_blocks(published: Warehouse) -> None:
    """A lake part with a row twice (which landing prevents) doubles a bill unnoticed."""
    before = seen_by_readers(published)
    drop_fourth_day(published)
    published.land()
    (part,) = (published.settings.lake_dir / "spans" / "lake_date=2026-10-04").rglob("*.parquet")
    whole = part.read_bytes()
    with sql.connect(published.settings) as connection:
        connection.execute(
            f"create table rows as from read_parquet({sql.literal(part)}, hive_partitioning = false)"
        )
        connection.execute(f"copy (from rows union all from rows) to {sql.literal(part)} (format parquet)")
    result = published.nightly()
    assert not result.success
    assert result.data_failed, "a failed dbt test counts as a fault of the program"
    assert "unique" in result.failure, result.failure
    assert "fct_span_usage__unique_key: 1 row breaks it, for example " in result.failure, (
        "nobody is told which row"
    )
    assert "req_4" in result.failure
    assert "skipped" not in result.failure, (
        "checks that were not asked are told as if they had found something"
    )
    assert seen_by_readers(published) == before
    assert (published.settings.warehouse_dir / "failed.duckdb").exists()
    part.write_bytes(whole)
    assert published.nightly().success
    assert published.one("select count(*) from facts.fct_span_usage where run_id = 'req_4'") == 1


def test_a_candidate_without_a_whole_build_is_never_published(published: Warehouse) -> None:
    """Releasing by hand after a broken build publishes half a night."""
    before = seen_by_readers(published)
    with pytest.raises(LookupError, match="no candidate"):
        night.release(published.settings)
    drop_fourth_day(published)
    published.land()
    night.prepare(published.settings, run_id="test")
    with pytest.raises(LookupError, match="not built to the end"):
        night.release(published.settings)
    assert seen_by_readers(published) == before


def test_the_command_renders_what_a_killed_one_left_unrendered(published: Warehouse) -> None:
    """Killed between publication and pages, the site stays a night behind although the next command says all is well."""
    drop_fourth_day(published)
    assert published.night(with_tests=False) is not None
    assert "2026-10-04" not in "".join(digests(published.settings.site_dir))
    assert published.cli("nightly").code == 0
    assert "2026-10-04" in "".join(digests(published.settings.site_dir))


# -- a published file that is not ours any more ----------------------------------------------------------------------------------


def break_by_sql(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("update facts.fct_span_usage set provider_cost_usd = 0")


def break_in_the_middle(path: Path) -> None:
    """Not noticed when the file is opened: only when these blocks are read."""
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        block = stream.read(4096)
        stream.seek(-len(block), os.SEEK_CUR)
        stream.write(bytes(byte ^ 0xFF for byte in block))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), candidate.MISSING),
        (lambda path: os.truncate(path, 1000), candidate.MISSING),
        (break_in_the_middle, candidate.CHANGED_BY_HAND),
        (break_by_sql, candidate.CHANGED_BY_HAND),
    ],
    ids=["deleted", "truncated", "overwritten", "edited"],
)
def test_a_damaged_published_file_is_rebuilt_from_the_lake(
    published: Warehouse, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    """A file that somebody deleted, broke or edited stops all nights, or is built upon, or is replaced without a word."""
    path = published.settings.published_path
    good = tmp_path / "good.duckdb"
    good.write_bytes(path.read_bytes())
    damage(path)
    if reason == candidate.MISSING and path.exists():
        outcome = published.cli("status")
        assert outcome.code == 2
        assert "run `credit-usage nightly`" in outcome.err, outcome.err
    published.land()
    plan = published.build(with_tests=False)
    assert plan.reason == reason
    publication = published.publish(suites=False)
    assert publication.publication_id == "000002", "a number is given twice"
    assert differences(published, path, good) == []
    published.land()
    assert published.build().is_empty, "the next night takes the repaired file for damaged"


def write_and_die(path: Path, *, then: str) -> subprocess.Popen[str]:
    """A program that has changed the published file by now, and goes on with `then`."""
    code = (
        "import duckdb, os, sys; connection = duckdb.connect(sys.argv[1]); "
        "connection.execute('update facts.fct_span_usage set provider_cost_usd = 7'); print('written', flush=True); "
        f"{then}"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def test_what_was_written_beside_the_file_is_taken_away(published: Warehouse) -> None:
    """Somebody's changes, which a killed program left in a write-ahead log, are read into this publication and each that follows."""
    path = published.settings.published_path
    before = path.read_bytes()
    amounts = "select provider_cost_usd from facts.fct_span_usage order by all"
    good = published.query(amounts)
    write_and_die(path, then="os._exit(1)").communicate()
    assert published.query(amounts) != good, "nothing was written"
    told = {finding.name: finding.status for finding in examine(published.settings)}
    assert told["published file"] == "fail"
    assert night.look(published.settings) is not None
    assert path.read_bytes() == before
    assert published.query(amounts) == good
    candidate.log_beside(published.settings).write_bytes(b"no log at all")
    published.land()
    assert published.build().is_empty, "a file that is whole is built anew"
    assert published.query(amounts) == good


def test_a_published_file_that_another_program_has_is_not_called_damaged(published: Warehouse) -> None:
    """A notebook has the file open for writing, or memory is short: the night takes the file away from its readers and builds all anew."""
    path = published.settings.published_path
    other = write_and_die(path, then="sys.stdin.read()")
    try:
        for command in (["status"], ["sql", "select 1"], ["check", "--database", str(path)]):
            outcome = published.cli(*command)
            assert outcome.code == 2
            assert "Conflicting lock" in outcome.err
            assert "Traceback" not in outcome.err
            assert "damaged" not in outcome.err
        with pytest.raises(candidate.BusyFileError, match="close the program that writes to it"):
            published.land()
        assert path.exists()
        with mock.patch.object(landing, "_RETRIES", dg.RetryPolicy(max_retries=1)):
            ended = published.cli("nightly", "--json")
        assert ended.code == 2
        assert "close the program that writes to it" in ended.json()["error"], ended.out
    finally:
        other.kill()
        other.communicate()
    with pytest.raises(candidate.BusyFileError):
        candidate.read_manifest(published.with_settings(memory_limit="1KB").settings)
    published.land()
    assert published.build().is_empty


# -- rollback, history, nothing new ------------------------------------------------------------------------------------------------


def test_rollback_restores_the_bytes_and_the_next_night_applies_again(published: Warehouse) -> None:
    """A rollback restores something like the previous publication, or its batches are lost for good."""
    first = digests(published.settings.published_dir)
    site = digests(published.settings.site_dir)
    drop_fourth_day(published)
    assert published.night(with_tests=False) is not None
    published.render()
    second = published.save("second")
    done = published.cli("rollback", "--json")
    assert done.code == 0, done.err
    assert done.json()["publication_id"] == "000001"
    assert digests(published.settings.published_dir) == first, (
        "the publication before is not restored byte for byte"
    )
    assert digests(published.settings.site_dir) == site, "the pages still show what was rolled back"
    refused = published.cli("rollback")
    assert refused.code == 2
    assert "no earlier publication" in refused.err
    again = published.night(with_tests=False)
    assert again is not None
    assert again.publication_id == "000002"
    assert again.touched_dates == ("2026-10-04",), "the batch is not applied again, or more than it"
    assert (
        differences(published, second / "published" / "usage.duckdb", published.settings.published_path) == []
    )


def test_rollback_after_a_kill_before_the_rename(published: Warehouse) -> None:
    """The history then holds the current publication too: rolling back to it would change nothing and say it had."""
    drop_fourth_day(published)
    assert published.night(with_tests=False) is not None
    publish._keep(published.settings)  # what a publication does just before its rename
    assert publish.rollback(published.settings).publication_id == "000001"
    assert published.one("select max(usage_date)::varchar from facts.fct_run_usage") == "2026-10-03"


def test_history_keeps_as_many_publications_as_set(published: Warehouse) -> None:
    """The history grows until the disk is full, or holds less than promised."""

    def publish_again(warehouse: Warehouse) -> list[str]:
        """One more publication, of the content there is: what is built does not matter here."""
        settings = warehouse.settings
        plan = night.prepare(settings, run_id="test", requested_dates=[date(2026, 10, 1)])
        with sql.connect(settings, settings.candidate_path) as connection:
            connection.execute("create table intermediate.int_dates__touched as from plan.requested_dates")
        publish.publish(settings, plan, night.Lake(settings.lake_dir).manifests(), [])
        return [path.stem for path in publish.history(settings)]

    two = published.with_settings(keep_publications=2)
    kept = [publish_again(two) for _ in range(4)]
    assert kept == [["000001"], ["000001", "000002"], ["000002", "000003"], ["000003", "000004"]]
    assert publish_again(published.with_settings(keep_publications=0)) == []


def test_pages_are_of_the_file_that_lies_there(published: Warehouse) -> None:
    """Pages are made, or left, by a hash that was noted of another file; or the whole file is read again for its hash after each night."""
    # The fixture's file is a copy of what was published.
    assert candidate.remembered_hash(published.settings) is None
    publish.repair(published.settings)
    assert candidate.remembered_hash(published.settings) == candidate.hash_of(
        published.settings.published_path
    )
    render_site(published.settings)
    before = digests(published.settings.site_dir)
    with sql.connect(published.settings, published.settings.published_path) as connection:
        connection.execute(
            "update dimensions.dim_workspace set workspace_name = 'renamed by hand' where workspace_id = 'ws_a'"
        )
    assert candidate.remembered_hash(published.settings) is None
    assert render_site(published.settings).files_written > 0
    assert digests(published.settings.site_dir) != before

    publish.repair(published.settings)
    with mock.patch("reports.build.build_site") as asked:
        render_site(published.settings)
    told = asked.call_args.kwargs
    assert told["source_sha256"] == candidate.remembered_hash(published.settings)
    assert told["config"]["memory_limit"] == published.settings.memory_limit, (
        "pages may take all memory there is"
    )


def test_nothing_new_publishes_nothing(published: Warehouse) -> None:
    """A night without news makes a new publication, or touches pages so that they are copied to the web again."""
    before, moments = seen_by_readers(published), times(published.settings.site_dir)
    done = published.cli("nightly", "--json")
    assert done.code == 0, done.err
    assert (done.json()["published"], done.json()["dates_touched"], done.json()["known_files"]) == (
        False,
        0,
        2,
    )
    assert seen_by_readers(published) == before
    assert times(published.settings.site_dir) == moments, "pages were written again for nothing"
    assert done.json()["run_id"] is None, "Dagster was started for nothing, which takes seconds"
    assert (
        published.cli("status", CREDIT_USAGE_NOW="2026-10-04T09:00:00+00:00").out.count("nothing to do") == 1
    )
    published.settings.published_path.touch()
    before_touch = published.settings.published_path.stat().st_ino
    assert published.cli("nightly", "--json").json()["run_id"] is None, (
        "a touched file was taken for an edited one"
    )
    assert published.settings.published_path.stat().st_ino == before_touch


def test_a_look_leaves_to_the_job_what_it_cannot_judge(published: Warehouse) -> None:
    """A damaged file or a wrong price file is taken for a night without news, and nobody hears of it."""
    price_file = published.settings.data_dir / "prices.csv"
    price_file.write_text("model,meter,unit_price_usd\ngpt-4o,output,free\n", encoding="utf-8")
    assert night.look(published.with_settings(price_file=price_file).settings) is None
    assert night.look(published.settings) is not None
    with sql.connect(published.settings, published.settings.published_path) as connection:
        connection.execute("update facts.fct_run_usage set own_total_cost_usd = 0")
    assert night.look(published.settings) is None, "an edited file stays published"


# -- the lock ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def held_by_another(warehouse: Warehouse, seconds: float, run_id: str | None = None) -> Iterator[None]:
    """Another process that holds the lock for some time."""
    code = (
        "import sys, time; from pathlib import Path; from orchestration.publication.lock import ensure_lock; "
        f"ensure_lock(Path(sys.argv[1]), run_id={run_id!r}); print('held', flush=True); time.sleep({seconds})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse.settings.data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def copies_of(published: Warehouse) -> tuple[list[str], Any]:
    """Names of what the published file is copied to from now on, and the patch that notes them."""
    made: list[str] = []
    real_copy = copies.copy_file

    def noting(source: Path, target: Path) -> None:
        if source == published.settings.published_path:
            made.append(target.name)
        real_copy(source, target)

    return made, mock.patch.object(copies, "copy_file", noting)


def ahead(published: Warehouse) -> list[str]:
    """What a copy made ahead leaves in the folder of candidates."""
    return sorted(path.name for path in published.settings.warehouse_dir.glob("ahead*"))


def test_the_published_file_is_copied_once_while_files_land(published: Warehouse) -> None:
    """The copy made ahead is not used, or stays in the way of the next night."""
    drop_fourth_day(published)
    made, noted = copies_of(published)
    with noted:
        published.land()
        assert ahead(published) == ["ahead.duckdb", "ahead.json"]
        published.build(with_tests=False)
    assert made == ["ahead.duckdb"], "the candidate was copied a second time"
    assert ahead(published) == []
    published.publish(suites=False)
    assert published.query("select run_id from facts.fct_run_usage where run_id = 'req_4'") == [("req_4",)]


def test_a_copy_of_what_is_no_longer_published_is_not_built_upon(published: Warehouse) -> None:
    """A candidate starts from a file that is not the published one any more."""
    drop_fourth_day(published)
    published.land()
    # Another file of the same content: its inode tells.
    path = published.settings.published_path
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)
    made, noted = copies_of(published)
    with noted:
        published.build(with_tests=False)
    assert made == ["candidate.duckdb"]
    assert ahead(published) == []


def test_a_night_goes_on_where_no_copy_can_be_made_ahead(published: Warehouse) -> None:
    """What is only a matter of seconds ends a night, or is left half done."""
    drop_fourth_day(published)

    def half(_: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with mock.patch.object(copies, "copy_file", half):
        report = published.land()
    assert report.manifest is not None
    assert report.manifest.total("rows_loaded") == 2
    assert ahead(published) == []
    published.build(with_tests=False)
    published.publish(suites=False)
    assert published.one("select count(*) from facts.fct_run_usage where run_id = 'req_4'") == 1


def test_a_copy_made_ahead_goes_where_landing_fails_or_users_are_forgotten(published: Warehouse) -> None:
    """A copy of what is published outlives the night that it was made for."""
    drop_fourth_day(published)
    with (
        mock.patch.object(night, "ingest", side_effect=RuntimeError("not today")),
        pytest.raises(RuntimeError, match="not today"),
    ):
        published.land()
    assert ahead(published) == []
    published.land()
    assert ahead(published) != []
    night.clear_for_forgetting(published.settings)
    assert ahead(published) == [], "a user who is forgotten is named in a file that stays"


def test_a_candidate_is_on_the_disk_before_it_is_said_to_be_built(published: Warehouse) -> None:
    """After a power loss a file with holes stands beside a note that it is whole, and is published."""
    drop_fourth_day(published)
    published.land()
    with recorded() as disk:
        published.build(with_tests=False)
    assert disk.late("build.json", [published.settings.candidate_path]) == []
    with recorded() as disk:
        published.publish(suites=False)
    assert disk.late("manifest.json", [published.settings.published_path]) == []


def test_nothing_is_copied_ahead_for_a_build_from_the_lake(published: Warehouse) -> None:
    """A night that builds everything anew copies a file that it does not need."""
    published = published.with_settings(time_zone="Europe/Berlin")
    drop_fourth_day(published)
    made, noted = copies_of(published)
    with noted:
        published.land()
    assert (made, ahead(published)) == ([], [])


def test_a_second_run_says_so_and_stops(published: Warehouse) -> None:
    """Two nights at once build in one candidate."""
    before = seen_by_readers(published)
    with held_by_another(published, 60):
        for command in (
            ("nightly",),
            ("backfill", "--from", "2026-10-01", "--to", "2026-10-01"),
            ("report",),
            ("check",),
            ("rollback",),
        ):
            refused = published.cli(*command)
            assert refused.code == 3, f"{command[0]} does not end with 3: {refused}"
            assert "another run holds" in refused.err
    assert seen_by_readers(published) == before


def test_a_second_run_waits_when_asked(published: Warehouse) -> None:
    """--wait gives up at once, or waits for ever."""
    with held_by_another(published, 2):
        started = time.monotonic()
        assert published.cli("nightly", "--wait", "60").code == 0
        assert time.monotonic() - started > 1


def test_steps_of_one_run_take_turns(published: Warehouse) -> None:
    """With several landing workers each step is a process of its own: dates and pages come at once, and one of the two fails the run."""
    data_dir = published.settings.data_dir
    with held_by_another(published, 3, "run_1"):
        with pytest.raises(LockHeldError, match="of run run_1"):
            lock.ensure_lock(data_dir, run_id="run_2")
        assert lock.ensure_lock(data_dir, run_id="run_1")


# -- full builds, empty dates, time zones --------------------------------------------------------------------------------------------


def test_changed_settings_or_models_build_everything_and_say_why(published: Warehouse) -> None:
    """Old dates keep numbers of old settings beside new dates with new ones."""
    settings = published.settings
    manifests = night.Lake(settings.lake_dir).manifests()
    assert night.candidate.make_plan(settings, manifests).is_empty, "unchanged settings must not rebuild"
    changed = published.with_settings(default_charge_type="personal")
    plan = night.candidate.make_plan(changed.settings, manifests)
    assert (plan.is_full_build, plan.reason) == (
        True,
        "models changed, or the time zone, default charge type or rate card of a workspace",
    )
    with mock.patch.object(night.candidate, "fingerprint", lambda _: "another model"):
        assert night.candidate.make_plan(settings, manifests).is_full_build
    publication = changed.night(with_tests=False)
    assert publication is not None
    assert publication.manifest["is_full_build"] is True
    wallet = "select sum(wallet_cost_usd) from facts.fct_span_usage"
    assert changed.one(wallet) == 0, "unsaid charge types do not follow the setting"
    back = published.night(with_tests=False)
    assert back is not None
    assert published.one(wallet) > 0


def test_time_zone_of_a_workspace_comes_from_the_settings_file(published: Warehouse, tmp_path: Path) -> None:
    """A workspace's day is UTC's although its settings say otherwise; another workspace's day moves with it."""
    file = tmp_path / "credit_usage.toml"
    file.write_text('[workspaces.ws_b]\nname = "Bee"\ntime_zone = "America/New_York"\n', encoding="utf-8")
    env = published.environment(CREDIT_USAGE_CONFIG=str(file))
    told = Warehouse(published.root)
    told.settings = load(env)
    days = "select run_id, usage_date::varchar from facts.fct_run_usage where run_id in ('req_1', 'req_b') order by 1"
    assert published.query(days) == [("req_1", "2026-10-01"), ("req_b", "2026-10-03")]
    assert told.night(with_tests=False) is not None
    assert told.query(days) == [("req_1", "2026-10-01"), ("req_b", "2026-10-02")], (
        "02:00 UTC is the evening before in New York"
    )
    assert told.query(
        "select workspace_name, time_zone, is_configured from dimensions.dim_workspace where workspace_id = 'ws_b'"
    ) == [("Bee", "America/New_York", True)]
    spans = told.query(
        "select distinct usage_date::varchar from facts.fct_span_usage where workspace_id = 'ws_b'"
    )
    assert spans == [("2026-10-02",)], "spans do not follow their run"


def test_a_date_that_became_empty_is_emptied(published: Warehouse) -> None:
    """A run whose start was corrected to another day is counted on both."""
    drop_fourth_day(published)
    assert published.night(with_tests=False) is not None
    moved = run_row("req_4", at("2026-10-06 09:00"), updated_at="2026-10-06T10:00:00Z")
    published.drop("third/runs.jsonl", [moved])
    publication = published.night(with_tests=False)
    assert publication is not None
    assert publication.touched_dates == ("2026-10-04", "2026-10-06")
    for schema, table in published.query(
        "select table_schema, table_name from information_schema.columns where column_name = 'usage_date' "
        "and table_schema in ('facts', 'marts')"
    ):
        left = published.one(f"select count(*) from {schema}.{table} where usage_date = date '2026-10-04'")
        assert left == 0, f"{table} still holds rows of the emptied date"
    published.render()
    site = published.settings.site_dir
    assert not list(site.rglob("2026-10-04*.js")), "the site still offers the emptied day"
    assert list(site.rglob("2026-10-06*.js"))


def otlp_trace(trace_id: str, started: str) -> bytes:
    """A request with one call of a trace, in the fixture's workspace."""
    start = int(at(started).timestamp()) * 10**9
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": "9",
    }
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "chat",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**9),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    workspace = {"key": "credit_usage.workspace_id", "value": {"stringValue": "ws_a"}}
    request = {"resource": {"attributes": [workspace]}, "scopeSpans": [{"spans": [span]}]}
    return json.dumps({"resourceSpans": [request]}).encode() + b"\n"


def test_a_trace_that_is_the_missing_parent_reopens_the_childs_date(
    published: Warehouse, tmp_path: Path
) -> None:
    """A run goes on saying that its parent is missing, which a full build would not say."""
    trace_id = "c0ffee00" * 4
    published.drop("a/runs.jsonl", [run_row("child", at("2026-10-02 09:00"), parent_run_id=trace_id)])
    published.drop_bytes("a/other.jsonl", otlp_trace("0badcafe" * 4, "2026-10-03 09:00"))
    published.night(with_tests=False)
    missing = "select is_parent_missing from facts.fct_run_usage where run_id = 'child'"
    assert published.one(missing) is True
    published.drop_bytes("b/trace.jsonl", otlp_trace(trace_id, "2026-10-04 09:00"))
    publication = published.night(with_tests=False)
    assert publication is not None
    assert "2026-10-02" in publication.touched_dates
    assert published.one(missing) is False
    by_nights = tmp_path / "by-nights.duckdb"
    by_nights.write_bytes(published.settings.published_path.read_bytes())
    published.night(full=True, with_tests=False)
    assert differences(published, by_nights, published.settings.published_path) == []


def test_runs_and_spans_of_any_length_are_published(published: Warehouse) -> None:
    """A span that lasted for months, such as a workflow that waits for a person, stops every publication from then on."""
    start = at("2000-01-02 00:00")
    days = sorted({round(1.02**step, 3) for step in range(530)})
    spans = [
        call_row(
            "req_1",
            f"long-{number}",
            start,
            ended_at=(start + timedelta(days=length)).isoformat().replace("+00:00", "Z"),
        )
        for number, length in enumerate(days)
    ]
    published.drop("long/spans.jsonl", spans)
    # With its data tests: what failed was one of them.
    assert published.night() is not None
    assert published.one("select count(*) from facts.fct_span_usage where span_id like 'long-%'") == len(days)


def test_dbt_fault_is_no_fault_of_the_data(published: Warehouse) -> None:
    """An operator is sent to look for bad data when the program could not run."""
    drop_fourth_day(published)
    with mock.patch.object(dbt, "invoke", side_effect=dbt.DbtError("no such option")):
        result = published.nightly()
    assert (result.success, result.data_failed) == (False, False)
    assert "no such option" in result.failure
