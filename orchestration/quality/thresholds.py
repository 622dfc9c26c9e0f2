"""Every number that a check compares with, and why it is that number.

What belongs here: limits and shares. What does not: rules (see `suites`). A threshold that blocks is set
where no honest value can be; a threshold that warns is set where a person would want to look.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Thresholds:
    """Defaults of all limits. Shares are parts of one (0.02 = 2 %)."""

    #: USD, blocking. No single call can cost this much: it is a unit error (micro-dollars, cents) or a
    #: poisoned row.
    max_call_cost_usd: int = 1_000_000
    #: USD, warning. Two million tokens at the dearest listed price (600 USD per million) are 1,200 USD.
    max_usual_call_cost_usd: int = 1_200
    #: USD, warning. An agent run with its descendants may hold hundreds of calls; beyond this somebody wants
    #: to know.
    max_usual_run_cost_usd: int = 10_000
    #: Credits, warning. The dearest fixed rate is 3 per call and variable services bill tens; images bill one
    #: each.
    max_usual_call_credits: int = 1_000
    #: Tokens of one call, blocking. The largest context windows are ten million; a hundred times that is no
    #: call.
    max_call_tokens: int = 1_000_000_000
    #: Milliseconds, warning. A span longer than a day is usually seconds read as milliseconds, times a
    #: thousand.
    max_usual_span_duration_ms: int = 86_400_000
    #: Milliseconds, warning. Workflows may wait for people, but not for a month.
    max_usual_run_duration_ms: int = 30 * 86_400_000
    #: USD per million tokens, warning. Dearest listed price is 600; image tokens and minimum charges go above
    #: it.
    max_usual_cost_per_million_tokens_usd: int = 10_000
    #: Years, blocking. Seconds read as milliseconds land in 1970, milliseconds read as seconds beyond 50,000.
    first_plausible_year: int = 2015
    last_plausible_year: int = 2100
    #: Warning. Runs and spans are exported together; more than the odd late run means that a file is missing.
    max_orphan_span_share: float = 0.02
    #: Warning. As above, for parents within the span tree and among runs.
    max_missing_parent_share: float = 0.02
    #: Warning. Above it totals in dollars understate the bill noticeably.
    max_unpriced_call_share: float = 0.05
    #: Warning. Providers omit usage on aborted streams, some percent of calls; more is an exporter that lost
    #: a field.
    max_unknown_usage_share: float = 0.05
    #: Warning. Flags (such as more cached than input tokens) come from single odd responses, not from whole
    #: exports.
    max_flagged_share: float = 0.01
    #: Warning. A billed call without a service lands in "Unknown" and cannot be explained to anyone.
    max_unknown_service_share: float = 0.05
    #: Warning. A run without any span has no cost; whole exports of them mean that the span file is missing.
    max_spanless_run_share: float = 0.10
    #: Warning. A run that says completed but never when has no duration and drops out of latency figures.
    max_unfinished_completed_share: float = 0.02
    #: Warning. The platform's own total per run, where it sends one, against ours; rounding and late spans
    #: differ.
    max_reported_tokens_mismatch_share: float = 0.05
    #: Hours, warning. A nightly export is at most a day old when it lands; half a day of grace. Same as
    #: settings.
    freshness_hours: float = 36.0
    #: Days, warning. A week: long enough for somebody who looks on Mondays. What an anomaly is, `macros/anomalies.sql` says.
    anomaly_days: int = 7
    #: Hours, warning. Clocks of callers are off by minutes, time zones by hours; beyond a day it is a wrong
    #: clock.
    future_hours: float = 24.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value < 0 or (item.name.endswith("_share") and value > 1):
                raise ValueError(f"threshold '{item.name}' is out of range: {value}")


DEFAULT_THRESHOLDS = Thresholds()
