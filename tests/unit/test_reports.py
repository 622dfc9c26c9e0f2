# ruff: noqa: E501  (SQL and expected texts)
"""The site that `build_site` writes: same bytes for the same data, nothing rewritten in vain, nothing
leaked, totals equal to the marts.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest

from orchestration.settings import Settings
from orchestration.sql import limits
from reports import analytics, build, pages, quality, swap, users, watch, writer
from reports import columns as col
from reports import format as fmt
from reports import queries as q
from reports.build import build_site
from reports.charts import nice_top
from tests.reports_fixture import ACME, HOSTILE, HOSTILE_NAME, METERS, RUN_WITH_CHILDREN, make_published

duckdb = pytest.importorskip("duckdb")
SINCE_OCTOBER_4 = analytics.CreditPrices(has_any=True, stretches=(("2026-10-04", None),))
"""The credit price of Acme in the fixture."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("published") / "usage.duckdb", days=40, runs_per_day=12)


@pytest.fixture(scope="module")
def site(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    result = build_site(published, folder)
    assert result.pages == 13, "two workspaces of six pages and the index"
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


def months_of(site: Path, folder: str) -> analytics.Months:
    """The daily rows of a workspace, as its pages would load them."""
    months = analytics.Months()
    for kind in ("analytics", "latency"):
        for path in sorted((site / folder / "data" / kind).glob("*.js")):
            data = chunk_data(path)
            assert isinstance(data, dict)
            months.add(path.stem, data)
    return months


def parsed(path: Path) -> _Tables:
    parser = _Tables()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_same_data_gives_the_same_bytes(published: Path, site: Path, tmp_path: Path) -> None:
    """Two builds of one file must agree in every byte, wherever they are written."""
    build_site(published, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(site)


def test_what_one_query_would_not_hold_is_made_in_parts(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days and months of more rows than a query may hold get other chunks than had they been made at once, or are still made at once."""
    monkeypatch.setattr(q, "RUNS_PER_INDEX_SHARD", 20)
    monkeypatch.setattr(q, "SPANS_PER_SHARD", 10)
    monkeypatch.setattr(q, "CUBE_ROWS_PER_PART", 7)
    build_site(published, tmp_path / "at-once")
    parts: dict[str, list[range | None]] = {"run_index": [], "run_chunks": []}
    for name, asked in parts.items():
        made = getattr(q.Published, name)

        def seen(
            self: q.Published,
            batch: object,
            wanted: range | None,
            made: Any = made,
            asked: list[range | None] = asked,
        ) -> object:
            asked.append(wanted)
            return made(self, batch, wanted)

        monkeypatch.setattr(q.Published, name, seen)
    monkeypatch.setattr(build, "INDEX_ROWS_PER_BATCH", 80)
    monkeypatch.setattr(build, "ROWS_PER_BATCH", 10)
    monkeypatch.setattr(q, "CUBE_ROWS_AT_ONCE", 20)
    build_site(published, tmp_path / "in-parts")
    assert range(4, 8) in parts["run_index"], "no month was large enough to be made in parts"
    assert range(2, 4) in parts["run_chunks"], "no day was large enough to be made in parts"
    assert contents(tmp_path / "in-parts") == contents(tmp_path / "at-once")


def test_rendering_keeps_to_the_limit_of_memory(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of a large file take as much memory as there is, whatever the setting says, or spill beside the published file."""
    found = {}
    run = build._Build.run

    def seen(self: build._Build) -> int:
        for name in ("memory_limit", "temp_directory"):
            found[name] = self.published._all(f"select current_setting('{name}')")[0][0]
        return run(self)

    monkeypatch.setattr(build._Build, "run", seen)
    settings = Settings(data_dir=tmp_path / "data", memory_limit="300MiB")
    build_site(published, tmp_path / "site", config=limits(settings))
    assert found["memory_limit"] == "300.0 MiB"
    assert Path(found["temp_directory"]).parent == settings.temp_dir


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


@pytest.mark.parametrize("is_told", [True, False], ids=["days told", "days compared"])
def test_what_is_kept_is_what_would_be_made(
    is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any sequence of nights the site differs in a byte from one that is made from nothing, or a night makes again what did
    not change.
    """
    site, copy = tmp_path / "site", tmp_path / "usage.duckdb"
    first = make_published(tmp_path / "first.duckdb", days=34, runs_per_day=6)
    if is_told:
        with duckdb.connect(str(first)) as connection:
            connection.execute(
                "create table meta.dates as select distinct usage_date, '1' as publication_id, 'a' as build_key from marts.mart_details__spans"
            )
    shutil.copy(first, copy)
    of_day = "where usage_date = '2026-10-12'"
    built = f"update meta.dates set build_key = {{}} {of_day}" if is_told else "select 1"
    prices = "update dimensions.dim_workspace set time_zone = 'Asia/Tokyo'"
    steps: dict[str, str] = {
        "from nothing": "",
        "one row, and settings": f"update marts.mart_logs__prompt_runs set model = 'renamed' {of_day}; {built.format(1)}; {prices}",
        "template": "",
        "a day is gone": "; ".join(
            f"delete from marts.{table} {of_day.replace('usage_date', column)}"
            for table, column in (
                *((mart, "usage_date") for mart in q._DAY_MARTS),
                ("mart_details__child_runs", "parent_usage_date"),
            )
        )
        + (f"; delete from meta.dates {of_day}" if is_told else ""),
        "rollback": "",
        "the same again": "",
    }
    if not is_told:
        steps = {name: steps[name] for name in ("from nothing", "one row, and settings")}
    for number, (name, sql) in enumerate(steps.items()):
        if name == "rollback":
            shutil.copy(first, copy)
        elif sql:
            with duckdb.connect(str(copy)) as connection:
                connection.execute(sql)
        if name == "template":
            made = build.environment()

            def other(templates: jinja2.Environment = made) -> jinja2.Environment:
                assert templates.loader is not None
                source = templates.loader.get_source(templates, "base.html")[0]
                other_base = jinja2.DictLoader({"base.html": source + "<!-- another -->"})
                return templates.overlay(loader=jinja2.ChoiceLoader([other_base, templates.loader]))

            monkeypatch.setattr(build, "environment", other)
            monkeypatch.setattr(build, "surface_version", lambda: "another")
        result = build_site(copy, site)
        if name not in ("from nothing", "template", "the same again"):  # those before a step show in it
            fresh = tmp_path / f"fresh{number}"
            build_site(copy, fresh)
            assert contents(site) == contents(fresh), name
        chunks = [path for path in contents(site) if "/data/" in path]
        if name == "one row, and settings":
            assert 0 < result.files_written < len(chunks) / 3, "days that did not change were made again"
        if name == "template":
            assert result.files_written == 13, "the pages, and no chunk"
        if name == "the same again":
            assert (result.files_written, result.pages) == (0, 13)


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
            """create schema dimensions;
            create table dimensions.dim_workspace (workspace_id varchar, workspace_name varchar, time_zone varchar, has_credit_price boolean);
            create table dimensions.dim_credit_price (workspace_id varchar, valid_from date, valid_to date)"""
        )
    with pytest.raises(duckdb.CatalogException):
        build_site(broken, tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.duckdb"]


def test_the_site_changes_at_once(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader meets pages of two publications, or a build that fails half way changes what readers see."""
    site = tmp_path / "site"
    build_site(published, site)
    before = contents(site)
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("update marts.mart_logs__prompt_runs set name = 'renamed'")
        connection.execute("update meta.publication set published_at = published_at + interval 1 day")
    seen: list[dict[str, str]] = []

    def look(new: Path, current: Path) -> None:
        seen.append(contents(current))
        into_place(new, current)

    into_place = swap.into_place
    monkeypatch.setattr(writer.swap, "into_place", look)
    monkeypatch.setattr(pages, "users_page", lambda data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_site(copy, site)
    assert (contents(site), seen) == (before, [])
    monkeypatch.undo()
    monkeypatch.setattr(writer.swap, "into_place", look)
    (tmp_path / ".site-next" / "left").mkdir(parents=True)
    assert build_site(copy, site).files_written > 0
    assert seen == [before], "something was changed before the whole site was ready"
    assert contents(site) != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site", "usage.duckdb"]


@pytest.mark.parametrize("has_exchange", [True, False])
def test_swap_puts_the_new_in_the_place_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_exchange: bool
) -> None:
    """A folder is lost or doubled where the system can exchange two names, or where it cannot."""
    if not has_exchange:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    for name in ("new", "current"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    swap.into_place(tmp_path / "new", tmp_path / "current")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]
    assert (tmp_path / "current" / "file").read_text() == "new"


@pytest.mark.parametrize(
    ("has_exchange", "has_syncfs"), [(True, True), (True, False), (False, False)], ids=str
)
def test_the_site_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_exchange: bool, has_syncfs: bool
) -> None:
    """A power loss after the exchange leaves pages that are empty, or a site without a name."""
    done: list[str] = []
    exchange, fsync = swap._exchange, os.fsync

    class Library:
        """The system's, which says what it is asked."""

        def __getattr__(self, name: str) -> object:
            if name != "syncfs" or not has_syncfs:
                raise AttributeError(name)
            return lambda descriptor: done.append("everything") or 0

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        inodes = {path.stat().st_ino: path for path in [tmp_path, *tmp_path.rglob("*")]}
        done.append(inodes[os.fstat(descriptor).st_ino].relative_to(tmp_path).as_posix())

    def record_exchange(one: Path, other: Path) -> bool:
        done.append("name")
        return has_exchange and exchange(one, other)

    monkeypatch.setattr(swap, "_exchange", record_exchange)
    monkeypatch.setattr(os, "fsync", record_fsync)
    for folder in ("new/sub", "current"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text(folder)
    real = swap.ctypes.CDLL
    with monkeypatch.context() as patch:
        patch.setattr(
            swap.ctypes, "CDLL", lambda name, **options: real(name, **options) if name else Library()
        )
        swap.into_place(tmp_path / "new", tmp_path / "current")
    before, after = done[: done.index("name")], done[done.index("name") + 1 :]
    assert set(before) == ({"everything"} if has_syncfs else {"new", "new/sub", "new/sub/file"})
    assert after == ["."], "the exchange itself is not forced to the disk"
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_what_a_killed_build_left_is_removed(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a site, or the one before, lies beside the site for ever; or it stops the next build, where names cannot be exchanged."""
    site = tmp_path / "site"
    build_site(published, site)
    monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    for name in (".site-next", ".site-next-old"):
        (tmp_path / name / "acme").mkdir(parents=True)
    assert not build.is_rendered(published, site), "nobody would come to remove it"
    build_site(published, site)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert build.is_rendered(published, site)
    (tmp_path / ".site-next-old" / "acme").mkdir(parents=True)
    build_site(published, site, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    site.rename(tmp_path / ".site-next-old")  # killed between two renames
    assert build_site(published, site).files_written == 0, "readers wait for a site that was there"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


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
        wallet, credit, total, external, credits, tokens, *unpriced = connection.execute(
            """select sum(wallet_cost_usd), sum(task_credit_cost_usd), sum(total_cost_usd),
            sum(external_cost_usd), sum(task_credits),
                sum(total_tokens)::bigint, sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint
            from marts.mart_analytics__total_cost where workspace_id = ? and usage_date between '2026-10-11' and '2026-11-09'""",
            [ACME],
        ).fetchone()
    tables = parsed(site / "acme" / "analytics.html").tables
    parts = {row[0][0]: row[1] for row in tables["t-cost_parts"] if row}
    lacks, short = fmt.unpriced(*unpriced), fmt.unpriced_short(unpriced[0])
    assert "unpriced calls (" in lacks, "the fixture has nothing unpriced to show"
    assert parts["Wallet"] == (fmt.money(wallet), fmt.money_exact(wallet) + lacks)
    assert parts["Task credits (estimated)"][1] == fmt.money_exact(credit)
    assert parts["Total cost"] == (fmt.money(total) + lacks, fmt.money_exact(total) + lacks)
    assert parts["External (own keys, not in the total)"][1] == fmt.money_exact(external) + lacks
    whole = fmt.money(total) + short, fmt.money_exact(total) + lacks
    footer = tables["t-services"][-1]
    assert footer[6] == whole, "services do not add up to the total, or to what it lacks"
    assert footer[3][0] == fmt.credits(credits)
    for order in analytics.USER_ORDERS:
        assert tables[f"t-users_{order}"][-1][5] == whole, (
            f"users by {order} do not add up to the total, or to what it lacks"
        )
    assert re.search(rf">{re.escape(lacks.strip())}</dd>", (site / "acme" / "analytics.html").read_text()), (
        "the total's tile does not say what it lacks"
    )
    assert next(row for row in tables["t-tokens"] if row and row[0][0] == "Total")[1][0] == fmt.count(tokens)


def test_quality_page_says_what_is_wrong(published: Path, site: Path, tmp_path: Path) -> None:
    """A failed check, a quarantined row or a sum that is off is not on the page, or rows of another workspace are."""
    page = (site / "acme" / "quality.html").read_text(encoding="utf-8")
    tables = parsed(site / "acme" / "quality.html").tables
    assert "fct_span_usage__unpriced_share" in page.split('id="h-sums"')[0], (
        "the warning does not stand first"
    )
    assert "req_of_somebody" not in page, "an example may be of another workspace"
    assert [[cell[0] for cell in row] for row in tables["t-quarantine"] if row] == [
        ["runs", "not allowed", "status", "2", "1"]
    ]
    assert "1 further line says no workspace" in page
    cost, tokens = rows_of(
        published,
        "select sum(total_cost_usd), sum(total_tokens)::bigint from marts.mart_analytics__total_cost where workspace_id = ?",
        ACME,
    )[0]
    sums = [[cell[0] for cell in row] for row in tables["t-sums"] if row]
    assert {(row[1], row[2], row[4], row[5]) for row in sums} == {
        (fmt.money_exact(cost), fmt.count(tokens), "$0.00", "✓ equal")
    }
    landed = [[cell[0] for cell in row] for row in tables["t-landing"] if row]
    assert landed[0][2:] == ["1,000", "990", "5", "2", "3", "✓ equal"]
    changed = [[cell[0] for cell in row] for row in tables["t-changes"] if row]
    assert [row[0] for row in changed] == ["9 Nov 2026"]
    assert changed[0][3].startswith("— → $")

    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "update marts.mart_analytics__service_costs set total_cost_usd = total_cost_usd + 0.000000000001 "
            "where workspace_id = 'acme' and usage_date = '2026-10-20' and service = 'AI Model'"
        )
    build_site(copy, tmp_path / "site")
    off = parsed(tmp_path / "site" / "acme" / "quality.html").tables["t-sums"]
    assert [row[5][0] for row in off if row and row[0][0] == "Service Costs panel"] == ["✕ differs"]
    assert "These do not add up" in (tmp_path / "site" / "acme" / "quality.html").read_text(encoding="utf-8")


def test_publications_of_older_versions_are_rendered(published: Path, tmp_path: Path) -> None:
    """After a rollback to a publication that lacks what newer ones have, there is no site, or a section that hides it."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("drop table meta.changes")
        for column in ("previous_publication_id", "previous_published_at"):
            connection.execute(f"alter table meta.publication drop column {column}")
        for column in (
            "billed_span_id",
            "rollup_reported_total_tokens",
            "units",
            *(f"{m}_units" for m in METERS),
        ):
            connection.execute(f"alter table marts.mart_details__spans drop column {column}")
        connection.execute("alter table marts.mart_analytics__usage_breakdown drop column is_model_call")
    build_site(copy, tmp_path / "site")
    page = (tmp_path / "site" / "acme" / "quality.html").read_text(encoding="utf-8")
    assert quality.CHANGES_NOT_TOLD in page
    assert "t-changes" not in page
    data = chunk_data(tmp_path / "site" / "acme" / "data" / "runs" / "2026-11-09.js")
    assert isinstance(data, dict)
    assert len(data["spans"]) > 0


def test_days_of_a_range_add_up(published: Path, site: Path) -> None:
    """The rows by day add up to the range's total, to the last digit."""
    tables = parsed(site / "acme" / "analytics.html").tables
    days = [row for row in tables["t-cost_days"] if row]
    total = next(row for row in tables["t-cost_parts"] if row and row[0][0] == "Total cost")
    assert len(days) == 30

    def amount(title: str) -> Decimal:
        return Decimal(title.partition(" + ")[0].replace("$", "").replace(",", ""))

    def calls(title: str) -> int:
        found = re.search(r" \+ ([\d,]+) unpriced", title)
        return int(found[1].replace(",", "")) if found else 0

    assert sum(amount(row[7][1]) for row in days if row[7][1]) == amount(total[1][1])
    assert sum(calls(row[7][1]) for row in days) == calls(total[1][1]) > 0


def rows_of(published: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    with duckdb.connect(str(published), read_only=True) as connection:
        return [tuple(row) for row in connection.execute(sql, list(values)).fetchall()]


@pytest.mark.parametrize("workspace", [ACME, HOSTILE])
def test_every_total_says_what_it_lacks(published: Path, site: Path, workspace: str) -> None:
    """A page shows an amount of money without the calls and tokens that nobody could price."""
    folder = site / writer.slug(workspace)
    within = "workspace_id = ? and usage_date between '2026-10-11' and '2026-11-09'"
    measures = "sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint"
    ((*lacking,),) = rows_of(
        published, f"select {measures} from marts.mart_analytics__total_cost where {within}", workspace
    )
    lacks = fmt.unpriced(*lacking)
    assert lacks, "the fixture has nothing unpriced to show"

    index = (site / "index.html").read_text(encoding="utf-8")
    ours = next(
        part for part in index.split('<li class="panel')[1:] if f'title="{html.escape(workspace)}"' in part
    )
    assert f'{lacks}">' in ours, "the index of workspaces, exact"
    assert f">{lacks.strip()}</dd>" in ours, "the index of workspaces"
    tables = parsed(folder / "analytics.html").tables
    ((*of_models,),) = rows_of(
        published, f"select {measures} from marts.mart_analytics__model_costs where {within}", workspace
    )
    lacks = fmt.unpriced(*of_models)
    models = tables["t-models"][-1]
    assert models[11][1].endswith(lacks), "provider cost of all models"
    assert models[12][0].endswith(fmt.unpriced_short(of_models[0])), "total cost of all models"
    assert models[14] == (fmt.count(of_models[0]), lacks.removeprefix(" + ")), "unpriced calls of all models"
    for table, column, key in (("services", 6, "service"), ("tools", 6, "tool_name")):
        mart = {"services": "service_costs", "tools": "tool_usage"}[table]
        expected = {
            name: fmt.unpriced(calls, tokens)
            for name, calls, tokens in rows_of(
                published,
                f"select {key}, {measures} from marts.mart_analytics__{mart} where {within} group by 1",
                workspace,
            )
        }
        shown = {row[0][0]: row[column][1] for row in tables[f"t-{table}"] if row and row[0][0] in expected}
        assert len(shown) == len(expected)
        assert any(expected.values()), f"the fixture has nothing unpriced to show in {table}"
        assert all(
            title.partition(" + ")[1:] == expected[name].partition(" + ")[1:] for name, title in shown.items()
        ), table
    lost = "sum(unattributed_unpriced_call_count)::bigint, sum(unattributed_unpriced_total_tokens)::bigint"
    ((*orphans,),) = rows_of(
        published, f"select {lost} from marts.mart_analytics__total_cost where {within}", workspace
    )
    parts = {row[0][0]: row[1] for row in tables["t-cost_parts"] if row}
    assert parts["of which unattributed (run never arrived)"][0].endswith(fmt.unpriced(*orphans))
    assert orphans[0] or workspace != ACME, "the fixture has nothing unattributed and unpriced to show"

    ((*of_users,),) = rows_of(
        published, f"select {measures} from marts.mart_users__activity where {within}", workspace
    )
    page = (folder / "users.html").read_text()
    assert f">{fmt.unpriced(*of_users).strip()}</dd>" in page, "total spend of all users"
    first = parsed(folder / "users.html").tables["users"][1]
    ((*of_user,),) = rows_of(
        published,
        f"select {measures} from marts.mart_users__activity where {within} and user_id = ?",
        workspace,
        first[0][0],
    )
    assert first[5][0].endswith(fmt.unpriced_short(of_user[0])), "cost of one user"
    spend = [row[2] for row in parsed(folder / "users.html").tables["t-distribution"] if row]
    assert (
        sum(
            int(m[1].replace(",", ""))
            for cell in spend
            if (m := re.search(r" \+ ([\d,]+) unpriced calls?", cell[1]))
        )
        == of_users[0]
    )
    for name, kind in (("prompts", "prompt"), ("workflows", "workflow"), ("agents", "agent")):
        config = json.loads(
            re.search(r'id="config">(.*?)</script>', (folder / f"{name}.html").read_text(), re.DOTALL)[1]
        )
        ((*runs,),) = rows_of(
            published,
            f"select {measures} from marts.mart_logs__{kind}_runs where workspace_id = ?",
            workspace,
        )
        assert [sum(day[6] for day in config["days"]), sum(day[7] for day in config["days"])] == runs, name


@pytest.mark.parametrize("workspace", [ACME, HOSTILE])
def test_unpriced_panel_is_whole(published: Path, site: Path, workspace: str) -> None:
    """The panel of unpriced usage leaves a model or reason out, or adds up to something else than the totals say."""
    tables = parsed(site / writer.slug(workspace) / "analytics.html").tables
    within = "workspace_id = ? and usage_date between '2026-10-11' and '2026-11-09'"
    groups = rows_of(
        published,
        f"""select price_status, coalesce(provider, '(not said)'), coalesce(model, '(not said)'), reason, sum(call_count)::bigint,
            sum(total_tokens)::bigint, sum(provider_cost_usd) from marts.mart_analytics__unpriced_usage where {within} group by all""",
        workspace,
    )
    rows = [row for row in tables["t-unpriced"] if row]
    body = [row for row in rows if row[0][0] not in (analytics.ALL_UNPRICED, analytics.ALL_PARTLY_PRICED)]
    shown = {(row[0][0], row[1][0], row[2][0]): (row[3][0], row[12]) for row in body}
    assert shown == {
        (provider, model, analytics.REASONS.get(reason, reason)): (
            fmt.count(calls),
            (fmt.MISSING, "") if status == "unpriced" else (fmt.money(cost), fmt.money_exact(cost)),
        )
        for status, provider, model, reason, calls, _, cost in groups
    }
    assert "a_new_reason" in {key[2] for key in shown}, "a reason without words must be shown as it is named"
    footers = {row[0][0]: row for row in rows if row not in body}
    ((calls, tokens),) = rows_of(
        published,
        f"select sum(unpriced_call_count)::bigint, sum(unpriced_total_tokens)::bigint from marts.mart_analytics__total_cost where {within}",
        workspace,
    )
    assert footers[analytics.ALL_UNPRICED][3][0] == fmt.count(calls)
    assert footers[analytics.ALL_UNPRICED][11][0] == fmt.count_short(tokens)
    assert analytics.ALL_PARTLY_PRICED in footers


def test_cost_differences_panel_is_whole(published: Path, site: Path) -> None:
    """The panel of reported against computed cost leaves a model out, or a sum of it is not the mart's."""
    rows = [row for row in parsed(site / "acme" / "analytics.html").tables["t-differences"] if row]
    measures = "sum(compared_call_count)::bigint, sum(differing_call_count)::bigint, " + ", ".join(
        f"sum({name})"
        for name in ("reported_cost_usd", "computed_cost_usd", "difference_usd", "at_stake_usd")
    )
    within = "workspace_id = 'acme' and usage_date between '2026-10-11' and '2026-11-09'"
    expected = rows_of(
        published,
        f"""select provider, model, priced_provider || ' / ' || priced_model, {measures}
        from marts.mart_analytics__cost_differences where {within} group by all order by 9 desc""",
    )
    total = rows_of(
        published,
        f"select 'All models', '', '', {measures} from marts.mart_analytics__cost_differences where {within}",
    )

    def cells(row: tuple[object, ...]) -> list[str]:
        return [*row[:3], *(fmt.count(n) for n in row[3:5]), *(fmt.money_exact(amount) for amount in row[5:])]

    assert [[*(c[0] for c in row[:5]), *(c[1] for c in row[5:])] for row in rows] == [
        cells(row) for row in (*expected, *total)
    ]
    assert any(row[2][0] == "google / gemini-2.5-flash-001" for row in rows), (
        "a model priced under another name must say so"
    )


def test_price_panels_say_none(published: Path, tmp_path: Path) -> None:
    """A range without unpriced usage or differences shows an empty table, as if something had not loaded."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "delete from marts.mart_analytics__unpriced_usage; delete from marts.mart_analytics__cost_differences"
        )
    build_site(copy, tmp_path / "site")
    tables = parsed(tmp_path / "site" / "acme" / "analytics.html").tables
    assert [row[0][0].split(":")[0] for row in tables["t-unpriced"] + tables["t-differences"] if row] == [
        "None",
        "None",
    ]


def test_no_known_cost_is_not_a_range(published: Path, site: Path, tmp_path: Path) -> None:
    """The users without a known cost stand under '$0.00 – $0.00'."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "update marts.mart_users__activity set total_cost_usd = 0, unpriced_call_count = 0, unpriced_total_tokens = 0 "
            "where user_id in ('user-1', 'user-2'); update marts.mart_users__activity set unpriced_call_count = 3, unpriced_total_tokens = 70 "
            "where user_id = 'user-1' and usage_date = (select max(usage_date) from marts.mart_users__activity where user_id = 'user-1')"
        )
    build_site(copy, tmp_path / "site")
    row = parsed(tmp_path / "site" / "acme" / "users.html").tables["t-distribution"][1]
    assert row == [
        ("No known cost", ""),
        ("2", ""),
        ("$0.00 + 3 unpriced", "$0.00 + 3 unpriced calls (70 tokens)"),
    ]


def test_distribution_is_the_marts(published: Path) -> None:
    """Over all days, the page puts users into other buckets than mart_users__cost_distribution."""
    with duckdb.connect(str(published), read_only=True) as connection:
        expected = connection.execute(
            "select bucket_lower_usd, user_count, total_cost_usd from marts.mart_users__cost_distribution where workspace_id = ? order by 1",
            [ACME],
        ).fetchall()
    with q.Published(published) as source:
        source.choose_months([(ACME, "2026-10"), (ACME, "2026-11")])
        rows = [row for (w, _), text in source.user_days().items() if w == ACME for row in json.loads(text)]
    clock = fmt.zone("UTC")
    assert clock is not None
    view = users.build_view(rows, {}, date(2026, 10, 1), date(2026, 11, 9), clock, has_credit_price=True)
    shown = {
        cells[0].text: (cells[1].text, cells[2].title.partition(" + ")[0]) for cells in view.distribution_rows
    }
    assert shown == {
        f"{fmt.money(low)} – {fmt.money(low * 10)}" if low else users.NO_KNOWN_COST: (
            fmt.count(n),
            fmt.money_exact(cost),
        )
        for low, n, cost in expected
    }


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
    """A new publication of the same data changes publication.js, the index and the pages about its quality, nothing else; one that ends a
    provisional day changes the pages of that workspace as well.
    """
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())

    def publish_later() -> set[str]:
        before = contents(tmp_path / "site")
        with duckdb.connect(str(copy)) as connection:
            connection.execute("update meta.publication set published_at = published_at + interval 1 day")
        build_site(copy, tmp_path / "site")
        after = contents(tmp_path / "site")
        return {name for name in after if before.get(name) != after[name]} - {writer.MANIFEST}

    build_site(copy, tmp_path / "site")
    page = tmp_path / "site" / writer.slug(HOSTILE) / "analytics.html"
    assert "9 Nov is provisional" in page.read_text(), "in New York it was the 9th when this was published"
    stamps = {
        "assets/publication.js",
        "index.html",
        "acme/quality.html",
        f"{writer.slug(HOSTILE)}/quality.html",
    }
    assert {name.split("/")[0] for name in publish_later() - stamps} == {writer.slug(HOSTILE)}
    assert "is provisional" not in page.read_text()
    assert publish_later() == stamps


def test_empty_workspace_says_why(published: Path, tmp_path: Path) -> None:
    """A workspace without usage gets pages that say so rather than errors."""
    copy = tmp_path / "usage.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "insert into dimensions.dim_workspace values ('quiet', 'Quiet', 'Mars/Olympus', 'hosted', false, true)"
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
    priced = (site / "acme" / "analytics.html").read_text().split('id="notes"')[1].split("</div>")[0]
    assert "credit price" not in priced
    assert analytics.NO_CREDIT_PRICE_SHORT in (site / writer.slug(HOSTILE) / "users.html").read_text()
    assert (
        analytics.NO_CREDIT_PRICE_SHORT not in (site / "acme" / "users.html").read_text().split("<section")[0]
    )


def test_days_without_a_credit_price_are_said(site: Path) -> None:
    """A range that reaches to before the first credit price does not show its credits as free; nor does a
    price of nothing look like none.
    """
    months = months_of(site, "acme")
    early = analytics.build_view(months, date(2026, 10, 1), date(2026, 10, 6), SINCE_OCTOBER_4)
    assert early.notes == (
        "No credit price set on 3 of 6 days with credits: their task credits are counted, with a USD estimate of $0.00.",
    )
    assert early.tiles[1].note == "no credit price set on 3 of 6 days with credits"
    later = analytics.build_view(months, date(2026, 10, 4), date(2026, 10, 6), SINCE_OCTOBER_4)
    assert (later.notes, later.tiles[1].note) == ((), "")
    for row in months.tables["total"]:
        row["task_credit_cost_usd"] = 0
    free = analytics.build_view(months, date(2026, 10, 4), date(2026, 10, 6), SINCE_OCTOBER_4)
    assert free.notes == (), "credits at a price of $0.00 were taken for credits without a price"


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


def test_meters_are_those_of_pricing() -> None:
    """A page explains a cost by other meters, or other sizes of their prices, than it was made of."""
    from orchestration.pricing import meters

    assert [name for name, _ in col.METERS] == [meter.name for meter in meters.MEASURED]
    assert set(col.METERS_OF_TOKENS) == {m.name for m in meters.MEASURED if m.unit_size == meters.MILLION}
    macro = (Path(pages.__file__).parents[1] / "dbt_project" / "macros" / "pricing.sql").read_text(
        encoding="utf-8"
    )
    free = re.search(r"macro meters_free_without_a_price\(\).*?return\((\[.*?\])\)", macro, re.DOTALL)
    assert free
    assert tuple(json.loads(free[1])) == col.METERS_FREE_WITHOUT_A_PRICE


# --- budgets and odd days ---------------------------------------------------------------------------------------------


def _watched(published: Path, first: date, last: date) -> watch.View:
    with q.Published(published) as source:
        return watch.view(first, last, source.budgets()[ACME], source.anomalies()[ACME])


def test_the_budget_of_the_month_in_which_the_range_ends_is_shown(published: Path, site: Path) -> None:
    """A budget is missing, of another month, or its share, pace, projection or days left are not those of the mart."""
    view = _watched(published, date(2026, 10, 11), date(2026, 11, 9))
    assert [(b.month, b.status) for b in view.budgets] == [
        ("2026-11", "Heading over budget"),
        ("2026-10", "Within budget"),
    ]
    assert [(label, value.text, note) for label, value, note in view.budgets[0].numbers] == [
        ("Spent", "$0.40", "80.0% of $0.50"),
        ("Pace", "$0.0444", "a day, this month so far"),
        ("Projected by 30 Nov", "$1.33", "$0.8333 over budget"),
        ("Budget lasts", "2 days", "at this pace; 21 days of the month left"),
    ]
    assert view.has_budget
    assert (view.budgets[0].spent_width, view.budgets[0].budget_at) == (300, 375)
    assert view.budgets[1].numbers[2:] == (
        ("Month's end", analytics.Cell("$0.25", "$0.25"), "$0.25 below budget"),
        ("Budget lasts", analytics.Cell("whole month"), "0 days of the month left"),
    )
    text = (site / "acme" / "analytics.html").read_text(encoding="utf-8")
    assert re.findall(r'data-budget="([^"]+)"( hidden)?', text) == [("2026-11", ""), ("2026-10", " hidden")]


def test_a_budget_that_is_spent_says_so(published: Path) -> None:
    """A workspace over its budget is told of days that its budget still lasts."""
    with q.Published(published) as source:
        row = source.budgets()[ACME][0] | {
            "spent_usd": Decimal("0.75"),
            "projected_usd": Decimal("0.75"),
            "budget_days_left": 0,
            "budget_status": "over",
            "days_left": 1,
        }
    budget = watch.view(date(2026, 10, 1), date(2026, 10, 31), [row], []).budgets[0]
    assert (budget.tone, budget.spent_width, budget.budget_at) == ("bad", 1000, 666)
    assert budget.numbers[3] == ("Budget lasts", analytics.Cell("spent"), "1 day of the month left")


def test_odd_days_lead_with_most_at_stake_and_follow_the_range(published: Path, site: Path) -> None:
    """A thing that left its band is missing, told twice, out of order, outside the range, or runs as markup."""
    view = _watched(published, date(2026, 10, 11), date(2026, 11, 9))
    assert [(odd.day, odd.leads, odd.kind, odd.name, odd.at_stake.plain) for odd in view.odd] == [
        ("2026-11-08", 2, "API key", "<script>alert(1)</script>", "3.375000"),
        ("2026-11-08", 0, "Service", "prompt", "3.300000"),
        ("2026-10-10", 1, "Model", "openai/gpt-4o", "2.500000"),
    ]
    lead = view.odd[0]
    assert lead.what == "cost above its band; calls above its band (1,201, expected 210)"
    assert (lead.expected.text, lead.expected.title) == ("$0.75", "$0.75; band $0.30 to $1.50")
    assert lead.contributors.text == "gpt-4o / <b>Bot</b> / key: 1,200 calls, $4.00; x: 1 call, $0.125"
    assert view.odd[1].contributors.text == "—"
    assert view.summary.startswith("1 day, 2 things off")
    assert not _watched(published, date(2026, 11, 9), date(2026, 11, 9)).summary
    text = (site / "acme" / "analytics.html").read_text(encoding="utf-8")
    assert re.findall(r'<tr data-day="([^"]+)"[^>]*?( hidden)?>', text) == [
        ("2026-11-08", ""), ("2026-11-08", ""), ("2026-10-10", " hidden"),
    ]  # fmt: skip
    assert "<script>alert(1)" not in text
    other = next(folder for folder in site.iterdir() if folder.name.startswith("tenant"))
    assert 'id="odd"' not in (other / "analytics.html").read_text(encoding="utf-8"), "nothing odd, and said"


@pytest.mark.parametrize("name", ["evil: 1 calls, $0.0000000000001", f"evil: {'9' * 5000} calls, $1.000000"])
def test_names_that_look_like_amounts_stop_no_page(name: str) -> None:
    """A prompt whose name holds an amount of more digits than money has keeps every page of every workspace from being made."""
    row = {
        "usage_date": date(2026, 11, 8), "dimension": "service", "dimension_key": "prompt", "dimension_name": "prompt",
        "measure": "total_cost_usd", "direction": "above", "top_contributors": f"{name}; {name}: 1200 calls, $4.000000",
        **dict.fromkeys(("actual", "expected", "band_lower", "band_upper", "at_stake_usd"), Decimal(1)),
    }  # fmt: skip
    odd = watch.view(date(2026, 11, 1), date(2026, 11, 9), [], [row]).odd[0]
    assert odd.contributors.text == f"{name}; {name}: 1,200 calls, $4.00"


def test_a_publication_without_the_marts_of_budgets_and_odd_days_is_rendered(tmp_path: Path) -> None:
    """A file published by a version before these marts cannot be shown."""
    path = make_published(tmp_path / "usage.duckdb", days=2, runs_per_day=2)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "drop table marts.mart_analytics__budgets; drop table marts.mart_analytics__anomalies"
        )
    with q.Published(path) as source:
        assert (source.budgets(), source.anomalies()) == ({}, {})
