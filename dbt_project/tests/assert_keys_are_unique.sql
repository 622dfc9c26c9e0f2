-- The key of every model, and no row of it twice; NULL counts as a value. One statement: 37 tests of their own took a tenth of a
-- small build. The facts of spans and runs, which are large, have their own. Of days, only the touched ones.
{{ config(meta={'dagster': {'ref': {'name': 'mart_analytics__total_cost'}}}) }}
{%- set keys = {
    'dim_credit_price': ['workspace_id', 'valid_from'],
    'dim_model_name': ['provider_name', 'model_name', 'response_model_name', 'service_tier'],
    'dim_price': [
        'source', 'provider', 'model_rule', 'variant', 'meter', 'above_input_tokens', 'valid_from', 'daily_from',
    ],
    'dim_price_set': ['price_key', 'valid_from', 'daily_from_s', 'above_input_tokens'],
    'dim_rate_set': ['rate_card', 'service_key', 'charge_type', 'is_deep', 'valid_from'],
    'dim_service_rate': ['rate_card', 'lower(service)', 'charge_type', 'unit', 'applies', 'valid_from'],
    'dim_workspace': ['workspace_id'],
    'int_calls__candidates': ['workspace_id', 'run_id', 'span_id'],
    'int_calls__judged': ['workspace_id', 'run_id', 'span_id'],
    'int_dates__touched': ['usage_date'],
    'int_runs__derived': ['workspace_id', 'run_id'],
    'int_runs__directory': ['workspace_id', 'run_id'],
    'int_spans__parts': ['usage_date', 'lake_date', 'batch_seq'],
    'fct_pricing_daily': [
        'usage_date', 'workspace_id', 'provider', 'model', 'response_model', 'priced_provider', 'priced_model',
        'cost_source', 'price_status', 'unpriced_reason',
    ],
    'fct_usage_daily': [
        'usage_date', 'workspace_id', 'is_unattributed', 'run_type', 'resource_id', 'resource_name', 'source',
        'api_key_id', 'api_key_name', 'collaborator', 'charge_type', 'service', 'provider', 'model',
        'is_model_call',
    ],
    'fct_user_daily': ['usage_date', 'workspace_id', 'user_id'],
    'mart_analytics__anomalies': ['usage_date', 'workspace_id', 'dimension', 'dimension_key', 'measure'],
    'mart_analytics__budgets': ['workspace_id', 'month_start_date'],
    'mart_analytics__cost_differences': [
        'usage_date', 'workspace_id', 'provider', 'model', 'priced_provider', 'priced_model',
    ],
    'mart_analytics__model_costs': ['usage_date', 'workspace_id', 'provider', 'model'],
    'mart_analytics__model_latency_histogram': ['usage_date', 'workspace_id', 'provider', 'model', 'bucket_index'],
    'mart_analytics__model_observability': ['usage_date', 'workspace_id', 'provider', 'model'],
    'mart_analytics__run_latency_histogram': ['usage_date', 'workspace_id', 'run_type', 'bucket_index'],
    'mart_analytics__service_costs': ['usage_date', 'workspace_id', 'service', 'is_model_call'],
    'mart_analytics__span_latency_histogram': [
        'usage_date', 'workspace_id', 'span_name', 'span_kind', 'bucket_index',
    ],
    'mart_analytics__span_performance': ['usage_date', 'workspace_id', 'span_name', 'span_kind'],
    'mart_analytics__token_usage': ['usage_date', 'workspace_id'],
    'mart_analytics__tool_usage': ['usage_date', 'workspace_id', 'tool_name'],
    'mart_analytics__top_users': ['usage_date', 'workspace_id', 'user_id'],
    'mart_analytics__total_cost': ['usage_date', 'workspace_id'],
    'mart_analytics__trace_performance': ['usage_date', 'workspace_id', 'run_type'],
    'mart_analytics__unpriced_usage': ['usage_date', 'workspace_id', 'provider', 'model', 'price_status', 'reason'],
    'mart_analytics__usage_breakdown': [
        'usage_date', 'workspace_id', 'service', 'provider', 'model', 'resource_name', 'api_key', 'charge_type',
        'collaborator', 'is_model_call',
    ],
    'mart_details__child_runs': ['workspace_id', 'run_id'],
    'mart_users__activity': ['usage_date', 'workspace_id', 'user_id'],
    'mart_users__cost_distribution': ['workspace_id', 'bucket_index'],
    'mart_users__summary': ['workspace_id', 'user_id'],
} -%}
{%- set dated_beside_their_key = ['int_calls__candidates', 'int_calls__judged', 'int_runs__derived', 'int_runs__directory'] -%}

with repeated as (

    {%- for name, columns in keys.items() %}
        select
            '{{ name }}' as model_name,
            concat_ws(
                ', ',
                {%- for column in columns %}
                    coalesce(cast({{ column }} as varchar), 'null'){{ ',' if not loop.last }}
                {%- endfor %}
            ) as key_value,
            count(*) as row_count
        from {{ ref(name) }}
        where {{ touched('usage_date') if 'usage_date' in columns or name in dated_beside_their_key else 'true' }}
        group by {{ columns | join(', ') }}
        having count(*) > 1
        {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    model_name,
    key_value,
    row_count
from repeated
