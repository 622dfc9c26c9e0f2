"""`python -m benchmarks.run`: generates landing files, runs `credit-usage nightly` on them, prints the cost.

What belongs here: measuring the product from outside, as a user runs it. What does not: any shortcut past the
command line, and any verdict (see README.md).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
START = date(2026, 1, 1)
NIGHTS = ("first night", "nothing new", "one further day")
STAGES = ("start", "define", "land", "prepare", "build", "audit", "publish", "render")
_HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Cost:
    """What one stage, or one whole process, cost. `rows` are those that the night read."""

    night: str
    stage: str
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    rows: int

    @property
    def rows_per_second(self) -> float | None:
        """By the clock on the wall; None where there were no rows."""
        return self.rows / self.seconds if self.rows and self.seconds else None


class BenchmarkError(RuntimeError):
    """The product failed under the benchmark; the message is its output."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    folder = options.data or Path(tempfile.mkdtemp(prefix="credit-usage-benchmark-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        costs, books = measure(folder.absolute(), options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(
            json.dumps(
                {"machine": machine(), **books, "measurements": [asdict(cost) for cost in costs]}, indent=2
            )
        )
    else:
        _print_table(costs, books)
    return 0


def measure(folder: Path, options: argparse.Namespace) -> tuple[list[Cost], dict[str, Any]]:
    """Generate once, then `repeat` times in a new data folder: first night, nothing new, one further day."""
    source = folder / "input"
    shutil.rmtree(source, ignore_errors=True)
    generated = generate(source, options)
    days = sorted(path for path in source.iterdir() if path.is_dir())
    costs = [generated]
    books: dict[str, Any] = {
        "days": options.days,
        "runs_per_day": options.runs_per_day,
        "memory_limit": options.memory_limit,
        "input_bytes": sum(path.stat().st_size for path in source.rglob("*") if path.is_file()),
        "nights": {},
    }
    for number in range(options.repeat):
        data = folder / f"data-{number + 1}"
        shutil.rmtree(data, ignore_errors=True)
        for name, arriving in zip(NIGHTS, (days[: options.days], [], days[options.days :]), strict=True):
            drop(arriving, data / "landing")
            measured, document = nightly(name, data, options)
            costs += measured
            books["nights"][name] = {
                **document["rows"],
                "dates_touched": document["dates_touched"],
                "published_bytes": (data / "published" / "usage.duckdb").stat().st_size,
            }
        if options.data is None:
            shutil.rmtree(data)
    return costs, books


def generate(target: Path, options: argparse.Namespace) -> Cost:
    """Landing files of `days` + 1 days, nothing late; aged by an hour, so the night need not watch them."""
    code = (
        "import datetime, pathlib, sys; from orchestration.sample import generate; "
        "report = generate(pathlib.Path(sys.argv[1]), start=datetime.date.fromisoformat(sys.argv[2]), "
        "days=int(sys.argv[3]), runs_per_day=int(sys.argv[4]), file_format=sys.argv[5], late=False); "
        "print(report.run_rows + report.span_rows)"
    )
    arguments = [
        str(target),
        START.isoformat(),
        str(options.days + 1),
        str(options.runs_per_day),
        options.format,
    ]
    output, seconds, cpu_seconds, peak = process([sys.executable, "-c", code, *arguments], os.environ.copy())
    aged = time.time() - _HOUR_SECONDS
    for path in target.rglob("*"):
        os.utime(path, (aged, aged))
    # DuckDB draws a progress bar into the output of queries of more than two seconds; the count is the last word.
    return Cost("input", "generate", seconds, cpu_seconds, peak, int(output.split()[-1]))


def nightly(name: str, data: Path, options: argparse.Namespace) -> tuple[list[Cost], dict[str, Any]]:
    """One `credit-usage nightly` in a fresh process: its own stages, and the whole from outside."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CREDIT_USAGE_")}
    environment["CREDIT_USAGE_DATA_DIR"] = str(data)
    # The night after the last day, so that the freshness check judges what it would judge in use.
    environment["CREDIT_USAGE_NOW"] = datetime.combine(
        START + timedelta(days=options.days + 1), datetime.min.time(), UTC
    ).isoformat()
    environment["CREDIT_USAGE_ENGINE"] = getattr(options, "engine", "duckdb")
    if options.memory_limit:
        environment["CREDIT_USAGE_MEMORY_LIMIT"] = options.memory_limit
    command = [sys.executable, "-m", "orchestration.cli", "nightly", "--json"]
    output, seconds, cpu_seconds, peak = process(command, environment)
    document = json.loads(output)
    rows = document["rows"]["rows_read"]
    stages = [
        Cost(name, item["stage"], item["seconds"], item["cpu_seconds"], item["peak_memory_bytes"], rows)
        for item in document["stages"]
    ]
    outside = Cost(
        name,
        "between",
        seconds - sum(stage.seconds for stage in stages),
        cpu_seconds - sum(stage.cpu_seconds for stage in stages),
        peak,
        0,
    )
    return [*stages, outside, Cost(name, "whole process", seconds, cpu_seconds, peak, rows)], document


def process(command: Sequence[str], environment: dict[str, str]) -> tuple[str, float, float, int]:
    """Run a command: its output, wall and processor seconds, highest resident memory; with children."""
    environment = {**environment, "PYTHONPATH": str(REPOSITORY)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, cwd=REPOSITORY)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode()
        if child.returncode:
            raise BenchmarkError(
                f"{' '.join(command)} ended with {child.returncode}:\n{text}\n{errors.read().decode()}"
            )
    peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return text, seconds, usage.ru_utime + usage.ru_stime, peak


def drop(days: Sequence[Path], landing: Path, *, linking: bool = True) -> None:
    """Hard links where the filesystem can: the product never changes a landing file. A further link of a file changes one of its times,
    by which the product knows it: who drops a file twice, and measures nights on both, copies.
    """
    landing.mkdir(parents=True, exist_ok=True)
    for day in days:
        if not linking:
            shutil.copytree(day, landing / day.name)
            continue
        try:
            shutil.copytree(day, landing / day.name, copy_function=os.link)
        except (OSError, shutil.Error):
            shutil.copytree(day, landing / day.name, dirs_exist_ok=True)


def _print_table(costs: Sequence[Cost], books: dict[str, Any]) -> None:
    told = machine()
    print(
        f"{told['cores']} cores, {told['system']}, "
        f"Python {told['python']}, DuckDB {told['duckdb']}\n"
        f"{books['days']} days of {books['runs_per_day']:,} runs, "
        f"{books['input_bytes'] / 1e6:,.0f} MB of landing files; "
        f"memory limit {books['memory_limit'] or 'as set'}; medians"
    )
    for night in ("input", *NIGHTS):
        book = books["nights"].get(night)
        night_told = (
            f": {book['rows_read']:,} rows, {book['dates_touched']} dates, "
            f"published file {book['published_bytes'] / 1e6:,.0f} MB"
            if book
            else ""
        )
        print(
            f"\n{night}{night_told}\n"
            f"  {'stage':<14}{'seconds':>9}{'cpu s':>9}{'rows/s':>11}{'peak MB':>9}   min to max s"
        )
        for stage in ("generate", *STAGES, "between", "whole process"):
            found = [cost for cost in costs if cost.night == night and cost.stage == stage]
            if found:
                _print_row(stage, found)


def _print_row(stage: str, found: Sequence[Cost]) -> None:
    seconds = [cost.seconds for cost in found]
    rates = [cost.rows_per_second for cost in found if cost.rows_per_second is not None]
    rate = f"{statistics.median(rates):,.0f}" if rates and stage not in ("start", "define") else ""
    cpu_seconds = statistics.median(cost.cpu_seconds for cost in found)
    peak = max(cost.peak_memory_bytes for cost in found) / 1e6
    print(
        f"  {stage:<14}{statistics.median(seconds):>9.2f}{cpu_seconds:>9.2f}{rate:>11}{peak:>9,.0f}"
        f"   {min(seconds):.2f} to {max(seconds):.2f}"
    )


def machine() -> dict[str, Any]:
    import duckdb  # noqa: PLC0415 - only its version, after the measuring

    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Time `credit-usage nightly` on generated input: first night, nothing new, one more day.",
        epilog="About 6 spans per run. Default: 100,000 runs, 600,000 spans; two minutes, 1 GB of disk.",
    )
    parser.add_argument(
        "--days", type=int, default=30, metavar="N", help="days of the first night (default 30)"
    )
    parser.add_argument(
        "--runs-per-day", type=int, default=3400, metavar="N", help="runs a day (default 3400)"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="repetitions of the three nights (default 1)"
    )
    parser.add_argument(
        "--format",
        choices=["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet"],
        default="jsonl",
        help="of the landing files",
    )
    parser.add_argument(
        "--engine", choices=["duckdb", "spark"], default="duckdb", help="what builds (default duckdb)"
    )
    parser.add_argument(
        "--memory-limit", metavar="SIZE", help="DuckDB's limit, e.g. 1GB (default: the product's)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="work here and keep everything (default: a temporary folder, removed)",
    )
    parser.add_argument("--json", action="store_true", help="print every measurement as one JSON document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
