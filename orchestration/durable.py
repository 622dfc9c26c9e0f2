"""Writing files so that a crash or power loss leaves the old state or the new one, never half of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def sync_file(path: Path) -> None:
    """Force a file's content to the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's entries (creations, renames) to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(source: Path, target: Path) -> None:
    """Move a finished file over another: content first, then the name, then the folder."""
    sync_file(source)
    source.replace(target)
    sync_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that they are there after a power loss: each new one's name is in its parent's entries."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document atomically, keys sorted."""
    text = json.dumps(document, indent=1, sort_keys=True, default=str) + "\n"
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    make_folder(path.parent)
    temporary = path.with_name(path.name + ".writing")
    temporary.write_bytes(content)
    replace_file(temporary, path)
