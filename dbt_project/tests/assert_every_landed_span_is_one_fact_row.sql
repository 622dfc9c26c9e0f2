-- No span is lost and none is multiplied: each run has as many rows in the fact as distinct spans in the lake. A run that the
-- directory does not know shows as lost.
{{ config(meta={'dagster': {'ref': {'name': 'fct_span_usage'}}}) }}

with landed_spans as (

    select
        workspace_id,
        run_id,
        count(distinct span_id) as span_count
    from {{ ref('stg_native__spans') }}
    where
        ({{ in_touched_span_parts() }})
        or ({{ in_new_batches() }})
    group by
        workspace_id,
        run_id

),

directory as (

    select
        usage_date,
        workspace_id,
        run_id
    from {{ ref('int_runs__directory') }}
    where {{ touched('usage_date') }}

),

-- Parts hold spans of other dates as well; what the directory has on other dates was not rebuilt.
unknown_runs as (

    select
        workspace_id,
        run_id
    from landed_spans
    except
    select
        workspace_id,
        run_id
    from {{ ref('int_runs__directory') }}

),

signed as (

    select
        directory.usage_date,
        landed_spans.workspace_id,
        landed_spans.run_id,
        landed_spans.span_count
    from landed_spans
    inner join directory
        on
            landed_spans.workspace_id = directory.workspace_id
            and landed_spans.run_id = directory.run_id

    union all

    select
        null as usage_date,
        unknown_runs.workspace_id,
        unknown_runs.run_id,
        1 as span_count
    from unknown_runs

    union all

    select
        usage_date,
        workspace_id,
        run_id,
        -1 * count(*) as span_count
    from {{ ref('fct_span_usage') }}
    where {{ touched('usage_date') }}
    group by
        usage_date,
        workspace_id,
        run_id

)

-- depends_on: {{ ref('int_spans__parts') }}
select
    usage_date,
    workspace_id,
    run_id,
    sum(span_count) as lost_spans
from signed
group by
    usage_date,
    workspace_id,
    run_id
having sum(span_count) <> 0
