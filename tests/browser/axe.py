"""axe-core, the checker of accessibility: its npm package, fetched when a test first needs it and kept in a cache.

What belongs here: getting the script, once and unchanged. What does not: which findings count.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""Of axe.min.js in that version: whatever else comes is not run."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "credit-usage-tests"


class AxeMissingError(RuntimeError):
    """The script cannot be had here; the message says why."""


@cache
def source() -> str:
    """The script's text."""
    held = CACHE / f"axe-core-{VERSION}.js"
    if not held.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _fetch(Path(folder)).replace(held)
    content = held.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        held.unlink()
        raise AxeMissingError(f"axe-core {VERSION} is not the file that it was: its hash differs")
    return content.decode("utf-8")


def _fetch(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise AxeMissingError("there is no npm to fetch axe-core with")
    command = [
        npm,
        "pack",
        f"axe-core@{VERSION}",
        "--silent",
        "--ignore-scripts",
        "--pack-destination",
        str(folder),
    ]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise AxeMissingError(f"npm cannot fetch axe-core {VERSION}: {error}") from error
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as archive:
        content = archive.extractfile("package/axe.min.js")
        if content is None:
            raise AxeMissingError(f"axe-core {VERSION} holds no axe.min.js")
        target = folder / "axe.min.js"
        target.write_bytes(content.read())
    return target
