"""dbt in this process: 17 s instead of 49 s for a small night, because imports are paid once.

What belongs here: which commands there are and what their results say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.warehouse import manifest, runner

if TYPE_CHECKING:
    from orchestration.settings import Settings

# Unit tests judge the code, not the data: they run in the test suite, not every night.
NIGHTLY_ARGS = ("build", "--exclude-resource-type", "unit_test")
# Views that stand since the last full build: 11 nodes of some 40 ms, each of which would find that it has nothing to do.
_INCREMENTAL_ARGS = ("--selector", "without_lasting_views")


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
    checks: tuple[str, ...] = ()
    """Names of the checks that a test holds, where it holds several."""
    compiled_code: str = ""

    @property
    def is_blocking_failure(self) -> bool:
        """A model that could not be built, or a test of severity error that found rows."""
        return self.status in ("error", "fail")


def build_args(*, full: bool) -> tuple[str, ...]:
    """The command of a night."""
    return NIGHTLY_ARGS if full else (*NIGHTLY_ARGS, *_INCREMENTAL_ARGS)


def invoke(
    settings: Settings,
    args: Sequence[str],
    *,
    database: Path | None = None,
    spark_tables: Path | None = None,
    on_node: Callable[[str, int, int], None] | None = None,
) -> list[NodeResult]:
    """Run one dbt command against the candidate, or against `database`, or on Spark with tables in the folder `spark_tables`.
    `on_node(name, done, total)` is called as nodes finish.

    Raises DbtError when dbt could not run; failing tests and models are results, not exceptions. Raises ValueError where the file
    of `database` has another name than the candidate's: dbt gives it to every relation, so the project would have to be parsed for it.
    """
    from dbt.contracts.results import RunExecutionResult  # noqa: PLC0415

    path = database or settings.candidate_path
    if path.name != settings.candidate_path.name:
        raise ValueError(f"a database of dbt is named {settings.candidate_path.name}, not {path.name}")

    def callback(event: Any) -> None:
        if on_node and event.info.name in ("LogModelResult", "LogTestResult"):
            data = event.data
            total = data.total if hasattr(data, "total") else data.num_models
            on_node(str(data.node_info.node_name), int(data.index), int(total))

    try:
        # What is kept of a parse is for DuckDB: relations are named in other ways on Spark. dbt's own cache serves there.
        project = None if spark_tables else manifest.parsed(settings)
    except manifest.ParseError as error:
        raise DbtError(str(error)) from error
    # Without `--no-write-json` dbt would write its manifest, 4 MB, with each command.
    outcome = runner.run(
        settings,
        [*args, "--no-write-json"],
        database=path,
        spark_tables=spark_tables,
        manifest=project,
        callback=callback,
    )
    if outcome.exception is not None:
        raise DbtError(str(outcome.exception)) from outcome.exception
    if not isinstance(outcome.result, RunExecutionResult):
        return []
    return [_node_result(item) for item in outcome.result.results]


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
        checks=tuple((getattr(config, "meta", None) or {}).get("checks", ())),
        compiled_code=str(getattr(node, "compiled_code", None) or ""),
    )
