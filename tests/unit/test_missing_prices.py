"""Which prices are missing: from published calls to the rows that a price file lacks, and back."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.pricing import meters, price_file
from orchestration.pricing.missing import FREE_WITHOUT_A_PRICE, IS_USED, Findings, find
from orchestration.pricing.prices import Price
from orchestration.pricing.skeleton import skeleton
from orchestration.settings import REPOSITORY

PRICING_SQL = (REPOSITORY / "dbt_project/macros/pricing.sql").read_text(encoding="utf-8")
TOKENS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "image_input_tokens",
    "output_tokens", "reasoning_tokens", "audio_output_tokens", "image_tokens", "citation_tokens", "units", "web_search_count",
)  # fmt: skip
DAY = datetime(2026, 10, 1, 12)  # noqa: DTZ001 - the warehouse keeps UTC in plain timestamps


@contextmanager
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """The columns of a published file that are asked, without rows."""
    with duckdb.connect(":memory:") as connection:
        counts = ", ".join(f"{name} bigint" for name in (*TOKENS, "total_tokens"))
        connection.execute(f"""
            create schema facts;
            create schema marts;
            create table facts.fct_span_usage (
                workspace_id varchar, usage_date date, started_at timestamp, provider varchar, model varchar,
                response_model varchar, service_tier varchar, span_kind varchar, cost_source varchar, price_status varchar,
                unpriced_reason varchar, {counts}
            );
            create view marts.mart_analytics__unpriced_usage as select usage_date from facts.fct_span_usage;
        """)
        yield connection


@pytest.fixture
def published() -> Iterator[duckdb.DuckDBPyConnection]:
    """A published file without calls."""
    with empty() as connection:
        yield connection


def add(
    connection: duckdb.DuckDBPyConnection,
    model: str | None,
    reason: str | None = "no_price",
    **more: Any,
) -> None:
    """A published call; without a reason it is partly priced."""
    row = {
        "workspace_id": "ws_a",
        "started_at": DAY,
        "provider": "house",
        "model": model,
        "span_kind": "completion",
        "cost_source": "unpriced" if reason else "priced",
        "price_status": "unpriced" if reason else "partial",
        "unpriced_reason": reason,
        **more,
    }
    row.setdefault("usage_date", row["started_at"].date())
    tokens = [row.get(name) for name in ("input_tokens", "output_tokens", "image_tokens")]
    if any(count is not None for count in tokens):
        row.setdefault("total_tokens", sum(count or 0 for count in tokens))
    connection.execute(
        f"insert into facts.fct_span_usage ({', '.join(row)}) values ({', '.join('?' * len(row))})",
        list(row.values()),
    )


def filed(model: str, meter: str, usd: str = "1", **more: Any) -> Price:
    """A row of a price file."""
    values: dict[str, Any] = {
        "provider": "", "variant": "", "above_input_tokens": 0, "valid_from": None, "valid_to": None, "daily_from": None,
        "daily_to": None, "unit_size": meters.BY_NAME[meter].unit_size, "source": "price file", "source_version": "v",
        "checked_at": None,
    }  # fmt: skip
    return Price(model_rule=model, meter=meter, unit_price_usd=Decimal(usd), **(values | more))


def rows(findings: Findings) -> list[tuple[str, ...]]:
    """Of the skeleton: provider, model, meter, variant, valid_from, valid_to."""
    lines = csv.DictReader(io.StringIO(skeleton(findings.missing), newline=""))
    names = ("provider", "model", "meter", "variant", "valid_from", "valid_to")
    return [tuple(line.get(name, "") for name in names) for line in lines]


def fill_in(findings: Findings, folder: Path) -> tuple[Price, ...]:
    """The skeleton with a price in each row, read as a price file."""
    lines = list(csv.DictReader(io.StringIO(skeleton(findings.missing), newline="")))
    path = folder / "filled.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows({**line, "unit_price_usd": "0.5"} for line in lines)
    return price_file.read(path)


def test_exactly_the_meters_that_were_used_are_asked_for(published: duckdb.DuckDBPyConnection) -> None:
    """A skeleton asks for prices that nothing needs, or lacks one that a call does."""
    add(published, "house-llm", input_tokens=10, cached_tokens=4, output_tokens=5)
    add(published, "house-painter", span_kind="image_generation", units=2)
    add(
        published,
        "house-voice",
        input_tokens=7,
        audio_input_tokens=7,
        output_tokens=9,
        reasoning_tokens=3,
        audio_output_tokens=6,
    )
    add(published, "house-zero", input_tokens=0, output_tokens=0)
    found = find(published, ())
    assert {model.model: model.meters for model in found.models} == {
        "house-llm": ("uncached_input", "cached_input", "output"),
        "house-painter": ("image",),
        "house-voice": ("audio_input", "reasoning", "audio_output"),
        "house-zero": ("uncached_input",),
    }
    assert rows(found)[0] == ("house", "house-llm", "uncached_input", "", "2026-10-01", "")


def test_what_no_file_cures_is_counted_and_not_listed(published: duckdb.DuckDBPyConnection) -> None:
    """The skeleton names a model whose price is known, or calls disappear from the count."""
    add(published, "gpt-4o", "unknown_usage", provider="openai")
    add(published, "house-llm", "no_price")
    add(published, None, "no_model_named", input_tokens=1)
    add(published, "x" * 400, input_tokens=1)
    add(published, "house-llm", input_tokens=1, service_tier="not a tier!")
    add(published, "gpt-4o", None, provider="openai", input_tokens=1, cost_source="reported")
    found = find(published, ())
    assert (found.models, found.missing) == ((), ())
    assert (found.calls_without_usage, found.calls_without_model, found.calls_of_next_night) == (2, 3, 0)


def test_a_partly_priced_model_is_asked_for_the_rest_alone(published: duckdb.DuckDBPyConnection) -> None:
    """A price that the catalogue has is asked for again, so that a typing error would replace it."""
    add(published, "gpt-4o", None, provider="openai", input_tokens=10, cache_write_tokens=5, output_tokens=5)
    assert rows(find(published, ())) == [("openai", "gpt-4o", "cache_write_5m", "", "2026-10-01", "")]


def test_a_row_ends_where_a_price_begins(published: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A price for a gap goes on after it, and replaces the price that follows."""
    known = (
        filed("house-llm", "uncached_input", valid_to=date(2026, 10, 2)),
        filed("house-llm", "uncached_input", valid_from=date(2026, 10, 5)),
        filed("house-llm", "output", valid_from=date(2026, 10, 20)),
    )
    for day in (1, 3, 6, 30):
        reason = None if day < 30 else "no_price"
        add(published, "house-llm", reason, started_at=DAY.replace(day=day), input_tokens=1, output_tokens=1)
    found = find(published, known)
    assert rows(found) == [
        ("", "house-llm", "uncached_input", "", "2026-10-03", "2026-10-05"),
        ("", "house-llm", "output", "", "2026-10-01", "2026-10-20"),
    ]
    assert found.calls_of_next_night == 1, "the last call has both prices by now"
    assert find(published, (*known, *fill_in(found, tmp_path))).missing == ()


def test_rows_belong_to_the_rule_that_a_model_goes_by(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A new rule for the name takes the place of the operator's own, whose prices are lost."""
    known = (filed("house-*", "uncached_input"),)
    add(published, "house-a", None, input_tokens=1, output_tokens=1)
    add(published, "house-b", None, input_tokens=1, output_tokens=1)
    found = find(published, known)
    assert rows(found) == [("", "house-*", "output", "", "2026-10-01", "")]
    assert [model.model for model in found.models] == ["house-a", "house-b"]
    assert find(published, (*known, *fill_in(found, tmp_path))).missing == ()


@pytest.mark.parametrize(("provider", "model"), [("openai", "gpt-4o"), ("house", "house-llm")])
def test_a_tier_has_rows_of_its_own(
    published: duckdb.DuckDBPyConnection, tmp_path: Path, provider: str, model: str
) -> None:
    """The price of a tier is asked for as the standard price, and charged to calls without the tier."""
    add(published, model, None, provider=provider, service_tier="Turbo", input_tokens=1, output_tokens=1)
    found = find(published, ())
    assert [row[2:4] for row in rows(found)] == [("uncached_input", "turbo"), ("output", "turbo")]
    assert find(published, fill_in(found, tmp_path)).missing == ()


def test_a_workspace_is_asked_alone(published: duckdb.DuckDBPyConnection) -> None:
    """Another workspace's models are told to whoever asked for one."""
    add(published, "house-a", input_tokens=1)
    add(published, "house-b", input_tokens=1, workspace_id="ws_b")
    assert [model.model for model in find(published, (), workspace_id="ws_b").models] == ["house-b"]
    assert len(find(published, ()).models) == 2


def test_the_response_names_the_model(published: duckdb.DuckDBPyConnection) -> None:
    """The rows name the model asked for, although the one that answered prices the call."""
    add(published, "house-latest", input_tokens=1, response_model="house-2")
    assert [row[1] for row in rows(find(published, ()))] == ["house-2"]


NAMES = st.sampled_from(
    ["house-a", "House-A", "a,b", 'a"b', "a*", "[a]", "=1+1", "gpt-4o", "o3", "ünï", "a\nb"]
)
CALLS = st.fixed_dictionaries(
    {
        "model": NAMES,
        "provider": st.sampled_from(["house", "openai", ""]),
        "service_tier": st.sampled_from([None, "default", "flex", "turbo"]),
        "started_at": st.sampled_from([DAY, DAY.replace(day=9), DAY.replace(hour=0)]),
        "input_tokens": st.integers(0, 9),
        "cached_tokens": st.integers(0, 3),
        "output_tokens": st.integers(0, 3),
        "citation_tokens": st.integers(0, 1),
    }
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_a_filled_skeleton_leaves_nothing_missing(
    tmp_path_factory: pytest.TempPathFactory, calls: Sequence[dict[str, Any]]
) -> None:
    """Whoever fills in the file is asked again, or gets a file whose rows overlap."""
    with empty() as connection:
        for call in calls:
            add(connection, reason=None, **call)
        found = find(connection, ())
        if found.missing:
            filled = fill_in(found, tmp_path_factory.mktemp("filled"))
            assert find(connection, filled).missing == ()
    counted = sum(model.call_count for model in found.models)
    assert counted + found.calls_of_next_night + found.calls_without_usage == len(calls)


# -- the same meters as the SQL ------------------------------------------------------------------------------------------------


def quantities() -> dict[str, str]:
    """Meter → quantity, as the macro has it."""
    returned: list[dict[str, str]] = []
    macro = re.search(r"{% macro meter_quantities\(\).*?{%- endmacro %}", PRICING_SQL, re.DOTALL)
    assert macro
    environment = jinja2.Environment()  # noqa: S701 - SQL, not HTML
    environment.from_string(macro[0] + "{{ meter_quantities() }}").render({"return": returned.append})
    return returned[0]


def test_a_meter_is_used_where_the_sql_counts_it() -> None:
    """A call is charged for a meter whose price was never asked for."""
    expected = quantities()
    assert (
        set(IS_USED) == set(expected) - {"request"} == {meter.name for meter in meters.MEASURED} - {"request"}
    )
    free = re.search(r"macro meters_free_without_a_price.*?return\(\[(.*?)\]\)", PRICING_SQL, re.DOTALL)
    assert free
    assert set(re.findall(r'"(\w+)"', free[1])) == set(FREE_WITHOUT_A_PRICE)
    small = list(itertools.product([None, 0, 2, 5], repeat=4))
    groups = (
        ("input_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
        ("input_tokens", "cached_tokens", "audio_input_tokens", "image_input_tokens"),
        ("output_tokens", "reasoning_tokens", "audio_output_tokens", "image_tokens"),
        ("citation_tokens", "units", "web_search_count", "input_tokens"),
    )
    with duckdb.connect(":memory:") as connection:
        columns = ", ".join(f"{name} bigint" for name in TOKENS)
        connection.execute(f"create table calls (span_kind varchar, total_tokens bigint, {columns})")
        for kind, names in itertools.product(("completion", "image_generation"), groups):
            connection.executemany(
                f"insert into calls (span_kind, {', '.join(names)}) values (?, ?, ?, ?, ?)",
                [(kind, *values) for values in small],
            )
        for meter, quantity in expected.items():
            if meter == "request":
                continue
            wrong = connection.execute(
                f"select * from calls where coalesce({IS_USED[meter]}, false) <> ({quantity} > 0) limit 1"
            ).fetchall()
            assert wrong == [], meter
