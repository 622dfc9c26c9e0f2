"""What is published, how fresh it is, what waits, and how the last runs ended. Reads only."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration import sql
from orchestration.landing import privacy
from orchestration.landing.files import discover
from orchestration.landing.lake import COUNTS, Lake
from orchestration.night import LOOKED, now
from orchestration.publication.publish import read_publication

if TYPE_CHECKING:
    from orchestration.settings import Settings

_RUNS_SHOWN = 5


def read_status(settings: Settings) -> dict[str, Any]:
    """The document behind `credit-usage status --json`; its keys are stable."""
    lake = Lake.of(settings)
    manifests = lake.manifests()
    publication = read_publication(settings)
    waiting_files = 0
    if settings.landing_dir.exists():
        new, _, skipped = discover(
            settings.landing_dir,
            settle_seconds=0.0,
            known=lake.known_hashes(),
            cache_path=settings.lake_dir / "seen.json",
            remember=False,
        )
        waiting_files = len(new) + sum(item.deferred for item in skipped)
    applied = set(publication.applied_batches) if publication else set()
    through = publication.manifest["data_through_at"] if publication else None
    age_hours = (now() - datetime.fromisoformat(through)).total_seconds() / 3600 if through else None
    runs = _runs(settings)
    return {
        "published": None
        if publication is None
        else {
            "publication_id": publication.publication_id,
            "published_at": publication.published_at,
            "data_through_at": through,
            "generated_by": publication.manifest["generated_by"],
            "applied_batches": len(applied),
            **publication.manifest["checks"],
        },
        "age_hours": age_hours,
        "freshness_hours": settings.freshness_hours,
        "is_fresh": age_hours is not None and age_hours <= settings.freshness_hours,
        "waiting": {
            "files": waiting_files,
            "batches": sum(manifest.batch_seq not in applied for manifest in manifests),
        },
        "rows": {name: sum(manifest.total(name) for manifest in manifests) for name in COUNTS},
        "unreadable_files": sum(
            entry.status == "unreadable" for manifest in manifests for entry in manifest.files
        ),
        "retracted_files": len(lake.retracted()),
        "looked_at": _looked_at(settings),
        "runs": runs,
        "last_run": _last_run(runs),
        "forgotten_ids": len(privacy.forgotten(lake).digests),
    }


def _last_run(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest run with its age: what a monitor asks first. None where there was none yet."""
    if not runs:
        return None
    since = runs[0]["ended_at"] or runs[0]["started_at"]
    age_hours = (now() - datetime.fromisoformat(since)).total_seconds() / 3600 if since else None
    return {**runs[0], "age_hours": age_hours}


def _looked_at(settings: Settings) -> str | None:
    """When `credit-usage nightly` last found nothing to do, and therefore ran nothing."""
    path = settings.warehouse_dir / LOOKED
    return str(json.loads(path.read_text(encoding="utf-8"))["looked_at"]) if path.exists() else None


def read_totals(settings: Settings) -> list[dict[str, Any]]:
    """Totals per workspace over all published dates; amounts as exact texts."""
    if not settings.published_path.exists():
        return []
    with sql.connect(settings, settings.published_path, read_only=True) as connection:
        cursor = connection.execute("""
            select
                workspace_id,
                sum(run_count)::bigint as run_count,
                sum(total_tokens)::bigint as total_tokens,
                sum(task_credits)::varchar as task_credits,
                sum(total_cost_usd)::varchar as total_cost_usd,
                sum(external_cost_usd)::varchar as external_cost_usd,
                sum(unpriced_call_count)::bigint as unpriced_call_count
            from marts.mart_analytics__total_cost
            group by workspace_id
            order by workspace_id
        """)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _runs(settings: Settings) -> list[dict[str, Any]]:
    if not settings.dagster_dir.exists():
        return []
    from orchestration.defs.run import last_runs  # noqa: PLC0415 - Dagster costs seconds, and a new folder has no runs

    return last_runs(settings, _RUNS_SHOWN)
