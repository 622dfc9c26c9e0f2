"""What each template receives: frozen, complete, every string ready to be placed.

What belongs here: the shape of pages, their column and filter definitions. What does not: SQL, sums, files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from reports import quality, users, watch
from reports.analytics import TOKEN_SERIES, Tile, View


@dataclass(frozen=True)
class Header:
    """A table column as shown: `is_number` right-aligns it."""

    label: str
    is_number: bool = True
    key: str = ""


def _headers(*labels: str, text: int = 1) -> tuple[Header, ...]:
    return tuple(Header(label, i >= text) for i, label in enumerate(labels))


LATENCY_LABELS = ("p50", "p90", "p95", "p99")
USER_LABELS = ("#", "User ID", "Requests", "Tokens", "Credits", "Total cost", "Share")
TABLE_HEADERS: Mapping[str, tuple[Header, ...]] = {
    "cost_parts": _headers("Part", "This period", "Previous period", "Change"),
    "cost_days": _headers(
        "Day", "Runs", "Calls", "Tokens", "Credits", "Wallet", "Task credits (est.)", "Total cost",
        "External", "Unattributed",
    ),
    "services": _headers(
        "Service", "Calls", "Failed", "Credits", "Wallet", "Task credits (est.)", "Total cost", "Share",
        "External",
    ),
    "models": _headers(
        "Provider", "Model", "Calls", "Input", "Cached", "Cache write", "Output", "Reasoning", "Image",
        "Citation",
        "Total tokens", "Provider cost", "Total cost", "Cost / 1M tokens", "Unpriced calls", text=2,
    ),
    "unpriced": _headers(
        "Provider", "Model", "Why", "Calls", "Input", "Cached", "Cache write", "Output", "Reasoning", "Image",
        "Citation", "Total tokens", "Known cost", text=3,
    ),
    "differences": _headers(
        "Provider", "Model", "Priced as", "Calls compared", "Differ by > 1 %", "Reported", "Computed",
        "Difference", "At stake", text=3,
    ),
    "tokens": _headers("Class", "Tokens", "Share of total", "Previous period", "Change"),
    "token_days": _headers("Day", *(label for label, _, _ in TOKEN_SERIES), "Total"),
    "observability": _headers(
        "Provider", "Model", "Calls", "Completed", "Failed", "Error rate", *LATENCY_LABELS, text=2
    ),
    "runs": _headers("Run type", "Runs", "Completed", "Failed", "Error rate", "Mean", *LATENCY_LABELS),
    "spans": _headers(
        "Span", "Kind", "Count", "Error rate", "p95", "Total time", "Share of run time", text=2
    ),
    "tools": _headers("Tool", "Calls", "Failed", "Error rate", "Time", "Credits", "Total cost"),
    "users_cost": _headers(*USER_LABELS, text=2),
    "users_requests": _headers(*USER_LABELS, text=2),
    "users_tokens": _headers(*USER_LABELS, text=2),
}  # fmt: skip


@dataclass(frozen=True)
class NavItem:
    """One entry of a workspace's navigation."""

    label: str
    href: str
    is_current: bool


RANGE_PRESETS = (
    ("1", "1 d", "Last day"),
    ("7", "7 d", "Last 7 days"),
    ("30", "30 d", "Last 30 days"),
    ("90", "90 d", "Last 90 days"),
    ("all", "All", "All days"),
)


@dataclass(frozen=True)
class Range:
    """The date range that a page opens with, and the days between which it can be chosen. All but `label` and
    the texts on the provisional day are ISO days.
    """

    first_day: str
    last_day: str
    first: str
    last: str
    label: str
    provisional: str = ""
    provisional_note: str = ""
    pressed: str = "30"
    presets: tuple[tuple[str, str, str], ...] = RANGE_PRESETS


@dataclass(frozen=True)
class Page:
    """What every page of a workspace shares."""

    title: str
    heading: str
    subtitle: str
    workspace_name: str
    workspace_id: str
    time_zone: str
    time_zone_note: str
    nav: tuple[NavItem, ...]
    range: Range | None
    scripts: tuple[str, ...]
    config: Markup
    """JSON for the page's scripts, already safe inside a script element."""
    is_single: bool = False
    """Whether the page stands alone, without siblings to link to."""


@dataclass(frozen=True)
class AnalyticsPage:
    """The analytics page in its default range."""

    page: Page
    view: View
    watch: watch.View
    headers: Mapping[str, tuple[Header, ...]]
    cost_legend: tuple[tuple[str, str], ...]
    token_legend: tuple[tuple[str, str], ...]
    measures: tuple[tuple[str, str], ...]
    dimensions: tuple[tuple[str, str], ...]
    is_empty: bool


@dataclass(frozen=True)
class Filter:
    """One filter of a log table: a list of values, or free text where there are too many to list."""

    key: str
    label: str
    values: tuple[str, ...] | None
    hint: str = ""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogPage:
    """One log table, empty until its scripts load the newest day."""

    page: Page
    kind: str
    columns: tuple[Header, ...]
    filters: tuple[Filter, ...]
    total_runs: str
    first_day: str
    last_day: str
    is_empty: bool
    note: str = ""


@dataclass(frozen=True)
class UsersPage:
    """The tracked users in the default range; `view` is None where no run names a user."""

    page: Page
    view: users.View | None
    headers: tuple[Header, ...]
    distribution_headers: tuple[Header, ...]
    run_headers: tuple[Header, ...]


QUALITY_HEADERS: Mapping[str, tuple[Header, ...]] = {
    "sums": (*_headers("Sum of", "Cost", "Tokens", "Credits", "Difference"), Header("Verdict", False)),
    "changes": _headers("Day", "Runs", "Tokens", "Total cost", "Difference", "Unpriced calls"),
    "quarantine": _headers("Rows of", "Why", "Field", "Rows", "Batches", text=3),
    "unpriced": _headers("Provider", "Model", "Why", "Last on", "Calls", "Tokens", text=4),
    "landing": (
        *_headers("Batch", "Landed", "Read", "Loaded", "Duplicate", "Superseded", "Quarantined", text=2),
        Header("Verdict", False),
    ),
}


@dataclass(frozen=True)
class QualityPage:
    """Checks, sums, quarantine and changes of one workspace."""

    page: Page
    view: quality.View
    headers: Mapping[str, tuple[Header, ...]]


@dataclass(frozen=True)
class IndexRow:
    """One workspace on the index page."""

    name: str
    workspace_id: str
    href: str
    quality_href: str
    tiles: tuple[Tile, ...]
    badge: quality.Badge
    range_label: str
    through: str
    time_zone: str


@dataclass(frozen=True)
class IndexPage:
    """The list of workspaces."""

    rows: tuple[IndexRow, ...]
    stamps: Mapping[str, str | None]


@dataclass(frozen=True)
class LogDefinition:
    """Columns and filters of one log, as domain.md lists them."""

    title: str
    singular: str
    columns: tuple[Header, ...]
    filters: tuple[tuple[str, str], ...]


_COMPLETED = Header("Completed At", False, "completed_at")
_NAME = Header("Name", False, "name")
_MODEL = Header("Model", False, "model")
_TOOLS = Header("Tools", False, "tools")
_STATUS = Header("Status", False, "status")
_TOKENS = Header("Total Tokens", True, "total_tokens")
_COST = Header("Total Cost", True, "total_cost_usd")
_TAIL = (
    Header("Duration", True, "duration_ms"),
    Header("API Key", False, "api_key"),
    Header("Collaborator", False, "collaborator"),
    Header("Source", False, "source"),
)
_F_PROVIDER, _F_MODEL, _F_KEY = ("provider", "Provider"), ("model", "Model"), ("api_key", "API key")
_F_SOURCE, _F_STATUS = ("source", "Source"), ("status", "Status")

LOGS: Mapping[str, LogDefinition] = {
    "prompts": LogDefinition(
        "Prompts",
        "prompt",
        (
            _COMPLETED,
            _NAME,
            Header("Provider", False, "provider"),
            _MODEL,
            Header("Charge Type", False, "charge_type"),
            _STATUS,
            _TOKENS,
            _COST,
            Header("Provider Charge", True, "total_wallet_cost_usd"),
            *_TAIL,
        ),
        (_F_PROVIDER, _F_MODEL, _F_KEY, ("name", "Prompt"), _F_SOURCE, _F_STATUS),
    ),
    "workflows": LogDefinition(
        "Workflows",
        "workflow",
        (_COMPLETED, _NAME, _TOOLS, _STATUS, _COST, *_TAIL, Header("Delivery", False, "delivery")),
        (_F_KEY, ("name", "Workflow"), _F_SOURCE, ("delivery", "Delivery"), _F_STATUS),
    ),
    "agents": LogDefinition(
        "Agents",
        "agent",
        (_COMPLETED, _NAME, _MODEL, _TOOLS, _STATUS, _TOKENS, _COST, *_TAIL),
        (_F_PROVIDER, _F_MODEL, _F_KEY, _F_SOURCE, _F_STATUS),
    ),
}
"""The filters user and metadata, and the search by run id, stand on every log."""
