"""A build on Spark: the plan and the lake as Spark's tables, dbt on them, and the tables it wrote.

What belongs here: what Spark is told of the lake and of what was published, and what a build leaves (`SparkTables`). What the models mean
is dbt's; how a night goes on from the tables is `orchestration/publication`'s.

A build writes Parquet below a folder of its own, `<schema>/<table>`, facts and daily marts with a folder for each usage date. Dates that a
night does not touch stay in the folders of earlier builds. Which folders make up a table is said by `tables.json`, written last.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import durable, sql
from orchestration.warehouse import dbt, spark_session

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

    from orchestration.settings import Settings

TABLES = "tables.json"
SCHEMAS = ("dimensions", "facts", "intermediate", "marts")
_UNPUBLISHED = ("plan", "staged", "staging")
_DATE = "usage_date="


@dataclass(frozen=True)
class SparkTables:
    """The tables of a build. Folders of a table by usage date; one under '' where it has no dates. Columns with DuckDB's types."""

    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, build_dir: Path) -> SparkTables:
        """What `build` wrote there."""
        document = json.loads((build_dir / TABLES).read_text(encoding="utf-8"))
        return cls(document["folders"], document["columns"])

    def write(self, build_dir: Path) -> None:
        """Say that the build is whole."""
        durable.write_json(build_dir / TABLES, {"folders": self.folders, "columns": self.columns})

    def relation(self, table: str) -> str:
        """DuckDB SQL of a table's rows."""
        folders = self.folders[table]
        columns = ", ".join(
            f"cast(null as {kind}) as {sql.identifier(name)}" for name, kind in self.columns[table].items()
        )
        if not folders:
            return f"(select {columns} limit 0)"
        patterns = sql.string_list(f"{folder}/*.parquet" for _, folder in sorted(folders.items()))
        if "" in folders:
            return f"read_parquet({patterns}, hive_partitioning = false)"
        return f"read_parquet({patterns}, hive_partitioning = true, hive_types = {{'usage_date': date}})"


def build(
    settings: Settings,
    candidate: Path,
    build_dir: Path,
    *,
    published: SparkTables | None = None,
    master: str = "local[*]",
    memory: str = "2g",
    on_node: Callable[[str, int, int], None] | None = None,
) -> list[dbt.NodeResult]:
    """Build all models by the plan in `candidate`, into `build_dir`. `published` are the tables that an incremental night starts from.

    Raises SparkMissingError, and DbtError where dbt could not run; models that failed are results.
    """
    shutil.rmtree(build_dir, ignore_errors=True)
    build_dir.mkdir(parents=True)
    spark = spark_session.session(settings, master=master, memory=memory)
    with sql.connect(settings, candidate, read_only=True) as connection:
        is_full_build = bool(connection.execute("select is_full_build from plan.night").fetchall()[0][0])
        rows = connection.execute(
            "select coalesce(sum(rows_loaded), 0) from plan.landing_files where is_new or (select is_full_build from plan.night)"
        ).fetchall()[0][0]
        spark_session.suit(spark, int(rows))
        known = SparkTables() if is_full_build or published is None else published
        _register_plan(spark, connection, build_dir)
        _register_lake(spark, connection, build_dir)
        _register_kept(spark, connection, build_dir, known)
    for schema in (*SCHEMAS, "staged", "staging"):
        spark.sql(f"create database if not exists {schema}")
    _register_published(spark, build_dir, known)
    results = dbt.invoke(settings, ["run"], database=candidate, on_node=on_node, spark_tables=build_dir)
    if not any(node.is_blocking_failure for node in results):
        _tables_of(settings, spark, build_dir, known).write(build_dir)
        for leftover in _UNPUBLISHED:
            shutil.rmtree(build_dir / leftover, ignore_errors=True)
    return results


def _register_plan(spark: SparkSession, connection: duckdb.DuckDBPyConnection, build_dir: Path) -> None:
    """Schema `plan` of the candidate, table by table, as Parquet."""
    spark.sql("create database if not exists plan")
    names = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'plan' order by 1"
    ).fetchall()
    for (name,) in names:
        columns = connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = 'plan' and table_name = ? order by column_index",
            [name],
        ).fetchall()
        # Spark has no time of day.
        listed = ", ".join(
            f"cast({sql.identifier(column)} as varchar) as {sql.identifier(column)}"
            if kind == "TIME"
            else sql.identifier(column)
            for column, kind in columns
        )
        folder = build_dir / "plan" / name
        folder.mkdir(parents=True)
        connection.execute(
            f"copy (select {listed} from plan.{sql.identifier(name)}) to {sql.literal(folder / 'rows.parquet')} (format parquet)"
        )
        spark.sql(f"create table plan.{name} using parquet location {literal(folder)}")


def _register_lake(spark: SparkSession, connection: duckdb.DuckDBPyConnection, build_dir: Path) -> None:
    """A table for each entity of the lake, with a partition for each committed part; columns that an older part lacks are NULL."""
    stale: list[tuple[str, str, int, str]] = []
    for entity in ("runs", "spans"):
        columns = connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = 'plan' and table_name = ? order by column_index",
            [f"{entity}_shape"],
        ).fetchall()
        declared = ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns)
        # Each part says where it is: a file that no manifest names is never read for standing in the folder of the table.
        nowhere = literal(build_dir / "plan" / "nothing" / entity)
        spark.sql(
            f"create table plan.lake_{entity} ({declared}) using parquet partitioned by (lake_date, batch_seq) location {nowhere}"
        )
        parts = connection.execute(
            "select cast(lake_date as varchar), batch_seq, list(path order by path) from plan.parts where entity = ? "
            "group by all order by all",
            [entity],
        ).fetchall()
        partitions = []
        for lake_date, batch_seq, paths in parts:
            folder = Path(paths[0]).parent
            own = {Path(path).name for path in paths}
            stale += [
                (entity, lake_date, batch_seq, found.name)
                for found in folder.glob("*.parquet")
                if found.name not in own
            ]
            partitions.append(
                f"partition (lake_date = date '{lake_date}', batch_seq = {batch_seq}) location {literal(folder)}"
            )
        for first in range(0, len(partitions), 500):
            spark.sql(f"alter table plan.lake_{entity} add " + " ".join(partitions[first : first + 500]))
    _register_rows(
        spark,
        connection,
        build_dir,
        "stale_files",
        "entity varchar, lake_date varchar, batch_seq integer, file_name varchar",
        stale,
    )


def _register_rows(
    spark: SparkSession,
    connection: duckdb.DuckDBPyConnection,
    build_dir: Path,
    name: str,
    columns: str,
    rows: Sequence[Sequence[object]],
) -> None:
    """A table of schema `plan` that only Spark needs."""
    folder = build_dir / "plan" / name
    folder.mkdir(parents=True)
    connection.execute(f"create or replace temp table {name} ({columns})")
    if rows:
        connection.execute(
            f"insert into {name} select " + ", ".join("unnest(?)" for _ in rows[0]),
            [list(column) for column in zip(*rows, strict=True)],
        )
    connection.execute(f"copy {name} to {sql.literal(folder / 'rows.parquet')} (format parquet)")
    spark.sql(f"create table plan.{name} using parquet location {literal(folder)}")


def _register_published(spark: SparkSession, build_dir: Path, published: SparkTables) -> None:
    """The tables that were published, by their names: tonight's build reads them, and replaces them in the catalogue alone."""
    for table, folders in published.folders.items():
        declared = ", ".join(
            f"`{name}` {spark_type(kind)}" for name, kind in published.columns[table].items()
        )
        if "" in folders:
            spark.sql(f"create table {table} ({declared}) using parquet location {literal(folders[''])}")
            continue
        # The folder of a table with partitions only says where new ones would go; there will be none.
        nowhere = literal(build_dir / "plan" / "nothing" / table)
        spark.sql(
            f"create table {table} ({declared}) using parquet partitioned by (usage_date) location {nowhere}"
        )
        added = [
            f"partition (usage_date = '{day}') location {literal(folder)}" for day, folder in folders.items()
        ]
        for first in range(0, len(added), 500):
            spark.sql(f"alter table {table} add " + " ".join(added[first : first + 500]))


def _register_kept(
    spark: SparkSession, connection: duckdb.DuckDBPyConnection, build_dir: Path, published: SparkTables
) -> None:
    """`plan.kept_partitions`: the folders of published dates, by table, for tables that keep those a night does not touch."""
    rows = [
        (table, day, folder)
        for table, folders in published.folders.items()
        for day, folder in folders.items()
        if day
    ]
    _register_rows(
        spark,
        connection,
        build_dir,
        "kept_partitions",
        "table_name varchar, usage_date date, location varchar",
        rows,
    )


def _tables_of(
    settings: Settings, spark: SparkSession, build_dir: Path, published: SparkTables
) -> SparkTables:
    """What the build wrote, and what of earlier builds still holds: the dates that it did not replace."""
    folders: dict[str, dict[str, str]] = {}
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(build_dir.glob("*/*")):
        if path.parent.name not in SCHEMAS or not path.is_dir():
            continue
        table = f"{path.parent.name}.{path.name}"
        days = {found.name.removeprefix(_DATE): str(found) for found in sorted(path.glob(f"{_DATE}*"))}
        # Spark writes a table without rows as an empty file, and as no file where it has partitions.
        folders[table] = {"": str(path)} if any(path.glob("*.parquet")) else days
        columns[table] = {name: duckdb_type(kind) for name, kind in spark.table(table).dtypes}
    touched = _days(settings, build_dir / "intermediate" / "int_dates__touched", "usage_date")
    for table, before in published.folders.items():
        replaced = touched
        if table == "intermediate.int_runs__directory":
            changed = build_dir / "staged" / "int_runs__directory__changed"
            replaced = _days(settings, changed, "usage_date") | _days(
                settings, changed, "previous_usage_date"
            )
        if "" not in before:
            kept = {day: folder for day, folder in before.items() if day not in replaced}
            folders[table] = {**kept, **folders.get(table, {})}
    return SparkTables(folders, columns)


def _days(settings: Settings, folder: Path, column: str) -> set[str]:
    with sql.connect(settings) as connection:
        rows = connection.execute(
            f"select distinct cast({column} as varchar) from read_parquet({sql.literal(folder / '*.parquet')})"
        ).fetchall()
    return {row[0] for row in rows if row[0] is not None}


def spark_type(kind: str) -> str:
    """A type of DuckDB in Spark's words."""
    return {
        "VARCHAR": "string",
        "TIMESTAMP": "timestamp_ntz",
        "INTEGER": "int",
        "VARCHAR[]": "array<string>",
    }.get(kind, re.sub(r"\s", "", kind.lower()))


def duckdb_type(kind: str) -> str:
    """A type of Spark in DuckDB's words."""
    return {
        "string": "VARCHAR",
        "timestamp_ntz": "TIMESTAMP",
        "int": "INTEGER",
        "array<string>": "VARCHAR[]",
    }.get(kind, kind.upper())


def literal(value: object) -> str:
    """A value as a string literal of Spark."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def in_use(build_dirs: Sequence[Path]) -> set[Path]:
    """Folders of builds that the tables of these builds still need, themselves included."""
    found = set(build_dirs)
    for build_dir in build_dirs:
        for folders in SparkTables.read(build_dir).folders.values():
            for folder in folders.values():
                found |= {parent for parent in Path(folder).parents if parent.parent == build_dir.parent}
    return found
