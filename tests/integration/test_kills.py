"""Killed at any moment, a night leaves the old publication or the new one, and the next night ends as if nothing had happened.

The long form, with moments of all kinds, is `python -m tests.soak kills`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak import kills
from tests.warehouse_fixture import Warehouse

pytestmark = [
    pytest.mark.xdist_group("publication"),
    pytest.mark.skipif(sys.platform != "linux", reason="signals and exchanges of names as Linux has them"),
]


@pytest.fixture(scope="module")
def sweep(_first_night: Path, _home: Path, tmp_path_factory: pytest.TempPathFactory) -> kills.Sweep:
    """A publication, new files, and the uninterrupted night on them."""
    warehouse = Warehouse(_home)
    warehouse.restore(_first_night)
    kills.drop_new_files(warehouse)
    made = kills.Sweep(warehouse, tmp_path_factory.mktemp("builds"), dbt_args=("run",), is_strict=False)
    made.watch()
    return made


@pytest.mark.parametrize("number", range(8))
def test_a_killed_night_is_made_good_by_the_next(sweep: kills.Sweep, number: int) -> None:
    """After a power cut readers see half a night, or the next night counts something twice or leaves something out."""
    assert sweep.kill(kills.crucial(sweep.watched)[number]) == []
