"""Object storage behind URLs that fsspec knows: what the shared lake and the landing mirror need of it, and no more.

Credentials come from where each provider's own tools look for them (environment, profile, instance role), never from our settings.
What does not belong here: what the objects mean.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: Protocols whose creation of an object fails where there is one already, in one request. Others are refused: two machines would
#: overwrite each other's commits.
_CREATES = frozenset({"file", "local", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
_AT_ONCE = 64
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
"""Where providers tell when an object was written, the surest first."""


class ObjectStorageError(RuntimeError):
    """The storage cannot be used; the message says what to do."""


class TakenError(Exception):
    """An object of this name is there already, with other content."""


@dataclass(frozen=True)
class Object:
    """One object below the URL. `mark` differs whenever the object was written anew."""

    name: str
    size_bytes: int
    modified_at: datetime
    mark: str


class ObjectStorage:
    """The objects below one URL, by their name below it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        protocol = url.partition("://")[0] if "://" in url else "file"
        self._is_folder = protocol in ("file", "local")
        if protocol not in _CREATES:
            raise ObjectStorageError(f"{url}: {protocol} is none of {', '.join(sorted(_CREATES))}")
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - only who uses object storage pays the import

            # Listings are asked for anew each time: another machine may have written.
            options: Mapping[str, Any] = {} if self._is_folder else {"use_listings_cache": False}
            self._fs: AbstractFileSystem
            self._fs, root = url_to_fs(self.url, **options)
            self._root = root.rstrip("/")
            self._bucket = "" if self._is_folder else self._root.partition("/")[0]
        except ImportError as error:
            package = _PACKAGES.get(protocol, "its fsspec driver")
            raise ObjectStorageError(f"{url}: {protocol} needs {package}: pip install {package}") from error

    def path(self, name: str) -> str:
        """The whole name of an object, as its provider knows it."""
        return f"{self._root}/{name}"

    def list(self, prefix: str = "") -> list[Object]:
        """All objects whose name begins with this folder, in order of their names."""
        folder = f"{self._root}/{prefix}".rstrip("/")
        with self._telling():
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(folder, detail=True)
            except FileNotFoundError:
                found = {}
            # An empty folder and one in a bucket that does not exist look the same.
            if not found and self._bucket and not self._fs.exists(self._bucket):
                raise FileNotFoundError(f"there is no '{self._bucket}'")
        return [
            Object(path.removeprefix(self._root + "/"), int(info["size"]), _modified(info), _mark(info))
            for path, info in sorted(found.items())
            if info["type"] == "file" and path.startswith(self._root + "/")
        ]

    def read(self, name: str) -> bytes:
        """The content of an object."""
        with self._telling():
            content: bytes = self._fs.cat_file(self.path(name))
        return content

    def create(self, name: str, content: bytes) -> None:
        """Write an object that is not there yet, in one step. Raises TakenError where there is one with other content.

        One with this content is ours: a request is sent again where its answer got lost.
        """
        with self._telling():
            try:
                if self._is_folder:
                    _create_file(Path(self.path(name)), content)
                else:
                    self._fs.pipe_file(self.path(name), content, mode="create")
            except Exception as error:
                # Drivers tell a taken name in different errors: what is there decides.
                try:
                    present = self._fs.cat_file(self.path(name))
                except FileNotFoundError:
                    raise error from None
                if present != content:
                    raise TakenError(self.path(name)) from error

    def put(self, files: Sequence[tuple[Path, str]]) -> None:
        """Write files as objects of these names, some at once, and see that they arrived whole."""
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            remote = [self.path(name) for _, name in some]
            with self._telling():
                if self._is_folder:
                    for folder in sorted({Path(path).parent for path in remote}):
                        durable.make_folder(folder)
                self._fs.put([str(path) for path, _ in some], remote)
                arrived = self._fs.sizes(remote)
            for (path, name), size in zip(some, arrived, strict=True):
                if size != path.stat().st_size:
                    raise ObjectStorageError(
                        f"{self.url}/{name}: {size} of {path.stat().st_size} bytes arrived; try again"
                    )

    def get(self, objects: Sequence[tuple[str, Path]]) -> None:
        """Fetch objects into files, some at once. Each file is complete or not there."""
        for at in range(0, len(objects), _AT_ONCE):
            some = objects[at : at + _AT_ONCE]
            fetched = [path.with_name(path.name + ".fetching") for _, path in some]
            for path in fetched:
                durable.make_folder(path.parent)
            try:
                with self._telling():
                    self._fs.get([self.path(name) for name, _ in some], [str(path) for path in fetched])
                for path, (_, target) in zip(fetched, some, strict=True):
                    durable.replace_file(path, target)
            finally:
                for path in fetched:
                    path.unlink(missing_ok=True)

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects; those that are gone already do not matter."""
        for name in names:
            with self._telling(), suppress(FileNotFoundError):
                self._fs.rm_file(self.path(name))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Within the block, whatever the provider's driver raises becomes an error that names the URL.

        Drivers let through the errors of what they stand on (botocore, aiohttp, azure-core), which have no class in common.
        """
        try:
            yield
        except (ObjectStorageError, TakenError):
            raise
        except Exception as error:
            cause = " ".join(str(error).split())[:200] or type(error).__name__
            raise ObjectStorageError(f"{self.url} cannot be used: {cause}") from error


def _modified(info: Mapping[str, Any]) -> datetime:
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.fromtimestamp(0, UTC)


def _mark(info: Mapping[str, Any]) -> str:
    """What a provider says that changes with an object: its own mark of the content, or size, time and inode."""
    for name in ("ETag", "etag", "md5Hash"):
        if info.get(name):
            return str(info[name])
    return repr([info.get(name) for name in ("size", *_TIMES, "ino")])


def _create_file(path: Path, content: bytes) -> None:
    """A file that was not there before, complete from the first moment: its name is a second link to what was written aside."""
    durable.make_folder(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    aside.write_bytes(content)
    try:
        durable.sync_file(aside)
        os.link(aside, path)
        durable.sync_folder(path.parent)
    finally:
        aside.unlink()
