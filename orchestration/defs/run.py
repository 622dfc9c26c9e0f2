"""The nightly job in this process, with the persistent instance: what cron users run.

It is the definition that the schedule starts.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from sqlalchemy.exc import OperationalError

from orchestration import progress
from orchestration.defs import dead_runs
from orchestration.defs.build import build_definitions
from orchestration.defs.common import TOLD_TAG, failure_of
from orchestration.defs.jobs import NIGHTLY
from orchestration.defs.storage import storage_config
from orchestration.night import NightResult, at_work
from orchestration.publication.lock import run_lock
from orchestration.settings import REPOSITORY, Settings

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult

STORAGE_LINE = "base_dir: data/dagster"
"""The line of dagster.yaml that says where `dagster dev` keeps its runs, for the default data folder."""


@contextmanager
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance: dagster.yaml of the repository, storage below the data folder."""
    reference = InstanceRef.from_dir(
        str(write_home(settings)), overrides={"storage": storage_config(settings.dagster_dir)}
    )
    with dg.DagsterInstance.from_ref(reference) as opened:
        yield opened


def write_home(settings: Settings) -> Path:
    """Make the data folder's `dagster/` a DAGSTER_HOME: the repository's dagster.yaml with its storage there.

    `dagster dev` reads the repository's file, whose storage lies below `data/`. For a data folder elsewhere,
    start it with this home.
    """
    settings.dagster_dir.mkdir(parents=True, exist_ok=True)
    text = (REPOSITORY / "dagster.yaml").read_text(encoding="utf-8")
    text = text.replace(STORAGE_LINE, f"base_dir: {json.dumps(str(settings.dagster_dir))}")
    target = settings.dagster_dir / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        temporary = target.with_name("dagster.yaml.writing")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    return settings.dagster_dir


def run_nightly(
    settings: Settings,
    *,
    backfill: tuple[date, date] | None = None,
    full: bool = False,
    wait_seconds: float = 0.0,
) -> NightResult:
    """Run the nightly job; a failed night is a result, not an exception.

    Raises LockHeldError when another run holds the lock.
    """
    config: dict[str, Any] = {"full": full}
    if backfill:
        config |= {"backfill_from": backfill[0].isoformat(), "backfill_to": backfill[1].isoformat()}
    # The second one warns, for each check of a skipped step, that it did not run; a night without news skips them all.
    for name in ("dagster", "dagster._core.execution.plan.active"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), run_lock(settings.data_dir, wait_seconds=wait_seconds):
        warnings.simplefilter("ignore")
        with progress.stage("define"):
            job = build_definitions(settings, in_one_process=True).resolve_job_def(NIGHTLY)
        with at_work(settings), _telling_a_full_disk(settings), instance(settings) as opened:
            dead_runs.close(opened)
            result = job.execute_in_process(
                instance=opened,
                raise_on_error=False,
                tags={TOLD_TAG: "command line"},
                run_config={
                    "ops": {"prepare_candidate": {"config": config}},
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
            )
            failure, data_failed = _failure(result)
            return NightResult(
                run_id=result.run_id,
                success=result.success,
                failure=failure,
                data_failed=data_failed,
                materialized={
                    event.asset_key.to_user_string(): {
                        key: value.value for key, value in event.materialization.metadata.items()
                    }
                    for event in result.get_asset_materialization_events()
                    if event.asset_key is not None and event.partition is None
                },
            )


@contextmanager
def _telling_a_full_disk(settings: Settings) -> Iterator[None]:
    """Within the block, records that cannot be written end in one line: each event is written, so a full disk is often met here."""
    try:
        yield
    except OperationalError as error:
        raise RuntimeError(
            f"Dagster cannot keep its records in {settings.dagster_dir}: {error.orig}. What is published is whole: make room there, "
            "and start the night again"
        ) from error


def _failure(result: ExecuteInProcessResult) -> tuple[str, bool]:
    """The first failed stage's message, and whether bad data caused it."""
    if told := failure_of(result.get_step_failure_events()):
        return told
    return ("", False) if result.success else ("the run failed before its first stage", False)


def last_runs(settings: Settings, limit: int) -> list[dict[str, Any]]:
    """The latest runs, newest first: id, job, status, start, end, duration, and why one failed."""
    with instance(settings) as opened:
        records = opened.get_run_records(limit=limit)
        failures = {
            record.dagster_run.run_id: _why(opened, record.dagster_run.run_id)
            for record in records
            if record.dagster_run.status is dg.DagsterRunStatus.FAILURE
        }
    runs = []
    for record in records:
        started = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None
        ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None
        runs.append(
            {
                "run_id": record.dagster_run.run_id,
                "job": record.dagster_run.job_name,
                "status": record.dagster_run.status.value.lower(),
                "started_at": started.isoformat(timespec="seconds") if started else None,
                "ended_at": ended.isoformat(timespec="seconds") if ended else None,
                "seconds": round((ended - started).total_seconds(), 1) if started and ended else 0.0,
                "error": failures.get(record.dagster_run.run_id),
            }
        )
    return runs


def _why(opened: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed."""
    logs = opened.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    told = failure_of(entry.dagster_event for entry in logs if entry.dagster_event)
    return told[0] if told else "the run failed before its first stage, or was killed"
