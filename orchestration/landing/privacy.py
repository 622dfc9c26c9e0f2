"""What rows must not carry into the lake: secret keys, and whatever tells a user who is hashed or forgotten.

What belongs here: SQL around the typed rows of any format (`Privacy.applied`) and around lines for the quarantine (`Privacy.of_rejected`).
What does not: content of prompts, which `formats.redaction` cleans where it is kept at all; taking users out of rows that have landed
(`erasure`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.landing import conform
from orchestration.landing.contract import MASKED_KEY, Entity
from orchestration.landing.lake import Lake
from orchestration.sql import identifier, joined, literal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import duckdb

    from orchestration.settings import Settings

FORGOTTEN_USER = "forgotten"
"""Whose usage that of forgotten users becomes: one for all, so that nothing tells them apart."""
NOT_KEPT = "(not kept: user ids are hashed)"
"""What stands in quarantine for the line itself where user ids are hashed."""
ERASED = "(erased)"
"""What stands there for a line that named a forgotten user."""
ARITHMETIC_ATTRIBUTES = ("depth", "search_depth", "backup_search")
"""Attributes that the rate card reads: they stay where a user is forgotten, so that no amount changes."""

_DIGEST_CHARACTERS = 32
"""128 of the 256 bits: no two of a billion users will share them, and a page can still show them."""

_MASKS: tuple[tuple[str, str], ...] = (
    # Keys by the beginning that their makers gave them. What is left is the beginning and the last four, as consoles show keys. Without
    # a digit, and enough behind it, it is the name of something: sk-learn-pipeline, basic authentication, Asia-Pacific.
    (
        r"\b(sk[-_]|rk_(?:live|test)_)[A-Za-z_-]{0,60}[0-9][A-Za-z0-9_-]{11,}([A-Za-z0-9_-]{4})",
        r"\1...\2",
    ),
    (
        r"\b(xox[abeprs]-|gh[oprsu]_|github_pat_|glpat-|AIza)[A-Za-z0-9_-]{12,}([A-Za-z0-9_-]{4})",
        r"\1...\2",
    ),
    (r"\b(A[KS]IA)[A-Z0-9]{8,}([A-Z0-9]{4})\b", r"\1...\2"),
    (r"\b(hf_|gsk_|xai-)[A-Za-z0-9]{26,}([A-Za-z0-9]{4})", r"\1...\2"),
    (r"\beyJ[A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]*", "[token]"),
    (r"(?i)\b(bearer|basic)(\s+)[A-Za-z._~+/=-]{0,60}[0-9][A-Za-z0-9._~+/=-]{7,}", r"\1\2[token]"),
    (
        r'(?i)("[^"]{0,40}(?:secret|passw(?:or)?d|authorization|access[-_]?token)"\s*:\s*)"[^"\\]{6,}"',
        r'\1"[masked]"',
    ),
)
_MAYBE_KEY = (
    r"[sr]k[-_]|xox[abeprs]-|gh[oprsu]_|github_pat_|glpat-|AIza|A[KS]IA|hf_|gsk_|xai-|eyJ|"
    r"(?i:bearer|basic\s|secret\"|passw(?:or)?d\"|authorization\"|access[-_]?token\")"
)
"""Finds every text that a mask may change, in one pass; most texts are done with that."""
_TEXTS = (
    "name", "error_message", "collaborator", "user_id", "user_metadata", "resource_name", "deployment", "session_id", "attributes",
)  # fmt: skip
"""Texts in which a key may stand. Ids that rows are joined by are none: what masks them would break the joins."""

_PERSONAL_NAMES = (
    r"(^|[._-])((e[._-]?)?mail|phone|mobile|tel|fax|address|street|zip|postcode|postal_code|ip|ip_?addr(ess)?|birth(day|date)?|dob|ssn|iban|"
    r"passport|(first|last|full|given|family|sur|middle|nick|display|user|customer|client|person|contact)[._-]?name|name|login|username|"
    r"handle|(end|customer|client|member|person|contact|tracked)?[._-]?(user|customer|client|member|person|contact)([._-]?(id|uid|uuid))?|uid)$"
)
"""Names, in lower case, of metadata that tell a person."""
_PERSONAL_VALUES = (
    r'("(?:[^"\\]*[._-])?(?:phone|mobile|address|ip|birthday|ssn|iban|passport|(?:first|last|full|given|family|sur|middle|nick|display|user|customer|client|person|contact)[._-]?name|user(?:[._-]?(?:id|uid))?|login)"\s*:\s*)'
    r'"[^"\\]*"'
)
"""The same in the text of a nested object, with their values. A plain `name` is mostly that of a tool or a model there."""
_E_MAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}"
_SHORTEST_ID_IN_TEXT = 6
"""Characters. A shorter id would be found within words and numbers that have nothing to do with it."""


def _masked() -> str:
    text = "t"
    for pattern, replacement in _MASKS:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(replacement)}, 'g')"
    return text


_KEPT = ", ".join(
    f"{literal(name)}, json_extract(t, {literal('$.' + name)})" for name in ARITHMETIC_ATTRIBUTES
)

_MACROS = (
    f"create or replace temp macro masked(t) as case when regexp_matches(t, {literal(_MAYBE_KEY)}) then {_masked()} else t end",
    # A whole text that is a key, whoever made it: 24 letters and digits in one piece. Ids of keys are uuids or hashes, so of an id
    # it also takes both cases to be a key.
    """
    create or replace temp macro masked_whole(t) as
        case
            when masked(t) <> t then masked(t)
            when length(t) >= 24 and not regexp_matches(t, '\\s')
                and regexp_matches(regexp_extract(t, '[A-Za-z0-9]{24,}'), '[0-9].*[0-9].*[0-9]')
                and regexp_matches(regexp_extract(t, '[A-Za-z0-9]{24,}'), '[A-Za-z].*[A-Za-z].*[A-Za-z]')
                then left(t, 3) || '...' || right(t, 4)
            else t
        end
    """,
    """
    create or replace temp macro masked_id(t) as
        case
            when masked(t) <> t then masked(t)
            when length(t) >= 32 and regexp_matches(t, '[a-z]') and regexp_matches(t, '[A-Z]') then masked_whole(t)
            else t
        end
    """,
    f"""
    create or replace temp macro pseudonym(t) as
        'u_' || left(sha256(
            getvariable('user_salt_outer') || unhex(sha256(getvariable('user_salt_inner') || encode(t)))
        ), {_DIGEST_CHARACTERS})
    """,
    """
    create or replace temp macro forget_digest(t) as
        sha256(getvariable('forget_salt_outer') || unhex(sha256(getvariable('forget_salt_inner') || encode(t))))
    """,
    f"create or replace temp macro without_e_mails(t) as regexp_replace(t, {literal(_E_MAIL)}, '[e-mail]', 'g')",
    # Words of an error that are the user's id.
    f"""
    create or replace temp macro without_user(t, id, instead) as
        case when length(id) >= {_SHORTEST_ID_IN_TEXT} then replace(without_e_mails(t), id, instead) else without_e_mails(t) end
    """,
    # The caller's own flat object: what tells a person becomes a hash, so that it can still be filtered by.
    f"""
    create or replace temp macro hashed_metadata(t, id) as
        '{{' || coalesce(list_aggr(list_transform(
            map_entries(try(from_json(t, '"MAP(VARCHAR,JSON)"'))),
            lambda e: to_json(e.key)::varchar || ':' || case
                when e.value is null or e.value::varchar in ('null', 'true', 'false', '""') then coalesce(e.value::varchar, 'null')
                when regexp_matches(lower(e.key), {literal(_PERSONAL_NAMES)}) or regexp_matches(e.value::varchar, {literal(_E_MAIL)})
                    or json_extract_string(e.value, '$') = id
                    then to_json(pseudonym(json_extract_string(e.value, '$')))::varchar
                else e.value::varchar
            end
        ), 'string_agg', ','), '') || '}}'
    """,
    # A nested object as text: the id where it is a whole value, addresses, and values whose names tell a person.
    f"""
    create or replace temp macro hashed_attributes(t, id, instead) as
        regexp_replace(
            without_e_mails(case when id is null then t else replace(t, to_json(id)::varchar, to_json(instead)::varchar) end),
            {literal(_PERSONAL_VALUES)},
            '\\1"[personal]"', 'gi'
        )
    """,
    f"""
    create or replace temp macro kept_attributes(t) as
        nullif(json_merge_patch('{{}}'::json, json_object({_KEPT}))::varchar, '{{}}')
    """,
)  # fmt: skip


def masked_text(text: str) -> str:
    """A message without the keys that it may quote."""
    for pattern, replacement in _MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def pseudonym(salt: str, user_id: str) -> str:
    """What the lake holds for a user's id where ids are hashed: HMAC-SHA-256 of it with the salt, cut to 128 bits."""
    digest = hmac.new(salt.encode(), user_id.encode(), hashlib.sha256).hexdigest()
    return "u_" + digest[:_DIGEST_CHARACTERS]


def mark_of_salt(salt: str) -> str:
    """What tells two salts apart and gives neither away; empty where there is none."""
    return hmac.new(salt.encode(), b"credit-usage", hashlib.sha256).hexdigest()[:16] if salt else ""


def forget_digest(salt: str, user_id: str) -> str:
    """What is remembered of a forgotten user."""
    return hmac.new(bytes.fromhex(salt), user_id.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Forgotten:
    """Users whose rows lose their names when they land. `run_paths` are Parquet files of the runs that were theirs."""

    salt: str = ""
    digests: frozenset[str] = field(default_factory=frozenset)
    run_paths: tuple[Path, ...] = ()


def forgotten(lake: Lake) -> Forgotten:
    """The users that the revisions of a lake say are forgotten."""
    revisions = [revision for revision in lake.revisions() if revision.forgotten]
    return Forgotten(
        salt=revisions[0].forget_salt if revisions else "",
        digests=frozenset(digest for revision in revisions for digest in revision.forgotten),
        run_paths=tuple(lake.root / r.forgotten_runs for r in revisions if r.forgotten_runs),
    )


class Privacy:
    """The rules of one landing, on one connection."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, forgotten: Forgotten
    ) -> None:
        self._is_hashed = bool(settings.user_id_salt)
        self._forgets = bool(forgotten.digests)
        install(connection, settings, forgotten.salt)
        if self._forgets:
            digests = sorted(forgotten.digests)
            connection.execute("set variable forgotten_digests = $1", [digests])
            connection.execute("create or replace temp table forgotten_user (digest varchar)")
            connection.execute("insert into forgotten_user select unnest($1)", [digests])
            connection.execute(
                "create or replace temp table forgotten_run (workspace_id varchar, run_id varchar)"
            )
            for path in forgotten.run_paths:
                connection.execute(
                    f"insert into forgotten_run select workspace_id, run_id from read_parquet({literal(path)})"
                )

    def applied(self, entity: Entity, typed: str) -> str:
        """SQL of typed rows as they may go into the lake: the columns of `typed`."""
        columns = conform.lake_columns(entity)
        masks = {name: f"masked({identifier(name)})" for name in _TEXTS if name in columns}
        masks |= {"api_key_id": "masked_id(api_key_id)", "api_key_name": "masked_whole(api_key_name)"}
        changed = [f"{identifier(name)} <> {identifier('m_' + name)}" for name in masks]
        flags = joined(["quality_flags", literal(MASKED_KEY)])
        rows = _replacing(
            _with(typed, {"m_" + name: expression for name, expression in masks.items()}),
            {name: identifier("m_" + name) for name in masks}
            | {"quality_flags": f"case when {' or '.join(changed)} then {flags} else quality_flags end"},
            leaving=["m_" + name for name in masks],
        )
        # Who is forgotten is told by the id as it was given, or as it is hashed: it may be known by either.
        known: dict[str, str] = {"pseudonym_of_user": "pseudonym(user_id)"} if self._is_hashed else {}
        if self._forgets:
            forms = ["user_id", *(["pseudonym(user_id)"] if self._is_hashed else [])]
            known["is_of_forgotten_user"] = " or ".join(
                f"coalesce(forget_digest({form}) in (select digest from forgotten_user), false)"
                for form in forms
            )
            known["is_of_forgotten_run"] = (
                "user_id is null and (workspace_id, run_id) in (select workspace_id, run_id from forgotten_run)"
            )
        if not known:
            return rows
        rows = _with(rows, known)
        if self._is_hashed:
            rows = _replacing(rows, _HASHED, leaving=["pseudonym_of_user"])
        if self._forgets:
            leaving = ["is_of_forgotten_user", "is_of_forgotten_run"]
            rows = _replacing(rows, erased(" or ".join(leaving), columns), leaving=leaving)
        return rows

    def of_rejected(self, rejected: str) -> str:
        """SQL of lines for the quarantine. Where user ids are hashed, the line itself is not kept, nor what a message quotes of it."""
        raw, message = "masked(raw)", "masked(message)"
        if self._is_hashed:
            raw = literal(NOT_KEPT)
            message = "case when field = 'user_metadata' then left(message, 40) else without_e_mails(masked(message)) end"
        if not self._forgets:
            return f"select * replace ({raw} as raw, {message} as message) from ({rejected})"
        rows = _with(
            rejected,
            {"is_erased": names_a_user("raw", "forget_digest(w)", "getvariable('forgotten_digests')")},
        )
        return _replacing(
            rows,
            {
                "raw": f"case when is_erased then {literal(ERASED)} else {raw} end",
                "message": f"case when is_erased then {literal(ERASED)} else {message} end",
            },
            leaving=["is_erased"],
        )


_HASHED = {
    "user_id": "pseudonym_of_user",
    "user_metadata": "case when user_metadata is not null then hashed_metadata(user_metadata, user_id) end",
    "attributes": "hashed_attributes(attributes, user_id, pseudonym_of_user)",
    "error_message": "without_user(error_message, user_id, pseudonym_of_user)",
}
"""What tells the person: the id becomes its hash, wherever it stands."""


def install(connection: duckdb.DuckDBPyConnection, settings: Settings, forget_salt: str) -> None:
    """Make the macros of this module known to a connection."""
    # Variables: SQL that fails is quoted in messages, and a salt must not be.
    _set_key(connection, "user_salt", settings.user_id_salt.encode())
    _set_key(connection, "forget_salt", bytes.fromhex(forget_salt))
    for macro in _MACROS:
        connection.execute(macro)


def erased(condition: str, columns: Collection[str]) -> dict[str, str]:
    """What the columns of a row become where the condition holds: its amounts stay, what tells a person does not."""
    changed = {
        "user_id": f"case when user_id is not null then {literal(FORGOTTEN_USER)} end",
        "user_metadata": "null",
        "error_message": "null",
        "session_id": "null",
        "attributes": "kept_attributes(attributes)",
    }
    return {
        name: f"case when {condition} then {value} else {identifier(name)} end"
        for name, value in changed.items()
        if name in columns
    }


def names_a_user(text: str, word: str, users: str) -> str:
    """Condition that a word of a text, or a whole value in quotes, is one of the users: `word` makes of `w` what `users` is a list of."""
    pieces = f"list_concat(regexp_extract_all({text}, '[^\\s\",;:{{}}\\[\\]]+'), regexp_extract_all({text}, '\"([^\"]*)\"', 1))"
    return f"coalesce(len(list_filter({pieces}, lambda w: list_contains({users}, {word}))) > 0, false)"


def _set_key(connection: duckdb.DuckDBPyConnection, name: str, key: bytes) -> None:
    """The two keys of an HMAC (RFC 2104) as variables of the connection."""
    block = 64
    padded = (key if len(key) <= block else hashlib.sha256(key).digest()).ljust(block, b"\0")
    for suffix, mask in (("inner", 0x36), ("outer", 0x5C)):
        connection.execute(f"set variable {name}_{suffix} = $1", [bytes(byte ^ mask for byte in padded)])


def _with(rows: str, columns: dict[str, str]) -> str:
    added = ", ".join(f"{expression} as {identifier(name)}" for name, expression in columns.items())
    return f"select *, {added} from ({rows})"


def _replacing(rows: str, columns: dict[str, str], *, leaving: Sequence[str]) -> str:
    """The rows with these columns instead of their own, and without those that only served."""
    replaced = ", ".join(f"{expression} as {identifier(name)}" for name, expression in columns.items())
    left = ", ".join(identifier(name) for name in leaving)
    return f"select * exclude ({left}) replace ({replaced}) from ({rows})"
