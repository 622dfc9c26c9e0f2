-- Log tables: a row for each run of their type, whose parts add up to what the run cost.
{%- set checks = [] -%}
{%- for run_type in ["prompt", "workflow", "agent"] -%}
    {%- set mart = "mart_logs__" ~ run_type ~ "_runs" -%}
    {%- do checks.extend(rows_of_runs(mart, run_type)) -%}
    {%- do checks.append(reconciles_to(
        mart ~ "__own_parts_equal_own_of_runs",
        mart,
        to="fct_run_usage",
        to_where="run_type = '" ~ run_type ~ "'",
        measures={
            "own_total_tokens + own_image_tokens": "own_total_tokens",
            "own_cost_usd + image_generation_cost_usd": "own_total_cost_usd",
        }
    )) -%}
{%- endfor -%}
{{ all_checks(checks, shown_at="mart_logs__agent_runs") }}
