"""Whoever reads while a night publishes sees one publication, whole, and never an error."""

from __future__ import annotations

import pytest

from tests.soak import readers
from tests.warehouse_fixture import Warehouse

pytestmark = pytest.mark.xdist_group("publication")

PUBLICATIONS = 10


def test_readers_see_one_publication_at_a_time(published: Warehouse) -> None:
    """A reader meets a file that is locked, half written or gone, or a query mixes two publications."""
    watched = readers.watch(published, PUBLICATIONS)
    assert watched.faults == []
    assert len(watched.seen) == readers.READERS
    assert max(watched.seen) > PUBLICATIONS, "no reader saw all publications: nothing was proved"
