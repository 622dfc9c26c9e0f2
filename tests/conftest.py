"""Fixtures of the tests that run nights. The helpers are in `tests/warehouse_fixture.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import collector
from tests.warehouse_fixture import Warehouse, three_days

# As the command does: dbt, Dagster and Great Expectations make a great many objects that stay.
collector.relax()


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture
def warehouse(_home: Path) -> Iterator[Warehouse]:
    """An empty data folder."""
    made = Warehouse(_home)
    made.clear()
    yield made
    made.release_lock()


@pytest.fixture(scope="session")
def _first_night(_home: Path) -> Path:
    """The data folder after one real night (Dagster, suites, reports) on `three_days`."""
    made = Warehouse(_home)
    made.clear()
    runs, spans = three_days()
    made.drop("first/runs.jsonl", runs)
    made.drop("first/spans.jsonl", spans)
    result = made.nightly()
    assert result.success, result.failure
    return made.save("first-night")


@pytest.fixture
def published(_first_night: Path, warehouse: Warehouse) -> Warehouse:
    """A data folder in which `three_days` was published as 000001, site included."""
    warehouse.restore(_first_night)
    return warehouse
