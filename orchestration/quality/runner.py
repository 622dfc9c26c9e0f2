"""Runs the suites of `suites` over a DuckDB file with Great Expectations and translates what comes back.

What belongs here: the translation in both directions. What does not: any rule. Great Expectations runs in
memory: no project folder, no Data Docs, no telemetry, no progress bars; the file is opened read-only and
closed again.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration.quality.database import connection_config
from orchestration.quality.results import EXAMPLE, CheckResult, JsonScalar, check_error, printable
from orchestration.quality.suites import (
    Expectation,
    NoResult,
    NoRows,
    Rule,
    ShareAtMost,
    Suite,
    build_suites,
)
from orchestration.quality.thresholds import DEFAULT_THRESHOLDS, Thresholds

logger = logging.getLogger(__name__)

#: Offending rows that a message shows. Enough to find the cause, few enough to read.
MAX_EXAMPLES = 3
_FAILURES = "failures_of_the_check"


def run_suites(
    database: Path,
    *,
    dates: Sequence[date] | None,
    memory_limit: str = "2GB",
    threads: int = 0,
    temp_directory: Path | None = None,
    as_of: datetime | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    suites: Sequence[Suite] | None = None,
) -> list[CheckResult]:
    """Check the rows of the touched dates (None = every row); one result per rule, in the order of the
    suites.

    A rule that could not be evaluated is a failed blocking result with the reason. Where no date was touched there
    are still rules that are not about dates: landing files, freshness, prices, budgets. Raises FileNotFoundError when
    there is no such file.
    """
    if not database.is_file():
        raise FileNotFoundError(f"no database file to check at {database}")
    chosen = build_suites(dates=dates, as_of=as_of, thresholds=thresholds) if suites is None else list(suites)
    config = connection_config(memory_limit=memory_limit, threads=threads, temp_directory=temp_directory)
    with _Session(database, config) as session:
        return [result for number, suite in enumerate(chosen) for result in session.run(suite, number)]


def _load_when_used(name: str) -> None:
    """Put off a module that Great Expectations imports and our rules do not use: a third of its import, 1 s."""
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None or spec.loader is None:
        return
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    package, _, child = name.rpartition(".")
    setattr(sys.modules[package], child, module)


def load() -> None:
    """Import what running a suite needs: seconds, which only who runs one pays."""
    _load_when_used("scipy.stats")
    # It imports PySpark where that is there, whose word on pandas is no concern of a night: no table passes through pandas.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    import great_expectations  # noqa: F401, PLC0415

    from orchestration.quality import dialect, expectations  # noqa: F401, PLC0415 # SQLAlchemy and GX again


class _Session:
    """One ephemeral context with one read-only data source; leaving it closes the file."""

    def __init__(self, database: Path, config: dict[str, Any]) -> None:
        load()
        import great_expectations as gx  # noqa: PLC0415
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        from orchestration.quality import dialect, expectations  # noqa: PLC0415

        dialect.register()
        context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                # Without these defaults an ephemeral context prepares Data Docs in a temporary folder.
                store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
                progress_bars=ProgressBarsConfig(globally=False),
                analytics_enabled=False,
            ),
        )
        self._new_suite = gx.ExpectationSuite
        self._expectations = expectations
        self._source = context.data_sources.add_sql(
            name="warehouse",
            connection_string=dialect.CONNECTION_URL,
            kwargs=dialect.engine_arguments(str(database.resolve()), config),
        )

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        # Two engines: one tests the connection when an asset is added, one runs the queries.
        self._source.get_execution_engine().close()
        self._source.get_execution_engine().engine.dispose()
        self._source.get_engine().dispose()

    def run(self, suite: Suite, number: int) -> list[CheckResult]:
        """All rules of one suite over one batch."""
        try:
            asset = self._source.add_query_asset(name=f"{number}_{suite.name}", query=suite.query)
            batch = asset.add_batch_definition_whole_table("batch").get_batch()
            outcome = batch.validate(
                self._new_suite(
                    name=f"{number}_{suite.name}",
                    expectations=[self._expectation(rule) for rule in suite.rules],
                ),
                # COMPLETE returns the rows that a query found; our queries limit themselves.
                result_format="COMPLETE",
            )
        except Exception as error:  # whatever stops a suite must block by name, not end the audit
            logger.warning("suite of %s could not run", suite.table, exc_info=True)
            return [check_error(rule.name, f"{type(error).__name__}: {error}") for rule in suite.rules]
        by_name = {item.expectation_config.meta["rule"]: item for item in outcome.results}
        return [_translate(rule, by_name.get(rule.name)) for rule in suite.rules]

    def _expectation(self, rule: Rule) -> Any:
        meta = {"rule": rule.name}
        spec: Expectation = rule.expectation
        match spec:
            case ShareAtMost(_, share):
                return self._expectations.ExpectShareAtMost(
                    unexpected_rows_query=_share_query(spec), share=share, meta=meta
                )
            case NoRows(condition, shown):
                query = _no_rows_query(condition, shown)
            case NoResult(query):
                pass
        return self._expectations.ExpectNoRows(unexpected_rows_query=query, meta=meta)


def _share_query(spec: ShareAtMost) -> str:
    """One row: the share of all rows, and the workspaces that are furthest above their limit, a line each, if any are."""
    return (
        "with by_workspace as ("
        f"select workspace_id, count(*) filter (where {spec.column}) as found, count({spec.column}) as asked "
        "from {batch} group by workspace_id), "
        f"above as (select * from by_workspace where asked >= {spec.workspace_rows} and found > {spec.workspace_share} * asked "
        f"order by found / asked desc, workspace_id limit {MAX_EXAMPLES}) "
        "select cast(coalesce(sum(found), 0) as bigint) as found_rows, cast(coalesce(sum(asked), 0) as bigint) as asked_rows, "
        "(select string_agg(concat('workspace_id=', workspace_id, ': ', found, ' of ', asked), chr(10) "
        "order by found / asked desc, workspace_id) from above) as worst_workspaces from by_workspace"
    )


def _no_rows_query(condition: str, shown: Sequence[str]) -> str:
    """A few offending rows, each with the number of all of them. Values as text, so that amounts keep every
    digit.
    """
    columns = ", ".join(f"cast({column} as varchar) as {column}" for column in shown)
    return (
        f"select {columns}, count(*) over () as {_FAILURES} from {{batch}} where {condition} "
        f"order by {', '.join(str(position + 1) for position in range(len(shown)))} limit {MAX_EXAMPLES}"
    )


def _sentence(rule: Rule) -> str:
    first, *_ = rule.statement.split(maxsplit=1)
    # A sentence that begins with a column or table name keeps its spelling.
    return rule.statement if "_" in first else rule.statement[:1].upper() + rule.statement[1:]


def _translate(rule: Rule, outcome: Any) -> CheckResult:
    """Great Expectations' answer for one rule as a CheckResult."""
    if outcome is None:
        return check_error(rule.name, "Great Expectations returned no result for it")
    if error := _raised(outcome.exception_info):
        return check_error(rule.name, error)
    found: Mapping[str, Any] = outcome.result["details"]
    if isinstance(rule.expectation, ShareAtMost):
        return _share_result(rule, bool(outcome.success), found, rule.expectation)
    return _rows_result(rule, found["rows"])


def _raised(info: Mapping[str, Any] | None) -> str | None:
    """The message of an exception inside an expectation. It comes flat, or nested by the metric that raised
    it.
    """
    if not info:
        return None
    candidates = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    for candidate in candidates:
        if candidate.get("raised_exception"):
            return str(candidate.get("exception_message") or "an unnamed exception")
    return None


def _share_result(rule: Rule, passed: bool, counts: Mapping[str, Any], spec: ShareAtMost) -> CheckResult:
    """A rule over a share of rows: what was seen is told whether it passed or not."""
    found, asked = int(counts["found_rows"]), int(counts["asked_rows"])
    share = found / asked if asked else 0.0
    details: dict[str, JsonScalar] = {
        "rows": asked,
        "unexpected_rows": found,
        "unexpected_share": round(share, 6),
        "allowed_share": spec.share,
    }
    message = f"{_sentence(rule)}: {found:,} of {asked:,} rows ({share:.2%}, allowed {spec.share:.2%})"
    if worst := counts["worst_workspaces"]:
        examples = [printable(line, 100) for line in str(worst).splitlines()[:MAX_EXAMPLES]]
        details |= {f"example_{number}": text for number, text in enumerate(examples, start=1)}
        message += f"{EXAMPLE}{examples[0]} (allowed {spec.workspace_share:.2%} of one workspace)"
    return CheckResult(rule.name, rule.severity, passed, 0 if passed else max(found, 1), message, details)


def _rows_result(rule: Rule, rows: Sequence[Mapping[str, Any]]) -> CheckResult:
    """A rule given as a query for the rows that break it."""
    if not rows:
        message = f"{_sentence(rule)}: no exception"
        return CheckResult(rule.name, rule.severity, True, 0, message, {"unexpected_rows": 0})
    found = int(rows[0].get(_FAILURES, len(rows)))
    examples = [
        ", ".join(f"{key}={printable(value, 60)}" for key, value in row.items() if key != _FAILURES)
        for row in rows[:MAX_EXAMPLES]
    ]
    details: dict[str, JsonScalar] = {"unexpected_rows": found}
    details |= {f"example_{number}": text for number, text in enumerate(examples, start=1)}
    noun = "row breaks it" if found == 1 else "rows break it"
    message = f"{_sentence(rule)}: {found:,} {noun} (allowed 0){EXAMPLE}{examples[0]}"
    return CheckResult(rule.name, rule.severity, False, found, message, details)
