"""dbt in this process: 17 s instead of 49 s for a small night, because imports are paid once.

What belongs here: how dbt is called and what its results say. dbt is imported on first use (3 s).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.publication.candidate import DBT_PROJECT

if TYPE_CHECKING:
    from orchestration.settings import Settings

# Unit tests judge the code, not the data: they run in the test suite, not every night.
NIGHTLY_ARGS = ("build", "--exclude-resource-type", "unit_test")


class DbtError(RuntimeError):
    """dbt itself failed (not a test of the data); the message is dbt's."""


@dataclass(frozen=True)
class NodeResult:
    """One model or test. `status` is dbt's: success, error, skipped, pass, fail, warn. `failures` counts a test's failing rows."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    failures: int
    message: str
    severity: str

    @property
    def is_blocking_failure(self) -> bool:
        """A model that could not be built, or a test of severity error that found rows."""
        return self.status in ("error", "fail")


@contextmanager
def _environment(settings: Settings, database: Path) -> Iterator[None]:
    values = {
        "CREDIT_USAGE_CANDIDATE": str(database),
        "CREDIT_USAGE_MEMORY_LIMIT": settings.memory_limit,
        "CREDIT_USAGE_TEMP_DIR": str(settings.temp_dir),
        "CREDIT_USAGE_THREADS": str(settings.threads or os.cpu_count() or 1),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def invoke(
    settings: Settings,
    args: Sequence[str],
    *,
    database: Path | None = None,
    target_dir: Path | None = None,
    on_node: Callable[[str, int, int], None] | None = None,
) -> list[NodeResult]:
    """Run one dbt command against the candidate, or against `database`. `on_node(name, done, total)` is called as nodes finish.

    Another database wants a `target_dir` of its own: dbt parses the project anew when the path in its profile changes.

    Raises DbtError when dbt could not run; failing tests and models are results, not exceptions.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.contracts.results import RunExecutionResult  # noqa: PLC0415

    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    target = target_dir or settings.dbt_target_dir
    target.mkdir(parents=True, exist_ok=True)

    def callback(event: Any) -> None:
        if on_node and event.info.name in ("LogModelResult", "LogTestResult"):
            data = event.data
            total = data.total if hasattr(data, "total") else data.num_models
            on_node(str(data.node_info.node_name), int(data.index), int(total))

    with _environment(settings, database or settings.candidate_path):
        outcome = dbtRunner(callbacks=[callback]).invoke(
            [
                *args,
                "--project-dir",
                str(DBT_PROJECT),
                "--profiles-dir",
                str(DBT_PROJECT),
                "--target-path",
                str(target),
                "--log-path",
                str(target),
                "--no-use-colors",
                # Nothing on standard output, not even errors: it belongs to the command line, which may print JSON there.
                "--log-level",
                "none",
                # The debug log spells out each statement, at a fifth of dbt's own time; `target/run` has the SQL as files.
                "--log-level-file",
                "info",
            ]
        )
        _release_file()
    if outcome.exception is not None:
        raise DbtError(str(outcome.exception)) from outcome.exception
    if not isinstance(outcome.result, RunExecutionResult):
        return []
    return [_node_result(item) for item in outcome.result.results]


def _release_file() -> None:
    """Close dbt's connections: it would keep the candidate open for writing for as long as this process lives."""
    from dbt.adapters.factory import FACTORY  # noqa: PLC0415

    for adapter in FACTORY.adapters.values():
        adapter.connections.cleanup_all()
        close_all = getattr(type(adapter.connections), "close_all_connections", None)
        if close_all is not None:
            close_all()


def _node_result(item: Any) -> NodeResult:
    node = item.node
    config = getattr(node, "config", None)
    return NodeResult(
        unique_id=node.unique_id,
        name=node.name,
        resource_type=str(node.resource_type),
        status=str(item.status),
        seconds=float(item.execution_time or 0),
        failures=int(item.failures or 0),
        message=str(item.message or ""),
        severity=str(getattr(config, "severity", "ERROR") or "ERROR").lower(),
    )
