{#- What counts as usage on a span as it was reported, before any judgement about billing. -#}

{#- Tokens of any class, or a cost. -#}
{% macro has_provider_usage(relation="") -%}
    {%- set prefix = relation ~ "." if relation else "" -%}
    (
        {%- for measure in token_measures() if measure != "total_tokens" %}
        {{ prefix }}{{ measure }} is not null or
        {%- endfor %}
        {{ prefix }}reported_provider_cost_usd is not null
    )
{%- endmacro %}

{#- A span that stands for the work below it, so that usage on it may repeat that of its calls. -#}
{% macro is_wrapper(relation="") -%}
    {%- set prefix = relation ~ "." if relation else "" -%}
    ({{ prefix }}span_kind in ('run', 'step', 'agent'))
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

{#- How many of these columns hold something. -#}
{% macro count_of_present(names, relation) -%}
    (
        {%- for name in names %}
        case when {{ relation }}.{{ name }} is not null then 1 else 0 end{{ " +" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
