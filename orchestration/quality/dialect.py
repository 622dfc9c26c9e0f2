"""A SQLAlchemy dialect over duckdb-engine that buffers each result, so that Great Expectations can run on
DuckDB.

Great Expectations reads a result after it gave its connection back to the pool; duckdb-engine has one cursor
for the whole connection, so the rows are gone by then (`IndexError`). Taking the rows inside the execution
cures it. Public APIs only.

This module imports SQLAlchemy: import it inside a function.
"""

from __future__ import annotations

from typing import Any

from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext

DIALECT = "credit_usage_duckdb"
"""The URL scheme under which the dialect is registered. The URL names no file: see `engine_arguments`."""

CONNECTION_URL = f"{DIALECT}://"


class BufferedExecutionContext(DefaultExecutionContext):
    """Takes all rows of a statement as soon as it was executed."""

    def post_exec(self) -> None:
        """Buffer the rows before the connection can go back to the pool."""
        super().post_exec()  # type: ignore[no-untyped-call]
        description = self.cursor.description
        if description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, alternate_description=description, initial_buffer=self.cursor.fetchall()
            )


class BufferedDuckDBDialect(DuckDBDialect):  # type: ignore[misc] # duckdb-engine is untyped
    """duckdb-engine's dialect with buffered results."""

    execution_ctx_cls = BufferedExecutionContext
    # Stated here because SQLAlchemy warns about a dialect class that only inherits it.
    supports_statement_cache = False


def register() -> None:
    """Make `credit_usage_duckdb://` known to SQLAlchemy. Harmless when repeated."""
    registry.register(DIALECT, __name__, BufferedDuckDBDialect.__name__)


def engine_arguments(database: str, config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `create_engine` for a read-only connection to one file.

    The path goes past the URL, where no character of it can be taken for syntax (`?`, `$`, `%`).
    """
    return {"connect_args": {"database": database, "read_only": True, "config": config}}
