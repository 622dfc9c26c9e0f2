"""Token counts of a Langfuse observation: by which names they go, and whether parts stand within the whole or beside it.

What belongs here: the map `usageDetails`, its older forms, and the reading of it. What does not: the rest of an observation
(`langfuse`), typing and judging values (`conform`).

Langfuse keeps usage in buckets that exclude each other, and sums them up where nobody reported a total. What arrives over OpenTelemetry
is kept by some releases as it came, with the parts inside. Each row is therefore read in the way in which it adds up to its total.
"""

from __future__ import annotations

import json

from orchestration.landing.contract import Convention
from orchestration.sql import identifier, literal, string_list

NAMES: dict[str, tuple[str, ...]] = {
    "input": (
        "input",
        "input_tokens",
        "prompt_tokens",
        "inputTokens",
        "promptTokens",
        "prompt",
        "prompt_token_count",
        "promptTokenCount",
        "details.input_tokens",
        "details.prompt_tokens",
    ),
    "output": (
        "output",
        "output_tokens",
        "completion_tokens",
        "outputTokens",
        "completionTokens",
        "completion",
        "candidates_token_count",
        "candidatesTokenCount",
        "details.output_tokens",
        "details.completion_tokens",
    ),
    "total": ("total", "total_tokens", "totalTokens", "total_token_count", "totalTokenCount"),
    "cached": (
        "input_cached_tokens",
        "input_cache_read",
        "cache_read_input_tokens",
        "input_cache_read_tokens",
        "input_cached",
        "cached_tokens",
        "cache_read_tokens",
        "cached_input_tokens",
        "cacheReadInputTokens",
        "cachedInputTokens",
        "cachedTokens",
        "cached_content_token_count",
        "cachedContentTokenCount",
        "cache_read.input_tokens",
        "prompt_details.cache_read",
        "prompt_details.cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "details.cache_read_input_tokens",
        "details.cache_read_tokens",
        "details.cached_tokens",
    ),
    "cache_write": (
        "input_cache_creation",
        "cache_creation_input_tokens",
        "input_cache_write",
        "input_cache_creation_tokens",
        "input_cache_write_tokens",
        "cache_write_input_tokens",
        "cache_creation_tokens",
        "cache_write_tokens",
        "cacheCreationInputTokens",
        "cacheWriteInputTokens",
        "cache_creation.input_tokens",
        "cache_write.input_tokens",
        "prompt_details.cache_write",
        "prompt_details.cache_creation",
        "details.cache_creation_input_tokens",
        "details.cache_write_input_tokens",
        "details.cache_creation_tokens",
        "details.cache_write_tokens",
    ),
    "cache_write_5m": (
        "input_cache_creation_5m",
        "input_cache_creation_5m_tokens",
        "cache_creation_5m_input_tokens",
        "ephemeral_5m_input_tokens",
        "input_cache_write_5m",
    ),
    "cache_write_1h": (
        "input_cache_creation_1h",
        "input_cache_creation_1h_tokens",
        "cache_creation_1h_input_tokens",
        "ephemeral_1h_input_tokens",
        "input_cache_write_1h",
    ),
    "audio_input": (
        "input_audio_tokens",
        "input_audio",
        "audio_input_tokens",
        "prompt_details.audio",
        "prompt_tokens_details.audio_tokens",
        "input_tokens_details.audio_tokens",
        "details.audio_input_tokens",
    ),
    "image_input": (
        "input_image_tokens",
        "input_image",
        "image_input_tokens",
        "prompt_details.image",
        "prompt_tokens_details.image_tokens",
        "input_tokens_details.image_tokens",
    ),
    "reasoning": (
        "output_reasoning_tokens",
        "output_reasoning",
        "reasoning_tokens",
        "reasoningTokens",
        "reasoning",
        "thoughts_token_count",
        "thoughtsTokenCount",
        "thoughts_tokens",
        "reasoning.output_tokens",
        "completion_details.reasoning",
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "details.reasoning_tokens",
    ),
    "audio_output": (
        "output_audio_tokens",
        "output_audio",
        "audio_output_tokens",
        "completion_details.audio",
        "completion_tokens_details.audio_tokens",
        "output_tokens_details.audio_tokens",
        "details.audio_output_tokens",
    ),
    "image_output": (
        "output_image_tokens",
        "output_image",
        "image_output_tokens",
        "completion_details.image",
        "output_tokens_details.image_tokens",
    ),
}
"""Spellings of each bucket, best first: of several in one row the first counts, never their sum."""

OF_TELEMETRY = (
    "prompt_details.",
    "completion_details.",
    "details.",
    "cache_read.",
    "cache_creation.",
    "cache_write.",
    "reasoning.",
)
"""Beginnings of names that Langfuse took over from OpenTelemetry as they were: there parts stand within the whole."""

OTHER_KEYS = ("unit", "inputCost", "outputCost", "totalCost")
"""What the older `usage` object holds beside counts."""

KNOWN = tuple(dict.fromkeys(name for names in NAMES.values() for name in names)) + OTHER_KEYS

EXCLUSIVE, INCLUSIVE, MIXED, ASSUMED, PLAIN = (
    "langfuse_exclusive",
    "langfuse_inclusive",
    "langfuse_mixed",
    "langfuse_assumed",
    "langfuse_plain",
)
CONVENTIONS = (
    Convention(PLAIN, "Langfuse: input and output without parts, so there is nothing to tell", ()),
    Convention(
        EXCLUSIVE,
        "Langfuse: buckets beside each other; cached, cache writes, reasoning, … were added to input and output",
        (),
    ),
    Convention(
        INCLUSIVE, "Langfuse: parts within input and output, as its total or its original attributes say", ()
    ),
    Convention(
        MIXED, "Langfuse: some parts within, some beside, which is the only way in which the row adds up", ()
    ),
    Convention(
        ASSUMED,
        "Langfuse: nothing says whether parts are within or beside; beside, except for names taken over from OpenTelemetry",
        (),
    ),
)

ADDS_UP_TO_NEITHER = "usage_adds_up_to_neither"
TOTAL_ONLY = "usage_total_only"
FLAGS = {
    ADDS_UP_TO_NEITHER: "Langfuse's total is the sum neither of exclusive nor of inclusive buckets: read as `token_convention` says",
    TOTAL_ONLY: "a total, without input and output: how many tokens of each there were is unknown",
}

_OF_INPUT, _OF_OUTPUT = literal("(?i)input|prompt"), literal("(?i)output|completion|candidates")
_TELEMETRY_KEY = literal('"(' + "|".join(name.replace(".", "[.]") for name in OF_TELEMETRY) + ")")

MACROS = (
    # Buckets nobody knows count as what their name says, as in Langfuse's own pages.
    f"""
    create or replace temp macro unknown_usage_keys(usage) as
        list_filter(json_keys(usage), lambda k: not list_contains({string_list(KNOWN)}, k))
    """,
    """
    create or replace temp macro sum_of_keys(usage, keys, pattern, but) as
        case when len(keys) > 0 then list_sum(list_transform(
            list_filter(keys, lambda k: regexp_matches(k, pattern) and not regexp_matches(k, but)),
            lambda k: as_count(json_extract_string(usage, '/' || replace(replace(k, '~', '~0'), '/', '~1')))
        ))::bigint end
    """,
)

STRUCTURE = json.dumps(dict.fromkeys(KNOWN, "VARCHAR"))


def first_text(bucket: str, struct: str = "u") -> str:
    """The text of a bucket by the first of its names that is there."""
    return f"coalesce({', '.join(f'{struct}.{identifier(name)}' for name in NAMES[bucket])})"


def with_counts(relation: str) -> str:
    """SQL of the relation with its usage read.

    It has `usage` (a JSON object as text, or null), `legacy_input`, `legacy_output`, `legacy_total` (texts for rows that have none),
    `told_input`, `told_output` (texts of the main counts in the original attributes) and `is_embedding`. Added are `x_<bucket>`
    (texts), the counts of the contract as texts, `token_convention`, and `usage_flags`.
    """
    texts = ", ".join(
        f"case when u is not null then {first_text(bucket)} end as x_{bucket}" for bucket in NAMES
    )
    legacy = ", ".join(
        f"coalesce(x_{bucket}, case when u is null then legacy_{bucket} end) as x_{bucket}"
        for bucket in ("input", "output", "total")
    )
    numbers = ", ".join(f"as_count(x_{bucket}) as n_{bucket}" for bucket in NAMES)

    def total_of(*names: str) -> str:
        return " + ".join(f"coalesce(n_{name}, 0)" for name in names)

    # Worked out once, in the innermost projection that can.
    tiers, modalities = "n_tiers", "n_modalities"
    return f"""
        select
            * exclude (n_write, n_in_parts, n_out_parts, n_tiers, n_modalities, place),
            case
                when has_parts and n_input is not null or (has_parts and n_in_parts > 0 and x_input is null) then (
                    coalesce(n_input, 0) + case when is_in_inclusive then 0 else n_in_parts
                        - case when is_write_inside then n_write else 0 end
                        - case when is_modality_inside then {modalities} else 0 end
                        - case when are_tiers_inside then {tiers} else 0 end
                    end
                )::varchar
                when x_input is null and x_output is null and is_embedding then x_total
                else x_input
            end as input_tokens,
            case
                when has_parts and n_output is not null or (has_parts and n_out_parts > 0 and x_output is null) then (
                    coalesce(n_output, 0) + case
                        when is_out_inclusive then - coalesce(n_image_output, 0)
                        when is_reasoning_beside then coalesce(n_reasoning, 0) - coalesce(n_image_output, 0)
                        else n_out_parts - coalesce(n_image_output, 0)
                    end
                )::varchar
                else x_output
            end as output_tokens,
            x_cached as cached_tokens,
            case
                when x_cache_write_5m is null and x_cache_write_1h is null then x_cache_write
                when x_cache_write is not null and n_cache_write is null then x_cache_write
                when x_cache_write_5m is not null and n_cache_write_5m is null then x_cache_write_5m
                else (n_write - case when are_tiers_inside then {tiers} else 0 end)::varchar
            end as cache_write_tokens,
            x_cache_write_1h as cache_write_1h_tokens,
            x_reasoning as reasoning_tokens,
            x_audio_input as audio_input_tokens,
            x_image_input as image_input_tokens,
            x_audio_output as audio_output_tokens,
            x_image_output as image_tokens,
            x_total as reported_total_tokens,
            case
                when coalesce(x_input, x_output, x_total, x_cached, x_cache_write, x_reasoning) is null then null
                when not coalesce(has_parts, false) then {literal(PLAIN)}
                when reading is null and told_in is null and told_out is null then {literal(ASSUMED)}
                when coalesce(reading, 0) > 4 then {literal(MIXED)}
                when n_in_parts > 0 and n_out_parts > 0 and is_in_inclusive <> is_out_inclusive then {literal(MIXED)}
                when (n_in_parts > 0 and is_in_inclusive) or (n_in_parts = 0 and is_out_inclusive) then {literal(INCLUSIVE)}
                else {literal(EXCLUSIVE)}
            end as token_convention,
            case
                when x_total is null then null
                when x_input is null and x_output is null then case when not is_embedding then {literal(TOTAL_ONLY)} end
                when reading is null and (has_parts or n_total <> {total_of("input", "output")}) then {literal(ADDS_UP_TO_NEITHER)}
            end as usage_flags
        from (
            select
                *,
                coalesce(told_in = 'inside', reading in (2, 4), is_named_by_telemetry and reading is null) as is_in_inclusive,
                coalesce(told_out = 'inside', reading not in (1, 4, 5, 8, 9), is_named_by_telemetry and reading is null)
                    as is_out_inclusive,
                coalesce(reading in (5, 6), false) as is_write_inside,
                coalesce(reading in (7, 8), false) as is_modality_inside,
                coalesce(reading = 8, false) as is_reasoning_beside,
                coalesce(reading in (9, 10), n_cache_write > 0 and n_cache_write = {tiers}) as are_tiers_inside
            from (
                select *, nullif(place, 0) as reading
                from (
                    select
                        *,
                        case
                            when not has_parts then null
                            when n_total is not null then list_position([
                                base + n_in_parts + n_out_parts,
                                base,
                                base + n_in_parts,
                                base + n_out_parts,
                                base + n_in_parts - n_write + n_out_parts,
                                base + n_in_parts - n_write,
                                base + coalesce(n_cached, 0) + n_write,
                                base + coalesce(n_cached, 0) + n_write + coalesce(n_reasoning, 0),
                                base + n_in_parts - {tiers} + n_out_parts,
                                base + n_in_parts - {tiers}
                            ], n_total)
                        end as place,
                        case
                            when not has_parts or n_in_parts = 0 or told_input is null then null
                            when as_count(told_input) = coalesce(n_input, 0) then 'inside'
                            when as_count(told_input) = coalesce(n_input, 0) + n_in_parts then 'beside'
                        end as told_in,
                        case
                            when not has_parts or n_out_parts = 0 or told_output is null then null
                            when as_count(told_output) = coalesce(n_output, 0) then 'inside'
                            when as_count(told_output) = coalesce(n_output, 0) + n_out_parts then 'beside'
                        end as told_out,
                        has_parts and regexp_matches(usage, {_TELEMETRY_KEY}) as is_named_by_telemetry
                    from (
                        select
                            *,
                            coalesce(n_cached, 0) + n_write + n_modalities as n_in_parts,
                            coalesce(n_cached, 0) + n_write + n_modalities + n_out_parts > 0 as has_parts
                        from (
                            select
                                *,
                                {total_of("input", "output")} as base,
                                {total_of("cache_write", "cache_write_5m", "cache_write_1h")} as n_write,
                                {total_of("cache_write_5m", "cache_write_1h")} as n_tiers,
                                {total_of("audio_input", "image_input", "other_input")} as n_modalities,
                                {total_of("reasoning", "audio_output", "image_output", "other_output")} as n_out_parts
                            from (
                                select
                                    *,
                                    {numbers},
                                    case when u is not null then sum_of_keys(usage, odd_usage_keys, {_OF_INPUT}, {_OF_OUTPUT}) end
                                        as n_other_input,
                                    case when u is not null then sum_of_keys(usage, odd_usage_keys, {_OF_OUTPUT}, {_OF_INPUT}) end
                                        as n_other_output
                                from (
                                    select * replace ({legacy})
                                    from (
                                        select *, {texts}, case when u is not null then unknown_usage_keys(usage) end as odd_usage_keys
                                        from (select *, try(from_json(usage, {literal(STRUCTURE)})) as u from ({relation}))
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
    """
