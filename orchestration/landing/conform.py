"""From text rows to typed rows of the contract, and to the reasons why a row is not one. SQL is generated from the contract.

Two statements per entity share their rules: `typed` yields the rows that conform (the normal path, one streaming pass), `rejected` the
others with field, reason and message (run only for a source that has some).
"""

from __future__ import annotations

import json

from orchestration.landing import contract
from orchestration.landing.contract import LAKE_TYPES, Entity, Field, Kind, Reason
from orchestration.sql import identifier, literal, string_list

LINEAGE_COLUMNS = ("file_no",)

# Text to values. The quick test first (the canonical spelling of a bigint), the pattern only for the rest: '12.5', '1_000' and '0x10'
# would otherwise be rounded or accepted by the cast. Money is cast with 20 decimals and rounded half-even to 12, once.
MACROS = (
    r"""
    create or replace temp macro as_count(t) as
        case
            when try_cast(t as bigint)::varchar = t then try_cast(t as bigint)
            when regexp_full_match(t, '\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\s*')
                and try_cast(t as decimal(38, 9)) = try_cast(try_cast(t as decimal(38, 9)) as bigint)
                then try_cast(try_cast(t as decimal(38, 9)) as bigint)
        end
    """,
    r"""
    create or replace temp macro as_decimal(t) as
        case
            when regexp_full_match(t, '\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\s*')
                then try_cast(t as decimal(38, 20))
        end
    """,
    # round_even() on a DECIMAL column goes through a double in DuckDB 2.0, so the tie is settled by hand: the cast rounds half up, and
    # where that was a tie that went to an odd digit, one unit of the last place is taken back. Values are never negative here.
    """
    create or replace temp macro half_even_12(x) as
        case
            when x::decimal(38, 12) - x = 0.0000000000005
                and (x::decimal(38, 12) * 1000000000000)::hugeint % 2 = 1
                then x::decimal(38, 12) - 0.000000000001
            else x::decimal(38, 12)
        end
    """,
    """
    create or replace temp macro half_even_6(x) as
        case
            when x::decimal(38, 6) - x = 0.0000005 and (x::decimal(38, 6) * 1000000)::hugeint % 2 = 1
                then x::decimal(38, 6) - 0.000001
            else x::decimal(38, 6)
        end
    """,
    """
    create or replace temp macro as_timestamp(t) as
        (case
            when try_cast(t as timestamptz) is not null then try_cast(t as timestamptz)
            when t is not null then try_cast(replace(replace(upper(trim(t)), ',', '.'), ' +', '+') as timestamptz)
        end) at time zone 'UTC'
    """,
    "create or replace temp macro inside(t) as nullif(trim(substr(trim(t), 2, length(trim(t)) - 2)), '')",
)


def _cleaned(entity: Entity, item: Field) -> str:
    """The field's text from the first source that has one."""
    nested = {
        source.partition(".")[0] for other in entity.fields for source in other.read_from if "." in source
    }
    parts = []
    for source in item.read_from:
        name, _, key = source.partition(".")
        column = identifier(name)
        if key:
            parts.append(
                f"case when starts_with({column}, '{{') then json_extract_string({column}, {literal('$.' + key)}) end"
            )
        elif name in nested:
            parts.append(f"case when not starts_with({column}, '{{') then {column} end")
        else:
            parts.append(column)
    text = parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"
    return f"nullif({text}, '')"


def _value(item: Field) -> str:
    """The typed value of the cleaned text `t_<name>`; null where it cannot be read."""
    text = identifier("t_" + item.name)
    if item.kind is Kind.COUNT:
        return f"as_count({text})"
    if item.kind is Kind.MONEY:
        return f"case when as_decimal({text}) between 0 and {contract.MAX_MONEY_USD} then half_even_12(as_decimal({text}))::decimal(38, 12) end"
    if item.kind is Kind.CREDITS:
        return f"case when as_decimal({text}) between 0 and {contract.MAX_CREDITS} then half_even_6(as_decimal({text}))::decimal(18, 6) end"
    if item.kind is Kind.TIMESTAMP:
        return f"as_timestamp({text})"
    if item.kind is Kind.OBJECT:
        return f"case when starts_with(ltrim({text}), '{{') and json_valid({text}) then {text} end"
    if not item.vocabulary and not item.spellings:
        return text
    word = f"lower(trim({text}))"
    for spelling, ours in item.spellings.items():
        word = f"case when lower(trim({text})) = {literal(spelling)} then {literal(ours)} else {word} end"
    if item.vocabulary and item.fallback:
        return f"case when {word} in ({_words(item)}) then {word} when {text} is not null then {literal(item.fallback)} end"
    return word


def _words(item: Field) -> str:
    return ", ".join(literal(word) for word in item.vocabulary)


def _message(text: str, shown: str) -> str:
    return f"{literal(text)} || {shown}"


def _faults(entity: Entity) -> list[tuple[Field, Reason, str, str]]:
    """Every rule as (field, reason, condition that it is broken, message), in the contract's order."""
    faults: list[tuple[Field, Reason, str, str]] = []
    for item in entity.fields:
        text, value = identifier("t_" + item.name), identifier(item.name)
        shown = f"left({text}, 100)"
        if item.required:
            faults.append(
                (
                    item,
                    Reason.MISSING_FIELD,
                    f"{text} is null",
                    literal(f"required field '{item.name}' is missing"),
                )
            )
        if item.kind is Kind.COUNT:
            wrong = f"{text} is not null and {value} is null"
            outside = f"{value} not between 0 and {contract.MAX_COUNT}"
            faults.append(
                (item, Reason.WRONG_TYPE, wrong, _message(f"'{item.name}' is not a whole number: ", shown))
            )
            faults.append(
                (
                    item,
                    Reason.IMPOSSIBLE_VALUE,
                    outside,
                    _message(f"'{item.name}' is not between 0 and 10^12: ", shown),
                )
            )
        elif item.kind in (Kind.MONEY, Kind.CREDITS):
            wrong = f"{text} is not null and as_decimal({text}) is null"
            outside = f"as_decimal({text}) not between 0 and {contract.MAX_MONEY_USD}"
            faults.append(
                (item, Reason.WRONG_TYPE, wrong, _message(f"'{item.name}' is not a number: ", shown))
            )
            faults.append(
                (
                    item,
                    Reason.IMPOSSIBLE_VALUE,
                    outside,
                    _message(f"'{item.name}' is not between 0 and 10^9: ", shown),
                )
            )
        elif item.kind is Kind.TIMESTAMP:
            wrong = f"{text} is not null and {value} is null"
            outside = f"not ({value} >= timestamp {literal(contract.MIN_TIMESTAMP)} and {value} < timestamp {literal(contract.MAX_TIMESTAMP)})"
            faults.append(
                (item, Reason.WRONG_TYPE, wrong, _message(f"'{item.name}' is not an ISO-8601 time: ", shown))
            )
            faults.append(
                (
                    item,
                    Reason.IMPOSSIBLE_VALUE,
                    outside,
                    _message(f"'{item.name}' is not between 2000 and 2099: ", shown),
                )
            )
        elif item.kind is Kind.OBJECT:
            wrong = f"{text} is not null and {value} is null"
            faults.append(
                (item, Reason.WRONG_TYPE, wrong, _message(f"'{item.name}' is not a JSON object: ", shown))
            )
        elif item.vocabulary and not item.fallback:
            wrong = f"{value} not in ({_words(item)})"
            allowed = ", ".join(item.vocabulary)
            faults.append(
                (item, Reason.UNKNOWN_VALUE, wrong, _message(f"'{item.name}' is none of {allowed}: ", shown))
            )
    start, end = entity.field(entity.start), entity.field(entity.end)
    faults.append(
        (
            end,
            Reason.IMPOSSIBLE_VALUE,
            f"{identifier(end.name)} < {identifier(start.name)}",
            literal(f"'{end.name}' lies before '{start.name}'"),
        )
    )
    return faults


def _typed(entity: Entity, text_rows: str) -> str:
    """Typed values beside the cleaned texts and what is left over for `attributes`."""
    cleaned = ",\n".join(
        f"{_cleaned(entity, item)} as {identifier('t_' + item.name)}" for item in entity.fields
    )
    values = ",\n".join(f"{_value(item)} as {identifier(item.name)}" for item in entity.fields)
    names = ", ".join(identifier("t_" + item.name) for item in entity.fields)
    leftovers = []
    for name in dict.fromkeys(
        s.partition(".")[0] for item in entity.fields for s in item.read_from if "." in s
    ):
        consumed = [
            s.partition(".")[2] for item in entity.fields for s in item.read_from if s.startswith(name + ".")
        ]
        column, prefix = identifier(name), literal(json.dumps(name) + ":")
        leftovers.append(
            f"case when starts_with({column}, '{{') and not list_has_all({string_list(consumed)}, json_keys({column})) "
            f"then {prefix} || {column} end"
        )
    leftover = f"nullif(concat_ws(',', {', '.join(leftovers)}), '')" if leftovers else "null"
    return f"""
        select *, {values}
        from (
            select file_no, line_number, raw, problem, extra, unknown_keys, attributes as given_attributes, {leftover} as leftover, {names}
            from (select *, {cleaned} from ({text_rows}))
        )
    """


def _attributes(entity: Entity) -> str:
    """Unknown fields, what the row's own `attributes` held, and originals that a fallback replaced, as one JSON object text."""
    kept = [
        f"case when {identifier(item.name)} <> lower(trim({identifier('t_' + item.name)})) "
        f"then {literal(json.dumps(item.name) + ':')} || to_json({identifier('t_' + item.name)})::varchar end"
        for item in entity.fields
        if item.fallback
    ]
    own = """case
        when given_attributes is null or given_attributes = '' then null
        when starts_with(ltrim(given_attributes), '{') and json_valid(given_attributes) then
            case
                when len(unknown_keys) > 0 and list_has_any(unknown_keys, json_keys(given_attributes))
                    then '"attributes":' || given_attributes
                else inside(given_attributes)
            end
        else '"attributes":' || to_json(given_attributes)::varchar
    end"""
    parts = ", ".join([own, "extra", "leftover", *kept])
    return f"'{{' || nullif(concat_ws(',', {parts}), '') || '}}'"


def _flags(entity: Entity) -> str:
    flags = [
        f"case when {identifier(s.part)} > coalesce({identifier(s.whole)}, 0) then {literal(s.flag)} end"
        for s in entity.subsets
    ]
    flags += [
        f"case when {identifier(item.name)} <> lower(trim({identifier('t_' + item.name)})) then {literal('unknown_' + item.name)} end"
        for item in entity.fields
        if item.fallback
    ]
    return f"nullif(concat_ws(',', {', '.join(flags)}), '')" if flags else "null::varchar"


def lake_columns(entity: Entity) -> dict[str, str]:
    """Columns of a lake part and their SQL types, lineage first."""
    return {
        "file_no": "integer",
        **{item.name: LAKE_TYPES[item.kind] for item in entity.fields},
        "version_at": "timestamp",
        "quality_flags": "varchar",
        "attributes": "varchar",
    }


def typed(entity: Entity, text_rows: str) -> str:
    """SQL of the conforming rows, with the columns of the lake and `lake_date`, the UTC date of the row's start."""
    broken = " or ".join(f"coalesce({condition}, false)" for _, _, condition, _ in _faults(entity))
    version = ", ".join(identifier(name) for name in entity.version)
    columns = {
        **{name: identifier(name) for name in lake_columns(entity)},
        "version_at": f"coalesce({version})",
        "quality_flags": _flags(entity),
        "attributes": _attributes(entity),
    }
    select = ", ".join(
        f"({columns[name]})::{kind} as {identifier(name)}" for name, kind in lake_columns(entity).items()
    )
    return f"""
        select {select}, {identifier(entity.start)}::date as lake_date
        from ({_typed(entity, text_rows)})
        where problem is null and not ({broken})
    """


def rejected(entity: Entity, text_rows: str) -> str:
    """SQL of the other rows: file_no, line_number, entity, field, reason, message (all faults), workspace_id, raw."""
    faults = [
        f"case when {condition} then {{'field': {literal(item.name)}, 'reason': {literal(reason)}, 'message': {message}}} end"
        for item, reason, condition, message in _faults(entity)
    ]
    unreadable = " ".join(
        f"when {literal(reason)} then {literal(contract.REASON_DESCRIPTIONS[reason])}"
        for reason in (Reason.NOT_JSON, Reason.NOT_UTF8, Reason.MALFORMED_ROW)
    )
    return f"""
        select
            file_no,
            line_number,
            {literal(entity.name)} as entity,
            faults[1].field as field,
            coalesce(problem, faults[1].reason) as reason,
            case when problem is not null then (case problem {unreadable} else problem end)
                else array_to_string(list_transform(faults, lambda f: f.message), '; ') end as message,
            case when problem is null then t_workspace_id end as workspace_id,
            raw
        from (
            select
                *,
                case when problem is null then list_filter([{", ".join(faults)}], lambda f: f is not null) end as faults
            from ({_typed(entity, text_rows)})
        )
        where problem is not null or len(faults) > 0
    """
