-- Grain: one row per workflow run. Own, image and child_runs parts add up to the totals; total_* are not additive.
{{ config(materialized='lasting_view') }}

with runs as (

    select *
    from {{ ref('fct_run_usage') }}
    where run_type = 'workflow'

)

select
    {{ run_log_columns() }}
from runs
