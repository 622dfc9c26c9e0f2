"""Assets `raw_runs` and `raw_spans`: whatever is new in the landing folder, as one batch in the lake."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from orchestration import night
from orchestration.defs.common import DATA_PLATFORM, POOL, RAW_RUNS, RAW_SPANS, take_lock
from orchestration.landing.ingest import IngestReport
from orchestration.landing.lake import COUNTS, Lake
from orchestration.settings import Settings

_MAX_LISTED = 20


def build_landing(settings: Settings) -> dg.AssetsDefinition:
    """The ingest assets. Retried: a network folder may be gone for a moment. A retry loads nothing twice."""

    def spec(key: dg.AssetKey, entity: str) -> dg.AssetSpec:
        return dg.AssetSpec(
            key,
            group_name="landing",
            owners=DATA_PLATFORM,
            kinds={"python", "parquet"},
            description=f"Rows of {entity} from new landing files, typed and deduplicated, as immutable "
            f"Parquet parts in the lake. Bad lines go to quarantine; `credit-usage quarantine` shows them.",
            metadata={"lake": dg.MetadataValue.path(str(settings.lake_dir / entity))},
        )

    @dg.multi_asset(
        name="ingest",
        specs=[spec(RAW_RUNS, "runs"), spec(RAW_SPANS, "spans")],
        pool=POOL,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    )
    def ingest() -> Iterator[dg.MaterializeResult[None]]:
        take_lock(settings)
        report = night.land(settings)
        # The same version on a night without news: what was built from these rows is still up to date.
        version = dg.DataVersion(str(Lake.of(settings).last_batch_seq))
        for key, entity in ((RAW_RUNS, "runs"), (RAW_SPANS, "spans")):
            metadata = _metadata(report, entity)
            yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)

    return ingest


def _metadata(report: IngestReport, entity: str) -> dict[str, dg.MetadataValue]:
    """What a person wants to see: the batch's books, its dates, and why a file was not loaded."""
    metadata: dict[str, dg.MetadataValue] = {
        "known_files": dg.MetadataValue.int(len(report.known_files)),
        "deferred_files": dg.MetadataValue.int(sum(item.deferred for item in report.skipped)),
    }
    if report.skipped:
        lines = [f"- `{item.name}`: {item.reason}" for item in report.skipped[:_MAX_LISTED]]
        metadata["not_read"] = dg.MetadataValue.md("\n".join(lines))
    manifest = report.manifest
    if manifest is None:
        metadata["new_files"] = dg.MetadataValue.int(0)
        return metadata
    parts = [part for part in manifest.parts if part.entity == entity]
    metadata["batch"] = dg.MetadataValue.int(manifest.batch_seq)
    metadata["new_files"] = dg.MetadataValue.int(len(manifest.files))
    metadata["dagster/row_count"] = dg.MetadataValue.int(sum(part.row_count for part in parts))
    metadata |= {f"batch_{name}": dg.MetadataValue.int(manifest.total(name)) for name in COUNTS}
    if parts:
        metadata["dates_touched"] = dg.MetadataValue.text(
            f"{parts[0].lake_date} to {parts[-1].lake_date} ({len(parts)} dates)"
        )
    if report.unreadable:
        lines = [f"- `{entry.path}`: {entry.reason}" for entry in report.unreadable[:_MAX_LISTED]]
        metadata["unreadable_files"] = dg.MetadataValue.md("\n".join(lines))
    return metadata
