{#-
    Spark's spelling of what engine.sql, calls.sql, latency.sql, measures.sql and anomalies.sql dispatch. What it counts on is set where the
    session is made (`orchestration/warehouse/spark_session.py`): ANSI mode, UTC, timestamps without a zone, decimals that keep their places.
-#}

{% macro spark__date_in_time_zone(utc_timestamp, time_zone) -%}
    cast(convert_timezone('UTC', {{ time_zone }}, {{ utc_timestamp }}) as date)
{%- endmacro %}

{% macro spark__latest_batch(version_at, batch_seq) -%}
    {{ at_latest_batch(batch_seq, version_at, batch_seq) }}
{%- endmacro %}

{% macro spark__at_latest_batch(value, version_at, batch_seq) -%}
    max_by({{ value }}, struct({{ version_at }}, {{ batch_seq }}))
{%- endmacro %}

{% macro spark__is_in_sample(text, parts) -%}
    pmod(xxhash64({{ text }}), {{ parts }}) = 0
{%- endmacro %}

{% macro spark__row_as_text(relation) -%}
    to_json(struct({{ relation }}.*))
{%- endmacro %}

{% macro spark__half_even(value, places) -%}
    cast(bround({{ value }}, {{ places }}) as decimal(38, {{ places }}))
{%- endmacro %}

{% macro spark__json_number(json, key) -%}
    try_cast(get_json_object({{ json }}, '$.{{ key }}') as double)
{%- endmacro %}

{% macro spark__json_text(json, key) -%}
    get_json_object({{ json }}, '$.{{ key }}')
{%- endmacro %}

{% macro spark__list_in_order(value, sorted_by) -%}
    transform(array_sort(collect_list(struct({{ sorted_by }} as place, {{ value }} as value))), entry -> entry.value)
{%- endmacro %}

{% macro spark__text_in_order(value, separator, sorted_by) -%}
    array_join({{ list_in_order(value, sorted_by) }}, '{{ separator }}')
{%- endmacro %}

{% macro spark__first_present(value, sorted_by) -%}
    min_by({{ value }}, {{ sorted_by }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro spark__unnested_with_place(list, relation, name) -%}
    lateral inline(transform({{ list }}, (entry, place) -> struct(entry, place + 1))) as {{ relation }} ({{ name }}, place)
{%- endmacro %}

{% macro spark__lists_overlap(one, other) -%}
    arrays_overlap({{ one }}, {{ other }})
{%- endmacro %}

{% macro spark__list_holds(list, value) -%}
    array_contains({{ list }}, {{ value }})
{%- endmacro %}

{% macro spark__no_texts() -%}
    cast(array() as array<string>)
{%- endmacro %}

{% macro spark__all_but(relation, names) -%}
    {{ relation }}.* except ({{ names | join(", ") }})
{%- endmacro %}

{% macro spark__text_matches(text, pattern) -%}
    ({{ text }}) rlike '{{ pattern }}'
{%- endmacro %}

{% macro spark__whole_text_matches(text, pattern) -%}
    ({{ text }}) rlike '^({{ pattern }})$'
{%- endmacro %}

{% macro spark__days_from(earlier, later) -%}
    datediff({{ later }}, {{ earlier }})
{%- endmacro %}

{% macro spark__iso_weekday(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}

{#- Spark has no percentile over a moving window: the window's values as a sorted list, and the middle one of it. -#}
{% macro spark__lower_middle_over(value, window) -%}
    {%- set sorted -%} array_sort(collect_list({{ value }}) over ({{ window }})) {%- endset -%}
    get({{ sorted }}, cast((size({{ sorted }}) - 1) div 2 as int))
{%- endmacro %}

{% macro spark__median_over(value, window) -%}
    {%- set sorted -%} array_sort(collect_list({{ value }}) over ({{ window }})) {%- endset -%}
    (
        get({{ sorted }}, cast((size({{ sorted }}) - 1) div 2 as int)) * cast(0.5 as double)
        + get({{ sorted }}, cast(size({{ sorted }}) div 2 as int)) * cast(0.5 as double)
    )
{%- endmacro %}

{% macro spark__calendar_days(first, last) -%}
    lateral explode(sequence({{ first }}, {{ last }}, interval 1 day)) as calendar (day)
{%- endmacro %}

{#- The metadata is flat: a key of it cannot stand within another value, because quotes in texts are escaped. The session's comes last. -#}
{% macro spark__with_session(user_metadata, session_id) -%}
    case
        when {{ session_id }} is null then {{ user_metadata }}
        else concat(
            '{',
            array_join(
                filter(
                    array(
                        nullif(trim(both ',' from regexp_replace(
                            substring({{ user_metadata }}, 2, length({{ user_metadata }}) - 2),
                            ',?"session_id":("([^"\\\\]|\\\\.)*"|[^,]*)',
                            ''
                        )), ''),
                        substring(
                            to_json(named_struct('session_id', {{ session_id }})),
                            2,
                            length(to_json(named_struct('session_id', {{ session_id }}))) - 2
                        )
                    ),
                    entry -> entry is not null
                ),
                ','
            ),
            '}'
        )
    end
{%- endmacro %}

{#- The remainder is taken off first, so that the division is exact; of decimals, `div` would be a bigint. -#}
{% macro spark__whole_division(numerator, denominator) -%}
    cast(
        (cast({{ numerator }} as decimal(38, 0)) - cast({{ numerator }} as decimal(38, 0)) % cast({{ denominator }} as decimal(20, 0)))
        / cast({{ denominator }} as decimal(20, 0))
        as decimal(38, 0)
    )
{%- endmacro %}

{% macro spark__usd_units(amount) -%}
    (
        cast(floor({{ amount }}) as decimal(38, 0)) * 1000000000000
        + cast(({{ amount }} - floor({{ amount }})) * 1000000000000 as decimal(38, 0))
    )
{%- endmacro %}

{% macro spark__whole_quotient(dividend, divisor) -%}
    cast(
        (
            cast({{ dividend }} as decimal(38, 0))
            - cast({{ dividend }} as decimal(38, 0)) % cast({{ divisor }} as decimal(38, 0))
        ) / cast({{ divisor }} as decimal(38, 0))
        as decimal(38, 0)
    )
{%- endmacro %}

{% macro spark__exact_ratio(numerator, denominator, scale, multiplier) -%}
    {%- set n -%} abs(cast({{ numerator }} as decimal(38, 12))) {%- endset -%}
    {%- set units -%}
        (cast(floor({{ n }}) as decimal(38, 0)) * 1000000000000
        + cast(({{ n }} - floor({{ n }})) * 1000000000000 as decimal(38, 0)))
    {%- endset -%}
    {%- set d -%} cast({{ denominator }} as decimal(20, 0)) {%- endset -%}
    {%- set up = 10 ** ([scale - 12, 0] | max) * multiplier -%}
    {%- set down = 10 ** ([12 - scale, 0] | max) -%}
    case
        when {{ denominator }} > 0
            then cast(
                case when {{ numerator }} < 0 then -1 else 1 end
                * {{ spark__whole_division(
                    "(2 * " ~ units ~ " * " ~ up ~ " + " ~ d ~ " * " ~ down ~ ")", "(2 * " ~ d ~ " * " ~ down ~ ")"
                ) }}
                * {{ power_of_ten(-scale) }} as decimal(38, {{ scale }})
            )
    end
{%- endmacro %}

{% macro spark__exact_percentile_ms(milliseconds, fraction, only_when) -%}
    cast(percentile_disc({{ fraction }}) within group (order by {{ milliseconds }})
    {%- if only_when %} filter (where {{ only_when }}){% endif %} as bigint)
{%- endmacro %}

{% macro spark__latency_bucket_index(milliseconds) -%}
    {{ default__latency_bucket_index(milliseconds) }}
{%- endmacro %}

{% macro spark__milliseconds_from(earlier, later) -%}
    timestampdiff(millisecond, {{ earlier }}, {{ later }})
{%- endmacro %}

{% macro spark__list_distinct_sorted(expression, only_when) -%}
    array_sort(collect_set({{ expression }}) filter (where ({{ only_when }}) and {{ expression }} is not null))
{%- endmacro %}

{% macro spark__time_bucket(utc_timestamp) -%}
    (unix_millis({{ utc_timestamp }}) div 10000)
{%- endmacro %}

{% macro spark__shifted_ms(utc_timestamp, ms) -%}
    timestampadd(millisecond, {{ ms }}, {{ utc_timestamp }})
{%- endmacro %}

{% macro spark__by_time_bucket(relation) -%}
    {%- set first = time_bucket(shifted_ms("started_at", -5)) -%}
    {%- set last = time_bucket(shifted_ms("ended_at", 5)) -%}
    (
        select
            *,
            explode(case when {{ first }} <= {{ last }} then sequence({{ first }}, {{ last }}) else cast(array() as array<bigint>) end) as bucket
        from {{ by_model_key(relation) }} as keyed
        where
            has_tokens
            and ended_at is not null
    )
{%- endmacro %}

{% macro spark__by_model_key(relation) -%}
    (
        select
            *,
            explode(model_keys) as pair_key
        from {{ relation }}
    )
{%- endmacro %}

{% macro spark__texts(values) -%}
    array({{ values | join(", ") }})
{%- endmacro %}

{#-
    The lake as `orchestration/warehouse/spark.py` has registered it: a table with a partition for each committed part. A part that was
    revised has files in its folder that are no longer its own.
-#}
{% macro spark__lake_relation(entity) -%}
    {%- set stale = plan_rows(
        "plan", "stale_files",
        "select cast(lake_date as string), batch_seq, file_name from plan.stale_files where entity = '" ~ entity ~ "' order by 1, 2, 3"
    ) -%}
    (
        select * from {{ schema_name("plan") }}.lake_{{ entity }}
        {%- for row in stale %}
        {{ "where" if loop.first else "and" }} not (
            lake_date = date '{{ row[0] }}' and batch_seq = {{ row[1] }} and _metadata.file_name = '{{ row[2] }}'
        )
        {%- endfor %}
    )
{%- endmacro %}
