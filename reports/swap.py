"""Puts a folder in the place of another at once, so that a reader finds the whole old one or the whole new one.

What belongs here: the exchange of two names, where the system has it, and what stands in for it where not.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_LINUX_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_MAC_SWAP = 2  # RENAME_SWAP of renamex_np(2)


def into_place(new: Path, current: Path) -> None:
    """Give `new` the name `current`, and remove what had it. Both are names in one folder."""
    if not current.exists():
        new.rename(current)
        return
    if not _exchange(new, current):
        # Without an exchange there is a moment without a site, between two renames.
        old = new.with_name(f"{new.name}-old")
        current.rename(old)
        new.rename(current)
        new = old
    shutil.rmtree(new, ignore_errors=True)  # what is left of it the next build removes


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system has no such step."""
    library = ctypes.CDLL(ctypes.util.find_library("c") or None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        call = getattr(library, "renamex_np", None)
        arguments: tuple[object, ...] = (*paths, _MAC_SWAP)
    else:
        call = getattr(library, "renameat2", None)
        arguments = (_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _LINUX_EXCHANGE)
    return call is not None and call(*arguments) == 0
