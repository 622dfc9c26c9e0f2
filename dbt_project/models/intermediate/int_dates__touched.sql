-- Grain: one row per usage date that tonight's batches touch. No measures.
{{ config(materialized='table') }}

-- A date is rebuilt when a run of it is new or changed (its old date too), when spans of its runs arrived, when a descendant of
-- one of its runs changed (inclusive totals), when a call of one of its runs may also have been seen by a span that arrived, when
-- the missing parent of one of its runs arrived, for a backfill, or when prices or rates changed what a call of it costs;
-- descendants' dates re-open their ancestors' there too.
with recursive directory as (

    select *
    from {{ ref('int_runs__directory') }}

),

changed as (

    select *
    from directory
    where changed_in_night_seq = (select max(night_seq) from {{ source('plan', 'night') }})

),

with_new_spans as (

    select distinct
        workspace_id,
        run_id
    from {{ ref('stg_native__spans') }}
    where {{ in_new_batches() }}

),

{% if is_repricing() %}

    -- As last published, by name: a reference would make the plan depend on the fact that it plans.
    published_calls as (

        select *
        from {{ schema_name("facts") }}.fct_span_usage

    ),

    changed_names as (

        select *
        from {{ source('plan', 'changed_model_name') }}

    ),

    -- Names that resolve differently now, or whose rates differ in some stretch of time; few, so little history is read.
    names_to_price as (

        select
            model_names.*,
            coalesce(model_names.is_tier_unknown <> changed_names.is_tier_unknown, false) as is_tier_changed
        from {{ source('plan', 'model_name') }} as model_names
        left join changed_names
            on
                model_names.provider_name = changed_names.provider_name
                and model_names.model_name = changed_names.model_name
                and model_names.response_model_name = changed_names.response_model_name
                and model_names.service_tier = changed_names.service_tier
        where
            changed_names.provider_name is not null
            or model_names.price_key in (select price_key from {{ source('plan', 'changed_price_set') }})

    ),

    price_sets as (

        select *
        from {{ source('plan', 'price_set') }}

    ),

    published_runs as (

        select *
        from {{ schema_name("facts") }}.fct_run_usage

    ),

    workspaces as (

        select *
        from {{ source('plan', 'workspace_settings') }}

    ),

    changed_services as (

        select distinct service_key
        from {{ source('plan', 'changed_rate_set') }}

    ),

    rate_sets as (

        select *
        from {{ source('plan', 'rate_set') }}

    ),

    calls_of_changed_services as (

        select
            calls.*,
            {{ service_of('calls', 'runs') }} as rated_service,
            {{ is_deep_search('calls') }} as is_deep_search,
            {{ rate_card_of('calls', 'workspaces') }} as rate_card
        from published_calls as calls
        left join published_runs as runs
            on
                calls.usage_date = runs.usage_date
                and calls.workspace_id = runs.workspace_id
                and calls.run_id = runs.run_id
        left join workspaces
            on calls.workspace_id = workspaces.workspace_id
        inner join changed_services
            on lower(trim({{ service_of('calls', 'runs') }})) = changed_services.service_key

    ),

    changed_credit_prices as (

        select *
        from {{ source('plan', 'changed_credit_price') }}

    ),

    repriced as (

        select
            calls.workspace_id,
            calls.run_id
        from published_calls as calls
        inner join names_to_price
            on {{ is_named('calls', 'names_to_price') }}
        left join price_sets
            on {{ price_set_applies('calls', 'names_to_price', 'price_sets') }}
        where
            calls.price_status is not null
            and (
                calls.price_set_id is distinct from price_sets.price_set_id
                or (price_sets.price_set_id is not null and calls.priced_provider is distinct from names_to_price.priced_provider)
                or (price_sets.price_set_id is not null and calls.priced_model is distinct from names_to_price.priced_model)
                or (price_sets.price_set_id is not null and names_to_price.is_tier_changed)
            )

        union distinct

        select
            calls.workspace_id,
            calls.run_id
        from calls_of_changed_services as calls
        left join rate_sets
            on
                {{ rate_set_applies(
                    'calls', 'rate_sets', 'calls.rate_card', 'calls.rated_service', 'calls.charge_type', 'calls.is_deep_search'
                ) }}
        where calls.service_rate_id is distinct from rate_sets.service_rate_id

        union distinct

        select
            calls.workspace_id,
            calls.run_id
        from published_calls as calls
        inner join changed_credit_prices
            on
                calls.workspace_id = changed_credit_prices.workspace_id
                and (changed_credit_prices.valid_from is null or calls.usage_date >= changed_credit_prices.valid_from)
                and (changed_credit_prices.valid_to is null or calls.usage_date < changed_credit_prices.valid_to)
        where calls.billing_role = 'call'

    ),

{% endif %}

{% if may_have_twins() %}

    runs_with_news as (

        select
            workspace_id,
            run_id
        from changed

        union distinct

        select
            workspace_id,
            run_id
        from with_new_spans

    ),

    -- As last published, by name: it is built after the dates are known.
    published_claims as (

        select {{ columns(evidence_of_claims()) }}
        from {{ schema_name("intermediate") }}.int_calls__candidates

    ),

    hop_0 as (

        select
            workspace_id,
            run_id,
            span_id,
            response_id,
            coalesce(scope, source_format) as scope,
            {{ model_keys('model', 'response_model') }} as model_keys,
            {{ time_bucket('started_at') }} as start_bucket,
            started_at,
            ended_at,
            {{ tells_tokens() }} as has_tokens,
            input_tokens,
            output_tokens,
            image_tokens,
            {{ no_texts() }} as call_ancestors
        from {{ ref('stg_native__spans') }}
        where {{ in_new_batches() }}

        union all

        select published_claims.*
        from published_claims
        inner join runs_with_news
            on
                published_claims.workspace_id = runs_with_news.workspace_id
                and published_claims.run_id = runs_with_news.run_id

    ),

    {% for hop in range(1, 4) %}

        hop_{{ hop }} as (

            select published_claims.*
            from published_claims
            inner join (
                {{ neighbours('hop_' ~ (hop - 1), 'published_claims') }}
            ) as near
                on
                    published_claims.workspace_id = near.workspace_id
                    and published_claims.run_id = near.run_id
                    and published_claims.span_id = near.span_id

        ),

    {% endfor %}

{% endif %}

seeds as (

    {% if may_have_twins() %}

        {% for hop in range(1, 4) %}

            select
                workspace_id,
                run_id
            from hop_{{ hop }}

            union distinct

        {% endfor %}

    {% endif %}

    {% if is_repricing() %}

        select
            workspace_id,
            run_id
        from repriced

        union distinct

    {% endif %}

    select
        workspace_id,
        run_id
    from changed

    union distinct

    select
        workspace_id,
        run_id
    from with_new_spans

    union distinct

    select
        workspace_id,
        previous_parent_run_id as run_id
    from changed
    where previous_parent_run_id is not null

),

family as (

    select
        workspace_id,
        run_id
    from seeds

    union distinct

    select
        directory.workspace_id,
        directory.parent_run_id as run_id
    from directory
    inner join family
        on
            directory.workspace_id = family.workspace_id
            and directory.run_id = family.run_id
    where directory.parent_run_id is not null

),

dates as (

    select directory.usage_date
    from directory
    inner join family
        on
            directory.workspace_id = family.workspace_id
            and directory.run_id = family.run_id

    union all

    select previous_usage_date as usage_date
    from changed

    union all

    select children.usage_date
    from directory as children
    inner join changed as parents
        on
            children.workspace_id = parents.workspace_id
            and children.parent_run_id = parents.run_id
    where (parents.has_run or parents.is_foreign) and not parents.previously_had_run

    union all

    select usage_date
    from {{ source('plan', 'requested_dates') }}

),

{% if detail_from() is not none %}

    -- Runs and calls of old dates were dropped. What is rebuilt needs its descendants' own amounts: where those lie on such a date, all
    -- of that date is rebuilt, too, which opens the runs of that date.
    opened as (

        select
            directory.workspace_id,
            directory.run_id,
            directory.usage_date
        from directory
        inner join dates on directory.usage_date = dates.usage_date

        union distinct

        select
            reached.workspace_id,
            reached.run_id,
            reached.usage_date
        from (
            select
                directory.workspace_id,
                directory.run_id,
                directory.usage_date
            from opened
            inner join directory
                on
                    opened.workspace_id = directory.workspace_id
                    and opened.run_id = directory.parent_run_id

            union all

            select
                directory.workspace_id,
                directory.run_id,
                directory.usage_date
            from opened
            inner join directory on opened.usage_date = directory.usage_date
            where opened.usage_date < {{ detail_from() }}
        ) as reached

    ),

    all_dates as (

        select usage_date
        from dates

        union distinct

        select usage_date
        from opened
        where usage_date < {{ detail_from() }}

    )

{% else %}

    all_dates as (

        select usage_date
        from dates

    )

{% endif %}

select distinct usage_date
from all_dates
where usage_date is not null
order by usage_date
