-- Grain: one row per span of the touched dates, its winning version (workspace_id, run_id, span_id). Usage may still repeat.
{{
    config(
        materialized='view',
        schema='staging',
        persist_docs={'relation': false, 'columns': false},
    )
}}

-- A view, so that each reader opens only the columns it needs; on the lake, so it goes with the staging views.
with versions as (

    select *
    from {{ ref('stg_native__spans') }}
    where {{ in_touched_span_parts() }}

),

directory as (

    select *
    from {{ ref('int_runs__directory') }}
    where {{ touched('usage_date') }}

),

repeated as (

    select *
    from {{ ref('int_spans__repeated') }}
    where {{ touched('usage_date') }}

)

-- depends_on: {{ ref('int_spans__parts') }}
select
    directory.usage_date,
    not directory.has_run and not coalesce(directory.is_foreign, false) as is_orphan,
    directory.parent_run_id is not null as is_child_run,
    {{ all_but('versions', ['batch_seq', 'version_at']) }}
from versions
inner join directory
    on
        versions.workspace_id = directory.workspace_id
        and versions.run_id = directory.run_id
left join repeated
    on
        versions.workspace_id = repeated.workspace_id
        and versions.run_id = repeated.run_id
        and versions.span_id = repeated.span_id
where
    repeated.span_id is null
    or versions.batch_seq = repeated.batch_seq
