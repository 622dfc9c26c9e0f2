{#
    Fails with every key whose sums differ between the model (plus a third relation, where one is named) and `to`:
    zero tolerance, both directions. `groups` (call, token, money) compares the measures of measures.sql by name, in
    `to` with `to_prefix`; `measures` maps further expressions of the model to expressions of `to`. Restricted to the
    touched dates where usage_date is one of the keys.
#}
{% test reconciles_to(
    model, to, groups=[], measures={}, to_prefix='', model_where=none, to_where=none, plus=none, plus_where=none,
    keys=['usage_date', 'workspace_id']
) %}
    {%- set grouped = measures_of_groups(groups) -%}
    {%- set ours = grouped + (measures.keys() | list) -%}
    {%- set theirs = prefixed(grouped, to_prefix) + (measures.values() | list) -%}
    {%- set names = [] -%}
    {%- for expression in ours -%}
        {%- do names.append(expression if loop.index <= grouped | length else 'measure_' ~ loop.index) -%}
    {%- endfor -%}
    {%- if not ours -%}
        {{ exceptions.raise_compiler_error('reconciles_to compares nothing: name groups or measures') }}
    {%- endif -%}
    {%- set sides = [
        {'relation': model, 'sign': 1, 'measures': ours, 'where': model_where},
        {'relation': to, 'sign': -1, 'measures': theirs, 'where': to_where},
    ] -%}
    {%- if plus is not none -%}
        {%- do sides.append({'relation': plus, 'sign': 1, 'measures': ours, 'where': plus_where}) -%}
    {%- endif -%}
    {{ reconciliation(keys, names, sides) }}
{% endtest %}
