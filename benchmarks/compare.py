"""`python -m benchmarks.compare REVISION`: what this checkout costs beside another revision, as ratios measured in one run.

Both sides run `benchmarks.run` on input of their own making (the same invented world), alternating, so that a machine that gets slower
slows both. What belongs here: the ratio of two revisions. What does not: any verdict (see README.md).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.run import REPOSITORY, STAGES

_STAGES = (*STAGES, "whole process")
Medians = dict[tuple[str, str], float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("revision", help="what to compare with: a commit, tag or branch")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, alternating")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--runs-per-day", type=int, default=5000)
    options = parser.parse_args(arguments)
    measured: dict[str, list[dict[str, Any]]] = {"then": [], "now": []}
    with tempfile.TemporaryDirectory(prefix="credit-usage-compare-") as folder:
        checkout = Path(folder) / "then"
        _git("worktree", "add", "--detach", "--quiet", str(checkout), options.revision)
        try:
            for number in range(options.repeat):
                sides = [("then", checkout), ("now", REPOSITORY)]
                # Whoever goes second finds warm caches: take turns.
                for side, code in sides if number % 2 == 0 else reversed(sides):
                    measured[side].append(_run(code, options))
        finally:
            _git("worktree", "remove", "--force", str(checkout))
    _print(options.revision, _medians(measured["then"]), _medians(measured["now"]))
    return 0


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(REPOSITORY), *arguments], check=True)


def _run(code: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One benchmark in a checkout, by this Python."""
    command = [sys.executable, "-m", "benchmarks.run", "--json"]
    command += ["--days", str(options.days), "--runs-per-day", str(options.runs_per_day)]
    output = subprocess.run(command, cwd=code, check=True, stdout=subprocess.PIPE).stdout
    return dict(json.loads(output))


def _medians(documents: Sequence[dict[str, Any]]) -> Medians:
    """Processor seconds of each stage of each night."""
    found: dict[tuple[str, str], list[float]] = {}
    for document in documents:
        for item in document["measurements"]:
            if item["stage"] in _STAGES:
                found.setdefault((item["night"], item["stage"]), []).append(item["cpu_seconds"])
    return {key: statistics.median(values) for key, values in found.items()}


def _print(revision: str, then: Medians, now: Medians) -> None:
    print(
        f"{'night':<16} {'stage':<14} {revision[:10]:>10} {'now':>10} {'ratio':>7}   (CPU seconds, medians)"
    )
    for night, stage in now:
        if (night, stage) in then:
            before, after = then[night, stage], now[night, stage]
            ratio = f"{after / before:.2f}" if before else "-"
            print(f"{night:<16} {stage:<14} {before:>10.2f} {after:>10.2f} {ratio:>7}")


if __name__ == "__main__":
    sys.exit(main())
