-- Grain: one row per usage date that holds a touched run or a descendant of one. No measures.
{{ config(materialized='table') }}

-- Inclusive totals of a touched run need the own amounts of its descendants, which may lie on dates that are not rebuilt.
with recursive directory as (

    select *
    from {{ ref('int_runs__directory') }}

),

touched_dates as (

    select usage_date
    from {{ ref('int_dates__touched') }}

),

edges as (

    select
        workspace_id,
        parent_run_id,
        run_id,
        usage_date
    from directory
    where parent_run_id is not null

),

descendants as (

    select
        directory.workspace_id,
        directory.run_id,
        directory.usage_date
    from directory
    inner join edges
        on
            directory.workspace_id = edges.workspace_id
            and directory.run_id = edges.parent_run_id
    where {{ touched('directory.usage_date') }}

    union distinct

    select
        edges.workspace_id,
        edges.run_id,
        edges.usage_date
    from edges
    inner join descendants
        on
            edges.workspace_id = descendants.workspace_id
            and edges.parent_run_id = descendants.run_id

)

select usage_date
from touched_dates

union distinct

select usage_date
from descendants
