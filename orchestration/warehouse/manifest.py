"""dbt's manifest: what it makes of the project's files, parsed again exactly when one of them changed.

What belongs here: when the project is parsed and where the result is kept. A parse takes 4 s of processor time, reading what an
earlier one left 0.4 s, a copy in this process 0.2 s; dbt itself would parse anew for each path of a database.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.publication.candidate import DBT_PROJECT
from orchestration.warehouse import runner

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest

    from orchestration.settings import Settings

_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md"}

_documents: dict[str, dict[str, Any]] = {}
_parsed: dict[str, bytes] = {}
"""By fingerprint, for the life of this process."""


class ParseError(RuntimeError):
    """dbt cannot make sense of the project; the message is dbt's."""


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The document `manifest.json`, for those who only read it (Dagster's definitions, tests). Not to be changed."""
    fingerprint = _fingerprint()
    if fingerprint not in _documents:
        path = _ensure(settings, fingerprint) / "manifest.json"
        _documents[fingerprint] = json.loads(path.read_text(encoding="utf-8"))
    return _documents[fingerprint]


def parsed(settings: Settings) -> Manifest:
    """The parsed project for one call of dbt, which writes into it: a copy of its own for each."""
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415
    from dbt.parser.manifest import extended_mashumuro_decoder  # noqa: PLC0415

    fingerprint = _fingerprint()
    if fingerprint not in _parsed:
        content = (_ensure(settings, fingerprint) / "partial_parse.msgpack").read_bytes()
        read = Manifest.from_msgpack(content, decoder=extended_mashumuro_decoder)
        # dbt forgets these when it writes the file.
        read.build_flat_graph()
        _parsed[fingerprint] = pickle.dumps(read)
    made: Manifest = pickle.loads(_parsed[fingerprint])  # noqa: S301 - made above, in this process
    return made


def _ensure(settings: Settings, fingerprint: str) -> Path:
    """The folder that holds what dbt makes of the project as it is now; runs `dbt parse` where there is none."""
    target = settings.dbt_target_dir
    stamp = target / "manifest.stamp.json"
    made = [target / "manifest.json", target / "partial_parse.msgpack"]
    if (
        stamp.exists()
        and json.loads(stamp.read_text(encoding="utf-8")).get("files") == fingerprint
        and all(path.exists() for path in made)
    ):
        return target
    stamp.unlink(missing_ok=True)
    outcome = runner.run(settings, ["parse"], database=settings.candidate_path)
    if outcome.exception is not None:
        raise ParseError(str(outcome.exception)) from outcome.exception
    durable.write_json(stamp, {"files": fingerprint})
    return target


def _fingerprint() -> str:
    digest = hashlib.sha256(version("dbt-core").encode() + b"\0" + version("dbt-duckdb").encode())
    for path in sorted(
        p for p in DBT_PROJECT.rglob("*") if p.suffix in _SUFFIXES and "target" not in p.parts
    ):
        digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
