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
