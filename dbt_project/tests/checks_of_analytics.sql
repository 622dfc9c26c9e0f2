-- Panels of workspace analytics: rules of a row, and sums that must be equal.
{{ all_checks([
    reconciles_to(
        "mart_analytics__total_cost__equals_spans",
        "mart_analytics__total_cost",
        to="fct_span_usage",
        groups=["token", "money"],
        measures=call_measures_of_spans()
    ),
    reconciles_to(
        "mart_analytics__total_cost__run_counts_equal_runs",
        "mart_analytics__total_cost",
        to="fct_run_usage",
        measures={
            "run_count": "1",
            "failed_run_count": "case when status = 'failed' then 1 else 0 end",
        }
    ),
    reconciles_to(
        "mart_analytics__total_cost__unattributed_equals_orphan_spans",
        "mart_analytics__total_cost",
        to="fct_span_usage",
        to_where="is_orphan and billing_role = 'call'",
        measures={
            "unattributed_call_count": "1",
            "unattributed_unpriced_call_count": "case when cost_source = 'unpriced' then 1 else 0 end",
            "unattributed_unpriced_total_tokens": "case when cost_source = 'unpriced' then total_tokens end",
            "unattributed_total_tokens": "total_tokens",
            "unattributed_task_credits": "task_credits",
            "unattributed_total_cost_usd": "total_cost_usd",
            "unattributed_external_cost_usd": "external_cost_usd",
            "unattributed_provider_cost_usd": "provider_cost_usd",
        }
    ),
    holds_for_every_row(
        "mart_analytics__total_cost__cost_is_credits_plus_wallet",
        "mart_analytics__total_cost",
        condition="total_cost_usd = task_credit_cost_usd + wallet_cost_usd"
    ),
    holds_for_every_row(
        "mart_analytics__total_cost__provider_cost_is_wallet_plus_external",
        "mart_analytics__total_cost",
        condition="provider_cost_usd = wallet_cost_usd + external_cost_usd"
    ),
    reconciles_to(
        "mart_analytics__service_costs__equals_total_cost",
        "mart_analytics__service_costs",
        to="mart_analytics__total_cost",
        groups=["call", "token", "money"]
    ),
    reconciles_to(
        "mart_analytics__service_costs__equals_spans",
        "mart_analytics__service_costs",
        to="fct_span_usage",
        groups=["token", "money"],
        measures=dict(call_measures_of_spans(), units="units")
    ),
    reconciles_to(
        "mart_analytics__usage_breakdown__equals_total_cost",
        "mart_analytics__usage_breakdown",
        to="mart_analytics__total_cost",
        groups=["call", "token", "money"]
    ),
    reconciles_to(
        "mart_analytics__model_costs__with_other_services_equals_total_cost",
        "mart_analytics__model_costs",
        to="mart_analytics__total_cost",
        groups=["call", "token", "money"],
        plus="mart_analytics__service_costs",
        plus_where="not is_model_call"
    ),
    holds_for_every_row(
        "mart_analytics__model_costs__cost_per_million_exists_with_priced_tokens",
        "mart_analytics__model_costs",
        condition="(cost_per_million_tokens_usd is null) = (total_tokens - unpriced_total_tokens <= 0)"
    ),
    holds_for_every_row(
        "mart_analytics__model_costs__cost_per_million_is_cost_by_tokens",
        "mart_analytics__model_costs",
        condition="
            cost_per_million_tokens_usd is null
            or abs(
                cast(cost_per_million_tokens_usd as double) * (total_tokens - unpriced_total_tokens) / 1000000
                - cast(provider_cost_usd as double)
            ) <= 0.000000001 * (1 + cast(provider_cost_usd as double))
        "
    ),
    reconciles_to(
        "mart_analytics__token_usage__equals_total_cost",
        "mart_analytics__token_usage",
        to="mart_analytics__total_cost",
        measures={
            "input_tokens": "input_tokens",
            "cached_tokens": "cached_tokens",
            "cache_write_tokens": "cache_write_tokens",
            "output_tokens": "output_tokens",
            "reasoning_tokens": "reasoning_tokens",
            "image_tokens": "image_tokens",
            "citation_tokens": "citation_tokens",
            "total_tokens": "total_tokens",
        }
    ),
    reconciles_to(
        "mart_analytics__token_usage__exclusive_classes_equal_spans",
        "mart_analytics__token_usage",
        to="fct_span_usage",
        measures={
            "uncached_input_tokens + cached_tokens + cache_write_tokens": "input_tokens",
            "visible_output_tokens + reasoning_tokens": "output_tokens",
            "uncached_input_tokens + cached_tokens + cache_write_tokens + visible_output_tokens + reasoning_tokens + image_tokens": "total_tokens",
        }
    ),
    reconciles_to(
        "mart_analytics__model_observability__calls_equal_model_costs",
        "mart_analytics__model_observability",
        to="mart_analytics__model_costs",
        measures={
            "call_count": "call_count",
            "failed_call_count": "failed_call_count",
        }
    ),
    holds_for_every_row(
        "mart_analytics__model_observability__error_rate_is_failed_share",
        "mart_analytics__model_observability",
        condition="abs(error_rate_pct * call_count - 100 * failed_call_count) <= 0.0001 * call_count"
    ),
    percentiles_ascend("mart_analytics__model_observability"),
    reconciles_to(
        "mart_analytics__model_latency_histogram__counts_every_completed_call",
        "mart_analytics__model_latency_histogram",
        to="fct_span_usage",
        measures={
            "call_count": "1",
        },
        to_where="billing_role = 'call' and is_model_call and status = 'completed' and duration_ms is not null"
    ),
    buckets_are_narrow("mart_analytics__model_latency_histogram"),
    reconciles_to(
        "mart_analytics__trace_performance__counts_every_run",
        "mart_analytics__trace_performance",
        to="fct_run_usage",
        measures={
            "run_count": "1",
            "failed_run_count": "case when status = 'failed' then 1 else 0 end",
            "run_duration_ms": "case when status = 'completed' then duration_ms else 0 end",
        }
    ),
    percentiles_ascend("mart_analytics__trace_performance"),
    reconciles_to(
        "mart_analytics__run_latency_histogram__counts_every_completed_run",
        "mart_analytics__run_latency_histogram",
        to="fct_run_usage",
        measures={
            "run_count": "1",
        },
        to_where="status = 'completed' and duration_ms is not null"
    ),
    buckets_are_narrow("mart_analytics__run_latency_histogram"),
    reconciles_to(
        "mart_analytics__span_performance__counts_every_span",
        "mart_analytics__span_performance",
        to="fct_span_usage",
        measures={
            "span_count": "1",
            "failed_span_count": "case when status = 'failed' then 1 else 0 end",
            "span_duration_ms": "duration_ms",
        }
    ),
    reconciles_to(
        "mart_analytics__span_latency_histogram__counts_every_completed_span",
        "mart_analytics__span_latency_histogram",
        to="fct_span_usage",
        measures={
            "span_count": "1",
        },
        to_where="status = 'completed' and duration_ms is not null"
    ),
    buckets_are_narrow("mart_analytics__span_latency_histogram"),
    reconciles_to(
        "mart_analytics__tool_usage__equals_tool_spans",
        "mart_analytics__tool_usage",
        to="fct_span_usage",
        measures={
            "call_count": "1",
            "failed_call_count": "case when status = 'failed' then 1 else 0 end",
            "unpriced_call_count": "case when cost_source = 'unpriced' then 1 else 0 end",
            "unpriced_total_tokens": "case when cost_source = 'unpriced' then total_tokens end",
            "total_cost_usd": "total_cost_usd",
            "task_credits": "task_credits",
            "duration_ms": "duration_ms",
        },
        to_where="
            billing_role <> 'duplicate'
            and (
                span_kind = 'tool'
                or (billing_role = 'call' and not is_model_call and span_kind not in ('run', 'agent', 'step'))
            )
        "
    ),
    reconciles_to(
        "mart_analytics__top_users__equals_own_of_runs",
        "mart_analytics__top_users",
        to="fct_run_usage",
        groups=["money"],
        to_prefix="own_",
        measures={
            "run_count": "1",
            "total_tokens": "own_total_tokens",
            "unpriced_call_count": "unpriced_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
    holds_for_every_row(
        "mart_analytics__top_users__only_tracked_users_are_ranked",
        "mart_analytics__top_users",
        condition="
            (cost_rank is null) = (user_id is null)
            and (request_rank is null) = (user_id is null)
            and (token_rank is null) = (user_id is null)
        "
    ),
    reconciles_to(
        "mart_analytics__unpriced_usage__equals_pricing",
        "mart_analytics__unpriced_usage",
        to="fct_pricing_daily",
        to_where="cost_source <> 'reported' and price_status in ('unpriced', 'partial')",
        groups=["token"],
        measures={
            "call_count": "call_count",
            "provider_cost_usd": "provider_cost_usd",
        }
    ),
    holds_for_every_row(
        "mart_analytics__anomalies__lie_outside_their_band",
        "mart_analytics__anomalies",
        condition="actual > band_upper or actual < band_lower"
    ),
    holds_for_every_row(
        "mart_analytics__anomalies__have_history",
        "mart_analytics__anomalies",
        condition="history_days >= 14"
    ),
    holds_for_every_row(
        "mart_analytics__budgets__days_are_those_of_the_month",
        "mart_analytics__budgets",
        condition="days_elapsed between 1 and 31 and days_left between 0 and 30",
        per_date=false
    ),
], shown_at="mart_analytics__total_cost") }}
