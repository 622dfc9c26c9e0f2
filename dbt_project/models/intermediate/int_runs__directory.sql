-- Grain: one row per run that any row names, arrived or not (workspace_id, run_id). No measures.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['workspace_id', 'run_id'],
    )
}}

-- Says where a run lives: its usage date and the lake part of its winning version. Until a run arrives, its spans hold its place
-- with the date of the earliest of them, so that all spans of a run always share one date (a trace of another format becomes a
-- run itself: `is_foreign`). Winning is the maximum of a total order, so merging tonight's versions into the stored winner equals
-- choosing among all versions ever landed. A placeholder is no maximum (a new version of a span may start later), so it is worked
-- out anew from all spans of its run whenever one arrives.
with run_versions as (

    select
        workspace_id,
        run_id,
        parent_run_id,
        started_at,
        version_at,
        lake_date,
        batch_seq
    from {{ ref('stg_native__runs') }}
    where {{ in_new_batches() }}

),

arrived as (

    select
        workspace_id,
        run_id
    from run_versions

    {% if is_incremental() and not is_full_build() %}

        union all

        select
            workspace_id,
            run_id
        from {{ this }}
        where has_run

    {% endif %}

),

-- A superseded version of a span must not hold a date: landed together with its successor it would not even be in the lake.
spans_without_run as (

    select
        spans.workspace_id,
        spans.run_id,
        {{ at_latest_batch('spans.started_at', 'spans.version_at', 'spans.batch_seq') }} as started_at,
        bool_or(spans.source_format <> 'native') as is_foreign
    from {{ ref('stg_native__spans') }} as spans
    left join arrived
        on
            spans.workspace_id = arrived.workspace_id
            and spans.run_id = arrived.run_id
    where
        {{ in_span_parts_of_placeholders('spans') }}
        and arrived.run_id is null
    group by
        spans.workspace_id,
        spans.run_id,
        spans.span_id

),

span_placeholders as (

    select
        workspace_id,
        run_id,
        min(started_at) as started_at,
        bool_or(is_foreign) as is_foreign
    from spans_without_run
    group by
        workspace_id,
        run_id

),

workspaces as (

    select *
    from {{ source('plan', 'workspace_settings') }}

),

{% if is_incremental() and not is_full_build() %}

    known as (

        select directory.*
        from {{ this }} as directory
        where
            (directory.workspace_id, directory.run_id) in (
                select
                    workspace_id,
                    run_id
                from run_versions
                union all
                select
                    workspace_id,
                    run_id
                from span_placeholders
            )

    ),

{% endif %}

candidates as (

    select
        workspace_id,
        run_id,
        true as has_run,
        false as is_foreign,
        parent_run_id,
        started_at,
        version_at,
        lake_date,
        batch_seq
    from run_versions

    union all

    select
        workspace_id,
        run_id,
        false as has_run,
        is_foreign,
        null as parent_run_id,
        started_at,
        null as version_at,
        null as lake_date,
        null as batch_seq
    from span_placeholders

    {% if is_incremental() and not is_full_build() %}

        union all

        select
            workspace_id,
            run_id,
            has_run,
            is_foreign,
            parent_run_id,
            started_at,
            version_at,
            lake_date,
            batch_seq
        from known
        where has_run

    {% endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by
                workspace_id,
                run_id
            order by
                has_run desc,
                version_at desc nulls last,
                batch_seq desc nulls last,
                started_at asc
        ) as place
    from candidates

),

winners as (

    select
        ranked.workspace_id,
        ranked.run_id,
        ranked.has_run,
        ranked.is_foreign,
        ranked.parent_run_id,
        ranked.started_at,
        ranked.version_at,
        ranked.lake_date,
        ranked.batch_seq,
        {{ date_in_time_zone('ranked.started_at', 'coalesce(workspaces.time_zone, default_settings.time_zone)') }} as usage_date
    from ranked
    left join workspaces
        on ranked.workspace_id = workspaces.workspace_id
    inner join workspaces as default_settings
        on default_settings.workspace_id is null
    where ranked.place = 1

)

{% if is_incremental() and not is_full_build() %}

    select
        winners.usage_date,
        winners.workspace_id,
        winners.run_id,
        winners.has_run,
        winners.is_foreign,
        winners.parent_run_id,
        winners.started_at,
        winners.version_at,
        winners.lake_date,
        winners.batch_seq,
        known.usage_date as previous_usage_date,
        known.parent_run_id as previous_parent_run_id,
        coalesce(known.has_run, false) as previously_had_run,
        (select max(night_seq) from {{ source('plan', 'night') }}) as changed_in_night_seq
    from winners
    left join known
        on
            winners.workspace_id = known.workspace_id
            and winners.run_id = known.run_id
    where
        known.run_id is null
        or winners.has_run <> known.has_run
        or winners.is_foreign <> known.is_foreign
        or winners.started_at <> known.started_at
        or winners.batch_seq is distinct from known.batch_seq

{% else %}

    select
        usage_date,
        workspace_id,
        run_id,
        has_run,
        is_foreign,
        parent_run_id,
        started_at,
        version_at,
        lake_date,
        batch_seq,
        cast(null as date) as previous_usage_date,
        cast(null as string) as previous_parent_run_id,
        false as previously_had_run,
        (select max(night_seq) from {{ source('plan', 'night') }}) as changed_in_night_seq
    from winners

{% endif %}
