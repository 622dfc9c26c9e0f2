{#-
    What a call costs at the provider and in credits: the quantity of each meter on a span, and the arithmetic. The meters are those of
    `orchestration/pricing/meters.py` (a test compares the names); which rates apply is decided there and joined by price_set_id.
-#}

{#- Meter → its quantity on a span (units). Parts never exceed their whole; what is not in a part belongs to the first meter. -#}
{% macro meter_quantities() -%}
    {%- set input_rest = "greatest(coalesce(input_tokens, 0) - coalesce(cached_tokens, 0) - coalesce(cache_write_tokens, 0), 0)" -%}
    {%- set audio = "least(coalesce(audio_input_tokens, 0), " ~ input_rest ~ ")" -%}
    {%- set image = "least(coalesce(image_input_tokens, 0), " ~ input_rest ~ " - " ~ audio ~ ")" -%}
    {{ return({
        "uncached_input": "(" ~ input_rest ~ " - " ~ audio ~ " - " ~ image ~ ")",
        "cached_input": "coalesce(cached_tokens, 0)",
        "cache_write_5m": "greatest(coalesce(cache_write_tokens, 0) - coalesce(cache_write_1h_tokens, 0), 0)",
        "cache_write_1h": "least(coalesce(cache_write_1h_tokens, 0), coalesce(cache_write_tokens, 0))",
        "audio_input": audio,
        "image_input": image,
        "output": "greatest(coalesce(output_tokens, 0) - coalesce(reasoning_tokens, 0) - coalesce(audio_output_tokens, 0), 0)",
        "reasoning": "coalesce(reasoning_tokens, 0)",
        "audio_output": "coalesce(audio_output_tokens, 0)",
        "image_output": "coalesce(image_tokens, 0)",
        "citation": "coalesce(citation_tokens, 0)",
        "image": "case when span_kind = 'image_generation' then coalesce(units, 0) else 0 end",
        "web_search": "coalesce(web_search_count, 0)",
        "request": "1",
    }) }}
{%- endmacro %}

{#- Meters that cost nothing where a model has no price for them: providers charge for them by exception only. -#}
{% macro meters_free_without_a_price() %}
    {{ return(["citation", "image", "request"]) }}
{% endmacro %}

{#- Meters whose rate may be another meter's as a guess; `is_<meter>_guessed` says so. -#}
{% macro guessable_meters() %}
    {{ return(["cached_input", "cache_write_5m", "cache_write_1h"]) }}
{% endmacro %}

{#- Join condition: the price set in force for a request of these names, at its start, with its whole input. -#}
{% macro price_set_applies(span, model_name, price_set) -%}
    {{ price_set }}.price_key = {{ model_name }}.price_key
    and {{ span }}.started_at >= {{ price_set }}.valid_from
    and {{ span }}.started_at < {{ price_set }}.valid_to
    and {{ second_of_day(span ~ ".started_at") }} >= {{ price_set }}.daily_from_s
    and {{ second_of_day(span ~ ".started_at") }} < {{ price_set }}.daily_to_s
    and coalesce({{ span }}.input_tokens, 0) > {{ price_set }}.above_input_tokens
    and coalesce({{ span }}.input_tokens, 0) <= {{ price_set }}.up_to_input_tokens
{%- endmacro %}

{#- Join condition: the resolution of a span's names. -#}
{% macro is_named(span, model_name) -%}
    coalesce({{ span }}.provider, '') = {{ model_name }}.provider_name
    and coalesce({{ span }}.model, '') = {{ model_name }}.model_name
    and coalesce({{ span }}.response_model, '') = {{ model_name }}.response_model_name
    and coalesce({{ span }}.service_tier, '') = {{ model_name }}.service_tier
{%- endmacro %}

{#- The quantities as columns, `<meter>_units`: worked out once, used by everything below. -#}
{% macro meter_columns() -%}
    {%- for meter, quantity in meter_quantities().items() %}
        {{ quantity }} as {{ meter }}_units{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Σ quantity × rate in USD, exact, rounded half-even once to 12 decimals. Rates have 18: a price per million has up to 12. -#}
{% macro metered_cost() -%}
    {%- set terms = [] -%}
    {%- for meter in meter_quantities() -%}
        {%- do terms.append("cast(" ~ meter ~ "_units as decimal(38, 0)) * coalesce(" ~ meter ~ "_usd, 0)") -%}
    {%- endfor -%}
    {{ half_even(terms | join(" + "), 12) }}
{%- endmacro %}

{#- Condition: some of the usage has no price at all. -#}
{% macro has_unpriced_part() -%}
    (
    {%- set conditions = [] -%}
    {%- for meter in meter_quantities() if meter not in meters_free_without_a_price() -%}
        {%- do conditions.append("(" ~ meter ~ "_usd is null and " ~ meter ~ "_units > 0)") -%}
    {%- endfor -%}
    {{ conditions | join(" or ") }}
    )
{%- endmacro %}

{#- Condition: some of the usage has a price. A call that is charged as such counts only with usage of its own. -#}
{% macro has_priced_part() -%}
    (
    {%- set conditions = [] -%}
    {%- for meter in meter_quantities() if meter != "request" -%}
        {%- do conditions.append("(" ~ meter ~ "_usd is not null and " ~ meter ~ "_units > 0)") -%}
    {%- endfor -%}
    {{ conditions | join(" or ") }}
    )
{%- endmacro %}

{#- Condition: some of the usage is priced at another meter's rate although providers differ on it. -#}
{% macro has_guessed_part() -%}
    (
    {%- set conditions = [] -%}
    {%- for meter in guessable_meters() -%}
        {%- do conditions.append("(is_" ~ meter ~ "_guessed and " ~ meter ~ "_units > 0)") -%}
    {%- endfor -%}
    {{ conditions | join(" or ") }}
    )
{%- endmacro %}

{#- The service that the rate card knows a span by: its own, else what its kind says; a step of a direct workflow run has one too. -#}
{% macro service_of(span, run) -%}
    coalesce(
        {{ span }}.service,
        case
            when {{ span }}.span_kind in ('completion', 'embedding') then 'AI Model'
            when {{ span }}.span_kind = 'image_generation' then 'Image Generation'
            when {{ span }}.span_kind = 'step' and {{ run }}.run_type = 'workflow' and {{ run }}.delivery = 'direct'
                then 'Workflow Step'
        end
    )
{%- endmacro %}

{#- Condition: a search that the rate card calls deep. Only spans with a service that is no model call have their attributes opened. -#}
{% macro is_deep_search(span) -%}
    case
        when {{ span }}.service is null or {{ span }}.attributes is null then false
        when {{ span }}.span_kind in ('completion', 'embedding', 'image_generation') then false
        else
            coalesce(
                {{ json_number(span ~ ".attributes", "depth") }},
                {{ json_number(span ~ ".attributes", "search_depth") }},
                0
            ) > 40
            or coalesce({{ json_text(span ~ ".attributes", "backup_search") }}, 'false') = 'true'
    end
{%- endmacro %}

{#- Condition: two costs are more than 1 % of the greater apart. -#}
{% macro differs(one, other) -%}
    (abs({{ one }} - {{ other }}) * 100 > greatest({{ one }}, {{ other }}))
{%- endmacro %}

{#- The rate card of a span: its workspace's choice, else the platform's for what the platform itself exported, else none. -#}
{% macro rate_card_of(span, workspace) -%}
    coalesce({{ workspace }}.rate_card, case when {{ span }}.source_format = 'native' then 'platform' else 'none' end)
{%- endmacro %}

{#- Join condition: the rate in force. `card`, `service`, `payer`, `is_deep` are expressions. -#}
{% macro rate_set_applies(span, rate_set, card, service, payer, is_deep) -%}
    {{ card }} = {{ rate_set }}.rate_card
    and lower(trim({{ service }})) = {{ rate_set }}.service_key
    and {{ payer }} = {{ rate_set }}.charge_type
    and {{ is_deep }} = {{ rate_set }}.is_deep
    and {{ span }}.started_at >= {{ rate_set }}.valid_from
    and {{ span }}.started_at < {{ rate_set }}.valid_to
{%- endmacro %}
