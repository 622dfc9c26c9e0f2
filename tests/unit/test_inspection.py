"""`credit-usage inspect`: what a file is and how it would land."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from orchestration.cli import cli
from orchestration.landing.inspection import inspect
from orchestration.settings import Settings
from tests.unit.test_format_otlp import GEN_AI, lines, request, span


def test_inspect_says_what_would_land(tmp_path: Path) -> None:
    """Format, books, convention, first rows and every problem are told; neither lake nor landing folder gets anything."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(
        lines(request(span(attributes=GEN_AI)), '{"broken"', request(span("00000000000000a2", name="other")))
    )
    settings = Settings(data_dir=tmp_path / "data")
    (found,) = inspect(settings, [path])
    assert (found["source_format"], found["rows_read"], found["rows_loaded"], found["rows_quarantined"]) == (
        "otlp",
        3,
        2,
        1,
    )
    assert {row["name"] for row in found["entities"]["spans"]["first_rows"]} == {"chat", "other"}
    assert found["entities"]["spans"]["token_conventions"] == {"otel_gen_ai": 1}
    assert [(item["line_number"], item["reason"]) for item in found["problems"]] == [(2, "not_json")]
    assert not settings.lake_dir.exists(), "inspecting must not load"
    assert not list(settings.temp_dir.iterdir()), "the scratch folder must be gone"


def test_inspect_on_the_command_line(tmp_path: Path) -> None:
    """Readable by default, keys with --json, and a file that is no export is told with exit code 1."""
    good, bad = tmp_path / "traces.jsonl", tmp_path / "notes.pdf"
    good.write_bytes(lines(request(span(attributes=GEN_AI))))
    bad.write_bytes(b"%PDF-1.7")
    runner = CliRunner(env={"CREDIT_USAGE_DATA_DIR": str(tmp_path / "data")})
    told = runner.invoke(cli, ["inspect", str(good)])
    assert told.exit_code == 0, told.output
    assert "OpenTelemetry" in told.output
    assert "otel_gen_ai" in told.output
    as_json = runner.invoke(cli, ["inspect", "--json", str(good), str(bad)])
    assert as_json.exit_code == 1, "a file that cannot be read must show in the exit code"
    assert [item["source_format"] for item in json.loads(as_json.output)["files"]] == ["otlp", None]
