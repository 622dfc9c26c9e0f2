"""Copies of warehouse files, one of them made ahead of its time.

What belongs here: how a file is copied, how it is recognised later, and the copy of the published file that is made while a night lands
its files. What it is for is the candidate's (`candidate`).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import durable

if TYPE_CHECKING:
    from orchestration.settings import Settings

logger = logging.getLogger(__name__)

# Linux: ask the filesystem to share blocks instead of copying them (btrfs, xfs).
_FICLONE = 0x40049409


def state_of(path: Path) -> list[int]:
    """What changes with a file's content: size, time of the content, time of the entry (which nobody can set), inode."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def copy_file(source: Path, target: Path) -> None:
    """Copy by sharing blocks where the filesystem can, else by the kernel's copy."""
    with source.open("rb") as read, target.open("wb") as write:
        try:
            import fcntl  # noqa: PLC0415

            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
        except (ImportError, OSError):
            size = os.fstat(read.fileno()).st_size
            offset = 0
            try:
                while offset < size:
                    copied = os.copy_file_range(read.fileno(), write.fileno(), size - offset)
                    if copied == 0:
                        break
                    offset += copied
            except (AttributeError, OSError):
                read.seek(offset)
                write.seek(offset)
                shutil.copyfileobj(read, write, 1 << 22)


def _ahead(settings: Settings) -> tuple[Path, Path]:
    """The copy, and the note of what it is a copy of."""
    return settings.warehouse_dir / "ahead.duckdb", settings.warehouse_dir / "ahead.json"


@contextmanager
def made_ahead(settings: Settings, also: Callable[[], object]) -> Iterator[None]:
    """Copy the published file while the block runs, and have the copy on the disk when it ends: on 60 days of history these are 1.3 s of
    waiting for the kernel, while landing waits for DuckDB. Then do whatever else the build needs (`also`).

    Nothing depends on it: `take_ahead` says whether there is a copy.
    """
    from threading import Thread  # noqa: PLC0415

    def work() -> None:
        _make_ahead(settings)
        also()

    worker = Thread(target=work, name="ahead of the build")
    worker.start()
    try:
        yield
    except BaseException:
        worker.join()
        discard_ahead(settings)
        raise
    worker.join()


def _make_ahead(settings: Settings) -> None:
    copy, note = _ahead(settings)
    discard_ahead(settings)
    try:
        durable.make_folder(copy.parent)
        before = state_of(settings.published_path)
        copy_file(settings.published_path, copy)
        durable.sync_file(copy)
        if state_of(settings.published_path) == before:
            durable.write_json(note, before)
    except OSError as error:
        # A full disk, say. The candidate is copied when its time comes, and meets the same error where it is reported.
        logger.info("no copy of the published file could be made ahead: %s", error)
        discard_ahead(settings)


def take_ahead(settings: Settings, target: Path) -> bool:
    """Move the copy made ahead to `target`; False where there is none of the published file as it lies there now."""
    copy, note = _ahead(settings)
    try:
        if json.loads(note.read_text(encoding="utf-8")) != state_of(settings.published_path):
            return False
        note.unlink()
        copy.replace(target)
    except (FileNotFoundError, ValueError):
        return False
    return True


def discard_ahead(settings: Settings) -> None:
    """Remove the copy made ahead, if there is one."""
    for path in reversed(_ahead(settings)):
        path.unlink(missing_ok=True)
