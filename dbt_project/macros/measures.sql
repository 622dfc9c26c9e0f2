{#
    The additive measures, listed once: every fact and mart that carries them renders them from here, so that a new
    token class or cost part cannot be forgotten in one of them. Types: money DECIMAL(38,12), credits DECIMAL(38,6),
    everything else BIGINT; a sum is cast back because the engines widen it.
#}

{% macro call_measures() %}
    {{ return([
        'call_count', 'failed_call_count', 'unpriced_call_count', 'unknown_usage_call_count', 'unpriced_total_tokens',
    ]) }}
{% endmacro %}

{% macro token_measures() %}
    {{ return([
        'input_tokens', 'cached_tokens', 'cache_write_tokens', 'output_tokens', 'reasoning_tokens', 'image_tokens',
        'citation_tokens', 'audio_input_tokens', 'audio_output_tokens', 'total_tokens',
    ]) }}
{% endmacro %}

{#- What a span reports of a call's usage, total_tokens left out: it is made of these. -#}
{% macro usage_classes() %}
    {{ return(
        token_measures() | reject('equalto', 'total_tokens') | list
        + ['cache_write_1h_tokens', 'image_input_tokens', 'web_search_count']
    ) }}
{% endmacro %}

{% macro money_measures() %}
    {{ return([
        'provider_cost_usd', 'wallet_cost_usd', 'external_cost_usd', 'task_credits', 'task_credit_cost_usd',
        'total_cost_usd',
    ]) }}
{% endmacro %}

{#- What a total of money lacks: calls whose provider charge is unknown, and their tokens. Every page shows them beside it. -#}
{% macro unpriced_measures() %}
    {{ return(['unpriced_call_count', 'unpriced_total_tokens']) }}
{% endmacro %}

{#- The token classes of the per-user facts: no audio, which no user surface shows. -#}
{% macro user_token_measures() %}
    {{ return(token_measures() | reject('in', ['audio_input_tokens', 'audio_output_tokens', 'total_tokens']) | list) }}
{% endmacro %}

{#- What of the workspace total belongs to orphans: shown as its own line, never smeared over the rest. -#}
{% macro unattributed_measures() %}
    {{ return([
        'call_count', 'unpriced_call_count', 'unpriced_total_tokens', 'total_tokens', 'task_credits', 'total_cost_usd',
        'external_cost_usd', 'provider_cost_usd',
    ]) }}
{% endmacro %}

{% macro prefixed(names, prefix) %}
    {%- set result = [] -%}
    {%- for name in names -%}{%- do result.append(prefix ~ name) -%}{%- endfor -%}
    {{ return(result) }}
{% endmacro %}

{% macro measure_type(measure) -%}
    {%- if measure.endswith('task_credits') -%} decimal(38, 6)
    {%- elif measure.endswith('_usd') -%} decimal(38, 12)
    {%- else -%} bigint
    {%- endif -%}
{%- endmacro %}

{#- sum(expression) as name, exact, never null; `only_when` sums the rows that fulfil a condition. -#}
{% macro sum_as(expression, name, only_when=none) -%}
    {%- set filtered = ' filter (where ' ~ only_when ~ ')' if only_when else '' -%}
    cast(coalesce(sum({{ expression }}){{ filtered }}, 0) as {{ measure_type(name) }}) as {{ name }}
{%- endmacro %}

{#- A comma-separated list of sums. `from_prefix` / `to_prefix` map e.g. own_input_tokens to input_tokens. -#}
{% macro sums(measures, from_prefix='', to_prefix='', only_when=none) -%}
    {%- for measure in measures %}
        {{ sum_as(from_prefix ~ measure, to_prefix ~ measure, only_when) }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A comma-separated list of plain columns. -#}
{% macro columns(names, relation=none) -%}
    {%- for name in names %}
        {{ relation ~ '.' if relation }}{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Measures of the side of an outer join that may have no row. -#}
{% macro zero_when_missing(names, relation) -%}
    {%- for name in names %}
        coalesce({{ relation }}.{{ name }}, 0) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A count as BIGINT; `only_when` counts the rows that fulfil a condition. -#}
{% macro count_as(name, only_when=none) -%}
    cast(count(*){% if only_when %} filter (where {{ only_when }}){% endif %} as bigint) as {{ name }}
{%- endmacro %}

{#
    exact_ratio(numerator, denominator, scale): numerator × multiplier ÷ denominator as DECIMAL(38, scale), computed in
    whole numbers and rounded once, half away from zero; NULL when the denominator is not positive. The numerator may
    be a DECIMAL with up to 12 places or a whole number, the denominator must be a whole number. `/` and avg() would
    go through binary floats.
#}
{% macro exact_ratio(numerator, denominator, scale, multiplier=1) -%}
    {{ adapter.dispatch('exact_ratio', 'credit_usage')(numerator, denominator, scale, multiplier) }}
{%- endmacro %}

{% macro default__exact_ratio(numerator, denominator, scale, multiplier) -%}
    {{ exceptions.raise_compiler_error('exact_ratio has no implementation for ' ~ target.type) }}
{%- endmacro %}

{#- HUGEINT holds 38 digits. The whole and the fractional part are scaled apart, because a DECIMAL(38,12) times 10^12
    overflows from 10^14 on. round(n ÷ d), half up, is (2n + d) // 2d; the sign is set aside for it. -#}
{% macro duckdb__exact_ratio(numerator, denominator, scale, multiplier) -%}
    {%- set n -%} abs(cast({{ numerator }} as decimal(38, 12))) {%- endset -%}
    {%- set units -%}
        (cast(trunc({{ n }}) as hugeint) * 1000000000000
        + cast(({{ n }} - trunc({{ n }})) * 1000000000000 as hugeint))
    {%- endset -%}
    {%- set d -%} cast({{ denominator }} as hugeint) {%- endset -%}
    {%- set up = 10 ** ([scale - 12, 0] | max) * multiplier -%}
    {%- set down = 10 ** ([12 - scale, 0] | max) -%}
    case
        when {{ denominator }} > 0
            then cast(
                sign({{ numerator }}) * (
                    (2 * {{ units }} * {{ up }} + {{ d }} * {{ down }})
                    // (2 * {{ d }} * {{ down }})
                ) as decimal(38, 0)
            ) * cast({{ power_of_ten(-scale) }} as decimal(38, {{ scale }}))
    end
{%- endmacro %}

{#- 1 for the greatest of a day and workspace, ties share a rank; NULL for the row without a user. -#}
{% macro rank_of_tracked_users(measure) -%}
    case
        when user_id is not null
            then cast(
                rank() over (
                    partition by usage_date, workspace_id, user_id is null
                    order by {{ measure }} desc
                ) as bigint
            )
    end
{%- endmacro %}
