"""Recorded traces of real agent frameworks: what of their reported usage is billed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from orchestration.landing import formats
from tests.integration.nights import Nights

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "langfuse-traces"


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"recorded traces are not at {RECORDED}")
def test_recorded_traces_are_billed_as_documented(tmp_path: Path) -> None:
    """The table of docs/sources.md is what a night makes of the recordings, trace by trace."""
    nights = Nights(tmp_path)
    nights.settings.landing_dir.mkdir(parents=True)
    names = {}
    for path in RECORDED.glob("*.json"):
        shutil.copy(path, nights.settings.landing_dir / path.name)
        names[re.search(r'"id":\s*"([0-9a-f]{32})"', path.read_text(encoding="utf-8"))[1]] = path.name  # type: ignore[index]
    assert not nights.night().failures, "the night must pass its own tests"
    found = {
        names[run_id]: (f"{reported_in:,} / {reported_out:,}", f"{billed_in:,} / {billed_out:,}")
        for run_id, reported_in, reported_out, billed_in, billed_out in nights.rows("""
            select
                run_id,
                (sum(coalesce(input_tokens, 0)) + sum(coalesce(rollup_reported_input_tokens, 0)))::bigint,
                (sum(coalesce(output_tokens, 0)) + sum(coalesce(rollup_reported_output_tokens, 0)))::bigint,
                sum(coalesce(input_tokens, 0))::bigint,
                sum(coalesce(output_tokens, 0))::bigint
            from facts.fct_span_usage
            group by run_id
        """)
    }
    assert len(found) == len(names), "each trace must be one run"
    documented = re.findall(
        r"^\| ([a-z-]+) \| ([\d,]+ / [\d,]+) \| ([\d,]+ / [\d,]+) \|", formats.markdown(), re.MULTILINE
    )
    assert len(documented) == len(found), "each recorded trace has a row in the table"
    for name, reported, billed in documented:
        file = next(file for file in found if file.startswith(name))
        assert found[file] == (reported, billed), f"{name} is documented otherwise"
