"""From an audited candidate to the published file: books written into it, renamed over the old one, history kept for rollback.

Order of a publication: content of the candidate to disk; the current file linked into the history; the candidate renamed over the
published name (the moment of truth); the manifest beside it rewritten from inside the file. A crash before the rename changes nothing
that readers see; after it, `repair` finishes the rest. What does not belong here: checks and their verdict.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable, sql
from orchestration.landing.lake import COUNTS, Lake, Manifest
from orchestration.publication import books, copies, from_spark
from orchestration.publication.candidate import (
    CHANGED_BY_HAND,
    DamagedFileError,
    Plan,
    first_detail_date,
    hash_of,
    is_remembered,
    log_beside,
    read_manifest,
    read_manifest_beside,
    remember_hash,
    touched_dates,
)
from orchestration.quality.results import CheckResult

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

MAX_RAW_CHARACTERS = 1000
"""How much of a quarantined line the published file repeats; the lake keeps it whole."""


_KEPT_ASIDE = ("failed.duckdb", "damaged.duckdb", "rollback.duckdb")
"""Files in `warehouse/` that stay until somebody deletes them."""


class PublicationError(RuntimeError):
    """The publication cannot be made or undone; the message says what to do."""


@dataclass(frozen=True)
class Publication:
    """One publication, as its manifest tells it."""

    publication_id: str
    published_at: str
    applied_batches: tuple[int, ...]
    touched_dates: tuple[str, ...]
    manifest: dict[str, Any]


def generated_by() -> str:
    """Name and version of the software, recorded in each publication."""
    try:
        return f"credit-usage {version('credit-usage')}"
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "credit-usage (not installed)"


def publish(
    settings: Settings,
    plan: Plan,
    manifests: Sequence[Manifest],
    checks: Sequence[CheckResult],
    *,
    now: datetime | None = None,
) -> Publication:
    """Finish the candidate and put it in the published file's place. The caller holds the lock and has a passing verdict."""
    published_at = (now or datetime.now(UTC)).astimezone(UTC)
    candidate = settings.candidate_path
    with sql.connect(settings, candidate) as connection:
        dates = touched_dates(connection, plan)
        detail_from = _detail_from(connection, settings, plan, published_at.date())
        manifest = _write_books(
            connection, settings, plan, manifests, checks, dates, published_at, detail_from
        )
        if detail_from is not None:
            _drop_detail(connection, detail_from)
        connection.execute("drop schema if exists staging cascade")
        connection.execute("drop schema if exists plan cascade")
        connection.execute("checkpoint")
    durable.make_folder(settings.published_dir)
    digest = _synced_hash(candidate)
    if settings.published_path.exists() and plan.reason != CHANGED_BY_HAND:
        _keep(settings)
    log_beside(settings).unlink(missing_ok=True)
    candidate.replace(settings.published_path)
    durable.sync_folder(settings.published_dir)
    _write_manifest(settings, manifest, digest)
    _prune(settings)
    forget_older(settings)
    _prune_builds(settings)
    return _publication(manifest)


def _synced_hash(path: Path) -> str:
    """Force a file to the disk and hash it meanwhile: the one waits for the disk, the other for a core."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(hash_of, path)
        durable.sync_file(path)
        return digest.result()


def _detail_from(
    connection: duckdb.DuckDBPyConnection, settings: Settings, plan: Plan, today: date
) -> date | None:
    """The first date whose runs and calls stay, None where those of all dates do."""
    if not settings.keep_detail_days and plan.detail_from_date is None:
        return None
    oldest, newest = _one_row(
        connection, "select min(usage_date), max(usage_date) from marts.mart_analytics__total_cost"
    )
    if newest is None:
        return None
    kept_from = first_detail_date(settings, today, newest)
    # What is gone is gone, also where the clock went back.
    known = [day for day in (kept_from, plan.detail_from_date) if day is not None]
    return max(known) if known and oldest < max(known) else None


def _drop_detail(connection: duckdb.DuckDBPyConnection, detail_from: date) -> None:
    """Leave out the single runs and calls of older dates. Marts that list them are views on these, daily figures tables of their own.

    A run that another started, which stays, stays with it: by the clocks of exports a child may begin on the day before its parent.
    """
    connection.execute(
        """
        create or replace temp table stays as
        with recursive stays as (
            select children.workspace_id, children.run_id
            from facts.fct_run_usage as children
            inner join facts.fct_run_usage as parents
                on children.workspace_id = parents.workspace_id and children.parent_run_id = parents.run_id
            where children.usage_date < $since and parents.usage_date >= $since
            union
            select children.workspace_id, children.run_id
            from facts.fct_run_usage as children
            inner join stays
                on children.workspace_id = stays.workspace_id and children.parent_run_id = stays.run_id
            where children.usage_date < $since
        )
        from stays
        """,
        {"since": detail_from},
    )
    for table in ("facts.fct_span_usage", "facts.fct_run_usage", "intermediate.int_runs__derived"):
        connection.execute(
            f"delete from {table} where usage_date < ? and (workspace_id, run_id) not in (select workspace_id, run_id from stays)",
            [detail_from],
        )
    connection.execute("drop table stays")
    # The pages of the date change once, by losing its runs.
    connection.execute(
        "update meta.dates set build_key = '-' || left(build_key, 31) where usage_date < ? and not starts_with(build_key, '-')",
        [detail_from],
    )


def _one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise PublicationError(f"no row where one was sure: {query}")
    return row


def forget_older(settings: Settings) -> None:
    """Remove the files of earlier publications and attempts that still name users who were forgotten since.

    Safe to repeat. What is published now follows on the next night, which builds everything anew from the lake.
    """
    lake = Lake.of(settings)
    forgotten = max((r.revision for r in lake.revisions() if r.forgotten and r.batches), default=0)
    if not forgotten:
        return
    for path in history(settings):
        if _lake_revision(settings, path) < forgotten:
            path.unlink()
    when = lake.revision_path(forgotten).stat().st_mtime_ns
    for name in _KEPT_ASIDE:
        path = settings.warehouse_dir / name
        if path.exists() and path.stat().st_mtime_ns < when:
            path.unlink()


def _lake_revision(settings: Settings, path: Path) -> int:
    """Which revision of the lake a publication was built from; -1 where the file does not say."""
    import duckdb  # noqa: PLC0415

    try:
        return int(_manifest_in(settings, path).get("lake_revision", 0))
    except (duckdb.Error, ValueError):
        return -1


def _manifest_in(settings: Settings, path: Path) -> dict[str, Any]:
    """The manifest inside a publication. Raises ValueError where the file holds none."""
    with sql.connect(settings, path, read_only=True) as connection:
        row = connection.execute("select manifest from meta.publication").fetchone()
    if row is None:
        raise ValueError(f"{path} holds no publication")
    return dict(json.loads(row[0]))


def repair(settings: Settings) -> None:
    """Make good what a crash or a hand left: a file that cannot be read is put aside as `warehouse/damaged.duckdb`, what was written
    beside the file is not in it, and the JSON manifest follows the one inside the file.
    """
    log = log_beside(settings)
    try:
        inside = read_manifest(settings)
    except DamagedFileError:
        if log.exists():
            log.unlink()
            repair(settings)
            return
        settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
        settings.published_path.replace(settings.warehouse_dir / "damaged.duckdb")
        return
    log.unlink(missing_ok=True)
    if inside is None:
        return
    beside = read_manifest_beside(settings) or {}
    digest = beside.pop("file_sha256", None)
    if beside != inside or digest is None:
        _write_manifest(settings, inside, hash_of(settings.published_path))
    elif not is_remembered(settings, digest) and hash_of(settings.published_path) == digest:
        remember_hash(settings, digest)


def _write_manifest(settings: Settings, manifest: dict[str, Any], digest: str) -> None:
    """The manifest beside the file: that inside it, and the hash of the file."""
    durable.write_json(settings.manifest_path, {**manifest, "file_sha256": digest})
    remember_hash(settings, digest)


def keep_failed(settings: Settings) -> Path | None:
    """Put a candidate whose audit failed aside for inspection; only the latest is kept."""
    if not settings.candidate_path.exists():
        return None
    target = settings.warehouse_dir / "failed.duckdb"
    settings.candidate_path.replace(target)
    return target


def history(settings: Settings) -> list[Path]:
    """Kept publications, oldest first."""
    return sorted((settings.published_dir / "history").glob("*.duckdb"))


def rollback(settings: Settings) -> Publication:
    """Publish the newest kept publication again. The one that is rolled back is discarded; its batches stay in the lake.

    Raises PublicationError when none is kept.
    """
    repair(settings)
    forget_older(settings)
    current = read_manifest(settings)
    # Killed just before its rename, a night has already put the current publication into the history: that one is no way back.
    kept = [path for path in history(settings) if current is None or path.stem != current["publication_id"]]
    if not kept:
        raise PublicationError(
            "no earlier publication is kept; set keep_publications above 0 before the next night"
            if settings.keep_publications == 0
            else "there is no earlier publication to go back to: one is kept of each night that published something new"
        )
    newest = kept[-1]
    # The history stays whole until the copy has taken the published name: a crash here loses nothing.
    restored = settings.warehouse_dir / "rollback.duckdb"
    restored.parent.mkdir(parents=True, exist_ok=True)
    copies.copy_file(newest, restored)
    durable.replace_file(restored, settings.published_path)
    newest.unlink()
    manifest = read_manifest(settings)
    if manifest is None:
        raise PublicationError(
            f"{newest} is no publication of ours; rebuild with `credit-usage nightly --full`"
        )
    _write_manifest(settings, manifest, hash_of(settings.published_path))
    return _publication(manifest)


def read_publication(settings: Settings) -> Publication | None:
    """What is published, None when nothing is."""
    manifest = read_manifest(settings)
    return None if manifest is None else _publication(manifest)


def _publication(manifest: dict[str, Any]) -> Publication:
    return Publication(
        publication_id=str(manifest["publication_id"]),
        published_at=str(manifest["published_at"]),
        applied_batches=tuple(manifest["applied_batches"]),
        touched_dates=tuple(manifest["touched_dates"]),
        manifest=manifest,
    )


def _keep(settings: Settings) -> None:
    current = read_manifest(settings)
    if current is None or settings.keep_publications == 0:
        return
    folder = settings.published_dir / "history"
    durable.make_folder(folder)
    target = folder / f"{current['publication_id']}.duckdb"
    if not target.exists():
        os.link(settings.published_path, target)
        durable.sync_folder(folder)


def _prune(settings: Settings) -> None:
    kept = history(settings)
    for path in kept[: max(0, len(kept) - settings.keep_publications)]:
        path.unlink()


def _prune_builds(settings: Settings) -> None:
    """Remove what Spark built for publications that are neither published nor kept any more."""
    if settings.spark_dir.exists():
        files = [settings.published_path, *history(settings)]
        from_spark.prune(settings, [_manifest_in(settings, path).get("spark_build") for path in files])


def _write_books(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    plan: Plan,
    manifests: Sequence[Manifest],
    checks: Sequence[CheckResult],
    dates: list[date],
    published_at: datetime,
    detail_from: date | None,
) -> dict[str, Any]:
    """Schema `meta`: what this publication is, the batches and files behind it, quarantine and check results."""
    publication_id = f"{plan.night_seq:06d}"
    through = connection.execute(
        "select max(greatest(started_at, coalesce(ended_at, started_at))) from facts.fct_span_usage where "
        "usage_date = (select max(usage_date) from facts.fct_span_usage)"
    ).fetchone()
    runs_through = connection.execute(
        "select max(greatest(started_at, coalesce(completed_at, started_at))) from facts.fct_run_usage where "
        "usage_date = (select max(usage_date) from facts.fct_run_usage)"
    ).fetchone()
    known = [row[0] for row in (through, runs_through) if row and row[0] is not None]
    data_through_at = max(known) if known else None
    manifest: dict[str, Any] = {
        "publication_id": publication_id,
        "night_seq": plan.night_seq,
        "published_at": published_at.isoformat(),
        "generated_by": generated_by(),
        "data_through_at": data_through_at.isoformat() + "+00:00" if data_through_at else None,
        "applied_batches": list(plan.applied_batches),
        "new_batches": list(plan.new_batches),
        "is_full_build": plan.is_full_build,
        "touched_dates": [day.isoformat() for day in dates],
        "fingerprint": plan.fingerprint,
        "prices": dict(plan.prices),
        "lake_revision": plan.lake_revision,
        "keep_detail_days": settings.keep_detail_days,
        **(
            {"engine": plan.engine, "spark_build": from_spark.build_dir(settings, plan).name}
            if plan.engine == "spark"
            else {}
        ),
        "detail_from_date": detail_from.isoformat() if detail_from else None,
        "detail_dates": _detail_dates(connection, detail_from),
        "checks": {
            "passed": sum(check.passed for check in checks),
            "warnings": sum(not check.passed and check.severity == "warning" for check in checks),
        },
    }
    previous = read_manifest(settings)
    connection.execute(f"create schema if not exists {books.SCHEMA}")
    for table in books.TABLES:
        for statement in table.ddl():
            connection.execute(statement)
    connection.execute(
        "insert into meta.publication values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            publication_id,
            published_at.replace(tzinfo=None),
            generated_by(),
            data_through_at,
            len(plan.applied_batches),
            len(dates),
            json.dumps(manifest, sort_keys=True),
            previous["publication_id"] if previous else None,
            datetime.fromisoformat(previous["published_at"]).astimezone(UTC).replace(tzinfo=None)
            if previous
            else None,
            detail_from,
        ],
    )
    if plan.reason != CHANGED_BY_HAND:  # which may not be read to its end
        _write_changes(connection, settings)
    # Numbers and, in tests, times come again after a rollback; the files that went in tell such publications apart.
    made_of = json.dumps([manifest, [[entry.sha256 for entry in m.files] for m in manifests]], sort_keys=True)
    build_key = hashlib.sha256(made_of.encode()).hexdigest()[:32]
    connection.execute("delete from meta.dates where list_contains(?::date[], usage_date)", [dates])
    _insert(connection, "meta.dates", [(day, publication_id, build_key) for day in dates])
    _insert(
        connection,
        "meta.batches",
        [
            (
                m.batch_seq,
                datetime.fromisoformat(m.loaded_at).replace(tzinfo=None),
                *(m.total(name) for name in COUNTS),
            )
            for m in manifests
        ],
    )
    _insert(
        connection,
        "meta.files",
        [
            (
                m.batch_seq,
                entry.file_no,
                entry.path,
                entry.sha256,
                entry.size_bytes,
                entry.format,
                entry.entity,
                entry.status,
                entry.reason,
                *(getattr(entry, name) for name in COUNTS),
            )
            for m in manifests
            for entry in m.files
        ],
    )
    lake = Lake.of(settings)
    revisions = lake.revisions()
    _insert(
        connection,
        "meta.retractions",
        [
            (
                revision.revision,
                datetime.fromisoformat(revision.made_at).replace(tzinfo=None),
                *(entry.batch_seq, entry.path, entry.sha256, entry.rows_loaded, entry.rows_quarantined),
                any(entry.sha256 in later.allowed for later in revisions[number:]),
            )
            for number, revision in enumerate(revisions, start=1)
            for entry in revision.retracted
        ],
    )
    _write_quarantine(connection, lake.quarantine_paths(manifests))
    connection.execute("delete from meta.check_results where publication_id = ?", [publication_id])
    _insert(
        connection,
        "meta.check_results",
        [
            (publication_id, c.name, c.severity, "pass" if c.passed else "fail", c.failures, c.message)
            for c in checks
        ],
    )
    return manifest


def _detail_dates(connection: duckdb.DuckDBPyConnection, detail_from: date | None) -> list[str] | None:
    """First and last date with runs or calls; None where there is none."""
    first, last = _one_row(
        connection,
        "select min(usage_date), max(usage_date) from (select usage_date from facts.fct_run_usage union all "
        "select usage_date from facts.fct_span_usage)",
    )
    if last is None:
        return None
    return [max(first, detail_from or first).isoformat(), last.isoformat()]


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows by column lists: one statement, however many rows."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"insert into {table} select {', '.join(['unnest(?)'] * len(columns))}", columns)


def _write_changes(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Where the daily totals differ from those of the published file, which this publication is about to replace."""
    if not settings.published_path.exists():
        return
    mart, names = "mart_analytics__total_cost", [name for name, _, _ in books.CHANGED_MEASURES]
    connection.execute(f"attach {sql.literal(settings.published_path)} as previous (read_only)")
    try:
        known = connection.execute(
            "select count(*) from duckdb_columns() where database_name = 'previous' and schema_name = 'marts' "
            "and table_name = ? and list_contains(?, column_name)",
            [mart, names],
        ).fetchone()
        if known is None or known[0] < len(names):  # published by a version that had not all of them
            return
        columns = ", ".join(f"b.{name} as {name}_before, a.{name} as {name}_after" for name in names)
        differs = " or ".join(f"a.{name} is distinct from b.{name}" for name in names)
        connection.execute(
            f"insert into meta.changes by name select workspace_id, usage_date, {columns} from marts.{mart} as a "
            f"full join previous.marts.{mart} as b using (workspace_id, usage_date) where {differs} "
            "order by workspace_id, usage_date"
        )
    finally:
        connection.execute("detach previous")


def _write_quarantine(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    if paths:
        connection.execute(
            f"""
            insert into meta.quarantine
            select
                batch_seq, file_no, path, line_number, entity, field, reason, message, workspace_id,
                left(raw, {MAX_RAW_CHARACTERS})
            from read_parquet({sql.string_list(paths)}, hive_partitioning = false)
            order by batch_seq, file_no, line_number
            """
        )
