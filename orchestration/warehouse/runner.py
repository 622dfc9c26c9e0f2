"""One call of dbt in this process.

What belongs here: how dbt is started and left, whatever the command. What its results mean is in `dbt.py`, when the project is parsed
in `manifest.py`. dbt is imported on first use (3 s).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.publication.candidate import DBT_PROJECT
from orchestration.warehouse import spark_session, templates

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

    from orchestration.settings import Settings


@contextmanager
def _environment(settings: Settings, database: Path, spark_tables: Path | None = None) -> Iterator[None]:
    values = {
        "CREDIT_USAGE_CANDIDATE": str(database),
        "CREDIT_USAGE_SPARK_TABLES": str(spark_tables or ""),
        "CREDIT_USAGE_SPARK_SCHEMA_PREFIX": spark_session.schema_prefix(settings) if spark_tables else "",
        "CREDIT_USAGE_MEMORY_LIMIT": settings.memory_limit,
        "CREDIT_USAGE_TEMP_DIR": str(settings.temp_dir),
        "CREDIT_USAGE_THREADS": str(settings.threads or os.cpu_count() or 1),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    # dbt writes down how it was called, and stops at a file name that is no UTF-8.
    called, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = called
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run(
    settings: Settings,
    args: Sequence[str],
    *,
    database: Path,
    spark_tables: Path | None = None,
    manifest: Any = None,
    callback: Callable[[Any], None] | None = None,
) -> dbtRunnerResult:
    """Run one dbt command on `database`, or on Spark with tables in the folder `spark_tables`.

    With a parsed `manifest` dbt does not look at the project's files.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    _leave_out_debug_events()
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    target = settings.dbt_target_dir / "spark" if spark_tables else settings.dbt_target_dir
    target.mkdir(parents=True, exist_ok=True)
    templates.keep(target)
    with _environment(settings, database, spark_tables):
        outcome = dbtRunner(manifest=manifest, callbacks=[callback] if callback else []).invoke(
            [
                *args,
                "--target",
                "spark" if spark_tables else "duckdb",
                "--project-dir",
                str(DBT_PROJECT),
                "--profiles-dir",
                str(DBT_PROJECT),
                "--target-path",
                str(target),
                "--log-path",
                str(target),
                "--no-use-colors",
                # Nothing on standard output, not even errors: it belongs to the command line, which may print JSON there.
                "--log-level",
                "none",
                # The debug log spells out each statement, at a fifth of dbt's own time; `target/run` has the SQL as files.
                "--log-level-file",
                "info",
            ]
        )
        _release_file()
    templates.save(target)
    return outcome


def _leave_out_debug_events() -> None:
    """Let dbt make no messages of its debug events: nobody is told of them, and they are a tenth of a small night's build."""
    from dbt_common.events import event_manager, event_manager_client  # noqa: PLC0415
    from dbt_common.events.base_types import BaseEvent, EventLevel  # noqa: PLC0415

    class WithoutDebug(event_manager.EventManager):
        def fire_event(
            self,
            e: BaseEvent,
            level: EventLevel | None = None,
            node: Any = None,
            force_warn_or_error_handling: bool = False,
        ) -> None:
            if force_warn_or_error_handling or (level or e.level_tag()) != EventLevel.DEBUG:
                super().fire_event(e, level, node, force_warn_or_error_handling)

    event_manager_client.ctx_set_event_manager(WithoutDebug())


def _release_file() -> None:
    """Close dbt's connections: it would keep the candidate open for writing for as long as this process lives."""
    from dbt.adapters.factory import FACTORY  # noqa: PLC0415

    for adapter in FACTORY.adapters.values():
        adapter.connections.cleanup_all()
        close_all = getattr(type(adapter.connections), "close_all_connections", None)
        if close_all is not None:
            close_all()
