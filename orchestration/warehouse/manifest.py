"""dbt's manifest for those who only read it (Dagster's definitions, tests): parsed again exactly when a project file changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.publication.candidate import DBT_PROJECT
from orchestration.warehouse import dbt

if TYPE_CHECKING:
    from orchestration.settings import Settings

_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md"}


def ensure_manifest(settings: Settings) -> Path:
    """Path of an up-to-date `manifest.json`; runs `dbt parse` (about 5 s) where there is none."""
    path = settings.dbt_target_dir / "manifest.json"
    stamp = settings.dbt_target_dir / "manifest.stamp.json"
    current = _fingerprint()
    if path.exists() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8"))["files"] == current:
        return path
    dbt.invoke(settings, ["parse"])
    durable.write_json(stamp, {"files": current})
    return path


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The parsed manifest document."""
    document: dict[str, Any] = json.loads(ensure_manifest(settings).read_text(encoding="utf-8"))
    return document


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(
        p for p in DBT_PROJECT.rglob("*") if p.suffix in _SUFFIXES and "target" not in p.parts
    ):
        digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
