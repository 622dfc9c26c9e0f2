"""LiteLLM: spend logs of the proxy, the rows of its table `LiteLLM_SpendLogs`.

What belongs here: what its columns become. What does not: names of providers (`names`), typing and judging values (`conform`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from orchestration.landing.contract import SPANS, Convention, Reason
from orchestration.landing.formats import names, objects, redaction
from orchestration.landing.formats.base import Convert, Sniff, SourceFormat
from orchestration.sql import identifier, joined, joined_list, literal, string_list

FIELDS: dict[str, tuple[str, ...]] = {
    "request_id": ("request_id",),
    "call_type": ("call_type",),
    "api_key": ("api_key",),
    "spend": ("spend",),
    "total_tokens": ("total_tokens",),
    "prompt_tokens": ("prompt_tokens",),
    "completion_tokens": ("completion_tokens",),
    "started": ("startTime", "start_time"),
    "ended": ("endTime", "end_time"),
    "model": ("model",),
    "model_group": ("model_group",),
    "provider": ("custom_llm_provider",),
    "user": ("user",),
    "end_user": ("end_user",),
    "team_id": ("team_id",),
    "metadata": ("metadata",),
    "cache_hit": ("cache_hit",),
    "tags": ("request_tags",),
    "response": ("response",),
    "session_id": ("session_id",),
    "status": ("status",),
    "tool": ("mcp_namespaced_tool_name",),
    "data": ("data",),
}
"""Columns that are read, each with its spellings. Old releases lack the later ones: `status`, `session_id`, `model_group`, …"""

LEFT_OUT = ("messages", "proxy_server_request", "requester_ip_address", "cache_key")
"""Columns that are not kept: content, addresses of people, and a hash of content."""

KINDS: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("embedding", f"^({names.EMBEDDING_OPERATION})$", "call", "Embedding"),
    ("image_generation", f"^({names.IMAGE_OPERATION})$", "call", "Image Generation"),
    ("tool", "mcp", "not_call", None),
    ("tool", "^a?search$", "not_call", None),
    ("retrieval", "^a?vector_store_search$", "not_call", "Retrieval"),
    ("agent", "^a?send_message", "not_call", None),
    (
        "completion",
        f"^({names.CALL_OPERATION})$|^a?(text_)?completions?_streaming$|^a?rerank$|^pass_through_endpoint$|"
        "^a?llm_passthrough_route$|^a?video_generation$|^a?create_video$",
        "call",
        "AI Model",
    ),
)
"""Kind, pattern of `call_type`, marker and service; the first that fits counts. Other call types have no marker."""

_METADATA = (
    "usage_object",
    "additional_usage_values",
    "error_information",
    "status",
    "trace_id",
    "litellm_trace_id",
    "user_api_key_alias",
    "user_api_key_end_user_id",
    "user_api_key_user_email",
    "spend_logs_metadata",
    "requester_metadata",
    "cost_breakdown",
    "user_api_key",
    "user_api_key_hash",
    "user_api_key_user_id",
    "user_api_key_team_id",
    "user_api_key_org_id",
    "requester_ip_address",
    "proxy_server_request",
    "mcp_tool_call_metadata",
    "vector_store_request_metadata",
    "guardrail_information",
    "model_map_information",
    "cold_storage_object_key",
)
"""Keys of `metadata` that are read or left out; the others are kept in `attributes`."""
_USAGE = {
    "cached": (
        "$.prompt_tokens_details.cached_tokens",
        "$.input_tokens_details.cached_tokens",
        "$.cache_read_input_tokens",
        "$.cached_tokens",
    ),
    "cache_write": (
        "$.cache_creation_input_tokens",
        "$.prompt_tokens_details.cache_creation_tokens",
        "$.prompt_tokens_details.cache_write_tokens",
        "$.input_tokens_details.cache_creation_tokens",
    ),
    "cache_write_1h": (
        "$.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
        "$.cache_creation.ephemeral_1h_input_tokens",
    ),
    "reasoning": (
        "$.completion_tokens_details.reasoning_tokens",
        "$.output_tokens_details.reasoning_tokens",
        "$.reasoning_tokens",
    ),
    "audio_input": ("$.prompt_tokens_details.audio_tokens", "$.input_tokens_details.audio_tokens"),
    "image_input": ("$.prompt_tokens_details.image_tokens", "$.input_tokens_details.image_tokens"),
    "audio_output": ("$.completion_tokens_details.audio_tokens", "$.output_tokens_details.audio_tokens"),
    "image_output": ("$.completion_tokens_details.image_tokens", "$.output_tokens_details.image_tokens"),
    "web_searches": ("$.server_tool_use.web_search_requests", "$.prompt_tokens_details.web_search_requests"),
    "pages": ("$.pages_processed",),
    "input": ("$.prompt_tokens", "$.input_tokens"),
    "output": ("$.completion_tokens", "$.output_tokens"),
    "total": ("$.total_tokens",),
}
"""Where the classes stand in the usage that `metadata` or the response holds, best first."""

GATEWAY_CACHE_HIT, EXCLUSIVE_USAGE, END_BEFORE_START = (
    "gateway_cache_hit",
    "usage_read_as_exclusive",
    "end_before_start",
)
INCLUSIVE = Convention(
    "litellm", "LiteLLM: prompt tokens include cached reads and cache writes, completion tokens reasoning", ()
)
EXCLUSIVE = Convention(
    "litellm_exclusive",
    "LiteLLM, where the row adds up only with cached reads, cache writes or reasoning beside the counts",
    (),
)


def _structure(fields: Iterable[str]) -> str:
    return json.dumps(dict.fromkeys(fields, "VARCHAR"))


_READ = tuple(dict.fromkeys(name for spellings in FIELDS.values() for name in spellings))

MACROS = (
    *names.MACROS,
    *redaction.MACROS,
    *objects.MACROS,
    # A key itself, which no column should hold, is not carried on.
    """
    create or replace temp macro masked_key(key) as
        case when starts_with(key, 'sk-') then left(key, 3) || '...' || right(key, 4) else key end
    """,
    # A provider's id of an answer; where there was none the proxy puts an id or a hash of its own.
    """
    create or replace temp macro id_of_provider(id) as
        case
            when contains(id, '_cache_hit') or regexp_full_match(id, '[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')
                then null
            else id
        end
    """,
)


def _first(spellings: Iterable[str], struct: str) -> str:
    parts = [f"nullif({struct}.{identifier(name)}, '')" for name in spellings]
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _parts(records: str) -> str:
    """The rows; those of an answer of the API lie in its list `data`."""
    structure = literal(_structure(_READ))
    return f"""
        select file_no, line_number, problem, part.raw as raw, part.r as r
        from (
            select
                file_no,
                line_number,
                problem,
                unnest(case
                    when r.data is null or r.request_id is not null then [{{'raw': record, 'r': r}}]
                    else list_transform(
                        elements_of(record, '$.data'), lambda e: {{'raw': e, 'r': try(from_json(e, {structure}))}}
                    )
                end) as part
            from (
                select
                    file_no,
                    line_number,
                    record,
                    problem,
                    case when problem is null and starts_with(ltrim(record), '{{') then try(from_json(record, {structure})) end as r
                from ({records})
            )
        )
    """


def _row_count(records: str) -> str:
    """Rows by file, counted by the types of the elements."""
    return f"""
        select file_no, sum(case when is_list then count_of(record, '$.data') else 1 end)::bigint
        from (
            select file_no, record, coalesce(
                problem is null
                and contains(record, '"data"')
                and starts_with(ltrim(record), '{{')
                and json_valid(record)
                and json_type(record, '$.data') <> 'NULL'
                and coalesce(json_extract_string(record, '$.request_id'), '') = '',
                false
            ) as is_list
            from ({records})
        )
        group by file_no
    """


def _case(column: int) -> str:
    def value(entry: tuple[str, str, str | None, str | None]) -> str:
        return "null::varchar" if entry[column] is None else literal(entry[column])

    arms = " ".join(
        f"when regexp_matches(lower(f_call_type), {literal(entry[1])}) then {value(entry)}" for entry in KINDS
    )
    return f"case {arms} end"


def _named(parts: str) -> str:
    """Columns by our names, what `metadata` says, and the usage in it."""
    fields = ", ".join(f"{_first(spellings, 'r')} as f_{name}" for name, spellings in FIELDS.items())
    usage = ", ".join(
        "coalesce("
        + ", ".join(f"json_extract_string(usage, {literal(path)})" for path in paths)
        + f") as u_{name}"
        if len(paths) > 1
        else f"json_extract_string(usage, {literal(paths[0])}) as u_{name}"
        for name, paths in _USAGE.items()
    )
    return f"""
        select
            *,
            {usage},
            case when prefix is not null then substr(f_model, length(prefix) + 2) else f_model end as model_name
        from (
            select
                *,
                case when m is not null and metadata_text is not null then case
                    when object_text(m.usage_object) <> '{{}}' then object_text(m.usage_object)
                    when object_text(m.additional_usage_values) <> '{{}}' then object_text(m.additional_usage_values)
                end end as usage_of_metadata,
                coalesce(usage_of_metadata, case when response_text is not null and json_valid(response_text)
                    then json_extract(response_text, '$.usage')::varchar end) as any_usage,
                case when starts_with(any_usage, '{{') and json_valid(any_usage) then any_usage end as usage,
                case
                    when contains(f_model, '/') and (
                        starts_with(lower(f_model), lower(f_provider) || '/')
                        or (f_provider is null and provider_of(split_part(f_model, '/', 1), null) <> lower(split_part(f_model, '/', 1)))
                        or (f_provider is null and list_contains({string_list(_PREFIXES)}, lower(split_part(f_model, '/', 1))))
                    )
                        then split_part(f_model, '/', 1)
                end as prefix,
                case
                    when r is null then {literal(Reason.NOT_JSON)}
                    when f_request_id is null and f_call_type is null
                        then 'no row of LiteLLM_SpendLogs: it has neither request_id nor call_type'
                end as fault
            from (
                select
                    *,
                    case when metadata_text <> '{{}}' then try(from_json(metadata_text, {literal(_structure(_METADATA))})) end as m
                from (
                    select
                        *,
                        object_text(f_metadata) as metadata_text,
                        case when length(f_response) > 2 then object_text(f_response) end as response_text
                    from (select file_no, line_number, raw, problem, r, {fields} from ({parts}))
                )
            )
        )
    """


_PREFIXES = (
    "openai",
    "azure",
    "azure_ai",
    "anthropic",
    "bedrock",
    "vertex_ai",
    "gemini",
    "mistral",
    "cohere",
    "groq",
    "together_ai",
    "openrouter",
    "perplexity",
    "xai",
    "deepseek",
    "fireworks_ai",
    "ollama",
    "ollama_chat",
    "huggingface",
    "replicate",
    "databricks",
    "sagemaker",
    "hosted_vllm",
    "litellm_proxy",
    "voyage",
    "cerebras",
)
"""What stands before the slash in a model's name where it is a provider, as LiteLLM spells them."""


def _judged(named: str) -> str:
    """Whether the counts hold their parts, and what kind of call it was."""
    return f"""
        select
            *,
            n_parts > 0 and (n_parts > n_input or (n_total = n_input + n_output + n_parts)
                or (n_reasoning > 0 and n_total = n_input + n_output + n_parts + n_reasoning)) as is_input_exclusive,
            n_reasoning > 0 and (n_reasoning > n_output or n_total = n_input + n_output + n_reasoning
                or (n_parts > 0 and n_total = n_input + n_output + n_parts + n_reasoning)) as is_output_exclusive
        from (
            select
                *,
                coalesce(as_count(t_input), 0) as n_input,
                coalesce(as_count(t_output), 0) as n_output,
                as_count(t_total) as n_total,
                coalesce(as_count(u_cached), 0) + coalesce(as_count(u_cache_write), 0) as n_parts,
                coalesce(as_count(u_reasoning), 0) as n_reasoning
            from (
                select
                    *,
                    {_case(0)} as kind_of_type,
                    {_case(2)} as marker_of_type,
                    {_case(3)} as service_of_type,
                    coalesce(lower(f_cache_hit) = 'true', false) or coalesce(contains(f_request_id, '_cache_hit'), false) as is_cache_hit,
                    is_reversed(f_started, f_ended) as ends_early,
                    -- The proxy writes 0 where it knows nothing.
                    case when not is_empty then coalesce(f_prompt_tokens, u_input) end as t_input,
                    case when not is_empty then coalesce(f_completion_tokens, u_output) end as t_output,
                    case when not is_empty then coalesce(f_total_tokens, u_total) end as t_total,
                    coalesce(
                        nullif(lower(f_status), ''),
                        lower(m.status),
                        case when object_text(m.error_information) <> '{{}}' then 'failure' end,
                        'success'
                    ) as state
                from (
                    select
                        *,
                        -- Tables of pandas have counts as doubles.
                        coalesce(f_prompt_tokens, '0') in ('0', '0.0') and coalesce(f_completion_tokens, '0') in ('0', '0.0')
                            and coalesce(f_total_tokens, '0') in ('0', '0.0')
                            and coalesce(u_input, '0') in ('0', '0.0') and coalesce(u_output, '0') in ('0', '0.0') as is_empty
                    from ({named})
                )
            )
        )
    """


def _attributes(convert: Convert) -> str:
    """What has no column, by its own name."""
    texts = {
        "call_type": "f_call_type",
        "model_group": "f_model_group",
        "cache_hit": "case when is_cache_hit then f_cache_hit end",
        "team_id": "f_team_id",
    }
    parts = [
        f"case when {value} is not null then {literal(json.dumps(name) + ':')} || to_json({value})::varchar end"
        for name, value in texts.items()
    ]
    parts += [
        f"case when metadata_text <> '{{}}' then flat_inside(metadata_text, 'metadata.', {string_list(_METADATA)}) end",
        "case when object_text(m.cost_breakdown) <> '{}' "
        "then flat_scalars(object_text(m.cost_breakdown), 'cost_breakdown.', []::varchar[]) end",
        joined_list(f"""list_transform(
            list_filter(json_keys(raw), lambda k: not list_contains({string_list((*_READ, *LEFT_OUT))}, k)
                and coalesce(json_extract_string(raw, '/' || replace(replace(k, '~', '~0'), '/', '~1')), '') not in ('', '{{}}', '[]')),
            lambda k: to_json(k)::varchar || ':' || strict_json(
                json_extract(raw, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::varchar
            )
        )"""),
    ]
    if convert.keep_content:
        kept = [
            f"""case when length({value}) > 2 then {literal(json.dumps(name) + ":")}
                || to_json(left(redacted({value}), {convert.content_max_characters}))::varchar end"""
            for name, value in (
                ("messages", "try(json_extract_string(raw, '$.messages'))"),
                ("proxy_server_request", "try(json_extract_string(raw, '$.proxy_server_request'))"),
                ("response", "f_response"),
            )
        ]
        parts.append(f"'\"content\":{{' || {joined(kept)} || '}}'")
    return f"'{{' || {joined(parts)} || '}}'"


def _spans(records: str, convert: Convert) -> str:
    """The plain text rows: one span for each row of the log."""
    error = "object_text(m.error_information)"
    kind = "coalesce(kind_of_type, case when f_call_type is null and f_model is not null then 'completion' end, 'other')"
    trace = "coalesce(m.trace_id, m.litellm_trace_id)"
    metadata = [
        """case when tags_text(f_tags) is not null then '"tags":' || to_json(tags_text(f_tags))::varchar end""",
        "case when object_text(m.spend_logs_metadata) <> '{}' "
        "then flat_scalars(object_text(m.spend_logs_metadata), '', ['tags']) end",
        "case when object_text(m.requester_metadata) <> '{}' and coalesce(object_text(m.spend_logs_metadata), '{}') = '{}' "
        "then flat_scalars(object_text(m.requester_metadata), '', ['tags']) end",
    ]
    columns = {
        "span_id": "f_request_id",
        "trace_id": f"nullif({trace}, '')",
        "run_id": f"coalesce(nullif({trace}, ''), f_request_id)",
        "name": "coalesce(f_tool, f_model_group, f_model, f_call_type, 'request')",
        "kind": "kind",
        "service": "case when kind = 'tool' then service_of_tool(coalesce(f_tool, model_name, f_call_type)) "
        "when kind = 'completion' then 'AI Model' else service_of_type end",
        "provider": "case when kind <> 'tool' and (f_model is not null or f_provider is not null) "
        "then provider_of(coalesce(f_provider, prefix), model_name) end",
        "model": "case when kind <> 'tool' then coalesce(regexp_replace(model_name, '^(converse|invoke)/', ''), f_model_group) end",
        "response_model": """nullif(
            case when response_text is not null and json_valid(response_text) then json_extract_string(response_text, '$.model') end,
            model_name
        )""",
        "service_tier": "case when usage is not null then json_extract_string(usage, '$.service_tier') end",
        "status": "case when state in ('failure', 'failed', 'error') then 'failed' when f_ended is null then 'running' "
        "else 'completed' end",
        "started_at": "f_started",
        "ended_at": "case when not ends_early then f_ended end",
        "input_tokens": "case when is_input_exclusive then (n_input + n_parts)::varchar else t_input end",
        "cached_tokens": "u_cached",
        "cache_write_tokens": "u_cache_write",
        "cache_write_1h_tokens": "u_cache_write_1h",
        "output_tokens": """case
            when kind = 'image_generation' then null
            when as_count(t_output) is null then t_output
            else (
                n_output + case when is_output_exclusive then n_reasoning else 0 end - coalesce(as_count(u_image_output), 0)
            )::varchar
        end""",
        "reasoning_tokens": "u_reasoning",
        "image_tokens": "case when kind = 'image_generation' then coalesce(u_image_output, t_output) else u_image_output end",
        "audio_input_tokens": "u_audio_input",
        "image_input_tokens": "u_image_input",
        "audio_output_tokens": "u_audio_output",
        "web_search_count": "u_web_searches",
        "reported_total_tokens": "t_total",
        "units": "u_pages",
        # A call that used tokens and cost nothing is one whose price the proxy does not know, unless it says how it got to nothing.
        "provider_cost_usd": """case
            when try_cast(f_spend as double) = 0 and not is_cache_hit and state = 'success' and not is_empty
                and coalesce(object_text(m.cost_breakdown), '{}') = '{}' then null
            else exact_amount_text(raw, 'spend', f_spend)
        end""",
        "error_message": f"""case when state in ('failure', 'failed', 'error') and {error} <> '{{}}' then left(coalesce(
            nullif(try(json_extract_string({error}, '$.error_message')), ''), try(json_extract_string({error}, '$.error_class'))
        ), 1000) end""",
        "response_id": """case when not is_cache_hit and kind <> 'tool' then coalesce(
            id_of_provider(f_request_id),
            case when response_text is not null and json_valid(response_text)
                then id_of_provider(json_extract_string(response_text, '$.id')) end
        ) end""",
        "call_marker": "case when is_cache_hit then 'not_call' when f_call_type is null and f_model is not null then 'call' "
        "else marker_of_type end",
        "scope": "'litellm'",
        "session_id": "f_session_id",
        "user_id": "coalesce(f_end_user, nullif(m.user_api_key_end_user_id, ''))",
        "user_metadata": f"'{{' || {joined(metadata)} || '}}'",
        "api_key_id": "masked_key(f_api_key)",
        "api_key_name": "nullif(masked_key(m.user_api_key_alias), '')",
        "collaborator": "f_user",
    }
    texts = ",\n".join(
        f"{columns.get(item.name, 'null::varchar')} as {identifier(item.name)}"
        for item in SPANS.plain.columns
    )
    return f"""
        select
            file_no,
            line_number,
            raw,
            coalesce(problem, fault) as problem,
            null::varchar[] as not_text,
            case
                when coalesce(t_input, t_output) is null then null
                when is_input_exclusive or is_output_exclusive then {literal(EXCLUSIVE.name)}
                else {literal(INCLUSIVE.name)}
            end as token_convention,
            nullif(concat_ws(
                ',',
                case when is_cache_hit then {literal(GATEWAY_CACHE_HIT)} end,
                case when is_input_exclusive or is_output_exclusive then {literal(EXCLUSIVE_USAGE)} end,
                case when ends_early then {literal(END_BEFORE_START)} end
            ), '') as flags,
            case when fault is null then {_attributes(convert)} end as attributes,
            f_team_id as project,
            null::varchar as service_name,
            {texts}
        from (select *, {kind} as kind from ({_judged(_named(_parts(records)))}))
    """


def _detect(sniff: Sniff) -> bool:
    return any(
        {prefix + "request_id", prefix + "call_type"} <= sniff.paths
        and bool({prefix + "spend", prefix + "startTime", prefix + "prompt_tokens"} & sniff.paths)
        for prefix in ("", "data[].")
    )


FORMAT = SourceFormat(
    name="litellm",
    title="LiteLLM",
    detect=_detect,
    spans=_spans,
    row_count=_row_count,
    conventions=(INCLUSIVE, EXCLUSIVE),
    flags={
        GATEWAY_CACHE_HIT: "the gateway answered from its own cache: the provider saw no call and charged nothing",
        EXCLUSIVE_USAGE: "cached tokens or reasoning stand beside the counts and were added: only so the row adds up",
        END_BEFORE_START: "the end lies before the start, and was left out",
    },
    macros=MACROS,
    split_at=("data",),
)
