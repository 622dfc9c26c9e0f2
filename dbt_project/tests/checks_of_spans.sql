-- The fact of spans: its key, and rules of a row. Apart from those of what is made of it, which are skipped where it is wrong.
{{ all_checks([
    unique_key(
        "fct_span_usage__unique_key",
        "fct_span_usage",
        columns=["usage_date", "workspace_id", "run_id", "span_id"]
    ),
    holds_for_every_row(
        "fct_span_usage__rules",
        "fct_span_usage",
        rules={
            "calls_have_their_cost_parts_and_other_spans_no_measure": "
                case
                    when billing_role = 'call'
                        then
                            wallet_cost_usd is not null
                            and external_cost_usd is not null
                            and task_credit_cost_usd is not null
                            and total_cost_usd is not null
                    else
                        coalesce(
                            input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, image_tokens,
                            citation_tokens, audio_input_tokens, audio_output_tokens, total_tokens, units
                        ) is null
                        and coalesce(
                            provider_cost_usd, wallet_cost_usd, external_cost_usd, task_credits, task_credit_cost_usd, total_cost_usd
                        ) is null
                        and cost_source is null
                        and not is_model_call
                        and not is_usage_unknown
                end
            ",
            "total_tokens_are_input_output_and_image": "
                billing_role <> 'call'
                or total_tokens is not distinct from case
                    when coalesce(input_tokens, output_tokens, image_tokens) is not null
                        then coalesce(input_tokens, 0) + coalesce(output_tokens, 0) + coalesce(image_tokens, 0)
                end
            ",
            "total_cost_is_credit_cost_plus_wallet": "billing_role <> 'call' or total_cost_usd = task_credit_cost_usd + wallet_cost_usd",
            "hosted_is_wallet_and_personal_is_external": "
                billing_role <> 'call'
                or (
                    wallet_cost_usd = case charge_type when 'hosted' then coalesce(provider_cost_usd, 0) when 'personal' then 0 end
                    and external_cost_usd = case charge_type when 'hosted' then 0 when 'personal' then coalesce(provider_cost_usd, 0) end
                )
            ",
            "reported_cost_is_taken_over": "cost_source is distinct from 'reported' or provider_cost_usd = reported_provider_cost_usd",
            "priced_cost_is_the_computed_one": "cost_source is distinct from 'priced' or provider_cost_usd = computed_provider_cost_usd",
            "unpriced_says_why": "
                (price_status is not distinct from 'unpriced') = (unpriced_reason is not null)
                and (price_status is not distinct from 'unpriced') = (price_status is not null and computed_provider_cost_usd is null)
            ",
            "priced_by_rates_that_are_there": "computed_provider_cost_usd is null or price_set_id is not null",
            "reported_credits_win": "billing_role <> 'call' or reported_task_credits is null or task_credits = reported_task_credits",
            "credit_cost_is_credits_times_price": "
                billing_role <> 'call'
                or abs(task_credit_cost_usd - coalesce(task_credits, 0) * coalesce(credit_price_usd, 0)) < 0.000000000001
            ",
            "tokens_without_a_cost_are_unpriced": "
                billing_role <> 'call'
                or provider_cost_usd is not null
                or cost_source = 'unpriced'
                or (total_tokens is null and not is_model_call)
            ",
            "unknown_usage_is_a_model_call_without_tokens": "is_usage_unknown = (is_model_call and total_tokens is null)",
            "a_call_is_billed_under_itself": "
                case billing_role
                    when 'call' then billed_span_id = span_id and billed_run_id = run_id
                    when 'duplicate' then billed_span_id <> span_id or billed_run_id <> run_id
                    when 'rollup' then (billed_span_id is null) = (billed_run_id is null)
                    else billed_span_id is null and billed_run_id is null
                end
            ",
            "only_repeated_usage_is_kept_aside": "
                billing_role in ('rollup', 'duplicate')
                or billing_reason = 'own charge of the rate card'
                or (
                    coalesce(rollup_reported_input_tokens, rollup_reported_output_tokens, rollup_reported_total_tokens) is null
                    and coalesce(rollup_reported_provider_cost_usd, rollup_reported_task_credits) is null
                )
            ",
            "duration_is_known_once_ended": "(duration_ms is null) = (ended_at is null)",
        }
    ),
], shown_at="fct_span_usage") }}
