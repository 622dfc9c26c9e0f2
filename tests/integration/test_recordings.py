"""Recordings of real instrumentation packages: what is billed is what the provider's ledger says it served."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.integration.nights import Nights
from tests.recordings import reference

pytestmark = pytest.mark.xdist_group("recordings")

LEDGER = reference.load_ledger()


@pytest.fixture(scope="module", name="billed")
def _billed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, reference.Usage]]:
    """Billed calls and tokens of every recording, by model; all of them landed in one night."""
    nights = Nights(tmp_path_factory.mktemp("recordings"))
    nights.settings.landing_dir.mkdir(parents=True)
    scenario_of: dict[str, str] = {}
    for path in sorted(reference.FOLDER.glob("*.otlp.jsonl*")):
        (nights.settings.landing_dir / path.name).write_bytes(path.read_bytes())
        scenario = path.name.split(".")[0]
        for span in reference.read(reference.lines_of(scenario)):
            scenario_of[span.trace_id] = scenario
    assert not nights.night().failures, "the night must pass its own tests"
    return _by_scenario(nights, scenario_of)


def _by_scenario(nights: Nights, scenario_of: dict[str, str]) -> dict[str, dict[str, reference.Usage]]:
    columns = ", ".join(f"sum(coalesce({name}, 0))::bigint" for name in reference.CLASSES)
    result: dict[str, dict[str, Any]] = defaultdict(dict)
    for trace_id, model, calls, *tokens in nights.rows(f"""
        select trace_id, coalesce(model, response_model, ''), count(*), {columns}
        from facts.fct_span_usage
        where billing_role = 'call' and coalesce(input_tokens, output_tokens) is not null
        group by all
    """):
        usage = result[scenario_of[trace_id]].setdefault(
            reference.plain_model(model), dict.fromkeys(("calls", *reference.CLASSES), 0)
        )
        for name, count in zip(("calls", *reference.CLASSES), (calls, *tokens), strict=True):
            usage[name] += count
    return result


@pytest.mark.parametrize("scenario", sorted(LEDGER))
def test_billed_is_what_was_served(scenario: str, billed: dict[str, dict[str, reference.Usage]]) -> None:
    """Tokens per model equal the ledger's, class by class, less what is declared to be missing in the telemetry."""
    entry = LEDGER[scenario]
    declared = entry.get("telemetry_lacks", {}).get("difference", {})
    assert reference.difference(entry["totals"], billed[scenario]) == declared
