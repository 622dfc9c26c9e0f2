"""Assets `published_warehouse` (audited candidate renamed over the published file), `usage_dates` (which dates it holds, as daily
partitions, and their backfill) and `reports` (the site rendered from it).
"""

# No postponed annotations here: Dagster checks the real annotation of `context`.

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from orchestration import night, progress
from orchestration.defs.common import (
    ANALYTICS,
    DATA_PLATFORM,
    POOL,
    PUBLISHED,
    REPORTS,
    USAGE_DATES,
    partitions,
    stop,
    take_lock,
    telling_wrong_settings,
)
from orchestration.publication.publish import Publication, read_publication
from orchestration.settings import Settings
from orchestration.site import render_site


def build_publication(settings: Settings, model_keys: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The last two assets of the night."""

    @dg.asset(
        key=PUBLISHED,
        deps=list(model_keys),
        group_name="publication",
        owners=DATA_PLATFORM,
        kinds={"duckdb"},
        pool=POOL,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=timedelta(hours=settings.freshness_hours)
        ),
        description="The file that analysts and reports read. Replaced atomically, only by a candidate that was built to the end and "
        "whose blocking checks all passed; the last publications are kept for `credit-usage rollback`.",
    )
    def published_warehouse(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        take_lock(settings, context.run_id)
        try:
            publication = night.release(settings)
        except (night.AuditFailedError, LookupError) as error:
            stop(str(error), data_failed=isinstance(error, night.AuditFailedError))
        return dg.MaterializeResult(metadata=_published_metadata(settings, publication))

    @dg.asset(
        key=USAGE_DATES,
        deps=[PUBLISHED],
        group_name="publication",
        owners=DATA_PLATFORM,
        kinds={"duckdb"},
        pool=POOL,
        partitions_def=partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="The usage dates in the published warehouse, one daily partition each. A night marks exactly the dates it rebuilt. "
        "Materialising a range here rebuilds, audits, publishes and renders those dates in one run.",
    )
    def usage_dates(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        take_lock(settings, context.run_id)
        chosen = (
            set(context.partition_keys)
            if context.has_partition_key or context.has_partition_key_range
            else set()
        )
        publication = read_publication(settings)
        if chosen:
            try:
                with telling_wrong_settings():
                    publication = night.rebuild(
                        settings,
                        run_id=context.run_id,
                        requested_dates=sorted(date.fromisoformat(key) for key in chosen),
                    )
            except (night.AuditFailedError, LookupError) as error:
                stop(str(error), data_failed=isinstance(error, night.AuditFailedError))
            # Readers and the UI must not see a backfilled file beside pages and records of the one before.
            published = _published_metadata(settings, publication)
            context.log_event(dg.AssetMaterialization(asset_key=PUBLISHED, metadata=published))
            context.log_event(dg.AssetMaterialization(asset_key=REPORTS, metadata=_render(settings)))
        touched = publication.touched_dates if publication else ()
        known = set(partitions(settings).get_partition_keys())
        for day in touched:
            if day in known and day not in chosen:
                context.log_event(dg.AssetMaterialization(asset_key=USAGE_DATES, partition=day))
        outside = [day for day in touched if day not in known]
        if outside:
            context.log.warning(
                f"{len(outside)} rebuilt dates lie outside the partitions ({outside[0]} to {outside[-1]}); they are published all the "
                "same. Set partitions_start_date earlier to see them here."
            )
        return dg.MaterializeResult(
            metadata={"dates_rebuilt": len(touched), "dates_outside_partitions": len(outside)}
        )

    @dg.asset(
        key=REPORTS,
        deps=[PUBLISHED],
        group_name="publication",
        owners=ANALYTICS,
        kinds={"jinja", "html"},
        pool=POOL,
        description="The static site: for each workspace analytics, logs, run sheets and users, rendered from the published marts only.",
    )
    def reports(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        take_lock(settings, context.run_id)
        return dg.MaterializeResult(metadata=_render(settings))

    return [published_warehouse, usage_dates, reports]


def _published_metadata(settings: Settings, publication: Publication) -> dict[str, Any]:
    manifest = publication.manifest
    return {
        "publication": publication.publication_id,
        "published_at": publication.published_at,
        "data_through_at": str(manifest["data_through_at"]),
        "dates_touched": len(publication.touched_dates),
        "checks_passed": manifest["checks"]["passed"],
        "warnings": manifest["checks"]["warnings"],
        "file": dg.MetadataValue.path(str(settings.published_path)),
    }


def _render(settings: Settings) -> dict[str, Any]:
    """Render the site from the published file; what a person wants to know of it."""
    with progress.stage("render") as counts:
        result = render_site(settings, progress=progress.report)
        counts |= {"pages": result.pages, "files_written": result.files_written}
    return {
        "pages": result.pages,
        "files_written": result.files_written,
        "files_unchanged": result.files_unchanged,
        "seconds": round(result.seconds, 3),
        "site": dg.MetadataValue.url((settings.site_dir / "index.html").absolute().as_uri()),
    }
