"""From what the queries read to what the templates receive: every decision and every formatted string of a
page.

What belongs here: making the contexts of `context.py`. What does not: SQL, HTML, files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup

from reports import analytics, quality, users, watch, writer
from reports import columns as col
from reports import context as ctx
from reports import format as fmt
from reports import queries as q
from reports.analytics import Tile

_RANGE_SCRIPTS = ("range.js",)
_AROUND = timedelta(days=366)
_CHANGED_BY_HTML = frozenset("\r\0")
"""Characters that a browser reads as others, wherever they stand in a page."""


@dataclass
class WorkspaceData:
    """All that one workspace's pages are made of."""

    workspace: q.Workspace
    slug: str
    published_at: datetime | None = None
    months: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Month → table → its data, of the months that the default range and the period before it lie in."""
    month_names: list[str] = field(default_factory=list)
    """All months with usage."""
    cube_parts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Month → first and last day of each part of its cube."""
    colours: dict[str, list[str]] = field(default_factory=dict)
    log_totals: dict[str, list[q.Row]] = field(default_factory=dict)
    filter_values: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    metadata_keys: dict[str, list[str]] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    index_shards: dict[str, int] = field(default_factory=dict)
    user_parts: list[str] = field(default_factory=list)
    user_months: list[str] = field(default_factory=list)
    user_days: dict[str, list[Any]] = field(default_factory=dict)
    """Month → rows of its tracked users by day, of the months of the default range."""
    unpriced_models: list[q.Row] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    anomalies: list[dict[str, Any]] = field(default_factory=list)
    detail_from: date | None = None
    """First day whose single runs are published; None where those of all days are."""
    usage_days: tuple[date, date] | None = None
    """First and last day with usage."""
    fixed_range: tuple[date, date] | None = None
    """The only days that can be chosen, in a file of its own."""

    @property
    def first_day(self) -> date | None:
        """First day with usage."""
        return self.usage_days[0] if self.usage_days else None

    @property
    def last_day(self) -> date | None:
        """Last day with usage, the end of every default range."""
        return self.usage_days[1] if self.usage_days else None

    @property
    def credit_prices(self) -> analytics.CreditPrices:
        """On which days its task credits have a price."""
        return analytics.CreditPrices(self.workspace.has_credit_price, self.workspace.credit_price_days)

    @property
    def time_zone(self) -> tuple[str, str]:
        """The workspace's time zone and, where this system does not know it, a note that UTC stands in."""
        named = self.workspace.time_zone
        if named and fmt.zone(named):
            return named, ""
        return "UTC", f"the workspace's time zone {named!r} is unknown" if named else ""

    @property
    def provisional_day(self) -> date | None:
        """The newest day of usage where it had not ended, on the workspace's clock, when the file was published."""
        last = self.last_day
        clock = fmt.zone(self.time_zone[0])
        if last is None or self.published_at is None or clock is None:
            return None
        return last if last >= self.published_at.astimezone(clock).date() else None

    @property
    def edges(self) -> analytics.Edges:
        """The first day with usage and the provisional one, as ISO text."""
        first, provisional = self.first_day, self.provisional_day
        return analytics.Edges(
            first.isoformat() if first else "", provisional.isoformat() if provisional else ""
        )

    @property
    def default_range(self) -> ctx.Range | None:
        """The range that pages open with: the last days of usage; None where there is no usage."""
        first_day, last_day, provisional = self.first_day, self.last_day, self.provisional_day
        if first_day is None or last_day is None:
            return None
        first, last = last_day - timedelta(days=analytics.DEFAULT_DAYS - 1), last_day
        if self.fixed_range:
            first_day, last_day = first, last = self.fixed_range
            provisional = provisional if provisional and provisional <= last else None
        return ctx.Range(
            first_day.isoformat(),
            last_day.isoformat(),
            first.isoformat(),
            last.isoformat(),
            fmt.day_range(first, last),
            fmt.day_short(provisional) if provisional else "",
            "This day had not ended when the pages were generated; more usage of it may follow."
            if provisional
            else "",
            *self._presets(first, last),
        )

    @property
    def limits(self) -> tuple[str, str]:
        """The days between which any range can be chosen: a year around the usage, in which a preset or a whole month may begin or
        end; of a file of its own, its days, since it has no others.
        """
        assert self.first_day is not None  # noqa: S101  (asked for where there is a range)
        assert self.last_day is not None  # noqa: S101
        first, last = self.fixed_range or (
            self.first_day - _AROUND,
            self.last_day + _AROUND,
        )
        return first.isoformat(), last.isoformat()

    def _presets(self, first: date, last: date) -> tuple[str, tuple[tuple[str, str, str], ...]]:
        """The pressed button and all buttons; a fixed range offers none that is longer than itself."""
        if not self.fixed_range:
            return str(analytics.DEFAULT_DAYS), ctx.RANGE_PRESETS
        days = (last - first).days + 1
        return "all", tuple(p for p in ctx.RANGE_PRESETS if p[0] == "all" or int(p[0]) < days)

    def page(
        self,
        current: str,
        heading: str,
        scripts: Sequence[str],
        config: Mapping[str, object],
        *,
        has_range: bool = True,
        subtitle: str = "",
    ) -> ctx.Page:
        """What this page shares with its siblings. `has_range` gives it the date range that all of them share."""
        zone, note = self.time_zone
        nav = (
            ("analytics", "Analytics"),
            *((name, ctx.LOGS[name].title) for name in col.LOG_KINDS),
            ("users", "Users"),
            ("quality", "Data quality"),
        )
        days = self.default_range
        shared: dict[str, object] = {
            "page": current,
            "time_zone": zone,
            "range": {
                "first_day": days.first_day,
                "last_day": days.last_day,
                "default": days.pressed,
                "limits": self.limits,
                "first_usage_day": self.edges.first_day,
                "provisional_day": self.provisional_day.isoformat() if self.provisional_day else None,
            }
            if days
            else None,
        }
        return ctx.Page(
            title=heading,
            heading=heading,
            subtitle=subtitle or ("" if days else "No usage yet"),
            workspace_name=self.workspace.name,
            workspace_id=self.workspace.workspace_id,
            time_zone=zone,
            time_zone_note=note,
            nav=tuple(ctx.NavItem(label, f"{name}.html", name == current) for name, label in nav),
            range=days if has_range else None,
            scripts=(*(_RANGE_SCRIPTS if has_range else ()), *scripts),
            config=Markup(writer.to_json({**shared, **config})),  # noqa: S704  (escaped by to_json)
            is_single=self.fixed_range is not None,
        )


def colours(months: Iterable[Mapping[str, Sequence[Sequence[str]]]]) -> dict[str, list[str]]:
    """Dimension → its values, the first used first, of months that tell their values' first days: a value's place, and so its
    colour, stays.
    """
    first: dict[str, dict[str, str]] = {}
    for month in months:  # the earliest first
        for dimension, pairs in month.items():
            for day, value in pairs:
                first.setdefault(dimension, {}).setdefault(value, day)
    return {
        dimension: [v for v, _ in sorted(days.items(), key=lambda item: (item[1], item[0].encode()))][
            : q.FILTER_VALUES
        ]
        for dimension, days in first.items()
    }


def months_shown(data: WorkspaceData) -> list[str]:
    """The months that the default range and the period before it lie in."""
    if data.last_day is None:
        return []
    earliest = (data.last_day - timedelta(days=2 * analytics.DEFAULT_DAYS - 1)).isoformat()[:7]
    return [month for month in data.month_names if month >= earliest]


def analytics_view(data: WorkspaceData) -> tuple[analytics.View, date, date] | None:
    """The default range of the analytics page: its last 30 days of usage, and their days."""
    last = data.last_day
    if last is None:
        return None
    first = last - timedelta(days=analytics.DEFAULT_DAYS - 1)
    months = analytics.Months()
    for month in months_shown(data):
        tables = data.months[month]
        if month < first.isoformat()[:7]:  # of the period before, only totals are told
            tables = {name: tables[name] for name in col.ROW_TABLES if name in tables}
        months.add(month, tables)
    return analytics.build_view(months, first, last, data.credit_prices, data.edges), first, last


def analytics_page(data: WorkspaceData, shown: tuple[analytics.View, date, date] | None) -> ctx.AnalyticsPage:
    """The analytics page in its default range."""
    view = shown[0] if shown else analytics.View("", "", (), (), {}, {})
    config = {
        "months": data.month_names,
        "row_tables": {
            name: [[c.name, c.kind == "money"] for c in columns] for name, columns in col.ROW_TABLES.items()
        },
        "keyed_tables": {
            name: {"keys": keys, "measures": col.names(measures)}
            for name, (keys, measures) in col.KEYED_TABLES.items()
        },
        "credit_prices": {"has_any": data.credit_prices.has_any, "stretches": data.credit_prices.stretches},
        "numbers": {name: [h.is_number for h in headers] for name, headers in ctx.TABLE_HEADERS.items()},
        "dimensions": [[d.name, d.label] for d in col.DIMENSIONS],
        "cube_sums": col.names(col.CUBE_SUMS),
        "cube_parts": data.cube_parts,
        "colours": data.colours,
        "values_per_month": q.VALUES_PER_MONTH,
        "workspace": data.slug,
        "token_series": analytics.TOKEN_SERIES,
        "token_lines": analytics.TOKEN_LINES,
        "priced_tokens": analytics.PRICED_TOKENS,
        "percentiles": analytics.PERCENTILES,
        "top": {"spans": analytics.TOP_SPANS, "users": analytics.TOP_USERS},
        "words": {
            "not_said": analytics.NOT_SAID,
            "no_user": analytics.NO_USER,
            "other_users": analytics.OTHER_USERS,
            "other_spans": analytics.OTHER_SPANS,
            "unattributed": analytics.UNATTRIBUTED,
            "no_credit_price": analytics.NO_CREDIT_PRICE,
            "no_credit_price_short": analytics.NO_CREDIT_PRICE_SHORT,
            "all_unpriced": analytics.ALL_UNPRICED,
            "all_partly_priced": analytics.ALL_PARTLY_PRICED,
            "reasons": analytics.REASONS,
        },
    }
    return ctx.AnalyticsPage(
        page=data.page(
            "analytics", "Analytics", ("charts.js", "store.js", "analytics.js", "explore.js"), config
        ),
        view=view,
        watch=watch.view(*shown[1:], data.budgets, data.anomalies) if shown else watch.View("", ""),
        headers=ctx.TABLE_HEADERS,
        cost_legend=(("Wallet", "s1"), ("Task credits (estimated)", "s2"), ("Previous period", "before")),
        token_legend=tuple((label, tone) for label, _, tone in analytics.TOKEN_SERIES),
        measures=(("cost", "Cost"), ("tokens", "Tokens"), ("calls", "Calls")),
        dimensions=tuple((d.name, d.label) for d in col.DIMENSIONS),
        is_empty=shown is None,
    )


def log_page(data: WorkspaceData, name: str) -> ctx.LogPage:
    """One log page: definitions, filters and the list of days; its rows are loaded by the page."""
    definition = ctx.LOGS[name]
    days = data.log_totals.get(name, [])
    filters = []
    for key, label in definition.filters:
        values = data.filter_values.get(name, {}).get(key, [])
        too_many = len(values) > q.FILTER_VALUES
        filters.append(
            ctx.Filter(
                key,
                label,
                None if too_many else tuple(values),
                f"any of over {q.FILTER_VALUES} values" if too_many else "",
            )
        )
    filters.append(ctx.Filter("user_id", "User", None, "user id"))
    filters.append(
        ctx.Filter("metadata", "Metadata", None, "key or key=value", tuple(data.metadata_keys.get(name, [])))
    )
    config = {
        "log": name,
        "workspace": data.slug,
        "singular": definition.singular,
        "columns": [{"key": h.key, "label": h.label, "number": h.is_number} for h in definition.columns],
        "exact_values": {
            filter_.key: pairs
            for filter_ in filters
            if (
                pairs := [pair for pair in enumerate(filter_.values or ()) if _CHANGED_BY_HTML & set(pair[1])]
            )
        },
        "fields": col.names(col.LOG_COLUMNS),
        "days": days,
        "rows_per_part": q.LOG_ROWS_PER_PART,
        "shards": data.shards,
        "index_shards": data.index_shards,
        "summary_fields": ["run_type", *col.names(col.SUMMARY_COLUMNS)],
        "span_fields": col.names(col.SPAN_COLUMNS),
        "child_fields": col.names(col.CHILD_COLUMNS),
        "meters": [
            {
                "label": label,
                "tokens": name in col.METERS_OF_TOKENS,
                "free": name in col.METERS_FREE_WITHOUT_A_PRICE,
            }
            for name, label in col.METERS
        ],
        "token_classes": col.TOKEN_CLASSES,
        "reasons": analytics.REASONS,
        "storage": f"credit-usage.{name}.columns",
    }
    runs = sum(row[1] for row in days)
    return ctx.LogPage(
        page=data.page(name, definition.title, ("trace.js", "sheet.js", "logs.js"), config),
        kind=definition.singular,
        columns=definition.columns,
        filters=tuple(filters),
        total_runs=f"{fmt.count(runs)} run{'' if runs == 1 else 's'}",
        first_day=days[0][0] if days else "",
        last_day=days[-1][0] if days else "",
        is_empty=not days,
        note=""
        if data.detail_from is None
        else f"Single runs are kept from {fmt.day(data.detail_from)} on; of earlier days the daily figures stay, in Analytics.",
    )


USER_HEADERS = (
    ctx.Header("User ID", False, "user_id"),
    ctx.Header("First Request", False, "first_request_at"),
    ctx.Header("Last Request", False, "last_request_at"),
    ctx.Header("Total Requests", True, "total_requests"),
    ctx.Header("Total Tokens", True, "total_tokens"),
    ctx.Header("Total Cost", True, "total_cost_usd"),
)


RUN_HEADERS = (
    ctx.Header("Completed At", False),
    ctx.Header("Type", False),
    ctx.Header("Name", False),
    ctx.Header("Status", False),
    ctx.Header("Total Tokens"),
    ctx.Header("Total Cost"),
    ctx.Header("Duration"),
)
"""The newest runs of one user, all three logs together."""


def users_view(data: WorkspaceData) -> users.View | None:
    """The default range of the users page: its last 30 days of usage. None where no run names a user."""
    days, clock = data.default_range, fmt.zone(data.time_zone[0])
    if days is None or clock is None or not data.user_parts:
        return None
    names = col.names(col.USER_COLUMNS)
    at = [names.index(name) for name in ("user_id", "first_request_at", "last_request_at")]
    seen = {row[at[0]]: (row[at[1]], row[at[2]]) for text in data.user_parts for row in json.loads(text)}
    rows = [
        row
        for month in sorted(data.user_days)
        if days.first[:7] <= month <= days.last[:7]
        for row in data.user_days[month]
    ]
    return users.build_view(
        rows,
        seen,
        date.fromisoformat(days.first),
        date.fromisoformat(days.last),
        clock,
        has_credit_price=data.workspace.has_credit_price,
        provisional_day=data.edges.provisional_day,
    )


def users_page(data: WorkspaceData) -> ctx.UsersPage:
    """The users page in its default range, the users of the highest cost first."""
    view = users_view(data)
    return ctx.UsersPage(
        page=data.page(
            "users",
            "Users",
            ("charts.js", "users.js"),
            {
                "workspace": data.slug,
                "fields": col.names(col.USER_COLUMNS),
                "parts": len(data.user_parts),
                "day_fields": col.names(col.USER_DAY_COLUMNS),
                "months": data.user_months,
                "has_credit_price": data.workspace.has_credit_price,
                "logs": [
                    {
                        "name": name,
                        "title": ctx.LOGS[name].title,
                        "singular": ctx.LOGS[name].singular,
                        "days": [row[:2] for row in data.log_totals.get(name, [])],
                    }
                    for name in col.LOG_KINDS
                ],
                "detail_from": data.detail_from.isoformat() if data.detail_from else None,
                "log_fields": col.names(col.LOG_COLUMNS),
                "rows_per_part": q.LOG_ROWS_PER_PART,
                "columns": [{"key": h.key, "label": h.label, "number": h.is_number} for h in USER_HEADERS],
                "rows_per_page": users.SHOWN,
                "words": {
                    "no_credit_price_short": analytics.NO_CREDIT_PRICE_SHORT,
                    "no_known_cost": users.NO_KNOWN_COST,
                },
            },
        ),
        view=view,
        headers=USER_HEADERS,
        distribution_headers=(ctx.Header("Total cost", False), ctx.Header("Users"), ctx.Header("Spend")),
        run_headers=RUN_HEADERS,
    )


def quality_page(data: WorkspaceData, publication: quality.Publication) -> ctx.QualityPage:
    """The data quality page of a workspace."""
    clock = fmt.zone(data.time_zone[0])
    assert clock is not None  # noqa: S101  (page zones are checked in WorkspaceData.time_zone)
    shown = quality.view(publication, data.workspace.workspace_id, clock, data.unpriced_models, data.last_day)
    return ctx.QualityPage(
        page=data.page(
            "quality", "Data quality", (), {}, has_range=False, subtitle="Of this publication, all days"
        ),
        view=shown,
        headers=ctx.QUALITY_HEADERS,
    )


def index_row(
    data: WorkspaceData,
    shown: tuple[analytics.View, date, date] | None,
    publication: quality.Publication,
) -> ctx.IndexRow:
    """One workspace on the index page, with the default range of its analytics page."""
    zone, _ = data.time_zone
    clock = fmt.zone(zone)
    activity = publication.newest_activity.get(data.workspace.workspace_id)
    tiles = {tile.label: tile for tile in shown[0].tiles} if shown else {}
    none = Tile("", fmt.MISSING, "", "", "")
    return ctx.IndexRow(
        name=data.workspace.name,
        workspace_id=data.workspace.workspace_id,
        href=f"{data.slug}/analytics.html",
        quality_href=f"{data.slug}/quality.html",
        tiles=tuple(
            tiles.get(label, none) for label in ("Total cost", "Task credits", "Tokens", "Runs", "Error rate")
        ),
        badge=quality.badge(publication, data.workspace.workspace_id),
        range_label=shown[0].label if shown else "No usage yet",
        through=fmt.moment(activity, clock)[:16] if activity and clock else fmt.MISSING,
        time_zone=zone,
    )
