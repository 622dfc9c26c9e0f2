-- Run sheets: a row for each run or span, whose parts add up to what the run cost.
{%- set checks = [] -%}
{%- for run_type in ["prompt", "workflow", "agent"] -%}
    {%- set mart = "mart_details__" ~ run_type ~ "_summary" -%}
    {%- do checks.extend(rows_of_runs(mart, run_type)) -%}
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
