"""Usage bodies as providers and frameworks write them: one table of shapes, and the SQL that reads a body by it.

A *body* is the `usage` object of a provider's answer, kept verbatim. A *shape* says by which keys a body is recognised, what its
counts include, and how each class of the contract (`CLASSES`) is made of them. Any source that carries such bodies reads them with
`with_reading`; to accept a new body, add its shape. What does not belong here: the contract's own fields, typing and judging values
(`conform` does that to the texts that come out of here).

Formulas: `a.b` is the value at that path; `a | b` the first of them that is there; `+` and `-` add counts, where an absent one is
nothing, and a formula of which nothing is there says nothing; `list[WORD]` is the sum of a list's counts of the modality or lifetime
WORD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from orchestration.sql import identifier, literal, string_list

CLASSES = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "image_tokens",
    "citation_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "audio_output_tokens",
    "web_search_count",
    "reported_total_tokens",
)
"""Contract fields that a shape's formulas fill."""

TIER, COST = "service_tier", "provider_cost_usd"
FIELDS = (*CLASSES, TIER, COST)
"""Every contract field that a body may fill."""


@dataclass(frozen=True)
class Shape:
    """One way to write usage down.

    A body has the shape when of each of `marks` an alternative is there, none of `unless` is, and the total bears out what
    `total_is` says. `input_is` and `output_is` are the convention: whether the shape's own input and output counts include cache
    reads and writes, and reasoning. Whatever they are, the `classes` come out inclusive.
    """

    name: str
    description: str
    marks: tuple[str, ...]
    classes: Mapping[str, str]
    input_is: Literal["inclusive", "exclusive"] = "inclusive"
    output_is: Literal["inclusive", "exclusive"] = "inclusive"
    unless: str = ""
    total_is: tuple[str, str] | None = None
    """(total, its parts): they are equal, though they are not without the last part."""


@dataclass(frozen=True)
class ReportedCost:
    """A charge that a body tells: the sum of `amounts` over `per_usd`, nothing unless all of them are there.

    Of several the first counts whose `flag` is true, or where it has none, whose amounts are there.
    """

    description: str
    amounts: tuple[str, ...]
    flag: str = ""
    per_usd: int = 1


_OPENAI_TOTAL = {"reported_total_tokens": "total_tokens"}
_CHAT = {
    "input_tokens": "prompt_tokens",
    "cached_tokens": (
        "prompt_tokens_details.cached_tokens | prompt_token_details.cached_tokens | cached_tokens | prompt_cache_hit_tokens"
        " | num_cached_tokens | cache_read_input_tokens | cached_prompt_text_tokens"
    ),
    "cache_write_tokens": (
        "prompt_tokens_details.cache_write_tokens | prompt_tokens_details.cache_creation_tokens | cache_creation_input_tokens"
    ),
    "cache_write_1h_tokens": (
        "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens | cache_creation.ephemeral_1h_input_tokens"
    ),
    "output_tokens": "completion_tokens - completion_tokens_details.image_tokens",
    "reasoning_tokens": "completion_tokens_details.reasoning_tokens | reasoning_tokens",
    "image_tokens": "completion_tokens_details.image_tokens",
    "audio_input_tokens": "prompt_tokens_details.audio_tokens",
    "image_input_tokens": "prompt_tokens_details.image_tokens",
    "audio_output_tokens": "completion_tokens_details.audio_tokens",
    "web_search_count": "server_tool_use.web_search_requests",
}

SHAPES = (
    Shape(
        "gemini",
        "Google Gemini, `usageMetadata`: thoughts stand beside the candidates, and the prompts of tools beside the prompt.",
        marks=(
            "promptTokenCount | candidatesTokenCount | responseTokenCount | thoughtsTokenCount"
            " | prompt_token_count | candidates_token_count | thoughts_token_count",
        ),
        output_is="exclusive",
        classes={
            "input_tokens": (
                "promptTokenCount | prompt_token_count + toolUsePromptTokenCount | tool_use_prompt_token_count"
            ),
            "cached_tokens": "cachedContentTokenCount | cached_content_token_count",
            "output_tokens": (
                "candidatesTokenCount | responseTokenCount | candidates_token_count"
                " + thoughtsTokenCount | thoughts_token_count"
                " - candidatesTokensDetails[IMAGE] | responseTokensDetails[IMAGE] | candidates_tokens_details[IMAGE]"
            ),
            "reasoning_tokens": "thoughtsTokenCount | thoughts_token_count",
            "image_tokens": (
                "candidatesTokensDetails[IMAGE] | responseTokensDetails[IMAGE] | candidates_tokens_details[IMAGE]"
            ),
            "audio_input_tokens": (
                "promptTokensDetails[AUDIO] | prompt_tokens_details[AUDIO]"
                " + toolUsePromptTokensDetails[AUDIO] | tool_use_prompt_tokens_details[AUDIO]"
            ),
            # Pages of documents are billed as images.
            "image_input_tokens": (
                "promptTokensDetails[IMAGE] | prompt_tokens_details[IMAGE]"
                " + promptTokensDetails[DOCUMENT] | prompt_tokens_details[DOCUMENT]"
                " + toolUsePromptTokensDetails[IMAGE] | tool_use_prompt_tokens_details[IMAGE]"
                " + toolUsePromptTokensDetails[DOCUMENT] | tool_use_prompt_tokens_details[DOCUMENT]"
            ),
            "audio_output_tokens": (
                "candidatesTokensDetails[AUDIO] | responseTokensDetails[AUDIO] | candidates_tokens_details[AUDIO]"
            ),
            "reported_total_tokens": "totalTokenCount | total_token_count",
        },
    ),
    Shape(
        "cohere_billed",
        "Cohere with `billed_units`: what it charges. Its `tokens` count its own templates too, which cost nothing.",
        marks=("billed_units.input_tokens | billed_units.output_tokens | billed_units.image_tokens",),
        classes={
            "input_tokens": "billed_units.input_tokens + billed_units.image_tokens",
            "output_tokens": "billed_units.output_tokens",
            "image_input_tokens": "billed_units.image_tokens",
        },
    ),
    Shape(
        "cohere_tokens",
        "Cohere without `billed_units`.",
        marks=("tokens.input_tokens | tokens.output_tokens",),
        classes={
            "input_tokens": "tokens.input_tokens",
            "cached_tokens": "cached_tokens",
            "output_tokens": "tokens.output_tokens",
        },
    ),
    Shape(
        "ai_sdk",
        "The Vercel AI SDK's own object.",
        marks=(
            "inputTokens | outputTokens | promptTokens | completionTokens",
            "promptTokens | completionTokens | cachedInputTokens | reasoningTokens | inputTokenDetails.noCacheTokens"
            " | inputTokenDetails.cacheReadTokens | inputTokenDetails.cacheWriteTokens | outputTokenDetails.textTokens"
            " | outputTokenDetails.reasoningTokens",
        ),
        classes={
            "input_tokens": "inputTokens | promptTokens",
            "cached_tokens": "inputTokenDetails.cacheReadTokens | cachedInputTokens",
            "cache_write_tokens": "inputTokenDetails.cacheWriteTokens",
            "output_tokens": "outputTokens | completionTokens",
            "reasoning_tokens": "outputTokenDetails.reasoningTokens | reasoningTokens",
            "reported_total_tokens": "totalTokens",
        },
    ),
    Shape(
        "bedrock_converse",
        "Amazon Bedrock Converse.",
        marks=("inputTokens | outputTokens",),
        input_is="exclusive",
        classes={
            "input_tokens": (
                "inputTokens + cacheReadInputTokens | cacheReadInputTokenCount"
                " + cacheWriteInputTokens | cacheWriteInputTokenCount"
            ),
            "cached_tokens": "cacheReadInputTokens | cacheReadInputTokenCount",
            "cache_write_tokens": "cacheWriteInputTokens | cacheWriteInputTokenCount",
            "cache_write_1h_tokens": "cacheDetails[1h]",
            "output_tokens": "outputTokens",
            "reported_total_tokens": "totalTokens",
        },
    ),
    Shape(
        "nested_prompt_completion",
        "Objects `prompt_tokens` and `completion_tokens` with `total_tokens` and their parts.",
        marks=("prompt_tokens.total_tokens | completion_tokens.total_tokens",),
        classes={
            "input_tokens": "prompt_tokens.total_tokens",
            "cached_tokens": "prompt_tokens.cached_tokens",
            "cache_write_tokens": "prompt_tokens.cache_write_tokens",
            "output_tokens": "completion_tokens.total_tokens",
            "reasoning_tokens": "completion_tokens.reasoning_tokens",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "perplexity",
        "Perplexity: reasoning and citations stand beside the completion and are in no total.",
        marks=("prompt_tokens", "num_search_queries | citation_tokens | search_context_size"),
        output_is="exclusive",
        classes={
            "input_tokens": "prompt_tokens",
            "output_tokens": "completion_tokens + reasoning_tokens",
            "reasoning_tokens": "reasoning_tokens",
            "citation_tokens": "citation_tokens",
            "web_search_count": "num_search_queries",
        },
    ),
    Shape(
        "openai_chat_reasoning_apart",
        "Chat completions whose total proves that reasoning stands beside the completion, as xAI counts.",
        marks=("prompt_tokens", "completion_tokens"),
        output_is="exclusive",
        total_is=(
            "total_tokens",
            "prompt_tokens + completion_tokens + completion_tokens_details.reasoning_tokens | reasoning_tokens",
        ),
        classes={
            **_CHAT,
            "output_tokens": (
                "completion_tokens + completion_tokens_details.reasoning_tokens | reasoning_tokens"
                " - completion_tokens_details.image_tokens"
            ),
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "openai_chat",
        "OpenAI chat completions and embeddings, and whoever follows them: Azure, Mistral, DeepSeek, Groq, OpenRouter, LiteLLM, …",
        marks=("prompt_tokens | completion_tokens",),
        classes={**_CHAT, **_OPENAI_TOTAL},
    ),
    Shape(
        "nested_input_output",
        "Objects `input_tokens` and `output_tokens` with `total_tokens` and their parts.",
        marks=("input_tokens.total_tokens | output_tokens.total_tokens",),
        classes={
            "input_tokens": "input_tokens.total_tokens",
            "cached_tokens": "input_tokens.cached_tokens",
            "cache_write_tokens": "input_tokens.cache_write_tokens",
            "output_tokens": "output_tokens.total_tokens",
            "reasoning_tokens": "output_tokens.reasoning_tokens",
            "audio_input_tokens": "input_tokens.audio_tokens",
            "audio_output_tokens": "output_tokens.audio_tokens",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "anthropic_messages",
        "Anthropic messages, wherever they are served: input is what no cache took part in.",
        marks=(
            "input_tokens | output_tokens",
            "cache_read_input_tokens | cache_creation_input_tokens | cache_creation.ephemeral_5m_input_tokens"
            " | cache_creation.ephemeral_1h_input_tokens | server_tool_use.web_search_requests"
            " | output_tokens_details.thinking_tokens",
        ),
        input_is="exclusive",
        classes={
            "input_tokens": "input_tokens + cache_read_input_tokens + cache_creation_input_tokens",
            "cached_tokens": "cache_read_input_tokens",
            "cache_write_tokens": "cache_creation_input_tokens",
            "cache_write_1h_tokens": "cache_creation.ephemeral_1h_input_tokens",
            "output_tokens": "output_tokens",
            "reasoning_tokens": "output_tokens_details.thinking_tokens",
            "web_search_count": "server_tool_use.web_search_requests",
        },
    ),
    Shape(
        "openai_realtime",
        "OpenAI realtime sessions and transcriptions.",
        marks=(
            "input_tokens | output_tokens",
            "input_token_details.text_tokens | input_token_details.audio_tokens | input_token_details.cached_tokens"
            " | output_token_details.text_tokens | output_token_details.audio_tokens",
        ),
        classes={
            "input_tokens": "input_tokens",
            "cached_tokens": "input_token_details.cached_tokens",
            "output_tokens": "output_tokens",
            "audio_input_tokens": "input_token_details.audio_tokens",
            "image_input_tokens": "input_token_details.image_tokens",
            "audio_output_tokens": "output_token_details.audio_tokens",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "langchain",
        "LangChain's `usage_metadata`.",
        marks=(
            "input_tokens | output_tokens",
            "input_token_details.cache_read | input_token_details.cache_creation | input_token_details.audio"
            " | output_token_details.reasoning | output_token_details.audio",
        ),
        classes={
            "input_tokens": "input_tokens",
            "cached_tokens": "input_token_details.cache_read",
            "cache_write_tokens": "input_token_details.cache_creation",
            "output_tokens": "output_tokens",
            "reasoning_tokens": "output_token_details.reasoning",
            "audio_input_tokens": "input_token_details.audio",
            "audio_output_tokens": "output_token_details.audio",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "openai_images",
        "OpenAI image generation: what was generated are image tokens.",
        marks=("input_tokens", "input_tokens_details.image_tokens"),
        unless="input_tokens_details.cached_tokens | output_tokens_details.reasoning_tokens",
        classes={
            "input_tokens": "input_tokens",
            "output_tokens": "output_tokens - output_tokens_details.image_tokens | output_tokens",
            "image_tokens": "output_tokens_details.image_tokens | output_tokens",
            "image_input_tokens": "input_tokens_details.image_tokens",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "openai_responses",
        "OpenAI responses, and whoever follows them.",
        marks=(
            "input_tokens | output_tokens",
            "input_tokens_details.cached_tokens | input_tokens_details.cache_read_input_tokens"
            " | input_tokens_details.cache_write_tokens | output_tokens_details.reasoning_tokens",
        ),
        classes={
            "input_tokens": "input_tokens",
            "cached_tokens": "input_tokens_details.cached_tokens | input_tokens_details.cache_read_input_tokens",
            "cache_write_tokens": "input_tokens_details.cache_write_tokens",
            "output_tokens": "output_tokens",
            "reasoning_tokens": "output_tokens_details.reasoning_tokens",
            "image_input_tokens": "input_tokens_details.image_tokens",
            "web_search_count": "tool_calls_details.search_web.invocation",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "canonical",
        "The contract's own names, or no more than input and output.",
        marks=("input_tokens | output_tokens",),
        classes={
            "input_tokens": "input_tokens",
            "cached_tokens": "cached_tokens | cache_read_tokens",
            "cache_write_tokens": "cache_write_tokens",
            "cache_write_1h_tokens": "cache_write_1h_tokens",
            "output_tokens": "output_tokens",
            "reasoning_tokens": "reasoning_tokens | output_reasoning_tokens",
            "image_tokens": "image_tokens",
            "citation_tokens": "citation_tokens",
            "audio_input_tokens": "audio_input_tokens | input_audio_tokens",
            "image_input_tokens": "image_input_tokens | input_image_tokens",
            "audio_output_tokens": "audio_output_tokens | output_audio_tokens",
            "web_search_count": "web_search_count | web_searches",
            **_OPENAI_TOTAL,
        },
    ),
    Shape(
        "total_only",
        "Nothing but a total, as Voyage and Jina send for embeddings: all of it was sent.",
        marks=("total_tokens",),
        classes={"input_tokens": "total_tokens", **_OPENAI_TOTAL},
    ),
)
"""All shapes; of several that fit the first counts."""

REPORTED_COSTS = (
    ReportedCost(
        "OpenRouter with the customer's own key: what the provider charges, and OpenRouter's fee",
        ("cost_details.upstream_inference_cost", "cost"),
        flag="is_byok",
    ),
    ReportedCost("xAI", ("cost_in_usd_ticks",), per_usd=10**10),
    ReportedCost("Perplexity", ("cost.total_cost",)),
    ReportedCost("OpenRouter and other gateways", ("cost",)),
)
"""Charges in bodies, of any shape."""

_TIER = "service_tier | serviceTier"

# One JSON structure for every list that is read.
_LISTED = '[{"modality": "VARCHAR", "ttl": "VARCHAR", "tokenCount": "VARCHAR", "token_count": "VARCHAR", "inputTokens": "VARCHAR"}]'

MACROS = (
    # Counts are added as texts: one that is no count is the result, so that whoever types it refuses the row by that text.
    """
    create or replace temp macro add_counts(plus, minus) as
        coalesce(
            list_filter(
                list_concat(plus, minus), lambda t: t is not null and coalesce(as_count(t), -1) < 0
            )[1],
            (
                list_sum(list_transform(plus, lambda t: as_count(t)))
                - coalesce(list_sum(list_transform(minus, lambda t: as_count(t))), 0)
            )::varchar
        )
    """,
    f"""
    create or replace temp macro add_listed(list_text, word) as
        case
            when starts_with(list_text, '[') then add_counts(
                list_transform(
                    list_filter(
                        try(from_json(list_text, {literal(_LISTED)})),
                        lambda e: coalesce(e.modality, e.ttl) = word
                    ),
                    lambda e: coalesce(e."tokenCount", e.token_count, e."inputTokens")
                ),
                []::varchar[]
            )
        end
    """,
    # Null where one is missing: the rest alone would be no charge. With fewer decimals than as_decimal no sum overflows.
    """
    create or replace temp macro add_amounts(amounts) as
        case
            when len(list_filter(amounts, lambda t: t is null)) = 0 then coalesce(
                list_filter(amounts, lambda t: coalesce(as_decimal(t), -1) < 0)[1],
                list_sum(list_transform(amounts, lambda t: as_decimal(t)::decimal(38, 20)))::varchar
            )
        end
    """,
)
"""They need `as_count` and `as_decimal` of `conform` and `exact_amount_text` of `readers`."""

SHAPE = "usage_classes.shape"
"""SQL of the name of the shape that was found; null where none fits."""


def text_of(name: str) -> str:
    """SQL of what the body says for one of FIELDS, in a relation that `with_reading` made: a text, or null."""
    return {TIER: "usage_tier", COST: "usage_cost"}.get(name, f"usage_classes.{identifier(name)}")


def with_reading(relation: str, usage: str, line: str) -> str:
    """SQL of the relation with what a body says, as texts that nobody has judged: see `SHAPE` and `text_of`.

    `usage` is SQL of the body, a JSON object as text or null, and `line` of the text that it was read from, where amounts have all
    their digits. Where the body is null nothing is computed.
    """
    paths = string_list("$." + path for path in _PATHS)
    arms = "\n".join(f"when {_fits(shape)} then {_classes_of(shape)}" for shape in SHAPES)
    listed = ", ".join(f"{{'texts': {_at(path)}, 'word': {literal(word)}}}" for path, word in _SUMS)
    sums = f"list_transform([{listed}], lambda p: add_listed(p.texts, p.word))"
    # Each step in its own select: an expression that is mentioned twice would be computed twice.
    return f"""
        select
            *,
            case when usage_texts is not null then case {arms} end end as usage_classes,
            case when usage_texts is not null then {_first(_TIER)} end as usage_tier,
            case when usage_texts is not null then {_cost(line)} end as usage_cost
        from (
            select *, case when coalesce({", ".join(_at(path) for path in _LISTS)}) is not null then {sums} end as usage_sums
            from (
                select *, case when {usage} is not null then json_extract_string({usage}, {paths}) end as usage_texts
                from ({relation})
            )
        )
    """


# -- formulas ------------------------------------------------------------------------------------------------------------------

_LIST = re.compile(r"(\w+)\[(\w+)\]")


def _alternatives(text: str) -> list[str]:
    return [part.strip() for part in text.split("|")] if text else []


def _terms(formula: str) -> Iterator[tuple[bool, str]]:
    """The terms of a formula: whether it is taken away, and its alternatives."""
    first, *others = re.split(r"\s+([+-])\s+", formula)
    yield False, first
    for sign, term in zip(others[::2], others[1::2], strict=True):
        yield sign == "-", term


def _mentioned() -> Iterator[str]:
    """Everything that formulas name."""
    for shape in SHAPES:
        for formula in (*shape.marks, shape.unless, *shape.classes.values(), *(shape.total_is or ())):
            for _, term in _terms(formula):
                yield from _alternatives(term)
    for cost in REPORTED_COSTS:
        yield from (*cost.amounts, cost.flag)
    yield from _alternatives(_TIER)


_SUMS = tuple(
    dict.fromkeys((found[1], found[2]) for path in _mentioned() if (found := _LIST.fullmatch(path)))
)
_LISTS = tuple(dict.fromkeys(path for path, _ in _SUMS))
_PATHS = tuple(dict.fromkeys(path for path in (*_mentioned(), *_LISTS) if path and not _LIST.fullmatch(path)))
_POSITIONS = {path: number for number, path in enumerate(_PATHS, start=1)}


def _at(path: str) -> str:
    """SQL of the text at a path, or of the sum of a list."""
    if found := _LIST.fullmatch(path):
        return f"usage_sums[{_SUMS.index((found[1], found[2])) + 1}]"
    return f"usage_texts[{_POSITIONS[path]}]"


def _first(alternatives: str) -> str:
    """SQL of the first text that is there."""
    texts = [_at(path) for path in _alternatives(alternatives)]
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


def _text(formula: str) -> str:
    """SQL of the count that a formula makes, as a text."""
    terms = list(_terms(formula))
    if len(terms) == 1:
        return _first(formula)
    plus, minus = ([_first(term) for is_minus, term in terms if is_minus is side] for side in (False, True))
    return f"add_counts([{', '.join(plus)}], [{', '.join(minus)}]::varchar[])"


def _fits(shape: Shape) -> str:
    """SQL of the condition that a body has the shape."""
    conditions = [f"{_first(mark)} is not null" for mark in shape.marks]
    if shape.unless:
        conditions.append(f"{_first(shape.unless)} is null")
    if shape.total_is:
        total, parts = _first(shape.total_is[0]), [_first(term) for _, term in _terms(shape.total_is[1])]
        conditions += [
            f"add_counts([{', '.join(parts)}], [{total}]) = '0'",
            f"add_counts([{parts[-1]}], []::varchar[]) <> '0'",
        ]
    return " and ".join(conditions)


def _classes_of(shape: Shape) -> str:
    """SQL of the struct of a shape's classes."""
    texts = [
        f"{literal(name)}: {_text(shape.classes[name]) if name in shape.classes else 'null'}::varchar"
        for name in CLASSES
    ]
    return f"{{'shape': {literal(shape.name)}, {', '.join(texts)}}}"


def _cost(line: str) -> str:
    """SQL of the charge that a body tells, in USD, as a text."""
    arms = []
    for cost in REPORTED_COSTS:
        if cost.per_usd == 1:
            keys = [literal(path.rpartition(".")[2]) for path in cost.amounts]
            texts = [
                f"exact_amount_text({line}, {key}, {_at(path)})"
                for key, path in zip(keys, cost.amounts, strict=True)
            ]
            amount = texts[0] if len(texts) == 1 else f"add_amounts([{', '.join(texts)}])"
        else:
            parts = _at(cost.amounts[0])
            scaled = f"(as_count({parts})::decimal(27, 0) * {1 / Decimal(cost.per_usd):f})::varchar"
            # What is no whole number stays no number: it would be read as dollars.
            amount = f"coalesce({scaled}, {parts} || ' / {cost.per_usd}')"
        # Where one maker has a number another has an object.
        condition = (
            f"{_at(cost.flag)} = 'true'" if cost.flag else f"not starts_with({_at(cost.amounts[0])}, '{{')"
        )
        arms.append(f"when {condition} then {amount}")
    return f"case {' '.join(arms)} end"


# -- documentation -------------------------------------------------------------------------------------------------------------


def markdown() -> list[str]:
    """The table as documentation."""
    lines = [
        "## Usage bodies",
        "",
        "A body in `usage` is read by the first of these shapes that fits it. *Excludes* says what the body's own input and output",
        "leave out; it is added. A body that fits none is kept and the row is flagged.",
        "",
        "| shape | of | recognised by | input excludes | output excludes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for shape in SHAPES:
        words = [_worded(mark) for mark in shape.marks]
        recognised = words[0] if len(words) == 1 else ", and ".join(words)
        if shape.unless:
            recognised += f", without {_worded(shape.unless)}"
        if shape.total_is:
            recognised += f", where {_worded(shape.total_is[0])} is {_worded(shape.total_is[1])}"
        excludes = [
            what if convention == "exclusive" else ""
            for convention, what in (
                (shape.input_is, "cache reads and writes"),
                (shape.output_is, "reasoning"),
            )
        ]
        lines.append(f"| {shape.name} | {shape.description} | {recognised} | {' | '.join(excludes)} |")
    lines += ["", "How each class is made; what is not named is not read:", ""]
    for shape in SHAPES:
        classes = "; ".join(f"{name} = {_worded(formula)}" for name, formula in shape.classes.items())
        lines.append(f"- **{shape.name}**: {classes}")
    lines += [
        "",
        "`list[WORD]` is the sum of a list's counts of that modality or lifetime. Of any shape, "
        f"{TIER} = {_worded(_TIER)}, and {COST} is the first of these that is there, unless the row has its own:",
        "",
    ]
    for cost in REPORTED_COSTS:
        amounts = " + ".join(f"`{path}`" for path in cost.amounts)
        divided = f" ÷ {cost.per_usd:,}" if cost.per_usd != 1 else ""
        lines.append(
            f"- {cost.description}: {amounts}{divided}"
            + (f", where `{cost.flag}` is true" if cost.flag else "")
        )
    return [*lines, ""]


def _worded(formula: str) -> str:
    """A formula without the bars that would end a cell."""
    worded = ""
    terms = list(_terms(formula))
    for number, (is_minus, term) in enumerate(terms):
        paths = [f"`{path}`" for path in _alternatives(term)]
        words = " or ".join(paths) if len(terms) == 1 or len(paths) == 1 else f"({' or '.join(paths)})"
        worded += (" − " if is_minus else " + " if number else "") + words
    return worded
