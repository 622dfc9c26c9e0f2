"""Records what is forced to the disk and what is renamed, in order: what a power loss would leave can be read from it.

What belongs here: the record and the one rule. The kernel is not asked: a test that pulls the plug needs a machine of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock


@dataclass
class DiskCalls:
    """Calls in order: ("sync", inode, "") and ("rename", inode of the file, its new path)."""

    calls: list[tuple[str, int, str]] = field(default_factory=list)

    def faults(self, *folders: Path) -> list[str]:
        """Renames to a place below these folders whose content was not forced to the disk before, or whose folder not after."""
        found = []
        for number, (kind, inode, target) in enumerate(self.calls):
            if kind != "rename" or not any(Path(target).is_relative_to(folder) for folder in folders):
                continue
            before = {synced for call, synced, _ in self.calls[:number] if call == "sync"}
            after = {synced for call, synced, _ in self.calls[number:] if call == "sync"}
            if inode not in before:
                found.append(f"{target}: renamed before its content was on the disk")
            if Path(target).parent.stat().st_ino not in after:
                found.append(f"{target}: its name was never forced to the disk")
        return found

    def late(self, commit: str, paths: Iterable[Path]) -> list[str]:
        """Files and folders that were not forced to the disk before the file `commit`, which speaks of them, got its name."""
        (at,) = (
            n
            for n, (kind, _, target) in enumerate(self.calls)
            if kind == "rename" and Path(target).name == commit
        )
        before = {inode for kind, inode, _ in self.calls[:at] if kind == "sync"}
        return sorted(str(path) for path in paths if path.stat().st_ino not in before)

    def targets(self) -> set[str]:
        """Names of the files that were renamed into place."""
        return {Path(target).name for kind, _, target in self.calls if kind == "rename"}


@contextmanager
def recorded() -> Iterator[DiskCalls]:
    """Record the calls of this process; they are carried out as well."""
    made = DiskCalls()
    fsync, replace = os.fsync, os.replace

    def record_sync(descriptor: int) -> None:
        fsync(descriptor)
        made.calls.append(("sync", os.fstat(descriptor).st_ino, ""))

    def record_replace(source: Any, target: Any, **options: Any) -> None:
        inode = Path(source).stat().st_ino
        replace(source, target, **options)
        made.calls.append(("rename", inode, os.fspath(target)))

    with mock.patch.object(os, "fsync", record_sync), mock.patch.object(os, "replace", record_replace):
        yield made
