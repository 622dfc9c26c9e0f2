"""The tracked users in a date range: cards, activity, distribution and table. `static/users.js` says the same about any range that a
reader chooses.

What belongs here: sums over rows of user and day, order, words. What does not: SQL, HTML, files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reports import analytics, charts
from reports import columns as col
from reports import format as fmt
from reports.analytics import Cell, Tile
from reports.charts import Chart, Series

SHOWN = 50
"""Users on one page of the table."""
MEASURES = (
    "run_count",
    "total_tokens",
    "unpriced_call_count",
    "unpriced_total_tokens",
    "task_credits",
    "total_cost_usd",
)
NO_KNOWN_COST = "No known cost"
ACTIVITIES = (
    ("cost", "Cost", "total_cost_usd"),
    ("requests", "Requests", "run_count"),
    ("tokens", "Tokens", "total_tokens"),
)


@dataclass(frozen=True)
class View:
    """All that the page says about one range."""

    cards: tuple[Tile, ...]
    activity: tuple[tuple[str, str, Chart], ...]
    """Key, label and chart of each measure."""
    distribution: Chart
    distribution_rows: tuple[analytics.Row, ...]
    rows: tuple[analytics.Row, ...]
    shown: str


Sums = dict[str, int]


def _sums(rows: Iterable[Sequence[Any]], key: str) -> dict[str, Sums]:
    """Whole numbers by user or by day: counts as they are, amounts in units of 10^-12."""
    at = {name: place for place, name in enumerate(col.names(col.USER_DAY_COLUMNS))}
    found: dict[str, Sums] = {}
    for row in rows:
        sums = found.setdefault(row[at[key]], dict.fromkeys(MEASURES, 0))
        for name in MEASURES:
            value = row[at[name]]
            sums[name] += value if isinstance(value, int) else fmt.to_scaled(value)
    return found


def _bucket(cost: int) -> tuple[int, int]:
    """Bounds of the decade of a cost, as in mart_users__cost_distribution; (0, 0) for no known cost."""
    if cost <= 0:
        return 0, 0
    low: int = 10 ** (len(str(cost)) - 1)
    return low, low * 10


def _cost(sums: Sums) -> Cell:
    money = fmt.money_scaled(sums["total_cost_usd"])
    exact = fmt.money_exact_scaled(sums["total_cost_usd"])
    calls, tokens = sums["unpriced_call_count"], sums["unpriced_total_tokens"]
    return Cell(money + fmt.unpriced_short(calls), exact + fmt.unpriced(calls, tokens))


def build_view(
    rows: Iterable[Sequence[Any]],
    seen: Mapping[str, tuple[int | None, int | None]],
    first: date,
    last: date,
    clock: ZoneInfo,
    *,
    has_credit_price: bool,
    provisional_day: str = "",
) -> View:
    """The range `first` to `last`. `rows` are those of `col.USER_DAY_COLUMNS`, of any days; `seen` says when a user's first and
    last request were, ever.
    """
    within = [row for row in rows if first.isoformat() <= row[0] <= last.isoformat()]
    by_user, by_day = _sums(within, "user_id"), _sums(within, "usage_date")
    ranked = sorted(
        by_user.items(), key=lambda item: (-item[1]["total_cost_usd"], analytics.text_order(item[0]))
    )
    whole = {name: sum(sums[name] for sums in by_user.values()) for name in MEASURES}

    def moment(ms: int | None) -> Cell:
        return Cell(fmt.moment(None if ms is None else datetime.fromtimestamp(ms // 1000, UTC), clock))

    table = tuple(
        (
            Cell(user),
            *(moment(ms) for ms in seen.get(user, (None, None))),
            Cell(fmt.count(sums["run_count"])),
            Cell(fmt.count(sums["total_tokens"])),
            _cost(sums),
        )
        for user, sums in ranked[:SHOWN]
    )
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    drawn, counted = _distribution(by_user.values())
    return View(
        cards=_cards(ranked, whole, len(seen), has_credit_price),
        activity=tuple(
            (key, label, _activity(by_day, days, name, label, provisional_day))
            for key, label, name in ACTIVITIES
        ),
        distribution=drawn,
        distribution_rows=counted,
        rows=table,
        shown=f"{fmt.count(len(ranked))} of {fmt.count(len(seen))} users, {fmt.count(whole['total_tokens'])} tokens in all.",
    )


def _cards(
    ranked: Sequence[tuple[str, Sums]], whole: Sums, ever: int, has_credit_price: bool
) -> tuple[Tile, ...]:
    users, spend = len(ranked), whole["total_cost_usd"]
    lacks = fmt.unpriced(whole["unpriced_call_count"], whole["unpriced_total_tokens"])
    average = fmt.divide_half_even(spend, users) if users else None
    top_user, top = ranked[0] if ranked else ("", dict.fromkeys(MEASURES, 0))
    bare = whole["task_credits"] and not has_credit_price
    return (
        Tile("Active Users", fmt.count(users), f"of {fmt.count(ever)} over all days", f"{fmt.count(whole['run_count'])} requests", ""),
        Tile(
            "Total Spend", fmt.money_scaled(spend), fmt.money_exact_scaled(spend) + lacks, lacks.strip(),
            analytics.NO_CREDIT_PRICE_SHORT if bare else "",
        ),
        Tile(
            "Avg Cost", fmt.money_scaled(average), fmt.money_exact_scaled(average) + (lacks if users else ""),
            "spend ÷ active users" + (", unpriced calls left out" if lacks else ""), "",
        ),
        Tile(
            "Top User Share", fmt.percent(top["total_cost_usd"], spend),
            fmt.money_exact_scaled(top["total_cost_usd"]) + fmt.unpriced(top["unpriced_call_count"], top["unpriced_total_tokens"]),
            top_user, "",
        ),
    )  # fmt: skip


def _activity(
    by_day: Mapping[str, Sums], days: Sequence[date], name: str, label: str, provisional_day: str
) -> Chart:
    is_money = name == "total_cost_usd"
    none = dict.fromkeys(MEASURES, 0)
    found = [by_day.get(day.isoformat(), none) for day in days]
    values = [sums[name] for sums in found]

    def said(sums: Sums) -> str:
        if not is_money:
            return fmt.count(sums[name])
        return fmt.money_scaled(sums[name]) + fmt.unpriced(
            sums["unpriced_call_count"], sums["unpriced_total_tokens"]
        )

    show: Callable[[int], str] = fmt.money_scaled if is_money else fmt.count_short
    return charts.stacked_bars(
        [fmt.day_short(day) for day in days],
        [f"{fmt.day(day)}: {said(sums)}" for day, sums in zip(days, found, strict=True)],
        (Series(label, "s1", values),),
        show,
        provisional=next((i for i, day in enumerate(days) if day.isoformat() == provisional_day), None),
    )


def _distribution(users: Iterable[Sums]) -> tuple[Chart, tuple[analytics.Row, ...]]:
    buckets: dict[tuple[int, int], list[Sums]] = {}
    for sums in users:
        buckets.setdefault(_bucket(sums["total_cost_usd"]), []).append(sums)
    labels, counts, rows = [], [], []
    for (low, high), held in sorted(buckets.items()):
        label = f"{fmt.money_scaled(low)} – {fmt.money_scaled(high)}" if high else NO_KNOWN_COST
        labels.append(label)
        counts.append(len(held))
        together = {name: sum(sums[name] for sums in held) for name in MEASURES}
        rows.append((Cell(label), Cell(fmt.count(len(held))), _cost(together)))
    titles = [
        f"{label}: {fmt.count(n)} user{'' if n == 1 else 's'}"
        for label, n in zip(labels, counts, strict=True)
    ]
    drawn = charts.stacked_bars(
        labels, titles, (Series("Users", "s1", counts),), fmt.count_short, every_label=True
    )
    return drawn, tuple(rows)
