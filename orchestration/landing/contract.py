"""The landing contract: the only place that says which fields an export has, what they mean, what is allowed.

Reading (`conform.py`), quarantine reasons, `docs/contract.md` and the staging models follow from the tables
below. To accept a new field, add it here. What does not belong here: SQL, file formats, the shapes of providers'
usage bodies (`usage_shapes.py`), anything about where rows go afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from orchestration.landing import usage_shapes

CONTRACT_VERSION = 3
"""Recorded with each batch. Raise it when a change makes the same file land differently, or gives the lake a new column: parts of
an earlier version are then read apart, with NULL in the columns that they lack."""

NATIVE = "native"
"""`source_format` of files of the contract."""
USAGE = "usage"
"""As the last of a field's sources: what the row's usage body says, by the shape that it has."""


class Kind(StrEnum):
    """How a field's text is read, and its type in the lake."""

    TEXT = "text"
    TIMESTAMP = "timestamp"
    COUNT = "count"
    MONEY = "money"
    CREDITS = "credits"
    OBJECT = "object"


LAKE_TYPES = {
    Kind.TEXT: "varchar",
    Kind.TIMESTAMP: "timestamp",
    Kind.COUNT: "bigint",
    Kind.MONEY: "decimal(38, 12)",
    Kind.CREDITS: "decimal(18, 6)",
    Kind.OBJECT: "varchar",
}
KIND_DESCRIPTIONS = {
    Kind.TEXT: (
        "text; an empty string counts as absent; numbers are taken as their text, and in fields that are not "
        "required objects, arrays and booleans too"
    ),
    Kind.TIMESTAMP: (
        "ISO-8601 with any offset (none means UTC), from 2000 up to 2099; kept in UTC with microseconds"
    ),
    Kind.COUNT: "whole number from 0 to 10^12, as a number or a string",
    Kind.MONEY: (
        "US dollars from 0 to 10^9, as a number or a string; kept with 12 decimals, rounded half-even once"
    ),
    Kind.CREDITS: (
        "task credits from 0 to 10^9, as a number or a string; kept with 6 decimals, rounded half-even once"
    ),
    Kind.OBJECT: "JSON object, or its text",
}

# Bounds protect sums: a single poisoned row would otherwise overflow a mart and stop the night.
MAX_COUNT = 10**12
MAX_MONEY_USD = 10**9
MAX_CREDITS = 10**9
MIN_TIMESTAMP = "2000-01-01"
MAX_TIMESTAMP = "2100-01-01"


def refuse_dates_without_usage(*days: date) -> None:
    """Raise ValueError for a date of which there can be no usage."""
    low, high = date.fromisoformat(MIN_TIMESTAMP), date.fromisoformat(MAX_TIMESTAMP)
    for day in days:
        if not low <= day < high:
            raise ValueError(f"{day}: usage is of the years {low.year} to {high.year - 1}")


class Reason(StrEnum):
    """Why a line is in quarantine. The values are stable: others filter on them."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    MALFORMED_ROW = "malformed_row"
    NOT_A_ROW = "not_a_row"
    BROKEN_DOCUMENT = "broken_document"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    IMPOSSIBLE_VALUE = "impossible_value"
    UNKNOWN_VALUE = "unknown_value"


REASON_DESCRIPTIONS = {
    Reason.NOT_JSON: "the line is not a JSON object",
    Reason.NOT_UTF8: "the line is not valid UTF-8",
    Reason.MALFORMED_ROW: "the CSV row does not fit its header (columns, quotes)",
    Reason.NOT_A_ROW: "the record is JSON, and nothing that its format has rows in (metrics, logs, scores, …)",
    Reason.BROKEN_DOCUMENT: "from here on the JSON document is damaged; what stood before it was read",
    Reason.MISSING_FIELD: "a required field is absent or empty",
    Reason.WRONG_TYPE: "the value cannot be read as the field's type",
    Reason.IMPOSSIBLE_VALUE: "the value is out of its range, or an end lies before its start",
    Reason.UNKNOWN_VALUE: "the value is not in the field's closed vocabulary",
}


UNREADABLE = (
    Reason.NOT_JSON,
    Reason.NOT_UTF8,
    Reason.MALFORMED_ROW,
    Reason.NOT_A_ROW,
    Reason.BROKEN_DOCUMENT,
)
"""Reasons that a record is no row at all; the others are of one of its fields."""


@dataclass(frozen=True)
class Field:
    """One field of an entity.

    `sources` lists where its value may stand, best first: `"input_tokens"` is a plain field,
    `"input_tokens.total_tokens"` a key of a nested object. A value that is not in `vocabulary` is
    quarantined; with `fallback` set it becomes that value, and the original is kept in `attributes`.
    `spellings` maps older or foreign spellings to ours. With `is_column` False the lake has no column of it: others are
    read from it, and it is kept in `attributes` as it came. With `is_foreign` only the modules of `formats` fill it: in a file of
    the contract the name is no field, and stays in `attributes`.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    sources: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    spellings: dict[str, str] = field(default_factory=dict)
    fallback: str | None = None
    is_column: bool = True
    is_foreign: bool = False

    @property
    def read_from(self) -> tuple[str, ...]:
        """Where the value may stand; the field's own name unless said otherwise."""
        return self.sources or (self.name,)


@dataclass(frozen=True)
class Subset:
    """A count that is part of another; when larger, the row is flagged and kept (domain.md §3)."""

    part: str
    whole: str

    @property
    def flag(self) -> str:
        """The flag's name in `quality_flags`."""
        return f"{self.part}_exceed_{self.whole}"

    @property
    def meaning(self) -> str:
        """What the flag says."""
        return f"`{self.part}` is more than the `{self.whole}` that it is part of"


@dataclass(frozen=True)
class Disjoint:
    """Parts of a count that exclude each other; flagged when together they are larger, though none alone is."""

    parts: tuple[str, ...]
    whole: str
    flag: str

    @property
    def meaning(self) -> str:
        """What the flag says."""
        return f"{_and(self.parts)} together are more than the `{self.whole}` that they are part of, though neither alone is"


@dataclass(frozen=True)
class Total:
    """A total as reported, which serves for checking alone; flagged when it differs from the sum of its parts."""

    total: str
    parts: tuple[str, ...]
    flag: str

    @property
    def meaning(self) -> str:
        """What the flag says."""
        return f"`{self.total}` is given and is not {' + '.join(f'`{part}`' for part in self.parts)}"


@dataclass(frozen=True)
class Convention:
    """How token counts were written on a row. `sources` are the places it is told by, a trailing dot for what is below one."""

    name: str
    description: str
    sources: tuple[str, ...]


CANONICAL = Convention(
    "canonical",
    "the contract's own fields: input includes cached reads and writes, output includes reasoning",
    (),
)
CONVENTIONS = (
    CANONICAL,
    Convention(
        "prompt_completion",
        "`prompt_tokens` and `completion_tokens` as numbers",
        ("prompt_tokens", "completion_tokens"),
    ),
    Convention(
        "nested_input_output",
        "`input_tokens` and `output_tokens` as objects of `total_tokens` and its parts",
        ("input_tokens.", "output_tokens."),
    ),
    Convention(
        "nested_prompt_completion",
        "`prompt_tokens` and `completion_tokens` as objects of `total_tokens` and its parts",
        ("prompt_tokens.", "completion_tokens."),
    ),
)
"""Conventions of plain fields. Those of usage bodies have the names of `usage_shapes.SHAPES`."""


def convention_of(source: str) -> Convention:
    """The convention that a value from this source was read by."""
    name, dot, _ = source.partition(".")
    return next((item for item in CONVENTIONS if name + dot in item.sources), CANONICAL)


@dataclass(frozen=True)
class Derived:
    """A lake column that landing adds to the fields."""

    name: str
    type: str
    description: str


_VERSION_AT = Derived("version_at", "timestamp", "Order of versions, the greatest wins.")
_QUALITY = (
    Derived("quality_flags", "varchar", "Faults of the row, comma separated; NULL when none."),
    Derived("attributes", "varchar", "What has no column of its own, a JSON object as text."),
)
SOURCE_FORMAT = Derived(
    "source_format", "varchar", "What kind of source the row came from: `native` is this contract."
)
TOKEN_CONVENTION = Derived(
    "token_convention",
    "varchar",
    "How the row's token counts were read, by the names below: its input, else its output, else whatever it has; NULL where it has "
    "no token class.",
)


@dataclass(frozen=True)
class Entity:
    """One kind of row. `key` identifies it; of several versions the greatest `version` wins, then the later
    file.

    Versions of one file that tie are told apart by their content: lines are read in parallel, and the same
    files must give the same rows every time.
    """

    name: str
    description: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    version: tuple[str, ...]
    start: str
    end: str
    subsets: tuple[Subset, ...] = ()
    disjoint: tuple[Disjoint, ...] = ()
    totals: tuple[Total, ...] = ()
    derived: tuple[Derived, ...] = (_VERSION_AT, *_QUALITY)
    token_classes: tuple[str, ...] = ()
    """Fields whose sources tell `token_convention`, the telling ones first."""
    is_plain: bool = False
    """Whether each field is read from the column of its own name and from nowhere else: rows that a module of `formats` made."""

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(item for item in self.fields if item.name == name)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that the lake has columns of."""
        return tuple(item for item in self.fields if item.is_column)

    @property
    def read_fields(self) -> tuple[Field, ...]:
        """The fields that a row may give."""
        return tuple(item for item in self.fields if self.is_plain or not item.is_foreign)

    @property
    def plain(self) -> Entity:
        """The entity for rows that a module of `formats` made: the same lake columns, each field from the column of its name."""
        return replace(self, fields=tuple(replace(item, sources=()) for item in self.columns), is_plain=True)

    @property
    def usage(self) -> Field | None:
        """The field that holds a provider's usage body."""
        return next((item for item in self.fields if item.name == USAGE), None)

    @property
    def without_usage(self) -> Entity:
        """The entity for rows of which none has a usage body: the same lake columns, read from the row alone."""
        fields = tuple(
            replace(item, sources=tuple(source for source in item.sources if source != USAGE))
            for item in self.columns
        )
        return replace(self, fields=fields)

    @property
    def flags(self) -> dict[str, str]:
        """Every name that `quality_flags` may hold, with its meaning."""
        rules: tuple[Subset | Disjoint | Total, ...] = (*self.subsets, *self.disjoint, *self.totals)
        flags = {rule.flag: rule.meaning for rule in rules}
        flags |= {
            f"unknown_{item.name}": f"`{item.name}` was another word, which is kept in `attributes`"
            for item in self.fields
            if item.fallback
        }
        if self.usage:
            flags[UNKNOWN_USAGE] = (
                f"`{USAGE}` has none of the known shapes and says no cost: nothing was read from it"
            )
        flags[MASKED_KEY] = (
            "a text of the row looked like a secret key, of which the beginning and the end are kept"
        )
        return flags

    @property
    def source_fields(self) -> tuple[str, ...]:
        """Top-level names that a row may carry; everything else goes to `attributes`."""
        names = dict.fromkeys(
            source.partition(".")[0] for item in self.read_fields for source in item.read_from
        )
        return (*names, "attributes")

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the required fields."""
        return tuple(item.name for item in self.fields if item.required)


MASKED_KEY = "masked_key"
"""Flag of a row in which something looked like a secret key."""
UNKNOWN_USAGE = "unknown_usage"
"""Flag of a row whose usage body has no known shape: its tokens are not zero, they are unknown."""


def _text(name: str, description: str, **more: object) -> Field:
    return Field(name, Kind.TEXT, description, **more)  # type: ignore[arg-type]


def _count(name: str, description: str, *more_sources: str) -> Field:
    """A count of that name, else from the further sources."""
    return Field(name, Kind.COUNT, description, sources=(name, *more_sources) if more_sources else ())


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


STATUSES = ("queued", "running", "completed", "failed", "cancelled")
STATUS_SPELLINGS = {
    "success": "completed",
    "succeeded": "completed",
    "ok": "completed",
    "error": "failed",
    "canceled": "cancelled",
    "aborted": "cancelled",
    "in_progress": "running",
}
CHARGE_TYPES = ("hosted", "personal")

CALL_MARKERS = ("call", "not_call")


def _foreign(name: str, description: str, **more: object) -> Field:
    return Field(name, more.pop("kind", Kind.TEXT), description, is_foreign=True, **more)  # type: ignore[arg-type]


FOREIGN_FIELDS = (
    _foreign(
        "call_marker",
        "What the source's own markers say of a span with usage: that it is a call, or that it is none; absent where it has no marker.",
        vocabulary=CALL_MARKERS,
    ),
    _foreign("scope", "The instrumentation, SDK or gateway that reported the span."),
    _foreign("session_id", "Session or conversation, for the run that is made of the trace."),
    _foreign("user_id", "Tracked end user, likewise."),
    _foreign("user_metadata", "Flat object of the caller's own keys, likewise.", kind=Kind.OBJECT),
    _foreign("resource_id", "Id of the prompt, workflow or agent, likewise."),
    _foreign("resource_name", "Its name."),
    _foreign("api_key_id", "Id of the API key, likewise."),
    _foreign("api_key_name", "Its name."),
    _foreign("collaborator", "Workspace member, likewise."),
    _foreign("deployment", "Deployment or environment, likewise."),
)
"""What only foreign sources say of a span: evidence of whose call it is, and what a trace tells of the run it becomes."""

RUNS = Entity(
    name="runs",
    description="One execution of a prompt, workflow or agent; may arrive again as it progresses.",
    key=("workspace_id", "run_id"),
    version=("updated_at", "completed_at", "started_at"),
    start="started_at",
    end="completed_at",
    fields=(
        _text("run_id", "Id of the run, unique in its workspace.", required=True),
        _text("workspace_id", "The tenant.", required=True),
        _text("run_type", "What was run.", required=True, vocabulary=("prompt", "workflow", "agent")),
        _text("resource_id", "Id of the prompt, workflow or agent."),
        _text("resource_name", "Its name."),
        _text(
            "source",
            "What started the run (dashboard, api, scheduled, webhook, agent, experiment, live, or another).",
        ),
        _text(
            "delivery",
            "How the result came back (direct, callback).",
            spellings={"sync": "direct", "async": "callback"},
        ),
        _text(
            "charge_type",
            "Who pays the provider; mixed says that the run's spans differ.",
            vocabulary=(*CHARGE_TYPES, "mixed"),
        ),
        _text(
            "status", "Progress of the run.", required=True, vocabulary=STATUSES, spellings=STATUS_SPELLINGS
        ),
        Field("started_at", Kind.TIMESTAMP, "When the run was requested.", required=True),
        Field("completed_at", Kind.TIMESTAMP, "When it ended."),
        Field("updated_at", Kind.TIMESTAMP, "When this version of the row was written; the greatest wins."),
        _text("provider", "Model provider, where the run has one."),
        _text("model", "Model, where the run has one."),
        _text("api_key_id", "Id of the API key that started the run."),
        _text("api_key_name", "Its name."),
        _text("collaborator", "Workspace member who owns or started the run."),
        _text("user_id", "Tracked end user, an opaque string from the caller."),
        Field("user_metadata", Kind.OBJECT, "Flat object of the caller's own keys."),
        _text("trace_id", "Trace that the run's spans belong to."),
        _text("parent_run_id", "Run that started this one (sub-agent, workflow called as a tool)."),
        _text("deployment", "Deployment the run belongs to."),
        _text("error_message", "Why it failed."),
        Field("reported_total_tokens", Kind.COUNT, "Total the platform reported; for reconciliation only."),
        Field("reported_total_cost_usd", Kind.MONEY, "Total the platform reported; for reconciliation only."),
    ),
)

SPANS = Entity(
    name="spans",
    description="One timed operation of a run; a tree through parent_span_id.",
    key=("workspace_id", "run_id", "span_id"),
    version=("ended_at", "started_at"),
    start="started_at",
    end="ended_at",
    subsets=(
        Subset("cached_tokens", "input_tokens"),
        Subset("cache_write_tokens", "input_tokens"),
        Subset("cache_write_1h_tokens", "cache_write_tokens"),
        Subset("audio_input_tokens", "input_tokens"),
        Subset("image_input_tokens", "input_tokens"),
        Subset("reasoning_tokens", "output_tokens"),
        Subset("audio_output_tokens", "output_tokens"),
    ),
    disjoint=(
        Disjoint(
            ("cached_tokens", "cache_write_tokens"), "input_tokens", "input_classes_exceed_input_tokens"
        ),
    ),
    totals=(
        Total(
            "reported_total_tokens",
            ("input_tokens", "output_tokens", "image_tokens"),
            "total_tokens_mismatch",
        ),
    ),
    derived=(_VERSION_AT, SOURCE_FORMAT, TOKEN_CONVENTION, *_QUALITY),
    token_classes=(
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "image_tokens",
        "citation_tokens",
        "audio_input_tokens",
        "image_input_tokens",
        "audio_output_tokens",
    ),
    fields=(
        _text("span_id", "Id of the span, unique in its run.", required=True),
        _text("trace_id", "Trace of the span."),
        _text("run_id", "Run of the span; the run itself may arrive later or never.", required=True),
        _text("workspace_id", "The tenant.", required=True),
        _text("parent_span_id", "Span that this one is part of."),
        _text("name", "What was done.", required=True),
        _text(
            "kind",
            "Kind of operation.",
            required=True,
            vocabulary=(
                "run",
                "completion",
                "tool",
                "retrieval",
                "embedding",
                "image_generation",
                "step",
                "agent",
                "other",
            ),
            fallback="other",
        ),
        _text("service", "What a billable span used (AI Model, Image Generation, Google Search, …)."),
        _text("provider", "Model provider."),
        _text("model", "Model that was asked for."),
        _text("response_model", "Model that answered, where it differs from the one that was asked for."),
        _text(
            "service_tier",
            "The provider's processing tier (default, flex, priority, batch, …).",
            sources=("service_tier", USAGE),
        ),
        _text("charge_type", "Who pays the provider.", vocabulary=CHARGE_TYPES),
        _text("status", "Progress of the span.", vocabulary=STATUSES, spellings=STATUS_SPELLINGS),
        Field("started_at", Kind.TIMESTAMP, "Start.", required=True),
        Field("ended_at", Kind.TIMESTAMP, "End; absent while it runs."),
        Field("attempt", Kind.COUNT, "Which try this was, from 1."),
        _count(
            "input_tokens",
            "Everything sent, cached reads and cache writes included.",
            "input_tokens.total_tokens",
            "prompt_tokens",
            "prompt_tokens.total_tokens",
            USAGE,
        ),
        _count(
            "cached_tokens",
            "Part of input read from a cache.",
            "input_tokens.cached_tokens",
            "prompt_tokens.cached_tokens",
            USAGE,
        ),
        _count(
            "cache_write_tokens",
            "Part of input written to a cache.",
            "input_tokens.cache_write_tokens",
            "prompt_tokens.cache_write_tokens",
            USAGE,
        ),
        _count("cache_write_1h_tokens", "Part of the cache writes that is kept for an hour.", USAGE),
        _count(
            "output_tokens",
            "Everything generated, reasoning included.",
            "output_tokens.total_tokens",
            "completion_tokens",
            "completion_tokens.total_tokens",
            USAGE,
        ),
        _count(
            "reasoning_tokens",
            "Part of output spent on reasoning.",
            "output_tokens.reasoning_tokens",
            "completion_tokens.reasoning_tokens",
            USAGE,
        ),
        _count("image_tokens", "Tokens of generated images, in neither input nor output.", USAGE),
        _count("citation_tokens", "Tokens of cited sources, a class beside the total.", USAGE),
        _count("audio_input_tokens", "Part of input that is audio.", "input_tokens.audio_tokens", USAGE),
        _count("image_input_tokens", "Part of input that is images.", USAGE),
        _count("audio_output_tokens", "Part of output that is audio.", "output_tokens.audio_tokens", USAGE),
        _count("web_search_count", "Web searches that the provider made for the call.", USAGE),
        _count("reported_total_tokens", "Total as reported; for checking only.", "total_tokens", USAGE),
        Field("units", Kind.COUNT, "Images, searches, pages, …"),
        Field(
            "provider_cost_usd",
            Kind.MONEY,
            "The provider's charge as reported.",
            sources=("provider_cost_usd", USAGE),
        ),
        Field("task_credits", Kind.CREDITS, "Platform credits charged as reported."),
        _text("error_message", "Why it failed."),
        _text("response_id", "The provider's id of the answer: spans that share it saw the same call."),
        *FOREIGN_FIELDS,
        Field(
            USAGE,
            Kind.OBJECT,
            "The provider's usage body, verbatim; fields that the row does not give itself are read from it by its shape, see below.",
            is_column=False,
        ),
    ),
)

ENTITIES = (RUNS, SPANS)


def _else(names: tuple[str, ...]) -> str:
    """`a` (else `b` (else `c`))."""
    return " (else ".join(f"`{name}`" for name in names) + ")" * (len(names) - 1)


def markdown() -> str:
    """The contract as documentation; `docs/contract.md` is this text."""
    lines = [
        "# Landing contract",
        "",
        "Generated from `orchestration/landing/contract.py`; do not edit. `make docs` writes it.",
        "",
        "Files may be JSON Lines (plain, `.gz`, `.zst`), CSV or Parquet, in any number, order and depth",
        "below `landing/`. A field that is not named here is kept in `attributes`; a first CSV column without a name, which holds",
        "pandas' row numbers, as `Unnamed: 0`. Fields marked * are required.",
        "",
        "| type | what is accepted |",
        "| --- | --- |",
        *(f"| {kind} | {text} |" for kind, text in KIND_DESCRIPTIONS.items()),
        "",
    ]
    for entity in ENTITIES:
        lines += [
            f"## {entity.name}",
            "",
            entity.description,
            f"Identified by {', '.join(f'`{name}`' for name in entity.key)}. Of several versions the one",
            f"with the greatest {_else(entity.version)} wins, ties by the later file.",
            "",
            "| field | type | meaning | read from | allowed |",
            "| --- | --- | --- | --- | --- |",
        ]
        for item in entity.read_fields:
            allowed = ", ".join(item.vocabulary)
            if item.fallback:
                allowed += f"; anything else becomes {item.fallback} and is flagged"
            if item.spellings:
                allowed += ("; " if allowed else "") + ", ".join(
                    f"{a} → {b}" for a, b in item.spellings.items()
                )
            sources = ", ".join(f"`{source}`" for source in item.sources)
            star = "*" if item.required else ""
            lines.append(f"| {item.name}{star} | {item.kind} | {item.description} | {sources} | {allowed} |")
        lines.append("")
        if foreign := [item for item in entity.fields if item.is_foreign]:
            lines += [
                "Only files of other formats (`docs/sources.md`) fill these; in a file of the contract the names are no fields:",
                "",
                "| column | type | meaning |",
                "| --- | --- | --- |",
                *(f"| {item.name} | {item.kind} | {item.description} |" for item in foreign),
                "",
            ]
        lines += [
            f"Landing adds to `{entity.name}`, beside the lineage columns of the lake:",
            "",
            "| column | type | meaning |",
            "| --- | --- | --- |",
            *(f"| {item.name} | {item.type} | {item.description} |" for item in entity.derived),
            "",
        ]
        if entity.flags:
            lines += [
                "Rows with a fault that costs no information are kept as they are and flagged (`quality_flags`):",
                "",
                "| flag | meaning |",
                "| --- | --- |",
                *(f"| {flag} | {meaning} |" for flag, meaning in entity.flags.items()),
                "",
            ]
    lines += [
        "## Token conventions",
        "",
        "However tokens were written, the lake holds them by the contract: input includes cached reads and cache writes, output",
        "includes reasoning, generated images are in neither. `token_convention` tells how the row's counts were read:",
        "",
        "| convention | meaning |",
        "| --- | --- |",
        *(f"| {item.name} | {item.description} |" for item in CONVENTIONS),
        "| a usage shape | the row's `usage` body, by the shape of that name |",
        "",
        *usage_shapes.markdown(),
    ]
    lines += [
        "## Why a line is quarantined",
        "",
        "| reason | meaning |",
        "| --- | --- |",
        *(f"| {reason} | {text} |" for reason, text in REASON_DESCRIPTIONS.items()),
        "",
    ]
    return "\n".join(lines)
