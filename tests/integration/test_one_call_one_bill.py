"""Which spans saw the same model call, and that each call is billed once, whatever order its spans arrive in.

Each scenario is a workspace of its own. Reading formats is not tested here: rows come as a module of `formats` would make them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestration.landing import formats
from orchestration.sql import literal
from tests.integration import plain_format
from tests.integration.nights import Nights, differences
from tests.integration.plain_format import row
from tests.property.calls import CLASSES, NAMES, Program, make_program

pytestmark = pytest.mark.xdist_group("one_call")

CLIENT = "opentelemetry.instrumentation.openai_v2"
OTHER_CLIENT = "openinference.instrumentation.openai"
FRAMEWORK = "pydantic-ai"
ID = "chatcmpl-aaaaaaaaaaaaaaaaaaaaaaaa"
OTHER_ID = "chatcmpl-bbbbbbbbbbbbbbbbbbbbbbbb"


def _at(milliseconds: int, *, day: str = "2026-03-01", hour: int = 10) -> str:
    """A time of that day, that many milliseconds after the hour."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{day}T{hour:02d}:{minutes:02d}:{seconds:02d}.{rest:03d}Z"


def _times(start: int, end: int) -> dict[str, str]:
    return {"started_at": _at(start), "ended_at": _at(end)}


def _usage(input_tokens: int, output_tokens: int, **more: int) -> dict[str, int]:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}


def _agent(span_id: str = "agent", **more: Any) -> dict[str, Any]:
    return row(span_id, kind="agent", call_marker="not_call", scope=FRAMEWORK, **more)


# name → (rows, billed spans as (run, span) → (input, output), what else must hold of spans: (run, span) → column → value)
_Expected = Mapping[tuple[str, str], tuple[int | None, int | None]]
SCENARIOS: dict[str, tuple[Sequence[Mapping[str, Any]], _Expected, Mapping[tuple[str, str], Mapping[str, Any]]]] = {
    "a framework and its client see one call, the agent above repeats it": (
        [
            _agent(**_usage(10, 5), **_times(0, 3000)),
            row("outer", parent_span_id="agent", scope=FRAMEWORK, **_usage(10, 5), **_times(10, 2000)),
            row("inner", parent_span_id="outer", scope=CLIENT, **_usage(10, 5, cached_tokens=4), **_times(20, 1990)),
        ],
        {("t", "inner"): (10, 5)},
        {
            ("t", "agent"): {"billing_role": "rollup", "rollup_reported_input_tokens": 10},
            ("t", "outer"): {"billing_role": "duplicate", "billed_span_id": "inner"},
            ("t", "inner"): {"cached_tokens": 4},
        },
    ),
    "two calls of one scope with equal usage side by side are two calls": (
        [
            row("one", **_usage(8, 9), **_times(0, 1000)),
            row("two", **_usage(8, 9), **_times(0, 1000)),
        ],
        {("t", "one"): (8, 9), ("t", "two"): (8, 9)},
        {},
    ),
    "a client that opened a trace of its own: the framework's place wins, and the trace is no run": (
        [
            _agent(**_times(0, 3000), user_id="ada"),
            row("outer", parent_span_id="agent", scope=FRAMEWORK, response_id=ID, **_usage(10, 5), **_times(10, 2000)),
            row("alone", run_id="t2", scope=CLIENT, response_id=ID, **_usage(10, 6, reasoning_tokens=2), **_times(20, 1990)),
        ],
        {("t", "outer"): (10, 6)},
        {
            ("t2", "alone"): {"billing_role": "duplicate", "billed_run_id": "t", "billed_span_id": "outer"},
            ("t", "outer"): {"reasoning_tokens": 2, "quality_flags": "usage_conflict"},
        },
    ),
    "without ids, hundreds of equal parallel calls are matched one to one": (
        [
            row(
                f"{scope[-2:]}-{number}",
                run_id=f"{scope[-2:]}-{number}" if scope == CLIENT else "t",
                scope=scope,
                **_usage(20, 30),
                **_times(number * 3 + shift, 1000 + number * 3 - shift),
            )
            for number in range(200)
            for scope, shift in ((FRAMEWORK, 0), (CLIENT, 1))
        ],
        {("t", f"ai-{number}"): (20, 30) for number in range(200)},
        {},
    ),
    "a failure that three scopes saw is one failed call, a second try another": (
        [
            _agent(**_times(0, 3000)),
            row("outer", parent_span_id="agent", scope=FRAMEWORK, status="failed", **_times(10, 2000)),
            row("try-1", parent_span_id="outer", scope=CLIENT, status="failed", **_times(20, 900)),
            row("try-2", parent_span_id="outer", scope=CLIENT, status="failed", **_times(1000, 1990)),
            row("same", parent_span_id="outer", scope=OTHER_CLIENT, status="failed", **_times(1000, 1995)),
        ],
        {("t", "try-1"): (None, None), ("t", "same"): (None, None)},
        {
            ("t", "outer"): {"billing_role": "duplicate", "billed_span_id": "same"},
            ("t", "try-2"): {"billing_role": "duplicate", "billed_span_id": "same"},
        },
    ),
    "a stream whose usage is told on a moment beside it is one call": (
        [
            _agent(**_times(0, 3000)),
            row("stream", parent_span_id="agent", scope="logfire.openai", **_times(10, 200)),
            row("other", parent_span_id="agent", scope="logfire.openai", **_times(20, 250)),
            row("told", parent_span_id="agent", scope="logfire.openai", **_usage(7, 8), **_times(260, 260)),
        ],
        {("t", "told"): (7, 8), ("t", "stream"): (None, None)},
        {("t", "other"): {"billing_role": "duplicate", "billed_span_id": "told"}},
    ),
    "a framework that counts nought of a stream around the client's call is no call of its own": (
        [
            _agent(**_times(0, 3000)),
            row("outer", parent_span_id="agent", scope=FRAMEWORK, **_usage(0, 0), **_times(10, 2500)),
            row("inner", parent_span_id="outer", scope=CLIENT, **_usage(10, 5), **_times(500, 1500)),
            row("alone", parent_span_id="agent", scope=FRAMEWORK, **_usage(0, 0), **_times(2600, 2700)),
        ],
        {("t", "inner"): (10, 5), ("t", "alone"): (0, 0)},
        {("t", "outer"): {"billing_role": "duplicate", "billed_span_id": "inner"}},
    ),
    "a client that counts nought beside a framework that knows: the id joins them, and what is known counts": (
        [
            row("outer", scope=FRAMEWORK, response_id=ID, **_usage(10, 5), **_times(10, 2500)),
            row("alone", run_id="t2", scope=CLIENT, response_id=ID, **_usage(0, 0), **_times(20, 2490)),
        ],
        {("t", "outer"): (10, 5)},
        {("t2", "alone"): {"billing_role": "duplicate", "billed_span_id": "outer"}},
    ),
    "a wrong clock and a circle of parents are flagged, and cost nobody a call": (
        [
            _agent(**_times(1000, 3000)),
            row("early", parent_span_id="agent", **_usage(1, 2), **_times(990, 1500)),
            row("late", parent_span_id="agent", **_usage(3, 4), **_times(2000, 4000)),
            row("one", run_id="t2", parent_span_id="other", **_usage(5, 6), **_times(0, 10)),
            row("other", run_id="t2", parent_span_id="one", **_usage(7, 8), **_times(0, 10)),
            row("lost", run_id="t2", parent_span_id="never", **_usage(9, 10), **_times(20, 30)),
        ],
        {
            ("t", "early"): (1, 2),
            ("t", "late"): (3, 4),
            ("t2", "one"): (5, 6),
            ("t2", "other"): (7, 8),
            ("t2", "lost"): (9, 10),
        },
        {
            ("t", "early"): {"quality_flags": "starts_before_parent"},
            ("t", "late"): {"quality_flags": None},
            ("t2", "one"): {"quality_flags": "nested_usage_mismatch,parents_in_a_circle"},
            ("t2", "lost"): {"is_parent_missing": True},
        },
    ),
    "different ids are different calls, however alike": (
        [
            row("one", scope=CLIENT, response_id=ID, **_usage(8, 9)),
            row("two", scope=OTHER_CLIENT, run_id="t2", response_id=OTHER_ID, **_usage(8, 9)),
        ],
        {("t", "one"): (8, 9), ("t2", "two"): (8, 9)},
        {},
    ),
    "siblings of two scopes with one id": (
        [
            _agent(**_times(0, 3000)),
            row("one", parent_span_id="agent", scope=CLIENT, response_id=ID, **_usage(8, 9, cache_write_tokens=0)),
            row("two", parent_span_id="agent", scope="anthropic", response_id=ID, **_usage(8, 9, cache_write_tokens=3)),
        ],
        {("t", "two"): (8, 9)},
        {("t", "two"): {"cache_write_tokens": 3}},
    ),
    "short ids of a local server mean nothing": (
        [
            row("one", response_id="chatcmpl-342", **_usage(8, 9), **_times(0, 1000)),
            row("two", response_id="chatcmpl-342", **_usage(80, 90), **_times(5000, 6000)),
        ],
        {("t", "one"): (8, 9), ("t", "two"): (80, 90)},
        {},
    ),
    "a retry inside one framework span: the framework repeats one of the two calls": (
        [
            row("outer", scope=FRAMEWORK, **_usage(10, 5), **_times(0, 3000)),
            row("first", parent_span_id="outer", scope=CLIENT, **_usage(10, 5), **_times(10, 900)),
            row("second", parent_span_id="outer", scope=CLIENT, **_usage(10, 5), **_times(1000, 2990)),
        ],
        {("t", "first"): (10, 5), ("t", "second"): (10, 5)},
        {("t", "outer"): {"billing_role": "duplicate"}},
    ),
    "a failed try is a call of unknown usage": (
        [
            row("outer", scope=FRAMEWORK, **_usage(10, 5), **_times(0, 3000)),
            row("failed", parent_span_id="outer", scope=CLIENT, status="failed", **_times(10, 900)),
            row("second", parent_span_id="outer", scope=CLIENT, **_usage(10, 5), **_times(1000, 2990)),
        ],
        {("t", "failed"): (None, None), ("t", "second"): (10, 5)},
        {("t", "failed"): {"is_usage_unknown": True}},
    ),
    "a stream without usage inside a call with some is that call": (
        [
            row("outer", scope=FRAMEWORK, **_usage(10, 5), **_times(0, 3000)),
            row("stream", parent_span_id="outer", scope=CLIENT, **_times(10, 2900)),
        ],
        {("t", "outer"): (10, 5)},
        {("t", "stream"): {"billing_role": "duplicate", "billed_span_id": "outer"}},
    ),
    "a framework's span without usage around its client's call is that call": (
        [
            row("outer", scope=FRAMEWORK, **_times(0, 3000)),
            row("inner", parent_span_id="outer", scope=CLIENT, **_usage(10, 5), **_times(10, 2900)),
        ],
        {("t", "inner"): (10, 5)},
        {("t", "outer"): {"billing_role": "duplicate"}},
    ),
    "a framework's own count around one call of its client is a view of it": (
        [
            row("outer", scope=FRAMEWORK, **_usage(542, 235), **_times(0, 960)),
            row("inner", parent_span_id="outer", scope=CLIENT, **_usage(163, 20), **_times(6, 959)),
        ],
        {("t", "inner"): (163, 20)},
        {("t", "outer"): {"billing_role": "rollup", "quality_flags": "nested_usage_mismatch", "billed_span_id": "inner"}},
    ),
    "a call that calls another in between is billed, too": (
        [
            row("outer", scope=FRAMEWORK, **_usage(542, 235), **_times(0, 9000)),
            row("tool", parent_span_id="outer", kind="tool", call_marker="not_call", **_times(4000, 9000)),
            row("inner", parent_span_id="tool", scope=CLIENT, **_usage(163, 20), **_times(4100, 8900)),
        ],
        {("t", "outer"): (542, 235), ("t", "inner"): (163, 20)},
        {("t", "outer"): {"quality_flags": "nested_usage_mismatch"}},
    ),
    "a span without a marker is a call only where nothing below it bears usage": (
        [
            row("above", kind="other", call_marker=None, **_usage(30, 10)),
            row("below", kind="other", call_marker=None, parent_span_id="above", **_usage(30, 10)),
            row("apart", kind="other", call_marker=None, **_usage(7, 3)),
        ],
        {("t", "below"): (30, 10), ("t", "apart"): (7, 3)},
        {("t", "above"): {"billing_role": "rollup"}},
    ),
    "spans that name each other as parents keep their usage": (
        [
            row("one", kind="other", call_marker=None, parent_span_id="two", **_usage(30, 10)),
            row("two", kind="other", call_marker=None, parent_span_id="one", **_usage(44, 22)),
        ],
        {("t", "one"): (30, 10), ("t", "two"): (44, 22)},
        {},
    ),
    "a gateway's log of a call that an SDK saw": (
        [
            _agent(**_times(0, 3000)),
            row("sdk", parent_span_id="agent", scope=CLIENT, response_id=ID, **_usage(10, 5), **_times(10, 2000)),
            row("log", run_id=ID, scope="litellm", response_id=ID, **_usage(10, 5), provider_cost_usd="0.5",
                api_key_name="ci", **_times(15, 1900)),
        ],
        {("t", "sdk"): (10, 5)},
        {("t", "sdk"): {"reported_provider_cost_usd": "0.500000000000"}},
    ),
    "names of one model that differ by vendor and date": (
        [
            row("one", scope=FRAMEWORK, model="openai/gpt-4o", **_usage(10, 5), **_times(0, 2000)),
            row("two", run_id="t2", scope=CLIENT, response_model="gpt-4o-2024-08-06", **_usage(10, 5), **_times(2, 1999)),
        ],
        {("t2", "two"): (10, 5)},
        {},
    ),
    **{
        f"{asked}, which {answered} answered, is one model by both names": (
            [
                row("one", scope=FRAMEWORK, model=told, **_usage(10, 5), **_times(0, 2000)),
                row("two", run_id="t2", scope=CLIENT, model=asked, response_model=answered, **_usage(10, 5), **_times(2, 1999)),
            ],
            {("t2", "two"): (10, 5)},
            {},
        )
        for asked, answered, told in (
            ("my-deployment", "gpt-4o-2024-08-06", "my-deployment"),
            ("other-deployment", "gpt-4o-2024-08-06", "azure/gpt-4o"),
            ("claude-sonnet-4-0", "claude-sonnet-4-20250514", "claude-sonnet-4-0"),
            ("gemini-2.0-flash", "gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("openrouter/auto", "anthropic/claude-sonnet-4", "openrouter/auto"),
            ("llama3.2", "llama3.2:3b", "llama3.2"),
        )
    },
    "without ids, equal parallel calls of an alias are matched one to one, too": (
        [
            row(
                f"{scope[-2:]}-{number}",
                run_id=f"{scope[-2:]}-{number}" if scope == CLIENT else "t",
                scope=scope,
                model="my-deployment",
                response_model="gpt-4o-2024-08-06" if scope == CLIENT else None,
                **_usage(20, 30),
                **_times(number * 3 + shift, 1000 + number * 3 - shift),
            )
            for number in range(60)
            for scope, shift in ((FRAMEWORK, 0), (CLIENT, 1))
        ],
        {("t", f"ai-{number}"): (20, 30) for number in range(60)},
        {},
    ),
    **{
        f"a client that knows nothing of the cache, begun {late} ms after the framework's call around it": (
            [
                row("outer", scope=FRAMEWORK, **_usage(2512, 88, cached_tokens=2200), **_times(0, 2000)),
                row("inner", parent_span_id="outer", scope="opentelemetry.instrumentation.botocore", **_usage(312, 88),
                    **_times(late, 1990)),
            ],
            {("t", "inner"): (2512, 88)},
            {("t", "inner"): {"cached_tokens": 2200, "quality_flags": "usage_conflict"}},
        )
        for late in (5, 150)
    },
    "an image that a completion had made, and a completion that an image asked for, are calls of their own": (
        [
            row("think", model="claude-sonnet-4-5", **_usage(2000, 300), **_times(0, 3000)),
            row("draw", parent_span_id="think", kind="image_generation", model="dall-e-3", units=4, provider_cost_usd="0.16",
                **_times(10, 900)),
            row("draw-more", parent_span_id="think", kind="image_generation", model="gpt-image-1", image_tokens=4160, units=2,
                **_times(1000, 1900)),
            row("asked", run_id="t2", kind="image_generation", model="gpt-image-1", image_tokens=4160, input_tokens=100,
                **_times(0, 3000)),
            row("rewritten", run_id="t2", parent_span_id="asked", **_usage(100, 0), **_times(10, 900)),
            row("looked-up", run_id="t2", parent_span_id="asked", kind="embedding", model="text-embedding-3-small", input_tokens=100,
                **_times(1000, 1900)),
        ],
        {
            ("t", "think"): (2000, 300),
            ("t", "draw"): (None, None),
            ("t", "draw-more"): (None, None),
            ("t2", "asked"): (100, None),
            ("t2", "rewritten"): (100, 0),
            ("t2", "looked-up"): (100, None),
        },
        {
            ("t", "think"): {"reported_provider_cost_usd": None, "image_tokens": None},
            ("t", "draw"): {"reported_provider_cost_usd": "0.160000000000", "units": 4},
            ("t", "draw-more"): {"image_tokens": 4160},
        },
    ),
    "an image that two scopes saw is one call": (
        [
            row("outer", kind="image_generation", scope=FRAMEWORK, model="openai/gpt-image-1", image_tokens=4160, input_tokens=100,
                **_times(0, 3000)),
            row("inner", parent_span_id="outer", scope=CLIENT, model="gpt-image-1", image_tokens=4160, input_tokens=100, **_times(1, 2900)),
        ],
        {("t", "inner"): (100, None)},
        {("t", "inner"): {"image_tokens": 4160}},
    ),
}  # fmt: skip


PROGRAMS = int(os.environ.get("CREDIT_USAGE_CALL_PROGRAMS", "300"))


def _programs() -> list[Program]:
    return [make_program(seed) for seed in range(PROGRAMS)]


def _rows(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{**item, "workspace_id": name} for name in names for item in SCENARIOS[name][0]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """All scenarios, landed and built in one night."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "FORMATS", (plain_format.FORMAT,))
        nights = Nights(tmp_path_factory.mktemp("judged"))
        nights.land("all", spans=_rows(list(SCENARIOS)))
        nights.land("programs", spans=[item for program in _programs() for item in program.rows])
        built = nights.night()
    assert not built.failures, "the night must pass its own tests"
    return nights


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_call_is_billed_once(judged: Nights, name: str) -> None:
    """The billed spans of a scenario, with their tokens, are exactly the calls that were made."""
    _, expected, more = SCENARIOS[name]
    found = judged.rows(
        f"select run_id, span_id, * from facts.fct_span_usage where workspace_id = {literal(name)} order by all"
    )
    columns = [row[0] for row in judged.rows("describe select run_id, span_id, * from facts.fct_span_usage")]
    spans = {(item[0], item[1]): dict(zip(columns, item, strict=True)) for item in found}
    billed = {
        key: (span["input_tokens"], span["output_tokens"])
        for key, span in spans.items()
        if span["billing_role"] == "call"
    }
    if name.startswith("without ids"):  # which of the two is billed does not matter
        assert sorted(billed.values()) == sorted(expected.values()), (
            "equal parallel calls must be billed once each"
        )
        return
    assert billed == dict(expected), (
        f"billed otherwise: {[(k, s['billing_role'], s['billing_reason']) for k, s in spans.items()]}"
    )
    for key, values in more.items():
        for column, value in values.items():
            assert str(spans[key][column]) == str(value), f"{column} of {key}"


def test_whatever_programs_do_each_call_is_billed_once(judged: Nights) -> None:
    """Programs made at random, watched by one to three instrumentations that tell more or less: a call is lost, billed twice, or billed
    with other tokens than the provider served. The seed in the workspace's name makes the program again."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in CLASSES)
    model = "case " + " ".join(f"when model like '%{name}%' then '{name}'" for name in NAMES) + " end"
    found: dict[str, dict[str, dict[str, int]]] = {}
    for workspace, name, *amounts in judged.rows(
        f"select workspace_id, {model}, count(*), count(*) filter (where is_usage_unknown), {sums} from facts.fct_span_usage "
        "where workspace_id like 'calls-%' and billing_role = 'call' group by 1, 2"
    ):
        found.setdefault(workspace, {})[name] = dict(
            zip(("calls", "unknown", *CLASSES), map(int, amounts), strict=True)
        )
    wrong = {
        program.workspace_id: (found.get(program.workspace_id), program.truth)
        for program in _programs()
        if found.get(program.workspace_id)
        != {
            name: {key: counts[key] for key in ("calls", "unknown", *CLASSES)}
            for name, counts in program.truth.items()
        }
    }
    assert not wrong, (
        f"{len(wrong)} of {PROGRAMS} programs are billed otherwise than served: {list(wrong.items())[:3]}"
    )


def test_a_trace_becomes_a_run(judged: Nights) -> None:
    """Root, agents, steps and users of a trace make a run; a trace that only repeats another's calls makes none."""
    name = "a client that opened a trace of its own: the framework's place wins, and the trace is no run"
    columns = "run_id, run_type, resource_name, user_id, status, own_total_tokens"
    assert judged.rows(f"select {columns} from facts.fct_run_usage where workspace_id = {literal(name)}") == [
        ("t", "agent", "agent", "ada", "completed", 16)
    ]


def test_what_a_gateway_knows_reaches_the_run(judged: Nights) -> None:
    """The API key that only the gateway's log names belongs to the run of the SDK's trace."""
    name = "a gateway's log of a call that an SDK saw"
    assert judged.rows(
        f"select run_id, api_key_name from facts.fct_run_usage where workspace_id = {literal(name)}"
    ) == [("t", "ci")], "the log's key must be the run's, and the log no run of its own"


@pytest.mark.parametrize("seed", [3])
def test_the_other_half_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Spans of one call that arrive on different nights, on runs of different dates: never billed twice, and at the end the same rows as
    built at once."""
    monkeypatch.setattr(formats, "FORMATS", (plain_format.FORMAT,))
    random = Random(seed)
    rows = []
    for number, name in enumerate(item for item in SCENARIOS if not item.startswith("without ids")):
        for item in _rows([name]):
            # Every second scenario lies around midnight: its runs then differ in their dates.
            early = number % 2 and item["run_id"] == "t"
            opener = {**item, "span_id": "opener", "kind": "step", "call_marker": "not_call"}
            opener = {key: value for key, value in opener.items() if not key.endswith("tokens")}
            rows.append(item)
            if early:
                times = {
                    "started_at": _at(0, day="2026-02-28", hour=23),
                    "ended_at": _at(5, day="2026-02-28", hour=23),
                }
                rows.append({**opener, **times, "parent_span_id": None, "response_id": None})
    parts: list[list[dict[str, Any]]] = [[], [], []]
    for item in rows:
        parts[random.randrange(3)].append(item)
    nights = Nights(tmp_path / "nights")
    for number, part in enumerate(parts):
        nights.land(f"night-{number}", spans=part)
        built = nights.night()
        assert not built.failures, f"night {number} must pass its own tests"
    full = nights.rebuilt(tmp_path / "full")
    assert full.night().plan.is_full_build
    assert differences(nights, full) == {}, "rows differ between three nights and one full build"
