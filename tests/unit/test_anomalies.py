"""The anomalies mart finds what is planted, and keeps quiet on ordinary days; benchmarks/anomalies.py prints the same figures."""

from __future__ import annotations

from benchmarks import anomalies


def test_planted_anomalies_are_found_and_ordinary_days_are_not() -> None:
    """A runaway key, a price three times too high or an outage is missed, or ordinary days are called odd."""
    found = anomalies.measure(7)
    counts = {kind: int(str(told).split()[0]) for kind, told in dict(found["found_by_kind"]).items()}  # type: ignore[call-overload]
    assert counts["new runaway key"] == anomalies.PLANTS_PER_KIND
    assert min(counts["calls x4"], counts["outage"]) >= 10, counts
    assert counts["cost per call x3"] >= 7, counts
    # 450 ordinary days of workspaces, each with 40 series of three measures.
    assert int(str(found["false_alarm_days"])) <= 9, found
