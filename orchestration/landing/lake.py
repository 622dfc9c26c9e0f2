"""The lake: immutable Parquet parts and the manifests that commit them.

Layout: `lake/<entity>/lake_date=<UTC date of the row's start>/batch_seq=<batch>/<unit>.parquet`,
`lake/quarantine/<batch>.parquet` and `lake/batches/<batch>.json`. A batch exists when its manifest does; the
manifest is written last, so parts without one are leftovers of a crash and are removed before the next batch.
What does not belong here: reading landing files.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestration import durable

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


class Lake:
    """Paths, manifests and leftovers of one lake folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def batches_dir(self) -> Path:
        """Where the manifests are."""
        return self.root / "batches"

    def manifests(self) -> list[Manifest]:
        """All committed batches in order. Raises LakeError for one that cannot be read."""
        return [self._read(path) for path in sorted(self.batches_dir.glob("*.json"))]

    @property
    def last_batch_seq(self) -> int:
        """Number of the newest committed batch, 0 when there is none. Opens no manifest."""
        return max((int(path.stem) for path in self.batches_dir.glob("*.json")), default=0)

    def _read(self, path: Path) -> Manifest:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["manifest_version"] != MANIFEST_VERSION:
                raise LakeError(
                    f"{path}: manifest version {document['manifest_version']} is not {MANIFEST_VERSION}; "
                    "use the release that wrote it"
                )
            if document["batch_seq"] != int(path.stem):
                raise ValueError(f"it says that it is batch {document['batch_seq']}")
            return Manifest(
                batch_seq=document["batch_seq"],
                loaded_at=document["loaded_at"],
                contract_version=document["contract_version"],
                files=[FileEntry(**entry) for entry in document["files"]],
                parts=[Part(**part) for part in document["parts"]],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"{path}: this batch manifest is damaged ({error}); restore it from a backup of the lake"
            ) from error

    def part_folder(self, entity: str, lake_date: str, batch_seq: int) -> Path:
        """Where the rows of a batch for one date go."""
        return self.root / entity / f"lake_date={lake_date}" / f"batch_seq={batch_seq:06d}"

    def quarantine_path(self, batch_seq: int) -> Path:
        """The quarantined rows of a batch."""
        return self.root / "quarantine" / f"{batch_seq:06d}.parquet"

    def remove_leftovers(self, batch_seq: int) -> None:
        """Remove parts that a crashed attempt at this batch left behind; it never had a manifest."""
        if (self.batches_dir / f"{batch_seq:06d}.json").exists():
            raise LakeError(f"batch {batch_seq} is committed already")
        for folder in self.root.glob(f"*/lake_date=*/batch_seq={batch_seq:06d}"):
            shutil.rmtree(folder)
        self.quarantine_path(batch_seq).unlink(missing_ok=True)

    def commit(self, manifest: Manifest) -> Path:
        """Make the batch exist: parts to disk first, the manifest last."""
        for part in manifest.parts:
            for name in part.files:
                durable.sync_file(self.root / name)
            folder = (self.root / part.files[0]).parent
            durable.sync_folder(folder)
            durable.sync_folder(folder.parent)
        quarantine = self.quarantine_path(manifest.batch_seq)
        if quarantine.exists():
            durable.sync_file(quarantine)
            durable.sync_folder(quarantine.parent)
        path = self.batches_dir / f"{manifest.batch_seq:06d}.json"
        durable.write_json(path, manifest.as_json())
        return path
