"""Money from span to fact: against an independent calculation, and when prices and rates change."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import Usage

from orchestration.pricing import catalogue
from tests.integration.nights import Nights, differences

SEED = 20260313
CALLS = 3000


def run(run_id: str, day: str = "2026-03-01", **more: Any) -> dict[str, Any]:
    """A completed agent run of workspace w."""
    started_at = f"{day}T10:00:00Z"
    return {
        "run_id": run_id,
        "workspace_id": "w",
        "run_type": "agent",
        "status": "completed",
        "started_at": started_at,
    } | more


def call(span_id: str, run_id: str, model: str, day: str = "2026-03-01", **more: Any) -> dict[str, Any]:
    """A model call of it."""
    return {
        "span_id": span_id, "run_id": run_id, "workspace_id": "w", "name": "call", "kind": "completion", "service": "AI Model",
        "model": model, "status": "completed", "started_at": f"{day}T10:00:01Z", "ended_at": f"{day}T10:00:02Z",
    } | more  # fmt: skip


# -- against the package's own calculation ---------------------------------------------------------------------------------------


def moments() -> list[datetime]:
    """Moments around every date and hour at which a price of the package changes."""
    found = {datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC)}
    for provider in providers:
        for model in provider.models:
            for price in model.prices if isinstance(model.prices, list) else []:
                if hasattr(price.constraint, "start_date"):
                    start = datetime.combine(price.constraint.start_date, datetime.min.time(), UTC)
                    found |= {start, start - timedelta(microseconds=1)}
                elif hasattr(price.constraint, "start_time"):
                    start = datetime.combine(date(2026, 3, 1), price.constraint.start_time, UTC)
                    found |= {start, start - timedelta(microseconds=1)}
    return sorted(found)


def invented_calls() -> Iterator[tuple[dict[str, Any], Decimal]]:
    """Calls of every kind, and what the package charges for each."""
    chance = random.Random(SEED)
    snapshot = DataSnapshot(providers=providers, from_auto_update=False)
    listed = [(provider, model) for provider in providers for model in provider.models]
    # Models with dates, tiers and variants are few, and they are where mistakes are made.
    special = [
        (p, m)
        for p, m in listed
        if m.price_variants
        or isinstance(m.prices, list)
        or any(hasattr(price, "tiers") for price in vars(m.prices).values())
    ]
    times = moments()
    made = 0
    while made < CALLS:
        provider, model = chance.choice(special if made % 2 else listed)
        # The name decides: an earlier model of the list may claim it, and a few models do not match their own id.
        if catalogue.find(model.id, provider.id) is None:
            continue
        _, found = snapshot.find_provider_model(model.id, provider, None, None)
        moment = chance.choice(times)
        tier, context = "", None
        if found.price_variants and chance.random() < 0.5:
            when = dict(chance.choice(found.price_variants).when)
            tier, context = "+".join(when.values()), when
        prices = found.get_prices(moment, context)
        if prices.input_mtok is None or any(
            getattr(prices, key) is not None
            for key in ("input_video_mtok", "output_video_mtok", "input_image_mtok")
        ):
            continue
        whole = chance.choice([0, 1, 999, 128_000, 200_000, 200_001, 272_001, 1_000_000])
        cached = chance.randint(0, whole)
        written = chance.randint(0, whole - cached)
        hourly = chance.randint(0, written) if prices.cache_write_1h_mtok is not None else 0
        # The package refuses audio beside cached tokens where it has a price for cached audio.
        audio = 0 if cached or written or prices.output_mtok is None else chance.randint(0, whole)
        output = chance.choice([0, 1, 77, 4096]) if prices.output_mtok is not None else 0
        reasoning = chance.randint(0, output)
        # Searches without a price are free to the package, and unpriced or partial to us.
        searches = chance.choice([0, 0, 3]) if prices.web_searches_kcount is not None else 0
        usage = Usage(
            input_tokens=whole, cache_read_tokens=cached, cache_write_tokens=written, cache_write_1h_tokens=hourly,
            input_audio_tokens=audio, output_tokens=output, output_reasoning_tokens=reasoning, web_searches=searches,
        )  # fmt: skip
        expected = found.calc_price(
            usage, provider, genai_request_timestamp=moment, price_context=context
        ).total_price
        made += 1
        yield (
            call(f"s{made}", f"r{made % 30}", model.id, provider=provider.id, service_tier=tier or None)
            | {"started_at": moment.isoformat(), "ended_at": None}
            | {"input_tokens": whole, "cached_tokens": cached, "cache_write_tokens": written, "cache_write_1h_tokens": hourly,
               "audio_input_tokens": audio, "output_tokens": output, "reasoning_tokens": reasoning,
               "web_search_count": searches},
            expected,
        )  # fmt: skip


def test_costs_are_those_of_the_package(tmp_path: Path) -> None:
    """For some model, date, tier or class of tokens the SQL charges other than genai-prices' own arithmetic does."""
    calls = list(invented_calls())
    nights = Nights(tmp_path)
    nights.land("export", runs=[run(f"r{number}") for number in range(30)], spans=[span for span, _ in calls])
    night = nights.night(args=["run", "--select", "+fct_pricing_daily", "+fct_run_usage"])
    assert not night.failures
    costs = {
        span_id: (cost, status)
        for span_id, cost, status in nights.rows(
            "select span_id, computed_provider_cost_usd, price_status from facts.fct_span_usage"
        )
    }
    wrong = []
    for span, expected in calls:
        cost, status = costs[span["span_id"]]
        if cost is None or abs(cost - expected) > Decimal("1e-12"):
            wrong.append(
                (
                    span["provider"],
                    span["model"],
                    span["started_at"],
                    span["service_tier"],
                    cost,
                    expected,
                    status,
                )
            )
    assert not wrong, f"{len(wrong)} of {len(calls)}: {wrong[:5]}"


# -- repricing -------------------------------------------------------------------------------------------------------------------

DAYS = [f"2026-03-{day:02d}" for day in range(1, 9)]


def week(nights: Nights) -> None:
    """A week of two models, a search and an agent whose child runs a day later."""
    runs, spans = [], []
    for day in DAYS:
        for model in ("gpt-4o", "house-llm"):
            run_id = f"{model} {day}"
            runs.append(run(run_id, day))
            spans.append(
                call(
                    f"c {run_id}", run_id, model, day, provider="openai", input_tokens=1000, output_tokens=10
                )
            )
        spans.append(
            call(
                f"s {day}",
                f"gpt-4o {day}",
                "",
                day,
                kind="tool",
                service="Google Search",
                provider_cost_usd="0.002",
            )
        )
    runs.append(run("parent", "2026-03-05", resource_name="asks a child of the next day"))
    runs.append(run("child", "2026-03-06", parent_run_id="parent"))
    spans.append(call("c child", "child", "house-llm", "2026-03-06", input_tokens=7))
    nights.land("week", runs=runs, spans=spans)


def dates(*days: int) -> list[date]:
    """Days of March 2026."""
    return [date(2026, 3, day) for day in days]


def test_changed_prices_rebuild_exactly_the_dates_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed price, rate or credit price reaches too few dates, or too many, or leaves another warehouse than a full build."""
    nights = Nights(tmp_path / "nights")
    week(nights)
    assert not nights.night(args=["run"]).failures
    before = dict(
        nights.rows("select usage_date, sum(total_cost_usd) from facts.fct_span_usage group by all")
    )

    (tmp_path / "nights/prices.csv").write_text(
        "model,meter,unit_price_usd,valid_from,valid_to\nhouse-*,uncached_input,2,2026-03-06,2026-03-08\n"
        "never-seen,output,1,,\n",
        encoding="utf-8",
    )
    nights.configure('price_file = "prices.csv"\n')
    night = nights.night()
    assert not night.failures
    assert night.plan.is_repricing
    assert not night.plan.is_full_build
    assert night.touched_dates == dates(5, 6, 7), "the parent's date shows its child's cost"
    after = dict(nights.rows("select usage_date, sum(total_cost_usd) from facts.fct_span_usage group by all"))
    changed = {day: after[day] - before[day] for day in after if after[day] != before[day]}
    assert changed == {date(2026, 3, 6): Decimal("0.002014"), date(2026, 3, 7): Decimal("0.002")}
    assert nights.rows(
        "select distinct price_status from facts.fct_span_usage where model = 'house-llm' and usage_date = '2026-03-07'"
    ) == [("partial",)], "output has no price"

    # A row more, the same prices: nothing of what was published is touched.
    path = tmp_path / "nights/prices.csv"
    path.write_text(path.read_text(encoding="utf-8") + "still-not-seen,output,1,,\n", encoding="utf-8")
    assert nights.night(args=["run"]).touched_dates == []

    (tmp_path / "nights/rates.csv").write_text(
        "service,task_credits,valid_from\nAI Model,1,\nGoogle Search,2,\nGoogle Search,5,2026-03-08\n",
        encoding="utf-8",
    )
    nights.configure('price_file = "prices.csv"\nrate_file = "rates.csv"\n')
    with pytest.raises(ValueError, match="overlap"):
        nights.night()
    (tmp_path / "nights/rates.csv").write_text(
        "service,task_credits,valid_from,valid_to\nAI Model,1,,\nGoogle Search,2,,2026-03-08\nGoogle Search,5,2026-03-08,\n",
        encoding="utf-8",
    )
    assert nights.night(args=["run"]).touched_dates == dates(8)
    assert nights.rows(
        "select task_credits from facts.fct_span_usage where service = 'Google Search' order by started_at desc limit 2"
    ) == [(5,), (2,)]

    nights.configure(
        'price_file = "prices.csv"\nrate_file = "rates.csv"\n[workspaces.w]\n'
        'credit_prices = [{ valid_from = 2026-03-04, credit_price_usd = "0.01" }]\n'
    )
    night = nights.night(args=["run"])
    assert not night.plan.is_full_build
    assert night.touched_dates == dates(4, 5, 6, 7, 8)

    # A new release of the catalogue.
    prices, release = catalogue.prices(), "genai-prices 99"
    cheaper = tuple(
        p
        if (p.provider, p.model_rule, p.meter) != ("openai", "gpt-4o", "output")
        else p.__class__(**(vars(p) | {"unit_price_usd": Decimal(1)}))
        for p in prices
    )
    monkeypatch.setattr(catalogue, "prices", lambda: cheaper)
    monkeypatch.setattr(catalogue, "version", lambda: release)
    night = nights.night()
    assert not night.failures
    assert night.touched_dates == dates(*range(1, 9))

    (tmp_path / "full").mkdir()
    for name in ("prices.csv", "rates.csv"):
        shutil.copy(tmp_path / "nights" / name, tmp_path / "full")
    full = nights.rebuilt(tmp_path / "full")
    assert not full.night().failures
    assert differences(nights, full) == {}
