"""Invented usage in every awkward shape, as rows and all their versions, from a seed; and what each night should touch.

What belongs here: making rows, dealing them out over files and nights, and an independent account (plain Python, no SQL) of
the dates that a night may touch. Several worlds share one warehouse: they live in workspaces and weeks of their own, so one
build, which costs seconds whatever its size, judges all of them.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import zstandard

from tests.warehouse_fixture import Row, jsonl, stamp

BERLIN = "Europe/Berlin"
BERLIN_WEEKS = (date(2026, 3, 28), date(2026, 10, 24))
"""The days before Berlin's clocks change."""
PLAIN_WEEK = date(2026, 6, 10)


@dataclass
class World:
    """Rows of some runs, with versions. `run_versions` and `span_versions` hold, by key, the versions in order of time."""

    zones: dict[str, str]
    run_versions: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    span_versions: dict[tuple[str, str, str], list[Row]] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, Row]]:
        """Every version of every row with its entity, in order of time."""
        return [("runs", row) for rows in self.run_versions.values() for row in rows] + [
            ("spans", row) for rows in self.span_versions.values() for row in rows
        ]


class _Maker:
    """Makes one world."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = Random(f"{seed}/{number}")
        self.number = number
        self.plain, self.zoned = f"ws_{number}_utc", f"ws_{number}_berlin"
        self.world = World({self.zoned: BERLIN})
        base = self.random.choice(BERLIN_WEEKS) if number % 2 == 0 else PLAIN_WEEK
        # Years apart, so that no world's dates are touched by another's.
        self.base = datetime(base.year - number, base.month, base.day, tzinfo=UTC)

    def moment(self) -> datetime:
        """A time in five days, most often within minutes of a midnight in one of the two zones."""
        day = self.base + timedelta(days=self.random.randrange(4))
        if self.random.random() < 0.6:
            hour = self.random.choice((22, 23, 24))
            return day + timedelta(
                hours=hour, minutes=self.random.randint(-9, 9), milliseconds=self.random.randrange(1000)
            )
        return day + timedelta(
            seconds=self.random.randrange(86_400), milliseconds=self.random.randrange(1000)
        )

    def run(self, workspace: str, run_id: str, started: datetime, parent: str | None, **fields: Any) -> None:
        """A run with one to three versions; the start may move over midnight and the parent may change."""
        random = self.random
        row: Row = {
            "run_id": run_id,
            "workspace_id": workspace,
            "run_type": random.choice(("prompt", "workflow", "agent")),
            "resource_id": random.choice(("r1", "r2")),
            "source": random.choice(("api", "dashboard", None)),
            "charge_type": random.choice(("hosted", "personal", None)),
            "status": "running",
            "started_at": stamp(started),
            "updated_at": stamp(started),
            "user_id": random.choice((None, "u1", "u2", "<b>ü</b>")),
            "user_metadata": random.choice((None, {"tier": "gold", "n": 1})),
            "parent_run_id": parent,
            **fields,
        }
        versions = [row]
        for step in range(random.choice((0, 1, 1, 2))):
            later = dict(versions[-1])
            ended = started + timedelta(seconds=random.randrange(1, 5000))
            later["status"] = random.choice(("completed", "failed", "cancelled"))
            later["updated_at"] = stamp(started + timedelta(hours=2 + step))
            if random.random() < 0.3:
                moved = datetime.fromisoformat(later["started_at"]) + timedelta(
                    minutes=random.choice((-20, 20, 26 * 60))
                )
                later["started_at"] = stamp(moved)
                ended = max(ended, moved + timedelta(seconds=5))
            if random.random() < 0.2:
                later["parent_run_id"] = random.choice((None, f"{run_id}-other", parent))
            later["completed_at"] = stamp(ended)
            if random.random() < 0.3:
                later["reported_total_tokens"] = random.randrange(5000)
            versions.append(later)
        self.world.run_versions[workspace, run_id] = versions

    def spans(self, workspace: str, run_id: str, started: datetime, count: int) -> None:
        """Calls, tools, roll-ups, images and empty spans of a run, some after midnight, some with a running version before."""
        random = self.random
        for number in range(count):
            begin = started + timedelta(seconds=random.choice((0, 1, 30, 900, 4000)), milliseconds=number)
            ended = begin + timedelta(milliseconds=random.choice((0, 1, 250, 90_000)))
            kind = random.choice(
                (
                    "completion",
                    "completion",
                    "tool",
                    "step",
                    "agent",
                    "image_generation",
                    "embedding",
                    "nonsense",
                )
            )
            row: Row = {
                "run_id": run_id,
                "workspace_id": workspace,
                "span_id": f"s{number}",
                "parent_span_id": random.choice((None, "s0", "s1", "gone")),
                "name": random.choice(("chat", "plan", "näme\t'\"")),
                "kind": kind,
                "charge_type": random.choice(("hosted", "personal", None)),
                "status": random.choice(("completed", "completed", "failed")),
                "started_at": stamp(begin),
                "ended_at": stamp(ended),
                "attempt": random.choice((None, 1, 2)),
                "shard": random.choice((None, "eu-1")),
            }
            if kind in ("completion", "embedding"):
                row |= self._tokens()
                row |= {
                    "service": "AI Model",
                    "provider": random.choice(("openai", "anthropic")),
                    "model": random.choice(("m1", "m2")),
                }
                row["provider_cost_usd"] = random.choice(
                    (None, "0.000013", "0.0174000000000000024", 3, "1.5e-3")
                )
                row["task_credits"] = random.choice((None, 0, 1, "2.5"))
            elif kind == "image_generation":
                row |= {
                    "service": "Image Generation",
                    "model": "img",
                    "units": 2,
                    "image_tokens": random.choice((None, 700)),
                }
                row |= {"provider_cost_usd": random.choice((None, "0.04")), "task_credits": 2}
            elif kind == "tool":
                row |= {
                    "service": random.choice((None, "Google Search")),
                    "task_credits": random.choice((None, 0, 3)),
                }
            elif random.random() < 0.5:  # a roll-up, or the only carrier of usage
                row |= {
                    "input_tokens": random.randrange(900),
                    "output_tokens": 5,
                    "provider_cost_usd": "0.5",
                    "task_credits": 1,
                }
            versions = [row]
            if random.random() < 0.3:
                early = {
                    k: v
                    for k, v in row.items()
                    if k not in ("ended_at", "provider_cost_usd", "output_tokens", "completion_tokens")
                }
                early["status"] = "running"
                if ended > begin:
                    if random.random() < 0.4:  # its clock was corrected
                        early["started_at"] = stamp(begin - timedelta(minutes=random.choice((20, 26 * 60))))
                    versions.insert(0, early)
            self.world.span_versions[workspace, run_id, f"s{number}"] = versions

    def _tokens(self) -> Row:
        """Token usage in one of its shapes, or none at all."""
        a, b, c = self.random.randrange(5000), self.random.randrange(900), self.random.randrange(50)
        return self.random.choice(
            (
                {},
                {
                    "input_tokens": a,
                    "cached_tokens": a // 2,
                    "cache_write_tokens": a // 4,
                    "output_tokens": b,
                },
                {"prompt_tokens": a, "completion_tokens": str(b)},
                {
                    "input_tokens": {"total_tokens": a, "cached_tokens": c},
                    "output_tokens": {"total_tokens": b, "reasoning_tokens": c},
                },
                {
                    "prompt_tokens": {"total_tokens": a, "cached_tokens": a + 1},
                    "completion_tokens": {"total_tokens": b},
                },
                {"output_tokens": b, "citation_tokens": c},
            )
        )

    def make(self) -> World:
        for workspace in (self.plain, self.zoned):
            # A family to depth 3 that crosses midnights, a cycle, a run that is its own parent, a parent that never comes.
            tree = {"top": None, "mid": "top", "low": "mid", "deep": "low", "twin": "mid"}
            loops = {
                "ring-1": "ring-3",
                "ring-2": "ring-1",
                "ring-3": "ring-2",
                "self": "self",
                "lost-child": "never",
            }
            alone = {f"solo-{n}": None for n in range(self.random.randrange(1, 4))}
            for run_id, parent in {**tree, **loops, **alone}.items():
                started = self.moment()
                self.run(workspace, run_id, started, parent)
                self.spans(workspace, run_id, started, self.random.choice((0, 1, 3, 5)))
            for number in range(2):  # their runs never come
                self.spans(workspace, f"orphan-{number}", self.moment(), self.random.randrange(1, 4))
        return self.world


def make_worlds(seed: int, count: int) -> list[World]:
    """`count` worlds that share nothing."""
    return [_Maker(seed, number).make() for number in range(count)]


Night = list[tuple[str, Row]]


def deal(worlds: list[World], nights: int, random: Random) -> list[Night]:
    """Deal all rows over nights in any order, some of them twice."""
    dealt: list[Night] = [[] for _ in range(nights)]
    for world in worlds:
        # Whole worlds stay away from a night, so that it leaves some dates alone.
        open_nights = [n for n in range(nights) if random.random() < 0.7] or [random.randrange(nights)]
        for entry in world.rows():
            dealt[random.choice(open_nights)].append(entry)
            if random.random() < 0.15:
                dealt[random.choice(open_nights)].append(entry)
    for rows in dealt:
        random.shuffle(rows)
    return dealt


def files(night: Night, number: int, random: Random) -> dict[str, bytes]:
    """A night's rows as landing files: cut, named and compressed in any way; some twice under another name."""
    result: dict[str, bytes] = {}
    rows: dict[str, list[Row]] = defaultdict(list)
    mixed = random.random() < 0.3
    for entity, row in night:
        rows["mixed" if mixed else entity].append(row)
    for entity, listed in rows.items():
        pieces = random.choice((1, 1, 2, 5))
        for piece in range(pieces):
            content = jsonl(listed[piece::pieces])
            if not content:
                continue
            name = f"{random.randrange(10**6):06d}/{entity}-{number}-{piece}.jsonl"
            packing = random.choice(("", ".gz", ".zst"))
            packed = {
                "": content,
                ".gz": gzip.compress(content, mtime=0),
                ".zst": zstandard.compress(content),
            }[packing]
            result[name + packing] = packed
            if random.random() < 0.2:
                result[f"again/{random.randrange(10**6)}.jsonl"] = content
    return result


class Ledger:
    """What a night may touch, worked out by hand: the date of every run before and after it, and of all their ancestors."""

    def __init__(self, worlds: list[World]) -> None:
        self.zones = {name: zone for world in worlds for name, zone in world.zones.items()}
        self.runs: dict[tuple[str, str], Row] = {}
        self.span_starts: dict[tuple[str, str], dict[str, tuple[str, str]]] = defaultdict(dict)

    def _day(self, workspace: str, text: str) -> date:
        return datetime.fromisoformat(text).astimezone(ZoneInfo(self.zones.get(workspace, "UTC"))).date()

    def dates(self) -> dict[tuple[str, str], date]:
        """The date of each run: of its winning version, or of its earliest span."""
        found = {}
        for key in self.runs.keys() | self.span_starts.keys():
            if key in self.runs:
                found[key] = self._day(key[0], self.runs[key]["started_at"])
            else:
                found[key] = self._day(key[0], min(start for _, start in self.span_starts[key].values()))
        return found

    def take(self, night: Night) -> set[date]:
        """Add a night's rows; the dates that it may touch."""
        before, runs_before = self.dates(), dict(self.runs)
        named: set[tuple[str, str]] = set()
        for entity, row in night:
            key = (row["workspace_id"], row["run_id"])
            named.add(key)
            if entity == "runs":
                if key not in self.runs or row["updated_at"] > self.runs[key]["updated_at"]:
                    self.runs[key] = row
            else:
                version = (row.get("ended_at") or row["started_at"], row["started_at"])
                known = self.span_starts[key].get(row["span_id"])
                if known is None or version > known:
                    self.span_starts[key][row["span_id"]] = version
        after = self.dates()
        reached = set(named)
        for runs in (runs_before, self.runs):  # ancestors, as they were and as they are
            frontier = set(named)
            while frontier:
                parents = {
                    (k[0], runs[k].get("parent_run_id"))
                    for k in frontier
                    if k in runs and runs[k].get("parent_run_id")
                }
                frontier = parents - reached
                reached |= parents
        arrived = {key for key in named if key in self.runs and key not in runs_before}
        reached |= {key for key, run in self.runs.items() if (key[0], run.get("parent_run_id")) in arrived}
        return {days[key] for days in (before, after) for key in reached if key in days}
