"""OTLP/JSON: what the attributes of each convention become, and what bad requests end in."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.landing_helpers import Night

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_772_359_200_000_000_000


def value(content: Any) -> dict[str, Any]:
    """An attribute's value as OTLP/JSON writes it."""
    if isinstance(content, bool):
        return {"boolValue": content}
    if isinstance(content, int):
        return {"intValue": str(content)}
    if isinstance(content, float):
        return {"doubleValue": content}
    if isinstance(content, list):
        return {"arrayValue": {"values": [value(item) for item in content]}}
    if isinstance(content, dict):
        return {
            "kvlistValue": {"values": [{"key": key, "value": value(item)} for key, item in content.items()]}
        }
    return {"stringValue": content}


def span(
    span_id: str = "00f067aa0ba902b7", attributes: dict[str, Any] | list[Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """A span of one second; a field given as `...` is left out."""
    document: dict[str, Any] = {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": "",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1_000_000_000),
        "attributes": attributes
        if isinstance(attributes, list)
        else [{"key": key, "value": value(item)} for key, item in (attributes or {}).items()],
        "status": {},
    }
    return {key: item for key, item in (document | fields).items() if item is not ...}


def request(
    *spans: dict[str, Any], resource: dict[str, Any] | None = None, scope: str = "test.scope"
) -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    attributes = [{"key": key, "value": value(item)} for key, item in (resource or {}).items()]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes},
                "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}],
            }
        ]
    }


def lines(*requests: dict[str, Any] | str) -> bytes:
    """One request per line."""
    return "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in requests).encode()


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """An empty data folder."""
    return Night(tmp_path)


def _landed(night: Night, *requests: dict[str, Any] | str) -> list[dict[str, Any]]:
    night.write("traces.jsonl", lines(*requests))
    night.land()
    return night.rows()


GEN_AI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            GEN_AI,
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "provider": "openai",
                "model": "gpt-4o",
                "response_id": "chatcmpl-1",
                "response_model": "gpt-4o-2024-08-06",
                "call_marker": "call",
                "kind": "completion",
                "service": "AI Model",
                "token_convention": "otel_gen_ai",
            },
        ),
        (
            {
                "llm.request.type": "chat",
                "gen_ai.system": "Anthropic",
                "gen_ai.usage.prompt_tokens": 9,
                "gen_ai.usage.completion_tokens": 4,
                "gen_ai.usage.cache_read_input_tokens": 5,
                "gen_ai.usage.cache_creation_input_tokens": 2,
            },
            {
                "input_tokens": 9,
                "output_tokens": 4,
                "cached_tokens": 5,
                "cache_write_tokens": 2,
                "provider": "anthropic",
                "call_marker": "call",
            },
        ),
        (
            {
                "openinference.span.kind": "LLM",
                "llm.model_name": "gpt-4o",
                "llm.token_count.prompt": 30,
                "llm.token_count.completion": 7,
                "llm.token_count.prompt_details.cache_read": 11,
                "llm.token_count.completion_details.reasoning": 3,
                "output.value": '{"id": "chatcmpl-9", "choices": []}',
            },
            {
                "input_tokens": 30,
                "output_tokens": 7,
                "cached_tokens": 11,
                "reasoning_tokens": 3,
                "response_id": "chatcmpl-9",
                "token_convention": "openinference",
                "call_marker": "call",
            },
        ),
        (
            {"openinference.span.kind": "AGENT", "gen_ai.usage.input_tokens": 5},
            {"call_marker": "not_call", "kind": "agent", "input_tokens": 5},
        ),
        (
            {
                "ai.operationId": "ai.generateText.doGenerate",
                "ai.model.id": "m",
                "ai.usage.inputTokens": 12,
                "ai.usage.outputTokens": 3,
                "ai.usage.cachedInputTokens": 4,
                "ai.response.id": "r",
            },
            {
                "input_tokens": 12,
                "output_tokens": 3,
                "cached_tokens": 4,
                "response_id": "r",
                "call_marker": "call",
                "token_convention": "ai_sdk_otel",
            },
        ),
        (
            {"ai.operationId": "ai.generateText", "ai.usage.inputTokens": 12},
            {"call_marker": "not_call", "kind": "step"},
        ),
        (
            {"traceloop.span.kind": "workflow", "gen_ai.usage.input_tokens": 1},
            {"call_marker": "not_call", "kind": "step"},
        ),
        (
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "Bot",
                "gen_ai.usage.input_tokens": 8,
            },
            {"call_marker": "not_call", "kind": "agent", "resource_name": "Bot"},
        ),
        (
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "google_search"},
            {"call_marker": "not_call", "kind": "tool", "service": "Google Search"},
        ),
        (
            {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 6},
            {"kind": "embedding", "service": "Embedding", "call_marker": "call"},
        ),
        (
            {"gen_ai.usage.input_tokens": 6, "gen_ai.request.model": "m"},
            {"call_marker": None, "input_tokens": 6, "kind": "completion"},
        ),
        (
            {"gen_ai.aggregated_usage.input_tokens": 6, "gen_ai.request.max_tokens": 99},
            {"input_tokens": None, "output_tokens": None},
        ),
        # Input without cached reads and writes: the total proves it, or it could not hold them.
        (
            {
                **GEN_AI,
                "gen_ai.usage.cache_read.input_tokens": 300,
                "gen_ai.usage.cache_creation.input_tokens": 40,
            },
            {
                "input_tokens": 440,
                "cached_tokens": 300,
                "cache_write_tokens": 40,
                "quality_flags": "input_without_cache",
            },
        ),
        (
            {**GEN_AI, "gen_ai.usage.cache_read.input_tokens": 30, "gen_ai.usage.total_tokens": 150},
            {"input_tokens": 130, "quality_flags": "input_without_cache"},
        ),
        (
            {**GEN_AI, "gen_ai.usage.reasoning.output_tokens": 50, "gen_ai.usage.total_tokens": 170},
            {"output_tokens": 70, "reasoning_tokens": 50, "quality_flags": "reasoning_beside_output"},
        ),
        (
            {
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "m",
                "langfuse.observation.usage_details": '{"input": 10, "input_cached_tokens": 90, "output": 5, "total": 105}',
                "langfuse.observation.cost_details": '{"total": 0.0125}',
            },
            {
                "input_tokens": 100,
                "cached_tokens": 90,
                "output_tokens": 5,
                "provider_cost_usd": "0.012500000000",
                "call_marker": "call",
            },
        ),
        (
            {"gen_ai.usage.input_tokens": 3, "operation.cost": 0.000123},
            {"provider_cost_usd": "0.000123000000"},
        ),
        # Names of an operation that other packages use; a word that tells nothing marks nothing.
        *(
            ({**GEN_AI, "gen_ai.operation.name": word}, {"call_marker": marker, "kind": kind})
            for word, marker, kind in (
                ("chat.completions", "call", "completion"),
                ("chat.streaming_completions", "call", "completion"),
                ("text.completions", "call", "completion"),
                ("aresponses", "call", "completion"),
                ("anthropic_messages", "call", "completion"),
                ("agenerate_content_stream", "call", "completion"),
                ("aimage_generation", "call", "image_generation"),
                ("aembedding", "call", "embedding"),
                ("invoke_agent", "not_call", "agent"),
                ("execute_tool", "not_call", "tool"),
                ("invoke_workflow", "not_call", "step"),
                ("process_thread_run", "not_call", "other"),
                ("summarize", None, "completion"),
            )
        ),
        (
            {"llm.request.type": "acompletion", "gen_ai.usage.input_tokens": 100},
            {"call_marker": "call", "kind": "completion"},
        ),
        (
            {"llm.request.type": "rerank", "gen_ai.usage.input_tokens": 100},
            {"call_marker": "not_call", "kind": "retrieval"},
        ),
        # What says nothing does not hide what is said elsewhere, and is no reason to lose a call.
        (
            {
                "gen_ai.usage.input_tokens": "",
                "llm.token_count.prompt": 7,
                "gen_ai.request.model": "",
                "llm.model_name": "m",
            },
            {"input_tokens": 7, "model": "m"},
        ),
        *(
            (
                {**GEN_AI, "gen_ai.usage.total_tokens": word, "gen_ai.usage.cache_read.input_tokens": word},
                {"input_tokens": 100, "cached_tokens": None, "reported_total_tokens": None},
            )
            for word in (float("nan"), "NaN", "None", "null")
        ),
        # Buckets of Langfuse by other names, within the whole, and costs without a total.
        (
            {
                "langfuse.observation.type": "generation",
                "langfuse.observation.usage_details": '{"input": 12, "output": 340, "cache_read_input_tokens": 5120, '
                '"cache_creation_input_tokens": 256}',
                "langfuse.observation.cost_details": '{"input": 0.01, "output": 0.002}',
            },
            {
                "input_tokens": 5388,
                "cached_tokens": 5120,
                "cache_write_tokens": 256,
                "output_tokens": 340,
                "provider_cost_usd": "0.012000000000",
                "quality_flags": None,
            },
        ),
        (
            {
                "langfuse.observation.usage_details": '{"input": 5388, "output": 340, "total": 5728, "input_cached_tokens": 5120}'
            },
            {
                "input_tokens": 5388,
                "cached_tokens": 5120,
                "output_tokens": 340,
                "quality_flags": "buckets_within",
            },
        ),
        (
            {
                "langfuse.observation.usage_details": '{"input": 100, "output": 50, "output_reasoning": 30, "total": 150}'
            },
            {"output_tokens": 50, "reasoning_tokens": 30, "quality_flags": "buckets_within"},
        ),
        # The AI SDK of before its sixth version tells cache writes in the provider's own words only.
        (
            {
                "ai.operationId": "ai.generateText.doGenerate",
                "ai.usage.inputTokens": 40,
                "ai.usage.outputTokens": 60,
                "ai.usage.totalTokens": 1600,
                "ai.response.providerMetadata": '{"bedrock":{"usage":{"cacheWriteInputTokens":1500}}}',
            },
            {"input_tokens": 1540, "cache_write_tokens": 1500, "quality_flags": "input_without_cache"},
        ),
        # Cached reads beside input and reasoning beside output, which no other sum gives.
        (
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 50,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.reasoning.output_tokens": 30,
                "gen_ai.usage.total_tokens": 1480,
            },
            {
                "input_tokens": 1400,
                "output_tokens": 80,
                "quality_flags": "input_without_cache,reasoning_beside_output",
            },
        ),
        # The answer's id is a text of an answer; a model that answers in JSON has none, nor has the class of a message.
        *(
            (
                {"openinference.span.kind": "LLM", "llm.token_count.prompt": 9, "output.value": body},
                {"response_id": answer},
            )
            for body, answer in (
                ('{"id":"chatcmpl-0123456789abcdef","choices":[]}', "chatcmpl-0123456789abcdef"),
                (
                    '{"id":"msg_0123456789abcdef","type":"message","stop_reason":"end_turn"}',
                    "msg_0123456789abcdef",
                ),
                ('{"id":"0190a1b2-0000-7000-8000-000000000000","class":"A"}', None),
                ('{"id":"0190a1b2-0000-7000-8000-000000000000","usage":"none","object":"chair"}', None),
                (
                    '{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessage"],'
                    '"kwargs":{"response_metadata":{"id":"chatcmpl-fedcba9876543210"}}}',
                    "chatcmpl-fedcba9876543210",
                ),
                (
                    '{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessage"],"usage":{}}',
                    None,
                ),
            )
        ),
    ],
)
def test_what_attributes_become(night: Night, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each convention's names end in the contract's columns, by the contract's reading."""
    (row,) = _landed(night, request(span(attributes=attributes)))
    found = {name: row[name] for name in expected}
    assert {name: None if item is None else str(item) for name, item in found.items()} == {
        name: None if item is None else str(item) for name, item in expected.items()
    }, "attributes were read otherwise"


def test_a_span_is_placed_by_its_resource(night: Night) -> None:
    """Workspace, deployment, session and user come from resource or span; ids and times from the span."""
    (row,) = _landed(
        night,
        request(
            span(
                attributes={**GEN_AI, "session.id": "s", "user.id": "u", "custom.key": 7},
                parentSpanId="00f067aa0ba902b8",
            ),
            resource={"service.name": "shop", "workspace.id": "acme", "deployment.environment": "prod"},
        ),
    )
    expected = {
        "workspace_id": "acme",
        "run_id": TRACE,
        "trace_id": TRACE,
        "parent_span_id": "00f067aa0ba902b8",
        "deployment": "prod",
        "session_id": "s",
        "user_id": "u",
        "scope": "test.scope",
        "status": "completed",
        "source_format": "otlp",
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["attributes"])["custom.key"] == 7, "what has no column stays in attributes"


def test_settings_say_whose_spans_they_are(tmp_path: Path) -> None:
    """A mapping by service name or folder goes before what the file says."""
    (tmp_path / "credit_usage.toml").write_text(
        '[[sources]]\nservice_name = "shop"\nworkspace_id = "ws_shop"\ncharge_type = "personal"\n'
        '[[sources]]\npath = "team/*"\nworkspace_id = "ws_team"\n',
        encoding="utf-8",
    )
    from orchestration.settings import load

    night = Night(tmp_path)
    night.settings = load(
        {}, tmp_path / "credit_usage.toml", data_dir=night.settings.data_dir, settle_seconds=0.0
    )
    night.write("a.jsonl", lines(request(span("00000000000000a1"), resource={"service.name": "shop"})))
    night.write("team/b.jsonl", lines(request(span("00000000000000a2"), resource={"service.name": "other"})))
    night.write("c.jsonl", lines(request(span("00000000000000a3"))))
    night.land()
    found = {row["span_id"][-2:]: (row["workspace_id"], row["charge_type"]) for row in night.rows()}
    assert found == {"a1": ("ws_shop", "personal"), "a2": ("ws_team", None), "a3": ("default", None)}


def test_content_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    """Prompts do not reach the lake; with the setting they do, cut and redacted."""
    attributes = {
        **GEN_AI,
        "gen_ai.prompt.0.content": "mail bob@example.com with sk-abcdefghijklmnop " + "x" * 100,
        "input.value": "secret",
    }
    rows = {}
    for keep in ("false", "true"):
        folder = tmp_path / keep
        folder.mkdir()
        (folder / "credit_usage.toml").write_text(
            f"keep_content = {keep}\ncontent_max_characters = 60\n", encoding="utf-8"
        )
        from orchestration.settings import load

        night = Night(folder)
        night.settings = load(
            {}, folder / "credit_usage.toml", data_dir=night.settings.data_dir, settle_seconds=0.0
        )
        (rows[keep],) = _landed(night, request(span(attributes=attributes)))
    assert "secret" not in str(rows["false"].values()), "content must not be loaded by default"
    content = json.loads(rows["true"]["attributes"])["content"]
    assert content["input.value"] == "secret"
    text = content["gen_ai.prompt.0.content"]
    assert "bob@" not in text, "kept content must be redacted"
    assert "sk-abc" not in text, "kept content must be redacted"
    assert len(text) <= 80, "kept content must be cut"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"endTimeUnixNano": "0"}, {"status": "running", "ended_at": None}),
        ({"endTimeUnixNano": ...}, {"status": "running", "ended_at": None}),
        ({"startTimeUnixNano": START, "endTimeUnixNano": START + 5}, {"status": "completed"}),
        ({"endTimeUnixNano": str(START - 1)}, {"ended_at": None, "quality_flags": "end_before_start"}),
        ({"status": {"code": 2, "message": "boom"}}, {"status": "failed", "error_message": "boom"}),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, {"status": "failed"}),
        ({"status": {"code": "nonsense"}}, {"status": "completed"}),
        ({"kind": "SPAN_KIND_CLIENT"}, {"status": "completed"}),
        ({"traceId": TRACE.upper()}, {"run_id": TRACE}),
        ({"traceId": base64.b64encode(bytes.fromhex(TRACE)).decode()}, {"run_id": TRACE}),
        ({"traceId": "463AC35C9F6413AD"}, {"run_id": "463ac35c9f6413ad"}),
        ({"parentSpanId": "0000000000000000"}, {"parent_span_id": None}),
        ({"name": ""}, {"name": "unnamed"}),
    ],
)
def test_odd_spans(night: Night, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Odd ids, times, kinds and statuses are read for what they mean."""
    (row,) = _landed(night, request(span(**fields)))
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"startTimeUnixNano": "0"}, "missing_field"),
        ({"traceId": ""}, "missing_field"),
        ({"spanId": ...}, "missing_field"),
        ({"startTimeUnixNano": "soon"}, "wrong_type"),
        (
            {"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "-4"}}]},
            "impossible_value",
        ),
        (
            {"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"stringValue": "many"}}]},
            "wrong_type",
        ),
    ],
)
def test_a_span_that_is_none_is_quarantined(night: Night, fields: dict[str, Any], reason: str) -> None:
    """It costs itself: the span beside it lands, and the quarantine has it with the reason."""
    rows = _landed(night, request(span(**fields), span("00f067aa0ba902ff")))
    assert [row["span_id"] for row in rows] == ["00f067aa0ba902ff"]
    (quarantined,) = night.quarantine()
    assert quarantined["reason"] == reason
    assert "traceId" in quarantined["raw"] or "spanId" in quarantined["raw"], "the span itself must be kept"


def test_attributes_of_every_type(night: Night) -> None:
    """Strings, booleans, numbers, lists, objects and bytes are kept."""
    document = span(attributes={"s": "t", "b": True, "i": 3, "d": 1.5, "l": ["x", 1], "o": {"k": "v"}})
    document["attributes"] += [
        {"key": "y", "value": {"bytesValue": "AAEC"}},
        {"key": "n", "value": {"intValue": 7}},
        {"key": "e", "value": {}},
        {"key": "z"},
    ]
    (row,) = _landed(night, request(document))
    kept = json.loads(row["attributes"])
    assert {key: kept[key] for key in "sbidyn"} == {
        "s": "t",
        "b": True,
        "i": 3,
        "d": 1.5,
        "y": "AAEC",
        "n": 7,
    }
    assert set(kept) == set("sbidloynez")


def test_records_that_are_no_requests(night: Night) -> None:
    """A corrupt line, metrics among traces, and blank lines: each bad one is in quarantine with its line, the rest lands."""
    good = request(span())
    night.write(
        "traces.jsonl.gz",
        gzip.compress(lines(good, '{"resourceSpans": [{"resource": {', "", '{"resourceMetrics": []}')),
    )
    night.land()
    assert len(night.rows()) == 1
    assert [(row["line_number"], row["reason"]) for row in night.quarantine()] == [
        (2, "not_json"),
        (4, "not_a_row"),
    ]


def test_an_empty_request_is_nothing(night: Night) -> None:
    """A request without spans loads nothing and is no fault."""
    night.write("traces.jsonl", lines({"resourceSpans": []}, request()))
    report = night.land()
    assert report.manifest
    assert report.manifest.files[0].rows_read == 0
    assert report.manifest.files[0].status == "loaded"


def test_the_same_spans_again_are_duplicates(night: Night) -> None:
    """A file that overlaps an earlier one brings only what is new."""
    night.write("a.jsonl", lines(request(span("00000000000000a1"))))
    night.land()
    night.write("b.jsonl", lines(request(span("00000000000000a1"), span("00000000000000a2"))))
    report = night.land()
    assert report.manifest
    entry = report.manifest.files[0]
    assert (entry.rows_read, entry.rows_loaded, entry.rows_duplicate) == (2, 1, 1)


def test_a_pretty_printed_document(night: Night) -> None:
    """A single document over many lines lands like a line."""
    night.write("trace.json", json.dumps(request(span(), span("00f067aa0ba902ff")), indent=2).encode())
    night.land()
    assert len(night.rows()) == 2


def test_a_hundred_thousand_spans_in_one_line(night: Night) -> None:
    """One trace, one line of 40 MB: everything lands."""
    count = 100_000
    spans = [
        span(f"{number:016x}", {"gen_ai.usage.input_tokens": 1}, parentSpanId=f"{number - 1:016x}")
        for number in range(1, count + 1)
    ]
    night.write("big.jsonl", lines(request(*spans)))
    report = night.land()
    assert report.manifest
    assert report.manifest.files[0].rows_loaded == count


def test_a_truncated_document_keeps_what_is_whole(night: Night) -> None:
    """The spans before the break land, the rest is one record in quarantine."""
    whole = json.dumps(request(*(span(f"{number:016x}") for number in range(1, 4001))), indent=1)
    night.write("trace.json", whole[: len(whole) // 2].encode())
    report = night.land()
    assert report.manifest
    entry = report.manifest.files[0]
    assert entry.status == "loaded"
    assert entry.rows_quarantined == 1
    assert night.quarantine()[0]["reason"] == "broken_document"
    assert entry.rows_loaded > 0, "whole spans before the break must land"


def test_what_a_package_leaves_beside_its_attributes(night: Night) -> None:
    """The provider's usage object would not be read, a cost of nought be a price, or a begun span be a call."""
    usage = "{'prompt_tokens': 9, 'completion_tokens': 0, 'prompt_tokens_details': {'cached_tokens': 4, 'audio_tokens': None}}"
    night.write(
        "traces.jsonl",
        lines(
            request(
                span(
                    "00f067aa0ba902b1",
                    {
                        "gen_ai.operation.name": "aembedding",
                        "gen_ai.usage.input_tokens": 5,
                        "metadata.usage_object": usage,
                    },
                ),
                span(
                    "00f067aa0ba902b2",
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.usage.input_tokens": 5,
                        "gen_ai.usage.cost": 0,
                        "logfire.span_type": "span",
                    },
                ),
                span(
                    "00f067aa0ba902b3",
                    {"gen_ai.operation.name": "chat", "logfire.span_type": "pending_span"},
                ),
            )
        ),
    )
    night.land()
    rows = {row["span_id"][-1]: row for row in night.rows()}
    assert (rows["1"]["kind"], rows["1"]["input_tokens"], rows["1"]["cached_tokens"]) == ("embedding", 9, 4)
    assert (rows["2"]["call_marker"], rows["2"]["provider_cost_usd"]) == ("call", None)
    assert rows["3"]["call_marker"] == "not_call"


def test_scopes_that_leave_cached_input_out(night: Night) -> None:
    """Nothing else tells that Bedrock's input has no cached reads in it."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }
    night.write(
        "traces.jsonl",
        lines(
            request(
                span("00f067aa0ba902b1", attributes),
                scope="opentelemetry.instrumentation.botocore.bedrock-runtime",
            ),
            request(span("00f067aa0ba902b2", attributes), scope="openinference.instrumentation.bedrock"),
        ),
    )
    night.land()
    assert {row["span_id"][-1]: row["input_tokens"] for row in night.rows()} == {"1": 13, "2": 9}


def test_old_and_new_lists_of_one_resource(night: Night) -> None:
    """Spans under the older name of the list would be lost where the newer one is there too."""
    document = request(span("00f067aa0ba902b1"))
    document["resourceSpans"][0]["instrumentationLibrarySpans"] = [
        {"instrumentationLibrary": {"name": "old"}, "spans": [span("00f067aa0ba902b2")]}
    ]
    night.write("traces.jsonl", lines(document))
    night.land()
    assert {row["scope"] for row in night.rows()} == {"test.scope", "old"}


MLFLOW = {
    "mlflow.spanType": '"CHAT_MODEL"',
    "mlflow.llm.model": '"gpt-5-mini-2025-08-07"',
    "mlflow.spanInputs": '{"messages": [{"role": "user", "content": "secret"}]}',
}
MLFLOW_USAGE = (
    '{"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, '
    '"cache_read_input_tokens": 60, "cache_creation_input_tokens": 5}'
)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            MLFLOW | {"mlflow.chat.tokenUsage": MLFLOW_USAGE},
            {
                "call_marker": "call",
                "kind": "completion",
                "model": "gpt-5-mini-2025-08-07",
                "provider": "openai",
                "input_tokens": 100,
                "cached_tokens": 60,
                "cache_write_tokens": 5,
                "output_tokens": 20,
            },
        ),
        (
            MLFLOW
            | {
                "mlflow.chat.tokenUsage": MLFLOW_USAGE,
                "mlflow.spanOutputs": json.dumps(
                    {
                        "id": "chatcmpl-7",
                        "choices": [],
                        "usage": {
                            "prompt_tokens": 100,
                            "completion_tokens": 20,
                            "completion_tokens_details": {"reasoning_tokens": 8},
                        },
                    }
                ),
            },
            {"response_id": "chatcmpl-7", "input_tokens": 100, "output_tokens": 20, "reasoning_tokens": 8},
        ),
        (
            {"mlflow.spanType": '"AGENT"', "mlflow.chat.tokenUsage": MLFLOW_USAGE},
            {"call_marker": "not_call", "kind": "agent"},
        ),
        ({"mlflow.spanType": "null"}, {"call_marker": None, "kind": "other"}),
        (
            {"mlflow.spanType": "null", **GEN_AI},
            {"call_marker": "call", "input_tokens": 100, "model": "gpt-4o"},
        ),
        (
            {
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 1047,
                "gen_ai.usage.output_tokens": 332,
                "usage": '{"requests":1,"input_tokens":1047,"output_tokens":332,"total_tokens":1379,'
                '"input_tokens_details":{"cached_tokens":586},"output_tokens_details":{"reasoning_tokens":3}}',
            },
            {"input_tokens": 1047, "cached_tokens": 586, "output_tokens": 332, "reasoning_tokens": 3},
        ),
        (
            {"gen_ai.system": "openai", "usage": '{"input_tokens":1047,"output_tokens":332}'},
            {"input_tokens": None, "output_tokens": None},
        ),
        (
            {
                "gen_ai.operation.name": "image_generation",
                "gen_ai.request.model": "gpt-image-1",
                "gen_ai.usage.input_tokens": 134,
                "gen_ai.usage.output_tokens": 77,
            },
            {"kind": "image_generation", "input_tokens": 134, "output_tokens": None, "image_tokens": 77},
        ),
        (
            GEN_AI
            | {
                "gen_ai.usage.cache_creation.input_tokens": 60,
                "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 40,
                "anthropic.response.service_tier": "batch",
                "gen_ai.user": "None",
            },
            {
                "cache_write_tokens": 60,
                "cache_write_1h_tokens": 40,
                "service_tier": "batch",
                "user_id": None,
            },
        ),
        (
            GEN_AI
            | {
                "gen_ai.usage.details.ephemeral_1h_input_tokens": 30,
                "gen_ai.usage.details.thoughts_tokens": 7,
                "gen_ai.usage.details.cached_content_tokens": 50,
                "gen_ai.request.user": "ada",
                "gcp.vertex.agent.session_id": "s1",
            },
            {
                "cache_write_1h_tokens": 30,
                "reasoning_tokens": 7,
                "cached_tokens": 50,
                "user_id": "ada",
                "session_id": "s1",
            },
        ),
        (
            GEN_AI
            | {
                "metadata.usage_object": "{'prompt_tokens': 100, 'completion_tokens': 20, 'cache_creation_input_tokens': 60, "
                "'prompt_tokens_details': {'cache_creation_token_details': {'ephemeral_1h_input_tokens': 25}}}"
            },
            {"input_tokens": 100, "cache_write_tokens": 60, "cache_write_1h_tokens": 25},
        ),
        (
            GEN_AI | {"response_data": '{"usage": {"total_tokens": 120}}'},
            {"input_tokens": 100, "output_tokens": 20},
        ),
    ],
)
def test_usage_that_packages_tell_in_their_own_way(
    night: Night, attributes: dict[str, Any], expected: dict[str, Any]
) -> None:
    """MLflow's calls would cost nothing, parts of usage and lifetimes be lost, steps be calls, and an image's tokens be text."""
    (row,) = _landed(night, request(span(attributes=attributes)))
    assert {name: row[name] for name in expected} == expected
    assert "secret" not in str(row), "what was asked must not be loaded"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("llm.openai.messages", "[{'role': 'user', 'content': 'secret'}]"),
        ("llm.None.output", "secret"),
        ("raw_input", "secret"),
        ("output", "secret"),
        ("genkit:output", '{"text": "secret"}'),
        ("llm.invocation_parameters", '{"instructions": "secret", "temperature": 1}'),
        ("app.input", ["secret"]),
    ],
)
def test_content_under_names_of_any_package(night: Night, name: str, content: Any) -> None:
    """Prompts and answers reached the lake where a package had its own name for them."""
    others = {
        "app.output": 5,
        "llm.invocation_parameters.x": '{"temperature": 1}',
        "gen_ai.output.type": "json",
    }
    (row,) = _landed(night, request(span(attributes={**GEN_AI, **others, name: content})))
    assert "secret" not in str(row)
    assert json.loads(row["attributes"]) == others, "only content may be left out"


def test_names_as_protobuf_has_them(night: Night) -> None:
    """A request that was written with protobuf's own names, ids in base64, must land as any other; texts keep what they say."""
    text = 'says "trace_id": and \\"span_id\\":'
    plain = request(span(attributes={**GEN_AI, "app.note": text}), resource={"service.name": "shop"})
    (expected,) = _landed(night, plain)
    body = json.dumps(plain)
    for camel, snake in (
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "scope_spans"),
        ("traceId", "trace_id"),
        ("spanId", "span_id"),
        ("parentSpanId", "parent_span_id"),
        ("startTimeUnixNano", "start_time_unix_nano"),
        ("endTimeUnixNano", "end_time_unix_nano"),
        ("stringValue", "string_value"),
        ("intValue", "int_value"),
    ):
        body = body.replace(f'"{camel}"', f'"{snake}"')
    body = body.replace(TRACE, base64.b64encode(bytes.fromhex(TRACE)).decode())
    other = Night(night.settings.data_dir / "other")
    other.write("traces.json", json.dumps(json.loads(body), indent=2).encode())
    other.land()
    (row,) = other.rows()
    told = ("run_id", "span_id", "name", "started_at", "ended_at", "input_tokens", "model", "attributes")
    assert {name: row[name] for name in told} == {name: expected[name] for name in told}
    assert json.loads(row["attributes"])["app.note"] == text
