"""Usage bodies of providers: every shape, what wins over what, what is kept, flagged and refused."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import contract, usage_shapes
from orchestration.landing.contract import SPANS
from tests.landing_helpers import Night, Row, csv_bytes, jsonl, parquet_bytes, span


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def told(row: Row) -> Row:
    """What a lake row says of its usage, without what it does not say."""
    names = (*usage_shapes.FIELDS, "quality_flags", "token_convention")
    return {name: row[name] for name in names if row[name] is not None}


# (shape, body as its maker writes it, what it says)
BODIES: dict[str, tuple[str, Any, Row]] = {
    "Gemini with thoughts, a tool and a cache": (
        "gemini",
        {
            "promptTokenCount": 100,
            "toolUsePromptTokenCount": 20,
            "cachedContentTokenCount": 40,
            "candidatesTokenCount": 7,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 157,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 50},
                {"modality": "AUDIO", "tokenCount": 10},
                {"modality": "IMAGE", "tokenCount": 25},
                {"modality": "DOCUMENT", "tokenCount": 15},
            ],
            "toolUsePromptTokensDetails": [{"modality": "IMAGE", "tokenCount": 2}],
            "serviceTier": "flex",
        },
        {
            "input_tokens": 120,
            "cached_tokens": 40,
            "output_tokens": 37,
            "reasoning_tokens": 30,
            "audio_input_tokens": 10,
            "image_input_tokens": 42,
            "reported_total_tokens": 157,
            "service_tier": "flex",
        },
    ),
    "Gemini that draws": (
        "gemini",
        {
            "promptTokenCount": 33,
            "candidatesTokenCount": 1780,
            "thoughtsTokenCount": 529,
            "totalTokenCount": 2342,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
        },
        {
            "input_tokens": 33,
            "output_tokens": 1189,
            "reasoning_tokens": 529,
            "image_tokens": 1120,
            "reported_total_tokens": 2342,
        },
    ),
    "Gemini as its Python client dumps it": (
        "gemini",
        {
            "prompt_token_count": 5,
            "candidates_token_count": 6,
            "thoughts_token_count": None,
            "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 4}],
            "total_token_count": 11,
        },
        {"input_tokens": 5, "output_tokens": 6, "audio_input_tokens": 4, "reported_total_tokens": 11},
    ),
    "Cohere chat": (
        "cohere_billed",
        {
            "billed_units": {"input_tokens": 1, "output_tokens": 9},
            "tokens": {"input_tokens": 496, "output_tokens": 11},
        },
        {"input_tokens": 1, "output_tokens": 9},
    ),
    "Cohere embeddings of pictures": (
        "cohere_billed",
        {"api_version": {"version": "2"}, "billed_units": {"image_tokens": 30, "input_tokens": 4}},
        {"input_tokens": 34, "image_input_tokens": 30},
    ),
    "Cohere without billed units": (
        "cohere_tokens",
        {"tokens": {"input_tokens": 496, "output_tokens": 11}, "cached_tokens": 400},
        {"input_tokens": 496, "cached_tokens": 400, "output_tokens": 11},
    ),
    "AI SDK": (
        "ai_sdk",
        {
            "inputTokens": 100,
            "inputTokenDetails": {"noCacheTokens": 50, "cacheReadTokens": 30, "cacheWriteTokens": 20},
            "outputTokens": 40,
            "outputTokenDetails": {"textTokens": 10, "reasoningTokens": 30},
            "totalTokens": 140,
        },
        {
            "input_tokens": 100,
            "cached_tokens": 30,
            "cache_write_tokens": 20,
            "output_tokens": 40,
            "reasoning_tokens": 30,
            "reported_total_tokens": 140,
        },
    ),
    "Bedrock Converse": (
        "bedrock_converse",
        {
            "inputTokens": 3,
            "cacheReadInputTokens": 10,
            "cacheReadInputTokenCount": 10,
            "cacheWriteInputTokens": 2074,
            "cacheWriteInputTokenCount": 2074,
            "cacheDetails": [{"inputTokens": 2000, "ttl": "5m"}, {"inputTokens": 74, "ttl": "1h"}],
            "outputTokens": 288,
            "totalTokens": 2375,
            "serverToolUsage": {},
        },
        {
            "input_tokens": 2087,
            "cached_tokens": 10,
            "cache_write_tokens": 2074,
            "cache_write_1h_tokens": 74,
            "output_tokens": 288,
            "reported_total_tokens": 2375,
        },
    ),
    "nested prompt and completion": (
        "nested_prompt_completion",
        {
            "prompt_tokens": {"total_tokens": 9, "cached_tokens": 2, "cache_write_tokens": 3},
            "completion_tokens": {"total_tokens": 8, "reasoning_tokens": 1},
        },
        {
            "input_tokens": 9,
            "cached_tokens": 2,
            "cache_write_tokens": 3,
            "output_tokens": 8,
            "reasoning_tokens": 1,
        },
    ),
    "Perplexity deep research": (
        "perplexity",
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "citation_tokens": 20016,
            "num_search_queries": 28,
            "reasoning_tokens": 95305,
            "cost": {"input_tokens_cost": 0.00006, "total_cost": 0.52},
        },
        {
            "input_tokens": 33,
            "output_tokens": 102468,
            "reasoning_tokens": 95305,
            "citation_tokens": 20016,
            "web_search_count": 28,
            "provider_cost_usd": Decimal("0.520000000000"),
        },
    ),
    "xAI, whose completion leaves reasoning out": (
        "openai_chat_reasoning_apart",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {
                "text_tokens": 32,
                "audio_tokens": 0,
                "image_tokens": 0,
                "cached_tokens": 6,
            },
            "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0},
            "num_sources_used": 0,
            "cost_in_usd_ticks": 37756000,
        },
        {
            "input_tokens": 32,
            "cached_tokens": 6,
            "output_tokens": 103,
            "reasoning_tokens": 94,
            "audio_input_tokens": 0,
            "image_input_tokens": 0,
            "audio_output_tokens": 0,
            "reported_total_tokens": 135,
            "provider_cost_usd": Decimal("0.003775600000"),
        },
    ),
    "OpenAI chat completions": (
        "openai_chat",
        {
            "prompt_tokens": 64,
            "completion_tokens": 19,
            "total_tokens": 83,
            "prompt_tokens_details": {
                "audio_tokens": 44,
                "cached_tokens": 5,
                "image_tokens": 3,
                "text_tokens": 20,
                "cache_write_tokens": 12,
            },
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0,
                "audio_tokens": 2,
                "reasoning_tokens": 10,
            },
        },
        {
            "input_tokens": 64,
            "cached_tokens": 5,
            "cache_write_tokens": 12,
            "output_tokens": 19,
            "reasoning_tokens": 10,
            "audio_input_tokens": 44,
            "image_input_tokens": 3,
            "audio_output_tokens": 2,
            "reported_total_tokens": 83,
        },
    ),
    "OpenAI embeddings": (
        "openai_chat",
        {"prompt_tokens": 4, "total_tokens": 4},
        {"input_tokens": 4, "reported_total_tokens": 4},
    ),
    "details that are null": (
        "openai_chat",
        {"prompt_tokens": 4, "completion_tokens": 5, "prompt_tokens_details": None, "total_tokens": 9},
        {"input_tokens": 4, "output_tokens": 5, "reported_total_tokens": 9},
    ),
    "Mistral": (
        "openai_chat",
        {"completion_tokens": 12, "num_cached_tokens": 69, "prompt_tokens": 70, "total_tokens": 82},
        {"input_tokens": 70, "cached_tokens": 69, "output_tokens": 12, "reported_total_tokens": 82},
    ),
    "DeepSeek": (
        "openai_chat",
        {
            "prompt_tokens": 875,
            "prompt_cache_hit_tokens": 800,
            "prompt_cache_miss_tokens": 75,
            "completion_tokens": 79,
            "total_tokens": 954,
        },
        {"input_tokens": 875, "cached_tokens": 800, "output_tokens": 79, "reported_total_tokens": 954},
    ),
    "Groq": (
        "openai_chat",
        {
            "queue_time": 0.005,
            "prompt_tokens": 336,
            "prompt_time": 0.56,
            "completion_tokens": 96,
            "completion_time": 0.57,
            "total_tokens": 432,
            "total_time": 1.14,
            "prompt_tokens_details": {"cached_tokens": 256},
            "completion_tokens_details": {"reasoning_tokens": 59},
        },
        {
            "input_tokens": 336,
            "cached_tokens": 256,
            "output_tokens": 96,
            "reasoning_tokens": 59,
            "reported_total_tokens": 432,
        },
    ),
    "OpenRouter with its charge": (
        "openai_chat",
        {
            "prompt_tokens": 900,
            "completion_tokens": 69,
            "total_tokens": 969,
            "cost": 0.0160614,
            "cost_details": {"upstream_inference_cost": 0.0001764},
            "is_byok": False,
            "server_tool_use": {"web_search_requests": 1},
        },
        {
            "input_tokens": 900,
            "output_tokens": 69,
            "web_search_count": 1,
            "reported_total_tokens": 969,
            "provider_cost_usd": Decimal("0.016061400000"),
        },
    ),
    "OpenRouter with the customer's own key": (
        "openai_chat",
        {
            "prompt_tokens": 480,
            "completion_tokens": 33,
            "cost": 0.00001,
            "cost_details": {"upstream_inference_cost": 0.0002265},
            "is_byok": True,
        },
        {"input_tokens": 480, "output_tokens": 33, "provider_cost_usd": Decimal("0.000236500000")},
    ),
    "OpenRouter with the customer's own key, whose charge is unknown": (
        "openai_chat",
        {"prompt_tokens": 1, "cost": 0, "cost_details": {"upstream_inference_cost": None}, "is_byok": True},
        {"input_tokens": 1},
    ),
    "nested input and output": (
        "nested_input_output",
        {
            "input_tokens": {"total_tokens": "100", "audio_tokens": 7, "cached_tokens": 40},
            "output_tokens": {"total_tokens": 50, "audio_tokens": 3, "reasoning_tokens": 20},
        },
        {
            "input_tokens": 100,
            "cached_tokens": 40,
            "audio_input_tokens": 7,
            "output_tokens": 50,
            "reasoning_tokens": 20,
            "audio_output_tokens": 3,
        },
    ),
    "Anthropic messages": (
        "anthropic_messages",
        {
            "input_tokens": 6,
            "cache_read_input_tokens": 20443,
            "cache_creation_input_tokens": 574,
            "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 74},
            "output_tokens": 489,
            "output_tokens_details": {"thinking_tokens": 77},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            "service_tier": "priority",
        },
        {
            "input_tokens": 21023,
            "cached_tokens": 20443,
            "cache_write_tokens": 574,
            "cache_write_1h_tokens": 74,
            "output_tokens": 489,
            "reasoning_tokens": 77,
            "web_search_count": 2,
            "service_tier": "priority",
        },
    ),
    "OpenAI realtime": (
        "openai_realtime",
        {
            "total_tokens": 30,
            "input_tokens": 20,
            "output_tokens": 10,
            "input_token_details": {
                "text_tokens": 5,
                "audio_tokens": 15,
                "image_tokens": 0,
                "cached_tokens": 4,
            },
            "output_token_details": {"text_tokens": 3, "audio_tokens": 7},
        },
        {
            "input_tokens": 20,
            "cached_tokens": 4,
            "output_tokens": 10,
            "audio_input_tokens": 15,
            "image_input_tokens": 0,
            "audio_output_tokens": 7,
            "reported_total_tokens": 30,
        },
    ),
    "LangChain": (
        "langchain",
        {
            "input_tokens": 350,
            "output_tokens": 240,
            "total_tokens": 590,
            "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
            "output_token_details": {"audio": 10, "reasoning": 200},
        },
        {
            "input_tokens": 350,
            "cached_tokens": 100,
            "cache_write_tokens": 200,
            "output_tokens": 240,
            "reasoning_tokens": 200,
            "audio_input_tokens": 10,
            "audio_output_tokens": 10,
            "reported_total_tokens": 590,
        },
    ),
    "OpenAI images": (
        "openai_images",
        {
            "total_tokens": 6290,
            "input_tokens": 50,
            "output_tokens": 6240,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
        {
            "input_tokens": 50,
            "output_tokens": 0,
            "image_tokens": 6240,
            "image_input_tokens": 40,
            "reported_total_tokens": 6290,
        },
    ),
    "OpenAI images with text beside": (
        "openai_images",
        {
            "input_tokens": 50,
            "output_tokens": 6240,
            "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
            "output_tokens_details": {"text_tokens": 40, "image_tokens": 6200},
        },
        {"input_tokens": 50, "output_tokens": 40, "image_tokens": 6200, "image_input_tokens": 0},
    ),
    "OpenAI responses": (
        "openai_responses",
        {
            "input_tokens": 4020,
            "input_tokens_details": {"cache_write_tokens": 4012, "cached_tokens": 1},
            "output_tokens": 15,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 4035,
        },
        {
            "input_tokens": 4020,
            "cached_tokens": 1,
            "cache_write_tokens": 4012,
            "output_tokens": 15,
            "reasoning_tokens": 5,
            "reported_total_tokens": 4035,
        },
    ),
    "the contract's own names": (
        "canonical",
        {
            "input_tokens": "10",
            "cached_tokens": 4,
            "output_tokens": 5,
            "reasoning_tokens": 2,
            "image_tokens": 1,
        },
        {
            "input_tokens": 10,
            "cached_tokens": 4,
            "output_tokens": 5,
            "reasoning_tokens": 2,
            "image_tokens": 1,
        },
    ),
    "only input and output": (
        "canonical",
        {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
        {"input_tokens": 10, "output_tokens": 5, "reported_total_tokens": 15},
    ),
    "output alone, as the last event of a stream": ("canonical", {"output_tokens": 5}, {"output_tokens": 5}),
    "only a total": ("total_only", {"total_tokens": 20}, {"input_tokens": 20, "reported_total_tokens": 20}),
    "a body as its text": (
        "canonical",
        '{"input_tokens": 1,  "output_tokens": 2}',
        {"input_tokens": 1, "output_tokens": 2},
    ),
}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The lake row of each body; landed together, as that is what costs."""
    night = Night(tmp_path_factory.mktemp("bodies"))
    night.land(*(span(name, usage=body) for name, (_, body, _) in BODIES.items()))
    assert night.quarantine() == []
    return {row["span_id"]: row for row in night.rows()}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_says_what_its_maker_means(landed: dict[str, Row], name: str) -> None:
    """Tokens of a provider would be lost, counted twice, or left out of input or output."""
    shape, body, expected = BODIES[name]
    assert told(landed[name]) == {**expected, "token_convention": shape}
    kept = body if isinstance(body, dict) else json.loads(body)
    assert json.loads(landed[name]["attributes"]) == {"usage": kept}, "the original is not kept"


def test_every_shape_has_a_body() -> None:
    """A shape without an example could be wrong or unreachable and nobody would know."""
    assert {shape for shape, _, _ in BODIES.values()} == {shape.name for shape in usage_shapes.SHAPES}


def test_shapes_and_contract_name_the_same_fields() -> None:
    """A class that a shape reads would go nowhere, or a field would wait for a body that never fills it."""
    from_bodies = {item.name for item in SPANS.columns if contract.USAGE in item.sources}
    assert from_bodies == set(usage_shapes.FIELDS)
    assert {name for shape in usage_shapes.SHAPES for name in shape.classes} == set(usage_shapes.CLASSES)
    assert all(item.sources[-1] == contract.USAGE for item in SPANS.columns if contract.USAGE in item.sources)


def test_what_the_row_says_itself_wins(night: Night) -> None:
    """A count that the platform corrected would be overwritten by the body it came with."""
    body = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "cost": 0.5,
        "service_tier": "flex",
    }
    night.land(
        span("a", input_tokens=5, usage=body),
        span("b", completion_tokens=7, usage=body),
        span("c", reasoning_tokens=1, usage=body),
        span("d", provider_cost_usd=2, service_tier="batch", reported_total_tokens=3, usage=body),
    )
    rows = {row["span_id"]: told(row) for row in night.rows()}
    half = Decimal("0.500000000000")
    assert rows["a"] == {
        "input_tokens": 5,
        "output_tokens": 2,
        "reported_total_tokens": 11,
        "service_tier": "flex",
        "provider_cost_usd": half,
        "token_convention": "canonical",
        "quality_flags": "total_tokens_mismatch",
    }
    assert (rows["b"]["input_tokens"], rows["b"]["output_tokens"]) == (9, 7)
    assert rows["b"]["token_convention"] == "openai_chat", "input tells the convention first"
    assert rows["c"]["reasoning_tokens"] == 1
    assert rows["c"]["token_convention"] == "openai_chat"
    assert (rows["d"]["provider_cost_usd"], rows["d"]["service_tier"]) == (2, "batch")
    assert rows["d"]["reported_total_tokens"] == 3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input_tokens": 1}, "canonical"),
        ({"input_tokens": 0, "output_tokens": 0}, "canonical"),
        ({"prompt_tokens": 1, "completion_tokens": 1}, "prompt_completion"),
        ({"completion_tokens": "1"}, "prompt_completion"),
        ({"input_tokens": {"total_tokens": 1}}, "nested_input_output"),
        ({"output_tokens": {"reasoning_tokens": 1}}, "nested_input_output"),
        ({"prompt_tokens": {"total_tokens": 1}}, "nested_prompt_completion"),
        ({"prompt_tokens": {"cache_write_tokens": 1}}, "nested_prompt_completion"),
        ({"image_tokens": 1}, "canonical"),
        ({"citation_tokens": 1}, "canonical"),
        ({"input_tokens": "", "prompt_tokens": 1}, "prompt_completion"),
        ({}, None),
        ({"units": 1, "web_search_count": 1, "provider_cost_usd": 1}, None),
        ({"total_tokens": 0}, None),
        ({"usage": {}}, None),
        ({"usage": {"cost": 1}}, None),
        ({"usage": {"foo": 1}}, None),
    ],
)
def test_token_convention_of_plain_fields(night: Night, fields: Row, expected: str | None) -> None:
    """Nobody could tell how a row's tokens were read, or a row without tokens would claim a reading."""
    night.land(span(**fields))
    row = night.one()
    assert (row["token_convention"], row["source_format"]) == (expected, "native")


def test_conventions_are_documented() -> None:
    """A value of token_convention would stand nowhere in the documentation."""
    page = contract.markdown()
    names = [item.name for item in contract.CONVENTIONS] + [shape.name for shape in usage_shapes.SHAPES]
    assert [name for name in names if f"\n| {name} |" not in page] == []
    assert [flag for flag in SPANS.flags if f"\n| {flag} |" not in page] == []


def test_nested_cache_writes(night: Night) -> None:
    """Cache writes of the nested shapes would be lost, as they were before."""
    night.land(
        span("a", input_tokens={"total_tokens": 9, "cache_write_tokens": 4}),
        span("b", prompt_tokens={"total_tokens": 9, "cache_write_tokens": 5}),
    )
    assert [(row["cache_write_tokens"], row["attributes"]) for row in night.rows()] == [(4, None), (5, None)]


def test_new_plain_fields(night: Night) -> None:
    """A field of the contract would end in attributes, or under the wrong name."""
    fields = {
        "response_model": "gpt-5-2025-08-07",
        "service_tier": "Flex",
        "cache_write_tokens": 4,
        "cache_write_1h_tokens": 3,
        "input_tokens": 10,
        "image_input_tokens": 2,
        "web_search_count": 1,
        "reported_total_tokens": 10,
    }
    night.land(span("a", **fields), span("b", total_tokens="7", input_tokens=7))
    first, second = night.rows()
    assert {name: first[name] for name in fields} == fields
    assert (second["reported_total_tokens"], second["attributes"], second["quality_flags"]) == (7, None, None)


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        (
            {"input_tokens": 10, "cached_tokens": 6, "cache_write_tokens": 5},
            "input_classes_exceed_input_tokens",
        ),
        ({"input_tokens": 10, "cached_tokens": 6, "cache_write_tokens": 4}, None),
        (
            {"input_tokens": 10, "cached_tokens": 11, "cache_write_tokens": 5},
            "cached_tokens_exceed_input_tokens",
        ),
        (
            {"input_tokens": 10, "cached_tokens": 10, "cache_write_tokens": 1},
            "input_classes_exceed_input_tokens",
        ),
        ({"input_tokens": 1, "output_tokens": 2, "image_tokens": 3, "total_tokens": 6}, None),
        ({"input_tokens": 1, "output_tokens": 2, "total_tokens": 6}, "total_tokens_mismatch"),
        ({"input_tokens": 1, "output_tokens": 2, "citation_tokens": 3, "total_tokens": 3}, None),
        ({"total_tokens": 6}, "total_tokens_mismatch"),
        (
            {"usage": {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}},
            "total_tokens_mismatch",
        ),
        ({"usage": {"some": "thing"}}, "unknown_usage"),
        ({"usage": {}}, None),
        ({"usage": {"cost": 0.5}}, None),
    ],
)
def test_flags(night: Night, fields: Row, flags: str | None) -> None:
    """Counts that contradict each other would pass unseen, or be clipped until they agree."""
    night.land(span(**fields))
    row = night.one()
    assert row["quality_flags"] == flags
    plain = {name: value for name, value in fields.items() if name not in ("usage", "total_tokens")}
    assert {name: row[name] for name in plain} == plain, "a flagged count was changed"


@pytest.mark.parametrize(
    ("usage", "field", "reason"),
    [
        ("n/a", "usage", "wrong_type"),
        ([{"input_tokens": 1}], "usage", "wrong_type"),
        (7, "usage", "wrong_type"),
        ({"input_tokens": float("nan")}, "usage", "wrong_type"),
        ({"prompt_tokens": "many"}, "input_tokens", "wrong_type"),
        ({"prompt_tokens": 1.5}, "input_tokens", "wrong_type"),
        ({"prompt_tokens": -1}, "input_tokens", "impossible_value"),
        ({"prompt_tokens": 10**13}, "input_tokens", "impossible_value"),
        ({"input_tokens": "many", "cache_read_input_tokens": 2}, "input_tokens", "wrong_type"),
        ({"input_tokens": -5, "cache_read_input_tokens": 9}, "input_tokens", "impossible_value"),
        ({"input_tokens": 10**12, "cache_read_input_tokens": 1}, "input_tokens", "impossible_value"),
        (
            {"promptTokenCount": 1, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": "x"}]},
            "audio_input_tokens",
            "wrong_type",
        ),
        ({"prompt_tokens": 1, "cost": "dear"}, "provider_cost_usd", "wrong_type"),
        ({"prompt_tokens": 1, "cost": -1}, "provider_cost_usd", "impossible_value"),
        (
            {"is_byok": True, "cost": 1, "cost_details": {"upstream_inference_cost": 1e300}},
            "provider_cost_usd",
            "impossible_value",
        ),
        (
            {"is_byok": True, "cost": 9999999999, "cost_details": {"upstream_inference_cost": 9999999999}},
            "provider_cost_usd",
            "impossible_value",
        ),
        ({"prompt_tokens": 1, "cost_in_usd_ticks": "1.5"}, "provider_cost_usd", "wrong_type"),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(night: Night, usage: Any, field: str, reason: str) -> None:
    """A call whose usage cannot be read would be loaded as if it had used nothing, or end the night with an overflow."""
    night.land(span(usage=usage))
    assert [(row["field"], row["reason"]) for row in night.quarantine()] == [(field, reason)]


@pytest.mark.parametrize("usage", [None, "", ...])
def test_no_body(night: Night, usage: Any) -> None:
    """An empty field would look like a body."""
    night.land(span(usage=usage))
    assert told(night.one()) == {}
    assert night.one()["attributes"] is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"attributes": {"usage": 1, "x": 2}}, {"usage": 1, "x": 2}),
        (
            {"attributes": {"usage": 1, "x": 2}, "usage": {"total_tokens": 3}},
            {"attributes": {"usage": 1, "x": 2}, "usage": {"total_tokens": 3}},
        ),
        ({"attributes": {"x": 2}, "usage": {"total_tokens": 3}}, {"x": 2, "usage": {"total_tokens": 3}}),
        ({"usage": {'a "b"': {"c": [1, None]}}}, {"usage": {'a "b"': {"c": [1, None]}}}),
    ],
)
def test_the_body_is_kept_beside_attributes(night: Night, fields: Row, expected: Row) -> None:
    """The original would be lost, or an attribute of the same name with it."""
    night.land(span(**fields))
    assert json.loads(night.one()["attributes"]) == expected


def test_a_charge_keeps_its_digits(night: Night) -> None:
    """A charge in a body would go through a binary float."""
    line = json.dumps(span("a")).removesuffix("}")
    charge = "123456.123456789012"
    night.land(
        line + f', "usage": {{"prompt_tokens": 1, "cost": {charge}}}}}',
        json.dumps(span("b", usage=f'{{"prompt_tokens": 1, "cost": {charge}}}')),
    )
    assert [row["provider_cost_usd"] for row in night.rows()] == [Decimal(charge)] * 2


def test_bodies_in_tables(tmp_path: Path) -> None:
    """A body in a CSV cell or a Parquet structure would say something else than in JSON Lines."""
    body = {"input_tokens": 6, "cache_read_input_tokens": 10, "output_tokens": 4, "cost": 0.25}
    row = span(usage=body)
    columns = ", ".join(f"'{value}' as {name}" for name, value in row.items() if name != "usage")
    structure = "{" + ", ".join(f"'{name}': {value}" for name, value in body.items()) + "}"
    forms = {
        "a.jsonl": jsonl(row),
        "a.csv": csv_bytes(row),
        "text.parquet": parquet_bytes(f"select {columns}, '{json.dumps(body)}' as usage", tmp_path),
        "struct.parquet": parquet_bytes(f'select {columns}, {structure} as "Usage"', tmp_path),
    }
    rows = []
    for number, (name, data) in enumerate(forms.items()):
        night = Night(tmp_path / str(number))
        night.write(name, data)
        night.land()
        rows.append(night.one())
    assert rows[0]["input_tokens"] == 16
    assert rows[1:] == rows[:1] * 3


def test_a_table_without_bodies_is_not_searched_for_them(tmp_path: Path) -> None:
    """Each of many small tables would pay for planning what it cannot hold; or its columns would differ from the others'."""
    night = Night(tmp_path)
    night.write("a.csv", csv_bytes(span("a", total_tokens=1)))
    night.write("b.csv", csv_bytes(span("b", input_tokens=1, usage={"output_tokens": 2})))
    night.land()
    assert [(row["input_tokens"], row["output_tokens"], row["token_convention"]) for row in night.rows()] == [
        (None, None, None),
        (1, 2, "canonical"),
    ]


def test_same_content_in_another_convention_is_a_copy(night: Night) -> None:
    """A re-sent export that names its counts differently would be loaded a second time."""
    night.land(span(input_tokens=1))
    report = night.land(span(prompt_tokens=1), name="b.jsonl")
    assert report.manifest
    assert report.manifest.total("rows_duplicate") == 1


@pytest.mark.parametrize("shape", usage_shapes.SHAPES, ids=lambda shape: shape.name)
def test_the_stated_convention_is_the_computed_one(shape: usage_shapes.Shape) -> None:
    """The documentation would call a shape inclusive whose parts are added, or the other way round."""

    def is_added(part: str, whole: str) -> bool:
        terms = re.split(r" [+-] ", shape.classes.get(whole, ""))
        return shape.classes.get(part) in terms

    assert is_added("cached_tokens", "input_tokens") == (shape.input_is == "exclusive")
    assert is_added("reasoning_tokens", "output_tokens") == (shape.output_is == "exclusive")
