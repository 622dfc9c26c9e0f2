"""Which prices are missing: from published calls without a price, or with part of one, to the rows that a price file lacks.

What belongs here: finding those calls, and which of their meters the prices in force now do not cover. What does not: the text of
the file, which is `skeleton`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from orchestration.pricing import catalogue, patterns, price_file
from orchestration.pricing.meters import MEASURED
from orchestration.pricing.price_sets import PriceBook, PriceSet
from orchestration.pricing.resolve import LONGEST_NAME, STANDARD_TIERS, Names, Resolver
from orchestration.pricing.skeleton import Missing

if TYPE_CHECKING:
    import duckdb

    from orchestration.pricing.prices import Price

NOT_CURED = ("unknown_usage", "no_model_named")
"""Reasons that no price file cures: the call does not say what it used, or of what."""

_INPUT_REST = "input_tokens - coalesce(cached_tokens, 0) - coalesce(cache_write_tokens, 0)"
IS_USED = {
    # A call of zero tokens is priced (at nothing) as soon as its model has any price.
    "uncached_input": f"total_tokens = 0 or {_INPUT_REST} > coalesce(audio_input_tokens, 0) + coalesce(image_input_tokens, 0)",
    "cached_input": "cached_tokens > 0",
    "cache_write_5m": "cache_write_tokens > coalesce(cache_write_1h_tokens, 0)",
    "cache_write_1h": "cache_write_1h_tokens > 0 and cache_write_tokens > 0",
    "audio_input": f"audio_input_tokens > 0 and {_INPUT_REST} > 0",
    "image_input": f"image_input_tokens > 0 and {_INPUT_REST} > coalesce(audio_input_tokens, 0)",
    "output": "output_tokens > coalesce(reasoning_tokens, 0) + coalesce(audio_output_tokens, 0)",
    "reasoning": "reasoning_tokens > 0",
    "audio_output": "audio_output_tokens > 0",
    "image_output": "image_tokens > 0",
    "citation": "citation_tokens > 0",
    "image": "span_kind = 'image_generation' and units > 0",
    "web_search": "web_search_count > 0",
}
"""Whether a call used a meter: its quantity in `meter_quantities` of dbt_project/macros/pricing.sql is above zero. Without `request`:
every call is one, and only a provider's price list says that it is charged for.
"""
FREE_WITHOUT_A_PRICE = ("citation", "image", "request")
"""A model that has a price for anything else owes nothing for these (`meters_free_without_a_price` of the same file)."""


@dataclass(frozen=True)
class UnpricedModel:
    """A model as its calls name it, and what of its price is missing."""

    provider: str
    model: str
    service_tier: str
    reasons: tuple[str, ...]
    meters: tuple[str, ...]
    #: First UTC date of such a call.
    first_date: date
    call_count: int
    total_tokens: int


@dataclass(frozen=True)
class Findings:
    """Everything that is published without a full price."""

    models: tuple[UnpricedModel, ...]
    #: The rows that a price file lacks.
    missing: tuple[Missing, ...]
    #: Calls that no price file cures: they do not say what they used, or name nothing that a file could name.
    calls_without_usage: int
    calls_without_model: int
    #: Calls that the prices in force now cover, though those of the last publication did not.
    calls_of_next_night: int


@dataclass(frozen=True)
class _Calls:
    """Calls of one day that name their model alike and lack a price for the same reason."""

    names: Names
    day: date
    reason: str
    call_count: int
    total_tokens: int
    used: tuple[str, ...]

    @property
    def model(self) -> str:
        return self.names.response_model or self.names.model

    @property
    def tier(self) -> str:
        tier = patterns.normal(self.names.service_tier)
        return "" if tier in STANDARD_TIERS else tier

    @property
    def can_be_named(self) -> bool:
        """Whether a price file could have a row for it."""
        is_named = self.reason != "no_model_named" and 0 < len(patterns.normal(self.model)) <= LONGEST_NAME
        return is_named and (not self.tier or price_file.VARIANT.fullmatch(self.tier) is not None)


def find(
    connection: duckdb.DuckDBPyConnection, file_prices: Sequence[Price], *, workspace_id: str | None = None
) -> Findings:
    """What the published file has without a full price, given the catalogue and the rows of the price file as they are now."""
    prices = _Prices(file_prices)
    found: list[tuple[_Calls, list[Missing]]] = []
    without_usage = without_model = of_next_night = 0
    for calls in _read_calls(connection, workspace_id):
        if not calls.can_be_named:
            without_model += calls.call_count
        elif calls.reason in NOT_CURED or not calls.used:
            without_usage += calls.call_count
        elif missing := prices.missing(calls):
            found.append((calls, missing))
        else:
            of_next_night += calls.call_count
    return Findings(
        models=_models(found),
        missing=tuple(one for _, missing in found for one in missing),
        calls_without_usage=without_usage,
        calls_without_model=without_model,
        calls_of_next_night=of_next_night,
    )


def _read_calls(connection: duckdb.DuckDBPyConnection, workspace_id: str | None) -> list[_Calls]:
    """From the fact, because only it says what each call used; on the dates that the mart lists."""
    flags = [f"coalesce({condition}, false)" for condition in IS_USED.values()]
    rows = connection.execute(
        f"""
        select
            coalesce(provider, ''),
            coalesce(model, ''),
            coalesce(response_model, ''),
            coalesce(service_tier, ''),
            cast(started_at as date),
            coalesce(unpriced_reason, 'partly_priced'),
            count(*),
            cast(coalesce(sum(total_tokens), 0) as bigint),
            {", ".join(f"bool_or({flag})" for flag in flags)}
        from facts.fct_span_usage
        where
            price_status in ('unpriced', 'partial')
            and cost_source <> 'reported'
            and workspace_id = coalesce($workspace_id, workspace_id)
            and usage_date in (select usage_date from marts.mart_analytics__unpriced_usage)
        -- calls without any usage apart: no price cures them
        group by 1, 2, 3, 4, 5, 6, {" or ".join(flags)}
        order by all
        """,
        {"workspace_id": workspace_id},
    ).fetchall()
    return [
        _Calls(
            names=Names(*row[:4]),
            day=row[4],
            reason=row[5],
            call_count=row[6],
            total_tokens=row[7],
            used=tuple(meter for meter, is_used in zip(IS_USED, row[8:], strict=True) if is_used),
        )
        for row in rows
    ]


class _Prices:
    """The prices in force now, asked for what they lack."""

    def __init__(self, file_prices: Sequence[Price]) -> None:
        self._resolver = Resolver(file_prices)
        self._book = PriceBook(catalogue.prices(), file_prices)
        self._known: dict[Names, tuple[tuple[str, str] | None, list[PriceSet]]] = {}

    def missing(self, calls: _Calls) -> list[Missing]:
        """What these calls lack: an entry for each date on which their meters have a price again."""
        rule, price_sets = self._of(calls)
        until: dict[date | None, list[str]] = {}
        for meter in calls.used:
            if not _is_covered(meter, price_sets, calls.day):
                until.setdefault(_next_start(meter, price_sets, calls.day), []).append(meter)
        return [
            Missing(
                provider=calls.names.provider,
                model=calls.model,
                meters=tuple(meters),
                first_date=calls.day,
                call_count=calls.call_count,
                total_tokens=calls.total_tokens,
                variant=calls.tier,
                valid_to=valid_to,
                rule=rule,
            )
            for valid_to, meters in until.items()
        ]

    def _of(self, calls: _Calls) -> tuple[tuple[str, str] | None, list[PriceSet]]:
        """The price file's rule that the names go by, and the price sets of their tier."""
        if calls.names not in self._known:
            resolution = self._resolver.resolve(calls.names)
            # A tier that no source knows is charged at the standard price for want of its own.
            is_tier_known = calls.tier == resolution.variant
            price_sets = self._book.price_sets([resolution]) if is_tier_known else []
            self._known[calls.names] = resolution.filed, price_sets
        return self._known[calls.names]


def _is_covered(meter: str, price_sets: Sequence[PriceSet], day: date) -> bool:
    of_day = [item for item in price_sets if item.valid_from <= _midnight(day) < item.valid_to]
    is_free = meter in FREE_WITHOUT_A_PRICE
    return bool(of_day) and all(is_free or _has_price(meter, item) for item in of_day)


def _next_start(meter: str, price_sets: Sequence[PriceSet], day: date) -> date | None:
    """The first date after this one from which the meter has a price."""
    starts = (item.valid_from.date() for item in price_sets if _has_price(meter, item))
    return min((start for start in starts if start > day), default=None)


def _has_price(meter: str, price_set: PriceSet) -> bool:
    """Whether the meter has a price of its own, or one that providers bill it at; a guess is none."""
    return price_set.rates[_PLACES[meter]] is not None and meter not in price_set.guessed


_PLACES = {meter.name: place for place, meter in enumerate(MEASURED)}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _models(found: Sequence[tuple[_Calls, list[Missing]]]) -> tuple[UnpricedModel, ...]:
    """The calls by model as they name it, most tokens first."""
    groups: dict[tuple[str, str, str], list[tuple[_Calls, list[Missing]]]] = {}
    for calls, missing in found:
        groups.setdefault((calls.names.provider, calls.model, calls.tier), []).append((calls, missing))
    models = [
        UnpricedModel(
            *key,
            reasons=tuple(sorted({calls.reason for calls, _ in group})),
            meters=tuple(
                sorted({m for _, missing in group for one in missing for m in one.meters}, key=_PLACES.__getitem__)
            ),
            first_date=min(calls.day for calls, _ in group),
            call_count=sum(calls.call_count for calls, _ in group),
            total_tokens=sum(calls.total_tokens for calls, _ in group),
        )
        for key, group in groups.items()
    ]  # fmt: skip
    return tuple(
        sorted(models, key=lambda one: (-one.total_tokens, one.provider, one.model, one.service_tier))
    )
