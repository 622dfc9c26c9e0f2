"""What the analytics page says about a date range: tiles, panels and charts, from the daily rows of the
months' chunks.

What belongs here: sums over a range, percentiles from histograms, order and wording. What does not: SQL,
markup, geometry. The page renders its default range from this; `static/analytics.js` says the same for any
other range from the same chunks, and `tests/browser` holds the two equal. Amounts are added as integers of
10^-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
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
NO_CREDIT_PRICE_SHORT = "no credit price set"
ALL_UNPRICED = "All unpriced"
ALL_PARTLY_PRICED = "All partly priced"
REASONS = {
    "no_model_named": "the call names no model",
    "no_price": "no price for this model at that time",
    "no_price_for_its_usage": "its prices do not cover what was used",
    "unknown_usage": "no usage came with the call",
    "partly_priced": "in part: a rate is missing or guessed",
}
"""Why a cost is unknown, or known in part, in words; a reason that is not listed is shown as it is named."""
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
    delta: str = ""
    tone: str = ""
    """`worse` or `better` where the change is one of the two; a cost that rises is neither."""
    spark: str = ""


@dataclass(frozen=True)
class CreditPrices:
    """On which days a workspace's credits have a price: stretches from a day up to but without another; None
    is open.
    """

    has_any: bool
    stretches: tuple[tuple[str | None, str | None], ...] = ()

    def covers(self, day: str) -> bool:
        """Whether credits of that day have a price."""
        return any(
            (since is None or since <= day) and (until is None or day < until)
            for since, until in self.stretches
        )


@dataclass(frozen=True)
class View:
    """All that the page shows for one range."""

    label: str
    previous_label: str
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    tables: Mapping[str, Rows]
    charts: Mapping[str, Chart]


UNPRICED = tuple(c.name for c in col.UNPRICED)
PRICED_TOKENS = tuple(c.name for c in col.PRICED_TOKENS)


@dataclass
class Months:
    """The daily rows of some months, by chunk table, with amounts already whole numbers."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, month: str, tables: Mapping[str, Any]) -> None:
        """Take in the tables of one month's chunks."""
        for name, held in tables.items():
            rows = self.tables.setdefault(name, [])
            if name == "buckets":
                self.buckets.update({int(index): int(middle) for index, middle in held})
            elif name in col.ROW_TABLES:
                columns = col.ROW_TABLES[name]
                for values in held:
                    row = dict(zip(col.names(columns), values, strict=True))
                    for column in columns:
                        if column.kind == "money":
                            row[column.name] = fmt.to_scaled(row[column.name])
                    rows.append(row)
            elif name in col.LATENCY_TABLES:
                rows += _histograms(month, col.LATENCY_TABLES[name], held)
            else:
                rows += _keyed_rows(month, *col.KEYED_TABLES[name], held)

    def between(self, name: str, first: str, last: str) -> list[dict[str, Any]]:
        """Rows of one table whose day lies in the range."""
        return [row for row in self.tables.get(name, ()) if first <= row["usage_date"] <= last]


def _spread(value: Any, size: int) -> list[int]:
    """A list of a chunk, which is a single number where all are equal."""
    return [int(one) for one in value] if isinstance(value, list) else [int(value)] * size


def _heads(month: str, keys: Sequence[str], held: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """Day and keys of every row of a table that is kept by column."""
    named = [dict(zip(keys, values, strict=True)) for values in held["keys"]]
    days = {day: f"{month}-{day:02}" for day in range(1, 32)}
    return [
        {"usage_date": days[day], **named[code]}
        for day, code in zip(_spread(held["day"], size), _spread(held["key"], size), strict=True)
    ]


def _keyed_rows(
    month: str, keys: Sequence[str], measures: Sequence[col.Column], held: Mapping[str, Any]
) -> list[dict[str, Any]]:
    size = max(len(value) if isinstance(value, list) else 1 for name, value in held.items() if name != "keys")
    rows = _heads(month, keys, held, size)
    for measure in measures:
        for row, value in zip(rows, _spread(held[measure.name], size), strict=True):
            row[measure.name] = value
    return rows


def _histograms(month: str, keys: Sequence[str], held: Mapping[str, Any]) -> list[dict[str, Any]]:
    sizes = held["size"]
    rows = _heads(month, keys, held, len(sizes))
    at = 0
    for row, size in zip(rows, sizes, strict=True):
        buckets = accumulate(held["bucket"][at : at + size])
        row["buckets"] = list(zip(buckets, held["count"][at : at + size], strict=True))
        at += size
    return rows


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


def text_order(*texts: str | None) -> tuple[bytes, ...]:
    """The order in which a browser compares text (UTF-16 units), so that ties fall alike in both twins."""
    return tuple((text or "").encode("utf-16-be", "surrogatepass") for text in texts)


def _ranked(
    groups: Mapping[tuple[Any, ...], dict[str, int]], *measures: str
) -> list[tuple[tuple[Any, ...], dict[str, int]]]:
    return sorted(groups.items(), key=lambda item: (*(-item[1][m] for m in measures), text_order(*item[0])))


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


def _cost(value: int, calls: int, tokens: int, *, is_long: bool = False) -> Cell:
    """A cost with the calls and tokens that it lacks."""
    lacks = fmt.unpriced(calls, tokens)
    return Cell(
        fmt.money_scaled(value) + (lacks if is_long else fmt.unpriced_short(calls)),
        fmt.money_exact_scaled(value) + lacks,
    )


def _cost_of(sums: Mapping[str, int], key: str = "total_cost_usd") -> Cell:
    """`_cost` of a row that carries its unpriced usage."""
    return _cost(sums[key], *(sums[name] for name in UNPRICED))


def _part(value: int, calls: int, tokens: int) -> Cell:
    """An amount beside a total that says what both lack: it repeats that in its tooltip only."""
    return Cell(fmt.money_scaled(value), fmt.money_exact_scaled(value) + fmt.unpriced(calls, tokens))


def _lacking(rows: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Unpriced calls and tokens of the rows."""
    held = list(rows)
    return _total(held, "unpriced_call_count"), _total(held, "unpriced_total_tokens")


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


def _credit_notes(totals: list[dict[str, Any]], prices: CreditPrices) -> tuple[str, str]:
    """What the page and its credits tile say where credits have no price: an estimate of $0.00 is no estimate."""
    days = [row["usage_date"] for row in totals if row["task_credits"]]
    if days and not prices.has_any:
        return NO_CREDIT_PRICE, NO_CREDIT_PRICE_SHORT
    bare = sum(not prices.covers(day) for day in days)
    if not bare:
        return "", ""
    said = f"on {fmt.count(bare)} of {fmt.count(len(days))} days with credits"
    return (
        f"No credit price set {said}: their task credits are counted, with a USD estimate of $0.00.",
        f"{NO_CREDIT_PRICE_SHORT} {said}",
    )


@dataclass(frozen=True)
class Edges:
    """The first day with usage, before which there is nothing to compare with, and the newest day where it may still
    grow.
    """

    first_day: str = ""
    provisional_day: str = ""


@dataclass(frozen=True)
class _Previous:
    """The period before, as the tiles name it."""

    name: str
    has_data: bool
    is_whole: bool = False
    """Whether usage was recorded on all of its days; a change against fewer days would mislead."""

    @classmethod
    def of(cls, earlier: Sequence[str], edges: Edges) -> _Previous:
        first, last = date.fromisoformat(earlier[0]), date.fromisoformat(earlier[-1])
        name = fmt.day_range_short(first, last)
        if earlier[-1] < edges.first_day:
            return cls(f"no usage before {fmt.day(date.fromisoformat(edges.first_day))}", has_data=False)
        if earlier[0] < edges.first_day:
            return cls(f"{name}, from {fmt.day_short(date.fromisoformat(edges.first_day))} on", has_data=True)
        return cls(name, has_data=True, is_whole=True)

    def against(self, text: str) -> str:
        return f"against {text} in {self.name}" if self.has_data else self.name


def build_view(
    months: Months, first: date, last: date, prices: CreditPrices, edges: Edges | None = None
) -> View:
    """The page's content for the days `first` to `last`, both included."""
    edges = edges or Edges()
    days = days_between(first, last)
    earlier = days_between(first - timedelta(days=len(days)), first - timedelta(days=1))

    def now(name: str) -> list[dict[str, Any]]:
        return months.between(name, days[0], days[-1])

    def before(name: str) -> list[dict[str, Any]]:
        return months.between(name, earlier[0], earlier[-1])

    totals, previous = now("total"), before("total")
    note, credit_note = _credit_notes(totals, prices)
    cost = _total(totals, "total_cost_usd")
    tables = {
        **_cost_tables(totals, previous, days),
        "services": _services(now("services"), cost),
        "models": _models(now("models")),
        "unpriced": _unpriced(now("unpriced")),
        "differences": _differences(now("differences")),
        **_token_tables(now("tokens"), before("tokens"), days),
        "observability": _observability(months, now("observability"), now("model_latency")),
        "runs": _runs(months, now("runs"), now("run_latency")),
        "spans": _spans(months, now("spans"), now("span_days"), now("span_latency")),
        "tools": _tools(now("tools")),
        **{f"users_{order}": _users(now("users"), totals, order) for order in USER_ORDERS},
    }
    return View(
        label=fmt.day_range(first, last),
        previous_label="Beside it the period before: "
        + fmt.day_range(date.fromisoformat(earlier[0]), date.fromisoformat(earlier[-1])),
        notes=(note,) if note else (),
        tiles=_tiles(totals, previous, days, _Previous.of(earlier, edges), credit_note),
        tables=tables,
        charts={
            "cost": _cost_chart(totals, previous, days, earlier, edges),
            "tokens": _token_chart(now("tokens"), days, edges),
        },
    )


def _tiles(
    totals: list[dict[str, Any]],
    previous: list[dict[str, Any]],
    days: Sequence[str],
    before: _Previous,
    credit_note: str,
) -> tuple[Tile, ...]:
    by_day = {row["usage_date"]: row for row in totals}

    def daily(key: str) -> list[int]:
        return [by_day[day][key] or 0 if day in by_day else 0 for day in days]

    def tile(
        label: str, key: str, texts: tuple[str, str], note: str, old: str, *, is_bad: bool = False
    ) -> Tile:
        """`texts` are the value for reading and the exact one, `old` is the value of the period before."""
        value, earlier = _total(totals, key), _total(previous, key)
        delta = fmt.change(value, earlier) if before.is_whole else ""
        tone = (
            ("worse" if value > earlier else "better" if value < earlier else "") if is_bad and delta else ""
        )
        return Tile(label, *texts, note, before.against(old), delta, tone, charts.sparkline(daily(key)))

    lacks, lacked = _lacking(totals), _lacking(previous)
    said = fmt.unpriced(*lacks)

    def amount(
        key: str, label: str, note: str, show: Callable[[int], str], exact: Callable[[int], str]
    ) -> Tile:
        value = _total(totals, key)
        return tile(label, key, (show(value), exact(value)), note, show(_total(previous, key)))

    cost = _total(totals, "total_cost_usd"), _total(previous, "total_cost_usd")
    runs, failed = _total(totals, "run_count"), _total(totals, "failed_run_count")
    runs_before, failed_before = _total(previous, "run_count"), _total(previous, "failed_run_count")
    points = fmt.points(failed, runs, failed_before, runs_before) if before.is_whole else ""
    rates = [
        n * 1_000_000 // of if of else 0
        for n, of in zip(daily("failed_run_count"), daily("run_count"), strict=True)
    ]
    return (
        tile(
            "Total cost",
            "total_cost_usd",
            (fmt.money_scaled(cost[0]), fmt.money_exact_scaled(cost[0]) + said),
            said.strip(),
            _cost(cost[1], *lacked).text,
        ),
        amount("task_credits", "Task credits", credit_note, fmt.credits_scaled, fmt.credits_scaled),
        amount("total_tokens", "Tokens", "", fmt.count_short, fmt.count),
        amount("run_count", "Runs", "", fmt.count_short, fmt.count),
        Tile(
            "Error rate",
            fmt.percent(failed, runs),
            f"{fmt.count(failed)} of {fmt.count(runs)} runs",
            f"{fmt.count(failed)} of {fmt.count(runs)} runs failed",
            before.against(fmt.percent(failed_before, runs_before)),
            points,
            {"+": "worse", "-": "better"}.get(points[:1], ""),
            charts.sparkline(rates),
        ),
        tile(
            "Unpriced calls",
            "unpriced_call_count",
            (fmt.count_short(lacks[0]), fmt.count(lacks[0])),
            f"of {fmt.count_short(_total(totals, 'call_count'))} calls; {fmt.count_short(lacks[1])} tokens"
            if lacks[0]
            else f"all {fmt.count_short(_total(totals, 'call_count'))} calls have a cost",
            fmt.count_short(lacked[0]),
            is_bad=True,
        ),
    )


def _cost_tables(
    totals: list[dict[str, Any]], previous: list[dict[str, Any]], days: list[str]
) -> dict[str, Rows]:
    def line(label: str, key: str, show: Callable[[int, int, int], Cell] = _part, prefix: str = "") -> Row:
        value, old = _total(totals, key), _total(previous, key)
        cells = (
            show(amount, *(_total(rows, prefix + name) for name in UNPRICED))
            for amount, rows in ((value, totals), (old, previous))
        )
        return (Cell(label), *cells, Cell(fmt.change(value, old)))

    def whole(value: int, calls: int, tokens: int) -> Cell:
        return _cost(value, calls, tokens, is_long=True)

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
                _cost_of(row),
                _money(row["external_cost_usd"]),
                _cost(
                    row["unattributed_total_cost_usd"],
                    *(row[f"unattributed_{name}"] for name in UNPRICED),
                ),
            )
        )
    return {
        "cost_parts": Rows(
            (
                line("Wallet", "wallet_cost_usd"),
                line(
                    "Task credits (estimated)",
                    "task_credit_cost_usd",
                    lambda value, calls, tokens: _money(value),
                ),
            ),
            (
                line("Total cost", "total_cost_usd", whole),
                line(
                    f"of which {UNATTRIBUTED[0].lower()}{UNATTRIBUTED[1:]}",
                    "unattributed_total_cost_usd",
                    whole,
                    "unattributed_",
                ),
                line("External (own keys, not in the total)", "external_cost_usd"),
            ),
        ),
        "cost_days": Rows(tuple(daily)),
    }


def _services(rows: list[dict[str, Any]], all_cost: int) -> Rows:
    measures = (
        "call_count", "failed_call_count", *UNPRICED, "task_credits", "wallet_cost_usd",
        "task_credit_cost_usd", "total_cost_usd", "external_cost_usd",
    )  # fmt: skip

    def line(label: Cell, sums: Mapping[str, int]) -> Row:
        return (
            label,
            _count(sums["call_count"]),
            _count(sums["failed_call_count"]),
            Cell(fmt.credits_scaled(sums["task_credits"])),
            _money(sums["wallet_cost_usd"]),
            _money(sums["task_credit_cost_usd"]),
            _cost_of(sums),
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
    measures = ("call_count", *PRICED_TOKENS, *UNPRICED, "provider_cost_usd", "total_cost_usd")

    def line(labels: tuple[Cell, Cell], sums: Mapping[str, int]) -> Row:
        priced = sums["total_tokens"] - sums["unpriced_total_tokens"]
        rate = fmt.divide_half_even(sums["provider_cost_usd"] * 1_000_000, priced) if priced > 0 else None
        return (
            *labels,
            _count(sums["call_count"]),
            *(_short(sums[name]) for name in PRICED_TOKENS),
            _part(sums["provider_cost_usd"], *(sums[name] for name in UNPRICED)),
            _cost_of(sums),
            Cell(fmt.money_scaled(rate), fmt.money_exact_scaled(rate) if rate is not None else ""),
            Cell(
                fmt.count(sums["unpriced_call_count"]),
                fmt.unpriced(*(sums[name] for name in UNPRICED)).removeprefix(" + "),
            ),
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


def _unpriced(rows: list[dict[str, Any]]) -> Rows:
    """Usage whose cost is unknown, then usage whose cost is known in part; the first sums to the unpriced calls
    that stand beside the totals.
    """
    measures = ("call_count", *PRICED_TOKENS, "provider_cost_usd")

    def line(labels: tuple[Cell, Cell, Cell], sums: Mapping[str, int], status: str) -> Row:
        return (
            *labels,
            _count(sums["call_count"]),
            *(_short(sums[name]) for name in PRICED_TOKENS),
            Cell(fmt.MISSING) if status == "unpriced" else _money(sums["provider_cost_usd"]),
        )

    body, footer = [], []
    for status, label in (("unpriced", ALL_UNPRICED), ("partial", ALL_PARTLY_PRICED)):
        chosen = [row for row in rows if row["price_status"] == status]
        groups = _grouped(chosen, ("provider", "model", "reason"), measures)
        body += [
            line((_said(key[0]), _said(key[1]), Cell(REASONS.get(key[2], key[2]))), sums, status)
            for key, sums in _ranked(groups, "total_tokens", "call_count")
        ]
        if chosen:
            sums = {m: _total(chosen, m) for m in measures}
            footer.append(line((Cell(label), Cell(""), Cell("")), sums, status))
    return Rows(tuple(body), tuple(footer))


def _differences(rows: list[dict[str, Any]]) -> Rows:
    """Models whose calls report another cost than their prices give."""
    measures = (
        "compared_call_count", "differing_call_count", "reported_cost_usd", "computed_cost_usd",
        "difference_usd", "at_stake_usd",
    )  # fmt: skip

    def line(labels: tuple[Cell, Cell, Cell], sums: Mapping[str, int]) -> Row:
        return (
            *labels,
            _count(sums["compared_call_count"]),
            _count(sums["differing_call_count"]),
            *(_money(sums[name]) for name in measures[2:]),
        )

    def priced_as(provider: str | None, model: str | None) -> Cell:
        text = f"{provider or NOT_SAID} / {model or NOT_SAID}"
        return Cell(text, text)  # two names are often too long for their column

    groups = _grouped(rows, ("provider", "model", "priced_provider", "priced_model"), measures)
    return Rows(
        tuple(
            line((_said(key[0]), _said(key[1]), priced_as(key[2], key[3])), sums)
            for key, sums in _ranked(groups, "at_stake_usd", "differing_call_count")
        ),
        (line((Cell("All models"), Cell(""), Cell("")), {m: _total(rows, m) for m in measures}),)
        if rows
        else (),
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
    measures = (
        "call_count", "failed_call_count", *UNPRICED, "duration_ms", "task_credits", "total_cost_usd",
    )  # fmt: skip
    return Rows(
        tuple(
            (
                _said(key[0]),
                _count(sums["call_count"]),
                _count(sums["failed_call_count"]),
                Cell(fmt.percent(sums["failed_call_count"], sums["call_count"])),
                Cell(fmt.duration(sums["duration_ms"])),
                Cell(fmt.credits_scaled(sums["task_credits"])),
                _cost_of(sums),
            )
            for key, sums in _ranked(_grouped(rows, ("tool_name",), measures), "call_count", "duration_ms")
        )
    )


def _users(rows: list[dict[str, Any]], totals: list[dict[str, Any]], order: str) -> Rows:
    measures = ("run_count", "total_tokens", *UNPRICED, "task_credits", "total_cost_usd")
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
            _cost_of(sums),
            Cell(fmt.percent(sums["total_cost_usd"], all_cost)),
        )

    lines = [line(str(n), str(key[0]), sums) for n, (key, sums) in enumerate(tracked[:TOP_USERS], 1)]
    others = [sums for _, sums in tracked[TOP_USERS:]] + [row for row in rows if row["who"] == "other"]
    unknown = [row for row in rows if row["who"] == "none"]
    unattributed = {
        measure: 0 if measure == "run_count" else _total(totals, f"unattributed_{measure}")
        for measure in measures
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
    totals: list[dict[str, Any]],
    previous: list[dict[str, Any]],
    days: list[str],
    earlier: list[str],
    edges: Edges,
) -> Chart:
    now = {row["usage_date"]: row for row in totals}
    before = {row["usage_date"]: row for row in previous}
    wallet = [now[day]["wallet_cost_usd"] if day in now else 0 for day in days]
    credit = [now[day]["task_credit_cost_usd"] if day in now else 0 for day in days]
    old = [before[day]["total_cost_usd"] if day in before else 0 for day in earlier]

    def lacks(found: Mapping[str, Mapping[str, int]], day: str) -> str:
        return fmt.unpriced(*(found[day][name] for name in UNPRICED)) if day in found else ""

    titles = [
        f"{fmt.day(date.fromisoformat(day))}: {fmt.money_scaled(wallet[i] + credit[i])}{lacks(now, day)}; "
        f"wallet {fmt.money_scaled(wallet[i])}, task credits {fmt.money_scaled(credit[i])}. "
        f"{fmt.day(date.fromisoformat(earlier[i]))}: {fmt.money_scaled(old[i])}{lacks(before, earlier[i])}"
        for i, day in enumerate(days)
    ]
    return charts.stacked_bars(
        [fmt.day_short(date.fromisoformat(day)) for day in days],
        titles,
        (Series("Wallet", "s1", wallet), Series("Task credits", "s2", credit)),
        fmt.money_scaled,
        old,
        provisional=_place(days, edges),
    )


def _place(days: Sequence[str], edges: Edges) -> int | None:
    """Where the provisional day stands, if it is among the days."""
    return days.index(edges.provisional_day) if edges.provisional_day in days else None


def _token_chart(rows: list[dict[str, Any]], days: list[str], edges: Edges) -> Chart:
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
        [fmt.day_short(date.fromisoformat(day)) for day in days],
        titles,
        series,
        fmt.count_short,
        provisional=_place(days, edges),
    )
