"""Task credits per service: the platform's own card, or the user's file in its place.

What belongs here: the columns of such a file, what is allowed in them, and its rows as rates. Which rate a span gets is decided
elsewhere: of the rates that are valid for it, those that name its charge type go first; among them, for a deep search,
one that applies to `deep` goes before one that applies `always`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from orchestration.exact import shown
from orchestration.pricing import files, patterns
from orchestration.pricing.cells import Cells, Period, by_start, check_overlaps, fingerprint
from orchestration.pricing.files import Column
from orchestration.pricing.prices import ServiceRate
from orchestration.settings import CHARGE_TYPES, NO_RATE_CARD, Settings, SettingsError

DEFAULT_CARD = "platform"
DEFAULT_PATH = Path(__file__).with_name("platform_rate_card.csv")
VARIABLE = "variable"
UNITS = ("call", "unit", "step")
APPLIES = ("always", "deep")
COLUMNS = (
    Column("rate_card", f"Card that the row belongs to; workspaces choose one. Empty: `{DEFAULT_CARD}`."),
    Column("service", "Service as spans name it, compared without case.", is_required=True),
    Column("charge_type", f"{' or '.join(f'`{name}`' for name in CHARGE_TYPES)}; empty: both."),
    Column(
        "unit",
        "What credits are counted per: `call` (the default), `unit` (the span's units: images, pages), "
        "`step` (of a `direct` workflow run).",
    ),
    Column(
        "applies", "`always` (the default), or `deep`: search depth above 40, or a backup search. Deep goes first."
    ),
    Column("valid_from", "First date (UTC) of the rate; empty: always was."),
    Column("valid_to", "First date (UTC) on which it no longer applies; empty: no end."),
    Column(
        "task_credits",
        f"Credits per unit, at most 6 decimals, or `{VARIABLE}`: only the platform knows, what it reports is taken.",
        is_required=True,
    ),
    Column("note", "Anything; not read."),
)  # fmt: skip
CREDIT_DECIMALS = 6
CREDITS_BELOW = 1_000_000_000
"""With the decimals, what a `decimal(15,6)` holds."""


def read(path: Path | None) -> tuple[ServiceRate, ...]:
    """The rates of a file, of None the platform's, in an order and with a version that do not depend on the order of its rows.

    A user's file replaces the platform's card as a whole. Raises UserFileError with everything that is wrong.
    """
    table = files.read(path or DEFAULT_PATH, COLUMNS)
    rates: list[ServiceRate] = []
    periods: list[tuple[tuple[object, ...], Period, files.Row]] = []
    for row in table.rows:
        cells = Cells(table, row)
        card = _card(cells)
        service = cells.required("service")
        charge_type = cells.choice("charge_type", ("", *CHARGE_TYPES), "")
        unit = cells.choice("unit", UNITS, UNITS[0])
        applies = cells.choice("applies", APPLIES, APPLIES[0])
        period = cells.period()
        credits = _credits(cells)
        if service is None or charge_type is None or unit is None or applies is None or period is None:
            continue
        periods.append(((card, patterns.normal(service), charge_type, applies), period, row))
        if cells.is_good:
            rates.append(
                ServiceRate(
                    rate_card=card,
                    service=service,
                    charge_type=charge_type,
                    unit=unit,
                    applies=applies,
                    valid_from=period.valid_from,
                    valid_to=period.valid_to,
                    task_credits=credits,
                    source="rate file" if path else "default",
                    source_version="",
                )
            )
    check_overlaps(table, "rate_card, service, charge_type and applies", periods)
    table.check()
    version = fingerprint((*_key(rate), rate.valid_from, rate.valid_to, rate.task_credits) for rate in rates)
    ordered = sorted(rates, key=lambda rate: (*_key(rate), by_start(rate.valid_from)))
    return tuple(replace(rate, source_version=version) for rate in ordered)


def check_workspaces(settings: Settings, rates: Sequence[ServiceRate]) -> None:
    """Raise SettingsError where a workspace chooses a card that the rate file does not have."""
    cards = sorted({rate.rate_card for rate in rates})
    for entry in settings.workspaces.values():
        if entry.rate_card not in (None, NO_RATE_CARD, *cards):
            place = entry.places.get("rate_card", "settings")
            named = ", ".join(repr(card) for card in (*cards, NO_RATE_CARD))
            raise SettingsError(
                f"{place}: [workspaces.{entry.workspace_id}] 'rate_card' names the card {shown(entry.rate_card)}, "
                f"which {settings.rate_file or 'the default rate card'} does not have; allowed are {named}"
            )


def _key(rate: ServiceRate) -> tuple[str, str, str, str, str]:
    return rate.rate_card, patterns.normal(rate.service), rate.charge_type, rate.unit, rate.applies


def _card(cells: Cells) -> str:
    card = cells.text("rate_card").lower() or DEFAULT_CARD
    if card == NO_RATE_CARD:
        cells.fail(
            "rate_card", f"{NO_RATE_CARD!r} is how a workspace says that it has no card: use another name"
        )
    return card


def _credits(cells: Cells) -> Decimal | None:
    """Credits per unit; None also for rates that vary."""
    text = cells.required("task_credits", f"fill in a number or {VARIABLE!r}")
    if text is None or text.lower() == VARIABLE:
        return None
    return cells.number("task_credits", decimals=CREDIT_DECIMALS, below=CREDITS_BELOW)
