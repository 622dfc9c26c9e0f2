"""Analysts query the published file while one publication after the other takes its name: each query must see exactly one of them.

Candidates are copies of what is published in which the number of the publication stands in a column of two marts, so that a query over
both and over `meta.publication` tells whether all three are of one publication. They go out by the product's own last step.

What belongs here: the readers and what they have to see. The short form is `tests/integration/test_readers.py`, the long one
`python -m tests.soak readers`.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from orchestration import night, sql
from orchestration.landing.lake import Lake
from orchestration.publication import publish
from tests.warehouse_fixture import Warehouse

READERS = 10
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.3
"""Of a reader between two queries: ten that never pause leave the publisher no processor."""
_NUMBERED = (
    ("marts.mart_analytics__total_cost", "run_count"),
    ("marts.mart_analytics__service_costs", "call_count"),
)
_QUERY = " union all ".join(
    ["select publication_id::bigint as number from meta.publication"]
    + [f"select distinct {column} from {mart}" for mart, column in _NUMBERED]
)


@dataclass
class Watched:
    """What the readers saw."""

    publications: int
    queries: int = 0
    opened: int = 0
    seen: list[int] = field(default_factory=list)
    """Of each reader, how many of the publications it saw."""
    faults: list[str] = field(default_factory=list)


def publish_numbered(warehouse: Warehouse) -> int:
    """One more publication, whose marts bear its number; the number."""
    settings = warehouse.settings
    plan = night.prepare(settings, run_id="test", requested_dates=[date(2026, 10, 1)])
    with sql.connect(settings, settings.candidate_path) as connection:
        connection.execute("create table intermediate.int_dates__touched as from plan.requested_dates")
        for mart, column in _NUMBERED:
            connection.execute(f"update {mart} set {column} = {plan.night_seq}")
    publish.publish(settings, plan, Lake(settings.lake_dir).manifests(), [])
    return plan.night_seq


def _read(path: str, holds: int, latest: Any, stop: Any, results: Any) -> None:
    """A reader: `holds` queries on each connection before it opens the file anew."""
    import duckdb

    seen: set[int] = set()
    queries = opened = last = 0
    faults: list[str] = []
    while not stop.is_set() and len(faults) < 3:
        opened += 1
        try:
            with duckdb.connect(path, read_only=True, config={"threads": 1}) as connection:
                held: set[int] = set()
                for _ in range(holds):
                    numbers = {row[0] for row in connection.execute(_QUERY).fetchall()}
                    queries += 1
                    held |= numbers
                    if len(numbers) != 1:
                        faults.append(f"one query sees publications {sorted(numbers)}")
                    latest.value = max(numbers)
                    if stop.wait(PAUSE_SECONDS):
                        break
        except duckdb.Error as error:
            faults.append(f"{type(error).__name__}: {error}")
            continue
        seen |= held
        if len(held) > 1:
            faults.append(f"one connection sees publications {sorted(held)}")
        if max(held) < last:
            faults.append(f"publication {max(held)} is seen after {last}")
        last = max(held)
    results.put((queries, opened, sorted(seen), faults))


def _wait(watched: Watched, number: int, readers: list[Any], results: Any) -> None:
    """Until these readers have seen the publication, or one of all has given up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(value.value < number for value in readers) and results.empty():
        if time.monotonic() > deadline:
            watched.faults.append(f"publication {number} is not seen by all readers")
            return
        time.sleep(0.005)


def watch(warehouse: Warehouse, publications: int) -> Watched:
    """Publish so many times under the eyes of all readers. The next one waits until those who open the file for each query have seen it."""
    context = multiprocessing.get_context("forkserver")
    stop, results = context.Event(), context.Queue()
    path = str(warehouse.settings.published_path)
    numbers = [publish_numbered(warehouse)]
    # Half of them open the file for every query, the others keep it open for 2 to 32.
    holds = [1 if number % 2 else 2 ** (number // 2 + 1) for number in range(READERS)]
    latest = [context.Value("q", 0) for _ in holds]
    impatient = [value for value, hold in zip(latest, holds, strict=True) if hold == 1]
    readers = [
        context.Process(target=_read, args=(path, hold, mine, stop, results))
        for hold, mine in zip(holds, latest, strict=True)
    ]
    for reader in readers:
        reader.start()
    watched = Watched(publications)
    try:
        for _ in range(publications):
            _wait(watched, numbers[-1], impatient, results)
            numbers.append(publish_numbered(warehouse))
        _wait(watched, numbers[-1], impatient, results)
    finally:
        stop.set()
    for _ in readers:
        queries, opened, seen, faults = results.get(timeout=PATIENCE_SECONDS)
        watched.queries += queries
        watched.opened += opened
        watched.seen.append(len(seen))
        watched.faults += faults
        if wrong := set(seen) - set(numbers):
            watched.faults.append(f"publications that were never made are seen: {sorted(wrong)}")
    for reader in readers:
        reader.join()
    return watched


def show(watched: Watched, seconds: float) -> str:
    """The figures in a line."""
    return (
        f"readers: {len(watched.seen)} through {watched.publications} publications; {watched.queries} queries on {watched.opened} "
        f"connections; a reader saw {min(watched.seen)} to {max(watched.seen)} of them; {len(watched.faults)} faults; {seconds:.0f} s"
    )
