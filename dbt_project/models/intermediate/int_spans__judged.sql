-- Grain: one row per span of the touched dates (workspace_id, run_id, span_id), its call's words merged. Not additive.
{{
    config(
        materialized='view',
        schema='staging',
        persist_docs={'relation': false, 'columns': false},
    )
}}

with spans as (

    select *
    from {{ ref('int_spans__current') }}

),

judged as (

    select *
    from {{ ref('int_calls__judged') }}
    where {{ touched('usage_date') }}

)

-- depends_on: {{ ref('int_dates__touched') }}
select
    {{ all_but('spans', words_of_calls() + usage_classes()) }},
    {%- for name in words_of_calls() + usage_classes() %}
        case when judged.is_merged then judged.{{ name }} else spans.{{ name }} end as {{ name }},
    {%- endfor %}
    judged.billing_role as judged_role,
    judged.billing_reason as judged_reason,
    judged.billed_run_id as judged_run_id,
    judged.billed_span_id as judged_span_id,
    judged.billing_flags
from spans
left join judged
    on
        spans.workspace_id = judged.workspace_id
        and spans.run_id = judged.run_id
        and spans.span_id = judged.span_id
