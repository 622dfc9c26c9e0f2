"""How records lie in a JSON file, told from its beginning; and reading files that are no JSON Lines record by record.

What belongs here: layouts of JSON text. What does not: what a record means (`formats`), the bytes of a file (`streams`).
"""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.landing import streams
from orchestration.landing.files import LandingFile
from orchestration.landing.formats.base import Layout, Sniff

_HEAD_BYTES = 256 << 10
_MAX_DEPTH = 6
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


def sniff(file: LandingFile) -> Sniff:
    """Layout and first keys of a JSON text file. Damage further on is not noticed here; an unreadable beginning has no keys."""
    try:
        with streams.open_bytes(file) as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", errors="replace").removeprefix("\ufeff")
    except (streams.UnreadableFileError, OSError):
        return Sniff("lines", frozenset())
    return Sniff(_layout(head), paths_of(head))


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
            if not stack:
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


def pieces(file_no: int, file: LandingFile, scratch: Path, split_at: tuple[str, ...]) -> str:
    """The relation of a JSON file's records, cut up in Python: for a file that DuckDB refuses, or of which one record is too large.

    Gives file_no, line_number (the record's line, or its number in a list), record and problem.
    """
    raise NotImplementedError
