"""Langfuse exports: which records become spans, and how their usage is read."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import documents
from orchestration.landing.contract import SPANS
from orchestration.landing.formats import detect
from tests.landing_helpers import Night, Row, csv_bytes, text_parquet

TRACE_ID = "080130871f53145aecf7c29d5dfb6e4c"


def observation(id_: str = "b38a82eaa62b551e", /, **fields: Any) -> Row:
    """A generation as the public API gives it; a field given as `...` is left out."""
    row: Row = {
        "id": id_,
        "traceId": TRACE_ID,
        "type": "GENERATION",
        "name": "chat gpt-4o",
        "startTime": "2025-06-11T14:01:34.290Z",
        "endTime": "2025-06-11T14:01:39.089Z",
        "projectId": "project-1",
        "parentObservationId": "1cffdfa6fe3412e6",
        "level": "DEFAULT",
        "model": "gpt-4o",
        "usageDetails": {"input": 10, "output": 5, "total": 15},
        "costDetails": {},
        "metadata": {},
    }
    return {name: value for name, value in (row | fields).items() if value is not ...}


def trace(**fields: Any) -> Row:
    """A trace as the public API gives it."""
    row: Row = {
        "id": TRACE_ID,
        "timestamp": "2025-06-11T14:01:32.598Z",
        "name": "support",
        "projectId": "project-1",
        "userId": "user-7",
        "sessionId": "session-9",
        "latency": 6.991,
        "tags": ["a", "b"],
        "metadata": {"plan": "pro", "seats": 3, "beta": True, "nested": {"x": 1}},
        "release": "2025.06",
    }
    return row | fields


def landed(tmp_path: Path, *rows: Row | str, **settings: Any) -> list[Row]:
    """The spans of the rows as JSON Lines."""
    night = Night(tmp_path, **settings)
    night.land(*rows, name="langfuse.jsonl")
    assert not night.quarantine(), f"quarantined: {night.quarantine()}"
    return night.rows(SPANS)


def usage(row: Row) -> tuple[int | None, ...]:
    """The classes of a row: input, cached, cache write, output, reasoning."""
    names = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    return tuple(row[name] for name in names)


# -- where records lie ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "spans"),
    [
        ("lines.jsonl", "\n".join(json.dumps(observation(str(n))) for n in range(3)) + "\n", 3),
        ("array.json", json.dumps([observation(str(n)) for n in range(3)]), 3),
        ("pretty.json", json.dumps([observation(str(n)) for n in range(3)], indent=2), 3),
        ("page.json", json.dumps({"data": [observation("1"), observation("2")], "meta": {"page": 1}}), 2),
        ("page.pretty.json", json.dumps({"data": [observation("1"), trace()], "meta": {}}, indent=2), 2),
        (
            "download.json",
            json.dumps({"trace": trace(), "observations": [observation("1"), observation("2")]}),
            3,
        ),
        ("trace.json", json.dumps(trace(observations=[observation("1"), observation("2")])), 3),
        ("traces.json", json.dumps({"data": [trace(observations=["1", "2"])], "meta": {}}), 1),
        ("traces.full.json", json.dumps({"data": [trace(observations=[observation("1")])], "meta": {}}), 2),
        (
            "empty.page.json",
            json.dumps({"data": [], "meta": {}, "note": "data[].id, traceId, type, startTime"}),
            0,
        ),
        (
            "mixed.jsonl",
            json.dumps(trace()) + "\n" + json.dumps({"data": [observation("1")], "meta": {}}) + "\n",
            2,
        ),
    ],
)
def test_every_observation_and_trace_is_one_span(tmp_path: Path, name: str, content: str, spans: int) -> None:
    night = Night(tmp_path)
    night.write(name, content)
    report = night.land()
    assert report.manifest
    (entry,) = report.manifest.files
    if spans:
        assert entry.source_format == "langfuse", f"{name} is taken for {entry.source_format}"
        assert (entry.rows_read, entry.rows_loaded) == (spans, spans), f"{name}: {entry}"


def test_tables_of_both_spellings_land_like_lines(tmp_path: Path) -> None:
    details = {"input": 100, "input_cached_tokens": 40, "output": 20, "total": 160}
    camel = observation(
        "1", usageDetails=details, costDetails={"total": 0.00012}, totalCost=0.00012, parentObservationId=None
    )
    snake = {
        "id": "1",
        "trace_id": TRACE_ID,
        "type": "GENERATION",
        "name": "chat gpt-4o",
        "start_time": "2025-06-11 14:01:34.290000",
        "end_time": "2025-06-11 14:01:39.089000",
        "project_id": "project-1",
        "parent_observation_id": "",
        "level": "DEFAULT",
        "provided_model_name": "gpt-4o",
        "usage_details": details,
        "cost_details": {"total": 0.00012},
        "total_cost": 0.00012,
        "metadata": {},
        "latency": 4.799,
    }
    seen = []
    for number, (name, content) in enumerate(
        [
            ("camel.csv", csv_bytes(camel)),
            ("snake.csv", csv_bytes(snake)),
            ("snake.semicolon.csv", csv_bytes(snake, delimiter=";")),
            ("snake.jsonl", (json.dumps(snake) + "\n").encode()),
            ("snake.parquet", text_parquet([snake], tmp_path)),
        ]
    ):
        night = Night(tmp_path / str(number))
        night.write(name, content)
        night.land()
        row = night.one()
        assert row["source_format"] == "langfuse", f"{name} is taken for {row['source_format']}"
        seen.append({key: value for key, value in row.items() if key not in ("file_no", "attributes")})
    assert all(row == seen[0] for row in seen), seen
    assert usage(seen[0]) == (140, 40, None, 20, None)
    assert seen[0]["provider_cost_usd"] == Decimal("0.000120000000")
    assert seen[0]["parent_span_id"] is None, "an empty parent is a parent"


def test_what_is_no_observation_is_told_apart(tmp_path: Path) -> None:
    night = Night(tmp_path)
    score = {
        "id": "s",
        "traceId": TRACE_ID,
        "name": "toxicity",
        "value": 0.2,
        "dataType": "NUMERIC",
        "timestamp": "2025-06-11",
    }
    prompt = {"name": "greeting", "version": 2, "prompt": "Say {{what}}", "labels": ["production"]}
    item = {"id": "i", "datasetId": "d", "expectedOutput": "x"}
    night.land(observation("1"), score, prompt, item, {"id": "z"}, "[1]", '{"id": ', name="mixed.jsonl")
    messages = [(row["line_number"], row["message"]) for row in night.quarantine()]
    assert [number for number, _ in messages] == [2, 3, 4, 5, 6, 7]
    for (_, message), word in zip(
        messages, ("score", "prompt", "dataset", "neither", "JSON", "JSON"), strict=True
    ):
        assert word in message, f"{message!r} does not say {word!r}"
    assert night.one()["span_id"] == "1"


@pytest.mark.parametrize(
    "rows", [[{"id": "s", "traceId": "t", "name": "n", "value": 1, "dataType": "NUMERIC", "source": "API"}]]
)
def test_a_file_of_scores_says_so_for_each(tmp_path: Path, rows: list[Row]) -> None:
    night = Night(tmp_path)
    night.land(*rows, name="scores.jsonl")
    assert ["score" in row["message"] for row in night.quarantine()] == [True]


def test_other_formats_are_not_taken_for_langfuse() -> None:
    native = {
        "span_id": "1",
        "run_id": "r",
        "workspace_id": "w",
        "id": "1",
        "trace_id": "t",
        "type": "x",
        "start_time": "2025",
    }
    zipkin = {
        "id": "1",
        "traceId": "t",
        "parentId": "p",
        "name": "n",
        "timestamp": 1,
        "duration": 5,
        "kind": "CLIENT",
    }
    for row in (
        native,
        zipkin,
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "s"}]}]}]},
    ):
        found = detect(documents.Sniff("lines", documents.paths_of(json.dumps(row))))
        assert found is None or found.name != "langfuse", row


# -- usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "expected", "convention"),
    [
        ({"input": 10, "output": 5, "total": 15}, (10, None, None, 5, None), "langfuse_plain"),
        ({"input": 10, "output": 5}, (10, None, None, 5, None), "langfuse_plain"),
        # Beside: the total is the sum of all.
        (
            {"input": 60, "input_cached_tokens": 40, "output": 20, "total": 120},
            (100, 40, None, 20, None),
            "langfuse_exclusive",
        ),
        (
            {
                "input": 60,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 7,
                "output": 20,
                "total": 127,
            },
            (107, 40, 7, 20, None),
            "langfuse_exclusive",
        ),
        (
            {"input": 5, "output": 20, "output_reasoning_tokens": 100, "total": 125},
            (5, None, None, 120, 100),
            "langfuse_exclusive",
        ),
        (
            {"input": 5, "input_cache_read": 4, "output": 20, "output_reasoning": 9, "total": 38},
            (9, 4, None, 29, 9),
            "langfuse_exclusive",
        ),
        # Within: the total is input and output alone.
        (
            {"input": 100, "input_cached_tokens": 40, "output": 20, "total": 120},
            (100, 40, None, 20, None),
            "langfuse_inclusive",
        ),
        (
            {
                "input": 100,
                "prompt_details.cache_read": 40,
                "output": 20,
                "completion_details.reasoning": 9,
                "total": 120,
            },
            (100, 40, None, 20, 9),
            "langfuse_inclusive",
        ),
        # One side each.
        (
            {
                "input": 60,
                "input_cached_tokens": 40,
                "output": 20,
                "output_reasoning_tokens": 9,
                "total": 120,
            },
            (100, 40, None, 20, 9),
            "langfuse_mixed",
        ),
        (
            {
                "input": 100,
                "input_cached_tokens": 40,
                "output": 20,
                "output_reasoning_tokens": 9,
                "total": 129,
            },
            (100, 40, None, 29, 9),
            "langfuse_mixed",
        ),
        # Cached beside, cache writes within.
        (
            {"input": 100, "input_cache_read": 40, "input_cache_write": 30, "output": 20, "total": 160},
            (140, 40, 30, 20, None),
            "langfuse_mixed",
        ),
        # Nothing says which: Langfuse's own names are buckets, those of telemetry are not.
        (
            {"input": 100, "input_cached_tokens": 40, "output": 20},
            (140, 40, None, 20, None),
            "langfuse_assumed",
        ),
        (
            {"input": 100, "prompt_details.cache_read": 40, "output": 20},
            (100, 40, None, 20, None),
            "langfuse_assumed",
        ),
        # Zero parts tell nothing, and need not.
        (
            {"input": 10, "input_cache_read": 0, "output": 5, "output_reasoning": 0, "total": 15},
            (10, 0, None, 5, 0),
            "langfuse_plain",
        ),
        # Of two spellings the first counts.
        (
            {"input": 10, "input_cached_tokens": 4, "cache_read_input_tokens": 4, "output": 5, "total": 19},
            (14, 4, None, 5, None),
            "langfuse_exclusive",
        ),
        # Numbers as texts, as blob storage writes them.
        (
            {"input": "60", "input_cached_tokens": "40", "output": "20", "total": "120"},
            (100, 40, None, 20, None),
            "langfuse_exclusive",
        ),
    ],
)
def test_usage_is_read_as_it_adds_up(
    tmp_path: Path, details: Row, expected: tuple[int | None, ...], convention: str
) -> None:
    (row,) = landed(tmp_path, observation(usageDetails=details))
    assert usage(row) == expected, f"{details} is read as {usage(row)}"
    assert row["token_convention"] == convention
    assert row["quality_flags"] is None, row["quality_flags"]


def test_usage_that_adds_up_to_neither_is_kept_and_flagged(tmp_path: Path) -> None:
    (row,) = landed(
        tmp_path,
        observation(usageDetails={"input": 60, "input_cached_tokens": 40, "output": 20, "total": 999}),
    )
    assert usage(row) == (100, 40, None, 20, None)
    assert row["token_convention"] == "langfuse_assumed"
    assert "usage_adds_up_to_neither" in row["quality_flags"]
    (row,) = landed(tmp_path / "plain", observation(usageDetails={"input": 60, "output": 20, "total": 999}))
    assert "usage_adds_up_to_neither" in row["quality_flags"], "without parts nobody looks at the total"


@pytest.mark.parametrize(
    ("details", "write", "one_hour", "input_tokens"),
    [
        (
            {
                "input": 2,
                "input_cache_creation": 0,
                "input_cache_creation_5m": 0,
                "input_cache_creation_1h": 76,
                "output": 7,
                "total": 85,
            },
            76,
            76,
            78,
        ),
        (
            {
                "input": 2,
                "input_cache_creation": 10,
                "input_cache_creation_5m": 20,
                "input_cache_creation_1h": 30,
                "output": 7,
                "total": 69,
            },
            60,
            30,
            62,
        ),
        # The tiers are parts of the whole that stands beside them.
        (
            {
                "input": 2,
                "input_cache_creation": 50,
                "input_cache_creation_5m": 20,
                "input_cache_creation_1h": 30,
                "output": 7,
                "total": 59,
            },
            50,
            30,
            52,
        ),
        (
            {
                "input": 2,
                "input_cache_creation": 50,
                "input_cache_creation_5m": 20,
                "input_cache_creation_1h": 30,
                "output": 7,
            },
            50,
            30,
            52,
        ),
    ],
)
def test_cache_writes_by_lifetime_are_counted_once(
    tmp_path: Path, details: Row, write: int, one_hour: int, input_tokens: int
) -> None:
    (row,) = landed(tmp_path, observation(usageDetails=details))
    assert (row["cache_write_tokens"], row["cache_write_1h_tokens"], row["input_tokens"]) == (
        write,
        one_hour,
        input_tokens,
    )
    assert row["quality_flags"] is None, "each total is the sum in one reading"


def test_the_original_attributes_go_before_a_total_that_langfuse_made_itself(tmp_path: Path) -> None:
    # No total was reported, so Langfuse summed up all names, cached ones twice.
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": "100",
        "llm.token_count.completion": "20",
    }
    details = {"input": 100, "prompt_details.cache_read": 40, "output": 20, "total": 160}
    (row,) = landed(tmp_path, observation(usageDetails=details, metadata={"attributes": attributes}))
    assert usage(row) == (100, 40, None, 20, None), "a cached token counts twice"
    assert row["token_convention"] == "langfuse_inclusive"


def test_modalities_and_unknown_buckets_belong_to_their_side(tmp_path: Path) -> None:
    details = {
        "input": 10,
        "input_audio_tokens": 5,
        "input_image": 3,
        "input_new_thing": 2,
        "output": 4,
        "output_audio": 6,
        "total": 30,
    }
    (row,) = landed(tmp_path, observation(usageDetails=details))
    assert (row["input_tokens"], row["audio_input_tokens"], row["image_input_tokens"]) == (20, 5, 3)
    assert (row["output_tokens"], row["audio_output_tokens"]) == (10, 6)
    assert json.loads(row["attributes"])["usageDetails.input_new_thing"] == 2, "an unknown bucket is lost"


def test_generated_images_are_in_neither_input_nor_output(tmp_path: Path) -> None:
    details = {"input": 10, "output": 4, "output_image_tokens": 100, "total": 114}
    (row,) = landed(tmp_path, observation(usageDetails=details))
    assert (row["input_tokens"], row["output_tokens"], row["image_tokens"]) == (10, 4, 100)
    assert row["quality_flags"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"usage": {"input": 10, "output": 5, "total": 15, "unit": "TOKENS"}},
        {"usage": {"promptTokens": 10, "completionTokens": 5, "totalTokens": 15}},
        {"promptTokens": 10, "completionTokens": 5, "totalTokens": 15},
        {"inputUsage": 10, "outputUsage": 5, "totalUsage": 15, "usageDetails": {}},
        {
            "usage": {"unit": "TOKENS", "input": 0, "output": 0, "total": 0},
            "promptTokens": 10,
            "completionTokens": 5,
            "totalTokens": 15,
        },
    ],
)
def test_older_usage_is_read(tmp_path: Path, fields: Row) -> None:
    (row,) = landed(tmp_path, observation(**({"usageDetails": ...} | fields)))
    assert (row["input_tokens"], row["output_tokens"], row["reported_total_tokens"]) == (10, 5, 15)


@pytest.mark.parametrize(
    "fields",
    [
        {"usageDetails": {}},
        {"usageDetails": {}, "inputUsage": 0, "outputUsage": 0, "totalUsage": 0},
        {"usageDetails": ..., "promptTokens": 0, "completionTokens": 0, "totalTokens": 0},
        {"usageDetails": None, "usage": {"unit": "TOKENS", "input": 0, "output": 0, "total": 0}},
    ],
)
def test_no_usage_is_unknown_and_not_zero(tmp_path: Path, fields: Row) -> None:
    (row,) = landed(tmp_path, observation(**fields))
    assert (row["input_tokens"], row["output_tokens"], row["token_convention"]) == (None, None, None)
    assert row["call_marker"] == "call"


def test_units_that_are_no_tokens_are_units(tmp_path: Path) -> None:
    (row,) = landed(
        tmp_path,
        observation(usageDetails=..., usage={"unit": "IMAGES", "output": 2, "total": 2}, model="dall-e-3"),
    )
    assert (row["units"], row["output_tokens"], row["kind"]) == (2, None, "image_generation")


def test_a_total_alone_is_the_input_of_an_embedding_only(tmp_path: Path) -> None:
    first, second = landed(
        tmp_path,
        observation("1", type="EMBEDDING", model="text-embedding-3-small", usageDetails={"total": 50}),
        observation("2", usageDetails={"total": 50}),
    )
    assert (first["kind"], first["input_tokens"], first["quality_flags"]) == ("embedding", 50, None)
    assert (second["input_tokens"], second["reported_total_tokens"]) == (None, 50)
    assert "usage_total_only" in second["quality_flags"]


def test_usage_that_langfuse_counted_itself_is_flagged(tmp_path: Path) -> None:
    told = {
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": "10",
            "gen_ai.usage.output_tokens": "5",
        }
    }
    silent = {"attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.max_tokens": "10"}}
    rows = landed(
        tmp_path,
        observation("1", metadata=told, internalModelId="m"),
        observation("2", metadata=silent, internalModelId="m"),
        observation("3", metadata=silent),
        observation("4", providedUsageDetails={}),
        observation("5", providedUsageDetails={"input": 10}),
        observation("6", metadata={"scope": {"name": "langfuse-sdk"}}, internalModelId="m"),
    )
    flags = {row["span_id"]: row["quality_flags"] for row in rows}
    assert flags == {"1": None, "2": "usage_inferred", "3": None, "4": "usage_inferred", "5": None, "6": None}


# -- money ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"totalCost":0.000234449999,"costDetails":{"total":0.000234449999}', "0.000234449999"),
        ('"totalCost":3.645e-05,"costDetails":{"total":3.645e-05}', "0.000036450000"),
        ('"totalCost":100000000.1000000000049,"costDetails":{}', "100000000.100000000005"),
        ('"costDetails":{"input":1,"total":100000000.1000000000049}', "100000000.100000000005"),
        ('"costDetails":{"total":"0.25"}', "0.250000000000"),
        ('"calculatedTotalCost":0.5', "0.500000000000"),
        ('"calculatedInputCost":0.1,"calculatedOutputCost":0.2', "0.300000000000"),
        ('"totalCost":"0.000001","costDetails":{}', "0.000001000000"),
        # Nothing is known of the price, and nothing was charged: told apart by the details.
        ('"totalCost":0,"costDetails":{}', None),
        ('"totalCost":0,"costDetails":{"total":0}', "0.000000000000"),
        ('"totalCost":null,"costDetails":null', None),
    ],
)
def test_reported_cost_keeps_its_digits(tmp_path: Path, fields: str, expected: str | None) -> None:
    line = json.dumps(observation(costDetails=...))[:-1] + "," + fields + "}"
    (row,) = landed(tmp_path, line)
    assert row["provider_cost_usd"] == (None if expected is None else Decimal(expected))


# -- what the row is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "kind", "marker", "service"),
    [
        ("GENERATION", "completion", "call", "AI Model"),
        ("generation", "completion", "call", "AI Model"),
        ("EMBEDDING", "embedding", "call", "Embedding"),
        ("SPAN", "other", "not_call", None),
        ("AGENT", "agent", "not_call", None),
        ("CHAIN", "step", "not_call", None),
        ("RETRIEVER", "retrieval", "not_call", "Retrieval"),
        ("EVALUATOR", "other", "not_call", None),
        ("GUARDRAIL", "other", "not_call", None),
        ("EVENT", "other", "not_call", None),
        ("SOMETHING_NEW", "other", "not_call", None),
    ],
)
def test_the_type_decides_where_there_is_no_marker(
    tmp_path: Path, type_: str, kind: str, marker: str, service: str
) -> None:
    (row,) = landed(tmp_path, observation(type=type_))
    assert (row["kind"], row["call_marker"], row["service"]) == (kind, marker, service)
    assert row["input_tokens"] == 10, "usage of a wrapper is lost"


@pytest.mark.parametrize(
    ("attributes", "kind", "marker"),
    [
        ({"openinference.span.kind": "LLM"}, "completion", "call"),
        ({"openinference.span.kind": "EMBEDDING"}, "embedding", "call"),
        ({"openinference.span.kind": "AGENT", "gen_ai.operation.name": "chat"}, "agent", "not_call"),
        ({"openinference.span.kind": "CHAIN"}, "step", "not_call"),
        ({"ai.operationId": "ai.generateText.doGenerate"}, "completion", "call"),
        ({"ai.operationId": "ai.generateText", "gen_ai.operation.name": "chat"}, "step", "not_call"),
        ({"ai.operationId": "ai.embed.doEmbed"}, "embedding", "call"),
        ({"traceloop.span.kind": "workflow", "llm.request.type": "chat"}, "step", "not_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent", "not_call"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool", "not_call"),
        ({"gen_ai.operation.name": "chain"}, "step", "not_call"),
        ({"gen_ai.operation.name": "generate_content"}, "completion", "call"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding", "call"),
        ({"llm.request.type": "chat"}, "completion", "call"),
        ({"unrelated": "x"}, "completion", "call"),
    ],
)
@pytest.mark.parametrize("form", ["object", "text", "texts within", "flat"])
def test_original_attributes_decide_before_the_type(
    tmp_path: Path, attributes: Row, kind: str, marker: str, form: str
) -> None:
    metadata: Any = {"attributes": attributes, "scope": {"name": "some.scope", "version": "1"}}
    if form == "text":
        metadata = json.dumps(metadata)
    elif form == "texts within":
        metadata = json.dumps({name: json.dumps(value) for name, value in metadata.items()})
    elif form == "flat":
        metadata = {f"attributes.{name}": value for name, value in attributes.items()} | {
            "scope.name": "some.scope"
        }
    (row,) = landed(tmp_path, observation(metadata=metadata))
    assert (row["kind"], row["call_marker"], row["scope"]) == (kind, marker, "some.scope")


def test_ids_of_answers_come_from_attributes_or_the_answers_body(tmp_path: Path) -> None:
    body = {"id": "chatcmpl-BhGJDsZlpk55owZCjMyJl8TOGqk0H", "choices": [], "usage": {}}
    langchain = {
        "generations": [
            [{"message": {"kwargs": {"response_metadata": {"token_usage": {"a": {}}, "id": "chatcmpl-77"}}}}]
        ]
    }
    rows = landed(
        tmp_path,
        observation("1", metadata={"attributes": {"gen_ai.response.id": "resp_1"}}, output=body),
        observation("2", output=body),
        observation("3", output=json.dumps(body)),
        observation("4", output=langchain),
        observation("5", metadata={"attributes": {"output.value": json.dumps(body)}}),
        # What the model wrote has an id of its own, and a wrapper repeats the answer of another.
        observation("6", output={"id": "customer-000000000000000001", "name": "Ann"}),
        observation("7", output=body, type="SPAN"),
        observation("8", output='{"id": "truncat'),
    )
    found = {row["span_id"]: row["response_id"] for row in rows}
    real = body["id"]
    assert found == {
        "1": "resp_1",
        "2": real,
        "3": real,
        "4": "chatcmpl-77",
        "5": real,
        "6": None,
        "7": None,
        "8": None,
    }


def test_models_and_providers_are_told_by_our_names(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        observation("1", model="claude-sonnet-4-5"),
        observation(
            "2",
            model="gpt-4o-2024-08-06",
            metadata={"attributes": {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}},
        ),
        observation(
            "3", model="gemini-2.0-flash", metadata={"attributes": {"gen_ai.system": "gcp.vertex.agent"}}
        ),
        observation("4", model="gpt-4o", metadata={"attributes": {"gen_ai.system": "strands-agents"}}),
        observation("5", model="gpt-4o", metadata={"ls_provider": "azure"}),
        observation("6", model="us.anthropic.claude-sonnet-4-20250514-v1:0"),
        observation("7", model="llama-local", metadata={"ls_provider": "Ollama"}),
        observation("8", model=None, type="SPAN"),
    )
    assert [(row["provider"], row["model"], row["response_model"]) for row in rows] == [
        ("anthropic", "claude-sonnet-4-5", None),
        ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
        ("google", "gemini-2.0-flash", None),
        ("openai", "gpt-4o", None),
        ("azure", "gpt-4o", None),
        ("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0", None),
        ("ollama", "llama-local", None),
        (None, None, None),
    ]


def test_tools_are_services_by_their_names(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        observation("1", type="TOOL", name="execute_tool google_search", model=None),
        observation("2", type="TOOL", name="t", metadata={"attributes": {"gen_ai.tool.name": "exa_search"}}),
        observation("3", type="TOOL", name="scrape_website", model=None),
        observation("4", type="TOOL", name="book_flight", model=None),
    )
    assert [row["service"] for row in rows] == [
        "Google Search",
        "Exa Search",
        "Website Scrape",
        "book_flight",
    ]


def test_a_trace_is_the_run_and_carries_who_and_what(tmp_path: Path) -> None:
    rows = landed(
        tmp_path, json.dumps({"trace": trace(), "observations": [observation(parentObservationId=None)]})
    )
    run, call = rows
    assert (run["kind"], run["span_id"], run["run_id"], run["parent_span_id"]) == (
        "run",
        TRACE_ID,
        TRACE_ID,
        None,
    )
    assert (str(run["started_at"]), str(run["ended_at"])) == (
        "2025-06-11 14:01:32.598000",
        "2025-06-11 14:01:39.589000",
    )
    assert (run["name"], run["user_id"], run["session_id"], run["deployment"]) == (
        "support",
        "user-7",
        "session-9",
        "2025.06",
    )
    assert json.loads(run["user_metadata"]) == {"tags": "a, b", "plan": "pro", "seats": 3, "beta": True}
    assert (run["call_marker"], run["status"]) == ("not_call", "completed")
    assert call["run_id"] == TRACE_ID
    assert call["parent_span_id"] is None, "a root gets a parent"


def test_a_trace_without_latency_leaves_its_end_to_its_spans(tmp_path: Path) -> None:
    (row,) = landed(tmp_path, trace(latency=None))
    assert (row["ended_at"], row["status"]) == (None, "completed")


def test_status_and_times(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        observation("1", level="ERROR", statusMessage="boom"),
        observation("2", endTime=None),
        observation("3", endTime=None, level="ERROR", statusMessage="boom"),
        observation("4", endTime="2025-06-11T14:01:30.000Z"),
        observation("5", endTime="2025-06-11T16:01:30.000+02:00"),
        observation("6", type="EVENT", endTime=None),
        observation("7", level="WARNING", statusMessage="slow"),
        observation("8", startTime=1749650494290, endTime=1749650499089),
        observation("9", endTime="1970-01-01T00:00:00.000Z"),
    )
    seen = {
        row["span_id"]: (row["status"], row["ended_at"] is None, row["error_message"], row["quality_flags"])
        for row in rows
    }
    assert seen == {
        "1": ("failed", False, "boom", None),
        "2": ("running", True, None, None),
        "3": ("failed", True, "boom", None),
        "4": ("completed", True, None, "end_before_start"),
        "5": ("completed", True, None, "end_before_start"),
        "6": ("completed", False, None, None),
        "7": ("completed", False, None, None),
        "8": ("completed", False, None, None),
        "9": ("running", True, None, None),
    }
    assert (
        json.loads(next(row for row in rows if row["span_id"] == "7")["attributes"])["statusMessage"]
        == "slow"
    )


def test_whose_it_is_comes_from_resources_and_settings(tmp_path: Path) -> None:
    resource = {
        "service.name": "shop",
        "credit_usage.workspace_id": "acme",
        "credit_usage.api_key_name": "main",
        "credit_usage.charge_type": "personal",
        "deployment.environment.name": "prod",
    }
    (row,) = landed(tmp_path, observation(metadata={"resourceAttributes": resource}))
    assert (row["workspace_id"], row["api_key_name"], row["charge_type"], row["deployment"]) == (
        "acme",
        "main",
        "personal",
        "prod",
    )
    (row,) = landed(tmp_path / "default", observation())
    assert row["workspace_id"] == "default"


def test_what_people_wrote_does_not_reach_the_lake_unless_kept(tmp_path: Path) -> None:
    secret = "the secret question of ann@example.org with sk-abcdefghijklmnopqrstuvwx"
    row_ = observation(
        input={"messages": [{"role": "user", "content": secret}]},
        output=secret,
        toolCalls=[secret],
        modelParameters={"temperature": 0.5, "system_instruction": secret, "tools": secret},
        metadata={
            "attributes": {"input.value": secret, "gen_ai.prompt.0.content": secret, "note": secret * 20},
            "input": secret,
        },
    )
    (row,) = landed(tmp_path, row_)
    assert "secret" not in str(row), "content reached the lake"
    assert json.loads(row["attributes"])["modelParameters.temperature"] == 0.5
    (row,) = landed(tmp_path / "kept", row_, keep_content=True, content_max_characters=40)
    content = json.loads(row["attributes"])["content"]
    assert content["output"] == "the secret question of [e-mail] with [ke"
    assert "ann@example.org" not in str(row)
    assert len(content["input"]) <= 40


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    (row,) = landed(
        tmp_path,
        observation(newField={"a": [1, None]}, metadata={"langgraph_step": 3}, environment="staging"),
    )
    attributes = json.loads(row["attributes"])
    assert attributes["newField"] == {"a": [1, None]}
    assert attributes["metadata.langgraph_step"] == 3
    assert attributes["environment"] == "staging"


# -- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"startTime": None}, "started_at"),
        ({"startTime": "yesterday"}, "started_at"),
        ({"id": None}, "span_id"),
        ({"usageDetails": {"input": -5, "output": 1}}, "input_tokens"),
        ({"usageDetails": {"input": "many", "output": 1}}, "input_tokens"),
        ({"usageDetails": {"input": 5, "input_cached_tokens": "many", "output": 1}}, "cached_tokens"),
        ({"usageDetails": {"input": 5, "input_cache_creation_5m": 1.5, "output": 1}}, "cache_write_tokens"),
        ({"totalCost": -1, "costDetails": {"total": -1}}, "provider_cost_usd"),
    ],
)
def test_what_cannot_be_read_is_quarantined_with_its_reason(tmp_path: Path, fields: Row, word: str) -> None:
    night = Night(tmp_path)
    night.land(observation("good"), observation(**fields), name="langfuse.jsonl")
    (row,) = night.quarantine()
    assert word in row["message"], row["message"]
    assert night.one()["span_id"] == "good"


def test_odd_values_do_not_stop_the_row(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        observation("1", usageDetails=[1, 2]),
        observation("2", usageDetails="none"),
        observation("3", metadata=[1, 2]),
        observation("4", metadata="text"),
        observation("5", metadata={"attributes": "no object", "scope": 7, "resourceAttributes": []}),
        observation("6", costDetails=7, tags={"a": 1}),
        observation("7", name=None, level=None, type=None),
        observation("8", traceId=None),
        observation("9", metadata='{"attributes": {"openinference.span.kind": "LLM"'),
        '{"id":"a","id":"b","traceId":"t","type":"SPAN","startTime":"2025-06-11T14:01:34Z","metadata":{"k":1,"k":2}}',
        observation(
            "c", metadata={"attributes": {"openinference.span.kind": ["LLM"], "gen_ai.operation.name": None}}
        ),
        observation("d", usageDetails={"input": {"text": 5}, "output": 1})
        | {"usageDetails": {"output": 1, "total": 1}},
    )
    assert len(rows) == 12
    by_id = {row["span_id"]: row for row in rows}
    assert by_id["8"]["run_id"] == "8", "a call without a trace is lost"
    assert by_id["7"]["name"] == "observation"
    assert by_id["7"]["call_marker"] is None


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = "x'; drop table spans; --\"</script>"
    (row,) = landed(
        tmp_path,
        observation(
            name=hostile,
            model=hostile,
            usageDetails={"input": 1, hostile: 2},
            metadata={hostile: hostile},
            **{hostile: 1},
        ),
    )
    assert (row["name"], row["model"]) == (hostile, hostile)
    assert json.loads(row["attributes"])[hostile] == 1


def test_the_same_export_twice_and_a_later_version(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.land(observation(endTime=None), name="a.jsonl")
    report = night.land(observation(), name="b.jsonl")
    assert report.manifest
    report = night.land(json.dumps([observation()]), name="c.json")
    assert report.manifest
    assert report.manifest.total("rows_duplicate") == 1, "the same observation counts twice"
    (winner,) = night.winners().values()
    assert winner["status"] == "completed"
