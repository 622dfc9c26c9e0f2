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

{#- The three checks of a mart with a row for each run of a type: none lost or multiplied, and the parts of tokens and cost add up. -#}
{% macro rows_of_runs(mart, run_type) -%}
    {{ return([
        no_fan_out(
            mart ~ "__one_row_per_run",
            mart,
            of="fct_run_usage",
            columns=["usage_date", "workspace_id", "run_id"],
            of_where="run_type = '" ~ run_type ~ "'"
        ),
        holds_for_every_row(
            mart ~ "__token_split_adds_up",
            mart,
            condition="own_total_tokens + own_image_tokens + child_runs_total_tokens = total_tokens"
        ),
        holds_for_every_row(
            mart ~ "__cost_split_adds_up",
            mart,
            condition="own_cost_usd + image_generation_cost_usd + child_runs_cost_usd = total_cost_usd"
        ),
    ]) }}
{%- endmacro %}

{#- Latency percentiles of a mart ascend, where it has any. -#}
{% macro percentiles_ascend(mart) -%}
    {{ return(holds_for_every_row(
        mart ~ "__percentiles_ascend",
        mart,
        condition="
            latency_p50_ms is null
            or (latency_p50_ms <= latency_p90_ms and latency_p90_ms <= latency_p95_ms and latency_p95_ms <= latency_p99_ms)
        "
    )) }}
{%- endmacro %}

{#-
    A histogram's buckets are so narrow that the middle of one is within one percent of each value in it: exactly one percent, so that the
    last digits of a double (1e-16 of it, 2e-6 ms from 215 days on) must not decide.
-#}
{% macro buckets_are_narrow(mart) -%}
    {{ return(holds_for_every_row(
        mart ~ "__bucket_middle_within_one_percent",
        mart,
        condition="bucket_index = 0 or (bucket_upper_ms - bucket_lower_ms) / 2 <= 0.010000001 * bucket_lower_ms + 0.000002"
    )) }}
{%- endmacro %}

{#- The call measures (measures.sql), each with what it counts of spans. -#}
{% macro call_measures_of_spans() -%}
    {{ return({
        "call_count": "case when billing_role = 'call' then 1 else 0 end",
        "failed_call_count": "case when billing_role = 'call' and status = 'failed' then 1 else 0 end",
        "unpriced_call_count": "case when cost_source = 'unpriced' then 1 else 0 end",
        "unknown_usage_call_count": "case when is_usage_unknown then 1 else 0 end",
        "unpriced_total_tokens": "case when cost_source = 'unpriced' then total_tokens else 0 end",
    }) }}
{%- endmacro %}

{#- A row of a relation as one text. -#}
{% macro row_as_text(relation) -%}
    {{ adapter.dispatch("row_as_text", "credit_usage")(relation) }}
{%- endmacro %}

{% macro duckdb__row_as_text(relation) -%}
    cast({{ relation }} as varchar)
{%- endmacro %}
