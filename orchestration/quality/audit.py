"""The audit of a candidate: every suite and every reconciliation over the touched dates, and its verdict kept beside the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from orchestration.quality import ahead, reconciliation
from orchestration.quality.results import CheckResult
from orchestration.quality.thresholds import thresholds_of

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.settings import Settings


def audit(
    settings: Settings, database: Path, dates: Sequence[date] | None, *, as_of: datetime | None = None
) -> list[CheckResult]:
    """Run all suites and identities over the touched dates of a warehouse file (None = every date)."""
    limits = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "temp_directory": settings.temp_dir,
    }
    return [
        *ahead.run_suites(
            database=database,
            dates=dates,
            as_of=as_of,
            thresholds=thresholds_of(settings),
            **limits,
        ),
        *reconciliation.reconcile(database, dates=dates, **limits),  # type: ignore[arg-type]
    ]
