"""How values are written: a table of cases that `tests/browser` also puts to the JavaScript twin."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reports import format as fmt

MONEY = [
    ("0", "$0.00", "$0.00"),
    ("0.000013", "$0.000013", "$0.000013"),
    ("0.000000000001", "$0.000000000001", "$0.000000000001"),
    ("0.00000123456", "$0.00000123", "$0.00000123456"),
    ("0.00999999", "$0.01", "$0.00999999"),
    ("0.0099949", "$0.00999", "$0.0099949"),
    ("0.01", "$0.01", "$0.01"),
    ("0.12345", "$0.1234", "$0.12345"),
    ("0.12355", "$0.1236", "$0.12355"),
    ("0.5", "$0.50", "$0.50"),
    ("0.99996", "$1.00", "$0.99996"),
    ("1", "$1.00", "$1.00"),
    ("1.005", "$1.00", "$1.005"),
    ("1.015", "$1.02", "$1.015"),
    ("1.0150000001", "$1.02", "$1.0150000001"),
    ("1234567.895", "$1,234,567.90", "$1,234,567.895"),
    ("-0.0000001", "-$0.0000001", "-$0.0000001"),
    ("-12.5", "-$12.50", "-$12.50"),
    (
        "99999999999999999999999999.999999999999",
        "$100,000,000,000,000,000,000,000,000.00",
        "$99,999,999,999,999,999,999,999,999.999999999999",
    ),
]
CREDITS = [("0", "0"), ("31", "31"), ("1234.5", "1,234.5"), ("0.000001", "0.000001"), ("-2", "-2")]
COUNTS = [
    (0, "0", "0"),
    (999, "999", "999"),
    (9_999, "9,999", "9,999"),
    (10_000, "10,000", "10K"),
    (12_345, "12,345", "12.3K"),
    (12_350, "12,350", "12.4K"),
    (12_450, "12,450", "12.4K"),
    (999_499, "999,499", "999K"),
    (999_500, "999,500", "1M"),
    (1_234_567, "1,234,567", "1.23M"),
    (9_007_199_254_740_991, "9,007,199,254,740,991", "9,007T"),
    (-12_345, "-12,345", "-12.3K"),
]
DURATIONS = [
    (0, "0 ms"),
    (999, "999 ms"),
    (1_000, "1.00 s"),
    (1_005, "1.00 s"),
    (1_015, "1.02 s"),
    (59_994, "59.99 s"),
    (59_995, "1 m 00 s"),
    (65_500, "1 m 06 s"),
    (3_599_500, "1 h 00 m"),
    (11_220_000, "3 h 07 m"),
    (3_600_000_000, "1,000 h 00 m"),
    (-1_500, "-1.50 s"),
]
PERCENTS = [
    (0, 10, "0.0%"),
    (1, 3, "33.3%"),
    (1, 100_000, "<0.1%"),
    (99_999, 100_000, ">99.9%"),
    (5, 5, "100.0%"),
    (3, 2, "150.0%"),
    (1, 0, "—"),
    (-1, 4, "-25.0%"),
]
CHANGES = [
    (10, 8, "+25.0%"),
    (8, 10, "-20.0%"),
    (5, 5, "±0.0%"),
    (5, 0, "new"),
    (0, 0, "±0.0%"),
    (123_456, 1, "+12,345,500.0%"),
]
UNPRICED = [
    (0, 0, "", ""),
    (0, 5, "", ""),
    (1, 1, " + 1 unpriced", " + 1 unpriced call (1 token)"),
    (3, 0, " + 3 unpriced", " + 3 unpriced calls (no tokens reported)"),
    (418, 1_234_567, " + 418 unpriced", " + 418 unpriced calls (1.23M tokens)"),
    (12_345, 9_999, " + 12,345 unpriced", " + 12,345 unpriced calls (9,999 tokens)"),
]
MOMENTS = [
    (1_794_268_501_999, "UTC", "2026-11-09 23:55:01"),
    (1_794_268_501_000, "America/New_York", "2026-11-09 18:55:01"),
    (1_793_506_200_000, "America/New_York", "2026-11-01 00:10:00"),
    (1_793_511_000_000, "America/New_York", "2026-11-01 01:30:00"),
    (1_794_268_501_000, "Asia/Kathmandu", "2026-11-10 05:40:01"),
    (1_774_746_000_000, "Europe/Berlin", "2026-03-29 03:00:00"),
]


@pytest.mark.parametrize(("amount", "short", "exact"), MONEY)
def test_money(amount: str, short: str, exact: str) -> None:
    """An amount is never shown as zero unless it is, and its exact form loses no digit."""
    assert fmt.money(amount) == short
    assert fmt.money(Decimal(amount)) == short
    assert fmt.money_exact(amount) == exact


def test_missing_is_not_zero() -> None:
    """A value that does not exist is a dash, never $0.00 or 0."""
    assert {
        fmt.money(None),
        fmt.money_exact(None),
        fmt.credits(None),
        fmt.count(None),
        fmt.count_short(None),
        fmt.duration(None),
    } == {fmt.MISSING}


@pytest.mark.parametrize(("amount", "text"), CREDITS)
def test_credits(amount: str, text: str) -> None:
    """Credits show decimals only where there are any."""
    assert fmt.credits(amount) == text


@pytest.mark.parametrize(("value", "full", "short"), COUNTS)
def test_counts(value: int, full: str, short: str) -> None:
    """Long counts have separators, short ones three digits and a unit."""
    assert (fmt.count(value), fmt.count_short(value)) == (full, short)


@pytest.mark.parametrize(("value", "text"), DURATIONS)
def test_durations(value: int, text: str) -> None:
    """Durations keep two or three useful digits at any length."""
    assert fmt.duration(value) == text


@pytest.mark.parametrize(("part", "whole", "text"), PERCENTS)
def test_percent(part: int, whole: int, text: str) -> None:
    """A share never rounds something to nothing or a part to the whole."""
    assert fmt.percent(part, whole) == text


@pytest.mark.parametrize(("now", "before", "text"), CHANGES)
def test_change(now: int, before: int, text: str) -> None:
    """A change has a sign, and growth from nothing is called new."""
    assert fmt.change(now, before) == text


@pytest.mark.parametrize(("calls", "tokens", "short", "full"), UNPRICED)
def test_unpriced(calls: int, tokens: int, short: str, full: str) -> None:
    """What an amount lacks is said with its count and volume, and only where something is lacking."""
    assert (fmt.unpriced_short(calls), fmt.unpriced(calls, tokens)) == (short, full)


@pytest.mark.parametrize(("epoch_ms", "zone", "text"), MOMENTS)
def test_moment(epoch_ms: int, zone: str, text: str) -> None:
    """Timestamps are read on the workspace's clock, summer time included."""
    time_zone = fmt.zone(zone)
    assert time_zone is not None, f"this system lacks the time zone {zone}"
    assert fmt.moment(datetime.fromtimestamp(epoch_ms // 1000, UTC), time_zone) == text


def test_unknown_zone_is_none() -> None:
    """A time zone that nobody knows, or that looks like a path, is told to the caller."""
    assert fmt.zone("Mars/Olympus") is None
    assert fmt.zone("../../etc/passwd") is None


def test_scaled_refuses_lost_digits() -> None:
    """More digits than the published file holds must never be rounded in silence."""
    with pytest.raises(ValueError, match="more than 12 decimals"):
        fmt.to_scaled("0.0000000000001")
    assert fmt.to_scaled("1.000000000000000") == 10**12


def test_days() -> None:
    """Days are written in words that no locale swaps."""
    assert fmt.day_range(date(2026, 10, 11), date(2026, 11, 9)) == "11 Oct 2026 – 9 Nov 2026"
    assert fmt.day_range(date(2026, 11, 9), date(2026, 11, 9)) == "9 Nov 2026"
