"""Any sequence of nights must end in the warehouse that a full build of the same lake gives, row for row."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import pytest

from orchestration.settings import Settings
from orchestration.warehouse import manifest
from tests.integration import hostile_exports
from tests.integration.nights import Nights, differences

NIGHTS = 4
CHUNK = 5
"""Spans of a chunk in the full build; in earnest it is half a million or more."""


def _in_small_chunks(patch: pytest.MonkeyPatch) -> None:
    """From here on dbt writes chunked models a few spans at a time."""
    parsed = manifest.parsed

    def cut(settings: Settings) -> object:
        project = parsed(settings)
        macro = project.macros["macro.credit_usage.chunks_of_dates"]
        assert '// " ~ span_count ~ "' in macro.macro_sql
        macro.macro_sql = macro.macro_sql.replace('// " ~ span_count ~ "', f"// {CHUNK}")
        return project

    patch.setattr(manifest, "parsed", cut)


@pytest.mark.parametrize("seed", [11])
def test_nights_equal_a_full_build(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late, moved, repeated, circular and missing runs over several nights, then a requested date: the same
    rows as built at once, chunk by chunk."""
    random = Random(seed)
    nights = Nights(tmp_path / "nights", hostile_exports.CONFIG)
    for number in range(NIGHTS):
        runs, spans = hostile_exports.night(random)
        nights.land(f"night-{number}", runs=runs, spans=spans)
        told_runs, told_spans = hostile_exports.story(number)
        nights.land(f"story-{number}", runs=told_runs, spans=told_spans)
        built = nights.night()
        assert not built.failures, f"night {number} of seed {seed} must pass its own tests"
        assert built.plan.is_full_build == (number == 0), "only the first night builds everything"
    requested = nights.night(requested_dates=[date(2026, 3, 29)])
    assert requested.touched_dates == [date(2026, 3, 29)], (
        "a night without new files rebuilds the requested dates, nothing else"
    )

    _in_small_chunks(monkeypatch)
    full = nights.rebuilt(tmp_path / "full")
    assert full.night().plan.is_full_build
    spans, dates = full.rows(
        "select sum(span_count), count(distinct usage_date) from intermediate.int_spans__parts"
    )[0]
    assert min(spans / CHUNK, dates) > 3, "the full build proves nothing about several chunks"
    assert differences(nights, full) == {}, (
        f"seed {seed}: rows differ between {NIGHTS} nights and one full build"
    )
