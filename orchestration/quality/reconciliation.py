"""The invariants of the domain that span tables, computed anew in plain SQL with tolerance zero.

What belongs here: sums that must agree between facts and marts, per workspace and date. What does not: keys
and row rules (dbt tests), ranges and sets (`suites`). The code shares nothing with the models it checks: what
a measure means is written down here a second time on purpose, so that one wrong edit cannot make both sides
wrong.

Each source is summed once into a temporary table of one row per workspace and date; an identity compares two
such tables.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.quality.database import connection_config, dates_predicate
from orchestration.quality.results import CheckResult, JsonScalar, check_error, printable
from orchestration.quality.suites import COUNTS, MONEY, TOKENS

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

MEASURES = (*COUNTS, *TOKENS, *MONEY)
UNATTRIBUTED_MEASURES = (
    "call_count",
    "unpriced_call_count",
    "unpriced_total_tokens",
    "total_tokens",
    "task_credits",
    "total_cost_usd",
    "external_cost_usd",
    "provider_cost_usd",
)
RUN_MEASURES = ("run_count", "failed_run_count")
UNPRICED_MEASURES = ("unpriced_call_count", "unpriced_total_tokens")
USER_MEASURES = ("run_count", "total_tokens", *UNPRICED_MEASURES)
TOKEN_USAGE_MEASURES = tuple(name for name in TOKENS if not name.startswith("audio_"))
LOG_MEASURES = ("total_tokens", "total_cost_usd")
LOG_TABLES = ("prompt_runs", "workflow_runs", "agent_runs")
_KEYS = ("workspace_id", "usage_date")


@dataclass(frozen=True)
class Source:
    """A table (or a part of one) summed per workspace and date. `measures` maps a measure to its SQL
    aggregate.
    """

    name: str
    table: str
    measures: dict[str, str]
    condition: str = "true"


@dataclass(frozen=True)
class Identity:
    """Two sums of sources that must be equal for each workspace, date and measure."""

    name: str
    statement: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    measures: tuple[str, ...]


def _sums(names: Sequence[str], prefix: str = "") -> dict[str, str]:
    return {name: f"sum({prefix}{name})" for name in names}


_SPAN_MEASURES = {
    "call_count": "count(*) filter (where billing_role = 'call')",
    "failed_call_count": "count(*) filter (where billing_role = 'call' and status = 'failed')",
    "unpriced_call_count": "count(*) filter (where billing_role = 'call' and cost_source = 'unpriced')",
    "unknown_usage_call_count": "count(*) filter (where billing_role = 'call' and is_usage_unknown)",
    "unpriced_total_tokens": (
        "sum(total_tokens) filter (where billing_role = 'call' and cost_source = 'unpriced')"
    ),
    # Not limited to calls: measures are NULL elsewhere, and one that is not must show up as a difference.
    **_sums((*TOKENS, *MONEY)),
}

SOURCES = (
    Source("run_spans", "facts.fct_span_usage", _SPAN_MEASURES, "not is_orphan"),
    Source("orphan_spans", "facts.fct_span_usage", _SPAN_MEASURES, "is_orphan"),
    Source(
        "runs",
        "facts.fct_run_usage",
        {
            "run_count": "count(*)",
            "failed_run_count": "count(*) filter (where status = 'failed')",
            **_sums(COUNTS),
            **_sums((*TOKENS, *MONEY), "own_"),
        },
    ),
    Source("total_cost", "marts.mart_analytics__total_cost", _sums((*RUN_MEASURES, *MEASURES))),
    Source("unattributed", "marts.mart_analytics__total_cost", _sums(UNATTRIBUTED_MEASURES, "unattributed_")),
    Source("model_services", "marts.mart_analytics__service_costs", _sums(MEASURES), "is_model_call"),
    Source(
        "other_services", "marts.mart_analytics__service_costs", _sums(MEASURES), "is_model_call is not true"
    ),
    Source("model_costs", "marts.mart_analytics__model_costs", _sums(MEASURES)),
    Source("token_usage", "marts.mart_analytics__token_usage", _sums(TOKEN_USAGE_MEASURES)),
    Source(
        "token_classes",
        "marts.mart_analytics__token_usage",
        {
            "total_tokens": (
                "sum(uncached_input_tokens + cached_tokens + cache_write_tokens + visible_output_tokens "
                "+ reasoning_tokens + image_tokens)"
            )
        },
    ),
    Source(
        "unpriced_usage",
        "marts.mart_analytics__unpriced_usage",
        {"unpriced_call_count": "sum(call_count)", "unpriced_total_tokens": "sum(total_tokens)"},
        "price_status = 'unpriced'",
    ),
    *(
        Source(name, f"marts.mart_{table}", _sums((*USER_MEASURES, *MONEY)))
        for name, table in (("users", "users__activity"), ("top_users", "analytics__top_users"))
    ),
    *(
        Source(
            f"log_{name}",
            f"marts.mart_logs__{name}",
            {
                "run_count": "count(*)",
                "failed_run_count": "count(*) filter (where status = 'failed')",
                # The hover's parts: what is left without child runs is the run's own amount.
                "total_tokens": "sum(own_total_tokens + own_image_tokens)",
                "total_cost_usd": "sum(own_cost_usd + image_generation_cost_usd)",
            },
        )
        for name in LOG_TABLES
    ),
)

_LOGS = tuple(f"log_{name}" for name in LOG_TABLES)

IDENTITIES = (
    Identity(
        "reconcile__spans_equal_runs_and_orphans",
        "the sum over spans equals the own amounts of runs plus orphan spans",
        ("run_spans", "orphan_spans"),
        ("runs", "orphan_spans"),
        MEASURES,
    ),
    Identity(
        "reconcile__total_cost_equals_spans",
        "the total cost mart equals the sum over spans",
        ("total_cost",),
        ("run_spans", "orphan_spans"),
        MEASURES,
    ),
    Identity(
        "reconcile__total_cost_equals_runs_and_orphans",
        "the total cost mart equals the own amounts of runs plus orphan spans",
        ("total_cost",),
        ("runs", "orphan_spans"),
        MEASURES,
    ),
    Identity(
        "reconcile__unattributed_equals_orphans",
        "the unattributed amounts of the total cost mart equal the sum over orphan spans",
        ("unattributed",),
        ("orphan_spans",),
        UNATTRIBUTED_MEASURES,
    ),
    Identity(
        "reconcile__run_counts_equal_runs",
        "the run counts of the total cost mart equal the number of runs",
        ("total_cost",),
        ("runs",),
        RUN_MEASURES,
    ),
    Identity(
        "reconcile__service_costs_equal_total_cost",
        "the sum over services equals the total cost mart",
        ("model_services", "other_services"),
        ("total_cost",),
        MEASURES,
    ),
    Identity(
        "reconcile__model_and_other_services_equal_total_cost",
        "the sum over models plus other services equals the total cost mart",
        ("model_costs", "other_services"),
        ("total_cost",),
        MEASURES,
    ),
    Identity(
        "reconcile__model_costs_equal_model_services",
        "the sum over models equals the sum over services of model calls",
        ("model_costs",),
        ("model_services",),
        MEASURES,
    ),
    Identity(
        "reconcile__token_usage_equals_total_cost",
        "the token usage mart equals the total cost mart, class by class",
        ("token_usage",),
        ("total_cost",),
        TOKEN_USAGE_MEASURES,
    ),
    Identity(
        "reconcile__token_classes_add_up",
        "the exclusive classes of the token usage mart add up to its total",
        ("token_classes",),
        ("token_usage",),
        ("total_tokens",),
    ),
    Identity(
        "reconcile__unpriced_usage_equals_total_cost",
        "the unpriced usage mart equals the unpriced calls and tokens of the total cost mart",
        ("unpriced_usage",),
        ("total_cost",),
        UNPRICED_MEASURES,
    ),
    *(
        Identity(
            f"reconcile__{name}_equal_runs",
            f"the {words} equals the own amounts of runs",
            (name,),
            ("runs",),
            (*USER_MEASURES, *MONEY),
        )
        for name, words in (("users", "sum over users"), ("top_users", "top users mart, everybody in it,"))
    ),
    Identity(
        "reconcile__total_cost_equals_log_rows",
        "the total cost mart equals the own amounts of the log rows plus the unattributed ones",
        ("total_cost",),
        (*_LOGS, "unattributed"),
        LOG_MEASURES,
    ),
    Identity(
        "reconcile__run_counts_equal_log_rows",
        "the run counts of the total cost mart equal the number of log rows",
        ("total_cost",),
        _LOGS,
        RUN_MEASURES,
    ),
)


def reconcile(
    database: Path,
    *,
    dates: Sequence[date] | None,
    memory_limit: str = "2GB",
    threads: int = 0,
    temp_directory: Path | None = None,
) -> list[CheckResult]:
    """Check every identity for the touched dates (None = all dates); all of them block.

    An identity that could not be computed is a failed result with the reason. Raises FileNotFoundError when
    there is no file.
    """
    import duckdb  # noqa: PLC0415 # 0.1 s that listing the checks need not pay

    if not database.is_file():
        raise FileNotFoundError(f"no database file to check at {database}")
    config = connection_config(memory_limit=memory_limit, threads=threads, temp_directory=temp_directory)
    with duckdb.connect(str(database), read_only=True, config=config) as connection:
        errors: dict[str, str] = {}
        for source in SOURCES:
            try:
                _summarise(connection, source, dates)
            except (duckdb.Error, InexactMeasureError) as error:
                logger.warning("reconciliation cannot sum %s", source.table, exc_info=True)
                errors[source.name] = f"{source.table}: {error}"
        return [_check(connection, identity, errors) for identity in IDENTITIES]


class InexactMeasureError(ValueError):
    """A measure is a binary float, for which equality means nothing."""


def _summarise(connection: duckdb.DuckDBPyConnection, source: Source, dates: Sequence[date] | None) -> None:
    """Create the temporary table of a source."""
    aggregates = ", ".join(f"coalesce({sql}, 0) as {name}" for name, sql in source.measures.items())
    connection.execute(
        f"create or replace temp table {source.name} as "
        f"select {', '.join(_KEYS)}, {aggregates} from {source.table} "
        f"where ({source.condition}) and {dates_predicate(dates)} group by {', '.join(_KEYS)}"
    )
    for name, kind, *_ in connection.execute(f"describe {source.name}").fetchall():
        if kind in ("DOUBLE", "FLOAT"):
            raise InexactMeasureError(f"measure {name} is {kind}, so it cannot be compared exactly")


def _check(connection: duckdb.DuckDBPyConnection, identity: Identity, errors: dict[str, str]) -> CheckResult:
    import duckdb  # noqa: PLC0415

    if broken := [errors[name] for name in (*identity.left, *identity.right) if name in errors]:
        return check_error(identity.name, broken[0])
    try:
        compared, differing, row = _first_difference(connection, identity)
    except duckdb.Error as error:
        logger.warning("reconciliation %s failed", identity.name, exc_info=True)
        return check_error(identity.name, str(error))
    sentence = identity.statement[:1].upper() + identity.statement[1:]
    details: dict[str, JsonScalar] = {"compared_groups": compared, "differing_groups": differing}
    if row is None:
        message = f"{sentence}: equal in all {compared:,} workspace days"
        return CheckResult(identity.name, "blocking", True, 0, message, details)
    workspace_id, usage_date, *values = row
    width = len(identity.measures)
    unequal = [
        (name, left, right)
        for name, left, right in zip(identity.measures, values[:width], values[width:], strict=True)
        if left != right
    ]
    name, left, right = unequal[0]
    workspace, day = printable(workspace_id, 80), str(usage_date)
    details |= {
        "workspace_id": workspace,
        "usage_date": day,
        "measure": name,
        "left": _exact(left),
        "right": _exact(right),
        "difference": _exact(left - right),
        "differing_measures": ", ".join(item[0] for item in unequal),
    }
    message = (
        f"{sentence}: differs in {differing:,} of {compared:,} workspace days; "
        f"first in workspace {workspace} on {day}: "
        f"{name} is {_exact(left)} against {_exact(right)} (difference {_exact(left - right)})"
    )
    return CheckResult(identity.name, "blocking", False, differing, message, details)


def _first_difference(
    connection: duckdb.DuckDBPyConnection, identity: Identity
) -> tuple[int, int, tuple[Any, ...] | None]:
    """Groups compared, groups that differ, and the first of these: keys, then left values, then right values.

    Both sides are stacked and summed by group rather than joined, so that a group missing on one side, and a
    NULL key, count.
    """
    parts = []
    for side, sources in (("left", identity.left), ("right", identity.right)):
        for source in sources:
            own = ", ".join(f"{name} as {side}_{name}" for name in identity.measures)
            parts.append(f"select {', '.join(_KEYS)}, {own} from {source}")
    sides = [f"{side}_{name}" for side in ("left", "right") for name in identity.measures]
    totals = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in sides)
    differs = " or ".join(f"left_{name} <> right_{name}" for name in identity.measures)
    compared = (
        f"with stacked as ({' union all by name '.join(parts)}), "
        f"compared as (select {', '.join(_KEYS)}, {totals} from stacked group by all) "
    )
    counts = connection.execute(
        f"{compared} select count(*), count(*) filter (where {differs}) from compared"
    ).fetchone()
    row = connection.execute(
        f"{compared} select {', '.join((*_KEYS, *sides))} from compared where {differs} "
        "order by usage_date, workspace_id limit 1"
    ).fetchone()
    groups, differing = counts or (0, 0)
    return int(groups), int(differing), row


def _exact(value: object) -> str:
    """Every digit, without an exponent and without trailing zeros behind the point."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
