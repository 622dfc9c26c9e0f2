"""A price and a rate: the rows of `dim_price` and `dim_service_rate`. What does not belong here: reading or choosing them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal


@dataclass(frozen=True, order=True)
class Price:
    """What one meter of one model costs, from `valid_from` up to, not including, `valid_to` (UTC dates; None: open)."""

    #: Id of the provider in the catalogue, or the name a price file gives; empty in a price file: any provider.
    provider: str
    #: Id of the model in the catalogue, or the pattern of a price file (`*` and `?` as in file names).
    model_rule: str
    meter: str
    #: Processing tier of the request (`flex`, `priority`, `batch`, …); empty: the standard price.
    variant: str
    #: Applies where the request's whole input, cached included, is above this many tokens.
    above_input_tokens: int
    valid_from: date | None
    valid_to: date | None
    #: Daily window in UTC, from inclusive to exclusive; None: the whole day.
    daily_from: time | None
    daily_to: time | None
    #: Units of the meter that the price is given for.
    unit_size: int
    #: US dollars per `unit_size` units, at most 12 decimals.
    unit_price_usd: Decimal
    #: `catalogue` or `price file`.
    source: str
    #: Version of the catalogue, or the fingerprint of the file.
    source_version: str
    #: Date on which the source was last checked, where it says so.
    checked_at: date | None


@dataclass(frozen=True, order=True)
class ServiceRate:
    """Task credits of one service, from `valid_from` up to, not including, `valid_to` (UTC dates; None: open)."""

    #: Rate card; workspaces choose one. `platform` is the one that native exports use unless settings say otherwise.
    rate_card: str
    #: Service as spans name it, compared without case.
    service: str
    #: `hosted`, `personal`, or empty: both.
    charge_type: str
    #: What the credits are counted per: `call`, `unit` (images, pages: the span's units) or `step` (of a `direct` workflow run).
    unit: str
    #: When the rate applies: `always`, or `deep` (search depth above 40, or a backup search).
    applies: str
    valid_from: date | None
    valid_to: date | None
    #: Credits per unit; None: varies, only the platform knows, so what it reports is taken.
    task_credits: Decimal | None
    #: `default` or `rate file`.
    source: str
    source_version: str
