"""From a rate card to rate sets: for each service, charge type and depth of search, the credits in each stretch of time.

What belongs here: which row of the card applies (one for the charge type before one for both, `deep` before `always`). Rating
SQL joins the result on equality and time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orchestration.pricing.price_sets import BEGIN, END, start_of
from orchestration.pricing.prices import ServiceRate
from orchestration.settings import CHARGE_TYPES

DEEP_SEARCH_DEPTH = 40
"""A search that asks for more results than this is `deep`; so is one on the backup search (domain: rate card facts)."""


@dataclass(frozen=True)
class RateSet:
    """Credits of one kind of call in one stretch of time. `task_credits` is None where they vary."""

    service_rate_id: str
    rate_card: str
    #: The service, trimmed, in lower case.
    service_key: str
    charge_type: str
    is_deep: bool
    valid_from: datetime
    valid_to: datetime
    unit: str
    task_credits: Decimal | None


def rate_sets(rates: Sequence[ServiceRate]) -> list[RateSet]:
    """One row per card, service, charge type, depth and stretch of time, sorted."""
    by_service: dict[tuple[str, str], list[ServiceRate]] = {}
    for rate in rates:
        by_service.setdefault((rate.rate_card, rate.service.strip().lower()), []).append(rate)
    found: list[RateSet] = []
    for (card, service), of_service in sorted(by_service.items()):
        for charge_type in CHARGE_TYPES:
            for is_deep in (False, True):
                found += _stretches(card, service, charge_type, is_deep, of_service)
    return found


def _stretches(
    card: str, service: str, charge_type: str, is_deep: bool, rates: list[ServiceRate]
) -> list[RateSet]:
    dates = sorted({day for rate in rates for day in (rate.valid_from, rate.valid_to) if day})
    found: list[RateSet] = []
    for start, end in zip([None, *dates], [*dates, None], strict=True):
        active = [
            rate
            for rate in rates
            if rate.charge_type in (charge_type, "")
            and (rate.applies == "always" or is_deep)
            and (rate.valid_from is None or (start is not None and rate.valid_from <= start))
            and (rate.valid_to is None or (end is not None and end <= rate.valid_to))
        ]
        if not active:
            continue
        rate = max(active, key=lambda item: (bool(item.charge_type), item.applies == "deep"))
        identity = _identity(card, service, charge_type, is_deep, rate)
        if found and found[-1].service_rate_id == identity and found[-1].valid_to == start_of(start, BEGIN):
            found[-1] = _row(
                identity, card, service, charge_type, is_deep, rate, found[-1].valid_from, start_of(end, END)
            )
        else:
            found.append(
                _row(
                    identity,
                    card,
                    service,
                    charge_type,
                    is_deep,
                    rate,
                    start_of(start, BEGIN),
                    start_of(end, END),
                )
            )
    return found


def _row(
    identity: str,
    card: str,
    service: str,
    charge_type: str,
    is_deep: bool,
    rate: ServiceRate,
    start: datetime,
    end: datetime,
) -> RateSet:
    return RateSet(identity, card, service, charge_type, is_deep, start, end, rate.unit, rate.task_credits)


def _identity(card: str, service: str, charge_type: str, is_deep: bool, rate: ServiceRate) -> str:
    credits = "varies" if rate.task_credits is None else f"{rate.task_credits.normalize():f}"
    text = "\x1f".join([card, service, charge_type, str(is_deep), rate.unit, credits])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
