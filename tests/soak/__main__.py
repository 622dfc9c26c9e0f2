"""The long forms that print their figures: `python -m tests.soak`, or one of them, `kills` or `readers`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.soak import kills, readers
from tests.warehouse_fixture import Warehouse, three_days

COMMANDS_KILLED = 3
DAMAGES = (kills.delete, kills.overwrite)


def kill_nights(seed: int, share: float, jobs: int) -> int:
    """Nights killed on a workspace with files of three formats, some at a time; the number of faults."""
    started = time.monotonic()
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder) / str(number) for number in range(jobs)]
        builds = Path(folder) / "builds"
        for root in (*roots, builds):
            root.mkdir()
        warehouse = Warehouse(roots[0])
        warehouse.clear()
        # Kills that differ only in names that every night throws away share the night after them.
        sweep = kills.Sweep(warehouse, builds, is_strict=False)
        runs, spans = three_days()
        warehouse.drop("first/runs.jsonl", runs)
        warehouse.drop("first/spans.jsonl", spans)
        kills.drop_recordings(warehouse, "first", "double_openai")
        assert sweep.run() == 0, f"the first night fails: {sweep.said()}"
        kills.drop_new_files(warehouse)
        kills.drop_recordings(warehouse, "second", "litellm_and_openllmetry_openai", "pydantic_ai_openai")
        kills.drop_spend_logs(warehouse, "second")
        sweep.watch()
        moments = kills.many(sweep.watched, random, share)
        random.shuffle(moments)
        delays = [random.uniform(2, 14) for _ in range(COMMANDS_KILLED)] if share == 1 else []

        def part(made: kills.Sweep, number: int) -> list[str]:
            found = []
            for moment in moments[number::jobs]:
                found += (faults := made.kill(moment))
                print(
                    f"{time.monotonic() - started:6.0f} s  {moment}{'  FAULT' if faults else ''}", flush=True
                )
            for delay in delays[number::jobs]:
                found += made.kill_the_command(delay)
            for damage in DAMAGES[number::jobs]:
                found += made.damaged(damage)
            return found + (made.two_at_once() if number == 0 else [])

        sweeps = [sweep, *(sweep.beside(root) for root in roots[1:])]
        with ThreadPoolExecutor(jobs) as pool:
            faults = [fault for found in pool.map(part, sweeps, range(jobs)) for fault in found]
    killed = sum((made.killed for made in sweeps), start=type(sweep.killed)())
    told = ", ".join(f"{stage} {count}" for stage, count in sorted(killed.items()))
    print(
        f"kills: {killed.total()} ({told}); {sum(made.ended_first for made in sweeps)} nights were over before; "
        f"{len(sweep.seen)} different states made good; {len(faults)} faults; {time.monotonic() - started:.0f} s"
    )
    print(*faults, sep="\n")
    return len(faults)


def read_through(publications: int) -> int:
    """Ten readers through so many publications; the number of faults."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.clear()
        runs, spans = three_days()
        warehouse.drop("first/runs.jsonl", runs)
        warehouse.drop("first/spans.jsonl", spans)
        assert warehouse.night(with_tests=False) is not None
        started = time.monotonic()
        watched = readers.watch(warehouse, publications)
    print(readers.show(watched, time.monotonic() - started))
    print(*watched.faults, sep="\n")
    return len(watched.faults)


def main() -> None:
    """Run one of them, or both; exits with 1 where a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("what", nargs="*", help="kills, readers; both when left out")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--share", type=float, default=1.0, help="share of the kills, for a quick look")
    parser.add_argument("--jobs", type=int, default=2, help="nights at a time")
    parser.add_argument("--publications", type=int, default=50)
    options = parser.parse_args()
    faults = 0
    if not options.what or "readers" in options.what:
        faults += read_through(options.publications)
    if not options.what or "kills" in options.what:
        faults += kill_nights(options.seed, options.share, options.jobs)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
