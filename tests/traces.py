"""Looking for words in every file of a folder: in its bytes, and in what compressed files hold.

What belongs here: reading. What does not: which words must not be there.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.sql import identifier, literal

MAGIC_OF_GZIP = b"\x1f\x8b"


def traces(folder: Path, words: Iterable[str], *, without: Iterable[str] = ()) -> list[str]:
    """Where the words stand: `file: word`, for a table with its column. `without` are names at the top of the folder to leave out."""
    found: list[str] = []
    left_out = set(without)
    wanted = list(words)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or name.parts[0] in left_out:
            continue
        data = path.read_bytes()
        if data.startswith(MAGIC_OF_GZIP):
            data = gzip.decompress(data)
        found += [f"{name}: {word}" for word in wanted if word.encode() in data]
        if path.suffix == ".duckdb":
            found += [f"{name}: {place}" for place in _in_database(path, wanted)]
        elif path.suffix == ".parquet":
            with duckdb.connect() as connection:
                rows = f"read_parquet({literal(path)}, hive_partitioning = false)"
                found += [f"{name}: {place}" for place in _in_rows(connection, rows, wanted)]
    return found


def _in_database(path: Path, words: list[str]) -> list[str]:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(path)} as looked_at (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at' order by all"
        ).fetchall()
        assert tables, f"{path} holds nothing: a search in it proves nothing"
        return [
            place
            for schema, table in tables
            for place in _in_rows(
                connection, f"looked_at.{identifier(schema)}.{identifier(table)}", words, table
            )
        ]


def _in_rows(
    connection: duckdb.DuckDBPyConnection, rows: str, words: list[str], label: str = ""
) -> list[str]:
    columns = [row[0] for row in connection.execute(f"describe select * from {rows}").fetchall()]
    tests = ", ".join(
        f"coalesce(bool_or(contains({identifier(column)}::varchar, {literal(word)})), false)"
        for column in columns
        for word in words
    )
    row = connection.execute(f"select {tests} from {rows}").fetchone() or ()
    pairs = [(column, word) for column in columns for word in words]
    return [
        f"{label}.{column}: {word}" for (column, word), is_there in zip(pairs, row, strict=True) if is_there
    ]
