-- Grain: one row per usage_date and every dimension below (service, model, resource, key …). All measures additive.
{{ config(materialized='by_usage_date') }}

with calls as (

    select *
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and billing_role = 'call'

),

runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

),

calls_of_runs as (

    -- a left join: an orphan's call has no run, and its money must not disappear
    select
        calls.*,
        calls.is_orphan as is_unattributed,
        runs.run_type,
        runs.resource_id,
        runs.resource_name,
        runs.source,
        runs.api_key_id,
        runs.api_key_name,
        runs.collaborator,
        coalesce(calls.service, 'Unknown') as known_service
    from calls
    left join runs
        on
            calls.usage_date = runs.usage_date
            and calls.workspace_id = runs.workspace_id
            and calls.run_id = runs.run_id

),

summed as (

    select
        usage_date,
        workspace_id,
        is_unattributed,
        run_type,
        resource_id,
        resource_name,
        source,
        api_key_id,
        api_key_name,
        collaborator,
        charge_type,
        known_service as service,
        provider,
        model,
        is_model_call,
        {{ count_as('call_count') }},
        {{ count_as('failed_call_count', "status = 'failed'") }},
        {{ count_as('unpriced_call_count', "cost_source = 'unpriced'") }},
        {{ count_as('unknown_usage_call_count', 'is_usage_unknown') }},
        {{ sum_as('total_tokens', 'unpriced_total_tokens', "cost_source = 'unpriced'") }},
        {{ sums(token_measures()) }},
        {{ sum_as('units', 'units') }},
        {{ sums(money_measures()) }}
    from calls_of_runs
    group by
        usage_date,
        workspace_id,
        is_unattributed,
        run_type,
        resource_id,
        resource_name,
        source,
        api_key_id,
        api_key_name,
        collaborator,
        charge_type,
        known_service,
        provider,
        model,
        is_model_call

)

select
    usage_date,
    workspace_id,
    is_unattributed,
    run_type,
    resource_id,
    resource_name,
    source,
    api_key_id,
    api_key_name,
    collaborator,
    charge_type,
    service,
    provider,
    model,
    is_model_call,
    {{ columns(call_measures()) }},
    {{ columns(token_measures()) }},
    units,
    {{ columns(money_measures()) }}
from summed
order by
    usage_date,
    workspace_id,
    is_unattributed,
    run_type,
    resource_id,
    resource_name,
    source,
    api_key_id,
    api_key_name,
    collaborator,
    charge_type,
    service,
    provider,
    model,
    is_model_call
