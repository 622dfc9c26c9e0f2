"""What the pages read of the marts: tables, columns, their kinds and their order inside a chunk.

What belongs here: declarations. `queries.py` turns them into SQL, and the page tells its scripts the same
order, so neither side counts positions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One value of a chunk row. `kind` decides its JSON: text, int, money (decimal text), day, moment (ms
    since 1970), list.
    """

    name: str
    kind: str = "text"
    source: str = ""
    """SQL expression; empty where it is the column of the same name."""
    needs: str = ""
    """A column that `source` is made of, for telling whether a publication has it."""

    @property
    def sql(self) -> str:
        """JSON-ready SQL expression over the mart's alias `m`."""
        raw = self.source or f"m.{self.name}"
        if self.kind == "money":  # a decimal always has a point here, so only zeros behind it are cut
            return f"rtrim(rtrim(({raw})::varchar, '0'), '.')"
        if self.kind == "day":
            return f"({raw})::varchar"
        if self.kind == "moment":
            return f"epoch_ms({raw})"
        if self.kind == "int":
            return f"({raw})::bigint"
        return raw


def _of(kind: str, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names)


MONEY = _of(
    "money", "wallet_cost_usd", "external_cost_usd", "task_credits", "task_credit_cost_usd", "total_cost_usd"
)
UNPRICED = _of("int", "unpriced_call_count", "unpriced_total_tokens")
"""What the amounts of the same row lack."""
CALLS = (*_of("int", "call_count", "failed_call_count"), *UNPRICED)
PRICED_TOKENS = _of(
    "int",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "image_tokens",
    "citation_tokens",
    "total_tokens",
)
"""The token classes of tables about models and their prices."""
DAY = Column("usage_date", "day")


@dataclass(frozen=True)
class DailyTable:
    """One daily mart inside a month's analytics chunk, rows ordered by `keys`. With keys beside the date it is kept by
    column: each combination of keys once, then a list for each measure.
    """

    name: str
    mart: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]

    @property
    def is_keyed(self) -> bool:
        """Whether a day has several rows."""
        return len(self.keys) > 1

    @property
    def measures(self) -> tuple[Column, ...]:
        """What is summed."""
        return tuple(c for c in self.columns if c.name not in self.keys and c.kind != "text")


DAILY_TABLES = (
    DailyTable(
        "total",
        "mart_analytics__total_cost",
        (
            DAY,
            *_of(
                "int",
                "run_count",
                "failed_run_count",
                "total_tokens",
                "unknown_usage_call_count",
            ),
            *CALLS,
            *MONEY,
            *_of(
                "int",
                "unattributed_call_count",
                "unattributed_unpriced_call_count",
                "unattributed_unpriced_total_tokens",
                "unattributed_total_tokens",
            ),
            *_of(
                "money",
                "unattributed_task_credits",
                "unattributed_total_cost_usd",
                "unattributed_external_cost_usd",
            ),
        ),
        ("usage_date",),
    ),
    DailyTable(
        "services",
        "mart_analytics__service_costs",
        (DAY, Column("service"), *CALLS, *MONEY),
        ("usage_date", "service"),
    ),
    DailyTable(
        "models",
        "mart_analytics__model_costs",
        (
            DAY,
            Column("provider"),
            Column("model"),
            *CALLS,
            *PRICED_TOKENS,
            Column("provider_cost_usd", "money"),
            *MONEY,
        ),
        ("usage_date", "provider", "model"),
    ),
    DailyTable(
        "unpriced",
        "mart_analytics__unpriced_usage",
        (
            DAY,
            *_of("text", "provider", "model", "price_status", "reason"),
            Column("call_count", "int"),
            *PRICED_TOKENS,
            Column("provider_cost_usd", "money"),
        ),
        ("usage_date", "provider", "model", "price_status", "reason"),
    ),
    DailyTable(
        "differences",
        "mart_analytics__cost_differences",
        (
            DAY,
            *_of("text", "provider", "model", "priced_provider", "priced_model"),
            *_of("int", "compared_call_count", "differing_call_count"),
            *_of("money", "reported_cost_usd", "computed_cost_usd", "difference_usd", "at_stake_usd"),
        ),
        ("usage_date", "provider", "model", "priced_provider", "priced_model"),
    ),
    DailyTable(
        "tokens",
        "mart_analytics__token_usage",
        (
            DAY,
            *_of(
                "int", "uncached_input_tokens", "cached_tokens", "cache_write_tokens", "visible_output_tokens"
            ),
            *_of(
                "int",
                "reasoning_tokens",
                "image_tokens",
                "citation_tokens",
                "input_tokens",
                "output_tokens",
                "total_tokens",
            ),
        ),
        ("usage_date",),
    ),
    DailyTable(
        "observability",
        "mart_analytics__model_observability",
        (
            DAY,
            Column("provider"),
            Column("model"),
            *_of("int", "call_count", "completed_call_count", "failed_call_count"),
        ),
        ("usage_date", "provider", "model"),
    ),
    DailyTable(
        "runs",
        "mart_analytics__trace_performance",
        (
            DAY,
            Column("run_type"),
            *_of("int", "run_count", "completed_run_count", "failed_run_count", "run_duration_ms"),
        ),
        ("usage_date", "run_type"),
    ),
    DailyTable(
        "tools",
        "mart_analytics__tool_usage",
        (
            DAY,
            Column("tool_name"),
            *CALLS,
            Column("duration_ms", "int"),
            *_of("money", "task_credits", "total_cost_usd"),
        ),
        ("usage_date", "tool_name"),
    ),
)

HISTOGRAMS = (
    ("model_latency", "mart_analytics__model_latency_histogram", ("provider", "model"), "call_count"),
    ("run_latency", "mart_analytics__run_latency_histogram", ("run_type",), "run_count"),
)
"""Chunk table, mart, keys beside the date, measure."""

SPAN_KEYS = ("span_name", "span_kind")
SPAN_SUMS_DAILY = _of("int", "span_count", "failed_span_count", "span_duration_ms")
USER_SUMS_DAILY = (*_of("int", "run_count", "total_tokens"), *UNPRICED, *MONEY)
USER_KEYS = ("who", "user_id")


@dataclass(frozen=True)
class Dimension:
    """Something that usage is grouped and filtered by; `column` is its column in mart_analytics__usage_breakdown."""

    name: str
    label: str
    column: str


DIMENSIONS = (
    Dimension("model", "Model", "model"),
    Dimension("provider", "Provider", "provider"),
    Dimension("service", "Service", "service"),
    Dimension("resource", "Resource", "resource_name"),
    Dimension("api_key", "API key", "api_key"),
    Dimension("charge_type", "Charge type", "charge_type"),
    Dimension("collaborator", "Collaborator", "collaborator"),
)
BREAKDOWN_SUMS = (*_of("int", "call_count", "total_tokens"), *UNPRICED, *MONEY)
BREAKDOWN_KEYS = ("who", "value")
BREAKDOWN_MEASURES = (Column("value_count", "int"), *BREAKDOWN_SUMS)
"""`who` is value, unsaid, or other: the values beyond the first of the month, summed, `value_count` of them."""
CUBE_SUMS = (
    *BREAKDOWN_SUMS,
    *_of(
        "int", "failed_call_count", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
        "reasoning_tokens", "image_tokens", "citation_tokens",
    ),
    Column("provider_cost_usd", "money"),
)  # fmt: skip
"""What the panels of a filtered page are made of."""
CUBE_KEYS = (*(d.name for d in DIMENSIONS), "is_model_call")
"""A column of the cube for each: the place in its list of values for a dimension; -1 is other, -2 unsaid."""

KEYED_TABLES: dict[str, tuple[tuple[str, ...], tuple[Column, ...]]] = {
    **{t.name: (t.keys[1:], t.measures) for t in DAILY_TABLES if t.is_keyed},
    "spans": (SPAN_KEYS, SPAN_SUMS_DAILY),
    "users": (USER_KEYS, USER_SUMS_DAILY),
    **{f"by_{d.name}": (BREAKDOWN_KEYS, BREAKDOWN_MEASURES) for d in DIMENSIONS},
}
"""Chunk table → its keys and what it sums, by column."""
LATENCY_TABLES: dict[str, tuple[str, ...]] = {
    **{name: keys for name, _, keys, _ in HISTOGRAMS},
    "span_latency": SPAN_KEYS,
}
"""Chunk table → its keys; it holds histograms of latency."""
ROW_TABLES: dict[str, tuple[Column, ...]] = {
    **{t.name: t.columns for t in DAILY_TABLES if not t.is_keyed},
    "span_days": (DAY, Column("run_duration_ms", "int")),
}
"""Chunk table → its columns; one row a day."""

LOG_KINDS = {"prompts": "prompt", "workflows": "workflow", "agents": "agent"}
"""Page and chunk folder → run type."""

TOKEN_CLASSES = (
    "input",
    "cached",
    "cache_write",
    "output",
    "reasoning",
    "image",
    "citation",
    "audio_input",
    "audio_output",
)

LOG_COLUMNS = (
    Column("run_id"),
    DAY,
    *_of("moment", "completed_at", "started_at"),
    Column("name", "text", "coalesce(m.name, m.resource_id)"),
    *_of("text", "provider", "model", "charge_type", "status"),
    Column("tools", "list"),
    Column("tool_call_count", "int"),
    Column("total_tokens", "int"),
    *(Column(f"total_{name}_tokens", "int") for name in TOKEN_CLASSES),
    *_of(
        "money", "total_cost_usd", "total_task_credits", "total_task_credit_cost_usd", "total_wallet_cost_usd"
    ),
    *_of("money", "total_external_cost_usd", "total_provider_cost_usd"),
    *_of("int", "own_total_tokens", "own_image_tokens", "child_runs_total_tokens"),
    *_of("money", "own_cost_usd", "image_generation_cost_usd", "child_runs_cost_usd"),
    Column("duration_ms", "int"),
    Column("api_key", "text", "coalesce(m.api_key_name, m.api_key_id)"),
    *_of("text", "collaborator", "source", "delivery", "user_id", "user_metadata"),
    *UNPRICED,
)

SUMMARY_COLUMNS = (
    *LOG_COLUMNS,
    *_of("text", "deployment", "parent_run_id", "trace_id", "error_message"),
    *_of("int", "child_run_count", "reported_total_tokens"),
    Column("reported_total_cost_usd", "money"),
)

METERS = (
    ("uncached_input", "Input"),
    ("cached_input", "Cached input"),
    ("cache_write_5m", "Cache write (5 min)"),
    ("cache_write_1h", "Cache write (1 h)"),
    ("audio_input", "Audio input"),
    ("image_input", "Image input"),
    ("output", "Output"),
    ("reasoning", "Reasoning"),
    ("audio_output", "Audio output"),
    ("image_output", "Image output"),
    ("citation", "Citation"),
    ("image", "Images"),
    ("web_search", "Web searches"),
    ("request", "Request"),
)
"""Meters that a call is priced by, and their names on pages; mart_details__spans has `<meter>_units`, dim_price_set
`<meter>_usd`.
"""
METERS_OF_TOKENS = tuple(name for name, _ in METERS[:11])
METERS_FREE_WITHOUT_A_PRICE = ("citation", "image", "request")
"""Meters that cost nothing where no price names them."""
_METER_PAIRS = ", ".join(f"[{i}::bigint, m.{name}_units]" for i, (name, _) in enumerate(METERS))

SPAN_COLUMNS = (
    *_of(
        "text",
        "run_id",
        "span_id",
        "parent_span_id",
        "span_name",
        "span_kind",
        "service",
        "provider",
        "model",
        "response_model",
    ),
    *_of("text", "charge_type", "status"),
    *_of("moment", "started_at", "ended_at"),
    *_of("int", "duration_ms", "start_offset_ms", "attempt"),
    *_of("text", "billing_role", "billing_reason", "billed_run_id", "billed_span_id"),
    *_of(
        "int", "rollup_reported_input_tokens", "rollup_reported_output_tokens", "rollup_reported_total_tokens"
    ),
    *_of("money", "rollup_reported_provider_cost_usd", "rollup_reported_task_credits"),
    *(Column(f"{name}_tokens", "int") for name in TOKEN_CLASSES),
    Column("total_tokens", "int"),
    Column("token_convention"),
    Column("provider_cost_usd", "money"),
    *_of("text", "cost_source", "price_status", "unpriced_reason"),
    *_of("text", "priced_provider", "priced_model", "price_set_id"),
    Column("meters", "list", f"list_filter([{_METER_PAIRS}], lambda pair: pair[2] > 0)", "request_units"),
    Column("units", "int"),
    *_of("money", "reported_provider_cost_usd", "computed_provider_cost_usd"),
    Column("credit_source"),
    *_of("money", "reported_task_credits", "computed_task_credits", "credit_price_usd"),
    *MONEY,
    *_of("int", "is_orphan", "is_parent_missing"),
    *_of("text", "error_message", "quality_flags", "attributes"),
)

CHILD_COLUMNS = (
    *_of("text", "parent_run_id", "run_id"),
    DAY,
    *_of("text", "run_type", "name", "status"),
    Column("started_at", "moment"),
    *_of("int", "duration_ms", "total_tokens"),
    *UNPRICED,
    *_of("money", "total_cost_usd", "total_task_credits"),
)

USER_COLUMNS = (
    Column("user_id"),
    *_of("moment", "first_request_at", "last_request_at"),
    *_of("int", "total_requests", "total_tokens"),
    *UNPRICED,
    *MONEY,
)

USER_DAY_COLUMNS = (
    DAY,
    Column("user_id"),
    *_of("int", "run_count", "total_tokens"),
    *UNPRICED,
    *_of("money", "task_credits", "total_cost_usd"),
)
"""One row per tracked user and day."""


def names(columns: tuple[Column, ...]) -> list[str]:
    """Column names in chunk order, as the page's scripts need them."""
    return [column.name for column in columns]
