"""From a landing file to *text rows*: one SQL relation with the same columns whatever the format.

A text row has `file_no`, `line_number`, `raw` (the line, or the row as JSON), `problem` (why it is no row, or
null), `not_text` (required text fields that hold something else, or null), `extra` (unknown fields as the
inside of a JSON object, or null), `unknown_keys` (their names) and one text column per source field of the
contract. Typing and judging them is `conform.py`'s. Each format is read by DuckDB; Python touches single rows
only for a file that DuckDB refuses (`salvage.py`), and every byte once, to tell a damaged compressed file
from a whole one.
"""

from __future__ import annotations

import csv
import functools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.landing import documents, salvage, streams
from orchestration.landing.contract import ENTITIES, NATIVE, RUNS, SPANS, USAGE, Entity, Kind, Reason
from orchestration.landing.files import LandingFile
from orchestration.landing.foreign import ForeignRows
from orchestration.landing.formats import Convert, Layout, Sniff, SourceFormat
from orchestration.landing.formats.base import UNMOVED
from orchestration.landing.streams import UnreadableFileError
from orchestration.sql import identifier, joined, literal, string_list

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

# One text column per line: no quotes, and a delimiter that no line can hold. Any other would cut a line in
# two, and DuckDB would drop the second half without a word.
_LINES = (
    "read_csv({paths}, columns = {{'line': 'varchar'}}, delim = '\n', quote = '', escape = '', "
    "header = false, auto_detect = false, strict_mode = false, null_padding = false, "
    "max_line_size = {max_line}, {buffer}"
    "compression = {compression}, filename = true)"
)
# Wholly unreadable is decided on the first bytes, so that nothing foreign is parsed as a row.
_MAGIC = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x89PNG": "a PNG picture",
    b"SQLi": "a SQLite database",
    b"\xff\xfe": "UTF-16 text (save it as UTF-8)",
    b"\xfe\xff": "UTF-16 text (save it as UTF-8)",
}
# The plain test decides nearly always and costs a tenth of trimming the whole line.
_IS_BLANK = "case when starts_with(line, '{') then false else coalesce(trim(line, ' \t\r'), '') = '' end"


@dataclass(frozen=True)
class Source:
    """Files that are read in one statement: one large file or several small ones of the same format."""

    files: tuple[tuple[int, LandingFile], ...]
    links: tuple[Path, ...]


@dataclass(frozen=True)
class TextRows:
    """A source ready to be queried. `majority` is the entity of most of its rows.

    `at_most` is an upper bound of the rows of each file_no, known without parsing: when as many rows conform,
    each of them did. `numbered` makes a relation with line numbers; it is asked for only where a row is
    quarantined, because numbering lines is sequential.
    """

    at_most: dict[int, int]
    majority: Entity
    relation: str
    numbered: Callable[[], str]
    columns: tuple[Column, ...] | None = None
    source_format: str = NATIVE
    may_be_mixed: bool = False
    """JSON Lines may hold runs and spans in one file; a table holds one entity."""
    may_name_usage: bool = True
    """False for JSON Lines whose bytes show that none has a usage body."""

    @property
    def may_have_usage(self) -> bool:
        """Whether a row may have a usage body. A table shows by its columns that none has, other files by their bytes: then no statement
        is needed that could read one. Planning it costs as much again, and each span an eighth of its landing.
        """
        if self.columns is None:
            return self.may_name_usage
        return any(column.name.lower() == USAGE for column in self.columns)

    def count(self, connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
        """The rows of each file_no, counted."""
        query = f"select file_no, count(*) from ({self.relation}) group by file_no"
        return dict.fromkeys(self.at_most, 0) | dict(connection.execute(query).fetchall())

    def select(self, entity: Entity, *, numbered: bool = False) -> str:
        """SQL of the text rows that belong to the entity.

        A row with a span_id is a span, else one with a run_type is a run, and one with neither (or
        unreadable) is of the majority. `line_number` is 0 unless asked for.
        """
        relation = self.numbered() if numbered else self.relation
        return self._json(entity, relation) if self.columns is None else self._tabular(entity, relation)

    def passes(self) -> list[tuple[Entity, str]]:
        """Entities and the SQL of their text rows. All but the first are needed only where that left rows out."""
        others = [entity for entity in ENTITIES if entity is not self.majority and self.may_be_mixed]
        return [(entity, self.select(entity)) for entity in (self.majority, *others)]

    def refuse_foreign(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raise UnreadableFileError for a file of which no line can be a row. Asked only when rows are
        missing.
        """
        if not self.may_be_mixed:
            return
        named = " or ".join(f"contains(raw, '\"{name}\"')" for name in ("span_id", "run_id", "workspace_id"))
        for _, objects, candidates, is_json, first in connection.execute(f"""
            select
                file_no,
                count(*) filter (is_object)::bigint,
                count(*) filter (is_object and ({named}))::bigint,
                coalesce(bool_or(json_valid(raw)), false),
                min_by(left(trim(raw, ' \t\r'), 80), line_number)
            from (select *, starts_with(ltrim(raw, ' \t'), '{{') as is_object from ({self.numbered()}))
            group by file_no
        """).fetchall():
            if first == "[" or (not candidates and (first in ("{", "[{") or str(first).startswith("["))):
                raise UnreadableFileError(
                    "it is one JSON document, not JSON Lines: write one object per line"
                )
            if candidates:
                continue
            if not objects:
                raise UnreadableFileError(f"no line is a JSON object; it begins with {str(first)!r}")
            if is_json:
                names = "no line names a run_id, span_id or workspace_id"
                raise UnreadableFileError(f"{names}; this is no export of runs or spans")

    def _json(self, entity: Entity, relation: str) -> str:
        names = dict.fromkeys((*entity.source_fields, "span_id", "run_type"))
        # Amounts stay JSON: there a string is told from a number, which needs its exact digits looked up.
        amounts = _amounts(entity)
        structure = json.dumps({name: "JSON" if name in amounts else "VARCHAR" for name in names})
        known = string_list(entity.source_fields)
        is_span = "coalesce(r.span_id, '') <> ''"
        if self.majority is SPANS:
            is_span = f"({is_span} or r.run_type is null)"
        home = is_span if entity is SPANS else f"not {is_span}"
        if not self.may_be_mixed:
            home = "true"
        fields = ",\n".join(
            f"{_text_of(entity, name)} as {identifier(name)}" for name in entity.source_fields
        )
        return f"""
            select
                file_no,
                line_number,
                raw,
                coalesce(problem, case when r is null then {literal(Reason.NOT_JSON)} end) as problem,
                {_not_text(entity)} as not_text,
                case
                    when unknown is not null or len(odd_keys) > 0 then nullif(concat_ws(
                        ',',
                        unknown,
                        list_aggr(list_transform(
                            -- Looked up once: the macro mentions its value again and again.
                            list_transform(odd_keys, lambda k: {{
                                'key': k,
                                'value': json_extract(line, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::varchar
                            }}),
                            lambda odd: to_json(odd.key)::varchar || ':' || strict_json(odd.value)
                        ), 'string_agg', ',')
                    ), '')
                end as extra,
                case
                    when unknown is null then odd_keys
                    else list_concat(unknown_names, odd_keys)
                end as unknown_keys,
                {fields}
            from (
                select
                    *,
                    case
                        when r is not null
                            then list_filter(json_keys(line), lambda k: not list_contains({known}, k))
                    end as odd_keys
                from (
                    select
                        file_no,
                        line_number,
                        raw,
                        line,
                        problem,
                        unknown,
                        unknown_names,
                        case
                            when problem is null
                                and (starts_with(line, '{{') or starts_with(ltrim(line, ' \t'), '{{'))
                                then try(from_json(line, {literal(structure)}))
                        end as r,
                        {UNMOVED}
                    from ({relation})
                )
                where {home} or unmoved
            )
        """

    def _tabular(self, entity: Entity, relation: str) -> str:
        columns = self.columns or ()
        present = {column.name.lower(): column for column in columns}
        unknown = [column for column in columns if column.name.lower() not in entity.source_fields]
        extras = [
            f"case when {column.cell} is not null then {literal(json.dumps(column.name) + ':')} "
            f"|| {_as_json(column.cell)} end"
            for column in unknown
        ]
        extra = joined(extras) if extras else "null::varchar"
        fields = [
            f"{present[name].cell if name in present else 'null::varchar'} as {identifier(name)}"
            for name in entity.source_fields
        ]
        not_text = [
            f"case when {present[name].cell} is not null then {literal(name)} end"
            for name in _required_texts(entity)
            if name in present and not present[name].is_text
        ]
        everything = ", ".join(f"{literal(column.name)}, {column.cell}" for column in columns)
        return f"""
            select
                file_no,
                line_number,
                json_object({everything})::varchar as raw,
                problem,
                {_filled(not_text)} as not_text,
                {extra} as extra,
                {string_list(column.name for column in unknown)}::varchar[] as unknown_keys,
                {", ".join(fields)}
            from (select *, null::varchar as problem from ({relation}))
        """


@dataclass(frozen=True)
class Column:
    """A column of a table. Its name is data and never reaches SQL as a name; `cell` is the one it gets."""

    number: int
    name: str
    is_text: bool = True

    @property
    def cell(self) -> str:
        """The column's name in our relations."""
        return f"c{self.number}"


def _required_texts(entity: Entity) -> list[str]:
    return [item.name for item in entity.fields if item.required and item.kind is Kind.TEXT]


def _not_text(entity: Entity) -> str:
    """Names of the required text fields whose JSON value is an object, an array or a boolean."""
    tests = []
    for name in _required_texts(entity):
        column = f"r.{identifier(name)}"
        suspect = (
            f"starts_with({column}, '{{') or starts_with({column}, '[') or {column} in ('true', 'false')"
        )
        tests.append(
            f"case when ({suspect}) and json_type(line, '/{name}') in ('OBJECT', 'ARRAY', 'BOOLEAN') "
            f"then {literal(name)} end"
        )
    return _filled(tests)


def _filled(tests: list[str]) -> str:
    """A list of the tests that are not null; null when there is none."""
    if not tests:
        return "null::varchar[]"
    return (
        f"case when coalesce({', '.join(tests)}) is not null "
        f"then list_filter([{', '.join(tests)}], lambda n: n is not null) end"
    )


def _amounts(entity: Entity) -> set[str]:
    return {item.name for item in entity.fields if item.kind in (Kind.MONEY, Kind.CREDITS)}


def _text_of(entity: Entity, name: str) -> str:
    """A field's text; exact digits where the JSON reader went through binary floats (15 digits are exact)."""
    column = f"r.{identifier(name)}"
    return (
        f"exact_amount_text(raw, {literal(name)}, {column}::varchar)" if name in _amounts(entity) else column
    )


def _as_json(column: str) -> str:
    """A text cell as a JSON value: objects and arrays as they are, everything else as a string."""
    return (
        f"case when left(ltrim({column}), 1) in ('{{', '[') and json_valid({column}) "
        f"then strict_json({column}) else to_json({column})::varchar end"
    )


MACROS = (
    # JSON numbers become binary floats on the way to text: 100000000.1000000000049 would lose its tail. The
    # digits stand in the line; that they are this field's is told by their being the same float. Whole
    # numbers are exact.
    r"""
    create or replace temp macro exact_amount_text(line, field, value) as
        case
            when starts_with(value, '"') then
                case
                    when contains(value, '\') then json_extract_string(value, '$')
                    else substr(value, 2, length(value) - 2)
                end
            when not (contains(value, '.') or contains(value, 'e')) then value
            when try_cast(
                regexp_extract(line, '"' || field || '"\s*:\s*(-?[0-9][0-9.eE+-]*)', 1) as double
            ) = try_cast(value as double)
                then regexp_extract(line, '"' || field || '"\s*:\s*(-?[0-9][0-9.eE+-]*)', 1)
            else value
        end
    """,
    # DuckDB reads NaN and Infinity as JSON, browsers do not: such a value is kept as its text.
    r"""
    create or replace temp macro has_nan(value) as
        case
            when regexp_matches(value, '(?i)nan|inf')
                then regexp_matches(regexp_replace(value, '"(?:[^"\\]|\\.)*"', '', 'g'), '(?i)nan|inf')
            else false
        end
    """,
    """
    create or replace temp macro strict_json(value) as
        case when value is null then 'null' when has_nan(value) then to_json(value)::varchar else value end
    """,
)


def link(file_no: int, file: LandingFile, folder: Path) -> Path:
    """A link with a name of our own, so that no landing name is ever read as a glob pattern or a quote."""
    suffix = {"none": "", "gzip": ".gz", "zstd": ".zst"}[file.compression]
    target = folder / f"{file_no:06d}.{file.format}{suffix}"
    target.unlink(missing_ok=True)
    target.symlink_to(file.path)
    return target


def open_source(
    connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path, *, salvaging: bool = False
) -> TextRows:
    """Make a source readable: tell its entities and how many rows it may have. Raises UnreadableFileError.

    `salvaging` reads a single text file in Python, line by line, into `scratch`: for a file that DuckDB
    refused.
    """
    file_format = source.files[0][1].format
    if file_format == "parquet":
        return _open_parquet(connection, source)
    for _, file in source.files:
        _refuse_foreign(file)
    measures = {
        file_no: streams.measure(file, is_usage_sought=file_format != "csv") for file_no, file in source.files
    }
    if file_format == "csv":
        return _open_csv(connection, source, scratch, measures, salvaging=salvaging)
    return _open_jsonl(connection, source, scratch, measures, salvaging=salvaging)


def open_foreign(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    scratch: Path,
    source_format: SourceFormat,
    layout: Layout,
    settings: Settings,
    *,
    salvaging: bool = False,
) -> ForeignRows:
    """Make a source of a foreign format readable. Raises UnreadableFileError.

    `salvaging` cuts a JSON file up in Python, record by record, into `scratch`: for a file that DuckDB refused.
    """
    for statement in source_format.macros:
        connection.execute(statement)
    lines: dict[int, int] = {}
    if layout == "table":
        records = _table_records(connection, source, scratch, salvaging=salvaging)
    else:
        for _, file in source.files:
            _refuse_foreign(file)
        records, lines = _json_records(source, scratch, source_format, layout, salvaging=salvaging)
    convert = Convert(settings.keep_content, settings.content_max_characters)
    return ForeignRows(source_format, source.files, records, convert, settings.sources, lines)


def _table_records(
    connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path, *, salvaging: bool
) -> Callable[[bool], str]:
    """Rows of a table as records: JSON objects of texts, nested values as they are."""
    file_no, file = source.files[0]
    if file.format == "parquet":
        rows = _open_parquet(connection, source, SPANS.plain)
    else:
        _refuse_foreign(file)
        measures = {file_no: streams.measure(file, is_usage_sought=False)}
        rows = _open_csv(connection, source, scratch, measures, salvaging=salvaging, entity=SPANS.plain)

    def records(numbered: bool) -> str:
        relation = rows.numbered() if numbered else rows.relation
        if rows.columns is None:
            return f"select file_no, line_number, line as record, problem from ({relation})"
        cells = ", ".join(
            f"{literal(column.name)}, {column.cell if column.is_text else f'{column.cell}::json'}"
            for column in rows.columns
        )
        return f"select file_no, line_number, json_object({cells})::varchar as record, null::varchar as problem from ({relation})"

    return records


def _json_records(
    source: Source, scratch: Path, source_format: SourceFormat, layout: Layout, *, salvaging: bool
) -> tuple[Callable[[bool], str], dict[int, int]]:
    """Records of JSON files: lines, elements of a list, or documents; a huge one in pieces. And how many lines there are of each, where
    each is a record or blank.
    """
    measures = {
        file_no: streams.measure(file, are_lines_bound=False, is_usage_sought=False)
        for file_no, file in source.files
    }
    longest = max(measure.longest_bytes for measure in measures.values())
    files = [(file_no, file, link) for (file_no, file), link in zip(source.files, source.links, strict=True)]
    if layout == "lines" and longest <= salvage.HUGE_LINE_BYTES and not salvaging:

        def records(numbered: bool) -> str:
            lines = _json_lines(
                files, measures, numbered=numbered, are_lines_long=source_format.are_records_long
            )
            return f"select file_no, line_number, line as record, problem from ({lines})"

        return records, {file_no: measure.lines for file_no, measure in measures.items()}

    if len(files) > 1:  # one of them has a huge line: each is read on its own
        raise salvage.NeedsSalvageError
    file_no, file, link = files[0]
    size = file.fingerprint.size_bytes
    if layout == "array" and not salvaging:
        scan = (
            f"read_json_objects({literal(link)}, format = 'array', compression = {literal(file.compression)}, "
            f"maximum_object_size = {4 * salvage.HUGE_LINE_BYTES})"
        )
        # A list has no lines: its elements are counted.
        return (
            lambda numbered: (
                f"""
            select {file_no} as file_no, {"row_number() over ()" if numbered else "0"} as line_number,
                json::varchar as record, null::varchar as problem
            from {scan}
        """
            ),
            {},
        )
    if (
        layout == "document"
        and not salvaging
        and size <= salvage.HUGE_LINE_BYTES
        and file.compression == "none"
    ):
        scan = (
            f"read_json_objects({literal(link)}, format = 'unstructured', compression = 'none', "
            f"maximum_object_size = {salvage.HUGE_LINE_BYTES + 1})"
        )
        return (
            lambda numbered: (
                f"""
            select {file_no} as file_no, {"row_number() over ()" if numbered else "0"} as line_number,
                json::varchar as record, null::varchar as problem
            from {scan}
        """
            ),
            {},
        )
    is_short_of_lines = longest <= streams.MAX_LINE_BYTES
    relation = documents.pieces(
        file_no, file, scratch, source_format.split_at, are_lines=layout == "lines" and is_short_of_lines
    )
    return lambda numbered: f"select file_no, line_number, record, problem from ({relation})", {}


def can_salvage(source: Source) -> bool:
    """Whether there is a second, slower way to read the source."""
    return len(source.files) == 1 and source.files[0][1].format != "parquet"


def sniff(file: LandingFile) -> Sniff:
    """Layout and first names of a landing file, for telling its format. Damage is for reading to find."""
    import duckdb  # noqa: PLC0415

    if file.format == "jsonl":
        return documents.sniff(file)
    try:
        if file.format == "csv":
            names, _ = _csv_header(file)
        else:
            with duckdb.connect(":memory:") as connection:
                query = f"describe select * from read_parquet({literal(file.path)})"
                names = [str(row[0]) for row in connection.execute(query).fetchall()]
    except (UnreadableFileError, OSError, duckdb.Error):
        names = []
    return Sniff("table", frozenset(names))


def _refuse_foreign(file: LandingFile) -> None:
    if file.compression == "none":
        with file.path.open("rb") as stream:
            magic = stream.read(4)
        for start, what in _MAGIC.items():
            if magic.startswith(start):
                raise UnreadableFileError(f"it is {what}, not {file.format}")


def _line_bytes(measures: Iterable[streams.Measure]) -> int:
    """The line length to tell DuckDB. It takes buffers of sixteen times that, so it is not the most there may
    be.
    """
    return max(2 << 20, *(measure.longest_bytes + 2 for measure in measures))


_KNOWN = {name for entity in ENTITIES for name in entity.source_fields}


# -- JSON Lines -----------------------------------------------------------------------------------------


def _open_jsonl(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    scratch: Path,
    measures: dict[int, streams.Measure],
    *,
    salvaging: bool,
) -> TextRows:
    files = [(file_no, file, link) for (file_no, file), link in zip(source.files, source.links, strict=True)]
    at_most = {file_no: measure.lines for file_no, measure in measures.items()}

    def salvaged(chosen: list[tuple[int, LandingFile, Path]]) -> list[str]:
        return [salvage.lines(file_no, file, scratch, _KNOWN) for file_no, file, _ in chosen]

    @functools.cache
    def numbered() -> str:
        # Where a file mixes kinds of line ends DuckDB sees lines that are not there; Python counts those
        # files.
        uniform = [item for item in files if measures[item[0]].is_uniform]
        parts = [_json_lines(uniform, measures, numbered=True)] if uniform else []
        return " union all ".join(parts + salvaged([item for item in files if item not in uniform]))

    if salvaging or (len(files) == 1 and measures[files[0][0]].longest_bytes > salvage.HUGE_LINE_BYTES):
        relation = salvaged(files)[0]
        majority = _majority(connection, relation)
        return TextRows(at_most, majority, relation, lambda: relation, may_be_mixed=True)
    relation = _json_lines(files, measures, numbered=False)
    may_name_usage = any(measure.may_name_usage for measure in measures.values())
    return TextRows(
        at_most,
        _majority(connection, relation),
        relation,
        numbered,
        may_be_mixed=True,
        may_name_usage=may_name_usage,
    )


def _json_lines(
    files: list[tuple[int, LandingFile, Path]],
    measures: dict[int, streams.Measure],
    *,
    numbered: bool,
    are_lines_long: bool = False,
) -> str:
    """SQL of the non-blank lines. `are_lines_long`: each holds many rows, so few are taken at a time, and blank ones are left in: a
    filter gathers 2,048 lines before it hands them on, and JSON functions take several times their bytes (3.7 GB for 215 MB).
    """
    max_line = _line_bytes(measures[file_no] for file_no, _, _ in files)
    lines = _LINES.format(
        paths=string_list(path for _, _, path in files),
        compression=literal(files[0][1].compression),
        max_line=max_line,
        buffer=f"buffer_size = {2 * max_line}, " if are_lines_long else "",
    )
    file_no = (
        f"{files[0][0]}::integer"
        if len(files) == 1
        else "regexp_extract(filename, '/([0-9]+)[.][a-z.]+$', 1)::integer"
    )
    rows = f"select {file_no} as file_no, 0::bigint as line_number, line from {lines}"
    if numbered:
        rows = f"""
            select file_no, row_number() over (partition by file_no order by ordinal) as line_number, line
            from (select {file_no} as file_no, row_number() over () as ordinal, line from {lines})
        """
    return f"""
        select file_no, line_number, line as raw, line, null::varchar as problem,
            null::varchar as unknown, null::varchar[] as unknown_names
        from ({rows})
        {"" if are_lines_long else f"where not ({_IS_BLANK})"}
    """


def _majority(connection: duckdb.DuckDBPyConnection, relation: str) -> Entity:
    """The entity of most of the first lines; a wrong guess costs a second pass, never a row."""
    spans = connection.execute(f"""
        select coalesce(count(*) filter (contains(raw, '"span_id"')) * 2 > count(*), false)
        from (select raw from ({relation}) limit 200)
    """).fetchone()
    return SPANS if spans and spans[0] else RUNS


# -- tables ---------------------------------------------------------------------------------------------

_HARMLESS_ROWS = 1_000_000
"""What any Parquet file may have. Repeated values take no room, so a few bytes can stand for more rows than a night has time."""


def _open_parquet(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity | None = None
) -> TextRows:
    file_no, file = source.files[0]
    scan = f"read_parquet({literal(source.links[0])}, file_row_number = true)"
    rows = connection.execute(f"select count(*) from {scan}").fetchone()
    row_count = int(rows[0]) if rows else 0
    if row_count > max(_HARMLESS_ROWS, file.fingerprint.size_bytes):
        raise UnreadableFileError(
            f"it says that it has {row_count:,} rows in {file.fingerprint.size_bytes:,} bytes: less than a byte for the ids of each"
        )
    described = connection.execute(f"describe select * from {scan}").fetchall()
    columns = [(str(row[0]), str(row[1])) for row in described if row[0] != "file_row_number"]
    entity = entity or _entity_of_columns([name for name, _ in columns])
    cells = [Column(number, name, not _is_odd(kind)) for number, (name, kind) in enumerate(columns)]
    texts = ", ".join(
        f"{_column_text(name, kind)} as {cell.cell}"
        for cell, (name, kind) in zip(cells, columns, strict=True)
    )
    relation = (
        f"select {file_no}::integer as file_no, file_row_number + 1 as line_number, {texts} from {scan}"
    )
    return TextRows({file_no: row_count}, entity, relation, lambda: relation, tuple(cells))


def _is_nested(kind: str) -> bool:
    return kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]")


def _is_odd(kind: str) -> bool:
    return _is_nested(kind) or kind == "BOOLEAN"


def _column_text(name: str, kind: str) -> str:
    """A Parquet column as text. Nested values become JSON; NaN stays as a text, which every field refuses."""
    return f"to_json({identifier(name)})::varchar" if _is_nested(kind) else f"{identifier(name)}::varchar"


def _entity_of_columns(columns: list[str]) -> Entity:
    """The entity a table's columns are of. Raises UnreadableFileError naming the required ones that are
    missing.
    """
    lowered = [name.lower() for name in columns]
    if doubled := sorted({name for name in lowered if lowered.count(name) > 1}):
        raise UnreadableFileError(f"the column {doubled[0]!r} stands twice")
    entity = SPANS if "span_id" in lowered else RUNS
    sources = {item.name: {source.partition(".")[0] for source in item.read_from} for item in entity.fields}
    missing = [name for name in entity.required if not sources[name] & set(lowered)]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        names = ", ".join(missing)
        raise UnreadableFileError(f"as {entity.name} it lacks the required column{plural} {names}")
    return entity


def _open_csv(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    scratch: Path,
    measures: dict[int, streams.Measure],
    *,
    salvaging: bool,
    entity: Entity | None = None,
) -> TextRows:
    """`entity` None: the one that the columns are of, where they name all that it requires."""
    file_no, file = source.files[0]
    names, delimiter = _csv_header(file)
    entity = entity or _entity_of_columns(names)
    at_most = {file_no: max(0, measures[file_no].lines - 1)}

    def salvaged() -> str:
        known = {name: name.lower() for name in names if name.lower() in entity.source_fields}
        return salvage.csv_rows(file_no, file, scratch, [known.get(name, name) for name in names], delimiter)

    if salvaging:
        relation = salvaged()
        return TextRows(at_most, entity, relation, lambda: relation)
    columns = tuple(Column(number, name) for number, name in enumerate(names))
    declared = "{" + ", ".join(f"'{column.cell}': 'varchar'" for column in columns) + "}"
    scan = (
        f"read_csv({string_list(source.links)}, columns = {declared}, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', auto_detect = false, "
        f"max_line_size = {_line_bytes([measures[file_no]])}, compression = {literal(file.compression)})"
    )
    cells = ", ".join(f"nullif({column.cell}, '') as {column.cell}" for column in columns)
    rows = f"select {file_no}::integer as file_no, {cells} from {scan}"
    plain = f"select *, 0::bigint as line_number from ({rows})"

    @functools.cache
    def numbered() -> str:
        starts = _csv_row_starts(source, file, measures[file_no])
        # The join must find each row its line; stray quotes would break that, and then Python reads the file.
        counted = connection.execute(f"""
            select (select count(*) from ({starts})), (select count(*) from {scan})
        """).fetchone()
        if not measures[file_no].is_uniform or not counted or counted[0] != counted[1]:
            raise salvage.NeedsSalvageError
        listed = ", ".join(column.cell for column in columns)
        return f"""
            select file_no, starts.line_number, {listed}
            from (select *, row_number() over () as ordinal from ({rows})) as cells
            join ({starts}) as starts using (ordinal)
        """

    return TextRows(at_most, entity, plain, numbered, columns)


def _csv_row_starts(source: Source, file: LandingFile, measure: streams.Measure) -> str:
    """SQL of each row's line number: a row starts after an even number of quotes, blank lines apart."""
    lines = _LINES.format(
        paths=string_list(source.links),
        compression=literal(file.compression),
        max_line=_line_bytes([measure]),
        buffer="",
    )
    return f"""
        select row_number() over () as ordinal, line_number
        from (
            select
                row_number() over () as line_number,
                line,
                coalesce(sum(length(line) - length(replace(line, '"', ''))) over (
                    rows between unbounded preceding and 1 preceding
                ), 0) % 2 = 0 as is_start
            from {lines}
        )
        where is_start and line is not null and line_number > 1
    """


_INDEX = "Unnamed: 0"
"""What pandas calls a first column without a name when it reads one: it writes the number of each row there."""


def _csv_header(file: LandingFile) -> tuple[list[str], str]:
    """Column names and delimiter from the first line. The delimiter that yields the most contract fields
    wins.
    """
    try:
        with streams.open_bytes(file) as stream:
            start = stream.readline(1 << 20).decode("utf-8-sig")
        first = re.split("[\r\n]", start, maxsplit=1)[0]
        readings = [(next(csv.reader([first], delimiter=delimiter), []), delimiter) for delimiter in ",;\t|"]
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"its header is not valid UTF-8: {error}") from error
    except csv.Error as error:
        raise UnreadableFileError(f"its header cannot be read: {error}") from error
    if not first.strip():
        raise UnreadableFileError("its first line is empty, it should name the columns")
    fields = {name for entity in ENTITIES for name in entity.source_fields}
    columns, delimiter = max(
        readings, key=lambda reading: len(fields & {name.strip().lower() for name in reading[0]})
    )
    columns = [name.strip() for name in columns]
    if columns[0] == "" and _INDEX not in columns:
        columns[0] = _INDEX
    if not all(columns):
        raise UnreadableFileError(f"its header has an empty column name: {first[:80]!r}")
    return columns, delimiter
