"""Tonight's candidate: a copy of the published file with a plan of what to build in it.

A candidate starts from the published file when that was built by the same models and settings, else from nothing (a full build from
the lake). Nothing here touches the published file. What does not belong here: SQL of the warehouse, which is dbt's.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable, sql
from orchestration.landing import conform
from orchestration.landing.contract import CONTRACT_VERSION, ENTITIES, NATIVE, SPANS
from orchestration.landing.lake import COUNTS, Manifest, refuse_newer
from orchestration.pricing import tables as pricing
from orchestration.publication import copies
from orchestration.publication.copies import state_of
from orchestration.settings import REPOSITORY

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

DBT_PROJECT = REPOSITORY / "dbt_project"

# Readers with DuckDB 1.2 and later can open the file; the default of 2.0 would lock them out.
STORAGE_VERSION = "v1.2.0"

MISSING = "the published file was missing or damaged"
CHANGED_BY_HAND = "the published file is not the one that was published"

_REMEMBERED = "published.json"


@dataclass(frozen=True)
class Plan:
    """What tonight's build covers. `reason` explains a full build to the operator."""

    night_seq: int
    is_full_build: bool
    reason: str
    new_batches: tuple[int, ...]
    applied_batches: tuple[int, ...]
    requested_dates: tuple[date, ...]
    fingerprint: str
    #: Which prices, rates and workspace settings are in force, by source.
    prices: Mapping[str, str]
    #: They differ from those of the published file: dimensions are renewed, and dates whose money changes are rebuilt.
    is_repricing: bool
    #: Newest revision of the lake among the batches: what was taken out of them.
    lake_revision: int = 0
    #: First date whose runs and calls the published file has, where it has not those of all dates; None on a full build.
    detail_from_date: date | None = None
    #: Runs and calls of some more dates are to be dropped.
    is_dropping_detail: bool = False
    #: What builds it; of Spark, the build whose tables the published file reads.
    engine: str = "duckdb"
    published_build: str | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing to build: the published file already says all there is."""
        return not (
            self.is_full_build
            or self.new_batches
            or self.requested_dates
            or self.is_repricing
            or self.is_dropping_detail
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` is the inverse."""
        return {
            **asdict(self),
            "requested_dates": [day.isoformat() for day in self.requested_dates],
            "detail_from_date": self.detail_from_date.isoformat() if self.detail_from_date else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """The inverse of `as_json`."""
        return cls(
            night_seq=int(document["night_seq"]),
            is_full_build=bool(document["is_full_build"]),
            reason=str(document["reason"]),
            new_batches=tuple(document["new_batches"]),
            applied_batches=tuple(document["applied_batches"]),
            requested_dates=tuple(date.fromisoformat(day) for day in document["requested_dates"]),
            fingerprint=str(document["fingerprint"]),
            prices=dict(document["prices"]),
            is_repricing=bool(document["is_repricing"]),
            lake_revision=int(document["lake_revision"]),
            detail_from_date=_day(document["detail_from_date"]),
            is_dropping_detail=bool(document["is_dropping_detail"]),
            engine=str(document["engine"]),
            published_build=document["published_build"],
        )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def fingerprint(settings: Settings) -> str:
    """Hash of what decides the numbers of every date beside the lake and the prices: models, macros, seeds, and of the workspaces'
    settings those that differ from the defaults and move usage between dates, payers or rate cards.
    """
    digest = hashlib.sha256()
    files = [DBT_PROJECT / "dbt_project.yml"]
    for folder in ("models", "macros", "seeds"):
        files += sorted(
            path for path in (DBT_PROJECT / folder).rglob("*") if path.suffix in (".sql", ".yml", ".csv")
        )
    for path in files:
        digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    defaults = (settings.time_zone, settings.default_charge_type, None)
    digest.update(json.dumps(defaults).encode())
    for workspace_id, _, *decisive, _ in _workspace_rows(settings)[1:]:
        if tuple(decisive) != defaults:
            digest.update(json.dumps([workspace_id, *decisive]).encode())
    return digest.hexdigest()


class DamagedFileError(RuntimeError):
    """The published file cannot be read, or is no publication; the message says what to do."""


class BusyFileError(RuntimeError):
    """The published file cannot be read now, and may be whole; the message says what to do."""


def read_manifest(settings: Settings) -> dict[str, Any] | None:
    """The manifest of the published file, None when nothing was published yet.

    Read from inside the file: the JSON beside it may be older after a crash between the two renames. Raises DamagedFileError, or
    BusyFileError where the file is not to blame.
    """
    if not settings.published_path.exists():
        return None
    import duckdb  # noqa: PLC0415

    try:
        with sql.connect(settings, settings.published_path, read_only=True) as connection:
            row = connection.execute("select manifest from meta.publication").fetchone()
        if row is None:
            raise ValueError("it holds no publication")
        return dict(json.loads(row[0]))
    except (duckdb.Error, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        if isinstance(error, duckdb.Error) and sql.is_about_machine(error):
            raise BusyFileError(
                f"{settings.published_path} cannot be read now ({cause}): close the program that writes to it, or make room, and try again"
            ) from error
        raise DamagedFileError(
            f"{settings.published_path} is damaged ({cause}): run `credit-usage nightly`, which rebuilds it from the lake"
        ) from error


def read_manifest_beside(settings: Settings) -> dict[str, Any] | None:
    """The manifest beside the published file, None where there is none that can be read. It also says the file's hash."""
    try:
        document = json.loads(settings.manifest_path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) and "publication_id" in document else None


def log_beside(settings: Settings) -> Path:
    """The write-ahead log of somebody who wrote to the published file and did not end well. It is never ours, and every reader's DuckDB
    takes it for a part of the file.
    """
    return settings.published_path.with_name(settings.published_path.name + ".wal")


def hash_of(path: Path) -> str:
    """SHA-256 of a file: half a second to two per gigabyte."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_changed_by_hand(settings: Settings, *, thorough: bool = False) -> bool:
    """Whether the published file has other bytes than those that were published.

    Read again only where size, times or inode are not those that `remember_hash` saw; `thorough` reads it in any case.
    """
    beside = read_manifest_beside(settings)
    recorded = (beside or {}).get("file_sha256")
    if recorded is None:
        return False
    if log_beside(settings).exists():
        return True
    if not thorough and is_remembered(settings, recorded):
        return False
    return bool(hash_of(settings.published_path) != recorded)


def is_remembered(settings: Settings, digest: str) -> bool:
    """Whether `remember_hash` noted this hash of the published file as it lies there now."""
    return bool(
        _read_remembered(settings) == {"file_sha256": digest, "state": state_of(settings.published_path)}
    )


def remembered_hash(settings: Settings) -> str | None:
    """The hash of the published file as it lies there now; None where nobody noted it."""
    noted = _read_remembered(settings)
    digest = str(noted.get("file_sha256")) if isinstance(noted, dict) else None
    return digest if digest is not None and is_remembered(settings, digest) else None


def remember_hash(settings: Settings, digest: str) -> None:
    """Note that the published file, as it lies there now, has this hash."""
    document = {"file_sha256": digest, "state": state_of(settings.published_path)}
    durable.write_json(settings.warehouse_dir / _REMEMBERED, document)


def _read_remembered(settings: Settings) -> Any:
    try:
        return json.loads((settings.warehouse_dir / _REMEMBERED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def make_plan(
    settings: Settings,
    manifests: Sequence[Manifest],
    *,
    requested_dates: Sequence[date] = (),
    full: bool = False,
    today: date | None = None,
) -> Plan:
    """Decide what to build from what is published and what is in the lake; with `today` also whether detail has become too old.

    Raises LakeError for a lake of a later version.
    """
    refuse_newer(manifests)
    published = read_manifest(settings)
    last = published or read_manifest_beside(settings)
    batches = tuple(manifest.batch_seq for manifest in manifests)
    current = fingerprint(settings)
    prices = pricing.version(settings, pricing.read_files(settings))
    prices["workspaces"] = hashlib.sha256(json.dumps(_workspace_rows(settings)).encode()).hexdigest()[:12]
    lake_revision = max((manifest.revision for manifest in manifests), default=0)
    reason = ""
    if published is None:
        reason = (MISSING if last else "nothing is published yet") if batches else ""
    elif is_changed_by_hand(settings):
        reason = CHANGED_BY_HAND
    elif full:
        reason = "asked for"
    elif published.get("engine", "duckdb") != settings.engine:
        reason = f"what is published was built by {published.get('engine', 'duckdb')}"
    elif (
        settings.engine == "spark"
        and not (settings.spark_dir / published["spark_build"] / "tables.json").exists()
    ):
        reason = "the tables that Spark had built are gone"
    elif published["fingerprint"] != current:
        reason = "models changed, or the time zone, default charge type or rate card of a workspace"
    elif not set(published["applied_batches"]) <= set(batches):
        reason = "a published batch is no longer in the lake"
    elif published.get("lake_revision", 0) != lake_revision:
        reason = "landing files were retracted, or users forgotten"
    elif has_foreign_sources(manifests) and not has_foreign_sources(
        [manifest for manifest in manifests if manifest.batch_seq in set(published["applied_batches"])]
    ):
        reason = "the first files of another format: what is published may have been seen by them, too"
    detail_from = _day((published or {}).get("detail_from_date"))
    is_repricing = published is not None and not reason and published.get("prices") != prices
    if detail_from is not None and not reason:
        if not 0 < settings.keep_detail_days <= (published or {}).get("keep_detail_days", 0):
            reason = "detail of more days is to be kept"
        elif is_repricing:
            # Which dates change is told by their calls.
            reason = "prices changed, maybe of days that have no detail any more"
    applied = () if published is None or reason else tuple(published["applied_batches"])
    return Plan(
        night_seq=(int(last["night_seq"]) if last else 0) + 1,
        is_full_build=bool(reason),
        reason=reason,
        new_batches=tuple(sorted(set(batches) - set(applied))),
        applied_batches=tuple(sorted(batches)),
        requested_dates=tuple(requested_dates),
        fingerprint=current,
        prices=prices,
        is_repricing=is_repricing and not reason,
        lake_revision=lake_revision,
        detail_from_date=None if reason else detail_from,
        is_dropping_detail=not reason and _has_old_detail(settings, published, today),
        engine=settings.engine,
        published_build=(published or {}).get("spark_build"),
    )


def first_detail_date(settings: Settings, today: date, newest: date) -> date | None:
    """The first date whose runs and calls are kept on that day, None where all are: that of the newest date always are."""
    if not settings.keep_detail_days:
        return None
    return min(today - timedelta(days=settings.keep_detail_days), newest)


def _has_old_detail(settings: Settings, published: Mapping[str, Any] | None, today: date | None) -> bool:
    """Whether the published file has runs of dates whose detail is not kept any more."""
    dates = (published or {}).get("detail_dates")
    if today is None or not dates:
        return False
    first, newest = map(date.fromisoformat, dates)
    kept_from = first_detail_date(settings, today, newest)
    return kept_from is not None and first < kept_from


def has_foreign_sources(manifests: Sequence[Manifest]) -> bool:
    """Whether a batch has files of another format than the contract's."""
    return any(entry.source_format != NATIVE for manifest in manifests for entry in manifest.files)


def scratch_path(settings: Settings, purpose: str) -> Path:
    """A warehouse file that is never published: in a folder of its own, because dbt goes by the candidate's name."""
    return settings.warehouse_dir / purpose / settings.candidate_path.name


def prepare(
    settings: Settings, plan: Plan, manifests: Sequence[Manifest], *, path: Path | None = None
) -> Path:
    """Make the candidate file: copy or empty, then the plan in schema `plan`. A candidate left over from before is discarded.

    Another `path` makes one that is not going to be published.
    """
    path = path or settings.candidate_path
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
    if plan.is_full_build:
        with sql.connect(settings) as connection:
            connection.execute(
                f"attach {sql.literal(path)} as fresh (storage_version {sql.literal(STORAGE_VERSION)})"
            )
            connection.execute("detach fresh")
    elif path != settings.candidate_path or not copies.take_ahead(settings, path):
        copies.copy_file(settings.published_path, path)
    if path == settings.candidate_path:
        copies.discard_ahead(settings)
    write_plan(path, settings, plan, manifests)
    return path


def discard(settings: Settings) -> None:
    """Remove a candidate and the files of checks and previews that were left over."""
    for path in (
        settings.candidate_path,
        settings.candidate_path.with_name(settings.candidate_path.name + ".wal"),
    ):
        path.unlink(missing_ok=True)
    copies.discard_ahead(settings)
    for purpose in ("check", "preview"):
        shutil.rmtree(scratch_path(settings, purpose).parent, ignore_errors=True)


def write_plan(path: Path, settings: Settings, plan: Plan, manifests: Sequence[Manifest]) -> None:
    """Write schema `plan` into a warehouse file; dbt reads from it what to build and where the lake's parts are."""
    with sql.connect(settings, path) as connection:
        _write_plan(connection, settings, plan, manifests)


_WORKSPACE_COLUMNS = {
    "workspace_id": "varchar",
    "workspace_name": "varchar",
    "time_zone": "varchar",
    "default_charge_type": "varchar",
    "rate_card": "varchar",
    "monthly_budget_usd": "decimal(38, 12)",
}


def _workspace_rows(settings: Settings) -> list[tuple[str | None, ...]]:
    """Texts in the order of `_WORKSPACE_COLUMNS`; the first row holds the defaults."""
    rows: list[tuple[str | None, ...]] = [
        (None, None, settings.time_zone, settings.default_charge_type, None, None)
    ]
    for workspace_id in sorted(settings.workspaces):
        entry = settings.workspaces[workspace_id]
        budget = None if entry.monthly_budget_usd is None else f"{entry.monthly_budget_usd:f}"
        rows.append(
            (workspace_id, entry.name, entry.time_zone, entry.default_charge_type, entry.rate_card, budget)
        )
    return rows


def _write_plan(
    connection: duckdb.DuckDBPyConnection, settings: Settings, plan: Plan, manifests: Sequence[Manifest]
) -> None:
    connection.execute("drop schema if exists plan cascade")
    connection.execute("create schema plan")
    # Last night's dates are not tonight's: without these tables nothing counts as touched until they are built anew.
    connection.execute("create schema if not exists intermediate")
    for name in ("int_dates__touched", "int_dates__family"):
        connection.execute(f"drop table if exists intermediate.{name}")
    connection.execute(
        """
        create table plan.night (
            night_seq integer, is_full_build boolean, contract_version integer, has_foreign_sources boolean,
            detail_from_date date
        )
        """
    )
    connection.execute(
        "insert into plan.night values (?, ?, ?, ?, ?)",
        [
            plan.night_seq,
            plan.is_full_build,
            CONTRACT_VERSION,
            has_foreign_sources(manifests),
            plan.detail_from_date,
        ],
    )
    connection.execute("create table plan.requested_dates (usage_date date)")
    declared = ", ".join(f"{name} {kind}" for name, kind in _WORKSPACE_COLUMNS.items())
    connection.execute(f"create table plan.workspace_settings ({declared})")
    marks = ", ".join("?" * len(_WORKSPACE_COLUMNS))
    connection.executemany(f"insert into plan.workspace_settings values ({marks})", _workspace_rows(settings))
    connection.execute(
        """
        create table plan.parts (
            entity varchar, batch_seq integer, lake_date date, path varchar, is_new boolean, contract_version integer
        )
        """
    )
    new = set(plan.new_batches)
    parts = [
        (
            part.entity,
            manifest.batch_seq,
            part.lake_date,
            str(settings.lake_dir / name),
            manifest.batch_seq in new,
            manifest.contract_version,
        )
        for manifest in manifests
        for part in manifest.parts
        for name in part.files
    ]
    if parts:
        columns = [list(column) for column in zip(*parts, strict=True)]
        connection.execute(
            "insert into plan.parts "
            "select unnest(?), unnest(?), unnest(?)::date, unnest(?), unnest(?), unnest(?)",
            columns,
        )
    _write_landing_files(connection, manifests, new)
    if plan.requested_dates:
        connection.execute("insert into plan.requested_dates select unnest(?)", [list(plan.requested_dates)])
    for entity in ENTITIES:
        columns_sql = ", ".join(
            f"{sql.identifier(name)} {kind}" for name, kind in conform.lake_columns(entity).items()
        )
        connection.execute(
            f"create table plan.{entity.name}_shape (lake_date date, batch_seq integer, {columns_sql})"
        )
    span_parts = [
        path
        for entity, _, _, path, is_new, _ in parts
        if entity == SPANS.name and (is_new or plan.is_full_build)
    ]
    names = pricing.names_of_spans(connection, span_parts)
    known = pricing.published_resolutions(connection)
    if plan.is_repricing:
        names, known = names | {item.names for item in known}, []
    pricing.write(connection, pricing.build(settings, pricing.read_files(settings), names, known))


def _write_landing_files(
    connection: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], new: set[int]
) -> None:
    """Every landing file with its books, for the audit: what of the new ones did not become rows."""
    counts = ", ".join(f"{name} bigint" for name in COUNTS)
    connection.execute(
        "create table plan.landing_files (batch_seq integer, is_new boolean, path varchar, source_format varchar, status varchar, "
        f"reason varchar, {counts})"
    )
    files = [
        (
            manifest.batch_seq,
            manifest.batch_seq in new,
            entry.path,
            entry.source_format,
            entry.status,
            entry.reason,
            *(getattr(entry, name) for name in COUNTS),
        )
        for manifest in manifests
        for entry in manifest.files
    ]
    if files:
        columns = [list(column) for column in zip(*files, strict=True)]
        marks = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"insert into plan.landing_files select {marks}", columns)


def touched_dates(connection: duckdb.DuckDBPyConnection, plan: Plan) -> list[date]:
    """Usage dates that the candidate's build replaced, ascending; on a full build, all of them."""
    if plan.is_full_build:
        query = "select distinct usage_date from intermediate.int_runs__directory order by 1"
    else:
        query = "select usage_date from intermediate.int_dates__touched order by 1"
    return [row[0] for row in connection.execute(query).fetchall()]
