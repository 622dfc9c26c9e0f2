"""What the analytics page says about budgets and odd days: a line for each month with a budget, a line for each thing that left
its band.

What belongs here: order and wording of those lines. What does not: what is odd (the mart decides), SQL, markup. The page shows the
budget of the month in which its range ends, and the odd days within its range; `static/analytics.js` hides the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from reports import format as fmt
from reports.analytics import Cell

BUDGET_MONTHS = 13
"""Newest months with a budget that the page can show: a year, and the month a year ago."""
_THINGS = {"model": "Model", "service": "Service", "resource": "Resource", "api_key": "API key"}
_MEASURES = {
    "total_cost_usd": "cost",
    "external_cost_usd": "external cost",
    "call_count": "calls",
}
"""The measures by which a thing may be odd, the first of them leads its line."""
_STATUS = {
    "within": ("good", "✓", "Within budget"),
    "heading_over": ("warn", "!", "Heading over budget"),
    "over": ("bad", "✕", "Over budget"),
}
_CONTRIBUTOR = re.compile(r": ([0-9]{1,19}) calls, \$(-?[0-9]{1,32}\.[0-9]{6})(?=; |$)")
"""Numbers as the mart writes them. The names before them are whatever somebody called a prompt: what only looks like such numbers must
not stop the pages.
"""
SCALE = 1_000
"""Width of the drawn budget."""


@dataclass(frozen=True)
class Budget:
    """One month: amounts as shown, and how far spent and projected reach on a line as long as the larger of budget and projection."""

    month: str
    title: str
    through: str
    tone: str
    mark: str
    status: str
    numbers: tuple[tuple[str, Cell, str], ...]
    """Label, amount, and what is said under it."""
    spent_width: int
    projected_width: int
    budget_at: int


@dataclass(frozen=True)
class Value:
    """An amount as read, exactly, and as a spreadsheet takes it."""

    text: str
    title: str
    plain: str


@dataclass(frozen=True)
class Odd:
    """A thing on a day when it left its band."""

    day: str
    leads: int
    """Of how many things of its day it is the first; 0 where it is not."""
    day_label: str
    kind: str
    name: str
    what: str
    actual: Value
    expected: Value
    at_stake: Value
    contributors: Cell


@dataclass(frozen=True)
class View:
    """All budgets and odd days that the page may show; which of them it shows first follows from its range."""

    first: str
    last: str
    budgets: tuple[Budget, ...] = ()
    odd: tuple[Odd, ...] = ()

    @property
    def has_budget(self) -> bool:
        """Whether the month in which the range ends has a budget."""
        return any(budget.month == self.last[:7] for budget in self.budgets)

    @property
    def summary(self) -> str:
        """How many days of the range are odd; empty where none is."""
        shown = [odd for odd in self.odd if self.shows(odd)]
        days, things = sum(odd.leads > 0 for odd in shown), len(shown)
        if not days:
            return ""
        counted = f"{days} day{'' if days == 1 else 's'}, {things} thing{'' if things == 1 else 's'}"
        return f"{counted} off what their weekday usually has."

    def shows(self, odd: Odd) -> bool:
        """Whether the odd day lies in the range."""
        return self.first <= odd.day <= self.last


def view(
    first: date, last: date, budgets: Sequence[dict[str, Any]], anomalies: Iterable[dict[str, Any]]
) -> View:
    """Lines of one workspace: rows of the two marts by column, in any order."""
    months = sorted(budgets, key=lambda row: row["month_start_date"], reverse=True)[:BUDGET_MONTHS]
    return View(first.isoformat(), last.isoformat(), tuple(map(_budget, months)), _odd(anomalies))


def _money(value: Decimal) -> Cell:
    return Cell(fmt.money(value), fmt.money_exact(value))


def _dollars(value: Decimal) -> Value:
    return Value(fmt.money(value), fmt.money_exact(value), f"{value:f}")


def _budget(row: dict[str, Any]) -> Budget:
    budget, spent, projected = row["monthly_budget_usd"], row["spent_usd"], row["projected_usd"]
    start, through, left = row["month_start_date"], row["through_date"], row["days_left"]
    end = through + timedelta(days=left)
    longest = max(budget, projected, spent)
    tone, mark, status = _STATUS[row["budget_status"]]
    off = abs(budget - projected)

    def width(value: Decimal) -> int:
        return int(max(value, Decimal(0)) * SCALE / longest)

    def share(value: Decimal) -> str:
        return fmt.percent(fmt.to_scaled(value), fmt.to_scaled(budget))

    return Budget(
        month=start.isoformat()[:7],
        title=f"Budget of {fmt.month(start)}",
        through=f"through {fmt.day_short(through)}",
        tone=tone,
        mark=mark,
        status=status,
        numbers=(
            ("Spent", _money(spent), f"{share(spent)} of {fmt.money(budget)}"),
            ("Pace", _money(row["pace_usd_per_day"]), "a day, this month so far"),
            (
                f"Projected by {fmt.day_short(end)}" if left else "Month's end",
                _money(projected),
                f"{fmt.money(off)} {'over' if projected > budget else 'below'} budget",
            ),
            ("Budget lasts", *_lasts(row["budget_status"], row["budget_days_left"], left)),
        ),
        spent_width=width(spent),
        projected_width=width(projected),
        budget_at=width(budget),
    )


def _lasts(status: str, budget_days_left: int | None, left: int) -> tuple[Cell, str]:
    """How long the rest of a budget lasts, and what of the month is left."""

    def days(number: int) -> str:
        return f"{fmt.count(number)} day{'' if number == 1 else 's'}"

    remaining = f"{days(left)} of the month left"
    if status == "over":
        return Cell("spent"), remaining
    if budget_days_left is None:
        return Cell("whole month"), remaining
    return Cell(
        days(budget_days_left) if budget_days_left else "less than a day"
    ), f"at this pace; {remaining}"


def _odd(rows: Iterable[dict[str, Any]]) -> tuple[Odd, ...]:
    """Newest day first; of a day, the thing with the most money at stake first."""

    def thing(row: dict[str, Any]) -> tuple[date, str, str]:
        return row["usage_date"], row["dimension"], row["dimension_key"]

    things = [list(found) for _, found in groupby(sorted(rows, key=thing), key=thing)]
    places = {name: place for place, name in enumerate(_THINGS)}
    things.sort(
        key=lambda found: (
            -found[0]["usage_date"].toordinal(),
            -found[0]["at_stake_usd"],
            places[found[0]["dimension"]],
            found[0]["dimension_key"],
        )
    )
    lines = []
    for _, of_day in groupby(things, key=lambda found: found[0]["usage_date"]):
        held = list(of_day)
        for place, found in enumerate(held):
            ranked = sorted(found, key=lambda row: list(_MEASURES).index(row["measure"]))
            lines.append(_line(ranked[0], ranked[1:], 0 if place else len(held)))
    return tuple(lines)


def _line(lead: dict[str, Any], others: Sequence[dict[str, Any]], leads: int) -> Odd:
    def amount(row: dict[str, Any], value: Decimal) -> Value:
        if row["measure"] == "call_count":
            return Value(fmt.count(int(value.to_integral_value())), f"{value:f}", f"{value:f}")
        return _dollars(value)

    def said(row: dict[str, Any]) -> str:
        return f"{_MEASURES[row['measure']]} {row['direction']} its band"

    band = " to ".join(amount(lead, lead[name]).text for name in ("band_lower", "band_upper"))
    expected = amount(lead, lead["expected"])
    extra = "".join(
        f"; {said(row)} ({amount(row, row['actual']).text}, expected {amount(row, row['expected']).text})"
        for row in others
    )
    contributors = lead["top_contributors"] or ""
    return Odd(
        day=lead["usage_date"].isoformat(),
        leads=leads,
        day_label=fmt.day(lead["usage_date"]),
        kind=_THINGS[lead["dimension"]],
        name=lead["dimension_key"] if lead["dimension"] == "model" else lead["dimension_name"],
        what=said(lead) + extra,
        actual=amount(lead, lead["actual"]),
        expected=Value(expected.text, f"{expected.title}; band {band}", expected.plain),
        at_stake=_dollars(lead["at_stake_usd"]),
        contributors=Cell(_CONTRIBUTOR.sub(_contributor, contributors) or fmt.MISSING, contributors),
    )


def _contributor(found: re.Match[str]) -> str:
    calls = int(found[1])
    return f": {fmt.count(calls)} call{'' if calls == 1 else 's'}, {fmt.money(Decimal(found[2]))}"
