"""The price file that would price what is unpriced: everything filled in but the prices.

What belongs here: from models without a price to the text of a CSV file. What does not: finding those models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from orchestration.pricing import patterns
from orchestration.pricing.meters import BY_NAME, METERS

COLUMNS = (
    "provider", "model", "meter", "unit_price_usd", "unit_size", "valid_from", "valid_to", "variant", "note",
)  # fmt: skip
_WHERE_NEEDED = ("valid_to", "variant")


@dataclass(frozen=True)
class Missing:
    """A model with usage that no price was found for."""

    provider: str
    #: As the spans name it; never empty, because a price file goes by the model.
    model: str
    #: Meters that the usage needs a price for.
    meters: tuple[str, ...]
    #: First UTC date of such usage.
    first_date: date
    call_count: int
    total_tokens: int
    #: Processing tier of the requests; empty: the standard price.
    variant: str = ""
    #: First UTC date from which these meters do have a price; None: there is none later.
    valid_to: date | None = None
    #: (provider, pattern) of the price file that the model goes by already: the rows belong to it, or it would be replaced.
    rule: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Row:
    provider: str
    pattern: str
    variant: str
    meter: str
    valid_to: date | None

    @property
    def order(self) -> tuple[str, str, str, int, date]:
        return self.provider, self.pattern, self.variant, _PLACES[self.meter], self.valid_to or date.max


_PLACES = {meter.name: place for place, meter in enumerate(METERS)}


def skeleton(missing: Sequence[Missing]) -> str:
    """A price file with a row for each model and meter, its prices still empty.

    Names that differ in case or in blanks around them are one. Raises ValueError for a model without a name.
    """
    merged: dict[_Row, list[Missing]] = {}
    for one in missing:
        provider, pattern = one.rule or (patterns.normal(one.provider), patterns.escape(one.model))
        if not pattern:
            raise ValueError("a price file goes by the model: calls without a model's name cannot be in it")
        for meter in set(one.meters):
            merged.setdefault(_Row(provider, pattern, one.variant, meter, one.valid_to), []).append(one)
    rows = [_cells(row, merged[row]) for row in sorted(merged, key=lambda row: row.order)]
    shown = [name for name in COLUMNS if name not in _WHERE_NEEDED or any(row[name] for row in rows)]
    return "".join(_line(cells) + "\n" for cells in (shown, *([row[name] for name in shown] for row in rows)))


def _cells(row: _Row, missing: Sequence[Missing]) -> dict[str, str]:
    calls, tokens = sum(one.call_count for one in missing), sum(one.total_tokens for one in missing)
    return {
        "provider": row.provider,
        "model": row.pattern,
        "meter": row.meter,
        "unit_price_usd": "",
        "unit_size": str(BY_NAME[row.meter].unit_size),
        "valid_from": min(one.first_date for one in missing).isoformat(),
        "valid_to": row.valid_to.isoformat() if row.valid_to else "",
        "variant": row.variant,
        "note": f"{calls} calls and {tokens} tokens unpriced",
    }


def _line(cells: Iterable[str]) -> str:
    """A line of CSV. By hand, because Python's writer leaves a lone carriage return bare where lines end in a line feed."""
    return ",".join(
        '"' + cell.replace('"', '""') + '"' if re.search(r'[",\r\n]', cell) else cell for cell in cells
    )
