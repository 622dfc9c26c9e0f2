"""What the cells of a user's file mean: numbers, words, dates, periods; and what their rows are as a whole.

What belongs here: what price files, rate files and invoices share. A wrong cell is noted as a fault of its table and reading
goes on, so that a user sees everything at once.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from orchestration import exact
from orchestration.exact import shown
from orchestration.pricing.files import Row, Table


@dataclass(frozen=True)
class Period:
    """From a date up to, not including, another; None: open."""

    valid_from: date | None
    valid_to: date | None

    def __str__(self) -> str:
        ends = [end.isoformat() if end else "" for end in (self.valid_from, self.valid_to)]
        if not any(ends):
            return "always"
        return " ".join(f"{word} {end}" for word, end in zip(("from", "to"), ends, strict=True) if end)


class Cells:
    """The cells of one row. Every method returns None for a wrong value and notes why."""

    def __init__(self, table: Table, row: Row) -> None:
        self.table = table
        self.row = row
        self.is_good = True

    def fail(self, column: str, reason: str) -> None:
        """Note a fault of this row."""
        self.is_good = False
        self.table.fault(self.row.line_of(column), column, reason)

    def text(self, column: str) -> str:
        """The text as it is, trimmed."""
        return self.row.cells[column]

    def required(self, column: str, todo: str = "fill it in") -> str | None:
        """A text that must not be empty."""
        text = self.text(column)
        if not text:
            self.fail(column, f"{column} is empty: {todo}")
        return text or None

    def choice(self, column: str, allowed: Sequence[str], default: str) -> str | None:
        """One of some words, without case."""
        word = self.text(column).lower() or default
        if word in allowed:
            return word
        named = ", ".join(repr(item) if item else "empty" for item in allowed)
        self.fail(column, f"{shown(self.text(column))} is not allowed; allowed are {named}")
        return None

    def number(self, column: str, *, decimals: int, below: int) -> Decimal | None:
        """A plain decimal, not negative."""
        try:
            return exact.number(self.text(column), decimals=decimals, below=below)
        except ValueError as error:
            self.fail(column, str(error))
            return None

    def whole(self, column: str, default: int | None, *, at_least: int, below: int) -> int | None:
        """An integer within bounds, the default where it is empty."""
        if not self.text(column):
            return default
        try:
            return exact.whole(self.text(column), at_least=at_least, below=below)
        except ValueError as error:
            self.fail(column, str(error))
            return None

    def day(self, column: str) -> date | None:
        """A date; also None where it is empty, without a fault."""
        if not self.text(column):
            return None
        try:
            return exact.day(self.text(column))
        except ValueError as error:
            self.fail(column, str(error))
            return None

    def period(self) -> Period | None:
        """Of the columns `valid_from` and `valid_to`."""
        was_good, self.is_good = self.is_good, True
        period = Period(self.day("valid_from"), self.day("valid_to"))
        if period.valid_from and period.valid_to and period.valid_to <= period.valid_from:
            self.fail(
                "valid_to",
                f"{period.valid_to} is not after valid_from {period.valid_from}; valid_to is the first date without the row",
            )
        is_right, self.is_good = self.is_good, self.is_good and was_good
        return period if is_right else None


def check_overlaps(table: Table, what: str, rows: Iterable[tuple[Hashable, Period, Row]]) -> None:
    """Note a fault where two rows of one key are valid on the same date."""
    groups: dict[Hashable, list[tuple[date, date, int, Period, Row]]] = defaultdict(list)
    for key, period, row in rows:
        ends = (period.valid_from or date.min, period.valid_to or date.max)
        groups[key].append((*ends, row.line, period, row))
    for group in groups.values():
        group.sort(key=lambda item: item[:3])
        # The one that lasts longest so far: neighbours alone would miss a short row within a long one.
        longest = group[0]
        for item in group[1:]:
            if item[0] < longest[1]:
                first, second = sorted((longest, item), key=lambda one: one[2])
                table.fault(
                    second[4].line_of("valid_from"),
                    "valid_from",
                    f"valid {second[3]}, which overlaps line {first[2]} (valid {first[3]}) with the same {what}: "
                    "let one end where the other begins",
                )
            longest = max(longest, item, key=lambda one: one[1])


def by_start(valid_from: date | None) -> date:
    """Sorts an open start before every date."""
    return valid_from or date.min


def fingerprint(rows: Iterable[Sequence[object]]) -> str:
    """Version of a file: of what its rows say, not of their order or spelling."""
    lines = sorted(json.dumps([_spelt(value) for value in row]) for row in rows)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _spelt(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
