-- Grain: one row per usage_date and lake part (lake_date, batch_seq) that holds spans of it. span_count counts versions.
{{ config(materialized='by_usage_date') }}

-- The index by which a night reads only the parts that touched dates need. A span's date is its run's.
with spans as (

    select
        lake_date,
        batch_seq,
        workspace_id,
        run_id
    from {{ ref('stg_native__spans') }}
    where {{ in_span_parts_to_locate() }}

),

directory as (

    select
        usage_date,
        workspace_id,
        run_id
    from {{ ref('int_runs__directory') }}
    where {{ touched('usage_date') }}

)

-- depends_on: {{ ref('int_dates__touched') }}
select
    directory.usage_date,
    spans.lake_date,
    spans.batch_seq,
    count(*) as span_count
from spans
inner join directory
    on
        spans.workspace_id = directory.workspace_id
        and spans.run_id = directory.run_id
group by
    directory.usage_date,
    spans.lake_date,
    spans.batch_seq
order by
    directory.usage_date,
    spans.lake_date,
    spans.batch_seq
