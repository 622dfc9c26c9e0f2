"""The warehouse candidate and the dbt models in it, one asset per model, dbt tests as asset checks."""

# No postponed annotations here: Dagster reads the config class from the real annotation of an op.

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import takewhile
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration import night, sql
from orchestration.defs.common import (
    ANALYTICS,
    CANDIDATE,
    DATA_PLATFORM,
    POOL,
    RAW_RUNS,
    RAW_SPANS,
    stop,
    take_lock,
    telling_wrong_settings,
)
from orchestration.defs.quality import as_dagster
from orchestration.publication.candidate import Plan
from orchestration.publication.publish import keep_failed
from orchestration.quality.results import blocking_failures
from orchestration.settings import Settings
from orchestration.warehouse.manifest import read_manifest


class CandidateConfig(dg.Config):
    """Options of a night. Dates are ISO; both ends of a backfill are included."""

    backfill_from: str | None = None
    backfill_to: str | None = None
    full: bool = False


class Translator(DagsterDbtTranslator):
    """Asset keys are model names; groups are the folders below `models/`; dbt's sources are the candidate."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_duplicate_source_asset_keys=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return CANDIDATE
        return dg.AssetKey(str(dbt_resource_props["name"]))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return "_".join(dbt_resource_props["fqn"][1:-1]) or None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's description, else its first comment; the default hides it among the whole SQL."""
        described = str(dbt_resource_props.get("description") or "").strip()
        first_line = str(dbt_resource_props.get("raw_code") or "").partition("\n")[0]
        return described or first_line.removeprefix("--").strip()

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return ANALYTICS if dbt_resource_props["fqn"][1] == "marts" else DATA_PLATFORM


def build_warehouse(settings: Settings) -> list[dg.AssetsDefinition]:
    """The candidate asset and the dbt assets."""
    manifest = _with_descriptions(read_manifest(settings))
    translator = Translator()

    @dg.multi_asset(
        name="prepare_candidate",
        specs=[
            dg.AssetSpec(
                CANDIDATE,
                deps=[RAW_RUNS, RAW_SPANS],
                group_name="warehouse",
                owners=DATA_PLATFORM,
                kinds={"duckdb"},
                skippable=True,
                description="A copy of the published DuckDB file with tonight's plan in it (schema `plan`). "
                "Everything below builds in this copy; readers never see it. "
                "The next night discards it and starts again from what is published.",
            )
        ],
        pool=POOL,
    )
    def prepare_candidate(
        context: dg.AssetExecutionContext, config: CandidateConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        take_lock(settings, context.run_id)
        requested = (
            night.dates_between(
                date.fromisoformat(config.backfill_from), date.fromisoformat(config.backfill_to)
            )
            if config.backfill_from and config.backfill_to
            else []
        )
        with telling_wrong_settings():
            plan = night.prepare(settings, run_id=context.run_id, requested_dates=requested, full=config.full)
        if plan.is_empty:
            context.log.info("Nothing new landed and nothing was asked for: the published warehouse stands.")
            return
        yield dg.MaterializeResult(asset_key=CANDIDATE, metadata=_plan_metadata(plan))

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=translator,
        name="dbt_build",
        exclude="resource_type:unit_test",
        pool=POOL,
    )
    def dbt_build(context: dg.AssetExecutionContext) -> Iterator[Any]:
        take_lock(settings, context.run_id)
        plan = night.current_plan(settings, context.run_id)
        with telling_wrong_settings():
            # Started from the UI without the candidate asset, this run has nothing to build in yet.
            if plan is None:
                plan = night.prepare(settings, run_id=context.run_id, full=True)
            built = night.build(settings)
        failed = [node for node in built.nodes if node.is_blocking_failure]
        yield from _model_results(context, settings, manifest, translator, built, ok=not failed)
        yield from _test_results(context, manifest, translator, built)
        if failed:
            kept = keep_failed(settings)
            # Skipped ones, which wait for what failed, are told in the UI alone.
            told = {name for node in failed for name in node.checks or (node.name,)}
            broken = [check for check in blocking_failures(built.checks) if check.name in told]
            names = "; ".join(f"{check.name}: {check.message}" for check in broken[:5])
            stop(
                f"{len(broken)} models or blocking checks failed: {names}. "
                f"Nothing was published; the candidate is kept in {kept}.",
                data_failed=any(node.resource_type == "test" for node in failed),
            )

    return [prepare_candidate, dbt_build]


def _with_descriptions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest, each test described by its first comment: dagster-dbt asks a test's `meta` for it."""
    nodes = {
        unique_id: node
        if node["resource_type"] != "test"
        else {**node, "meta": {**node["meta"], "description": _first_comment(str(node["raw_code"]))}}
        for unique_id, node in manifest["nodes"].items()
    }
    return {**manifest, "nodes": nodes}


def _first_comment(code: str) -> str:
    lines = takewhile(lambda line: line.startswith("--"), code.splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def _plan_metadata(plan: Plan) -> dict[str, dg.MetadataValue]:
    return {
        "full_build": dg.MetadataValue.bool(plan.is_full_build),
        "reason": dg.MetadataValue.text(plan.reason or "new batches or requested dates"),
        "new_batches": dg.MetadataValue.text(", ".join(map(str, plan.new_batches)) or "none"),
        "requested_dates": dg.MetadataValue.int(len(plan.requested_dates)),
    }


def _model_results(
    context: dg.AssetExecutionContext,
    settings: Settings,
    manifest: Mapping[str, Any],
    translator: Translator,
    built: night.Build,
    *,
    ok: bool,
) -> Iterator[dg.MaterializeResult[None]]:
    counts = _row_counts(settings) if ok else {}
    for result in built.nodes:
        if result.resource_type != "model" or result.status != "success":
            continue
        key = translator.get_asset_key(manifest["nodes"][result.unique_id])
        metadata: dict[str, Any] = {"seconds": round(result.seconds, 3)}
        if result.name in counts:
            metadata["dagster/row_count"] = counts[result.name]
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    # Views that last are not built again, and show what their tables hold by now.
    told = {result.unique_id for result in built.nodes}
    for unique_id, node in manifest["nodes"].items():
        if unique_id in told or node["config"].get("materialized") != "lasting_view" or not ok:
            continue
        key = translator.get_asset_key(node)
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata={"seconds": 0.0})


def _row_counts(settings: Settings) -> dict[str, int]:
    """Rows of each table, from the catalogue: no table is read."""
    with sql.connect(settings, settings.candidate_path, read_only=True) as connection:
        rows = connection.execute("select table_name, estimated_size from duckdb_tables()").fetchall()
    return {str(name): int(size) for name, size in rows}


def _test_results(
    context: dg.AssetExecutionContext, manifest: Mapping[str, Any], translator: Translator, built: night.Build
) -> Iterator[dg.AssetCheckResult]:
    checks = {check.name: check for check in built.checks}
    for result in built.nodes:
        if result.resource_type != "test":
            continue
        key = get_asset_check_key_for_test(manifest, translator, result.unique_id, None)
        if key is not None and key in context.selected_asset_check_keys:
            names = result.checks or (result.name,)
            yield as_dagster(key, [checks[name] for name in names])
