"""Clean nightly exports of many small workspaces that are alike: the ground on which faults are planted.

What belongs here: rows without a fault, the same ones every time. What does not: faults (`corpus.py`). Costs are what the price
catalogue makes of the tokens, ids hold the time of their run, and weekdays are busier than weekends, as in life.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.warehouse_fixture import Row, Warehouse, jsonl, stamp

FIRST_DAY = date(2026, 10, 5)
HISTORY_DAYS = 16
"""Sixteen days hold two of each weekday before the last."""
TONIGHT = FIRST_DAY + timedelta(days=HISTORY_DAYS)
NOW = datetime(2026, 10, 22, 2, 30, tzinfo=UTC)
"""When the night runs: half past two on the day after."""

HOUSE = "ws_house"
"""A workspace with a model of its own that nobody has a price for. A few of its calls come without a cost, a span without its run,
runs without a user, failures: what is no fault as long as it is little."""

#: Model → provider and USD per million uncached input, cached input and output tokens.
MODELS = {
    "gpt-5-mini": ("openai", Decimal("0.25"), Decimal("0.025"), Decimal(2)),
    "claude-haiku-4-5": ("anthropic", Decimal(1), Decimal("0.1"), Decimal(5)),
}


@dataclass
class Export:
    """What one workspace exports of one day. A fault changes it in place."""

    workspace: str
    day: date
    runs: list[Row] = field(default_factory=list)
    spans: list[Row] = field(default_factory=list)
    #: Further files by name, as bytes.
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def calls(self) -> list[Row]:
        """The spans that are model calls."""
        return [row for row in self.spans if row["kind"] == "completion"]

    def drop(self, warehouse: Warehouse) -> None:
        """Write the files into the landing folder."""
        folder = f"{self.day}/{self.workspace}"
        for name, rows in (("runs", self.runs), ("spans", self.spans)):
            if rows:
                warehouse.drop(f"{folder}/{name}.jsonl", rows)
        for name, content in self.files.items():
            warehouse.drop_bytes(f"{folder}/{name}", content)


def cost_of(model: str, row: Row) -> str:
    """What the catalogue makes of a call, as text."""
    _, uncached, cached, output = MODELS[model]
    million = Decimal(1_000_000)
    usd = (
        (row["input_tokens"] - row["cached_tokens"]) * uncached
        + row["cached_tokens"] * cached
        + row["output_tokens"] * output
    ) / million
    return f"{usd:f}"


def run_id(dice: Random, started: datetime) -> str:
    """An id as the platform makes it: a UUIDv7 without dashes, so that it holds the time."""
    milliseconds = int(started.timestamp() * 1000)
    return f"req_{milliseconds:012x}7{dice.getrandbits(12):03x}8{dice.getrandbits(60):015x}"


def clean(workspace: str, day: date) -> Export:
    """The export of a day: prompts with one call, agents with two and a search, and every other agent with a workflow below it."""
    dice = Random(f"{workspace}/{day}")
    export = Export(workspace, day)
    for number in range(30 + (6 if day.weekday() < 5 else 0) + dice.randrange(4)):
        started = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(
            seconds=number * 1800, milliseconds=dice.randrange(900_000)
        )
        run_type = "agent" if number % 3 == 0 else "prompt"
        run = _run(dice, workspace, started, run_type, number)
        export.runs.append(run)
        export.spans += _spans(dice, run, started)
        if number % 6 == 0:
            below = _run(dice, workspace, started + timedelta(seconds=20), "workflow", number)
            below |= {"parent_run_id": run["run_id"], "source": "agent"}
            export.runs.append(below)
            export.spans += _spans(dice, below, started + timedelta(seconds=20))
    return _as_house(export, dice) if workspace == HOUSE else export


def _as_house(export: Export, dice: Random) -> Export:
    for number, row in enumerate(export.calls):
        row |= {"provider": "house", "model": "house-llm", "provider_cost_usd": "0.002"}
        if number % 10 == 0:
            del row["provider_cost_usd"]
    for row in export.runs[::9]:
        del row["user_id"]
    for row in export.runs[1::12]:
        row |= {"status": "failed", "error_message": "the model was not there"}
    lost = dict(export.calls[1])
    export.spans.append(
        lost
        | {
            "run_id": f"req_lost_{export.day}",
            "span_id": f"{dice.getrandbits(64):016x}",
            "parent_span_id": None,
        }
    )
    return export


def _run(dice: Random, workspace: str, started: datetime, run_type: str, number: int) -> Row:
    ended = stamp(started + timedelta(seconds=90))
    return {
        "run_id": run_id(dice, started),
        "workspace_id": workspace,
        "run_type": run_type,
        "resource_id": f"{run_type}_{number % 2}",
        "resource_name": f"The {run_type}",
        "source": "api",
        "delivery": "direct",
        "charge_type": "hosted",
        "status": "completed",
        "started_at": stamp(started),
        "completed_at": ended,
        "updated_at": ended,
        "api_key_id": f"key_{number % 3}",
        "api_key_name": f"Key {number % 3}",
        "collaborator": "ada",
        "user_id": f"user_{number % 7}",
    }


def _spans(dice: Random, run: Row, started: datetime) -> Iterator[Row]:
    root_id = f"{dice.getrandbits(64):016x}"
    common: Row = {
        "run_id": run["run_id"],
        "workspace_id": run["workspace_id"],
        "charge_type": "hosted",
        "status": "completed",
    }
    yield common | {
        "span_id": root_id,
        "name": run["resource_name"],
        "kind": "run",
        "started_at": stamp(started),
        "ended_at": run["completed_at"],
    }
    total = 0
    for number in range(1 if run["run_type"] == "prompt" else 2):
        begun = started + timedelta(seconds=2 + 10 * number)
        model = "gpt-5-mini" if number == 0 else "claude-haiku-4-5"
        call: dict[str, Any] = common | {
            "span_id": f"{dice.getrandbits(64):016x}",
            "parent_span_id": root_id,
            "name": "chat",
            "kind": "completion",
            "service": "AI Model",
            "provider": MODELS[model][0],
            "model": model,
            "started_at": stamp(begun),
            "ended_at": stamp(begun + timedelta(milliseconds=1500 + dice.randrange(1500))),
            "input_tokens": 1800 + dice.randrange(400),
            "cached_tokens": 600,
            "output_tokens": 180 + dice.randrange(40),
            "reasoning_tokens": 60,
            "task_credits": 1,
        }
        call["provider_cost_usd"] = cost_of(model, call)
        total += call["input_tokens"] + call["output_tokens"]
        yield call
    if run["run_type"] == "agent":
        begun = started + timedelta(seconds=30)
        yield common | {
            "span_id": f"{dice.getrandbits(64):016x}",
            "parent_span_id": root_id,
            "name": "search",
            "kind": "tool",
            "service": "Google Search",
            "started_at": stamp(begun),
            "ended_at": stamp(begun + timedelta(milliseconds=700)),
            "units": 1,
            "task_credits": 2,
        }
    run["reported_total_tokens"] = total


def drop_history(warehouse: Warehouse, workspaces: list[str]) -> None:
    """Write the exports of all days before tonight's, as two files: they are not what is judged."""
    days = [FIRST_DAY + timedelta(days=number) for number in range(HISTORY_DAYS)]
    exports = [clean(workspace, day) for workspace in workspaces for day in days]
    warehouse.drop("history/runs.jsonl", [row for export in exports for row in export.runs])
    warehouse.drop("history/spans.jsonl", [row for export in exports for row in export.spans])


def zipped(rows: list[Row]) -> bytes:
    """Rows as a compressed file."""
    return gzip.compress(jsonl(rows), mtime=0)
