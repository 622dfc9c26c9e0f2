"""From text rows to typed rows of the contract, and to the reasons why a row is not one. SQL is generated
from it.

Two statements per entity share their rules: `typed` yields the rows that conform (the normal path, one
streaming pass), `rejected` the others with field, reason and message (run only for a source that has some).
"""

from __future__ import annotations

import json

from orchestration.landing import contract, usage_shapes
from orchestration.landing.contract import LAKE_TYPES, NATIVE, USAGE, Entity, Field, Kind, Reason
from orchestration.landing.formats.base import UNMOVED
from orchestration.sql import identifier, joined, literal, string_list

LINEAGE_COLUMNS = ("file_no",)
TELLING_COLUMNS = ("source_format", "token_convention")
"""Columns that tell how a row was written. Two rows that differ in nothing else say the same."""

_NUMBER = r"\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\s*"

# Text to values. The quick test first (the canonical spelling of a bigint), the pattern only for the rest:
# '12.5', '1_000' and '0x10' would otherwise be rounded or accepted by the cast. A number too large for its
# type becomes one that is out of range, so that it is told apart from a text that is no number. Money keeps
# 28 decimals until it is rounded half-even, once.
MACROS = (
    f"""
    create or replace temp macro as_count(t) as
        case
            when t is null then null
            when try_cast(t as bigint)::varchar = t then try_cast(t as bigint)
            when not regexp_full_match(t, {literal(_NUMBER)}) then null
            when abs(try_cast(t as double)) > 1e15 then -1
            when try_cast(t as double) = trunc(try_cast(t as double))
                then try_cast(try_cast(t as double) as bigint)
        end
    """,
    f"""
    create or replace temp macro as_decimal(t) as
        case
            when t is null then null
            when regexp_full_match(t, {literal(_NUMBER)}) then coalesce(try_cast(
                -- What is beyond 28 decimals must not be rounded first: that it is there is all that it can say.
                case when length(t) > 30 then regexp_replace(t, '([.][0-9]{{27}})[0-9]*[1-9][0-9]*', '\\11') else t end
                as decimal(38, 28)
            ), -1)
        end
    """,
    # ISO 8601 allows a comma for the point, lower-case letters and the minus sign U+2212.
    """
    create or replace temp macro as_timestamp(t) as
        (case
            when try_cast(t as timestamptz) is not null then try_cast(t as timestamptz)
            when t is not null then try_cast(
                replace(replace(replace(upper(trim(t)), ',', '.'), ' +', '+'), chr(8722), '-') as timestamptz
            )
        end) at time zone 'UTC'
    """,
    # Other formats also count from 1970, in seconds, milli-, micro- or nanoseconds: the number of digits tells, from 2001 to 2286.
    """
    create or replace temp macro as_any_timestamp(t) as
        case
            -- The usual case before the pattern. A date and a time of 19 characters is no number.
            when length(t) = 19 and try_cast(t as bigint) is not null then make_timestamp(try_cast(t as bigint) // 1000)
            when not regexp_full_match(t, '[0-9]{10,19}([.][0-9]+)?') then as_timestamp(t)
            when length(t) = 19 then make_timestamp(try_cast(t as bigint) // 1000)
            when length(t) = 16 then make_timestamp(try_cast(t as bigint))
            when length(t) = 13 then make_timestamp(try_cast(t as bigint) * 1000)
            else make_timestamp(try_cast(try_cast(t as decimal(30, 12)) * 1000000 as bigint))
        end
    """,
    """
    create or replace temp macro is_object(t) as
        case when starts_with(ltrim(t), '{') then json_valid(t) and not has_nan(t) else false end
    """,
    "create or replace temp macro inside(t) as nullif(trim(substr(trim(t), 2, length(trim(t)) - 2)), '')",
    *usage_shapes.MACROS,
)


def _nested_sources(entity: Entity) -> dict[str, list[str]]:
    """Source fields that may hold an object, with the keys that are read from it."""
    nested: dict[str, list[str]] = {}
    for item in entity.fields:
        for source in item.read_from:
            name, dot, key = source.partition(".")
            if dot:
                nested.setdefault(name, []).append(key)
    return nested


def _object(name: str) -> str:
    """Column with the object that a source field holds, or null."""
    return identifier("o_" + name)


def _part(entity: Entity, item: Field, source: str) -> str:
    """The field's text from one source; an empty text in one place must not hide a value in the next."""
    name, _, key = source.partition(".")
    text = identifier(name)
    if source == USAGE and item.is_column:
        text = usage_shapes.text_of(item.name)
    elif key:
        path = literal("$." + key)
        text = f"case when {_object(name)} is not null then json_extract_string({_object(name)}, {path}) end"
    elif name in _nested_sources(entity):
        text = f"case when {_object(name)} is null then {text} end"
    return f"nullif({text}, '')"


def _cleaned(entity: Entity, item: Field) -> str:
    """The field's text from the first source that has one."""
    if item not in entity.read_fields:
        return "null::varchar"
    parts = [_part(entity, item, source) for source in item.read_from]
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _token_convention(entity: Entity) -> str:
    """The convention of the first token class that is there."""
    arms: list[tuple[str, list[str]]] = []
    for name in entity.token_classes:
        item = entity.field(name)
        for source in item.read_from:
            word = usage_shapes.SHAPE if source == USAGE else literal(contract.convention_of(source).name)
            if not arms or arms[-1][0] != word:
                arms.append((word, []))
            arms[-1][1].append(_part(entity, item, source))
    tests = [(word, parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})") for word, parts in arms]
    return f"case {' '.join(f'when {test} is not null then {word}' for word, test in tests)} end"


def _value(entity: Entity, item: Field) -> str:
    """The typed value of the text `t_<name>`; null where it cannot be read. Money is not rounded yet."""
    text = identifier("t_" + item.name)
    by_kind = {
        Kind.COUNT: f"as_count({text})",
        Kind.MONEY: f"as_decimal({text})",
        Kind.CREDITS: f"as_decimal({text})",
        Kind.TIMESTAMP: f"as_any_timestamp({text})" if entity.is_plain else f"as_timestamp({text})",
        # Minified, so that the same object is the same text from every format.
        Kind.OBJECT: f"case when is_object({text}) then json({text})::varchar end",
    }
    if item.kind in by_kind:
        return by_kind[item.kind]
    if not item.vocabulary and not item.spellings:
        return text
    word = f"lower(trim({text}))"
    for spelling, ours in item.spellings.items():
        word = f"case when lower(trim({text})) = {literal(spelling)} then {literal(ours)} else {word} end"
    if item.vocabulary and item.fallback:
        fallback = literal(item.fallback)
        return f"case when {_is_word(item, word)} then {word} when {text} is not null then {fallback} end"
    return word


def _stored(item: Field) -> str:
    """What the lake keeps of the typed value."""
    value = identifier(item.name)
    if item.kind is Kind.MONEY:
        return f"round_even({value}, 12)"
    return f"round_even({value}, 6)" if item.kind is Kind.CREDITS else value


def _is_word(item: Field, value: str) -> str:
    """Condition that the value is in the vocabulary."""
    return f"list_contains({string_list(item.vocabulary)}, {value})"


def _was_replaced(item: Field) -> str:
    """Condition that a fallback stands where another word was given."""
    return f"{identifier(item.name)} <> lower(trim({identifier('t_' + item.name)}))"


# What a typed field may not be, as (reason, condition that it is broken, message before the given text).
_Rule = tuple[Reason, str, str]


def _rules(item: Field) -> list[_Rule]:
    text, value = identifier("t_" + item.name), identifier(item.name)
    unread = f"{text} is not null and {value} is null"
    low, high = literal(contract.MIN_TIMESTAMP), literal(contract.MAX_TIMESTAMP)
    typed: dict[Kind, list[_Rule]] = {
        Kind.COUNT: [
            (Reason.WRONG_TYPE, unread, "is not a whole number"),
            (
                Reason.IMPOSSIBLE_VALUE,
                f"{value} not between 0 and {contract.MAX_COUNT}",
                "is not between 0 and 10^12",
            ),
        ],
        Kind.MONEY: [
            (Reason.WRONG_TYPE, unread, "is not a number"),
            (
                Reason.IMPOSSIBLE_VALUE,
                f"{value} not between 0 and {contract.MAX_MONEY_USD}",
                "is not between 0 and 10^9",
            ),
        ],
        Kind.CREDITS: [
            (Reason.WRONG_TYPE, unread, "is not a number"),
            (
                Reason.IMPOSSIBLE_VALUE,
                f"{value} not between 0 and {contract.MAX_CREDITS}",
                "is not between 0 and 10^9",
            ),
        ],
        Kind.TIMESTAMP: [
            (Reason.WRONG_TYPE, unread, "is not an ISO-8601 time"),
            (
                Reason.IMPOSSIBLE_VALUE,
                f"not ({value} >= timestamp {low} and {value} < timestamp {high})",
                "is not between 2000 and 2099",
            ),
        ],
        Kind.OBJECT: [(Reason.WRONG_TYPE, unread, "is not a JSON object")],
        Kind.TEXT: [],
    }
    rules = typed[item.kind]
    if item.kind is Kind.TEXT and item.required:
        rules = [(Reason.WRONG_TYPE, f"list_contains(not_text, {literal(item.name)})", "is not a text")]
    if item.vocabulary and not item.fallback:
        allowed = ", ".join(item.vocabulary)
        rules = [*rules, (Reason.UNKNOWN_VALUE, f"not {_is_word(item, value)}", f"is none of {allowed}")]
    return rules


def _faults(entity: Entity) -> list[tuple[Field, Reason, str, str]]:
    """Every rule as (field, reason, condition that it is broken, message), in the contract's order."""
    faults: list[tuple[Field, Reason, str, str]] = []
    for item in entity.read_fields:
        text = identifier("t_" + item.name)
        if item.required:
            missing = literal(f"required field '{item.name}' is missing")
            faults.append((item, Reason.MISSING_FIELD, f"{text} is null", missing))
        for reason, condition, words in _rules(item):
            prefix = literal(f"'{item.name}' {words}: ")
            faults.append((item, reason, condition, f"{prefix} || left({text}, 100)"))
    start, end = entity.field(entity.start), entity.field(entity.end)
    reversed_ = f"{identifier(end.name)} < {identifier(start.name)}"
    message = literal(f"'{end.name}' lies before '{start.name}'")
    faults.append((end, Reason.IMPOSSIBLE_VALUE, reversed_, message))
    return faults


def _typed(entity: Entity, text_rows: str) -> str:
    """Typed values beside the cleaned texts and what is left over for `attributes`."""
    cleaned = ",\n".join(
        f"{_cleaned(entity, item)} as {identifier('t_' + item.name)}" for item in entity.fields
    )
    values = ",\n".join(f"{_value(entity, item)} as {identifier(item.name)}" for item in entity.columns)
    if entity.is_plain:
        return f"""
            select *, {values}, {UNMOVED}
            from (
                select
                    file_no, line_number, raw, problem, not_text, token_convention, flags, attributes, {cleaned}
                from ({text_rows})
            )
        """
    nested = _nested_sources(entity)
    objects = "".join(
        f", case when is_object({identifier(name)}) then {identifier(name)} end as {_object(name)}"
        for name in nested
    )
    rows = f"select *{objects} from ({text_rows})"
    own = ""
    if entity.usage:
        body = _object(USAGE)
        # Minified, so that the same body is the same text from every format.
        rows = (
            f"select *, case when is_object({USAGE}) then json({USAGE})::varchar end as {body} from ({rows})"
        )
        rows = usage_shapes.with_reading(rows, body, f"raw || {USAGE}")
        unknown = f"{usage_shapes.SHAPE} is null and {usage_shapes.text_of('provider_cost_usd')} is null and {body} <> '{{}}'"
        own = f"{body} as {USAGE}, {unknown} as is_usage_unknown,"
    if entity.token_classes:
        own += f"{_token_convention(entity)} as token_convention,"
    leftovers = [
        f"case when {_object(name)} is not null and "
        f"not list_has_all({string_list(keys)}, json_keys({_object(name)})) "
        f"then {literal(json.dumps(name) + ':')} || {_object(name)} end"
        for name, keys in nested.items()
    ]
    if entity.usage:
        leftovers.append(f"{literal(json.dumps(USAGE) + ':')} || {_object(USAGE)}")
    leftover = joined(leftovers) if leftovers else "null::varchar"
    return f"""
        select *, {values}, {UNMOVED}
        from (
            select
                file_no,
                line_number,
                raw,
                problem,
                not_text,
                extra,
                unknown_keys,
                attributes as given_attributes,
                {leftover} as leftover,
                {own}
                {cleaned}
            from ({rows})
        )
    """


def _attributes(entity: Entity) -> str:
    """What the row's own `attributes` held, unknown fields and originals that a fallback replaced, as JSON
    text.

    The row's own keys stay at the top unless one of the others has the same name; then they go one level
    down.
    """
    if entity.is_plain:
        return "attributes"
    replaced = [item for item in entity.fields if item.fallback]
    kept = [
        f"case when {_was_replaced(item)} then {literal(json.dumps(item.name) + ':')} "
        f"|| to_json({identifier('t_' + item.name)})::varchar end"
        for item in replaced
    ]
    ours = string_list([*_nested_sources(entity), *(item.name for item in replaced)])
    collides = f"list_has_any(list_concat(unknown_keys, {ours}), json_keys(given_attributes))"
    if entity.usage:
        collides += (
            f" or ({USAGE} is not null and list_contains(json_keys(given_attributes), {literal(USAGE)}))"
        )
    own = f"""case
        when given_attributes is null or given_attributes = '' then null
        when not is_object(given_attributes) then '"attributes":' || case
            when starts_with(ltrim(given_attributes), '[') and json_valid(given_attributes)
                then strict_json(given_attributes)
            else to_json(given_attributes)::varchar
        end
        when {collides} then '"attributes":' || given_attributes
        else inside(given_attributes)
    end"""
    return f"'{{' || {joined([own, 'extra', 'leftover', *kept])} || '}}'"


def _flags(entity: Entity) -> str:
    """The names of the row's flags, comma separated."""
    flags = {s.flag: f"{identifier(s.part)} > coalesce({identifier(s.whole)}, 0)" for s in entity.subsets}
    for rule in entity.disjoint:
        whole, *parts = (f"coalesce({identifier(name)}, 0)" for name in (rule.whole, *rule.parts))
        # Each alone has its own flag.
        flags[rule.flag] = " and ".join(
            [f"{' + '.join(parts)} > {whole}", *(f"{part} <= {whole}" for part in parts)]
        )
    for total in entity.totals:
        counted = " + ".join(f"coalesce({identifier(name)}, 0)" for name in total.parts)
        flags[total.flag] = f"{identifier(total.total)} <> {counted}"
    flags |= {f"unknown_{item.name}": _was_replaced(item) for item in entity.fields if item.fallback}
    if entity.usage:
        flags[contract.UNKNOWN_USAGE] = "is_usage_unknown"
    if not flags:
        return "null::varchar"
    names = [f"case when {condition} then {literal(flag)} end" for flag, condition in flags.items()]
    return joined([*names, "flags"] if entity.is_plain else names)


def lake_columns(entity: Entity) -> dict[str, str]:
    """Columns of a lake part and their SQL types, lineage first."""
    return {
        "file_no": "integer",
        **{item.name: LAKE_TYPES[item.kind] for item in entity.columns},
        **{item.name: item.type for item in entity.derived},
    }


def typed(entity: Entity, text_rows: str, source_format: str = NATIVE) -> str:
    """SQL of the conforming rows: the lake's columns and `lake_date`, the UTC date of the row's start."""
    broken = " or ".join(f"coalesce({condition}, false)" for _, _, condition, _ in _faults(entity))
    version = ", ".join(identifier(name) for name in entity.version)
    columns = {
        "file_no": "file_no",
        **{item.name: _stored(item) for item in entity.columns},
        "version_at": f"coalesce({version})",
        "source_format": literal(source_format),
        "token_convention": "token_convention",
        "quality_flags": _flags(entity),
        "attributes": _attributes(entity),
    }
    select = ", ".join(
        f"({columns[name]})::{kind} as {identifier(name)}" for name, kind in lake_columns(entity).items()
    )
    return f"""
        select {select}, {identifier(entity.start)}::date as lake_date
        from ({_typed(entity, text_rows)})
        where (problem is null and not ({broken})) or unmoved
    """


def rejected(entity: Entity, text_rows: str) -> str:
    """SQL of the other rows: file_no, line_number, entity, field, reason, message, workspace_id, raw.

    Field and reason are those of the first fault in the contract's order; the message names all of them.
    """
    faults = ", ".join(
        f"case when {condition} then {{'field': {literal(item.name)}, 'reason': {literal(reason)}, "
        f"'message': {message}}} end"
        for item, reason, condition, message in _faults(entity)
    )
    unreadable = " ".join(
        f"when {literal(reason)} then {literal(contract.REASON_DESCRIPTIONS[reason])}"
        for reason in contract.UNREADABLE
    )
    return f"""
        select
            file_no,
            line_number,
            {literal(entity.name)} as entity,
            faults[1].field as field,
            coalesce(problem, faults[1].reason) as reason,
            case
                when problem is not null then (case problem {unreadable} else problem end)
                else array_to_string(list_transform(faults, lambda f: f.message), '; ')
            end as message,
            case when problem is null then t_workspace_id end as workspace_id,
            raw
        from (
            select
                *,
                case when problem is null then list_filter([{faults}], lambda f: f is not null) end as faults
            from ({_typed(entity, text_rows)})
        )
        where problem is not null or len(faults) > 0
    """
