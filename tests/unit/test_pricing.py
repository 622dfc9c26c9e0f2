"""Names, price sets and rate sets: which price a call gets, before any SQL."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from genai_prices.data import providers

from orchestration.pricing import catalogue, meters, rate_card, tables
from orchestration.pricing.price_sets import DAY_SECONDS, NO_LIMIT, PriceBook, PriceSet
from orchestration.pricing.prices import Price
from orchestration.pricing.rate_sets import DEEP_SEARCH_DEPTH, RateSet, rate_sets
from orchestration.pricing.resolve import Names, Resolution, Resolver
from orchestration.settings import REPOSITORY, CreditPrice, Settings, WorkspaceSettings

PRICING_SQL = (REPOSITORY / "dbt_project/macros/pricing.sql").read_text(encoding="utf-8")


def filed(model: str, meter: str, usd: str, **more: object) -> Price:
    """A row of a price file."""
    values: dict[str, object] = {
        "provider": "", "variant": "", "above_input_tokens": 0, "valid_from": None, "valid_to": None, "daily_from": None,
        "daily_to": None, "unit_size": meters.BY_NAME[meter].unit_size, "source": "price file", "source_version": "v",
        "checked_at": None,
    }  # fmt: skip
    return Price(model_rule=model, meter=meter, unit_price_usd=Decimal(usd), **(values | more))  # type: ignore[arg-type]


def resolve(
    model: str, provider: str = "", *, response: str = "", tier: str = "", file: tuple[Price, ...] = ()
) -> Resolution:
    """How these names are read."""
    return Resolver(file).resolve(Names(provider, model, response, tier))


def sets_of(resolution: Resolution, file: tuple[Price, ...] = ()) -> list[PriceSet]:
    """The price sets of one resolved model."""
    return PriceBook(catalogue.prices(), file).price_sets([resolution])


def rate(price_set: PriceSet, meter: str) -> Decimal | None:
    """USD per unit size of a meter."""
    value = price_set.rates[[item.name for item in meters.MEASURED].index(meter)]
    return None if value is None else value * meters.BY_NAME[meter].unit_size


def at(price_sets: list[PriceSet], moment: str, tokens: int = 0, second: int = DAY_SECONDS // 2) -> PriceSet:
    """The price set in force, as the SQL joins it."""
    start = datetime.fromisoformat(moment)
    found = [
        item
        for item in price_sets
        if item.valid_from <= start < item.valid_to
        and item.daily_from_s <= second < item.daily_to_s
        and item.above_input_tokens < tokens <= item.up_to_input_tokens
    ]
    assert len(found) == 1, "none: the span is unpriced; two: the join would double it"
    return found[0]


# -- one vocabulary --------------------------------------------------------------------------------------------------------------


def test_sql_and_python_name_the_same_meters() -> None:
    """A meter that has a price but no quantity in SQL charges nothing, silently."""
    quantities = PRICING_SQL.split("meter_quantities()", 1)[1].split("endmacro", 1)[0]
    named = re.findall(r'^        "(\w+)":', quantities, re.MULTILINE)
    assert named == [meter.name for meter in meters.MEASURED]
    guessable = re.search(r"guessable_meters\(\) %}\s+{{ return\((\[.*?\])\)", PRICING_SQL)
    assert guessable
    assert re.findall(r"\w+", guessable[1]) == [m.name for m in meters.MEASURED if m.fallback_is_partial]


def test_sql_and_python_call_the_same_search_deep() -> None:
    """The depth above which a search costs more is not that of the rate card."""
    assert f"> {DEEP_SEARCH_DEPTH}" in PRICING_SQL.split("macro is_deep_search", 1)[1]


def test_every_price_of_the_package_has_a_meter() -> None:
    """An upgrade of genai-prices brings a kind of price that is dropped without a word."""
    keys = {
        key
        for provider in providers
        for model in provider.models
        for price in (
            [item.prices for item in model.prices] if isinstance(model.prices, list) else [model.prices]
        )
        for key, value in vars(price).items()
        if value is not None
    }
    assert keys <= set(meters.BY_CATALOGUE_KEY), sorted(keys - set(meters.BY_CATALOGUE_KEY))


# -- the catalogue ---------------------------------------------------------------------------------------------------------------


def test_prices_are_free_of_binary_noise() -> None:
    """0.18000000000000002 per million is published as a price."""
    assert all(
        len(f"{price.unit_price_usd.normalize():f}".partition(".")[2]) <= 12 for price in catalogue.prices()
    )
    noisy = [
        p
        for p in catalogue.prices()
        if f"{p.unit_price_usd.normalize():f}".partition(".")[2].endswith(("0001", "9999"))
    ]
    assert not noisy


def test_catalogue_prices_are_those_of_the_package_at_every_boundary() -> None:
    """A dated, daily or tiered price of the catalogue is not what the package itself would charge then."""
    checked = 0
    prices: dict[tuple[str, str], list[Price]] = {}
    for price in catalogue.prices():
        if not price.variant:
            prices.setdefault((price.provider, price.model_rule), []).append(price)
    for provider in providers:
        for model in provider.models:
            if not isinstance(model.prices, list):
                continue
            dates = {c.constraint.start_date for c in model.prices if hasattr(c.constraint, "start_date")}
            for day in [date(2020, 1, 1), *dates]:
                for clock in (
                    time(0),
                    time(0, 29, 59),
                    time(0, 30),
                    time(2),
                    time(8),
                    time(16, 29, 59),
                    time(16, 30),
                    time(23),
                ):
                    moment = datetime.combine(day, clock, UTC)
                    expected = model.get_prices(moment).input_mtok
                    base = expected if expected is None or isinstance(expected, Decimal) else expected.base
                    ours = [
                        p.unit_price_usd
                        for p in prices[provider.id, model.id]
                        if p.meter == "uncached_input"
                        and p.above_input_tokens == 0
                        and (p.valid_from is None or p.valid_from <= day)
                        and (p.valid_to is None or day < p.valid_to)
                        and (p.daily_from is None or p.daily_from <= clock)
                        and (p.daily_to is None or clock < p.daily_to)
                    ]
                    assert ours == ([] if base is None else [round(base, 12)]), (
                        provider.id,
                        model.id,
                        moment,
                    )
                    checked += 1
    assert checked > 1000


# -- names -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("gpt-4o", "openai", ("openai", "gpt-4o")),
        ("GPT-4o-2024-08-06", "OpenAI", ("openai", "gpt-4o")),
        (" gpt-4o ", "openai.chat", ("openai", "gpt-4o")),
        ("gpt-4o-latest", "openai", ("openai", "gpt-4o")),
        ("azure/gpt-4o", "", ("azure", "gpt-4o")),
        ("azure/gpt-4o", "openai", ("azure", "gpt-4o")),
        ("gpt-4o", "az.ai.openai", ("azure", "gpt-4o")),
        ("gpt-4o", "azure.ai.inference", ("azure", "gpt-4o")),
        ("claude-sonnet-4-5-20250929", "Anthropic", ("anthropic", "claude-sonnet-4-5")),
        ("claude-3-5-sonnet-latest", "anthropic", ("anthropic", "claude-3-5-sonnet")),
        ("claude-sonnet-4-5@20250929", "vertex_ai", ("google", "claude-sonnet-4-5")),
        (
            "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "",
            ("aws", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "",
            ("aws", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ),
        ("models/gemini-2.5-pro", "google", ("google", "gemini-2.5-pro")),
        ("publishers/google/models/gemini-2.5-pro", "gcp.vertex_ai", ("google", "gemini-2.5-pro")),
        ("gemini-2.5-flash-lite-001", "gcp.gemini", ("google", "gemini-2.5-flash-lite")),
        ("openrouter/anthropic/claude-sonnet-4", "", ("openrouter", "anthropic/claude-sonnet-4")),
        ("grok-4", "x_ai", ("x-ai", "grok-4-0709")),
        ("gpt-4o", "strands-agents", ("openai", "gpt-4o")),
        ("gpt-4o", "", ("openai", "gpt-4o")),
        ("house-llm", "house", (None, None)),
        ("gpt-4o", "anthropic", (None, None)),
        ("", "openai", (None, None)),
        ("x" * 10_000, "openai", (None, None)),
        ("*", "openai", (None, None)),
    ],
)
def test_names_as_they_really_arrive(
    model: str, provider: str, expected: tuple[str | None, str | None]
) -> None:
    """A model's name in one of its usual spellings is not found, or taken for another provider's."""
    found = resolve(model, provider)
    assert (found.provider, found.model) == expected
    assert (found.price_key is None) == (expected[1] is None)


def test_the_response_model_prices_the_call() -> None:
    """An alias is priced as the model asked for though another one answered."""
    assert resolve("gpt-5", "openai", response="gpt-4o-2024-08-06").model == "gpt-4o"
    assert resolve("gpt-4o", "openai", response="in-house").model == "gpt-4o", (
        "an answer that nobody knows hides the model"
    )


def test_the_rule_says_what_was_done_to_the_name() -> None:
    """A reader cannot tell why a name got its price."""
    rule = resolve("azure/GPT-4o", "").rule
    assert rule == "catalogue openai/gpt-4o (asked of azure; without 'azure/')"


def test_a_tier_without_a_price_is_told() -> None:
    """A priority call is priced as a standard one without a word."""
    known, unknown = (
        resolve("o3", "openai", tier="Flex"),
        resolve("gpt-4o-audio-preview", "openai", tier="priority"),
    )
    assert (known.variant, known.is_tier_unknown) == ("flex", False)
    assert (unknown.variant, unknown.is_tier_unknown) == ("", True)
    assert not resolve("gpt-4o-audio-preview", "openai", tier="default").is_tier_unknown


def test_the_most_specific_rule_of_a_price_file_wins() -> None:
    """Which of several patterns prices a model depends on their order, or a wide one hides an exact one."""
    rows = (
        filed("gpt-*", "output", "1"),
        filed("gpt-4*", "output", "2"),
        filed("gpt-4o", "output", "3"),
        filed("gpt-4o", "output", "4", provider="azure"),
    )
    for order in permutations(rows):
        assert resolve("gpt-4o", "openai", file=order).filed == ("", "gpt-4o")
        assert resolve("azure/gpt-4o", "", file=order).filed == ("azure", "gpt-4o")
        assert resolve("gpt-4-turbo", "openai", file=order).filed == ("", "gpt-4*")
        assert resolve("gpt-3.5-turbo", "openai", file=order).filed == ("", "gpt-*")


def test_a_rule_for_the_model_asked_for_holds_whatever_answers() -> None:
    """The operator's own price for a deployment is ignored because the response names the model behind it."""
    rows = (filed("my-deployment", "output", "1"),)
    found = resolve("my-deployment", "azure", response="gpt-4o-2024-08-06", file=rows)
    assert found.filed == ("", "my-deployment")
    assert found.listed == ("openai", "gpt-4o")


# -- price sets ------------------------------------------------------------------------------------------------------------------


def test_o3_became_cheaper_in_june_2025() -> None:
    """A call of June 9 is priced at the price of June 10, or the other way round."""
    o3 = sets_of(resolve("o3", "openai"))
    before, after = at(o3, "2025-06-09 23:59:59.999999"), at(o3, "2025-06-10")
    assert (rate(before, "uncached_input"), rate(before, "output")) == (10, 40)
    assert (rate(after, "uncached_input"), rate(after, "output")) == (2, 8)


def test_long_context_of_opus_ended_on_its_day() -> None:
    """The long-context tier of claude-opus-4-6 is charged after 2026-03-13, not before, or at its threshold already."""
    opus = sets_of(resolve("claude-opus-4-6", "anthropic"))
    at_threshold, above = at(opus, "2026-03-12", 200_000), at(opus, "2026-03-12", 200_001)
    later = at(opus, "2026-03-13", 200_001)
    assert [rate(item, "uncached_input") for item in (at_threshold, above, later)] == [5, 10, 5]
    assert [rate(item, "cached_input") for item in (at_threshold, above, later)] == [
        Decimal("0.5"),
        1,
        Decimal("0.5"),
    ]
    assert [rate(item, "output") for item in (at_threshold, above, later)] == [25, Decimal("37.5"), 25]
    assert at_threshold.price_set_id == later.price_set_id, (
        "equal rates are one price set: nothing is repriced for a new date"
    )


def test_off_peak_hours_are_a_window_of_each_day() -> None:
    """DeepSeek's price by the hour is one price for the whole day."""
    chat = sets_of(resolve("deepseek-chat", "deepseek"))
    inside, outside = at(chat, "2026-03-12", second=16 * 3600), at(chat, "2026-03-12", second=17 * 3600)
    assert inside.price_set_id != outside.price_set_id


def test_every_moment_and_size_has_at_most_one_price_set() -> None:
    """Two price sets overlap and a call is counted twice, or a gap between them loses its price."""
    resolver = Resolver(())
    names = {(p.provider, p.model_rule, p.variant) for p in catalogue.prices()}
    resolutions = [
        resolver.resolve(Names(provider, model, "", variant)) for provider, model, variant in sorted(names)
    ]
    by_key: dict[str, list[PriceSet]] = {}
    for item in PriceBook(catalogue.prices(), ()).price_sets(resolutions):
        by_key.setdefault(item.price_key, []).append(item)
    assert len(by_key) > 1500
    for price_key, price_sets in by_key.items():
        cells = [
            (
                s.valid_from,
                s.valid_to,
                s.daily_from_s,
                s.daily_to_s,
                s.above_input_tokens,
                s.up_to_input_tokens,
            )
            for s in price_sets
        ]
        for one, other in pairwise(sorted(cells)):
            apart = one[1] <= other[0] or one[3] <= other[2] or one[5] <= other[4]
            assert apart, (price_key, one, other)
        assert all(cell[0] < cell[1] and cell[2] < cell[3] and cell[4] < cell[5] for cell in cells)


def test_meters_fall_back_as_providers_bill() -> None:
    """Reasoning without a price of its own is free, or cached input at the input rate is not marked as a guess."""
    rows = (filed("house", "uncached_input", "1"), filed("house", "output", "4"))
    (only,) = sets_of(resolve("house", "nobody", file=rows), rows)
    assert {meter.name: rate(only, meter.name) for meter in meters.MEASURED} == {
        "uncached_input": 1, "cached_input": 1, "cache_write_5m": 1, "cache_write_1h": 1, "audio_input": 1, "image_input": 1,
        "output": 4, "reasoning": 4, "audio_output": 4, "image_output": 4,
        "citation": None, "image": None, "web_search": None, "request": None,
    }  # fmt: skip
    assert only.guessed == {"cached_input", "cache_write_5m", "cache_write_1h"}
    assert (only.above_input_tokens, only.up_to_input_tokens) == (-1, NO_LIMIT)


def test_the_file_goes_before_the_catalogue_meter_by_meter() -> None:
    """An agreed output price throws away the catalogue's other prices, or reaches beyond its dates."""
    rows = (filed("o3", "output", "7", valid_from=date(2026, 1, 1), valid_to=date(2026, 2, 1)),)
    found = sets_of(resolve("o3", "openai", file=rows), rows)
    january, february = at(found, "2026-01-31"), at(found, "2026-02-01")
    assert (rate(january, "output"), rate(january, "uncached_input")) == (7, 2)
    assert (rate(february, "output"), rate(february, "uncached_input")) == (8, 2)


def test_a_file_price_of_a_processing_tier_leaves_the_files_other_meters_alone() -> None:
    """A file with one row for `flex` charges nothing for the meters that it prices without a tier."""
    rows = (
        filed("house", "uncached_input", "4"),
        filed("house", "cached_input", "1"),
        filed("house", "output", "8"),
        filed("house", "output", "4", variant="flex"),
    )
    flex = at(sets_of(resolve("house", tier="flex", file=rows), rows), "2026-01-31", 1)
    assert [rate(flex, meter) for meter in ("uncached_input", "cached_input", "output")] == [4, 1, 4]
    standard = at(sets_of(resolve("house", file=rows), rows), "2026-01-31", 1)
    assert rate(standard, "output") == 8


def test_a_file_price_without_tiers_replaces_the_tiers() -> None:
    """An agreed flat price is charged at the catalogue's long-context rate all the same."""
    rows = (filed("gemini-2.5-pro", "uncached_input", "1"),)
    found = sets_of(resolve("gemini-2.5-pro", "google", file=rows), rows)
    small, large = at(found, "2026-01-31", 1000), at(found, "2026-01-31", 300_000)
    assert (rate(small, "uncached_input"), rate(large, "uncached_input")) == (1, 1)
    assert rate(small, "output") != rate(large, "output")


@pytest.mark.parametrize(
    ("provider", "model", "day"),
    [
        ("openai", "gpt-4o", "2026-01-01"),
        ("openai", "o3", "2025-06-09"),
        ("anthropic", "claude-sonnet-4-5", "2026-01-01"),
        ("google", "gemini-2.5-pro", "2026-01-01"),
        ("deepseek", "deepseek-chat", "2025-05-01"),
        ("nobody", "house", "2026-01-01"),
    ],
)
def test_the_prices_shown_are_those_that_are_charged(provider: str, model: str, day: str) -> None:
    """`credit-usage prices show` explains a cost by another price than the one it was made of."""
    rows = (filed("house", "uncached_input", "1"), filed("house", "output", "4", above_input_tokens=100),
            filed("gemini-2.5-pro", "output", "7"))  # fmt: skip
    resolution = resolve(model, provider, file=rows)
    price_sets = sets_of(resolution, rows)
    shown = PriceBook(catalogue.prices(), rows).applied(resolution, date.fromisoformat(day))
    assert shown
    for item in shown:
        start = item.price.daily_from or time(0)
        charged = at(price_sets, day, item.above_input_tokens + 1, start.hour * 3600 + start.minute * 60)
        assert rate(charged, item.meter) == item.price.unit_price_usd
        assert (item.meter in charged.guessed) == item.is_guess
    noon = [item for item in price_sets if item.valid_from <= datetime.fromisoformat(day) < item.valid_to]
    charged_meters = {
        meter.name for meter in meters.MEASURED if any(rate(item, meter.name) is not None for item in noon)
    }
    assert {item.meter for item in shown} == charged_meters


def test_free_models_are_free_and_not_unpriced() -> None:
    """A model whose every rate is zero counts as unpriced, or one with a single zero rate as free."""
    rows = (filed("gift", "uncached_input", "0"), filed("gift", "output", "0"), filed("half", "uncached_input", "0"),
            filed("half", "output", "1"))  # fmt: skip
    assert [item.is_free for item in sets_of(resolve("gift", "x", file=rows), rows)] == [True]
    assert [item.is_free for item in sets_of(resolve("half", "x", file=rows), rows)] == [False]


# -- the rate card ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "charge_type", "is_deep", "day", "expected"),
    [
        ("ai model", "hosted", False, "2026-01-01", "1"),
        ("ai model", "personal", False, "2026-01-01", "1"),
        ("ai model", "hosted", False, "2025-12-31", None),
        ("agent", "hosted", False, "2026-05-01", "1"),
        ("image generation", "personal", False, "2026-05-01", "1"),
        ("google search", "hosted", False, "2026-05-01", "2"),
        ("google search", "hosted", True, "2026-05-01", "3"),
        ("google search", "personal", True, "2026-05-01", "0"),
        ("google search", "hosted", True, "2025-12-31", "3"),
        ("google search", "personal", False, "2025-12-31", "1"),
        ("google ai overview", "hosted", True, "2026-05-01", "2"),
        ("google grounding", "personal", False, "2026-05-01", "1"),
        ("exa search", "hosted", False, "2026-05-01", None),
        ("exa search", "hosted", False, "2025-12-31", "15"),
        ("exa similar", "personal", False, "2026-05-01", "1"),
        ("workflow step", "hosted", False, "2025-12-31", "1"),
    ],
)
def test_the_platforms_rates(
    service: str, charge_type: str, is_deep: bool, day: str, expected: str | None
) -> None:
    """A service is charged at another rate than the platform's facts say."""
    found = rates_at(rate_sets(rate_card.read(None)), service, charge_type, is_deep, day)
    assert len(found) == 1
    assert found[0].task_credits == (None if expected is None else Decimal(expected))


def test_the_step_surcharge_ended_with_2025() -> None:
    """Steps of direct workflow runs are still charged in 2026."""
    assert not rates_at(rate_sets(rate_card.read(None)), "workflow step", "hosted", False, "2026-01-01")


def rates_at(found: list[RateSet], service: str, charge_type: str, is_deep: bool, day: str) -> list[RateSet]:
    """The rates in force, as the SQL joins them."""
    moment = datetime.fromisoformat(day)
    return [
        item
        for item in found
        if (item.service_key, item.charge_type, item.is_deep) == (service, charge_type, is_deep)
        and item.valid_from <= moment < item.valid_to
    ]


def test_every_call_has_at_most_one_rate() -> None:
    """Two rates overlap and credits are counted twice."""
    by_key: dict[tuple[str, ...], list[RateSet]] = {}
    for item in rate_sets(rate_card.read(None)):
        by_key.setdefault((item.rate_card, item.service_key, item.charge_type, str(item.is_deep)), []).append(
            item
        )
    for found in by_key.values():
        assert all(one.valid_to <= other.valid_from for one, other in pairwise(found))


def test_pricing_reads_nothing_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue's package updates itself over the network."""
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    catalogue._snapshot.cache_clear()
    catalogue.prices.cache_clear()
    assert len(catalogue.prices()) > 9000
    source = "".join(
        path.read_text(encoding="utf-8") for path in Path(catalogue.__file__).parent.glob("*.py")
    )
    assert "UpdatePrices" not in source


def test_credit_prices_follow_one_another_and_may_be_absent() -> None:
    """A workspace with a name and without a credit price stops every night, or two prices hold on one date."""
    first, second = CreditPrice(None, Decimal("0.02")), CreditPrice(date(2026, 1, 1), Decimal("0.01"))
    workspaces = {
        name: WorkspaceSettings(
            workspace_id=name, name=name, time_zone="UTC", default_charge_type="hosted", credit_prices=prices
        )
        for name, prices in {"ws_a": (), "ws_b": (first, second)}.items()
    }
    assert tables.credit_prices(Settings(workspaces=workspaces)) == (
        ("ws_b", None, date(2026, 1, 1), Decimal("0.02")),
        ("ws_b", date(2026, 1, 1), None, Decimal("0.01")),
    )
