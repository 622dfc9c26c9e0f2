-- Grain: one row per usage_date, workspace, dimension, its key, and measure that left its band. Not additive: dimensions overlap.
{{ config(materialized='lasting_table') }}

with usage_daily as (

    select
        usage_date,
        workspace_id,
        provider,
        model,
        service,
        resource_id,
        resource_name,
        api_key_id,
        api_key_name,
        call_count,
        total_cost_usd,
        external_cost_usd
    from {{ ref('fct_usage_daily') }}

),

by_dimension as (

    {% for dimension, key, name in [
        ('model', "concat_ws('/', provider, model)", 'model'),
        ('service', 'service', 'service'),
        ('resource', 'coalesce(resource_id, resource_name)', 'resource_name'),
        ('api_key', 'coalesce(api_key_id, api_key_name)', 'api_key_name'),
    ] %}
        -- what has an id is judged, with or without a name: exports leave names out, some of them on some days only
        select
            usage_date,
            workspace_id,
            '{{ dimension }}' as dimension,
            {{ key }} as dimension_key,
            max({{ name }}) as dimension_name,
            sum(call_count) as call_count,
            sum(total_cost_usd) as total_cost_usd,
            sum(external_cost_usd) as external_cost_usd
        from usage_daily
        where {{ 'model' if dimension == 'model' else key }} is not null
        group by
            usage_date,
            workspace_id,
            {{ key }}

        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

workspace_daily as (

    select
        usage_date,
        workspace_id,
        sum(total_cost_usd + external_cost_usd) as cost_usd
    from usage_daily
    group by
        usage_date,
        workspace_id

),

workspaces as (

    select
        workspace_id,
        max(usage_date) as newest_date,
        median(cast(cost_usd as double)) as usual_cost_usd
    from workspace_daily
    group by workspace_id

),

series as (

    select
        by_dimension.workspace_id,
        by_dimension.dimension,
        by_dimension.dimension_key,
        coalesce(max(by_dimension.dimension_name), by_dimension.dimension_key) as dimension_name,
        min(by_dimension.usage_date) as first_date,
        workspaces.newest_date,
        workspaces.usual_cost_usd
    from by_dimension
    inner join workspaces
        on by_dimension.workspace_id = workspaces.workspace_id
    group by
        by_dimension.workspace_id,
        by_dimension.dimension,
        by_dimension.dimension_key,
        workspaces.newest_date,
        workspaces.usual_cost_usd

),

-- A day without any usage is a day of zero. Older days than the bands of the judged ones need are left out: a band is made of
-- six weeks of errors, each of them of a level of two weeks, and each day of that of what was usual in six weeks before it.
days as (

    select
        series.*,
        cast(calendar.day as date) as usage_date
    from series
    cross join
        {{ calendar_days(
            'greatest(series.first_date, series.newest_date - ' ~ (anomaly_days() | int + 14 * (anomaly_weeks() | int) + 14) ~ ')',
            'series.newest_date'
        ) }}

),

filled as (

    select
        days.*,
        coalesce(by_dimension.call_count, 0) as call_count,
        coalesce(by_dimension.total_cost_usd, 0) as total_cost_usd,
        coalesce(by_dimension.external_cost_usd, 0) as external_cost_usd
    from days
    left join by_dimension
        on
            days.usage_date = by_dimension.usage_date
            and days.workspace_id = by_dimension.workspace_id
            and days.dimension = by_dimension.dimension
            and days.dimension_key = by_dimension.dimension_key

),

usual_for_weekday as (

    select
        *,
        {{ days_from('first_date', 'usage_date') }} as history_days,
        {{ usual_for_weekday('call_count') }} as usual_call_count,
        {{ usual_for_weekday('total_cost_usd') }} as usual_total_cost_usd,
        {{ usual_for_weekday('external_cost_usd') }} as usual_external_cost_usd
    from filled

),

expected as (

    select
        *,
        {{ expected_at_level('call_count') }} as expected_call_count,
        {{ expected_at_level('total_cost_usd') }} as expected_total_cost_usd,
        {{ expected_at_level('external_cost_usd') }} as expected_external_cost_usd
    from usual_for_weekday

),

spread as (

    select
        *,
        {{ error_of_expectation('call_count') }} as error_call_count,
        {{ error_of_expectation('total_cost_usd') }} as error_total_cost_usd,
        {{ error_of_expectation('external_cost_usd') }} as error_external_cost_usd
    from expected

),

judged as (

    {% for measure in ['call_count', 'total_cost_usd', 'external_cost_usd'] %}
        select
            usage_date,
            workspace_id,
            dimension,
            dimension_key,
            dimension_name,
            '{{ measure }}' as measure,
            newest_date,
            history_days,
            cast({{ measure }} as double) as actual,
            expected_{{ measure }} as expected,
            1 + {{ anomaly_band_sigmas() }} * greatest(
                coalesce(error_{{ measure }}, 0),
                {{ anomaly_least_spread() }},
                {{ anomaly_counting_noise() }} / sqrt(greatest(expected_call_count, 1))
            ) as band_factor,
            {% if measure == 'call_count' %}
                case
                    when call_count < expected_call_count then {{ anomaly_least_calls_below() }}
                    else {{ anomaly_least_calls() }}
                end
            {% else %}
                greatest({{ anomaly_least_cost_share() }} * usual_cost_usd, {{ anomaly_least_cost_usd() }})
            {% endif %} as least_difference,
            abs(
                cast(total_cost_usd + external_cost_usd as double) - expected_total_cost_usd - expected_external_cost_usd
            ) as at_stake_usd
        from spread
        where
            history_days >= {{ anomaly_history_days() }}
            and usage_date > newest_date - {{ anomaly_days() }}

        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- The band reaches further down than up, in proportion: quiet days are commoner than runaway ones.
-- The newest day may not have ended when it was exported: that it has too little says nothing.
-- Values are compared as they are shown: nothing at all is not below a band that begins at less than a millionth.
anomalies as (

    select *
    from judged
    where
        (
            cast(actual as decimal(38, 6)) > cast(expected * band_factor as decimal(38, 6))
            or cast(actual as decimal(38, 6)) < cast(expected / (band_factor * band_factor) as decimal(38, 6))
        )
        and abs(actual - expected) >= least_difference
        and (actual > expected or usage_date < newest_date)

),

contributors as (

    select
        anomalies.usage_date,
        anomalies.workspace_id,
        anomalies.dimension,
        anomalies.dimension_key,
        usage_daily.model,
        usage_daily.service,
        coalesce(usage_daily.resource_name, usage_daily.resource_id) as resource_name,
        coalesce(usage_daily.api_key_name, usage_daily.api_key_id) as api_key_name,
        sum(usage_daily.call_count) as call_count,
        sum(usage_daily.total_cost_usd + usage_daily.external_cost_usd) as cost_usd
    from (
        select distinct
            usage_date,
            workspace_id,
            dimension,
            dimension_key
        from anomalies
    ) as anomalies
    inner join usage_daily
        on
            anomalies.usage_date = usage_daily.usage_date
            and anomalies.workspace_id = usage_daily.workspace_id
            and anomalies.dimension_key = case anomalies.dimension
                when 'model' then concat_ws('/', usage_daily.provider, usage_daily.model)
                when 'service' then usage_daily.service
                when 'resource' then coalesce(usage_daily.resource_id, usage_daily.resource_name)
                else coalesce(usage_daily.api_key_id, usage_daily.api_key_name)
            end
    group by
        anomalies.usage_date,
        anomalies.workspace_id,
        anomalies.dimension,
        anomalies.dimension_key,
        usage_daily.model,
        usage_daily.service,
        coalesce(usage_daily.resource_name, usage_daily.resource_id),
        coalesce(usage_daily.api_key_name, usage_daily.api_key_id)

),

ranked as (

    select
        *,
        row_number() over (
            partition by usage_date, workspace_id, dimension, dimension_key
            order by
                cost_usd desc,
                call_count desc,
                model asc nulls last,
                service asc nulls last,
                resource_name asc nulls last,
                api_key_name asc nulls last
        ) as contributor_rank
    from contributors

),

told as (

    select
        *,
        concat(
            concat_ws(' / ', coalesce(model, service), resource_name, api_key_name),
            ': ', call_count, ' calls, $', cast(cost_usd as decimal(38, 6))
        ) as contributor
    from ranked
    where contributor_rank <= 3

),

top_contributors as (

    select
        usage_date,
        workspace_id,
        dimension,
        dimension_key,
        {{ text_in_order('contributor', '; ', 'contributor_rank') }} as top_contributors
    from told
    group by
        usage_date,
        workspace_id,
        dimension,
        dimension_key

)

select
    anomalies.usage_date,
    anomalies.workspace_id,
    anomalies.dimension,
    anomalies.dimension_key,
    anomalies.dimension_name,
    anomalies.measure,
    case when anomalies.actual > anomalies.expected then 'above' else 'below' end as direction,
    cast(anomalies.actual as decimal(38, 6)) as actual,
    cast(anomalies.expected as decimal(38, 6)) as expected,
    cast(anomalies.expected / (anomalies.band_factor * anomalies.band_factor) as decimal(38, 6)) as band_lower,
    cast(anomalies.expected * anomalies.band_factor as decimal(38, 6)) as band_upper,
    cast(anomalies.at_stake_usd as decimal(38, 6)) as at_stake_usd,
    cast(anomalies.history_days as bigint) as history_days,
    top_contributors.top_contributors
from anomalies
left join top_contributors
    on
        anomalies.usage_date = top_contributors.usage_date
        and anomalies.workspace_id = top_contributors.workspace_id
        and anomalies.dimension = top_contributors.dimension
        and anomalies.dimension_key = top_contributors.dimension_key
order by
    anomalies.usage_date,
    anomalies.workspace_id,
    anomalies.dimension,
    anomalies.dimension_key,
    anomalies.measure
