{#
    The arithmetic of the reconciliation tests: one signed union, so that a key missing on either side shows too.
    Sums are exact and the tolerance is zero. A side is a dict of `relation`, `sign` (1 or -1), `measures` (one SQL
    expression per measure, in the order of `names`) and optionally `where`.
#}
{% macro reconciliation(keys, names, sides) %}
    with signed as (
        {%- for side in sides %}
        select
            {{ keys | join(', ') }},
            {%- for expression in side.measures %}
            {{ side.sign }} * coalesce({{ expression }}, 0) as measure_{{ loop.index }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ side.relation }}
        where
            ({{ touched('usage_date') if 'usage_date' in keys else 'true' }})
            and ({{ side.where or 'true' }})
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    )

    select
        {{ keys | join(', ') }},
        {%- for name in names %}
        sum(measure_{{ loop.index }}) as {{ name }}_difference{{ ',' if not loop.last }}
        {%- endfor %}
    from signed
    group by {{ keys | join(', ') }}
    having
        {%- for name in names %}
        {{ 'or ' if not loop.first }}sum(measure_{{ loop.index }}) <> 0
        {%- endfor %}
{% endmacro %}

{#- Names of measure groups, as the tests in YAML use them, turned into the measures. -#}
{% macro measures_of_groups(groups) %}
    {%- set known = {'call': call_measures(), 'token': token_measures(), 'money': money_measures()} -%}
    {%- set result = [] -%}
    {%- for group in groups -%}{%- do result.extend(known[group]) -%}{%- endfor -%}
    {{ return(result) }}
{% endmacro %}
