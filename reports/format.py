"""How numbers, times and shares are written on every page. The only module that turns a value into text for a
reader.

What belongs here: pure functions from exact values to strings. What does not: sums, choices of what to show,
markup. `static/format.js` is the twin for what a page recomputes when its range changes; `tests/browser`
holds the two equal on one table of cases. Money is counted in picodollars (integers of 10^-12 USD) wherever
it is summed, because both twins add integers exactly.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MISSING = "—"
"""Shown where a value does not exist. An amount of zero is never shown like this."""
SCALE_DIGITS = 12
SCALE = 10**SCALE_DIGITS
"""Units per dollar or credit: the published file holds 12 decimals."""

_CENTS = SCALE_DIGITS - 2
_SMALL_BELOW = SCALE // 100
_SMALL_SIGNIFICANT_DIGITS = 3
_SECOND_MS = 1_000
_MINUTE_HUNDREDTHS = 6_000
_HOUR_SECONDS = 3_600
_WHOLE_TENTHS = 1_000
_SHORT_FROM = 10_000
_SHORT_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_scaled(text: str | Decimal | int) -> int:
    """Exact integer of 10^-12 units from a decimal text such as '0.000013'. More than 12 decimals is an
    error, never a rounding.
    """
    sign, digits, exponent = Decimal(text).as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"not a finite amount: {text!r}")
    shift = exponent + SCALE_DIGITS
    whole: int = int("".join(map(str, digits)))
    if shift < 0:
        whole, lost = divmod(whole, 10**-shift)
        if lost:
            raise ValueError(f"more than {SCALE_DIGITS} decimals: {text!r}")
    else:
        whole *= 10**shift
    return -whole if sign else whole


def divide_half_even(numerator: int, denominator: int) -> int:
    """Integer division rounded half to even, for a positive denominator."""
    quotient, rest = divmod(numerator, denominator)
    double = rest * 2
    if double > denominator or (double == denominator and quotient % 2):
        quotient += 1
    return quotient


def group(number: int) -> str:
    """Thousands separators: 1234567 → '1,234,567'."""
    return f"{number:,}"


def _fixed(scaled: int, decimals: int, least: int) -> str:
    """A scaled amount ≥ 0 at `decimals` places, trailing zeros cut down to `least` places."""
    rounded = divide_half_even(scaled, 10 ** (SCALE_DIGITS - decimals))
    whole, part = divmod(rounded, 10**decimals)
    text = str(part).rjust(decimals, "0") if decimals else ""
    while len(text) > least and text.endswith("0"):
        text = text[:-1]
    return group(whole) + (f".{text}" if text else "")


def amount_scaled(scaled: int) -> str:
    """An amount without a currency sign: cents from 1 up, four places below it, three significant digits
    below a cent.
    """
    size = abs(scaled)
    if size >= SCALE or size == 0:
        decimals = 2
    elif size >= _SMALL_BELOW:
        decimals = 4
    else:
        decimals = min(SCALE_DIGITS, SCALE_DIGITS - len(str(size)) + _SMALL_SIGNIFICANT_DIGITS)
    return _fixed(size, decimals, 2)


def money_scaled(scaled: int | None) -> str:
    """`money` for picodollars."""
    if scaled is None:
        return MISSING
    return ("-$" if scaled < 0 else "$") + amount_scaled(scaled)


def money(value: Decimal | str | None) -> str:
    """Money for reading: '$1,234.57', '$0.1235', '$0.000013'. '$0.00' is zero only."""
    return MISSING if value is None else money_scaled(to_scaled(value))


def money_exact_scaled(scaled: int | None) -> str:
    """`money_exact` for picodollars."""
    if scaled is None:
        return MISSING
    return ("-$" if scaled < 0 else "$") + _fixed(abs(scaled), SCALE_DIGITS, 2)


def money_exact(value: Decimal | str | None) -> str:
    """Every digit the published file holds: '$0.000013', '$12.345678901234'."""
    return MISSING if value is None else money_exact_scaled(to_scaled(value))


def credits_scaled(scaled: int | None) -> str:
    """Task credits: thousands separators, decimals only where there are any."""
    if scaled is None:
        return MISSING
    return ("-" if scaled < 0 else "") + _fixed(abs(scaled), 6, 0)


def credits(value: Decimal | str | None) -> str:
    """`credits_scaled` from a decimal."""
    return MISSING if value is None else credits_scaled(to_scaled(value))


def count(value: int | None) -> str:
    """Tokens, calls, runs in full: '1,234,567'."""
    return MISSING if value is None else group(value)


def count_short(value: int | None) -> str:
    """Tokens, calls, runs in three digits: '9,999', '12.3K', '1.23M'."""
    if value is None:
        return MISSING
    size = abs(value)
    if size < _SHORT_FROM:
        return group(value)
    for position, (unit, letter) in enumerate(_SHORT_UNITS):
        if size < unit:
            continue
        for decimals, limit in ((2, 1_000), (1, 1_000), (0, 1_000)):
            digits = divide_half_even(size * 10**decimals, unit)
            if digits < limit:
                text = str(digits).rjust(decimals + 1, "0")
                whole, part = (text[:-decimals], text[-decimals:]) if decimals else (text, "")
                part = part.rstrip("0")
                return ("-" if value < 0 else "") + whole + (f".{part}" if part else "") + letter
        if position:  # 999,950 rounds up to 1M
            return ("-" if value < 0 else "") + "1" + _SHORT_UNITS[position - 1][1]
        return ("-" if value < 0 else "") + group(divide_half_even(size, unit)) + letter
    return group(value)


def unpriced_short(calls: int) -> str:
    """What an amount in a table row lacks: ' + 418 unpriced', or nothing."""
    return f" + {count(calls)} unpriced" if calls else ""


def unpriced(calls: int, tokens: int) -> str:
    """What a total lacks: ' + 418 unpriced calls (1.2M tokens)', or nothing. Unknown is never shown as free."""
    if not calls:
        return ""
    volume = f"{count_short(tokens)} token{'' if tokens == 1 else 's'}" if tokens else "no tokens reported"
    return f" + {count(calls)} unpriced call{'' if calls == 1 else 's'} ({volume})"


def duration(milliseconds: int | None) -> str:
    """'87 ms', '1.23 s', '2 m 05 s', '3 h 07 m'."""
    if milliseconds is None:
        return MISSING
    if milliseconds < 0:
        return "-" + duration(-milliseconds)
    if milliseconds < _SECOND_MS:
        return f"{milliseconds} ms"
    hundredths = divide_half_even(milliseconds, 10)
    if hundredths < _MINUTE_HUNDREDTHS:
        return f"{hundredths // 100}.{hundredths % 100:02d} s"
    seconds = divide_half_even(milliseconds, 1_000)
    if seconds < _HOUR_SECONDS:
        return f"{seconds // 60} m {seconds % 60:02d} s"
    minutes = divide_half_even(milliseconds, 60_000)
    return f"{group(minutes // 60)} h {minutes % 60:02d} m"


def percent(numerator: int, denominator: int) -> str:
    """A share with one decimal; never '0.0%' for something nor '100.0%' for less than all."""
    if denominator <= 0:
        return MISSING
    if numerator < 0:
        return "-" + percent(-numerator, denominator)
    tenths = divide_half_even(numerator * 1_000, denominator)
    if tenths == 0 and numerator:
        return "<0.1%"
    if tenths >= _WHOLE_TENTHS and numerator < denominator:
        return ">99.9%"
    return f"{group(tenths // 10)}.{tenths % 10}%"


def change(now: int, before: int) -> str:
    """Change against a named baseline: '+12.3%', '-4.0%', '±0.0%', 'new' where there was nothing before."""
    if before <= 0:
        return "new" if now > 0 else "±0.0%"
    tenths = divide_half_even((now - before) * 1_000, before)
    sign = "+" if tenths > 0 else "-" if tenths < 0 else "±"
    return f"{sign}{group(abs(tenths) // 10)}.{abs(tenths) % 10}%"


def zone(name: str | None) -> ZoneInfo | None:
    """The time zone of that name, or None where this system does not know it (the caller says so on the
    page).
    """
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moment(value: datetime | None, time_zone: ZoneInfo) -> str:
    """A UTC timestamp on the workspace's clock: '2026-11-09 23:55:01'."""
    if value is None:
        return MISSING
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(time_zone).strftime("%Y-%m-%d %H:%M:%S")


def day(value: date | None) -> str:
    """'9 Nov 2026'."""
    return MISSING if value is None else f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def day_short(value: date) -> str:
    """'9 Nov', for axes."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def month(value: date) -> str:
    """'Nov 2026'."""
    return f"{_MONTHS[value.month - 1]} {value.year}"


def day_range(first: date, last: date) -> str:
    """'9 Nov 2026' or '11 Oct 2026 – 9 Nov 2026'."""
    return day(first) if first == last else f"{day(first)} – {day(last)}"


def day_range_short(first: date, last: date) -> str:
    """'1–30 Sep', '12 Sep – 11 Oct', '9 Nov': a period beside a number, without its year."""
    if first == last:
        return day_short(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day_short(last)}"
    return f"{day_short(first)} – {day_short(last)}"


def points(now: int, now_of: int, before: int, before_of: int) -> str:
    """Change of a share in percentage points, of the shares as `percent` rounds them: '+0.4 pp'."""
    if now_of <= 0 or before_of <= 0:
        return ""
    tenths = divide_half_even(now * 1_000, now_of) - divide_half_even(before * 1_000, before_of)
    sign = "+" if tenths > 0 else "-" if tenths < 0 else "±"
    return f"{sign}{group(abs(tenths) // 10)}.{abs(tenths) % 10} pp"
