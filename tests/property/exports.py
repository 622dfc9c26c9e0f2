"""Small exports of every format that is landed, as records and as files: what the fuzzing starts from.

What belongs here: which forms there are and how records become a file of one. Records come from the generators and recordings that
other tests use as well.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import langfuse_export, otlp_export
from orchestration.sample import generate
from tests.landing_helpers import Row, compressed, csv_bytes, run, span, text_parquet
from tests.property.mutations import dumps
from tests.unit.test_format_langfuse import observation, trace
from tests.unit.test_format_litellm import log

RECORDINGS = Path(__file__).parents[1] / "recordings"


@dataclass(frozen=True)
class Form:
    """One kind of landing file. Lines of a text form are records, of a table its rows."""

    name: str
    suffix: str
    records: Callable[[], list[Row]]

    @property
    def is_table(self) -> bool:
        """CSV and Parquet: every row has the same columns."""
        return self.suffix.startswith(("csv", "parquet"))

    def encode(self, lines: Iterable[str]) -> bytes:
        """Lines of JSON as a file of this form; not for tables."""
        if self.suffix == "json":
            text = ("[" + ",\n".join(lines) + "]").encode("utf-8", "surrogatepass")
        else:
            text = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
        return self.compress(text)

    def compress(self, text: bytes) -> bytes:
        """The bytes in the compression of this form."""
        return compressed(text, self.suffix.partition(".")[2])

    def table(self, rows: list[Row]) -> bytes:
        """Rows as a file of this form; for tables."""
        if self.suffix.startswith("csv"):
            return self.compress(csv_bytes(*rows))
        with tempfile.TemporaryDirectory() as folder:
            return text_parquet(rows, Path(folder))


def _lines(path: Path) -> list[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream if line.strip()]


@cache
def native() -> list[Row]:
    """Runs and spans of the contract: of the sample, and in every shape of usage."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), start=date(2026, 3, 1), days=1, runs_per_day=15, workspaces=2)
        rows = [row for path in sorted(Path(folder).rglob("*.jsonl")) for row in _lines(path)]
    bodies: list[Row] = [
        {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}},
        {"usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 3}},
        {"usage": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}},
        {"input_tokens": {"total_tokens": 9, "cached_tokens": 2}, "output_tokens": {"total_tokens": 3}},
        {"prompt_tokens": 9, "completion_tokens": 3, "provider_cost_usd": "0.0000130000000000001"},
    ]
    return [
        *rows,
        *(span(f"b{number}", **body) for number, body in enumerate(bodies)),
        run("r1", user_metadata={"plan": "pro", "seats": 3, "beta": True, "none": None}, odd={"q": [1]}),
    ]


def native_spans() -> list[Row]:
    """Rows of one entity, as a table holds them."""
    return [row for row in native() if "span_id" in row][:80]


def native_runs() -> list[Row]:
    """The same of runs."""
    return [row for row in native() if "span_id" not in row]


@cache
def otlp() -> list[Row]:
    """Requests as a Collector writes them: of the generator, and the shorter recordings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.jsonl"
        otlp_export.write(path, 60, per_line=6)
        requests = _lines(path)
    for recording in sorted(RECORDINGS.glob("*.otlp.jsonl*")):
        requests += [line for line in _lines(recording) if len(json.dumps(line)) < 6000][:2]
    return requests


@cache
def langfuse() -> list[Row]:
    """Observations and traces."""
    return [
        *langfuse_export.observations(60),
        observation("odd", usageDetails={"input": 3, "cache_read_input_tokens": 9}),
        trace(),
        trace(observations=[observation("inner")]),
    ]


@cache
def langfuse_table() -> list[Row]:
    """Observations as the rows of a table have them."""
    return [dict(row) for row in langfuse_export.observations(60)]


@cache
def litellm() -> list[Row]:
    """Spend logs."""
    usage: dict[str, Any] = {
        "prompt_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    return [
        log(
            f"chatcmpl-{number:026d}",
            metadata={"user_api_key_alias": "prod", "usage_object": usage if number % 2 else {}},
            spend=number / 7000,
            session_id=f"s{number % 5}",
            status="failure" if number % 11 == 0 else "success",
        )
        for number in range(40)
    ]


FORMS = (
    Form("native", "jsonl", native),
    Form("native", "jsonl.gz", native),
    Form("native", "jsonl.zst", native),
    Form("native spans", "csv", native_spans),
    Form("native runs", "csv.gz", native_runs),
    Form("native spans", "parquet", native_spans),
    Form("otlp", "jsonl", otlp),
    Form("otlp", "jsonl.gz", otlp),
    Form("langfuse", "jsonl", langfuse),
    Form("langfuse", "json", langfuse),
    Form("langfuse", "csv", langfuse_table),
    Form("langfuse", "parquet", langfuse_table),
    Form("litellm", "jsonl", litellm),
    Form("litellm", "json", litellm),
    Form("litellm", "csv", litellm),
    Form("litellm", "parquet", litellm),
)


_KEYS = frozenset({"span_id", "spanId", "id", "request_id"})


def with_new_keys(record: Row, dice: random.Random) -> Row:
    """A record whose spans, or whose run, are nobody else's: of two versions of one row only one would go on into the lake."""

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = _KEYS if "run_type" not in value else {"run_id"}
        return {
            key: f"{dice.getrandbits(64):016x}" if key in keys and isinstance(item, str) else renamed(item)
            for key, item in value.items()
        }

    return dict(renamed(record))


def plain_lines(records: Iterable[Row]) -> list[str]:
    """Records as lines, nothing changed."""
    return [dumps(record) for record in records]


def columns_of(rows: Iterable[Row]) -> list[str]:
    """The columns of a table of these rows."""
    return list(dict.fromkeys(name for row in rows for name in row))


TYPES = (
    "blob", "bigint", "hugeint", "uhugeint", "double", "real", "boolean", "date", "time", "timestamp", "timestamptz", "timestamp_ns",
    "interval", "uuid", "decimal(38, 30)", "decimal(4, 1)", "varchar[]", "bigint[]", "struct(total_tokens bigint, x varchar[])",
    "map(varchar, bigint)", "enum('a', 'b')", "utinyint", "bit",
)  # fmt: skip
"""Types that a column of a Parquet file may have in the place of text."""


def typed_parquet(rows: list[Row], changes: dict[str, str]) -> bytes:
    """A Parquet file of which some columns have another type; what does not fit it is NULL."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "text.parquet", Path(folder) / "typed.parquet"
        source.write_bytes(text_parquet(rows, Path(folder)))
        chosen = ", ".join(
            f'try_cast("{name}" as {kind}) as "{name}"' for name, kind in sorted(changes.items())
        )
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(
                f"copy (select * replace ({chosen}) from read_parquet('{source}')) to '{target}' (format parquet)"
            )
        return target.read_bytes()
