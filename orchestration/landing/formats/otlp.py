"""OpenTelemetry traces as OTLP/JSON, the way the Collector's file exporter writes them.

What belongs here: which attributes of which convention say what (tables below, from which SQL and documentation are generated), and
how a request is taken apart into spans. What does not: which span is billed (dbt).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from orchestration.landing import usage_shapes
from orchestration.landing.contract import SPANS, Convention
from orchestration.landing.formats import names as known_names
from orchestration.landing.formats import objects, redaction
from orchestration.landing.formats.base import Convert, Sniff, SourceFormat
from orchestration.landing.usage_shapes import SHAPE, text_of
from orchestration.sql import identifier, joined, joined_list, literal, string_list

# -- what attributes say -------------------------------------------------------------------------------------------------------
# Of several names the first that a span carries counts, never their sum. Names are matched whole: `gen_ai.aggregated_usage.*`,
# `gen_ai.request.max_tokens` and the like must not be read by a prefix.

TOKENS: Mapping[str, Sequence[str]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
        "llm.usage.prompt_tokens",
        "embedding.token_count.prompt",
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
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.cached_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.prompt_tokens_details.cached_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
        "llm.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cached_content_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        "llm.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "cache_write_1h_tokens": (
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.details.ephemeral_1h_input_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
        "llm.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
    ),
    "audio_input_tokens": ("llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens"),
    "audio_output_tokens": (
        "llm.token_count.completion_details.audio",
        "gen_ai.usage.details.output_audio_tokens",
    ),
    "reported_total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
}
COST = (
    "gen_ai.usage.cost",
    "gen_ai.usage.cost_usd",
    "operation.cost",
    "llm.cost.total",
    "gen_ai.cost.total_cost",
)
NAMES: Mapping[str, Sequence[str]] = {
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "ai.model.provider",
        "llm.vendor",
        "mlflow.llm.provider",
    ),
    "model": (
        "gen_ai.request.model",
        "llm.model_name",
        "ai.model.id",
        "embedding.model_name",
        "llm.request.model",
        "langfuse.observation.model.name",
        "model_name",
        "mlflow.llm.model",
    ),
    "response_model": ("gen_ai.response.model", "ai.response.model", "llm.response.model"),
    "service_tier": (
        "gen_ai.openai.response.service_tier",
        "openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
    ),
    "response_id": ("gen_ai.response.id", "ai.response.id", "llm.openai.id", "llm.anthropic.id"),
    "session_id": (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
        "langsmith.trace.session_id",
        "gcp.vertex.agent.session_id",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "llm.user",
        "gen_ai.user.id",
        "gen_ai.user",
        "gen_ai.request.user",
    ),
    "resource_id": ("gen_ai.agent.id", "gen_ai.workflow.id"),
    "resource_name": (
        "gen_ai.agent.name",
        "gen_ai.workflow.name",
        "langfuse.trace.name",
        "agent.name",
        "agent_name",
        "traceloop.workflow.name",
        "ai.telemetry.functionId",
    ),
    "tool_name": ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name"),
    "user_metadata": ("metadata", "langfuse.trace.metadata"),
    "workspace_id": ("credit_usage.workspace_id", "workspace.id", "workspace_id", "tenant.id", "tenant_id"),
    "charge_type": ("credit_usage.charge_type", "charge_type"),
    "api_key_id": ("credit_usage.api_key_id", "api_key.id"),
    "api_key_name": ("credit_usage.api_key_name", "api_key.name"),
    "collaborator": ("credit_usage.collaborator",),
    "deployment": (
        "credit_usage.deployment",
        "deployment.environment.name",
        "deployment.environment",
        "langfuse.environment",
    ),
    "project": (
        "credit_usage.project",
        "langfuse.project.id",
        "openinference.project.name",
        "project.name",
        "langsmith.trace.project",
    ),
    "service_name": ("service.name",),
    "status_text": ("error.type", "exception.message"),
    "attempt": ("gen_ai.request.attempt", "http.request.resend_count"),
}
MARKERS = {
    "openinference": "openinference.span.kind",
    "ai_sdk": "ai.operationId",
    "traceloop": "traceloop.span.kind",
    "gen_ai": "gen_ai.operation.name",
    "llm": "llm.request.type",
    "langfuse": "langfuse.observation.type",
    "mlflow": "mlflow.spanType",
}
USAGE_BODIES: Mapping[str, str] = {
    "gen_ai.usage.raw": "$",
    "metadata.usage_object": "$",
    "ai.response.providerMetadata": "$.anthropic.usage",
    "gcp.vertex.agent.llm_response": "$.usage_metadata",
    "response_data": "$.usage",
    "mlflow.spanOutputs": "$.usage",
    "langfuse.observation.usage_details": "$",
}
"""Where packages leave the provider's own usage object, and its path in the attribute's JSON. It wins over the attributes: some are
lossy (Logfire and LiteLLM leave reasoning or cached tokens out of them), some are of the other convention (AI SDK 5)."""
_COMPLETING_USAGE = "usage"
"""The provider's usage object beside `gen_ai.usage.*`, which lack its parts (Logfire's spans of the OpenAI Agents SDK)."""
_MLFLOW_USAGE = "mlflow.chat.tokenUsage"
"""MLflow's own count: Anthropic's names, but the cache is within the input."""
_BODIES = (
    *USAGE_BODIES,
    _COMPLETING_USAGE,
    _MLFLOW_USAGE,
    "langfuse.observation.cost_details",
    "output.value",
    "db.system",
    "logfire.span_type",
)
EXCLUSIVE_SCOPES = (
    "opentelemetry[.]instrumentation[.]botocore([.]bedrock.*)?|opentelemetry[.]instrumentation[.]bedrock"
    "|openlit[.]instrumentation[.](anthropic|bedrock)"
)
"""Scopes that write the provider's own input, without cached reads and writes, under the name that others use for all of it: Bedrock's
instrumentations and OpenLIT's of Anthropic and Bedrock. Nothing else on their spans tells."""
_RESOURCE_FIELDS = (
    "workspace_id",
    "charge_type",
    "api_key_id",
    "api_key_name",
    "collaborator",
    "deployment",
    "project",
    "service_name",
    "session_id",
    "user_id",
)

# Prompts, completions, arguments and documents.
CONTENT = (
    "gen_ai[.](prompt|completion|input[.]messages|output[.]messages|system_instructions|tool[.](definitions|call[.](arguments|result)|message)"
    "|content|choice|event).*|(input|output)[.]value|llm[.](input_messages|output_messages|prompts|completions|tools|prompt_template"
    "|function_call).*|embedding[.](embeddings|text|vector).*|(retrieval|reranker|document)[.].*|tool[._](parameters|arguments|response|description)"
    "|traceloop[.]entity[.](input|output)|ai[.](prompt|response[.](text|object|toolCalls|reasoning|messages|files)|toolCall[.](args|result)"
    "|value|embedding|settings[.]prompt).*|(request|response)_data|(all_|new_)?messages.*|pydantic_ai[.](all_|new_)?messages.*|final_result"
    "|langfuse[.](observation|trace)[.](input|output).*|events|db[.](statement|query[.].*)|exception[.].*|model_request_parameters|logfire[.].*"
)

_CONTENT_BY_ITS_LAST_WORD = (
    "(.*[._])?(inputs?|outputs?|prompts?|completions?|messages?|contents?|choices|responses?|results?|arguments|args|text|texts|tools"
    "|instructions?|query|question|answer|history|documents?|spanInputs|spanOutputs)([.][0-9].*)?"
)
"""What attributes of packages that nobody has heard of call it; of such a name only texts, lists and objects are content."""
_CONTENT_IN_JSON = (
    "[\"'](messages|content|contents|text|prompt|input|instructions|arguments|query|tools)[\"']\\s*:"
)

_BUCKETS: Mapping[str, str] = {
    "input": "input|prompt",
    "bare_input": "^input$",
    "output": "output|completion",
    "bare_output": "^output$",
    "cached": "cache.*read|cached",
    "cache_write": "cache.*(creat|writ)",
    "reasoning": "reasoning|thought",
    "audio_input": "(input|prompt).*audio",
    "audio_output": "(output|completion).*audio",
    "total": "^total$",
}
"""Sums of Langfuse's buckets, with patterns of their names: its pages, too, add up what has `input` or `output` in the name. Buckets
exclude one another, unless only the opposite is the total."""

CONVENTIONS = (
    Convention("otel_gen_ai", "OpenTelemetry GenAI attributes: input includes cached reads and writes, output includes reasoning", ()),
    Convention("openinference", "OpenInference's `llm.token_count.*`: inclusive", ()),
    Convention("ai_sdk_otel", "the Vercel AI SDK's `ai.usage.*`: inclusive", ()),
    Convention("openllmetry", "OpenLLMetry's `llm.usage.*`: inclusive", ()),
    Convention("langfuse_otel", "Langfuse's `usage_details` on a span: buckets that exclude one another", ()),
    Convention("input_without_cache", "any of these, where only input without cached reads and writes adds up; they are added", ()),
)  # fmt: skip
FLAGS = {
    "end_before_start": "the span ended before it started: its end was left out",
    "reasoning_beside_output": "only output without reasoning adds up to the reported total: reasoning was added",
    "input_without_cache": "only input without cached reads and writes adds up: they were added",
    "buckets_within": "only buckets within Langfuse's `input` or `output` add up to its total: they were not added",
}

# -- SQL -----------------------------------------------------------------------------------------------------------------------

_KEY_VALUES = [
    {
        "key": "VARCHAR",
        "value": {
            "stringValue": "VARCHAR",
            "intValue": "VARCHAR",
            "doubleValue": "VARCHAR",
            "boolValue": "VARCHAR",
            "arrayValue": "VARCHAR",
            "kvlistValue": "VARCHAR",
            "bytesValue": "VARCHAR",
        },
    }
]
_SPAN = {
    "traceId": "VARCHAR",
    "spanId": "VARCHAR",
    "parentSpanId": "VARCHAR",
    "name": "VARCHAR",
    "startTimeUnixNano": "VARCHAR",
    "endTimeUnixNano": "VARCHAR",
    "attributes": _KEY_VALUES,
    "status": {"code": "VARCHAR", "message": "VARCHAR"},
}
_SCOPE_SPANS = [{"scope": {"name": "VARCHAR"}, "spans": [_SPAN]}]
_REQUEST = {
    "resourceSpans": [
        {
            "resource": {"attributes": _KEY_VALUES},
            "scopeSpans": _SCOPE_SPANS,
            "instrumentationLibrarySpans": [
                {"instrumentationLibrary": {"name": "VARCHAR"}, "spans": [_SPAN]}
            ],
        }
    ]
}

MACROS = (
    *redaction.MACROS,
    *known_names.MACROS,
    *objects.MACROS,
    # An empty text is how some say nothing, and must not hide what another name says.
    """
    create or replace temp macro otlp_text(v) as coalesce(
        nullif(v."stringValue", ''), v."intValue", v."doubleValue", v."boolValue", v."arrayValue", v."kvlistValue", v."bytesValue"
    )
    """,
    # What JavaScript and Python print where there is no number.
    "create or replace temp macro otlp_count(t) as case when t in ('NaN', 'nan', 'None', 'null', 'undefined') then null else t end",
    'create or replace temp macro otlp_json(v) as case when v."stringValue" is not null then to_json(v."stringValue")::varchar '
    'when v."bytesValue" is not null then to_json(v."bytesValue")::varchar '
    'else coalesce(v."intValue", v."doubleValue", v."boolValue", v."arrayValue", v."kvlistValue", \'null\') end',
    # LiteLLM prints Python's dictionaries.
    """
    create or replace temp macro as_json(t) as
        case
            when starts_with(t, '{''') then
                replace(replace(replace(replace(t, '''', '"'), 'None', 'null'), 'True', 'true'), 'False', 'false')
            when starts_with(t, '{') then t
        end
    """,
    """
    create or replace temp macro usage_object(t, path) as
        case
            when t is null or t = '{}' then null
            when path = '$' then case when is_object(as_json(t)) then as_json(t) end
            else nullif(try(json_extract(as_json(t), path)::varchar), 'null')
        end
    """,
    """
    create or replace temp macro mlflow_usage(t) as
        replace(
            replace(usage_object(t, '$'), '"cache_read_input_tokens"', '"cache_read_tokens"'),
            '"cache_creation_input_tokens"', '"cache_write_tokens"'
        )
    """,
    # What people and models wrote: by the name of an attribute, or by what its JSON holds.
    f"""
    create or replace temp macro is_content(k, v) as
        regexp_full_match(k, {literal(CONTENT)})
        or (
            coalesce(v."stringValue", v."arrayValue", v."kvlistValue") is not null
            and regexp_full_match(k, {literal(_CONTENT_BY_ITS_LAST_WORD)})
        )
        or (
            (starts_with(v."stringValue", '{{') or starts_with(v."stringValue", '['))
            and regexp_matches(v."stringValue", {literal(_CONTENT_IN_JSON)})
        )
    """,
    # Protobuf's own JSON has ids in base64, the Collector's in hexadecimal.
    """
    create or replace temp macro otlp_id(t, digits) as
        case
            when t is null or t = '' or t = repeat('0', digits) then null
            when length(t) = digits then lower(t)
            when regexp_full_match(t, '0+') then null
            when regexp_full_match(t, '[0-9A-Fa-f]+') then lower(t)
            when regexp_full_match(t, '[A-Za-z0-9+/]+={0,2}') and length(t) % 4 = 0 and length(t) < digits
                then lower(hex(from_base64(t)))
            else lower(t)
        end
    """,
)


def _family(name: str) -> str:
    """The flag that a span has any name of this kind: of about 140 names a span has ten, and a look through its keys for one costs
    about as much as the test of a flag for all of its kind.
    """
    first, dot, _ = name.partition(".")
    return f"has_{first}" if dot and first in _FAMILIES else "has_others"


def _first(names: Sequence[str], keys: str = "keys", values: str = "vals", *, guarded: bool = True) -> str:
    found = [f"{values}[list_position({keys}, {literal(name)})]" for name in names]
    # MLflow writes each value as JSON, a word in quotes.
    found = [
        f"trim({look}, '\"')" if name.startswith("mlflow.") else look
        for name, look in zip(names, found, strict=True)
    ]
    if guarded:
        found = [
            f"case when {_family(name)} then {look} end" for name, look in zip(names, found, strict=True)
        ]
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def detect(sniff: Sniff) -> bool:
    """Whether a file holds trace requests."""
    return sniff.layout != "table" and any(
        path.removesuffix("[]").split("[].")[0] in ("resourceSpans", "resource_spans") for path in sniff.paths
    )


def row_count(records: str) -> str:
    """Spans per file, by the lengths of the lists alone; a record that is no request counts as one row.

    The usual record is parsed once: the older name of the list and the type are asked for only where they may matter.
    """
    lengths = "list_sum(json_array_length(record, '$.resourceSpans[*].{}[*].spans'))"
    return f"""
        select file_no, sum(case
            when problem is not null then 1
            when n > 0 then n + case when contains(record, '"instrumentationLibrarySpans"')
                then coalesce({lengths.format("instrumentationLibrarySpans")}, 0) else 0 end
            when {_IS_REQUEST} then coalesce({lengths.format("instrumentationLibrarySpans")}, 0)
            when {_IS_BLANK} then 0
            else 1
        end)::bigint
        from (select *, try({lengths.format("scopeSpans")}) as n from ({_in_camel_case(records)}))
        group by file_no
    """


def _in_camel_case(records: str) -> str:
    """SQL of the records, with names as OTLP/JSON has them where a record has protobuf's own (`resource_spans`).

    In JSON a name alone has quotes without a backslash in front and a colon behind, so that no text is changed.
    """
    renamed = "record"
    for name in _SNAKE_NAMES:
        first, *words = name.split("_")
        camel = first + "".join(word.capitalize() for word in words)
        renamed = f"replace({renamed}, '\"{name}\":', '\"{camel}\":')"
    is_snake = """contains(left(record, 1000), '"resource_spans"')"""
    return (
        f"select * replace (case when {is_snake} then {renamed} else record end as record) from ({records})"
    )


_SNAKE_NAMES = (
    *("resource_spans", "scope_spans", "instrumentation_library_spans", "instrumentation_library"),
    *("trace_id", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano"),
    *(
        "string_value",
        "int_value",
        "double_value",
        "bool_value",
        "array_value",
        "kvlist_value",
        "bytes_value",
    ),
)

# Asked of every record before it is taken apart. `try` costs nothing where there is no error; json_valid beside it would parse again.
_IS_REQUEST = "coalesce(try(json_type(record, '$.resourceSpans')) = 'ARRAY', false)"
_IS_BLANK = "coalesce(trim(record, ' \t\r'), '') = ''"
_ALL_NAMES = (
    *(name for names in (*TOKENS.values(), *NAMES.values()) for name in names),
    *COST,
    *MARKERS.values(),
    *_BODIES,
)
_NOT_KEPT = frozenset(_ALL_NAMES)
_FAMILIES = ("gen_ai", "llm", "ai", "langfuse", "traceloop", "credit_usage", "mlflow")


def spans(records: str, convert: Convert) -> str:
    """SQL of the spans of trace requests as plain text rows."""
    resource_words = ", ".join(
        f"{_first(NAMES[name], 'resource_keys', 'resource_vals', guarded=False)} as resource_{name}"
        for name in _RESOURCE_FIELDS
    )
    others = "|".join(re.escape(name) for name in sorted(_NOT_KEPT) if _family(name) == "has_others")
    any_other = literal(f"\\n({others})\\n")
    families = ", ".join(
        [f"contains(all_keys, chr(10) || '{first}.') as has_{first}" for first in _FAMILIES]
        + [f"regexp_matches(all_keys, {any_other}) as has_others"]
    )
    words = ", ".join(f"{_first(names)} as {name}" for name, names in NAMES.items())
    tokens = ", ".join(f"{_first(names)} as {name}" for name, names in TOKENS.items())
    marks = ", ".join(f"{_first([name])} as mark_{short}" for short, name in MARKERS.items())
    bodies = ", ".join(
        f"usage_object({_first([name])}, {literal(path)})" for name, path in USAGE_BODIES.items()
    )
    # Steps and agents have an attribute of this name, too, with what calls used: it completes counts that are there.
    is_counted = f"{_first(TOKENS['input_tokens'][:2])} is not null"
    bodies += f", case when {is_counted} then usage_object({_first([_COMPLETING_USAGE])}, '$') end"
    bodies += f", mlflow_usage({_first([_MLFLOW_USAGE])})"
    plain = {item.name: "null::varchar" for item in SPANS.plain.columns}
    plain |= _columns(convert)
    chosen = ", ".join(f"({value})::varchar as {identifier(name)}" for name, value in plain.items())
    return f"""
        with requests as (
            select file_no, line_number, problem, {_IS_REQUEST} and problem is null as is_request, record
            from ({_in_camel_case(records)})
        ),
        -- One stream from request to span; a record that is no request goes along as one row without a span.
        resource_spans as (
            select file_no, line_number, problem, is_request, case when not is_request then record end as bad_record,
                unnest(case
                    when is_request then r."resourceSpans" when problem is null and {_IS_BLANK} then [] else [null]
                end) as rs
            from (
                select *, case when is_request then from_json(record, {literal(json.dumps(_REQUEST))}) end as r from requests
            )
        ),
        scopes as (
            select * exclude (rs, resource_keys, resource_vals, scope_spans), {resource_words}, unnest(scope_spans) as s
            from (
                select *,
                    list_transform(rs.resource.attributes, lambda a: a.key) as resource_keys,
                    list_transform(rs.resource.attributes, lambda a: otlp_text(a.value)) as resource_vals,
                    case
                        when not is_request then [null]
                        when rs."instrumentationLibrarySpans" is null then rs."scopeSpans"
                        else list_concat(rs."scopeSpans", list_transform(
                            rs."instrumentationLibrarySpans",
                            lambda l: {{'scope': {{'name': l."instrumentationLibrary".name}}, 'spans': l.spans}}
                        ))
                    end as scope_spans
                from resource_spans
            )
        ),
        all_spans as (
            select * exclude (s), s.scope.name as scope_name, unnest(case when is_request then s.spans else [null] end) as span
            from scopes
        ),
        keyed as (
            select *, list_transform(span.attributes, lambda a: a.key) as keys from all_spans
        ),
        joined as (
            select *, chr(10) || array_to_string(keys, chr(10)) || chr(10) as all_keys from keyed
        ),
        attributed as (
            select *, {families}, list_transform(span.attributes, lambda a: otlp_text(a.value)) as vals from joined
        ),
        worded as (
            select *, {words}, {tokens}, {marks},
                {_first(COST)} as provider_cost_usd,
                {_first(["langfuse.observation.usage_details"])} as langfuse_usage,
                {_first(["langfuse.observation.cost_details"])} as langfuse_cost,
                {_first(["output.value"])} as output_value,
                {_first(["mlflow.spanOutputs"])} as mlflow_output,
                {_first(["logfire.span_type"])} as logfire_type,
                {_first(["gcp.vertex.agent.llm_response"])} as adk_response,
                coalesce({bodies}) as body,
                {_first(["db.system"])} as database,
                {_first(["ai.response.providerMetadata"])} as ai_metadata
            from attributed
        ),
        {_judged()}
        rows as (
            select file_no, line_number, coalesce(bad_record, to_json(span)::varchar) as raw,
                case when not is_request then coalesce(problem, case when json_valid(bad_record) then 'not_a_row' else 'not_json' end) end
                    as problem,
                null::varchar[] as not_text, convention as token_convention, flags, {_attributes(convert)} as attributes,
                coalesce(project, resource_project) as project, coalesce(service_name, resource_service_name) as service_name,
                {chosen}
            from (
                select *, {_KIND} as kind, otlp_id(span."traceId", 32) as trace from judged
            )
        )
        select * from rows
    """


def _judged() -> str:
    """CTEs that settle what a span is, and how its counts are to be read."""
    calls = literal(known_names.CALL_OPERATION)
    of_operation = known_names.marker_of_operation("lower(mark_gen_ai)")
    usage = "from_json(langfuse_usage, '\"MAP(VARCHAR, VARCHAR)\"')"
    counts = ", ".join(f"otlp_count({name}) as {name}" for name in TOKENS)
    sums = ", ".join(
        f"bucket_sum(buckets, {literal(pattern)}) as b_{name}" for name, pattern in _BUCKETS.items()
    )
    return f"""
        marked as (
            select * replace ({counts}),
                lower(mark_openinference) as oi, lower(mark_traceloop) as tl, lower(mark_gen_ai) as op, lower(mark_langfuse) as lf,
                lower(mark_llm) as rt,
                case
                    -- What Logfire sends when a span begins.
                    when logfire_type = 'pending_span' then 'not_call'
                    when mark_openinference is not null
                        then case when lower(mark_openinference) in ('llm', 'embedding') then 'call' else 'not_call' end
                    when mark_ai_sdk is not null
                        then case when regexp_matches(mark_ai_sdk, '(doGenerate|doStream|doEmbed)$') then 'call' else 'not_call' end
                    when mark_traceloop is not null then 'not_call'
                    when {of_operation} is not null then {of_operation}
                    when mark_llm is not null
                        then case when regexp_full_match(lower(mark_llm), {calls}) then 'call' else 'not_call' end
                    when mark_langfuse is not null
                        then case when lower(mark_langfuse) in ('generation', 'embedding') then 'call' else 'not_call' end
                    when mark_mlflow not in ('null', 'UNKNOWN')
                        then case when mark_mlflow in ('CHAT_MODEL', 'LLM', 'EMBEDDING') then 'call' else 'not_call' end
                    -- Google's ADK before it had operation names.
                    when contains(adk_response, '"usage_metadata"') then 'call'
                end as call_marker,
                case when starts_with(ltrim(langfuse_usage), '{{') then try({usage}) end as buckets
            from worded
        ),
        counted as (
            {usage_shapes.with_reading("from marked", "body", "body")}
        ),
        -- A projection for each step: what a macro mentions several times is otherwise planned, and worked out, several times.
        summed as (
            select *, {sums} from counted
        ),
        told as (
            select *,
                case
                    when buckets is null then null
                    when b_total is null or b_total = coalesce(b_input, 0) + coalesce(b_output, 0) then 'beside'
                    when b_total = coalesce(b_bare_input, 0) + coalesce(b_bare_output, 0) then 'inside'
                    when b_total = coalesce(b_bare_input, 0) + coalesce(b_output, 0) then 'input inside'
                    when b_total = coalesce(b_input, 0) + coalesce(b_bare_output, 0) then 'output inside'
                    else 'beside'
                end as bucket_reading,
                -- A body that is no more than a total says less than attributes do.
                case when {SHAPE} is distinct from 'total_only' or coalesce(input_tokens, output_tokens) is null
                    then {text_of("input_tokens")} end as usage_input,
                {text_of("output_tokens")} as usage_output,
                -- Amazon's and Anthropic's counts of the cache, which the AI SDK of before its sixth version has nowhere else.
                case when contains(ai_metadata, 'acheCreationInputTokens') or contains(ai_metadata, 'acheWriteInputTokens')
                    or contains(ai_metadata, 'acheReadInputTokens')
                    then coalesce(try(json_extract(ai_metadata, '$.bedrock.usage')), try(json_extract(ai_metadata, '$.anthropic'))) end
                    as told_cache
            from summed
        ),
        worked_out as (
            select * replace (
                coalesce(
                    usage_input, input_tokens,
                    coalesce(case when bucket_reading in ('inside', 'input inside') then b_bare_input end, b_input)::varchar
                ) as input_tokens,
                coalesce(
                    usage_output, output_tokens,
                    coalesce(case when bucket_reading in ('inside', 'output inside') then b_bare_output end, b_output)::varchar
                ) as output_tokens,
                coalesce(
                    {text_of("cached_tokens")}, cached_tokens, b_cached::varchar, json_extract_string(told_cache, '$.cacheReadInputTokens')
                ) as cached_tokens,
                coalesce(
                    {text_of("cache_write_tokens")}, cache_write_tokens, b_cache_write::varchar,
                    json_extract_string(told_cache, '$.cacheWriteInputTokens'),
                    json_extract_string(told_cache, '$.cacheCreationInputTokens')
                ) as cache_write_tokens,
                coalesce({text_of("reasoning_tokens")}, reasoning_tokens, b_reasoning::varchar) as reasoning_tokens,
                coalesce({text_of("audio_input_tokens")}, audio_input_tokens, b_audio_input::varchar) as audio_input_tokens,
                coalesce({text_of("audio_output_tokens")}, audio_output_tokens, b_audio_output::varchar) as audio_output_tokens,
                coalesce({text_of("reported_total_tokens")}, reported_total_tokens, b_total::varchar) as reported_total_tokens,
                coalesce(service_tier, {text_of("service_tier")}) as service_tier,
                coalesce(provider_cost_usd, {text_of("provider_cost_usd")}, case when starts_with(ltrim(langfuse_cost), '{{')
                    then cost_of(langfuse_cost) end) as provider_cost_usd
            ),
            {SHAPE} is not null and usage_input is not null as is_of_body,
            bucket_reading is not null and coalesce(usage_input, input_tokens) is null as is_of_buckets
            from told
        ),
        bucketed as (
            select *,
                as_count(input_tokens) as n_input, as_count(output_tokens) as n_output, as_count(cached_tokens) as n_cached,
                as_count(cache_write_tokens) as n_write, as_count(reasoning_tokens) as n_reasoning,
                as_count(reported_total_tokens) as n_total
            from worked_out
        ),
        read as (
            select *,
                coalesce(n_cached, 0) + coalesce(n_write, 0) as n_cache,
                -- A shape's classes are inclusive already. Of the rest, what does not fit into input was never part of it, or the total
                -- proves that it is beside it.
                not is_of_body and not is_of_buckets and n_cache > 0 and (
                    coalesce(n_cache > n_input, false)
                    or coalesce(n_total in (
                        n_input + coalesce(n_output, 0) + n_cache,
                        n_input + coalesce(n_output, 0) + n_cache + nullif(n_reasoning, 0)
                    ), false)
                    or coalesce(json_type(told_cache, '$.cacheCreationInputTokens') is not null, false)
                    or coalesce(regexp_full_match(lower(scope_name), {literal(EXCLUSIVE_SCOPES)}), false)
                ) as is_input_exclusive,
                not is_of_body and not is_of_buckets and (
                    coalesce(n_reasoning > 0 and n_total in (
                        coalesce(n_input, 0) + n_output + n_reasoning,
                        coalesce(n_input, 0) + n_output + n_reasoning + nullif(coalesce(n_cached, 0) + coalesce(n_write, 0), 0)
                    ), false)
                    or coalesce(n_reasoning > n_output, false)
                ) as is_output_exclusive
            from bucketed
        ),
        judged as (
            select *,
                case when is_input_exclusive and n_input is not null then (n_input + n_cache)::varchar else input_tokens end as all_input,
                case when is_output_exclusive and n_output is not null then (n_output + n_reasoning)::varchar else output_tokens end
                    as all_output,
                case
                    when input_tokens is null and output_tokens is null then null
                    when is_of_body then {SHAPE}
                    when is_input_exclusive then 'input_without_cache'
                    when buckets is not null then 'langfuse_otel'
                    when {_first(TOKENS["input_tokens"][:2])} is not null or {_first(TOKENS["output_tokens"][:2])} is not null
                        then 'otel_gen_ai'
                    when {_first(["llm.token_count.prompt", "llm.token_count.completion"])} is not null then 'openinference'
                    when {_first(["llm.usage.prompt_tokens", "llm.usage.completion_tokens"])} is not null then 'openllmetry'
                    else 'ai_sdk_otel'
                end as convention,
                nullif(span."endTimeUnixNano", '0') as end_nano,
                nullif(span."startTimeUnixNano", '0') as start_nano,
                coalesce(
                    try_cast(span."endTimeUnixNano" as hugeint) < try_cast(span."startTimeUnixNano" as hugeint)
                    and try_cast(span."endTimeUnixNano" as hugeint) > 0, false
                ) as is_reversed,
                nullif(concat_ws(',',
                    case when is_input_exclusive then 'input_without_cache' end,
                    case when is_output_exclusive then 'reasoning_beside_output' end,
                    case when is_of_buckets and bucket_reading <> 'beside' then 'buckets_within' end,
                    case when is_reversed then 'end_before_start' end
                ), '') as flags
            from read
        ),
    """


_KIND = f"""
    case
        when oi = 'embedding' or lf = 'embedding' or mark_mlflow = 'EMBEDDING' or regexp_matches(mark_ai_sdk, 'doEmbed$')
            or regexp_full_match(coalesce(op, rt), {literal(known_names.EMBEDDING_OPERATION)}) then 'embedding'
        when call_marker = 'call' and regexp_full_match(coalesce(op, rt), {literal(known_names.IMAGE_OPERATION)}) then 'image_generation'
        when call_marker = 'call' then 'completion'
        when oi = 'agent' or tl = 'agent' or op in ('invoke_agent', 'create_agent') or lf = 'agent'
            or mark_mlflow = 'AGENT' then 'agent'
        when oi = 'tool' or tl = 'tool' or op = 'execute_tool' or lf = 'tool' or mark_ai_sdk = 'ai.toolCall'
            or mark_mlflow = 'TOOL' then 'tool'
        when oi in ('retriever', 'reranker') or lf = 'retriever' or rt = 'rerank' or op = 'retrieval'
            or mark_mlflow in ('RETRIEVER', 'RERANKER')
            or database in ('pinecone', 'chroma', 'chromadb', 'qdrant', 'weaviate', 'milvus', 'lancedb', 'marqo') then 'retrieval'
        when oi = 'chain' or tl is not null or lf = 'chain' or mark_ai_sdk is not null or op = 'invoke_workflow'
            or mark_mlflow in ('CHAIN', 'WORKFLOW', 'TASK') then 'step'
        when op is null and oi is null and (list_contains(keys, 'agent_name') or list_contains(keys, 'gen_ai.agent.name')) then 'agent'
        when call_marker is null and (n_input is not null or n_output is not null) then 'completion'
        else 'other'
    end
"""


def _columns(convert: Convert) -> dict[str, str]:
    """SQL of the contract's columns."""
    del convert
    tool = """
        case
            when kind = 'completion' then 'AI Model'
            when kind = 'embedding' then 'Embedding'
            when kind = 'image_generation' then 'Image Generation'
            when kind = 'retrieval' then 'Retrieval'
            when kind = 'tool' then service_of_tool(coalesce(tool_name, span.name))
        end
    """
    is_failed = "span.status.code in ('2', 'STATUS_CODE_ERROR', 'ERROR', 'Error')"
    response_id = """
        coalesce(
            response_id,
            case when oi = 'llm' then id_of_answer(output_value) when call_marker = 'call' then id_of_answer(mlflow_output) end
        )
    """
    return {
        "span_id": 'otlp_id(span."spanId", 16)',
        "trace_id": "trace",
        "run_id": "trace",
        "parent_span_id": 'otlp_id(span."parentSpanId", 16)',
        "workspace_id": "coalesce(workspace_id, resource_workspace_id)",
        "name": "coalesce(nullif(span.name, ''), 'unnamed')",
        "kind": "kind",
        "service": tool,
        "provider": "case when coalesce(provider, model) is not null then provider_of(provider, coalesce(model, response_model)) end",
        "model": "model",
        "response_model": "case when response_model is distinct from model then response_model end",
        "service_tier": "service_tier",
        "charge_type": "coalesce(charge_type, resource_charge_type)",
        "status": f"case when {is_failed} then 'failed' when end_nano is null then 'running' else 'completed' end",
        "started_at": "start_nano",
        "ended_at": "case when not is_reversed then end_nano end",
        "attempt": "attempt",
        "input_tokens": "all_input",
        "cached_tokens": "cached_tokens",
        "cache_write_tokens": "cache_write_tokens",
        "cache_write_1h_tokens": f"coalesce({text_of('cache_write_1h_tokens')}, cache_write_1h_tokens)",
        # What an image generation made are image tokens, whatever its source calls them.
        "output_tokens": f"case when kind <> 'image_generation' or {text_of('image_tokens')} is not null then all_output end",
        "reasoning_tokens": "reasoning_tokens",
        "audio_input_tokens": "audio_input_tokens",
        "audio_output_tokens": "audio_output_tokens",
        **{
            name: text_of(name)
            for name in (
                "citation_tokens",
                "image_input_tokens",
                "web_search_count",
            )
        },
        "image_tokens": f"case when kind = 'image_generation' then coalesce({text_of('image_tokens')}, all_output)"
        f" else {text_of('image_tokens')} end",
        "reported_total_tokens": "reported_total_tokens",
        # An instrumentation that knows no price says nought.
        "provider_cost_usd": "case when try_cast(provider_cost_usd as double) is distinct from 0 then provider_cost_usd end",
        "error_message": f"case when {is_failed} then left(coalesce(nullif(span.status.message, ''), status_text), 2000) end",
        "response_id": response_id,
        "call_marker": "call_marker",
        "scope": "coalesce(nullif(scope_name, ''), 'otlp')",
        "session_id": "coalesce(session_id, resource_session_id)",
        # OpenLLMetry prints Python's None.
        "user_id": "coalesce(nullif(user_id, 'None'), resource_user_id)",
        "user_metadata": "case when is_object(user_metadata) then user_metadata end",
        "resource_id": "resource_id",
        "resource_name": "case when call_marker is distinct from 'call' then resource_name end",
        "api_key_id": "coalesce(api_key_id, resource_api_key_id)",
        "api_key_name": "coalesce(api_key_name, resource_api_key_name)",
        "collaborator": "coalesce(collaborator, resource_collaborator)",
        "deployment": "coalesce(deployment, resource_deployment)",
    }


def _attributes(convert: Convert) -> str:
    """What else a span said as a JSON object: no content, and nothing that has a column."""
    # Nulls are left out, which is cheaper than to filter the list first.
    others = joined_list(f"""list_transform(span.attributes, lambda a: case
        when list_contains({string_list(sorted(_NOT_KEPT))}, a.key) then null
        when is_content(a.key, a.value) then null
        else to_json(a.key)::varchar || ':' || otlp_json(a.value)
    end)""")
    if convert.keep_content:
        text = f"left(redacted(otlp_text(a.value)), {int(convert.content_max_characters)})"
        content = joined_list(f"""list_transform(
            list_filter(span.attributes, lambda a: coalesce(is_content(a.key, a.value), false)),
            lambda a: to_json(a.key)::varchar || ':' || to_json({text})::varchar
        )""")
        others = joined([others, f"'\"content\":{{' || {content} || '}}'"])
    return f"'{{' || {others} || '}}'"


_BUCKET_MACROS = (
    """
    create or replace temp macro bucket_sum(buckets, pattern) as
        case when buckets is not null then list_sum(list_transform(
            list_filter(map_entries(buckets), lambda e: regexp_matches(e.key, pattern)), lambda e: as_count(e.value)
        ))::bigint end
    """,
    # The total, or the parts that it would be made of.
    """
    create or replace temp macro cost_of(details) as
        coalesce(
            try(json_extract_string(details, '$.total')),
            try(list_sum(list_transform(
                map_values(from_json(details, '"MAP(VARCHAR, VARCHAR)"')), lambda v: v::decimal(38, 20)
            ))::varchar)
        )
    """,
)


def _table_of(names: Mapping[str, Sequence[str]]) -> str:
    rows = [
        f"| `{column}` | {', '.join(f'`{name}`' for name in sources)} |" for column, sources in names.items()
    ]
    return "\n".join(["| column | attributes, the first that is there |", "| --- | --- |", *rows])


_BODY_TABLE = "\n".join(
    ["| attribute | usage object at |", "| --- | --- |"]
    + [f"| `{name}` | `{path}` |" for name, path in USAGE_BODIES.items()]
)
_DOCUMENTATION = f"""Traces as OTLP/JSON: one `ExportTraceServiceRequest` per line, as the OpenTelemetry Collector's file exporter writes
them, or documents of any layout; `.gz` and `.zst` too.

```yaml
exporters:
  file:
    path: /var/lib/otelcol/traces.jsonl
    rotation: {{max_megabytes: 200}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
```

Drop rotated files into `landing/`. Metrics and logs in the same file are quarantined as `not_a_row`. Ids may be hexadecimal or
base64; names may be those of protobuf (`resource_spans`); times are nanoseconds. Read are the conventions of OpenTelemetry GenAI
(current and legacy), OpenInference, OpenLLMetry, the Vercel AI SDK, Logfire and Pydantic AI, MLflow, and Langfuse's own attributes.
All of them count cached reads and writes in the input; where only the opposite adds up, it is read that way and flagged.

What marks a call, the first of these that a span carries: `openinference.span.kind` LLM or EMBEDDING; `ai.operationId` ending in
doGenerate, doStream or doEmbed; `traceloop.span.kind` (never a call); `gen_ai.operation.name` and `llm.request.type` as
`{known_names.CALL_OPERATION}`;
`langfuse.observation.type` generation or embedding; `mlflow.spanType` CHAT_MODEL, LLM or EMBEDDING. An operation that names an agent,
a tool, a workflow and the like is none; one that is neither, such as a word of a framework's own, does not tell: then a span is a call
where it has usage and nothing below it has. For OpenInference the response id is looked for in the JSON of `output.value`, for MLflow
in that of `mlflow.spanOutputs`; a span of Google's ADK with `usage_metadata` in its answer is a call, and what Logfire sends when a
span begins is none.

The provider's own usage object, where a package keeps it, wins over attributes that leave some of it out or read it otherwise; its
shapes are those of docs/contract.md:

{_BODY_TABLE}

An object in `usage` beside `gen_ai.usage.*` is read, too. MLflow's `mlflow.chat.tokenUsage` comes after these; the cache is within its
input. What an image generation made are image tokens. Bedrock's instrumentations (botocore, OpenLLMetry) and OpenLIT's of Anthropic and
Bedrock write input without cached reads and writes under the inclusive name; they are known by their scope. A reported cost of 0 is
read as none: it is what an instrumentation says that knows no price.

{_table_of({**TOKENS, "provider_cost_usd": COST, **NAMES})}

Langfuse's `usage_details` are buckets beside each other, those with `input` in their name making the input; where only buckets within
`input` or `output` add up to its `total`, they are read that way and flagged. `cost_details` without a `total` are added up. A count of
`NaN`, `None` or `null` is none.

Other attributes are kept in `attributes` under their own names, unless they are content: what a convention or the last word of a
name says is one (`input`, `llm.openai.messages`, `mlflow.spanOutputs`), or JSON that holds messages, prompts and the like. Not there:
span links and events, links between traces (a trace is never a child run), images and audio beside their tokens.
"""

FORMAT = SourceFormat(
    documentation=_DOCUMENTATION,
    name="otlp",
    title="OpenTelemetry (OTLP/JSON)",
    detect=detect,
    spans=spans,
    row_count=row_count,
    conventions=CONVENTIONS,
    flags=FLAGS,
    are_records_long=True,
    macros=(*MACROS, *_BUCKET_MACROS),
    split_at=(
        *("resourceSpans[]", "resourceSpans[].scopeSpans[]", "resourceSpans[].scopeSpans[].spans[]"),
        *("resource_spans[]", "resource_spans[].scope_spans[]", "resource_spans[].scope_spans[].spans[]"),
    ),
)
