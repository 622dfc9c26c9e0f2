-- Latency percentiles and the histograms beside them say the same: each percentile lies within the buckets of the ranks that it
-- is between, and a histogram holds no more than completed (fewer, where some do not say when they ended). One millisecond either
-- way is rounding.
{{ config(meta={'dagster': {'ref': {'name': 'mart_analytics__model_observability'}}}) }}

{%- set surfaces = [
    {
        'mart': ref('mart_analytics__model_observability'),
        'histogram': ref('mart_analytics__model_latency_histogram'),
        'keys': ['provider', 'model'],
        'count': 'call_count',
        'completed': 'completed_call_count',
        'percentiles': {'latency_p50_ms': 0.5, 'latency_p90_ms': 0.9, 'latency_p95_ms': 0.95, 'latency_p99_ms': 0.99},
    },
    {
        'mart': ref('mart_analytics__trace_performance'),
        'histogram': ref('mart_analytics__run_latency_histogram'),
        'keys': ['run_type'],
        'count': 'run_count',
        'completed': none,
        'percentiles': {'latency_p50_ms': 0.5, 'latency_p90_ms': 0.9, 'latency_p95_ms': 0.95, 'latency_p99_ms': 0.99},
    },
    {
        'mart': ref('mart_analytics__span_performance'),
        'histogram': ref('mart_analytics__span_latency_histogram'),
        'keys': ['span_name', 'span_kind'],
        'count': 'span_count',
        'completed': none,
        'percentiles': {'latency_p95_ms': 0.95},
    },
] %}

with

{%- for surface in surfaces %}
    {%- set keys = ['usage_date', 'workspace_id'] + surface['keys'] %}

    buckets_{{ loop.index }} as (

        select
            {{ keys | join(', ') }},
            bucket_lower_ms,
            bucket_upper_ms,
            sum({{ surface['count'] }}) over (partition by {{ keys | join(', ') }} order by bucket_index) as reached_count,
            sum({{ surface['count'] }}) over (partition by {{ keys | join(', ') }}) as total_count
        from {{ surface['histogram'] }}
        where {{ touched('usage_date') }}

    ),

    expected_{{ loop.index }} as (

        select
            {{ keys | join(', ') }},
            max(total_count) as total_count,
        {%- for name, share in surface['percentiles'].items() %}
            min(bucket_lower_ms) filter (where reached_count >= floor((total_count - 1) * {{ share }}) + 1)
            - 1 as {{ name }}_from,
            min(bucket_upper_ms) filter (where reached_count >= ceil((total_count - 1) * {{ share }}) + 1) + 1 as {{ name }}_to
            {{- ',' if not loop.last }}
        {%- endfor %}
        from buckets_{{ loop.index }}
        group by {{ keys | join(', ') }}

    ),

    differing_{{ loop.index }} as (

        select
            mart.usage_date,
            mart.workspace_id,
            '{{ surface['keys'] | join(', ') }}' as mart_keys
        from {{ surface['mart'] }} as mart
        inner join expected_{{ loop.index }} as expected
            on
                {%- for key in keys %}
                    {{ 'and ' if not loop.first }}mart.{{ key }} is not distinct from expected.{{ key }}
                {%- endfor %}
        where
            {%- if surface['completed'] %}
                mart.{{ surface['completed'] }} < expected.total_count or
            {%- endif %}
            {%- for name in surface['percentiles'] %}
                {{ 'or ' if not loop.first }}mart.{{ name }} not between expected.{{ name }}_from and expected.{{ name }}_to
            {%- endfor %}

    ){{ ',' if not loop.last }}
{%- endfor %}

{%- for surface in surfaces %}

    select *
    from differing_{{ loop.index }}
    {{ 'union all' if not loop.last }}
{%- endfor %}
