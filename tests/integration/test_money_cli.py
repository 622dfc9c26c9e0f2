"""The verbs about money on one published warehouse: what is missing, a repricing seen before it is published, an invoice beside ours."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration import sql
from orchestration.pricing import rate_card
from orchestration.publication.lock import run_lock
from orchestration.publication.preview import MEASURES
from orchestration.sample import generate
from orchestration.settings import REPOSITORY
from tests.warehouse_fixture import Outcome, Warehouse, at, call_row, digests, run_row

pytestmark = pytest.mark.xdist_group("commands")

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def _money(_home: Path) -> Path:
    """Sample exports with an unpriced model; and calls of our own without reported credits, one of them on another date than its run."""
    made = Warehouse(_home)
    made.clear()
    generate(
        made.settings.landing_dir / "sample", start=date(2026, 10, 1), days=4, runs_per_day=90, workspaces=2
    )
    runs = [run_row("req_late", at("2026-10-02 23:59:50")), run_row("req_own", at("2026-10-03 12:00"))]
    calls = [
        call_row("req_late", "s1", at("2026-10-03 00:00:10"), provider_cost_usd=None, task_credits=None),
        call_row("req_own", "s1", at("2026-10-03 12:00:01"), provider_cost_usd=None, task_credits=None),
        call_row("req_own", "s2", at("2026-10-03 12:00:02"), model="House-LLM", provider="House", provider_cost_usd=None,
                 cached_tokens=100),
        call_row("req_own", "s3", at("2026-10-03 12:00:03"), kind="tool", name="scrape", service="Website Scrape", model=None,
                 input_tokens=None, output_tokens=None, provider_cost_usd=None, task_credits=None),
    ]  # fmt: skip
    made.drop("own/runs.jsonl", runs)
    made.drop("own/spans.jsonl", calls)
    assert made.night(with_tests=False) is not None
    return made.save("money")


@pytest.fixture
def money(_money: Path, warehouse: Warehouse) -> Iterator[Warehouse]:
    """That warehouse, published as 000001."""
    warehouse.restore(_money)
    return warehouse  # type: ignore[return-value]


def keys(command: str) -> set[str]:
    """The keys of `--json` that the README promises."""
    row = re.search(rf"^\| .*`{re.escape(command)}`.* \| (.*) \|$", README, re.MULTILINE)
    assert row, f"README.md does not list the keys of `{command}`"
    return set(re.findall(r"`(\w+)`", row[1]))


def filled(text: str, price: str) -> str:
    """A skeleton with the same price in each row."""
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**line, "unit_price_usd": price} for line in lines)
    return out.getvalue()


# -- from what is missing to a repricing -----------------------------------------------------------------------------------------

UNPRICED = """
    select workspace_id, run_id, span_id
    from facts.fct_span_usage
    where unpriced_reason = 'no_price' and total_tokens is not null
"""


def test_what_is_missing_can_be_filled_in_and_is_priced(money: Warehouse, tmp_path: Path) -> None:
    """The price file that was asked for prices other calls than those that had no price, or the preview of it was wrong."""
    unpriced = set(money.query(UNPRICED))
    assert len(unpriced) > 5, "the sample has hardly an unpriced call"
    ask_and_fill_in(money, tmp_path / "prices.csv", len(unpriced))
    config = settings_file(tmp_path)

    # Look.
    before = state(money)
    with_config = {"CREDIT_USAGE_CONFIG": str(config)}
    shown = money.cli("reprice", "--dry-run", "--json", **with_config)
    assert shown.code == 0, shown.err
    assert state(money) == before, "a dry run changed something"
    preview = shown.json()
    assert preview.keys() == keys("reprice --dry-run")
    assert {source["source"] for source in preview["sources"]} == {
        "price_file",
        "rate_card",
        "credit_prices",
        "workspaces",
    }

    # Do.
    done = money.cli("reprice", "--json", **with_config)
    assert done.code == 0, done.err
    assert done.json().keys() == keys("reprice")
    assert done.json()["dates_touched"] == preview["dates_rebuilt"] >= preview["dates_changed"]
    old = money.settings.published_dir / "history" / "000001.duckdb"
    expected = changes(money, old)
    assert {named(row) for row in preview["rows"]} == expected
    assert len(preview["rows"]) == len(expected) > 5
    sizes = [abs(Decimal(row["difference"]["total_cost_usd"])) for row in preview["rows"]]
    assert sizes == sorted(sizes, reverse=True), "the greatest change does not come first"
    for group in (preview["total"], *preview["workspaces"]):
        of_group = [r for r in preview["rows"] if group["workspace_id"] in (None, r["workspace_id"])]
        for side in ("old", "new", "difference"):
            sums = {m: sum(Decimal(row[side][m]) for row in of_group) for m in MEASURES}
            assert {m: Decimal(group[side][m]) for m in MEASURES} == sums, (
                "the sums are not those of the rows"
            )
    repriced, changed = money_changes(money, old)
    assert repriced == unpriced, "a call that had a price got another one, or one without has none still"
    assert preview["calls_changed"] == changed
    statuses = money.query(
        "select distinct price_status from facts.fct_span_usage where lower(model) = 'house-llm' and total_tokens is not null"
    )
    assert statuses == [("priced",)]

    # Nothing is left to do.
    left = money.cli("prices", "missing", **with_config)
    assert (left.code, left.out) == (0, "")
    assert "No price is missing." in left.err
    nothing = money.cli("reprice", "--dry-run", **with_config)
    assert nothing.code == 0
    assert nothing.out == "Nothing to reprice: no price or rate changed since publication 000002.\n"


def ask_and_fill_in(money: Warehouse, path: Path, unpriced_calls: int) -> None:
    """`prices missing` in its three forms, and its file with a price in each row."""
    document = money.cli("prices", "missing", "--json").json()
    assert document.keys() == keys("prices missing")
    listed = money.query(
        "select distinct lower(provider), lower(model) from marts.mart_analytics__unpriced_usage "
        "where reason not in ('unknown_usage', 'no_model_named')"
    )
    assert {(model["provider"].lower(), model["model"].lower()) for model in document["models"]} == set(
        listed
    )
    assert sum(model["call_count"] for model in document["models"]) == unpriced_calls
    printed = money.cli("prices", "missing")
    assert printed.out == document["price_file"]
    assert "house/house-llm" in printed.err
    assert re.search(r"\d+ unpriced calls do not say what they used", printed.err)
    written = money.cli("prices", "missing", "-o", str(path))
    assert (written.code, written.out) == (0, "")
    again = money.cli("prices", "missing", "-o", str(path))
    assert again.code == 2, "a file that may be filled in already is overwritten"
    assert path.read_text(encoding="utf-8") == printed.out
    path.write_text(filled(printed.out, "2"), encoding="utf-8")


def settings_file(folder: Path) -> Path:
    """Settings with a price file, a dearer rate card and a credit price from a date on."""
    card = rate_card.DEFAULT_PATH.read_text(encoding="utf-8")
    dearer = re.sub(r"^(platform,Website Scrape,.*),1,", r"\1,3,", card, flags=re.MULTILINE)
    assert dearer != card
    (folder / "rates.csv").write_text(dearer, encoding="utf-8")
    config = folder / "credit_usage.toml"
    config.write_text(
        'price_file = "prices.csv"\nrate_file = "rates.csv"\n[workspaces.ws_acme]\n'
        'credit_prices = [{ valid_from = 2026-10-03, credit_price_usd = "0.01" }]\n',
        encoding="utf-8",
    )
    return config


def state(warehouse: Warehouse) -> dict[str, str]:
    """Every file of the data folder but caches and the lock."""
    kept = ("published/", "lake/", "landing/", "warehouse/", "site/", "dagster/")
    found = digests(warehouse.settings.data_dir)
    return {name: digest for name, digest in found.items() if name.startswith(kept)}


def named(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row of the preview as a tuple."""
    keys = tuple(row[key] for key in ("usage_date", "workspace_id", "service", "provider", "model"))
    return (*keys, *(Decimal(row[side][measure]) for side in ("old", "new") for measure in MEASURES))


def changes(warehouse: Warehouse, old: Path) -> set[tuple[Any, ...]]:
    """What the night changed of each date, workspace and model, added up from the spans of both publications."""
    query = """
        select
            usage_date::varchar, workspace_id, coalesce(service, 'Unknown'), provider, model,
            count(*), count(*) filter (where cost_source = 'unpriced'), sum(total_cost_usd), coalesce(sum(provider_cost_usd), 0),
            sum(task_credit_cost_usd), coalesce(sum(task_credits), 0)
        from facts.fct_span_usage
        where billing_role = 'call'
        group by 1, 2, 3, 4, 5
    """
    sides = [{row[:5]: row[5:] for row in warehouse.query(query, path)} for path in (old, None)]
    zero = (0,) * len(MEASURES)
    both = {
        key: (sides[0].get(key, zero), sides[1].get(key, zero)) for key in sides[0].keys() | sides[1].keys()
    }
    return {(*key, *before, *after) for key, (before, after) in both.items() if before != after}


def money_changes(warehouse: Warehouse, old: Path) -> tuple[set[tuple[Any, ...]], int]:
    """Spans whose provider cost the night changed, and how many calls it changed in any way that costs."""
    with sql.connect(warehouse.settings) as connection:
        connection.execute(f"attach {sql.literal(old)} as old (read_only)")
        connection.execute(f"attach {sql.literal(warehouse.settings.published_path)} as new (read_only)")
        columns = "workspace_id, run_id, span_id"
        amounts = f"{columns}, provider_cost_usd, task_credits, total_cost_usd, cost_source = 'unpriced' from"
        repriced = connection.execute(
            f"select {columns}, provider_cost_usd from new.facts.fct_span_usage "
            f"except select {columns}, provider_cost_usd from old.facts.fct_span_usage"
        ).fetchall()
        ((changed,),) = connection.execute(
            f"select count(*) from (select {amounts} new.facts.fct_span_usage where billing_role = 'call' "
            f"except select {amounts} old.facts.fct_span_usage where billing_role = 'call')"
        ).fetchall()
    return {row[:3] for row in repriced}, changed


def test_a_workspace_is_asked_alone(money: Warehouse) -> None:
    """One workspace's models are told to another, or a mistyped workspace has nothing missing."""
    (only,) = money.cli("prices", "missing", "--json", "--workspace", "ws_a").json()["models"]
    assert (only["model"], only["call_count"], only["meters"]) == (
        "House-LLM",
        1,
        ["uncached_input", "cached_input", "output"],
    )
    unknown = money.cli("prices", "missing", "--workspace", "ws_z")
    assert unknown.code == 2
    assert "there is no workspace 'ws_z'; published are ws_a, ws_acme" in unknown.err


def test_a_preview_is_about_prices_alone(money: Warehouse, tmp_path: Path) -> None:
    """A preview shows exports that wait as if prices had changed, or a workspace's new name as a repricing."""
    config = tmp_path / "credit_usage.toml"
    config.write_text('[workspaces.ws_a]\nname = "Own"\n', encoding="utf-8")
    money.drop("new/runs.jsonl", [run_row("req_new", at("2026-10-04 09:00"))])
    money.land()
    before = state(money)
    ended = money.cli("reprice", "--dry-run", "--json", CREDIT_USAGE_CONFIG=str(config))
    assert ended.code == 0, ended.err
    document = ended.json()
    assert [source["source"] for source in document["sources"]] == ["workspaces"]
    assert (document["rows"], document["dates_rebuilt"], document["waiting_batches"]) == ([], 0, 1)
    assert state(money) == before, "a dry run changed something"


def test_a_preview_waits_for_the_lock(money: Warehouse) -> None:
    """A preview is built beside a night that replaces what it is compared with."""
    with run_lock(money.settings.data_dir):
        done = subprocess.run(
            [sys.executable, "-m", "orchestration.cli", "reprice", "--dry-run"],
            env=money.environment(), cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr


# -- prices show -----------------------------------------------------------------------------------------------------------------


def test_show_answers_from_the_file_and_the_catalogue(warehouse: Warehouse, tmp_path: Path) -> None:
    """The explanation of a cost leaves out where the price comes from or when it holds."""
    path = tmp_path / "prices.csv"
    path.write_text("model,meter,unit_price_usd,valid_from\no3,output,7,2026-01-01\n", encoding="utf-8")
    with_file = {"CREDIT_USAGE_PRICE_FILE": str(path)}
    document = warehouse.cli(
        "prices", "show", "o3", "--provider", "openai", "--at", "2026-01-01", "--json", **with_file
    ).json()
    assert document.keys() == keys("prices show")
    assert document["rule"] == "price file rule o3, catalogue openai/o3"
    prices = {row["meter"]: row for row in document["prices"]}
    assert (prices["output"]["unit_price_usd"], prices["output"]["source"]) == ("7", "price file")
    assert Decimal(prices["uncached_input"]["unit_price_usd"]) == 2
    assert prices["uncached_input"]["source"] == "catalogue"
    assert (prices["reasoning"]["unit_price_usd"], prices["reasoning"]["priced_as"]) == ("7", "output")
    before = warehouse.cli("prices", "show", "o3", "--at", "2025-06-09", **with_file).out
    assert re.search(
        r"^output +catalogue genai-prices \S+ +40 +1,000,000 +any +always +2025-06-10$", before, re.M
    )
    unknown = warehouse.cli("prices", "show", "house-llm")
    assert unknown.code == 0
    assert "no rule matched" in unknown.out
    assert "unpriced" in unknown.out


# -- reconcile -------------------------------------------------------------------------------------------------------------------

BILLED = """
    select {date}::varchar as date, upper(model), sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(provider_cost_usd)
    from facts.fct_span_usage
    where provider = 'openai' and price_status is not null and total_tokens is not null
    group by all
    order by all
"""
HEADER = "date,model,input tokens,output tokens,total tokens,amount\n"


def invoice(warehouse: Warehouse, folder: Path, by: str = "started_at::date") -> tuple[Path, list[list[str]]]:
    """The invoice that OpenAI would write for what is published: dates, models in capitals, tokens, amounts."""
    rows = [["" if v is None else f"{v}" for v in row] for row in warehouse.query(BILLED.format(date=by))]
    path = folder / "invoice.csv"
    path.write_text(HEADER + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path, rows


def test_an_invoice_that_agrees(money: Warehouse, tmp_path: Path) -> None:
    """What we published ourselves differs from what we published, or of calls past midnight is said that it does."""
    for by, column in (("call-date", "started_at::date"), ("usage-date", "usage_date")):
        path, rows = invoice(money, tmp_path, column)
        options = (str(path), "--provider", "openai", "--tolerance", "0", "--by", by)
        ended = money.cli("reconcile", *options, "--json")
        document = ended.json()
        wrong = [row for row in document["rows"] if not row["is_within_tolerance"]]
        assert (ended.code, wrong) == (0, [])
        assert document.keys() == keys("reconcile")
        assert len(document["rows"]) == len(rows) > 10
        assert document["total"]["ours"] == document["total"]["theirs"]
        other = "usage-date" if by == "call-date" else "call-date"
        assert money.cli("reconcile", *options, "--by", other).code == 1, "both dates are the same one"
    alone = money.cli("reconcile", str(path), "--provider", "openai", "--workspace", "ws_a")
    assert alone.code == 1, "one workspace has the usage of all"


def test_an_invoice_that_differs(money: Warehouse, tmp_path: Path) -> None:
    """A wrong amount, a call that only one side has, or a price that we lack passes as agreement."""
    path, rows = invoice(money, tmp_path)
    wrong = next(row for row in rows if row[1] == "GPT-4O")
    day = wrong[0]
    wrong[4] = str(int(wrong[4]) * 2)
    (gone,) = (row for row in rows if (row[0], row[1]) == (day, "O3"))
    rows.remove(gone)
    dated = next(row for row in rows if row[1] == "GPT-4O" and row is not wrong)
    dated[1] = "gpt-4o-2024-08-06"
    extra = [day, "gpt-unheard-of", "1", "2", "3", "4.50"]
    text = HEADER + "".join(",".join(row) + "\n" for row in [*rows, extra])
    path.write_text(text, encoding="utf-8")
    ended = money.cli("reconcile", str(path), "--provider", "openai")
    assert ended.code == 1
    table = [re.split(r" {2,}", line) for line in ended.out.splitlines()]
    found = {(cells[0], cells[1]): cells for cells in table[1:] if cells[0] == day}
    assert {key[1]: cells[2] for key, cells in found.items()} == {
        "gpt-4o": "differs",
        "gpt-unheard-of": "only theirs",
        "o3": "only ours",
    }
    twice = int(wrong[4])
    assert found[day, "gpt-4o"][3:6] == [f"{twice // 2:,}", f"{twice:,}", f"-{twice // 2:,}"]
    assert found[day, "gpt-unheard-of"][3:] == ["-", "3", "-3", "-", "4.50", "-4.50"]
    assert f"{len(rows) - 1} of {len(rows) + 2} days and models agree within 0.5 %" in ended.out
    assert all(cells[0] in (day, "total") for cells in table[1:] if len(cells) > 2), (
        "a row that agrees is shown"
    )
    assert money.cli("reconcile", str(path), "--provider", "openai", "--tolerance", "100").code == 0
    assert len(money.cli("reconcile", str(path), "--provider", "openai", "--all").out.splitlines()) > len(
        table
    )


def test_unpriced_calls_are_noted(money: Warehouse, tmp_path: Path) -> None:
    """A difference is searched for in the invoice although our side has calls without a price."""
    path = tmp_path / "invoice.yaml"
    path.write_text(
        "- date: 2026-10-03\n  model: house-llm\n  provider: house\n  amount: 12.5\n", encoding="utf-8"
    )
    ended = money.cli("reconcile", str(path), "--workspace", "ws_a")
    assert ended.code == 1
    assert "1 of our calls have no price" in ended.out
    assert "providers: house" in ended.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day;model\n", "line 1: the columns are separated by ';': separate them by commas"),
        (
            "date,model,tokens\n2026-10-01,gpt-4o,many\n",
            "line 2, total_tokens: 'many' is not a number of tokens",
        ),
        ("date,model,tokens\n", "has no rows"),
    ],
)
def test_a_file_that_is_no_invoice(money: Warehouse, tmp_path: Path, text: str, message: str) -> None:
    """A wrong file counts as a difference, or its error does not say what is wrong."""
    path = tmp_path / "invoice.csv"
    path.write_text(text, encoding="utf-8")
    ended = money.cli("reconcile", str(path))
    assert ended.code == 2
    assert f"{path}" in ended.err
    assert message in ended.err
    assert "Traceback" not in ended.err


# -- wrong files -----------------------------------------------------------------------------------------------------------------


def assert_told(ended: Outcome, message: str) -> None:
    assert ended.code == 2, ended.out + ended.err
    assert message in ended.err
    assert "Traceback" not in ended.out + ended.err


def test_a_wrong_price_file_stops_every_verb_and_the_night(money: Warehouse, tmp_path: Path) -> None:
    """A night prices with half a price file, or shows its operator a traceback instead of the line to mend."""
    path = tmp_path / "prices.csv"
    path.write_text(
        "model,meter,unit_price_usd\nhouse-llm,outputt,1\nhouse-llm,output,-1\n", encoding="utf-8"
    )
    message = f"{path}, line 2, meter: there is no meter 'outputt'; did you mean 'output'?"
    wrong = {"CREDIT_USAGE_PRICE_FILE": str(path)}
    before = digests(money.settings.published_dir)
    calls = [
        ("prices", "missing"), ("prices", "show", "o3"), ("reconcile", str(path)), ("reprice", "--dry-run"), ("check",),
    ]  # fmt: skip
    for call in calls:
        assert_told(money.cli(*call, **wrong), message)
    money.drop("new/runs.jsonl", [run_row("req_new", at("2026-10-04 09:00"))])
    night = money.cli("nightly", **wrong)
    assert_told(night, message)
    assert f"Failed     {message}" in night.err, "the operator reads of our classes, not of the file"
    assert f"{path}, line 3, unit_price_usd: '-1' must not be negative" in night.err, (
        "only the first fault is told"
    )
    assert digests(money.settings.published_dir) == before
    assert not money.settings.candidate_path.exists()

    from orchestration.defs.run import instance

    with instance(money.settings) as opened:
        (record,) = opened.get_run_records(limit=1)
        told = [
            str(entry.user_message) + str(entry.dagster_event)
            for entry in opened.all_logs(record.dagster_run.run_id)
        ]
    assert any(message in text for text in told), "the Dagster run does not show what is wrong"


def test_a_wrong_rate_file_or_card_is_told(money: Warehouse, tmp_path: Path) -> None:
    """A workspace is charged by no card, because the one that it names is not in the file."""
    path = tmp_path / "rates.csv"
    path.write_text("service,task_credits\nAI Model,1.0000001\n", encoding="utf-8")
    assert_told(
        money.cli("reprice", "--dry-run", CREDIT_USAGE_RATE_FILE=str(path)), f"{path}, line 2, task_credits"
    )
    config = tmp_path / "credit_usage.toml"
    config.write_text('[workspaces.ws_a]\nrate_card = "golden"\n', encoding="utf-8")
    assert_told(
        money.cli("reprice", "--dry-run", CREDIT_USAGE_CONFIG=str(config)),
        f"{config}, line 2: [workspaces.ws_a] 'rate_card' names the card 'golden'",
    )
