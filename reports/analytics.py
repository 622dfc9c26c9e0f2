"""What the analytics page says about a date range: tiles, panels and charts, from the daily rows of the
months' chunks.

What belongs here: sums over a range, percentiles from histograms, order and wording. What does not: SQL,
markup, geometry. The page renders its default range from this; `static/analytics.js` says the same for any
other range from the same chunks, and `tests/browser` holds the two equal. Amounts are added as integers of
10^-12.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reports import charts
from reports import columns as col
from reports import format as fmt
from reports.charts import Chart, Series

DEFAULT_DAYS = 30
TOP_SPANS = 25
TOP_USERS = 20
NOT_SAID = "(not said)"
NO_USER = "No tracked user"
OTHER_USERS = "Other users"
OTHER_SPANS = "Other span names"
UNATTRIBUTED = "Unattributed (run never arrived)"
NO_CREDIT_PRICE = "No credit price set: task credits are counted, their USD estimate is $0.00."
PERCENTILES = (50, 90, 95, 99)
USER_ORDERS = ("cost", "requests", "tokens")

TOKEN_SERIES = (
    ("Uncached input", "uncached_input_tokens", "s1"),
    ("Cached input", "cached_tokens", "s2"),
    ("Cache write", "cache_write_tokens", "s3"),
    ("Visible output", "visible_output_tokens", "s4"),
    ("Reasoning", "reasoning_tokens", "s5"),
    ("Image", "image_tokens", "s6"),
    ("Citation", "citation_tokens", "s7"),
)
TOKEN_LINES = (
    ("Input", "input_tokens", ""),
    ("Uncached input", "uncached_input_tokens", "part"),
    ("Cached input", "cached_tokens", "part"),
    ("Cache write", "cache_write_tokens", "part"),
    ("Output", "output_tokens", ""),
    ("Visible output", "visible_output_tokens", "part"),
    ("Reasoning", "reasoning_tokens", "part"),
    ("Image", "image_tokens", ""),
    ("Citation (beside the total)", "citation_tokens", ""),
)


@dataclass(frozen=True)
class Cell:
    """One table cell: what is read, and the exact value behind it (empty where they are the same)."""

    text: str
    title: str = ""


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Rows:
    """The body and footer of one table."""

    rows: tuple[Row, ...]
    footer: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Tile:
    """One headline number; `baseline` names the period it is compared with."""

    label: str
    text: str
    title: str
    note: str
    baseline: str


@dataclass(frozen=True)
class View:
    """All that the page shows for one range."""

    label: str
    previous_label: str
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    tables: Mapping[str, Rows]
    charts: Mapping[str, Chart]


INDEX: dict[str, list[str]] = {
    **{table.name: col.names(table.columns) for table in col.DAILY_TABLES},
    **{name: ["usage_date", *keys, "buckets"] for name, _, keys, _ in col.HISTOGRAMS},
    "spans": list(col.SPAN_COLUMNS_DAILY),
    "span_days": ["usage_date", "run_duration_ms"],
    "span_latency": ["usage_date", "span_name", "span_kind", "buckets"],
    "users": list(col.USER_COLUMNS_DAILY),
}
"""Chunk table → column names in order."""

MONEY_NAMES = frozenset(
    [c.name for table in col.DAILY_TABLES for c in table.columns if c.kind == "money"]
    + list(col.USER_COLUMNS_DAILY[6:])
)


@dataclass
class Months:
    """The daily rows of some months, by chunk table, with amounts already whole numbers."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, texts: Mapping[str, str]) -> None:
        """Take in one month as DuckDB wrote it."""
        for name, text in texts.items():
            if name == "buckets":
                self.buckets.update({int(index): int(middle) for index, middle in json.loads(text)})
                continue
            keys = INDEX[name]
            rows = self.tables.setdefault(name, [])
            for values in json.loads(text):
                row = dict(zip(keys, values, strict=True))
                for key in MONEY_NAMES & row.keys():
                    row[key] = fmt.to_scaled(row[key])
                rows.append(row)

    def between(self, name: str, first: str, last: str) -> list[dict[str, Any]]:
        """Rows of one table whose day lies in the range."""
        return [row for row in self.tables.get(name, ()) if first <= row["usage_date"] <= last]


def _total(rows: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(row[key] or 0 for row in rows)


def _grouped(
    rows: Iterable[dict[str, Any]], keys: Sequence[str], measures: Sequence[str]
) -> dict[tuple[Any, ...], dict[str, int]]:
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for row in rows:
        sums = found.setdefault(tuple(row[key] for key in keys), dict.fromkeys(measures, 0))
        for measure in measures:
            sums[measure] += row[measure] or 0
    return found


def _text_order(*texts: str | None) -> tuple[bytes, ...]:
    """The order in which a browser compares text (UTF-16 units), so that ties fall alike in both twins."""
    return tuple((text or "").encode("utf-16-be", "surrogatepass") for text in texts)


def _ranked(
    groups: Mapping[tuple[Any, ...], dict[str, int]], *measures: str
) -> list[tuple[tuple[Any, ...], dict[str, int]]]:
    return sorted(groups.items(), key=lambda item: (*(-item[1][m] for m in measures), _text_order(*item[0])))


def _percentiles(
    months: Months, rows: Iterable[dict[str, Any]], keys: Sequence[str]
) -> dict[tuple[Any, ...], dict[int, int]]:
    """Key → percentile → milliseconds: the middle of the bucket in which the nearest rank falls."""
    merged: dict[tuple[Any, ...], dict[int, int]] = {}
    for row in rows:
        into = merged.setdefault(tuple(row[key] for key in keys), {})
        for bucket, number in row["buckets"]:
            into[bucket] = into.get(bucket, 0) + number
    found = {}
    for key, counts in merged.items():
        total = sum(counts.values())
        answers: dict[int, int] = {}
        for percentile in PERCENTILES:
            rank, seen = (total * percentile + 99) // 100, 0
            for bucket in sorted(counts):
                seen += counts[bucket]
                if seen >= rank:
                    answers[percentile] = months.buckets[bucket]
                    break
        found[key] = answers
    return found


def _money(value: int) -> Cell:
    return Cell(fmt.money_scaled(value), fmt.money_exact_scaled(value))


def _cost(value: int, unpriced: int, *, is_long: bool = False) -> Cell:
    """A cost, and the calls it does not hold a price for: unknown is never shown as free."""
    text = fmt.money_scaled(value)
    said = unpriced_text(unpriced) if is_long or not unpriced else f" + {fmt.count(unpriced)} unpriced"
    return Cell(text + said, fmt.money_exact_scaled(value))


def unpriced_text(calls: int) -> str:
    """' + 418 unpriced calls', or nothing."""
    return "" if not calls else f" + {fmt.count(calls)} unpriced call{'' if calls == 1 else 's'}"


def _count(value: int) -> Cell:
    return Cell(fmt.count(value))


def _short(value: int) -> Cell:
    short, full = fmt.count_short(value), fmt.count(value)
    return Cell(short, "" if short == full else full)


def _said(text: str | None) -> Cell:
    return Cell(NOT_SAID if text is None or text == "" else text)


def _latencies(found: Mapping[int, int] | None) -> list[Cell]:
    return [Cell(fmt.duration(None if not found else found.get(p))) for p in PERCENTILES]


def days_between(first: date, last: date) -> list[str]:
    """Every day of the range as ISO text, oldest first."""
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def build_view(months: Months, first: date, last: date) -> View:
    """The page's content for the days `first` to `last`, both included."""
    days = days_between(first, last)
    earlier = days_between(first - timedelta(days=len(days)), first - timedelta(days=1))

    def now(name: str) -> list[dict[str, Any]]:
        return months.between(name, days[0], days[-1])

    def before(name: str) -> list[dict[str, Any]]:
        return months.between(name, earlier[0], earlier[-1])

    totals, previous = now("total"), before("total")
    period = "the previous day" if len(days) == 1 else f"the previous {len(days)} days"
    credits_unpriced = _total(totals, "task_credits") > 0 and _total(totals, "task_credit_cost_usd") == 0
    cost = _total(totals, "total_cost_usd")
    tables = {
        **_cost_tables(totals, previous, days),
        "services": _services(now("services"), cost),
        "models": _models(now("models")),
        **_token_tables(now("tokens"), before("tokens"), days),
        "observability": _observability(months, now("observability"), now("model_latency")),
        "runs": _runs(months, now("runs"), now("run_latency")),
        "spans": _spans(months, now("spans"), now("span_days"), now("span_latency")),
        "tools": _tools(now("tools")),
        **{f"users_{order}": _users(now("users"), totals, order) for order in USER_ORDERS},
    }
    return View(
        label=fmt.day_range(first, last),
        previous_label=f"{period[0].upper()}{period[1:]}: "
        + fmt.day_range(date.fromisoformat(earlier[0]), date.fromisoformat(earlier[-1])),
        notes=(NO_CREDIT_PRICE,) if credits_unpriced else (),
        tiles=_tiles(totals, previous, period, "no credit price set" if credits_unpriced else ""),
        tables=tables,
        charts={
            "cost": _cost_chart(totals, previous, days, earlier),
            "tokens": _token_chart(now("tokens"), days),
        },
    )


def _tiles(
    totals: list[dict[str, Any]], previous: list[dict[str, Any]], period: str, credit_note: str
) -> tuple[Tile, ...]:
    def tile(
        label: str, key: str, show: Callable[[int], str], exact: Callable[[int], str], note: str
    ) -> Tile:
        value, old = _total(totals, key), _total(previous, key)
        return Tile(
            label,
            show(value),
            exact(value),
            note,
            f"{fmt.change(value, old)} against {show(old)} in {period}",
        )

    unpriced = _total(totals, "unpriced_call_count")
    runs, failed = _total(totals, "run_count"), _total(totals, "failed_run_count")
    runs_before, failed_before = _total(previous, "run_count"), _total(previous, "failed_run_count")
    return (
        tile(
            "Total cost",
            "total_cost_usd",
            fmt.money_scaled,
            fmt.money_exact_scaled,
            unpriced_text(unpriced).strip(),
        ),
        tile("Task credits", "task_credits", fmt.credits_scaled, fmt.credits_scaled, credit_note),
        tile("Tokens", "total_tokens", fmt.count_short, fmt.count, ""),
        tile("Runs", "run_count", fmt.count_short, fmt.count, ""),
        Tile(
            "Error rate",
            fmt.percent(failed, runs),
            f"{fmt.count(failed)} of {fmt.count(runs)} runs",
            f"{fmt.count(failed)} of {fmt.count(runs)} runs failed",
            f"{fmt.percent(failed_before, runs_before)} in {period}",
        ),
        tile(
            "Calls",
            "call_count",
            fmt.count_short,
            fmt.count,
            f"{fmt.count(unpriced)} unpriced" if unpriced else "",
        ),
        tile(
            "External",
            "external_cost_usd",
            fmt.money_scaled,
            fmt.money_exact_scaled,
            "on own keys, not in the total",
        ),
    )


def _cost_tables(
    totals: list[dict[str, Any]], previous: list[dict[str, Any]], days: list[str]
) -> dict[str, Rows]:
    def line(label: str, key: str, unpriced: str = "") -> Row:
        value, old = _total(totals, key), _total(previous, key)
        if unpriced:
            cells = (
                _cost(value, _total(totals, unpriced), is_long=True),
                _cost(old, _total(previous, unpriced), is_long=True),
            )
        else:
            cells = _money(value), _money(old)
        return (Cell(label), *cells, Cell(fmt.change(value, old)))

    by_day = {row["usage_date"]: row for row in totals}
    daily = []
    for day in reversed(days):
        row = by_day.get(day)
        if row is None:
            daily.append((Cell(fmt.day(date.fromisoformat(day))), *(Cell(fmt.MISSING) for _ in range(9))))
            continue
        daily.append(
            (
                Cell(fmt.day(date.fromisoformat(day))),
                _count(row["run_count"]),
                _count(row["call_count"]),
                _short(row["total_tokens"]),
                Cell(fmt.credits_scaled(row["task_credits"])),
                _money(row["wallet_cost_usd"]),
                _money(row["task_credit_cost_usd"]),
                _cost(row["total_cost_usd"], row["unpriced_call_count"]),
                _money(row["external_cost_usd"]),
                _money(row["unattributed_total_cost_usd"]),
            )
        )
    return {
        "cost_parts": Rows(
            (
                line("Wallet", "wallet_cost_usd"),
                line("Task credits (estimated)", "task_credit_cost_usd"),
            ),
            (
                line("Total cost", "total_cost_usd", "unpriced_call_count"),
                line(f"of which {UNATTRIBUTED[0].lower()}{UNATTRIBUTED[1:]}", "unattributed_total_cost_usd"),
                line("External (own keys, not in the total)", "external_cost_usd"),
            ),
        ),
        "cost_days": Rows(tuple(daily)),
    }


def _services(rows: list[dict[str, Any]], all_cost: int) -> Rows:
    measures = (
        "call_count", "failed_call_count", "unpriced_call_count", "task_credits", "wallet_cost_usd",
        "task_credit_cost_usd",
        "total_cost_usd", "external_cost_usd",
    )  # fmt: skip

    def line(label: Cell, sums: Mapping[str, int]) -> Row:
        return (
            label,
            _count(sums["call_count"]),
            _count(sums["failed_call_count"]),
            Cell(fmt.credits_scaled(sums["task_credits"])),
            _money(sums["wallet_cost_usd"]),
            _money(sums["task_credit_cost_usd"]),
            _cost(sums["total_cost_usd"], sums["unpriced_call_count"]),
            Cell(fmt.percent(sums["total_cost_usd"], all_cost)),
            _money(sums["external_cost_usd"]),
        )

    groups = _grouped(rows, ("service",), measures)
    return Rows(
        tuple(
            line(_said(key[0]), sums)
            for key, sums in _ranked(groups, "total_cost_usd", "task_credits", "call_count")
        ),
        (line(Cell("All services"), {m: _total(rows, m) for m in measures}),) if rows else (),
    )


def _models(rows: list[dict[str, Any]]) -> Rows:
    tokens = (
        "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
        "image_tokens", "citation_tokens", "total_tokens",
    )  # fmt: skip
    measures = (
        "call_count", *tokens, "unpriced_call_count", "unpriced_total_tokens", "provider_cost_usd",
        "total_cost_usd",
    )  # fmt: skip

    def line(labels: tuple[Cell, Cell], sums: Mapping[str, int]) -> Row:
        priced = sums["total_tokens"] - sums["unpriced_total_tokens"]
        rate = fmt.divide_half_even(sums["provider_cost_usd"] * 1_000_000, priced) if priced > 0 else None
        return (
            *labels,
            _count(sums["call_count"]),
            *(_short(sums[name]) for name in tokens),
            _money(sums["provider_cost_usd"]),
            _cost(sums["total_cost_usd"], sums["unpriced_call_count"]),
            Cell(fmt.money_scaled(rate), fmt.money_exact_scaled(rate) if rate is not None else ""),
            _count(sums["unpriced_call_count"]),
        )

    groups = _grouped(rows, ("provider", "model"), measures)
    return Rows(
        tuple(
            line((_said(key[0]), _said(key[1])), sums)
            for key, sums in _ranked(
                groups, "total_cost_usd", "provider_cost_usd", "total_tokens", "call_count"
            )
        ),
        (line((Cell("All models"), Cell("")), {m: _total(rows, m) for m in measures}),) if rows else (),
    )


def _token_tables(
    rows: list[dict[str, Any]], previous: list[dict[str, Any]], days: list[str]
) -> dict[str, Rows]:
    whole = _total(rows, "total_tokens")

    def line(label: str, key: str) -> Row:
        value, old = _total(rows, key), _total(previous, key)
        return (
            Cell(label),
            _count(value),
            Cell(fmt.percent(value, whole)),
            _count(old),
            Cell(fmt.change(value, old)),
        )

    by_day = {row["usage_date"]: row for row in rows}
    daily = tuple(
        (
            Cell(fmt.day(date.fromisoformat(day))),
            *(_count(by_day[day][key]) if day in by_day else Cell(fmt.MISSING) for _, key, _ in TOKEN_SERIES),
            _count(by_day[day]["total_tokens"]) if day in by_day else Cell(fmt.MISSING),
        )
        for day in reversed(days)
    )
    return {
        "tokens": Rows(
            tuple(line(label, key) for label, key, _ in TOKEN_LINES), (line("Total", "total_tokens"),)
        ),
        "token_days": Rows(daily),
    }


def _observability(months: Months, rows: list[dict[str, Any]], latency: list[dict[str, Any]]) -> Rows:
    groups = _grouped(
        rows, ("provider", "model"), ("call_count", "completed_call_count", "failed_call_count")
    )
    found = _percentiles(months, latency, ("provider", "model"))
    return Rows(
        tuple(
            (
                _said(key[0]),
                _said(key[1]),
                _count(sums["call_count"]),
                _count(sums["completed_call_count"]),
                _count(sums["failed_call_count"]),
                Cell(fmt.percent(sums["failed_call_count"], sums["call_count"])),
                *_latencies(found.get(key)),
            )
            for key, sums in _ranked(groups, "call_count")
        )
    )


def _runs(months: Months, rows: list[dict[str, Any]], latency: list[dict[str, Any]]) -> Rows:
    measures = ("run_count", "completed_run_count", "failed_run_count", "run_duration_ms")
    groups = _grouped(rows, ("run_type",), measures)
    found = _percentiles(months, latency, ("run_type",))
    lines = []
    for key, sums in _ranked(groups, "run_count"):
        completed = sums["completed_run_count"]
        mean = fmt.divide_half_even(sums["run_duration_ms"], completed) if completed else None
        lines.append(
            (
                _said(key[0]),
                _count(sums["run_count"]),
                _count(completed),
                _count(sums["failed_run_count"]),
                Cell(fmt.percent(sums["failed_run_count"], sums["run_count"])),
                Cell(fmt.duration(mean)),
                *_latencies(found.get(key)),
            )
        )
    return Rows(tuple(lines))


def _spans(
    months: Months, rows: list[dict[str, Any]], span_days: list[dict[str, Any]], latency: list[dict[str, Any]]
) -> Rows:
    run_time = _total(span_days, "run_duration_ms")
    measures = ("span_count", "failed_span_count", "span_duration_ms")
    groups = _grouped(rows, ("span_name", "span_kind"), measures)
    found = _percentiles(months, latency, ("span_name", "span_kind"))
    named = _ranked(
        {key: sums for key, sums in groups.items() if key[0] is not None}, "span_duration_ms", "span_count"
    )

    def line(name: Cell, kind: Cell, sums: Mapping[str, int], p95: int | None) -> Row:
        return (
            name,
            kind,
            _count(sums["span_count"]),
            Cell(fmt.percent(sums["failed_span_count"], sums["span_count"])),
            Cell(fmt.duration(p95)),
            Cell(fmt.duration(sums["span_duration_ms"])),
            Cell(fmt.percent(sums["span_duration_ms"], run_time)),
        )

    lines = [
        line(_said(k[0]), Cell(k[1] or ""), sums, found.get(k, {}).get(95)) for k, sums in named[:TOP_SPANS]
    ]
    rest = [sums for _, sums in named[TOP_SPANS:]] + [sums for key, sums in groups.items() if key[0] is None]
    if rest:
        lines.append(line(Cell(OTHER_SPANS), Cell(""), {m: _total(rest, m) for m in measures}, None))
    return Rows(tuple(lines))


def _tools(rows: list[dict[str, Any]]) -> Rows:
    measures = ("call_count", "failed_call_count", "duration_ms", "task_credits", "total_cost_usd")
    return Rows(
        tuple(
            (
                _said(key[0]),
                _count(sums["call_count"]),
                _count(sums["failed_call_count"]),
                Cell(fmt.percent(sums["failed_call_count"], sums["call_count"])),
                Cell(fmt.duration(sums["duration_ms"])),
                Cell(fmt.credits_scaled(sums["task_credits"])),
                _money(sums["total_cost_usd"]),
            )
            for key, sums in _ranked(_grouped(rows, ("tool_name",), measures), "call_count", "duration_ms")
        )
    )


def _users(rows: list[dict[str, Any]], totals: list[dict[str, Any]], order: str) -> Rows:
    measures = ("run_count", "total_tokens", "task_credits", "total_cost_usd")
    first = {"cost": "total_cost_usd", "requests": "run_count", "tokens": "total_tokens"}[order]
    tracked = _ranked(
        _grouped((row for row in rows if row["who"] == "user"), ("user_id",), measures),
        first,
        "total_cost_usd",
        "run_count",
    )
    all_cost = _total(totals, "total_cost_usd")

    def line(rank: str, label: str, sums: Mapping[str, int]) -> Row:
        return (
            Cell(rank),
            Cell(label),
            _count(sums["run_count"]),
            _short(sums["total_tokens"]),
            Cell(fmt.credits_scaled(sums["task_credits"])),
            _money(sums["total_cost_usd"]),
            Cell(fmt.percent(sums["total_cost_usd"], all_cost)),
        )

    lines = [line(str(n), str(key[0]), sums) for n, (key, sums) in enumerate(tracked[:TOP_USERS], 1)]
    others = [sums for _, sums in tracked[TOP_USERS:]] + [row for row in rows if row["who"] == "other"]
    unknown = [row for row in rows if row["who"] == "none"]
    unattributed = {
        "run_count": 0,
        "total_tokens": _total(totals, "unattributed_total_tokens"),
        "task_credits": _total(totals, "unattributed_task_credits"),
        "total_cost_usd": _total(totals, "unattributed_total_cost_usd"),
    }
    if others:
        lines.append(line("", OTHER_USERS, {m: _total(others, m) for m in measures}))
    if unknown:
        lines.append(line("", NO_USER, {m: _total(unknown, m) for m in measures}))
    if _total(totals, "unattributed_call_count"):
        lines.append(line("", UNATTRIBUTED, unattributed))
    everything = {m: _total(rows, m) + unattributed[m] for m in measures}
    return Rows(tuple(lines), (line("", "All", everything),) if lines else ())


def _cost_chart(
    totals: list[dict[str, Any]], previous: list[dict[str, Any]], days: list[str], earlier: list[str]
) -> Chart:
    now = {row["usage_date"]: row for row in totals}
    before = {row["usage_date"]: row["total_cost_usd"] for row in previous}
    wallet = [now[day]["wallet_cost_usd"] if day in now else 0 for day in days]
    credit = [now[day]["task_credit_cost_usd"] if day in now else 0 for day in days]
    old = [before.get(day, 0) for day in earlier]
    titles = [
        f"{fmt.day(date.fromisoformat(day))}: {fmt.money_scaled(wallet[i] + credit[i])} "
        f"= wallet {fmt.money_scaled(wallet[i])} + task credits {fmt.money_scaled(credit[i])}. "
        f"{fmt.day(date.fromisoformat(earlier[i]))}: {fmt.money_scaled(old[i])}"
        for i, day in enumerate(days)
    ]
    return charts.stacked_bars(
        [fmt.day_short(date.fromisoformat(day)) for day in days],
        titles,
        (Series("Wallet", "s1", wallet), Series("Task credits", "s2", credit)),
        fmt.money_scaled,
        old,
    )


def _token_chart(rows: list[dict[str, Any]], days: list[str]) -> Chart:
    now = {row["usage_date"]: row for row in rows}
    series = [
        Series(label, tone, [now[day][key] if day in now else 0 for day in days])
        for label, key, tone in TOKEN_SERIES
    ]
    titles = [
        f"{fmt.day(date.fromisoformat(day))}: "
        + ", ".join(f"{part.name.lower()} {fmt.count(part.values[i])}" for part in series if part.values[i])
        for i, day in enumerate(days)
    ]
    return charts.stacked_bars(
        [fmt.day_short(date.fromisoformat(day)) for day in days], titles, series, fmt.count_short
    )
