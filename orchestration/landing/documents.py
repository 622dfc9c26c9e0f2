"""How records lie in a JSON file, told from its beginning; and reading files that are no JSON Lines record by record.

What belongs here: layouts of JSON text. What does not: what a record means (`formats`), the bytes of a file (`streams`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestration.landing import salvage, streams
from orchestration.landing.contract import Reason
from orchestration.landing.files import LandingFile
from orchestration.landing.formats.base import Layout, Sniff
from orchestration.sql import literal

_HEAD_BYTES = 256 << 10
_HEAD_LINES = 64
"""Of JSON Lines no more are looked at: their keys repeat, and to read 256 KiB of short ones takes 21 ms a file."""
_MAX_DEPTH = 6
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


def sniff(file: LandingFile) -> Sniff:
    """Layout and first keys of a JSON text file. Damage further on is not noticed here; an unreadable beginning has no keys."""
    try:
        with streams.open_bytes(file) as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", errors="replace").removeprefix("\ufeff")
    except (streams.UnreadableFileError, OSError):
        return Sniff("lines", frozenset())
    layout = _layout(head)
    if layout == "lines":
        head = "\n".join(head.split("\n", _HEAD_LINES)[:_HEAD_LINES])
    return Sniff(layout, paths_of(head))


def _layout(head: str) -> Layout:
    text = head.lstrip()
    if text.startswith("["):
        return "array"
    first, _, rest = text.partition("\n")
    # A pretty-printed document opens on a line of its own, or goes on with an indented line.
    is_open = first.strip() in ("{", "") or (not first.rstrip().endswith("}") and rest[:1] in (" ", "\t"))
    return "document" if text.startswith("{") and is_open and rest else "lines"


def paths_of(text: str) -> frozenset[str]:
    """The keys that objects of a JSON text have, with those they lie under; the elements of a top-level list count as records.

    Reads as far as the text goes: a broken end is as good as an end.
    """
    found: set[str] = set()
    stack: list[tuple[str, bool]] = []  # the path of each open object or list, and whether it is a list
    key = ""
    last_text = ""
    for match in _TOKEN.finditer(text):
        mark = match[0]
        inside_list = bool(stack) and stack[-1][1]
        if mark == ":" and stack and not inside_list and last_text:
            key = last_text[1:-1]
            if len(stack) <= _MAX_DEPTH:
                found.add(_join(stack[-1][0], key))
        elif mark in "{[":
            if not stack or len(stack) > _MAX_DEPTH:
                # Nothing so deep is named; its path would grow with each of a hundred thousand brackets (20 GB were copied).
                path = ""
            elif inside_list:
                path = stack[-1][0]
            else:
                path = _join(stack[-1][0], key)
            stack.append((path if mark == "{" or not path else f"{path}[]", mark == "["))
        elif mark in "}]" and stack:
            stack.pop()
        last_text = mark if mark.startswith('"') else ""
    return frozenset(found)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def pieces(
    file_no: int, file: LandingFile, scratch: Path, split_at: tuple[str, ...], *, are_lines: bool
) -> str:
    """The relation of a JSON file's records, cut up in Python: for a file that DuckDB refuses, or of which one record is too large.

    Gives file_no, line_number, record and problem. `line_number` is the line's where records lie in lines, else the number of the
    piece. Where a document is damaged, what stands before the damage is read, and the rest is one record with a problem.
    """
    target = scratch / f"pieces-{file_no:06d}.jsonl"
    longest = 1 << 20
    with target.open("w", encoding="utf-8") as stream:
        for number, record, problem in _records(file, split_at, are_lines=are_lines):
            longest = max(
                longest, stream.write(json.dumps({"n": number, "record": record, "problem": problem}) + "\n")
            )
    return f"""
        select {file_no} as file_no, n as line_number, record, problem
        from read_json(
            {literal(target)}, format = 'newline_delimited', maximum_object_size = {4 * longest + 2},
            columns = {{'n': 'bigint', 'record': 'varchar', 'problem': 'varchar'}}
        )
    """


_Record = tuple[int, str, str | None]


def _records(file: LandingFile, split_at: tuple[str, ...], *, are_lines: bool) -> Iterator[_Record]:
    if not are_lines:
        with streams.open_bytes(file) as stream:
            reader = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
            for number, (record, problem) in enumerate(_Cutter(reader.read, split_at).records(), start=1):
                yield number, record, problem
        return
    for number, line in enumerate(salvage.raw_lines(file), start=1):
        if not line.text.strip():
            continue
        if not line.is_utf8:
            yield number, line.text, Reason.NOT_UTF8
            continue
        if len(line.text) <= salvage.HUGE_LINE_BYTES:
            yield number, line.text.rstrip("\r\n"), None
            continue
        for record, problem in _Cutter(io.StringIO(line.text).read, split_at).records():
            yield number, record, problem


_READ_CHARACTERS = 1 << 20
_PIECE_CHARACTERS = 1 << 20
_RAW_CHARACTERS = 10_000
_SPACE = re.compile(r"[ \t\r\n]*")


class _DamagedError(ValueError):
    """The text is no JSON from here on."""


class _Cutter:
    """Cuts JSON documents that follow one another into records of about a megabyte. Holds one piece and what stands beside its list."""

    def __init__(self, read: Callable[[int], str], split_at: tuple[str, ...]) -> None:
        self._read = read
        self._split_at = frozenset(split_at)
        self._buffer = ""
        self._at = 0
        self._is_at_end = False
        self._decoder = json.JSONDecoder()

    def records(self) -> Iterator[tuple[str, str | None]]:
        """Each record's text, and why it is none."""
        try:
            while self._peek():
                if self._peek() == "[":
                    yield from ((text, None) for text in self._elements())
                elif self._peek() == "{":
                    yield from ((text, None) for text in self._object(""))
                else:
                    raise _DamagedError
        except (_DamagedError, RecursionError):
            self._fill(_RAW_CHARACTERS)
            yield self._buffer[self._at : self._at + _RAW_CHARACTERS], Reason.BROKEN_DOCUMENT

    def _fill(self, characters: int) -> None:
        """Have that many characters before us, if there are."""
        while not self._is_at_end and len(self._buffer) - self._at < characters:
            more = self._read(max(_READ_CHARACTERS, characters - len(self._buffer) + self._at))
            self._is_at_end = not more
            self._buffer = self._buffer[self._at :] + more
            self._at = 0

    def _peek(self) -> str:
        """The next mark that is no space; empty at the end."""
        while True:
            self._fill(1)
            self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._is_at_end:
                return ""

    def _take(self, marks: str) -> str:
        mark = self._peek()
        if not mark or mark not in marks:
            raise _DamagedError
        self._at += 1
        return mark

    def _value(self) -> str:
        """The text of the next value, whole."""
        self._peek()
        wanted = _READ_CHARACTERS
        while True:
            self._fill(wanted)
            try:
                _, end = self._decoder.raw_decode(self._buffer, self._at)
            except ValueError as error:
                end = -1
                if self._is_at_end:
                    raise _DamagedError from error
            # A number at the end of what is read may go on.
            if 0 <= end < len(self._buffer) or (end >= 0 and self._is_at_end):
                text = self._buffer[self._at : end]
                self._at = end
                return text
            wanted = 2 * max(wanted, len(self._buffer) - self._at)
            if wanted > 8 * streams.MAX_LINE_BYTES:
                raise _DamagedError

    def _elements(self) -> Iterator[str]:
        """The elements of a list, each a record."""
        self._take("[")
        while self._peek() != "]":
            if self._peek() == "{":
                yield from self._object("")
            else:
                yield self._value()
            if self._peek() == ",":
                self._take(",")
        self._take("]")

    def _object(self, path: str) -> Iterator[str]:
        """An object in pieces: cut at the lists that may be cut; what stands beside them is repeated with each."""
        self._take("{")
        beside: list[str] = []
        was_cut = False
        while self._peek() != "}":
            name = json.loads(self._value_of_name())
            self._take(":")
            below = f"{path}.{name}" if path else name
            if f"{below}[]" in self._split_at and self._peek() == "[":
                was_cut = True
                for piece in self._cut_list(f"{below}[]"):
                    yield "{" + ",".join([*beside, f"{json.dumps(name)}:[{piece}]"]) + "}"
            else:
                value = self._value()
                if was_cut and value[:1] in ("{", "["):
                    raise streams.UnreadableFileError(
                        f"'{below}' stands after the list that it belongs to, in a document too large to be read whole: "
                        "export smaller files, or one request per line"
                    )
                beside.append(f"{json.dumps(name)}:{value}")
            if self._peek() == ",":
                self._take(",")
        self._take("}")
        if not was_cut:
            yield "{" + ",".join(beside) + "}"

    def _value_of_name(self) -> str:
        if self._peek() != '"':
            raise _DamagedError
        return self._value()

    def _cut_list(self, path: str) -> Iterator[str]:
        """The inside of a list, some elements at a time."""
        self._take("[")
        held: list[str] = []
        size = 0
        is_cut_further = any(other.startswith(path + ".") for other in self._split_at)
        try:
            while self._peek() != "]":
                if is_cut_further and self._peek() == "{":
                    yield from self._object(path)
                else:
                    held.append(self._value())
                    size += len(held[-1])
                    if size >= _PIECE_CHARACTERS:
                        yield ",".join(held)
                        held, size = [], 0
                if self._peek() == ",":
                    self._take(",")
            self._take("]")
        except _DamagedError:
            if held:
                yield ",".join(held)
            raise
        if held:
            yield ",".join(held)
