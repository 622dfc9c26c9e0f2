"""What the data quality page says: the night's checks, what adds up, what was quarantined, what changed.

What belongs here: order, wording and verdicts of that page. What does not: SQL, markup. Checks and landed rows are
those of the whole publication; names, ids and lines of other workspaces are never part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from reports import format as fmt
from reports import queries as q
from reports.analytics import NOT_SAID, REASONS, Cell, Row, Rows, Tile

CHANGES_NOT_TOLD = (
    "This publication was made by a version that did not keep what it changed. The next one will say it."
)
CHANGES_SHOWN = 60
BATCHES_SHOWN = 10
_EXAMPLE = ", for example "
"""What follows in a check's message names rows, perhaps of another workspace."""
_GROUPS = (
    ("reconcile__", "Reconciliation"),
    ("landing_files__", "Landing files"),
    ("fct_", "Facts"),
    ("mart_analytics__", "Analytics"),
    ("mart_logs__", "Logs"),
    ("mart_details__", "Run sheets"),
    ("mart_users__", "Users"),
    ("dim_", "Dimensions"),
    ("", "Warehouse"),
)
_SUMS = {
    "total": "Total Cost panel",
    "services": "Service Costs panel",
    "models": "Model Costs panel and services that are no models",
    "breakdown": "Groups of the first panel",
    "logs": "Own amounts of all log rows, and unattributed",
    "users": "All users, with none, and unattributed",
    "spans": "Spans of all run sheets",
}
PASSED, WARNING, FAILED = "passed", "warning", "failed"


@dataclass(frozen=True)
class Check:
    """One check of the publication; `verdict` is passed, warning or failed."""

    name: str
    verdict: str
    severity: str
    failures: str
    message: str
    is_new: bool = False


@dataclass(frozen=True)
class CheckGroup:
    """Checks of one kind of table."""

    title: str
    summary: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Publication:
    """What the page needs of the publication as a whole, read once for all workspaces."""

    published_at: datetime
    checks: tuple[Check, ...] = ()
    landing: tuple[q.Row, ...] = ()
    unreadable_files: int = 0
    quarantine: dict[str | None, list[q.Row]] = field(default_factory=dict)
    changes: dict[str, list[q.Row]] | None = field(default_factory=dict)
    """None where the publication is of a version that did not tell."""
    previous: tuple[str, str, datetime] | None = None
    newest_activity: dict[str, datetime] = field(default_factory=dict)
    sums: dict[str, list[q.Row]] = field(default_factory=dict)
    detail_from: date | None = None


@dataclass(frozen=True)
class Badge:
    """The verdict in two words, for the index and the head of the page."""

    tone: str
    text: str
    title: str


@dataclass(frozen=True)
class View:
    """All that the page shows."""

    badge: Badge
    tiles: tuple[Tile, ...]
    failing: tuple[Check, ...]
    groups: tuple[CheckGroup, ...]
    sums: Rows
    sums_verdict: str
    sums_days: str
    landing: Rows
    landing_note: str
    quarantine: Rows
    quarantine_note: str
    changes: Rows
    changes_label: str
    changes_note: str
    unpriced: Rows


def read(published: q.Published) -> Publication:
    """Everything about this publication's quality, for all workspaces at once."""
    return Publication(
        published_at=published.published_at(),
        checks=tuple(_check(*row) for row in published.checks()),
        landing=tuple(published.landing()),
        unreadable_files=published.unreadable_files(),
        quarantine=published.quarantine(),
        changes=published.changes(),
        previous=published.previous_publication(),
        newest_activity=published.newest_activity(),
        sums=published.sums(),
        detail_from=published.detail_from(),
    )


def _check(name: str, severity: str, status: str, failures: int, message: str, before: str | None) -> Check:
    verdict = PASSED if status == "pass" else WARNING if severity == "warning" else FAILED
    return Check(
        name,
        verdict,
        severity,
        fmt.count(failures),
        message.split(_EXAMPLE, 1)[0],
        status != before == "pass",
    )


def badge(publication: Publication, workspace_id: str) -> Badge:
    """The verdict on a workspace: what failed in the publication, and what of its own rows was quarantined."""
    failing = [check for check in publication.checks if check.verdict != PASSED]
    quarantined = _quarantined(publication, workspace_id)
    checks = f"{fmt.count(len(publication.checks))} checks"
    if any(check.verdict == FAILED for check in failing):
        return Badge("bad", f"{len(failing)} failed", f"{len(failing)} of {checks} failed")
    said = [f"{len(failing)} warning{'' if len(failing) == 1 else 's'}"] if failing else []
    said += [f"{fmt.count_short(quarantined)} quarantined"] if quarantined else []
    if said:
        return Badge("warn", said[0], f"{', '.join(said)}; {checks}, none that blocks failed")
    return Badge("good", "All passed", f"{checks} passed")


def _quarantined(publication: Publication, workspace_id: str) -> int:
    return sum(row[3] for row in publication.quarantine.get(workspace_id, ()))


def view(
    publication: Publication,
    workspace_id: str,
    clock: ZoneInfo,
    unpriced: Sequence[q.Row],
    last_day: date | None,
) -> View:
    """The page of one workspace."""
    failing = tuple(check for check in publication.checks if check.verdict != PASSED)
    passed = len(publication.checks) - len(failing)
    verdict = badge(publication, workspace_id)
    sums, is_equal = _sums(publication.sums.get(workspace_id, []))
    quarantined = _quarantined(publication, workspace_id)
    unknown = publication.quarantine.get(None, [])
    activity = publication.newest_activity.get(workspace_id)
    calls = sum(row[4] for row in unpriced)
    changed, changes_note = _changes((publication.changes or {}).get(workspace_id, []))
    previous = publication.previous
    days = f"since {fmt.day(publication.detail_from)}" if publication.detail_from else "over all days"
    return View(
        badge=verdict,
        tiles=(
            Tile(
                "Checks passed",
                f"{fmt.count(passed)} of {fmt.count(len(publication.checks))}",
                "",
                f"{fmt.count(len(failing))} warning{'' if len(failing) == 1 else 's'}"
                if failing
                else "no warning",
                "nothing that fails a blocking check is published",
            ),
            Tile(
                "Adds up",
                "Yes" if is_equal else "No",
                "",
                f"{len(sums.rows)} sums, equal to the last digit" if is_equal else "see the table below",
                f"cost, tokens and credits {days}",
            ),
            Tile(
                "Newest usage",
                fmt.moment(activity, clock)[:16] if activity else fmt.MISSING,
                fmt.moment(activity, clock) if activity else "",
                f"last day with usage: {fmt.day(last_day)}" if last_day else "no usage yet",
                f"published {fmt.moment(publication.published_at, clock)[:16]}",
            ),
            Tile(
                "Quarantined rows",
                fmt.count(quarantined),
                "",
                "lines that break the landing contract",
                f"and {fmt.count(sum(row[3] for row in unknown))} of unknown workspace" if unknown else "",
            ),
            Tile(
                "Unpriced calls",
                fmt.count_short(calls),
                fmt.count(calls),
                "calls whose cost is unknown" if calls else "every call has a cost",
                "over all days",
            ),
        ),
        failing=failing,
        groups=_groups(publication.checks),
        sums=sums,
        sums_verdict=(
            "Every surface adds up to the same, to the last digit." if is_equal else "These do not add up."
        )
        + (
            f" Of days before {fmt.day(publication.detail_from)} only daily figures are kept."
            if publication.detail_from
            else ""
        ),
        sums_days="all days" if publication.detail_from is None else days,
        landing=_landing(publication.landing, clock),
        landing_note=_landing_note(publication),
        quarantine=_quarantine(publication.quarantine.get(workspace_id, [])),
        quarantine_note=_unknown_note(sum(row[3] for row in unknown)),
        changes=changed,
        changes_label=f"Since publication {previous[1]} of {fmt.moment(previous[2], clock)[:16]}"
        if previous
        else "",
        changes_note=CHANGES_NOT_TOLD
        if publication.changes is None
        else changes_note
        if previous
        else "This is the first publication: all of it is new.",
        unpriced=_unpriced(unpriced),
    )


def _unknown_note(lines: int) -> str:
    if not lines:
        return ""
    said = "line says" if lines == 1 else "lines say"
    return f"{fmt.count(lines)} further {said} no workspace, so nobody knows whose."


def _groups(checks: Sequence[Check]) -> tuple[CheckGroup, ...]:
    held: dict[str, list[Check]] = {title: [] for _, title in _GROUPS}
    for check in checks:
        held[next(title for prefix, title in _GROUPS if check.name.startswith(prefix))].append(check)

    def summary(found: Sequence[Check]) -> str:
        wrong = sum(check.verdict != PASSED for check in found)
        return f"{len(found)} checks, {f'{wrong} not passed' if wrong else 'all passed'}"

    return tuple(
        CheckGroup(title, summary(found), tuple(sorted(found, key=lambda c: (c.verdict == PASSED, c.name))))
        for title, found in held.items()
        if found
    )


def _sums(rows: Sequence[q.Row]) -> tuple[Rows, bool]:
    by_name = {row[0]: row[1:] for row in rows}
    if "total" not in by_name:
        return Rows(()), True
    cost, tokens, credits = by_name["total"]
    lines: list[Row] = []
    is_equal = True
    for name, label in _SUMS.items():
        found = by_name.get(name, (Decimal(0), 0, None))
        off = found[0] - cost
        same = not off and found[1] == tokens and found[2] in (None, credits)
        is_equal = is_equal and same
        lines.append(
            (
                Cell(label),
                Cell(fmt.money_exact(found[0])),
                Cell(fmt.count(found[1])),
                Cell(fmt.credits(found[2])),
                Cell(fmt.money_exact(off)),
                Cell("✓ equal" if same else "✕ differs"),
            )
        )
    return Rows(tuple(lines)), is_equal


def _landing(batches: Sequence[q.Row], clock: ZoneInfo) -> Rows:
    def line(label: Cell, at: Cell, counts: Sequence[int]) -> Row:
        read_rows, *parts = counts
        return (
            label,
            at,
            *(Cell(fmt.count(number)) for number in counts),
            Cell("✓ equal" if read_rows == sum(parts) else "✕ differs"),
        )

    shown = tuple(
        line(Cell(fmt.count(row[0])), Cell(fmt.moment(row[1], clock)[:16]), row[2:])
        for row in batches[:BATCHES_SHOWN]
    )
    rest = batches[BATCHES_SHOWN:]
    if rest:
        earlier = Cell(f"{fmt.count(len(rest))} earlier")
        shown += (line(earlier, Cell(""), [sum(row[i] for row in rest) for i in range(2, 7)]),)
    whole = [sum(row[i] for row in batches) for i in range(2, 7)]
    return Rows(shown, (line(Cell("All batches"), Cell(""), whole),) if batches else ())


def _landing_note(publication: Publication) -> str:
    files = publication.unreadable_files
    return (
        f"{fmt.count(files)} landing file{' was' if files == 1 else 's were'} unreadable: nothing of it was loaded."
        if files
        else ""
    )


def _quarantine(rows: Sequence[q.Row]) -> Rows:
    return Rows(
        tuple(
            (
                Cell(entity or fmt.MISSING),
                Cell(str(reason).replace("_", " ")),
                Cell(name or fmt.MISSING),
                Cell(fmt.count(number)),
                Cell(fmt.count(batches)),
            )
            for entity, reason, name, number, batches in rows
        )
    )


def _arrow(before: str | None, after: str | None) -> str:
    """'1,204 → 1,209', or the one value where it stayed."""
    texts = [fmt.MISSING if text is None else text for text in (before, after)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _changes(rows: Sequence[q.Row]) -> tuple[Rows, str]:
    def counts(before: int | None, after: int | None) -> Cell:
        return Cell(_arrow(*(None if n is None else fmt.count(n) for n in (before, after))))

    def money(before: Decimal | None, after: Decimal | None) -> Cell:
        short, exact = (
            _arrow(*(None if n is None else show(n) for n in (before, after)))
            for show in (fmt.money, fmt.money_exact)
        )
        return Cell(short, exact)

    def difference(before: Decimal | None, after: Decimal | None) -> str:
        off = fmt.to_scaled(after or 0) - fmt.to_scaled(before or 0)
        return ("+" if off > 0 else "") + fmt.money_scaled(off)

    lines = tuple(
        (
            Cell(fmt.day(day)),
            counts(runs_before, runs),
            counts(tokens_before, tokens),
            money(cost_before, cost),
            Cell(difference(cost_before, cost)),
            counts(unpriced_before, unpriced),
        )
        for day, runs_before, runs, tokens_before, tokens, cost_before, cost, unpriced_before, unpriced in rows[
            :CHANGES_SHOWN
        ]
    )
    if not rows:
        return Rows(()), "No total of this workspace changed."
    new = sum(row[1] is None for row in rows)
    before, after = (sum((row[i] for row in rows if row[i] is not None), Decimal(0)) for i in (5, 6))
    days = f"{fmt.count(len(rows))} day{'' if len(rows) == 1 else 's'} changed, {fmt.count(new)} of them new"
    note = f"{days}; their cost went from {fmt.money(before)} to {fmt.money(after)} ({difference(before, after)})."
    if len(rows) > CHANGES_SHOWN:
        note += f" Shown are the newest {CHANGES_SHOWN} of {fmt.count(len(rows))}; the others are in meta.changes."
    return Rows(lines), note


def _unpriced(rows: Sequence[q.Row]) -> Rows:
    return Rows(
        tuple(
            (
                Cell(provider or NOT_SAID),
                Cell(model or NOT_SAID),
                Cell(REASONS.get(str(reason), str(reason))),
                Cell(fmt.day(last)),
                Cell(fmt.count(calls)),
                Cell(fmt.count_short(tokens), fmt.count(tokens)),
            )
            for provider, model, reason, last, calls, tokens in rows
        )
    )
