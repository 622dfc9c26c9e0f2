"""From a landing file to *text rows*: one SQL relation with the same columns whatever the format.

A text row has `file_no`, `line_number`, `raw` (the line, or the row as JSON), `problem` (why it is no row, or null), `extra` (unknown
fields as the inside of a JSON object, or null) and one text column per source field of the contract. Typing and judging them is
`conform.py`'s. Each format is read by DuckDB; Python touches single rows only for a file that DuckDB refuses (`_salvage_*`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from orchestration.landing.contract import ENTITIES, RUNS, SPANS, Entity, Reason
from orchestration.landing.files import LandingFile
from orchestration.sql import identifier, literal, string_list

if TYPE_CHECKING:
    import duckdb

# One text column per line: a delimiter that no text holds, no quotes. 64 MiB holds the longest line we promise to read (30 MB).
_LINES = (
    "read_csv({paths}, columns = {{'line': 'varchar'}}, delim = '\x01\x02\x03', quote = '', escape = '', header = false, "
    "auto_detect = false, strict_mode = false, null_padding = false, max_line_size = 67108864, compression = {compression}, "
    "filename = true)"
)
# Wholly unreadable is decided on text, so that nothing foreign is parsed as a row.
_MAGIC = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x89PNG": "a PNG picture",
    b"SQLi": "a SQLite database",
}


class UnreadableFile(Exception):
    """The whole file cannot be read; the message says why and what to do. Nothing of it is loaded."""


@dataclass(frozen=True)
class Source:
    """Files that are read in one statement: one large file or several small ones of the same format."""

    files: tuple[tuple[int, LandingFile], ...]
    links: tuple[Path, ...]


@dataclass(frozen=True)
class TextRows:
    """A source ready to be queried. `rows` counts its non-blank rows per file_no; `majority` is the entity of most of them."""

    rows: dict[int, int]
    majority: Entity
    _relation: str
    _numbered_relation: str
    _columns: tuple[str, ...] | None
    _foreign_possible: bool = False

    @property
    def may_be_mixed(self) -> bool:
        """JSON Lines may hold runs and spans in one file; a table holds one entity."""
        return self._columns is None

    def select(self, entity: Entity, *, numbered: bool = False) -> str:
        """SQL of the text rows that belong to the entity: a row with a span_id is a span, else one with a run_type is a run, and
        one with neither (or unreadable) is of the majority. Line numbers cost parallelism and are 0 unless asked for.
        """
        relation = self._numbered_relation if numbered else self._relation
        return self._json(entity, relation) if self._columns is None else self._tabular(entity, relation)

    def refuse_foreign(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raise UnreadableFile for a file of which no line can be a row. Asked only when rows are missing."""
        if not self._foreign_possible:
            return
        named = " or ".join(f"contains(raw, '\"{name}\"')" for name in ("span_id", "run_id", "workspace_id"))
        for _, rows, objects, candidates, first in connection.execute(f"""
            select
                file_no,
                count(*)::bigint,
                count(*) filter (starts_with(ltrim(raw), '{{'))::bigint,
                count(*) filter (starts_with(ltrim(raw), '{{') and ({named}))::bigint,
                min_by(left(trim(raw), 80), line_number)
            from ({self._numbered_relation})
            group by file_no
        """).fetchall():
            if candidates or not rows:
                continue
            if first in ("[", "{", "[{") or str(first).startswith("["):
                raise UnreadableFile("it is one JSON document, not JSON Lines: write one object per line")
            if not objects:
                raise UnreadableFile(f"no line is a JSON object; it begins with {str(first)!r}")
            if _any_object(connection, self._relation):
                raise UnreadableFile(
                    "no line names a run_id, span_id or workspace_id; this is no export of runs or spans"
                )

    def _json(self, entity: Entity, relation: str) -> str:
        names = dict.fromkeys((*entity.source_fields, "span_id", "run_type"))
        structure = json.dumps(dict.fromkeys(names, "VARCHAR"))
        known = string_list(entity.source_fields)
        is_span = (
            "r.span_id is not null"
            if self.majority is RUNS
            else "(r.span_id is not null or r.run_type is null)"
        )
        home = is_span if entity is SPANS else f"not {is_span}"
        return f"""
            select
                file_no,
                line_number,
                raw,
                case when problem is not null then problem when r is null then {literal(Reason.NOT_JSON)} end as problem,
                case
                    when len(unknown_keys) > 0 then array_to_string(list_transform(
                        unknown_keys,
                        lambda k: to_json(k)::varchar || ':'
                            || coalesce(json_extract(line, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::varchar, 'null')
                    ), ',')
                end as extra,
                unknown_keys,
                {", ".join(f"{_text_of(entity, name)} as {identifier(name)}" for name in entity.source_fields)}
            from (
                select
                    *,
                    case
                        when r is not null
                            then list_filter(json_keys(line), lambda k: not list_contains({known}, k))
                    end as unknown_keys
                from (
                    select
                        file_no,
                        line_number,
                        raw,
                        line,
                        problem,
                        case
                            when problem is null and starts_with(ltrim(line), '{{')
                                then try(from_json(line, {literal(structure)}))
                        end as r
                    from ({relation})
                )
                where {home}
            )
        """

    def _tabular(self, entity: Entity, relation: str) -> str:
        columns = self._columns or ()
        present = {name.lower(): name for name in columns}
        unknown = [name for name in columns if name.lower() not in entity.source_fields]
        extras = [
            f"case when {identifier(name)} is not null then {literal(json.dumps(name) + ':')} || {_as_json(name)} end"
            for name in unknown
        ]
        extra = f"nullif(concat_ws(',', {', '.join(extras)}), '')" if extras else "null"
        fields = [
            f"{identifier(present[name])} as {identifier(name)}"
            if name in present
            else f"null::varchar as {identifier(name)}"
            for name in entity.source_fields
        ]
        everything = ", ".join(f"{literal(name)}, {identifier(name)}" for name in columns)
        return f"""
            select
                file_no,
                line_number,
                json_object({everything})::varchar as raw,
                null::varchar as problem,
                {extra} as extra,
                {string_list(unknown)}::varchar[] as unknown_keys,
                {", ".join(fields)}
            from ({relation})
        """


def _text_of(entity: Entity, name: str) -> str:
    """A field's text; exact digits where the JSON reader went through binary floats (it is exact to 15 digits only)."""
    exact = {item.name for item in entity.fields if item.kind in ("money", "credits")}
    column = f"r.{identifier(name)}"
    return f"exact_number_text(raw, {literal(name)}, {column})" if name in exact else column


def _as_json(name: str) -> str:
    """A text cell as a JSON value: objects and arrays as they are, everything else as a string."""
    column = identifier(name)
    return (
        f"case when left(ltrim({column}), 1) in ('{{', '[') and json_valid({column}) then {column} "
        f"else to_json({column})::varchar end"
    )


MACROS = """
create or replace temp macro exact_number_text(line, field, value) as
    case
        when length(value) < 17 then value
        when regexp_extract(line, '"' || field || '"\\s*:\\s*(-?[0-9][0-9.eE+-]*)', 1)::varchar <> ''
            and try_cast(regexp_extract(line, '"' || field || '"\\s*:\\s*(-?[0-9][0-9.eE+-]*)', 1) as double) = try_cast(value as double)
            then regexp_extract(line, '"' || field || '"\\s*:\\s*(-?[0-9][0-9.eE+-]*)', 1)
        else value
    end
"""


def link(file_no: int, file: LandingFile, folder: Path) -> Path:
    """A link with a name of our own, so that no landing name is ever read as a glob pattern or a quote."""
    suffix = {"none": "", "gzip": ".gz", "zstd": ".zst"}[file.compression]
    target = folder / f"{file_no:06d}.{file.format}{suffix}"
    target.unlink(missing_ok=True)
    target.symlink_to(file.path)
    return target


def open_source(connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path) -> TextRows:
    """Look at a source once: count its rows, tell its entities, and make it readable. Raises UnreadableFile.

    `scratch` takes the rewritten copy of a file that only the salvage path can read.
    """
    file_format = source.files[0][1].format
    if file_format == "parquet":
        return _open_parquet(connection, source)
    for _, file in source.files:
        _refuse_foreign(file)
        if file.compression == "zstd":
            _refuse_truncated_zstd(file.path)
    if file_format == "csv":
        return _open_csv(connection, source, scratch)
    return _open_jsonl(connection, source, scratch)


def _open_jsonl(connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path) -> TextRows:
    import duckdb  # noqa: PLC0415

    try:
        return _json_rows(connection, _lines(source, numbered=False), _lines(source, numbered=True))
    except duckdb.Error as error:
        if len(source.files) > 1:
            raise UnreadableFile(str(error)) from error  # the caller tries the files one by one
        if "unicode" not in str(error) and "utf-8" not in str(error).lower():
            raise UnreadableFile(_first_line(error)) from error
    file_no, file = source.files[0]
    relation = _salvaged(scratch, file_no, _salvage_lines(file))
    return _json_rows(connection, relation, relation)


def _lines(source: Source, *, numbered: bool) -> str:
    """SQL of the non-blank lines. Numbering them is a sequential window over the whole file, so it is done on request only."""
    lines = _LINES.format(
        paths=string_list(source.links), compression=literal(source.files[0][1].compression)
    )
    file_no = (
        f"{source.files[0][0]}::integer"
        if len(source.files) == 1
        else "regexp_extract(filename, '/([0-9]+)[.][a-z.]+$', 1)::integer"
    )
    rows = f"select {file_no} as file_no, 0::bigint as line_number, line from {lines}"
    if numbered:
        rows = f"""
            select file_no, row_number() over (partition by file_no order by ordinal) as line_number, line
            from (select {file_no} as file_no, row_number() over () as ordinal, line from {lines})
        """
    return f"""
        select file_no, line_number, line as raw, line, null::varchar as problem
        from ({rows})
        where trim(line, ' \t\r') <> ''
    """


def _json_rows(connection: duckdb.DuckDBPyConnection, relation: str, numbered: str) -> TextRows:
    """Count the lines, and tell the majority by the first ones; a wrong guess costs a second pass, never a row."""
    rows = connection.execute(f"select file_no, count(*) from ({relation}) group by file_no").fetchall()
    spans = connection.execute(f"""
        select coalesce(count(*) filter (contains(raw, '"span_id"')) * 2 > count(*), false)
        from (select raw from ({relation}) limit 200)
    """).fetchone()
    return TextRows(dict(rows), SPANS if spans and spans[0] else RUNS, relation, numbered, None, True)


def _any_object(connection: duckdb.DuckDBPyConnection, relation: str) -> bool:
    found = connection.execute(f"select 1 from ({relation}) where json_valid(raw) limit 1").fetchone()
    return found is not None


def _open_parquet(connection: duckdb.DuckDBPyConnection, source: Source) -> TextRows:
    import duckdb  # noqa: PLC0415

    file_no, _ = source.files[0]
    scan = f"read_parquet({literal(source.links[0])}, file_row_number = true)"
    try:
        described = connection.execute(f"describe select * from {scan}").fetchall()
        columns = [(str(row[0]), str(row[1])) for row in described if row[0] != "file_row_number"]
        entity = _entity_of_columns([name for name, _ in columns])
        texts = ", ".join(f"{_column_text(name, kind)} as {identifier(name)}" for name, kind in columns)
        relation = (
            f"select {file_no}::integer as file_no, file_row_number + 1 as line_number, {texts} from {scan}"
        )
        rows = _count(connection, relation)
    except duckdb.Error as error:
        raise UnreadableFile(_first_line(error)) from error
    return TextRows({file_no: rows}, entity, relation, relation, tuple(name for name, _ in columns))


def _column_text(name: str, kind: str) -> str:
    """A Parquet column as text. Nested values become JSON; NaN has no meaning in any field and stays as a text that is refused."""
    column = identifier(name)
    nested = kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]")
    if nested:
        return f"to_json({column})::varchar"
    return f"{column}::varchar"


def _entity_of_columns(columns: list[str]) -> Entity:
    """The entity a table's columns are of. Raises UnreadableFile naming the required columns that are missing."""
    lowered = [name.lower() for name in columns]
    if doubled := sorted({name for name in lowered if lowered.count(name) > 1}):
        raise UnreadableFile(f"the column {doubled[0]!r} stands twice")
    entity = SPANS if "span_id" in lowered else RUNS
    sources = {item.name: {source.partition(".")[0] for source in item.read_from} for item in entity.fields}
    missing = [name for name in entity.required if not sources[name] & set(lowered)]
    if missing:
        raise UnreadableFile(
            f"as {entity.name} it lacks the required column{'s'[: len(missing) > 1]} {', '.join(missing)}"
        )
    return entity


def _open_csv(connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path) -> TextRows:
    import duckdb  # noqa: PLC0415

    file_no, file = source.files[0]
    columns, delimiter = _csv_header(file)
    entity = _entity_of_columns(columns)
    declared = "{" + ", ".join(f"{literal(name)}: 'varchar'" for name in columns) + "}"
    scan = (
        f"read_csv({string_list(source.links)}, columns = {declared}, header = true, delim = {literal(delimiter)}, quote = '\"', "
        f"escape = '\"', auto_detect = false, max_line_size = 67108864, compression = {literal(file.compression)})"
    )
    newlines = " + ".join(f"length({c}) - length(replace({c}, chr(10), ''))" for c in map(_cell, columns))
    number = f"""
        row_number() over () + 1
            + coalesce(sum({newlines}) over (rows between unbounded preceding and 1 preceding), 0)::bigint
    """
    cells = ", ".join(f"nullif({identifier(name)}, '') as {identifier(name)}" for name in columns)
    plain, numbered = (
        f"select {file_no}::integer as file_no, {line_number} as line_number, {cells} from {scan}"
        for line_number in ("0::bigint", number)
    )
    try:
        rows = _count(connection, f"select {identifier(columns[0])} from {scan}")
    except duckdb.Error as error:
        if "gzip" in str(error).lower():
            raise UnreadableFile(_first_line(error)) from error
        relation = _salvaged(scratch, file_no, _salvage_csv(file, columns, delimiter))
        return TextRows({file_no: _count(connection, relation)}, entity, relation, relation, None)
    return TextRows({file_no: rows}, entity, plain, numbered, tuple(columns))


def _cell(name: str) -> str:
    return f"coalesce({identifier(name)}, '')"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from ({relation})").fetchone()
    return int(row[0]) if row else 0


def _csv_header(file: LandingFile) -> tuple[list[str], str]:
    """Column names and delimiter from the first line. The delimiter is the one that yields the most contract fields."""
    try:
        with _open_bytes(file) as stream:
            first = stream.readline(1 << 20).decode("utf-8-sig").rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"its header cannot be read: {error}") from error
    fields = {name for entity in ENTITIES for name in entity.source_fields}
    readings = [(next(csv.reader([first], delimiter=delimiter), []), delimiter) for delimiter in ",;\t|"]
    columns, delimiter = max(
        readings, key=lambda reading: len(fields & {name.strip().lower() for name in reading[0]})
    )
    columns = [name.strip() for name in columns]
    if not columns or any(not name for name in columns):
        raise UnreadableFile(f"its header has an empty column name: {first[:80]!r}")
    return columns, delimiter


def _refuse_foreign(file: LandingFile) -> None:
    if file.compression == "none":
        with file.path.open("rb") as stream:
            magic = stream.read(4)
        if magic in _MAGIC:
            raise UnreadableFile(f"it is {_MAGIC[magic]}, not {file.format}")


def _refuse_truncated_zstd(path: Path) -> None:
    """DuckDB reads a truncated .zst up to the break without an error, which would lose rows silently."""
    import zstandard  # noqa: PLC0415

    with path.open("rb") as stream:
        pending = stream.read(1 << 20)
        while pending:
            frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                while not frame.eof:
                    if not pending:
                        raise UnreadableFile(
                            "the zstd stream ends in the middle: the file is truncated, send it again"
                        )
                    frame.decompress(pending)
                    pending = frame.unused_data if frame.eof else stream.read(1 << 20)
            except zstandard.ZstdError as error:
                raise UnreadableFile(f"not a valid zstd stream: {error}") from error
            pending = pending or stream.read(1 << 20)


def _open_bytes(file: LandingFile) -> BinaryIO:
    if file.compression == "gzip":
        return gzip.open(file.path, "rb")  # type: ignore[return-value]
    if file.compression == "zstd":
        import zstandard  # noqa: PLC0415

        reader = zstandard.ZstdDecompressor().stream_reader(file.path.open("rb"), read_across_frames=True)
        return io.BufferedReader(reader)  # type: ignore[arg-type]
    return file.path.open("rb")


# -- salvage: only for a file that DuckDB refuses as a whole because of single bad lines -------------------------------------------


@dataclass(frozen=True)
class _Salvaged:
    line_number: int
    raw: str
    line: str | None
    problem: str | None


def _salvaged(scratch: Path, file_no: int, rows: Iterator[_Salvaged]) -> str:
    """Write salvaged rows as JSON Lines of our own making and return the relation that reads them."""
    path = scratch / f"salvaged-{file_no:06d}.jsonl"
    try:
        with path.open("w", encoding="utf-8") as stream:
            for row in rows:
                json.dump(
                    {"n": row.line_number, "raw": row.raw, "line": row.line, "problem": row.problem}, stream
                )
                stream.write("\n")
    except (OSError, EOFError) as error:
        raise UnreadableFile(str(error)) from error
    return f"""
        select {file_no}::integer as file_no, n as line_number, raw, line, problem
        from read_json(
            {literal(path)}, format = 'newline_delimited', maximum_object_size = 268435456,
            columns = {{'n': 'bigint', 'raw': 'varchar', 'line': 'varchar', 'problem': 'varchar'}}
        )
    """


def _salvage_lines(file: LandingFile) -> Iterator[_Salvaged]:
    """Lines of a file with bytes that are no UTF-8: those lines are quarantined, the others read as usual."""
    with _open_bytes(file) as stream:
        for number, data in enumerate(stream, start=1):
            stripped = data.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")
            if not stripped.strip():
                continue
            try:
                text = stripped.decode("utf-8")
                yield _Salvaged(number, text, text, None)
            except UnicodeDecodeError:
                yield _Salvaged(number, stripped.decode("utf-8", errors="replace"), None, Reason.NOT_UTF8)


def _salvage_csv(file: LandingFile, columns: list[str], delimiter: str) -> Iterator[_Salvaged]:
    """Rows of a CSV file with rows that do not fit: a line that starts no whole row is quarantined alone, reading goes on after it."""
    with _open_bytes(file) as stream:
        lines = list(_decoded(stream))
    index = 1
    while index < len(lines):
        text, clean = lines[index]
        if not text.strip():
            index += 1
            continue
        taken, cells = _csv_row(lines, index, delimiter, len(columns))
        if not clean or cells is None:
            problem = Reason.MALFORMED_ROW if clean else Reason.NOT_UTF8
            yield _Salvaged(index + 1, text, None, problem)
            index += 1
            continue
        raw = "\n".join(line for line, _ in lines[index : index + taken])
        row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell != ""}
        yield _Salvaged(index + 1, raw, json.dumps(row), None)
        index += taken


def _decoded(stream: BinaryIO) -> Iterator[tuple[str, bool]]:
    for data in stream:
        stripped = data.rstrip(b"\r\n")
        try:
            yield stripped.decode("utf-8"), True
        except UnicodeDecodeError:
            yield stripped.decode("utf-8", errors="replace"), False


_MAX_LINES_PER_ROW = 1000


def _csv_row(
    lines: list[tuple[str, bool]], index: int, delimiter: str, width: int
) -> tuple[int, list[str] | None]:
    """How many lines the row that starts at `index` takes, and its cells; None where no row of that width starts there."""
    text = lines[index][0]
    taken = 1
    while (
        text.count('"') % 2
        and taken < _MAX_LINES_PER_ROW
        and index + taken < len(lines)
        and lines[index + taken][1]
    ):
        text += "\n" + lines[index + taken][0]
        taken += 1
    try:
        parsed = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return taken, None
    return taken, parsed[0] if len(parsed) == 1 and len(parsed[0]) == width else None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
