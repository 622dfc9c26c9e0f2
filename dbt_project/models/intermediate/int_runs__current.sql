-- Grain: one row per arrived run of the touched dates, its winning version (workspace_id, run_id). No measures.
{{ config(materialized='ephemeral') }}

with versions as (

    select *
    from {{ ref('stg_native__runs') }}
    where {{ in_touched_run_parts() }}

),

directory as (

    select *
    from {{ ref('int_runs__directory') }}
    where
        has_run
        and {{ touched('usage_date') }}

)

-- depends_on: {{ ref('int_dates__touched') }}
select
    directory.usage_date,
    versions.* exclude (lake_date, batch_seq, version_at)
from versions
inner join directory
    on
        versions.workspace_id = directory.workspace_id
        and versions.run_id = directory.run_id
        and versions.batch_seq = directory.batch_seq
