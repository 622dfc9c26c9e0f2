"""A landing folder on object storage: what is new there is fetched into this machine's copy, which is then landed like any folder.

The copy follows the storage: what is gone there goes here. Identity stays the content's hash, so fetching an object twice lands it once.
What does not belong here: which files are exports and whether they are known, which `files` decides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.landing.files import Skipped, no_export_by_name

if TYPE_CHECKING:
    from orchestration.object_storage import Object
    from orchestration.settings import Settings

_INDEX = "fetched.json"
"""Which object each file of the copy is; beside `seen.json` in the lake folder, and a cache like it."""
_LONGEST_PART_BYTES = 255


def fetch(settings: Settings) -> list[Skipped]:
    """Bring the copy up to date; returns the objects that were not fetched, with the reason. Nothing to do without a `landing_url`.

    Raises ObjectStorageError where the storage cannot be used.
    """
    if not settings.landing_url:
        return []
    from orchestration.object_storage import ObjectStorage  # noqa: PLC0415 - few have their exports there

    storage = ObjectStorage(settings.landing_url)
    copy = settings.landing_dir
    index_path = settings.lake_dir / _INDEX
    index = _read_index(index_path)
    found: dict[str, Object] = {}
    skipped: list[Skipped] = []
    listed = storage.list()
    folders = {parent.as_posix() for item in listed for parent in PurePosixPath(item.name).parents}
    for item in listed:
        if reason := _unfit(item.name, folders):
            skipped.append(Skipped(item.name, reason, deferred=False))
        else:
            found[item.name] = item
    new = [
        item for name, item in found.items() if index.get(name) != _entry(item) or not (copy / name).exists()
    ]
    for name in sorted(index.keys() - found.keys()):
        _remove(copy, name)
    for item in new:
        # What the name stood for may have been a folder.
        _remove(copy, item.name)
    storage.get([(item.name, copy / item.name) for item in new])
    for item in new:
        # Of files that disagree the one written later wins, on whichever machine.
        moment = int(item.modified_at.timestamp() * 1e9)
        os.utime(copy / item.name, ns=(moment, moment))
    fresh = {name: _entry(item) for name, item in found.items()}
    if fresh != index:
        durable.write_json(index_path, fresh)
    return skipped


def listing(settings: Settings) -> list[tuple[str, int, str]]:
    """Name, size and what changes with the content of everything that lies where exports are dropped, in order of the names."""
    if settings.landing_url:
        from orchestration.object_storage import ObjectStorage  # noqa: PLC0415 - few have their exports there

        return [
            (item.name, item.size_bytes, item.mark) for item in ObjectStorage(settings.landing_url).list()
        ]
    return sorted(
        (path.relative_to(settings.landing_dir).as_posix(), stat.st_size, str(stat.st_mtime_ns))
        for path in settings.landing_dir.rglob("*")
        if path.is_file()
        for stat in [path.stat()]
    )


def _unfit(name: str, folders: set[str]) -> str:
    """Why an object cannot be a file of the copy, or need not be; empty where it can."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        return "the name is no path below a folder"
    if any(len(part.encode()) > _LONGEST_PART_BYTES - len(".fetching") for part in parts):
        return "the name is too long for a file"
    if any(part.startswith(".") for part in parts):
        return "named as an unfinished file"
    if name in folders:
        return "there are objects below it, as if it were a folder"
    return no_export_by_name(name)


def _entry(item: Object) -> list[Any]:
    return [item.size_bytes, item.modified_at.isoformat(), item.mark]


def _remove(copy: Path, name: str) -> None:
    (copy / name).unlink(missing_ok=True)
    for parent in PurePosixPath(name).parents:
        folder = copy / parent
        if folder == copy or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def _read_index(path: Path) -> Mapping[str, Any]:
    """What was fetched. It is a cache: absent or damaged means that all is fetched again."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
