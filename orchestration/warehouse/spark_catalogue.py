"""What Spark's catalogue is told before a build: schemas, the night's plan, the lake, and the tables that were published.

What belongs here: names and places, in Spark's SQL. All files are there already, or are small ones that DuckDB writes of the plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import sql

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

_AT_ONCE = 500
"""Partitions that one statement adds."""
_SPARK_TYPES = {
    "VARCHAR": "string",
    "TIMESTAMP": "timestamp_ntz",
    "INTEGER": "int",
    "VARCHAR[]": "array<string>",
}
"""Types that are not called alike, by DuckDB's names."""
_DUCKDB_TYPES = {theirs: ours for ours, theirs in _SPARK_TYPES.items()}


@dataclass(frozen=True)
class Catalogue:
    """A session's catalogue, a data folder's schemas in it, the candidate whose plan it is told, and the folder of the build."""

    spark: SparkSession
    prefix: str
    connection: duckdb.DuckDBPyConnection
    build_dir: Path

    def create_schemas(self, names: Sequence[str], folder: Path) -> None:
        """Schemas without tables. Every table says where its files are, so their own folders, below `folder`, stay empty."""
        for name in names:
            self.spark.sql(f"create database {self.prefix}{name} location {literal(folder / name)}")

    def register_plan(self) -> None:
        """Schema `plan` of the candidate, table by table, as Parquet."""
        names = self.connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'plan' order by 1"
        ).fetchall()
        for (name,) in names:
            # Spark has no time of day.
            listed = ", ".join(
                f"cast({sql.identifier(column)} as varchar) as {sql.identifier(column)}"
                if kind == "TIME"
                else sql.identifier(column)
                for column, kind in self._columns(name)
            )
            self._register(name, f"select {listed} from plan.{sql.identifier(name)}")

    def register_lake(self) -> None:
        """A table for each entity of the lake, with a partition for each committed part; columns that an older part lacks are NULL.

        `plan.stale_files` names the files in their folders that no manifest names: parts of batches that were revised.
        """
        stale: list[tuple[str, str, int, str]] = []
        for entity in ("runs", "spans"):
            table = self._nowhere(
                f"plan.lake_{entity}", self._columns(f"{entity}_shape"), "lake_date, batch_seq"
            )
            parts = self.connection.execute(
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
                partitions.append((f"lake_date = date '{lake_date}', batch_seq = {batch_seq}", str(folder)))
            self._add(table, partitions)
        self._register_rows(
            "stale_files",
            "entity varchar, lake_date varchar, batch_seq integer, file_name varchar",
            stale,
        )

    def register_published(
        self, folders: Mapping[str, Mapping[str, str]], columns: Mapping[str, Mapping[str, str]]
    ) -> None:
        """The tables that were published, by their names: tonight's build reads them, and replaces them in the catalogue alone.

        `plan.kept_partitions` names the folders of their dates, for tables that keep those a night does not touch.
        """
        for table, places in folders.items():
            shape = list(columns[table].items())
            if "" in places:
                self.spark.sql(
                    f"create table {self.prefix}{table} ({_declared(shape)}) using parquet location {literal(places[''])}"
                )
            else:
                self._add(
                    self._nowhere(table, shape, "usage_date"),
                    [(f"usage_date = '{day}'", folder) for day, folder in places.items()],
                )
        self._register_rows(
            "kept_partitions",
            "table_name varchar, usage_date date, location varchar",
            [
                (table, day, folder)
                for table, places in folders.items()
                for day, folder in places.items()
                if day
            ],
        )

    def _columns(self, name: str) -> list[tuple[str, str]]:
        """Names and DuckDB's types of a table of the plan."""
        return self.connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = 'plan' and table_name = ? order by column_index",
            [name],
        ).fetchall()

    def _register(self, name: str, query: str) -> None:
        """A table of schema `plan` with the rows of a query of DuckDB."""
        folder = self.build_dir / "plan" / name
        folder.mkdir(parents=True)
        self.connection.execute(f"copy ({query}) to {sql.literal(folder / 'rows.parquet')} (format parquet)")
        self.spark.sql(f"create table {self.prefix}plan.{name} using parquet location {literal(folder)}")

    def _register_rows(self, name: str, columns: str, rows: Sequence[Sequence[object]]) -> None:
        """A table of schema `plan` that only Spark needs."""
        self.connection.execute(f"create or replace temp table {name} ({columns})")
        if rows:
            self.connection.execute(
                f"insert into {name} select " + ", ".join("unnest(?)" for _ in rows[0]),
                [list(column) for column in zip(*rows, strict=True)],
            )
        self._register(name, f"from {name}")

    def _nowhere(self, table: str, columns: Sequence[tuple[str, str]], partitioned_by: str) -> str:
        """A table without partitions yet; its name comes back. Each partition says where it is: a file in the folder of the table is never
        read for standing there.
        """
        name = self.prefix + table
        nowhere = literal(self.build_dir / "plan" / "nothing" / table)
        self.spark.sql(
            f"create table {name} ({_declared(columns)}) using parquet partitioned by ({partitioned_by}) location {nowhere}"
        )
        return name

    def _add(self, table: str, partitions: Sequence[tuple[str, str]]) -> None:
        """Give a table partitions: what they hold, and their folders."""
        added = [f"partition ({values}) location {literal(folder)}" for values, folder in partitions]
        for first in range(0, len(added), _AT_ONCE):
            self.spark.sql(f"alter table {table} add " + " ".join(added[first : first + _AT_ONCE]))


def _declared(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns)


def spark_type(kind: str) -> str:
    """A type of DuckDB in Spark's words."""
    return _SPARK_TYPES.get(kind, re.sub(r"\s", "", kind.lower()))


def duckdb_type(kind: str) -> str:
    """A type of Spark in DuckDB's words."""
    return _DUCKDB_TYPES.get(kind, kind.upper())


def literal(value: object) -> str:
    """A value as a string literal of Spark."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
