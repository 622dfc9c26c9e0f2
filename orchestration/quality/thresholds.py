"""Every number that a check compares with, and why it is that number.

What belongs here: limits and shares. What does not: rules (see `suites`). A threshold that blocks is set
where no honest value can be; a threshold that warns is set where a person would want to look.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.settings import Settings


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
    #: Milliseconds, warning. A step may wait overnight or over a weekend for a person; a span of more than a week is usually
    #: seconds read as milliseconds, times a thousand.
    max_usual_span_duration_ms: int = 7 * 86_400_000
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

    #: Warning. Shares are judged of all rows and of each workspace: one export of many that lost its runs would drown. A single
    #: workspace may have so many times the share, because few rows make large shares, and is judged from so many rows on.
    workspace_share_factor: int = 5
    min_workspace_rows: int = 30
    #: Warning, per landing file. Of a sound export no line is quarantined; one in a hundred is more than the odd broken line.
    max_quarantined_file_share: float = 0.01
    #: Days and weeks that a day is compared with. Four weeks hold each weekday four times; with less than ten days of usage, two of a
    #: weekday, nothing is said. Volume knows its weekday and looks six weeks back.
    history_days: int = 28
    min_history_days: int = 10
    history_weeks: int = 6
    min_history_weeks: int = 2
    #: Warning. Runs of a workspace against its weekday: half is an export that was cut or a day that is missing, and an export that
    #: came twice under new ids is double. Below that many runs, and within so many standard deviations of counting, it is chance.
    min_usual_volume: float = 0.5
    max_usual_volume: float = 1.8
    min_runs_for_volume: int = 20
    volume_sigmas: float = 4.0
    #: Days, warning. How long a day without runs is told, as an anomaly is.
    missing_day_days: int = 7
    #: Calls of a day, warning. Fewer say nothing about what is usual.
    min_calls_for_history: int = 30
    #: Warning. Tokens per call and class against the weeks before: a prompt may double, input and output that were swapped differ by
    #: five and more.
    usual_tokens_factor: float = 4.0
    #: Warning. Below that many tokens per call a class that is gone is no loss.
    min_usual_class_tokens: int = 10
    #: Warning. Cost per token of a model against the weeks before: caching and tiers move it by two or three.
    usual_cost_per_token_factor: float = 5.0
    #: Blocking. No price, discount or markup is fifty times another: it is cents (100), micro-dollars or another currency. Judged
    #: against the weeks before, and of calls that report a cost against their price, where more than half of a day's are so far off.
    max_cost_factor: float = 50.0
    min_calls_for_cost_unit: int = 20
    #: Warning. Median latency of a model against the weeks before: a bad day is three times slower, seconds for milliseconds a thousand.
    usual_latency_factor: float = 20.0
    #: Warning. By so much may the share of calls or runs that do not say a field grow: a quarter more is an exporter that lost it.
    max_null_share_growth: float = 0.25
    #: Warning. Who pays is settled by the workspace; when more than half of its calls change sides, a setting or an export did.
    max_payer_share_shift: float = 0.5
    #: Minutes, warning. A run id of the platform holds the time of the request; time zones differ by half an hour and more.
    max_start_off_id_minutes: int = 25
    #: Runs, or spans, of a day, warning. From so many on a majority means something.
    min_rows_for_majority: int = 10
    #: Warning. Calls of one run with the same times, model and tokens are one call under several ids; parallel calls end at times of
    #: their own.
    max_twin_call_share: float = 0.2
    #: Hours and share, warning. A run is over within days; many that run for ever are exports that lost the second version of runs.
    stuck_run_hours: float = 24.0
    max_stuck_run_share: float = 0.05
    #: Days, warning. Providers change prices every few months; a catalogue of half a year ago lacks models and cuts.
    max_price_age_days: int = 180

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value < 0 or (item.name.endswith("_share") and value > 1):
                raise ValueError(f"threshold '{item.name}' is out of range: {value}")


DEFAULT_THRESHOLDS = Thresholds()


def thresholds_of(settings: Settings) -> Thresholds:
    """The limits with those that the settings file sets."""
    return replace(DEFAULT_THRESHOLDS, freshness_hours=settings.freshness_hours, **settings.thresholds)  # type: ignore[arg-type]
