"""An independent, readable reading of recordings: which spans saw which model call, and what the calls sum to.

It shares nothing with the product, so that both can be held against the provider's ledger. `python -m tests.recordings.reference`
prints naive sums, leaves only, the rule and the ledger side by side.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CLASSES = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
SLACK_NS = 5_000_000
Usage = dict[str, int]

# Of several names the first that a span carries counts.
NAMES: Mapping[str, Sequence[str]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
        "llm.usage.completion_tokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
        "gen_ai.usage.details.reasoning_tokens",
    ),
}
MODELS = (
    "langfuse.observation.model.name",
    "gen_ai.request.model",
    "llm.model_name",
    "embedding.model_name",
    "ai.model.id",
    "gen_ai.response.model",
    "ai.response.model",
)
IDS = ("gen_ai.response.id", "ai.response.id", "llm.openai.id", "llm.anthropic.id")
CALLS = {"chat", "text_completion", "completion", "generate_content", "embeddings"}
# LiteLLM names the operation after its function: embedding, acompletion, aembedding.
CALLS |= {"embedding", "acompletion", "atext_completion", "aembedding"}
# Who writes the provider's own input, without cached reads and writes, under the name that others use for all of it. Nothing on
# the span tells: the total, where there is one, is that of the smaller input.
EXCLUSIVE_SCOPES = re.compile(
    r"openlit[.]instrumentation[.]anthropic|opentelemetry[.]instrumentation[.](botocore[.]bedrock-runtime|bedrock)$"
)
OWN_SCOPES = re.compile(r"(com[.])?(openai|anthropic|google[._]genai)([.]sdk.*)?")
CLIENTS = re.compile(r"openai|anthropic|google.?genai|bedrock|mistral|cohere")
FRAMEWORKS = re.compile(r"agents|langchain|pydantic")


@dataclass
class Span:
    """One span, and what it says of a model call."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    scope: str
    start: int
    end: int
    attributes: dict[str, Any]
    words: Usage = field(default_factory=dict)
    ancestors: list[Span] = field(default_factory=list, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.trace_id, self.span_id

    def number(self, token_class: str) -> int | None:
        if token_class in self.words:
            return self.words[token_class]
        value = self._told(token_class)
        if value is not None and token_class == "input_tokens" and EXCLUSIVE_SCOPES.match(self.scope):
            value += (self._told("cached_tokens") or 0) + (self._told("cache_write_tokens") or 0)
        return value

    def _told(self, token_class: str) -> int | None:
        for name in NAMES[token_class]:
            if name in self.attributes:
                return int(float(self.attributes[name]))
        return None

    @property
    def bears_usage(self) -> bool:
        return self.number("input_tokens") is not None or self.number("output_tokens") is not None

    @property
    def model(self) -> str:
        return next(
            (plain_model(str(self.attributes[name])) for name in MODELS if self.attributes.get(name)), ""
        )

    @property
    def response_id(self) -> str | None:
        for name in IDS:
            if self.attributes.get(name):
                return str(self.attributes[name])
        if "openinference.span.kind" in self.attributes:
            return _id_of_body(self.attributes.get("output.value"))
        return None


def plain_model(name: str) -> str:
    """Without vendor prefix, date and Bedrock's version."""
    bare = re.split(r"[/]", name.lower())[-1]
    bare = re.sub(r"^((us|eu|apac|global)[.])?(anthropic|amazon|meta|mistral|cohere)[.]", "", bare)
    return re.sub(r"([-@](\d{4}-\d\d-\d\d|\d{8}))?(-v\d+:\d+)?$", "", bare)


def _id_of_body(body: Any) -> str | None:
    """A response's id, as it stands in the JSON that OpenInference keeps."""
    try:
        value = json.loads(body)
    except (TypeError, ValueError):
        return None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("id"), str):
        return str(value["id"])
    for generation in value.get("generations") or []:
        for one in generation if isinstance(generation, list) else [generation]:
            message = (one.get("message") or {}) if isinstance(one, dict) else {}
            metadata = (message.get("kwargs") or message).get("response_metadata") or {}
            if isinstance(metadata.get("id"), str):
                return str(metadata["id"])
    return None


# -- reading -------------------------------------------------------------------------------------------------------------------


def _value(value: Mapping[str, Any]) -> Any:
    for kind, item in value.items():
        if kind == "intValue":
            return int(item)
        if kind == "arrayValue":
            return [_value(one) for one in item.get("values", [])]
        if kind == "kvlistValue":
            return {one["key"]: _value(one["value"]) for one in item.get("values", [])}
        return item
    return None


def lines_of(scenario: str) -> list[str]:
    """The requests of a recording."""
    plain = FOLDER / f"{scenario}.otlp.jsonl"
    data = (
        plain.read_bytes() if plain.exists() else gzip.decompress((FOLDER / f"{plain.name}.gz").read_bytes())
    )
    return data.decode().splitlines()


def read(lines: Iterable[str], *, bodies: bool = True) -> list[Span]:
    """Every span once, with its ancestors; with `bodies`, the provider's words win over attributes."""
    spans: dict[tuple[str, str], Span] = {}
    for line in lines:
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for raw in scope["spans"]:
                    span = Span(
                        raw["traceId"],
                        raw["spanId"],
                        raw.get("parentSpanId", ""),
                        raw["name"],
                        scope.get("scope", {}).get("name", ""),
                        int(raw["startTimeUnixNano"]),
                        int(raw["endTimeUnixNano"]),
                        {one["key"]: _value(one["value"]) for one in raw.get("attributes", [])},
                    )
                    if bodies:
                        span.words = provider_words(span.attributes)
                    spans[span.key] = span
    for span in spans.values():
        above = spans.get((span.trace_id, span.parent_id))
        while above and above not in span.ancestors:
            span.ancestors.append(above)
            above = spans.get((above.trace_id, above.parent_id))
    return list(spans.values())


def load_ledger() -> dict[str, Any]:
    """What was served, by scenario."""
    result: dict[str, Any] = json.loads((FOLDER / "ledger.json").read_text())
    return result


def _object(text: Any) -> dict[str, Any]:
    """A JSON object, or a Python one as LiteLLM prints it."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (TypeError, ValueError, SyntaxError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def provider_words(attributes: Mapping[str, Any]) -> Usage:
    """The provider's own count, where a span has kept it beside attributes that leave some of it out, or read it wrongly."""
    metadata = _object(attributes.get("ai.response.providerMetadata"))
    for usage in (
        _object(attributes.get("gen_ai.usage.raw")),  # Logfire: reasoning tokens stand here only
        _object(
            attributes.get("metadata.usage_object")
        ),  # LiteLLM: cached and reasoning tokens stand here only
        _object(attributes.get("langfuse.observation.usage_details")),
        (metadata.get("anthropic") or {}).get("usage")
        or {},  # AI SDK 5: `ai.usage.*` leaves cached input out
        _object(attributes.get("gcp.vertex.agent.llm_response")).get("usage_metadata")
        or {},  # ADK 1: thoughts only here
    ):
        if usage:
            return _counted(usage)
    return {}


def _counted(usage: Mapping[str, Any]) -> Usage:
    """Classes of a provider's usage object; which provider's it is shows in its names."""

    def number(*names: str) -> int:
        return next((int(usage[name]) for name in names if usage.get(name)), 0)

    def part(whole: str, *names: str) -> int:
        parts = usage.get(whole) or {}
        return next((int(parts[name]) for name in names if parts.get(name)), 0)

    if "prompt_token_count" in usage:  # Gemini: thoughts are beside the candidates
        thoughts = number("thoughts_token_count")
        counts = (
            number("prompt_token_count"),
            number("cached_content_token_count"),
            0,
            number("candidates_token_count") + thoughts,
            thoughts,
        )
    elif "prompt_tokens" in usage:
        counts = (
            number("prompt_tokens"),
            part("prompt_tokens_details", "cached_tokens") or number("cache_read_input_tokens"),
            part("prompt_tokens_details", "cache_write_tokens") or number("cache_creation_input_tokens"),
            number("completion_tokens"),
            part("completion_tokens_details", "reasoning_tokens"),
        )
    elif (
        "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    ):  # Anthropic: cached input is beside the rest
        cached, written = number("cache_read_input_tokens"), number("cache_creation_input_tokens")
        counts = (number("input_tokens") + cached + written, cached, written, number("output_tokens"), 0)
    else:
        counts = (
            number("input_tokens"),
            part("input_tokens_details", "cached_tokens"),
            part("input_tokens_details", "cache_write_tokens"),
            number("output_tokens"),
            part("output_tokens_details", "reasoning_tokens"),
        )
    return dict(zip(CLASSES, counts, strict=True))


def ledger_text(ledger: Mapping[str, Any]) -> str:
    """The ledger as it is kept: a line per call."""
    text = json.dumps(dict(sorted(ledger.items())), indent=1)
    return (
        re.sub(
            r"\{\n\s+(\"response_id\"[^{}]*?)\n\s+\}",
            lambda call: "{" + re.sub(r"\n\s+", " ", call[1]) + "}",
            text,
        )
        + "\n"
    )


# -- the rule ------------------------------------------------------------------------------------------------------------------


# Which attribute marks a span as a model call, and by what values; the first that a span carries decides.
MARKERS: Sequence[tuple[str, Callable[[str], bool]]] = (
    ("openinference.span.kind", lambda kind: kind in ("LLM", "EMBEDDING")),
    ("ai.operationId", lambda name: name.endswith(("doGenerate", "doStream", "doEmbed"))),
    ("traceloop.span.kind", lambda _: False),
    ("gen_ai.operation.name", CALLS.__contains__),
    ("llm.request.type", lambda kind: kind in ("chat", "completion", "embedding")),
    ("langfuse.observation.type", lambda kind: kind in ("generation", "embedding")),
)


def is_call(span: Span, above_usage: Mapping[tuple[str, str], Sequence[Span]]) -> bool:
    """Whether a span is a model call; `above_usage` has what bears usage below a span."""
    for name, is_marked in MARKERS:
        if name in span.attributes:
            return is_marked(str(span.attributes[name]))
    below = above_usage.get(span.key, [])
    is_rollup = below and (_may_sum(span, below) or "gen_ai.request.model" not in span.attributes)
    return span.bears_usage and not is_rollup


def _may_sum(span: Span, below: Sequence[Span]) -> bool:
    """A roll-up is never less than a part of it. That alone is no proof: agents of Pydantic AI 0.x leave out agents below them."""
    names = ("input_tokens", "output_tokens")
    return all((span.number(name) or 0) >= (one.number(name) or 0) for one in below for name in names)


def groups_of(spans: Sequence[Span]) -> list[list[Span]]:
    """Model calls, each as the spans that saw it."""
    above_usage: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        for above in span.ancestors if span.bears_usage else ():
            above_usage[above.key].append(span)
    calls = [span for span in spans if is_call(span, above_usage) and span.bears_usage]
    root: dict[tuple[str, str], tuple[str, str]] = {span.key: span.key for span in calls}

    def find(key: tuple[str, str]) -> tuple[str, str]:
        while root[key] != key:
            key = root[key]
        return key

    def join(one: Span, other: Span) -> None:
        root[find(one.key)] = find(other.key)

    by_id: dict[str, list[Span]] = defaultdict(list)
    for span in calls:
        if span.response_id:
            by_id[span.response_id].append(span)
    for same in by_id.values():
        for one, other in pairwise(same):
            join(one, other)
    for span in calls:
        for above in span.ancestors:
            if above.key in root and _same_usage(span, above):
                join(span, above)

    groups: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in calls:
        groups[find(span.key)].append(span)
    return _match(list(groups.values()))


def _same_usage(one: Span, other: Span) -> bool:
    return all(
        abs((one.number(name) or 0) - (other.number(name) or 0)) <= 1
        for name in ("input_tokens", "output_tokens")
    )


def _inside(one: Span, other: Span) -> bool:
    return one.start >= other.start - SLACK_NS and one.end <= other.end + SLACK_NS


def _may_be_one(group: Sequence[Span], other: Sequence[Span]) -> bool:
    """Whether two groups may be the same call seen by different scopes, where an id is missing."""
    ids, other_ids = ({span.response_id for span in side} - {None} for side in (group, other))
    if (ids and other_ids) or {span.scope for span in group} & {span.scope for span in other}:
        return False
    return any(
        one.model == two.model and _same_usage(one, two) and (_inside(one, two) or _inside(two, one))
        for one in group
        for two in other
    )


def _match(groups: list[list[Span]]) -> list[list[Span]]:
    """Pairs groups of two scopes one to one, as many as possible, scope after scope."""
    scopes = sorted({span.scope for group in groups for span in group})
    done: list[list[Span]] = []
    for scope in scopes:
        mine = [group for group in groups if scope in {span.scope for span in group}]
        groups = [group for group in groups if group not in mine]
        options = {
            n: [m for m, other in enumerate(done) if _may_be_one(group, other)]
            for n, group in enumerate(mine)
        }
        taken: dict[int, int] = {}

        def place(
            n: int, seen: set[int], options: Mapping[int, list[int]] = options, taken: dict[int, int] = taken
        ) -> bool:
            for m in options[n]:
                if m not in seen:
                    seen.add(m)
                    if m not in taken or place(taken[m], seen):
                        taken[m] = n
                        return True
            return False

        for n in options:
            place(n, set())
        matched = set(taken.values())
        for m, n in taken.items():
            done[m] = done[m] + mine[n]
        done += [group for n, group in enumerate(mine) if n not in matched]
    return done


def merged(group: Sequence[Span]) -> tuple[str, Usage]:
    """Model and usage of one call: input and output as the SDK itself tells them, else its instrumentation; of each part the most."""

    def rank(span: Span) -> tuple[bool, bool, int]:
        client = bool(CLIENTS.search(span.scope)) and not FRAMEWORKS.search(span.scope)
        return (
            bool(OWN_SCOPES.fullmatch(span.scope)),
            client,
            sum(span.number(name) is not None for name in CLASSES),
        )

    ranked = sorted(group, key=rank, reverse=True)
    usage = {name: max(span.number(name) or 0 for span in group) for name in CLASSES}
    for name in ("input_tokens", "output_tokens"):
        usage[name] = next((value for span in ranked if (value := span.number(name)) is not None), 0)
    return next((span.model for span in ranked if span.model), ""), usage


def _sum(rows: Iterable[tuple[str, Usage]]) -> dict[str, Usage]:
    result: dict[str, Usage] = defaultdict(lambda: dict.fromkeys(("calls", *CLASSES), 0))
    for model, usage in rows:
        result[model]["calls"] += 1
        for name in CLASSES:
            result[model][name] += usage[name]
    return dict(sorted(result.items()))


def by_rule(spans: Sequence[Span]) -> dict[str, Usage]:
    """Billed calls and tokens per model."""
    return _sum(merged(group) for group in groups_of(spans))


def _own(span: Span) -> tuple[str, Usage]:
    return span.model, {name: span.number(name) or 0 for name in CLASSES}


def naive(spans: Sequence[Span]) -> dict[str, Usage]:
    """Every span that bears usage, as a plain sum over attributes would have it."""
    return _sum(_own(span) for span in spans if span.bears_usage)


def leaves_only(spans: Sequence[Span]) -> dict[str, Usage]:
    """Spans that bear usage and have none below that do."""
    above_usage = {above.key for span in spans if span.bears_usage for above in span.ancestors}
    return _sum(_own(span) for span in spans if span.bears_usage and span.key not in above_usage)


def total(sums: Mapping[str, Usage]) -> int:
    """Input and output of all models."""
    return sum(row["input_tokens"] + row["output_tokens"] for row in sums.values())


def difference(served: Mapping[str, Usage], counted: Mapping[str, Usage]) -> dict[str, Usage]:
    """Counted less served, by model and class, where not nought."""
    none = dict.fromkeys(("calls", *CLASSES), 0)
    served = {plain_model(model): usage for model, usage in served.items()}
    result: dict[str, Usage] = {}
    for model in sorted({*served, *counted}):
        off = {name: counted.get(model, none)[name] - served.get(model, none)[name] for name in none}
        if any(off.values()):
            result[model] = {name: value for name, value in off.items() if value}
    return result


# -- for people ----------------------------------------------------------------------------------------------------------------


def _table() -> Iterator[str]:
    yield "Input and output tokens: the ledger, and what each way of counting makes of them, as a multiple of it"
    yield f"{'recording':38} {'ledger':>8} {'naive':>6} {'leaves':>6} {'rule':>6}  what the rule lacks, by model"
    for name, entry in load_ledger().items():
        spans = read(lines_of(name))
        plain = read(lines_of(name), bodies=False)
        served = total(entry["totals"])
        ratios = [total(counted) / served for counted in (naive(plain), leaves_only(plain), by_rule(spans))]
        off = difference(entry["totals"], by_rule(spans))
        told = f"  {json.dumps(off)}" if off else ""
        undeclared = "" if off == entry.get("telemetry_lacks", {}).get("difference", {}) else "  UNDECLARED"
        yield f"{name:38} {served:8} {ratios[0]:6.3f} {ratios[1]:6.3f} {ratios[2]:6.3f}{told}{undeclared}"


def declare(scenario: str, why: str) -> None:
    """Enters what the telemetry of a recording cannot tell into the ledger, after somebody has looked at its spans."""
    ledger = load_ledger()
    entry = ledger[scenario]
    off = difference(entry["totals"], by_rule(read(lines_of(scenario))))
    entry["telemetry_lacks"] = {"why": why, "difference": off}
    (FOLDER / "ledger.json").write_text(ledger_text(ledger))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        declare(sys.argv[1], sys.argv[2])
    for text in _table():
        print(text)
