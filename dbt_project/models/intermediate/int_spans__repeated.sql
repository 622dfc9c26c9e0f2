-- Grain: one row per span of the touched dates that landed in several versions (workspace_id, run_id, span_id). No measures.
{{ config(materialized='by_usage_date') }}

-- Rarely is a span landed twice. Its run then lies in several batches, which is cheaper to see than the spans' own keys: of
-- 1.9 million spans grouping those took 2.2 of processor seconds, and grouping runs 0.3.
with versions as (

    select
        workspace_id,
        run_id,
        span_id,
        version_at,
        batch_seq
    from {{ ref('stg_native__spans') }}
    where {{ in_touched_span_parts() }}

),

batches as (

    select
        workspace_id,
        run_id,
        batch_seq
    from {{ ref('stg_native__spans') }}
    where {{ in_touched_span_parts() }}

),

directory as (

    select
        usage_date,
        workspace_id,
        run_id
    from {{ ref('int_runs__directory') }}
    where {{ touched('usage_date') }}

),

runs_of_several_batches as (

    select
        workspace_id,
        run_id
    from batches
    group by
        workspace_id,
        run_id
    having min(batch_seq) < max(batch_seq)

)

-- depends_on: {{ ref('int_spans__parts') }}
select
    directory.usage_date,
    versions.workspace_id,
    versions.run_id,
    versions.span_id,
    {{ latest_batch('versions.version_at', 'versions.batch_seq') }} as batch_seq
from versions
inner join runs_of_several_batches
    on
        versions.workspace_id = runs_of_several_batches.workspace_id
        and versions.run_id = runs_of_several_batches.run_id
inner join directory
    on
        versions.workspace_id = directory.workspace_id
        and versions.run_id = directory.run_id
group by
    directory.usage_date,
    versions.workspace_id,
    versions.run_id,
    versions.span_id
having count(*) > 1
order by
    directory.usage_date,
    versions.workspace_id,
    versions.run_id,
    versions.span_id
