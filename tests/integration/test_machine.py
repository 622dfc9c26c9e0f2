"""The machine in trouble: a disk that is full, a lake that cannot be written."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from orchestration import night
from orchestration.settings import Settings
from tests.integration.test_publication import drop_fourth_day, seen_by_readers
from tests.warehouse_fixture import Outcome, Warehouse

pytestmark = pytest.mark.xdist_group("publication")

MEGABYTE = 1 << 20


@contextmanager
def mounted(target: Path, *arguments: str) -> Iterator[None]:
    """Something mounted at a folder; the test is skipped where that is not allowed."""
    made = subprocess.run(["mount", *arguments, str(target)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: Dagster's processes that copy a step's output end a moment after it.
        subprocess.run(["umount", "--lazy", str(target)], check=True)


def remount(target: Path, options: str) -> None:
    """Change a mount."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(target)], check=True)


def failing(warehouse: Warehouse) -> Outcome:
    """A night that cannot go well; Dagster's retries of the landing do not wait."""
    with mock.patch("time.sleep"):
        return warehouse.cli("nightly")


# -- no room -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["for the copy", "for the build"])
def test_a_full_disk_changes_nothing_and_the_night_after_is_good(
    published: Warehouse, tmp_path: Path, room: str
) -> None:
    """A disk that fills up leaves half a publication, or calls the data bad, or its night cannot be made up for."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=1g", "tmpfs"):
        warehouse = Warehouse(disk)
        warehouse.settings = Settings(data_dir=disk / "data", settle_seconds=0.0, threads=1)
        shutil.copytree(published.settings.data_dir, warehouse.settings.data_dir)
        drop_fourth_day(warehouse)
        before = seen_by_readers(warehouse)
        spare = 3 * MEGABYTE
        if room == "for the build":
            spare += warehouse.settings.published_path.stat().st_size
        remount(disk, f"size={shutil.disk_usage(disk).used + spare}")
        failed = failing(warehouse)
        assert failed.code == 2, f"a full disk is no fault of the data: {failed}"
        assert "Traceback" not in failed.err, failed.err
        assert any(word in failed.err for word in ("space", "disk")), f"the cause is not told: {failed.err}"
        assert seen_by_readers(warehouse) == before
        remount(disk, "size=1g")
        assert seen_by_readers(warehouse) == before
        warehouse.land()
        plan = night.prepare(warehouse.settings, run_id="test")
        assert plan.new_batches == (2,), "what landed is lost, or taken for published"
        if room == "for the build":
            warehouse.build(with_tests=False)
            warehouse.publish(suites=False)
            assert warehouse.one("select count(*) from facts.fct_run_usage where run_id = 'req_4'") == 1


def test_a_file_that_may_not_grow_stops_the_night(published: Warehouse) -> None:
    """The same where nothing can be mounted: the copy of the published file meets a limit."""
    drop_fourth_day(published)
    before = seen_by_readers(published)
    published.land()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (published.settings.published_path.stat().st_size // 2, hard))
    try:
        failed = published.cli("nightly")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed.code == 2, failed
    assert os.strerror(errno.EFBIG) in failed.err, failed.err
    assert seen_by_readers(published) == before
    plan = night.prepare(published.settings, run_id="test")
    assert plan.new_batches == (2,), "the batch is not applied on the next night"


# -- a lake that cannot be written ---------------------------------------------------------------------------------------------------


def told(outcome: Outcome) -> dict[str, Any]:
    return {item["name"]: item["status"] for item in outcome.json()["findings"]}


def test_a_read_only_lake_stops_the_night_and_nothing_else(published: Warehouse) -> None:
    """New files are lost or marked, or what only reads stops as well."""
    drop_fourth_day(published)
    before = seen_by_readers(published)
    lake = published.settings.lake_dir
    with mounted(lake, "--bind", str(lake)):
        remount(lake, "bind,ro")
        failed = failing(published)
        assert failed.code == 2, failed
        assert os.strerror(errno.EROFS) in failed.err, failed.err
        assert seen_by_readers(published) == before
        status = published.cli("status", "--json")
        assert status.code == 0, status.err
        assert status.json()["waiting"]["files"] == 2, "the new files do not wait"
        doctor = published.cli("doctor", "--json")
        assert told(doctor)["permissions"] == "fail"
        assert published.cli("report", "--force").code == 0
    report = published.land()
    assert report.manifest is not None, "the new files are known although they never landed"
    assert report.manifest.total("rows_loaded") == 2


def test_a_lake_that_refuses_files_loses_none(published: Warehouse) -> None:
    """The same where nothing can be mounted: folders of the lake cannot be made."""
    drop_fourth_day(published)
    real = Path.mkdir

    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        if path.is_relative_to(published.settings.lake_dir):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real(path, *arguments, **options)

    with mock.patch.object(Path, "mkdir", refuse), pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        published.land()
    report = published.land()
    assert report.manifest is not None
    assert report.manifest.total("rows_loaded") == 2
