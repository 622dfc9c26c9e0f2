"""Every planted fault is found by the check that is named for it, before anything is published; a clean night raises none.

The short form plants every fault of the build and one night of faults of exports. `CREDIT_USAGE_FAULT_NIGHTS=all` (`make soak`) plants
all of them, with dbt's tests in every night.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import night
from orchestration.quality.reconciliation import reconcile
from orchestration.quality.results import blocking_failures
from orchestration.settings import REPOSITORY
from tests.faults import table
from tests.faults.corpus import BUILD_FAULTS, EXPORT_FAULTS, FAULTS, TIME_FAULTS
from tests.faults.exports import NOW, TONIGHT
from tests.faults.harness import Candidate, Ground, blocking_data_tests, finds, nights, where
from tests.warehouse_fixture import Warehouse, digests

pytestmark = pytest.mark.xdist_group("faults")

ALL = os.environ.get("CREDIT_USAGE_FAULT_NIGHTS") == "all"
SHORT_NIGHT = 1
"""The night of the short form: faults that block and faults that warn are in it."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDIT_USAGE_NOW", NOW.isoformat())
        warehouse = Warehouse(tmp_path_factory.mktemp("faults"))
        yield Ground.build(warehouse)
        warehouse.release_lock()


def test_a_clean_night_raises_nothing_and_faults_of_the_build_are_found(
    ground: Ground, tmp_path: Path
) -> None:
    """A check cries on a sound night, or a wrong model passes the check that is there for it."""
    results = ground.night({}, with_dbt_tests=ALL)
    assert {result.name: result.message for result in results if not result.passed} == {}
    of_dbt = blocking_data_tests(ground.warehouse)
    candidate = Candidate(ground.warehouse, tmp_path)
    assert candidate.failing_tests([], of_dbt) == set()
    assert len(results) + len(of_dbt) > 200, "the checks did not run"

    kinds = {fault: where(fault.check, of_dbt) for fault in BUILD_FAULTS}
    assert {severity for _, severity in kinds.values()} == {"blocking"}, "a wrong model must not be published"
    missed = []
    in_suites = [fault for fault, (kind, _) in kinds.items() if kind == "suite"]
    audited = candidate.audited(in_suites)
    for fault, (kind, _) in kinds.items():
        if kind == "suite":
            found = finds(fault, audited)
        elif kind == "reconciliation":
            found = finds(fault, reconcile(candidate.plant([fault]), dates=[TONIGHT]))
        else:
            found = bool(candidate.failing_tests([fault], [fault.check]))
        if not found:
            missed.append(f"{fault.name}: not found by {fault.check}")
    later = candidate.audited([], days_later=max(fault.days for fault in TIME_FAULTS))
    missed += [
        f"{fault.name}: not found by {fault.check}" for fault in TIME_FAULTS if not finds(fault, later)
    ]
    assert not missed


@pytest.mark.parametrize("number", range(len(nights())) if ALL else [SHORT_NIGHT])
def test_faults_of_exports_are_found_before_publication(ground: Ground, number: int) -> None:
    """A wrong export is published and nobody hears of it, or the check that fails does not say whose export it is."""
    faults = nights()[number]
    results = ground.night(faults, with_dbt_tests=ALL)
    failed = sorted({result.name for result in results if not result.passed})
    missed = [
        f"{fault.name} in {workspace}: not found by {fault.check}"
        for workspace, fault in faults.items()
        if not finds(fault, results, workspace)
    ]
    assert not missed, f"failed instead: {failed}"

    of_dbt = blocking_data_tests(ground.warehouse)
    blocking = {fault.check for fault in faults.values() if where(fault.check, of_dbt)[1] == "blocking"}
    assert blocking <= {result.name for result in blocking_failures(results)}
    assert blocking, "no fault of this night blocks: it does not show that nothing is published"
    before = digests(ground.warehouse.settings.published_dir)
    with pytest.raises(night.AuditFailedError, match=sorted(blocking)[0]):
        night.release(ground.warehouse.settings)
    assert digests(ground.warehouse.settings.published_dir) == before, (
        "a night with a blocking fault was published"
    )


def test_the_corpus_is_whole() -> None:
    """A fault is planted in no night, twice, or under the name of another; or there are fewer than were promised."""
    planted = [fault for dealt in nights() for fault in dealt.values()]
    assert sorted(map(id, planted)) == sorted(map(id, EXPORT_FAULTS))
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 40


def test_the_table_of_faults_is_documented(ground: Ground) -> None:
    """The documentation names a check that is not there, or leaves a fault out: `python -m tests.faults.table` writes it."""
    text = (REPOSITORY / table.PAGE).read_text(encoding="utf-8")
    assert text == table.page(text, ground.warehouse), "run `make docs`"
