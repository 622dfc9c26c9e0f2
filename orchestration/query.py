"""`credit-usage sql`: queries on the published file that can read it and nothing else."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from orchestration import sql
from orchestration.quality.results import printable

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

_MAX_TABLE_ROWS = 1000


@contextmanager
def open_published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the published file and nothing else: no other file, no network, no settings to change that."""
    with sql.connect(settings, settings.published_path, read_only=True) as connection:
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def print_result(connection: duckdb.DuckDBPyConnection, query: str, style: str) -> None:
    """Run one query and print its result as a table, CSV or JSON. Raises ClickException with DuckDB's message."""
    import duckdb  # noqa: PLC0415

    try:
        # None of a query that is empty, whatever the types say.
        cursor: duckdb.DuckDBPyConnection | None = connection.execute(query)
        if cursor is None:
            raise click.ClickException(
                'there is no query: say one, such as "select * from marts.mart_analytics__total_cost"'
            )
        names = [column[0] for column in cursor.description or []]
        rows = cursor.fetchall() if names else []
    except duckdb.Error as error:
        raise click.ClickException(str(error)) from error
    if style == "json":
        click.echo(
            json.dumps(
                [dict(zip(_distinct(names), map(_json_value, row), strict=True)) for row in rows],
                default=_text,
                allow_nan=False,
                indent=2,
                ensure_ascii=False,
            )
        )
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_text(value) for value in row] for row in rows)
    else:
        _print_table(names, rows)


def prompt(connection: duckdb.DuckDBPyConnection, style: str) -> None:
    """Read queries that end with a semicolon until end of input."""
    click.echo("Published marts, read-only. End a query with ';', leave with Ctrl-D. Try: show all tables;")
    buffer = ""
    while True:
        try:
            buffer += input("     ...> " if buffer else "usage> ") + "\n"
        except EOFError:
            click.echo()
            return
        if buffer.rstrip().endswith(";"):
            try:
                print_result(connection, buffer, style)
            except click.ClickException as error:
                error.show()
            buffer = ""


def _distinct(names: list[str]) -> list[str]:
    """Names of columns as keys: a second `status` is `status_1`, since an object would keep one of them without a word."""
    found: list[str] = []
    for name in names:
        number, key = 0, name
        while key in found:
            number += 1
            key = f"{name}_{number}"
        found.append(key)
    return found


def _json_value(value: Any) -> Any:
    """A value as JSON can say it: what is no finite number is a text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return value


def _text(value: Any) -> str:
    """A value as text: amounts in plain digits (never 0E-12), lists and structs as JSON, nothing for null."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list | tuple):
        return json.dumps(_json_value(value), default=_text, ensure_ascii=False)
    return "" if value is None else str(value)


def _print_table(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in rows[:_MAX_TABLE_ROWS]:
        # Text, not markup: a cell like "[red]" is data.
        table.add_row(*(Text(printable(_text(value))) for value in row))
    console = Console()
    if not console.is_terminal:  # a pipe or a file has no edge at which cells would have to be folded
        console.width = 1_000_000
    console.print(table)
    more = f", {_MAX_TABLE_ROWS:,} shown (use --csv for all)" if len(rows) > _MAX_TABLE_ROWS else ""
    click.echo(f"{len(rows):,} rows{more}")
