"""The marts of a small sample, as they were accepted, and its pages, whose totals are those of its facts. `make accept` rewrites the
file; its diff is what a review reads.
"""

from __future__ import annotations

import json
import os
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.sample import generate
from reports import format as fmt
from reports import writer
from reports.build import build_site
from tests.browser.conftest import browser  # noqa: F401  (a fixture)
from tests.browser.reader import Reader, one
from tests.warehouse_fixture import Warehouse

pytestmark = [pytest.mark.xdist_group("warehouse")]
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


FIRST, DAYS = date(2026, 10, 1), 3


@pytest.fixture(scope="module")
def sample(_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of a night on three days of samples."""
    warehouse = Warehouse(_home)
    warehouse.clear()
    generate(
        warehouse.settings.landing_dir / "sample",
        start=FIRST,
        days=DAYS,
        runs_per_day=30,
        workspaces=2,
    )
    warehouse.night(with_tests=False)
    target = tmp_path_factory.mktemp("sample") / "usage.duckdb"
    target.write_bytes(warehouse.settings.published_path.read_bytes())
    warehouse.release_lock()
    return target


def test_marts_of_the_sample_are_as_accepted(sample: Path) -> None:
    """A change of code moved published numbers without anybody having looked at the difference."""
    document = {}
    with duckdb.connect(str(sample), read_only=True) as connection:
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


@pytest.mark.browser
def test_totals_on_pages_are_the_facts(browser: Any, sample: Path, tmp_path: Path) -> None:  # noqa: F811
    """A total that a page prints for a range of days is another than the sum over the facts of these days."""
    build_site(sample, tmp_path / "site")
    held = Reader(browser, tmp_path / "site")
    pick = random.Random(20261125)
    with duckdb.connect(str(sample), read_only=True) as connection:
        workspaces = [
            w
            for (w,) in connection.execute(
                "select workspace_id from dimensions.dim_workspace order by 1"
            ).fetchall()
        ]
    for workspace in workspaces:
        folder = writer.slug(workspace)
        for _ in range(2):
            start = pick.randrange(DAYS)
            first, last = (FIRST + timedelta(days=n) for n in (start, pick.randrange(start, DAYS)))
            within = f"workspace_id = ? and usage_date between '{first}'::date and '{last}'::date"
            cost, tokens, credits, calls, *unpriced = one(
                sample,
                f"""select coalesce(sum(total_cost_usd), 0), coalesce(sum(total_tokens), 0)::bigint, coalesce(sum(task_credits), 0),
                    count(*) filter (where billing_role = 'call'), count(*) filter (where cost_source = 'unpriced'),
                    coalesce(sum(total_tokens) filter (where cost_source = 'unpriced'), 0)::bigint
                from facts.fct_span_usage where {within}""",
                workspace,
            )
            runs = one(sample, f"select count(*) from facts.fct_run_usage where {within}", workspace)[0]
            address = f"#from={first}&to={last}"
            said = fmt.money_exact(cost) + fmt.unpriced(*unpriced)
            page = held.open(f"{folder}/analytics.html{address}")
            page.wait_for_selector(f"html[data-range='{first}/{last}']", state="attached")
            tiles = page.eval_on_selector_all(
                "#tiles .value", "all => all.map(e => [e.textContent, e.title])"
            )
            assert tiles[0][1] == said, (workspace, first, last)
            assert tiles[1] == [fmt.credits(credits)] * 2
            assert tiles[2][1] == fmt.count(tokens)
            assert tiles[3][1] == fmt.count(runs)
            services = page.eval_on_selector_all(
                "#t-services tfoot td", "all => all.map(e => [e.textContent, e.title])"
            )
            assert (services[1][0], services[6][1]) == (fmt.count(calls), said), (workspace, first, last)
            assert page.text_content("#t-tokens tfoot td:nth-child(2)") == fmt.count(tokens)
            assert page.text_content("#t-models tfoot td:nth-child(11)") == fmt.count_short(tokens)

            inclusive = Decimal(0)
            shown = Decimal(0)
            for name, kind in (("prompts", "prompt"), ("workflows", "workflow"), ("agents", "agent")):
                page = held.log(f"{folder}/{name}.html{address}")
                count, of_log = one(
                    sample,
                    f"select count(*), coalesce(sum(total_cost_usd), 0) from facts.fct_run_usage where {within} and run_type = '{kind}'",
                    workspace,
                )
                inclusive += of_log
                shown += Decimal(
                    page.get_attribute("#log-totals span", "title")
                    .split(" + ")[0]
                    .removeprefix("$")
                    .replace(",", "")
                )
                assert page.inner_text("#log-totals strong") == f"{count:,} run{'' if count == 1 else 's'}", (
                    name,
                    first,
                    last,
                )
            assert shown == inclusive, (workspace, first, last)
    held.context.close()
    assert not held.problems, held.problems
