"""dbt's unit tests judge the code of the models; a night leaves them out, the test suite does not."""

from __future__ import annotations

from pathlib import Path

from orchestration.warehouse import dbt
from tests.integration import hostile_exports
from tests.integration.nights import Nights


def test_every_dbt_unit_test_passes(tmp_path: Path) -> None:
    """Each rule of arithmetic in the models gives the rows that its unit test expects."""
    nights = Nights(tmp_path)
    runs, spans = hostile_exports.story(0)
    nights.land("export", runs=runs, spans=spans)
    nights.prepare()
    # Fixtures take their columns from the relations that they stand for, so these must exist.
    built = dbt.invoke(nights.settings, ["run"])
    assert not [item.name for item in built if item.is_blocking_failure], "every model must build"
    results = dbt.invoke(nights.settings, ["test", "--select", "test_type:unit"])
    assert results, "dbt found no unit test at all"
    failed = [f"{item.name}: {item.status} {item.message}" for item in results if item.status != "pass"]
    assert not failed, "\n".join(failed)
