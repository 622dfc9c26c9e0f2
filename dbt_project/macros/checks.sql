{#-
    Checks of a group of models in one statement: a data test each, of their own, took a fifth of a small build. A test of the project
    that calls `all_checks` fails with every row that breaks one of its checks, as (check_name, failing_row); the names of all of them
    are in its meta, so that each is judged and told by its name (`orchestration.warehouse.checks`).
-#}

{#- The statement of a test: a list of checks, each made by one of the macros below. -#}
{% macro all_checks(checks, shown_at) -%}
    {%- set names = checks | map(attribute="name") | list -%}
    {%- if names | unique | list | length != names | length -%}
        {{ exceptions.raise_compiler_error("two checks of one name: " ~ names | join(", ")) }}
    {%- endif -%}
    {{ config(meta={"checks": names, "dagster": {"ref": {"name": shown_at}}}) }}
    {%- for check in checks %}
    select
        '{{ check.name }}' as check_name,
        {{ row_as_text("failing") }} as failing_row
    from (
        {{ check.sql }}
    ) as failing
    {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    Fails with every row that breaks a rule, and the name of the first that it breaks (NULL is not true). `rules` maps
    names to conditions, all judged in one scan; a single `condition` needs no name. Touched dates only, unless `per_date`
    is off.
-#}
{% macro holds_for_every_row(name, model, condition=none, rules={}, per_date=true) -%}
    {%- set named = {"condition": condition} if condition is not none else rules -%}
    {%- if not named -%}
        {{ exceptions.raise_compiler_error(name ~ " judges nothing: name a condition or rules") }}
    {%- endif -%}
    {%- set sql -%}
        select
            case
                {%- for rule_name, rule in named.items() %}
                when ({{ rule }}) is not true then '{{ rule_name }}'
                {%- endfor %}
            end as broken_rule,
            checked.*
        from {{ ref(model) }} as checked
        where
            ({{ touched("usage_date") if per_date else "true" }})
            and not (
                {%- for rule in named.values() %}
                {{ "and " if not loop.first }}({{ rule }}) is true
                {%- endfor %}
            )
    {%- endset -%}
    {{ return({"name": name, "sql": sql}) }}
{%- endmacro %}

{#- Fails with every key that occurs more than once; NULL counts as a value. Touched dates only. -#}
{% macro unique_key(name, model, columns) -%}
    {%- set sql -%}
        select
            {{ columns | join(", ") }},
            count(*) as row_count
        from {{ ref(model) }}
        where {{ touched("usage_date") }}
        group by {{ columns | join(", ") }}
        having count(*) > 1
    {%- endset -%}
    {{ return({"name": name, "sql": sql}) }}
{%- endmacro %}

{#-
    Fails with every key that the model does not have exactly as often as the relation it is made of (`of`): a join that
    multiplied rows, or lost them. Touched dates only, so usage_date must be one of the columns.
-#}
{% macro no_fan_out(name, model, of, columns, of_where="true") -%}
    {%- set sql -%}
        select
            {{ columns | join(", ") }},
            sum(row_sign) as surplus_rows
        from (
            select
                {{ columns | join(", ") }},
                1 as row_sign
            from {{ ref(model) }}
            where {{ touched("usage_date") }}
            union all
            select
                {{ columns | join(", ") }},
                -1 as row_sign
            from {{ ref(of) }}
            where
                ({{ touched("usage_date") }})
                and ({{ of_where }})
        ) as signed
        group by {{ columns | join(", ") }}
        having sum(row_sign) <> 0
    {%- endset -%}
    {{ return({"name": name, "sql": sql}) }}
{%- endmacro %}

{#-
    Fails with every key whose sums differ between the model (plus a third relation, where one is named) and `to`:
    zero tolerance, both directions. `groups` (call, token, money) compares the measures of measures.sql by name, in
    `to` with `to_prefix`; `measures` maps further expressions of the model to expressions of `to`. Restricted to the
    touched dates where usage_date is one of the keys.
-#}
{% macro reconciles_to(
    name, model, to, groups=[], measures={}, to_prefix="", model_where=none, to_where=none, plus=none, plus_where=none,
    keys=["usage_date", "workspace_id"]
) -%}
    {%- set grouped = measures_of_groups(groups) -%}
    {%- set ours = grouped + (measures.keys() | list) -%}
    {%- set theirs = prefixed(grouped, to_prefix) + (measures.values() | list) -%}
    {%- set names = [] -%}
    {%- for expression in ours -%}
        {%- do names.append(expression if loop.index <= grouped | length else "measure_" ~ loop.index) -%}
    {%- endfor -%}
    {%- if not ours -%}
        {{ exceptions.raise_compiler_error(name ~ " compares nothing: name groups or measures") }}
    {%- endif -%}
    {%- set sides = [
        {"relation": ref(model), "sign": 1, "measures": ours, "where": model_where},
        {"relation": ref(to), "sign": -1, "measures": theirs, "where": to_where},
    ] -%}
    {%- if plus is not none -%}
        {%- do sides.append({"relation": ref(plus), "sign": 1, "measures": ours, "where": plus_where}) -%}
    {%- endif -%}
    {{ return({"name": name, "sql": reconciliation(keys, names, sides)}) }}
{%- endmacro %}

{#- A row of a relation as one text. -#}
{% macro row_as_text(relation) -%}
    {{ adapter.dispatch("row_as_text", "credit_usage")(relation) }}
{%- endmacro %}

{% macro duckdb__row_as_text(relation) -%}
    cast({{ relation }} as varchar)
{%- endmacro %}
