-- Grain: one row per run of the touched dates (workspace_id, run_id): the winning version, or what a trace makes. No measures.
{{
    config(
        materialized='view',
        schema='staging',
        persist_docs={'relation': false, 'columns': false},
    )
}}

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

),

derived as (

    select *
    from {{ ref('int_runs__derived') }}
    where
        {{ touched('usage_date') }}
        and not is_repetition

)

-- depends_on: {{ ref('int_dates__touched') }}
select
    directory.usage_date,
    {{ columns(columns_of_runs(), 'versions') }}
from versions
inner join directory
    on
        versions.workspace_id = directory.workspace_id
        and versions.run_id = directory.run_id
        and versions.batch_seq = directory.batch_seq

union all

select
    usage_date,
    {{ columns(columns_of_runs()) }}
from derived
