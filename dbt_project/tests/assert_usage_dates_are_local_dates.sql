-- A run lives on the date of its start in its workspace's time zone.
{{ config(meta={'dagster': {'ref': {'name': 'int_runs__directory'}}}) }}

with directory as (

    select *
    from {{ ref('int_runs__directory') }}
    where {{ touched('usage_date') }}

),

workspaces as (

    select *
    from {{ ref('dim_workspace') }}

)

select
    directory.usage_date,
    directory.workspace_id,
    directory.run_id,
    directory.started_at
from directory
left join workspaces
    on directory.workspace_id = workspaces.workspace_id
where
    directory.usage_date is distinct from {{ date_in_time_zone('directory.started_at', 'workspaces.time_zone') }}
