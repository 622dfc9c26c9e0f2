"""Small tables that users write, as CSV or YAML: every value as text with its line, every fault with its line.

What belongs here: getting from a file to rows, and the error that lists what is wrong in it. What a cell means is in
`cells.py`; which columns there are, in the module of each kind of file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.exact import shown

EXTENSIONS = (".csv", ".yaml", ".yml")
MAX_BYTES = 64 << 20
"""A mistaken path to an export must not fill the memory; no such table comes near this."""
SHOWN_FAULTS = 20

_YAML_NULL = "tag:yaml.org,2002:null"
_PAIR = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing to mend. Line 0: the file as a whole."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.column) if part)
        return f"{place}: {self.reason}" if place else self.reason


class UserFileError(ValueError):
    """A file of the user cannot be used. The message has a line for each fault: file, line, column, reason."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(sorted(faults))
        lines = [f"{path}{', ' if fault.line or fault.column else ': '}{fault}" for fault in self.faults]
        if len(lines) > SHOWN_FAULTS:
            lines[SHOWN_FAULTS:] = [f"{path}: and {len(lines) - SHOWN_FAULTS} more"]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Column:
    """A column of a kind of file."""

    name: str
    #: For the documentation.
    description: str
    is_required: bool = False
    #: Other names that it may have.
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row: the text of every known column, trimmed, empty where the file has none."""

    line: int
    cells: Mapping[str, str]
    #: Lines of single cells, where they differ from that of the row.
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, column: str) -> int:
        """The line to mend for a fault in this column."""
        return self.lines.get(column, self.line)


@dataclass
class Table:
    """The rows of a file, and the faults found in it so far: readers add theirs and end with `check`."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    #: Columns that the file has.
    columns: frozenset[str] = frozenset()
    faults: list[Fault] = field(default_factory=list)

    def fault(self, line: int, column: str, reason: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(line, column, reason))

    def check(self) -> None:
        """Raise UserFileError if anything is wrong."""
        if self.faults:
            raise UserFileError(self.path, self.faults)


def read(path: Path, columns: Sequence[Column], *, ignore_others: bool = False) -> Table:
    """Read a table. Column names are compared without case, blanks and punctuation; rows without any value are skipped.

    Faults of single rows are left in the table, so that those of their cells can be told together. Raises UserFileError
    where there are no rows to speak of: unreadable, empty, not CSV or YAML, unknown or missing columns.
    """
    table = Table(path)
    text = _text(table)
    table.check()
    if path.suffix.lower() == ".csv":
        _read_csv(table, text, columns, ignore_others)
    else:
        _read_yaml(table, text, columns, ignore_others)
    return table


def _text(table: Table) -> str:
    """The text of the file; a fault where there is none."""
    path = table.path
    if path.suffix.lower() not in EXTENSIONS:
        table.fault(0, "", f"the name must end in {', '.join(EXTENSIONS)}")
        return ""
    try:
        if path.stat().st_size > MAX_BYTES:
            table.fault(0, "", f"larger than {MAX_BYTES >> 20} MiB: is it the right file?")
            return ""
        content = path.read_bytes()
    except OSError as error:
        table.fault(0, "", f"cannot be read: {error.strerror or error}")
        return ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        table.fault(line, "", "not UTF-8 text: save it with the encoding UTF-8")
        return ""
    if not text.strip():
        table.fault(0, "", "the file is empty")
    return text


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def _known(columns: Sequence[Column]) -> dict[str, str]:
    """Column by each spelling of its name."""
    return {spelling: column.name for column in columns for spelling in (column.name, *column.aliases)}


def _unknown(name: str, columns: Sequence[Column]) -> str:
    return f"unknown column {shown(name)}; known are {', '.join(column.name for column in columns)}"


# -- CSV -----------------------------------------------------------------------------------------------------------------------


def _read_csv(table: Table, text: str, columns: Sequence[Column], ignore_others: bool) -> None:
    records = _records(table, text)
    line, header = next(records, (1, []))
    places = _header(table, line, header, columns, ignore_others)
    table.check()
    table.columns = frozenset(places)
    for line, values in records:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            hint = ": a value that contains a comma needs double quotes" if len(values) > len(header) else ""
            table.fault(line, "", f"{len(values)} values where the header has {len(header)}{hint}")
            continue
        cells = {column.name: "" for column in columns}
        cells.update({name: values[place].strip() for name, place in places.items()})
        table.rows.append(Row(line, cells))


def _records(table: Table, text: str) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank lines, each with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        table.fault(line, "", f"not CSV: {error}; a double quote within a quoted value is written twice")


def _header(
    table: Table, line: int, header: Sequence[str], columns: Sequence[Column], ignore_others: bool
) -> dict[str, int]:
    """Position of each known column."""
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        table.fault(line, "", f"the columns are separated by {other[0]!r}: separate them by commas")
        return {}
    known = _known(columns)
    places: dict[str, int] = {}
    for place, title in enumerate(header):
        name = known.get(_folded(title))
        if name is None:
            if not ignore_others:
                table.fault(line, "", _unknown(title, columns))
        elif name in places:
            table.fault(line, name, f"columns {shown(header[places[name]])} and {shown(title)} say the same")
        else:
            places[name] = place
    missing = [column.name for column in columns if column.is_required and column.name not in places]
    if missing:
        table.fault(line, "", f"missing column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return places


# -- YAML ----------------------------------------------------------------------------------------------------------------------


def _read_yaml(table: Table, text: str, columns: Sequence[Column], ignore_others: bool) -> None:
    """A list of entries. Nodes are read, not values: a number keeps its digits, and a date is no object."""
    document = _document(table, text)
    table.check()
    if document is None or not _is(document, "sequence"):
        table.fault(1, "", "must be a list of entries: '- model: …', and its further columns below")
        table.check()
    known = _known(columns)
    found: set[str] = set()
    for entry in document.value:
        line = entry.start_mark.line + 1
        if not _is(entry, "mapping"):
            table.fault(line, "", "an entry must be a mapping of columns to values")
            continue
        cells, lines = {column.name: "" for column in columns}, {}
        for key, value in entry.value:
            key_line = key.start_mark.line + 1
            title = key.value if _is(key, "scalar") else "?"
            name = known.get(_folded(title))
            if name is None:
                if not ignore_others:
                    table.fault(key_line, "", _unknown(title, columns))
            elif name in lines:
                table.fault(key_line, name, "is there twice in one entry")
            else:
                lines[name] = key_line
                if not _is(value, "scalar"):
                    table.fault(key_line, name, "must be a single value, not a list or mapping")
                elif value.tag != _YAML_NULL:
                    cells[name] = value.value.strip()
        found |= set(lines)
        if any(cells.values()):
            table.rows.append(Row(line, cells, lines))
    table.columns = frozenset(found)


def _document(table: Table, text: str) -> Any:
    """The root node."""
    import yaml  # noqa: PLC0415 - only for files in YAML

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        table.fault(mark.line + 1 if mark else 0, "", f"not YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        table.fault(line, "", f"not YAML: the character {chr(error.character)!r} is not allowed")
    except RecursionError:
        table.fault(0, "", "not a table: nested too deeply")
    return None


def _is(node: Any, kind: str) -> bool:
    return bool(node.id == kind)
