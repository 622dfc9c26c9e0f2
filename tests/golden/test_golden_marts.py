"""The marts of a small sample, as they were accepted. `make accept` rewrites the file; its diff is what a review reads."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration import sql
from orchestration.sample import generate

if TYPE_CHECKING:
    from tests.warehouse_fixture import Warehouse

GOLDEN = Path(__file__).with_name("sample_marts.json")
MARTS = (
    "mart_analytics__total_cost",
    "mart_analytics__service_costs",
    "mart_analytics__model_costs",
    "mart_analytics__token_usage",
    "mart_analytics__model_observability",
    "mart_analytics__trace_performance",
    "mart_analytics__tool_usage",
    "mart_users__cost_distribution",
)


@pytest.mark.xdist_group("warehouse")
def test_marts_of_the_sample_are_as_accepted(warehouse: Warehouse) -> None:
    """A change of code moved published numbers without anybody having looked at the difference."""
    generate(
        warehouse.settings.landing_dir / "sample",
        start=date(2026, 10, 1),
        days=3,
        runs_per_day=30,
        workspaces=2,
    )
    warehouse.night(with_tests=False)
    document = {}
    with sql.connect(warehouse.settings, warehouse.settings.published_path, read_only=True) as connection:
        for mart in MARTS:
            cursor = connection.execute(f"select * from marts.{mart} order by all")
            names = [column[0] for column in cursor.description or []]
            document[mart] = [dict(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()]
    text = json.dumps(document, indent=1) + "\n"
    if os.environ.get("GOLDEN_ACCEPT"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        "published numbers of the sample changed: review, then `make accept`"
    )
