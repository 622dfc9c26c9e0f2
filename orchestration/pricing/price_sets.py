"""From single prices to price sets: for each resolved model, the rate of every meter in each stretch of time and tier.

What belongs here: which of several prices applies (the price file's before the catalogue's, the highest tier that is reached),
what stands in for a missing one, and when two stretches are the same. Pricing SQL joins the result and multiplies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from orchestration.pricing.meters import BY_NAME, MEASURED, Meter
from orchestration.pricing.prices import Price
from orchestration.pricing.resolve import Resolution

BEGIN = datetime(1, 1, 1)  # noqa: DTZ001 - the warehouse keeps UTC in plain timestamps
END = datetime(9999, 12, 31)  # noqa: DTZ001
DAY_SECONDS = 86_400
NO_LIMIT = 2**62


@dataclass(frozen=True)
class PriceSet:
    """The rates of one model in one stretch of time, time of day and tier of input.

    `rates` are US dollars per single unit of each measured meter, in the order of `MEASURED`; None: no price, and nothing
    stands in. `guessed` names the meters whose rate is another meter's because providers differ on it.
    """

    price_set_id: str
    price_key: str
    #: Request starts at or after `valid_from` and before `valid_to` (UTC).
    valid_from: datetime
    valid_to: datetime
    #: Seconds of the UTC day, from inclusive to exclusive.
    daily_from_s: int
    daily_to_s: int
    #: Input tokens of the request: more than `above_input_tokens`, up to and including `up_to_input_tokens`.
    above_input_tokens: int
    up_to_input_tokens: int
    rates: tuple[Decimal | None, ...]
    guessed: frozenset[str]

    @property
    def is_free(self) -> bool:
        """Every known rate is zero."""
        return all(rate == 0 for rate in self.rates if rate is not None)


@dataclass(frozen=True)
class AppliedPrice:
    """Why a meter has its rate: the price that applies to requests above that many input tokens."""

    meter: str
    above_input_tokens: int
    #: Of the meter itself, or of the one that stands in for it.
    price: Price
    #: It stands in although providers differ on it: a call that uses the meter is `partial`.
    is_guess: bool


_Rates = tuple[tuple[Decimal | None, ...], frozenset[str]]
_Key = tuple[str, str]


class PriceBook:
    """All prices of the catalogue and of the price file, found by the model that lists them."""

    def __init__(self, catalogue_prices: Iterable[Price], file_prices: Iterable[Price]) -> None:
        self._listed = _by_model(catalogue_prices)
        self._filed = _by_model(file_prices)

    def price_sets(self, resolutions: Iterable[Resolution]) -> list[PriceSet]:
        """The price sets of every resolved model, each once, sorted."""
        keys = {
            resolution.price_key: (resolution.filed, resolution.listed, resolution.variant)
            for resolution in resolutions
            if resolution.price_key is not None
        }
        found: list[PriceSet] = []
        for price_key in sorted(keys):
            filed, listed, variant = keys[price_key]
            found += _price_sets(
                price_key,
                _filed_of_variant(self._filed.get(filed, ()) if filed else (), variant),
                _of_variant(self._listed.get(listed, ()) if listed else (), variant),
            )
        return found

    def applied(self, resolution: Resolution, day: date) -> list[AppliedPrice]:
        """Which single prices the rates of a resolved model come from on a date, by meter and tier."""
        filed = self._filed.get(resolution.filed, ()) if resolution.filed else ()
        listed = self._listed.get(resolution.listed, ()) if resolution.listed else ()
        sources = [_filed_of_variant(filed, resolution.variant), _of_variant(listed, resolution.variant)]
        windows = {0} | {
            _seconds(price.daily_from) for source in sources for price in source if price.daily_from
        }
        thresholds = {0} | {price.above_input_tokens for source in sources for price in source}
        found: list[AppliedPrice] = []
        for second in sorted(windows):
            active_filed, active_listed = (
                [price for price in source if _is_active(price, day, second)] for source in sources
            )
            for above in sorted(thresholds):
                own = _own(active_filed, active_listed, above)
                for meter in MEASURED:
                    stand_in, is_guess = _stand_in(meter, own)
                    price = own.get(stand_in.name)
                    # A threshold that is another meter's changes nothing here.
                    is_told = any(item.meter == meter.name and item.price == price for item in found)
                    if price is not None and not is_told:
                        found.append(AppliedPrice(meter.name, above, price, is_guess))
        places = {meter.name: place for place, meter in enumerate(MEASURED)}
        return sorted(found, key=lambda item: (places[item.meter], item.above_input_tokens))


def _by_model(prices: Iterable[Price]) -> dict[_Key, list[Price]]:
    found: dict[_Key, list[Price]] = {}
    for price in prices:
        if BY_NAME[price.meter].is_measured:
            found.setdefault((price.provider, price.model_rule), []).append(price)
    return found


def _filed_of_variant(prices: Sequence[Price], variant: str) -> list[Price]:
    """Of the price file, meter by meter: a row for a tier is one price, and the file's other meters keep theirs."""
    told = {price.meter for price in prices if price.variant == variant}
    return [
        price
        for price in prices
        if price.variant == variant or (not price.variant and price.meter not in told)
    ]


def _of_variant(prices: Sequence[Price], variant: str) -> list[Price]:
    """Of the catalogue, whose tiers are whole: prices of that processing tier, the standard ones where it has none for it."""
    named = [price for price in prices if price.variant == variant]
    return named or ([price for price in prices if not price.variant] if variant else [])


def _price_sets(price_key: str, filed: list[Price], listed: list[Price]) -> list[PriceSet]:
    prices = [*filed, *listed]
    dates = sorted({day for price in prices for day in (price.valid_from, price.valid_to) if day})
    stretches: list[tuple[date | None, date | None]] = list(zip([None, *dates], [*dates, None], strict=True))
    seconds = sorted(
        {0} | {_seconds(at) for price in prices for at in (price.daily_from, price.daily_to) if at}
    )
    windows = list(zip(seconds, [*seconds[1:], DAY_SECONDS], strict=True))
    thresholds = sorted({0} | {price.above_input_tokens for price in prices})

    # (stretch → window → threshold → rates); neighbours that are the same become one, outermost last.
    grid: list[tuple[tuple[date | None, date | None], _Windows]] = []
    for start, end in stretches:
        day = start or (end - timedelta(days=1) if end else date(2000, 1, 1))
        of_day: _Windows = []
        for window in windows:
            active_filed = [price for price in filed if _is_active(price, day, window[0])]
            active_listed = [price for price in listed if _is_active(price, day, window[0])]
            tiers: _Tiers = []
            for above in thresholds:
                rates = _rates(active_filed, active_listed, above)
                if not tiers or tiers[-1][1] != rates:
                    tiers.append((above, rates))
            if of_day and of_day[-1][1] == tiers:
                of_day[-1] = ((of_day[-1][0][0], window[1]), tiers)
            else:
                of_day.append((window, tiers))
        if grid and grid[-1][1] == of_day:
            grid[-1] = ((grid[-1][0][0], end), of_day)
        else:
            grid.append(((start, end), of_day))
    return [
        price_set
        for (start, end), of_day in grid
        for window, tiers in of_day
        for price_set in _tiers(price_key, (start, end), window, tiers)
    ]


_Tiers = list[tuple[int, _Rates]]
_Windows = list[tuple[tuple[int, int], _Tiers]]


def _tiers(
    price_key: str, days: tuple[date | None, date | None], window: tuple[int, int], tiers: _Tiers
) -> list[PriceSet]:
    found = []
    for number, (above, (rates, guessed)) in enumerate(tiers):
        if all(rate is None for rate in rates):
            continue
        lowest = number == 0
        found.append(
            PriceSet(
                price_set_id=_identity(price_key, -1 if lowest else above, rates, guessed),
                price_key=price_key,
                valid_from=start_of(days[0], BEGIN),
                valid_to=start_of(days[1], END),
                daily_from_s=window[0],
                daily_to_s=window[1],
                # The lowest tier takes requests without input too; a tier starts above its threshold.
                above_input_tokens=-1 if lowest else above,
                up_to_input_tokens=tiers[number + 1][0] if number + 1 < len(tiers) else NO_LIMIT,
                rates=rates,
                guessed=guessed,
            )
        )
    return found


def _identity(price_key: str, above: int, rates: Sequence[Decimal | None], guessed: frozenset[str]) -> str:
    """Equal rates of a model have one id wherever they hold, so that a row keeps it when only its validity was cut."""
    text = [
        price_key,
        str(above),
        *(f"{rate:f}" if rate is not None else "" for rate in rates),
        *sorted(guessed),
    ]
    return hashlib.sha256("\x1f".join(text).encode()).hexdigest()[:16]


def _rates(filed: Sequence[Price], listed: Sequence[Price], above: int) -> _Rates:
    """Rate of each measured meter for requests above that many input tokens, and which of them are a guess."""
    own = _own(filed, listed, above)
    rates: list[Decimal | None] = []
    guessed = set()
    for meter in MEASURED:
        stand_in, is_guess = _stand_in(meter, own)
        price = own.get(stand_in.name)
        if is_guess:
            guessed.add(meter.name)
        rates.append(None if price is None else (price.unit_price_usd / price.unit_size).normalize())
    return tuple(rates), frozenset(guessed)


def _own(filed: Sequence[Price], listed: Sequence[Price], above: int) -> dict[str, Price]:
    """The price of each meter that has one: the file's before the catalogue's, of the highest tier that is reached."""
    found: dict[str, Price] = {}
    for prices in (filed, listed):
        reached: dict[str, Price] = {}
        for price in prices:
            best = reached.get(price.meter)
            if price.above_input_tokens <= above and (
                best is None or best.above_input_tokens < price.above_input_tokens
            ):
                reached[price.meter] = price
        found = reached | found
    return found


def _stand_in(meter: Meter, own: Mapping[str, Price]) -> tuple[Meter, bool]:
    """The meter whose price this one is charged at, and whether that is a guess. It may have none either."""
    stand_in, is_guess = meter, False
    while stand_in.name not in own and stand_in.fallback:
        is_guess = is_guess or stand_in.fallback_is_partial
        stand_in = BY_NAME[stand_in.fallback]
    return stand_in, is_guess and stand_in.name in own


def _is_active(price: Price, day: date, second: int) -> bool:
    return (
        (price.valid_from is None or price.valid_from <= day)
        and (price.valid_to is None or day < price.valid_to)
        and (price.daily_from is None or _seconds(price.daily_from) <= second)
        and (price.daily_to is None or second < _seconds(price.daily_to))
    )


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def start_of(day: date | None, otherwise: datetime) -> datetime:
    """Midnight of a UTC date; `otherwise` where the date is open."""
    return datetime.combine(day, time.min) if day else otherwise
