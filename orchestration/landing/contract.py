"""The landing contract: the only place that says which fields an export has, what they mean, what is allowed.

Reading (`conform.py`), quarantine reasons, `docs/contract.md` and the staging models follow from the tables
below. To accept a new field, add it here. What does not belong here: SQL, file formats, anything about where
rows go afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

CONTRACT_VERSION = 1
"""Recorded with each batch. Raise it when a change makes the same file land differently."""


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


class Reason(StrEnum):
    """Why a line is in quarantine. The values are stable: others filter on them."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    MALFORMED_ROW = "malformed_row"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    IMPOSSIBLE_VALUE = "impossible_value"
    UNKNOWN_VALUE = "unknown_value"


REASON_DESCRIPTIONS = {
    Reason.NOT_JSON: "the line is not a JSON object",
    Reason.NOT_UTF8: "the line is not valid UTF-8",
    Reason.MALFORMED_ROW: "the CSV row does not fit its header (columns, quotes)",
    Reason.MISSING_FIELD: "a required field is absent or empty",
    Reason.WRONG_TYPE: "the value cannot be read as the field's type",
    Reason.IMPOSSIBLE_VALUE: "the value is out of its range, or an end lies before its start",
    Reason.UNKNOWN_VALUE: "the value is not in the field's closed vocabulary",
}


@dataclass(frozen=True)
class Field:
    """One field of an entity.

    `sources` lists where its value may stand, best first: `"input_tokens"` is a plain field,
    `"input_tokens.total_tokens"` a key of a nested object. A value that is not in `vocabulary` is
    quarantined; with `fallback` set it becomes that value, and the original is kept in `attributes`.
    `spellings` maps older or foreign spellings to ours.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    sources: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    spellings: dict[str, str] = field(default_factory=dict)
    fallback: str | None = None

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

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(item for item in self.fields if item.name == name)

    @property
    def source_fields(self) -> tuple[str, ...]:
        """Top-level names that a row may carry; everything else goes to `attributes`."""
        names = dict.fromkeys(source.partition(".")[0] for item in self.fields for source in item.read_from)
        return (*names, "attributes")

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the required fields."""
        return tuple(item.name for item in self.fields if item.required)


def _text(name: str, description: str, **more: object) -> Field:
    return Field(name, Kind.TEXT, description, **more)  # type: ignore[arg-type]


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
        Subset("audio_input_tokens", "input_tokens"),
        Subset("reasoning_tokens", "output_tokens"),
        Subset("audio_output_tokens", "output_tokens"),
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
        _text("model", "Model."),
        _text("charge_type", "Who pays the provider.", vocabulary=CHARGE_TYPES),
        _text("status", "Progress of the span.", vocabulary=STATUSES, spellings=STATUS_SPELLINGS),
        Field("started_at", Kind.TIMESTAMP, "Start.", required=True),
        Field("ended_at", Kind.TIMESTAMP, "End; absent while it runs."),
        Field("attempt", Kind.COUNT, "Which try this was, from 1."),
        Field(
            "input_tokens",
            Kind.COUNT,
            "Everything sent, cached reads and cache writes included.",
            sources=(
                "input_tokens",
                "input_tokens.total_tokens",
                "prompt_tokens",
                "prompt_tokens.total_tokens",
            ),
        ),
        Field(
            "cached_tokens",
            Kind.COUNT,
            "Part of input read from a cache.",
            sources=("cached_tokens", "input_tokens.cached_tokens", "prompt_tokens.cached_tokens"),
        ),
        Field("cache_write_tokens", Kind.COUNT, "Part of input written to a cache."),
        Field(
            "output_tokens",
            Kind.COUNT,
            "Everything generated, reasoning included.",
            sources=(
                "output_tokens",
                "output_tokens.total_tokens",
                "completion_tokens",
                "completion_tokens.total_tokens",
            ),
        ),
        Field(
            "reasoning_tokens",
            Kind.COUNT,
            "Part of output spent on reasoning.",
            sources=(
                "reasoning_tokens",
                "output_tokens.reasoning_tokens",
                "completion_tokens.reasoning_tokens",
            ),
        ),
        Field("image_tokens", Kind.COUNT, "Tokens of an image generation, in neither input nor output."),
        Field("citation_tokens", Kind.COUNT, "Tokens of cited sources, a class beside the total."),
        Field(
            "audio_input_tokens",
            Kind.COUNT,
            "Part of input that is audio.",
            sources=("audio_input_tokens", "input_tokens.audio_tokens"),
        ),
        Field(
            "audio_output_tokens",
            Kind.COUNT,
            "Part of output that is audio.",
            sources=("audio_output_tokens", "output_tokens.audio_tokens"),
        ),
        Field("units", Kind.COUNT, "Images, searches, pages, …"),
        Field("provider_cost_usd", Kind.MONEY, "The provider's charge as reported."),
        Field("task_credits", Kind.CREDITS, "Platform credits charged as reported."),
        _text("error_message", "Why it failed."),
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
        "below `landing/`. A field that is not named here is kept in `attributes`. Fields marked * are",
        "required.",
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
        for item in entity.fields:
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
        if entity.subsets:
            lines.append(
                "Flagged and kept (`quality_flags`): "
                + ", ".join(f"`{s.flag}`" for s in entity.subsets)
                + "."
            )
            lines.append("")
    lines += [
        "## Why a line is quarantined",
        "",
        "| reason | meaning |",
        "| --- | --- |",
        *(f"| {reason} | {text} |" for reason, text in REASON_DESCRIPTIONS.items()),
        "",
    ]
    return "\n".join(lines)
