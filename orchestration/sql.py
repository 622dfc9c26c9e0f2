"""Quoting for generated SQL and the one way to open a DuckDB connection. No SQL text of the pipeline lives
here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings


def literal(value: object) -> str:
    """A value as a SQL string literal; quotes doubled, so data can never end the literal."""
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def string_list(values: Iterable[object]) -> str:
    """Values as a SQL list of string literals: `['a', 'b']`."""
    return "[" + ", ".join(literal(value) for value in values) + "]"


def joined(parts: Iterable[str]) -> str:
    """SQL of the texts that are not null, with commas between; null where there is none.

    `nullif(concat_ws(',', …), '')` says the same and works every part out twice, `nullif(array_to_string(…), '')` four times: both
    functions are macros that mention what they are given twice.
    """
    return joined_list(f"[{', '.join(parts)}]")


def joined_list(texts: str) -> str:
    """The same of SQL of a list of texts."""
    return f"list_aggr({texts}, 'string_agg', ',')"


# What the operating system says when the machine, not the file, is the trouble.
_MACHINE_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EACCES,
    errno.EPERM,
)


def is_about_machine(error: duckdb.Error) -> bool:
    """Whether a file could not be opened or read because of memory, disk, permissions, or a program that has it open for writing: it may
    be whole. DuckDB has no class of its own for most of these: an IOException carries the operating system's words.
    """
    import duckdb  # noqa: PLC0415

    words = (*map(os.strerror, _MACHINE_ERRORS), "Could not set lock on file")
    return isinstance(error, duckdb.OutOfMemoryException) or (
        isinstance(error, duckdb.IOException) and any(word in str(error) for word in words)
    )


def is_about_data(error: duckdb.Error) -> bool:
    """Whether an error was raised by what is in a file, rather than by the machine, its disk, or our SQL.

    A full disk must never mark a good file as bad.
    """
    import duckdb  # noqa: PLC0415

    if isinstance(error, duckdb.IOException):
        return not is_about_machine(error)
    kinds = (
        duckdb.DataError,
        duckdb.InvalidInputException,
        duckdb.NotSupportedError,
        duckdb.SerializationException,
    )
    # The plain class is what DuckDB makes of exceptions of its Parquet reader.
    return isinstance(error, kinds) or type(error) is duckdb.Error


def limits(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's configuration within the project's limits: bounded memory, a spill folder of ours, no extension ever loaded or fetched."""
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        # Of its own: processes at once would give their files the same names.
        "temp_directory": str(settings.temp_dir / f"process-{os.getpid()}"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if settings.threads:
        config["threads"] = settings.threads
    return config


def connect(
    settings: Settings, database: Path | None = None, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB within the limits, session time zone UTC. `database` None is an in-memory database."""
    import duckdb  # noqa: PLC0415 - 0.1 s that `--help` should not pay

    config = limits(settings)
    if read_only:
        del config["temp_directory"]
    elif database:
        # Only candidates are written: one that a power loss interrupts is made anew, and each is forced to the disk before anything
        # says that it is whole. DuckDB's own waiting, for a copy of 660 MB to reach the disk, was 0.3 s of each close.
        config["fsync_mode"] = "NONE"
    connection = duckdb.connect(str(database) if database else ":memory:", read_only=read_only, config=config)
    connection.execute("set TimeZone = 'UTC'")
    return connection
