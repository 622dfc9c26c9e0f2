"""`credit-usage doctor` finds what stops a night, says what to do, and is quiet where all is well."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import duckdb
import pytest

from orchestration import doctor
from orchestration.landing.contract import CONTRACT_VERSION
from orchestration.landing.lake import Lake, Manifest, Part
from orchestration.publication import candidate, preview
from orchestration.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data")
    made.warehouse_dir.mkdir(parents=True)
    return made


def found(settings: Settings, name: str) -> doctor.Finding:
    """The first finding of that name that is not ok, else the first."""
    of_name = [item for item in doctor.examine(settings) if item.name == name]
    return next((item for item in of_name if item.status != "ok"), of_name[0])


def test_a_new_folder_is_well(settings: Settings, tmp_path: Path) -> None:
    """A machine on which a night can run is called ill."""
    assert {item.status for item in doctor.examine(settings) if item.name != "published file"} == {"ok"}
    fresh = Settings(data_dir=tmp_path / "none")
    assert not [item for item in doctor.examine(fresh) if item.status == "fail"]


def test_a_damaged_published_file_fails(settings: Settings) -> None:
    """A file that readers cannot open, or that is no publication, is called well."""
    settings.published_dir.mkdir()
    settings.published_path.write_bytes(b"no database")
    assert found(settings, "published file").status == "fail"
    settings.published_path.unlink()
    duckdb.connect(str(settings.published_path)).close()
    finding = found(settings, "published file")
    assert finding.status == "fail"
    assert "nightly" in finding.advice


def test_a_lake_that_lacks_parts_or_is_newer_fails(settings: Settings) -> None:
    """A lake from which a night would build wrong numbers is called well."""
    lake = Lake(settings.lake_dir)
    lake.root.mkdir()
    part = Part("spans", "2026-10-01", ["spans/lake_date=2026-10-01/batch_seq=000001/000001.parquet"], 1)
    path = lake.root / part.files[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    lake.commit(Manifest(1, "2026-10-01T00:00:00+00:00", CONTRACT_VERSION, [], [part]))
    assert found(settings, "lake").status == "ok"
    path.unlink()
    assert "missing" in found(settings, "lake").message
    lake.commit(Manifest(1, "2026-10-01T00:00:00+00:00", CONTRACT_VERSION + 1, []))
    assert "newer version" in found(settings, "lake").message
    (lake.batches_dir / "000001.json").write_text("{")
    assert "damaged" in found(settings, "lake").message


def test_clock_disk_lock_and_leftovers_are_told(settings: Settings) -> None:
    """A clock that went backwards, a full disk, a run at work or an old candidate goes unseen."""
    lake = Lake(settings.lake_dir)
    lake.root.mkdir()
    lake.commit(Manifest(1, "2199-10-01T00:00:00+00:00", CONTRACT_VERSION, []))
    assert "before the last night" in found(settings, "clock").message
    with mock.patch.object(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20)):
        assert found(settings, "disk").status == "warn"
    (settings.warehouse_dir / "failed.duckdb").write_bytes(b"x")
    assert "failed.duckdb" in found(settings, "leftovers").message
    (settings.warehouse_dir / "failed.duckdb").unlink()
    for scratch in (candidate.scratch_path(settings, "check"), preview.scratch_path(settings)):
        scratch.parent.mkdir()
    assert found(settings, "leftovers").message == "warehouse/check, warehouse/preview"
    with (settings.data_dir / ".lock").open("w") as stream:
        stream.write("process 7")
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert found(settings, "lock").message == "held by process 7"
