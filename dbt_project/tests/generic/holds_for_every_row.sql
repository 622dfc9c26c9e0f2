{#-
    Fails with every row that breaks a rule, once per broken rule and with the rule's name (NULL is not true). `rules`
    maps names to conditions, all judged in one scan; a single `condition` needs no name. Touched dates only, unless
    `per_date` is off.
-#}
{% test holds_for_every_row(model, condition=none, rules={}, per_date=true) %}
    {%- set named = {'condition': condition} if condition is not none else rules -%}
    {%- if not named -%}
        {{ exceptions.raise_compiler_error('holds_for_every_row judges nothing: name a condition or rules') }}
    {%- endif -%}
    with broken as (
        select *
        from {{ model }}
        where
            ({{ touched('usage_date') if per_date else 'true' }})
            and (
                {%- for rule in named.values() %}
                {{ 'or ' if not loop.first }}({{ rule }}) is not true
                {%- endfor %}
            )
    )

    {%- for name, rule in named.items() %}
    select
        '{{ name }}' as broken_rule,
        broken.*
    from broken
    where ({{ rule }}) is not true
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endtest %}
