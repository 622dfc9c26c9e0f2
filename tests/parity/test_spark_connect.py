"""A night whose models are built by a server of Spark Connect, which others use as well, ends as one on DuckDB does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY
from orchestration.warehouse import spark_session
from tests.warehouse_fixture import Warehouse, at, call_row, differences, run_row, three_days

MISSING = spark_session.why_missing() or (
    None if find_spec("grpc_status") else "pyspark[connect] is not installed"
)
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"no Spark Connect here: {MISSING}"),
    pytest.mark.xdist_group("spark"),
]
LATER = at("2026-10-04 09:00")
PATIENCE_SECONDS = 120
OTHERS = """
from pyspark.sql import SparkSession
session = SparkSession.builder.getOrCreate()
{statements}
print([row[0] for row in session.sql("show databases").collect()])
print([row["tableName"] for row in session.sql("show tables in facts").collect()])
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a catalogue of its own, started as its operators start it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = Path(str(find_spec("pyspark").origin)).parent  # type: ignore[union-attr]
    options = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse-of-the-server"),
    }
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(home / "bin" / "spark-submit"),
                *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
                *("--master", "local[2]", "--driver-memory", "2g"),
                *(part for name, value in options.items() for part in ("--conf", f"{name}={value}")),
                "spark-internal",
            ],
            cwd=tmp_path,
            env={**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(PATIENCE_SECONDS):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(1)
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(tmp_path, ignore_errors=True)


def run(arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own: one process has Spark within itself or on a server, and other tests have it within."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_nights_on_a_server_that_others_use(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night on a server publishes other rows than one on DuckDB, wants Java where there is none, or drops or leaves tables on it."""
    monkeypatch.setenv("CREDIT_USAGE_NOW", "2026-10-05T03:00:00+00:00")
    duckdb, spark = Warehouse(tmp_path / "duckdb"), Warehouse(tmp_path / "spark")
    others = {"SPARK_REMOTE": server}
    told = run(
        [
            "-c",
            OTHERS.format(
                statements="session.sql('create database facts')\n"
                "session.sql('create table facts.of_others using parquet as select 1 as n')"
            ),
        ],
        others,
    )
    assert told.returncode == 0, told.stderr
    before = told.stdout
    assert "of_others" in before

    without_java = tmp_path / "bin"
    without_java.mkdir()
    for needed in ("python3", "git"):
        if found := shutil.which(needed):
            (without_java / needed).symlink_to(found)
    environment = {
        "CREDIT_USAGE_DATA_DIR": str(spark.settings.data_dir),
        "CREDIT_USAGE_SETTLE_SECONDS": "0",
        "CREDIT_USAGE_ENGINE": "spark",
        "CREDIT_USAGE_SPARK_MASTER": server,
        "PATH": str(without_java),
        "JAVA_HOME": "",
    }
    for number in range(2):
        for made in (duckdb, spark):
            if number == 0:
                runs, spans = three_days()
            else:
                runs = [run_row("req_4", LATER)]
                spans = [
                    call_row("req_4", "s1", LATER + timedelta(seconds=1)),
                    call_row("req_1", "s9", at("2026-10-01 09:00:05")),
                ]
            made.drop(f"{number}/runs.jsonl", runs)
            made.drop(f"{number}/spans.jsonl", spans)
        assert duckdb.night(suites=True) is not None
        night = run(["-m", "orchestration.cli", "nightly"], environment)
        assert night.returncode == 0, night.stdout + night.stderr
        assert "FutureWarning" not in night.stderr, "a night repeats what PySpark has to say of pandas"
        found = differences(spark, duckdb.settings.published_path, spark.settings.published_path)
        assert not found, f"night {number}:\n" + "\n".join(map(str, found))
        assert run(["-c", OTHERS.format(statements="")], others).stdout == before, (
            "what others have on the server is not what it was, or a night's schemas stay there"
        )


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """A night waits ten minutes for a server that is not there, or fails without saying which."""
    warehouse = Warehouse(tmp_path)
    runs, spans = three_days()
    warehouse.drop("runs.jsonl", runs)
    warehouse.drop("spans.jsonl", spans)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"sc://127.0.0.1:{nobody.getsockname()[1]}"
        night = run(
            ["-m", "orchestration.cli", "nightly"],
            {
                "CREDIT_USAGE_DATA_DIR": str(warehouse.settings.data_dir),
                "CREDIT_USAGE_SETTLE_SECONDS": "0",
                "CREDIT_USAGE_ENGINE": "spark",
                "CREDIT_USAGE_SPARK_MASTER": address,
            },
        )
    assert night.returncode == 2
    assert f"no Spark Connect server answers at '{address}'" in night.stderr, night.stderr
