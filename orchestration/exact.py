"""Numbers and dates as people write them, read exactly or refused with a reason. Standard library only: settings use it.

What belongs here: from one text to one value. What does not: where the text came from.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SHOWN_CHARACTERS = 60


def shown(text: object) -> str:
    """A value for a message: quoted, its control characters escaped, shortened."""
    quoted = repr(str(text))
    return quoted if len(quoted) <= _SHOWN_CHARACTERS else f"{quoted[: _SHOWN_CHARACTERS - 1]}…"


def number(text: str, *, decimals: int, below: int) -> Decimal:
    """A plain decimal, not negative: `0.15`. Equal numbers come out spelt alike: `0.150` as 0.15.

    Raises ValueError with the reason: another spelling, more than `decimals` decimals, not below `below`.
    """
    found = _NUMBER.fullmatch(text)
    if not found:
        if "," in text:
            hint = "write the decimal point as '.', and no thousands separators"
        elif re.fullmatch(r"-?[0-9.]+e[+-]?[0-9]+", text, re.IGNORECASE):
            hint = "write it without an exponent"
        else:
            hint = "digits with a decimal point are allowed, nothing else"
        raise ValueError(f"{shown(text)} is not a plain number such as 0.15: {hint}")
    sign, whole, fraction = found[1], found[2].lstrip("0") or "0", (found[3] or "").rstrip("0")
    if len(fraction) > decimals:
        raise ValueError(f"{shown(text)} has {len(fraction)} decimals, at most {decimals} are allowed")
    # As text first: converting a number of a million digits would take minutes.
    if len(whole) > len(str(below)) or int(whole) >= below:
        raise ValueError(f"{shown(text)} must be below {below:,}")
    value = Decimal(f"{whole}.{fraction}" if fraction else whole)
    if sign and value:
        raise ValueError(f"{shown(text)} must not be negative")
    return value


def whole(text: str, *, at_least: int, below: int) -> int:
    """An integer within bounds. Raises ValueError with the reason."""
    if not re.fullmatch(r"-?[0-9]{1,20}", text, re.ASCII) or not at_least <= int(text) < below:
        raise ValueError(f"{shown(text)} is not a whole number from {at_least:,} to {below - 1:,}")
    return int(text)


def day(text: str) -> date:
    """An ISO date. Raises ValueError with the reason."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a date: {error}") from error
    raise ValueError(f"{shown(text)} is not a date such as 2026-01-31")
