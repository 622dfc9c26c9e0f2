"""Forgetting users: their rows of the lake become rows of nobody, amounts and all, and what lands later of them does so, too.

A forgetting is a revision of the lake with new parts in place of those that name the user, like a retraction. Unlike one it does not leave
the old parts where they are: once the revision is committed, `sweep` removes them. What does not belong here: published files and pages,
which the next night makes anew (`publication.publish.forget_older` removes the kept ones).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import sql
from orchestration.landing import conform, privacy
from orchestration.landing.contract import ENTITIES, RUNS, SPANS, Entity
from orchestration.landing.lake import Lake, Manifest, Part, Revision
from orchestration.sql import literal, string_list

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

_SALT_BYTES = 32
_SHOWN = ("workspace_id", "run_id", "parent_run_id", "user_id")


@dataclass(frozen=True)
class Erasure:
    """What forgetting a user changes of the lake; with a dry run nothing of it is written."""

    revision: Revision
    runs: int
    rows_by_entity: dict[str, int]
    lines_in_quarantine: int

    @property
    def batches(self) -> list[int]:
        """Batches that get new parts."""
        return [manifest.batch_seq for manifest in self.revision.batches]


def prepare(settings: Settings, user_id: str, *, write: bool = True, now: datetime | None = None) -> Erasure:
    """Make the revision in which the user is forgotten; nothing reads its parts before `Lake.commit_revision`.

    `user_id` is the id as the caller gives it, or the hash that the lake holds of it. The caller holds the run lock.
    """
    lake = Lake.of(settings)
    lake.refresh()
    known = privacy.forgotten(lake)
    salt = known.salt or secrets.token_hex(_SALT_BYTES)
    ids = {user_id}
    if settings.user_id_salt:
        ids.add(privacy.pseudonym(settings.user_id_salt, user_id))
    number = lake.last_revision + 1
    lake.remove_leftovers_of_revision(number)
    manifests = lake.manifests()
    runs_path = lake.revisions_dir / f"{number:04d}-runs.parquet"
    with sql.connect(settings) as connection:
        privacy.install(connection, settings, salt)
        connection.execute("create temp table named (user_id varchar)")
        connection.execute("insert into named select unnest($1)", [sorted(ids)])
        connection.execute("set variable named_ids = $1", [sorted(ids)])
        runs = _find_runs(connection, lake, manifests)
        work = _Work(connection, lake, number, write=write)
        batches = [revised for manifest in manifests if (revised := work.revise(manifest)) is not None]
        if write and runs:
            lake.revisions_dir.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (from of_user order by workspace_id, run_id) to {literal(runs_path)} (format parquet)"
            )
    revision = Revision(
        revision=number,
        made_at=(now or datetime.now(UTC)).astimezone(UTC).isoformat(),
        last_batch_seq=max((manifest.batch_seq for manifest in manifests), default=0),
        batches=tuple(batches),
        forgotten=tuple(sorted(privacy.forget_digest(salt, item) for item in ids)),
        forget_salt=salt,
        forgotten_runs=runs_path.relative_to(lake.root).as_posix() if write and runs else "",
    )
    return Erasure(revision, runs, work.rows, work.lines)


def discard(settings: Settings, erasure: Erasure) -> None:
    """Remove what a revision that is not going to be committed has written."""
    Lake.of(settings).remove_leftovers_of_revision(erasure.revision.revision)


def sweep(settings: Settings) -> int:
    """Remove from the lake what no manifest names any more, where users were forgotten: it may be theirs. Returns the number of files.

    Safe to repeat: a crash between the commit of a forgetting and this is made good by the next night.
    """
    lake = Lake.of(settings)
    if not privacy.forgotten(lake).digests:
        return 0
    stale = list(stale_files(lake))
    for path in stale:
        path.unlink()
    if lake.shared is not None:
        lake.shared.sweep(lake)
    return len(stale)


def stale_files(lake: Lake) -> Iterator[Path]:
    """Parts and quarantined lines that no manifest names."""
    manifests = lake.manifests()
    named = {lake.root / name for manifest in manifests for part in manifest.parts for name in part.files}
    named |= set(lake.quarantine_paths(manifests))
    for entity in ENTITIES:
        yield from sorted(set((lake.root / entity.name).glob("lake_date=*/batch_seq=*/*.parquet")) - named)
    yield from sorted(set((lake.root / "quarantine").glob("*.parquet")) - named)


def _find_runs(connection: duckdb.DuckDBPyConnection, lake: Lake, manifests: Sequence[Manifest]) -> int:
    """Table `of_user`: the runs that name the user, or of which a span does, and the runs they started. Returns their number."""
    for entity in (RUNS, SPANS):
        paths = [
            lake.root / name
            for m in manifests
            for p in m.parts
            if p.entity == entity.name
            for name in p.files
        ]
        nothing = ", ".join(f"null::varchar as {name}" for name in _SHOWN)
        rows = f"select {nothing} where false"
        if paths:
            # By name: parts of an earlier contract version lack columns.
            rows += (
                f" union all by name select columns(lambda c: list_contains({string_list(_SHOWN)}, c)) "
                f"from read_parquet({string_list(paths)}, union_by_name = true, hive_partitioning = false)"
            )
        connection.execute(f"create temp view all_{entity.name} as {rows}")
    connection.execute("""
        create temp table of_user as
        with recursive found as (
            select workspace_id, run_id from all_runs where user_id in (from named)
            union
            select workspace_id, run_id from all_spans where user_id in (from named)
            union
            select all_runs.workspace_id, all_runs.run_id
            from all_runs
            inner join found on all_runs.workspace_id = found.workspace_id and all_runs.parent_run_id = found.run_id
            where all_runs.user_id is null
        )
        from found
    """)
    row = connection.execute("select count(*) from of_user").fetchone()
    return int(row[0]) if row else 0


class _Work:
    """Writing the parts of one revision, or only counting what would be written."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, lake: Lake, revision: int, *, write: bool
    ) -> None:
        self.connection = connection
        self.lake = lake
        self.revision = revision
        self.write = write
        self.rows = {entity.name: 0 for entity in ENTITIES}
        self.lines = 0

    def revise(self, manifest: Manifest) -> Manifest | None:
        """The batch without the user; None where it does not name them."""
        entities = {entity.name: entity for entity in ENTITIES}
        numbers: dict[Path, int] = {}
        parts = [
            replace(
                part, files=[self._part(entities[part.entity], part, name, numbers) for name in part.files]
            )
            for part in manifest.parts
        ]
        lines = self._lines(manifest)
        if parts == manifest.parts and not lines:
            return None
        self.lines += lines
        if self.write:
            self._write_quarantine(manifest)
        return replace(manifest, parts=parts, revision=self.revision)

    def _part(self, entity: Entity, part: Part, name: str, numbers: dict[Path, int]) -> str:
        """The file that holds the part's rows from now on."""
        path = self.lake.root / name
        rows = f"read_parquet({literal(path)}, hive_partitioning = false)"
        columns = [row[0] for row in self.connection.execute(f"describe select * from {rows}").fetchall()]
        user_id = "user_id" if "user_id" in columns else "null::varchar"
        is_theirs = (
            f"(coalesce({user_id} in (from named), false) "
            f"or ({user_id} is null and (workspace_id, run_id) in (select workspace_id, run_id from of_user)))"
        )
        counted = self.connection.execute(f"select count(*) from {rows} where {is_theirs}").fetchone()
        if counted is None or not counted[0]:
            return name
        self.rows[entity.name] += int(counted[0])
        numbers[path.parent] = numbers.get(path.parent, 0) + 1
        target = path.parent / f"r{self.revision:04d}-{numbers[path.parent]:06d}.parquet"
        if self.write:
            changed = privacy.erased("is_theirs", columns)
            kinds = conform.lake_columns(entity)
            replaced = ", ".join(
                f"({value})::{kinds[column]} as {column}" for column, value in changed.items()
            )
            self.connection.execute(f"""
                copy (
                    select * exclude (is_theirs) replace ({replaced})
                    from (select *, {is_theirs} as is_theirs from {rows})
                ) to {literal(target)} (format parquet, compression zstd, compression_level 1)
            """)
        return target.relative_to(self.lake.root).as_posix()

    def _quarantine(self, manifest: Manifest) -> str | None:
        """The quarantined lines of a batch, and whether each names the user."""
        path = self.lake.quarantine_path(manifest.batch_seq, manifest.revision)
        if not path.exists():
            return None
        named = privacy.names_a_user("raw", "w", "getvariable('named_ids')")
        quoted = privacy.names_a_user("message", "w", "getvariable('named_ids')")
        return f"select *, {named} or {quoted} as is_theirs from read_parquet({literal(path)}, hive_partitioning = false)"

    def _lines(self, manifest: Manifest) -> int:
        rows = self._quarantine(manifest)
        if rows is None:
            return 0
        counted = self.connection.execute(f"select count(*) from ({rows}) where is_theirs").fetchone()
        return int(counted[0]) if counted else 0

    def _write_quarantine(self, manifest: Manifest) -> None:
        if (rows := self._quarantine(manifest)) is None:
            return
        target = self.lake.quarantine_path(manifest.batch_seq, self.revision)
        replaced = ", ".join(
            f"case when is_theirs then {literal(privacy.ERASED)} else {name} end as {name}"
            for name in ("raw", "message")
        )
        without = f"select * exclude (is_theirs) replace ({replaced}) from ({rows})"
        self.connection.execute(f"copy ({without}) to {literal(target)} (format parquet, compression zstd)")
