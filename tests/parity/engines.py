"""One data folder, built by both engines night by night, and what differs between their tables.

What belongs here: building twice and comparing. What does not: what is landed, which is the tests' matter.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import sql
from orchestration.landing.ingest import ingest
from orchestration.landing.lake import Lake
from orchestration.publication import candidate, publish
from orchestration.warehouse import dbt, spark, spark_session
from orchestration.warehouse.spark import SparkTables

if TYPE_CHECKING:
    from orchestration.publication.candidate import Plan
    from orchestration.settings import Settings

COMPARED = ("dimensions", "facts", "marts")
MASTER = "local[2]"


@dataclass
class Engines:
    """A data folder whose nights both engines build. DuckDB's are published, so that the next night starts from them."""

    settings: Settings
    published: SparkTables | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    nights: int = 0

    def night(self, *, full: bool = False, requested_dates: Sequence[date] = ()) -> tuple[Plan, list[str]]:
        """Land what is there, build it twice, publish DuckDB's. Returns the plan and what differs."""
        ingest(self.settings)
        manifests = Lake(self.settings.lake_dir).manifests()
        plan = candidate.make_plan(self.settings, manifests, requested_dates=requested_dates, full=full)
        assert not plan.is_empty, "a night without news compares nothing"
        path = candidate.prepare(self.settings, plan, manifests)
        self.nights += 1
        tables, views = self._spark(path, self.settings.data_dir / "compared" / f"{self.nights:03d}")
        started = time.monotonic()
        broken = [
            f"DuckDB: {node.name}: {node.message}"
            for node in dbt.invoke(self.settings, ["run"])
            if node.is_blocking_failure
        ]
        self.seconds["duckdb"] = time.monotonic() - started
        assert not broken, broken
        found = differences(self.settings, path, tables, views)
        publish.publish(self.settings, plan, manifests, checks=[])
        self.published = tables
        return plan, found

    def _spark(self, path: Path, build_dir: Path) -> tuple[SparkTables, dict[str, str]]:
        """The plan of a candidate, built by Spark: its tables, and the relations of its views' rows."""
        # DuckDB allows one process to open a file once for writing: Spark reads the plan from a copy.
        copy = candidate.scratch_path(self.settings, "parity")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        # The first night of a process starts the JVM, which is no part of a build.
        started = time.monotonic()
        spark_session.session(self.settings, master=MASTER)
        self.seconds["spark start-up"] = time.monotonic() - started
        started = time.monotonic()
        results = spark.build(self.settings, copy, build_dir, published=self.published, master=MASTER)
        self.seconds["spark"] = time.monotonic() - started
        broken = [f"Spark: {node.name}: {node.message}" for node in results if node.is_blocking_failure]
        assert not broken, broken
        return SparkTables.read(build_dir), _write_views(self.settings, build_dir)


def _write_views(settings: Settings, build_dir: Path) -> dict[str, str]:
    """The rows of the marts that are views, written by Spark."""
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    assert running is not None
    views = {}
    marts = f"{spark_session.schema_prefix(settings)}marts"
    for row in running.sql(f"show views in {marts}").collect():
        folder = build_dir / "views" / row["viewName"]
        running.table(f"{marts}.{folder.name}").write.parquet(str(folder))
        views[f"marts.{folder.name}"] = f"read_parquet({sql.literal(folder / '*.parquet')})"
    return views


def differences(
    settings: Settings, duckdb_file: Path, tables: SparkTables, views: dict[str, str]
) -> list[str]:
    """Tables of facts, dimensions and marts that are not the same, with the first rows that only one engine has."""
    found = []
    with sql.connect(settings) as connection:
        connection.execute(f"attach {sql.literal(duckdb_file)} as other (read_only)")
        names = connection.execute(
            "select schema_name, table_name from (select database_name, schema_name, table_name from duckdb_tables() "
            "union all select database_name, schema_name, view_name from duckdb_views()) "
            f"where database_name = 'other' and schema_name in {COMPARED} order by all"
        ).fetchall()
        assert len(names) > 30, "a comparison of no tables proves nothing"
        for schema, name in names:
            table = f"{schema}.{name}"
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns() where database_name = 'other' and schema_name = ? and table_name = ? "
                "order by column_index",
                [schema, name],
            ).fetchall()
            listed = ", ".join(sql.identifier(column) for column, _ in columns)
            ours = f"select {listed} from other.{table}"
            if table not in views and table not in tables.columns:
                found.append(f"{table}: Spark has no such table")
                continue
            if table not in views and not tables.folders[table]:
                theirs = f"{ours} limit 0"
            else:
                relation = views.get(table) or tables.relation(table)
                theirs = f"select {listed} from {relation}"
                kinds = {row[0]: row[1] for row in connection.execute(f"describe {theirs}").fetchall()}
                # Spark has no time of day: it is text there, and its type is given where it is published.
                wrong = [
                    f"{c} is {kinds[c]}, not {k}"
                    for c, k in columns
                    if kinds[c] != k and (kinds[c], k) != ("VARCHAR", "TIME")
                ]
                if wrong:
                    found.append(f"{table}: {wrong}")
                    continue
                cast = ", ".join(
                    f"cast({sql.identifier(c)} as {k}) as {sql.identifier(c)}" for c, k in columns
                )
                theirs = f"select {cast} from {relation}"
            for who, one, other in (("DuckDB", ours, theirs), ("Spark", theirs, ours)):
                only = f"({one}) except all ({other})"
                count = connection.execute(f"select count(*) from ({only})").fetchall()[0][0]
                if count:
                    rows = connection.execute(f"select * from ({only}) order by all limit 2").fetchall()
                    shown = [{c: v for (c, _), v in zip(columns, row, strict=True)} for row in rows]
                    found.append(f"{table}: {count} rows of {who} alone, such as {shown}")
    return found
