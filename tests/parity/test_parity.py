"""Whatever lands, DuckDB and Spark make the same facts and marts of it, to the last digit, on the first night and on those after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import pytest

from orchestration import sql
from orchestration.sample import generate
from orchestration.settings import REPOSITORY, Settings, WorkspaceSettings, load
from orchestration.warehouse import spark_session
from orchestration.warehouse.spark import SparkTables
from tests.integration import hostile_exports
from tests.integration.nights import Nights
from tests.parity.engines import Engines, differences
from tests.property.worlds import deal, files, make_worlds

MISSING = spark_session.why_missing()
REAL = Path(
    os.environ.get("CREDIT_USAGE_REAL_DATA") or REPOSITORY.parent / "shared" / "data" / "real"
).resolve()
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"no Spark here: {MISSING}"),
    # One Spark session, and its JVM, for all of them.
    pytest.mark.xdist_group("spark"),
]


@pytest.fixture(autouse=True)
def _removed(tmp_path: Path) -> Iterator[None]:
    """Tables of both engines are large beside what a test leaves otherwise."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_sample_exports(tmp_path: Path) -> None:
    """An engine reads a function, a decimal or a NULL in another way: a fact or mart of the sample data differs."""
    settings = Settings(data_dir=tmp_path, settle_seconds=0.0, threads=2)
    generate(settings.landing_dir / "sample", start=date(2026, 3, 1), days=3, runs_per_day=40)
    engines = Engines(settings)
    plan, found = engines.night()
    assert not found, "\n".join(found)
    assert plan.is_full_build

    generate(settings.landing_dir / "more", start=date(2026, 3, 4), days=1, runs_per_day=40)
    plan, found = engines.night()
    assert not found, "a night after it:\n" + "\n".join(found)
    assert not plan.is_full_build

    tables = SparkTables.read(settings.data_dir / "compared" / "002")
    with sql.connect(settings, settings.published_path) as connection:
        connection.execute(
            "update facts.fct_span_usage set total_cost_usd = total_cost_usd + 0.000000000001 "
            "where rowid = (select min(rowid) from facts.fct_span_usage where total_cost_usd is not null)"
        )
    changed = [
        line.split(":")[0]
        for line in differences(settings, settings.published_path, tables, {})
        if "fct_span_usage" in line
    ]
    assert changed == ["facts.fct_span_usage"] * 2, (
        "a trillionth of a dollar in one row is not noticed: nothing is compared"
    )


def test_nights_of_hostile_exports(tmp_path: Path) -> None:
    """Late, moved, repeated, circular and missing runs: a night on Spark rebuilds other dates, or keeps what it should have replaced."""
    random = Random(11)
    nights = Nights(tmp_path, hostile_exports.CONFIG)
    engines = Engines(nights.settings)
    for number in range(3):
        runs, spans = hostile_exports.night(random)
        nights.land(f"night-{number}", runs=runs, spans=spans)
        told_runs, told_spans = hostile_exports.story(number)
        nights.land(f"story-{number}", runs=told_runs, spans=told_spans)
        plan, found = engines.night()
        assert plan.is_full_build == (number == 0), "only the first night builds everything"
        assert not found, f"night {number}:\n" + "\n".join(found)
    _, found = engines.night(requested_dates=[date(2026, 3, 29)])
    assert not found, "a requested date:\n" + "\n".join(found)
    _, found = engines.night(full=True)
    assert not found, "everything at once:\n" + "\n".join(found)


@pytest.mark.parametrize("seed", [1])
def test_worlds_of_any_kind(tmp_path: Path, seed: int) -> None:
    """Rows in any order, cut and number of nights, in any time zone: some world comes out differently on Spark."""
    random = Random(seed)
    worlds = make_worlds(seed, 4)
    zones = {name: zone for world in worlds for name, zone in world.zones.items()}
    settings = Settings(
        data_dir=tmp_path,
        settle_seconds=0.0,
        threads=2,
        workspaces={name: WorkspaceSettings(name, name, zone, "hosted") for name, zone in zones.items()},
    )
    engines = Engines(settings)
    for number, night in enumerate(deal(worlds, 2, random), start=1):
        for name, content in files(night, number, random).items():
            path = settings.landing_dir / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _, found = engines.night()
        assert not found, f"seed {seed}, night {number}:\n" + "\n".join(found)


@pytest.mark.skipif(
    not (REAL / "coding-agent").is_dir(), reason=f"no recorded usage in {REAL} (set CREDIT_USAGE_REAL_DATA)"
)
def test_recorded_usage(tmp_path: Path) -> None:
    """Usage that others recorded, traces of nine frameworks among it, comes out differently on Spark."""
    settings = load({}, data_dir=tmp_path, settle_seconds=0.0, threads=2)
    for source in sorted(REAL.iterdir()):
        if source.is_dir():
            shutil.copytree(source, settings.landing_dir / source.name)
    _, found = Engines(settings).night()
    assert not found, "\n".join(found)
