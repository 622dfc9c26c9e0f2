"""Recorded usage bodies of providers land as the classes that others, who know the providers, expect of them.

The file is `provider-usages/usages.jsonl` in the folder of `test_real_input`; without it these tests are skipped.

How the expectation is chosen: the file gives for each body what the extractors of several providers make of it, also of providers
that never sent it. A body's shape belongs to the family of one provider, who defined it (Gemini to Google, chat completions and
responses to OpenAI, …), and what that provider's extractor expects is what counts; others may share it or leave a class out. A class
that the expectation does not name is zero.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, calc_price

from tests.integration.nights import Nights
from tests.integration.test_real_input import REAL
from tests.landing_helpers import Night, Row, span

USAGES = REAL / "provider-usages" / "usages.jsonl"
pytestmark = pytest.mark.skipif(
    not USAGES.is_file(), reason=f"no recorded usage bodies at {USAGES} (set CREDIT_USAGE_REAL_DATA)"
)

# Shape → the provider that defined it, and its extractors (provider, flavour), the first that reads the body.
FAMILIES = {
    "anthropic_messages": [("anthropic", "default")],
    "bedrock_converse": [("aws", "default")],
    # Cohere's other reading counts `tokens`; what it charges are the billed units.
    "cohere_billed": [("cohere", "default"), ("cohere", "embeddings")],
    "gemini": [("google", "default")],
    "openai_chat": [("openai", "chat"), ("openai", "embeddings")],
    "openai_responses": [("openai", "responses")],
}
BODIES = {
    "anthropic_messages": 108,
    "bedrock_converse": 111,
    "cohere_billed": 8,
    "gemini": 230,
    "openai_chat": 202,
    "openai_responses": 130,
}
# Why a body does not come out as expected, and how many; every other one does.
EXPECTED_DIFFERENCES = {
    "the expectation has no name for Mistral's num_cached_tokens, which are cache reads": 12,
}


def why(body: Row, different: set[str]) -> str | None:
    """The reason of a difference that is right."""
    if different == {"cache_read_tokens"} and body.get("num_cached_tokens"):
        return "the expectation has no name for Mistral's num_cached_tokens, which are cache reads"
    return None


def usage_of(body: Row) -> Row:
    """The object that carries the counts, under the name that its maker gives it."""
    return next(body[name] for name in ("usage", "usageMetadata", "meta") if name in body)


def expectation(record: Row, shape: str) -> dict[str, int]:
    """What the extractor of the shape's own provider makes of the body."""
    readings = {
        (extractor["provider_id"], extractor["api_flavor"]): reading["usage"]
        for reading in record["extracted"]
        for extractor in reading["extractors"]
    }
    return next(dict(readings[name]) for name in FAMILIES[shape] if name in readings)


def in_their_words(row: Row) -> dict[str, int]:
    """A lake row in the vocabulary of the expectation, where generated images are part of the output."""
    count = {name: value or 0 for name, value in row.items()}
    return {
        "input_tokens": count["input_tokens"],
        "cache_read_tokens": count["cached_tokens"],
        "cache_write_tokens": count["cache_write_tokens"],
        "cache_write_5m_tokens": count["cache_write_tokens"] - count["cache_write_1h_tokens"],
        "cache_write_1h_tokens": count["cache_write_1h_tokens"],
        "input_audio_tokens": count["audio_input_tokens"],
        "input_image_tokens": count["image_input_tokens"],
        "output_tokens": count["output_tokens"] + count["image_tokens"],
        "output_image_tokens": count["image_tokens"],
        "output_reasoning_tokens": count["reasoning_tokens"],
        "output_audio_tokens": count["audio_output_tokens"],
        "web_searches": count["web_search_count"],
    }


@pytest.fixture(scope="module")
def recorded() -> list[Row]:
    return [json.loads(line) for line in USAGES.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def landed(recorded: list[Row], tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The lake rows of all bodies, in their order, landed in one go."""
    night = Night(tmp_path_factory.mktemp("usages"))
    night.land(
        *(span(f"{number:06d}", usage=usage_of(record["body"])) for number, record in enumerate(recorded))
    )
    assert night.quarantine() == [], "a body of a real provider is refused"
    return night.rows()


def test_real_bodies_come_out_as_expected(recorded: list[Row], landed: list[Row]) -> None:
    """A provider's tokens are lost, counted twice, or put into another class than its own documentation says."""
    equal: Counter[str] = Counter()
    bodies: Counter[str] = Counter()
    differences: Counter[str] = Counter()
    wrong: list[Any] = []
    for record, row in zip(recorded, landed, strict=True):
        shape = row["token_convention"]
        expected, ours = expectation(record, shape), in_their_words(row)
        if "cache_write_5m_tokens" not in expected:  # the lifetime of cache writes is told by few
            del ours["cache_write_5m_tokens"]
        different = {name for name, value in ours.items() if value != expected.get(name, 0)}
        bodies[shape] += 1
        equal[shape] += not different
        if different:
            reason = why(usage_of(record["body"]), different)
            differences[reason or "?"] += 1
            if reason is None:
                wrong.append((record["body"], {name: (ours[name], expected.get(name)) for name in different}))
    print(f"\n{'shape':<22} {'bodies':>6} {'equal':>6}")
    for shape in sorted(bodies):
        print(f"{shape:<22} {bodies[shape]:>6} {equal[shape]:>6}")
    print(f"{'all':<22} {bodies.total():>6} {equal.total():>6}")
    for reason, number in differences.items():
        print(f"{number:>4} differ: {reason}")
    assert not wrong, f"{len(wrong)} bodies differ without a reason, the first: {wrong[:3]}"
    assert dict(bodies) == BODIES
    assert dict(differences) == EXPECTED_DIFFERENCES
    assert equal.total() == len(recorded) - sum(EXPECTED_DIFFERENCES.values()) == 777


def test_real_totals_agree_with_the_classes(recorded: list[Row], landed: list[Row]) -> None:
    """Classes are missing from input or output, and the provider's own total, where it sends one, says so."""
    with_total = [row for row in landed if row["reported_total_tokens"] is not None]
    flagged = [
        usage_of(record["body"])
        for record, row in zip(recorded, landed, strict=True)
        if row["quality_flags"] is not None
    ]
    print(
        f"\n{len(with_total)} bodies tell a total, {len(flagged)} of them another than that of their classes"
    )
    assert len(with_total) == 668
    # Google behind OpenAI's interface counts its thoughts in the total and names them nowhere.
    assert [(body["prompt_tokens"], body["completion_tokens"], body["total_tokens"]) for body in flagged] == [
        (35, 12, 109)
    ]
    assert [row["quality_flags"] for row in landed if row["quality_flags"]] == ["total_tokens_mismatch"]


def test_real_charges_are_read(recorded: list[Row], landed: list[Row]) -> None:
    """A charge that a gateway told is lost, or the customer's own bill at the provider counts as free."""
    charged = {
        number: usage_of(record["body"]).get("is_byok", False)
        for number, record in enumerate(recorded)
        if "cost" in usage_of(record["body"])
    }
    assert [number for number, row in enumerate(landed) if row["provider_cost_usd"] is not None] == list(
        charged
    )
    own_keys = [number for number, is_own_key in charged.items() if is_own_key]
    assert own_keys, "no body with the customer's own key: this test proves nothing"
    assert [float(landed[number]["provider_cost_usd"]) for number in own_keys] == [
        usage_of(recorded[number]["body"])["cost_details"]["upstream_inference_cost"] for number in own_keys
    ]


# Why a cost is not the one expected, where the classes are: (provider, model, reason) → number of readings.
OTHER_COSTS = {
    ("azure", "claude-sonnet-4-5-20250929", "searches are charged, which the reading leaves out"): 2,
    ("azure", "claude-sonnet-4-20250514", "searches are charged, which the reading leaves out"): 2,
    ("google", "gemini-2.5-flash", "spans have no class for cached audio: it is priced as audio"): 1,
    ("cerebras", "qwen-3-coder-480b", "expected 0 USD of a model without a price: it is unpriced"): 1,
}


def why_another_cost(row: Row) -> str:
    """The reason of a cost that is neither expected nor the package's own of today."""
    if row["price_status"] == "unpriced":
        return "expected 0 USD of a model without a price: it is unpriced"
    if row["web_search_count"]:
        return "searches are charged, which the reading leaves out"
    return "spans have no class for cached audio: it is priced as audio" if row["audio_input_tokens"] else "?"


def test_real_usage_costs_what_is_expected(recorded: list[Row], tmp_path: Path) -> None:
    """A real body of usage is charged other than the file expects, though its classes are the same.

    The file's prices are those of its commit. Where they have moved since, the package itself says another cost today, and that is ours.
    """
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    run = {
        "run_id": "r",
        "workspace_id": "w",
        "run_type": "prompt",
        "status": "completed",
        "started_at": at.isoformat(),
    }
    expected: dict[str, tuple[Decimal, Row, str, str]] = {}
    spans = []
    for number, record in enumerate(recorded):
        for reading in record["extracted"]:
            for extractor in reading["extractors"]:
                if "input_price" in extractor:
                    span_id = f"{number} {extractor['provider_id']} {extractor['api_flavor']}"
                    cost = Decimal(extractor["input_price"]) + Decimal(extractor["output_price"])
                    expected[span_id] = cost, reading["usage"], extractor["provider_id"], record["model"]
                    spans.append(
                        {
                            "span_id": span_id, "run_id": "r", "workspace_id": "w", "name": "call", "kind": "completion",
                            "provider": extractor["provider_id"], "model": record["model"],
                            "usage": {key: value for key, value in usage_of(record["body"]).items() if not key.startswith("cost")},
                            "started_at": at.isoformat(), "status": "completed",
                        }
                    )  # fmt: skip
    nights = Nights(tmp_path)
    nights.land("bodies", runs=[run], spans=spans)
    assert not nights.night(args=["run", "--select", "+fct_pricing_daily", "+fct_run_usage"]).failures
    names = (
        "span_id", "computed_provider_cost_usd", "price_status", "input_tokens", "cached_tokens", "cache_write_tokens",
        "output_tokens", "image_tokens", "web_search_count", "audio_input_tokens",
    )  # fmt: skip
    counts: Counter[str] = Counter()
    others: Counter[tuple[str, str, str]] = Counter()
    for values in nights.rows(f"select {', '.join(names)} from facts.fct_span_usage"):
        row = dict(zip(names, values, strict=True))
        cost, usage, provider, model = expected[row["span_id"]]
        ours = (row["input_tokens"] or 0, (row["output_tokens"] or 0) + (row["image_tokens"] or 0), row["cached_tokens"] or 0,
                row["cache_write_tokens"] or 0)  # fmt: skip
        theirs = tuple(
            usage.get(f"{name}_tokens", 0) for name in ("input", "output", "cache_read", "cache_write")
        )
        if ours != theirs:
            counts["another reading of the body"] += 1
        elif row["computed_provider_cost_usd"] == cost:
            counts["equal"] += 1
        elif row["computed_provider_cost_usd"] == _today(usage, provider, model, at):
            counts["equal at today's prices"] += 1
        else:
            others[provider, model, why_another_cost(row)] += 1
    for name, number in counts.most_common():
        print(f"{number:>5} {name}")
    for (provider, model, reason), number in others.items():
        print(f"{number:>5} {provider}/{model}: {reason}")
    assert dict(others) == OTHER_COSTS
    assert counts["equal"] > 1400, (
        "most prices of the file still hold; if they all moved, this test proves nothing"
    )
    assert counts.total() + others.total() == len(spans) == 1731


def _today(usage: Row, provider: str, model: str, at: datetime) -> Decimal | None:
    """What the package charges for it now, to 12 decimals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file names classes that the package has no price for
        try:
            total = calc_price(
                Usage(**usage), model_ref=model, provider_id=provider, genai_request_timestamp=at
            ).total_price
        except ValueError:  # usage that the package refuses
            return None
    return round(total, 12)
