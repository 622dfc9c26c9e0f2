# ruff: noqa: E501  (SQL and expected texts)
"""The pages in Chromium, opened from disk with the network off: what a reader does, and that the scripts
agree with Python.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from reports import analytics, writer
from reports.build import build_site
from tests.browser.reader import Reader, one, until
from tests.reports_fixture import HOSTILE, RUN_WITH_CHILDREN
from tests.unit import test_format as cases
from tests.unit.test_reports import SINCE_OCTOBER_4, months_of, rows_of

duckdb = pytest.importorskip("duckdb")
pytestmark = [pytest.mark.browser]


def test_format_twins_agree(reader: Reader) -> None:
    """The JavaScript formats every case as Python does."""
    page = reader.open("acme/analytics.html")
    got = page.evaluate(
        """cases => { const f = CU.format; const big = n => BigInt(n); return {
            money: cases.money.map(c => [f.money(f.toScaled(c[0])), f.moneyExact(f.toScaled(c[0]))]),
            credits: cases.credits.map(c => f.credits(f.toScaled(c[0]))),
            counts: cases.counts.map(c => [f.count(big(c[0])), f.countShort(big(c[0]))]),
            durations: cases.durations.map(c => f.duration(c[0])),
            percents: cases.percents.map(c => f.percent(big(c[0]), big(c[1]))),
            unpriced: cases.unpriced.map(c => [f.unpricedShort(big(c[0])), f.unpriced(big(c[0]), big(c[1])), f.unpriced(c[0], c[1])]),
            changes: cases.changes.map(c => f.change(big(c[0]), big(c[1]))),
            moments: cases.moments.map(c => f.moment(c[0], c[1])),
        }; }""",
        {
            "money": cases.MONEY, "credits": cases.CREDITS, "counts": [[str(c[0]), *c[1:]] for c in cases.COUNTS],
            "durations": cases.DURATIONS, "percents": cases.PERCENTS, "unpriced": cases.UNPRICED, "changes": cases.CHANGES, "moments": cases.MOMENTS,
        },
    )  # fmt: skip
    assert got["money"] == [[short, exact] for _, short, exact in cases.MONEY]
    assert got["credits"] == [text for _, text in cases.CREDITS]
    assert got["counts"] == [[full, short] for _, full, short in cases.COUNTS]
    assert got["durations"] == [text for _, text in cases.DURATIONS]
    assert got["percents"] == [text for *_, text in cases.PERCENTS]
    assert got["unpriced"] == [[short, full, full] for *_, short, full in cases.UNPRICED], (
        "for BigInt and for numbers"
    )
    assert got["changes"] == [text for *_, text in cases.CHANGES]
    assert got["moments"] == [text for *_, text in cases.MOMENTS]


def test_shards_agree(reader: Reader) -> None:
    """The page computes the same shard of a run id as DuckDB, whatever the id."""
    ids = ["", "a", "req_0198", "x" * 55, "x" * 56, "x" * 64, "x" * 1000, "é🚀</script>"]
    page = reader.open("acme/prompts.html")
    expected = [
        int(duckdb.execute("select ('0x' || substr(md5(?), 1, 7))::bigint % 64", [text]).fetchone()[0])
        for text in ids
    ]
    assert page.evaluate("ids => ids.map(id => CU.shard(id, 64))", ids) == expected


@pytest.mark.parametrize("workspace", ["acme", writer.slug(HOSTILE)])
def test_range_twins_agree(reader: Reader, workspace: str) -> None:
    """Choosing the default range again draws exactly what Python wrote into the page."""
    read = "() => [...document.querySelectorAll('table, figure, #tiles, #notes, #range-label, #previous-label')].map(e => e.innerHTML)"
    page = reader.open(f"{workspace}/analytics.html")
    page.wait_for_selector("html.scripted")
    rendered = page.evaluate(read)
    page.click("button[data-days='7']")
    page.wait_for_selector("html[data-range='2026-11-03/2026-11-09']")
    assert page.evaluate(read) != rendered
    page.click("button[data-days='30']")
    page.wait_for_selector("html[data-range='2026-10-11/2026-11-09']")
    assert page.evaluate(read) == rendered


@pytest.mark.parametrize(
    ("workspace", "prices"),
    [("acme", SINCE_OCTOBER_4), (writer.slug(HOSTILE), analytics.CreditPrices(has_any=False))],
)
def test_any_range_is_what_python_says(
    reader: Reader, site: Path, workspace: str, prices: analytics.CreditPrices
) -> None:
    """The page says something else about a range that a reader chooses than the same rows say in Python."""
    months = months_of(site, workspace)
    page = reader.open(f"{workspace}/analytics.html")
    for first, last in (
        ("2026-10-01", "2026-10-05"),
        ("2026-10-04", "2026-10-04"),
        ("2026-08-12", "2026-11-09"),
        ("2026-09-01", "2026-09-02"),
    ):
        page.evaluate("range => CU.range.set(range[0], range[1])", [first, last])
        page.wait_for_selector(f"html[data-range='{first}/{last}']")
        view = analytics.build_view(
            months, date.fromisoformat(first), date.fromisoformat(last), prices, analytics.Edges("2026-10-01")
        )
        shown = page.evaluate(
            """() => {
                const cells = rows => [...rows].map(row => [...row.cells].map(cell => [cell.textContent, cell.title]));
                const tables = {};
                document.querySelectorAll('table[id^=t-]').forEach(table => { tables[table.id.slice(2)] = [
                    table.querySelector('td.empty') ? [] : cells(table.tBodies[0].rows), cells(table.tFoot.rows)]; });
                return { tables, notes: [...document.querySelectorAll('#notes p')].map(p => p.textContent),
                    titles: [...document.querySelectorAll('#c-cost title')].map(title => title.textContent),
                    tiles: [...document.querySelectorAll('#tiles .tile')].map(tile =>
                        [tile.children[0].textContent, tile.children[1].textContent, tile.children[1].title, tile.children[2].textContent, tile.children[3].textContent.trim(),
                         tile.querySelector('.delta') ? tile.querySelector('.delta').className : '', tile.querySelector('polyline') ? tile.querySelector('polyline').getAttribute('points') : '']) };
            }"""
        )
        assert shown["notes"] == list(view.notes), (first, last)
        assert shown["tiles"] == [
            [
                t.label,
                t.text,
                t.title,
                t.note,
                f"{t.delta} {t.baseline}".strip(),
                f"delta {t.tone}".strip() if t.delta else "",
                t.spark,
            ]
            for t in view.tiles
        ], (first, last)
        assert shown["titles"] == (
            [] if view.charts["cost"].is_empty else [bar.title for bar in view.charts["cost"].bars]
        )
        for name, table in view.tables.items():
            expected = [
                [[[cell.text, cell.title] for cell in row] for row in part]
                for part in (table.rows, table.footer)
            ]
            assert shown["tables"][name] == expected, f"{name} of {first} to {last}"


def test_range_change_follows_the_marts(reader: Reader, published: Path) -> None:
    """Tiles and tables of any range hold the marts' amounts of that range."""
    page = reader.open("acme/analytics.html")
    for days, first, last in (
        (1, "2026-11-09", "2026-11-09"),
        (7, "2026-11-03", "2026-11-09"),
        (90, "2026-08-12", "2026-11-09"),
    ):
        page.click(f"button[data-days='{days}']")
        page.wait_for_selector(f"html[data-range='{first}/{last}']")
        cost, tokens, *unpriced = one(
            published,
            "select sum(total_cost_usd), sum(total_tokens)::bigint, sum(unpriced_call_count)::bigint, "
            "sum(unpriced_total_tokens)::bigint from marts.mart_analytics__total_cost "
            "where workspace_id = 'acme' and usage_date between ?::date and ?::date",
            first,
            last,
        )
        lacks = cases.fmt.unpriced(*unpriced)
        tile = page.locator("#tiles .tile:nth-child(1)")
        assert tile.locator(".value").get_attribute("title") == cases.fmt.money_exact(cost) + lacks
        assert tile.locator(".note").inner_text() == lacks.strip()
        assert page.text_content("#t-tokens tfoot td:nth-child(2)") == cases.fmt.count(tokens)
    page.fill("input[name=from]", "2026-10-15")
    page.fill("input[name=to]", "2026-10-16")
    page.wait_for_selector("html[data-range='2026-10-15/2026-10-16']")
    assert page.inner_text("#range-label") == "15 Oct 2026 – 16 Oct 2026"


def test_range_percentiles_are_near_the_exact_ones(reader: Reader, published: Path) -> None:
    """Percentiles of a range, merged from histograms, are within 1 % of the exact ones."""
    page = reader.open("acme/analytics.html")
    exact = one(
        published,
        "select quantile_disc(duration_ms, 0.9) from marts.mart_logs__prompt_runs "
        "where workspace_id = 'acme' and status = 'completed' and usage_date between '2026-10-11' and '2026-11-09'",
    )[0]
    row = page.locator("#t-runs tbody tr", has_text="prompt")
    seconds = float(row.locator("td").nth(7).text_content().removesuffix(" s"))
    assert abs(seconds * 1000 - exact) <= exact * 0.0105 + 10


def test_top_users_switch(reader: Reader) -> None:
    """One ranking at a time is shown, and the buttons choose it."""
    page = reader.open("acme/analytics.html")
    assert page.locator("[data-users]:visible").count() == 1
    page.click("button[data-order=tokens]")
    assert page.locator("[data-users]:visible").get_attribute("data-users") == "tokens"


def test_analytics_reads_without_scripts(browser: Any, site: Path) -> None:
    """With scripts off the default range is there, and no control that could not work is shown."""
    held = Reader(browser, site, java_script_enabled=False)
    page = held.open("acme/analytics.html")
    assert "$" in page.inner_text("#tiles")
    assert page.locator("#range").is_hidden()
    assert page.locator("#t-models tbody tr").count() > 3
    held.context.close()


def test_log_filters(reader: Reader, published: Path) -> None:
    """Every filter keeps exactly the rows that the mart has for it."""
    page = reader.log("acme/prompts.html")
    reader.settle(lambda: page.click("button[data-days='all']"))
    where = {
        "provider": ("provider = 'anthropic'", "=anthropic"),
        "model": ("model = 'gpt-5-mini'", "=gpt-5-mini"),
        "api_key": ("api_key_name = 'Key 1'", "=Key 1"),
        "name": ("name = 'Lead scoring'", "=Lead scoring"),
        "source": ("source = 'webhook'", "=webhook"),
        "status": ("status = 'failed'", "=failed"),
    }
    for key, (condition, value) in where.items():
        reader.settle(lambda key=key, value=value: page.select_option(f"select[name={key}]", value))
        count = one(
            published,
            f"select count(*) from marts.mart_logs__prompt_runs where workspace_id = 'acme' and {condition}",
        )[0]
        assert page.inner_text("#log-totals strong") == f"{count:,} runs", f"filter {key}"
        reader.settle(lambda: page.click("#clear-filters"))
    for value, condition in (
        ("plan", "user_metadata is not null"),
        ("plan=pro", "user_metadata->>'plan' = 'pro'"),
        ("beta=true", "user_metadata->>'beta' = 'true'"),
        ("seats = 3", "user_metadata->>'seats' = '3'"),
    ):
        reader.settle(lambda value=value: page.fill("input[name=metadata]", value))
        count = one(
            published,
            f"select count(*) from marts.mart_logs__prompt_runs where workspace_id = 'acme' and {condition}",
        )[0]
        assert page.inner_text("#log-totals strong") == f"{count:,} runs", f"metadata {value}"
    reader.settle(lambda: page.click("#clear-filters"))
    reader.settle(lambda: page.fill("input[name=user_id]", "user-1"))
    count, cost, *unpriced = one(
        published,
        "select count(*), sum(total_cost_usd), sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint "
        "from marts.mart_logs__prompt_runs where workspace_id = 'acme' and user_id = 'user-1'",
    )
    assert page.inner_text("#log-totals strong") == f"{count} run{'' if count == 1 else 's'}", (
        "user-1 must not match user-10"
    )
    lacks = cases.fmt.unpriced(*unpriced)
    assert page.get_attribute("#log-totals span", "title") == cases.fmt.money_exact(cost) + lacks


@pytest.mark.parametrize(
    ("page_name", "columns", "filters"),
    [
        (
            "prompts",
            "Completed At, Name, Provider, Model, Charge Type, Status, Total Tokens, Total Cost, Provider Charge, Duration, API Key, Collaborator, Source",
            ["provider", "model", "api_key", "name", "source", "status", "user_id", "metadata"],
        ),
        (
            "workflows",
            "Completed At, Name, Tools, Status, Total Cost, Duration, API Key, Collaborator, Source, Delivery",
            ["api_key", "name", "source", "delivery", "status", "user_id", "metadata"],
        ),
        (
            "agents",
            "Completed At, Name, Model, Tools, Status, Total Tokens, Total Cost, Duration, API Key, Collaborator, Source",
            ["provider", "model", "api_key", "source", "status", "user_id", "metadata"],
        ),
    ],
)
def test_log_columns_and_filters(reader: Reader, page_name: str, columns: str, filters: list[str]) -> None:
    """Each log has exactly its columns and filters."""
    page = reader.log(f"acme/{page_name}.html")
    assert [text.strip() for text in page.locator("#log th").all_inner_texts()] == columns.split(", ")
    assert page.eval_on_selector_all("[data-filter]", "all => all.map(e => e.dataset.filter)") == filters


def test_log_totals_sort_and_pages(reader: Reader, published: Path) -> None:
    """Totals are the mart's, sorting orders the whole range and paging walks through all of it."""
    page = reader.log("acme/prompts.html")
    reader.settle(lambda: page.click("button[data-days='all']"))
    count, cost, dearest, *unpriced = one(
        published,
        "select count(*), sum(total_cost_usd), max(total_cost_usd), sum(unpriced_call_count)::bigint, "
        "sum(unpriced_total_tokens)::bigint from marts.mart_logs__prompt_runs where workspace_id = 'acme'",
    )
    lacks = cases.fmt.unpriced(*unpriced)
    assert unpriced[0], "the fixture has nothing unpriced to show"
    assert page.inner_text("#log-totals strong") == f"{count:,} runs"
    assert page.get_attribute("#log-totals span", "title") == cases.fmt.money_exact(cost) + lacks
    assert page.inner_text("#log-totals span") == cases.fmt.money(cost) + lacks
    reader.settle(lambda: page.click("th[data-key=total_tokens] button"))
    assert page.inner_text("#log-totals span") == cases.fmt.money(cost) + lacks, "rows say less than the days"
    reader.settle(lambda: page.click("#clear-filters"))
    seen = set(page.eval_on_selector_all("tr[data-run]", "all => all.map(e => e.dataset.run)"))
    while page.is_enabled("#page-next"):
        reader.settle(lambda: page.click("#page-next"))
        seen |= set(page.eval_on_selector_all("tr[data-run]", "all => all.map(e => e.dataset.run)"))
    assert len(seen) == count
    reader.settle(lambda: page.click("th[data-key=total_cost_usd] button"))
    assert page.inner_text("tr[data-run]:first-child td[data-key=total_cost_usd]").startswith(
        cases.fmt.money(dearest)
    )
    assert page.get_attribute("th[data-key=total_cost_usd]", "aria-sort") == "descending"


def test_totals_name_the_range_that_was_asked_for(reader: Reader) -> None:
    """Of a range without a run of the log, the first day that has one is said to be its first: '1 Oct 2026 – 5 Dec 2025'."""
    page = reader.log("acme/agents.html#from=2025-12-01&to=2025-12-05")
    assert page.inner_text("#log-totals") == "0 runs · 0 tokens · $0.00 · 0 credits · 1 Dec 2025 – 5 Dec 2025"


def test_breakdowns_on_hover_and_focus(reader: Reader) -> None:
    """The cost and token breakdowns appear by pointer and by keyboard, add up, and close with Escape."""
    page = reader.log("acme/agents.html")
    cell = page.locator(f"tr[data-run='{RUN_WITH_CHILDREN}']")
    cell.locator("td[data-key=total_cost_usd] button").hover()
    text = page.inner_text("#peek-box")
    for label in ("Estimated task credit cost", "Wallet charge", "Own", "Image generation", "Sub-agents"):
        assert label in text
    page.mouse.move(0, 0)
    assert page.locator("#peek-box").count() == 0
    cell.locator("td[data-key=total_tokens] button").focus()
    text = page.inner_text("#peek-box")
    for label in (
        "Input",
        "cached",
        "cache write",
        "Output",
        "reasoning",
        "Image",
        "Citation",
        "Own",
        "Sub-agents",
    ):
        assert label in text
    page.keyboard.press("Escape")
    assert page.locator("#peek-box").count() == 0
    reader.log("acme/prompts.html")
    personal = page.locator(
        "tr[data-run]", has=page.locator("td[data-key=charge_type]", has_text="personal")
    ).first
    personal.locator("td[data-key=total_cost_usd] button").focus()
    assert "External provider charge" in page.inner_text("#peek-box")


def test_columns_are_remembered(reader: Reader) -> None:
    """A hidden column stays hidden after a reload."""
    page = reader.log("acme/prompts.html")
    page.click("#columns summary")
    page.uncheck("#columns input[value=provider]")
    assert page.locator("th[data-key=provider]").is_hidden()
    page.reload()
    reader.ready()
    assert page.locator("th[data-key=provider]").is_hidden()
    assert page.locator("th[data-key=model]").is_visible()


def test_works_without_local_storage(browser: Any, site: Path) -> None:
    """A browser that forbids storage still shows the log."""
    held = Reader(browser, site)
    held.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('off', 'SecurityError'); } })"
    )
    page = held.log("acme/prompts.html")
    page.click("#columns summary")
    page.uncheck("#columns input[value=provider]")
    assert page.locator("tr[data-run]").count() == 50
    assert not held.problems, held.problems
    held.context.close()


def test_sheet_by_hash_and_keys(reader: Reader, published: Path) -> None:
    """A run id in the address opens its sheet with its pills, spans and child runs; keys move and close."""
    page = reader.log(f"acme/agents.html#run={RUN_WITH_CHILDREN}")
    page.wait_for_selector("#sheet[open]")
    assert page.inner_text("#sheet-title") == RUN_WITH_CHILDREN
    assert [text.strip() for text in page.locator(".pill dt").all_inner_texts()] == [
        "Tokens",
        "Credits",
        "Cost",
        "Duration",
        "Tool Calls",
    ]
    tokens, cost, *unpriced = one(
        published,
        "select total_tokens, total_cost_usd, unpriced_call_count, unpriced_total_tokens "
        "from marts.mart_logs__agent_runs where run_id = ?",
        RUN_WITH_CHILDREN,
    )
    lacks = cases.fmt.unpriced(*unpriced)
    assert page.locator(".pill dd").nth(0).inner_text() == cases.fmt.count(tokens)
    assert page.locator(".pill").nth(2).get_attribute("title") == cases.fmt.money_exact(cost) + lacks
    assert page.locator(".w-row[data-span]").count() == 8
    rows = "document.querySelector('.w-rows').offsetHeight / 28"
    cost, lacking = one(
        published,
        "select total_cost_usd, unpriced_call_count from marts.mart_details__child_runs where run_id = 'acme-child-agent'",
    )
    assert lacking, "the fixture's child run has no unpriced call"
    assert page.inner_text(".w-child .w-cost") == (f"{cases.fmt.money(cost)} + ?" if cost else "unpriced")
    page.click(".w-child .w-turn")
    until(page, f"{rows} === 9 + 9")  # the child run's spans, and a child run of its own
    page.locator(".w-child .w-turn").nth(1).click()
    until(page, f"{rows} === 9 + 9 + 5")
    page.click(f".w-row[data-span='{RUN_WITH_CHILDREN}.1']")
    panel = page.inner_text("#span-panel")
    for label in (
        "Model",
        "Latency",
        "Input",
        "of which cached",
        "Provider cost",
        "Estimated task credit cost",
        "Wallet charge",
    ):
        assert label in panel, f"a billed call must show {label}"
    page.click(f".w-row[data-span='{RUN_WITH_CHILDREN}.0']")
    panel = page.inner_text("#span-panel")
    assert "Wallet charge" not in panel
    assert "Duration" in panel
    page.keyboard.press("j")
    until(page, f"document.querySelector('#sheet-title').textContent !== '{RUN_WITH_CHILDREN}'")
    page.keyboard.press("k")
    until(page, f"document.querySelector('#sheet-title').textContent === '{RUN_WITH_CHILDREN}'")
    page.keyboard.press("Escape")
    assert page.locator("#sheet").is_hidden()
    assert "run=" not in page.url
    page = reader.log("acme/agents.html#days=90&status=%3Dcompleted&run=acme-child-agent")
    page.wait_for_selector("#sheet[open]")
    link = page.locator("#sheet .facts a", has_text=RUN_WITH_CHILDREN)
    assert link.get_attribute("href") == f"#days=90&status=%3Dcompleted&run={RUN_WITH_CHILDREN}", (
        "the way to the parent leaves the range and the filters"
    )


def test_the_run_that_was_asked_for_last_is_shown(reader: Reader) -> None:
    """Who walks quickly from run to run ends at one that is not in the address, because its data came last; or a closed sheet opens."""
    page = reader.log(f"acme/agents.html#run={RUN_WITH_CHILDREN}")
    page.wait_for_selector("#sheet[open]")
    page.evaluate("""() => {
        const find = CU.findRun;
        window.answered = 0;
        CU.findRun = id => new Promise(done => setTimeout(() => find(id).then(found => {
            done(found);
            setTimeout(() => { window.answered += 1; }, 100);
        }), id === "acme-child-agent" ? 300 : 0));
    }""")

    def ask(*addresses: str) -> None:
        page.evaluate(
            "async hashes => { for (const hash of hashes) { location.hash = hash; await new Promise(done => setTimeout(done, 50)); } }",
            addresses,
        )

    child, orphan = "run=acme-child-agent", "run=never-arrived-1"
    ask(child, orphan)
    until(page, "window.answered === 2")
    assert page.inner_text("#sheet-title") == "never-arrived-1"
    ask(child, orphan)
    until(page, "window.answered === 3")
    assert page.inner_text("#sheet-title") == "never-arrived-1", (
        "the shown run is left for one that nobody wants any more"
    )
    ask(child, "days=30")
    until(page, "window.answered === 4")
    assert page.locator("#sheet").is_hidden()
    ask(child)
    until(page, "document.querySelector('#sheet-title').textContent === 'acme-child-agent'")


@pytest.mark.parametrize(
    ("page_name", "kind", "pills"),
    [
        ("prompts", "prompt", ["Tokens", "Cost", "Duration", "Charge Type"]),
        ("workflows", "workflow", ["Cost", "Duration", "Tools"]),
    ],
)
def test_sheet_from_the_table(reader: Reader, page_name: str, kind: str, pills: list[str]) -> None:
    """A row opens its sheet, with the pills of its run type."""
    page = reader.log(f"acme/{page_name}.html")
    page.click("tr[data-run]:nth-child(2) td[data-key=status]")
    page.wait_for_selector("#sheet[open]")
    assert page.inner_text("#sheet-title") == page.get_attribute("tr[data-run]:nth-child(2)", "data-run")
    assert [text.strip() for text in page.locator(".pill dt").all_inner_texts()] == pills
    assert page.locator(".w-row").count() > 0


def test_sheet_says_what_its_costs_lack(reader: Reader, published: Path) -> None:
    """Pill, split, cost lines and child runs of a sheet show amounts as if every call had a price."""
    run, cost, *unpriced = one(
        published,
        "select run_id, total_cost_usd, unpriced_call_count, unpriced_total_tokens from marts.mart_logs__agent_runs "
        "where workspace_id = 'acme' and unpriced_call_count > 1 and unpriced_total_tokens > 0 order by run_id limit 1",
    )
    lacks = cases.fmt.unpriced(*unpriced)
    page = reader.log(f"acme/agents.html#run={run}")
    page.wait_for_selector("#sheet[open]")
    pill = page.locator(".pill").nth(2)
    assert pill.inner_text().split("\n") == ["Cost", cases.fmt.money(cost), lacks.strip()]
    assert pill.get_attribute("title") == cases.fmt.money_exact(cost) + lacks
    assert page.locator(".split tr").last.inner_text().split("\t") == [
        "Unpriced, not in the cost", cases.fmt.count(unpriced[1]), f"{unpriced[0]} calls",
    ]  # fmt: skip
    assert f"Unpriced, in none of these\n{lacks.removeprefix(' + ')}" in page.inner_text("#sheet")
    child, *unpriced = one(
        published,
        "select run_id, unpriced_call_count, unpriced_total_tokens from marts.mart_details__child_runs "
        "where parent_run_id = ?",
        RUN_WITH_CHILDREN,
    )
    page = reader.log(f"acme/agents.html#run={RUN_WITH_CHILDREN}")
    page.wait_for_selector("#sheet[open]")
    page.click(f".w-row[data-child='{child}']")
    line = page.locator(".w-link", has_text=child)
    assert unpriced[0], "the fixture's child run has nothing unpriced"
    assert cases.fmt.unpriced(*unpriced) + " · " in line.inner_text()
    orphan, day, *unpriced = one(
        published,
        "select run_id, usage_date::varchar, count(*), coalesce(sum(total_tokens), 0)::bigint from marts.mart_details__spans "
        "where is_orphan and cost_source = 'unpriced' group by 1, 2 order by 1, 2 limit 1",
    )
    assert page.evaluate("run => CU.sheet.open(run[0], run[1])", [orphan, day])
    assert cases.fmt.unpriced(*unpriced) + " is in the workspace's totals" in page.inner_text(
        "#sheet .notice"
    )


STORIES = {
    "a reported cost that the prices do not confirm": (
        "cost_source = 'reported' and price_status = 'priced' and reported_provider_cost_usd > computed_provider_cost_usd "
        "and credit_source = 'rated' and response_model = model and priced_model = model",
        ["Cost source\nreported with the call", "Price status\npriced: all that was used has a rate", "Computed cost\n$",
         "% against the reported one", "Credits source\nby the rate card", "Credit price\n$0.002 per credit",
         "Token convention\ninput_includes_cached", "Price set\n"],
        ["Priced as"],
    ),
    "a computed cost under another name": (
        "cost_source = 'priced' and price_status = 'partial' and priced_model = 'gemini-2.5-flash-001' and response_model = model",
        ["Cost source\ncomputed from its prices, as none was reported", "Price status\npartly priced",
         "Priced as\ngoogle / gemini-2.5-flash-001"],
        ["Computed cost", "Answered by"],
    ),
    "a call that another model answered": (
        "cost_source = 'priced' and price_status = 'free' and response_model <> model",
        ["Answered by\n", "Price status\nfree: its price is $0.00"],
        ["unpriced"],
    ),
    "unpriced usage": (
        "cost_source = 'unpriced' and unpriced_reason = 'no_price' and charge_type = 'hosted' and credit_source = 'reported' "
        "and computed_task_credits <> task_credits",
        ["Provider cost\nunpriced", "Wallet charge\nunpriced", " + unpriced",
         "Cost source\nunpriced: none was reported, and no price for this model at that time", "Credits source\nreported with the call",
         "Credits by rate card\n"],
        ["Price status", "Priced as", "Price set"],
    ),
    "unpriced usage on an own key, for a reason without words": (
        "cost_source = 'unpriced' and unpriced_reason = 'a_new_reason' and charge_type = 'personal'",
        ["External provider charge (not in total)\nunpriced", "and a_new_reason"],
        ["Wallet charge\nunpriced"],
    ),
    "a service that no provider charges for": (
        "cost_source is null and service = 'Website Scrape'",
        ["Cost source\nno provider charge expected"],
        ["Price status", "Price set", "Token convention"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_span_panel_says_how_the_cost_came_about(reader: Reader, published: Path, story: str) -> None:
    """The panel of a call does not say where its cost and credits come from, or says more than is so."""
    condition, said, unsaid = STORIES[story]
    run, span, kind = one(
        published,
        f"""select s.run_id, s.span_id, r.kind from marts.mart_details__spans as s join (
            select run_id, 'prompts' as kind from marts.mart_logs__prompt_runs union all
            select run_id, 'workflows' from marts.mart_logs__workflow_runs union all
            select run_id, 'agents' from marts.mart_logs__agent_runs) as r on r.run_id = s.run_id
        where s.workspace_id = 'acme' and usage_date >= '2026-10-04' and {condition} order by 1, 2 limit 1""",
    )
    page = reader.log(f"acme/{kind}.html#run={run}")
    page.wait_for_selector("#sheet[open]")
    page.click(f".w-row[data-span='{span}']")
    panel = page.inner_text("#span-panel")
    assert [text for text in said if text not in panel] == [], panel
    assert [text for text in unsaid if text in panel] == [], panel


def test_search_opens_any_run(reader: Reader, published: Path) -> None:
    """A pasted run id opens its sheet, in the right log; an unknown one is said to be unknown; an orphan's
    spans are shown.
    """
    page = reader.log("acme/prompts.html")
    prompt = one(
        published,
        "select run_id from marts.mart_logs__prompt_runs where workspace_id = 'acme' and usage_date = '2026-10-02' limit 1",
    )[0]
    page.fill("input[name=run]", prompt)
    page.wait_for_selector("#sheet[open]")
    assert page.inner_text("#sheet-title") == prompt
    page.keyboard.press("Escape")
    page.fill("input[name=run]", "no-such-run")
    until(page, "document.querySelector('#log-totals').textContent.includes('No run with the id')")
    page.fill("input[name=run]", "never-arrived-1")
    page.wait_for_selector("#sheet[open]")
    assert "unattributed" in page.inner_text("#sheet")
    page.fill("input[name=run]", "acme-grandchild-workflow")
    page.wait_for_url("**/workflows.html#run=acme-grandchild-workflow")
    page.wait_for_selector("#sheet[open]")
    foreign = one(
        published, "select run_id from marts.mart_logs__prompt_runs where workspace_id <> 'acme' limit 1"
    )[0]
    reader.ready()
    page.fill("input[name=run]", foreign)
    until(page, "document.querySelector('#log-totals').textContent.includes('No run with the id')")


def test_hostile_workspace(reader: Reader, published: Path) -> None:
    """Names that try to be markup are text on every page, and nothing of them runs."""
    folder = writer.slug(HOSTILE)
    for name in ("analytics", "prompts", "workflows", "agents", "users"):
        page = reader.open(f"{folder}/{name}.html")
        page.wait_for_timeout(150)
        assert page.evaluate("window.pwned") is None
        assert page.locator("main b, main i, main img, main script").count() == 0, name
    page = reader.log(f"{folder}/prompts.html")
    page.click("tr[data-run]:nth-child(1) td[data-key=status]")
    page.wait_for_selector("#sheet[open]")
    for row in page.locator(".w-row").all():
        row.click()
    assert page.evaluate("window.pwned") is None
    page = reader.log(f"{folder}/prompts.html#days=all")
    names = dict(
        rows_of(
            published,
            "select coalesce(name, resource_id), count(*) from marts.mart_logs__prompt_runs where workspace_id = ? group by 1",
            HOSTILE,
        )
    )
    assert {len(name) for name in names} >= {10_000}
    assert any("مرحبا" in name for name in names)
    assert any("🚀" in name for name in names)
    for name, count in names.items():
        reader.settle(lambda name=name: page.select_option("select[name=name]", "=" + name))
        assert page.inner_text("#log-totals strong").split()[0] == str(count), f"filter by {name[:40]!r}"
    longest = max(names, key=len)
    reader.settle(lambda: page.select_option("select[name=name]", "=" + longest))
    reader.log(f"{folder}/{page.url.rsplit('/', 1)[1]}")
    assert page.inner_text("#log-totals strong").split()[0] == str(names[longest]), (
        "the address loses a long name"
    )
    user = one(
        published, "select max(user_id) from marts.mart_users__summary where workspace_id = ?", HOSTILE
    )[0]
    page = reader.open(f"{folder}/users.html#days=all")
    page.wait_for_selector("html[data-user='']", state="attached")
    page.fill("input[name=user]", user)
    page.locator("#users tbody a", has_text=user).first.click()
    page.wait_for_selector("html[data-runs=ready]", state="attached")
    assert page.inner_text("#who") == user
    assert page.locator("main i, main b, main img").count() == 0
    reader.open("index.html")
    assert page.get_by_role("link", name='<b>Evil</b> & "Söns"').count() == 1


def test_values_that_html_would_change(browser: Any, published: Path, tmp_path: Path) -> None:
    """A filter by a name with a carriage return, by a user whose id has line breaks, or by a long number in metadata finds none of its
    runs; a sheet shows another number; a sheet of a workspace without a priced call asks for a file that is not there.
    """
    path = tmp_path / "usage.duckdb"
    shutil.copy(published, path)
    odd, user = "one\r\ntwo\0", "user\r\n1"
    with duckdb.connect(str(path)) as connection:
        for mart in ("mart_logs__prompt_runs", "mart_details__prompt_summary"):
            connection.execute(
                f"update marts.{mart} set name = ?, user_id = ?, user_metadata = ? where workspace_id = 'acme' and usage_date = date '2026-11-09'",
                [odd, user, '{"order": 12345678901234567893, "a\\"1": 1.50, "n": -1}'],
            )
        connection.execute("update marts.mart_details__spans set price_set_id = null")
    count = one(path, "select count(*) from marts.mart_logs__prompt_runs where name = ?", odd)[0]
    assert count
    build_site(path, tmp_path / "site")
    held = Reader(browser, tmp_path / "site")
    page = held.log("acme/prompts.html#days=all")
    held.settle(lambda: page.select_option("select[name=name]", "=" + odd))
    assert page.inner_text("#log-totals strong") == f"{count} runs"
    address = page.url.rsplit("/", 1)[1]
    for wanted in (address, f"prompts.html#days=all&user={quote(user)}"):
        page = held.log(f"acme/{wanted}")
        assert page.inner_text("#log-totals strong") == f"{count} runs", wanted
        assert unquote(page.url.rsplit("/", 1)[1]) == unquote(wanted), (
            "the address has lost what was asked for"
        )
    held.settle(lambda: page.fill("input[name=user_id]", "user"))
    assert page.inner_text("#log-totals strong") == "0 runs"
    held.settle(lambda: page.click("#clear-filters"))
    for asked, found in (
        ("order=12345678901234567000", 0),
        ("order=12345678901234567893", count),
        ('a"1=1.5', count),
    ):
        held.settle(lambda asked=asked: page.fill("input[name=metadata]", asked))
        assert page.inner_text("#log-totals strong") == f"{found} runs", asked
    page.click("tr[data-run]:nth-child(1) td[data-key=status]")  # the first click after typing is one, too
    page.wait_for_selector("#sheet[open]")
    assert "12345678901234567893" in page.inner_text("#sheet")
    held.context.close()
    assert not held.problems


@pytest.mark.parametrize("width", [360, 600, 700, 800, 1024, 1280, 1359, 1400, 3840])
def test_rows_of_cards_are_full(browser: Any, site: Path, width: int) -> None:
    """The last card stands alone at the left of a row of its own."""
    held = Reader(browser, site, width)
    for path in ("acme/analytics.html", "acme/users.html"):
        page = held.open(path)
        boxes = page.eval_on_selector_all(
            ".tile",
            "all => all.map(e => { const b = e.getBoundingClientRect(); return [Math.round(b.top), b.left, b.right]; })",
        )
        ends = {}
        for top, _, right in boxes:
            ends[top] = max(right, ends.get(top, 0))
        assert max(ends.values()) - min(ends.values()) < 2, f"{path} at {width}: rows end at {ends}"
        assert min(right - left for _, left, right in boxes) > 100, (
            f"{path} at {width}: a card is too narrow to read"
        )
    held.context.close()


@pytest.mark.parametrize("width", [360, 768, 1400, 3840])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_horizontal_page_scroll(browser: Any, site: Path, width: int, theme: str) -> None:
    """No page is wider than its window, at any width and in both themes."""
    held = Reader(browser, site, width, color_scheme=theme)
    for path in (
        "index.html",
        "acme/analytics.html",
        "acme/prompts.html",
        f"{writer.slug(HOSTILE)}/prompts.html",
        f"acme/agents.html#run={RUN_WITH_CHILDREN}",
        "acme/users.html",
    ):
        page = held.open(path)
        page.wait_for_timeout(120)
        wide = page.evaluate(
            "() => [document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]"
        )
        assert max(wide[0], wide[1]) <= wide[2], f"{path} at {width}: {wide}"
        if "run=" in path:
            page.wait_for_selector("#sheet[open]")
            box = page.locator("#sheet").bounding_box()
            assert box["x"] >= 0, f"the sheet starts outside the window at {width}"
            assert (
                page.evaluate(
                    "() => { const s = document.getElementById('sheet'); return s.scrollWidth - s.clientWidth }"
                )
                <= 0
            )
    assert not held.problems, held.problems
    held.context.close()


def test_policy_forbids_inline_scripts(reader: Reader) -> None:
    """The content security policy is in force when the page is opened from disk."""
    page = reader.open("acme/analytics.html")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.inline = 1'; document.body.appendChild(s); }"
    )
    assert page.evaluate("window.inline") is None
    assert any("Content Security Policy" in text for text in reader.problems)
    reader.problems.clear()


def test_config_is_plain_json(site: Path) -> None:
    """What the pages embed is JSON and nothing else."""
    text = (
        (site / "acme" / "prompts.html")
        .read_text(encoding="utf-8")
        .split('id="config">')[1]
        .split("</script>")[0]
    )
    assert json.loads(text)["log"] == "prompts"


def downloaded(page: Any, selector: str) -> list[list[str]]:
    with page.expect_download() as waiting:
        page.click(selector)
    return list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"))))


def test_log_csv(reader: Reader, published: Path) -> None:
    """The CSV of the filtered rows or of a whole day has other rows than the mart, rounded amounts, or a cell that runs as a formula."""
    page = reader.log("acme/prompts.html#days=all&status=%3Dfailed")
    assert page.input_value("select[name=status]") == "=failed", "the address does not bring the filter"
    page.click("#csv summary")
    head, *rows = downloaded(page, "#csv-filtered")
    count, cost = one(
        published,
        "select count(*), sum(total_cost_usd) from marts.mart_logs__prompt_runs where workspace_id = 'acme' and status = 'failed'",
    )
    assert len(rows) == count
    assert sum(Decimal(row[head.index("total_cost_usd")]) for row in rows) == cost
    assert {row[head.index("status")] for row in rows} == {"failed"}
    page.select_option("#csv-day", "2026-10-20")
    head, *rows = downloaded(page, "#csv-whole-day")
    whole = one(
        published,
        "select count(*), sum(total_cost_usd), min(started_at) from marts.mart_logs__prompt_runs where workspace_id = 'acme' and usage_date = '2026-10-20'",
    )
    assert (len(rows), sum(Decimal(row[head.index("total_cost_usd")]) for row in rows)) == whole[:2]
    assert (
        min(row[head.index("started_at")] for row in rows)
        == whole[2].isoformat(timespec="milliseconds") + "Z"
    )
    page.keyboard.press("Escape")
    assert page.locator("#csv[open]").count() == 0, "Escape leaves the menu open"

    page = reader.log(f"{writer.slug(HOSTILE)}/prompts.html#days=all")
    page.click("#csv summary")
    head, *rows = downloaded(page, "#csv-filtered")
    names = [row[head.index("name")] for row in rows]
    assert any(len(name) == 10_000 for name in names), "the fixture has no long name"
    assert not [name for name in names if name[:1] in "=+-@"], "a cell runs as a formula"
    assert any(name.startswith("'=cmd|") for name in names)


def test_a_cap_says_where_the_rest_is(reader: Reader, published: Path) -> None:
    """A filter that did not reach all rows does not say so, or the way to the rest does not lead there."""
    page = reader.log("acme/prompts.html#days=all")
    text = (reader.site / "assets" / "logs.js").read_text()
    assert "var ROW_CAP = 100000;" in text
    page.route(
        "**/logs.js",
        lambda route: route.fulfill(body=text.replace("100000", "200"), content_type="text/javascript"),
    )
    reader.log("acme/prompts.html#days=all&status=%3Dcompleted")
    total = one(published, "select count(*) from marts.mart_logs__prompt_runs where workspace_id = 'acme'")[0]
    said = page.inner_text("#log-rest")
    assert f" of {total:,} runs, back to " in said
    reader.settle(lambda: page.click("#log-rest button"))
    assert page.input_value("input[name=from]") == "2026-10-01"
    assert page.input_value("input[name=to]") < "2026-11-09"


def test_amounts_stand_below_their_points(reader: Reader) -> None:
    """The points of a column of amounts, or of a breakdown, do not stand below one another."""
    page = reader.log("acme/prompts.html")
    points = page.evaluate("""() => [...document.querySelectorAll('td[data-key=total_cost_usd] .peek')].map(e => {
        const range = document.createRange(), text = e.firstChild; range.setStart(text, text.data.indexOf('.')); range.setEnd(text, text.data.indexOf('.') + 1);
        return [text.data, range.getBoundingClientRect().left]; })""")
    assert len({text.split(".")[1].__len__() for text, _ in points}) > 1, (
        "the fixture has amounts of one length only"
    )
    assert max(x for _, x in points) - min(x for _, x in points) < 1.0, points
    page.locator("td[data-key=total_cost_usd] .peek").first.focus()
    amounts = [text for text in page.locator("#peek-box dd").all_inner_texts() if text.startswith("$")]
    assert len(amounts) > 3
    assert len({len(text.split(".")[1]) for text in amounts}) == 1, amounts


def test_price_lines_make_the_cost(reader: Reader, published: Path) -> None:
    """Quantity times rate, line by line, does not make the cost that the call has, or does not say whose prices they are."""
    run, span, cost, priced = one(
        published,
        "select run_id, span_id, computed_provider_cost_usd, priced_model from marts.mart_details__spans as s where workspace_id = 'acme' and cost_source = 'priced' "
        "and price_status = 'priced' and cached_tokens > 0 and reasoning_tokens > 0 and computed_provider_cost_usd = provider_cost_usd "
        "and exists (select 1 from marts.mart_logs__prompt_runs as l where l.run_id = s.run_id) order by 1, 2 limit 1",
    )
    page = reader.log(f"acme/prompts.html#run={run}")
    page.wait_for_selector("#sheet[open] .price-lines")
    assert page.get_attribute(".w-row[aria-selected=true]", "data-span") == span, (
        "the only call of a run is not chosen at once"
    )
    lines = page.eval_on_selector_all(
        ".price-lines tbody tr", "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert len(lines) >= 4
    total = Decimal(0)
    for _, quantity, rate, amount in lines:
        per_million = Decimal(rate.removeprefix("× $").removesuffix(" / 1M"))
        exact = Decimal(quantity.replace(",", "")) * per_million / 1_000_000
        assert Decimal(amount.removeprefix("$")) == exact, (quantity, rate, amount)
        total += exact
    assert total == cost
    assert page.inner_text(".price-lines tfoot td").removeprefix("$").rstrip("0") == str(cost).rstrip("0")
    assert f"{priced} (catalogue 1.2)" in page.inner_text("#span-panel")


def test_duplicates_say_what_they_repeat(reader: Reader, published: Path) -> None:
    """A duplicate or a roll-up looks like a call without usage, and does not lead to the call that is billed."""
    for role, reason in (("duplicate", "same response id"), ("rollup", "sums its children")):
        run, span, billed, kind = one(
            published,
            """select s.run_id, s.span_id, s.billed_span_id, r.kind from marts.mart_details__spans as s join (
                select run_id, 'prompts' as kind from marts.mart_logs__prompt_runs union all select run_id, 'agents' from marts.mart_logs__agent_runs) as r on r.run_id = s.run_id
            where s.workspace_id = 'acme' and billing_role = ? and billed_span_id is not null order by 1, 2 limit 1""",
            role,
        )
        page = reader.log(f"acme/{kind}.html#run={run}")
        page.wait_for_selector("#sheet[open]")
        page.click(f".w-row[data-span='{span}'] .w-name")
        panel = page.inner_text("#span-panel")
        assert "nothing of it is in a total" in panel
        assert reason in panel
        assert "Total tokens\n1,234" in panel, "what it claimed is not shown"
        page.click("#span-panel button.link")
        assert page.get_attribute(".w-row[aria-selected=true]", "data-span") == billed


def test_thousands_of_spans_by_keys(reader: Reader) -> None:
    """A large trace draws every row, cannot be walked, collapsed or printed by keyboard, or loses spans that name each other as parents."""
    page = reader.log("acme/agents.html")
    page.evaluate("""() => {
        const at = CU.positions(CU.config().span_fields), width = CU.config().span_fields.length;
        const span = (i, parent) => { const row = Array(width).fill(null); row[at.span_id] = 's' + i; row[at.run_id] = 'big'; row[at.parent_span_id] = parent;
            row[at.span_name] = 'span ' + i; row[at.span_kind] = 'tool'; row[at.status] = i % 50 ? 'completed' : 'failed'; row[at.start_offset_ms] = i; row[at.duration_ms] = 5;
            row[at.billing_role] = 'none'; return row; };
        const spans = [span(0, null)];
        for (let i = 1; i < 5000; i += 1) { spans.push(span(i, i % 10 === 1 ? 's0' : 's' + (i - (i - 1) % 10))); }
        spans.push(span(5000, 's5001'), span(5001, 's5000'));
        CU.chunk('runs', '2026-11-09', { runs: [], spans: spans, children: [] });
        window.opened = CU.sheet.open('big', '2026-11-09'); }""")
    page.wait_for_selector("#sheet[open] .w-row")
    height = "document.querySelector('.w-rows').offsetHeight / 28"
    drawn = "document.querySelectorAll('.w-row').length"
    chosen = ".w-row[aria-selected=true]"
    assert page.inner_text(".w-said") == "5,002 spans, 101 failed"
    assert page.evaluate(height) == 5002, "the two of the ring are lost"
    assert page.evaluate(drawn) < 60, "rows out of sight are drawn"
    page.focus(".w-view")
    page.keyboard.press("End")
    assert page.get_attribute(chosen, "data-span") == "s5001"
    assert page.get_attribute(".w-view", "aria-activedescendant") == page.get_attribute(chosen, "id")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute(chosen, "data-span") == "s1"
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute(chosen, "aria-expanded") == "false"
    assert page.evaluate(height) == 5002 - 9, "a closed span leaves its parts on the page"
    page.keyboard.press("ArrowDown")
    assert page.get_attribute(chosen, "data-span") == "s11"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute(chosen, "data-span") == "s0", "ArrowLeft does not go to what is above"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(height) == 3, "the root and the two of the ring"
    page.click(".w-head button:text-is('Expand all')")
    page.click(".w-head button:text-is('Collapse all')")
    assert page.evaluate(height) <= 4
    page.click(".w-head button:text-is('Expand all')")
    page.emulate_media(media="print")
    until(page, f"{drawn} === 1500")
    assert "Showing 1,500 of 5,002 spans" in page.inner_text(".w-rest")
    assert page.locator("#log").is_hidden(), "paper shows the table below the sheet"
    page.emulate_media(media="screen")
    until(page, f"{drawn} < 60")


def test_a_log_by_keyboard(reader: Reader) -> None:
    """A log cannot be used without a mouse: search, columns, sort, a run's sheet and the way back."""
    page = reader.log("acme/prompts.html")
    page.locator("h1").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "run"
    page.focus("#columns summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("th[data-key=name]").is_hidden()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.focus("th[data-key=duration_ms] button")
    reader.settle(lambda: page.keyboard.press("Enter"))
    assert page.get_attribute("th[data-key=duration_ms]", "aria-sort") == "descending"
    page.locator("#log .open").nth(1).focus()
    run = page.locator("tr[data-run]").nth(1).get_attribute("data-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet[open]")
    assert page.evaluate("document.activeElement.id") == "sheet-title"
    page.keyboard.press("k")
    until(page, f"document.querySelector('#sheet-title').textContent !== '{run}'")
    page.keyboard.press("Escape")
    assert page.locator("#sheet").is_hidden()
    assert page.evaluate("document.activeElement.className") == "open", "focus does not come back to the run"


def test_menus_and_navigation_on_a_phone(browser: Any, site: Path) -> None:
    """At 360 px a menu opens outside the window, or the navigation hides the page that one is on."""
    held = Reader(browser, site, 360)
    page = held.log("acme/prompts.html")
    for menu in ("#columns", "#csv"):
        page.click(f"{menu} summary")
        box = page.locator(f"{menu} fieldset").bounding_box()
        assert box["x"] >= 0, menu
        assert box["x"] + box["width"] <= 360, menu
    box = held.open("acme/quality.html").locator("nav [aria-current]").bounding_box()
    assert box["x"] + box["width"] <= 360, "the current page is out of sight"
    held.context.close()
    assert not held.problems, held.problems
