"""Reading a text file row by row: where single bad lines make DuckDB refuse it, or huge ones cost too much
memory.

The rows are written as JSON Lines of our own making, which DuckDB then reads like any other. Lines end as in
DuckDB: with LF, CR LF or CR. Memory is bounded by one row. Nothing here decides whether a row conforms.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.landing import streams
from orchestration.landing.contract import Reason
from orchestration.landing.files import LandingFile
from orchestration.landing.streams import MAX_LINE_BYTES
from orchestration.sql import literal

csv.field_size_limit(MAX_LINE_BYTES)  # the module's own 128 KiB would refuse cells that DuckDB reads
HUGE_LINE_BYTES = 4 << 20
_MAX_LINES_PER_ROW = 1000
_MAX_ROW_CHARACTERS = 4 << 20
_BOM = "\ufeff"


class NeedsSalvageError(Exception):
    """This source must be read again, line by line: the fast way cannot tell what was asked."""


@dataclass(frozen=True)
class _Row:
    line_number: int
    raw: str
    line: str | None
    problem: str | None
    unknown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A line with its end, and whether its bytes are UTF-8."""

    text: str
    is_utf8: bool


def lines(file_no: int, file: LandingFile, scratch: Path, known: Set[str]) -> str:
    """The relation of a JSON Lines file's lines. Those that are no UTF-8 get that problem.

    DuckDB takes 2 GB to pick a field of 30 MB out of a line. From huge lines the fields that are not `known`
    are taken out here: `unknown` is the inside of a JSON object with them, `unknown_names` are their names.
    """
    return _written(scratch, file_no, _json_rows(file, known))


def csv_rows(file_no: int, file: LandingFile, scratch: Path, columns: list[str], delimiter: str) -> str:
    """The relation of a CSV file's rows as JSON objects. A line that starts no whole row is a problem."""
    return _written(scratch, file_no, _csv_rows(file, columns, delimiter))


def _written(scratch: Path, file_no: int, rows: Iterator[_Row]) -> str:
    path = scratch / f"salvaged-{file_no:06d}.jsonl"
    longest = 1 << 20
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            document = {
                "n": row.line_number,
                "raw": row.raw,
                "line": row.line,
                "problem": row.problem,
                "unknown": ",".join(f"{json.dumps(name)}:{text}" for name, text in row.unknown.items())
                or None,
                "names": list(row.unknown) or None,
            }
            longest = max(longest, stream.write(json.dumps(document) + "\n"))
    return f"""
        select
            {file_no}::integer as file_no,
            n as line_number,
            raw,
            line,
            problem,
            unknown,
            names as unknown_names
        from read_json(
            {literal(path)}, format = 'newline_delimited', maximum_object_size = {longest + 2},
            columns = {{
                'n': 'bigint', 'raw': 'varchar', 'line': 'varchar', 'problem': 'varchar',
                'unknown': 'varchar', 'names': 'varchar[]'
            }}
        )
    """


def _json_rows(file: LandingFile, known: Set[str]) -> Iterator[_Row]:
    for number, line in enumerate(raw_lines(file), start=1):
        text = line.text.rstrip("\r\n")
        if text.strip(" \t\r"):
            if not line.is_utf8:
                yield _Row(number, text, None, Reason.NOT_UTF8)
            elif len(text) > HUGE_LINE_BYTES and (split := _split(text, known)):
                yield _Row(number, text, split[0], None, split[1])
            else:
                yield _Row(number, text, text, None)


_SPACE = re.compile(r"[ \t\r\n]*")


def _split(text: str, known: Set[str]) -> tuple[str, dict[str, str]] | None:
    """A JSON object as an object of its known fields, and the text of each other field.

    None for what is no JSON object: the usual way finds out why.
    """
    constants: list[str] = []

    def at_mark(position: int, marks: str) -> int:
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]
        if text[position : position + 1] not in marks or position >= len(text):
            raise ValueError
        return position

    kept: list[str] = []
    others: dict[str, str] = {}
    decoder = json.JSONDecoder(parse_constant=constants.append)
    try:
        position = at_mark(0, "{")
        while text[position] != "}":
            start = at_mark(position + 1, '"')
            name, end = decoder.raw_decode(text, start)
            value = _SPACE.match(text, at_mark(end, ":") + 1).end()  # type: ignore[union-attr]
            constants.clear()
            _, end = decoder.raw_decode(text, value)
            if name in known:
                kept.append(f"{json.dumps(name)}:{text[value:end]}")
            else:  # NaN is no JSON for others: see strict_json
                others.setdefault(name, json.dumps(text[value:end]) if constants else text[value:end])
            position = at_mark(end, ",}")
        if text[position + 1 :].strip(" \t"):
            return None
    except (ValueError, RecursionError):
        return None
    return "{" + ",".join(kept) + "}", others


def _csv_rows(file: LandingFile, columns: list[str], delimiter: str) -> Iterator[_Row]:
    source = enumerate(raw_lines(file), start=1)
    next(source, None)
    ahead: list[tuple[int, Line]] = []
    while True:
        if not ahead:
            following = next(source, None)
            if following is None:
                return
            ahead.append(following)
        number, line = ahead[0]
        if not line.text.strip(" \t\r\n"):
            ahead.pop(0)
            continue
        taken, cells = _csv_row(ahead, source, delimiter) if line.is_utf8 else (1, None)
        if cells is None or len(cells) != len(columns):
            problem = Reason.MALFORMED_ROW if line.is_utf8 else Reason.NOT_UTF8
            yield _Row(number, line.text.rstrip("\r\n"), None, problem)
            ahead.pop(0)
            continue
        raw = "".join(text.text for _, text in ahead[:taken]).rstrip("\r\n")
        row = {name: _embedded(cell) for name, cell in zip(columns, cells, strict=True) if cell != ""}
        yield _Row(number, raw, json.dumps(row), None)
        del ahead[:taken]


def _embedded(cell: str) -> str | dict[str, object] | list[object]:
    """A cell as it stands, or the object or array that it spells."""
    if cell.lstrip()[:1] not in ("{", "["):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, (dict, list)) else cell


def _csv_row(
    ahead: list[tuple[int, Line]], source: Iterator[tuple[int, Line]], delimiter: str
) -> tuple[int, list[str] | None]:
    """How many lines the row takes that starts with `ahead`, and its cells; None where no row starts there.

    Lines are pulled from `source` into `ahead` while a quoted cell is open.
    """
    text = ahead[0][1].text
    taken = 1
    while True:
        try:
            parsed = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
            return taken, parsed[0] if len(parsed) == 1 else None
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                return taken, None
        closed = False
        while not closed:  # only a line with a quote can end the open cell
            if taken >= _MAX_LINES_PER_ROW or len(text) > _MAX_ROW_CHARACTERS:
                return 1, None
            if taken == len(ahead):
                following = next(source, None)
                if following is None:
                    return 1, None
                ahead.append(following)
            line = ahead[taken][1]
            if not line.is_utf8:
                return 1, None
            text += line.text
            taken += 1
            closed = '"' in line.text


def raw_lines(file: LandingFile) -> Iterator[Line]:
    """The file's lines with their ends, bytes that are no UTF-8 replaced and told."""
    with streams.open_bytes(file) as stream:
        reader = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
        is_first = True
        while text := reader.readline():  # `measure` has refused lines that are too long
            if is_first:
                text = text.removeprefix(_BOM)
                is_first = False
            data = text.encode("utf-8", errors="surrogateescape")
            try:
                yield Line(data.decode("utf-8"), True)
            except UnicodeDecodeError:
                yield Line(data.decode("utf-8", errors="replace"), False)
