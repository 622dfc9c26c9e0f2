"""The Spark session that dbt builds in: Spark within this process, a cluster that it drives, or a server of Spark Connect.

What belongs here: what the models count on of Spark, and how much of the machine it takes. pyspark is imported on first use; it is there
with the extra `spark` alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

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


CONNECT = "sc://"
_CONNECT_PORT = 15002
_REMOTE = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED")
"""How PySpark tells itself, and dbt-spark, that sessions are made on a server. It sets the second one on its own."""


class SparkMissingError(RuntimeError):
    """Spark cannot be started or reached; the message says what is missing."""


def why_missing(master: str = "local[*]") -> str | None:
    """What is missing here for Spark at `master`; None where nothing is."""
    from importlib.util import find_spec  # noqa: PLC0415

    for package in ("pyspark", "dbt.adapters.spark"):
        if find_spec(package) is None:
            return f"{package} is not installed: install the extra, `pip install -r requirements-spark.lock`"
    if not master.startswith(CONNECT) and shutil.which("java") is None:
        return "there is no java: Spark needs Java 17 or 21"
    return None


def suit(session: SparkSession, rows: int) -> None:
    """Let the session compile its stages, or not, by how many rows of the lake it is going to read."""
    for name, value in _INTERPRETED.items():
        if rows < INTERPRETED_BELOW_ROWS:
            session.conf.set(name, value)
        else:
            session.conf.unset(name)


def schema_prefix(settings: Settings) -> str:
    """What the names of this data folder's schemas begin with: a server's catalogue holds those of others, too."""
    return f"credit_usage_{hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:8]}_"


def session(settings: Settings, *, master: str = "local[*]", memory: str = "2g") -> SparkSession:
    """The session of this process, made on first use (some seconds). Schemas of this data folder are dropped: tables are files, and are
    named anew.

    Raises SparkMissingError.
    """
    if missing := why_missing(master):
        raise SparkMissingError(missing)
    made = _connected(settings, master) if master.startswith(CONNECT) else _own(settings, master, memory)
    _drop_schemas(settings, made)
    return made


def release(settings: Settings, master: str) -> None:
    """Leave a server as it was found. Spark in this process stays for the next build."""
    if not master.startswith(CONNECT):
        return
    running = _connected(settings, master)
    _drop_schemas(settings, running)
    running.stop()
    for name in _REMOTE:
        os.environ.pop(name, None)


def _own(settings: Settings, master: str, memory: str) -> SparkSession:
    """Spark whose driver is this process."""
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
    return made


def _connected(settings: Settings, remote: str) -> SparkSession:
    """A session on a server of Spark Connect. dbt-spark makes its own by the same environment, which gives it this one."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    place = urlsplit(remote)
    try:
        # The client itself tries for ten minutes before it says that nothing is there.
        socket.create_connection((place.hostname or "", place.port or _CONNECT_PORT), timeout=10).close()
    except OSError as error:
        raise SparkMissingError(f"no Spark Connect server answers at {remote!r}: {error}") from None
    os.environ["SPARK_REMOTE"] = remote
    builder: Any = SparkSession.builder
    for name, value in SEMANTICS.items():
        builder = builder.config(name, value)
    made: SparkSession = builder.getOrCreate()
    for name, value in SEMANTICS.items():
        if (found := made.conf.get(name)) != value:
            raise SparkMissingError(
                f"the models count on {name} = {value}, and the server at {remote!r} keeps it at {found}"
            )
    return made


def _drop_schemas(settings: Settings, made: SparkSession) -> None:
    # Not by `catalog`, whose rows a session that interprets cannot decode.
    for (database,) in made.sql(f"show databases like '{schema_prefix(settings)}*'").collect():
        made.sql(f"drop database `{database}` cascade")
