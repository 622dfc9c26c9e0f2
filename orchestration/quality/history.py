"""A day against the days before it: the queries of the rules that need history.

What belongs here: how "usual" is worked out, for volume, tokens, cost, latency and missing fields. What does not: names and severities
of rules (`suites`), limits and their reasons (`thresholds`). Every query reads small daily tables and judges the touched dates
(None = every date); a result row is a workspace and a day that is not as usual. Medians, so that one odd day before moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from orchestration.quality.database import dates_predicate
from orchestration.quality.thresholds import Thresholds

DAILY = "facts.fct_usage_daily"
TOTAL = "marts.mart_analytics__total_cost"
LATENCY = "marts.mart_analytics__model_observability"
RUNS = "facts.fct_run_usage"
#: What an exporter that once said it goes on saying.
NAMES_OF_CALLS = ("provider", "model")
NAMES_OF_RUNS = ("resource_id", "source", "api_key_name", "collaborator", "user_id")


def volume(dates: Sequence[date] | None, as_of: datetime | None, limits: Thresholds) -> str:
    """Runs of a workspace against the same weekday; a day without any is a day like another, until its first is told no more.

    A day that may not have ended is never too small. A level that has moved (growth, a feature that was switched off) is told once:
    what is like the same weekday a week before is not odd.
    """
    ended = "(select max(usage_date) - 1 from daily)"
    if as_of is not None:
        ended = f"least((select max(usage_date) from daily), date '{as_of:%Y-%m-%d}' - 1)"
    return f"""
        with daily as (
            select workspace_id, usage_date, run_count from {TOTAL}
        ), calendar as (
            select first_days.workspace_id, cast(days.day as date) as usage_date
            from (select workspace_id, min(usage_date) as first_date from daily group by workspace_id) as first_days,
                unnest(generate_series(first_days.first_date, (select max(usage_date) from daily), interval 1 day)) as days(day)
        ), filled as (
            select calendar.workspace_id, calendar.usage_date, coalesce(daily.run_count, 0) as run_count
            from calendar
            left join daily
                on calendar.workspace_id = daily.workspace_id and calendar.usage_date = daily.usage_date
        ), expected as (
            select
                *,
                quantile_disc(run_count, 0.5) over weekday as usual,
                count(*) over weekday as weeks,
                lag(run_count) over (partition by workspace_id, isodow(usage_date) order by usage_date) as week_before
            from filled
            window weekday as (
                partition by workspace_id, isodow(usage_date) order by usage_date
                rows between {limits.history_weeks} preceding and 1 preceding
            )
        )
        select workspace_id, cast(usage_date as varchar) as usage_date, run_count, usual as usual_run_count
        from expected
        where
            weeks >= {limits.min_history_weeks}
            and usual >= {limits.min_runs_for_volume}
            and abs(run_count - usual) > {limits.volume_sigmas} * sqrt(usual)
            and (
                (
                    run_count < {limits.min_usual_volume} * usual
                    and run_count < {limits.min_usual_volume} * week_before
                    and usage_date <= {ended}
                )
                or (run_count > {limits.max_usual_volume} * usual and run_count > {limits.max_usual_volume} * week_before)
            )
            and (({dates_predicate(dates)}) or (run_count = 0 and usage_date > {ended} - {limits.missing_day_days}))
        order by usage_date, workspace_id
    """


def _against_history(
    daily: str, key: Sequence[str], dates: Sequence[date] | None, odd: str, limits: Thresholds, least: int
) -> str:
    """Days of `daily` (keys, usage_date, `calls`, `value`) whose value is `odd` beside `usual` and
    `least`, median and minimum of the weeks before.
    """
    keys = ", ".join(key)
    return f"""
        with daily as ({daily}), expected as (
            select *, median(value) over before as usual, min(value) over before as least, count(*) over before as days
            from daily
            where calls >= {least}
            window before as (
                partition by {keys} order by usage_date
                range between interval {limits.history_days} day preceding and interval 1 day preceding
            )
        )
        select {keys}, cast(usage_date as varchar) as usage_date, calls,
            cast(cast(value as real) as varchar) as value, cast(cast(usual as real) as varchar) as usual
        from expected
        where days >= {limits.min_history_days} and ({odd}) and ({dates_predicate(dates)})
        order by usage_date, {keys}
    """


def tokens_per_call(dates: Sequence[date] | None, limits: Thresholds) -> str:
    """Input and output per model call that left their usual size, and other classes that are gone altogether though no day before was
    without them: what a few calls carry is missing on many a day.
    """
    classes = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    listed = ", ".join(f"cast(sum({name}) as double) / sum(known) as {name}" for name in classes)
    daily = f"""
        select workspace_id, token_class, usage_date, calls, value from (
            select workspace_id, usage_date, sum(known) as calls, {listed}
            from (
                select *, call_count - unknown_usage_call_count as known
                from {DAILY} where is_model_call and service is distinct from 'Image Generation'
            )
            group by workspace_id, usage_date
            having sum(known) > 0
        ) unpivot (value for token_class in ({", ".join(classes)}))
    """
    factor = limits.usual_tokens_factor
    odd = (
        f"case when token_class in ('input_tokens', 'output_tokens') then usual > 0 and value not between usual / {factor} "
        f"and usual * {factor} else value = 0 and least > usual / {factor} and usual >= {limits.min_usual_class_tokens} end"
    )
    return _against_history(
        daily, ("workspace_id", "token_class"), dates, odd, limits, limits.min_calls_for_history
    )


def cost_per_token(dates: Sequence[date] | None, limits: Thresholds, factor: float) -> str:
    """Models whose cost per token moved by more than the factor. Images are priced by the piece and left out."""
    daily = f"""
        select workspace_id, provider, model, usage_date, sum(call_count - unpriced_call_count) as calls,
            cast(sum(provider_cost_usd) as double) / nullif(sum(total_tokens - unpriced_total_tokens), 0) as value
        from {DAILY} where is_model_call and service is distinct from 'Image Generation'
        group by workspace_id, provider, model, usage_date
        having sum(provider_cost_usd) > 0
    """
    odd = f"value not between usual / {factor} and usual * {factor}"
    return _against_history(
        daily, ("workspace_id", "provider", "model"), dates, odd, limits, limits.min_calls_for_cost_unit
    )


def latency(dates: Sequence[date] | None, limits: Thresholds) -> str:
    """Models whose median latency moved by more than any bad day moves it."""
    daily = f"""
        select workspace_id, provider, model, usage_date, completed_call_count as calls,
            cast(latency_p50_ms as double) as value
        from {LATENCY}
    """
    factor = limits.usual_latency_factor
    odd = f"usual >= {factor} and value not between usual / {factor} and usual * {factor}"
    return _against_history(
        daily, ("workspace_id", "provider", "model"), dates, odd, limits, limits.min_calls_for_cost_unit
    )


def null_shares(dates: Sequence[date] | None, limits: Thresholds) -> str:
    """Fields that far more calls or runs leave empty than in the weeks before."""
    of_calls = ", ".join(
        f"sum(call_count) filter (where {name} is null) as {name}" for name in NAMES_OF_CALLS
    )
    of_runs = ", ".join(f"count(*) filter (where {name} is null) as {name}" for name in NAMES_OF_RUNS)
    daily = f"""
        select workspace_id, field, usage_date, calls, coalesce(empty, 0) / calls as value from (
            select * from (
                select workspace_id, usage_date, sum(call_count) as calls, {of_calls}
                from {DAILY} where is_model_call group by workspace_id, usage_date
            ) unpivot include nulls (empty for field in ({", ".join(NAMES_OF_CALLS)}))
            union all by name
            select * from (
                select workspace_id, usage_date, count(*) as calls, {of_runs} from {RUNS} group by workspace_id, usage_date
            ) unpivot include nulls (empty for field in ({", ".join(NAMES_OF_RUNS)}))
        )
    """
    chance = f"{limits.volume_sigmas} * sqrt(usual * (1 - usual) / calls)"
    odd = f"value > usual + greatest({limits.max_null_share_growth}, {chance})"
    return _against_history(
        daily, ("workspace_id", "field"), dates, odd, limits, limits.min_calls_for_history
    )


def payers(dates: Sequence[date] | None, limits: Thresholds) -> str:
    """Workspaces of which more than half of the calls changed their payer: the total cost moves to or from the customer's own bill."""
    daily = f"""
        select workspace_id, usage_date, sum(call_count) as calls,
            cast(coalesce(sum(call_count) filter (where charge_type = 'hosted'), 0) as double) / sum(call_count) as value
        from {DAILY} group by workspace_id, usage_date having sum(call_count) > 0
    """
    odd = f"abs(value - usual) > {limits.max_payer_share_shift}"
    return _against_history(daily, ("workspace_id",), dates, odd, limits, limits.min_calls_for_history)


def new_unpriced_models(limits: Thresholds) -> str:
    """Models of the newest days that have no price and had no call in the weeks before: new ones, or names that nobody knows."""
    return f"""
        with seen as (
            select workspace_id, provider, coalesce(response_model, model) as model, usage_date, sum(call_count) as call_count,
                bool_or(price_status = 'unpriced' and unpriced_reason = 'no_price') as is_without_price,
                lag(usage_date) over (
                    partition by workspace_id, provider, coalesce(response_model, model) order by usage_date
                ) as seen_before
            from facts.fct_pricing_daily where coalesce(response_model, model) is not null
            group by workspace_id, provider, coalesce(response_model, model), usage_date
        ), newest as (
            select workspace_id, max(usage_date) as usage_date, count(*) as days from {TOTAL} group by workspace_id
        )
        select workspace_id, provider, model, cast(usage_date as varchar) as usage_date, call_count
        from seen
        where
            is_without_price
            and coalesce(usage_date - seen_before > {limits.history_days}, true)
            and exists (
                select 1 from newest
                where newest.workspace_id = seen.workspace_id and newest.days > {limits.min_history_days}
                    and seen.usage_date > newest.usage_date - {limits.missing_day_days}
            )
        order by usage_date, workspace_id, provider, model
    """
