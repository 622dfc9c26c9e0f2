"""How the suite is spread over its workers."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("kept_together")
def test_groups_are_kept_together(request: pytest.FixtureRequest) -> None:
    """Tests of a group go to all workers, and what one of them made is made again by the others: a quarter of the suite's time."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("no workers with groups: run with -n 2 --dist loadgroup")
    assert request.node.nodeid.endswith("@kept_together"), "this pytest-xdist does not know this pytest"
