"""Which landing files there are, what they are and whether they may be read now.

Identity is the SHA-256 of a file's bytes, so a renamed or re-sent file is recognised. A file is left for the
next night while it is still being written, which is told by (in this order): a name that writers use for
unfinished files (`.tmp`, `.part`, …, a leading dot); a process that has it open for writing (Linux: the
kernel refuses a read lease); a change of size or time within `settle_seconds` of watching, for files modified
that recently. What does not belong here: reading rows.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from concurrent.futures import Future

Format = Literal["jsonl", "csv", "parquet"]
Compression = Literal["none", "gzip", "zstd"]

UNFINISHED_SUFFIXES = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".crdownload",
    ".filepart",
    ".swp",
    ".inprogress",
)
FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_READ_BYTES = 1 << 20
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Fingerprint:
    """What `stat` says of a file; equal fingerprints mean that nobody touched it in between.

    `changed_ns` is the kernel's own time: a writer who sets the modification time back cannot set this one.
    """

    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """The current fingerprint; raises OSError where the file is gone."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


@dataclass(frozen=True)
class LandingFile:
    """One candidate file. `path` is absolute; `name` is its path below the landing folder, valid text."""

    path: Path
    name: str
    format: Format
    compression: Compression
    fingerprint: Fingerprint
    sha256: str


@dataclass(frozen=True)
class Skipped:
    """A file that is not read tonight. `deferred`: it will be looked at again; else it is no export."""

    name: str
    reason: str
    deferred: bool


_Candidate = tuple[Path, str, Format, Compression, Fingerprint]


def discover(
    landing_dir: Path, *, settle_seconds: float, known: set[str], cache_path: Path, remember: bool = True
) -> tuple[list[LandingFile], list[str], list[Skipped]]:
    """Files to read, names of files whose content is already known, and files left alone with the reason.

    New files come in the order in which later ones win ties: by modification time, then by name. `known`
    holds the SHA-256 of every file of every committed batch. `cache_path` remembers hashes by fingerprint, so
    that a night costs what is new and not what is there; it may be deleted at any time. Who only looks does not `remember`.
    """
    new: dict[str, LandingFile] = {}
    already: list[str] = []
    cache = _read_cache(cache_path)
    fresh_cache: dict[str, list[object]] = {}
    candidates, skipped = _candidates(landing_dir)
    unseen = [c for c in candidates if c[1] not in cache or cache[c[1]][:-1] != _key(c[4])]
    moving = _still_moving(unseen, settle_seconds)
    digests = _digests([c[0] for c in unseen if c[1] not in moving])
    for path, name, file_format, compression, fingerprint in sorted(
        candidates, key=lambda c: (c[4].modified_ns, c[1])
    ):
        if name in moving:
            skipped.append(Skipped(name, moving[name], deferred=True))
            continue
        try:
            digest = digests[path].result() if path in digests else str(cache[name][-1])
            if Fingerprint.of(path) != fingerprint:
                raise FileNotFoundError
        except FileNotFoundError:
            skipped.append(Skipped(name, "changed while it was read", deferred=True))
            continue
        except PermissionError:
            skipped.append(Skipped(name, "may not be read: check its permissions", deferred=True))
            continue
        fresh_cache[name] = [*_key(fingerprint), digest]
        if digest in known or digest in new:
            already.append(name)
        else:
            new[digest] = LandingFile(path, name, file_format, compression, fingerprint, digest)
    if remember and fresh_cache != cache:
        _write_cache(cache_path, fresh_cache)
    return list(new.values()), already, skipped


def _candidates(landing_dir: Path) -> tuple[list[_Candidate], list[Skipped]]:
    """Files that are exports by name and lie within the folder; everything else with the reason."""
    candidates: list[_Candidate] = []
    found, skipped = _walk(landing_dir)
    root = landing_dir.resolve()
    for path, name in found:
        try:
            if not path.resolve(strict=True).is_relative_to(root):
                skipped.append(Skipped(name, "points outside the landing folder", deferred=False))
                continue
            # Asked before anything is opened: opening a pipe would wait for its writer forever.
            if not stat.S_ISREG(path.stat().st_mode):
                skipped.append(Skipped(name, "not a regular file", deferred=False))
                continue
            kind = _kind(path)
            if isinstance(kind, Skipped):
                skipped.append(Skipped(name, kind.reason, kind.deferred))
                continue
            candidates.append((path, name, *kind, Fingerprint.of(path)))
        except FileNotFoundError:
            skipped.append(Skipped(name, "vanished while the folder was read", deferred=True))
        except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
            reason = error.strerror if isinstance(error, OSError) else "the link leads to itself"
            skipped.append(Skipped(name, f"cannot be reached: {reason}", deferred=True))
    return candidates, skipped


def _walk(root: Path) -> tuple[list[tuple[Path, str]], list[Skipped]]:
    found: list[Path] = []
    skipped: list[Skipped] = []

    def cannot_list(error: OSError) -> None:
        name = _name(Path(error.filename), root)
        skipped.append(Skipped(name, f"this folder cannot be listed: {error.strerror}", deferred=True))

    for folder, subfolders, files in os.walk(root, followlinks=False, onerror=cannot_list):
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        links = [s for s in subfolders if (Path(folder) / s).is_symlink()]
        skipped += [
            Skipped(_name(Path(folder) / link, root), "a link to a folder is not followed", deferred=False)
            for link in links
        ]
        found += [Path(folder) / file for file in files]
    return sorted(((path, _name(path, root)) for path in found), key=lambda item: item[1]), skipped


def valid_text(path: PurePath) -> str:
    """A path as text. Bytes that are no UTF-8 are spelled out: no database takes them, nor does JSON."""
    return os.fsencode(path.as_posix()).decode("utf-8", errors="backslashreplace")


def _name(path: Path, root: Path) -> str:
    """A path below the landing folder as text."""
    return valid_text(path.relative_to(root))


def no_export_by_name(name: str) -> str:
    """Why a file of this name is no export, empty where it may be one."""
    if _endings(name.lower())[0] in FORMATS:
        return ""
    return f"not an export: the name ends in none of {', '.join(FORMATS)} (.gz, .zst)"


def _endings(name: str) -> tuple[str, Compression]:
    """The ending that tells the format, and the compression that the one after it tells."""
    suffixes = PurePath(name).suffixes[-2:]
    last = suffixes[-1] if suffixes else ""
    if last not in COMPRESSIONS:
        return last, "none"
    return (suffixes[-2] if len(suffixes) > 1 else ""), COMPRESSIONS[last]


def _kind(path: Path) -> tuple[Format, Compression] | Skipped:
    """Format and compression by name, corrected by the first bytes (a gzip named .jsonl is still a gzip)."""
    name = path.name.lower()
    if name.startswith(".") or name.endswith(UNFINISHED_SUFFIXES):
        return Skipped(name, "named as an unfinished file", deferred=True)
    last, compression = _endings(name)
    if reason := no_export_by_name(name):
        return Skipped(name, reason, deferred=False)
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError:
        return FORMATS[last], compression
    if magic == b"PAR1":
        return "parquet", "none"
    if magic[:2] == b"\x1f\x8b":
        compression = "gzip"
    elif magic == b"\x28\xb5\x2f\xfd":
        compression = "zstd"
    elif magic and compression != "none":
        compression = "none"
    return FORMATS[last], compression


def _still_moving(candidates: list[_Candidate], settle_seconds: float) -> dict[str, str]:
    """Names of files that are being written, with the reason.

    Waits at most `settle_seconds`, and only if a file is that fresh.
    """
    moving = {
        name: "open for writing in another program" for path, name, *_ in candidates if _has_writer(path)
    }
    now_ns = time.time_ns()
    fresh = [c for c in candidates if abs(now_ns - c[4].modified_ns) < settle_seconds * 1e9]
    if fresh:
        youngest = max(c[4].modified_ns for c in fresh)
        time.sleep(min(settle_seconds, max(0.0, settle_seconds - (now_ns - youngest) / 1e9)))
        for path, name, _, _, fingerprint in fresh:
            try:
                if Fingerprint.of(path) != fingerprint:
                    moving[name] = "still being written"
            except FileNotFoundError:
                moving[name] = "vanished while it was watched"
    return moving


def _has_writer(path: Path) -> bool:
    """Whether a process has the file open for writing: Linux grants a read lease only where none has."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows

        set_lease, unlock, read_lock = fcntl.F_SETLEASE, fcntl.F_UNLCK, fcntl.F_RDLCK
    except (ImportError, AttributeError):  # no leases on this system: watching for changes has to do
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, set_lease, read_lock)
        fcntl.fcntl(descriptor, set_lease, unlock)
    except OSError as error:
        return error.errno == errno.EAGAIN  # EACCES: not our file, the kernel does not tell
    finally:
        os.close(descriptor)
    return False


_HASHED_AT_ONCE = 4
"""Files that are read for their hashes at the same time; more would have a disk seek."""


def _digests(paths: Sequence[Path]) -> dict[Path, Future[str]]:
    """The SHA-256 of each file, or why it has none: some at a time, for hashing holds no lock."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a night without news hashes nothing

    with ThreadPoolExecutor(min(_HASHED_AT_ONCE, os.cpu_count() or 1)) as pool:
        return {path: pool.submit(_sha256, path) for path in paths}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _key(fingerprint: Fingerprint) -> list[object]:
    return [fingerprint.size_bytes, fingerprint.modified_ns, fingerprint.inode, fingerprint.changed_ns]


def _read_cache(path: Path) -> dict[str, list[object]]:
    """The remembered hashes. It is a cache: absent or damaged means that the files are hashed again."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        name: entry
        for name, entry in document.items()
        if isinstance(entry, list)
        and [type(value) for value in entry] == [int, int, int, int, str]
        and len(str(entry[-1])) == _SHA256_DIGITS
    }


def _write_cache(path: Path, cache: dict[str, list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".writing")
    temporary.write_text(json.dumps(cache, sort_keys=True), encoding="utf-8")
    temporary.replace(path)
