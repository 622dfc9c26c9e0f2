"""Assets `raw_runs` and `raw_spans`: whatever is new in the landing folder, as one batch in the lake."""

# No postponed annotations here: Dagster checks the real annotation of `context`.

from collections.abc import Iterator

import dagster as dg

from orchestration import night
from orchestration.defs.common import DATA_PLATFORM, POOL, RAW_RUNS, RAW_SPANS, take_lock
from orchestration.landing.ingest import IngestReport
from orchestration.landing.lake import COUNTS, Lake
from orchestration.settings import Settings

_MAX_LISTED = 20
_ASSETS = {RAW_RUNS: "runs", RAW_SPANS: "spans"}
_KINDS = {"python", "parquet"}
_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


def build_landing(settings: Settings, *, in_one_process: bool) -> dg.AssetsDefinition:
    """The ingest assets. Retried: a network folder may be gone for a moment. A retry loads nothing twice.

    With `landing_workers` each group of files is a step of its own, unless all steps are of one process anyway.
    """
    if settings.landing_workers > 1 and not in_one_process:
        return _in_steps(settings)
    specs = [
        dg.AssetSpec(
            key,
            group_name="landing",
            owners=DATA_PLATFORM,
            kinds=_KINDS,
            description=_description(entity),
            metadata=_lake_of(settings, entity),
        )
        for key, entity in _ASSETS.items()
    ]

    @dg.multi_asset(name="ingest", specs=specs, pool=POOL, retry_policy=_RETRIES)
    def ingest(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        take_lock(settings, context.run_id)
        report = night.land(settings)
        version = _version(settings)
        for key, entity in _ASSETS.items():
            metadata = _metadata(report, entity)
            yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)

    return ingest


def _in_steps(settings: Settings) -> dg.AssetsDefinition:
    """The same as a step that divides, one for each group of files, and one that unites them."""

    @dg.op(
        name="divide_landing",
        out={"groups": dg.DynamicOut(int), "token": dg.Out(str)},
        pool=POOL,
        retry_policy=_RETRIES,
        description="Finds new landing files and divides them into groups that are read at the same time.",
    )
    def divide(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int] | dg.Output[str]]:
        take_lock(settings, context.run_id)
        division = night.divide_landing(settings)
        for number in range(1, division.groups + 1):
            yield dg.DynamicOutput(number, mapping_key=f"group_{number}", output_name="groups")
        yield dg.Output(division.token, output_name="token")

    @dg.op(
        name="read_landing_files",
        out=dg.Out(dg.Nothing),
        retry_policy=_RETRIES,
        description="Reads one group of files aside. Two workers with the same group are no harm: the first result counts.",
    )
    def read(number: int, token: str) -> None:
        night.read_landing_group(settings, token, number)

    @dg.op(
        name="commit_landing",
        ins={"read": dg.In(dg.Nothing), "token": dg.In(str)},
        out={entity: dg.Out(dg.Nothing) for entity in _ASSETS.values()},
        pool=POOL,
        description="Makes one batch of all groups, takes out known rows and commits it to the lake.",
    )
    def unite(context: dg.OpExecutionContext, token: str) -> Iterator[dg.Output[None]]:
        take_lock(settings, context.run_id)
        report = night.unite_landing(settings, token)
        version = _version(settings)
        for entity in _ASSETS.values():
            yield dg.Output(
                None, output_name=entity, metadata=_metadata(report, entity), data_version=version
            )

    @dg.graph_multi_asset(
        name="ingest",
        outs={
            entity: dg.AssetOut(
                key=key,
                dagster_type=dg.Nothing,
                owners=DATA_PLATFORM,
                kinds=_KINDS,
                description=_description(entity),
                metadata=_lake_of(settings, entity),
            )
            for key, entity in _ASSETS.items()
        },
        group_name="landing",
    )
    def ingest() -> dict[str, object]:
        groups, token = divide()
        done = groups.map(lambda number: read(number=number, token=token))
        return dict(zip(_ASSETS.values(), unite(read=done.collect(), token=token), strict=True))

    return ingest


def _description(entity: str) -> str:
    return (
        f"Rows of {entity} from new landing files, typed and deduplicated, as immutable Parquet parts in the lake. "
        "Bad lines go to quarantine; `credit-usage quarantine` shows them."
    )


def _lake_of(settings: Settings, entity: str) -> dict[str, dg.MetadataValue]:
    return {"lake": dg.MetadataValue.path(str(settings.lake_dir / entity))}


def _version(settings: Settings) -> dg.DataVersion:
    """The same on a night without news: what was built from these rows is still up to date."""
    return dg.DataVersion(str(Lake.of(settings).last_batch_seq))


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
