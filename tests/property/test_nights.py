"""Whatever way rows arrive, the warehouse ends the same; and a night changes the dates it says it touches, and no other.

Builds cost seconds however small they are, so an example is many worlds at once and there are few examples. Shrinking would
cost more than reading: a failure names table and rows, and the seed makes the same worlds again.
"""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.settings import WorkspaceSettings
from tests.property.worlds import Ledger, World, deal, files, make_worlds
from tests.warehouse_fixture import Warehouse, changed_dates, differences

pytestmark = pytest.mark.xdist_group("property")

EXAMPLES = int(os.environ.get("CREDIT_USAGE_NIGHT_EXAMPLES", "1"))
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _configured(warehouse: Warehouse, worlds: list[World]) -> Warehouse:
    zones = {name: zone for world in worlds for name, zone in world.zones.items()}
    return warehouse.with_settings(
        workspaces={name: WorkspaceSettings(name, name, zone, "hosted") for name, zone in zones.items()}
    )


def _drop(warehouse: Warehouse, night: list, number: int, random: Random) -> None:
    for name, content in files(night, number, random).items():
        warehouse.drop_bytes(f"{number}/{name}", content)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_nights_in_any_order_equal_one_full_build(_home: Path, seed: int) -> None:
    """Rows, versions, duplicates and late parents give other numbers in another order, cut or number of nights; or a night
    rebuilds too few dates, or changes dates it does not name.
    """
    random = Random(seed)
    worlds = make_worlds(seed, 6)
    warehouse = _configured(Warehouse(_home), worlds)
    warehouse.clear()
    ledger = Ledger(worlds)
    current, kept = warehouse.settings.published_path, _home / "before.duckdb"
    for number, night in enumerate(deal(worlds, 3, random), start=1):
        _drop(warehouse, night, number, random)
        may_touch = ledger.take(night)
        kept.unlink(missing_ok=True)
        if current.exists():
            shutil.copy(current, kept)
        publication = warehouse.night(with_tests=False)
        assert publication is not None
        touched = {date.fromisoformat(day) for day in publication.touched_dates}
        assert touched <= may_touch, (
            f"night {number} rebuilds dates that nothing of it concerns: {sorted(touched - may_touch)}"
        )
        if kept.exists():
            stray = changed_dates(warehouse, kept, current) - touched
            assert not stray, f"night {number} changed dates that it does not name: {sorted(stray)}"

    incremental = _home / "incremental.duckdb"
    shutil.copy(current, incremental)
    assert warehouse.night(full=True) is not None
    found = differences(warehouse, incremental, current)
    assert not found, f"seed {seed}: nights (left) and a full build of the same lake (right) differ: {found}"

    warehouse.clear()
    everything = [entry for night in deal(worlds, 1, Random(seed + 1)) for entry in night]
    _drop(warehouse, everything, 1, Random(seed + 2))
    assert warehouse.night(with_tests=False) is not None
    found = differences(warehouse, incremental, current)
    assert not found, f"seed {seed}: nights (left) and one night with everything (right) differ: {found}"
