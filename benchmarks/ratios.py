"""`python -m benchmarks.ratios`: the product beside hand-written SQL and beside itself, as ratios measured in one run.

Both sides of a ratio alternate, in fresh processes. What belongs here: which ratios there are, and how each is measured. What does not:
any verdict; `--against` only says what moved by more than a fifth since the committed measurement (`benchmarks/ratios.json`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import panels
from benchmarks.run import REPOSITORY, START, BenchmarkError, Cost, drop, generate, machine, nightly, process

MOVED = 0.2
COMMITTED = REPOSITORY / "benchmarks" / "ratios.json"


@dataclass(frozen=True)
class Ratio:
    """One line of the table: `ours` over `theirs`, each a list of repetitions in seconds. `goal` is what the ratio shall not exceed."""

    name: str
    ours: list[float]
    theirs: list[float]
    goal: float | None = None

    @property
    def value(self) -> float:
        """The ratio of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)


@dataclass(frozen=True)
class Single:
    """One line that is no ratio, such as seconds from start to end. `goal` is what it shall not exceed."""

    name: str
    values: list[float]
    unit: str
    goal: float | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    folder = options.data or Path(tempfile.mkdtemp(prefix="credit-usage-ratios-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measured = _Measuring(folder.absolute(), options).all()
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)
    document = {
        "machine": machine(),
        "sizes": {name: getattr(options, name) for name in ("days", "history", "runs_per_day", "repeat")},
        "ratios": {item.name: round(item.value, 3) for item in measured if isinstance(item, Ratio)},
        "measurements": [asdict(item) for item in measured],
    }
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        _print(document, measured)
    if options.against:
        _compare(document["ratios"], json.loads(options.against.read_text(encoding="utf-8"))["ratios"])
    if options.write:
        options.write.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


class _Measuring:
    """One run of all measurements in a folder."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.seconds = "cpu_seconds" if options.cpu else "seconds"

    def all(self) -> list[Ratio | Single]:
        options = self.options
        self.input = self.folder / "input"
        shutil.rmtree(self.input, ignore_errors=True)
        generate(self.input, argparse.Namespace(**{**vars(options), "days": options.history}))
        self.days = sorted(path for path in self.input.iterdir() if path.is_dir())
        return [*self.bulk(), *self.further_day(), *self.small()]

    def bulk(self) -> list[Ratio | Single]:
        """`days` days at once: the night without its pages, and the same by hand."""
        days = self.days[: self.options.days]
        nights: list[list[Cost]] = []
        by_hand: list[float] = []
        peaks: list[float] = []
        for number in range(self.options.repeat):
            data = self._new_data("bulk", days)
            for side in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
                if side == "ours":
                    night = self._night("bulk", data)
                    nights.append(night)
                    peaks.append(
                        max(cost.peak_memory_bytes for cost in night if cost.stage != "render") / 1e9
                    )
                else:
                    by_hand += self._by_hand(data / "landing")
        pandas = [self._pandas(self.folder / "bulk" / "landing") for _ in nights if self.options.pandas]
        without_pages = [self._sum(night, leaving=("render",)) for night in nights]
        steady = [self._sum(night, leaving=("render", "start", "define")) for night in nights]
        return [
            Ratio("bulk night without pages ÷ by hand", without_pages, by_hand),
            Ratio("bulk night without pages and start-up ÷ by hand", steady, by_hand, 1.5),
            Ratio("landing ÷ by hand", [self._stage(night, "land") for night in nights], by_hand),
            Ratio("build ÷ by hand", [self._stage(night, "build") for night in nights], by_hand),
            Ratio("pages ÷ by hand", [self._stage(night, "render") for night in nights], by_hand),
            *([Ratio("plain pandas ÷ bulk night without pages", pandas, without_pages)] if pandas else ()),
            Single("bulk night without pages, peak memory", peaks, "GB"),
        ]

    def further_day(self) -> list[Ratio | Single]:
        """One more day on `days` and on `history` days; then what touches everything that is there."""
        further = self.days[-1]
        # The data folder of the last bulk night is just that.
        short = self.folder / "bulk"
        long = self._history("long", self.days[: self.options.history])
        by_hand_before = self.folder / "bare-long.duckdb"
        self._bare(long / "landing", by_hand_before)
        nights: dict[str, list[list[Cost]]] = {"short": [], "long": []}
        by_hand: list[float] = []
        repairs: dict[str, dict[str, list[float]]] = {"short": {}, "long": {}}
        quiet: list[float] = []
        for number in range(self.options.repeat):
            sides = [("short", short), ("long", long)]
            for name, kept in sides if number % 2 == 0 else reversed(sides):
                data = self._copied(kept)
                drop([further], data / "landing", linking=False)
                nights[name].append(self._night(f"further day, {name} history", data))
                if name == "long":
                    quiet.append(self._sum(self._night("nothing new", data)))
                for verb, seconds in self._repairs(data).items():
                    repairs[name].setdefault(verb, []).append(seconds)
                shutil.rmtree(data / "landing" / further.name)
                (data / "landing").rename(kept / "landing")
            landing = self.folder / "one-day"
            shutil.rmtree(landing, ignore_errors=True)
            drop([further], landing, linking=False)
            by_hand += self._by_hand(landing, onto=by_hand_before)
        found = {name: [self._sum(night, leaving=("render",)) for night in nights[name]] for name in nights}
        self.published = self.folder / "further" / "published" / "usage.duckdb"
        return [
            Ratio("further day without pages, long ÷ short history", found["long"], found["short"], 1.15),
            Ratio("further day without pages ÷ by hand on the same history", found["long"], by_hand, 2.0),
            *(
                Ratio(f"{verb}, long ÷ short history", repairs["long"][verb], repairs["short"][verb])
                for verb in repairs["long"]
            ),
            Single("nothing new, long history", quiet, "s", 4.0),
        ]

    def _copied(self, kept: Path) -> Path:
        """A copy to run a night in. Its landing folder is the kept one itself, whose files are known by their inodes: copies would be
        read and hashed, all of them. So would the published file, once, which a quiet night does. What was copied is on the disk before the
        night begins, which would wait for it.
        """
        data = self.folder / "further"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(kept, data, symlinks=True, ignore=shutil.ignore_patterns("landing"))
        (kept / "landing").rename(data / "landing")
        self._night("a quiet one", data)
        os.sync()
        return data

    def _repairs(self, data: Path) -> dict[str, float]:
        """Seconds of the verbs that reach back: each in its own process, on the same data folder."""
        if not self.options.repairs:
            return {}
        first = sorted(path.name for path in (data / "landing").iterdir())[0]
        prices = data / "prices.csv"
        environment = self._environment(data) | {"CREDIT_USAGE_PRICE_FILE": str(prices)}
        prices.write_text(
            "model,meter,unit_price_usd\ngpt-4o-mini,output,0.61\n",
            encoding="utf-8",
        )
        verbs = {
            "reprice": (["reprice", "--json"], environment),
            "pages anew": (["report", "--force", "--json"], self._environment(data)),
            "retract one file": (
                ["retract", f"{first}/spans.jsonl", "--yes", "--json"],
                environment,
            ),
            "rebuild": (["rebuild", "--from-lake", "--json"], environment),
        }
        return {name: self._command(arguments, env) for name, (arguments, env) in verbs.items()}

    def small(self) -> list[Ratio | Single]:
        """What a person waits for: a small night, the help, a query."""
        helps = [self._command(["--help"], os.environ.copy()) for _ in range(self.options.repeat)]
        waited = [panels.measure(self.published, repeat=1) for _ in range(max(self.options.repeat, 3))]
        medians = {name: statistics.median(item[name] for item in waited) for name in waited[0]}
        return [
            *(self._small_nights() if self.options.small else ()),
            Single("--help", helps, "s", 0.4),
            Single("panel queries, median", [statistics.median(medians.values())], "ms", 50.0),
            Single("panel queries, worst", [max(medians.values())], "ms", 250.0),
        ]

    def _small_nights(self) -> list[Single]:
        options = argparse.Namespace(**{**vars(self.options), "days": 0, "runs_per_day": 1000})
        source = self.folder / "small-input"
        shutil.rmtree(source, ignore_errors=True)
        generate(source, options)
        seconds = []
        for _ in range(self.options.repeat):
            data = self._new_data("small", sorted(source.iterdir()), prepared=True)
            seconds.append(self._sum(self._night("small", data)))
        return [Single("small night, 1,000 runs, cold", seconds, "s", 15.0)]

    def _new_data(self, name: str, days: Sequence[Path], *, prepared: bool = False) -> Path:
        """A new data folder with these days in its landing folder; `prepared` leaves the parsed dbt project of an earlier one in it."""
        data = self.folder / name
        shutil.rmtree(data, ignore_errors=True)
        drop(days, data / "landing", linking=False)
        if prepared and (self.folder / "long" / "dbt").exists():
            shutil.copytree(self.folder / "long" / "dbt", data / "dbt")
        return data

    def _history(self, name: str, days: Sequence[Path]) -> Path:
        data = self._new_data(name, days)
        self._night(f"{name} history", data)
        return data

    def _night(self, name: str, data: Path) -> list[Cost]:
        options = argparse.Namespace(days=self.options.history, memory_limit=self.options.memory_limit)
        costs, document = nightly(name, data, options)
        if not document["success"]:
            raise BenchmarkError(f"{name}: {document['error']}")
        return costs

    def _by_hand(self, landing: Path, *, onto: Path | None = None) -> list[float]:
        """Three times where all is measured once: on little data it takes a second, and varies by a quarter."""
        target = self.folder / "bare.duckdb"
        return [self._bare(landing, target, onto) for _ in range(3 if self.options.repeat == 1 else 1)]

    def _bare(self, landing: Path, target: Path, onto: Path | None = None) -> float:
        command = [sys.executable, "-m", "benchmarks.bare", str(landing), str(target), "--json"]
        if onto is not None:
            command += ["--onto", str(onto)]
        _, seconds, cpu_seconds, _ = process(command, os.environ.copy())
        return cpu_seconds if self.options.cpu else seconds

    def _pandas(self, landing: Path) -> float:
        command = [sys.executable, "-m", "benchmarks.with_pandas", str(landing), str(self.folder / "pandas")]
        _, seconds, cpu_seconds, _ = process(command, os.environ.copy())
        return cpu_seconds if self.options.cpu else seconds

    def _command(self, arguments: Sequence[str], environment: dict[str, str]) -> float:
        _, seconds, cpu_seconds, _ = process(
            [sys.executable, "-m", "orchestration.cli", *arguments], environment
        )
        return cpu_seconds if self.options.cpu else seconds

    def _environment(self, data: Path) -> dict[str, str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CREDIT_USAGE_")
        }
        now = START + timedelta(days=self.options.history + 1)
        return {
            **environment,
            "CREDIT_USAGE_DATA_DIR": str(data),
            "CREDIT_USAGE_NOW": f"{now.isoformat()}T00:00:00+00:00",
        }

    def _stage(self, night: Sequence[Cost], name: str) -> float:
        return sum(getattr(cost, self.seconds) for cost in night if cost.stage == name)

    def _sum(self, night: Sequence[Cost], *, leaving: Sequence[str] = ()) -> float:
        """The whole process without some of its stages."""
        return self._stage(night, "whole process") - sum(self._stage(night, name) for name in leaving)


def _print(document: dict[str, Any], measured: Sequence[Ratio | Single]) -> None:
    sizes = document["sizes"]
    print(
        f"{document['machine']['cores']} cores, DuckDB {document['machine']['duckdb']}; {sizes['runs_per_day']:,} runs a day, "
        f"histories of {sizes['days']} and {sizes['history']} days; medians of {sizes['repeat']}, (min to max)\n"
    )
    print(f"{'':<52}{'ratio':>7}{'goal':>7}   ours / theirs, or value")
    for item in measured:
        if isinstance(item, Ratio):
            goal = f"{item.goal:.2f}" if item.goal else ""
            print(
                f"{item.name:<52}{item.value:>7.2f}{goal:>7}   {_spread(item.ours)} / {_spread(item.theirs)} s"
            )
        else:
            goal = f"{item.goal:g}" if item.goal else ""
            print(f"{item.name:<52}{'':>7}{goal:>7}   {_spread(item.values)} {item.unit}")


def _spread(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f} to {max(values):.2f})"


def _compare(now: dict[str, float], committed: dict[str, float]) -> None:
    """Say what moved; nothing here fails."""
    moved = {
        name: (committed[name], value)
        for name, value in now.items()
        if name in committed and abs(value / committed[name] - 1) > MOVED
    }
    for name, (before, value) in moved.items():
        print(f"WARNING: {name}: {value:.2f}, committed {before:.2f} ({value / before - 1:+.0%})")
    if not moved:
        print(f"No ratio moved by more than {MOVED:.0%} from the committed ones.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios", description=__doc__)
    parser.add_argument("--days", type=int, default=5, help="days of the bulk night and of the short history")
    parser.add_argument("--history", type=int, default=60, help="days of the long history")
    parser.add_argument("--runs-per-day", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--format", default="jsonl", help=argparse.SUPPRESS)
    parser.add_argument("--memory-limit", help="DuckDB's limit in the product")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="processor seconds instead of those on the wall: for a machine that is shared",
    )
    parser.add_argument(
        "--repairs", action="store_true", help="also reprice, render, retract and rebuild on both histories"
    )
    parser.add_argument(
        "--pandas",
        action="store_true",
        help="also the marts of the bulk night in plain pandas, which holds everything in memory",
    )
    parser.add_argument(
        "--small", action=argparse.BooleanOptionalAction, default=True, help="also a night of 1,000 runs"
    )
    parser.add_argument("--data", type=Path, help="work here and keep everything")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="write the measurement as JSON")
    parser.add_argument("--against", type=Path, help="say which ratios moved since this measurement")
    return parser


if __name__ == "__main__":
    sys.exit(main())
