"""The lake on object storage: a log of its commits and the files they name. The lake folder is this machine's copy of it.

Below `lake_url`: `log/00000001.json` and so on, one for each committed batch or revision, in order; and the files of the lake under their
own names with the first digits of their SHA-256, so that two machines never write the same object with other content. A commit exists
when its entry of the log does, and an entry is created only where its number is free. Whoever comes second is refused, with nothing
committed: what they landed was judged by a lake that is not the newest any more. What does not belong here: what the documents mean.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.object_storage import Object, ObjectStorage, ObjectStorageError, TakenError

if TYPE_CHECKING:
    from orchestration.landing.lake import Lake

LOG_VERSION = 1
_ENTRY = re.compile(r"log/(\d{8})\.json")
_PROBE = "log/probe"
_DIGITS = 16
_LEFT_ALONE = timedelta(days=2)
"""How old a file must be that no commit names before it counts as left over by a machine that died: longer than any night."""

Document = dict[str, Any]


class SharedLakeError(RuntimeError):
    """The shared lake and this machine's copy do not fit; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """One commit. `name` is its document's path below the lake, `files` the lake's files it brought: path → (object, SHA-256)."""

    name: str
    document: Document
    files: Mapping[str, tuple[str, str]]

    def as_bytes(self) -> bytes:
        """What is stored."""
        files = [
            {"path": path, "object": stored, "sha256": digest}
            for path, (stored, digest) in sorted(self.files.items())
        ]
        document = {
            "log_version": LOG_VERSION,
            "name": self.name,
            "document": self.document,
            "files": files,
        }
        return (json.dumps(document, indent=1, sort_keys=True, default=str) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Entry:
        """The inverse of `as_bytes`. Raises ValueError, KeyError or TypeError for anything else."""
        found = json.loads(content)
        if found["log_version"] != LOG_VERSION:
            raise ValueError(
                f"version {found['log_version']} is not {LOG_VERSION}; use the release that wrote it"
            )
        files = {item["path"]: (item["object"], item["sha256"]) for item in found["files"]}
        for path in (found["name"], *files):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"{path} is not below the lake")
        return cls(found["name"], found["document"], files)


class SharedLake:
    """The log at one URL, and what this machine has seen of it."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url

    @cached_property
    def storage(self) -> ObjectStorage:
        """What is at the URL."""
        return ObjectStorage(self.url)

    @property
    def _state_path(self) -> Path:
        return self.root / "shared.json"

    def pull(self, lake: Lake) -> list[str]:
        """Bring `lake`, this machine's copy, up to date; returns the names of the documents that came.

        A lake that was never shared is handed over to an empty URL. Raises SharedLakeError where the two do not fit.
        """
        local = lake.documents()
        seen = self._seen()
        numbers = self._numbers()
        if not seen:
            self._see_that_names_are_taken_once()
        if len(numbers) < len(seen):
            raise SharedLakeError(
                f"{self.url} has {len(numbers)} commits, and this machine has seen {len(seen)}: another lake lies there, or an "
                f"older copy. Restore it, or point lake_url elsewhere; {self._state_path} is what this machine remembers"
            )
        if not numbers:
            for name in local:
                document = self._document(name)
                self.commit(name, document, lake.files_of(document))
            return []
        if seen and hashlib.sha256(self.storage.read(_entry_name(len(seen)))).hexdigest() != seen[-1][1]:
            raise SharedLakeError(
                f"{self.url}: commit {len(seen)} is not the one that this machine has seen: another lake lies there"
            )
        new = [self._read(number) for number in numbers[len(seen) :]]
        names = [name for name, _ in seen] + [entry.name for entry, _ in new]
        if strays := [name for name in local if name not in set(names)]:
            raise SharedLakeError(
                f"{self.root / strays[0]} is not in {self.url}: it was landed without lake_url. Move this lake folder away, and drop "
                "what it had landed again"
            )
        for entry, _ in new:
            if entry.name in local and self._document(entry.name) != entry.document:
                raise SharedLakeError(
                    f"{self.root / entry.name} is another one than in {self.url}: move this lake folder away"
                )
        for entry, _ in new:
            if entry.name not in local:
                lake.clear_leftovers_of(entry.document)
        self._fetch(lake, new, names)
        for entry, digest in new:
            durable.write_json(self.root / entry.name, entry.document)
            seen = [*seen, (entry.name, digest)]
            self._remember(seen)
        return [entry.name for entry, _ in new if entry.name not in local]

    def _fetch(self, lake: Lake, new: Sequence[tuple[Entry, str]], names: Sequence[str]) -> None:
        """The files that stand after the new commits and are not here."""
        documents = {entry.name: entry.document for entry, _ in new}
        documents |= {name: self._document(name) for name in names if name not in documents}
        named = lake.files_standing(documents)
        brought = {path: found for entry, _ in new for path, found in entry.files.items() if path in named}
        missing = {path for path in named if not (self.root / path).exists()}
        if missing - brought.keys():
            # Somebody removed files of this copy. What brought them is further back.
            for number in range(1, len(names) - len(new) + 1):
                entry, _ = self._read(number)
                brought |= {path: found for path, found in entry.files.items() if path in missing}
        # Of a night that was killed there may be a file of that name with other content.
        wanted = {
            path: found
            for path, found in brought.items()
            if path in missing or _digest(self.root / path) != found[1]
        }
        self.storage.get([(stored, self.root / path) for path, (stored, _) in sorted(wanted.items())])
        for path, (stored, digest) in sorted(wanted.items()):
            if _digest(self.root / path) != digest:
                (self.root / path).unlink()
                raise SharedLakeError(
                    f"{self.url}/{stored} is damaged: restore it from a backup of that storage"
                )

    def commit(self, name: str, document: Document, files: Sequence[str]) -> None:
        """Make a commit exist for all machines: its files first, then the entry.

        Raises SharedLakeError where another machine committed since the last `pull`.
        """
        seen = self._seen()
        brought = {}
        for path in files:
            digest = _digest(self.root / path)
            brought[path] = (_object_name(path, digest), digest)
        self.storage.put([(self.root / path, stored) for path, (stored, _) in brought.items()])
        # As it will be read: what JSON does not know is text from here on.
        entry = Entry(name, json.loads(json.dumps(document, default=str)), brought)
        content = entry.as_bytes()
        try:
            self.storage.create(_entry_name(len(seen) + 1), content)
        except TakenError as error:
            raise SharedLakeError(
                f"another machine committed to {self.url} meanwhile; nothing of this was committed. Run it again: it will see what "
                "the other one landed"
            ) from error
        self._remember([*seen, (name, hashlib.sha256(content).hexdigest())])

    def sweep(self, lake: Lake) -> int:
        """Remove objects that stand for nothing any more; returns their number.

        What stands is asked of the log: this machine's copy may be behind it, and another one's batches are not to be lost. What no
        commit ever named may be another machine's night at work: it is left alone for two days.
        """
        entries = [self._read(number)[0] for number in self._numbers()]
        named = lake.files_standing({entry.name: entry.document for entry in entries})
        known = {stored for entry in entries for stored, _ in entry.files.values()}
        stands = {stored for entry in entries for path, (stored, _) in entry.files.items() if path in named}
        before = datetime.now(UTC) - _LEFT_ALONE
        stale = [
            item.name
            for item in self.storage.list()
            if not item.name.startswith("log/")
            and item.name not in stands
            and (item.name in known or item.modified_at < before)
        ]
        self.storage.remove(stale)
        return len(stale)

    def commits(self) -> int:
        """How many commits there are at the URL."""
        return len(self._numbers())

    def _numbers(self) -> list[int]:
        found: list[Object] = self.storage.list("log")
        numbers = sorted(int(match[1]) for item in found if (match := _ENTRY.fullmatch(item.name)))
        if numbers != list(range(1, len(numbers) + 1)):
            lost = next(number for number in range(1, numbers[-1]) if number not in set(numbers))
            raise SharedLakeError(
                f"{self.url}: commit {lost} is missing; restore {_entry_name(lost)} from a backup of that storage"
            )
        return numbers

    def _read(self, number: int) -> tuple[Entry, str]:
        content = self.storage.read(_entry_name(number))
        try:
            return Entry.from_bytes(content), hashlib.sha256(content).hexdigest()
        except (ValueError, KeyError, TypeError) as error:
            raise SharedLakeError(f"{self.url}/{_entry_name(number)} is damaged ({error})") from error

    def _document(self, name: str) -> Document:
        found: Document = json.loads((self.root / name).read_text(encoding="utf-8"))
        return found

    def _seen(self) -> list[tuple[str, str]]:
        """Name and hash of each commit that this machine's copy has, up to the first whose document is not here: a machine may die between
        the shared commit and its own.
        """
        try:
            state = json.loads(self._state_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        if state["lake_url"] != self.url:
            return []
        commits = [(str(name), str(digest)) for name, digest in state["commits"]]
        return list(takewhile(lambda commit: (self.root / commit[0]).exists(), commits))

    def _remember(self, seen: Sequence[tuple[str, str]]) -> None:
        durable.write_json(self._state_path, {"lake_url": self.url, "commits": seen})

    def _see_that_names_are_taken_once(self) -> None:
        """Raise where the storage lets a second writer replace the first one's object: commits would be lost."""
        for is_second in (False, True):
            try:
                self.storage.create(_PROBE, uuid.uuid4().hex.encode())
            except TakenError:
                continue
            if is_second:
                raise ObjectStorageError(
                    f"{self.url}: this storage does not refuse to replace an object that was to be created (If-None-Match): "
                    "two machines would lose each other's commits"
                )


def _entry_name(number: int) -> str:
    return f"log/{number:08d}.json"


def _object_name(path: str, digest: str) -> str:
    """The name of a file's object: its own, with the first digits of its hash before the ending."""
    stem, dot, ending = path.rpartition(".")
    return f"{stem}-{digest[:_DIGITS]}{dot}{ending}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
