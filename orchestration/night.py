"""The stages of a night as plain functions, in order: land, prepare, build, audit, publish. Dagster's assets and the command line call
these; nothing here knows of either. State between stages is in files beside the candidate, so each may run in a process of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration import durable, progress, sql
from orchestration.landing import contract, erasure
from orchestration.landing.ingest import IngestReport, ingest, survey
from orchestration.landing.lake import COUNTS, Lake, Manifest
from orchestration.pricing import catalogue
from orchestration.publication import candidate, copies, preview, publish
from orchestration.publication.candidate import Plan
from orchestration.publication.preview import Preview
from orchestration.publication.publish import Publication
from orchestration.quality.results import CheckResult, blocking_failures, from_json, to_json
from orchestration.warehouse import dbt
from orchestration.warehouse.checks import check_results

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.landing.parallel import Division
    from orchestration.settings import Settings


logger = logging.getLogger(__name__)

LOOKED = "looked.json"
"""When a night last found nothing to do; beside the candidate."""
AT_WORK = "at-work"
"""A night is at work, or was killed; beside the candidate, too."""


class AuditFailedError(RuntimeError):
    """Blocking checks failed: nothing was published. `failed` holds them; the candidate is kept for inspection."""

    def __init__(self, failed: Sequence[CheckResult], kept: Path | None) -> None:
        self.failed = tuple(failed)
        self.kept = kept
        shown = "; ".join(f"{check.name}: {check.message}" for check in self.failed[:5])
        more = f" and {len(self.failed) - 5} more" if len(self.failed) > 5 else ""  # noqa: PLR2004
        super().__init__(f"{len(self.failed)} blocking checks failed: {shown}{more}. Nothing was published.")


@dataclass(frozen=True)
class NightResult:
    """How a night ended. `failure` is the first failed stage's message, empty on success; `data_failed` says that a blocking check
    found bad data. `materialized` holds the metadata of each built asset, by name; `run_id` is None where there was nothing to run.
    """

    run_id: str | None
    success: bool
    failure: str
    data_failed: bool
    materialized: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Build:
    """What dbt did in the candidate: all node results, and its tests as check results."""

    nodes: tuple[dbt.NodeResult, ...]
    checks: tuple[CheckResult, ...]


def now() -> datetime:
    """The clock of a night, UTC. `CREDIT_USAGE_NOW` pins it, for reproducible publications."""
    import os  # noqa: PLC0415

    pinned = os.environ.get("CREDIT_USAGE_NOW")
    if not pinned:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(pinned).astimezone(UTC)
    except ValueError as error:
        raise ValueError(
            f"CREDIT_USAGE_NOW must be a time like 2026-11-26T02:00:00+00:00, got {pinned!r}"
        ) from error


def land(settings: Settings) -> IngestReport:
    """Land whatever is new as one batch."""
    with progress.stage("land") as counts:
        _put_right(settings)
        with _ahead_of_the_build(settings):
            if settings.landing_workers > 1:
                from orchestration.landing import parallel  # noqa: PLC0415 - few land so much at once

                report = parallel.ingest(settings, now=now(), progress=progress.report)
            else:
                report = ingest(settings, now=now(), progress=progress.report)
        counts.update(_counts(report))
        return report


def divide_landing(settings: Settings) -> Division:
    """The first step of landing in several: what is new, in groups that anybody may read. The caller holds the lock."""
    from orchestration.landing import parallel  # noqa: PLC0415

    with progress.stage("divide") as counts:
        _put_right(settings)
        division = parallel.divide(settings)
        counts |= {"groups": division.groups}
        return division


def read_landing_group(settings: Settings, token: str, number: int) -> None:
    """The second: one group is read aside, in any process that reaches landing folder and lake. Needs no lock."""
    from orchestration.landing import parallel  # noqa: PLC0415

    with progress.stage("read"):
        parallel.read_group(settings, token, number)


def unite_landing(settings: Settings, token: str) -> IngestReport:
    """The last: all groups become one batch. The caller holds the lock."""
    from orchestration.landing import parallel  # noqa: PLC0415

    with progress.stage("land") as counts:
        report = parallel.unite(settings, token, now=now(), progress=progress.report)
        counts.update(_counts(report))
        return report


def _ahead_of_the_build(settings: Settings) -> AbstractContextManager[None]:
    """While the block runs, what is published is copied and the prices are read, where tonight's build will want them, as far as can be
    told now.
    """
    try:
        plan = candidate.make_plan(settings, Lake.of(settings).manifests(), today=now().date())
    except (RuntimeError, ValueError, LookupError) as error:
        # `prepare` meets it again, and reports it.
        logger.info("nothing is copied ahead: %s", error)
        return nullcontext()
    if plan.is_full_build or not settings.published_path.exists():
        return nullcontext()
    return copies.made_ahead(settings, also=catalogue.prices)


def _put_right(settings: Settings) -> None:
    """What a night that was killed may have left, and what other machines did to a shared lake meanwhile."""
    _clean_temp(settings)
    Lake.of(settings).refresh()
    publish.repair(settings)
    _finish_forgetting(settings)


def _counts(report: IngestReport) -> dict[str, int]:
    return {
        "new_files": len(report.manifest.files) if report.manifest else 0,
        "known_files": len(report.known_files),
        "unreadable_files": len(report.unreadable),
    } | {name: report.manifest.total(name) if report.manifest else 0 for name in COUNTS}


@contextmanager
def at_work(settings: Settings) -> Iterator[None]:
    """A file stands for the time of the block. Where it stands and nobody holds the lock, a night was killed: the next one is not cut
    short, so that what was left is cleared away. The caller holds the lock.
    """
    mark = settings.warehouse_dir / AT_WORK
    durable.make_folder(mark.parent)
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def look(settings: Settings) -> IngestReport | None:
    """What landing would report where a night has nothing to do; None where there is something to land, build or put right.

    A tenth of a second where the Dagster job takes five to say the same. The caller holds the lock.
    """
    if (settings.warehouse_dir / AT_WORK).exists():
        return None
    try:
        report = survey(settings)
        if report is None or not settings.published_path.exists():
            return None
        publish.repair(settings)
        _finish_forgetting(settings)
        plan = candidate.make_plan(settings, Lake.of(settings).manifests(), today=now().date())
    except (RuntimeError, ValueError, LookupError, OSError) as error:
        # The job meets it again, says what to do, and is on record as failed.
        logger.info("something stands in the way of a look: %s", error)
        return None
    if not plan.is_empty:
        return None
    durable.write_json(settings.warehouse_dir / LOOKED, {"looked_at": now().isoformat(timespec="seconds")})
    return report


def dates_between(first: date, last: date) -> list[date]:
    """All dates from first to last, both included. Raises ValueError where usage cannot be of them: each date is looked for."""
    contract.refuse_dates_without_usage(first, last)
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def prepare(
    settings: Settings, *, run_id: str, requested_dates: Sequence[date] = (), full: bool = False
) -> Plan:
    """Plan the build and make the candidate, unless there is nothing to do. A candidate left from before is discarded."""
    with progress.stage("prepare") as counts:
        manifests = Lake.of(settings).manifests()
        plan = candidate.make_plan(
            settings, manifests, requested_dates=requested_dates, full=full, today=now().date()
        )
        counts |= {"new_batches": len(plan.new_batches), "full_build": int(plan.is_full_build)}
        for name in ("build.json", "audit.json", "plan.json"):
            (settings.warehouse_dir / name).unlink(missing_ok=True)
        if plan.is_empty:
            copies.discard_ahead(settings)
        else:
            candidate.prepare(settings, plan, manifests)
            durable.write_json(
                settings.warehouse_dir / "plan.json", {"run_id": run_id, "plan": plan.as_json()}
            )
        return plan


def clear_for_forgetting(settings: Settings) -> None:
    """Remove what still names a user who was forgotten just now, but for the published file and its pages: the next night makes those anew.

    Safe to repeat; each night does the same.
    """
    _finish_forgetting(settings)
    candidate.discard(settings)
    _clean_temp(settings)


def _finish_forgetting(settings: Settings) -> None:
    """What may be left to do where users were forgotten, because of a crash or a kept file."""
    erasure.sweep(settings)
    publish.forget_older(settings)


def current_plan(settings: Settings, run_id: str | None = None) -> Plan | None:
    """The plan of the present candidate; None when there is none, or when it belongs to another run than `run_id`."""
    document = _read(settings, "plan.json")
    if document is None or not settings.candidate_path.exists():
        return None
    if run_id is not None and document["run_id"] != run_id:
        return None
    return Plan.from_json(document["plan"])


def build(settings: Settings) -> Build:
    """Build every model over the touched dates and run every data test. Results are kept; failing tests do not raise."""
    plan = current_plan(settings)
    with progress.stage("build") as counts:
        if plan is not None and plan.engine == "spark":
            nodes = _build_on_spark(settings, plan)
        else:
            nodes = dbt.invoke(
                settings, dbt.build_args(full=plan is None or plan.is_full_build), on_node=_told
            )
        counts |= {
            "models": sum(node.resource_type == "model" for node in nodes),
            "tests": sum(len(node.checks) or 1 for node in nodes if node.resource_type == "test"),
            "failed": sum(node.is_blocking_failure for node in nodes),
        }
    judged = check_results(settings, settings.candidate_path, nodes)
    # It was written without waiting for the disk; what is said to be built has to be there after a power loss, too.
    durable.sync_file(settings.candidate_path)
    durable.write_json(settings.warehouse_dir / "build.json", json.loads(to_json(judged)))
    durable.write_json(
        settings.warehouse_dir / "nodes.json",
        [
            {
                "name": node.name,
                "type": node.resource_type,
                "status": node.status,
                "seconds": round(node.seconds, 3),
            }
            for node in nodes
        ],
    )
    return Build(tuple(nodes), tuple(judged))


def _told(name: str, done: int, total: int) -> None:
    progress.report(f"Building {name}", done, total)


def _build_on_spark(settings: Settings, plan: Plan) -> list[dbt.NodeResult]:
    """The models on Spark; then the candidate takes in what was built, and DuckDB runs the data tests on it, as on any other."""
    from orchestration.publication import from_spark  # noqa: PLC0415
    from orchestration.warehouse import spark, spark_session  # noqa: PLC0415

    built = spark.build(
        settings,
        settings.candidate_path,
        from_spark.build_dir(settings, plan),
        published=from_spark.published_tables(settings, plan),
        master=settings.spark_master,
        memory=settings.spark_memory,
        on_node=_told,
    )
    if any(node.is_blocking_failure for node in built):
        return built
    spark_session.release(settings, settings.spark_master)
    from_spark.take_in(settings, plan)
    taken = dbt.invoke(settings, from_spark.TAKE_IN_ARGS, on_node=_told)
    tests = dbt.invoke(settings, from_spark.TEST_ARGS, on_node=_told)
    # A model counts once: what went wrong while it was taken in, else how it was built.
    broken = {node.unique_id: node for node in taken if node.is_blocking_failure}
    return [*(broken.get(node.unique_id, node) for node in built), *tests]


def touched(settings: Settings, plan: Plan) -> list[date]:
    """Usage dates that the candidate's build replaced."""
    with sql.connect(settings, settings.candidate_path, read_only=True) as connection:
        return candidate.touched_dates(connection, plan)


def audit(settings: Settings) -> list[CheckResult]:
    """Judge the candidate: suites and reconciliations over the touched dates. Results are kept beside it."""
    from orchestration.quality.audit import audit as run_audit  # noqa: PLC0415 - Great Expectations costs seconds

    plan = current_plan(settings)
    if plan is None:
        raise LookupError("there is no candidate to audit: run the nightly job")
    progress.report("Auditing the candidate", 0, 1)
    with progress.stage("audit") as counts:
        dates = None if plan.is_full_build else touched(settings, plan)
        results = run_audit(settings, settings.candidate_path, dates, as_of=now())
        counts |= {"checks": len(results), "failed": len(blocking_failures(results))}
    durable.write_json(settings.warehouse_dir / "audit.json", json.loads(to_json(results)))
    progress.report("Auditing the candidate", 1, 1)
    return results


def release(settings: Settings) -> Publication:
    """Publish the candidate if its build is whole and its audit passes (it is audited now where that was not done).

    Raises AuditFailedError and keeps the candidate aside otherwise; the published file stays as it was.
    """
    plan = current_plan(settings)
    if plan is None:
        raise LookupError("there is no candidate to publish: run the nightly job")
    built = _read(settings, "build.json")
    if built is None:
        raise LookupError("the candidate was not built to the end: run the nightly job")
    audited = _read(settings, "audit.json")
    audit_checks = audit(settings) if audited is None else from_json(json.dumps(audited))
    checks = [*from_json(json.dumps(built)), *audit_checks]
    if failed := blocking_failures(checks):
        raise AuditFailedError(failed, publish.keep_failed(settings))
    progress.report("Publishing", 0, 1)
    with progress.stage("publish") as counts:
        publication = publish.publish(settings, plan, Lake.of(settings).manifests(), checks, now=now())
        counts |= {
            "dates": len(publication.touched_dates),
            "warnings": publication.manifest["checks"]["warnings"],
        }
    for name in ("build.json", "audit.json", "plan.json"):
        (settings.warehouse_dir / name).unlink(missing_ok=True)
    progress.report("Publishing", 1, 1)
    return publication


def rebuild(settings: Settings, *, run_id: str, requested_dates: Sequence[date]) -> Publication:
    """Prepare, build, audit and publish the given dates in one go (with whatever landed but was not applied yet).

    Raises AuditFailedError where a blocking check fails; the published file stays as it was.
    """
    prepare(settings, run_id=run_id, requested_dates=requested_dates)
    if failed := blocking_failures(build(settings).checks):
        raise AuditFailedError(failed, publish.keep_failed(settings))
    return release(settings)


def preview_repricing(settings: Settings) -> Preview:
    """What the prices and rates in force now would change of what is published: built in a scratch file that is removed again.

    Covers the batches that are published already; nothing is landed, and lake, candidate and published file stay as they are. The
    caller holds the lock. Raises LookupError where nothing is published.
    """
    published = candidate.read_manifest(settings)
    if published is None:
        raise LookupError(
            f"nothing is published in {settings.published_dir}: run `credit-usage nightly` first"
        )
    manifests = Lake.of(settings).manifests()
    applied = [m for m in manifests if m.batch_seq in set(published["applied_batches"])]
    plan = candidate.make_plan(settings, applied)
    return _preview(settings, published, plan, applied, waiting_batches=len(manifests) - len(applied))


def preview_retraction(settings: Settings, manifests: Sequence[Manifest]) -> Preview | None:
    """What publishing these batches, which a retraction has revised, would change of what is published; None where nothing is.

    Built from the lake in a scratch file. The caller holds the lock.
    """
    published = candidate.read_manifest(settings)
    if published is None:
        return None
    applied = [m for m in manifests if m.batch_seq in set(published["applied_batches"])]
    plan = candidate.make_plan(settings, applied)
    return _preview(settings, published, plan, applied, waiting_batches=len(manifests) - len(applied))


def _preview(
    settings: Settings,
    published: Mapping[str, Any],
    plan: Plan,
    applied: Sequence[Manifest],
    *,
    waiting_batches: int,
) -> Preview:
    """The plan built in a scratch file, beside what is published."""
    told: dict[str, Any] = {
        "sources": preview.changed_sources(published.get("prices", {}), dict(plan.prices)),
        "waiting_batches": waiting_batches,
    }
    if plan.engine != "duckdb":
        raise LookupError(
            f"there are no previews with engine '{plan.engine}': they are built in a copy of a file that holds all rows itself"
        )
    publication_id = str(published["publication_id"])
    progress.report("Preparing the preview", 0, 1)
    try:
        if plan.is_empty or not preview.prepare(settings, plan, applied):
            return preview.unchanged(publication_id, **told)
        nodes = dbt.invoke(
            settings,
            ["run", "--select", preview.SELECTION],
            database=preview.scratch_path(settings),
            on_node=lambda name, done, total: progress.report(f"Building {name}", done, total),
        )
        if failed := [node for node in nodes if node.is_blocking_failure]:
            raise RuntimeError(f"the preview cannot be built: {failed[0].name}: {failed[0].message}")
        progress.report("Comparing", 0, 1)
        return preview.compare(settings, plan, publication_id, **told)
    finally:
        preview.discard(settings)


def _read(settings: Settings, name: str) -> Any:
    path = settings.warehouse_dir / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _clean_temp(settings: Settings) -> None:
    """Spill files of a run that was killed."""
    import shutil  # noqa: PLC0415

    shutil.rmtree(settings.temp_dir, ignore_errors=True)
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
