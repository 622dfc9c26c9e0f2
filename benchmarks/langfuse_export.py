"""An invented export of Langfuse observations, as its API and its blob storage export write them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_START = datetime(2026, 3, 1, tzinfo=UTC)
_DAYS = 2
_WORDS = [
    "the",
    "model",
    "reads",
    "a",
    "question",
    "about",
    "usage",
    "and",
    "answers",
    "it",
    "in",
    "plain",
    "words",
    "with",
    "one",
    "example",
    "and",
    "a",
    "short",
    "list",
]
_MODELS = (
    ("gpt-4o-2024-08-06", "openai", 2.5e-06, 1e-05),
    ("gpt-4.1-mini", "openai", 4e-07, 1.6e-06),
    ("claude-sonnet-4-5-20250929", "anthropic", 3e-06, 1.5e-05),
    ("gemini-2.5-flash", "google", 3e-07, 2.5e-06),
)
_SHAPES = ("AGENT", "SPAN", "GENERATION", "TOOL", "GENERATION", "RETRIEVER")
"""One trace: the first is its root, the others lie below it."""


def observations(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Observations as the public API gives them, in trees of six, over two days."""
    random_ = random.Random(seed)  # noqa: S311 - the same file every time
    for number in range(count):
        place = number % len(_SHAPES)
        if place == 0:
            trace_id = f"{random_.getrandbits(128):032x}"
            root_id = f"{random_.getrandbits(64):016x}"
            started = _START + timedelta(days=_DAYS) * (number / count)
            user = f"user-{random_.randrange(500)}"
        yield _observation(
            random_,
            _SHAPES[place],
            trace_id=trace_id,
            span_id=root_id if place == 0 else f"{random_.getrandbits(64):016x}",
            parent_id=None if place == 0 else root_id,
            started=started + timedelta(milliseconds=200 * place),
            user=user,
        )


def _observation(
    random_: random.Random,
    kind: str,
    *,
    trace_id: str,
    span_id: str,
    parent_id: str | None,
    started: datetime,
    user: str,
) -> dict[str, Any]:
    ended = started + timedelta(milliseconds=random_.randrange(20, 4000))
    model, provider, input_price, output_price = random_.choice(_MODELS)
    usage: dict[str, int] = {}
    cost: dict[str, float] = {}
    is_call = kind == "GENERATION"
    if is_call:
        given, made = random_.randrange(50, 6000), random_.randrange(5, 900)
        cached = given // 2 if random_.random() < 0.4 else 0
        usage = {"input": given - cached, "output": made, "total": given + made}
        if cached:
            usage["input_cached_tokens"] = cached
        cost = {"input": given * input_price, "output": made * output_price}
        cost["total"] = cost["input"] + cost["output"]
    scope = {"name": "langfuse-sdk", "version": "3.8.1", "attributes": {"public_key": "pk-lf-0000"}}
    resource_ = {"telemetry.sdk.language": "python", "service.name": "assistant"}
    metadata: dict[str, Any] = {"resourceAttributes": resource_, "scope": scope}
    if is_call:
        metadata = {"ls_provider": provider, "langgraph_step": random_.randrange(9), **metadata}
    return {
        "id": span_id,
        "traceId": trace_id,
        "startTime": _iso(started),
        "endTime": _iso(ended),
        "projectId": "cloramnkj0002jz088vzn1ja4",
        "parentObservationId": parent_id,
        "type": kind,
        "environment": "production",
        "name": {"GENERATION": f"chat {model}", "TOOL": "web_search"}.get(kind, kind.lower()),
        "level": "ERROR" if random_.random() < 0.01 else "DEFAULT",
        "statusMessage": None,
        "version": None,
        "createdAt": _iso(ended),
        "updatedAt": _iso(ended),
        "input": {"messages": [{"role": "user", "content": _text(random_)}]},
        "output": {"role": "assistant", "content": _text(random_)},
        "model": model if is_call else None,
        "internalModelId": "b9854a5c92dc496b997d99d20" if is_call else None,
        "modelParameters": {"temperature": 0.2, "max_tokens": 800} if is_call else {},
        "completionStartTime": None,
        "promptId": None,
        "promptName": None,
        "promptVersion": None,
        "latency": (ended - started).total_seconds(),
        "timeToFirstToken": None,
        "usageDetails": usage,
        "costDetails": cost,
        "inputCost": cost.get("input"),
        "outputCost": cost.get("output"),
        "totalCost": cost.get("total", 0),
        "inputUsage": usage.get("input", 0),
        "outputUsage": usage.get("output", 0),
        "totalUsage": usage.get("total", 0),
        "userId": user,
        "metadata": metadata,
    }


def _text(random_: random.Random) -> str:
    return " ".join(random_.choices(_WORDS, k=25))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(path: Path, count: int, layout: str) -> None:
    """Write an export: one observation per line, or one list of all."""
    with path.open("w", encoding="utf-8") as stream:
        if layout == "array":
            stream.write("[")
        for number, item in enumerate(observations(count)):
            if layout == "array" and number:
                stream.write(",")
            stream.write(json.dumps(item, separators=(",", ":")))
            if layout == "jsonl":
                stream.write("\n")
        if layout == "array":
            stream.write("]")
