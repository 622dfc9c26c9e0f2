"""A landing folder and a lake for tests: write files, land them, look at what came of it.

`Night.land` checks the books of every batch (domain.md §8.1) against the lake itself, so each test that lands
anything checks them too.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import zstandard

from orchestration.landing import conform
from orchestration.landing.contract import ENTITIES, RUNS, SPANS, Entity
from orchestration.landing.ingest import IngestReport, ingest
from orchestration.landing.lake import Lake, Manifest
from orchestration.settings import Settings
from orchestration.sql import literal, string_list

Row = dict[str, Any]
QUARANTINE_COLUMNS = [
    "batch_seq",
    "file_no",
    "path",
    "line_number",
    "entity",
    "field",
    "reason",
    "message",
    "workspace_id",
    "raw",
]


def run(run_id: str = "r1", /, **fields: Any) -> Row:
    """A whole run; a field given as `...` is left out."""
    row: Row = {
        "run_id": run_id,
        "workspace_id": "w1",
        "run_type": "agent",
        "status": "completed",
        "started_at": "2026-05-01T10:00:00Z",
    }
    return {name: value for name, value in (row | fields).items() if value is not ...}


def span(span_id: str = "s1", /, **fields: Any) -> Row:
    """A whole span; a field given as `...` is left out."""
    row: Row = {
        "span_id": span_id,
        "run_id": "r1",
        "workspace_id": "w1",
        "name": "call",
        "kind": "completion",
        "started_at": "2026-05-01T10:00:00Z",
    }
    return {name: value for name, value in (row | fields).items() if value is not ...}


def jsonl(*rows: Row | str) -> bytes:
    """JSON Lines; a text is a line as it stands."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


def csv_bytes(*rows: Row, delimiter: str = ",", newline: str = "\n", bom: bool = False) -> bytes:
    """CSV with the columns of all rows, in their order; nested values as JSON."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (dict, list, bool)) else str(value)


def parquet_bytes(query: str, folder: Path) -> bytes:
    """A Parquet file with the result of a query."""
    path = folder / "made.parquet.tmp"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    data = path.read_bytes()
    path.unlink()
    return data


def text_parquet(rows: Iterable[Row], folder: Path) -> bytes:
    """A Parquet file of text columns."""
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path = folder / "made.parquet.tmp"
    with duckdb.connect() as connection:
        declared = ", ".join('"' + name.replace('"', '""') + '" varchar' for name in columns)
        connection.execute(f"create table made ({declared})")
        marks = ", ".join("?" for _ in columns)
        values = [[_cell(row.get(name)) or None for name in columns] for row in rows]
        connection.executemany(f"insert into made values ({marks})", values)
        connection.execute(f"copy made to '{path}' (format parquet)")
    data = path.read_bytes()
    path.unlink()
    return data


def compressed(data: bytes, compression: str) -> bytes:
    """The bytes as `.gz` or `.zst`, or as they are."""
    if compression == "gz":
        return gzip.compress(data, mtime=0)
    return zstandard.ZstdCompressor(write_checksum=True).compress(data) if compression == "zst" else data


class Night:
    """One data folder. Files get rising modification times, so that the one written later is later."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder, **({"settle_seconds": 0.0, "threads": 2} | settings))
        self.landing = self.settings.landing_dir
        self.landing.mkdir(parents=True, exist_ok=True)
        self.lake = Lake(self.settings.lake_dir)
        self._clock = 1_780_000_000

    def write(self, name: str, content: bytes | str | Iterable[Row | str]) -> Path:
        """Drop a file: bytes, text, or rows as JSON Lines."""
        if isinstance(content, str):
            content = content.encode()
        data = content if isinstance(content, bytes) else jsonl(*content)
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._clock += 1
        os.utime(path, (self._clock, self._clock))
        return path

    def land(self, *rows: Row | str, name: str = "a.jsonl") -> IngestReport:
        """Land whatever is new, after dropping the given rows; the books of each batch are checked."""
        if rows:
            self.write(name, rows)
        report = ingest(self.settings)
        if report.manifest:
            self.check_books(report.manifest)
        return report

    def query(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, in UTC."""
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()

    def check_books(self, manifest: Manifest) -> None:
        """What the manifest says is what the lake holds, and every row read is accounted for (§8.1)."""
        loaded: Counter[int] = Counter()
        for part in manifest.parts:
            names = string_list(self.lake.root / name for name in part.files)
            counted: Counter[int] = Counter()
            for file_no, rows in self.query(
                f"select file_no, count(*) from read_parquet({names}) group by file_no"
            ):
                counted[file_no] += rows
            assert counted.total() == part.row_count, f"{part}: its files hold {counted.total()} rows"
            loaded += counted
        quarantined = Counter(row["file_no"] for row in self.quarantine(manifest.batch_seq))
        for entry in manifest.files:
            accounted = (
                entry.rows_loaded + entry.rows_duplicate + entry.rows_superseded + entry.rows_quarantined
            )
            assert entry.rows_read == accounted, f"{entry.path}: the books do not balance"
            assert entry.rows_loaded == loaded[entry.file_no], f"{entry.path}: the lake holds other rows"
            assert entry.rows_quarantined == quarantined[entry.file_no], f"{entry.path}: quarantine differs"
            assert (entry.status == "unreadable") == bool(entry.reason), (
                f"{entry.path}: a status without reason"
            )
            if entry.status == "unreadable":
                assert entry.rows_read == 0, f"{entry.path}: rows of an unreadable file"
                assert str(self.lake.root) not in str(entry.reason), f"an internal path: {entry.reason}"

    def quarantine(self, batch_seq: int = 1) -> list[Row]:
        """Quarantined rows of a batch."""
        path = self.lake.quarantine_path(batch_seq)
        if not path.exists():
            return []
        listed, source = ", ".join(QUARANTINE_COLUMNS), literal(path)
        rows = self.query(f"select {listed} from read_parquet({source}) order by file_no, line_number")
        return [dict(zip(QUARANTINE_COLUMNS, row, strict=True)) for row in rows]

    def rows(self, entity: Entity = SPANS) -> list[Row]:
        """All rows of the lake as they are, with their batch."""
        parts = [
            self.lake.root / name
            for manifest in self.lake.manifests()
            for part in manifest.parts
            if part.entity == entity.name
            for name in part.files
        ]
        if not parts:
            return []
        names = [*conform.lake_columns(entity), "batch_seq"]
        listed = ", ".join(f'"{name}"' for name in names)
        files = string_list(parts)
        rows = self.query(f"""
            select {listed} from read_parquet({files}, hive_partitioning = true)
            order by {", ".join(f'"{name}"' for name in entity.key)}, batch_seq, file_no
        """)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def one(self, entity: Entity = SPANS) -> Row:
        """The only row of the lake."""
        (row,) = self.rows(entity)
        return row

    def winners(self) -> dict[tuple[str, ...], Row]:
        """For each key the row that counts, without its lineage: what everything downstream sees."""
        best: dict[tuple[str, ...], Row] = {}
        for entity in ENTITIES:
            for row in self.rows(entity):
                key = (entity.name, *(row[name] for name in entity.key))
                rank = (row["version_at"], row["batch_seq"], row["file_no"])
                old = best.get(key)
                if old is None or rank > (old["version_at"], old["batch_seq"], old["file_no"]):
                    best[key] = row
        return {
            key: {name: value for name, value in row.items() if name not in ("file_no", "batch_seq")}
            for key, row in best.items()
        }


def counts(report: IngestReport) -> Mapping[str, int]:
    """The batch's totals by short name."""
    assert report.manifest, "no batch was made"
    names = ("read", "loaded", "duplicate", "superseded", "quarantined")
    return {name: report.manifest.total("rows_" + name) for name in names}


__all__ = [
    "RUNS",
    "SPANS",
    "Night",
    "Row",
    "compressed",
    "counts",
    "csv_bytes",
    "jsonl",
    "parquet_bytes",
    "run",
    "span",
    "text_parquet",
]
