"""Whatever way rows arrive, the lake holds the same; whatever bytes arrive, the books balance."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.landing_helpers import Night, Row, compressed, csv_bytes, jsonl, run, span, text_parquet

EXAMPLES = int(os.environ.get("CREDIT_USAGE_PROPERTY_EXAMPLES", "20"))
FUZZ_CASES = int(os.environ.get("CREDIT_USAGE_FUZZ_CASES", "200"))
FUZZ_SEED = int(os.environ.get("CREDIT_USAGE_FUZZ_SEED", "1"))

FORMS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "parquet")


@contextmanager
def new_night() -> Iterator[Night]:
    """A night in a folder of its own: a test function runs many examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Night(Path(folder))


# A text that every format can carry: no CR, no NUL, no lone surrogate, and not the spelling of an object.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: text.strip()[:1] not in ("", "{", "[")
)
COUNTS = st.one_of(st.none(), st.integers(0, 10**12), st.integers(0, 999).map(str))
BODIES = st.one_of(
    st.fixed_dictionaries(
        {
            "input_tokens": st.integers(0, 10**6),
            "cache_read_input_tokens": st.integers(0, 10**6),
            "odd": TEXTS,
        }
    ),
    st.fixed_dictionaries({"prompt_tokens": st.integers(0, 10**6), "cost": st.floats(0, 1)}),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
MONEY = st.decimals(0, 1000, places=14).map(str)
GARBAGE = st.one_of(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=20
    ).filter(lambda text: text.strip(" \t") != ""),
    st.sampled_from(
        ['{"run_id": "x"', "{}", "[]", '{"span_id": 1, "kind": "tool"}', "null", '{"status": "completed"}']
    ),
)


@st.composite
def entity_rows(draw: st.DrawFn) -> Row:
    """A valid row with a small key space; its version says how old it is."""
    minute = draw(st.integers(0, 59))
    key = draw(st.integers(0, 5))
    # Content that follows from key and version: two rows of the same key and version are the same row, so
    # nothing is decided by a tie, which the order of arrival may decide.
    seed = random.Random(f"{key}/{minute}")
    moment = f"2026-05-0{seed.choice('123')}T{seed.choice(['23', '00'])}:{minute:02d}:00"
    if draw(st.booleans()):
        return run(
            f"r{key}",
            status=seed.choice(["running", "completed"]),
            started_at="2026-05-01T00:00:00Z",
            updated_at=moment + seed.choice(["Z", "+00:00", ""]),
            resource_name=f"name {minute}",
            odd=str(seed.random()),
        )
    return span(f"s{key}", run_id="r1", started_at="2026-04-30", ended_at=moment, input_tokens=minute)


@st.composite
def rich_rows(draw: st.DrawFn) -> Row:
    """A valid row with any content; the key is its own, so no other version of it exists."""
    key = draw(st.uuids()).hex
    if draw(st.booleans()):
        return run(
            key,
            resource_name=draw(TEXTS),
            source=draw(TEXTS),
            error_message=draw(TEXTS),
            **{"odd one": draw(TEXTS)},
        )
    usage = draw(
        st.one_of(
            st.fixed_dictionaries({"input_tokens": COUNTS, "cached_tokens": COUNTS}),
            st.fixed_dictionaries({"prompt_tokens": COUNTS}),
            st.fixed_dictionaries({"output_tokens": st.fixed_dictionaries({"total_tokens": COUNTS})}),
            st.fixed_dictionaries({"usage": BODIES, "total_tokens": COUNTS}),
        )
    )
    return span(
        key,
        name=draw(TEXTS),
        kind=draw(TEXTS),
        provider_cost_usd=draw(MONEY),
        task_credits=draw(MONEY),
        **usage,
    )


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Row], list[str], list[list[tuple[str, bytes]]]]:
    """Rows, garbage lines, and a way to deliver them: nights of files in any form, order and repetition."""
    rows = draw(st.lists(st.one_of(entity_rows(), rich_rows()), min_size=1, max_size=12))
    garbage = draw(st.lists(GARBAGE, max_size=3))
    sent: list[Row | str] = [*rows, *garbage]
    sent += draw(st.lists(st.sampled_from(rows), max_size=5))
    sent = draw(st.permutations(sent))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    pieces = [sent[low:high] for low, high in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    files: list[tuple[str, bytes]] = []
    for number, piece in enumerate(pieces):
        form = draw(st.sampled_from(FORMS))
        kinds: list[list[Row | str]] = [piece]
        if not form.startswith("jsonl"):  # a table holds one entity and no garbage
            spans = [row for row in piece if isinstance(row, dict) and "span_id" in row]
            runs = [row for row in piece if isinstance(row, dict) and "span_id" not in row]
            kinds = [list(part) for part in (spans, runs) if part]
            if lines := [row for row in piece if isinstance(row, str)]:
                files.append((f"{number} garbage.jsonl", jsonl(*lines)))
        for part, kind in enumerate(kinds):
            files.append((f"{number}-{part} it's.{form}", encoded(form, kind)))
    if draw(st.booleans()):
        name, data = draw(st.sampled_from(files))
        files.append((f"again {name}", data))
    files = draw(st.permutations(files))
    nights: list[list[tuple[str, bytes]]] = [[]]
    for file in files:
        if nights[-1] and draw(st.booleans()):
            nights.append([])
        nights[-1].append(file)
    return rows, garbage, nights


def encoded(form: str, rows: list[Any]) -> bytes:
    kind, _, compression = form.partition(".")
    if kind == "parquet":
        with tempfile.TemporaryDirectory() as folder:
            return text_parquet(rows, Path(folder))
    return compressed(jsonl(*rows) if kind == "jsonl" else csv_bytes(*rows), compression)


def comparable(night: Night) -> dict[tuple[str, ...], Row]:
    """The rows that count. The order of keys in attributes is that of the file."""
    return {
        key: row | {"attributes": row["attributes"] and json.loads(row["attributes"])}
        for key, row in night.winners().items()
    }


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(deliveries())
def test_any_delivery_gives_the_same_rows(
    delivery: tuple[list[Row], list[str], list[list[tuple[str, bytes]]]],
) -> None:
    """Splitting, order, renaming, repetition, format or compression would change what is published.

    `Night.land` checks that rows read = loaded + duplicate + superseded + quarantined for every file and
    batch.
    """
    rows, garbage, nights = delivery
    with new_night() as reference, new_night() as night:
        reference.land(*rows)
        bad = 0
        for files in nights:
            for name, data in files:
                night.write(name, data)
            report = night.land()
            if report.manifest:
                bad += report.manifest.total("rows_quarantined") + len(report.unreadable)
        assert comparable(night) == comparable(reference)
        assert bool(bad) == bool(garbage), "garbage was accepted, or a good row refused"


# -- mutations
# -------------------------------------------------------------------------------------------------


def _originals(folder: Path) -> dict[str, bytes]:
    spans = [
        span(
            f"s{n}", name='quo"te, ☂', input_tokens={"total_tokens": n, "x": [1.5]}, provider_cost_usd="0.25"
        )
        for n in range(8)
    ]
    both = [*spans, *(run(f"r{n}", user_metadata={"a": n}, odd={"q": None}) for n in range(4))]
    return {
        "jsonl": jsonl(*both),
        "jsonl.gz": compressed(jsonl(*both), "gz"),
        "jsonl.zst": compressed(jsonl(*both), "zst"),
        "csv": csv_bytes(*spans),
        "csv.gz": compressed(csv_bytes(*spans), "gz"),
        "parquet": text_parquet(spans, folder),
    }


INTERESTING = [
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b"\x01",
    b"\xef\xbb\xbf",
    b"1e999",
]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed, taken out, put in or doubled, or the file cut."""
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at = dice.randrange(len(changed)) if changed else 0
        how = dice.randrange(7)
        if how == 0 and changed:
            changed[at] ^= 1 << dice.randrange(8)
        elif how == 1 and changed:
            changed[at] = dice.randrange(256)
        elif how == 2:
            changed[at:at] = dice.choice(INTERESTING)
        elif how == 3:
            del changed[at : at + dice.choice([1, 1, 4, 50])]
        elif how == 4:
            changed[at:at] = changed[max(0, at - dice.randrange(1, 80)) : at]
        elif how == 5 and dice.random() < 0.3:
            del changed[at:]
        elif how == 6:
            end = at + dice.randrange(1, 20)
            changed[at:end] = reversed(changed[at:end])
    return bytes(changed)


@pytest.mark.parametrize("form", FORMS)
def test_mutated_files_never_break_the_night(form: str, tmp_path: Path) -> None:
    """A damaged file would crash the night or unbalance the books.

    `CREDIT_USAGE_FUZZ_CASES` and `CREDIT_USAGE_FUZZ_SEED` make more and other cases. Many files make one
    night: it is cheaper, and they are read together as in life.
    """
    original = _originals(tmp_path)[form]
    dice = random.Random(f"{FUZZ_SEED}/{form}")
    left = max(1, FUZZ_CASES // len(FORMS))
    while left > 0:
        with new_night() as night:
            sent = min(left, 40)
            for number in range(sent):
                night.write(f"{number}.{form}", mutated(original, dice))
            night.write("good.jsonl", [span("good"), run("good")])
            report = night.land()
            assert report.manifest
            by_name = {entry.path: entry for entry in report.manifest.files}
            assert by_name["good.jsonl"].rows_read == 2, "a damaged file took a good one with it"
            assert len(by_name) + len(report.known_files) == sent + 1, "a file is not in the books"
            assert ("spans", "w1", "r1", "good") in night.winners()
            left -= sent
