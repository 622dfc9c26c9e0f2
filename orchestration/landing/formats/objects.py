"""SQL macros on JSON texts that several formats share.

What belongs here: taking objects and lists out of texts, and making flat ones of them. What does not: which field means what (the
formats).
"""

from __future__ import annotations

from orchestration.sql import literal

_CONTENT = (
    r"(^|[._])(input|output|prompts?|completions?|messages?|content|contents|events?|history|documents?|arguments|args|result|"
    r"results|text|tools|functions?|(system_)?instructions?|llm_request|llm_response|tool_response|json_schema|query)([._]|$)"
)
"""Names of attributes and metadata that hold what people and models wrote."""
_LONGEST_VALUE = 300
"""Characters. What is longer is content whatever its name is."""

MACROS = (
    # An object's own text, where a text holds it; exports of blob storage keep nested values as texts.
    """
    create or replace temp macro object_text(t) as
        case
            when starts_with(t, '{') then t
            when starts_with(t, '"') then try(json_extract_string(t, '$'))
            when starts_with(ltrim(t), '{') then ltrim(t)
        end
    """,
    # The elements of a list; ids of observations are no observations.
    """
    create or replace temp macro elements_of(document, path) as
        case
            when json_type(document, path) = 'ARRAY'
                then list_filter(json_extract(document, path || '[*]')::varchar[], lambda e: not starts_with(e, '"'))
            else []::varchar[]
        end
    """,
    # The same, counted.
    """
    create or replace temp macro count_of(document, path) as
        coalesce(len(list_filter(
            case when json_type(document, path) = 'ARRAY' then json_type(document, path || '[*]') end, lambda t: t <> 'VARCHAR'
        )), 0)
    """,
    # The provider's id of an answer, as its body says it; an `id` in an answer that a model wrote as JSON is none, nor is the list by which
    # LangChain names a class.
    """
    create or replace temp macro id_of_answer(body) as
        case
            when not contains(body, '"id"') then null
            when contains(body, '"response_metadata"')
                then try(json_extract_string(body, '$..response_metadata.id')[1])
            when starts_with(ltrim(body), '{')
                and regexp_matches(body, '"(choices|object|usage|usage_metadata|usageMetadata|stop_reason|modelVersion)"\\s*:')
                and coalesce(try(
                    json_type(body, '$.id') = 'VARCHAR'
                    and (
                        coalesce(json_type(body, '$.choices') = 'ARRAY', false)
                        or coalesce(json_type(body, '$.usage') = 'OBJECT', false)
                        or coalesce(json_type(body, '$.usage_metadata') = 'OBJECT', false)
                        or coalesce(json_type(body, '$.usageMetadata') = 'OBJECT', false)
                        or coalesce(json_extract_string(body, '$.object') in ('chat.completion', 'text_completion', 'response'), false)
                        or coalesce(json_extract_string(body, '$.type') = 'message', false)
                    )
                ), false)
                then try(json_extract_string(body, '$.id'))
        end
    """,
    """
    create or replace temp macro is_reversed(started, ended) as
        case
            when ended is null or started is null then false
            when length(started) = length(ended)
                and (ends_with(started, 'Z') and ends_with(ended, 'Z') or length(started) = 26 and started[11] = ' ')
                then ended < started
            else coalesce(as_any_timestamp(ended) < as_any_timestamp(started), false)
        end
    """,
    # Flat members of an object, as the inside of another: numbers, booleans and texts that are no content.
    f"""
    create or replace temp macro flat_inside(object, prefix, unless) as
        list_aggr(list_transform(
            list_filter(
                map_entries(try(from_json(object, '"MAP(VARCHAR,JSON)"'))),
                lambda e: e.value is not null and e.value::varchar not in ('null', '""', '[]', '{{}}')
                    and length(e.value::varchar) <= {_LONGEST_VALUE}
                    and not list_contains(unless, e.key)
                    and not regexp_matches(lower(e.key), {literal(_CONTENT)})
            ),
            lambda e: to_json(prefix || e.key)::varchar || ':' || case
                when starts_with(e.value::varchar, '{{') or starts_with(e.value::varchar, '[') then to_json(e.value::varchar)::varchar
                else strict_json(e.value::varchar)
            end
        ), 'string_agg', ',')
    """,
    # Members of an object of the caller's own: whatever they are called, as long as they are no text to read.
    f"""
    create or replace temp macro flat_scalars(object, prefix, unless) as
        list_aggr(list_transform(
            list_filter(
                map_entries(try(from_json(object, '"MAP(VARCHAR,JSON)"'))),
                lambda e: e.value is not null and left(e.value::varchar, 1) not in ('{{', '[') and e.value::varchar not in ('null', '""')
                    and length(e.value::varchar) <= {_LONGEST_VALUE}
                    and not list_contains(unless, e.key)
            ),
            lambda e: to_json(prefix || e.key)::varchar || ':' || strict_json(e.value::varchar)
        ), 'string_agg', ',')
    """,
    # User agents are tags that the gateway adds itself.
    """
    create or replace temp macro tags_text(tags) as
        case
            when starts_with(tags, '[') then nullif(list_aggr(
                list_filter(try(from_json(tags, '["VARCHAR"]')), lambda t: not starts_with(t, 'User-Agent:')), 'string_agg', ', '
            ), '')
            else nullif(tags, '')
        end
    """,
)
