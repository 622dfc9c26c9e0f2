-- Grain: one row per usage date that tonight's batches touch. No measures.
{{ config(materialized='table') }}

-- A date is rebuilt when a run of it is new or changed (its old date too), when spans of its runs arrived, when a descendant of
-- one of its runs changed (inclusive totals), when the missing parent of one of its runs arrived, or for a backfill.
with recursive directory as (

    select *
    from {{ ref('int_runs__directory') }}

),

changed as (

    select *
    from directory
    where changed_in_night_seq = (select max(night_seq) from {{ source('plan', 'night') }})

),

with_new_spans as (

    select distinct
        workspace_id,
        run_id
    from {{ ref('stg_native__spans') }}
    where {{ in_new_batches() }}

),

seeds as (

    select
        workspace_id,
        run_id
    from changed

    union distinct

    select
        workspace_id,
        run_id
    from with_new_spans

    union distinct

    select
        workspace_id,
        previous_parent_run_id as run_id
    from changed
    where previous_parent_run_id is not null

),

family as (

    select
        workspace_id,
        run_id
    from seeds

    union distinct

    select
        directory.workspace_id,
        directory.parent_run_id as run_id
    from directory
    inner join family
        on
            directory.workspace_id = family.workspace_id
            and directory.run_id = family.run_id
    where directory.parent_run_id is not null

),

dates as (

    select directory.usage_date
    from directory
    inner join family
        on
            directory.workspace_id = family.workspace_id
            and directory.run_id = family.run_id

    union all

    select previous_usage_date as usage_date
    from changed

    union all

    select children.usage_date
    from directory as children
    inner join changed as parents
        on
            children.workspace_id = parents.workspace_id
            and children.parent_run_id = parents.run_id
    where parents.has_run and not parents.previously_had_run

    union all

    select usage_date
    from {{ source('plan', 'requested_dates') }}

)

select distinct usage_date
from dates
where usage_date is not null
order by usage_date
