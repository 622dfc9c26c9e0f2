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

COLUMNS = ("provider", "model", "meter", "unit_price_usd", "unit_size", "valid_from", "note")


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


def skeleton(missing: Sequence[Missing]) -> str:
    """A price file with a row for each model and meter, its prices still empty.

    Names that differ in case or in blanks around them are one. Raises ValueError for a model without a name.
    """
    lines = [_line(COLUMNS)]
    order = {meter.name: place for place, meter in enumerate(METERS)}
    for one in sorted(_merged(missing), key=lambda one: (one.provider, one.model)):
        note = f"{one.call_count} calls and {one.total_tokens} tokens unpriced"
        for meter in sorted(set(one.meters), key=order.__getitem__):
            size = str(BY_NAME[meter].unit_size)
            cells = (
                one.provider,
                patterns.escape(one.model),
                meter,
                "",
                size,
                one.first_date.isoformat(),
                note,
            )
            lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _merged(missing: Iterable[Missing]) -> list[Missing]:
    """One entry for each provider and model as a price file compares them."""
    merged: dict[tuple[str, str], Missing] = {}
    for one in missing:
        key = patterns.normal(one.provider), patterns.normal(one.model)
        if not key[1]:
            raise ValueError("a price file goes by the model: calls without a model's name cannot be in it")
        other = merged.get(key)
        merged[key] = Missing(
            provider=key[0],
            model=key[1],
            meters=(other.meters if other else ()) + one.meters,
            first_date=min(other.first_date, one.first_date) if other else one.first_date,
            call_count=(other.call_count if other else 0) + one.call_count,
            total_tokens=(other.total_tokens if other else 0) + one.total_tokens,
        )
    return list(merged.values())


def _line(cells: Iterable[str]) -> str:
    """A line of CSV. By hand, because Python's writer leaves a lone carriage return bare where lines end in a line feed."""
    return ",".join(
        '"' + cell.replace('"', '""') + '"' if re.search(r'[",\r\n]', cell) else cell for cell in cells
    )
