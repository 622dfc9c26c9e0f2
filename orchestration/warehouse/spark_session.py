"""The Spark session that dbt builds in: Spark within this process, or a cluster that it drives.

What belongs here: what the models count on of Spark, and how much of the machine it takes. pyspark is imported on first use; it is there
with the extra `spark` alone.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from orchestration.settings import Settings

SEMANTICS = {
    # An amount that does not fit is an error, as in DuckDB, and not NULL.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # A timestamp is a UTC time without a zone, in SQL and in Parquet.
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    # A product of decimals keeps its places: by default decimal(38, 0) × decimal(38, 18) would have 6 of 18.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.storeAssignmentPolicy": "ANSI",
}
"""What the models count on; a cluster has to set the same (docs/scaling.md)."""

_OURS = {
    # Tables are named anew by each build, and no other program's are seen, or dropped.
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "512",
}
"""Wherever Spark runs. What else a cluster wants is said by its own `spark-defaults.conf` (SPARK_CONF_DIR)."""

_LOCAL = {
    # One process: a shuffle in two hundred parts, Spark's default, costs more than a small night's work.
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
INTERPRETED_BELOW_ROWS = 200_000
"""Spark compiles each stage of each statement. Of 3 days of 40 runs that was 66 of 166 s of a build, start-up left out."""


class SparkMissingError(RuntimeError):
    """Spark cannot be started here; the message says what is missing."""


def why_missing() -> str | None:
    """What is missing for Spark in this process; None where nothing is."""
    from importlib.util import find_spec  # noqa: PLC0415

    for package in ("pyspark", "dbt.adapters.spark"):
        if find_spec(package) is None:
            return f"{package} is not installed: install the extra, `pip install -r requirements-spark.lock`"
    if shutil.which("java") is None:
        return "there is no java: Spark needs Java 17 or 21"
    return None


def suit(session: SparkSession, rows: int) -> None:
    """Let the session compile its stages, or not, by how many rows of the lake it is going to read."""
    for name, value in _INTERPRETED.items():
        if rows < INTERPRETED_BELOW_ROWS:
            session.conf.set(name, value)
        else:
            session.conf.unset(name)


def session(settings: Settings, *, master: str = "local[*]", memory: str = "2g") -> SparkSession:
    """The session of this process, made on first use (some seconds). Its catalogue is emptied: tables are files, and are named anew.

    Raises SparkMissingError.
    """
    if missing := why_missing():
        raise SparkMissingError(missing)
    from pyspark.sql import SparkSession  # noqa: PLC0415

    spill = settings.temp_dir / "spark"
    running = SparkSession.getActiveSession()
    # Each night empties the folder for temporary files, and a session does not make its part of it again.
    if running is not None and (
        running.conf.get("spark.local.dir", str(spill)) != str(spill) or not spill.exists()
    ):
        running.stop()
    spill.mkdir(parents=True, exist_ok=True)
    builder: Any = SparkSession.builder.master(master).appName("credit-usage")
    options = {
        **SEMANTICS,
        **_OURS,
        "spark.driver.memory": memory,
        "spark.sql.warehouse.dir": str(settings.temp_dir / "spark-warehouse"),
    }
    if master.startswith("local"):
        options |= _LOCAL | {"spark.local.dir": str(spill)}
    for name, value in options.items():
        builder = builder.config(name, value)
    made: SparkSession = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    # Not by `catalog`, whose rows a session that interprets cannot decode.
    for (database,) in made.sql("show databases").collect():
        if database != "default":
            made.sql(f"drop database `{database}` cascade")
    return made
