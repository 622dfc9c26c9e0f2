"""A build on Spark: what dbt writes there, and which folders make up its tables.

What belongs here: the course of a build, and what it leaves (`SparkTables`). What Spark is told before it is in `spark_catalogue.py`; what
the models mean is dbt's; how a night goes on from the tables is `orchestration/publication`'s.

A build writes Parquet below a folder of its own, `<schema>/<table>`, facts and daily marts with a folder for each usage date. Dates that a
night does not touch stay in the folders of earlier builds. Which folders make up a table is said by `tables.json`, written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import durable, sql
from orchestration.warehouse import dbt, spark_session
from orchestration.warehouse.spark_catalogue import Catalogue, duckdb_type

if TYPE_CHECKING:
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
        catalogue = Catalogue(spark, spark_session.schema_prefix(settings), connection, build_dir)
        catalogue.create_schemas((*SCHEMAS, *_UNPUBLISHED), settings.temp_dir / "spark-warehouse")
        catalogue.register_plan()
        catalogue.register_lake()
        catalogue.register_published(known.folders, known.columns)
    results = dbt.invoke(settings, ["run"], database=candidate, on_node=on_node, spark_tables=build_dir)
    if not any(node.is_blocking_failure for node in results):
        _tables_of(settings, spark, build_dir, known).write(build_dir)
        for leftover in _UNPUBLISHED:
            shutil.rmtree(build_dir / leftover, ignore_errors=True)
    return results


def _tables_of(
    settings: Settings, spark: SparkSession, build_dir: Path, published: SparkTables
) -> SparkTables:
    """What the build wrote, and what of earlier builds still holds: the dates that it did not replace."""
    prefix = spark_session.schema_prefix(settings)
    folders: dict[str, dict[str, str]] = {}
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(build_dir.glob("*/*")):
        if path.parent.name not in SCHEMAS or not path.is_dir():
            continue
        table = f"{path.parent.name}.{path.name}"
        days = {found.name.removeprefix(_DATE): str(found) for found in sorted(path.glob(f"{_DATE}*"))}
        # Spark writes a table without rows as an empty file, and as no file where it has partitions.
        folders[table] = {"": str(path)} if any(path.glob("*.parquet")) else days
        columns[table] = {name: duckdb_type(kind) for name, kind in spark.table(prefix + table).dtypes}
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


def in_use(build_dirs: Sequence[Path]) -> set[Path]:
    """Folders of builds that the tables of these builds still need, themselves included."""
    found = set(build_dirs)
    for build_dir in build_dirs:
        for folders in SparkTables.read(build_dir).folders.values():
            for folder in folders.values():
                found |= {parent for parent in Path(folder).parents if parent.parent == build_dir.parent}
    return found
