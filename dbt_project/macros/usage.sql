{#- What counts as usage on a span as it was reported, before any judgement about billing. -#}

{% macro has_provider_usage(relation="") -%}
    {%- set prefix = relation ~ "." if relation else "" -%}
    {{ prefix }}input_tokens is not null
    or {{ prefix }}output_tokens is not null
    or {{ prefix }}image_tokens is not null
    or {{ prefix }}reported_provider_cost_usd is not null
{%- endmacro %}

{% macro has_usage(relation="") -%}
    {%- set prefix = relation ~ "." if relation else "" -%}
    ({{ has_provider_usage(relation) }} or {{ prefix }}reported_task_credits is not null)
{%- endmacro %}

{#- A tool call: a span of kind tool, or a billed call of anything but a model, the run's own charge (kinds run, agent, step) left
    out. Duplicates are the same call seen twice. -#}
{% macro is_tool_call() -%}
    (
        billing_role <> 'duplicate'
        and (
            span_kind = 'tool'
            or (billing_role = 'call' and not is_model_call and span_kind not in ('run', 'agent', 'step'))
        )
    )
{%- endmacro %}

{#- The inclusive name of a measure: total_ before it, once (total_cost_usd stays total_cost_usd). -#}
{% macro inclusive(measure) -%}
    {{ measure if measure.startswith("total_") else "total_" ~ measure }}
{%- endmacro %}
