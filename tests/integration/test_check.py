"""`credit-usage check` in a team's CI: exports or a warehouse file are judged, nothing is published."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestration.quality.output import github, junit
from orchestration.quality.results import CheckResult
from tests.warehouse_fixture import Warehouse, at, call_row, digests, jsonl, run_row

pytestmark = pytest.mark.xdist_group("publication")


def test_exports_are_judged_and_nothing_is_published(published: Warehouse, tmp_path: Path) -> None:
    """A broken export passes, or a CI that checks exports publishes them, or cannot say which line is wrong."""
    before = {
        name: d
        for name, d in digests(published.settings.data_dir).items()
        if not name.startswith(("dbt/", ".lock"))
    }
    # Two files of one name, as artifacts of two jobs have it.
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runs, spans = tmp_path / "a" / "export.jsonl", tmp_path / "b" / "export.jsonl"
    runs.write_bytes(jsonl([run_row("req_ci", at("2026-10-09 09:00"))]))
    spans.write_bytes(
        jsonl(
            [
                call_row("req_ci", "s1", at("2026-10-09 09:00:01"), provider_cost_usd="2000000"),
                {"span_id": "s2", "run_id": "req_ci"},
            ]
        )
    )
    report = tmp_path / "junit.xml"
    outcome = published.cli("check", str(runs), str(spans), "--github", "--junit", str(report))
    assert outcome.code == 1, outcome.err
    assert f"::error file={spans},line=2,title=landing__line_conforms::" in outcome.out
    assert "title=fct_span_usage__" in outcome.out, "two million dollars for a call pass"
    told = outcome.out + report.read_text(encoding="utf-8")
    assert f"path={spans}" in told
    assert "000002/" not in told, "a file is named by its place in a scratch folder"
    suite = ElementTree.fromstring(report.read_bytes())  # noqa: S314 - our own
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert {"file_conforms", "line_conforms"} < failed
    assert int(suite.get("failures") or 0) == len(list(suite.iter("failure")))
    assert int(suite.get("tests") or 0) > 80
    after = {
        name: d
        for name, d in digests(published.settings.data_dir).items()
        if not name.startswith(("dbt/", ".lock"))
    }
    assert after == before, "a check leaves something behind, or publishes"

    copy = tmp_path / "theirs.duckdb"
    copy.write_bytes(published.settings.published_path.read_bytes())
    theirs = published.cli("check", "--database", str(copy), "--json")
    assert theirs.code == 0, [c for c in theirs.json()["checks"] if not c["passed"]]
    assert len(theirs.json()["checks"]) > 80


def test_wrong_usage_ends_with_2(warehouse: Warehouse, tmp_path: Path) -> None:
    """A typo in a CI script looks like bad data, or like good."""
    for args in (
        ("check", str(tmp_path / "none.jsonl")),
        ("check", "--database", str(tmp_path / "none")),
        ("check",),
    ):
        outcome = warehouse.cli(*args)
        assert outcome.code == 2, f"{args}: {outcome}"


def test_hostile_messages_end_neither_xml_nor_annotations() -> None:
    """Data in a message closes the XML, or writes an annotation of its own."""
    evil = CheckResult(
        "t__r", "blocking", False, 1, "</failure>\x00\n::error::gotcha", {"file": "a,line=9:\nb", "line": 1}
    )
    (line,) = github([evil])
    assert line == "::error file=a%2Cline=9%3A%0Ab,line=1,title=t__r::</failure> ::error::gotcha"
    (case,) = ElementTree.fromstring(junit([evil])).iter("failure")  # noqa: S314 - our own
    assert "gotcha" in (case.get("message") or "")
