"""Nights with faults in them, and which checks found them.

What belongs here: planting and judging. What does not: the faults (`corpus.py`). One history is built and one clean night upon it;
faults of exports get nights of their own upon the same history, many in a night, each in a workspace of its own; faults of the build
are planted into copies of the clean candidate.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest import mock

import duckdb

from orchestration import night
from orchestration.quality.audit import audit
from orchestration.quality.reconciliation import IDENTITIES
from orchestration.quality.results import CheckResult, Severity
from orchestration.quality.suites import declared_rules
from orchestration.sql import literal
from orchestration.warehouse import dbt, runner
from orchestration.warehouse.manifest import parsed, read_manifest
from tests.faults.corpus import EXPORT_FAULTS, BuildFault, ExportFault, Fault
from tests.faults.exports import HOUSE, NOW, TONIGHT, clean, drop_history
from tests.warehouse_fixture import Warehouse

WORKSPACES = [f"ws_{number:02d}" for number in range(15)]
NIGHTS = 3
"""Into which the faults of exports are dealt."""
_SAME_CHECK = 3
"""Faults of one check in a night: a message names as many examples."""


def nights() -> list[dict[str, ExportFault]]:
    """Faults of exports by workspace, night by night: of one check at most so many in a night that each is named."""
    dealt: list[dict[str, ExportFault]] = [{} for _ in range(NIGHTS)]
    checks: list[Counter[str]] = [Counter() for _ in range(NIGHTS)]
    for fault in EXPORT_FAULTS:
        chosen = min(
            (
                number
                for number in range(NIGHTS)
                if not (fault.workspace and fault.workspace in dealt[number])
                and checks[number][fault.check] < _SAME_CHECK
            ),
            key=lambda number: (checks[number][fault.check], len(dealt[number])),
        )
        workspace = fault.workspace or next(name for name in WORKSPACES if name not in dealt[chosen])
        dealt[chosen][workspace] = fault
        checks[chosen][fault.check] += 1
    return dealt


def where(check: str, manifest_names: Iterable[str]) -> tuple[str, Severity]:
    """Which part of the audit a check belongs to, and its severity. Raises LookupError for a check that there is not."""
    for rule in declared_rules():
        if rule.name == check:
            landing = check.startswith("landing_files__")
            return ("landing suite" if landing else "suite"), rule.severity
    if any(identity.name == check for identity in IDENTITIES):
        return "reconciliation", "blocking"
    if check in manifest_names:
        return "dbt test", "blocking"
    raise LookupError(f"there is no check {check}")


def blocking_data_tests(warehouse: Warehouse) -> list[str]:
    """Names of the checks of data tests that block."""
    nodes = read_manifest(warehouse.settings)["nodes"].values()
    return [
        name
        for node in nodes
        if node["resource_type"] == "test" and node["config"]["severity"].lower() == "error"
        for name in node["config"]["meta"].get("checks") or [node["name"]]
    ]


@dataclass
class Ground:
    """The history, published, and what a clean night makes of it."""

    warehouse: Warehouse
    base: Path

    @classmethod
    def build(cls, warehouse: Warehouse) -> Ground:
        """Publish the history."""
        warehouse.clear()
        drop_history(warehouse, [*WORKSPACES, HOUSE])
        warehouse.land()
        warehouse.build(with_tests=False)
        warehouse.publish(suites=False)
        return cls(warehouse, warehouse.save("faults-base"))

    def night(self, faults: dict[str, ExportFault], *, with_dbt_tests: bool) -> list[CheckResult]:
        """Tonight upon the history, these faults in these workspaces: every check, nothing published."""
        self.warehouse.restore(self.base)
        for workspace in [*WORKSPACES, HOUSE]:
            export = clean(workspace, TONIGHT)
            if workspace in faults:
                faults[workspace].plant(export)
            export.drop(self.warehouse)
        self.warehouse.land()
        night.prepare(self.warehouse.settings, run_id="faults")
        args = dbt.NIGHTLY_ARGS if with_dbt_tests else ("run",)
        with mock.patch.object(dbt, "NIGHTLY_ARGS", args):
            built = night.build(self.warehouse.settings)
        return [*built.checks, *night.audit(self.warehouse.settings)]


def names_workspace(result: CheckResult, workspace: str) -> bool:
    """Whether a failed check tells whose fault it is."""
    return any(workspace in str(text) for text in (result.message, *result.details.values()))


class Candidate:
    """A clean candidate of which faulty copies are made."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self._warehouse = warehouse
        self._clean = folder / "clean.duckdb"
        shutil.copyfile(warehouse.settings.candidate_path, self._clean)
        # dbt's SQL names its database by the candidate's name.
        self._faulty = folder / "faulty" / warehouse.settings.candidate_path.name
        self._faulty.parent.mkdir(exist_ok=True)
        self._tests = self._compiled()

    def _compiled(self) -> dict[str, str]:
        """SQL of dbt's data tests as tonight's build runs it."""
        settings = self._warehouse.settings
        outcome = runner.run(
            settings,
            ["compile", "--select", "test_type:data", "--no-write-json"],
            database=settings.candidate_path,
            manifest=parsed(settings),
        )
        assert outcome.success, outcome.exception
        # One statement holds many checks: each is asked for its own rows.
        return {
            check: f"select * from ({item.node.compiled_code}) where {f'check_name = {literal(check)}' if many else 'true'}"
            for item in outcome.result.results  # type: ignore[union-attr]
            for many in [item.node.config.meta.get("checks")]
            for check in many or [item.node.name]
        }

    def plant(self, faults: Sequence[BuildFault]) -> Path:
        """A copy with these faults; each must really change something."""
        shutil.copyfile(self._clean, self._faulty)
        with duckdb.connect(str(self._faulty)) as connection:
            for fault in faults:
                for statement in fault.sql:
                    row = connection.execute(statement.format(night=f"date '{TONIGHT}'")).fetchone()
                    if statement.startswith(("update", "delete", "insert")):
                        changed = row[0] if row else 0
                        assert changed > 0, f"{fault.name} was not planted: {statement}"
        return self._faulty

    def failing_tests(self, faults: Sequence[BuildFault], names: Iterable[str]) -> set[str]:
        """Those of the named data tests that fail on a copy with these faults."""
        with duckdb.connect(str(self.plant(faults)), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return {
                name
                for name in names
                if connection.execute(f"select 1 from ({self._tests[name]}) limit 1").fetchone()
            }

    def audited(self, faults: Sequence[BuildFault], *, days_later: int = 0) -> list[CheckResult]:
        """Suites and reconciliation of a copy with these faults, some days later."""
        as_of = NOW + timedelta(days=days_later)
        return audit(self._warehouse.settings, self.plant(faults), [TONIGHT], as_of=as_of)


def finds(fault: Fault, results: Iterable[CheckResult], workspace: str = "") -> bool:
    """Whether the fault's own check failed, and names the workspace where there is one."""
    return any(
        result.name == fault.check
        and not result.passed
        and (not workspace or names_workspace(result, workspace))
        for result in results
    )
