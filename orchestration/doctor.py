"""`credit-usage doctor`: whether a night can run here, and what to do where not. Looks only; repairs nothing.

What belongs here: the environment, the settings' folders, the lake and the published file as files. What does not: the data in them,
which `credit-usage check` judges.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestration.landing import erasure, mirror, privacy
from orchestration.landing.contract import CONTRACT_VERSION
from orchestration.landing.lake import Lake, LakeError
from orchestration.night import now
from orchestration.publication import candidate
from orchestration.settings import REPOSITORY

if TYPE_CHECKING:
    from orchestration.settings import Settings

Status = Literal["ok", "warn", "fail"]

OLDEST_PYTHON, FIRST_PYTHON_TOO_NEW = (3, 11), (3, 14)
PINNED = (
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "dagster",
    "dagster-dbt",
    "great-expectations",
    "jinja2",
    "genai-prices",
)
SPARE_BYTES = 1 << 30
"""Free space asked for beside copies of the published file: a first night of a million spans spills less."""
COPIES = 2
"""A night needs the candidate, and spills about as much when it builds everything anew."""
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `advice` is what to do, empty where all is well."""

    name: str
    status: Status
    message: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Everything that is looked at, in order. A look that fails is a finding itself."""
    found: list[Finding] = []
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _environment,
        _folders,
        _disk,
        _lock,
        _lake,
        _object_storage,
        _users,
        _published,
        _clock,
        _leftovers,
    )
    for look in looks:
        name = look.__name__.strip("_")
        try:
            found += look(settings)
        except (OSError, RuntimeError, ValueError) as error:
            found.append(Finding(name, "fail", f"cannot be looked at: {error}", "see the message"))
    return found


def _environment(_: Settings) -> Iterator[Finding]:
    told = ".".join(map(str, sys.version_info[:3]))
    if OLDEST_PYTHON <= sys.version_info[:2] < FIRST_PYTHON_TOO_NEW:
        yield Finding("python", "ok", told)
    else:
        yield Finding("python", "fail", told, "use Python 3.11, 3.12 or 3.13")
    lock = REPOSITORY / "requirements.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))
    wrong = []
    for name in PINNED:
        try:
            installed = version(name)
        except PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if name in locked and installed != locked[name]:
            wrong.append(f"{name} is {installed}, locked {locked[name]}")
    if wrong:
        yield Finding("packages", "warn", "; ".join(wrong), "install from requirements.lock: `make install`")
    else:
        yield Finding("packages", "ok", f"{len(PINNED)} as in requirements.lock")


def _folders(settings: Settings) -> Iterator[Finding]:
    data = settings.data_dir
    if not data.exists():
        parent = next(path for path in data.absolute().parents if path.exists())
        if os.access(parent, os.W_OK):
            yield Finding("data folder", "ok", f"{data} is made by the first night")
        else:
            advice = f"make it, or allow this user to write to {parent}"
            yield Finding("data folder", "fail", f"{data} does not exist", advice)
        return
    written = [
        settings.lake_dir, settings.warehouse_dir, settings.published_dir, settings.dagster_dir, settings.temp_dir,
        settings.site_dir.parent,
    ]  # fmt: skip
    folders = dict.fromkeys([data, *(path for path in written if path.exists())])
    if closed := [str(path) for path in folders if not os.access(path, os.W_OK | os.X_OK)]:
        yield Finding(
            "permissions",
            "fail",
            f"not writable: {', '.join(closed)}",
            "give them to the user who runs the night",
        )
    else:
        yield Finding("permissions", "ok", f"{len(folders)} folders are writable")
    if settings.landing_dir.exists() and not os.access(settings.landing_dir, os.R_OK | os.X_OK):
        yield Finding(
            "landing folder", "fail", f"{settings.landing_dir} may not be read", "allow this user to read it"
        )
    devices = {
        path.stat().st_dev for path in (settings.warehouse_dir, settings.published_dir) if path.exists()
    }
    if len(devices) > 1:
        yield Finding(
            "filesystem", "fail", "warehouse/ and published/ are on different filesystems: no rename is atomic",
            "put the whole data folder on one filesystem",
        )  # fmt: skip


def _disk(settings: Settings) -> Iterator[Finding]:
    place = next(
        path
        for path in (settings.data_dir.absolute(), *settings.data_dir.absolute().parents)
        if path.exists()
    )
    free = shutil.disk_usage(place).free
    size = settings.published_path.stat().st_size if settings.published_path.exists() else 0
    needed = COPIES * size + SPARE_BYTES
    told = f"{free / GIGABYTE:,.1f} GB free, {needed / GIGABYTE:,.1f} GB wanted for a night"
    if free >= needed:
        yield Finding("disk", "ok", told)
    else:
        advice = "make room: old landing files, `keep_publications`, dagster/"
        yield Finding("disk", "warn" if free > size else "fail", told, advice)


def _lock(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / ".lock"
    if not path.exists():
        yield Finding("lock", "ok", "free")
        return
    with path.open("r", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Finding(
                "lock",
                "warn",
                f"held by {stream.read().strip() or 'another run'}",
                "a run is at work: wait for it",
            )
        else:
            yield Finding("lock", "ok", "free")


def _lake(settings: Settings) -> Iterator[Finding]:
    lake = Lake.of(settings)
    try:
        manifests = lake.manifests()
        retracted = lake.retracted()
    except LakeError as error:
        yield Finding("lake", "fail", str(error), "restore lake/ from a backup")
        return
    if newer := [str(m.batch_seq) for m in manifests if m.contract_version > CONTRACT_VERSION]:
        advice = "update: an older version would misread them"
        yield Finding("lake", "fail", f"batches {', '.join(newer)} were written by a newer version", advice)
        return
    parts = [settings.lake_dir / name for m in manifests for part in m.parts for name in part.files]
    if missing := [path for path in parts if not path.exists()]:
        advice = (
            "run `credit-usage nightly`: it fetches them" if lake.shared else "restore lake/ from a backup"
        )
        told = f"{len(missing)} parts are missing, for example {missing[0]}"
        yield Finding("lake", "warn" if lake.shared else "fail", told, advice)
        return
    old = sum(m.contract_version < CONTRACT_VERSION for m in manifests)
    told = f"{len(manifests)} batches, {len(parts)} parts"
    told += f", {old} of an older contract version (read as such)" if old else ""
    yield Finding("lake", "ok", told + (f", {len(retracted)} files retracted" if retracted else ""))


def _object_storage(settings: Settings) -> Iterator[Finding]:
    """Whether the folders on object storage can be reached, if there are any."""
    try:
        if settings.landing_url:
            yield Finding(
                "landing_url", "ok", f"{len(mirror.listing(settings)):,} objects in {settings.landing_url}"
            )
        lake = Lake.of(settings)
        if lake.shared is not None:
            yield Finding("lake_url", "ok", f"{lake.shared.commits():,} commits in {settings.lake_url}")
    except RuntimeError as error:
        yield Finding(
            "object storage",
            "fail",
            str(error),
            "check the URL, the credentials of its provider, and the network",
        )


def _users(settings: Settings) -> Iterator[Finding]:
    """Whether users are the same from night to night, and those who were forgotten are gone."""
    lake = Lake.of(settings)
    manifests = lake.manifests()
    told = "ids are hashed" if settings.user_id_salt else "ids are as given"
    if manifests and manifests[-1].user_id_salt_mark != privacy.mark_of_salt(settings.user_id_salt):
        before = "hashed with another salt" if manifests[-1].user_id_salt_mark else "kept as given"
        advice = (
            "set `user_id_salt` as it was, or land everything anew: the same user counts as two otherwise"
        )
        yield Finding("users", "warn", f"{told}; those of the last batch were {before}", advice)
    elif privacy.forgotten(lake).digests and any(erasure.stale_files(lake)):
        yield Finding(
            "users",
            "fail",
            "files of the lake may still name users who are forgotten",
            "run `credit-usage nightly`",
        )
    else:
        yield Finding("users", "ok", told)


def _published(settings: Settings) -> Iterator[Finding]:
    try:
        manifest = candidate.read_manifest(settings)
    except candidate.DamagedFileError as error:
        yield Finding(
            "published file", "fail", str(error), "run `credit-usage nightly`: it is rebuilt from the lake"
        )
        return
    if manifest is None:
        yield Finding("published file", "warn", "nothing is published", "run `credit-usage nightly`")
        return
    told = f"{manifest['publication_id']} of {manifest['published_at']}"
    if candidate.is_changed_by_hand(settings, thorough=True):
        advice = "run `credit-usage nightly`: it is rebuilt from the lake"
        yield Finding("published file", "fail", f"{told} is not the file that was published", advice)
    elif manifest["fingerprint"] != candidate.fingerprint(settings):
        advice = "nothing to do: the next night builds everything anew"
        yield Finding("published file", "warn", f"{told} was built by other models or settings", advice)
    else:
        since = manifest.get("detail_from_date")
        yield Finding("published file", "ok", f"{told}, runs and calls from {since} on" if since else told)


def _clock(settings: Settings) -> Iterator[Finding]:
    if pinned := os.environ.get("CREDIT_USAGE_NOW"):
        yield Finding("clock", "warn", f"pinned to {pinned} by CREDIT_USAGE_NOW", "unset it: it is for tests")
        return
    known = [datetime.fromisoformat(manifest.loaded_at) for manifest in Lake.of(settings).manifests()]
    beside = candidate.read_manifest_beside(settings)
    known += [datetime.fromisoformat(beside["published_at"])] if beside else []
    latest = max(known, default=None)
    told = f"{now():%Y-%m-%d %H:%M} UTC"
    if latest is not None and latest > now():
        advice = "set the clock; numbers are right, but ages and freshness are not"
        yield Finding(
            "clock", "warn", f"{told} lies before the last night, {latest:%Y-%m-%d %H:%M} UTC", advice
        )
    else:
        yield Finding("clock", "ok", told)


def _leftovers(settings: Settings) -> Iterator[Finding]:
    """What a kill or a failed check left. None of it is in the way of a night."""
    kept = {
        "failed.duckdb": "the candidate that failed its checks: look into it, then delete it",
        "damaged.duckdb": "a published file that could not be read: delete it when you know why",
    }
    told = False
    for name, advice in kept.items():
        path = settings.warehouse_dir / name
        if path.exists():
            told = True
            yield Finding(
                "leftovers",
                "warn",
                f"{_shown(path, settings)}, {path.stat().st_size / GIGABYTE:,.2f} GB",
                advice,
            )
    passing = [
        candidate.scratch_path(settings, "check").parent,
        candidate.scratch_path(settings, "preview").parent,
        settings.warehouse_dir / "rollback.duckdb",
        settings.lake_dir / "building",
    ]
    if names := [_shown(path, settings) for path in passing if path.exists()]:
        told = True
        yield Finding(
            "leftovers",
            "warn",
            ", ".join(names),
            "left by a run that was killed: overwritten by the next, or delete them",
        )
    if not told:
        yield Finding("leftovers", "ok", "none")


def _shown(path: Path, settings: Settings) -> str:
    return path.relative_to(settings.data_dir).as_posix()
