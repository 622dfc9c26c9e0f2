"""`python -m benchmarks.sources`: traces of other stacks from a plain file to the lake, per second.

What belongs here: measuring the landing of an invented export alone, and another tool beside it on the same file. What does not: any
verdict (see README.md), and the inventing (`otlp_export`, `langfuse_export`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import langfuse_export, otlp_export

EXPORTS: Mapping[str, tuple[str, Callable[[Path, int], object]]] = {
    "otlp": ("jsonl", otlp_export.write),
    "langfuse": ("jsonl", lambda path, count: langfuse_export.write(path, count, "jsonl")),
    "langfuse-array": ("json", lambda path, count: langfuse_export.write(path, count, "array")),
}


def land(folder: Path, memory_limit: str, threads: int) -> dict[str, float]:
    """Land what lies in a data folder, in this process, and say what it cost."""
    import duckdb  # noqa: F401, PLC0415

    from orchestration.landing.ingest import ingest  # noqa: PLC0415 - its import is no part of the measurement
    from orchestration.settings import Settings  # noqa: PLC0415

    settings = Settings(data_dir=folder, settle_seconds=0.0, memory_limit=memory_limit, threads=threads)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    report = ingest(settings)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": report.manifest.total("rows_loaded") if report.manifest else 0,
        "seconds": seconds,
        "cpu_seconds": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
    }


def land_nothing_but_text(source: Path, memory_limit: str, threads: int) -> dict[str, float]:
    """What no landing of Langfuse's lines can go below here: read them, take the fields that are read out as text, write those."""
    import duckdb  # noqa: PLC0415

    from orchestration.landing.formats import langfuse  # noqa: PLC0415
    from orchestration.sql import literal  # noqa: PLC0415

    names = dict.fromkeys(name for spellings in langfuse.FIELDS.values() for name in spellings)
    structure = literal(json.dumps(dict.fromkeys(names, "VARCHAR")))
    target = source.with_suffix(".parquet")
    with duckdb.connect(config={"memory_limit": memory_limit, "threads": threads}) as connection:
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.perf_counter()
        row = connection.execute(f"""
            copy (
                select unnest(from_json(line, {structure}))
                from read_csv(
                    {literal(source)}, columns = {{'line': 'varchar'}}, delim = '\n', quote = '', escape = '', header = false,
                    auto_detect = false, max_line_size = 4000000
                )
            ) to {literal(target)} (format parquet, compression zstd, compression_level 1)
        """).fetchone()
        seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    target.unlink()
    return {
        "rows": row[0] if row else 0,
        "seconds": seconds,
        "cpu_seconds": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    if options.land:
        print(json.dumps(land(options.land, options.memory_limit, options.threads)))
        return 0
    folder = Path(options.data or tempfile.mkdtemp(prefix="credit-usage-sources-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        print(
            f"{'export':16} {'rows':>9} {'MB':>7} {'seconds':>8} {'cpu s':>6} {'rows/s':>8} {'by cpu':>8} {'peak MB':>8}"
        )
        for name in options.exports:
            ending, write = EXPORTS[name]
            source = folder / f"{name}-{options.rows}.{ending}"
            if not source.exists():
                write(source, options.rows)
            # One after the other, so that whatever else the machine does meets both.
            for _ in range(options.repeat):
                ours = _landed(folder, source, options)
                _print(name, source, ours)
                if options.floor and name == "langfuse":
                    floor = land_nothing_but_text(source, options.memory_limit, options.threads)
                    _print("  text alone", source, floor)
                if options.tracecost and name.startswith("langfuse"):
                    theirs = _tracecost(options.tracecost, source, ours["rows"])
                    _print("  tracecost", source, theirs)
                    print(
                        f"{'':16} tracecost / ours: {theirs['seconds'] / ours['seconds']:.1f} x seconds, "
                        f"{theirs['cpu_seconds'] / ours['cpu_seconds']:.1f} x cpu, {theirs['peak_mb'] / ours['peak_mb']:.1f} x memory"
                    )
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _landed(folder: Path, source: Path, options: argparse.Namespace) -> dict[str, float]:
    """Land one file into a new data folder, in a process of its own: its peak is that of this landing."""
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    (data / "landing").mkdir(parents=True)
    (data / "landing" / source.name).hardlink_to(source)
    command = [sys.executable, "-m", "benchmarks.sources", "--land", str(data)]
    command += ["--memory-limit", options.memory_limit, "--threads", str(options.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(data, ignore_errors=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _tracecost(program: Path, source: Path, rows: float) -> dict[str, float]:
    """The whole process of `tracecost cost` on the file; nothing of it is installed here."""
    started = time.perf_counter()
    child = subprocess.Popen([program, "cost", source], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"tracecost ended with {child.returncode}")
    return {
        "rows": rows,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def _print(name: str, source: Path, cost: Mapping[str, float]) -> None:
    print(
        f"{name:16} {cost['rows']:9,.0f} {source.stat().st_size / 1e6:7,.1f} {cost['seconds']:8.2f} {cost['cpu_seconds']:6.2f} "
        f"{cost['rows'] / cost['seconds']:8,.0f} {cost['rows'] / (cost['cpu_seconds'] / 2):8,.0f} {cost['peak_mb']:8,.0f}",
        flush=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources", description=__doc__)
    parser.add_argument("--exports", nargs="+", choices=EXPORTS, default=list(EXPORTS))
    parser.add_argument("--rows", type=int, default=200_000, help="spans or observations (default: 200,000)")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--tracecost", type=Path, help="the program `tracecost` of an environment that has it"
    )
    parser.add_argument(
        "--floor",
        action="store_true",
        help="also what reading Langfuse's fields as text and writing them costs",
    )
    parser.add_argument("--data", type=Path, help="keep the files here (default: a temporary folder)")
    parser.add_argument("--land", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
