-- What a span says in the lake is what it says as a call in the fact, of one run in eight: a wrong model is wrong in many. Spans
-- of several versions, and calls that several spans tell of, are put together on the way and left out.
{{ config(meta={'dagster': {'ref': {'name': 'fct_span_usage'}}}) }}

{%- set classes = token_measures() | reject('equalto', 'total_tokens') | list %}

with landed_spans as (

    select *
    from {{ ref('stg_native__spans') }}
    where
        ({{ in_touched_span_parts() }})
        and {{ is_in_sample('run_id', 8) }}

),

facts as (

    select *
    from {{ ref('fct_span_usage') }}
    where
        {{ touched('usage_date') }}
        and billing_role = 'call'
        and {{ is_in_sample('run_id', 8) }}

),

repeated as (

    select *
    from {{ ref('int_spans__repeated') }}

),

judged as (

    select *
    from {{ ref('int_calls__judged') }}

)

-- depends_on: {{ ref('int_spans__parts') }}
select
    facts.usage_date,
    facts.workspace_id,
    facts.run_id,
    facts.span_id
from landed_spans
inner join facts
    on
        landed_spans.workspace_id = facts.workspace_id
        and landed_spans.run_id = facts.run_id
        and landed_spans.span_id = facts.span_id
left join repeated
    on
        facts.workspace_id = repeated.workspace_id
        and facts.run_id = repeated.run_id
        and facts.span_id = repeated.span_id
left join judged
    on
        facts.workspace_id = judged.workspace_id
        and facts.run_id = judged.run_id
        and facts.span_id = judged.span_id
where
    repeated.span_id is null
    and judged.span_id is null
    and facts.billing_reason <> 'own charge of the rate card'
    and (
        facts.started_at <> landed_spans.started_at
        or facts.ended_at is distinct from landed_spans.ended_at
        or facts.status is distinct from landed_spans.status
        or facts.model is distinct from landed_spans.model
        or facts.reported_provider_cost_usd is distinct from landed_spans.reported_provider_cost_usd
        or facts.reported_task_credits is distinct from landed_spans.reported_task_credits
        {%- for class in classes %}
            or facts.{{ class }} is distinct from landed_spans.{{ class }}
        {%- endfor %}
    )
