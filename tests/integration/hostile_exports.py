"""Invented exports with everything at once that moves a date or a total between nights: late and moved runs,
spans before their run, parents that arrive late, change, or form a circle, older versions after newer ones,
three time zones. Small, random and reproducible.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

CONFIG = """
[workspaces.ws_berlin]
time_zone = "Europe/Berlin"

[workspaces.ws_los_angeles]
name = "Los Angeles"
time_zone = "America/Los_Angeles"
default_charge_type = "personal"
"""

WORKSPACES = ("ws_berlin", "ws_los_angeles", "ws_utc")
# The last Sunday of March 2026 is in it: Berlin loses an hour.
FIRST_DAY = datetime(2026, 3, 24)  # noqa: DTZ001 - exports without an offset mean UTC
DAYS = 10
RUNS_PER_WORKSPACE = 14
KINDS = ("run", "completion", "tool", "retrieval", "embedding", "image_generation", "step", "agent", "other")

Rows = list[dict[str, Any]]


def night(random: Random) -> tuple[Rows, Rows]:
    """Runs and spans of one night. Ids come from small pools: nights touch what earlier ones brought."""
    runs = [_run(random) for _ in range(random.randint(4, 12))]
    spans = [_span(random) for _ in range(random.randint(10, 40))]
    return runs, spans


def story(number: int) -> tuple[Rows, Rows]:
    """What each rule of the touched dates is about, alone on dates of February that nothing else opens."""
    nights: list[tuple[Rows, Rows]] = [
        (
            [
                _told_run("old parent", 1),
                _told_run("new parent", 2),
                _told_run("changes its parent", 3, parent="old parent"),
                _told_run("waits for its parent", 4, parent="late parent"),
                _told_run("root", 6),
                _told_run("child", 7, parent="root"),
                _told_run("grandchild", 8, parent="child"),
                _told_run("moves", 10),
                _told_run("keeps its newer version", 14, hour=9),
            ],
            [
                _told_span("changes its parent", 3),
                _told_span("child", 7),
                _told_span("grandchild", 8),
                _told_span("moves", 10),
                _told_span("arrives late", 12),
                _told_span("keeps its newer version", 14),
                _told_span("orphan that moves", 17),
            ],
        ),
        ([_told_run("changes its parent", 3, parent="new parent", hour=1), _told_run("late parent", 5)], []),
        # only the child's date and its ancestors' are rebuilt; the grandchild's must be read for the totals
        ([_told_run("keeps its newer version", 15, hour=2)], [_told_span("child", 9, span="late")]),
        (
            [_told_run("moves", 11, hour=1), _told_run("arrives late", 13)],
            [
                _told_span("new orphan", 16),
                _told_span("orphan that moves", 18),
                _told_span("moves", 10, ended=True),
            ],
        ),
    ]
    return nights[number] if number < len(nights) else ([], [])


def _told_run(run_id: str, day: int, *, parent: str | None = None, hour: int = 0) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "workspace_id": "ws_utc",
        "run_type": "agent",
        "status": "completed",
        "started_at": f"2026-02-{day:02d}T10:00:00Z",
        "updated_at": f"2026-02-28T{hour:02d}:00:00Z",
        "parent_run_id": parent,
    }


def _told_span(run_id: str, day: int, *, span: str = "s", ended: bool = False) -> dict[str, Any]:
    return {
        "span_id": span,
        "run_id": run_id,
        "workspace_id": "ws_utc",
        "name": "think",
        "kind": "completion",
        "model": "m1",
        "started_at": f"2026-02-{day:02d}T10:00:01Z",
        "ended_at": f"2026-02-{day:02d}T10:00:09Z" if ended else None,
        "input_tokens": 20 if ended else 10,
        "provider_cost_usd": "0.02" if ended else "0.01",
    }


def _run_id(random: Random) -> str:
    return f"req_{random.randrange(RUNS_PER_WORKSPACE):02d}"


def _home(run_id: str) -> datetime:
    """When a run usually starts: fixed by its id, so that most versions agree and some do not."""
    return FIRST_DAY + timedelta(hours=Random(run_id).randrange(DAYS * 24))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


def _run(random: Random) -> dict[str, Any]:
    run_id = _run_id(random)
    start = _home(run_id)
    if random.random() < 0.3:
        start += timedelta(hours=random.randint(-40, 40))
    row: dict[str, Any] = {
        "run_id": run_id,
        "workspace_id": random.choice(WORKSPACES),
        "run_type": random.choice(("prompt", "workflow", "agent")),
        "status": random.choice(("running", "completed", "failed")),
        "started_at": _iso(start),
        "user_id": random.choice((None, "u1", "u2")),
        "resource_id": random.choice(("a", "b")),
        "charge_type": random.choice((None, "hosted", "personal")),
        "model": random.choice((None, "m1")),
    }
    if random.random() < 0.6:
        # from a pool of itself, others (also circles) and one that never comes
        row["parent_run_id"] = random.choice((run_id, "never", *(_run_id(random) for _ in range(6))))
    if random.random() < 0.8:
        row["completed_at"] = _iso(start + timedelta(seconds=random.randint(0, 90_000)))
    if random.random() < 0.8:
        row["updated_at"] = _iso(FIRST_DAY + timedelta(hours=random.randrange(30)))
    return row


def _span(random: Random) -> dict[str, Any]:
    run_id = _run_id(random)
    start = _home(run_id) + timedelta(minutes=random.choice((0, 0, 1, 30, -1500, 2000)))
    row: dict[str, Any] = {
        "span_id": f"s{random.randrange(8)}",
        "run_id": run_id,
        "workspace_id": random.choice(WORKSPACES),
        "name": random.choice(("think", "search")),
        "kind": random.choice(KINDS),
        "status": random.choice((None, "completed", "failed")),
        "started_at": _iso(start),
        "parent_span_id": random.choice((None, *(f"s{number}" for number in range(9)))),
        "charge_type": random.choice((None, "hosted", "personal")),
        "service": random.choice((None, "AI Model", "Google Search")),
        "model": random.choice((None, "m1", "m2")),
        "provider": random.choice((None, "p1")),
    }
    if random.random() < 0.7:
        row["ended_at"] = _iso(start + timedelta(milliseconds=random.choice((0, 1, 950, 60_000))))
    if random.random() < 0.6:
        row.update(
            input_tokens=random.randrange(1000),
            output_tokens=random.randrange(1000),
            cached_tokens=random.randrange(50),
        )
    if random.random() < 0.2:
        row["image_tokens"] = random.randrange(1000)
    if random.random() < 0.5:
        row["provider_cost_usd"] = f"{random.randrange(10**9)}e-12"
    if random.random() < 0.4:
        row["task_credits"] = random.choice(("0", "1", "2.500001"))
    return row
