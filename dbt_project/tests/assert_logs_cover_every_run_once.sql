-- Every run is in exactly one of the three log marts, exactly once.
{{ config(meta={'dagster': {'ref': {'name': 'fct_run_usage'}}}) }}

with log_rows as (

    {%- for run_type in ['prompt', 'workflow', 'agent'] %}
        select
            usage_date,
            workspace_id,
            run_id,
            1 as row_sign
        from {{ ref('mart_logs__' ~ run_type ~ '_runs') }}
        where {{ touched('usage_date') }}
        union all
    {%- endfor %}

    select
        usage_date,
        workspace_id,
        run_id,
        -1 as row_sign
    from {{ ref('fct_run_usage') }}
    where {{ touched('usage_date') }}

)

select
    usage_date,
    workspace_id,
    run_id,
    sum(row_sign) as surplus_rows
from log_rows
group by
    usage_date,
    workspace_id,
    run_id
having sum(row_sign) <> 0
