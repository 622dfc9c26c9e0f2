"""The example traces of Langfuse's own documentation: every row of every file is accounted for.

The files are `langfuse-traces/*.json` in the folder of `test_real_input`; without it these tests are skipped.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.landing.contract import SPANS
from tests.integration.test_real_input import REAL
from tests.landing_helpers import Night

FOLDER = REAL / "langfuse-traces"
FILES = sorted(FOLDER.glob("*.json"))
pytestmark = pytest.mark.skipif(
    not FILES, reason=f"no example traces at {FOLDER} (set CREDIT_USAGE_REAL_DATA)"
)
INFERRED = {"agno": 2, "beeai": 3, "claude-agent": 4, "koog": 2}
"""Observations of which Langfuse counted the tokens itself, by the beginning of the file's name."""


@pytest.fixture(scope="module", name="night")
def _night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = Night(tmp_path_factory.mktemp("langfuse"))
    for path in FILES:
        night.write(path.name, path.read_bytes())
    night.land()
    return night


def _documents() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in FILES}


def test_every_row_lands(night: Night) -> None:
    (manifest,) = night.lake.manifests()
    read = {entry.path: (entry.source_format, entry.rows_read, entry.rows_loaded) for entry in manifest.files}
    assert read == {
        name: ("langfuse", len(document["observations"]) + 1, len(document["observations"]) + 1)
        for name, document in _documents().items()
    }


def test_usage_and_cost_are_those_of_the_file(night: Night) -> None:
    rows = {(row["run_id"], row["span_id"]): row for row in night.rows(SPANS)}
    for name, document in _documents().items():
        for item in document["observations"]:
            row = rows[item["traceId"], item["id"]]
            details = item["usageDetails"]
            for key, column in (
                ("input", "input_tokens"),
                ("output", "output_tokens"),
                ("total", "reported_total_tokens"),
            ):
                assert row[column] == details.get(key), f"{name}: {item['name']}: {column}"
            total = item["costDetails"].get("total")
            cost = row["provider_cost_usd"]
            assert (cost is None) == (total is None), f"{name}: {item['name']}: cost"
            assert total is None or abs(float(cost) - total) < 1e-12, (
                f"{name}: {item['name']}: {cost} is not {total}"
            )


def test_what_langfuse_counted_itself_is_flagged(night: Night) -> None:
    flagged = night.query(f"""
        select path, count(*) from (
            select file_no from read_parquet('{night.lake.root}/spans/**/*.parquet') where quality_flags = 'usage_inferred'
        ) join (values {", ".join(f"({entry.file_no}, '{entry.path}')" for entry in night.lake.manifests()[0].files)}) as f (file_no, path)
        using (file_no) group by path
    """)
    assert {
        next(name for name in INFERRED if path.startswith(name)): count for path, count in flagged
    } == INFERRED


def test_marked_calls_are_the_generations(night: Night) -> None:
    marked = {row["span_id"] for row in night.rows(SPANS) if row["call_marker"] == "call"}
    assert marked == {
        item["id"]
        for document in _documents().values()
        for item in document["observations"]
        if item["type"] == "GENERATION"
    }
