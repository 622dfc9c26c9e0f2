"""docs/money.md tells the truth: its examples are landed, a night is run, and its tables are compared with the result."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.pricing.meters import MEASURED
from orchestration.settings import REPOSITORY
from tests.integration.nights import Nights

TEXT = (REPOSITORY / "docs/money.md").read_text(encoding="utf-8")
COLUMNS = ("cost_source", "provider_cost_usd", "wallet_cost_usd", "external_cost_usd", "task_credits", "task_credit_cost_usd",
           "total_cost_usd")  # fmt: skip


def examples() -> list[dict[str, Any]]:
    """The runs that the page lands."""
    return [json.loads(block) for block in re.findall(r"```json landed\n(.*?)```", TEXT, re.DOTALL)]


def rows(header: str) -> list[list[str]]:
    """The rows of every table with this header, cells stripped."""
    found = []
    for table in re.findall(rf"^\| {re.escape(header)} .*?(?:\n\n|\Z)", TEXT, re.DOTALL | re.MULTILINE):
        found += [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in table.strip().splitlines()[2:]
        ]
    return found


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The page's examples, published."""
    nights = Nights(tmp_path_factory.mktemp("docs"), '[workspaces.docs]\ncredit_price_usd = "0.01"\n')
    runs, spans = [], []
    for example in examples():
        of_run = example.pop("spans")
        runs.append({"workspace_id": "docs", "run_type": "prompt", "status": "completed"} | example)
        spans += [
            {
                "run_id": example["run_id"],
                "workspace_id": "docs",
                "name": "call",
                "started_at": example["started_at"],
            }
            | span
            for span in of_run
        ]
    nights.land("examples", runs=runs, spans=spans)
    assert not nights.night(args=["run"]).failures
    return nights


def test_every_example_costs_what_the_page_says(night: Nights) -> None:
    """A number of docs/money.md is not what a night gives."""
    told = rows("span | cost source")
    ours = {
        row[0]: row[1:]
        for row in night.rows(f"select span_id, {', '.join(COLUMNS)} from facts.fct_span_usage")
    }
    assert {row[0] for row in told} == set(ours), "an example has no result, or a result no example"
    for span_id, *cells in told:
        source, *amounts = ours[span_id]
        assert cells[0] == (source or ""), span_id
        assert [Decimal(cell) if cell else None for cell in cells[1:]] == amounts, span_id


def test_the_parts_of_the_hosted_example_are_its_meters(night: Nights) -> None:
    """The table of meters shows other quantities or rates than were applied, or does not add up."""
    rates = ", ".join(f"{meter.name}_usd" for meter in MEASURED)
    (applied,) = night.rows(
        f"select {rates} from dimensions.dim_price_set inner join facts.fct_span_usage using (price_set_id) where span_id = 'h1'"
    )
    rate = {meter.name: value for meter, value in zip(MEASURED, applied, strict=True)}
    parts = rows("meter | tokens")
    for meter, tokens, per_million, amount in parts:
        assert rate[meter] * 1_000_000 == Decimal(per_million)
        assert rate[meter] * int(tokens.replace(",", "")) == Decimal(amount)
    ((cost,),) = night.rows("select provider_cost_usd from facts.fct_span_usage where span_id = 'h1'")
    assert sum(Decimal(part[3]) for part in parts) == cost
    said = re.search(r"would have made this ([\d.]+) USD: ([\d.]+) times", TEXT)
    assert said
    as_input = cost + 10_000 * (rate["uncached_input"] - rate["cached_input"])
    assert (Decimal(said[1]), Decimal(said[2])) == (
        as_input,
        round(as_input / cost, 1),
    )


def test_the_mixed_run_is_told_as_it_is(night: Nights) -> None:
    """The sentence under the mixed example has another total, or forgets what is unpriced."""
    (row,) = night.rows(
        "select charge_type, total_cost_usd, total_external_cost_usd, unpriced_call_count, unpriced_total_tokens "
        "from facts.fct_run_usage where run_id = 'mixed'"
    )
    said = re.search(
        r"The run costs ([\d.]+) USD, ([\d.]+) USD more on the customer's own bill, and has (\d+) unpriced call of ([\d,]+)\s+tokens",
        TEXT,
    )
    assert said
    assert row == ("mixed", Decimal(said[1]), Decimal(said[2]), int(said[3]), int(said[4].replace(",", "")))
    (difference,) = night.rows(
        "select computed_cost_usd, reported_cost_usd from marts.mart_analytics__cost_differences"
    )
    computed = re.search(r"the catalogue\s+says ([\d.]+) USD", TEXT)
    assert computed
    assert difference == (Decimal(computed[1]), Decimal("0.0034"))


def test_the_price_file_of_the_page_is_one(tmp_path: Path) -> None:
    """The example of a price file is refused."""
    from orchestration.pricing import price_file

    (block,) = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "prices.csv"
    path.write_text(block, encoding="utf-8")
    assert len(price_file.read(path)) == len(block.strip().splitlines()) - 1


def test_every_reason_is_explained() -> None:
    """A reason that a span can carry stands nowhere in the page."""
    sql = (REPOSITORY / "dbt_project/models/facts/fct_span_usage.sql").read_text(encoding="utf-8")
    part = sql.split("reasoned as (", 1)[1].split("end as unpriced_reason", 1)[0]
    reasons = re.findall(r"then '(\w+)'", part)
    assert len(reasons) >= 4
    assert {row[0].strip("`") for row in rows("reason | meaning")} == set(reasons)
