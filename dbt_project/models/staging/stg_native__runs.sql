-- Grain: one row per run version in the lake (workspace_id, run_id, batch_seq). Not additive: a run may have several versions.
with parts as (

    select *
    from {{ lake_relation('runs') }}

)

select
    lake_date,
    batch_seq,
    workspace_id,
    run_id,
    run_type,
    resource_id,
    resource_name,
    source,
    delivery,
    charge_type,
    status,
    started_at,
    completed_at,
    updated_at,
    version_at,
    provider,
    model,
    api_key_id,
    api_key_name,
    collaborator,
    user_id,
    user_metadata,
    trace_id,
    parent_run_id,
    deployment,
    error_message,
    reported_total_tokens,
    reported_total_cost_usd,
    quality_flags,
    attributes
from parts
