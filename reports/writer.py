"""Files of the site: written only when their bytes change, removed when they no longer belong, never touched
when they are not ours.

What belongs here: paths, bytes, the site manifest, workspace folder names, escaping of data for scripts. What
does not: content.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST = "site-manifest.json"
"""Lists every file we wrote, and the fingerprint of each day's chunks, so that the next build can leave them
alone.
"""
_MANIFEST_VERSION = 1
_SLUG_LENGTH = 48
_ESCAPES = (
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)
_ID_CHARACTERS = re.compile(r"[^a-z0-9-]+")
_HASHED = re.compile(r"(^|-)[0-9a-f]{8}$")
_RESERVED = frozenset({"assets", "index", "con", "nul", "prn", "aux"})


def script_safe(json_text: str) -> str:
    """JSON that can stand inside a script element: the escaped characters only occur in its strings."""
    for character, escape in _ESCAPES:  # many times faster than str.translate on megabytes
        json_text = json_text.replace(character, escape)
    return json_text


def to_json(value: object) -> str:
    """Compact JSON with sorted keys, safe inside a script element."""
    return script_safe(
        json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    )


def chunk(name: str, key: str, json_text: str) -> bytes:
    """A chunk script: one call that hands plain data to the page."""
    return f"CU.chunk({to_json(name)},{to_json(key)},{script_safe(json_text)});\n".encode()


def slug(workspace_id: str) -> str:
    """A folder name for a workspace: its id where that is plain, else its plain part and a hash."""
    plain = _ID_CHARACTERS.sub("-", workspace_id.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    looks_hashed = (
        _HASHED.search(plain) is not None
    )  # so that no plain id can take the folder of a hashed one
    if plain == workspace_id and plain and plain not in _RESERVED and not looks_hashed:
        return plain
    suffix = hashlib.sha256(workspace_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{suffix}" if plain else suffix


class SiteWriter:
    """Writes one build of the site and remembers what belongs to it."""

    def __init__(self, site_dir: Path, version: str) -> None:
        self.site_dir = site_dir
        self.version = version
        self.written = 0
        self.unchanged = 0
        self.removed = 0
        self.fingerprints: dict[str, dict[str, str]] = {}
        self._files: set[str] = set()
        self._made: set[Path] = set()
        self._old_files, self._old_fingerprints = self._read_manifest()

    def _read_manifest(self) -> tuple[set[str], Mapping[str, Mapping[str, Any]]]:
        path = self.site_dir / MANIFEST
        if not path.is_file():
            return set(), {}
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            files = {str(name) for name in held["files"]}
            known = (
                held["fingerprints"]
                if held["version"] == self.version and held["format"] == _MANIFEST_VERSION
                else {}
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RuntimeError(
                f"{path} is damaged ({error}); delete it to render the whole site again"
            ) from error
        return files, known

    def _target(self, name: str) -> Path:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts:
            raise ValueError(f"not a path inside the site: {name!r}")
        return self.site_dir.joinpath(*pure.parts)

    def write(self, name: str, content: bytes) -> None:
        """Write one file, unless it already holds exactly these bytes."""
        target = self._target(name)
        self._files.add(name)
        if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
            self.unchanged += 1
            return
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            os.replace(temporary, target)  # noqa: PTH105  (the atomic swap is the point)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self.written += 1

    def keep_if_same(
        self, group: str, key: str, fingerprint: str, names: Iterable[str], *, force: bool = False
    ) -> bool:
        """True, and the files kept as they are, when the last build made them from data with the same
        fingerprint.
        """
        names = list(names)
        self.fingerprints.setdefault(group, {})[key] = fingerprint
        if force or self._old_fingerprints.get(group, {}).get(key) != fingerprint:
            return False
        if not all(name in self._old_files and self._target(name).is_file() for name in names):
            return False
        self._files.update(names)
        self.unchanged += len(names)
        return True

    def finish(self) -> None:
        """Remove what an earlier build wrote and this one did not, then write the manifest."""
        folders = set()
        for name in sorted(self._old_files - self._files):
            target = self._target(name)
            if target.is_file() and not target.is_symlink():
                target.unlink()
                self.removed += 1
            folders.add(target.parent)
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            current = folder
            while current != self.site_dir and current.is_dir() and not any(current.iterdir()):
                current.rmdir()
                current = current.parent
        self._save(self._files, self.fingerprints)

    def abandon(self) -> None:
        """After a failure: remember every file of both builds, so that the next one can still clean up."""
        if self.site_dir.is_dir():
            self._save(self._files | self._old_files, {})

    def _save(self, files: set[str], fingerprints: Mapping[str, Mapping[str, str]]) -> None:
        held = {
            "files": sorted(files),
            "fingerprints": fingerprints,
            "format": _MANIFEST_VERSION,
            "version": self.version,
        }
        text = json.dumps(held, ensure_ascii=False, indent=0, sort_keys=True) + "\n"
        target = self.site_dir / MANIFEST
        temporary = target.with_suffix(".writing")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)  # noqa: PTH105
