"""The lock that keeps two runs apart. The kernel holds it, so it is free again however its owner died."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_held: dict[Path, TextIO] = {}
"""Locks of this process by file. flock belongs to an open file, so a second open of ours would block on the first."""


class LockHeldError(RuntimeError):
    """Another run holds the lock; the message says which."""


@contextmanager
def run_lock(data_dir: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the data folder's lock for the block. Raises LockHeldError as `ensure_lock` does."""
    mine = ensure_lock(data_dir, wait_seconds=wait_seconds)
    try:
        yield
    finally:
        if mine:
            _held.pop(_path(data_dir)).close()


def ensure_lock(data_dir: Path, *, wait_seconds: float = 0.0, run_id: str | None = None) -> bool:
    """Take the lock until the process ends, unless this process has it already. Returns whether it was taken now.

    Raises LockHeldError when another process has it and `wait_seconds` have passed. A process that works for the run `run_id` waits as
    long as another of the same run has it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = _path(data_dir)
    if path in _held:
        return False
    mark = f" of run {run_id}" if run_id else ""
    deadline = time.monotonic() + wait_seconds
    stream = path.open("a+", encoding="utf-8")
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                stream.close()
                raise
            stream.seek(0)
            owner = stream.read().strip() or "unknown"
            if time.monotonic() >= deadline and not (mark and owner.endswith(mark)):
                stream.close()
                raise LockHeldError(
                    f"another run holds {path} ({owner}): wait for it to end, or use --wait"
                ) from error
            time.sleep(0.2)
    stream.truncate(0)
    stream.write(f"process {os.getpid()}{mark}")
    stream.flush()
    _held[path] = stream
    return True


def _path(data_dir: Path) -> Path:
    return data_dir.resolve() / ".lock"
