"""The lake: immutable Parquet parts and the manifests that commit them.

Layout: `lake/<entity>/lake_date=<UTC date of the row's start>/batch_seq=<batch>/<unit>.parquet`,
`lake/quarantine/<batch>.parquet` and `lake/batches/<batch>.json`. A batch exists when its manifest does; the
manifest is written last, so parts without one are leftovers of a crash and are removed before the next batch.
Nothing of a batch is ever changed. What a retraction takes out of batches is said by `lake/revisions/<number>.json`,
which holds their manifests as they are from then on: who asks for the manifests gets these, and the parts that they name.
With `lake_url` the folder is a copy of what `shared_lake` keeps on object storage: commits are made there first.
What does not belong here: reading landing files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.landing.contract import CONTRACT_VERSION

if TYPE_CHECKING:
    from orchestration.landing.shared_lake import Document, SharedLake
    from orchestration.settings import Settings

MANIFEST_VERSION = 1
COUNTS = ("rows_read", "rows_loaded", "rows_duplicate", "rows_superseded", "rows_quarantined")


class LakeError(RuntimeError):
    """The lake is not in a state that can be read; the message says what to do."""


@dataclass
class FileEntry:
    """One landing file of a batch; rows read = loaded + duplicate + superseded + quarantined, always."""

    file_no: int
    path: str
    sha256: str
    size_bytes: int
    modified_ns: int
    format: str
    entity: str
    status: str
    reason: str | None
    rows_read: int = 0
    rows_loaded: int = 0
    rows_duplicate: int = 0
    rows_superseded: int = 0
    rows_quarantined: int = 0
    rows_flagged: int = 0
    #: Before contract version 3 there was one format, and no key to say so.
    source_format: str = "native"


@dataclass
class Part:
    """The rows of one entity and lake date that a batch brought. `files` are paths below the lake."""

    entity: str
    lake_date: str
    files: list[str]
    row_count: int


@dataclass
class Manifest:
    """The commit of a batch."""

    batch_seq: int
    loaded_at: str
    contract_version: int
    files: list[FileEntry]
    parts: list[Part] = field(default_factory=list)
    manifest_version: int = MANIFEST_VERSION
    #: The revision of the lake that it comes from; 0 is the batch as it was landed.
    revision: int = 0
    #: By which salt the ids of its users are hashed (`privacy.mark_of_salt`); empty where they are not.
    user_id_salt_mark: str = ""

    def total(self, name: str) -> int:
        """Sum of one of COUNTS over the files."""
        return sum(int(getattr(entry, name)) for entry in self.files)

    @property
    def dates_touched(self) -> list[str]:
        """UTC dates on which loaded rows start, ascending."""
        return sorted({part.lake_date for part in self.parts})

    def as_json(self) -> dict[str, Any]:
        """The document that is stored."""
        totals = {name: self.total(name) for name in COUNTS}
        return {**asdict(self), **totals, "dates_touched": self.dates_touched}


@dataclass(frozen=True)
class Retracted:
    """A landing file that was taken out of the lake, as its batch counted it."""

    batch_seq: int
    path: str
    sha256: str
    rows_loaded: int
    rows_quarantined: int


@dataclass(frozen=True)
class Revision:
    """One change of what the lake says, committed as a whole."""

    revision: int
    made_at: str
    #: Newest batch at that time.
    last_batch_seq: int
    retracted: tuple[Retracted, ...] = ()
    #: Hashes of retracted files that may be landed again.
    allowed: tuple[str, ...] = ()
    #: Hashes of files that may lack rows now and could not be read again: they land anew when they are delivered.
    incomplete: tuple[str, ...] = ()
    batches: tuple[Manifest, ...] = ()
    #: Of users who are forgotten from here on: digests of their ids, with the salt of all such digests, and the file below the lake that
    #: lists the runs that were theirs.
    forgotten: tuple[str, ...] = ()
    forget_salt: str = ""
    forgotten_runs: str = ""

    def as_json(self) -> dict[str, Any]:
        """The document that is stored."""
        return {
            "revision_version": MANIFEST_VERSION,
            **asdict(self),
            "batches": [manifest.as_json() for manifest in self.batches],
        }


class Lake:
    """Paths, manifests and leftovers of one lake folder."""

    def __init__(self, root: Path, shared: SharedLake | None = None) -> None:
        self.root = root
        self.shared = shared

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """The lake of these settings, shared where they have a `lake_url`."""
        if not settings.lake_url:
            return cls(settings.lake_dir)
        from orchestration.landing.shared_lake import SharedLake  # noqa: PLC0415 - few share it

        return cls(settings.lake_dir, SharedLake(settings.lake_dir, settings.lake_url))

    def refresh(self) -> None:
        """Fetch what other machines committed to a shared lake. The caller holds the run lock, and is about to change the lake."""
        if self.shared is not None:
            self.shared.pull(self)

    @property
    def batches_dir(self) -> Path:
        """Where the manifests are."""
        return self.root / "batches"

    @property
    def revisions_dir(self) -> Path:
        """Where the revisions are."""
        return self.root / "revisions"

    def manifests(self) -> list[Manifest]:
        """All committed batches in order, as the newest revision of each says. Raises LakeError for one that cannot be read."""
        revised = {m.batch_seq: m for revision in self.revisions() for m in revision.batches}
        paths = sorted(self.batches_dir.glob("*.json"))
        return [revised[int(path.stem)] if int(path.stem) in revised else self._read(path) for path in paths]

    def revisions(self) -> list[Revision]:
        """All revisions in order. Raises LakeError for one that cannot be read."""
        return [self._read_revision(path) for path in sorted(self.revisions_dir.glob("*.json"))]

    def retracted(self) -> list[Retracted]:
        """Files that are taken out and may not be landed again, in order of their retraction."""
        found: dict[str, Retracted] = {}
        for revision in self.revisions():
            for entry in revision.retracted:
                found[entry.sha256] = entry
            for digest in revision.allowed:
                found.pop(digest, None)
        return list(found.values())

    def known_hashes(self) -> set[str]:
        """Hashes of the files that are not to be landed: loaded, or retracted."""
        incomplete: dict[str, int] = {}
        for revision in self.revisions():
            incomplete.update(dict.fromkeys(revision.incomplete, revision.last_batch_seq))
        loaded = {
            entry.sha256
            for manifest in self.manifests()
            for entry in manifest.files
            if manifest.batch_seq > incomplete.get(entry.sha256, 0)
        }
        return loaded | {entry.sha256 for entry in self.retracted()}

    @property
    def last_batch_seq(self) -> int:
        """Number of the newest committed batch, 0 when there is none. Opens no manifest."""
        return max((int(path.stem) for path in self.batches_dir.glob("*.json")), default=0)

    @property
    def last_revision(self) -> int:
        """Number of the newest committed revision, 0 when there is none. Opens none."""
        return max((int(path.stem) for path in self.revisions_dir.glob("*.json")), default=0)

    def _read(self, path: Path) -> Manifest:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            _require_version(path, document["manifest_version"])
            if document["batch_seq"] != int(path.stem):
                raise ValueError(f"it says that it is batch {document['batch_seq']}")
            return _manifest(document)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"{path}: this batch manifest is damaged ({error}); restore it from a backup of the lake"
            ) from error

    def _read_revision(self, path: Path) -> Revision:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            _require_version(path, document["revision_version"])
            if document["revision"] != int(path.stem):
                raise ValueError(f"it says that it is revision {document['revision']}")
            return Revision(
                revision=document["revision"],
                made_at=document["made_at"],
                last_batch_seq=document["last_batch_seq"],
                retracted=tuple(Retracted(**entry) for entry in document["retracted"]),
                allowed=tuple(document["allowed"]),
                incomplete=tuple(document["incomplete"]),
                batches=tuple(_manifest(batch) for batch in document["batches"]),
                forgotten=tuple(document.get("forgotten", ())),
                forget_salt=document.get("forget_salt", ""),
                forgotten_runs=document.get("forgotten_runs", ""),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"{path}: this revision of the lake is damaged ({error}); restore it from a backup of the lake"
            ) from error

    def revision_path(self, revision: int) -> Path:
        """The document of a revision."""
        return self.revisions_dir / f"{revision:04d}.json"

    def part_folder(self, entity: str, lake_date: str, batch_seq: int) -> Path:
        """Where the rows of a batch for one date go."""
        return self.root / entity / f"lake_date={lake_date}" / f"batch_seq={batch_seq:06d}"

    def quarantine_path(self, batch_seq: int, revision: int = 0) -> Path:
        """The quarantined rows of a batch."""
        suffix = f".r{revision:04d}" if revision else ""
        return self.root / "quarantine" / f"{batch_seq:06d}{suffix}.parquet"

    def quarantine_paths(self, manifests: Sequence[Manifest]) -> list[Path]:
        """The quarantined rows of these batches; a batch without any has no file."""
        paths = [self.quarantine_path(manifest.batch_seq, manifest.revision) for manifest in manifests]
        return [path for path in paths if path.exists()]

    def remove_leftovers(self, batch_seq: int) -> None:
        """Remove parts that a crashed attempt at this batch left behind; it never had a manifest."""
        if (self.batches_dir / f"{batch_seq:06d}.json").exists():
            raise LakeError(f"batch {batch_seq} is committed already")
        for folder in self.root.glob(f"*/lake_date=*/batch_seq={batch_seq:06d}"):
            shutil.rmtree(folder)
        self.quarantine_path(batch_seq).unlink(missing_ok=True)

    def remove_leftovers_of_revision(self, revision: int) -> None:
        """Remove parts that were written for a revision that was never committed."""
        if self.revision_path(revision).exists():
            raise LakeError(f"revision {revision} is committed already")
        for path in [
            *self.root.glob(f"*/lake_date=*/batch_seq=*/r{revision:04d}-*.parquet"),
            *self.root.glob(f"quarantine/*.r{revision:04d}.parquet"),
            *self.revisions_dir.glob(f"{revision:04d}-*.parquet"),
        ]:
            path.unlink()

    def commit(self, manifest: Manifest) -> Path:
        """Make the batch exist: parts to disk first, the manifest last."""
        self._sync(manifest)
        path = self.batches_dir / f"{manifest.batch_seq:06d}.json"
        self._commit(path, manifest.as_json())
        return path

    def commit_revision(self, revision: Revision) -> Path:
        """Make the revision hold: the parts of its batches to disk first, the document last."""
        for manifest in revision.batches:
            self._sync(manifest)
        if revision.forgotten_runs:
            durable.sync_file(self.root / revision.forgotten_runs)
        path = self.revision_path(revision.revision)
        self._commit(path, revision.as_json())
        return path

    def _commit(self, path: Path, document: Document) -> None:
        if self.shared is not None:
            self.shared.commit(self._below(path), document, self.files_of(document))
        durable.write_json(path, document)

    def documents(self) -> list[str]:
        """The names of all commits below the lake, in their order."""
        batches = sorted(self.batches_dir.glob("*.json"))
        order = [(int(path.stem), 0, path) for path in batches]
        for revision in self.revisions():
            order.append((revision.last_batch_seq, revision.revision, self.revision_path(revision.revision)))
        return [self._below(path) for _, _, path in sorted(order)]

    def files_standing(self, documents: Mapping[str, Document]) -> set[str]:
        """The files below the lake that these documents, by their names below it, stand for together: parts and quarantined lines of all
        batches as they are now, and runs of forgotten users.
        """
        batches = {
            name: document for name, document in documents.items() if name.startswith(self.batches_dir.name)
        }
        revisions = [document for name, document in sorted(documents.items()) if name not in batches]
        latest = {document["batch_seq"]: document for document in batches.values()}
        latest |= {batch["batch_seq"]: batch for revision in revisions for batch in revision["batches"]}
        found = {revision["forgotten_runs"] for revision in revisions if revision.get("forgotten_runs")}
        for document in latest.values():
            manifest = _manifest(document)
            found |= {name for part in manifest.parts for name in part.files}
            if manifest.total("rows_quarantined"):
                found.add(self._below(self.quarantine_path(manifest.batch_seq, manifest.revision)))
        return found

    def clear_leftovers_of(self, document: Document) -> None:
        """Remove what an attempt of this machine left in the place of a commit that another machine made instead."""
        if "batches" in document:
            self.remove_leftovers_of_revision(document["revision"])
        else:
            self.remove_leftovers(document["batch_seq"])

    def files_of(self, document: Document) -> list[str]:
        """The files below the lake that a commit brought and that are still there."""
        manifests = [_manifest(batch) for batch in document.get("batches", (document,))]
        revision = document["revision"]
        found = [document["forgotten_runs"]] if document.get("forgotten_runs") else []
        for manifest in manifests:
            if manifest.revision != revision:
                continue
            found += [
                name for part in manifest.parts for name in part.files if _is_of_revision(name, revision)
            ]
            found.append(self._below(self.quarantine_path(manifest.batch_seq, revision)))
        return [name for name in found if (self.root / name).exists()]

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _sync(self, manifest: Manifest) -> None:
        """Parts to disk, and the names of the folders on the way to them: a file whose folder was lost is lost."""
        folders: set[Path] = set()
        for part in manifest.parts:
            for name in part.files:
                path = self.root / name
                durable.sync_file(path)
                folders |= {path.parent, path.parent.parent, path.parent.parent.parent}
        quarantine = self.quarantine_path(manifest.batch_seq, manifest.revision)
        if quarantine.exists():
            durable.sync_file(quarantine)
            folders.add(quarantine.parent)
        for folder in sorted({*folders, self.root}, key=lambda path: len(path.parts), reverse=True):
            durable.sync_folder(folder)


def refuse_newer(manifests: Sequence[Manifest]) -> None:
    """Raise LakeError where batches were landed by a later contract version, whose rows would be misread."""
    if newer := [str(m.batch_seq) for m in manifests if m.contract_version > CONTRACT_VERSION]:
        raise LakeError(
            f"batches {', '.join(newer)} of the lake were written by a newer version: use that one, this one would misread them"
        )


def _is_of_revision(name: str, revision: int) -> bool:
    """Whether a part was written for this revision: those that it did not change keep their names."""
    return not revision or Path(name).name.startswith(f"r{revision:04d}-")


def _require_version(path: Path, version: int) -> None:
    if version != MANIFEST_VERSION:
        raise LakeError(f"{path}: version {version} is not {MANIFEST_VERSION}; use the release that wrote it")


def _manifest(document: dict[str, Any]) -> Manifest:
    return Manifest(
        batch_seq=document["batch_seq"],
        loaded_at=document["loaded_at"],
        contract_version=document["contract_version"],
        files=[FileEntry(**entry) for entry in document["files"]],
        parts=[Part(**part) for part in document["parts"]],
        revision=document.get("revision", 0),
        user_id_salt_mark=document.get("user_id_salt_mark", ""),
    )
