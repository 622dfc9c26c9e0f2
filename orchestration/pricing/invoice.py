"""A provider's invoice or usage export, and how it differs from what we counted, by day and model.

What belongs here: the columns of such a file and the comparison. What we counted is handed in; both sides have a row for each day
and model, so plain Python is enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any, Literal, TypeVar

from orchestration.exact import shown
from orchestration.pricing import files, patterns
from orchestration.pricing.cells import Cells
from orchestration.pricing.files import Column

COLUMNS = (
    Column(
        "date", "Day, or a time of that day; a time with an offset is taken to UTC.", is_required=True, aliases=("day",)
    ),
    Column("model", "Name of the model; empty for charges without one.", is_required=True),
    Column("provider", "Name of the provider."),
    Column("input_tokens", "Tokens sent, cached ones included."),
    Column("output_tokens", "Tokens generated, reasoning included."),
    Column("total_tokens", "All tokens; empty: input and output together.", aliases=("tokens",)),
    Column("amount_usd", "Amount in US dollars; negative for refunds.", aliases=("amount", "cost", "cost_usd")),
    Column("currency", "Must be USD where it is there."),
)  # fmt: skip
MEASURES = ("input_tokens", "output_tokens", "total_tokens", "amount_usd")
AMOUNT_DECIMALS = 12
CENT = Decimal("0.01")
_AMOUNT = re.compile(
    r"(-?)\$?([0-9]{1,15}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:e([+-]?[0-9]{1,2}))?", re.IGNORECASE
)
_AMOUNT_BELOW = 10**15
_TOKENS_BELOW = 10**18
_ENOUGH_DIGITS = 80
"""Of a sum: Python rounds to 28 digits otherwise."""

Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True)
class Usage:
    """Tokens and money of a day and model; None: not stated."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    amount_usd: Decimal | None = None


@dataclass(frozen=True)
class InvoiceLine:
    """What the provider says of a day and model, several rows of the file added up."""

    date: date
    #: None where the file does not say.
    provider: str | None
    #: In lower case; empty for charges without a model.
    model: str
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    amount_usd: Decimal | None


@dataclass(frozen=True)
class OurLine:
    """What we counted of a day and model."""

    date: date
    provider: str | None
    model: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    amount_usd: Decimal
    #: Calls among them that have no price, so that the amount lacks them.
    unpriced_call_count: int = 0


@dataclass(frozen=True)
class Difference:
    """A day and model on both sides."""

    date: date
    model: str
    status: Literal["both", "only ours", "only theirs"]
    #: None where that side has nothing of this day and model.
    ours: Usage | None
    theirs: Usage | None
    #: Ours minus theirs, an absent side counted as zero; None where the file states no such measure.
    difference: Usage
    #: Of our calls, those without a price: they may explain a difference of money.
    unpriced_call_count: int

    @property
    def is_equal(self) -> bool:
        """Whether nothing that can be compared differs."""
        return not any(getattr(self.difference, measure) for measure in MEASURES)


def read(path: Path) -> tuple[InvoiceLine, ...]:
    """The lines of an invoice, by date, provider and model. Further columns are ignored.

    Raises UserFileError with everything that is wrong.
    """
    table = files.read(path, COLUMNS, ignore_others=True)
    if not table.columns & set(MEASURES):
        table.fault(1, "", f"nothing to compare: at least one column of {', '.join(MEASURES)} is needed")
    lines: list[InvoiceLine] = []
    for row in table.rows:
        cells = Cells(table, row)
        day = _day(cells)
        counts = {name: _tokens(cells, name) for name in MEASURES[:-1]}
        if counts["total_tokens"] is None and None not in (counts["input_tokens"], counts["output_tokens"]):
            counts["total_tokens"] = (counts["input_tokens"] or 0) + (counts["output_tokens"] or 0)
        amount = _amount(cells)
        if cells.text("currency").upper() not in ("", "USD"):
            cells.fail("currency", f"{shown(cells.text('currency'))} is not USD: convert the amounts first")
        if cells.is_good and day:
            provider = patterns.normal(cells.text("provider")) or None
            model = patterns.normal(cells.text("model"))
            lines.append(InvoiceLine(day, provider, model, **counts, amount_usd=amount))
    table.check()
    groups = _grouped(lines, lambda line: (line.date, line.provider or "", line.model))
    return tuple(_line(key, _sum(groups[key])) for key in sorted(groups))


def _line(key: tuple[date, str, str], usage: Usage) -> InvoiceLine:
    day, provider, model = key
    measures = (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.amount_usd)
    return InvoiceLine(day, provider or None, model, *measures)


def period(lines: Sequence[InvoiceLine]) -> tuple[date, date] | None:
    """First and last date of an invoice: the dates of ours to lay beside it."""
    days = [line.date for line in lines]
    return (min(days), max(days)) if days else None


def compare(ours: Sequence[OurLine], theirs: Sequence[InvoiceLine]) -> list[Difference]:
    """Every day and model of either side, by date and model; providers are added up.

    Models are compared without case and blanks around them.
    """
    stated = {name for name in MEASURES if any(getattr(line, name) is not None for line in theirs)}
    stated = stated or set(MEASURES)  # of an invoice without lines everything differs
    our_groups = _grouped(ours, lambda line: (line.date, patterns.normal(line.model)))
    their_groups = _grouped(theirs, lambda line: (line.date, patterns.normal(line.model)))
    differences = []
    for day, model in sorted(our_groups.keys() | their_groups.keys()):
        our_lines = our_groups.get((day, model), [])
        their_lines = their_groups.get((day, model), [])
        our_usage = _sum(our_lines) if our_lines else None
        their_usage = _sum(their_lines) if their_lines else None
        differences.append(
            Difference(
                date=day,
                model=model,
                status="only theirs" if not our_lines else "both" if their_lines else "only ours",
                ours=our_usage,
                theirs=their_usage,
                difference=_minus(our_usage, their_usage, stated),
                unpriced_call_count=sum(line.unpriced_call_count for line in our_lines),
            )
        )
    return differences


def total(differences: Sequence[Difference]) -> tuple[Usage, Usage, Usage]:
    """Ours, theirs and the difference of all days and models together.

    What the invoice does not state of a day and model is left out of our side, too, so that the difference is that of the sides.
    """
    stated = {
        name for name in MEASURES if any(getattr(item.difference, name) is not None for item in differences)
    }

    def counted(side: Usage | None, difference: Usage) -> Usage:
        values = {name: getattr(side, name) for name in MEASURES} if side else {}
        return Usage(
            **{n: v for n, v in values.items() if n not in stated or getattr(difference, n) is not None}
        )

    return (
        _sum([counted(item.ours, item.difference) for item in differences]),
        _sum([counted(item.theirs, item.difference) for item in differences]),
        _sum([item.difference for item in differences]),
    )


def is_within(
    tolerance_pct: Decimal, ours: Usage | None, theirs: Usage | None, difference: Usage, *, lines: int = 1
) -> bool:
    """Whether every measure that can be compared differs by at most that percentage of the greater side.

    Invoices are rounded, so amounts may also differ by a cent, or by half a cent for each of many lines that were added up; with a
    tolerance of zero nothing may differ.
    """
    with localcontext(prec=_ENOUGH_DIGITS):
        rounding = max(CENT, CENT / 2 * lines) if tolerance_pct else Decimal(0)
        for measure in MEASURES:
            apart = abs(Decimal(getattr(difference, measure) or 0))
            sides = (getattr(side, measure) or 0 for side in (ours, theirs) if side)
            greater = max((abs(Decimal(side)) for side in sides), default=Decimal(0))
            is_rounding = measure == "amount_usd" and apart <= rounding
            if apart * 100 > tolerance_pct * greater and not is_rounding:
                return False
    return True


Line = TypeVar("Line", InvoiceLine, OurLine)
Key = TypeVar("Key")


def _grouped(lines: Iterable[Line], key: Callable[[Line], Key]) -> dict[Key, list[Line]]:
    groups: dict[Key, list[Line]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups


def _sum(lines: Sequence[InvoiceLine] | Sequence[OurLine] | Sequence[Usage]) -> Usage:
    """Measures of several lines; one that no line states stays None."""

    def total(values: list[Number | None], zero: Number) -> Number | None:
        stated = [value for value in values if value is not None]
        return sum(stated, zero) if stated else None

    with localcontext(prec=_ENOUGH_DIGITS):
        return Usage(
            total([line.input_tokens for line in lines], 0),
            total([line.output_tokens for line in lines], 0),
            total([line.total_tokens for line in lines], 0),
            total([line.amount_usd for line in lines], Decimal(0)),
        )


def _minus(ours: Usage | None, theirs: Usage | None, stated: set[str]) -> Usage:
    """Ours minus theirs. A measure that only other lines of the file state is unknown for this one."""
    values: dict[str, Any] = {}
    with localcontext(prec=_ENOUGH_DIGITS):
        for name in stated:
            mine = getattr(ours, name) if ours else 0
            other = getattr(theirs, name) if theirs else 0
            if mine is not None and other is not None:
                values[name] = mine - other
    return Usage(**values)


# -- cells ---------------------------------------------------------------------------------------------------------------------


def _day(cells: Cells) -> date | None:
    text = cells.required("date")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (ValueError, OverflowError):
        cells.fail(
            "date", f"{shown(text)} is not a date such as 2026-01-31, nor a time such as 2026-01-31T12:00:00Z"
        )
        return None


def _tokens(cells: Cells, column: str) -> int | None:
    text = re.sub(r"\.0+$", "", cells.text(column))
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        cells.fail(column, f"{shown(cells.text(column))} is not a number of tokens: only digits are allowed")
        return None
    return int(text)


def _amount(cells: Cells) -> Decimal | None:
    """An amount as providers print it, rounded half-even to 12 decimals like every amount at landing."""
    text = cells.text("amount_usd")
    if not text:
        return None
    found = _AMOUNT.fullmatch(text)
    if not found:
        cells.fail(
            "amount_usd",
            f"{shown(text)} is not an amount such as 12.34: no thousands separators, '.' before the cents",
        )
        return None
    with localcontext(prec=_ENOUGH_DIGITS * 2):
        value = Decimal(f"{found[1]}{found[2]}e{found[3] or 0}")
        if abs(value) >= _AMOUNT_BELOW:
            cells.fail("amount_usd", f"{shown(text)} must be below {_AMOUNT_BELOW:,}")
            return None
        return value.quantize(Decimal(1).scaleb(-AMOUNT_DECIMALS), ROUND_HALF_EVEN)
