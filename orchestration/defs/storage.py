"""Dagster's SQLite storage with one open connection per file, for the nights that the command line runs.

Dagster opens, commits to disk and closes the file two to five times per event, and each closing checkpoints
it: for the 650 events of a night that was 7 s of processor time, as much as dbt. The files are the same, so
the UI reads them as ever. There is no public setting for this: `_connect`, `_db_lock`, `_initdb` and
`_event_logs_directory` are private names of Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

_BUSY_TIMEOUT_SECONDS = 60.0


class OpenEventLogStorage(SqliteEventLogStorage):
    """The event log with its connections kept open until the instance is disposed."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=StaticPool,
                    # The lock keeps threads apart.
                    connect_args={"timeout": _BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
                )
                event.listen(engine, "connect", _commit_without_waiting_for_the_disk)
                self._initdb(engine)
                self._engines[shard] = engine
            with engine.begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Asked anew for each check result; tables of an initialised file do not disappear."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Close every file, which also folds its write-ahead log into it."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


class OpenStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the event log above."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLogStorage(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> OpenStorage:
        """Called by Dagster with the configuration of `storage_config`."""
        return cls.from_local(inst_data=inst_data, **config_value)


def storage_config(base_dir: Path) -> dict[str, Any]:
    """The `storage` block that makes an instance use `OpenStorage`."""
    return {
        "custom": {"module": __name__, "class": OpenStorage.__name__, "config": {"base_dir": str(base_dir)}}
    }


def _commit_without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    """With a write-ahead log a power failure then loses the last events at most, and never the file."""
    connection.execute("pragma synchronous = normal")
