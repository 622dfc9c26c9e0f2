-- Log tables: a row for each run of their type, whose parts add up to what the run cost.
{%- set checks = [] -%}
{%- for run_type in ["prompt", "workflow", "agent"] -%}
    {%- set mart = "mart_logs__" ~ run_type ~ "_runs" -%}
    {%- do checks.extend([
        no_fan_out(
            mart ~ "__one_row_per_run",
            mart,
            of="fct_run_usage",
            columns=["usage_date", "workspace_id", "run_id"],
            of_where="run_type = '" ~ run_type ~ "'"
        ),
        holds_for_every_row(
            mart ~ "__token_split_adds_up",
            mart,
            condition="own_total_tokens + own_image_tokens + child_runs_total_tokens = total_tokens"
        ),
        holds_for_every_row(
            mart ~ "__cost_split_adds_up",
            mart,
            condition="own_cost_usd + image_generation_cost_usd + child_runs_cost_usd = total_cost_usd"
        ),
        reconciles_to(
            mart ~ "__own_parts_equal_own_of_runs",
            mart,
            to="fct_run_usage",
            to_where="run_type = '" ~ run_type ~ "'",
            measures={
                "own_total_tokens + own_image_tokens": "own_total_tokens",
                "own_cost_usd + image_generation_cost_usd": "own_total_cost_usd",
            }
        ),
    ]) -%}
{%- endfor -%}
{{ all_checks(checks, shown_at="mart_logs__agent_runs") }}
