"""Whatever way rows arrive, the lake holds the same."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.landing_helpers import Night, Row, compressed, csv_bytes, jsonl, run, span, text_parquet

EXAMPLES = int(os.environ.get("CREDIT_USAGE_PROPERTY_EXAMPLES", "20"))

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
