-- Grain: one row per agent run. total_* are inclusive of all descendant runs, so they are not additive over runs.
{{ config(materialized='lasting_view') }}

with runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where run_type = 'agent'

)

select
    {{ run_summary_columns() }}
from runs
