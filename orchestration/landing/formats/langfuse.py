"""Langfuse: observations and traces, from its API, its pages and its exports to blob storage.

What belongs here: which records are observations and traces, and what their fields become. What does not: token counts
(`langfuse_usage`), names of providers and tools (`names`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from orchestration.landing.contract import SPANS, Reason
from orchestration.landing.formats import langfuse_usage, names, objects, redaction
from orchestration.landing.formats.base import UNMOVED, Convert, Sniff, SourceFormat
from orchestration.sql import identifier, joined, joined_list, literal, string_list

FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "trace_id": ("traceId", "trace_id"),
    "parent_id": ("parentObservationId", "parent_observation_id"),
    "type": ("type",),
    "name": ("name",),
    "started": ("startTime", "start_time"),
    "ended": ("endTime", "end_time"),
    "timestamp": ("timestamp",),
    "latency": ("latency",),
    "level": ("level",),
    "status_message": ("statusMessage", "status_message"),
    "model": ("model", "providedModelName", "provided_model_name"),
    "model_id": ("internalModelId", "internal_model_id", "modelId", "model_id", "internalModel"),
    "project": ("projectId", "project_id"),
    "user_id": ("userId", "user_id"),
    "session_id": ("sessionId", "session_id"),
    "trace_name": ("traceName", "trace_name"),
    "release": ("release",),
    "version": ("version",),
    "environment": ("environment",),
    "tags": ("tags", "traceTags", "trace_tags"),
    "prompt_id": ("promptId", "prompt_id"),
    "prompt_name": ("promptName", "prompt_name"),
    "prompt_version": ("promptVersion", "prompt_version"),
    "metadata": ("metadata",),
    "output": ("output",),
    "usage_details": ("usageDetails", "usage_details"),
    "provided_usage": ("providedUsageDetails", "provided_usage_details"),
    "usage": ("usage",),
    "legacy_input": (
        "promptTokens",
        "prompt_tokens",
        "inputTokens",
        "input_tokens",
        "inputUsage",
        "input_usage",
    ),
    "legacy_output": (
        "completionTokens",
        "completion_tokens",
        "outputTokens",
        "output_tokens",
        "outputUsage",
        "output_usage",
    ),
    "legacy_total": ("totalTokens", "total_tokens", "totalUsage", "total_usage"),
    "cost_details": ("costDetails", "cost_details"),
    "total_cost": ("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost"),
    "input_cost": ("inputCost", "input_cost", "calculatedInputCost", "calculated_input_cost"),
    "output_cost": ("outputCost", "output_cost", "calculatedOutputCost", "calculated_output_cost"),
    # Told apart from observations and traces by these.
    "score": ("dataType", "data_type", "stringValue", "string_value"),
    "prompt": ("prompt",),
    "dataset": ("datasetId", "dataset_id", "datasetName", "dataset_name", "expectedOutput", "datasetRunId"),
    # Lists of observations and traces, and what may stand beside them.
    "observations": ("observations",),
    "data": ("data",),
    "traces": ("traces",),
    "trace": ("trace",),
}
"""Fields that are read, each with its spellings, best first: camelCase in the API and pages, snake_case in blob storage."""

KEPT = (
    "modelParameters",
    "model_parameters",
    "completionStartTime",
    "completion_start_time",
    "timeToFirstToken",
    "time_to_first_token",
    "usagePricingTierName",
    "usage_pricing_tier_name",
    "providedCostDetails",
    "provided_cost_details",
)
"""Further fields, kept in `attributes` by their own names. So is every field that nobody knows."""

LEFT_OUT = (
    # Content.
    "input",
    "toolDefinitions",
    "tool_definitions",
    "toolCalls",
    "tool_calls",
    "toolCallNames",
    "tool_call_names",
    # Said elsewhere in the row, or of the system that kept it.
    "createdAt",
    "created_at",
    "updatedAt",
    "updated_at",
    "bookmarked",
    "public",
    "htmlPath",
    "scores",
    "corrections",
    "comments",
    "externalId",
    "usagePricingTierId",
    "usage_pricing_tier_id",
    "inputPrice",
    "input_price",
    "outputPrice",
    "output_price",
    "totalPrice",
    "total_price",
)
"""Fields that are not kept: content, and what says nothing of usage."""

USAGE_INFERRED, END_BEFORE_START = "usage_inferred", "end_before_start"

_OF_RESOURCE = (
    "service.name",
    "deployment.environment.name",
    "deployment.environment",
    "credit_usage.workspace_id",
    "workspace.id",
    "workspace_id",
    "tenant.id",
    "credit_usage.api_key_id",
    "credit_usage.api_key_name",
    "credit_usage.charge_type",
    "credit_usage.collaborator",
)
_OF_SPAN = {
    "oi_kind": ("openinference.span.kind",),
    "ai_operation": ("ai.operationId",),
    "traceloop_kind": ("traceloop.span.kind",),
    "operation": ("gen_ai.operation.name",),
    "request_type": ("llm.request.type",),
    "response_id": ("gen_ai.response.id", "ai.response.id", "llm.openai.id", "llm.anthropic.id"),
    "answer": ("output.value",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "request_model": ("gen_ai.request.model", "ai.model.id", "llm.request.model"),
    "response_model": ("gen_ai.response.model", "ai.response.model", "llm.response.model"),
    "tool": ("gen_ai.tool.name", "tool.name", "ai.toolCall.name"),
    "agent": ("gen_ai.agent.name", "agent.name"),
    "session_id": ("session.id", "gen_ai.conversation.id"),
    "user_id": ("user.id",),
    "told_input": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
    ),
    "told_output": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "service_tier": (
        "gen_ai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.request.service_tier",
    ),
}
"""What is read from the original OpenTelemetry attributes, where `metadata.attributes` has them."""

_CREDIT_USAGE = tuple(name for name in _OF_RESOURCE if name.startswith("credit_usage."))
_SPAN_NAMES = tuple(name for spellings in _OF_SPAN.values() for name in spellings) + _CREDIT_USAGE
_META_NAMES = ("attributes", "resourceAttributes", "scope", "scope.name", "ls_provider", *_CREDIT_USAGE)

_USAGE_OF_TELEMETRY = (
    "gen_ai[.]usage|llm[.]token_count|llm[.]usage|ai[.]usage|langfuse[.]observation[.]usage|providerMetadata|"
    "usage_metadata"
)


def _structure(fields: Iterable[str]) -> str:
    return json.dumps(dict.fromkeys(fields, "VARCHAR"))


_READ = tuple(dict.fromkeys(name for spellings in FIELDS.values() for name in spellings))
_KNOWN = (*_READ, *LEFT_OUT)


def _first(spellings: Iterable[str], struct: str) -> str:
    parts = [f"nullif({struct}.{identifier(name)}, '')" for name in spellings]
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


MACROS = (
    *names.MACROS,
    *redaction.MACROS,
    *langfuse_usage.MACROS,
    *objects.MACROS,
    """
    create or replace temp macro with_observations(document) as
        case
            when json_type(document, '$.trace') = 'OBJECT'
                then list_concat([json_extract(document, '$.trace')::varchar], elements_of(document, '$.observations'))
            when json_type(document, '$.id') is null and json_type(document, '$.observations') = 'ARRAY'
                then elements_of(document, '$.observations')
            else list_concat([document], elements_of(document, '$.observations'))
        end
    """,
    """
    create or replace temp macro members_of(document) as
        case
            when json_type(document, '$.id') is null
                and (json_type(document, '$.data') = 'ARRAY' or json_type(document, '$.traces') = 'ARRAY')
                then list_concat(
                    flatten(list_transform(
                        list_concat(elements_of(document, '$.data'), elements_of(document, '$.traces')),
                        lambda e: with_observations(e)
                    )),
                    elements_of(document, '$.observations')
                )
            else with_observations(document)
        end
    """,
    # The same, counted.
    """
    create or replace temp macro rows_of(document) as
        count_of(document, '$.observations') + case
            when coalesce(json_type(document, '$.trace') = 'OBJECT', false) then 1
            when json_type(document, '$.id') is null and coalesce(json_type(document, '$.observations') = 'ARRAY', false) then 0
            else 1
        end
    """,
    """
    create or replace temp macro rows_of_document(document) as
        case
            when json_type(document, '$.id') is null
                and (
                    coalesce(json_type(document, '$.data') = 'ARRAY', false)
                    or coalesce(json_type(document, '$.traces') = 'ARRAY', false)
                )
                then count_of(document, '$.observations') + coalesce(list_sum(list_transform(
                    list_filter(
                        list_concat(
                            case when json_type(document, '$.data') = 'ARRAY' then json_extract(document, '$.data[*]') end,
                            case when json_type(document, '$.traces') = 'ARRAY' then json_extract(document, '$.traces[*]') end
                        ),
                        lambda e: json_type(e) <> 'VARCHAR'
                    ),
                    lambda e: rows_of(e)
                )), 0)
            else rows_of(document)
        end
    """,
)


_LISTS = "coalesce(r.observations, r.data, r.traces, r.trace)"


def _singles(records: str) -> str:
    """The records that are one observation or one trace, and what is none of both; what they say as the struct `r`."""
    return f"""
        select file_no, line_number, problem, record as raw, r
        from (select *, {UNMOVED} from ({_read(records)}))
        where {_LISTS} is null or unmoved
    """


def _read(records: str) -> str:
    structure = literal(_structure((*_READ, *KEPT)))
    return f"""
        select
            file_no,
            line_number,
            record,
            problem,
            case when problem is null and starts_with(ltrim(record), '{{') then try(from_json(record, {structure})) end as r
        from ({records})
    """


def _parts(records: str, condition: str = "true") -> str:
    """The records taken apart into observations and traces, in the form of `_singles`."""
    structure = literal(_structure((*_READ, *KEPT)))
    return f"""
        select file_no, line_number, problem, part.raw as raw, part.r as r
        from (
            select
                file_no,
                line_number,
                problem,
                unnest(case
                    when {_LISTS} is null then [{{'raw': record, 'r': r}}]
                    else list_transform(
                        members_of(record), lambda e: {{'raw': e, 'r': try(from_json(e, {structure}))}}
                    )
                end) as part
            from (select *, {UNMOVED} from ({_read(records)}))
            where {condition} or unmoved
        )
    """


def _row_count(records: str) -> str:
    """Rows by file: observations and traces counted by the types of the elements, where `_parts` makes texts of them."""
    return f"""
        select file_no, sum(case when not is_list then 1 else rows_of_document(record) end)::bigint
        from (
            select
                file_no,
                record,
                coalesce(
                    problem is null
                    and regexp_matches(record, '"(observations|data|traces?)"\\s*:\\s*[^n\\s]')
                    and starts_with(ltrim(record), '{{')
                    and json_valid(record),
                    false
                ) as is_list
            from ({records})
        )
        group by file_no
    """


def _spans(records: str, convert: Convert) -> str:
    return _columns(_judged(_named(_parts(records))), convert)


def _spans_of_singles(records: str, convert: Convert) -> str:
    return _columns(_judged(_named(_singles(records))), convert)


def _spans_of_lists(records: str, convert: Convert) -> str:
    return _columns(_judged(_named(_parts(records, f"{_LISTS} is not null"))), convert)


def _named(parts: str) -> str:
    """Fields by our names, the objects in `metadata` as structs, and whether the part is an observation or a trace."""
    fields = ", ".join(f"{_first(spellings, 'r')} as f_{name}" for name, spellings in FIELDS.items())
    span = literal(_structure(_SPAN_NAMES))
    flat_span = literal(_structure(f"attributes.{name}" for name in _SPAN_NAMES))
    resource = literal(_structure(_OF_RESOURCE))
    read = ", ".join(
        f"coalesce({_first(spellings, 'a')}, "
        + _first([f"attributes.{name}" for name in spellings], "flat_a")
        + f") as a_{name}"
        for name, spellings in _OF_SPAN.items()
    )
    return f"""
        select
            *,
            {read},
            case
                when r is null then {literal(Reason.NOT_JSON)}
                when coalesce(f_started, f_type) is not null and f_score is null and f_dataset is null then null
                when f_score is not null
                    then 'a Langfuse score is no observation and no trace; it says nothing of usage, and is left out'
                when f_dataset is not null then 'an item or run of a Langfuse dataset is no observation and no trace, and is left out'
                when f_prompt is not null then 'a Langfuse prompt is no observation and no trace, and is left out'
                when f_timestamp is null then 'neither a Langfuse observation (it has no startTime) nor a trace (it has no timestamp)'
            end as fault,
            f_timestamp is not null and coalesce(f_started, f_type) is null as is_trace
        from (
            select
                *,
                case when attributes_text is not null then try(from_json(attributes_text, {span})) end as a,
                case when attributes_text is null and contains(metadata_text, '"attributes.')
                    then try(from_json(metadata_text, {flat_span})) end as flat_a,
                case when resource_text is not null then try(from_json(resource_text, {resource})) end as ra,
                coalesce(
                    case when scope_text is not null then try(json_extract_string(scope_text, '$.name')) end, m."scope.name"
                ) as scope_name
            from (
                select
                    *,
                    object_text(m.attributes) as attributes_text,
                    object_text(m."resourceAttributes") as resource_text,
                    object_text(m.scope) as scope_text
                from (
                    select
                        *,
                        case when metadata_text is not null and metadata_text <> '{{}}'
                            then try(from_json(metadata_text, {literal(_structure(_META_NAMES))})) end as m
                    from (
                        select *, object_text(f_metadata) as metadata_text
                        from (select file_no, line_number, raw, problem, r, {fields} from ({parts}))
                    )
                )
            )
        )
    """


def _judged(named: str) -> str:
    """What the part is: its marker, usage and times."""
    of_operation = names.marker_of_operation("lower(a_operation)")
    embeddings = literal(names.EMBEDDING_OPERATION)
    inside = f"""
        select
            *,
            case when contains(usage_text, 'unit') or contains(usage_text, '\\')
                then upper(coalesce(nullif(try(json_extract_string(usage_text, '$.unit')), ''), 'TOKENS'))
                else 'TOKENS' end as unit,
            usage_text as usage
        from (
            select
                *,
                case
                    when length(f_usage_details) > 2 and starts_with(f_usage_details, '{{') then f_usage_details
                    when length(f_usage) > 2 and starts_with(f_usage, '{{')
                        and regexp_matches(f_usage, '[1-9]') then f_usage
                end as usage_text,
                case
                    when is_trace then 'not_call'
                    when a_oi_kind is not null then if(upper(a_oi_kind) in ('LLM', 'EMBEDDING'), 'call', 'not_call')
                    when starts_with(a_ai_operation, 'ai.')
                        then if(regexp_matches(a_ai_operation, '(doGenerate|doStream|doEmbed)$'), 'call', 'not_call')
                    when a_traceloop_kind is not null then 'not_call'
                    when {of_operation} is not null then {of_operation}
                    when regexp_full_match(lower(a_request_type), {literal(names.CALL_OPERATION)}) then 'call'
                    when upper(f_type) in ('GENERATION', 'EMBEDDING') then 'call'
                    when f_type is not null then 'not_call'
                end as call_marker,
                coalesce(
                    upper(a_oi_kind) = 'EMBEDDING'
                    or (a_oi_kind is null and (
                        contains(a_ai_operation, 'doEmbed')
                        or regexp_full_match(lower(a_operation), {embeddings})
                        or regexp_full_match(lower(a_request_type), {embeddings})
                        or (upper(f_type) = 'EMBEDDING' and coalesce(a_operation, a_ai_operation, a_request_type) is null)
                    )),
                    false
                ) as is_embedding,
                coalesce(a_request_model, f_model) as asked_model,
                case
                    when is_trace then f_timestamp
                    else f_started
                end as started,
                case
                    when is_trace then case when try_cast(f_latency as double) between 0 and 1e9
                        then (as_any_timestamp(f_timestamp) + to_microseconds((try_cast(f_latency as double) * 1e6)::bigint))::varchar end
                    when f_ended = '0' or starts_with(f_ended, '1970-01-01') then null
                    when f_ended is null and upper(f_type) = 'EVENT' then f_started
                    else f_ended
                end as ended
            from ({named})
        )
    """
    relation = f"""
        select
            * exclude (f_legacy_input, f_legacy_output, f_legacy_total),
            is_reversed(started, ended) as ends_early,
            case when f_legacy_total <> '0' or f_legacy_input <> '0' or f_legacy_output <> '0' then f_legacy_input end as legacy_input,
            case when f_legacy_total <> '0' or f_legacy_input <> '0' or f_legacy_output <> '0' then f_legacy_output end as legacy_output,
            case when f_legacy_total <> '0' or f_legacy_input <> '0' or f_legacy_output <> '0' then f_legacy_total end as legacy_total,
            a_told_input as told_input,
            a_told_output as told_output
        from ({inside})
    """
    return langfuse_usage.with_counts(relation)


def _cost() -> str:
    """The charge that the row reports, with the digits of the text. A zero beside no details means that Langfuse knows no price."""
    number = "(-?[0-9][0-9.eE+-]*)"
    spellings = "|".join(FIELDS["total_cost"])
    details = "|".join(FIELDS["cost_details"])
    at_top = literal(rf'"(?:{spellings})"\s*:\s*"?{number}')
    in_details = literal(rf'"(?:{details})"\s*:\s*\{{[^{{}}]*"total"\s*:\s*{number}')
    in_text = literal(rf'"total"\s*:\s*"?{number}')

    def exact(value: str, *found: str) -> str:
        arms = " ".join(
            f"when try_cast({text} as double) = try_cast({value} as double) then {text}" for text in found
        )
        return f"case when not (contains({value}, '.') or contains({value}, 'e')) then {value} {arms} else {value} end"

    total = "try(json_extract_string(f_cost_details, '$.total'))"
    return f"""case
        when f_total_cost is not null and (has_cost_details or try_cast(f_total_cost as double) is distinct from 0)
            then {exact("f_total_cost", f"regexp_extract(raw, {at_top}, 1)")}
        when has_cost_details and {total} is not null
            then {exact(total, f"regexp_extract(raw, {in_details}, 1)", f"regexp_extract(f_cost_details, {in_text}, 1)")}
        when try_cast(f_input_cost as decimal(38, 20)) + try_cast(f_output_cost as decimal(38, 20)) > 0
            then (try_cast(f_input_cost as decimal(38, 20)) + try_cast(f_output_cost as decimal(38, 20)))::varchar
    end"""


def _attributes(convert: Convert) -> str:
    """What has no column: flat, by the names it came by."""
    texts = {
        "level": "case when upper(f_level) not in ('DEFAULT', 'ERROR') then f_level end",
        "statusMessage": "case when upper(f_level) is distinct from 'ERROR' then f_status_message end",
        "environment": "f_environment",
        "release": "f_release",
        "version": "f_version",
        "promptName": "f_prompt_name",
        "promptVersion": "f_prompt_version",
        "traceName": "case when not is_trace then f_trace_name end",
        "completionStartTime": "coalesce(nullif(r.\"completionStartTime\", ''), nullif(r.completion_start_time, ''))",
        "timeToFirstToken": "coalesce(nullif(r.\"timeToFirstToken\", ''), nullif(r.time_to_first_token, ''))",
        "usagePricingTierName": "coalesce(nullif(r.\"usagePricingTierName\", ''), nullif(r.usage_pricing_tier_name, ''))",
    }
    parts = [
        f"case when {value} is not null then {literal(json.dumps(name) + ':')} || to_json({value})::varchar end"
        for name, value in texts.items()
    ]

    def as_it_is(name: str, text: str, taken_apart: str) -> str:
        plain = literal(r'[{](?:"[a-z_]{1,40}":[-0-9.eE+]{1,40}[,}])+')
        return f"case when regexp_full_match({text}, {plain}) then {literal(json.dumps(name) + ':')} || {text} else {taken_apart} end"

    # Numbers by simple names are kept as they are: to take every object apart cost 40 of 75 microseconds of CPU per observation.
    parts += [
        "case when parameters_text is not null then "
        + as_it_is(
            "modelParameters",
            "parameters_text",
            "flat_inside(parameters_text, 'modelParameters.', []::varchar[])",
        )
        + " end",
        "case when length(provided_text) > 2 then flat_scalars(provided_text, 'providedCostDetails.', []::varchar[]) end",
        "case when has_cost_details then "
        + as_it_is("costDetails", "f_cost_details", "flat_scalars(f_cost_details, 'costDetails.', ['total'])")
        + " end",
        "case when len(odd_usage_keys) > 0 then flat_scalars(usage, 'usageDetails.', "
        f"{string_list(langfuse_usage.KNOWN)}) end",
        # Most metadata is Langfuse's own, and nothing is left of it.
        "case when own_metadata is not null then flat_inside(own_metadata, 'metadata.', "
        f"{string_list(_META_NAMES)}) end",
        f"case when attributes_text is not null then flat_inside(attributes_text, '', {string_list(_SPAN_NAMES)}) end",
        "case when len(odd_keys) > 0 then "
        + joined_list("""list_transform(
            odd_keys,
            lambda k: to_json(k)::varchar || ':' || strict_json(
                json_extract(raw, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::varchar
            )
        )""")
        + " end",
    ]
    if convert.keep_content:
        texts_ = [
            f"""case when {value} is not null then {literal(json.dumps(name) + ":")}
                || to_json(left(redacted({value}), {convert.content_max_characters}))::varchar end"""
            for name, value in (("input", "try(json_extract_string(raw, '$.input'))"), ("output", "f_output"))
        ]
        parts.append(f"'\"content\":{{' || {joined(texts_)} || '}}'")
    return f"'{{' || {joined(parts)} || '}}'"


def _own_metadata() -> str:
    """The metadata, where there is any but Langfuse's own; a patch of nulls takes that out, so that less is taken apart."""
    patch = literal(json.dumps(dict.fromkeys(_META_NAMES)))
    return f"""case when has_own_metadata then
        case when has_nan(metadata_text) or contains(metadata_text, 'null') then metadata_text
            else try(json_merge_patch(metadata_text, {patch}))::varchar end
    end"""


def _columns(judged: str, convert: Convert) -> str:
    """The plain text rows."""
    parameters = 'object_text(coalesce(r."modelParameters", r.model_parameters))'
    deployment = """coalesce(
        f_release,
        f_version,
        nullif(f_environment, 'default'),
        ra."deployment.environment.name",
        ra."deployment.environment"
    )"""

    def credit(name: str) -> str:
        key = identifier(f"credit_usage.{name}")
        flat = identifier(f"attributes.credit_usage.{name}")
        return f"nullif(coalesce(m.{key}, a.{key}, flat_a.{flat}, ra.{key}), '')"

    kind = """case
        when is_trace then 'run'
        when call_marker = 'call' and is_embedding then 'embedding'
        when call_marker = 'call' then if(is_image, 'image_generation', 'completion')
        when a_oi_kind is not null then case upper(a_oi_kind)
            when 'AGENT' then 'agent' when 'TOOL' then 'tool' when 'RETRIEVER' then 'retrieval' when 'CHAIN' then 'step' else 'other' end
        when starts_with(a_ai_operation, 'ai.') then if(contains(a_ai_operation, 'toolCall'), 'tool', 'step')
        when a_traceloop_kind is not null then case lower(a_traceloop_kind)
            when 'agent' then 'agent' when 'tool' then 'tool' when 'workflow' then 'step' when 'task' then 'step' else 'other' end
        when a_operation is not null and regexp_matches(lower(a_operation), 'agent') then 'agent'
        when a_operation is not null and regexp_matches(lower(a_operation), 'tool') then 'tool'
        when a_operation is not null and regexp_matches(lower(a_operation), 'retriev') then 'retrieval'
        when a_operation is not null and regexp_matches(lower(a_operation), 'chain|workflow|task') then 'step'
        else case upper(f_type)
            when 'AGENT' then 'agent' when 'TOOL' then 'tool' when 'RETRIEVER' then 'retrieval' when 'CHAIN' then 'step' else 'other' end
    end"""
    metadata = [
        """case when tags_text(f_tags) is not null then '"tags":' || to_json(tags_text(f_tags))::varchar end""",
        "case when metadata_text <> '{}' "
        f"then flat_scalars(metadata_text, '', {string_list((*_META_NAMES, 'tags'))}) end",
    ]
    columns = {
        "span_id": "f_id",
        "trace_id": "if(is_trace, f_id, f_trace_id)",
        "run_id": "if(is_trace, f_id, coalesce(f_trace_id, f_id))",
        "workspace_id": "coalesce("
        + credit("workspace_id")
        + ', ra."workspace.id", ra.workspace_id, ra."tenant.id")',
        "parent_span_id": "case when not is_trace then f_parent_id end",
        "name": "coalesce(f_name, if(is_trace, 'trace', lower(f_type)), 'observation')",
        "kind": "kind",
        "service": """case kind
            when 'completion' then 'AI Model'
            when 'embedding' then 'Embedding'
            when 'image_generation' then 'Image Generation'
            when 'tool' then service_of_tool(tool_name)
            when 'retrieval' then 'Retrieval'
        end""",
        "provider": "case when call_marker = 'call' or asked_model is not null or a_provider is not null "
        "then provider_of(told_provider, told_model) end",
        "model": "asked_model",
        "response_model": "nullif(coalesce(a_response_model, case when a_request_model is not null then f_model end), asked_model)",
        "service_tier": "a_service_tier",
        "charge_type": credit("charge_type"),
        "status": """case
            when upper(f_level) = 'ERROR' and not is_trace then 'failed'
            when is_trace or ended is not null then 'completed'
            else 'running'
        end""",
        "started_at": "started",
        "ended_at": "case when not ends_early then ended end",
        "input_tokens": "case when unit = 'TOKENS' then input_tokens end",
        "cached_tokens": "cached_tokens",
        "cache_write_tokens": "cache_write_tokens",
        "cache_write_1h_tokens": "cache_write_1h_tokens",
        "output_tokens": "case when unit = 'TOKENS' then output_tokens end",
        "reasoning_tokens": "reasoning_tokens",
        "image_tokens": "image_tokens",
        "audio_input_tokens": "audio_input_tokens",
        "image_input_tokens": "image_input_tokens",
        "audio_output_tokens": "audio_output_tokens",
        "reported_total_tokens": "case when unit = 'TOKENS' then reported_total_tokens end",
        "units": "case when unit <> 'TOKENS' then coalesce(reported_total_tokens, output_tokens, input_tokens) end",
        "provider_cost_usd": _cost(),
        "error_message": "case when upper(f_level) = 'ERROR' and not is_trace then f_status_message end",
        "response_id": "case when call_marker = 'call' then coalesce(a_response_id, id_of_answer(f_output), id_of_answer(a_answer)) end",
        "call_marker": "call_marker",
        "scope": "coalesce(scope_name, 'langfuse')",
        "session_id": "coalesce(f_session_id, a_session_id)",
        "user_id": "coalesce(f_user_id, a_user_id)",
        "user_metadata": f"case when is_trace or f_parent_id is null then '{{' || {joined(metadata)} || '}}' end",
        "resource_id": "case when call_marker = 'call' and f_parent_id is null then f_prompt_id end",
        "resource_name": "case when kind = 'agent' then a_agent when call_marker = 'call' and f_parent_id is null then f_prompt_name end",
        "api_key_id": credit("api_key_id"),
        "api_key_name": credit("api_key_name"),
        "collaborator": credit("collaborator"),
        "deployment": deployment,
    }
    texts = ",\n".join(
        f"{columns.get(item.name, 'null::varchar')} as {identifier(item.name)}"
        for item in SPANS.plain.columns
    )
    inferred = f"""case
        when coalesce(x_input, x_output) is null or is_trace then null
        when length(r."providedUsageDetails") > 2 or length(r.provided_usage_details) > 2 then null
        when coalesce(r."providedUsageDetails", r.provided_usage_details) = '{{}}' then {literal(USAGE_INFERRED)}
        when attributes_text is not null and f_model_id is not null and not coalesce(has_parts, false)
            and not regexp_matches(attributes_text, {literal(_USAGE_OF_TELEMETRY)}) then {literal(USAGE_INFERRED)}
    end"""
    return f"""
        select
            file_no,
            line_number,
            raw,
            coalesce(problem, fault) as problem,
            null::varchar[] as not_text,
            token_convention,
            {joined([f"case when ends_early then {literal(END_BEFORE_START)} end", "usage_flags", inferred])} as flags,
            case when fault is null then {_attributes(convert)} end as attributes,
            f_project as project,
            nullif(ra."service.name", 'unknown_service') as service_name,
            {texts}
        from (
            select *, {kind} as kind, {_own_metadata()} as own_metadata
            from (
                select
                    *,
                    case when fault is null
                        then list_filter(json_keys(raw), lambda k: not list_contains({string_list((*_KNOWN, *KEPT))}, k)) end as odd_keys,
                    case when m is not null and not is_trace
                        then len(list_filter(json_keys(metadata_text), lambda k: not list_contains({string_list(_META_NAMES)}, k))) > 0
                    end as has_own_metadata,
                    case when length({parameters}) > 2 then {parameters} end as parameters_text,
                    coalesce(r."providedCostDetails", r.provided_cost_details) as provided_text,
                    -- What macros mention again and again.
                    coalesce(a_provider, m.ls_provider) as told_provider,
                    coalesce(asked_model, a_response_model) as told_model,
                    coalesce(a_tool, regexp_replace(f_name, '^execute_tool ', '')) as tool_name,
                    length(f_cost_details) > 2 and starts_with(f_cost_details, '{{') as has_cost_details,
                    call_marker = 'call' and coalesce(regexp_matches(lower(asked_model), {literal(names.IMAGE_MODELS)}), false) as is_image
                from ({judged})
            )
        )
    """


def _detect(sniff: Sniff) -> bool:
    return any(
        _is_ours(sniff.paths, prefix)
        for prefix in ("", "data[].", "observations[].", "data[].observations[].", "traces[].")
    )


def _is_ours(paths: frozenset[str], prefix: str) -> bool:
    def has(*spellings: str) -> bool:
        return any(prefix + name in paths for name in spellings)

    if has("span_id", "spanId", "run_id", "request_id") or not has("id", "prompt", "name"):
        return False
    is_observation = has("traceId", "trace_id") and has("type") and has("startTime", "start_time")
    is_trace = (
        has("timestamp")
        and not has("traceId", "trace_id", "duration")
        and has(
            "projectId",
            "project_id",
            "sessionId",
            "session_id",
            "userId",
            "user_id",
            "bookmarked",
            "observations",
        )
    )
    is_score = (
        has("dataType", "data_type")
        and has("value")
        and has("traceId", "trace_id", "observationId", "observation_id")
    )
    is_dataset = has("datasetId", "dataset_id") and has("expectedOutput", "expected_output")
    is_prompt = has("prompt") and has("labels") and has("version")
    return is_observation or is_trace or is_score or is_dataset or is_prompt


FORMAT = SourceFormat(
    name="langfuse",
    title="Langfuse",
    detect=_detect,
    spans=_spans,
    row_count=_row_count,
    halves=(_spans_of_singles, _spans_of_lists),
    conventions=langfuse_usage.CONVENTIONS,
    flags={
        **langfuse_usage.FLAGS,
        USAGE_INFERRED: "Langfuse counted the tokens itself, from the texts: the provider may have billed others",
        END_BEFORE_START: "the end lies before the start, and was left out",
    },
    macros=MACROS,
    split_at=("data", "data[].observations", "traces", "traces[].observations", "observations"),
)
