-- A run's inclusive totals are its own amounts and the inclusive totals of its children: no child is missing, none counts twice.
-- Runs that name each other as parents are left out: each of them holds the other.
{{ config(meta={'dagster': {'ref': {'name': 'fct_run_usage'}}}) }}

{%- set names = token_measures() + money_measures() %}
{%- set counts = unpriced_measures() + ['tool_call_count'] %}

with parents as (

    select *
    from {{ ref('fct_run_usage') }}
    where
        {{ touched('usage_date') }}
        and child_run_count > 0

),

children as (

    select *
    from {{ ref('fct_run_usage') }}
    where parent_run_id is not null

),

summed as (

    select
        children.workspace_id,
        children.parent_run_id,
        {%- for name in counts %}
            sum(children.total_{{ name }}) as {{ name }},
        {%- endfor %}
        {%- for name in names %}
            sum(children.{{ inclusive(name) }}) as {{ name }},
        {%- endfor %}
        max(children.descendant_run_count) as largest_descendant_run_count,
        count(*) as child_run_count,
        sum(children.descendant_run_count + 1) as descendant_run_count
    from children
    where children.run_id <> children.parent_run_id
    group by
        children.workspace_id,
        children.parent_run_id

)

select
    parents.usage_date,
    parents.workspace_id,
    parents.run_id
from parents
left join summed
    on
        parents.workspace_id = summed.workspace_id
        and parents.run_id = summed.parent_run_id
where
    coalesce(summed.largest_descendant_run_count < parents.descendant_run_count, true)
    and (
        parents.child_run_count is distinct from summed.child_run_count
        or parents.descendant_run_count is distinct from summed.descendant_run_count
        {%- for name in counts %}
            or parents.total_{{ name }} is distinct from parents.{{ name }} + summed.{{ name }}
        {%- endfor %}
        {%- for name in names %}
            or parents.{{ inclusive(name) }} is distinct from parents.own_{{ name }} + summed.{{ name }}
        {%- endfor %}
    )
