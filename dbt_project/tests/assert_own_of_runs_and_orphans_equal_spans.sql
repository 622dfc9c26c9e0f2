-- Money never disappears: Σ own of the runs + Σ orphan spans = Σ spans, per date and workspace, to the last decimal.
{{ config(meta={'dagster': {'ref': {'name': 'fct_span_usage'}}}) }}

{%- set names = token_measures() + money_measures() -%}
{{ reconciliation(
    ['usage_date', 'workspace_id'],
    names,
    [
        {'relation': ref('fct_run_usage'), 'sign': 1, 'measures': prefixed(names, 'own_')},
        {'relation': ref('fct_span_usage'), 'sign': 1, 'measures': names, 'where': 'is_orphan'},
        {'relation': ref('fct_span_usage'), 'sign': -1, 'measures': names},
    ]
) }}
