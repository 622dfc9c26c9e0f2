"""The suites in a process of their own say what they say here, and its loss costs nothing but time."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.quality import ahead
from orchestration.quality.runner import run_suites
from tests import quality_fixture

AS_OF = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the command of a night; this process may have run suites before."""
    monkeypatch.setattr(ahead, "_is_imported", lambda: False)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quality_fixture.build(tmp_path_factory.mktemp("ahead") / "candidate.duckdb")


def test_results_are_those_of_this_process(database: Path) -> None:
    """A night of the command line judges otherwise than one that Dagster starts."""
    here = run_suites(database, dates=None, as_of=AS_OF)
    ahead.start()
    (process, _) = ahead._waiting[0]
    there = ahead.run_suites(database=database, dates=None, as_of=AS_OF)
    assert [item.as_dict() for item in there] == [item.as_dict() for item in here]
    assert process.exitcode == 0, "the process does not end well"
    assert not ahead._waiting


def test_a_lost_process_costs_only_time(database: Path) -> None:
    """The night fails, or is published unjudged, because the machine killed the process of the suites."""
    ahead.start()
    (process, _) = ahead._waiting[0]
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    there = ahead.run_suites(database=database, dates=None, as_of=AS_OF)
    assert [item.name for item in there] == [
        item.name for item in run_suites(database, dates=None, as_of=AS_OF)
    ]


def test_an_error_there_is_an_error_here(tmp_path: Path) -> None:
    """What stops the suites is taken for a passed audit."""
    ahead.start()
    with pytest.raises(RuntimeError, match="no database file"):
        ahead.run_suites(database=tmp_path / "none.duckdb", dates=None)


def test_it_ends_with_the_night() -> None:
    """A killed night leaves a process behind that holds 200 MB until the machine is started again."""
    ahead.start()
    process, connection = ahead._waiting.pop()
    # What the system does with the files of a killed process.
    connection.close()
    deadline = time.monotonic() + 60
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.exitcode == 0, "it waits on, though nobody can ask it any more"
