"""Landing in several processes: the same lake as by one, whoever reads what and however often."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from orchestration.landing import parallel
from orchestration.landing.ingest import BUILDING, ingest
from orchestration.landing.lake import Lake, LakeError
from orchestration.landing.parallel import OvertakenError
from tests.warehouse_fixture import Warehouse, at, digests, jsonl, run_row, three_days

NOW = datetime(2026, 10, 4, tzinfo=UTC)
RECORDINGS = Path(__file__).parents[1] / "recordings"
CACHES = ("seen.json",)


def drop_many(warehouse: Warehouse) -> None:
    """Files of several kinds that are read apart: some together, some damaged, with copies and older versions among them."""
    runs, spans = three_days()
    warehouse.drop("a/runs.jsonl", runs)
    warehouse.drop("b/runs.jsonl", [*runs[:2], run_row("req_new", at("2026-10-02 08:00"))])
    warehouse.drop("a/spans.jsonl", spans)
    warehouse.drop(
        "b/spans.jsonl.gz",
        [*spans[2:4], {"run_id": 7}, {"run_id": "x", "span_id": "y", "input_tokens": "many"}],
    )
    warehouse.drop_bytes("c/cut.jsonl.gz", gzip.compress(jsonl(runs), mtime=0)[:-9])
    warehouse.drop_bytes("c/bad.jsonl", b'{"run_id": "open\n' + jsonl(runs[3:]))
    warehouse.drop_bytes(
        "c/runs.csv",
        b"run_id,workspace_id,run_type,status,started_at\nreq_csv,ws_a,prompt,completed,2026-10-01\n",
    )
    for number, path in enumerate(sorted(RECORDINGS.glob("*.jsonl"))[:3]):
        shutil.copy(path, warehouse.settings.landing_dir / f"otel-{number}.jsonl")
    # Of files that disagree the one written later wins: both sides must have the same times.
    for number, path in enumerate(sorted(warehouse.settings.landing_dir.rglob("*"))):
        os.utime(path, (1_790_000_000 + number, 1_790_000_000 + number))


def lake_of(warehouse: Warehouse) -> dict[str, str]:
    """Every file of a lake by its bytes, caches excepted."""
    return {
        name: digest for name, digest in digests(warehouse.settings.lake_dir).items() if name not in CACHES
    }


@pytest.fixture
def alone(tmp_path: Path) -> Warehouse:
    """A lake that one process landed."""
    made = Warehouse(tmp_path / "alone")
    drop_many(made)
    assert ingest(made.settings, now=NOW).manifest
    return made


@pytest.fixture
def shared_work(tmp_path: Path) -> Warehouse:
    """The same files, not landed yet, for several workers."""
    made = Warehouse(tmp_path / "many").with_settings(landing_workers=2)
    drop_many(made)
    return made


def test_several_processes_make_the_same_lake(alone: Warehouse, shared_work: Warehouse) -> None:
    """Bytes, counts and quarantine must not tell how many processes read the files."""
    told: list[int] = []
    report = parallel.ingest(
        shared_work.settings, now=NOW, progress=lambda _label, done, _total: told.append(done)
    )
    assert report.manifest is not None
    assert lake_of(shared_work) == lake_of(alone)
    assert report.manifest.total("rows_quarantined") > 2
    assert [entry.path for entry in report.unreadable] == ["c/cut.jsonl.gz"]
    assert len(told) > 3, "there was one group only: nothing was read in parallel"
    assert parallel.ingest(shared_work.settings, now=NOW).manifest is None, (
        "a second landing loads the files again"
    )
    assert not (shared_work.settings.lake_dir / BUILDING).exists()


def test_a_group_that_several_workers_read_counts_once(alone: Warehouse, shared_work: Warehouse) -> None:
    """A worker that was thought dead may come back: whichever order, each file must be loaded once."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    numbers = [*range(1, division.groups + 1)] * 2
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(lambda number: parallel.read_group(settings, division.token, number), reversed(numbers))
        )
    assert parallel.unite(settings, division.token, now=NOW).manifest
    assert lake_of(shared_work) == lake_of(alone)
    with pytest.raises(OvertakenError, match="nothing of this one was committed"):
        parallel.unite(settings, division.token, now=NOW)
    with pytest.raises(OvertakenError):
        parallel.read_group(settings, division.token, 1)


def test_a_group_that_nobody_read_is_not_forgotten(shared_work: Warehouse) -> None:
    """A missing result must stop the landing, and leave all files for the next night."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    for number in range(1, division.groups):
        parallel.read_group(settings, division.token, number)
    with pytest.raises(FileNotFoundError, match=r"result\.json"):
        parallel.unite(settings, division.token)
    assert not Lake.of(settings).manifests()
    assert parallel.ingest(settings).manifest


def test_what_stops_a_commit_is_told(shared_work: Warehouse) -> None:
    """Who cannot commit must hear why, and not that another landing began; nothing is lost."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    for number in range(1, division.groups + 1):
        parallel.read_group(settings, division.token, number)
    with (
        mock.patch.object(Lake, "commit", side_effect=LakeError("no")),
        pytest.raises(LakeError, match=r"^no$"),
    ):
        parallel.unite(settings, division.token)
    assert not Lake.of(settings).manifests()
    assert parallel.ingest(settings).manifest
    assert not (settings.lake_dir / BUILDING).exists()


def test_another_landing_in_between_wins(alone: Warehouse, shared_work: Warehouse) -> None:
    """A landing whose workers were overtaken must commit nothing: the other one has loaded the same files."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    parallel.read_group(settings, division.token, 1)
    assert ingest(settings, now=NOW).manifest
    for number in range(1, division.groups + 1):
        with pytest.raises(OvertakenError):
            parallel.read_group(settings, division.token, number)
    with pytest.raises(OvertakenError):
        parallel.unite(settings, division.token)
    assert lake_of(shared_work) == lake_of(alone)


def test_a_lake_that_changed_in_between_is_noticed(shared_work: Warehouse) -> None:
    """Rows are judged by the batches that were there: another one must stop the landing, even if it left the workers' files alone."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    for number in range(1, division.groups + 1):
        parallel.read_group(settings, division.token, number)
    building = settings.lake_dir / BUILDING
    building.rename(building.with_name("aside"))
    assert ingest(settings, now=NOW).manifest
    building.with_name("aside").rename(building)
    with pytest.raises(OvertakenError, match="changed while its new files were read"):
        parallel.unite(settings, division.token)


def test_a_file_that_changes_before_it_is_read_waits(shared_work: Warehouse) -> None:
    """A worker must not read other bytes than those that were found new."""
    settings = shared_work.settings
    division = parallel.divide(settings)
    path = settings.landing_dir / "c/runs.csv"
    path.write_bytes(path.read_bytes() + b"req_later,ws_a,prompt,completed,2026-10-01\n")
    for number in range(1, division.groups + 1):
        parallel.read_group(settings, division.token, number)
    report = parallel.unite(settings, division.token)
    assert [(item.name, item.reason) for item in report.skipped] == [
        ("c/runs.csv", "changed while it was read")
    ]
    report = parallel.ingest(settings)
    assert report.manifest is not None
    assert [entry.path for entry in report.manifest.files] == ["c/runs.csv"]


def test_dagster_reads_each_group_in_a_step_of_its_own(tmp_path: Path) -> None:
    """In a deployment each group must be a step that any executor runs, in whichever process, and the lake the same."""
    alone, shared_work = Warehouse(tmp_path / "alone"), Warehouse(tmp_path / "many")
    runs, spans = three_days()
    for each in (alone, shared_work):
        for number, (name, rows) in enumerate((("runs.jsonl", runs), ("spans.jsonl", spans))):
            os.utime(each.drop(name, rows), (1_790_000_000 + number, 1_790_000_000 + number))
    assert ingest(alone.settings, now=NOW).manifest
    home = shared_work.root / "dagster"
    home.mkdir()
    environment = shared_work.environment(
        CREDIT_USAGE_LANDING_WORKERS="2", CREDIT_USAGE_NOW=NOW.isoformat(), DAGSTER_HOME=str(home)
    )
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-j", "landing", "-m", "orchestration.definitions"],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-3000:]
    assert lake_of(shared_work) == lake_of(alone)
    steps = {step for step in range(1, 20) if f"read_landing_files[group_{step}]" in told}
    assert len(steps) == 2, f"files were not read in steps of their own: {told[-3000:]}"
    processes = {
        line.split(" - ")[5]
        for line in told.splitlines()
        if "read_landing_files[" in line and "STEP_START" in line
    }
    assert len(processes) > 1, "all steps ran in one process"
