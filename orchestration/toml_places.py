"""On which line of a TOML file each key stands: `tomllib` does not tell. Standard library only: settings use it."""

from __future__ import annotations

import tomllib
from typing import Any


def lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """First line of every key and table of a valid TOML text, by its path; the items of an array of tables count from 0.

    The text is cut into statements: the fewest lines that are valid TOML on their own. So whatever a value contains is not
    taken for a key.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        end, statement = start, None
        while statement is None and end < len(lines):
            end += 1
            try:
                statement = tomllib.loads("\n".join(lines[start:end]).strip("\r"))
            except tomllib.TOMLDecodeError:
                continue
        if statement:
            if lines[start].lstrip().startswith("["):
                table = _header(statement, found)
                for depth in range(1, len(table) + 1):
                    found.setdefault(table[:depth], start + 1)
            else:
                _collect(statement, table, start + 1, found)
        start = end
    return found


def _header(statement: Any, found: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """Path of a `[table]`, or of the next item of an `[[array]]`."""
    path: tuple[str, ...] = ()
    while statement:
        if isinstance(statement, list):
            number = 0
            while (*path, str(number)) in found:
                number += 1
            path, statement = (*path, str(number)), statement[0]
        else:
            ((key, statement),) = statement.items()
            path = (*path, key)
    return path


def _collect(value: Any, path: tuple[str, ...], line: int, found: dict[tuple[str, ...], int]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            found.setdefault((*path, key), line)
            _collect(item, (*path, key), line, found)
