"""Usage that this project did not write goes through the night and comes out with the totals that its authors state.

The folder is `CREDIT_USAGE_REAL_DATA`, else `../shared/data/real` beside the checkout; without it these tests are skipped.
"""

from __future__ import annotations

import gzip
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard

from orchestration.settings import REPOSITORY
from tests.warehouse_fixture import Warehouse, differences, digests

REAL = Path(
    os.environ.get("CREDIT_USAGE_REAL_DATA") or REPOSITORY.parent / "shared" / "data" / "real"
).resolve()
pytestmark = [
    pytest.mark.skipif(
        not (REAL / "coding-agent").is_dir(),
        reason=f"no recorded usage in {REAL} (set CREDIT_USAGE_REAL_DATA)",
    ),
    pytest.mark.xdist_group("real"),
]

AGENT, AZURE = "ws_coding-agent-1", "ws_azure-code"
# The known totals of SOURCES.md.
TOTALS = {
    AGENT: {
        "run_count": 54,
        "call_count": 484,
        "input_tokens": 56_382_684,
        "cached_tokens": 54_693_675,
        "cache_write_tokens": 1_685_320,
        "output_tokens": 187_895,
        "total_tokens": 56_382_684 + 187_895,
        "provider_cost_usd": Decimal("42.595907500000"),
        "wallet_cost_usd": Decimal("42.595907500000"),
        "total_cost_usd": Decimal("42.595907500000"),
        "external_cost_usd": Decimal(0),
        "unpriced_call_count": 0,
        "unpriced_total_tokens": 0,
    },
    AZURE: {
        "run_count": 8_819,
        "call_count": 8_819,
        "input_tokens": 18_059_974,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 245_896,
        "total_tokens": 18_059_974 + 245_896,
        "provider_cost_usd": Decimal(0),
        "wallet_cost_usd": Decimal(0),
        "total_cost_usd": Decimal(0),
        "external_cost_usd": Decimal(0),
        "unpriced_call_count": 8_819,
        "unpriced_total_tokens": 18_059_974 + 245_896,
    },
}
SPANS = {AGENT: 932, AZURE: 8_819}
COUNTED_BY_ROWS = {"run_count", "call_count", "unpriced_call_count", "unpriced_total_tokens"}

TOKEN_COUNTS = {name for name in TOTALS[AGENT] if name.endswith("tokens")}

# Table → how it names what is carried: prefix of the measures, and the measures it has none of.
CARRIERS = {
    "facts.fct_span_usage": ("", COUNTED_BY_ROWS),
    "facts.fct_run_usage": ("own_", COUNTED_BY_ROWS),
    "facts.fct_usage_daily": ("", {"run_count"}),
    "facts.fct_user_daily": ("", {"call_count"}),
    "marts.mart_analytics__total_cost": ("", set()),
    "marts.mart_analytics__service_costs": ("", {"run_count"}),
    "marts.mart_analytics__model_costs": ("", {"run_count"}),
    "marts.mart_analytics__token_usage": (
        "",
        {name for name in TOTALS[AGENT] if not name.endswith("tokens")} | {"unpriced_total_tokens"},
    ),
    "marts.mart_analytics__top_users": (
        "",
        {"call_count"} | (TOKEN_COUNTS - {"total_tokens", "unpriced_total_tokens"}),
    ),
    "marts.mart_users__activity": (
        "",
        {"call_count"} | (TOKEN_COUNTS - {"total_tokens", "unpriced_total_tokens"}),
    ),
    "marts.mart_details__spans": ("", COUNTED_BY_ROWS),
}
RUN_TABLES = {
    AGENT: ("marts.mart_logs__agent_runs", "marts.mart_details__agent_summary"),
    AZURE: ("marts.mart_logs__prompt_runs", "marts.mart_details__prompt_summary"),
}


@pytest.fixture(scope="module")
def real(_home: Path) -> Path:
    """The data folder after one night with the suites on both sources, as they came, and its site."""
    warehouse = Warehouse(_home)
    warehouse.clear()
    for name in ("coding-agent", "azure-code"):
        shutil.copytree(REAL / name, warehouse.settings.landing_dir / name)
    assert warehouse.night(suites=True) is not None
    warehouse.render()
    return warehouse.save("real")


@pytest.fixture
def loaded(real: Path, warehouse: Warehouse) -> Warehouse:
    warehouse.restore(real)
    return warehouse


def test_totals_are_exact_in_facts_and_marts(loaded: Warehouse) -> None:
    """A token or a trillionth of a dollar is lost or counted twice between the files and a mart."""
    for table, (prefix, missing) in CARRIERS.items():
        measures = [name for name in TOTALS[AGENT] if name not in missing]
        sums = ", ".join(f"coalesce(sum({prefix}{name}), 0)" for name in measures)
        for workspace, totals in TOTALS.items():
            (row,) = loaded.query(f"select {sums} from {table} where workspace_id = '{workspace}'")
            expected = {name: totals[name] for name in measures}
            assert dict(zip(measures, row, strict=True)) == expected, (
                f"{table} does not carry the totals of {workspace}"
            )


def test_rows_are_those_of_the_sources(loaded: Warehouse) -> None:
    """Runs or spans are dropped, or multiplied by a join."""
    for workspace, totals in TOTALS.items():
        where = f"where workspace_id = '{workspace}'"
        for table in ("facts.fct_span_usage", "marts.mart_details__spans"):
            assert loaded.one(f"select count(*) from {table} {where}") == SPANS[workspace], table
        for table in ("facts.fct_run_usage", *RUN_TABLES[workspace]):
            assert loaded.one(f"select count(*) from {table} {where}") == totals["run_count"], table
        models = "marts.mart_analytics__model_observability"
        assert loaded.one(f"select sum(call_count) from {models} {where}") == totals["call_count"]
        assert (
            loaded.one(f"select sum(run_count) from marts.mart_analytics__trace_performance {where}")
            == totals["run_count"]
        )
        assert (
            loaded.one(f"select sum(span_count) from marts.mart_analytics__span_performance {where}")
            == SPANS[workspace]
        )
    dates = loaded.query(
        f"select distinct usage_date::varchar from facts.fct_run_usage where workspace_id = '{AGENT}' order by 1"
    )
    assert dates == [("2025-12-08",), ("2025-12-09",)], "the recording crosses midnight once"


def test_log_tables_and_sheets_carry_the_inclusive_totals(loaded: Warehouse) -> None:
    """A log row or a detail sheet shows less or more than the run used."""
    classes = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens")
    for workspace, totals in TOTALS.items():
        for table in RUN_TABLES[workspace]:
            (row,) = loaded.query(
                f"select {', '.join(f'sum(total_{name})' for name in classes)}, sum(total_tokens), sum(own_total_tokens), "
                "sum(own_image_tokens), sum(child_runs_total_tokens), sum(total_cost_usd), sum(own_cost_usd), "
                f"sum(total_provider_cost_usd), sum(unpriced_call_count) from {table} where workspace_id = '{workspace}'"
            )
            assert row == (
                *(totals[name] for name in classes),
                totals["total_tokens"],
                totals["total_tokens"],
                0,
                0,
                totals["total_cost_usd"],
                totals["total_cost_usd"],
                totals["provider_cost_usd"],
                totals["unpriced_call_count"],
            ), f"{table} of {workspace}"


def test_token_classes_are_exclusive(loaded: Warehouse) -> None:
    """The stacked classes of Token Usage overlap or leave tokens out."""
    for workspace, totals in TOTALS.items():
        (row,) = loaded.query(
            "select sum(uncached_input_tokens), sum(visible_output_tokens), sum(uncached_input_tokens + cached_tokens + "
            "cache_write_tokens + visible_output_tokens + reasoning_tokens + image_tokens) "
            f"from marts.mart_analytics__token_usage where workspace_id = '{workspace}'"
        )
        uncached = totals["input_tokens"] - totals["cached_tokens"] - totals["cache_write_tokens"]
        assert row == (uncached, totals["output_tokens"], totals["total_tokens"]), workspace


def test_catalogue_prices_make_the_reported_cost(loaded: Warehouse) -> None:
    """484 calls with heavy caching, priced by the catalogue, do not cost what their provider reported; or cached reads are priced as
    input, which would make 6.8 times as much.
    """
    ((reported, computed, differing, as_input, statuses),) = loaded.query(
        f"""
        select
            sum(reported_provider_cost_usd),
            sum(computed_provider_cost_usd),
            count(*) filter (where computed_provider_cost_usd <> reported_provider_cost_usd),
            sum(
                computed_provider_cost_usd
                + cast(cached_tokens as decimal(38, 0)) * (uncached_input_usd - cached_input_usd)
            ),
            string_agg(distinct price_status)
        from facts.fct_span_usage
        inner join dimensions.dim_price_set using (price_set_id)
        where workspace_id = '{AGENT}'
        """
    )
    assert reported == computed == TOTALS[AGENT]["provider_cost_usd"]
    assert (differing, statuses) == (0, "priced")
    assert round(as_input / computed, 1) == Decimal("6.8")
    assert loaded.query("select count(*) from marts.mart_analytics__cost_differences") == [(0,)]


def test_the_page_shows_the_totals(loaded: Warehouse) -> None:
    """The page rounds a total away, or shows unpriced usage as if it were free."""
    site = loaded.settings.site_dir
    pages = {path.parent.name: path.read_text(encoding="utf-8") for path in site.rglob("analytics.html")}
    (agent,) = (text for name, text in pages.items() if name.startswith("ws-coding-agent-1"))
    (azure,) = (text for name, text in pages.items() if name.startswith("ws-azure-code"))
    for shown in ("$42.5959075", "56,382,684", "54,693,675", "1,685,320", "187,895", "56,570,579"):
        assert shown in agent, f"the agent's analytics page does not show {shown}"
    for shown in ("18,059,974", "245,896", "18,305,870", "8,819 unpriced calls (18.3M tokens)"):
        assert shown in azure, f"the analytics page of the unpriced prompts does not show {shown}"
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "$42.5959075" in index
    assert "8,819 unpriced calls (18.3M tokens)" in index


def test_loading_again_in_another_guise_changes_nothing(loaded: Warehouse, real: Path) -> None:
    """The same rows under other names, cuts and compressions are counted twice."""
    landing = loaded.settings.landing_dir
    (landing / "again").mkdir()
    for number, path in enumerate(sorted((REAL / "coding-agent").rglob("*.jsonl"))):
        shutil.copy(path, landing / "again" / f"renamed-{number}.jsonl")
        (landing / "again" / f"compressed-{number}.jsonl.gz").write_bytes(
            gzip.compress(path.read_bytes(), 9, mtime=0)
        )
        lines = path.read_bytes().splitlines(keepends=True)
        (landing / "again" / f"tail-{number}.jsonl").write_bytes(b"".join(lines[len(lines) // 3 :][::-1]))
    for number, path in enumerate(sorted((REAL / "azure-code").rglob("*.gz"))):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        (landing / "again" / f"plain-{number}.jsonl").write_bytes(b"".join(lines))
        half = b"".join(lines[: len(lines) // 2])
        (landing / "again" / f"half-{number}.jsonl.zst").write_bytes(zstandard.compress(half))
    report = loaded.land()
    assert report.manifest is not None
    assert report.manifest.total("rows_loaded") == 0, "rows that were known were loaded again"
    assert report.manifest.total("rows_duplicate") == report.manifest.total("rows_read") > 20_000
    assert len(report.known_files) >= 6, "a renamed file was not recognised by its content"
    plan = loaded.build(with_tests=False)
    assert not plan.is_empty
    loaded.publish()
    loaded.render()
    assert loaded.query("select touched_date_count from meta.publication") == [(0,)], (
        "dates were rebuilt for nothing"
    )
    _same_as(real, loaded)


def test_spans_before_runs_changes_nothing(warehouse: Warehouse, real: Path) -> None:
    """Spans whose runs arrive a night later end elsewhere than spans that came with their runs."""
    for number, folder in enumerate(("spans", "runs")):
        for name in ("coding-agent", "azure-code"):
            shutil.copytree(REAL / name / folder, warehouse.settings.landing_dir / f"{number}" / name)
        publication = warehouse.night(with_tests=False)
        assert publication is not None
        assert publication.touched_dates == ("2023-11-16", "2025-12-08", "2025-12-09")
        if folder == "spans":
            lost = warehouse.one(
                "select sum(unattributed_provider_cost_usd) from marts.mart_analytics__total_cost"
            )
            assert lost == Decimal("42.595907500000"), (
                "money of spans without runs is not shown as unattributed"
            )
    warehouse.render()
    _same_as(real, warehouse)


def _same_as(saved: Path, warehouse: Warehouse) -> None:
    assert (
        differences(warehouse, saved / "published" / "usage.duckdb", warehouse.settings.published_path) == []
    )
    before, after = digests(saved / "site"), digests(warehouse.settings.site_dir)
    # Only these say which publication and build it was.
    stamped = {"assets/publication.js", "index.html", "site-manifest.json"}
    stamped |= {name for name in before if name.endswith("/quality.html")}
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name] and name not in stamped] == [], (
        "pages changed"
    )
    assert len(before) > 30
