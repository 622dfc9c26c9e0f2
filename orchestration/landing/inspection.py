"""What files are and how they would land, without loading anything: they are landed in a scratch folder that is removed again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import sql
from orchestration.landing import formats
from orchestration.landing.contract import ENTITIES, NATIVE, Entity
from orchestration.landing.files import discover, valid_text
from orchestration.landing.ingest import ingest
from orchestration.landing.lake import COUNTS, Lake
from orchestration.landing.quarantine import read_quarantine

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

_SHOWN = (
    "run_id", "span_id", "parent_span_id", "workspace_id", "run_type", "name", "kind", "status", "started_at", "service", "provider",
    "model", "response_id", "call_marker", "scope", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "image_tokens", "provider_cost_usd", "task_credits", "user_id", "token_convention", "quality_flags",
)  # fmt: skip


def inspect(
    settings: Settings, paths: Sequence[Path], *, rows: int = 5, problems: int = 50
) -> list[dict[str, Any]]:
    """For each file: its format, books, conventions, flags, its first rows as they would land, and its first problems.

    The settings apply as they would at night, but for what lies in the lake: nothing is known there. Raises LookupError for a path that is
    no file.
    """
    for path in paths:
        if not path.is_file():
            raise LookupError(f"{path} is no file")
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    found = []
    for path in paths:
        with tempfile.TemporaryDirectory(prefix="inspect-", dir=settings.temp_dir) as folder:
            scratch = settings.alone(Path(folder))
            scratch.landing_dir.mkdir(parents=True)
            target = scratch.landing_dir / path.name
            try:
                os.link(path.resolve(), target)
            except OSError:  # another filesystem
                shutil.copyfile(path, target)
            found.append({"path": valid_text(path), **_inspected(scratch, rows, problems)})
    return found


def _inspected(settings: Settings, rows: int, problems: int) -> dict[str, Any]:
    report = ingest(settings)
    if report.manifest is None:
        _, _, skipped = discover(
            settings.landing_dir, settle_seconds=0.0, known=set(), cache_path=settings.lake_dir / "seen.json"
        )
        return {"source_format": None, "status": "not read", "reason": skipped[0].reason if skipped else None}
    entry = report.manifest.files[0]
    title = next(
        (item.title for item in formats.FORMATS if item.name == entry.source_format), "Landing contract"
    )
    document: dict[str, Any] = {
        "source_format": entry.source_format,
        "title": title if entry.source_format != NATIVE else "Landing contract",
        "format": entry.format,
        "status": entry.status,
        "reason": entry.reason,
        **{name: getattr(entry, name) for name in COUNTS},
        "entities": {},
        "problems": [],
    }
    lake = Lake.of(settings)
    with sql.connect(settings) as connection:
        for entity in ENTITIES:
            files = [
                lake.root / name
                for part in report.manifest.parts
                if part.entity == entity.name
                for name in part.files
            ]
            if files:
                document["entities"][entity.name] = _of_entity(connection, entity, files, rows)
    quarantined = read_quarantine(settings, limit=problems)
    document["problems"] = [
        {name: row[name] for name in ("line_number", "field", "reason", "message")}
        for row in quarantined["rows"]
    ]
    return document


def _of_entity(
    connection: duckdb.DuckDBPyConnection, entity: Entity, files: Sequence[Path], rows: int
) -> dict[str, Any]:
    parts = f"read_parquet({sql.string_list(files)}, hive_partitioning = true)"
    columns = [item[0] for item in connection.execute(f"describe select * from {parts}").fetchall()]
    shown = [name for name in _SHOWN if name in columns]
    listed = ", ".join(f"{sql.identifier(name)}::varchar" for name in shown)
    first = connection.execute(
        f"select {listed} from {parts} order by {sql.identifier(entity.start)}, {listed} limit {int(rows)}"
    ).fetchall()

    def counted(expression: str) -> dict[str, int]:
        query = f"select {expression} as word, count(*) from {parts} group by word having word is not null order by all"
        return {str(word): int(count) for word, count in connection.execute(query).fetchall()}

    document: dict[str, Any] = {
        "first_rows": [
            {name: value for name, value in zip(shown, row, strict=True) if value is not None}
            for row in first
        ],
        "quality_flags": counted("unnest(string_split(quality_flags, ','))"),
    }
    if "token_convention" in columns:
        document["token_conventions"] = counted("token_convention")
        document["scopes"] = counted("scope")
        document["call_markers"] = counted("call_marker")
    return document
