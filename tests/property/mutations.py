"""Ways in which a line or a file goes wrong, drawn by seeded dice.

What belongs here: changes of values, lines and files, whatever they hold. What does not: what exports look like (`exports.py`), and
what must hold afterwards (`test_fuzz.py`).
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any


class Raw(str):
    """A JSON value that is written as it stands, valid or not."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A JSON object that may hold a key twice."""


def _deep(levels: int, left: str = "[", right: str = "]") -> Raw:
    return Raw(left * levels + "1" + right * levels)


ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**30, -(10**38), 10**40,
    Raw("1e400"), Raw("-1e400"), Raw("1e-400"), Raw("-0"), Raw("-0.0"), Raw("1E5"), Raw("0.1e1"), Raw("NaN"), Raw("Infinity"),
    Raw("-Infinity"), Raw("01"), Raw("+1"), Raw(".5"), Raw("1."), Raw("0x10"), Raw("1_000"), Raw("'x'"), Raw("undefined"), Raw(""),
    0.1, 1.5, -0.000001, 1e15, 123456789.987654321, Raw("0.12345678901234567890123456789"), Raw("9" * 60), Raw("0." + "0" * 400 + "1"),
    "", " ", "0", "-1", "1e3", "1e400", "1,5", "1.000,50", "1 000", "$5", "१२३", "null", "NaN", "Infinity", "-inf", "true", "0x1F", "1.0",
    "1" * 40, "-" + "9" * 39, "0.00000000000000000000000000000001", "\x00", "a\x00b", "\x1b[31m", "\u2028", "\ufeff", "\U0010ffff",
    "☂" * 500,
    Raw('"\\ud800"'), Raw('"\\udc00\\ud800"'), Raw('"\\u0000"'), Raw('"\\x41"'), Raw('"unfinished'), Raw('"tab\there"'),
    "'; drop table runs; --", '"); select 1; --', "{batch} :name %s $1 ?", "../../../etc/passwd", "=cmd|'/c calc'!A1",
    "<script>alert(1)</script>",
    "x" * 70_000, [], {}, [[]], [None], [[[[1]]]], {"": None}, {"a": {"b": [1, {"c": None}]}}, [1, "2", None, {}],
    {"total_tokens": -1}, {"total_tokens": "12"}, {"total_tokens": {"total_tokens": 3}}, {"intValue": "99999999999999999999"},
    _deep(40), _deep(300), _deep(1500), _deep(400, '{"a":', "}"), _deep(1200, '{"a":', "}"), '{"a":', "[1", "{}", "[]",
    '{"total_tokens": 5}',
    "0001-01-01", "9999-12-31T23:59:59Z", "2026-02-30", "2026-13-01T00:00:00Z", "2026-03-29T02:30:00", "2026-05-01T10:00:00+25:00",
    "2026-05-01T10:00:00.123456789Z", "2026-05-01T24:00:00Z", "2026-05-01 10:00", "20260501", "01/05/2026", "infinity",
    "-infinity", "epoch",
    "294247-01-10T04:00:54.775807Z", "+292278994-08-17T07:12:55Z", "-4713-11-24", 1772359200, 1772359200000, 1772359200000000,
    1772359200000000000, 1772359200.5, "1772359200", "1772359200000000000000", -62135596800000,
)  # fmt: skip
"""Values that some reader somewhere has stumbled over."""

BYTES = (
    b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b";", b"\t",
    b"\x01", b"\xef\xbb\xbf", b"1e999", b'""', b"\\u", b"\\ud800", b"\xf0\x9f", b"-", b"NaN", b"\x1f\x8b", b"PAR1",
)  # fmt: skip


def dumps(value: Any) -> str:
    """JSON text that may be invalid where a mutation wants it so."""
    match value:
        case Raw():
            return str(value)
        case Pairs():
            return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value) + "}"
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(dumps, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def is_json(text: str) -> bool:
    """Whether a text is JSON as the standard has it, and not nested beyond what readers take."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return text.count("[[") < 100 and text.count('{"a":{"a"') < 100


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else []
    for key in keys:
        found.append((value, key))
        _places(value[key], found)
    return found


def odd_value(dice: random.Random, before: Any = None) -> Any:
    """A value that may be wrong in the place of another: an odd one, or the old one bent."""
    how = dice.randrange(10)
    if how == 0 and isinstance(before, int | float) and not isinstance(before, bool):
        return dice.choice((-before, before * 1000, before * 10**18, before / 7, str(before), f" {before} "))
    if how == 1 and isinstance(before, str):
        return dice.choice(
            (before.upper(), before[::-1], before + " ", before[: len(before) // 2], [before], before * 50)
        )
    if how == 2:
        return [before]
    if how == 3:
        return {dice.choice(("value", "total_tokens", "", "a.b", "stringValue")): before}
    if how == 4:
        return json.dumps(before, default=str)
    # A copy: what is put into a document may be changed there again.
    return copy.deepcopy(dice.choice(ODD))


def mutated_record(record: dict[str, Any], others: Sequence[dict[str, Any]], dice: random.Random) -> str:
    """A record as a line of JSON after one to four changes of its values and keys. The record itself stays as it is."""
    document = json.loads(json.dumps(record))
    tail = ""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        places = _places(document, [])
        if not places:
            break
        container, key = dice.choice(places)
        how = dice.randrange(12)
        if how < 6:
            container[key] = odd_value(dice, container[key])
        elif how == 6:
            del container[key]
        elif how == 7 and isinstance(container, dict):
            other = dice.choice(
                (key.upper(), key + " ", "_" + key, key.replace("_", ""), "", dice.choice(list(container)))
            )
            container[other] = container.pop(key)
        elif how == 8:
            container_b, key_b = dice.choice(places)
            if container_b is container:
                container[key], container[key_b] = container[key_b], container[key]
            else:
                container[key] = json.loads(json.dumps(container_b[key_b], default=str))
        elif how == 9 and isinstance(container, list) and len(container) < 50:
            container.insert(key, json.loads(json.dumps(container[key])))
        elif how == 10 and others:
            donor_container, donor_key = dice.choice(_places(dice.choice(others), []))
            container[key] = json.loads(json.dumps(donor_container[donor_key]))
        elif how == 11 and isinstance(document, dict):
            # The same key again, at the end of the object.
            again = dice.choice(list(document))
            tail += f",{json.dumps(again)}:{dumps(odd_value(dice, document[again]))}"
    text = dumps(document).replace("\n", " ").replace("\r", " ")
    return text[:-1] + tail + "}" if tail and text.endswith("}") else text


def mutated_cells(record: dict[str, Any], columns: Sequence[str], dice: random.Random) -> dict[str, Any]:
    """A record of a table after one to four changes of its cells."""
    cells = dict(record)
    for _ in range(dice.choice((1, 1, 2, 4))):
        column = dice.choice(columns)
        value = odd_value(dice, cells.get(column))
        cells[column] = None if value is None else value if isinstance(value, str) else dumps(value)
        if dice.randrange(8) == 0:
            other = dice.choice(columns)
            cells[column], cells[other] = cells.get(other), cells.get(column)
    return cells


def mutated_bytes(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed, taken out, put in or doubled, or the rest cut off."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        at = dice.randrange(len(changed)) if changed else 0
        how = dice.randrange(8)
        if how == 0 and changed:
            changed[at] ^= 1 << dice.randrange(8)
        elif how == 1 and changed:
            changed[at] = dice.randrange(256)
        elif how in (2, 7):
            changed[at:at] = dice.choice(BYTES)
        elif how == 3:
            del changed[at : at + dice.choice((1, 1, 4, 50))]
        elif how == 4:
            changed[at:at] = changed[max(0, at - dice.randrange(1, 80)) : at]
        elif how == 5 and dice.random() < 0.3:
            del changed[at:]
        elif how == 6:
            end = at + dice.randrange(1, 20)
            changed[at:end] = reversed(changed[at:end])
    return bytes(changed)


def _recoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode("utf-8", "replace").encode(encoding, "replace")


TEXT_FILES: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: b"",
    lambda data: b"\n" * 50,
    lambda data: b"\x00" * 4096,
    lambda data: b"\x00" * 100 + data,
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: b"\xef\xbb\xbf\xef\xbb\xbf" + data,
    _recoded("utf-16"),
    _recoded("utf-16-le"),
    _recoded("utf-32"),
    _recoded("latin-1"),
    _recoded("cp1252"),
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.replace(b"\n", b"\r"),
    lambda data: data.replace(b"\n", b""),
    lambda data: data.replace(b"\n", b"\n\n"),
    lambda data: data.rstrip(b"\n"),
    lambda data: data[: len(data) // 2],
    lambda data: data[len(data) // 3 :],
    lambda data: data + data,
    lambda data: b"[" + data + b"]",
    lambda data: b"{" + data,
    lambda data: b"# comment\n" + data,
    lambda data: data.replace(b",", b";"),
    lambda data: data.replace(b",", b"\t"),
    lambda data: data.replace(b'"', b"'"),
    lambda data: data.replace(b'"', b""),
    lambda data: data.swapcase(),
    lambda data: data[::-1],
    lambda data: b"PAR1" + data + b"PAR1",
    lambda data: b"\x1f\x8b\x08\x00" + data,
)
"""What happens to whole files of text: cut, doubled, sent in another encoding, or through an editor."""
