"""Spend logs of a LiteLLM proxy: what its columns become, whatever the file is."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing.contract import SPANS
from tests.landing_helpers import Night, Row, csv_bytes, parquet_bytes, text_parquet

HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
REQUEST_ID = "chatcmpl-9xYz0123456789abcdef"


def log(request_id: str = REQUEST_ID, /, **fields: Any) -> Row:
    """A row of the table; a field given as `...` is left out."""
    row: Row = {
        "request_id": request_id,
        "call_type": "acompletion",
        "api_key": HASH,
        "spend": 0.0012,
        "total_tokens": 30,
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "startTime": "2025-06-11T14:01:32.598Z",
        "endTime": "2025-06-11T14:01:33.598Z",
        "completionStartTime": "2025-06-11T14:01:33.000Z",
        "model": "openai/gpt-4o",
        "model_id": "d1",
        "model_group": "fast",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com",
        "user": "alice",
        "metadata": {"user_api_key_alias": "prod", "user_api_key": HASH, "applied_guardrails": []},
        "cache_hit": "False",
        "cache_key": "Cache OFF",
        "request_tags": ["batch", "User-Agent: curl"],
        "team_id": "team-a",
        "organization_id": None,
        "end_user": "customer-1",
        "requester_ip_address": "10.0.0.1",
        "messages": {},
        "response": {},
        "session_id": "5f0c",
        "status": "success",
        "mcp_namespaced_tool_name": None,
        "agent_id": None,
        "proxy_server_request": {},
    }
    return {name: value for name, value in (row | fields).items() if value is not ...}


def landed(tmp_path: Path, *rows: Row | str, **settings: Any) -> list[Row]:
    """The spans of the rows as JSON Lines."""
    night = Night(tmp_path, **settings)
    night.land(*rows, name="spend.jsonl")
    assert not night.quarantine(), f"quarantined: {night.quarantine()}"
    return night.rows(SPANS)


def test_every_kind_of_file_gives_the_same_span(tmp_path: Path) -> None:
    row = log(
        metadata={
            "user_api_key_alias": "prod",
            "usage_object": {"prompt_tokens_details": {"cached_tokens": 8}},
        }
    )
    old = {
        name: row[name]
        for name in ("request_id", "call_type", "spend", "startTime", "endTime", "model", "prompt_tokens")
    }
    typed = f"""
        select '{REQUEST_ID}' as request_id, 'acompletion' as call_type, 0.0012::double as spend, 20 as prompt_tokens,
            timestamp '2025-06-11 14:01:32.598' as "startTime", timestamp '2025-06-11 14:01:33.598' as "endTime",
            'openai/gpt-4o' as model
    """
    seen = {}
    for name, content in {
        "a.jsonl": (json.dumps(row) + "\n").encode(),
        "a.json": json.dumps([row]).encode(),
        "page.json": json.dumps({"data": [row], "total": 1, "page": 1}, indent=1).encode(),
        "a.csv": csv_bytes(row),
        "a.parquet": text_parquet([row], tmp_path),
        "old.jsonl": (json.dumps(old) + "\n").encode(),
        "typed.parquet": parquet_bytes(typed, tmp_path),
    }.items():
        night = Night(tmp_path / name)
        night.write(name, content)
        night.land()
        one = night.one()
        assert one["source_format"] == "litellm", f"{name} is taken for {one['source_format']}"
        seen[name] = {key: value for key, value in one.items() if key not in ("file_no", "attributes")}
    whole = seen["a.jsonl"]
    assert all(seen[name] == whole for name in ("a.json", "page.json", "a.csv", "a.parquet")), seen
    assert (whole["input_tokens"], whole["cached_tokens"], whole["output_tokens"]) == (20, 8, 10)
    for name in ("old.jsonl", "typed.parquet"):
        assert (seen[name]["model"], seen[name]["provider"], seen[name]["provider_cost_usd"]) == (
            "gpt-4o",
            "openai",
            Decimal("0.0012"),
        )
        assert seen[name]["started_at"] == whole["started_at"]


def test_whose_call_it_was(tmp_path: Path) -> None:
    (row,) = landed(tmp_path, log())
    assert (row["user_id"], row["collaborator"], row["session_id"]) == ("customer-1", "alice", "5f0c")
    assert (row["api_key_id"], row["api_key_name"]) == (HASH, "prod")
    assert json.loads(row["user_metadata"]) == {"tags": "batch"}
    assert (row["run_id"], row["trace_id"], row["name"], row["scope"]) == (
        REQUEST_ID,
        None,
        "fast",
        "litellm",
    )
    assert "10.0.0.1" not in str(row), "an address of a person reached the lake"


def test_a_team_is_a_workspace_by_the_settings(tmp_path: Path) -> None:
    (tmp_path / "credit_usage.toml").write_text('[[sources]]\nproject = "team-a"\nworkspace_id = "acme"\n')
    from orchestration.settings import Settings

    settings = Settings.load(config=tmp_path / "credit_usage.toml") if hasattr(Settings, "load") else None
    if settings is None:
        from orchestration import settings as module

        mappings = (module.SourceMapping(project="team-a", workspace_id="acme"),)
    else:
        mappings = settings.sources
    rows = landed(tmp_path / "data", log("1"), log("2", team_id="other"), sources=mappings)
    assert [row["workspace_id"] for row in rows] == ["acme", "default"]


def test_a_run_is_the_trace_where_one_is_named(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        log("1", metadata={"trace_id": "t1"}),
        log("2", metadata={"litellm_trace_id": "t1"}),
        log("3"),
    )
    assert [row["run_id"] for row in rows] == ["3", "t1", "t1"]


@pytest.mark.parametrize(
    ("call_type", "kind", "marker", "service"),
    [
        ("completion", "completion", "call", "AI Model"),
        ("acompletion", "completion", "call", "AI Model"),
        ("atext_completion", "completion", "call", "AI Model"),
        ("aresponses", "completion", "call", "AI Model"),
        ("anthropic_messages", "completion", "call", "AI Model"),
        ("agenerate_content_stream", "completion", "call", "AI Model"),
        ("pass_through_endpoint", "completion", "call", "AI Model"),
        ("atranscription", "completion", "call", "AI Model"),
        ("aspeech", "completion", "call", "AI Model"),
        ("arerank", "completion", "call", "AI Model"),
        ("aembedding", "embedding", "call", "Embedding"),
        ("aimage_generation", "image_generation", "call", "Image Generation"),
        ("image_edit", "image_generation", "call", "Image Generation"),
        ("call_mcp_tool", "tool", "not_call", "exa/search"),
        ("asearch", "tool", "not_call", "exa/search"),
        ("avector_store_search", "retrieval", "not_call", "Retrieval"),
        ("aretrieve_batch", "other", None, None),
        ("", "completion", "call", "AI Model"),
    ],
)
def test_the_call_type_says_what_it_was(
    tmp_path: Path, call_type: str, kind: str, marker: str | None, service: str
) -> None:
    (row,) = landed(
        tmp_path, log(call_type=call_type, mcp_namespaced_tool_name="exa/search" if kind == "tool" else None)
    )
    assert (row["kind"], row["call_marker"], row["service"]) == (kind, marker, service)
    if kind == "tool":
        assert (row["model"], row["response_id"]) == (None, None), "a tool became a model call"


@pytest.mark.parametrize(
    ("spend", "expected"),
    [
        ("1.2e-05", "0.000012000000"),
        ("0.000234449999", "0.000234449999"),
        ("100000000.1000000000049", "100000000.100000000005"),
        ('"0.5"', "0.500000000000"),
        ("3", "3.000000000000"),
        ("null", None),
    ],
)
def test_spend_keeps_its_digits(tmp_path: Path, spend: str, expected: str | None) -> None:
    line = json.dumps(log(spend=...))[:-1] + f', "spend": {spend}' + "}"
    (row,) = landed(tmp_path, line)
    assert row["provider_cost_usd"] == (None if expected is None else Decimal(expected))


def test_nothing_spent_on_tokens_means_that_no_price_was_known(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        log("1", spend=0.0),
        log("2", spend=0.0, metadata={"cost_breakdown": {"total_cost": 0.0}}),
        log("3", spend=0.0, cache_hit="True"),
        log("4", spend=0.0, status="failure", prompt_tokens=0, completion_tokens=0, total_tokens=0),
    )
    assert [row["provider_cost_usd"] for row in rows] == [None, 0, 0, 0]


@pytest.mark.parametrize("where", ["usage_object", "additional_usage_values", "response", "text"])
def test_parts_come_from_the_usage_that_was_kept(tmp_path: Path, where: str) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 3, "image_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 2},
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "server_tool_use": {"web_search_requests": 2},
    }
    fields: Row = {"metadata": {where: usage}}
    if where == "response":
        fields = {"response": {"id": "x", "usage": usage}, "metadata": {"usage_object": None}}
    elif where == "text":
        fields = {"metadata": json.dumps({"usage_object": json.dumps(usage)})}
    (row,) = landed(tmp_path, log(prompt_tokens=100, completion_tokens=50, total_tokens=150, **fields))
    expected = {
        "input_tokens": 100,
        "cached_tokens": 60,
        "cache_write_tokens": 30,
        "output_tokens": 50,
        "reasoning_tokens": 20,
        "audio_input_tokens": 3,
        "image_input_tokens": 4,
        "audio_output_tokens": 2,
        "web_search_count": 2,
        "reported_total_tokens": 150,
    }
    assert {name: row[name] for name in expected} == expected
    assert (row["token_convention"], row["quality_flags"]) == ("litellm", None)


@pytest.mark.parametrize(
    ("counts", "usage", "expected"),
    [
        # More was cached than was sent: the prompt stands beside it.
        ((5, 10, 15), {"cache_read_input_tokens": 100}, (105, 10)),
        # The total is the sum of all.
        ((50, 10, 100), {"cache_read_input_tokens": 40}, (90, 10)),
        ((50, 10, 90), {"completion_tokens_details": {"reasoning_tokens": 30}}, (50, 40)),
        (
            (50, 10, 130),
            {"cache_read_input_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 30}},
            (90, 40),
        ),
    ],
)
def test_parts_beside_the_counts_are_added_and_flagged(
    tmp_path: Path, counts: tuple[int, int, int], usage: Row, expected: tuple[int, int]
) -> None:
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    (row,) = landed(tmp_path, log(**dict(zip(names, counts, strict=True)), metadata={"usage_object": usage}))
    assert (row["input_tokens"], row["output_tokens"]) == expected
    assert row["token_convention"] == "litellm_exclusive"
    assert "usage_read_as_exclusive" in row["quality_flags"]


@pytest.mark.parametrize("nought", [0, 0.0, "0"])
def test_no_tokens_are_unknown_tokens(tmp_path: Path, nought: object) -> None:
    """Whatever type a table has for counts: pandas makes doubles of them."""
    (row,) = landed(
        tmp_path,
        log(prompt_tokens=nought, completion_tokens=nought, total_tokens=nought, status="failure"),
    )
    assert (
        row["input_tokens"],
        row["output_tokens"],
        row["reported_total_tokens"],
        row["token_convention"],
    ) == (None,) * 4


def test_tokens_of_images_are_image_tokens(tmp_path: Path) -> None:
    (row,) = landed(
        tmp_path,
        log(call_type="aimage_generation", prompt_tokens=9, completion_tokens=1000, total_tokens=1009),
    )
    assert (row["input_tokens"], row["output_tokens"], row["image_tokens"], row["quality_flags"]) == (
        9,
        None,
        1000,
        None,
    )


def test_the_gateways_own_cache_is_no_call(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        log("1", cache_hit="True", spend=0.0),
        log("chatcmpl-1_cache_hit1749650494.1", cache_hit="", spend=0.0),
        log("3", cache_hit="None"),
    )
    seen = {row["span_id"]: (row["call_marker"], row["quality_flags"], row["response_id"]) for row in rows}
    assert seen == {
        "1": ("not_call", "gateway_cache_hit", None),
        "chatcmpl-1_cache_hit1749650494.1": ("not_call", "gateway_cache_hit", None),
        "3": ("call", None, "3"),
    }
    assert rows[0]["input_tokens"] == 20, "what the cache saved is lost"


def test_response_ids_are_those_of_providers(tmp_path: Path) -> None:
    own = "7f0d5f0e-2d1c-4a34-9d8e-0123456789ab"
    rows = landed(
        tmp_path,
        log(REQUEST_ID),
        log(own, response={"id": "msg_01", "model": "gpt-4o-2024-08-06"}),
        log("d41d8cd98f00b204e9800998ecf8427e"),
    )
    assert {row["span_id"]: row["response_id"] for row in rows} == {
        REQUEST_ID: REQUEST_ID,
        own: "msg_01",
        "d41d8cd98f00b204e9800998ecf8427e": None,
    }
    assert next(row for row in rows if row["span_id"] == own)["response_model"] == "gpt-4o-2024-08-06"


@pytest.mark.parametrize(
    ("model", "given", "provider", "name"),
    [
        ("openai/gpt-4o", "openai", "openai", "gpt-4o"),
        ("gpt-4o", "openai", "openai", "gpt-4o"),
        ("azure/my-deployment", "azure", "azure", "my-deployment"),
        (
            "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
            "bedrock",
            "aws",
            "anthropic.claude-3-haiku-20240307-v1:0",
        ),
        (
            "converse/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "bedrock",
            "aws",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
        ),
        ("vertex_ai/gemini-2.0-flash", "vertex_ai", "google", "gemini-2.0-flash"),
        ("gemini/gemini-2.0-flash", None, "google", "gemini-2.0-flash"),
        ("anthropic/claude-sonnet-4-5", None, "anthropic", "claude-sonnet-4-5"),
        ("openrouter/anthropic/claude-sonnet-4-5", "openrouter", "openrouter", "anthropic/claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4-5", "openrouter", "openrouter", "anthropic/claude-sonnet-4-5"),
        ("meta-llama/Llama-3-8b", "together_ai", "together", "meta-llama/Llama-3-8b"),
        ("my-org/my-model", None, None, "my-org/my-model"),
        ("gpt-4o", "litellm_proxy", "openai", "gpt-4o"),
        ("ollama/llama3", "ollama", "ollama", "llama3"),
    ],
)
def test_prefixes_of_models_are_providers(
    tmp_path: Path, model: str, given: str | None, provider: str | None, name: str
) -> None:
    (row,) = landed(tmp_path, log(model=model, custom_llm_provider=given))
    assert (row["provider"], row["model"]) == (provider, name)


def test_failures_say_why(tmp_path: Path) -> None:
    error = {"error_class": "RateLimitError", "error_message": "too many", "traceback": "File secret.py"}
    rows = landed(
        tmp_path,
        log("1", status="failure", metadata={"error_information": error, "status": "failure"}),
        log("2", status=..., metadata={"status": "failure", "error_information": {"error_class": "Timeout"}}),
        log("3", status=...),
        log("4", endTime=None),
        log("5", endTime="2025-06-11T14:01:30.598Z"),
    )
    assert [(row["status"], row["error_message"], row["quality_flags"]) for row in rows] == [
        ("failed", "too many", None),
        ("failed", "Timeout", None),
        ("completed", None, None),
        ("running", None, None),
        ("completed", None, "end_before_start"),
    ]
    assert "secret.py" not in str(rows)


def test_a_key_that_is_no_hash_is_masked(tmp_path: Path) -> None:
    key = "sk-abcdefghijklmnopqrstuvwxyz1234"
    (row,) = landed(tmp_path, log(api_key=key, metadata={"user_api_key": key, "user_api_key_alias": key}))
    assert (row["api_key_id"], row["api_key_name"]) == ("sk-...1234", "sk-...1234")
    assert key not in str(row)


def test_content_is_left_out_unless_kept(tmp_path: Path) -> None:
    secret = "the secret of ann@example.org"
    row_ = log(
        messages=[{"content": secret}], proxy_server_request={"body": secret}, response={"choices": [secret]}
    )
    (row,) = landed(tmp_path, row_)
    assert "secret" not in str(row), "content reached the lake"
    (row,) = landed(tmp_path / "kept", row_, keep_content=True)
    content = json.loads(row["attributes"])["content"]
    assert set(content) == {"messages", "proxy_server_request", "response"}
    assert "ann@example.org" not in str(row)


def test_other_columns_are_kept(tmp_path: Path) -> None:
    (row,) = landed(
        tmp_path,
        log(request_duration_ms=1000, agent_id="a1", brand_new=[1], metadata={"attempted_retries": 2}),
    )
    attributes = json.loads(row["attributes"])
    assert attributes["request_duration_ms"] == 1000
    assert (attributes["agent_id"], attributes["brand_new"], attributes["metadata.attempted_retries"]) == (
        "a1",
        [1],
        2,
    )
    assert (attributes["call_type"], attributes["model_group"], attributes["team_id"]) == (
        "acompletion",
        "fast",
        "team-a",
    )


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"startTime": None}, "started_at"),
        ({"prompt_tokens": -1}, "input_tokens"),
        ({"prompt_tokens": "many"}, "input_tokens"),
        ({"spend": "much"}, "provider_cost_usd"),
        ({"spend": -1}, "provider_cost_usd"),
        ({"request_id": ""}, "span_id"),
    ],
)
def test_what_cannot_be_read_is_quarantined_with_its_reason(tmp_path: Path, fields: Row, word: str) -> None:
    night = Night(tmp_path)
    night.land(log("good"), {**log(), **fields}, "[1]", {"a": 1}, name="spend.jsonl")
    rows = night.quarantine()
    assert word in rows[0]["message"], rows[0]["message"]
    assert [row["line_number"] for row in rows] == [2, 3, 4]
    assert night.one()["span_id"] == "good"


def test_odd_values_do_not_stop_the_row(tmp_path: Path) -> None:
    rows = landed(
        tmp_path,
        log("1", metadata="text"),
        log("2", metadata=[1]),
        log("3", metadata={"usage_object": "x", "error_information": 7, "spend_logs_metadata": [1]}),
        log("4", request_tags="a"),
        log("5", response="no json {", messages="x"),
        log("6", response='{"id": "trunc'),
        log("7", metadata='{"usage_object": {"prompt'),
        log("8", model=None, model_group=None, call_type="acompletion"),
    )
    assert len(rows) == 8
    assert rows[7]["name"] == "acompletion"
