"""What a repricing would change, before it is published: built in a scratch file, laid beside the published one.

What belongs here: the scratch file, what of the sources changed, and the differences of money by date, model and workspace. What does
not: calling dbt and holding the lock, which is `night`'s and the command line's.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import sql
from orchestration.landing.lake import Manifest
from orchestration.pricing import tables as pricing
from orchestration.publication import candidate
from orchestration.publication.candidate import Plan

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

SELECTION = "+fct_usage_daily"
"""What dbt builds for it: the daily sums and everything that they are made of."""
MEASURES = (
    "call_count",
    "unpriced_call_count",
    "total_cost_usd",
    "provider_cost_usd",
    "task_credit_cost_usd",
    "task_credits",
)
_KEYS = ("usage_date", "workspace_id", "service", "provider", "model")
_DAY_KEYS = ("usage_date", "workspace_id")
_PRICED_AS = ("provider_cost_usd", "task_credits", "task_credit_cost_usd")

Amounts = dict[str, Decimal | int]


@dataclass(frozen=True)
class SourceChange:
    """A source of prices or rates that is not what the last publication used."""

    source: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """Old and new sums of a date, workspace, service and model; None where the row is a sum over all of them."""

    usage_date: date | None
    workspace_id: str | None
    service: str | None
    provider: str | None
    model: str | None
    old: Amounts
    new: Amounts

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the difference."""
        difference = {name: self.new[name] - self.old[name] for name in MEASURES}
        return {**asdict(self), "difference": difference}


@dataclass(frozen=True)
class Preview:
    """A repricing that was not published."""

    #: The publication that it is compared with.
    publication_id: str
    #: Why everything is built anew; empty where only prices or rates changed.
    reason: str
    sources: tuple[SourceChange, ...]
    dates_rebuilt: tuple[date, ...]
    calls_changed: int
    #: Greatest change of the total first.
    rows: tuple[Change, ...]
    #: Sums of these rows.
    workspaces: tuple[Change, ...]
    total: Change
    #: Batches in the lake that no publication holds yet. The preview leaves them out.
    waiting_batches: int
    #: Sums of all calls, changed or not, of each date and workspace on which one of them changes.
    days: tuple[Change, ...] = ()
    #: The first date of which the published file has calls to count; None where it has those of all dates.
    calls_counted_from: date | None = None

    @property
    def dates_changed(self) -> tuple[date, ...]:
        """Dates on which some sum changes, ascending."""
        return tuple(sorted({row.usage_date for row in self.rows if row.usage_date}))

    def as_dict(self) -> dict[str, Any]:
        """The document behind `credit-usage reprice --dry-run --json`; its keys are stable."""
        return {
            "publication_id": self.publication_id,
            "reason": self.reason,
            "sources": [asdict(source) for source in self.sources],
            "dates_rebuilt": len(self.dates_rebuilt),
            "dates_changed": len(self.dates_changed),
            "calls_changed": self.calls_changed,
            "calls_counted_from": self.calls_counted_from.isoformat() if self.calls_counted_from else None,
            "total": self.total.as_dict(),
            "workspaces": [row.as_dict() for row in self.workspaces],
            "rows": [row.as_dict() for row in self.rows],
            "waiting_batches": self.waiting_batches,
        }


def scratch_path(settings: Settings) -> Path:
    """Where the preview is built."""
    return candidate.scratch_path(settings, "preview")


def changed_sources(old: dict[str, str], new: dict[str, str]) -> tuple[SourceChange, ...]:
    """Which sources of prices and rates have another version than before."""
    names = dict.fromkeys((*new, *old))
    return tuple(
        SourceChange(name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name, "") != new.get(name, "")
    )


def prepare(settings: Settings, plan: Plan, manifests: Sequence[Manifest]) -> bool:
    """Make the scratch file. Returns whether building in it can change anything that is published."""
    path = candidate.prepare(settings, plan, manifests, path=scratch_path(settings))
    if plan.is_full_build:
        return True
    with sql.connect(settings, path, read_only=True) as connection:
        return pricing.has_changes(connection)


def discard(settings: Settings) -> None:
    """Remove the scratch file."""
    shutil.rmtree(scratch_path(settings).parent, ignore_errors=True)


def unchanged(publication_id: str, *, sources: Sequence[SourceChange], waiting_batches: int) -> Preview:
    """The preview where nothing that is published changes."""
    nothing: Amounts = dict.fromkeys(MEASURES, 0)
    return Preview(
        publication_id=publication_id,
        reason="",
        sources=tuple(sources),
        dates_rebuilt=(),
        calls_changed=0,
        rows=(),
        workspaces=(),
        total=Change(None, None, None, None, None, nothing, nothing),
        waiting_batches=waiting_batches,
    )


def compare(
    settings: Settings,
    plan: Plan,
    publication_id: str,
    *,
    sources: Sequence[SourceChange],
    waiting_batches: int,
) -> Preview:
    """The built scratch file beside the published one."""
    with sql.connect(settings, scratch_path(settings), read_only=True) as connection:
        connection.execute(f"attach {sql.literal(settings.published_path)} as published (read_only)")
        dates = candidate.touched_dates(connection, plan)
        connection.execute(_changes(_KEYS, "changes"))
        connection.execute(_changes(_DAY_KEYS, "changes_of_days"))
        # On a full build a date may have vanished, which no list of new dates would hold.
        where = "true" if plan.is_full_build else "usage_date in (select unnest($dates::date[]))"
        parameters = {} if plan.is_full_build else {"dates": dates}
        # Of older dates the published file has no calls to compare with.
        since = (candidate.read_manifest(settings) or {}).get("detail_from_date")
        if since:
            where += f" and usage_date >= date {sql.literal(since)}"
        ((calls_changed,),) = connection.execute(_calls_changed(where), parameters).fetchall()
        return Preview(
            publication_id=publication_id,
            reason=plan.reason,
            sources=tuple(sources),
            dates_rebuilt=tuple(dates),
            calls_changed=calls_changed,
            rows=tuple(_read(connection, _KEYS)),
            workspaces=tuple(_read(connection, ("workspace_id",))),
            days=tuple(_read(connection, _DAY_KEYS, "changes_of_days")),
            total=_read(connection, ())[0],
            waiting_batches=waiting_batches,
            calls_counted_from=date.fromisoformat(since) if since else None,
        )


def _kind(measure: str) -> str:
    if measure.endswith("_count"):
        return "bigint"
    return "decimal(38, 6)" if measure == "task_credits" else "decimal(38, 12)"


def _changes(keys: Sequence[str], table: str) -> str:
    """A temporary table of the groups of which some sum differs; a side without the group counts as zero."""
    sums = ", ".join(f"sum({name}) as {name}" for name in MEASURES)
    query = f"select {', '.join(keys)}, {sums} from {{source}} group by all"
    names = ", ".join(f"coalesce(new.{key}, old.{key}) as {key}" for key in keys)
    sides = ", ".join(
        f"coalesce({side}.{name}, 0)::{_kind(name)} as {side}_{name}"
        for side in ("old", "new")
        for name in MEASURES
    )
    return f"""
        create temp table {table} as
        select {names}, {sides}
        from ({query.format(source="facts.fct_usage_daily")}) as new
        full join ({query.format(source="published.facts.fct_usage_daily")}) as old
            on {" and ".join(f"new.{key} is not distinct from old.{key}" for key in keys)}
        where {" or ".join(f"old_{name} <> new_{name}" for name in MEASURES)}
    """


def _calls_changed(where: str) -> str:
    """The number of billed calls that are priced otherwise on the dates that a condition names."""
    query = f"""
        select workspace_id, run_id, span_id, {", ".join(_PRICED_AS)}, cost_source = 'unpriced' as is_unpriced
        from {{source}}
        where billing_role = 'call' and {where}
    """
    columns = (*_PRICED_AS, "is_unpriced")
    return f"""
        select count(*)
        from ({query.format(source="facts.fct_span_usage")}) as new
        full join ({query.format(source="published.facts.fct_span_usage")}) as old
            using (workspace_id, run_id, span_id)
        where {" or ".join(f"new.{name} is distinct from old.{name}" for name in columns)}
    """


def _read(connection: duckdb.DuckDBPyConnection, keys: Sequence[str], table: str = "changes") -> list[Change]:
    """The changes summed over everything but these keys, greatest change first."""
    sides = [f"{side}_{name}" for side in ("old", "new") for name in MEASURES]
    listed = ", ".join(key if key in keys else f"null as {key}" for key in _KEYS)
    sums = ", ".join(f"coalesce(sum({side}), 0)::{_kind(side[4:])} as {side}" for side in sides)
    order = ", ".join(
        f"abs(new_{name} - old_{name}) desc"
        for name in ("total_cost_usd", "provider_cost_usd", "task_credits", "unpriced_call_count")
    )
    grouped = f"group by {', '.join(keys)}" if keys else ""
    rows = connection.execute(
        f"from (select {listed}, {sums} from {table} {grouped}) order by {', '.join((order, *_KEYS))}"
    ).fetchall()
    first, second = len(_KEYS), len(_KEYS) + len(MEASURES)
    return [
        Change(
            **dict(zip(_KEYS, row[:first], strict=True)),
            old=dict(zip(MEASURES, row[first:second], strict=True)),
            new=dict(zip(MEASURES, row[second:], strict=True)),
        )
        for row in rows
    ]
