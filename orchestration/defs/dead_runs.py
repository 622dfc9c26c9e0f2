"""Runs whose process was killed: Dagster shows them as running for ever, and counts them where runs queue for the warehouse's pool, which
has room for one. Whoever holds the data folder's lock knows that no other run is at work.
"""

from __future__ import annotations

import dagster as dg

from orchestration.publication.lock import LockHeldError, run_lock
from orchestration.settings import Settings

_AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def close(instance: dg.DagsterInstance) -> None:
    """Say of every run that stands as running that it failed. The caller holds the lock, and no run of this process is under way."""
    for record in instance.get_run_records(dg.RunsFilter(statuses=_AT_WORK)):
        instance.report_run_failed(
            record.dagster_run, "The process of this run ended without a word: it was killed."
        )


def close_if_idle(instance: dg.DagsterInstance, settings: Settings) -> None:
    """The same, unless a run is at work."""
    try:
        with run_lock(settings.data_dir):
            close(instance)
    except LockHeldError:
        return
