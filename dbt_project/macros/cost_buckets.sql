{#
    The decades of the cost distribution as a relation: bucket 0 is "no cost" (0 USD or less), bucket i >= 1 holds costs
    from 10^(i-13) up to, not including, 10^(i-12) USD. The first decade starts at the smallest amount that
    DECIMAL(38,12) can hold, the last is open, so every cost has exactly one bucket. Bounds are written out as decimals:
    log10() would put a cost of exactly one cent into either neighbour.
#}
{% macro decade_cost_buckets() -%}
    select
        0 as bucket_index,
        cast(0 as decimal(38, 12)) as bucket_lower_usd,
        cast(0 as decimal(38, 12)) as bucket_upper_usd
    {%- for exponent in range(-12, 26) %}
    union all
    select
        {{ exponent + 13 }} as bucket_index,
        cast({{ power_of_ten(exponent) }} as decimal(38, 12)) as bucket_lower_usd,
        cast({{ power_of_ten(exponent + 1) if exponent < 25 else 'null' }} as decimal(38, 12)) as bucket_upper_usd
    {%- endfor %}
{%- endmacro %}

{#- 10^exponent as a decimal literal. -#}
{% macro power_of_ten(exponent) -%}
    {{ '1' ~ '0' * exponent if exponent >= 0 else '0.' ~ '0' * (-exponent - 1) ~ '1' }}
{%- endmacro %}
