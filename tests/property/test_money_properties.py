"""What must hold of money for any usage: parts add up, cost scales with usage, the order of prices says nothing, days are whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.pricing import catalogue
from orchestration.pricing.meters import MEASURED
from orchestration.pricing.price_sets import PriceBook
from orchestration.pricing.resolve import Names, Resolver
from tests.integration.nights import Nights

# One without tiers, one whose tier starts above what is sent here, one with a price per search.
MODELS = ("claude-haiku-4-5", "gemini-2.5-pro", "gpt-4o", "o3")
BELOW_TIER = 200_000
MAX_FACTOR = 9


@st.composite
def usages(draw: st.DrawFn) -> dict[str, int]:
    """Consistent usage of which MAX_FACTOR times as much is still below every tier; parts may be the whole."""
    whole = draw(st.integers(0, BELOW_TIER // MAX_FACTOR))
    cached = draw(st.integers(0, whole))
    written = draw(st.integers(0, whole - cached))
    output = draw(st.integers(0, 10_000))
    return {
        "input_tokens": whole,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": draw(st.integers(0, written)),
        "audio_input_tokens": draw(st.integers(0, whole - cached - written)),
        "output_tokens": output,
        "reasoning_tokens": draw(st.integers(0, output)),
        "web_search_count": draw(st.integers(0, 2)),
    }


pairs = st.tuples(st.sampled_from(MODELS), usages(), st.integers(2, MAX_FACTOR))


def span(span_id: str, model: str, usage: dict[str, int]) -> dict[str, Any]:
    """A completed call."""
    return {
        "span_id": span_id, "run_id": "r", "workspace_id": "w", "name": "call", "kind": "completion", "model": model,
        "started_at": "2026-05-05T10:00:00Z", "ended_at": "2026-05-05T10:00:01Z", "status": "completed",
    } | usage  # fmt: skip


# An example is a night of seconds with hundreds of calls in it; shrinking would cost more than reading.
@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(pairs, min_size=150, max_size=300))
def test_cost_scales_with_usage_and_classes_add_up(
    tmp_path_factory: Any, cases: list[tuple[str, dict[str, int], int]]
) -> None:
    """A class is lost or counted twice, or a rounding makes n calls dearer than n times one."""
    nights = Nights(tmp_path_factory.mktemp("money"))
    spans = []
    for number, (model, usage, factor) in enumerate(cases):
        spans.append(span(f"{number} once", model, usage))
        spans.append(span(f"{number} times", model, {name: factor * value for name, value in usage.items()}))
    run = {
        "run_id": "r",
        "workspace_id": "w",
        "run_type": "prompt",
        "status": "completed",
        "started_at": "2026-05-05T10:00:00Z",
    }
    nights.land("export", runs=[run], spans=spans)
    night = nights.night(args=["run", "--select", "+mart_analytics__token_usage"])
    assert not night.failures

    rates = ", ".join(f"sets.{meter.name}_usd" for meter in MEASURED)
    costs: dict[str, Decimal] = {}
    for span_id, cost, *values in nights.rows(
        f"""
        select
            span_id, computed_provider_cost_usd, input_tokens, cached_tokens, cache_write_tokens, cache_write_1h_tokens,
            audio_input_tokens, output_tokens, reasoning_tokens, web_search_count, {rates}
        from facts.fct_span_usage as spans
        inner join dimensions.dim_price_set as sets using (price_set_id)
        """
    ):
        whole, cached, written, hourly, audio, output, reasoning, searches = values[:8]
        rate = {meter.name: value or Decimal(0) for meter, value in zip(MEASURED, values[8:], strict=True)}
        # The exclusive classes, each priced once, and nothing beside them.
        expected = (
            (whole - cached - written - audio) * rate["uncached_input"]
            + cached * rate["cached_input"]
            + (written - hourly) * rate["cache_write_5m"]
            + hourly * rate["cache_write_1h"]
            + audio * rate["audio_input"]
            + (output - reasoning) * rate["output"]
            + reasoning * rate["reasoning"]
            + searches * rate["web_search"]
        )
        assert cost == expected, (span_id, cost, expected)
        costs[span_id] = cost
    assert len(costs) == len(spans), "a call has no price, or two"
    for number, (_, _, factor) in enumerate(cases):
        assert costs[f"{number} times"] == factor * costs[f"{number} once"]
    ((classes, total),) = nights.rows(
        "select sum(uncached_input_tokens + cached_tokens + cache_write_tokens + visible_output_tokens + reasoning_tokens), "
        "sum(total_tokens) from marts.mart_analytics__token_usage"
    )
    assert classes == total == sum(item["input_tokens"] + item["output_tokens"] for item in spans)


RELEVANT = [
    p
    for p in catalogue.prices()
    if (p.provider, p.model_rule) in {("openai", "o3"), ("anthropic", "claude-opus-4-6")}
]


@settings(max_examples=30, deadline=None)
@given(st.permutations(RELEVANT))
def test_the_order_of_prices_says_nothing(prices: list[Any]) -> None:
    """Which of several prices holds depends on where it stands."""
    resolver = Resolver(())
    names = [Names("openai", "o3", "", "flex"), Names("anthropic", "claude-opus-4-6", "", "")]
    resolutions = [resolver.resolve(item) for item in names]
    assert PriceBook(prices, ()).price_sets(resolutions) == PriceBook(catalogue.prices(), ()).price_sets(
        resolutions
    )


def test_days_of_23_and_25_hours_add_up(tmp_path: Path) -> None:
    """A day on which the clock changes loses an hour's cost or has one twice, so days do not add up to the range."""
    nights = Nights(tmp_path, '[workspaces.w]\ntime_zone = "Europe/Berlin"\ncredit_price_usd = "0.01"\n')
    hours = []
    for first, count in (("2026-03-27T23:00:00", 71), ("2026-10-23T22:00:00", 73)):
        start = datetime.fromisoformat(first).replace(tzinfo=UTC)
        hours += [start + timedelta(hours=hour) for hour in range(count)]
    runs, spans = [], []
    for number, moment in enumerate(hours):
        at = moment.isoformat()
        runs.append(
            {
                "run_id": f"r{number}",
                "workspace_id": "w",
                "run_type": "prompt",
                "status": "completed",
                "started_at": at,
            }
        )
        spans.append(
            span(f"s{number}", "gpt-4o", {"input_tokens": 1000})
            | {"run_id": f"r{number}", "started_at": at, "ended_at": at}
        )
    nights.land("export", runs=runs, spans=spans)
    assert not nights.night(args=["run", "--select", "+mart_analytics__total_cost"]).failures
    days = nights.rows(
        "select usage_date::varchar, run_count, provider_cost_usd, task_credits, total_cost_usd "
        "from marts.mart_analytics__total_cost order by 1"
    )
    assert [(day, runs) for day, runs, *_ in days] == [
        ("2026-03-28", 24), ("2026-03-29", 23), ("2026-03-30", 24),
        ("2026-10-24", 24), ("2026-10-25", 25), ("2026-10-26", 24),
    ]  # fmt: skip
    hour = Decimal("0.0025")
    for _, count, provider_cost_usd, task_credits, total_cost_usd in days:
        assert (provider_cost_usd, task_credits) == (count * hour, count)
        assert total_cost_usd == count * (hour + Decimal("0.01"))
    ((whole,),) = nights.rows("select sum(total_cost_usd) from facts.fct_span_usage")
    assert whole == sum(row[4] for row in days) == len(hours) * (hour + Decimal("0.01"))
