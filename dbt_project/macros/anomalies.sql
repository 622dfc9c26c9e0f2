{#- What counts as an anomaly: the numbers of mart_analytics__anomalies, each with its reason. -#}

{#- Newest days of each workspace that are judged: the longest range of the pages. -#}
{% macro anomaly_days() -%} 90 {%- endmacro %}

{#- Same weekdays that make the expectation: six weeks follow growth, and one bad week moves no median of six. -#}
{% macro anomaly_weeks() -%} 6 {%- endmacro %}

{#- Days of history without which nothing is said: two of each weekday. -#}
{% macro anomaly_history_days() -%} 14 {%- endmacro %}

{#- Half the width of the band in standard deviations, as 1.4826 times the median error estimates them. -#}
{% macro anomaly_band_sigmas() -%} 5 {%- endmacro %}

{#- A standard deviation is never taken for less than this share of what is expected: a steady month is no promise. -#}
{% macro anomaly_least_spread() -%} 0.1 {%- endmacro %}

{#- Nor for less than the noise of counting: calls come in runs, so twice the square root of their number. -#}
{% macro anomaly_counting_noise() -%} 2 {%- endmacro %}

{#-
    Below these a difference is no news: so many calls more, or fewer (an outage of a small thing is one); a share of a usual day's cost
    of the workspace, and a dollar. Of the sample data, two hundred runs a day, 29 of 45 days would be told of 20 calls more, and nearly
    all of cents.
-#}
{% macro anomaly_least_calls() -%} 50 {%- endmacro %}
{% macro anomaly_least_calls_below() -%} 20 {%- endmacro %}
{% macro anomaly_least_cost_share() -%} 0.05 {%- endmacro %}
{% macro anomaly_least_cost_usd() -%} 1 {%- endmacro %}

{#- Window: so many days of a series before the day at hand. -#}
{% macro days_before(count) -%}
    partition by workspace_id, dimension, dimension_key order by usage_date rows between {{ count }} preceding and 1 preceding
{%- endmacro %}

{#- What such a weekday usually has. Of an even number the lower middle one: a thing used on one of two Mondays is not expected. -#}
{% macro usual_for_weekday(measure) -%}
    {{ lower_middle_over(
        "cast(" ~ measure ~ " as double)",
        "partition by workspace_id, dimension, dimension_key, " ~ iso_weekday("usage_date")
        ~ " order by usage_date rows between " ~ anomaly_weeks() ~ " preceding and 1 preceding"
    ) }}
{%- endmacro %}

{#- The usual at the level of the last two weeks, because weekdays of six weeks lag behind growth. Halved or doubled at most. -#}
{% macro expected_at_level(measure) -%}
    {%- set factor -%}
        case
            when history_days >= {{ anomaly_history_days() }}
                then cast({{ measure }} as double) / nullif(usual_{{ measure }}, 0)
        end
    {%- endset -%}
    usual_{{ measure }} * least(greatest(coalesce({{ median_over(factor, days_before(14)) }}, 1), 0.5), 2)
{%- endmacro %}

{#- How wrong the expectation was on the days before: errors of forecasts, not of a fit, so few days do not look steady. -#}
{% macro error_of_expectation(measure) -%}
    {%- set error -%}
        case
            when history_days >= {{ anomaly_history_days() }}
                then abs(cast({{ measure }} as double) / nullif(expected_{{ measure }}, 0) - 1)
        end
    {%- endset -%}
    1.4826 * {{ median_over(error, days_before(7 * (anomaly_weeks() | int))) }}
{%- endmacro %}

{#- All dates from first to last, as the relation `calendar` with the column `day`. -#}
{% macro calendar_days(first, last) -%}
    {{ adapter.dispatch("calendar_days", "credit_usage")(first, last) }}
{%- endmacro %}

{% macro duckdb__calendar_days(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as calendar (day)
{%- endmacro %}
