"""Taking landing files out of the lake again, with everything they brought.

A retraction is a revision of the lake: the manifests of the batches that it changes, as they would be had the files never been landed.
Rows of other files that were taken out as copies or older versions while the retracted rows were there come back, from the landing
files that brought them: from the retracted file's batch on, each file that lost rows is read again in its old place. What does not
belong here: the warehouse, which follows on the next night.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.landing import mirror
from orchestration.landing.files import LandingFile, discover
from orchestration.landing.ingest import Progress, revise
from orchestration.landing.lake import FileEntry, Lake, Manifest, Retracted, Revision

if TYPE_CHECKING:
    from orchestration.settings import Settings

Item = TypeVar("Item")
_HASH_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Retraction:
    """A revision that is made but not committed, and what it is compared with."""

    revision: Revision
    #: All batches of the lake, as they are and as they would be.
    old: tuple[Manifest, ...]
    new: tuple[Manifest, ...]
    #: Files that lost rows, maybe to a retracted one, and are no longer in the landing folder.
    gone: tuple[FileEntry, ...]

    @property
    def rows_taken_out(self) -> int:
        """Rows of the retracted files that are in the lake."""
        return sum(entry.rows_loaded for entry in self.revision.retracted)

    @property
    def rows_back(self) -> int:
        """Rows of other files that the lake gets back."""
        before, after = (sum(m.total("rows_loaded") for m in side) for side in (self.old, self.new))
        return after - (before - self.rows_taken_out)

    @property
    def rows_by_date(self) -> list[dict[str, Any]]:
        """Rows of each entity and UTC date before and after, where they differ."""
        before, after = _rows_by_date(self.old), _rows_by_date(self.new)
        return [
            {"lake_date": day, "entity": entity, "rows_before": before[day, entity], "rows_after": after[day, entity]}
            for day, entity in sorted(before.keys() | after.keys())
            if before[day, entity] != after[day, entity]
        ]  # fmt: skip


def _rows_by_date(manifests: Sequence[Manifest]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for manifest in manifests:
        for part in manifest.parts:
            counts[part.lake_date, part.entity] += part.row_count
    return counts


def find(
    settings: Settings, manifests: Sequence[Manifest], names: Sequence[str], batches: Sequence[int] = ()
) -> list[tuple[Manifest, FileEntry]]:
    """The landed files that are meant: by path, by the first digits of their SHA-256, or all files of a batch.

    Raises LookupError where a name fits none, or several.
    """
    landed = [(manifest, entry) for manifest in manifests for entry in manifest.files]
    found: dict[str, tuple[Manifest, FileEntry]] = {}
    for name in names:
        fitting = _fitting(name, landed, lambda item: item[1].path, lambda item: item[1].sha256, settings)
        if not fitting:
            raise LookupError(
                f"no landed file is named '{name}', nor does a hash begin so; "
                'see `credit-usage sql "from meta.files"`'
            )
        if len({item[1].sha256 for item in fitting}) > 1:
            told = ", ".join(f"{entry.sha256[:12]} (batch {m.batch_seq})" for m, entry in fitting)
            raise LookupError(f"'{name}' fits several landed files; name one by its hash: {told}")
        found.update((item[1].sha256, item) for item in fitting)
    for batch in batches:
        of_batch = [item for item in landed if item[0].batch_seq == batch]
        if not of_batch:
            raise LookupError(f"there is no batch {batch} with files in the lake")
        found.update((item[1].sha256, item) for item in of_batch)
    return sorted(found.values(), key=lambda item: (item[0].batch_seq, item[1].file_no))


def prepare(
    settings: Settings,
    chosen: Sequence[tuple[Manifest, FileEntry]],
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Retraction:
    """Make the revision that takes these files out: its parts are written, and nothing reads them before `Lake.commit_revision`.

    The caller holds the run lock.
    """
    lake = Lake.of(settings)
    old = lake.manifests()
    number = lake.last_revision + 1
    lake.remove_leftovers_of_revision(number)
    hashes = {entry.sha256 for _, entry in chosen}
    # A file without loaded rows took nothing out of others.
    first = min((m.batch_seq for m, entry in chosen if entry.rows_loaded), default=None)
    at_hand = _landing_files(settings, lake) if first is not None else {}
    new: list[Manifest] = []
    gone: list[FileEntry] = []
    for manifest in old:
        without = {entry.file_no for entry in manifest.files if entry.sha256 in hashes}
        affected = [
            entry
            for entry in manifest.files
            if first is not None
            and manifest.batch_seq >= first
            and entry.file_no not in without
            and entry.rows_duplicate + entry.rows_superseded
        ]
        gone += [entry for entry in affected if entry.sha256 not in at_hand]
        again = [(entry.file_no, at_hand[entry.sha256]) for entry in affected if entry.sha256 in at_hand]
        if without or again:
            new.append(
                revise(settings, lake, manifest, new[:], without=without, again=again, revision=number, progress=progress)
            )  # fmt: skip
        else:
            new.append(manifest)
    revision = Revision(
        revision=number,
        made_at=(now or datetime.now(UTC)).astimezone(UTC).isoformat(),
        last_batch_seq=max((manifest.batch_seq for manifest in old), default=0),
        retracted=tuple(
            Retracted(m.batch_seq, e.path, e.sha256, e.rows_loaded, e.rows_quarantined) for m, e in chosen
        ),
        incomplete=tuple(sorted({entry.sha256 for entry in gone})),
        batches=tuple(manifest for manifest in new if manifest.revision == number),
    )
    return Retraction(revision, tuple(old), tuple(new), tuple(gone))


def allow(settings: Settings, names: Sequence[str], *, now: datetime | None = None) -> list[Retracted]:
    """Let retracted files be landed again; they are, as new ones, on the next night that finds them. Returns them.

    Raises LookupError where a name fits no retracted file, or several.
    """
    lake = Lake.of(settings)
    lake.refresh()
    retracted = lake.retracted()
    found: dict[str, Retracted] = {}
    for name in names:
        fitting = _fitting(name, retracted, lambda item: item.path, lambda item: item.sha256, settings)
        if len({item.sha256 for item in fitting}) != 1:
            raise LookupError(f"'{name}' fits {len(fitting)} retracted files; exactly one is needed")
        found[fitting[0].sha256] = fitting[0]
    lake.commit_revision(
        Revision(
            revision=lake.last_revision + 1,
            made_at=(now or datetime.now(UTC)).astimezone(UTC).isoformat(),
            last_batch_seq=lake.last_batch_seq,
            allowed=tuple(sorted(found)),
        )
    )
    return list(found.values())


def discard(settings: Settings, retraction: Retraction) -> None:
    """Remove what a revision that is not going to be committed has written."""
    Lake.of(settings).remove_leftovers_of_revision(retraction.revision.revision)


def _landing_files(settings: Settings, lake: Lake) -> dict[str, LandingFile]:
    """What lies in the landing folder, by hash."""
    mirror.fetch(settings)
    if not settings.landing_dir.exists():
        return {}
    files, _, _ = discover(
        settings.landing_dir, settle_seconds=0.0, known=set(), cache_path=lake.root / "seen.json"
    )
    return {file.sha256: file for file in files}


def _fitting(
    name: str,
    items: Sequence[Item],
    path_of: Callable[[Item], str],
    hash_of: Callable[[Item], str],
    settings: Settings,
) -> list[Item]:
    """Items whose path below the landing folder is this one, else those whose hash begins with it."""
    root = settings.landing_dir.resolve()
    resolved = Path(name).absolute()
    below = resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else name
    if by_path := [item for item in items if path_of(item) in (name, below)]:
        return by_path
    prefix = name.lower()
    return (
        [item for item in items if hash_of(item).startswith(prefix)] if _HASH_PREFIX.fullmatch(prefix) else []
    )
