-- Grain: one row per span. Measures are NULL on spans that are no call, so they are additive.
{{ config(materialized='view') }}

with spans as (

    select *
    from {{ ref('fct_span_usage') }}

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
    spans.usage_date,
    spans.workspace_id,
    spans.run_id,
    spans.span_id,
    spans.parent_span_id,
    spans.span_name,
    spans.span_kind,
    spans.service,
    spans.provider,
    spans.model,
    spans.response_model,
    spans.service_tier,
    spans.charge_type,
    spans.status,
    spans.started_at,
    spans.ended_at,
    spans.duration_ms,
    {{ milliseconds_from('runs.run_started_at', 'spans.started_at') }} as start_offset_ms,
    spans.attempt,
    spans.billing_role,
    spans.billing_reason,
    {{ columns(token_measures(), 'spans') }},
    spans.cost_source,
    spans.price_status,
    spans.unpriced_reason,
    spans.priced_provider,
    spans.priced_model,
    spans.price_set_id,
    spans.reported_provider_cost_usd,
    spans.computed_provider_cost_usd,
    spans.reported_task_credits,
    spans.computed_task_credits,
    spans.credit_source,
    spans.credit_price_usd,
    spans.token_convention,
    {{ columns(money_measures(), 'spans') }},
    spans.is_orphan,
    spans.is_parent_missing,
    spans.error_message,
    spans.quality_flags,
    spans.attributes
from spans
left join runs
    on
        spans.usage_date = runs.usage_date
        and spans.workspace_id = runs.workspace_id
        and spans.run_id = runs.run_id
