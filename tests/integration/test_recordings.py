"""The product on recordings of real instrumentation packages: billed tokens per model are those that the provider served."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.integration.nights import Nights
from tests.recordings import reference

LEDGER = reference.load_ledger()
# What the product does not read yet; a recording that it begins to read right fails here until it is taken off the list.
NOT_YET = {
    "bedrock_openllmetry": "input without cached input, under the name of the whole: only the scope tells",
    "bedrock_otel": "input without cached input, under the name of the whole: only the scope tells",
    "double_anthropic_genai": "com.anthropic.sdk.python is the SDK's own scope; another counts a stream's output one too high",
    "double_bedrock": "one watcher's input is without cached input, the other's with it: they must be made equal before they are matched",
    "equal_calls_across_traces": "nearest first leaves two of forty equal calls unmatched that a greatest matching pairs",
    "google_adk1": "an unmarked call whose tool asked a model is taken for a roll-up; thoughts stand in a JSON text only",
    "langfuse_openai": "usage_details in OpenAI's own names",
    "litellm_otel": "operations named acompletion and embedding; cached and reasoning tokens stand in a Python text only",
    "logfire_openai": "reasoning tokens stand in gen_ai.usage.raw only",
    "openlit_clients": "input without cached input, under the name of the whole: only the scope tells",
    "openllmetry_anthropic": "com.anthropic.sdk.python is the SDK's own scope; another counts a stream's output one too high",
    "pydantic_ai_anthropic_four_ways": "com.anthropic.sdk.python is the SDK's own scope; others count a stream's output one too high",
    "vercel_ai5_anthropic": "input without cached input: the provider's words are in ai.response.providerMetadata",
}


@pytest.fixture(scope="module", name="billed")
def _billed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, reference.Usage]]:
    """What a night bills, by recording (each a workspace) and model."""
    nights = Nights(tmp_path_factory.mktemp("recordings"))
    _drop(nights.settings.landing_dir)
    assert not nights.night().failures, "the night must pass its own tests"
    result: dict[str, dict[str, reference.Usage]] = defaultdict(dict)
    for scenario, model, *numbers in nights.rows("""
        select
            workspace_id,
            coalesce(model, response_model, ''),
            count(*) filter (where coalesce(input_tokens, output_tokens) is not null),
            sum(coalesce(input_tokens, 0))::bigint,
            sum(coalesce(cached_tokens, 0))::bigint,
            sum(coalesce(cache_write_tokens, 0))::bigint,
            sum(coalesce(output_tokens, 0))::bigint,
            sum(coalesce(reasoning_tokens, 0))::bigint
        from facts.fct_span_usage
        where billing_role = 'call'
        group by all
    """):
        usage = dict(zip(("calls", *reference.CLASSES), numbers, strict=True))
        before = result[scenario].setdefault(reference.plain_model(model), dict.fromkeys(usage, 0))
        for name, number in usage.items():
            before[name] += number
    return result


def _drop(folder: Path) -> None:
    folder.mkdir(parents=True)
    for scenario in LEDGER:
        lines = []
        for line in reference.lines_of(scenario):
            request = json.loads(line)
            for resource in request["resourceSpans"]:
                workspace = {"key": "credit_usage.workspace_id", "value": {"stringValue": scenario}}
                resource["resource"]["attributes"].append(workspace)
            lines.append(json.dumps(request) + "\n")
        (folder / f"{scenario}.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            name, marks=[pytest.mark.xfail(reason=NOT_YET[name], strict=True)] if name in NOT_YET else []
        )
        for name in sorted(LEDGER)
    ],
)
def test_billed_is_served(billed: dict[str, dict[str, reference.Usage]], scenario: str) -> None:
    """Each call is billed once, with every class of its tokens; what the telemetry lacks is declared in the ledger."""
    entry = LEDGER[scenario]
    declared = entry.get("telemetry_lacks", {}).get("difference", {})
    counted = {model: usage for model, usage in billed[scenario].items() if any(usage.values())}
    assert reference.difference(entry["totals"], counted) == declared
