"""A gateway's spend logs through a whole night, suites included: what was charged is billed, what the gateway answered itself is not."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

from orchestration.settings import SourceMapping
from tests.warehouse_fixture import Warehouse

COLUMNS = (
    "request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens", "completion_tokens", "startTime", "endTime",
    "model", "custom_llm_provider", "metadata", "cache_hit", "team_id", "end_user", "status",
)  # fmt: skip
MODELS = (
    ("gpt-4o", "openai"),
    ("claude-sonnet-4-5-20250929", "anthropic"),
    ("gemini/gemini-2.5-flash", "gemini"),
)


def _log(number: int) -> dict[str, Any]:
    prompt, completion = 100 + number * 7, 5 + number
    cached = prompt // 3 if number % 4 == 0 else 0
    model, provider = MODELS[number % 3]
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return {
        "request_id": f"chatcmpl-{number:024x}",
        "call_type": "acompletion",
        "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "spend": repr(prompt * 1e-6 + completion * 3e-6),
        "total_tokens": prompt + completion,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "startTime": f"2026-11-{1 + number % 5:02d} 10:{number:02d}:01.123456",
        "endTime": f"2026-11-{1 + number % 5:02d} 10:{number:02d}:03.500000",
        "model": model,
        "custom_llm_provider": provider,
        "metadata": json.dumps({"user_api_key_alias": ("ci", "web")[number % 2], "usage_object": usage}),
        "cache_hit": "True" if number == 7 else "None",
        "team_id": "team-1",
        "end_user": f"user-{number % 3}",
        "status": "failure" if number == 9 else "success",
    }


def test_spend_logs_are_billed_once_and_what_was_cached_not_at_all(warehouse: Warehouse) -> None:
    """A night of spend logs does not pass its own checks, or tokens, spend, keys, users or the team's workspace differ from the logs'."""
    configured = warehouse.with_settings(sources=(SourceMapping(project="team-1", workspace_id="acme"),))
    logs = [_log(number) for number in range(40)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(logs)
    configured.drop_bytes("gateway/spend_logs.csv", text.getvalue().encode())
    assert configured.night(with_tests=True, suites=True) is not None

    charged = [log for log in logs if log["cache_hit"] != "True"]
    assert configured.query(
        "select workspace_id, sum(input_tokens), sum(output_tokens), sum(provider_cost_usd), count(*), "
        "count(*) filter (where status = 'failed') from facts.fct_span_usage where billing_role = 'call' group by 1"
    ) == [
        (
            "acme",
            sum(log["prompt_tokens"] for log in charged),
            sum(log["completion_tokens"] for log in charged),
            sum(round(Decimal(log["spend"]), 12) for log in charged),
            39,
            1,
        )
    ], "what is billed is not what the gateway charged"
    assert configured.query(
        "select billing_role, quality_flags, reported_provider_cost_usd > 0, provider_cost_usd "
        f"from facts.fct_span_usage where run_id = '{logs[7]['request_id']}'"
    ) == [("rollup", "gateway_cache_hit", True, None)], "an answer of the gateway's own cache is billed"
    assert configured.query(
        "select user_id, api_key_name, count(*) from facts.fct_run_usage group by all order by all"
    ) == [
        (f"user-{user}", key, sum(number % 3 == user and number % 2 == place for number in range(40)))
        for user in range(3)
        for place, key in enumerate(("ci", "web"))
    ], "runs are not those of the logs' users and keys"
