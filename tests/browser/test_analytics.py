# ruff: noqa: E501  (SQL and expected texts)
"""The first panel of analytics, and what all pages share: range, theme, stamps; in Chromium, from disk, without a network."""

from __future__ import annotations

import csv
import io
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reports import single
from reports.build import build_site
from reports.serve import server
from tests.browser.reader import Reader, one
from tests.reports_fixture import ACME, HOSTILE, make_published
from tests.unit import test_format as cases

pytestmark = [pytest.mark.browser]
MART = "marts.mart_analytics__usage_breakdown"
FIRST, LAST = "2026-10-11", "2026-11-09"


def explored(page: Any, state: str) -> None:
    page.wait_for_selector(f"html[data-explore='{state}']", state="attached")


def table(page: Any, name: str) -> list[list[tuple[str, str]]]:
    """Text and title of each cell of body and footer."""
    rows: list[list[list[str]]] = page.evaluate(
        "name => [...document.querySelectorAll('#' + name + ' tbody tr, #' + name + ' tfoot tr')]"
        ".map(row => [...row.cells].map(cell => [cell.textContent, cell.title]))",
        name,
    )
    return [[(text, title) for text, title in row] for row in rows]


def downloaded(page: Any, selector: str) -> list[list[str]]:
    with page.expect_download() as waiting:
        page.click(selector)
    return list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("group", "column"),
    [
        ("model", "model"), ("provider", "provider"), ("service", "service"), ("resource", "resource_name"),
        ("api_key", "api_key"), ("charge_type", "charge_type"), ("collaborator", "collaborator"),
    ],
)  # fmt: skip
def test_groups_are_the_marts(reader: Reader, published: Path, group: str, column: str) -> None:
    """A group of the first panel shows other amounts than the mart, or its rows do not add up to the total."""
    page = reader.open("acme/analytics.html")
    page.select_option("#group", group)
    explored(page, f"cost/{group}")
    rows = table(page, "x-groups")
    names = [row[0][0] for row in rows[:-1]]
    assert len(names) == len(set(names)) > 1
    for name, cost, _, calls, *_ in (row for row in rows[:-1]):
        amount, lacking, tokens, count = one(
            published,
            f"select sum(total_cost_usd), sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint, sum(call_count)::bigint "
            f"from {MART} where workspace_id = 'acme' and usage_date between ?::date and ?::date and coalesce({column}, '(not said)') = ?",
            FIRST, LAST, name[0],
        )  # fmt: skip
        assert cost[1] == cases.fmt.money_exact(amount) + cases.fmt.unpriced(lacking, tokens), name
        assert calls[0] == cases.fmt.count(count), name
    total = one(
        published,
        "select sum(total_cost_usd) from marts.mart_analytics__total_cost where workspace_id = 'acme' and usage_date between ?::date and ?::date",
        FIRST,
        LAST,
    )[0]
    assert rows[-1][1][1].startswith(cases.fmt.money_exact(total))


def test_measure_group_and_filter_by_clicks(reader: Reader, published: Path) -> None:
    """Tokens or calls cannot be chosen, a click on a legend entry does not filter, or the filtered sums are not the mart's."""
    page = reader.open("acme/analytics.html")
    page.click("#measure button[data-measure=tokens]")
    explored(page, "tokens/")
    assert page.inner_text("#h-cost") == "Total Tokens"
    page.select_option("#group", "model")
    explored(page, "tokens/model")
    entry = page.locator("#l-cost button").first
    model = entry.locator(".legend-name").inner_text()
    entry.click()
    explored(page, f"tokens/model/model={model}")
    page.select_option("#group", "api_key")
    explored(page, f"tokens/api_key/model={model}")
    rows = table(page, "x-groups")
    for row in rows[:-1]:
        tokens = one(
            published,
            f"select sum(total_tokens)::bigint from {MART} where workspace_id = 'acme' and usage_date between ?::date and ?::date "
            "and model = ? and coalesce(api_key, '(not said)') = ?",
            FIRST, LAST, model, row[0][0],
        )[0]  # fmt: skip
        assert row[2][1] == cases.fmt.count(tokens), row[0][0]
    whole = one(
        published,
        f"select sum(total_tokens)::bigint from {MART} where workspace_id = 'acme' and usage_date between ?::date and ?::date and model = ?",
        FIRST, LAST, model,
    )[0]  # fmt: skip
    assert rows[-1][2][1] == cases.fmt.count(whole)
    assert page.get_attribute(".chip-sum", "title") == cases.fmt.count(whole)

    address = page.url
    other = reader.open("acme/" + address.rsplit("/", 1)[1])
    explored(other, f"tokens/api_key/model={model}")
    assert table(other, "x-groups") == rows, "the address does not bring the same view"
    other.click("#chips button")
    explored(other, "tokens/api_key")
    other.click("#measure button[data-measure=cost]")
    other.select_option("#group", "")
    explored(other, "cost/")
    assert other.is_visible("#t-cost_parts")
    assert other.is_hidden("#x-groups")


def test_a_bar_filters_or_narrows(reader: Reader) -> None:
    """A click on a bar does nothing, or what it does cannot be done by keyboard."""
    page = reader.open("acme/analytics.html#by=charge_type")
    explored(page, "cost/charge_type")
    rect = page.locator("#c-cost rect[data-part='0']").last
    rect.click()
    page.wait_for_selector("#chips button")
    page.click("#chips button")
    page.locator("#c-tokens svg").focus()
    page.keyboard.press("End")
    assert "9 Nov 2026" in page.inner_text("#chart-tip strong")
    page.keyboard.press("ArrowLeft")
    assert "8 Nov 2026" in page.inner_text("#chart-tip strong")
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-range='2026-11-08/2026-11-08']", state="attached")
    assert page.input_value("input[name=from]") == "2026-11-08"


def test_tooltip_says_the_exact_amount(reader: Reader, published: Path) -> None:
    """A bar under the pointer shows a rounded amount, or that of another day."""
    page = reader.open("acme/analytics.html")
    box = page.locator("#c-cost svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 29.5 / 30, box["y"] + 100)
    page.wait_for_selector("html[data-range]", state="attached")
    page.mouse.move(box["x"] + box["width"] * 29.6 / 30, box["y"] + 110)
    page.wait_for_selector("#chart-tip:not([hidden])")
    cost = one(
        published,
        "select total_cost_usd from marts.mart_analytics__total_cost where workspace_id = 'acme' and usage_date = '2026-11-09'",
    )[0]
    assert "9 Nov 2026" in page.inner_text("#chart-tip")
    assert page.inner_text("#chart-tip .sum td").startswith(cases.fmt.money_exact(cost))


def test_csv_is_exact_and_harmless(reader: Reader, published: Path) -> None:
    """A CSV has rounded amounts, leaves days out, or a cell that a spreadsheet runs as a formula."""
    page = reader.open("acme/analytics.html#by=model")
    explored(page, "cost/model")
    head, *rows = downloaded(page, "#explore-csv")
    at = head.index("total_cost_usd")
    assert head[:2] == ["usage_date", "model"]
    cost, days = one(
        published,
        f"select sum(total_cost_usd), count(distinct usage_date) from {MART} where workspace_id = 'acme' and usage_date between ?::date and ?::date",
        FIRST, LAST,
    )  # fmt: skip
    assert sum(Decimal(row[at]) for row in rows) == cost
    assert len({row[0] for row in rows}) == days
    head, *rows = downloaded(page, "[data-csv=services]")
    assert (
        sum(Decimal(row[head.index("Total cost")]) for row in rows[:-1])
        == Decimal(rows[-1][head.index("Total cost")])
        == cost
    )
    assert int(rows[-1][head.index("Unpriced calls")]) > 0
    page.click("button[data-days='1']")
    page.wait_for_selector("html[data-range='2026-11-09/2026-11-09']", state="attached")
    head, *rows = downloaded(page, "[data-csv=tokens]")
    assert all(row[head.index("Change")][0] in "+-±" for row in rows), "a change is no formula"
    cells = {"\n=1+1": '"\'\n=1+1"', "＝1+1": "'＝1+1", "-0.5": "-0.5", "+12.3%": "+12.3%", "-1+1%": "'-1+1%"}
    assert page.evaluate("texts => texts.map(CU.csvCell)", list(cells)) == list(cells.values())

    from reports import writer

    page = reader.open(f"{writer.slug(HOSTILE)}/analytics.html#by=resource")
    explored(page, "cost/resource")
    _, *rows = downloaded(page, "#explore-csv")
    formulas = [row[1] for row in rows if "cmd|" in row[1]]
    assert formulas, "the fixture has no name that is a formula"
    assert all(name.startswith("'=") for name in formulas)


def test_no_csv_parts_thousands(browser: Any, tmp_path: Path) -> None:
    """An amount of a CSV has separators, which no program reads as a number."""
    path = make_published(tmp_path / "usage.duckdb", days=2, runs_per_day=8)
    with duckdb.connect(str(path)) as connection:
        for mart in ("tool_usage", "service_costs", "total_cost", "top_users"):
            connection.execute(
                f"update marts.mart_analytics__{mart} set task_credits = 1234.5, total_cost_usd = 1234.5"
            )
    build_site(path, tmp_path / "site")
    held = Reader(browser, tmp_path / "site")
    page = held.open("acme/analytics.html")
    page.evaluate("CU.analytics.ready()")
    for name in ("tools", "services", "cost_days", "users_cost"):
        text = page.evaluate("name => CU.analytics.tableCsv(name)", name)
        assert "1234.5" in text, name
        assert "1,234" not in text, name
    held.context.close()
    assert not held.problems


def test_range_travels_with_the_reader(reader: Reader) -> None:
    """A range chosen on one page is lost on the next, or the address does not hold it."""
    page = reader.open("acme/analytics.html")
    page.click("button[data-days='7']")
    page.wait_for_selector("html[data-range='2026-11-03/2026-11-09']", state="attached")
    page.click("nav a:has-text('Prompts')")
    page.wait_for_url("**/prompts.html#days=7")
    reader.ready()
    assert page.get_attribute("button[data-days='7']", "aria-pressed") == "true"
    reader.settle(lambda: page.fill("input[name=from]", "2026-11-05"))
    page.click("nav a:has-text('Analytics')")
    page.wait_for_url("**/analytics.html#from=2026-11-05&to=2026-11-09")
    page.wait_for_selector("html[data-range='2026-11-05/2026-11-09']", state="attached")
    page.fill("input[name=to]", "2026-11-01")
    assert "after the last" in page.inner_text("#range-state")


def test_a_year_can_be_typed(browser: Any, site: Path) -> None:
    """A year that is typed, a far day in an address, or one that no calendar has, draws centuries of days: the page hangs."""
    held = Reader(browser, site, locale="en-US")
    page = held.open("acme/analytics.html")
    page.focus("input[name=from]")
    page.keyboard.type("1105202")
    assert page.input_value("input[name=from]") == "0202-11-05", "this browser tells a day while it is typed"
    assert page.inner_text("#range-state") == "Usage is from 1 Oct 2026 to 9 Nov 2026."
    page.keyboard.type("6")
    page.wait_for_selector("html[data-range='2026-11-05/2026-11-09']", state="attached")
    assert not page.inner_text("#range-state")
    page = held.open("acme/analytics.html#from=0001-01-01&to=9999-12-31")
    page.wait_for_selector("html[data-range='2025-09-30/2027-11-10']", state="attached")
    page = held.open("acme/users.html#from=2026-02-31&to=2026-99-99")
    assert page.inner_text("#range-label") == "11 Oct 2026 – 9 Nov 2026"
    held.context.close()
    assert not held.problems


def test_theme_by_system_and_by_switch(browser: Any, site: Path) -> None:
    """The dark theme does not follow the system, or the switch does not go before it and is not remembered."""
    held = Reader(browser, site, color_scheme="dark")
    page = held.open("acme/analytics.html")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(background)
    page.click("#theme")
    light = page.evaluate(background)
    assert light != dark
    assert page.get_attribute("#theme", "aria-label") == "Theme: Light"
    for path in ("index.html", "acme/quality.html"):
        assert held.open(path).evaluate(background) == light, f"{path} forgot the theme"
    held.page.click("#theme")
    held.page.click("#theme")
    assert held.page.evaluate(background) == dark, "the system's theme does not come back"
    held.context.close()
    assert not held.problems


def test_stamps_are_on_the_workspace_clock(reader: Reader) -> None:
    """The stamps are missing, or in another time zone than the days beside them."""
    from reports import writer

    page = reader.open("acme/quality.html")
    assert page.inner_text(".stamps [data-stamp=data_through_at]") == "Data through 2026-11-09 23:55 UTC"
    page = reader.open(f"{writer.slug(HOSTILE)}/users.html")
    assert (
        page.inner_text(".stamps [data-stamp=published_at]") == "Generated 2026-11-09 21:31 America/New_York"
    )
    page = reader.open(f"{writer.slug(HOSTILE)}/analytics.html")
    assert page.inner_text("#provisional") == "9 Nov is provisional"
    assert page.locator("#c-cost g.is-provisional").count() == 1


def test_single_file_stands_alone(reader: Reader, published: Path, tmp_path: Path) -> None:
    """The file for mailing needs something beside it, does not work, or holds days or workspaces that were not asked for."""
    first, last, content = single.render(published, ACME, date(2026, 10, 12), date(2026, 10, 25))
    assert (first, last) == (date(2026, 10, 12), date(2026, 10, 25))
    assert single.render(published, ACME, first, last)[2] == content, "the same data gives other bytes"
    text = content.decode()
    for other in ("2026-10-26", "2026-11-08", "Nov 2026"):
        assert other not in text.replace('"last_day"', ""), (
            "budgets and odd days of other days are not hidden but left out"
        )
    assert "tenant-n-code" not in text
    (tmp_path / "mail.html").write_bytes(content)
    page = reader.page
    page.goto(f"file://{tmp_path}/mail.html")
    page.click("button[data-days='7']")
    page.wait_for_selector("html[data-range='2026-10-19/2026-10-25']", state="attached")
    page.select_option("#group", "model")
    explored(page, "cost/model")
    page.locator("#l-cost button").first.click()
    page.wait_for_selector("#chips button")
    page.click("#chips button")
    explored(page, "cost/model")
    assert page.locator("nav").count() == 0
    assert page.locator("[data-days='30']").count() == 0
    page.fill("input[name=from]", "2026-10-01")
    assert page.inner_text("#range-state") == "Usage is from 12 Oct 2026 to 25 Oct 2026.", (
        "$0.00 is said of days it does not hold"
    )
    cost = one(
        published,
        "select sum(total_cost_usd) from marts.mart_analytics__total_cost where workspace_id = 'acme' and usage_date between '2026-10-19' and '2026-10-25'",
    )[0]
    assert page.locator("#tiles .value").first.get_attribute("title").startswith(cases.fmt.money_exact(cost))
    with pytest.raises(LookupError, match="is not in the published file"):
        single.render(published, "nobody", None, None)
    with pytest.raises(LookupError, match="no usage from 2027-01-01 on: its newest is of 2026-11-09"):
        single.render(published, ACME, date(2027, 1, 1), None)


def test_served_site_works_as_from_disk(browser: Any, site: Path) -> None:
    """Over HTTP the policy forbids the page's own scripts, folders are listed, or a foreign name is answered."""
    listening = server(site, 0)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        base = f"http://127.0.0.1:{listening.server_address[1]}"
        context = browser.new_context()
        page = context.new_page()
        problems: list[str] = []
        page.on(
            "console",
            lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.goto(f"{base}/acme/analytics.html#days=7")
        page.wait_for_selector("html[data-range='2026-11-03/2026-11-09']", state="attached")
        assert not problems
        assert context.request.get(f"{base}/acme/").status == 404
        assert context.request.get(f"{base}/../usage.duckdb").status == 404
        assert context.request.get(f"{base}/index.html", headers={"Host": "evil.example"}).status == 421
        context.close()
    finally:
        listening.shutdown()
        listening.server_close()


@pytest.mark.parametrize(
    ("filtered", "condition"),
    [("model~%3Dgpt-5-mini", "model = 'gpt-5-mini'"), ("api_key~%3DKey 1", "api_key = 'Key 1'")],
)
def test_a_filter_reaches_every_panel(reader: Reader, published: Path, filtered: str, condition: str) -> None:
    """A filter leaves a panel as it was without a word, or a filtered panel has other amounts than the mart."""
    page = reader.open(f"acme/analytics.html#only={filtered}")
    explored(page, "cost//" + filtered.replace("~%3D", "="))
    within = (
        f"workspace_id = 'acme' and usage_date between '{FIRST}'::date and '{LAST}'::date and {condition}"
    )
    cost, tokens, calls, failed, cached = one(
        published,
        f"select sum(total_cost_usd), sum(total_tokens)::bigint, sum(call_count)::bigint, sum(failed_call_count)::bigint, sum(cached_tokens)::bigint from {MART} where {within}",
    )
    tiles = page.eval_on_selector_all(
        "#tiles .tile",
        "all => all.map(e => [e.querySelector('dt').textContent, e.querySelector('.value').title])",
    )
    assert [name for name, _ in tiles] == [
        "Total cost",
        "Task credits",
        "Tokens",
        "Calls",
        "Call error rate",
        "Unpriced calls",
    ]
    assert tiles[0][1].startswith(cases.fmt.money_exact(cost))
    assert [tiles[i][1] for i in (2, 3, 4)] == [
        cases.fmt.count(tokens),
        cases.fmt.count(calls),
        f"{failed} of {calls:,} calls",
    ]
    services = table(page, "t-services")
    assert (services[-1][1][0], services[-1][6][1].split(" + ")[0]) == (
        cases.fmt.count(calls),
        cases.fmt.money_exact(cost),
    )
    of_models = one(
        published,
        f"select sum(total_cost_usd), sum(provider_cost_usd), sum(call_count)::bigint, count(distinct provider || model) from {MART} where {within} and is_model_call",
    )
    models = table(page, "t-models")
    assert [models[-1][i][1].split(" + ")[0] for i in (12, 11)] == [
        cases.fmt.money_exact(amount) for amount in of_models[:2]
    ]
    assert (models[-1][2][0], len(models) - 1) == (cases.fmt.count(of_models[2]), of_models[3])
    by_class = {row[0][0]: row[1][0] for row in table(page, "t-tokens")}
    assert (by_class["Total"], by_class["Cached input"]) == (cases.fmt.count(tokens), cases.fmt.count(cached))
    said = page.eval_on_selector_all(
        "[data-follows]", "all => all.map(e => [e.dataset.follows, e.textContent])"
    )
    silent = [kind for kind, text in said if not text]
    follows_models = "model" in filtered
    assert silent == (["model", "model"] if follows_models else []), said
    if follows_models:
        assert {row[1][0] for row in table(page, "t-observability")} == {"gpt-5-mini"}
        assert all(row[1][0] == "gpt-5-mini" for row in table(page, "t-unpriced") if row[1][0])
    page.click("#chips button")
    explored(page, "cost/")
    page.evaluate("CU.range.set('2026-10-20', '2026-10-21')")
    page.wait_for_selector("html[data-range='2026-10-20/2026-10-21']", state="attached")
    whole = one(
        published,
        "select sum(run_count)::bigint from marts.mart_analytics__total_cost where workspace_id = 'acme' and usage_date between '2026-10-20' and '2026-10-21'",
    )[0]
    assert page.locator("#tiles .value").nth(3).get_attribute("title") == cases.fmt.count(whole), (
        "the filter stays when it is taken away"
    )
    assert page.locator("[data-follows]:visible").count() == 0


def test_budgets_and_odd_days_follow_the_range(reader: Reader) -> None:
    """A range shows the budget of another month or odd days outside it, or their CSV is not what is seen."""
    page = reader.open("acme/analytics.html")
    seen = (
        "() => [...document.querySelectorAll('[data-budget]:not([hidden])')].map(part => part.dataset.budget)"
    )
    rows = "() => [...document.querySelectorAll('#odd-table tbody tr')].filter(row => row.checkVisibility({ contentVisibilityAuto: false })).map(row => row.dataset.day)"
    assert (page.evaluate(seen), page.evaluate(rows)) == (["2026-11"], ["2026-11-08"])
    page.click("#odd-all")
    assert page.evaluate(rows) == ["2026-11-08", "2026-11-08"]
    csv_rows = downloaded(page, "[data-csv=odd]")
    assert len(csv_rows) == 3
    assert csv_rows[1][:2] == ["2026-11-08", "API key <script>alert(1)</script>"]
    assert csv_rows[1][3:6] == ["4.125000", "0.750000", "3.375000"]
    page.click("[data-days='90']")
    page.wait_for_selector("html[data-range='2026-08-12/2026-11-09']", state="attached")
    assert page.evaluate(rows) == ["2026-11-08", "2026-11-08", "2026-10-10"]
    assert page.text_content("#odd-summary").startswith("2 days, 3 things off")
    page.goto("about:blank")
    page = reader.open("acme/analytics.html#from=2026-10-20&to=2026-10-21")
    page.wait_for_selector("html[data-range='2026-10-20/2026-10-21']", state="attached")
    assert page.evaluate(seen) == ["2026-10"]
    assert page.locator("#odd").is_hidden()


def test_what_is_in_sight_is_drawn_first_and_the_rest_before_it_is_needed(reader: Reader) -> None:
    """After a change of the range a panel in sight waits for the others, or a CSV is of the range before."""
    page = reader.open("acme/analytics.html")
    page.evaluate("document.getElementById('h-users').scrollIntoView()")
    drawn = page.evaluate("""() => new Promise(done => {
        const root = document.documentElement, text = id => document.getElementById(id).textContent;
        const before = { users: text('t-users_cost'), models: text('t-models') };
        new MutationObserver((_, observer) => {
            if (!root.hasAttribute('data-in-sight')) { return; }
            observer.disconnect();
            done({ users: text('t-users_cost') !== before.users, models: text('t-models') !== before.models, range: root.getAttribute('data-range'),
                csv: CU.analytics.tableCsv('models'), modelsAfterCsv: text('t-models') !== before.models });
        }).observe(root, { attributes: true });
        CU.range.set('2026-11-03', '2026-11-09');
    })""")
    csv_text = drawn.pop("csv")
    assert drawn == {"users": True, "models": False, "range": None, "modelsAfterCsv": True}
    page.wait_for_selector("html[data-range='2026-11-03/2026-11-09']", state="attached")
    assert csv_text == page.evaluate("CU.analytics.tableCsv('models')")
