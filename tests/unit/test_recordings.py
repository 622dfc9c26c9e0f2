"""The independent reading of the recordings says what the provider served, so that the product can be held against both."""

from __future__ import annotations

import json
import re

import pytest

from tests.recordings import reference

LEDGER = reference.load_ledger()
TOO_MUCH = {"legacy_pydantic_ai_anthropic"}
RECORDED = {path.name.split(".")[0] for path in reference.FOLDER.glob("*.otlp.jsonl*")}


def test_every_recording_has_a_ledger() -> None:
    """A recording without a ledger proves nothing, and the other way round."""
    assert set(LEDGER) == RECORDED


@pytest.mark.parametrize("scenario", sorted(LEDGER))
def test_rule_equals_ledger(scenario: str) -> None:
    """Billed tokens per model are those that were served; what the telemetry cannot tell is declared, and nothing else is off."""
    entry = LEDGER[scenario]
    counted = reference.by_rule(reference.read(reference.lines_of(scenario)))
    declared = entry.get("telemetry_lacks", {}).get("difference", {})
    assert reference.difference(entry["totals"], counted) == declared


@pytest.mark.parametrize("scenario", sorted(name for name in LEDGER if "telemetry_lacks" in LEDGER[name]))
def test_declared_difference_is_a_lack(scenario: str) -> None:
    """What is declared is missing, and there is a reason; the one telemetry that claims too much is named here."""
    lacks = LEDGER[scenario]["telemetry_lacks"]
    assert lacks["why"]
    assert lacks["difference"], "nothing is off any more: take the declaration away"
    if scenario not in TOO_MUCH:
        assert all(value < 0 for off in lacks["difference"].values() for value in off.values()), lacks


@pytest.mark.parametrize("scenario", sorted(LEDGER))
def test_order_of_lines_does_not_matter(scenario: str) -> None:
    """A trace may lie across lines and files in any order, and a line may be delivered twice."""
    lines = reference.lines_of(scenario)
    again = reference.read([*reversed(lines), *lines])
    assert reference.by_rule(again) == reference.by_rule(reference.read(lines))


@pytest.mark.parametrize("scenario", sorted(LEDGER))
def test_recording_is_as_the_collector_writes(scenario: str) -> None:
    """One request per line; ids in hex, enumerations as numbers, 64-bit numbers as texts; nothing private."""
    for line in reference.lines_of(scenario):
        request = json.loads(line)
        assert set(request) == {"resourceSpans"}
        for resource in request["resourceSpans"]:
            keys = {one["key"] for one in resource["resource"]["attributes"]}
            assert not {key for key in keys if re.match(r"(process|host|os|container)[.]", key)}, keys
            for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
                assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
                assert isinstance(span["startTimeUnixNano"], str)
                assert isinstance(span.get("kind", 0), int)
        assert not re.search(r"/(tmp|root|home|work)/", line)


def test_totals_are_the_sums_of_calls() -> None:
    """The ledger agrees with itself: totals per model are the answered calls."""
    for scenario, entry in LEDGER.items():
        for model, totals in entry["totals"].items():
            calls = [call for call in entry["calls"] if call["status"] == 200 and call["model"] == model]
            assert totals["calls"] == len(calls), (scenario, model)
            for name in reference.CLASSES:
                assert totals[name] == sum(call[name] for call in calls), (scenario, model, name)
