"""The user's own prices: a CSV or YAML file that goes before the catalogue.

What belongs here: the columns of such a file, what is allowed in them, and its rows as prices. Which price a call gets is decided
elsewhere.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from orchestration.exact import shown
from orchestration.pricing import files, patterns
from orchestration.pricing.cells import Cells, Period, by_start, check_overlaps, fingerprint
from orchestration.pricing.files import Column
from orchestration.pricing.meters import BY_NAME, MEASURED, Meter
from orchestration.pricing.prices import Price

SOURCE = "price file"
COLUMNS = (
    Column("provider", "Provider as the spans name it; empty: any."),
    Column(
        "model",
        "Name of the model, or a pattern with `*` and `?` as in file names; `[*]`, `[?]` and `[[]` are those characters themselves.",
        is_required=True,
    ),
    Column("meter", "What is counted.", is_required=True),
    Column("unit_price_usd", "US dollars for `unit_size` units, at most 12 decimals.", is_required=True),
    Column("unit_size", "Units that the price is given for; empty: those of the meter."),
    Column("valid_from", "First date (UTC) of the price; empty: always was."),
    Column("valid_to", "First date (UTC) on which it no longer applies; empty: no end."),
    Column(
        "above_input_tokens",
        "For requests whose whole input, cached included, is above this many tokens; empty: all.",
    ),
    Column(
        "variant", "Processing tier of the request, such as `flex` or `batch`; empty: the standard price."
    ),
    Column("checked_at", "Date on which you last checked the price."),
    Column("note", "Anything; not read."),
)
PRICE_DECIMALS = 12
PRICE_BELOW = 1_000_000
"""With the decimals, what a `decimal(18,12)` holds."""
UNIT_DECIMALS = 18
"""The price of one unit must be exact in this many decimals."""
_UNIT_SIZE_BELOW = 10**12
_TOKENS_BELOW = 10**15
VARIANT = re.compile(r"[a-z0-9][a-z0-9_./-]*")


def read(path: Path) -> tuple[Price, ...]:
    """The prices of a file, in an order and with a version that do not depend on the order of its rows.

    Providers and models are in lower case. Raises UserFileError with everything that is wrong.
    """
    table = files.read(path, COLUMNS)
    prices: list[Price] = []
    periods: list[tuple[tuple[object, ...], Period, files.Row]] = []
    for row in table.rows:
        cells = Cells(table, row)
        model = cells.required("model")
        meter = _meter(cells)
        variant = _variant(cells)
        above = cells.whole("above_input_tokens", 0, at_least=0, below=_TOKENS_BELOW)
        period = cells.period()
        checked_at = cells.day("checked_at")
        provider, rule = patterns.normal(cells.text("provider")), patterns.normal(model or "")
        if model and meter and period and variant is not None and above is not None:
            periods.append(((provider, rule, variant, meter.name, above), period, row))
        unit_price, unit_size = _unit_price(cells, meter)
        if cells.is_good and meter and period and unit_price is not None and unit_size is not None:
            prices.append(
                Price(
                    provider=provider,
                    model_rule=rule,
                    meter=meter.name,
                    variant=variant or "",
                    above_input_tokens=above or 0,
                    valid_from=period.valid_from,
                    valid_to=period.valid_to,
                    daily_from=None,
                    daily_to=None,
                    unit_size=unit_size,
                    unit_price_usd=unit_price,
                    source=SOURCE,
                    source_version="",
                    checked_at=checked_at,
                )
            )
    check_overlaps(table, "provider, model, variant, meter and above_input_tokens", periods)
    table.check()
    version = fingerprint(
        (*_key(price), price.valid_from, price.valid_to, price.unit_size, price.unit_price_usd)
        for price in prices
    )
    ordered = sorted(prices, key=lambda price: (*_key(price), by_start(price.valid_from)))
    return tuple(replace(price, source_version=version) for price in ordered)


def _key(price: Price) -> tuple[str, str, str, str, int]:
    return price.provider, price.model_rule, price.meter, price.variant, price.above_input_tokens


def _meter(cells: Cells) -> Meter | None:
    text = cells.required("meter")
    if text is None:
        return None
    meter = BY_NAME.get(text.lower())
    names = [meter.name for meter in MEASURED]
    if meter is None:
        close = difflib.get_close_matches(text.lower(), names, 1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? Known" if close else "known"
        cells.fail("meter", f"there is no meter {shown(text)}; {hint} are {', '.join(names)}")
    elif not meter.is_measured:
        cells.fail(
            "meter",
            f"spans carry no quantity for {meter.name!r}, so its price would charge nothing: remove the row",
        )
    return meter


def _variant(cells: Cells) -> str | None:
    text = cells.text("variant").lower()
    if not text or VARIANT.fullmatch(text):
        return text
    cells.fail("variant", f"{shown(text)} is not a processing tier such as 'flex' or 'batch'")
    return None


def _unit_price(cells: Cells, meter: Meter | None) -> tuple[Decimal | None, int | None]:
    """Price and unit size; None where one of them is wrong."""
    unit_size = cells.whole(
        "unit_size", meter.unit_size if meter else None, at_least=1, below=_UNIT_SIZE_BELOW
    )
    if cells.required("unit_price_usd", "fill it in, or remove the row") is None:
        return None, unit_size
    price = cells.number("unit_price_usd", decimals=PRICE_DECIMALS, below=PRICE_BELOW)
    if price is not None and unit_size is not None and int(price.scaleb(UNIT_DECIMALS)) % unit_size:
        cells.fail(
            "unit_size",
            f"{price:f} divided by {unit_size} is not exact in {UNIT_DECIMALS} decimals: use a power of ten",
        )
    return price, unit_size
