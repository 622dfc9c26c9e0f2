"""The interface between landing and a foreign format, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestration.landing.contract import Convention

# A filter that DuckDB pushes below a projection computes the expressions of the projection once more for each
# time that it mentions them (measured: six times the whole night). It leaves a filter where it is that
# mentions a volatile column of the projection: `select …, {UNMOVED} from … where (…) or unmoved`.
UNMOVED = "random() < -1 as unmoved"

Layout = Literal["lines", "array", "document", "table"]
"""How records lie in a file: one JSON object per line; elements of one JSON array; one or several JSON documents over any number of
lines; rows of a CSV or Parquet table."""


@dataclass(frozen=True)
class Sniff:
    """What detection sees of a file: its layout, and the names at its beginning.

    `paths` are the keys of the first records, with the keys below them after a dot and `[]` for the elements of a list
    (`resourceSpans[].scopeSpans`); of a table the column names. Keys within strings are none.
    """

    layout: Layout
    paths: frozenset[str]


@dataclass(frozen=True)
class Convert:
    """What a conversion may depend on beside the file."""

    keep_content: bool = False
    """Whether prompts, completions and tool arguments are kept, under `content` in `attributes`."""
    content_max_characters: int = 4000
    """Each text of kept content is cut to that; it is redacted with the SQL macro `redacted(text)`."""


@dataclass(frozen=True)
class SourceFormat:
    """One foreign format.

    `spans` makes SQL of *plain text rows* from SQL of records. A record has `file_no`, `line_number`, `record` (a JSON object as
    text, of a table a row as an object of texts) and `problem` (why it is no record, or null). A plain text row has `file_no`,
    `line_number`, `raw` (what goes into quarantine, where the row does: the record, or the part of it that is the span),
    `problem`, `not_text` (null::varchar[]), `token_convention`, `flags` (names of `flags`, comma separated, or null),
    `attributes` (a JSON object as text, or null), `project` and `service_name` (texts that the settings map to a workspace), and one
    text column for each column of `contract.SPANS.plain`. Each record that is no span and holds none is one row with a `problem`, so
    that nothing is lost without a word. `row_count` makes SQL of `file_no` and how many rows its records hold, worked out
    independently of `spans`: the books are balanced with it. Money is given with the digits of the text. Times may be ISO-8601 or
    epochs in s (10 digits), ms (13), us (16) or ns (19).
    """

    name: str
    """In `source_format`, a word."""
    title: str
    detect: Callable[[Sniff], bool]
    spans: Callable[[str, Convert], str]
    row_count: Callable[[str], str]
    conventions: tuple[Convention, ...]
    """Names that `token_convention` may have, beside the usage shapes."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Names that only this format puts into `quality_flags`, with their meaning."""
    documentation: str = ""
    """Its part of `docs/sources.md`, Markdown: how to get the export, what becomes what, what is not there."""
    are_records_long: bool = False
    """A record holds many rows: few are read at a time, and blank lines come along, as blank records."""
    halves: tuple[Callable[[str, Convert], str], Callable[[str, Convert], str]] | None = None
    """The same as `spans` in two: the rows of those records of which each holds exactly one row, and those of all others. A file of
    lines of which the first gives as many conforming rows as the file has lines needs nothing else: neither the second half nor a count.
    """
    macros: tuple[str, ...] = ()
    """Statements that create what `spans` needs."""
    split_at: tuple[str, ...] = ()
    """Where a document that is too large to be read whole may be cut: paths of lists, as in `Sniff.paths`, the outermost first. What
    stands beside a list (but is no list of these) is repeated with each piece."""
