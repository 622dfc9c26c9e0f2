# ruff: noqa: E501  (SQL and expected texts)
"""The users page and the page of one user, in Chromium, from disk, without a network."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reports import format as fmt
from reports import queries as q
from reports import users, writer
from reports.build import build_site
from tests.browser.reader import Reader, one, until
from tests.reports_fixture import ACME, HOSTILE

pytestmark = [pytest.mark.browser]
FIRST, LAST = "2026-10-11", "2026-11-09"
READ = """() => {
    const cells = rows => [...rows].filter(row => !row.querySelector('.empty')).map(row => [...row.cells].map(cell => [cell.textContent, cell.title]));
    return { tiles: [...document.querySelectorAll('#tiles .tile')].map(tile => [tile.children[0].textContent, tile.children[1].textContent,
            tile.children[1].title, tile.children[2].textContent, tile.children[3].textContent]),
        titles: [...document.querySelectorAll('[data-activity] title, #c-distribution title')].map(title => title.textContent),
        distribution: cells(document.querySelector('#t-distribution').tBodies[0].rows), shown: document.querySelector('#users-shown').textContent,
        users: cells(document.querySelector('#users').tBodies[0].rows).map(row => row.slice(0, 6)) }; }"""


def ranged(page: Any, first: str, last: str, user: str = "") -> None:
    page.wait_for_selector(f"html[data-range='{first}/{last}'][data-user='{user}']", state="attached")


@pytest.mark.parametrize("workspace", [ACME, HOSTILE])
def test_any_range_is_what_python_says(reader: Reader, published: Path, workspace: str) -> None:
    """The page says something else about a range of days than the same rows say in Python, the range that it opens with included."""
    folder = writer.slug(workspace)
    with q.Published(published) as source:
        source.choose_months([(workspace, "2026-10"), (workspace, "2026-11")])
        rows = [
            row for (w, _), text in source.user_days().items() if w == workspace for row in json.loads(text)
        ]
        seen = {
            row[0]: (row[1], row[2]) for text in source.user_parts()[workspace] for row in json.loads(text)
        }
        known = {found.workspace_id: found for found in source.workspaces()}[workspace]
    clock = fmt.zone(known.time_zone)
    assert clock is not None
    page = reader.open(f"{folder}/users.html")
    for first, last in (
        (FIRST, LAST),
        ("2026-10-01", "2026-10-05"),
        ("2026-10-04", "2026-10-04"),
        ("2026-08-12", LAST),
        ("2026-09-01", "2026-09-02"),
    ):
        if (first, last) != (FIRST, LAST):
            page.evaluate("range => CU.range.set(range[0], range[1])", [first, last])
        ranged(page, first, last)
        view = users.build_view(
            rows,
            seen,
            date.fromisoformat(first),
            date.fromisoformat(last),
            clock,
            has_credit_price=known.has_credit_price,
        )
        shown = page.evaluate(READ)
        assert shown["tiles"] == [[t.label, t.text, t.title, t.note, t.baseline] for t in view.cards], (
            first,
            last,
        )
        drawn = [*(chart for *_, chart in view.activity), view.distribution]
        assert shown["titles"] == [
            bar.title for chart in drawn if not chart.is_empty for bar in chart.bars
        ], (first, last)
        assert shown["distribution"] == [
            [[c.text, c.title] for c in row] for row in view.distribution_rows
        ], (first, last)
        assert shown["shown"] == view.shown
        # a page shows what is cut off as a title, too
        assert [[text for text, _ in row] for row in shown["users"]] == [
            [c.text for c in row] for row in view.rows
        ], (first, last)
        assert [row[5][1] for row in shown["users"]] == [row[5].title for row in view.rows], (first, last)


def test_users_page(reader: Reader, published: Path) -> None:
    """Cards and table are not the mart's; search, sort, CSV or the way to a user's runs do not work."""
    page = reader.open("acme/users.html#days=7")
    ranged(page, "2026-11-03", LAST)
    count, spend, *unpriced = one(
        published,
        "select count(distinct user_id), sum(total_cost_usd), sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint "
        "from marts.mart_users__activity where workspace_id = 'acme' and user_id is not null and usage_date >= '2026-11-03'",
    )
    lacks = fmt.unpriced(*unpriced)
    assert [text.strip() for text in page.locator(".tile dt").all_inner_texts()] == [
        "Active Users",
        "Total Spend",
        "Avg Cost",
        "Top User Share",
    ]
    assert page.locator(".tile .value").nth(0).inner_text() == str(count)
    assert page.locator(".tile .value").nth(1).get_attribute("title") == fmt.money_exact(spend) + lacks
    assert [t.strip().rstrip("↓") for t in page.locator("#users th[data-key]").all_text_contents()] == [
        "User ID", "First Request", "Last Request", "Total Requests", "Total Tokens", "Total Cost",
    ]  # fmt: skip
    page.click("#users th[data-key=total_requests] button")
    most = one(
        published,
        "select sum(run_count)::bigint as n from marts.mart_users__activity where workspace_id = 'acme' and user_id is not null "
        "and usage_date >= '2026-11-03' group by user_id order by n desc limit 1",
    )[0]
    assert page.locator("#users tbody tr").first.locator("td").nth(3).text_content() == fmt.count(most)
    with page.expect_download() as waiting:
        page.click("#users-csv")
    head, *rows = csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8")))
    assert sum(Decimal(row[head.index("total_cost_usd")]) for row in rows) == spend
    assert len(rows) == count
    user = page.locator("#users tbody tr").first.locator("td").nth(0).text_content()
    page.fill("input[name=user]", user)
    until(
        page,
        f"[...document.querySelectorAll('#users tbody td:first-child')].every(cell => cell.textContent.includes('{user}'))",
    )
    page.click("#users tbody tr:first-child .links a:text-is('Prompts')")
    page.wait_for_url(f"**/prompts.html#days=7&user={user}")
    reader.ready()
    count = one(
        published,
        "select count(*) from marts.mart_logs__prompt_runs where workspace_id = 'acme' and user_id = ? and usage_date >= '2026-11-03'",
        user,
    )[0]
    assert page.locator("tr[data-run]").count() == count


def test_one_users_page(reader: Reader, published: Path) -> None:
    """A user's page shows other amounts or runs than the marts, does not follow the range, or cannot be left by keyboard and by Back."""
    page = reader.open("acme/users.html#user=user-12")
    page.wait_for_selector("html[data-runs=ready]", state="attached")
    assert page.inner_text("#who") == "user-12"
    assert page.is_hidden("#users")
    within = "workspace_id = 'acme' and user_id = 'user-12' and usage_date between ?::date and ?::date"
    for first, last in ((FIRST, LAST), ("2026-10-01", "2026-10-20")):
        if first != FIRST:
            page.evaluate("range => CU.range.set(range[0], range[1])", [first, last])
            ranged(page, first, last, "user-12")
            page.wait_for_selector("html[data-runs=ready]", state="attached")
        cost, requests, *unpriced = one(
            published,
            f"select sum(total_cost_usd), sum(run_count)::bigint, sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint from marts.mart_users__activity where {within}",
            first, last,
        )  # fmt: skip
        assert page.locator("#tiles .value").nth(0).get_attribute("title") == fmt.money_exact(
            cost
        ) + fmt.unpriced(*unpriced)
        assert page.locator("#tiles .value").nth(1).inner_text() == fmt.count(requests)
        newest = one(
            published,
            "select list(run_id order by coalesce(completed_at, started_at) desc)[:25] from (" + " union all ".join(
                f"select run_id, completed_at, started_at from marts.mart_logs__{kind}_runs where {within}" for kind in ("prompt", "workflow", "agent")
            ) + ")",
            *(first, last) * 3,
        )[0]  # fmt: skip
        shown = page.eval_on_selector_all(
            "#runs tbody a", "all => all.map(link => link.title.replace('Run ', ''))"
        )
        assert sorted(shown) == sorted(newest), "the newest runs are others"
        assert page.text_content("#runs-shown").startswith(f"Showing {len(newest)} of {requests} run")
    page.focus("#all-users")
    page.keyboard.press("Enter")
    ranged(page, "2026-10-01", "2026-10-20")
    assert page.is_visible("#users")
    page.go_back()
    ranged(page, "2026-10-01", "2026-10-20", "user-12")
    page.wait_for_selector("html[data-runs=ready]", state="attached")
    page.locator("#runs tbody a").first.click()
    page.wait_for_selector("#sheet[open]")
    link = page.locator("#sheet .facts a", has_text="user-12")
    assert link.get_attribute("href") == "users.html#user=user-12"


def test_runs_of_a_user_that_are_no_longer_kept(browser: Any, published: Path, tmp_path: Path) -> None:
    """A user's page sends the reader to the logs for single runs that retention has taken out of them."""
    path = tmp_path / "usage.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table meta.publication add column detail_from_date date")
        connection.execute("update meta.publication set detail_from_date = date '2026-10-20'")
        for mart in ("logs__{}_runs", "details__{}_summary"):
            for kind in ("prompt", "workflow", "agent"):
                connection.execute(
                    f"delete from marts.mart_{mart.format(kind)} where usage_date < date '2026-10-20'"
                )
        connection.execute("delete from marts.mart_details__spans where usage_date < date '2026-10-20'")
    build_site(path, tmp_path / "site")
    held = Reader(browser, tmp_path / "site")
    for first, last, said in (
        ("2026-10-01", "2026-10-19", "No single run of this range is kept any more."),
        (
            "2026-10-01",
            "2026-11-09",
            "; the logs have all from 20 Oct 2026 on, from when single runs are kept.",
        ),
        ("2026-10-20", "2026-11-09", "; the logs have all."),
    ):
        page = held.open(f"acme/users.html#from={first}&to={last}&user=user-12")
        page.wait_for_selector("html[data-runs=ready]", state="attached")
        assert said in page.inner_text("#user-runs"), (first, last)
    held.context.close()
    assert not held.problems


def test_a_user_that_nobody_knows(reader: Reader) -> None:
    """An address with a made-up user breaks the page, or runs what it says."""
    page = reader.open("acme/users.html#user=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    page.wait_for_selector("html[data-runs=ready]", state="attached")
    assert page.inner_text("#who") == "<img src=x onerror=alert(1)>"
    assert "names this user" in page.inner_text("#who-seen")
    assert page.locator("main img").count() == 0
