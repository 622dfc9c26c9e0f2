"""dbt's data tests as check results: one for each check that a test holds, by its own name.

What belongs here: what a test's outcome says of each of its checks. A test made by the macro `all_checks` holds many; only where it
fails they are told apart, by running its statement once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import sql
from orchestration.quality.results import EXAMPLE, CheckResult, printable
from orchestration.sql import identifier

if TYPE_CHECKING:
    from orchestration.settings import Settings
    from orchestration.warehouse.dbt import NodeResult


def check_results(settings: Settings, database: Path, nodes: Iterable[NodeResult]) -> list[CheckResult]:
    """The tests among the nodes, and what else failed, as check results. `database` is what the tests judged."""
    results: list[CheckResult] = []
    for node in nodes:
        if node.resource_type != "test" and not node.is_blocking_failure:
            continue
        if node.checks and node.status in ("fail", "warn"):
            results += _told_apart(settings, database, node)
        else:
            results += [_whole(node, name) for name in node.checks or (node.name,)]
    return results


def _whole(node: NodeResult, name: str) -> CheckResult:
    passed = node.status in ("pass", "success")
    return CheckResult(
        name=name,
        severity="warning" if node.severity == "warn" else "blocking",
        passed=passed,
        failures=0 if passed else max(node.failures, 1),
        message="passed" if passed else (node.message or node.status)[:500],
    )


def _told_apart(settings: Settings, database: Path, node: NodeResult) -> list[CheckResult]:
    """Every check of a failed test, with the rows that break it."""
    with sql.connect(settings, database, read_only=True) as connection:
        # dbt's statements name the database by its file.
        connection.execute(f"use {identifier(database.stem)}")
        rows = connection.execute(f"""
            select check_name, count(*), min(failing_row)
            from ({node.compiled_code})
            group by check_name
        """).fetchall()
    broken = {str(name): (int(count), printable(example, 300)) for name, count, example in rows}
    results = []
    for name in node.checks:
        count, example = broken.get(name, (0, ""))
        noun = "row breaks it" if count == 1 else "rows break it"
        results.append(
            CheckResult(
                name=name,
                severity="warning" if node.severity == "warn" else "blocking",
                passed=count == 0,
                failures=count,
                message=f"{count:,} {noun}{EXAMPLE}{example}" if count else "passed",
            )
        )
    return results
