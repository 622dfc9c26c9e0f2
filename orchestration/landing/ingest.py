"""One night's landing: whatever is new becomes one committed batch.

Path of a row: text row (`readers`) → typed row or quarantine (`conform`) → Parquet by date (one streaming
pass per source) → rows that are already known are taken out again (only parts that hold some are rewritten) →
manifest. What does not belong here: the contract, the formats, anything after the lake.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import sql
from orchestration.landing import conform, dates, formats, mirror, privacy, readers, salvage, streams
from orchestration.landing.contract import CONTRACT_VERSION, ENTITIES, NATIVE, RUNS, Entity
from orchestration.landing.files import Fingerprint, LandingFile, Skipped, discover
from orchestration.landing.foreign import ForeignRows
from orchestration.landing.formats import Layout, SourceFormat
from orchestration.landing.lake import COUNTS, FileEntry, Lake, LakeError, Manifest, Part, refuse_newer
from orchestration.sql import identifier, literal, string_list

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

Progress = Callable[[str, int, int], None]

# Small files are read together: a statement costs about 100 ms, so 5,000 files one by one would take minutes,
# and files of a few MB one by one keep one core only busy. Nothing larger: a damaged file makes its group be
# read twice.
_GROUP_BYTES = 128 << 20
_GROUP_FILES = 500


_REWRITTEN_AT_ONCE = 4
"""Files that are written anew at the same time: each holds a group of rows in memory."""

BUILDING = "building"
"""Where a batch is built, below the lake."""


class IngestError(RuntimeError):
    """The books of a batch do not balance. A bug, never bad data: nothing was committed."""


@dataclass(frozen=True)
class Origin:
    """What a file is: its foreign format, None for one of the contract, and how records lie in it."""

    format: SourceFormat | None
    layout: Layout

    @property
    def name(self) -> str:
        """What the books call the format."""
        return self.format.name if self.format else NATIVE


@dataclass
class IngestReport:
    """What one landing did. `manifest` is None when nothing was new."""

    manifest: Manifest | None = None
    known_files: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def unreadable(self) -> list[FileEntry]:
        """Files of this batch that could not be read at all."""
        return (
            [entry for entry in self.manifest.files if entry.status == "unreadable"] if self.manifest else []
        )


def ingest(
    settings: Settings, *, now: datetime | None = None, progress: Progress | None = None
) -> IngestReport:
    """Land every new file as one batch and commit it to the lake.

    The caller holds the run lock, and has refreshed a shared lake. Raises LakeError for a damaged lake and IngestError where counts do
    not add up; bad data never raises.
    """
    lake = Lake.of(settings)
    files, report = look(settings, lake)
    if not files:
        # Of a night that was killed; one that had files to land clears it itself.
        shutil.rmtree(lake.root / BUILDING, ignore_errors=True)
        return report
    batch = begin(settings, lake)
    try:
        numbered = list(enumerate(files, start=1))
        batch.read(numbered, report.skipped, progress)
        commit(batch, report, now, progress)
    finally:
        batch.close()
    return report


def begin(settings: Settings, lake: Lake, scratch: Path | None = None) -> Batch:
    """The next batch of the lake, with nothing read yet; what a crashed attempt at it left behind is removed."""
    manifests = lake.manifests()
    batch_seq = max((manifest.batch_seq for manifest in manifests), default=0) + 1
    lake.remove_leftovers(batch_seq)
    return Batch(settings, lake, batch_seq, manifests, scratch=scratch)


def commit(batch: Batch, report: IngestReport, now: datetime | None, progress: Progress | None) -> None:
    """Finish a batch whose files were read, and commit it unless all of them were skipped."""
    manifest = batch.finish((now or datetime.now(UTC)).astimezone(UTC).isoformat(), progress)
    if manifest.files:
        batch.lake.commit(manifest)
        report.manifest = manifest


def survey(settings: Settings) -> IngestReport | None:
    """What `ingest` would report where no file is new; None where there is one."""
    lake = Lake.of(settings)
    lake.refresh()
    files, report = look(settings, lake)
    return None if files else report


def look(settings: Settings, lake: Lake) -> tuple[list[LandingFile], IngestReport]:
    """The files that are new, and the report of a landing without them."""
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    not_fetched = mirror.fetch(settings)
    files, already, skipped = discover(
        settings.landing_dir,
        settle_seconds=settings.settle_seconds,
        known=lake.known_hashes(),
        cache_path=settings.lake_dir / "seen.json",
    )
    return files, IngestReport(known_files=already, skipped=[*not_fetched, *skipped])


def revise(
    settings: Settings,
    lake: Lake,
    manifest: Manifest,
    before: list[Manifest],
    *,
    without: set[int],
    again: list[tuple[int, LandingFile]],
    revision: int,
    progress: Progress | None = None,
) -> Manifest:
    """A committed batch as it would be had the files `without` never been in it; nothing is committed.

    The files `again` are read anew, because rows of theirs were taken out for the sake of others; `before` are the batches before this
    one. Raises LakeError where one of them cannot be read now.
    """
    batch = Batch(settings, lake, manifest.batch_seq, before, revision=revision)
    try:
        batch.keep(manifest, without | {file_no for file_no, _ in again})
        skipped: list[Skipped] = []
        batch.read(again, skipped, progress)
        if skipped:
            raise LakeError(f"{skipped[0].name}: {skipped[0].reason}; try again when it is whole")
        return batch.finish(manifest.loaded_at, progress)
    finally:
        batch.close()


class Batch:
    """State of one batch under construction, or of some of its files that are read apart (`scratch`)."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        batch_seq: int,
        manifests: list[Manifest],
        revision: int = 0,
        scratch: Path | None = None,
    ) -> None:
        refuse_newer(manifests)
        self.revision = revision
        self.settings = settings
        self.lake = lake
        self.batch_seq = batch_seq
        self.manifests = manifests
        self.scratch = scratch or lake.root / BUILDING
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "in").mkdir(parents=True)
        self.connection: duckdb.DuckDBPyConnection = sql.connect(settings)
        for macro in (*readers.MACROS, *conform.MACROS):
            self.connection.execute(macro)
        self.privacy = privacy.Privacy(self.connection, settings, privacy.forgotten(lake))
        # A few open partition writers at a time keep memory flat however many dates a file spans.
        self.connection.execute("set partitioned_write_flush_threshold = 65536")
        self.entries: dict[int, FileEntry] = {}
        self.origins: dict[int, Origin] = {}
        self.units = 0

    def close(self) -> None:
        self.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def read(
        self, numbered: list[tuple[int, LandingFile]], skipped: list[Skipped], progress: Progress | None
    ) -> None:
        """Read files into the scratch folder; those that are not to be read now are `skipped`."""
        self.origins |= {file_no: _origin(file) for file_no, file in numbered}
        total = sum(file.fingerprint.size_bytes for _, file in numbered) or 1
        done = 0
        for group in _grouped(numbered, self.origins):
            if progress:
                progress(f"Landing {group[0][1].name}", done, total)
            self._land(group, skipped)
            done += sum(file.fingerprint.size_bytes for _, file in group)

    def take_over(self, scratch: Path, entries: list[FileEntry], units: int) -> None:
        """Make what was read apart this batch's, in the place that it would have had if it had been read here."""
        self.entries |= {entry.file_no: entry for entry in entries}
        for entity in ENTITIES:
            for folder in sorted((scratch / entity.name).glob("unit=*")):
                unit, _, number = folder.name.removeprefix("unit=").partition("-")
                target = self._unit_folder(entity, self.units + int(unit), int(number))
                target.parent.mkdir(exist_ok=True)
                folder.replace(target)
            for own in range(1, units + 1):
                if (path := scratch / self._quarantine_file(own, entity).name).exists():
                    path.replace(self._quarantine_file(self.units + own, entity))
        self.units += units

    def finish(self, loaded_at: str, progress: Progress | None) -> Manifest:
        """Take out known rows, move the rest to its place in the lake and balance the books; nothing is committed."""
        if progress:
            progress("Recognising known rows", 1, 1)
        for entity in ENTITIES:
            self._take_out_known(entity)
        manifest = Manifest(
            self.batch_seq,
            loaded_at,
            CONTRACT_VERSION,
            [e for _, e in sorted(self.entries.items())],
            revision=self.revision,
            user_id_salt_mark=privacy.mark_of_salt(self.settings.user_id_salt),
        )
        manifest.parts = [part for entity in ENTITIES for part in self._place(entity)]
        self._place_quarantine()
        self._balance(manifest)
        return manifest

    def keep(self, manifest: Manifest, without: set[int]) -> None:
        """Take over a batch's rows as if they had just been read, those of the files `without` excepted."""
        entries = [entry for entry in manifest.files if entry.file_no not in without]
        self.entries = {
            entry.file_no: replace(entry, rows_loaded=0, rows_flagged=0, entity="") for entry in entries
        }
        stays = f"file_no in (select unnest({[entry.file_no for entry in entries]}::integer[]))"
        for part in manifest.parts:
            (entity,) = (entity for entity in ENTITIES if entity.name == part.entity)
            shape = ", ".join(
                f"null::{kind} as {identifier(name)}" for name, kind in conform.lake_columns(entity).items()
            )
            for name in part.files:
                self.units += 1
                folder = self._unit_folder(entity, self.units, 0) / f"lake_date={part.lake_date}"
                folder.mkdir(parents=True)
                target = folder / "data_0.parquet"
                # By name: parts of an earlier contract version lack columns.
                kept = self._execute_count(f"""
                    copy (
                        select * from (select {shape} where false)
                        union all by name
                        select * from {_committed(self.lake.root / name)} where {stays}
                    ) to {literal(target)} ({_PARQUET})
                """)
                if not kept:
                    shutil.rmtree(folder.parent)
        quarantine = self.lake.quarantine_path(manifest.batch_seq, manifest.revision)
        if quarantine.exists():
            columns = "file_no, line_number, entity, field, reason, message, workspace_id, raw"
            self._execute_count(f"""
                copy (select {columns} from {_committed(quarantine)} where {stays})
                to {literal(self.scratch / "quarantine-kept.parquet")} (format parquet)
            """)

    # -- reading ----------------------------------------------------------------------------------------

    def _land(
        self, group: list[tuple[int, LandingFile]], skipped: list[Skipped], *, salvaging: bool = False
    ) -> None:
        """Read a group of files in one go; when that fails, in halves, so that only the bad file is lost.

        A single text file that DuckDB refuses is read a second time line by line (`salvaging`).
        """
        import duckdb  # noqa: PLC0415

        links = tuple(readers.link(file_no, file, self.scratch / "in") for file_no, file in group)
        source = readers.Source(tuple(group), links)
        self.units += 1
        unit = self.units
        try:
            rows = self._open(source, salvaging=salvaging)
            read, quarantined = self._write(
                unit, rows, dates.looks_like_one_date([file for _, file in group])
            )
        except (streams.UnreadableFileError, salvage.NeedsSalvageError, duckdb.Error, OSError) as error:
            self._forget(unit)
            if isinstance(error, duckdb.Error) and not sql.is_about_data(error):
                raise
            if len(group) > 1:
                for half in (group[: len(group) // 2], group[len(group) // 2 :]):
                    self._land(half, skipped)
                return
            file_no, file = group[0]
            if self._changed(file):
                skipped.append(Skipped(file.name, "changed while it was read", deferred=True))
                return
            if isinstance(error, OSError):
                raise
            refused = not isinstance(error, streams.UnreadableFileError)
            if refused and not salvaging and readers.can_salvage(source):
                self._land(group, skipped, salvaging=True)
                return
            entry = _entry(file_no, file, status="unreadable", reason=self._reason(error, file))
            entry.source_format = self.origins[file_no].name
            self.entries[file_no] = entry
            return
        if changed := [item for item in group if self._changed(item[1])]:
            self._forget(unit)
            skipped += [Skipped(file.name, "changed while it was read", deferred=True) for _, file in changed]
            if rest := [item for item in group if item not in changed]:
                self._land(rest, skipped)
            return
        for file_no, file in group:
            entry = _entry(file_no, file, status="loaded", reason=None)
            entry.source_format = self.origins[file_no].name
            entry.rows_read = read[file_no]
            entry.rows_quarantined = quarantined.get(file_no, 0)
            self.entries[file_no] = entry

    def _open(self, source: readers.Source, *, salvaging: bool) -> readers.TextRows | ForeignRows:
        """The rows of files that are all of one format."""
        origin = self.origins[source.files[0][0]]
        if origin.format is None:
            return readers.open_source(self.connection, source, self.scratch, salvaging=salvaging)
        return readers.open_foreign(
            self.connection,
            source,
            self.scratch,
            origin.format,
            origin.layout,
            self.settings,
            salvaging=salvaging,
        )

    def _reason(self, error: Exception, file: LandingFile) -> str:
        """The first line of a message, with the landing file's name in place of our link to it."""
        first = (str(error).splitlines() or [type(error).__name__])[0]
        told = re.sub(re.escape(str(self.scratch)) + r"/[^\s'\"]*", lambda _: file.name, first)
        return privacy.masked_text(told)

    @staticmethod
    def _changed(file: LandingFile) -> bool:
        try:
            return Fingerprint.of(file.path) != file.fingerprint
        except OSError:
            return True

    def _unit_folder(self, entity: Entity, unit: int, number: int) -> Path:
        """Where a unit's rows of one pass go."""
        return self.scratch / entity.name / f"unit={unit:06d}-{number}"

    def _forget(self, unit: int) -> None:
        for entity in ENTITIES:
            for folder in (self.scratch / entity.name).glob(f"unit={unit:06d}-*"):
                shutil.rmtree(folder, ignore_errors=True)
            self._quarantine_file(unit, entity).unlink(missing_ok=True)

    def _quarantine_file(self, unit: int, entity: Entity) -> Path:
        return self.scratch / f"quarantine-{unit:06d}-{entity.name}.parquet"

    def _write(
        self, unit: int, rows: readers.TextRows | ForeignRows, is_of_one_date: bool
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Write the conforming rows by date; only if some are missing, look for what else there may be and
        quarantine the rest. Returns the rows read and the rows quarantined, each per file_no.
        """
        passes = [
            (self._unit_folder(entity, unit, number), entity, text_rows)
            for number, (entity, text_rows) in enumerate(rows.passes())
        ]
        written = self._write_typed(*passes[0], rows, is_of_one_date)
        if rows.at_most and written == sum(rows.at_most.values()):
            return rows.at_most, {}
        read = rows.count(self.connection)
        expected = sum(read.values())
        if written == expected:
            return read, {}
        rows.refuse_foreign(self.connection)
        written += sum(self._write_typed(*further, rows) for further in passes[1:])
        if written == expected:
            return read, {}
        targets = []
        for entity in {entity.name: entity for _, entity, _ in passes}.values():
            targets.append(self._quarantine_file(unit, entity))
            rejected = self.privacy.of_rejected(conform.rejected(entity, rows.select(entity, numbered=True)))
            self.connection.execute(f"copy ({rejected}) to {literal(targets[-1])} (format parquet)")
        counted: dict[int, int] = dict(
            self.connection.execute(
                f"select file_no, count(*) from {_parquet(targets)} group by file_no"
            ).fetchall()
        )
        if written + sum(counted.values()) != expected:
            raise IngestError(
                f"unit {unit}: {expected} rows read, but {written} conform "
                f"and {sum(counted.values())} are quarantined"
            )
        return read, counted

    def _write_typed(
        self,
        folder: Path,
        entity: Entity,
        text_rows: str,
        rows: readers.TextRows | ForeignRows,
        is_of_one_date: bool = False,
    ) -> int:
        """Write the rows that conform, a folder for each date.

        Where a source looks as if all of it were of one date, it is written as one file first, at half the cost, and the file's own
        statistics tell whether it was: otherwise it is taken apart.
        """
        folder.mkdir(parents=True)
        if not rows.may_have_usage:
            entity = entity.without_usage
        typed = self.privacy.applied(entity, conform.typed(entity, text_rows, rows.source_format))
        if not is_of_one_date:
            return self._execute_count(_copy_by_date(typed, folder))
        whole = folder / "whole.parquet"
        count = self._execute_count(
            f"copy (select * exclude (lake_date) from ({typed})) to {literal(whole)} ({_PARQUET})"
        )
        found = self.connection.execute(f"""
            select distinct unnest([stats_min_value, stats_max_value])::timestamp::date::varchar
            from parquet_metadata({literal(whole)})
            where path_in_schema = {literal(entity.start)}
        """).fetchall()
        if len(found) == 1:
            of_date = folder / f"lake_date={found[0][0]}"
            of_date.mkdir()
            whole.replace(of_date / "data_0.parquet")
        elif count:
            # The folders above are no columns: the lake would have got one of them.
            parts = f"read_parquet({literal(whole)}, hive_partitioning = false)"
            again = f"select *, {identifier(entity.start)}::date as lake_date from {parts}"
            self._execute_count(_copy_by_date(again, folder))
            whole.unlink()
        else:
            whole.unlink()
        return count

    def _execute_count(self, statement: str) -> int:
        row = self.connection.execute(statement).fetchone()
        return int(row[0]) if row else 0

    # -- known rows -------------------------------------------------------------------------------------

    def _written(self, entity: Entity) -> list[Path]:
        return sorted((self.scratch / entity.name).glob("unit=*/lake_date=*/*.parquet"))

    def _existing(self, entity: Entity, dates: set[str]) -> list[str]:
        """Committed parts of the given dates, as relations: one for each contract version, whose parts have the same columns. A run
        may have moved its start across midnight, so its neighbours count too.
        """
        wanted = set(dates)
        if entity is RUNS and dates:
            listed = ", ".join(f"date {literal(day)}" for day in sorted(dates))
            around = self.connection.execute(f"""
                select distinct (d + step)::varchar
                from (select unnest([{listed}]) as d), (values (-1), (0), (1)) as s (step)
            """).fetchall()
            wanted = {str(row[0])[:10] for row in around}
        existing: dict[int, list[Path]] = {}
        for manifest in self.manifests:
            for part in manifest.parts:
                if part.entity == entity.name and part.lake_date in wanted:
                    existing.setdefault(manifest.contract_version, []).extend(
                        self.lake.root / name for name in part.files
                    )
        if missing := [path for paths in existing.values() for path in paths if not path.exists()]:
            raise LakeError(
                f"{missing[0]}: this part of the lake is missing; restore it from a backup of the lake"
            )
        return [_parquet(paths, hive=True) for _, paths in sorted(existing.items())]

    def _take_out_known(self, entity: Entity) -> None:
        """Remove exact copies and older versions of rows, whether known from earlier batches or from this
        one.
        """
        written = self._written(entity)
        if not written:
            return
        dates = {path.parent.name.partition("=")[2] for path in written}
        existing = self._existing(entity, dates)
        keys = ", ".join(identifier(name) for name in entity.key)
        columns = conform.lake_columns(entity)
        telling = "".join(f"{name}, " for name in conform.TELLING_COLUMNS if name in columns)
        content = [
            name for name in columns if name not in (*conform.LINEAGE_COLUMNS, *conform.TELLING_COLUMNS)
        ]
        shape = ", ".join(identifier(name) for name in columns)
        # Hive columns come from the path; committed parts carry their batch there, ours none yet.
        new_rows = f"""
            select {self.batch_seq} as batch_seq, filename, file_row_number, {shape}
            from {_parquet(written, filename=True)}
        """
        both_keys = " union all ".join(
            f"select {keys} from {parts}" for parts in (_parquet(written), *existing)
        )
        self.connection.execute(f"""
            create or replace temp table repeated_hash as
            select hash({keys}) as key_hash from ({both_keys}) group by all having count(*) > 1
        """)
        if not self._execute_count("select count(*) from repeated_hash"):
            return
        # By name: parts of an earlier contract version lack columns.
        candidates = " union all by name ".join(
            f"{rows} where hash({keys}) in (from repeated_hash)"
            for rows in (
                new_rows,
                *(
                    f"select * replace (batch_seq::integer as batch_seq, 0 as file_row_number) from {parts}"
                    for parts in existing
                ),
            )
        )
        self.connection.execute(f"""
            create or replace table taken_out as
            with rows as (
                select *, md5(row({", ".join(identifier(name) for name in content)})::varchar) as content_hash
                from ({candidates})
            ),
            numbered as (
                select
                    *,
                    row_number() over (
                        partition by {keys}, content_hash order by batch_seq, file_no, {telling}file_row_number
                    ) as copy_number,
                    row_number() over (
                        partition by {keys}, content_hash, batch_seq order by file_no, {telling}file_row_number
                    ) as copy_in_batch,
                    row_number() over (
                        partition by {keys}
                        order by version_at desc, batch_seq desc, file_no desc, content_hash desc
                    ) as version_number
                from rows
            ),
            ranked as (
                select
                    *,
                    first(content_hash) over (partition by {keys} order by version_number) as winning_hash,
                    first(content_hash) over (
                        partition by {keys} order by batch_seq = {self.batch_seq}, version_number
                    ) as hash_in_lake
                from numbered
            ),
            judged as (
                select
                    *,
                    case
                        -- What the lake has, but not as the version that holds, is said anew: the later file wins a tie.
                        when content_hash = winning_hash and content_hash <> hash_in_lake then copy_in_batch > 1
                        else copy_number > 1
                    end as is_copy
                from ranked
            )
            select
                filename,
                file_no,
                file_row_number,
                is_copy as is_duplicate
            from judged
            where batch_seq = {self.batch_seq} and (is_copy or content_hash <> winning_hash)
        """)
        self._rewrite(shape)
        for file_no, duplicates, superseded in self.connection.execute("""
            select file_no, count(*) filter (is_duplicate), count(*) filter (not is_duplicate)
            from taken_out
            group by file_no
        """).fetchall():
            self.entries[file_no].rows_duplicate += duplicates
            self.entries[file_no].rows_superseded += superseded

    def _rewrite(self, shape: str) -> None:
        """Write the files that hold rows of `taken_out` anew without them. A file is one group of rows mostly, which DuckDB reads and
        writes with one thread: so some at a time.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        names = self.connection.execute("select distinct filename from taken_out order by 1").fetchall()
        with ThreadPoolExecutor(
            min(_REWRITTEN_AT_ONCE, self.settings.threads or os.cpu_count() or 1)
        ) as pool:
            # To ask for the results is to be told of an error.
            list(pool.map(lambda row: self._rewrite_file(Path(row[0]), shape), names))

    def _rewrite_file(self, path: Path, shape: str) -> None:
        slim = path.with_suffix(".slim")
        with self.connection.cursor() as connection:
            row = connection.execute(f"""
                copy (
                    select {shape} from {_parquet([path])}
                    where file_row_number not in (
                        select file_row_number from taken_out where filename = {literal(path)}
                    )
                ) to {literal(slim)} ({_PARQUET})
            """).fetchone()
        if row and row[0]:
            slim.replace(path)
        else:
            slim.unlink()
            path.unlink()

    # -- placing ----------------------------------------------------------------------------------------

    def _place(self, entity: Entity) -> Iterator[Part]:
        """Move the written files to their place in the lake and count them."""
        written = self._written(entity)
        if not written:
            return
        counts: dict[str, int] = {}
        for file_no, name, rows, flagged in self.connection.execute(f"""
            select file_no, filename, count(*), count(quality_flags)
            from {_parquet(written, filename=True)}
            group by all
            order by all
        """).fetchall():
            entry = self.entries[file_no]
            entry.rows_loaded += rows
            if entity.name not in entry.entity:
                entry.entity = f"{entry.entity},{entity.name}".strip(",")
            entry.rows_flagged += flagged
            counts[name] = counts.get(name, 0) + rows
        by_date: dict[str, list[Path]] = {}
        for path in written:
            by_date.setdefault(path.parent.name.partition("=")[2], []).append(path)
        for lake_date, paths in sorted(by_date.items()):
            folder = self.lake.part_folder(entity.name, lake_date, self.batch_seq)
            folder.mkdir(parents=True, exist_ok=True)
            names = []
            for number, path in enumerate(paths, start=1):
                revised = f"r{self.revision:04d}-" if self.revision else ""
                target = folder / f"{revised}{number:06d}.parquet"
                path.replace(target)
                names.append(target.relative_to(self.lake.root).as_posix())
            yield Part(entity.name, lake_date, names, sum(counts.get(str(path), 0) for path in paths))

    def _place_quarantine(self) -> None:
        pieces = sorted(self.scratch.glob("quarantine-*.parquet"))
        # Where no file stays in a batch, neither does a line of one.
        if not pieces or not self.entries:
            return
        paths = ", ".join(
            f"({number}, {literal(entry.path)})" for number, entry in sorted(self.entries.items())
        )
        target = self.lake.quarantine_path(self.batch_seq, self.revision)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.connection.execute(f"""
            copy (
                select
                    {self.batch_seq} as batch_seq,
                    file_no,
                    path,
                    line_number,
                    entity,
                    field,
                    reason,
                    message,
                    workspace_id,
                    raw
                from {_parquet(pieces)}
                join (values {paths}) as files (file_no, path) using (file_no)
                order by file_no, line_number
            ) to {literal(target)} (format parquet, compression zstd)
        """)

    def _balance(self, manifest: Manifest) -> None:
        """rows read = loaded + duplicate + superseded + quarantined, for each file; anything else is a bug
        and stops the night.
        """
        for entry in manifest.files:
            rest = sum(int(getattr(entry, name)) for name in COUNTS[1:])
            if entry.rows_read != rest:
                raise IngestError(f"{entry.path}: {entry.rows_read} rows read, but {rest} accounted for")


def groups(files: list[tuple[int, LandingFile]]) -> list[list[tuple[int, LandingFile]]]:
    """The files as they are read, some together: numbered, in the order in which `Batch.read` takes them."""
    return list(_grouped(files, {file_no: _origin(file) for file_no, file in files}))


def _origin(file: LandingFile) -> Origin:
    sniff = readers.sniff(file)
    return Origin(formats.detect(sniff), sniff.layout)


_PARQUET = "format parquet, compression zstd, compression_level 1"


def _committed(path: Path) -> str:
    """A file of the lake without the columns that its path tells."""
    return f"read_parquet({literal(path)}, hive_partitioning = false)"


def _copy_by_date(relation: str, folder: Path) -> str:
    return (
        f"copy ({relation}) to {literal(folder)} ({_PARQUET}, partition_by (lake_date), overwrite_or_ignore)"
    )


def _entry(file_no: int, file: LandingFile, *, status: str, reason: str | None) -> FileEntry:
    return FileEntry(
        file_no=file_no,
        path=file.name,
        sha256=file.sha256,
        size_bytes=file.fingerprint.size_bytes,
        modified_ns=file.fingerprint.modified_ns,
        format=file.format if file.compression == "none" else f"{file.format}.{file.compression}",
        entity="",
        status=status,
        reason=reason,
    )


def _grouped(
    files: list[tuple[int, LandingFile]], origins: dict[int, Origin]
) -> Iterator[list[tuple[int, LandingFile]]]:
    """Small JSON Lines files of one format and compression together, everything else alone; order within a group is
    kept.
    """
    groups: dict[str, list[tuple[int, LandingFile]]] = {}
    for item in files:
        file_no, file = item
        origin = origins[file_no]
        is_alone = origin.format is not None and origin.layout != "lines"
        if file.format != "jsonl" or is_alone or file.fingerprint.size_bytes > _GROUP_BYTES // 4:
            yield [item]
            continue
        # Runs and spans apart where the names tell: a mixed group is read twice.
        kind = f"{origin.name}/{file.compression}/{'span' in file.name.lower()}"
        group = groups.setdefault(kind, [])
        size = sum(other.fingerprint.size_bytes for _, other in group) + file.fingerprint.size_bytes
        if group and (size > _GROUP_BYTES or len(group) >= _GROUP_FILES):
            yield groups.pop(kind)
            group = groups.setdefault(kind, [])
        group.append(item)
    yield from groups.values()


def _parquet(paths: list[Path] | list[str], *, filename: bool = False, hive: bool = False) -> str:
    options = f"filename = {str(filename).lower()}, hive_partitioning = {str(hive).lower()}"
    return f"read_parquet({string_list(paths)}, file_row_number = true, {options})"
