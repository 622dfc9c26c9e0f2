"""Realistic OTLP/JSON files for benchmarks: agents with model calls in several conventions, as a Collector's file exporter writes them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_START_NS = 1_772_359_200_000_000_000
_TEXT = "The quick brown fox jumps over the lazy dog. "


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value}


def _span(
    scope: str, trace: str, span: str, parent: str, name: str, start: int, end: int, **attributes: Any
) -> tuple[str, dict[str, Any]]:
    document = {
        "traceId": trace,
        "spanId": span,
        "parentSpanId": parent,
        "flags": 257,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": [
            {"key": key.replace("__", "."), "value": _value(value)} for key, value in attributes.items()
        ],
        "status": {},
    }
    return scope, document


def _trace(rng: random.Random, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Six spans: an agent, a framework's view of a call, the client's, a tool, an embedding, and a call of another convention."""
    trace = f"{rng.getrandbits(128):032x}"
    ids = [f"{rng.getrandbits(64):016x}" for _ in range(6)]
    start = _START_NS + number * 37_000_000
    sent, answered = rng.randrange(50, 4000), rng.randrange(5, 900)
    prompt = json.dumps([{"role": "user", "content": _TEXT * rng.randrange(2, 8)}])
    client, framework = "opentelemetry.instrumentation.openai_v2", "openinference.instrumentation.langchain"
    yield _span(
        framework,
        trace,
        ids[0],
        "",
        "AgentExecutor",
        start,
        start + 4_000_000_000,
        **{
            "openinference.span.kind": "AGENT",
            "input.value": prompt,
            "session.id": f"s{number % 97}",
            "user.id": f"u{number % 413}",
            "metadata": '{"ls_provider":"openai"}',
            "output.value": prompt,
        },
    )
    yield _span(
        framework,
        trace,
        ids[1],
        ids[0],
        "ChatOpenAI",
        start + 10_000_000,
        start + 1_500_000_000,
        **{
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o",
            "llm.provider": "openai",
            "llm.token_count.prompt": sent,
            "llm.token_count.completion": answered,
            "llm.token_count.total": sent + answered,
            "llm.token_count.prompt_details.cache_read": sent // 2,
            "llm.invocation_parameters": '{"temperature": 0.2}',
            "input.value": prompt,
            "input.mime_type": "application/json",
            "output.mime_type": "application/json",
            "output.value": json.dumps({"generations": [[{"text": _TEXT}]]}),
        },
    )
    yield _span(
        client,
        trace,
        ids[2],
        ids[1],
        "chat gpt-4o",
        start + 20_000_000,
        start + 1_490_000_000,
        **{
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "server.address": "localhost",
            "server.port": 443,
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(140):035x}",
            "gen_ai.usage.input_tokens": sent,
            "gen_ai.usage.output_tokens": answered,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.openai.request.service_tier": "auto",
            "gen_ai.openai.response.service_tier": "default",
        },
    )
    yield _span(
        framework,
        trace,
        ids[3],
        ids[0],
        "search",
        start + 1_600_000_000,
        start + 1_900_000_000,
        **{
            "openinference.span.kind": "TOOL",
            "tool.name": "search",
            "input.value": prompt,
            "output.value": _TEXT,
        },
    )
    yield _span(
        "opentelemetry.instrumentation.openai.v1",
        trace,
        ids[4],
        ids[0],
        "openai.embeddings",
        start + 1_910_000_000,
        start + 1_990_000_000,
        **{
            "llm.request.type": "embedding",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.usage.prompt_tokens": 12,
            "llm.usage.total_tokens": 12,
            "gen_ai.prompt.0.content": _TEXT,
            "llm.is_streaming": False,
        },
    )
    yield _span(
        "ai",
        trace,
        ids[5],
        ids[0],
        "ai.generateText.doGenerate",
        start + 2_000_000_000,
        start + 3_900_000_000,
        **{
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.model.provider": "anthropic.messages",
            "ai.prompt.messages": prompt,
            "ai.response.text": _TEXT,
            "ai.response.id": f"msg_{rng.getrandbits(110):028x}",
            "ai.usage.inputTokens": sent + 7,
            "ai.usage.outputTokens": answered + 3,
            "ai.usage.cachedInputTokens": 5,
            "gen_ai.system": "anthropic.messages",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": sent + 7,
            "gen_ai.usage.output_tokens": answered + 3,
        },
    )


def write(path: Path, spans: int, *, per_line: int = 300, seed: int = 1) -> int:
    """Write at least that many spans; returns how many."""
    rng = random.Random(seed)  # noqa: S311
    resource = {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "telemetry.sdk.language", "value": {"stringValue": "python"}},
            {"key": "deployment.environment.name", "value": {"stringValue": "prod"}},
        ]
    }
    written = number = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        while written < spans:
            scopes: dict[str, list[dict[str, Any]]] = {}
            held = 0
            while held < per_line:
                for scope, span in _trace(rng, number):
                    scopes.setdefault(scope, []).append(span)
                    held += 1
                number += 1
            written += held
            listed = [
                {"scope": {"name": name, "version": "1.0"}, "spans": items} for name, items in scopes.items()
            ]
            stream.write(
                json.dumps(
                    {"resourceSpans": [{"resource": resource, "scopeSpans": listed}]}, separators=(",", ":")
                )
                + "\n"
            )
    return written
