"""The lock that keeps two runs apart. The kernel holds it, so it is free again however its owner died."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockHeldError(RuntimeError):
    """Another run holds the lock; the message says which."""


@contextmanager
def run_lock(data_dir: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the data folder's lock. Raises LockHeldError when another run has it and `wait_seconds` have passed."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / ".lock"
    deadline = time.monotonic() + wait_seconds
    with path.open("a+", encoding="utf-8") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if time.monotonic() >= deadline:
                    stream.seek(0)
                    owner = stream.read().strip() or "unknown"
                    message = f"another run holds {path} ({owner}); wait for it, or use --wait"
                    raise LockHeldError(message) from error
                time.sleep(0.2)
        stream.truncate(0)
        stream.write(json.dumps({"process_id": os.getpid()}))
        stream.flush()
        yield
