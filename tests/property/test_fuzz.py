"""Whatever lands, of any format: no crash, no hang, every row accounted for, and a good file beside it lands whole.

`CREDIT_USAGE_FUZZ_CASES` and `CREDIT_USAGE_FUZZ_SEED` make more and other cases. A case is a mutated line, or a mutated file. Nights of
mutated lines have one file of each form, because a format costs as much for one line as for hundreds; damaged files have nights of their
own, because landing reads their neighbours several times to find them.
"""

from __future__ import annotations

import faulthandler
import math
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.quality.reconciliation import reconcile
from tests.landing_helpers import Night, Row, run, span
from tests.property.exports import FORMS, TYPES, Form, columns_of, plain_lines, typed_parquet, with_new_keys
from tests.property.mutations import TEXT_FILES, is_json, mutated_bytes, mutated_cells, mutated_record
from tests.warehouse_fixture import Warehouse

CASES = int(os.environ.get("CREDIT_USAGE_FUZZ_CASES", "1600"))
SEED = int(os.environ.get("CREDIT_USAGE_FUZZ_SEED", "1"))
LINES = 100 if CASES < 10_000 else 500
"""Mutated lines of each file."""
NIGHTS = max(1, math.ceil(CASES / (LINES * len(FORMS))))
DAMAGED_FILES = 6 if CASES < 10_000 else 16
SECONDS = 300
"""A night that takes longer hangs: the longest take twenty on a busy core."""


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """End this process with the stack of every thread when the time is over: no signal interrupts an engine that hangs."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def mutated_lines(form: Form, dice: random.Random) -> bytes:
    """A file of which three of four lines, or rows, are wrong; the others stay as they are: a bad line must cost itself alone."""
    records = form.records()
    chosen = [(with_new_keys(dice.choice(records), dice), number % 4 > 0) for number in range(LINES * 4 // 3)]
    if form.is_table:
        columns = columns_of(records)
        return form.table([mutated_cells(row, columns, dice) if wrong else row for row, wrong in chosen])
    lines = []
    for row, wrong in chosen:
        line = mutated_record(row, records, dice) if wrong else plain_lines([row])[0]
        # One invalid value makes a whole document unreadable from there on: most documents are spared.
        is_kept = form.suffix != "json" or is_json(line) or not dice.randrange(LINES * 2)
        lines.append(line if is_kept else plain_lines([row])[0])
    return form.encode(lines)


def damaged_file(form: Form, dice: random.Random) -> bytes:
    """A small file that is wrong as a whole, or in its bytes."""
    rows, how = dice.choices(form.records(), k=12), dice.randrange(4)
    if how > 1:
        whole = form.table(rows) if form.is_table else form.encode(plain_lines(rows))
        return mutated_bytes(whole, dice)
    return _damaged_table(form, rows, how, dice) if form.is_table else _damaged_lines(form, rows, how, dice)


def _damaged_lines(form: Form, rows: list[Row], how: int, dice: random.Random) -> bytes:
    lines = [line.encode() for line in plain_lines(rows)]
    if how == 0:
        lines = [mutated_bytes(line, dice) if number % 3 else line for number, line in enumerate(lines)]
    text = b"\n".join(lines) + b"\n"
    return form.compress(text if how == 0 else dice.choice(TEXT_FILES)(text))


def _damaged_table(form: Form, rows: list[Row], how: int, dice: random.Random) -> bytes:
    columns = columns_of(rows)
    if how == 0:
        # Another head: columns that are missing, doubled but for case, renamed.
        names = {
            name: dice.choice((name, name, name, name.upper(), name + "_2", " " + name)) for name in columns
        }
        left_out = set(dice.sample(columns, k=dice.randrange(4)))
        return form.table(
            [{names[key]: value for key, value in row.items() if key not in left_out} for row in rows]
        )
    if form.suffix == "parquet":
        return typed_parquet(rows, {name: dice.choice(TYPES) for name in dice.sample(columns, k=3)})
    return dice.choice(TEXT_FILES)(form.table(rows))


def files_of_lines(dice: random.Random) -> list[tuple[str, bytes]]:
    """A file of mutated lines in each form."""
    return [(f"{place}.{form.suffix}", mutated_lines(form, dice)) for place, form in enumerate(FORMS)]


def land(files: Iterable[tuple[str, bytes]]) -> Counter[str]:
    """One night of these files beside a good one: what came of them, after looking that nothing broke."""
    with tempfile.TemporaryDirectory() as folder:
        night = Night(Path(folder))
        names = {night.write(name, content).name for name, content in files}
        night.write("good.jsonl", [span("good"), run("good")])
        with no_longer_than(SECONDS):
            report = night.land()
            again = night.land()
        assert report.manifest
        entries = {entry.path: entry for entry in report.manifest.files}
        good = entries["good.jsonl"]
        assert (good.rows_read, good.rows_quarantined) == (2, 0), "a damaged file took a good one with it"
        told = {*entries, *report.known_files, *(item.name for item in report.skipped)}
        assert told == {*names, "good.jsonl"}, f"a file is not in the books: {names ^ told}"
        assert again.manifest is None, "the same files landed twice"
        counts = Counter(files=len(names), unreadable=len(report.unreadable))
        for name in ("read", "loaded", "duplicate", "superseded", "quarantined"):
            counts[name] = report.manifest.total("rows_" + name)
    return counts


@pytest.mark.parametrize("number", range(NIGHTS))
@pytest.mark.parametrize("what", ["lines", "files"])
def test_mutated_exports_never_break_the_night(
    what: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line or a file that somebody damaged stops the landing, hangs it, or unbalances the books (`Night.land` looks at them)."""
    dice = random.Random(f"{SEED}/{what}/{number}")
    started = time.process_time()
    if what == "lines":
        cases = LINES * len(FORMS)
        files = files_of_lines(dice)
    else:
        cases = DAMAGED_FILES
        forms = dice.sample(FORMS, k=DAMAGED_FILES)
        # A name tells little; once in a while it lies.
        files = [
            (
                f"{place}.{form.suffix if dice.randrange(20) else dice.choice(FORMS).suffix}",
                damaged_file(form, dice),
            )
            for place, form in enumerate(forms)
        ]
    counts = land(files)
    if what == "lines":
        assert counts["loaded"] > cases // 10, f"hardly anything was read, the rest proves little: {counts}"
        assert counts["quarantined"] > cases // 50, f"hardly anything was wrong: {counts}"
    if NIGHTS > 1:
        told = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        with capsys.disabled():
            print(
                f"\nfuzz {what} {number}: {cases:,} cases; {told}; {time.process_time() - started:.0f} s of processor time"
            )


@pytest.mark.xdist_group("publication")
@pytest.mark.skipif(NIGHTS == 1, reason="a build costs half a minute: `make soak`")
def test_what_lands_can_be_built(warehouse: Warehouse) -> None:
    """A line that the contract lets through stops the build, or a sum that must agree does not: one poisoned row ends every night."""
    dice = random.Random(f"{SEED}/build")
    for name, content in files_of_lines(dice):
        warehouse.drop_bytes(name, content)
    warehouse.land()
    warehouse.build(full=True)
    results = reconcile(warehouse.settings.candidate_path, dates=None)
    assert {result.name: result.message for result in results if not result.passed} == {}
