-- Who has more on a day has no worse rank.
{{ config(meta={'dagster': {'ref': {'name': 'mart_analytics__top_users'}}}) }}

with users as (

    select *
    from {{ ref('mart_analytics__top_users') }}
    where
        {{ touched('usage_date') }}
        and user_id is not null

)

{%- for rank, measure in [
    ('cost_rank', 'total_cost_usd'),
    ('request_rank', 'run_count'),
    ('token_rank', 'total_tokens'),
] %}

    select
        usage_date,
        workspace_id,
        '{{ rank }}' as wrong_rank
    from (
        select
            usage_date,
            workspace_id,
            {{ measure }} as measure,
            lag({{ measure }})
                over (partition by usage_date, workspace_id order by {{ rank }} asc, {{ measure }} desc)
                as measure_before
        from users
    ) as ranked
    where measure > measure_before

    {{ 'union all' if not loop.last }}
{%- endfor %}
