"""What schema `meta` of the published file holds: its tables and columns, once, for the file and for the documentation.

What belongs here: names, types and meanings. What does not: where the rows come from, which is `publish.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.sql import identifier, literal

SCHEMA = "meta"


@dataclass(frozen=True)
class Column:
    """One column of a table of schema `meta`."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Table:
    """One table of schema `meta`. `is_history` keeps the rows of earlier publications."""

    name: str
    description: str
    columns: tuple[Column, ...]
    is_history: bool = False

    @property
    def relation(self) -> str:
        """Its qualified name."""
        return f"{SCHEMA}.{self.name}"

    def ddl(self) -> list[str]:
        """Statements that make the table, with its meaning as comments that `describe` tools show."""
        create = "create table if not exists" if self.is_history else "create or replace table"
        columns = ", ".join(f"{identifier(column.name)} {column.kind}" for column in self.columns)
        return [
            f"{create} {self.relation} ({columns})",
            f"comment on table {self.relation} is {literal(self.description)}",
            *(
                f"comment on column {self.relation}.{identifier(column.name)} is {literal(column.description)}"
                for column in self.columns
            ),
        ]


_COUNTS = (
    Column("rows_read", "bigint", "Rows read: loaded + duplicate + superseded + quarantined, always."),
    Column("rows_loaded", "bigint", "Rows that went into the lake."),
    Column("rows_duplicate", "bigint", "Rows whose exact copy was landed before, or earlier in the batch."),
    Column("rows_superseded", "bigint", "Rows older than a version of the same key that is already known."),
    Column("rows_quarantined", "bigint", "Rows that do not conform to the landing contract."),
)
_BATCH = Column("batch_seq", "integer", "Number of the batch, from 1.")
_FILE = Column("file_no", "integer", "Number of the file in its batch, from 1.")
_PATH = Column("path", "varchar", "Path below the landing folder, as the file was named then.")

PUBLICATION = Table(
    "publication",
    "One row: what this file is.",
    (
        Column("publication_id", "varchar", "Number of the publication, six digits."),
        Column("published_at", "timestamp", "When it was published (UTC)."),
        Column("generated_by", "varchar", "Software and version that made it."),
        Column(
            "data_through_at",
            "timestamp",
            "Latest start or end of a run or span of the newest usage date (UTC); NULL when there is no data.",
        ),
        Column("batch_count", "bigint", "Batches of the lake that it holds."),
        Column("touched_date_count", "bigint", "Usage dates that were rebuilt for it."),
        Column("manifest", "varchar", "The manifest, as JSON; published/manifest.json is a copy of it."),
        Column("previous_publication_id", "varchar", "The publication before; NULL for the first."),
        Column("previous_published_at", "timestamp", "When that one was published (UTC)."),
        Column(
            "detail_from_date",
            "date",
            "First usage date whose single runs and calls are here, by `keep_detail_days`; NULL where those of all dates are.",
        ),
    ),
)
BATCHES = Table(
    "batches",
    "One row per batch: what one landing brought, all its files together.",
    (_BATCH, Column("loaded_at", "timestamp", "When it was landed (UTC)."), *_COUNTS),
)
FILES = Table(
    "files",
    "One row per landing file of each batch.",
    (
        _BATCH,
        _FILE,
        _PATH,
        Column("sha256", "varchar", "Hash of its bytes, its identity."),
        Column("size_bytes", "bigint", "Its size in bytes."),
        Column("format", "varchar", "jsonl, csv or parquet, with .gzip or .zstd where compressed."),
        Column("entity", "varchar", "Entities of the rows that were loaded from it: runs, spans or both."),
        Column("status", "varchar", "loaded, or unreadable: nothing of it was loaded."),
        Column("reason", "varchar", "Why it was unreadable; NULL otherwise."),
        *_COUNTS,
    ),
)
QUARANTINE = Table(
    "quarantine",
    "One row per line of a landing file that is no row of the contract.",
    (
        _BATCH,
        _FILE,
        _PATH,
        Column("line_number", "bigint", "Line in the file, from 1; in Parquet the row."),
        Column("entity", "varchar", "What the line was read as: runs or spans."),
        Column(
            "field", "varchar", "First field that breaks a rule; NULL when the line could not be read at all."
        ),
        Column("reason", "varchar", "Why; the values are listed in the landing contract."),
        Column("message", "varchar", "Every fault of the line in words."),
        Column("workspace_id", "varchar", "The tenant; NULL when it is not known."),
        Column("raw", "varchar", "The line itself, at most 1,000 characters; the lake keeps it whole."),
    ),
)
CHECK_RESULTS = Table(
    "check_results",
    "One row per check of each publication since the last full build.",
    (
        Column("publication_id", "varchar", "Publication whose candidate was checked."),
        Column("check_name", "varchar", "Name of the check."),
        Column("severity", "varchar", "blocking or warning."),
        Column("status", "varchar", "pass or fail; a published file has no blocking check that failed."),
        Column("failures", "bigint", "Rows or groups that break the rule; 0 when it passed."),
        Column("message", "varchar", "What was found, in words."),
    ),
    is_history=True,
)
CHANGED_MEASURES = (
    ("run_count", "bigint", "Runs"),
    ("call_count", "bigint", "Billed calls"),
    ("unpriced_call_count", "bigint", "Unpriced calls"),
    ("total_tokens", "bigint", "Tokens"),
    ("task_credits", "decimal(38,6)", "Task credits"),
    ("total_cost_usd", "decimal(38,12)", "Total cost"),
)
"""Columns of mart_analytics__total_cost whose changes are told, with their type and their name in words."""
CHANGES = Table(
    "changes",
    "One row per workspace and usage date whose totals are not those of the publication before; none in the first.",
    (
        Column("workspace_id", "varchar", "Workspace (tenant)."),
        Column("usage_date", "date", "Usage date."),
        *(
            Column(f"{name}_{when}", kind, f"{label} of the date {words}; NULL where it had none.")
            for name, kind, label in CHANGED_MEASURES
            for when, words in (("before", "in the publication before"), ("after", "in this publication"))
        ),
    ),
)
RETRACTIONS = Table(
    "retractions",
    "One row per landing file that was taken out of the lake, each time.",
    (
        Column("revision", "integer", "Number of the revision of the lake that took it out, from 1."),
        Column("retracted_at", "timestamp", "When (UTC)."),
        _BATCH,
        _PATH,
        Column("sha256", "varchar", "Hash of its bytes: a file with these bytes is not landed again."),
        Column("rows_loaded", "bigint", "Rows of it that were in the lake."),
        Column("rows_quarantined", "bigint", "Lines of it that were in quarantine."),
        Column("is_allowed_again", "boolean", "Whether it may be landed again: the retraction was undone."),
    ),
)
DATES = Table(
    "dates",
    "One row per usage date that was ever built: which publication built the rows that it has now.",
    (
        Column("usage_date", "date", "Usage date."),
        Column("publication_id", "varchar", "Publication that built it last."),
        Column(
            "build_key",
            "varchar",
            "Hash of what that publication was made of; while it stays, so do all rows of the date.",
        ),
    ),
    is_history=True,
)
TABLES = (PUBLICATION, BATCHES, FILES, QUARANTINE, CHECK_RESULTS, CHANGES, DATES, RETRACTIONS)
