"""How a check opens the file it audits: read-only, bounded, offline. And the one way dates become SQL.

Both the suites and the reconciliation use the same DuckDB configuration, because one process cannot open the
same file with two different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any


def connection_config(*, memory_limit: str, threads: int, temp_directory: Path | None) -> dict[str, Any]:
    """DuckDB settings of an audit connection. `threads=0` leaves DuckDB one thread per core."""
    config: dict[str, Any] = {
        "memory_limit": memory_limit,
        # Nothing is ever fetched or loaded from the network while auditing.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads > 0:
        config["threads"] = threads
    if temp_directory is not None:
        # Without it DuckDB spills beside the audited file.
        config["temp_directory"] = str(temp_directory)
    return config


def dates_predicate(dates: Sequence[date] | None, column: str = "usage_date") -> str:
    """A SQL condition for the touched dates. Literal dates, so that zone maps prune; None means every row."""
    if dates is None:
        return "true"
    if not dates:
        return "false"
    literals = ", ".join(f"date '{day:%Y-%m-%d}'" for day in sorted(set(dates)))
    return f"{column} in ({literals})"
