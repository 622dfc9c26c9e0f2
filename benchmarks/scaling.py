"""`python -m benchmarks.scaling`: how a night's cost grows with the rows there are, and both engines on the same rows.

What belongs here: sizes, and the law fitted through them. The nights are those of `benchmarks.run`, each size in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import run
from benchmarks.run import NIGHTS, BenchmarkError, machine

SPANS_A_RUN = 6.08
"""Of the sample generator; what was really read is in the table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    kept = options.keep_results
    measured = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    try:
        for engine in options.engines:
            for millions in options.millions:
                measured.append(one_size(engine, millions, options))
                if kept:
                    with kept.open("a") as lines:
                        lines.write(json.dumps(measured[-1]) + "\n")
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    fits = {
        engine: fitted([item for item in measured if item["engine"] == engine])
        for engine in sorted({item["engine"] for item in measured})
    }
    if options.json:
        print(json.dumps({"machine": machine(), "sizes": measured, "exponents": fits}, indent=2))
    else:
        _print(measured, fits)
    return 0


def one_size(engine: str, millions: float, options: argparse.Namespace) -> dict[str, Any]:
    """The three nights on so many spans: seconds, memory and file size of each."""
    chosen = argparse.Namespace(**vars(options))
    chosen.runs_per_day = round(millions * 1e6 / SPANS_A_RUN / options.days)
    chosen.repeat, chosen.engine = 1, engine
    folder = options.data or Path(tempfile.mkdtemp(prefix="credit-usage-scaling-", dir=options.folder))
    try:
        costs, books = run.measure(folder, chosen)
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)
    first = NIGHTS[0]
    found: dict[str, Any] = {
        "engine": engine,
        "rows": books["nights"][first]["rows_read"],
        "input_bytes": books["input_bytes"],
    }
    for name in NIGHTS:
        of_night = {cost.stage: cost for cost in costs if cost.night == name}
        found[name] = {
            "seconds": round(of_night["whole process"].seconds, 1),
            "stages": {
                stage: round(cost.seconds, 1) for stage, cost in of_night.items() if stage != "whole process"
            },
            "stage_peaks_bytes": {stage: cost.peak_memory_bytes for stage, cost in of_night.items()},
            "cpu_seconds": round(of_night["whole process"].cpu_seconds, 1),
            "peak_memory_bytes": of_night["whole process"].peak_memory_bytes,
            "published_bytes": books["nights"][name]["published_bytes"],
        }
    return found


def fitted(measured: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The exponent of each cost's growth with the rows, by least squares over the logarithms; 1 is linear. None from a single size."""
    if len(measured) < 2:
        return {}
    rows = [math.log(item["rows"]) for item in measured]
    found = {}
    for night in NIGHTS:
        for cost in ("seconds", "peak_memory_bytes", "published_bytes"):
            values = [math.log(item[night][cost]) for item in measured]
            found[f"{night}: {cost}"] = round(statistics.linear_regression(rows, values).slope, 2)
    return found


def _print(measured: Sequence[dict[str, Any]], fits: dict[str, dict[str, float]]) -> None:
    print("| engine | rows | export | night | seconds | of them | peak memory | published file |")
    print("| --- | ---: | ---: | --- | ---: | --- | ---: | ---: |")
    for item in measured:
        for night in NIGHTS:
            cost = item[night]
            stages = ", ".join(
                f"{stage} {seconds:g}" for stage, seconds in cost["stages"].items() if seconds >= 1
            )
            print(
                f"| {item['engine']} | {item['rows']:,} | {item['input_bytes'] / 1e9:.2f} GB | {night} | {cost['seconds']} | {stages} "
                f"| {cost['peak_memory_bytes'] / 1e9:.2f} GB | {cost['published_bytes'] / 1e9:.2f} GB |"
            )
    for engine, fit in fits.items():
        for name, exponent in fit.items():
            print(f"{engine}, {name} grows with rows^{exponent}")


def _parser() -> argparse.ArgumentParser:
    parser = run._parser()
    parser.prog, parser.description, parser.epilog = "python -m benchmarks.scaling", __doc__, None
    parser.add_argument(
        "--millions",
        type=float,
        nargs="+",
        default=[1, 2, 5, 10, 20],
        metavar="N",
        help="millions of spans (default 1 2 5 10 20)",
    )
    parser.add_argument(
        "--engines", nargs="+", default=["duckdb"], choices=["duckdb", "spark"], help="which engines build"
    )
    parser.add_argument(
        "--keep-results",
        type=Path,
        metavar="FILE",
        help="add each size to this file as a line of JSON; what is in it already is part of the table and the fit",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where the data goes while it is measured (default: the system's temporary folder)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
