"""A candidate of what Spark has built: small tables are copied into the file, large ones stay in the folder of their build, as views.

What belongs here: where builds lie, what the candidate is told of one, and which may go. What does not: building, which is the warehouse's,
and the tables' types and comments, which are dbt's (`macros/built_on_spark.sql`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import sql
from orchestration.warehouse.spark import TABLES, SparkTables, in_use

if TYPE_CHECKING:
    from orchestration.publication.candidate import Plan
    from orchestration.settings import Settings

TAKE_IN_ARGS = (
    "run",
    "--exclude",
    *(
        f"path:models/intermediate,config.materialized:{kind}"
        for kind in ("by_usage_date", "incremental", "table")
    ),
)
"""dbt's command for it on DuckDB: all but the intermediate tables, which are taken in as they are."""
TEST_ARGS = ("test", "--exclude-resource-type", "unit_test")
BUILT_HERE = "intermediate.int_dates__"
"""Tables that the file holds itself although they are intermediate: what was touched tells readers of the candidate what to check."""


def build_dir(settings: Settings, plan: Plan) -> Path:
    """Where the build of a plan writes its tables."""
    return settings.spark_dir / f"{plan.night_seq:06d}"


def published_tables(settings: Settings, plan: Plan) -> SparkTables | None:
    """The tables that an incremental build starts from; None on a full build."""
    if plan.is_full_build or plan.published_build is None:
        return None
    return SparkTables.read(settings.spark_dir / plan.published_build)


def take_in(settings: Settings, plan: Plan) -> None:
    """Tell the candidate what was built: the folders of every table in `plan.built_tables`, and schema `intermediate`, as views."""
    tables = SparkTables.read(build_dir(settings, plan))
    rows = [
        (table, day or None, folder)
        for table, folders in sorted(tables.folders.items())
        for day, folder in sorted(folders.items())
    ]
    with sql.connect(settings, settings.candidate_path) as connection:
        connection.execute(
            "create table plan.built_tables (table_name varchar, usage_date date, folder varchar)"
        )
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            connection.execute(
                "insert into plan.built_tables select unnest(?), unnest(?)::date, unnest(?)", columns
            )
        for table in sorted(tables.columns):
            schema, _, name = table.partition(".")
            if schema != "intermediate":
                continue
            kind = "table" if table.startswith(BUILT_HERE) else "view"
            for old in ("table", "view"):
                if _exists(connection, old, schema, name):
                    connection.execute(f"drop {old} {schema}.{sql.identifier(name)}")
            connection.execute(
                f"create {kind} {schema}.{sql.identifier(name)} as select * from {tables.relation(table)}"
            )


def _exists(connection: Any, kind: str, schema: str, name: str) -> bool:
    query = (
        f"select count(*) from duckdb_{kind}s() where schema_name = ? and {kind}_name = ? and not internal"
    )
    return bool(connection.execute(query, [schema, name]).fetchall()[0][0])


def prune(settings: Settings, published_builds: Iterable[str | None]) -> None:
    """Remove builds that nothing published, kept for rollback or not, reads any more."""
    if not settings.spark_dir.exists():
        return
    named = [settings.spark_dir / name for name in published_builds if name]
    wanted = in_use([path for path in named if (path / TABLES).exists()])
    for found in settings.spark_dir.iterdir():
        if found not in wanted:
            shutil.rmtree(found)
