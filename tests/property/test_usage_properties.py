"""Whatever a provider counts inside or beside its input and output, the classes add up to what was sent and generated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing import conform, readers, usage_shapes

EXAMPLES = int(os.environ.get("CREDIT_USAGE_PROPERTY_EXAMPLES", "40"))


@dataclass(frozen=True)
class Parts:
    """What a call really used: classes that exclude each other."""

    uncached: int
    cached: int
    write_5m: int
    write_1h: int
    visible: int
    reasoning: int
    image: int

    @property
    def write(self) -> int:
        return self.write_5m + self.write_1h

    @property
    def sent(self) -> int:
        return self.uncached + self.cached + self.write

    @property
    def generated(self) -> int:
        return self.visible + self.reasoning + self.image


Body = dict[str, Any]


def gemini(p: Parts) -> Body:
    """Thoughts beside the candidates, pictures within them, and a prompt of a tool."""
    return {
        "promptTokenCount": p.cached + p.write,
        "toolUsePromptTokenCount": p.uncached,
        "cachedContentTokenCount": p.cached,
        "candidatesTokenCount": p.visible + p.image,
        "thoughtsTokenCount": p.reasoning,
        "candidatesTokensDetails": [
            {"modality": "TEXT", "tokenCount": p.visible},
            {"modality": "IMAGE", "tokenCount": p.image},
        ],
        "totalTokenCount": p.sent + p.generated,
    }


def cohere_billed(p: Parts) -> Body:
    units = {"input_tokens": p.sent, "output_tokens": p.generated}
    return {"billed_units": units, "tokens": {"input_tokens": p.sent + 70, "output_tokens": p.generated + 3}}


def cohere_tokens(p: Parts) -> Body:
    return {"tokens": {"input_tokens": p.sent, "output_tokens": p.generated}, "cached_tokens": p.cached}


def ai_sdk(p: Parts) -> Body:
    return {
        "inputTokens": p.sent,
        "inputTokenDetails": {"cacheReadTokens": p.cached, "cacheWriteTokens": p.write},
        "outputTokens": p.generated,
        "outputTokenDetails": {"reasoningTokens": p.reasoning},
        "totalTokens": p.sent + p.generated,
    }


def bedrock_converse(p: Parts) -> Body:
    return {
        "inputTokens": p.uncached,
        "cacheReadInputTokens": p.cached,
        "cacheWriteInputTokens": p.write,
        "cacheDetails": [{"ttl": "1h", "inputTokens": p.write_1h}, {"ttl": "5m", "inputTokens": p.write_5m}],
        "outputTokens": p.generated,
        "totalTokens": p.sent + p.generated,
    }


def nested_prompt_completion(p: Parts) -> Body:
    return {
        "prompt_tokens": {"total_tokens": p.sent, "cached_tokens": p.cached, "cache_write_tokens": p.write},
        "completion_tokens": {"total_tokens": p.generated, "reasoning_tokens": p.reasoning},
    }


def perplexity(p: Parts) -> Body:
    return {
        "prompt_tokens": p.sent,
        "completion_tokens": p.visible + p.image,
        "reasoning_tokens": p.reasoning,
        "num_search_queries": 3,
        "total_tokens": p.sent + p.visible + p.image,
    }


def openai_chat(p: Parts) -> Body:
    return {
        "prompt_tokens": p.sent,
        "completion_tokens": p.generated,
        "total_tokens": p.sent + p.generated,
        "prompt_tokens_details": {"cached_tokens": p.cached, "cache_write_tokens": p.write},
        "completion_tokens_details": {"reasoning_tokens": p.reasoning, "image_tokens": p.image},
    }


def openai_chat_reasoning_apart(p: Parts) -> Body:
    """The total has the reasoning, the completion has not; without reasoning there is nothing to tell them by."""
    return {**openai_chat(p), "completion_tokens": p.visible + p.image}


def nested_input_output(p: Parts) -> Body:
    return {
        "input_tokens": {"total_tokens": p.sent, "cached_tokens": p.cached, "cache_write_tokens": p.write},
        "output_tokens": {"total_tokens": p.generated, "reasoning_tokens": p.reasoning},
    }


def anthropic_messages(p: Parts) -> Body:
    return {
        "input_tokens": p.uncached,
        "cache_read_input_tokens": p.cached,
        "cache_creation_input_tokens": p.write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": p.write_5m,
            "ephemeral_1h_input_tokens": p.write_1h,
        },
        "output_tokens": p.generated,
        "output_tokens_details": {"thinking_tokens": p.reasoning},
    }


def openai_realtime(p: Parts) -> Body:
    return {
        "input_tokens": p.sent,
        "input_token_details": {"cached_tokens": p.cached},
        "output_tokens": p.generated,
        "output_token_details": {"text_tokens": p.generated},
        "total_tokens": p.sent + p.generated,
    }


def langchain(p: Parts) -> Body:
    return {
        "input_tokens": p.sent,
        "input_token_details": {"cache_read": p.cached, "cache_creation": p.write},
        "output_tokens": p.generated,
        "output_token_details": {"reasoning": p.reasoning},
        "total_tokens": p.sent + p.generated,
    }


def openai_images(p: Parts) -> Body:
    return {
        "input_tokens": p.sent,
        "input_tokens_details": {"text_tokens": p.sent, "image_tokens": 0},
        "output_tokens": p.generated,
        "output_tokens_details": {"image_tokens": p.image, "text_tokens": p.generated - p.image},
        "total_tokens": p.sent + p.generated,
    }


def openai_responses(p: Parts) -> Body:
    return {
        "input_tokens": p.sent,
        "input_tokens_details": {"cached_tokens": p.cached, "cache_write_tokens": p.write},
        "output_tokens": p.generated,
        "output_tokens_details": {"reasoning_tokens": p.reasoning},
        "total_tokens": p.sent + p.generated,
    }


def canonical(p: Parts) -> Body:
    return {
        "input_tokens": p.sent,
        "cached_tokens": p.cached,
        "cache_write_tokens": p.write,
        "cache_write_1h_tokens": p.write_1h,
        "output_tokens": p.visible + p.reasoning,
        "reasoning_tokens": p.reasoning,
        "image_tokens": p.image,
        "total_tokens": p.sent + p.generated,
    }


def total_only(p: Parts) -> Body:
    """Of a call that generates nothing."""
    return {"total_tokens": p.sent}


WRITERS: tuple[Callable[[Parts], Body], ...] = (
    gemini,
    cohere_billed,
    cohere_tokens,
    ai_sdk,
    bedrock_converse,
    nested_prompt_completion,
    perplexity,
    openai_chat,
    openai_chat_reasoning_apart,
    nested_input_output,
    anthropic_messages,
    openai_realtime,
    langchain,
    openai_images,
    openai_responses,
    canonical,
    total_only,
)
NAMES = [writer.__name__ for writer in WRITERS]


@pytest.fixture(scope="module")
def reader() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view of what the bodies in `bodies` say."""
    with duckdb.connect() as connection:
        for macro in (*readers.MACROS, *conform.MACROS):
            connection.execute(macro)
        connection.execute("create table bodies (shape varchar, body varchar)")
        said = ", ".join(f"{usage_shapes.text_of(name)} as {name}" for name in usage_shapes.FIELDS)
        reading = usage_shapes.with_reading("select shape as given, body from bodies", "body", "body")
        connection.execute(
            f"create temp view said as select given, {usage_shapes.SHAPE} as shape, {said} from ({reading})"
        )
        yield connection


def test_every_shape_has_a_writer() -> None:
    """A shape could add up wrongly and no property would see it."""
    assert sorted(NAMES) == sorted(shape.name for shape in usage_shapes.SHAPES)


COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 10**9))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.builds(Parts, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_classes_add_up_in_every_shape(reader: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    """A class would be counted twice, inside its whole and beside it, or be missing from it."""
    reader.execute("delete from bodies")
    reader.executemany(
        "insert into bodies values (?, ?)",
        [[writer.__name__, json.dumps(writer(parts))] for writer in WRITERS],
    )
    cursor = reader.execute("select * from said")
    columns = [column[0] for column in cursor.description]
    rows = {row[0]: dict(zip(columns, row, strict=True)) for row in cursor.fetchall()}
    assert sorted(rows) == sorted(NAMES)
    for name, row in rows.items():
        told = f"{name} with {astuple(parts)}: {row}"
        same = {"openai_chat_reasoning_apart": "openai_chat"} if not parts.reasoning else {}
        assert row["shape"] == same.get(name, name), told
        count = {key: int(row[key]) for key in usage_shapes.CLASSES if row[key] is not None}
        generated = 0 if name == "total_only" else parts.generated
        # The wholes hold everything, whatever the body's own counts leave out.
        assert count["input_tokens"] == parts.sent, told
        assert count.get("output_tokens", 0) + count.get("image_tokens", 0) == generated, told
        # And what is told of their parts are those parts.
        expected = {
            "cached_tokens": parts.cached,
            "cache_write_tokens": parts.write,
            "cache_write_1h_tokens": parts.write_1h,
            "reasoning_tokens": parts.reasoning,
            "image_tokens": parts.image,
            "reported_total_tokens": parts.sent + generated,
        }
        assert {key: count[key] for key in expected if key in count} == {
            key: value for key, value in expected.items() if key in count
        }, told
