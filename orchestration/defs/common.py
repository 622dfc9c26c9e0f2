"""What the definitions share: owners, groups, partitions, the lock of a run, and how failures are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import dagster as dg

from orchestration.pricing.files import UserFileError
from orchestration.publication.lock import LockHeldError, ensure_lock
from orchestration.settings import Settings, SettingsError
from orchestration.warehouse.spark_session import SparkMissingError

DATA_PLATFORM = ["team:data-platform"]
ANALYTICS = ["team:analytics"]
POOL = "warehouse"
_UNTIL_THE_OWNER_SIGNED = 1.0
"""Seconds: who just took the lock has written at once whose it is."""
TOLD_TAG = "credit_usage/told_by"
"""Tag of a run whose end is told by the command that runs it."""

RAW_RUNS = dg.AssetKey("raw_runs")
RAW_SPANS = dg.AssetKey("raw_spans")
CANDIDATE = dg.AssetKey("candidate")
PUBLISHED = dg.AssetKey("published_warehouse")
USAGE_DATES = dg.AssetKey("usage_dates")
REPORTS = dg.AssetKey("reports")


def partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Usage dates. The end lies a day ahead: a workspace east of UTC is already in tomorrow."""
    return dg.DailyPartitionsDefinition(start_date=settings.partitions_start_date, end_offset=2)


def take_lock(settings: Settings, run_id: str) -> None:
    """Take the data folder's lock for the rest of this process. Where each step of a run has a process of its own, they take turns."""
    try:
        ensure_lock(settings.data_dir, wait_seconds=_UNTIL_THE_OWNER_SIGNED, run_id=run_id)
    except LockHeldError as error:
        stop(str(error))


@contextmanager
def telling_wrong_settings() -> Iterator[None]:
    """Within the block a wrong setting, price file or rate file, or an engine that is not there, fails the run with its own message and
    nothing else.
    """
    try:
        yield
    except (UserFileError, SettingsError, SparkMissingError) as error:
        stop(str(error))


_WRAPPERS = ("Dagster", "RetryRequested")
"""How classes begin in which Dagster wraps what a step raised."""


def failure_of(events: Iterable[dg.DagsterEvent]) -> tuple[str, bool] | None:
    """The first failed stage's message, and whether bad data caused it; None where no stage failed."""
    for event in events:
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            told = data.user_failure_data.metadata.get("data_failed")
            return str(data.user_failure_data.description), bool(told is not None and told.value)
        if data.error is not None:
            error = data.error
            # Ours says what to do, of which its own cause knows nothing.
            while error.cause is not None and str(error.cls_name).startswith(_WRAPPERS):
                error = error.cause
            return f"{event.step_key}: {error.message.strip()}", False
    return None


def stop(message: str, *, data_failed: bool = False) -> NoReturn:
    """Fail the run with a message for people; a retry would not help. `data_failed` tells bad data from everything else."""
    raise dg.Failure(description=message, allow_retries=False, metadata={"data_failed": data_failed})
