"""The price catalogue: every price of the installed `genai-prices` as rows of `Price`, and its search for a model by name.

Only what the package ships is read; its network update is never called. Which of several dated, daily or tiered prices
holds when is not worked out here again: the package is asked at each boundary, so its own rules decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from orchestration.pricing.meters import BY_CATALOGUE_KEY
from orchestration.pricing.prices import Price

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice

PACKAGE = "genai-prices"
SOURCE = "catalogue"

# Some prices in the package went through a binary float (0.18000000000000002 per million); 12 decimals end the noise.
_PLACES = Decimal(1).scaleb(-12)
_DAY = timedelta(days=1)
_CHECKED = re.compile(r"(?:verified|checked)[^.]{0,40}?(\d{4}-\d\d-\d\d)", re.IGNORECASE)


def version() -> str:
    """Version of the installed catalogue; cheap, nothing is loaded."""
    return f"{PACKAGE} {metadata.version(PACKAGE)}"


@dataclass(frozen=True)
class Match:
    """A model of the catalogue that a name stands for: the provider asked, and where the model is listed."""

    #: Provider that was asked.
    provider: str
    #: Provider whose list has the model; another one where the first sells its models at its prices.
    listed_by: str
    model: str


@cache
def _snapshot() -> DataSnapshot:
    from genai_prices.data import providers  # noqa: PLC0415 - a third of a second, paid only when prices are resolved
    from genai_prices.data_snapshot import DataSnapshot  # noqa: PLC0415

    return DataSnapshot(providers=providers, from_auto_update=False)


@cache
def _lists() -> dict[int, str]:
    """id(model) → provider that lists it."""
    return {id(model): provider.id for provider in _snapshot().providers for model in provider.models}


@cache
def provider_of(name: str) -> str | None:
    """The catalogue's id of a provider by its name or a common alias; None where it knows none."""
    try:
        return _snapshot().find_provider(None, name, None).id
    except LookupError:
        return None


def find(model: str, provider: str | None) -> Match | None:
    """The model that a name stands for; without a provider, that of the maker that the name gives away."""
    try:
        asked, found = _snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return Match(asked.id, _lists()[id(found)], found.id)


@cache
def prices() -> tuple[Price, ...]:
    """All prices, sorted."""
    source_version = version()
    rows: set[Price] = set()
    for provider in _snapshot().providers:
        for model in provider.models:
            checked_at = _checked_at(model)
            for variant, context in _contexts(model):
                for cell, price in _cells(model, context):
                    for meter, above, amount in _meters(price):
                        rows.add(
                            Price(
                                provider.id,
                                model.id,
                                meter.name,
                                variant,
                                above,
                                *cell,
                                meter.unit_size,
                                amount,
                                SOURCE,
                                source_version,
                                checked_at,
                            )
                        )
    return tuple(sorted(rows, key=_order))


def _order(price: Price) -> tuple[Any, ...]:
    return (
        price.provider, price.model_rule, price.variant, price.meter, price.above_input_tokens,
        price.valid_from or date.min, price.daily_from or time.min,
    )  # fmt: skip


def _contexts(model: ModelInfo) -> Iterator[tuple[str, dict[str, str] | None]]:
    """The standard price and each variant; a variant is named by its value (`flex`, `batch`), as requests name it."""
    yield "", None
    seen = set()
    for variant in model.price_variants or ():
        name = "+".join(variant.when.values())
        if name not in seen and any(_meters(variant.prices)):
            seen.add(name)
            yield name, dict(variant.when)


Cell = tuple[date | None, date | None, time | None, time | None]


def _cells(model: ModelInfo, context: dict[str, str] | None) -> Iterator[tuple[Cell, ModelPrice]]:
    """(valid_from, valid_to, daily_from, daily_to) of each stretch of time with one price."""
    dates: list[date | None] = [None, *sorted(set(_start_dates(model)))]
    times = sorted({time.min, *_times(model)})
    stretches: list[tuple[date | None, date | None, list[tuple[time, ModelPrice]]]] = []
    for start, end in zip(dates, [*dates[1:], None], strict=True):
        day = start or (end - _DAY if end else date(2000, 1, 1))
        day_prices = [(at, model.get_prices(datetime.combine(day, at, UTC), context)) for at in times]
        if stretches and [p for _, p in stretches[-1][2]] == [p for _, p in day_prices]:
            stretches[-1] = (stretches[-1][0], end, day_prices)
        else:
            stretches.append((start, end, day_prices))
    for start, end, day_prices in stretches:
        if all(price == day_prices[0][1] for _, price in day_prices):
            yield (start, end, None, None), day_prices[0][1]
            continue
        ends = [at for at, _ in day_prices[1:]] + [time.max]
        for (at, price), until in zip(day_prices, ends, strict=True):
            yield (start, end, at, None if until == time.max else until), price


def _constraints(model: ModelInfo) -> Iterator[Any]:
    if isinstance(model.prices, list):
        yield from (price.constraint for price in model.prices)
    yield from (variant.constraint for variant in model.price_variants or ())


def _start_dates(model: ModelInfo) -> Iterator[date]:
    for constraint in _constraints(model):
        if hasattr(constraint, "start_date"):
            yield constraint.start_date


def _times(model: ModelInfo) -> Iterator[time]:
    for constraint in _constraints(model):
        if hasattr(constraint, "start_time"):
            yield constraint.start_time.replace(tzinfo=None)
            yield constraint.end_time.replace(tzinfo=None)


def _checked_at(model: ModelInfo) -> date | None:
    """The newest date on which the package says that this model's prices were checked; most models say none."""
    return max(map(date.fromisoformat, _CHECKED.findall(model.price_comments or "")), default=None)


def _meters(price: ModelPrice) -> Iterator[tuple[Any, int, Decimal]]:
    """(meter, above_input_tokens, price) of each price that is set."""
    for key, value in vars(price).items():
        if value is None or key not in BY_CATALOGUE_KEY:
            continue
        meter = BY_CATALOGUE_KEY[key]
        if isinstance(value, Decimal):
            yield meter, 0, _plain(value)
        else:
            yield meter, 0, _plain(value.base)
            for tier in value.tiers:
                yield meter, tier.start, _plain(tier.price)


def _plain(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_EVEN)
