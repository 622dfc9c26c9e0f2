-- User analytics: sums that must be equal.
{{ all_checks([
    reconciles_to(
        "mart_users__summary__equals_daily_of_tracked_users",
        "mart_users__summary",
        to="fct_user_daily",
        groups=["money"],
        to_where="user_id is not null",
        keys=["workspace_id"],
        measures={
            "total_requests": "run_count",
            "total_tokens": "total_tokens",
            "unpriced_call_count": "unpriced_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
    reconciles_to(
        "mart_users__activity__equals_own_of_runs",
        "mart_users__activity",
        to="fct_run_usage",
        groups=["money"],
        to_prefix="own_",
        measures={
            "run_count": "1",
            "failed_run_count": "case when status = 'failed' then 1 else 0 end",
            "total_tokens": "own_total_tokens",
            "unpriced_call_count": "unpriced_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
    reconciles_to(
        "mart_users__cost_distribution__holds_every_user_once",
        "mart_users__cost_distribution",
        to="mart_users__summary",
        keys=["workspace_id"],
        measures={
            "user_count": "1",
            "total_cost_usd": "total_cost_usd",
            "unpriced_call_count": "unpriced_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
], shown_at="mart_users__summary") }}
