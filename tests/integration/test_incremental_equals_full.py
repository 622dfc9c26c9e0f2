"""Any sequence of nights must end in the warehouse that a full build of the same lake gives, row for row."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import pytest

from tests.integration import hostile_exports
from tests.integration.nights import Nights, differences

NIGHTS = 4


@pytest.mark.parametrize("seed", [11])
def test_nights_equal_a_full_build(tmp_path: Path, seed: int) -> None:
    """Late, moved, repeated, circular and missing runs over several nights, then a requested date: the same
    rows as built at once."""
    random = Random(seed)
    nights = Nights(tmp_path / "nights", hostile_exports.CONFIG)
    for number in range(NIGHTS):
        runs, spans = hostile_exports.night(random)
        nights.land(f"night-{number}", runs=runs, spans=spans)
        told_runs, told_spans = hostile_exports.story(number)
        nights.land(f"story-{number}", runs=told_runs, spans=told_spans)
        built = nights.night()
        assert not built.failures, f"night {number} of seed {seed} must pass its own tests"
        assert built.plan.is_full_build == (number == 0), "only the first night builds everything"
    requested = nights.night(requested_dates=[date(2026, 3, 29)])
    assert requested.touched_dates == [date(2026, 3, 29)], (
        "a night without new files rebuilds the requested dates, nothing else"
    )

    full = nights.rebuilt(tmp_path / "full")
    assert full.night().plan.is_full_build
    assert differences(nights, full) == {}, (
        f"seed {seed}: rows differ between {NIGHTS} nights and one full build"
    )
