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
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reports import swap

MANIFEST = "site-manifest.json"
"""Lists every file we wrote, and the fingerprint of each day's chunks, so that the next build can leave them
alone.
"""
_MANIFEST_VERSION = 2
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


def chunk_data(text: str) -> Any:
    """What a chunk script hands to the page."""
    decoder = json.JSONDecoder()
    at = len("CU.chunk(")
    for _ in range(2):  # its name and its key
        _, at = decoder.raw_decode(text, at)
        at += 1
    return decoder.raw_decode(text, at)[0]


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


def _source_of(source: str, names: Iterable[str]) -> str:
    """The identity of a published file together with the list of what was made of it."""
    return hashlib.sha256("\n".join([source, *sorted(names)]).encode()).hexdigest()


def _next_dir(site_dir: Path) -> Path:
    """Where the next site is made, beside the one that readers see."""
    return site_dir.with_name(f".{site_dir.name}-next")


def has_leftovers(site_dir: Path) -> bool:
    """Whether a build that was killed left something beside the site."""
    return bool(swap.leftovers(_next_dir(site_dir.resolve())))


class SiteWriter:
    """One build of the site: made beside the one that readers see, in its place at once when it is whole.

    Files that stay as they are become links to the same bytes, so only what changed is written, and a build that
    fails or is killed leaves the site as it was.
    """

    def __init__(self, site_dir: Path, version: str) -> None:
        self.site_dir = site_dir = site_dir.resolve()  # a link to a folder elsewhere stays one
        self.version = version
        self.written = 0
        self.unchanged = 0
        self.removed = 0
        self.fingerprints: dict[str, dict[str, tuple[str, list[str], Any]]] = {}
        self.source = ""
        """Identity of the published file, to be set when the build is whole."""
        self._old_source: str | None = None
        self._files: set[str] = set()
        self._made: set[Path] = set()
        self._new_dir = _next_dir(site_dir)
        swap.make_good(self._new_dir, site_dir)
        self._old_files, self._old_fingerprints = self._read_manifest()
        for name in self._old_files:
            self._target(name)  # a manifest that leads outside stops the build before anything is done
        self._new_dir.mkdir(parents=True)

    def _read_manifest(self) -> tuple[set[str], Mapping[str, Mapping[str, Any]]]:
        path = self.site_dir / MANIFEST
        if not path.is_file():
            return set(), {}
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            files = {str(name) for name in held["files"]}
            is_ours = held["version"] == self.version and held["format"] == _MANIFEST_VERSION
            known = held["fingerprints"] if is_ours else {}
            self._old_source = held["source"] if is_ours else None
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

    def _place(self, name: str) -> Path:
        """Where a file of the new site goes; its folder exists."""
        place = self._new_dir / self._target(name).relative_to(self.site_dir)
        if place.parent not in self._made:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(place.parent)
        return place

    def _keep(self, name: str) -> None:
        """The file as it is, under the same name in the new site."""
        place = self._place(name)
        place.unlink(missing_ok=True)
        try:
            os.link(self._target(name), place)
        except OSError:  # a file system without links
            shutil.copy2(self._target(name), place)

    def write(self, name: str, content: bytes) -> None:
        """Write one file, unless it already holds exactly these bytes."""
        target = self._target(name)
        self._files.add(name)
        if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
            self._keep(name)
            self.unchanged += 1
            return
        place = self._place(name)
        place.unlink(missing_ok=True)  # never through a link into the old site
        place.write_bytes(content)
        place.chmod(0o644)
        self.written += 1

    def kept(self, group: str, key: str, fingerprint: str, *, force: bool = False) -> Any:
        """What was noted of files that the last build made from data with the same fingerprint, and the files kept as they are;
        None where there are none.
        """
        print_, names, note = self._old_fingerprints.get(group, {}).get(key, (None, [], None))
        if force or print_ != fingerprint:
            return None
        if not all(name in self._old_files and self._target(name).is_file() for name in names):
            return None
        for name in names:
            self._keep(name)
        self._files.update(names)
        self.unchanged += len(names)
        self.made(group, key, fingerprint, names, note)
        return note

    def made(self, group: str, key: str, fingerprint: str, names: Iterable[str], note: Any) -> None:
        """Remember of which data some files were made. `note` is JSON, not None, that a build needs to know of them."""
        self.fingerprints.setdefault(group, {})[key] = (fingerprint, sorted(names), note)

    def read(self, name: str) -> str:
        """The text of a file of the new site."""
        return self._place(name).read_text(encoding="utf-8")

    def keep_all(self) -> int:
        """Leave the site as it is; the number of its files."""
        shutil.rmtree(self._new_dir)
        return len(self._old_files)

    @property
    def page_count(self) -> int:
        """HTML pages of the site as it is."""
        return sum(name.endswith(".html") for name in self._old_files)

    def is_same(self, source: str) -> bool:
        """Whether the site is whole and was made of exactly this source, by this version."""
        return self._old_source == _source_of(source, self._old_files) and all(
            self._target(name).is_file() for name in self._old_files
        )

    def finish(self) -> None:
        """Take over what is not ours, and put the new site in the old one's place."""
        self.removed = sum(self._target(name).is_file() for name in self._old_files - self._files)
        self._save()
        if not self.written and not self.removed and self._is_manifest_same():
            shutil.rmtree(self._new_dir)
            return
        for path in sorted(self.site_dir.rglob("*")) if self.site_dir.is_dir() else ():
            name = path.relative_to(self.site_dir).as_posix()
            if name == MANIFEST or name in self._old_files or name in self._files:
                continue
            if path.is_symlink() or path.is_file():
                place = self._place(name)
                if path.is_symlink():
                    place.symlink_to(path.readlink())
                else:
                    self._keep(name)
        swap.into_place(self._new_dir, self.site_dir)

    def abandon(self) -> None:
        """After a failure: the site stays as it was."""
        shutil.rmtree(self._new_dir, ignore_errors=True)

    def _is_manifest_same(self) -> bool:
        old, new = self.site_dir / MANIFEST, self._new_dir / MANIFEST
        return old.is_file() and old.read_bytes() == new.read_bytes()

    def _save(self) -> None:
        held = {
            "files": sorted(self._files),
            "fingerprints": self.fingerprints,
            "format": _MANIFEST_VERSION,
            "source": _source_of(self.source, self._files),
            "version": self.version,
        }
        text = json.dumps(held, ensure_ascii=False, indent=0, sort_keys=True) + "\n"
        (self._new_dir / MANIFEST).write_text(text, encoding="utf-8")
