{#
    Latency: exact percentiles per day, the logarithmic histogram from which percentiles of any date range are merged,
    and the few other functions whose spelling differs between engines. Models call the undispatched name only.
#}

{#
    exact_percentile_ms(milliseconds, fraction): the smallest of the observed values at or below which at least that
    fraction of them lies (nearest rank): a value that really occurred, as BIGINT; NULL when there is none.
#}
{% macro exact_percentile_ms(milliseconds, fraction, only_when=none) -%}
    {{ adapter.dispatch('exact_percentile_ms', 'credit_usage')(milliseconds, fraction, only_when) }}
{%- endmacro %}

{% macro default__exact_percentile_ms(milliseconds, fraction, only_when) -%}
    cast(percentile_disc({{ fraction }}) within group (order by {{ milliseconds }})
    {%- if only_when %} filter (where {{ only_when }}){% endif %} as bigint)
{%- endmacro %}

{% macro duckdb__exact_percentile_ms(milliseconds, fraction, only_when) -%}
    quantile_disc({{ milliseconds }}, {{ fraction }})
    {%- if only_when %} filter (where {{ only_when }}){% endif %}
{%- endmacro %}

{#- The percentile columns that every latency mart carries, comma separated. -#}
{% macro latency_percentiles(milliseconds, only_when=none) -%}
    {%- for percent in [50, 90, 95, 99] %}
        {{ exact_percentile_ms(milliseconds, percent / 100, only_when) }} as latency_p{{ percent }}_ms
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    The histogram: bucket 0 holds durations of 0 ms (or less), bucket i >= 1 those in (1.02^(i-2), 1.02^(i-1)] ms. The
    middle of a bucket is then within 1 % of every value in it, and buckets of different days add up. Bounds are
    rounded to a millionth of a millisecond, so that the last bit of an engine's power() does not show.
#}
{% macro latency_bucket_index(milliseconds) -%}
    {{ adapter.dispatch('latency_bucket_index', 'credit_usage')(milliseconds) }}
{%- endmacro %}

{% macro default__latency_bucket_index(milliseconds) -%}
    cast(case when {{ milliseconds }} <= 0 then 0 else ceil(ln({{ milliseconds }}) / ln(1.02)) + 1 end as integer)
{%- endmacro %}

{% macro latency_bucket_lower_ms(bucket_index) -%}
    {{ adapter.dispatch('latency_bucket_lower_ms', 'credit_usage')(bucket_index) }}
{%- endmacro %}

{% macro default__latency_bucket_lower_ms(bucket_index) -%}
    cast(case when {{ bucket_index }} = 0 then 0 else round(power(1.02, {{ bucket_index }} - 2), 6) end as double)
{%- endmacro %}

{% macro latency_bucket_upper_ms(bucket_index) -%}
    {{ adapter.dispatch('latency_bucket_upper_ms', 'credit_usage')(bucket_index) }}
{%- endmacro %}

{% macro default__latency_bucket_upper_ms(bucket_index) -%}
    cast(case when {{ bucket_index }} = 0 then 0 else round(power(1.02, {{ bucket_index }} - 1), 6) end as double)
{%- endmacro %}

{#- The whole milliseconds from one timestamp to another; negative when the second is earlier. -#}
{% macro milliseconds_from(earlier, later) -%}
    {{ adapter.dispatch('milliseconds_from', 'credit_usage')(earlier, later) }}
{%- endmacro %}

{% macro default__milliseconds_from(earlier, later) -%}
    {{ exceptions.raise_compiler_error('milliseconds_from has no implementation for ' ~ target.type) }}
{%- endmacro %}

{% macro duckdb__milliseconds_from(earlier, later) -%}
    date_sub('millisecond', {{ earlier }}, {{ later }})
{%- endmacro %}

{#- The distinct non-null values of a group as a sorted list; an empty list when there is none. -#}
{% macro list_distinct_sorted(expression, only_when='true') -%}
    {{ adapter.dispatch('list_distinct_sorted', 'credit_usage')(expression, only_when) }}
{%- endmacro %}

{% macro default__list_distinct_sorted(expression, only_when) -%}
    {{ exceptions.raise_compiler_error('list_distinct_sorted has no implementation for ' ~ target.type) }}
{%- endmacro %}

{% macro duckdb__list_distinct_sorted(expression, only_when) -%}
    coalesce(
        list_sort(
            list_distinct(list({{ expression }}) filter (where ({{ only_when }}) and {{ expression }} is not null))
        ),
        []
    )
{%- endmacro %}
