-- Grain: one row per span version in the lake (workspace_id, run_id, span_id, batch_seq). Not additive: versions repeat usage.
with parts as (

    select *
    from {{ lake_relation('spans') }}

)

select
    lake_date,
    batch_seq,
    workspace_id,
    run_id,
    span_id,
    trace_id,
    parent_span_id,
    name as span_name,
    kind as span_kind,
    service,
    provider,
    model,
    response_model,
    service_tier,
    charge_type,
    status,
    started_at,
    ended_at,
    version_at,
    attempt,
    input_tokens,
    cached_tokens,
    cache_write_tokens,
    cache_write_1h_tokens,
    output_tokens,
    reasoning_tokens,
    image_tokens,
    citation_tokens,
    audio_input_tokens,
    image_input_tokens,
    audio_output_tokens,
    web_search_count,
    reported_total_tokens,
    units,
    provider_cost_usd as reported_provider_cost_usd,
    task_credits as reported_task_credits,
    error_message,
    response_id,
    call_marker,
    scope,
    session_id,
    user_id,
    user_metadata,
    resource_id,
    resource_name,
    api_key_id,
    api_key_name,
    collaborator,
    deployment,
    -- Before contract version 2 there was one kind of source, and no column to say so.
    coalesce(source_format, 'native') as source_format,
    token_convention,
    quality_flags,
    attributes
from parts
