-- Grain: one row per span. Measures are NULL on spans that are no call, so they are additive.
{{ config(materialized='lasting_view') }}

with spans as (

    select *
    from {{ ref('fct_span_usage') }}

),

metered as (

    -- what was priced, meter by meter, so that a page can show quantity times rate
    select
        *,
        {{ meter_columns() }}
    from spans

),

runs as (

    select
        usage_date,
        workspace_id,
        run_id,
        started_at as run_started_at
    from {{ ref('fct_run_usage') }}

)

select
    metered.usage_date,
    metered.workspace_id,
    metered.run_id,
    metered.span_id,
    metered.parent_span_id,
    metered.span_name,
    metered.span_kind,
    metered.service,
    metered.provider,
    metered.model,
    metered.response_model,
    metered.service_tier,
    metered.charge_type,
    metered.status,
    metered.started_at,
    metered.ended_at,
    metered.duration_ms,
    {{ milliseconds_from('runs.run_started_at', 'metered.started_at') }} as start_offset_ms,
    metered.attempt,
    metered.billing_role,
    metered.billed_run_id,
    metered.billed_span_id,
    metered.billing_reason,
    metered.rollup_reported_input_tokens,
    metered.rollup_reported_output_tokens,
    metered.rollup_reported_total_tokens,
    metered.rollup_reported_provider_cost_usd,
    metered.rollup_reported_task_credits,
    {{ columns(token_measures(), 'metered') }},
    metered.units,
    {%- for meter in meter_quantities() %}
        case when metered.price_set_id is not null then cast(metered.{{ meter }}_units as bigint) end as {{ meter }}_units,
    {%- endfor %}
    metered.cost_source,
    metered.price_status,
    metered.unpriced_reason,
    metered.priced_provider,
    metered.priced_model,
    metered.price_set_id,
    metered.reported_provider_cost_usd,
    metered.computed_provider_cost_usd,
    metered.reported_task_credits,
    metered.computed_task_credits,
    metered.credit_source,
    metered.credit_price_usd,
    metered.token_convention,
    {{ columns(money_measures(), 'metered') }},
    metered.is_orphan,
    metered.is_parent_missing,
    metered.error_message,
    metered.quality_flags,
    metered.attributes
from metered
left join runs
    on
        metered.usage_date = runs.usage_date
        and metered.workspace_id = runs.workspace_id
        and metered.run_id = runs.run_id
