-- Facts made of spans, and the directory of runs: keys, rules of a row, and sums that must be equal.
{%- set inclusive = [] -%}
{%- set alike = [
    ("total_tokens", "own_total_tokens"),
    ("total_cost_usd", "own_total_cost_usd"),
    ("total_unpriced_call_count", "unpriced_call_count"),
    ("total_unpriced_total_tokens", "unpriced_total_tokens"),
    ("total_tool_call_count", "tool_call_count"),
] -%}
{%- for measure in token_measures() + money_measures() if measure not in ("total_tokens", "total_cost_usd") -%}
    {%- do alike.append(("total_" ~ measure, "own_" ~ measure)) -%}
{%- endfor -%}
{%- for total, own in alike -%}
    {%- do inclusive.append(
        "case when descendant_run_count = 0 then " ~ total ~ " = " ~ own ~ " else " ~ total ~ " >= " ~ own ~ " end"
    ) -%}
{%- endfor -%}
{{ all_checks([
    holds_for_every_row(
        "int_runs__directory__rules",
        "int_runs__directory",
        rules={
            "an_arrived_run_has_a_version_and_a_placeholder_none": "
                has_run = (batch_seq is not null)
                and has_run = (version_at is not null)
                and has_run = (lake_date is not null)
            ",
            "a_placeholder_has_no_parent": "has_run or parent_run_id is null",
            "an_arrived_run_never_becomes_a_placeholder": "has_run or not previously_had_run",
            "every_run_has_a_date": "usage_date is not null",
        }
    ),
    unique_key(
        "fct_run_usage__unique_key",
        "fct_run_usage",
        columns=["workspace_id", "run_id"]
    ),
    no_fan_out(
        "fct_run_usage__one_row_per_run",
        "fct_run_usage",
        of="int_runs__directory",
        columns=["usage_date", "workspace_id", "run_id"],
        of_where="
            (has_run or is_foreign)
            and (workspace_id, run_id) not in (
                select (workspace_id, run_id) from intermediate.int_runs__derived where is_repetition
            )
        "
    ),
    holds_for_every_row(
        "fct_run_usage__rules",
        "fct_run_usage",
        rules={
            "own_total_tokens_are_input_output_and_image": "own_total_tokens = own_input_tokens + own_output_tokens + own_image_tokens",
            "total_tokens_are_input_output_and_image": "total_tokens = total_input_tokens + total_output_tokens + total_image_tokens",
            "own_cost_is_credit_cost_plus_wallet": "own_total_cost_usd = own_task_credit_cost_usd + own_wallet_cost_usd",
            "total_cost_is_credit_cost_plus_wallet": "total_cost_usd = total_task_credit_cost_usd + total_wallet_cost_usd",
            "own_provider_cost_is_wallet_plus_external": "own_provider_cost_usd = own_wallet_cost_usd + own_external_cost_usd",
            "total_provider_cost_is_wallet_plus_external": "total_provider_cost_usd = total_wallet_cost_usd + total_external_cost_usd",
            "inclusive_covers_own_and_equals_it_without_descendants": inclusive | join(" and "),
            "image_generation_is_a_part_of_own_cost": "own_image_generation_cost_usd <= own_total_cost_usd",
            "children_are_descendants": "(child_run_count = 0) = (descendant_run_count = 0) and child_run_count <= descendant_run_count",
            "tools_are_named_where_there_are_tool_calls": "(cardinality(tools) = 0) = (tool_call_count = 0)",
            "a_run_without_calls_has_no_usage": "call_count > 0 or (own_total_tokens = 0 and own_provider_cost_usd = 0 and own_task_credits = 0)",
            "a_missing_parent_was_named": "parent_run_id is not null or not is_parent_missing",
            "duration_is_known_once_completed": "(duration_ms is null) = (completed_at is null)",
        }
    ),
    reconciles_to(
        "fct_usage_daily__equals_spans",
        "fct_usage_daily",
        to="fct_span_usage",
        groups=["token", "money"],
        measures=dict(call_measures_of_spans(), units="units")
    ),
    reconciles_to(
        "fct_usage_daily__attributed_part_equals_own_of_runs",
        "fct_usage_daily",
        to="fct_run_usage",
        groups=["token", "money"],
        to_prefix="own_",
        model_where="not is_unattributed",
        measures={
            "call_count": "call_count",
            "failed_call_count": "failed_call_count",
            "unpriced_call_count": "unpriced_call_count",
            "unknown_usage_call_count": "unknown_usage_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
    holds_for_every_row(
        "fct_usage_daily__unattributed_is_without_run",
        "fct_usage_daily",
        condition="is_unattributed = (run_type is null)"
    ),
    reconciles_to(
        "fct_user_daily__equals_own_of_runs",
        "fct_user_daily",
        to="fct_run_usage",
        groups=["money"],
        to_prefix="own_",
        measures={
            "run_count": "1",
            "failed_run_count": "case when status = 'failed' then 1 else 0 end",
            "input_tokens": "own_input_tokens",
            "cached_tokens": "own_cached_tokens",
            "cache_write_tokens": "own_cache_write_tokens",
            "output_tokens": "own_output_tokens",
            "reasoning_tokens": "own_reasoning_tokens",
            "image_tokens": "own_image_tokens",
            "citation_tokens": "own_citation_tokens",
            "total_tokens": "own_total_tokens",
            "unpriced_call_count": "unpriced_call_count",
            "unpriced_total_tokens": "unpriced_total_tokens",
        }
    ),
    reconciles_to(
        "fct_pricing_daily__reconciles_to_spans",
        "fct_pricing_daily",
        to="fct_span_usage",
        groups=["token"],
        measures={
            "call_count": "1",
            "provider_cost_usd": "provider_cost_usd",
        },
        to_where="price_status is not null"
    ),
], shown_at="fct_run_usage") }}
