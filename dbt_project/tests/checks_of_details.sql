-- Run sheets: a row for each run or span, whose parts add up to what the run cost.
{%- set checks = [] -%}
{%- for run_type in ["prompt", "workflow", "agent"] -%}
    {%- set mart = "mart_details__" ~ run_type ~ "_summary" -%}
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
    ]) -%}
{%- endfor -%}
{%- do checks.extend([
    no_fan_out(
        "mart_details__spans__one_row_per_span",
        "mart_details__spans",
        of="fct_span_usage",
        columns=["usage_date", "workspace_id", "run_id", "span_id"]
    ),
    reconciles_to(
        "mart_details__spans__equals_total_cost",
        "mart_details__spans",
        to="mart_analytics__total_cost",
        groups=["token", "money"]
    ),
    reconciles_to(
        "mart_details__child_runs__counts_every_direct_child",
        "mart_details__child_runs",
        to="fct_run_usage",
        keys=["workspace_id"],
        measures={
            "1": "child_run_count",
        }
    ),
]) -%}
{{ all_checks(checks, shown_at="mart_details__spans") }}
