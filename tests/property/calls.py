"""Random programs that call models, what several instrumentations saw of them, and what the provider truly served.

What belongs here: making rows and truth from a seed. Each seed is a workspace of its own, so one night judges hundreds of them. Only
what can be told is asked for: a failure that two instrumentations saw in traces of their own is two failures to anybody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.integration.plain_format import row

FRAMEWORK = "pydantic-ai"
CLIENTS = ("opentelemetry.instrumentation.openai_v2", "openinference.instrumentation.openai")
START = datetime(2026, 3, 1, 10, tzinfo=UTC)
NAMES = {
    "gpt-4o": ("gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06"),
    "claude-sonnet-4-5": ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
}
CLASSES = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
# Far enough apart that no two different calls are within a token of each other.
INPUTS, OUTPUTS = (20, 200, 2000), (5, 50, 500)


@dataclass
class Program:
    """Spans of one workspace, and `truth`: model → calls, tokens of each class, calls of unknown usage."""

    workspace_id: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    truth: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Watcher:
    """An instrumentation: its scope, and what it tells of a call."""

    scope: str
    has_own_traces: bool
    tells_id: bool
    tells_cached: bool
    tells_reasoning: bool
    name_of_model: int


def make_program(seed: int) -> Program:
    """The same seed makes the same program."""
    random = Random(seed)
    program = Program(f"calls-{seed}")
    watchers = _watchers(random)
    moment = 0
    for trace in range(random.randint(1, 3)):
        moment = _run_agent(program, random, watchers, f"agent-{trace}", moment) + 50
    for item in program.rows:
        item["workspace_id"] = program.workspace_id
    return program


def _watchers(random: Random) -> list[_Watcher]:
    scopes = [scope for scope in (FRAMEWORK, *CLIENTS) if random.random() < 0.7] or [CLIENTS[0]]
    return [
        _Watcher(
            scope=scope,
            has_own_traces=scope != FRAMEWORK and random.random() < 0.3,
            tells_id=random.random() < 0.5,
            tells_cached=random.random() < 0.6,
            tells_reasoning=random.random() < 0.6,
            name_of_model=random.randrange(3),
        )
        for scope in scopes
    ]


def _run_agent(program: Program, random: Random, watchers: list[_Watcher], run_id: str, moment: int) -> int:
    start, end = moment, moment
    totals: Counter[str] = Counter()
    is_parallel = random.random() < 0.4
    alike = random.random() < 0.5
    choice = (random.choice(INPUTS), random.choice(OUTPUTS), random.choice(list(NAMES)))
    for number in range(random.randint(1, 6)):
        tokens_in, tokens_out, model = (
            choice if alike else (random.choice(INPUTS), random.choice(OUTPUTS), random.choice(list(NAMES)))
        )
        begin = start + number if is_parallel else end + 20
        length = random.randint(30, 400)
        usage = {
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "cached_tokens": tokens_in // 4,
            "reasoning_tokens": tokens_out // 5,
        }
        _call(program, random, watchers, f"{run_id}-{number}", run_id, model, usage, begin, begin + length)
        totals.update({name: usage[name] for name in ("input_tokens", "output_tokens")})
        end = max(end, begin + length)
    # The agent repeats what its calls took.
    program.rows.append(
        row(
            "root",
            run_id=run_id,
            kind="agent",
            call_marker="not_call",
            scope=FRAMEWORK,
            **totals,
            **_times(start, end + 5),
        )
    )
    return end


def _call(
    program: Program,
    random: Random,
    watchers: list[_Watcher],
    name: str,
    run_id: str,
    model: str,
    usage: dict[str, int],
    begin: int,
    end: int,
) -> None:
    truth = program.truth.setdefault(model, Counter())
    nested = [watcher for watcher in watchers if not watcher.has_own_traces]
    alone = [watcher for watcher in watchers if watcher.has_own_traces]
    tellers = [watcher for watcher in watchers if random.random() < 0.85] if not alone else watchers
    tellers = tellers or [random.choice(watchers)]
    fails_first = not alone and random.random() < 0.15
    if fails_first:
        middle = begin + (end - begin) // 2
        _see(program, nested[-1:], [], f"{name}-try", run_id, model, {}, begin + 4, middle, status="failed",
             parent=f"{name}-{nested[0].scope}" if len(nested) > 1 else "root")  # fmt: skip
        truth.update({"calls": 1, "unknown": 1})
        begin_inner = middle + 5
    else:
        begin_inner = begin
    outer, inner = (nested[:1], nested[1:]) if fails_first and len(nested) > 1 else ([], nested)
    last = _see(program, outer, tellers, name, run_id, model, usage, begin, end)
    last = _see(
        program,
        inner,
        tellers,
        name,
        run_id,
        model,
        usage,
        begin_inner + len(outer),
        end - len(outer),
        parent=last,
    )
    for number, watcher in enumerate(alone):
        _see(
            program,
            [watcher],
            tellers,
            name,
            f"{name}-{number}",
            model,
            usage,
            begin + 3,
            end - 3,
            parent=None,
        )
    truth.update({"calls": 1, **{name: usage[name] for name in ("input_tokens", "output_tokens")}})
    told = [watcher for watcher in watchers if watcher in tellers]
    if any(watcher.tells_cached for watcher in told):
        truth["cached_tokens"] += usage["cached_tokens"]
    if any(watcher.tells_reasoning for watcher in told):
        truth["reasoning_tokens"] += usage["reasoning_tokens"]


def _see(
    program: Program,
    watchers: list[_Watcher],
    tellers: list[_Watcher],
    name: str,
    run_id: str,
    model: str,
    usage: dict[str, int],
    begin: int,
    end: int,
    *,
    status: str = "completed",
    parent: str | None = "root",
) -> str | None:
    """The spans of one call, each inside the one before; returns the innermost."""
    for depth, watcher in enumerate(watchers):
        told = dict(usage) if watcher in tellers else {}
        if not watcher.tells_cached:
            told.pop("cached_tokens", None)
        if not watcher.tells_reasoning:
            told.pop("reasoning_tokens", None)
        span_id = f"{name}-{watcher.scope}"
        program.rows.append(
            row(
                span_id,
                run_id=run_id,
                parent_span_id=parent,
                scope=watcher.scope,
                model=NAMES[model][watcher.name_of_model],
                response_id=f"chatcmpl-{name:a>30}" if watcher.tells_id and told else None,
                status=status,
                **told,
                **_times(begin + depth, end - depth),
            )
        )
        parent = span_id
    return parent


def _times(begin: int, end: int) -> dict[str, str]:
    return {
        "started_at": _text(START + timedelta(milliseconds=begin)),
        "ended_at": _text(START + timedelta(milliseconds=end)),
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
