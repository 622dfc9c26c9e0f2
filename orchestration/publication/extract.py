"""One workspace of the published file as a file of its own, for somebody who may see that workspace and no other.

Tables with a workspace_id keep that workspace's rows; of the others only what its own calls used, or nothing: a list of batches or a check
tells of everybody. It is made anew from empty, so that no byte of it comes from rows of others. What does not belong here: pages of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable, sql
from orchestration.publication import books
from orchestration.publication.candidate import STORAGE_VERSION
from orchestration.sql import identifier, literal

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

_SCHEMAS = ("dimensions", "facts", "marts", books.SCHEMA)
_CALLS = "facts.fct_span_usage"
_SAME_NAME = " and ".join(
    f"coalesce(calls.{call}, '') = names.{name}"
    for call, name in (
        ("provider", "provider_name"),
        ("model", "model_name"),
        ("response_model", "response_model_name"),
        ("service_tier", "service_tier"),
    )
)

_SHARED: dict[str, str] = {
    # Names and prices of models that the workspace's own calls went by: the operator's price file may have rows for others alone.
    "dimensions.dim_model_name": f"select names.* from {{shared}} as names where exists (from {_CALLS} as calls where {_SAME_NAME})",
    "dimensions.dim_price_set": (
        "select * from {shared} where price_set_id in (select price_set_id from facts.fct_span_usage)"
    ),
    "dimensions.dim_price": (
        "select * from {shared} as prices where exists (from dimensions.dim_model_name as names where "
        "(names.catalogue_provider = prices.provider and names.catalogue_model = prices.model_rule) "
        "or (names.file_provider = prices.provider and names.file_pattern = prices.model_rule))"
    ),
    "dimensions.dim_rate_set": (
        "select * from {shared} where service_rate_id in (select service_rate_id from facts.fct_span_usage)"
    ),
    "dimensions.dim_service_rate": (
        "select * from {shared} as rates where exists (from dimensions.dim_rate_set as used "
        "where used.rate_card = rates.rate_card and used.service_key = lower(trim(rates.service)))"
    ),
    "meta.dates": "select * from {shared} where usage_date in (select usage_date from facts.fct_run_usage)",
    # What these tell is of all workspaces together.
    "meta.batches": "",
    "meta.files": "",
    "meta.check_results": "",
    "meta.retractions": "",
    "meta.publication": "",
}
"""Tables without a workspace: the rows of `{shared}` that the extract has, none where there is nothing. In the order of making them."""
_TRUE_OF_EACH = (
    "publication_id", "published_at", "generated_by", "previous_publication_id", "previous_published_at", "detail_from_date",
)  # fmt: skip
"""Columns of meta.publication that tell nothing of single workspaces."""
_HIDDEN_COLUMNS = {"meta.quarantine": {"path": "null", "file_no": "null"}}
"""Columns that may name others: a landing file holds rows of several."""


class UnknownWorkspaceError(LookupError):
    """The published file has no such workspace, or the target is not for it; the message says which."""


@dataclass(frozen=True)
class Extract:
    """What was made."""

    path: Path
    workspace_id: str
    rows: int


def extract(settings: Settings, workspace_id: str, folder: Path) -> Extract:
    """Write `folder/usage.duckdb` with one workspace of the published file, in the place of an older one of the same workspace.

    Raises UnknownWorkspaceError, and ValueError where the folder holds something else.
    """
    target = folder / "usage.duckdb"
    _require_fit(settings, workspace_id, folder, target)
    durable.make_folder(folder)
    making = folder / "usage.duckdb.writing"
    for leftover in (making, making.with_name(making.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with sql.connect(settings) as connection:
        connection.execute(f"attach {literal(settings.published_path)} as published (read_only)")
        known = connection.execute(
            "select count(*) from published.dimensions.dim_workspace where workspace_id = ?", [workspace_id]
        ).fetchone()
        if known is None or not known[0]:
            raise UnknownWorkspaceError(
                f"nothing of a workspace '{workspace_id}' is published; see `credit-usage sql \"from dimensions.dim_workspace\"`"
            )
        connection.execute(f"attach {literal(making)} as made (storage_version {literal(STORAGE_VERSION)})")
        connection.execute("use made")
        rows = _fill(connection, workspace_id)
        connection.execute("checkpoint made")
        connection.execute("use memory")
        connection.execute("detach made")
    durable.replace_file(making, target)
    return Extract(target, workspace_id, rows)


def _require_fit(settings: Settings, workspace_id: str, folder: Path, target: Path) -> None:
    data = settings.data_dir.resolve()
    if folder.resolve().is_relative_to(data) or data.is_relative_to(folder.resolve()):
        raise ValueError(
            f"{folder} and the data folder {data} lie in one another: choose a folder of its own"
        )
    if not target.exists():
        return
    import duckdb  # noqa: PLC0415

    try:
        with sql.connect(settings, target, read_only=True) as connection:
            row = connection.execute("select manifest from meta.publication").fetchone()
            holds = json.loads(row[0]).get("workspace_id") if row else None
    except (duckdb.Error, ValueError):
        holds = None
    if holds != workspace_id:
        raise ValueError(
            f"{target} is no extract of workspace '{workspace_id}': choose another folder, or delete it"
        )


def _fill(connection: duckdb.DuckDBPyConnection, workspace_id: str) -> int:
    """Every table of the published file, its rows cut down. Returns the rows of facts and marts."""
    tables = {
        f"{schema}.{name}": ddl
        for schema, name, ddl in connection.execute(
            "select schema_name, table_name, sql from duckdb_tables() "
            "where database_name = 'published' and list_contains(?, schema_name) order by all",
            [list(_SCHEMAS)],
        ).fetchall()
    }
    for schema in _SCHEMAS:
        connection.execute(f"create schema made.{schema}")
    views = connection.execute(
        "select schema_name, view_name, sql from duckdb_views() where database_name = 'published' and list_contains(?, schema_name) "
        "order by schema_name, view_name",
        [list(_SCHEMAS)],
    ).fetchall()
    # Facts that Spark has built are views on files that hold all workspaces: here they become tables, or they would show the others.
    outside = {f"{schema}.{name}" for schema, name, ddl in views if "read_parquet(" in ddl}
    for name in sorted(outside):
        tables[name] = f"create table {name} as select * from published.{name} limit 0"
    columns: dict[str, list[str]] = {}
    for name, ddl in tables.items():
        connection.execute(ddl)
        columns[name] = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
    own = [name for name in tables if "workspace_id" in columns[name]]
    if unknown := sorted(set(tables) - set(own) - set(_SHARED)):
        raise RuntimeError(f"{', '.join(unknown)}: it is not said which rows are of one workspace")
    for name in own:
        hidden = _HIDDEN_COLUMNS.get(name, {})
        replaced = ", ".join(f"{value} as {column}" for column, value in hidden.items())
        shown = f"* replace ({replaced})" if hidden else "*"
        connection.execute(
            f"insert into {name} select {shown} from published.{name} where workspace_id = ?", [workspace_id]
        )
    for name, query in _SHARED.items():
        if name in tables and query:
            connection.execute(f"insert into {name} {query.format(shared='published.' + name)}")
    _write_publication(connection, workspace_id)
    for schema, name, ddl in views:
        if f"{schema}.{name}" not in outside:
            connection.execute(ddl)
    _comment(connection)
    counts = [
        connection.execute(f"select count(*) from {name}").fetchone()
        for name in own
        if not name.startswith("meta.")
    ]
    return sum(row[0] for row in counts if row)


def _write_publication(connection: duckdb.DuckDBPyConnection, workspace_id: str) -> None:
    """What this file is: the publication that it comes from, without what that one says of all workspaces."""
    through, dates = connection.execute("""
        select
            greatest(
                (select max(greatest(started_at, coalesce(ended_at, started_at))) from facts.fct_span_usage where
                    usage_date = (select max(usage_date) from facts.fct_span_usage)),
                (select max(greatest(started_at, coalesce(completed_at, started_at))) from facts.fct_run_usage where
                    usage_date = (select max(usage_date) from facts.fct_run_usage))
            ),
            (select count(*) from meta.dates as d inner join published.meta.publication as p using (publication_id))
    """).fetchone() or (None, 0)
    cursor = connection.execute("select * from published.meta.publication")
    names = [column[0] for column in cursor.description or []]
    publication: dict[str, Any] = dict(zip(names, cursor.fetchone() or (), strict=False))
    published_at = publication["published_at"]
    manifest = {
        "publication_id": publication["publication_id"],
        "published_at": f"{published_at.isoformat()}+00:00",
        "generated_by": publication["generated_by"],
        "data_through_at": f"{through.isoformat()}+00:00" if through else None,
        "workspace_id": workspace_id,
    }
    values = {name: value for name, value in publication.items() if name in _TRUE_OF_EACH} | {
        "data_through_at": through,
        "batch_count": 0,
        "touched_date_count": dates,
        "manifest": json.dumps(manifest, sort_keys=True),
    }
    connection.execute(
        f"insert into meta.publication ({', '.join(values)}) values ({', '.join('?' * len(values))})",
        list(values.values()),
    )
    # Whose rows failed which check is not told; that nothing is published which fails a blocking one is true of each workspace.
    connection.execute(
        "insert into meta.check_results values (?, 'publication__blocking_checks', 'blocking', 'pass', 0, ?)",
        [
            publication["publication_id"],
            "the publication that this was taken from passed its blocking checks",
        ],
    )


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    """The meanings of tables and columns, as the published file has them."""
    made = {
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'made'"
        ).fetchall()
    }
    for kind in ("table", "view"):
        for schema, name, comment in connection.execute(
            f"select schema_name, {kind}_name, comment from duckdb_{kind}s() "
            "where database_name = 'published' and list_contains(?, schema_name) and comment is not null",
            [list(_SCHEMAS)],
        ).fetchall():
            became = "table" if f"{schema}.{name}" in made else "view"
            connection.execute(
                f"comment on {became} {identifier(schema)}.{identifier(name)} is {literal(comment)}"
            )
    for schema, name, column, comment in connection.execute(
        "select schema_name, table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'published' and list_contains(?, schema_name) and comment is not null",
        [list(_SCHEMAS)],
    ).fetchall():
        connection.execute(
            f"comment on column {identifier(schema)}.{identifier(name)}.{identifier(column)} is {literal(comment)}"
        )
