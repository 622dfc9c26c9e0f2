# ruff: noqa: E501  (SQL and expected texts)
"""The site that `build_site` writes: same bytes for the same data, nothing rewritten in vain, nothing
leaked, totals equal to the marts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports import analytics, writer
from reports import format as fmt
from reports.build import build_site
from reports.charts import nice_top
from tests.reports_fixture import ACME, HOSTILE, HOSTILE_NAME, RUN_WITH_CHILDREN, make_published

duckdb = pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("published") / "usage.duckdb", days=40, runs_per_day=12)


@pytest.fixture(scope="module")
def site(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    result = build_site(published, folder)
    assert result.pages == 11, "two workspaces of five pages and the index"
    return folder


def contents(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def chunk_data(path: Path) -> object:
    """The data of a chunk script, read as a page would."""
    text = path.read_text(encoding="utf-8")
    match = re.fullmatch(r'CU\.chunk\("[^"]*","[^"]*",(.*)\);\n', text, re.DOTALL)
    assert match, f"{path.name} is not one call with plain data"
    return json.loads(match[1])


class _Tables(HTMLParser):
    """Cells of each table by id, and every script that is not data."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[tuple[str, str]]]] = {}
        self.scripts: list[str | None] = []
        self.handlers: list[str] = []
        self._table: list[list[tuple[str, str]]] = []
        self._cell: list[str] | None = None
        self._title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag == "table":
            self._table = self.tables.setdefault(held.get("id") or "", [])
        elif tag == "tr":
            self._table.append([])
        elif tag == "td":
            self._cell, self._title = [], held.get("title") or ""
        elif tag == "script" and held.get("type") != "application/json":
            self.scripts.append(held.get("src"))

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            self._table[-1].append(("".join(self._cell), self._title))
            self._cell = None


def parsed(path: Path) -> _Tables:
    parser = _Tables()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_same_data_gives_the_same_bytes(published: Path, site: Path, tmp_path: Path) -> None:
    """Two builds of one file must agree in every byte, wherever they are written."""
    build_site(published, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(site)


def test_unchanged_files_are_left_alone(published: Path, tmp_path: Path) -> None:
    """A second build writes nothing, and `force` makes everything again without changing a byte."""
    first = build_site(published, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.name != writer.MANIFEST}
    second = build_site(published, tmp_path)
    third = build_site(published, tmp_path, force=True)
    assert (second.files_written, third.files_written, second.files_removed) == (0, 0, 0)
    assert first.files_written == second.files_unchanged == third.files_unchanged
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}, "a file was touched without a change"


def test_one_changed_run_rewrites_its_day_only(published: Path, tmp_path: Path) -> None:
    """A change on one day rewrites that day's chunks and what sums it, no other day; a day that empties loses
    its chunks.
    """
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    site = tmp_path / "site"
    build_site(copy, site)
    before = contents(site)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "update marts.mart_logs__prompt_runs set name = 'renamed' where workspace_id = ? and usage_date = '2026-10-20'",
            [ACME],
        )
        connection.execute(
            "delete from marts.mart_logs__workflow_runs where workspace_id = ? and usage_date = '2026-10-21'",
            [ACME],
        )
    result = build_site(copy, site)
    after = contents(site)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - {
        writer.MANIFEST
    }
    assert "acme/data/prompts/2026-10-20.js" in changed
    assert "acme/data/workflows/2026-10-21.js" in changed - after.keys(), "the emptied day kept its chunk"
    assert result.files_removed == 1
    dated = {name for name in changed if re.search(r"\d{4}-\d\d-\d\d", name)}
    assert all("2026-10-20" in name or "2026-10-21" in name for name in dated), (
        f"other days were rewritten: {sorted(dated)}"
    )


def test_foreign_files_are_never_removed(published: Path, tmp_path: Path) -> None:
    """A file that we did not write stays, even inside our folders."""
    build_site(published, tmp_path)
    (tmp_path / "acme" / "data" / "prompts" / "notes.txt").write_text("mine")
    manifest = json.loads((tmp_path / writer.MANIFEST).read_text())
    stale = tmp_path / "acme" / "data" / "prompts" / "1999-01-01.js"
    stale.write_text("old")
    manifest["files"].append("acme/data/prompts/1999-01-01.js")
    (tmp_path / writer.MANIFEST).write_text(json.dumps(manifest))
    result = build_site(published, tmp_path)
    assert (tmp_path / "acme" / "data" / "prompts" / "notes.txt").read_text() == "mine"
    assert result.files_removed == 1
    assert not stale.exists(), "a file of ours that no longer belongs was kept"


def test_manifest_cannot_lead_outside(published: Path, tmp_path: Path) -> None:
    """A tampered manifest must not delete a file outside the site."""
    site = tmp_path / "site"
    build_site(published, site)
    outside = tmp_path / "precious"
    outside.write_text("keep")
    manifest = json.loads((site / writer.MANIFEST).read_text())
    manifest["files"].append("../precious")
    (site / writer.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="not a path inside the site"):
        build_site(published, site)
    assert outside.exists()


def test_a_failed_build_leaves_no_temporary_files(tmp_path: Path) -> None:
    """A file that lacks a mart fails readably and leaves nothing half-written."""
    broken = tmp_path / "broken.duckdb"
    with duckdb.connect(str(broken)) as connection:
        connection.execute(
            "create schema dimensions; create table dimensions.dim_workspace (workspace_id varchar, workspace_name varchar, time_zone varchar)"
        )
    with pytest.raises(duckdb.CatalogException):
        build_site(broken, tmp_path / "site")
    assert not list((tmp_path / "site").rglob(".writing*"))


def test_nothing_of_another_workspace(site: Path) -> None:
    """No page or chunk of one workspace names anything of another."""
    hostile = writer.slug(HOSTILE)
    for folder, foreign in (
        (ACME, ("mistral", "evil", "u<i>", "u\\u003ci", "Tenant")),
        (hostile, ("claude-sonnet", "Acme", "user-1", "acme")),
    ):
        for path in (site / folder).rglob("*.*"):
            text = path.read_text(encoding="utf-8")
            found = [word for word in foreign if word in text]
            assert not found, f"{path.relative_to(site)} contains {found} of the other workspace"


def test_hostile_text_stays_text(site: Path) -> None:
    """No string from the data becomes markup or code, on any page or in any chunk."""
    for path in site.rglob("*.html"):
        page = parsed(path)
        assert all(src and "assets/" in src for src in page.scripts), (
            f"{path.name} has a script of its own: {page.scripts}"
        )
        assert not page.handlers, f"{path.name} has event attributes: {page.handlers}"
    for path in (site / writer.slug(HOSTILE) / "data").rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search("[<>&\u2028\u2029]", text), f"{path.name} has characters that could end a script"
    rows = chunk_data(next((site / writer.slug(HOSTILE) / "data" / "prompts").glob("*.js")))
    assert isinstance(rows, list)
    names = {
        row[4]
        for kind in ("prompts", "workflows", "agents")
        for path in (site / writer.slug(HOSTILE) / "data" / kind).glob("*.js")
        for row in chunk_data(path)
    }
    assert HOSTILE_NAME in names, "the escaping must give back the very same text"


def test_slugs() -> None:
    """A tenant id is only a folder name when it is plainly one, and no two ids share a folder."""
    assert writer.slug("acme") == "acme"
    ids = [
        "acme",
        "Acme",
        "../acme",
        "acme/..",
        "",
        ".",
        "..",
        "/etc/passwd",
        "a b",
        "a-b",
        "assets",
        "index",
        "x" * 500,
        "é",
        "con",
        "\ud800",
    ]
    slugs = [writer.slug(value) for value in ids]
    assert len(set(slugs)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,64}", value) for value in slugs)
    assert writer.slug(writer.slug("Acme")) != writer.slug("Acme"), (
        "an id that looks hashed could take another's folder"
    )


def test_totals_on_the_page_are_the_marts(published: Path, site: Path) -> None:
    """The numbers that a reader sees in the default range are exactly those of the marts."""
    with duckdb.connect(str(published), read_only=True) as connection:
        wallet, credit, total, external, credits, tokens, unpriced = connection.execute(
            """select sum(wallet_cost_usd), sum(task_credit_cost_usd), sum(total_cost_usd),
            sum(external_cost_usd), sum(task_credits),
                sum(total_tokens)::bigint, sum(unpriced_call_count)::bigint
            from marts.mart_analytics__total_cost where workspace_id = ? and usage_date between '2026-10-11' and '2026-11-09'""",
            [ACME],
        ).fetchone()
    tables = parsed(site / "acme" / "analytics.html").tables
    parts = {row[0][0]: row[1] for row in tables["t-cost_parts"] if row}
    assert parts["Wallet"][1] == fmt.money_exact(wallet)
    assert parts["Task credits (estimated)"][1] == fmt.money_exact(credit)
    assert parts["Total cost"] == (f"{fmt.money(total)} + {unpriced} unpriced calls", fmt.money_exact(total))
    assert parts["External (own keys, not in the total)"][1] == fmt.money_exact(external)
    footer = tables["t-services"][-1]
    assert footer[6][1] == fmt.money_exact(total), "services do not add up to the total"
    assert footer[3][0] == fmt.credits(credits)
    for order in analytics.USER_ORDERS:
        assert tables[f"t-users_{order}"][-1][5][1] == fmt.money_exact(total), (
            f"users by {order} do not add up to the total"
        )
    assert next(row for row in tables["t-tokens"] if row and row[0][0] == "Total")[1][0] == fmt.count(tokens)


def test_days_of_a_range_add_up(published: Path, site: Path) -> None:
    """The rows by day add up to the range's total, to the last digit."""
    tables = parsed(site / "acme" / "analytics.html").tables
    days = [row for row in tables["t-cost_days"] if row]
    total = next(row for row in tables["t-cost_parts"] if row and row[0][0] == "Total cost")
    assert len(days) == 30
    assert sum(Decimal(row[7][1].replace("$", "").replace(",", "")) for row in days if row[7][1]) == Decimal(
        total[1][1].replace("$", "").replace(",", "")
    )


def test_log_chunks_hold_every_run(published: Path, site: Path) -> None:
    """Chunks and marts hold the same runs, in the marts' exact amounts, and the run index finds each."""
    with duckdb.connect(str(published), read_only=True) as connection:
        expected = dict(
            connection.execute(
                "select run_id, total_cost_usd from marts.mart_logs__agent_runs where workspace_id = ?",
                [ACME],
            ).fetchall()
        )
    config = json.loads(
        re.search(r'id="config">(.*?)</script>', (site / "acme" / "agents.html").read_text(), re.DOTALL)[1]
    )
    at = {name: position for position, name in enumerate(config["fields"])}
    found = {
        row[at["run_id"]]: Decimal(row[at["total_cost_usd"]])
        for path in (site / "acme" / "data" / "agents").glob("*.js")
        for row in chunk_data(path)
    }
    assert found == expected
    index = {row[0] for path in (site / "acme" / "data" / "index").glob("*.js") for row in chunk_data(path)}
    assert expected.keys() <= index
    assert "never-arrived-0" in index, "an orphan's run id must be findable"


def test_run_chunks_hold_spans_and_children(site: Path) -> None:
    """A run sheet's chunk has the run, its spans and its child runs."""
    data = chunk_data(site / "acme" / "data" / "runs" / "2026-11-09.js")
    assert isinstance(data, dict)
    assert any(row[1] == RUN_WITH_CHILDREN for row in data["runs"])
    assert sum(row[0] == RUN_WITH_CHILDREN for row in data["spans"]) == 8
    assert [row[:2] for row in data["children"]] == [
        ["acme-agent-parent", "acme-child-agent"],
        ["acme-child-agent", "acme-grandchild-workflow"],
    ]


def test_stamps_live_in_one_file(published: Path, tmp_path: Path) -> None:
    """A new publication of the same data changes publication.js and nothing else."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    build_site(copy, tmp_path / "site")
    before = contents(tmp_path / "site")
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "update meta.publication set published_at = published_at + interval 1 day, publication_id = 'pub-2'"
        )
    assert build_site(copy, tmp_path / "site").files_written == 1
    after = contents(tmp_path / "site")
    assert {name for name in after if before.get(name) != after[name]} == {"assets/publication.js"}


def test_empty_workspace_says_why(published: Path, tmp_path: Path) -> None:
    """A workspace without usage gets pages that say so rather than errors."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "insert into dimensions.dim_workspace values ('quiet', 'Quiet', 'Mars/Olympus', 'hosted', true)"
        )
    build_site(copy, tmp_path / "site")
    assert "No usage has been published" in (tmp_path / "site" / "quiet" / "analytics.html").read_text()
    assert "No prompt runs" in (tmp_path / "site" / "quiet" / "prompts.html").read_text()
    assert "unknown" in (tmp_path / "site" / "quiet" / "users.html").read_text(), (
        "an unknown time zone must be named"
    )


def test_no_credit_price_is_said(site: Path) -> None:
    """Credits without a price are counted and marked, not shown as a known zero."""
    hostile = (site / writer.slug(HOSTILE) / "analytics.html").read_text()
    assert analytics.NO_CREDIT_PRICE in hostile
    assert (
        analytics.NO_CREDIT_PRICE
        not in (site / "acme" / "analytics.html")
        .read_text()
        .replace('id="config"', "")
        .split('id="notes"')[1]
        .split("</div>")[0]
    )


def test_published_file_is_opened_for_reading_only(published: Path, tmp_path: Path) -> None:
    """The published file is not changed by a build, not even its bytes."""
    before = published.read_bytes()
    os.utime(published, (1, 1))
    build_site(published, tmp_path)
    assert published.read_bytes() == before
    assert published.stat().st_mtime == 1


def test_nice_top_is_never_below() -> None:
    """A bar must never stand above its axis."""
    for value in [0, 1, 2, 3, 9, 10, 11, 99, 101, 123_456, 10**12, 5 * 10**11 + 1]:
        assert nice_top(value) >= value
        assert nice_top(value) <= max(1, value * 2)
