{#- Time and ordering where engines differ (latency.sql and measures.sql hold theirs). Models call the undispatched name only. -#}

{#- Local calendar date of a UTC timestamp in an IANA time zone. -#}
{% macro date_in_time_zone(utc_timestamp, time_zone) -%}
    {{ adapter.dispatch("date_in_time_zone", "credit_usage")(utc_timestamp, time_zone) }}
{%- endmacro %}

{% macro duckdb__date_in_time_zone(utc_timestamp, time_zone) -%}
    cast((({{ utc_timestamp }}) at time zone 'UTC') at time zone {{ time_zone }} as date)
{%- endmacro %}

{#- The value that goes with the greatest (version, batch). -#}
{% macro latest_batch(version_at, batch_seq) -%}
    {{ adapter.dispatch("latest_batch", "credit_usage")(version_at, batch_seq) }}
{%- endmacro %}

{% macro duckdb__latest_batch(version_at, batch_seq) -%}
    {{ at_latest_batch(batch_seq, version_at, batch_seq) }}
{%- endmacro %}

{#- A column's value in that row. -#}
{% macro at_latest_batch(value, version_at, batch_seq) -%}
    {{ adapter.dispatch("at_latest_batch", "credit_usage")(value, version_at, batch_seq) }}
{%- endmacro %}

{% macro duckdb__at_latest_batch(value, version_at, batch_seq) -%}
    arg_max({{ value }}, row({{ version_at }}, {{ batch_seq }}))
{%- endmacro %}

{#- Condition: a text is one of the same sample of one in `parts`, whatever row it stands in. -#}
{% macro is_in_sample(text, parts) -%}
    {{ adapter.dispatch("is_in_sample", "credit_usage")(text, parts) }}
{%- endmacro %}

{% macro duckdb__is_in_sample(text, parts) -%}
    hash({{ text }}) % {{ parts }} = 0
{%- endmacro %}

{#- Seconds since midnight of a UTC timestamp. -#}
{% macro second_of_day(utc_timestamp) -%}
    (hour({{ utc_timestamp }}) * 3600 + minute({{ utc_timestamp }}) * 60 + second({{ utc_timestamp }}))
{%- endmacro %}

{#- A decimal that is not negative, rounded half to even at `places` decimals. -#}
{% macro half_even(value, places) -%}
    {{ adapter.dispatch("half_even", "credit_usage")(value, places) }}
{%- endmacro %}

{% macro duckdb__half_even(value, places) -%}
    cast(round_even({{ value }}, {{ places }}) as decimal(38, {{ places }}))
{%- endmacro %}

{#- A number under a key of a JSON object in text; NULL where there is none. -#}
{% macro json_number(json, key) -%}
    {{ adapter.dispatch("json_number", "credit_usage")(json, key) }}
{%- endmacro %}

{% macro duckdb__json_number(json, key) -%}
    try_cast(json_extract_string({{ json }}, '$.{{ key }}') as double)
{%- endmacro %}

{#- The text of a value under a key of a JSON object in text. -#}
{% macro json_text(json, key) -%}
    {{ adapter.dispatch("json_text", "credit_usage")(json, key) }}
{%- endmacro %}

{% macro duckdb__json_text(json, key) -%}
    json_extract_string({{ json }}, '$.{{ key }}')
{%- endmacro %}

{#- The values of a group as a list, by the order of another column. -#}
{% macro list_in_order(value, sorted_by) -%}
    {{ adapter.dispatch("list_in_order", "credit_usage")(value, sorted_by) }}
{%- endmacro %}

{% macro duckdb__list_in_order(value, sorted_by) -%}
    list({{ value }} order by {{ sorted_by }})
{%- endmacro %}

{#- The texts of a group as one, in the order of another column. -#}
{% macro text_in_order(value, separator, sorted_by) -%}
    {{ adapter.dispatch("text_in_order", "credit_usage")(value, separator, sorted_by) }}
{%- endmacro %}

{% macro duckdb__text_in_order(value, separator, sorted_by) -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ sorted_by }})
{%- endmacro %}

{#- A column's value in the first row, by the order of another, that has one. -#}
{% macro first_present(value, sorted_by) -%}
    {{ adapter.dispatch("first_present", "credit_usage")(value, sorted_by) }}
{%- endmacro %}

{% macro duckdb__first_present(value, sorted_by) -%}
    arg_min({{ value }}, {{ sorted_by }})
{%- endmacro %}

{#- A list's values as a relation of (name, place from 1), to be joined with `cross join`. -#}
{% macro unnested_with_place(list, relation, name) -%}
    {{ adapter.dispatch("unnested_with_place", "credit_usage")(list, relation, name) }}
{%- endmacro %}

{% macro duckdb__unnested_with_place(list, relation, name) -%}
    unnest({{ list }}) with ordinality as {{ relation }} ({{ name }}, place)
{%- endmacro %}

{#- Condition: two lists have a value in common. -#}
{% macro lists_overlap(one, other) -%}
    {{ adapter.dispatch("lists_overlap", "credit_usage")(one, other) }}
{%- endmacro %}

{% macro duckdb__lists_overlap(one, other) -%}
    list_has_any({{ one }}, {{ other }})
{%- endmacro %}

{#- A list of texts, none of which is null. -#}
{% macro texts(values) -%}
    {{ adapter.dispatch("texts", "credit_usage")(values) }}
{%- endmacro %}

{% macro duckdb__texts(values) -%}
    [{{ values | join(", ") }}]
{%- endmacro %}

{#- An empty list of texts. -#}
{% macro no_texts() -%}
    {{ adapter.dispatch("no_texts", "credit_usage")() }}
{%- endmacro %}

{% macro duckdb__no_texts() -%}
    cast([] as varchar [])
{%- endmacro %}

{#- All columns of a relation but these. -#}
{% macro all_but(relation, names) -%}
    {{ adapter.dispatch("all_but", "credit_usage")(relation, names) }}
{%- endmacro %}

{% macro duckdb__all_but(relation, names) -%}
    {{ relation }}.* exclude ({{ names | join(", ") }})
{%- endmacro %}

{#- Condition: a part of a text matches a pattern; all of it does. Patterns have no backslash: engines read one differently. -#}
{% macro text_matches(text, pattern) -%}
    {{ adapter.dispatch("text_matches", "credit_usage")(text, pattern) }}
{%- endmacro %}

{% macro duckdb__text_matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro whole_text_matches(text, pattern) -%}
    {{ adapter.dispatch("whole_text_matches", "credit_usage")(text, pattern) }}
{%- endmacro %}

{% macro duckdb__whole_text_matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}

{#- Whole days from one date to another. -#}
{% macro days_from(earlier, later) -%}
    {{ adapter.dispatch("days_from", "credit_usage")(earlier, later) }}
{%- endmacro %}

{% macro duckdb__days_from(earlier, later) -%}
    ({{ later }} - {{ earlier }})
{%- endmacro %}

{#- Monday 1 to Sunday 7. -#}
{% macro iso_weekday(day) -%}
    {{ adapter.dispatch("iso_weekday", "credit_usage")(day) }}
{%- endmacro %}

{% macro duckdb__iso_weekday(day) -%}
    extract(isodow from {{ day }})
{%- endmacro %}

{#- Of the values in a window the middle one: of an even number the lower of the two, and what lies between them. NULL where there is none. -#}
{% macro lower_middle_over(value, window) -%}
    {{ adapter.dispatch("lower_middle_over", "credit_usage")(value, window) }}
{%- endmacro %}

{% macro duckdb__lower_middle_over(value, window) -%}
    quantile_disc({{ value }}, 0.5) over ({{ window }})
{%- endmacro %}

{% macro median_over(value, window) -%}
    {{ adapter.dispatch("median_over", "credit_usage")(value, window) }}
{%- endmacro %}

{% macro duckdb__median_over(value, window) -%}
    median({{ value }}) over ({{ window }})
{%- endmacro %}

{#- A JSON object in text with a session's id among its keys. -#}
{% macro with_session(user_metadata, session_id) -%}
    {{ adapter.dispatch("with_session", "credit_usage")(user_metadata, session_id) }}
{%- endmacro %}

{% macro duckdb__with_session(user_metadata, session_id) -%}
    case
        when {{ session_id }} is null then {{ user_metadata }}
        else cast(json_merge_patch(coalesce({{ user_metadata }}, '{}'), json_object('session_id', {{ session_id }})) as varchar)
    end
{%- endmacro %}

{#- An amount in USD as a whole number of 10^-12 USD. In two parts: a DECIMAL(38, 12) times 10^12 overflows from 10^14 on. -#}
{% macro usd_units(amount) -%}
    {{ adapter.dispatch("usd_units", "credit_usage")(amount) }}
{%- endmacro %}

{% macro duckdb__usd_units(amount) -%}
    (
        cast(trunc({{ amount }}) as hugeint) * 1000000000000
        + cast(({{ amount }} - trunc({{ amount }})) * 1000000000000 as hugeint)
    )
{%- endmacro %}

{#- How often one whole number, not negative, goes into another. -#}
{% macro whole_quotient(dividend, divisor) -%}
    {{ adapter.dispatch("whole_quotient", "credit_usage")(dividend, divisor) }}
{%- endmacro %}

{% macro duckdb__whole_quotient(dividend, divisor) -%}
    ({{ dividend }} // {{ divisor }})
{%- endmacro %}

{#- An amount in USD divided by a whole number, cut at the 12th decimal: on integers, so that it is exact. -#}
{% macro usd_divided_by(amount, count) -%}
    cast(
        cast({{ whole_quotient(usd_units(amount), count) }} as decimal(38, 0)) * cast(0.000000000001 as decimal(12, 12))
        as decimal(38, 12)
    )
{%- endmacro %}
