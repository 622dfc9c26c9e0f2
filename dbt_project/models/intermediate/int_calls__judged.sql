-- Grain: one row per span that is not simply a call of its own (workspace_id, run_id, span_id). Not additive.
{{ config(materialized='by_usage_date') }}

-- One call, one bill. Claims of one call form a group: by response id, by nesting with equal usage, else one to one by model,
-- usage and time. One member is billed, with what the group knows together; the others are duplicates. Groups may reach over
-- runs, traces and dates: what belongs to a touched date's groups is read from wherever it lies.
with recursive calls as (

    select *
    from {{ ref('int_calls__candidates') }}
    where is_call

),

{% if is_full_build() %}

    pool_keys as (

        select
            workspace_id,
            run_id,
            span_id
        from calls

    ),

{% else %}

    hop_0 as (

        select *
        from calls
        where {{ touched('usage_date') }}

    ),

    {% for hop in range(1, 4) %}

        hop_{{ hop }} as (

            select calls.*
            from calls
            inner join (
                {{ neighbours('hop_' ~ (hop - 1), 'calls') }}
            ) as near
                on
                    calls.workspace_id = near.workspace_id
                    and calls.run_id = near.run_id
                    and calls.span_id = near.span_id
            where not ({{ touched('calls.usage_date') }})

        ),

    {% endfor %}

    pool_keys as (

        {% for hop in range(0, 4) %}
            select
                workspace_id,
                run_id,
                span_id
            from hop_{{ hop }}
            {{ 'union distinct' if not loop.last }}
        {% endfor %}

    ),

{% endif %}

numbered as (

    select
        calls.*,
        row_number() over (
            order by
                calls.workspace_id,
                calls.run_id,
                calls.span_id
        ) as node,
        {{ nearness_of_scope('calls.scope') }} as nearness,
        {{ count_of_present(usage_classes(), 'calls') }} as class_count
    from calls
    inner join pool_keys
        on
            calls.workspace_id = pool_keys.workspace_id
            and calls.run_id = pool_keys.run_id
            and calls.span_id = pool_keys.span_id

),

nested as (

    select
        numbered.workspace_id,
        numbered.run_id,
        numbered.node,
        numbered.scope,
        numbered.has_tokens,
        above.ancestor_span_id,
        above.place
    from numbered
    cross join {{ unnested_with_place('numbered.call_ancestors', 'above', 'ancestor_span_id') }}

),

nested_pairs as (

    select
        nested.node,
        nested.scope,
        nested.place,
        outers.node as outer_node,
        inners.has_tokens and outers.has_tokens and {{ same_usage('inners', 'outers') }} as is_same_usage,
        {{ is_without_cache_of('inners', 'outers') }} as is_inner_without_cache,
        {{ is_without_cache_of('outers', 'inners') }} as is_outer_without_cache,
        {{ ids_agree('inners', 'outers') }} as do_ids_agree,
        inners.scope <> outers.scope and coalesce({{ same_model('inners', 'outers') }}, false) as is_view_of_model,
        inners.scope <> outers.scope
        and coalesce({{ same_model('inners', 'outers') }}, true)
        and coalesce(inners.status = outers.status, true) as may_be_same_failure,
        inners.has_tokens,
        outers.has_tokens as outer_has_tokens,
        inners.status,
        inners.response_id = outers.response_id as is_same_id,
        abs({{ milliseconds_from('inners.started_at', 'outers.started_at') }}) as starts_apart_ms,
        abs({{ milliseconds_from('inners.ended_at', 'outers.ended_at') }}) as ends_apart_ms
    from nested
    inner join numbered as inners
        on nested.node = inners.node
    inner join numbered as outers
        on
            nested.workspace_id = outers.workspace_id
            and nested.run_id = outers.run_id
            and nested.ancestor_span_id = outers.span_id
    where {{ may_be_one_call('inners', 'outers') }}

),

-- An inner call belongs to the nearest outer one of equal usage; of several of one scope the outer one repeats a single one.
nested_matches as (

    select
        *,
        row_number() over (
            partition by node
            order by place
        ) as outer_rank
    from nested_pairs
    where
        (is_same_usage or is_inner_without_cache or is_outer_without_cache)
        and do_ids_agree

),

nested_links as (

    select
        node,
        outer_node as other_node
    from (
        select
            *,
            row_number() over (
                partition by
                    outer_node,
                    scope
                order by
                    coalesce(is_same_id, false) desc,
                    starts_apart_ms + coalesce(ends_apart_ms, 0) asc nulls last,
                    node asc
            ) as inner_rank
        from nested_matches
        where outer_rank = 1
    ) as ranked
    where inner_rank = 1

),

pairs_of_ids as (

    {{ pairs_by_id('numbered', 'numbered') }}

),

id_links as (

    select
        one.node,
        other.node as other_node
    from pairs_of_ids
    inner join numbered as one
        on
            pairs_of_ids.workspace_id = one.workspace_id
            and pairs_of_ids.run_id = one.run_id
            and pairs_of_ids.span_id = one.span_id
    inner join numbered as other
        on
            pairs_of_ids.workspace_id = other.workspace_id
            and pairs_of_ids.other_run_id = other.run_id
            and pairs_of_ids.other_span_id = other.span_id

),

-- A call that failed or was streamed without usage, inside one that has some, is the same; a failed try is a call of its own.
silent_links as (

    select
        node,
        outer_node as other_node
    from (
        select
            *,
            row_number() over (
                partition by node
                order by place
            ) as outer_rank
        from nested_pairs
        where
            not has_tokens
            and outer_has_tokens
            and do_ids_agree
            and status is distinct from 'failed'
    ) as ranked
    where outer_rank = 1

),

-- A failure that several scopes saw, one inside the other, is one failed call; of several tries the outer scope saw the last.
silent_twins as (

    select
        node,
        outer_node as other_node
    from (
        select
            *,
            row_number() over (
                partition by
                    outer_node,
                    scope
                order by
                    ends_apart_ms asc nulls last,
                    node asc
            ) as inner_rank
        from (
            select
                *,
                row_number() over (
                    partition by node
                    order by place
                ) as outer_rank
            from nested_pairs
            where
                not has_tokens
                and not outer_has_tokens
                and do_ids_agree
        ) as nearest
        where
            outer_rank = 1
            and may_be_same_failure
    ) as ranked
    where inner_rank = 1

),

-- Logfire tells the usage of a stream when it ends, on a moment beside the call: the nearest call before it that has none.
streams_told as (

    select
        quiet.node,
        told.node as other_node,
        row_number() over (
            partition by told.node
            order by
                quiet.ended_at desc nulls last,
                quiet.node asc
        ) as silent_rank,
        row_number() over (
            partition by quiet.node
            order by
                told.started_at,
                told.node
        ) as told_rank
    from numbered as quiet
    inner join numbered as told
        on
            quiet.workspace_id = told.workspace_id
            and quiet.run_id = told.run_id
            and quiet.scope = told.scope
            and coalesce(quiet.parent_span_id, '') = coalesce(told.parent_span_id, '')
    where
        {{ lists_overlap('quiet.model_keys', 'told.model_keys') }}
        and not quiet.has_tokens
        and quiet.response_id is null
        and quiet.status is distinct from 'failed'
        and told.has_tokens
        and told.started_at = told.ended_at
        and quiet.ended_at <= {{ shifted_ms('told.started_at', 5) }}

),

silent_streams as (

    select
        node,
        other_node
    from streams_told
    where
        silent_rank = 1
        and told_rank = 1

),

links_one_way as (

    {% for found in ['nested_links', 'silent_links', 'silent_twins', 'silent_streams'] %}
        select
            node,
            other_node
        from {{ found }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

links as (

    select
        node,
        other_node
    from links_one_way

    union all

    select
        other_node as node,
        node as other_node
    from links_one_way

    union all

    select
        node,
        other_node
    from id_links

),

reached as (

    select
        node,
        node as least_node
    from (
        select distinct node
        from links
    ) as linked

    union distinct

    select
        links.other_node as node,
        reached.least_node
    from reached
    inner join links
        on reached.node = links.node

),

clusters_of_linked as (

    select
        node,
        min(least_node) as cluster_id
    from reached
    group by node

),

clusters as (

    select
        numbered.*,
        coalesce(clusters_of_linked.cluster_id, numbered.node) as cluster_id
    from numbered
    left join clusters_of_linked
        on numbered.node = clusters_of_linked.node

),

-- A call without usage stands above others: of one call it is the same call, of several it is a view.
silent_outers as (

    select
        pairs.outer_node as node,
        min(inners.cluster_id) as inner_cluster_id,
        count(distinct inners.cluster_id) as inner_count
    from nested_pairs as pairs
    inner join clusters as inners
        on pairs.node = inners.node
    inner join clusters as outers
        on pairs.outer_node = outers.node
    where
        pairs.has_tokens
        and not pairs.outer_has_tokens
        and pairs.do_ids_agree
        and inners.cluster_id <> outers.cluster_id
    group by pairs.outer_node

),

cluster_scopes as (

    select
        clusters.cluster_id,
        {{ list_distinct_sorted('clusters.scope') }} as scopes,
        count(clusters.response_id) as id_count
    from clusters
    group by clusters.cluster_id

),

pairs_of_usage as (

    {{ pairs_by_usage('numbered', 'numbered') }}

),

twin_edges as (

    select
        one.cluster_id,
        other.cluster_id as other_cluster_id,
        one_scopes.scopes,
        other_scopes.scopes as other_scopes,
        min(pairs_of_usage.pair_key) as pair_key,
        min({{ apart_ms('one', 'other') }}) as apart_ms
    from pairs_of_usage
    inner join clusters as one
        on
            pairs_of_usage.workspace_id = one.workspace_id
            and pairs_of_usage.run_id = one.run_id
            and pairs_of_usage.span_id = one.span_id
    inner join clusters as other
        on
            pairs_of_usage.workspace_id = other.workspace_id
            and pairs_of_usage.other_run_id = other.run_id
            and pairs_of_usage.other_span_id = other.span_id
    inner join cluster_scopes as one_scopes
        on one.cluster_id = one_scopes.cluster_id
    inner join cluster_scopes as other_scopes
        on other.cluster_id = other_scopes.cluster_id
    where
        one.cluster_id <> other.cluster_id
        and one_scopes.scopes < other_scopes.scopes
        and not {{ lists_overlap('one_scopes.scopes', 'other_scopes.scopes') }}
        and (one_scopes.id_count = 0 or other_scopes.id_count = 0)
    group by
        one.cluster_id,
        other.cluster_id,
        one_scopes.scopes,
        other_scopes.scopes

),

-- One to one, the nearest first: in each round those are matched that are each other's nearest.
rounds as (

    select
        cluster_id,
        other_cluster_id,
        scopes,
        other_scopes,
        apart_ms,
        false as is_matched
    from twin_edges

    union all

    select
        cluster_id,
        other_cluster_id,
        scopes,
        other_scopes,
        apart_ms,
        is_mutual as is_matched
    from (
        select
            *,
            bool_or(is_mutual) over (partition by scopes, other_scopes, cluster_id) as is_one_taken,
            bool_or(is_mutual) over (partition by scopes, other_scopes, other_cluster_id) as is_other_taken
        from (
            select
                *,
                row_number() over (
                    partition by scopes, other_scopes, cluster_id order by apart_ms, other_cluster_id
                ) = 1
                and row_number() over (
                    partition by scopes, other_scopes, other_cluster_id order by apart_ms, cluster_id
                ) = 1 as is_mutual
            from rounds
            where not is_matched
        ) as judged
    ) as taken
    where
        is_mutual
        or not (is_one_taken or is_other_taken)

),

cluster_calls as (

    select
        cluster_id,
        any_value(workspace_id) as workspace_id,
        max(input_tokens) as input_tokens,
        max(output_tokens) as output_tokens,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        count(response_id) > 0 as has_id
    from clusters
    where has_tokens
    group by cluster_id

),

twin_sides as (

    select
        scopes,
        other_scopes,
        cluster_id,
        min(pair_key) as pair_key,
        true as is_one
    from twin_edges
    group by
        scopes,
        other_scopes,
        cluster_id

    union all

    select
        scopes,
        other_scopes,
        other_cluster_id as cluster_id,
        min(pair_key) as pair_key,
        false as is_one
    from twin_edges
    group by
        scopes,
        other_scopes,
        other_cluster_id

),

taken_sides as (

    select
        scopes,
        other_scopes,
        cluster_id
    from rounds
    where is_matched

    union all

    select
        scopes,
        other_scopes,
        other_cluster_id as cluster_id
    from rounds
    where is_matched

),

-- Equal calls at once form an island in time. The nearest first may leave a few of them unmatched, though each was seen by both:
-- where there are as many on either side, what is left belongs together, in the order of time.
twins_in_time as (

    select
        twin_sides.scopes,
        twin_sides.other_scopes,
        twin_sides.is_one,
        twin_sides.pair_key,
        cluster_calls.*,
        taken_sides.cluster_id is not null as is_taken,
        max(cluster_calls.ended_at) over (
            partition by
                twin_sides.scopes,
                twin_sides.other_scopes,
                cluster_calls.workspace_id,
                twin_sides.pair_key,
                cluster_calls.input_tokens,
                cluster_calls.output_tokens
            order by
                cluster_calls.started_at,
                cluster_calls.cluster_id
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from twin_sides
    inner join cluster_calls
        on twin_sides.cluster_id = cluster_calls.cluster_id
    left join taken_sides
        on
            twin_sides.cluster_id = taken_sides.cluster_id
            and twin_sides.scopes = taken_sides.scopes
            and twin_sides.other_scopes = taken_sides.other_scopes

),

twins_in_islands as (

    select
        *,
        count(
            case when latest_end_before is null or started_at > {{ shifted_ms('latest_end_before', 5) }} then 1 end
        ) over (
            partition by
                scopes,
                other_scopes,
                workspace_id,
                pair_key,
                input_tokens,
                output_tokens
            order by
                started_at,
                cluster_id
        ) as island
    from twins_in_time

),

twins_left as (

    select
        *,
        row_number() over (
            partition by
                scopes,
                other_scopes,
                workspace_id,
                pair_key,
                input_tokens,
                output_tokens,
                island,
                is_one
            order by
                started_at asc,
                ended_at asc nulls last,
                cluster_id asc
        ) as place
    from (
        select
            *,
            sum(case when is_one then 1 else -1 end) over (
                partition by scopes, other_scopes, workspace_id, pair_key, input_tokens, output_tokens, island
            ) as surplus,
            bool_or(has_id and is_one) over (
                partition by scopes, other_scopes, workspace_id, pair_key, input_tokens, output_tokens, island
            ) as has_one_id,
            bool_or(has_id and not is_one) over (
                partition by scopes, other_scopes, workspace_id, pair_key, input_tokens, output_tokens, island
            ) as has_other_id
        from twins_in_islands
    ) as counted
    where
        not is_taken
        and surplus = 0
        and not (has_one_id and has_other_id)

),

matched as (

    select
        cluster_id,
        other_cluster_id,
        apart_ms
    from rounds
    where is_matched

    union all

    select
        one.cluster_id,
        other.cluster_id as other_cluster_id,
        {{ apart_ms('one', 'other') }} as apart_ms
    from twins_left as one
    inner join twins_left as other
        on
            one.scopes = other.scopes
            and one.other_scopes = other.other_scopes
            and one.workspace_id = other.workspace_id
            and one.pair_key = other.pair_key
            and one.input_tokens is not distinct from other.input_tokens
            and one.output_tokens is not distinct from other.output_tokens
            and one.island = other.island
            and one.place = other.place
    where
        one.is_one
        and not other.is_one

),

matches as (

    select
        *,
        row_number() over (
            partition by cluster_id
            order by
                apart_ms,
                other_cluster_id
        ) as one_rank,
        row_number() over (
            partition by other_cluster_id
            order by
                apart_ms,
                cluster_id
        ) as other_rank
    from matched

),

cluster_links as (

    select
        cluster_id,
        other_cluster_id,
        one_rank = 1 and other_rank = 1 as is_best
    from matches

    union all

    select
        other_cluster_id as cluster_id,
        cluster_id as other_cluster_id,
        one_rank = 1 and other_rank = 1 as is_best
    from matches

    union all

    select
        clusters.cluster_id,
        silent_outers.inner_cluster_id as other_cluster_id,
        true as is_best
    from silent_outers
    inner join clusters
        on silent_outers.node = clusters.node
    where silent_outers.inner_count = 1

    union all

    select
        silent_outers.inner_cluster_id as cluster_id,
        clusters.cluster_id as other_cluster_id,
        true as is_best
    from silent_outers
    inner join clusters
        on silent_outers.node = clusters.node
    where silent_outers.inner_count = 1

),

cluster_reached as (

    select
        cluster_id,
        cluster_id as least_node
    from (
        select distinct cluster_id
        from cluster_links
    ) as linked

    union distinct

    select
        cluster_links.other_cluster_id as cluster_id,
        cluster_reached.least_node
    from cluster_reached
    inner join cluster_links
        on cluster_reached.cluster_id = cluster_links.cluster_id

),

joined_clusters as (

    select
        cluster_id,
        min(least_node) as group_id
    from cluster_reached
    group by cluster_id

),

-- Three scopes may be matched in a ring that meets two calls of one scope: then only the nearest pairs stay together.
crowded_groups as (

    select group_id
    from (
        select
            joined_clusters.group_id,
            clusters.scope,
            count(distinct clusters.cluster_id) as cluster_count
        from joined_clusters
        inner join clusters
            on joined_clusters.cluster_id = clusters.cluster_id
        where clusters.has_tokens
        group by
            joined_clusters.group_id,
            clusters.scope
    ) as counted
    group by group_id
    having max(cluster_count) > 1

),

thinned_links as (

    select
        cluster_links.cluster_id,
        cluster_links.other_cluster_id
    from cluster_links
    inner join joined_clusters
        on cluster_links.cluster_id = joined_clusters.cluster_id
    where
        cluster_links.is_best
        or joined_clusters.group_id not in (select group_id from crowded_groups)

),

thinned_reached as (

    select
        cluster_id,
        cluster_id as least_node
    from (
        select distinct cluster_id
        from thinned_links
    ) as linked

    union distinct

    select
        thinned_links.other_cluster_id as cluster_id,
        thinned_reached.least_node
    from thinned_reached
    inner join thinned_links
        on thinned_reached.cluster_id = thinned_links.cluster_id

),

grouped_clusters as (

    select
        cluster_id,
        min(least_node) as group_id
    from thinned_reached
    group by cluster_id

),

-- Spans whose input is without what the cache took part in, as the span that they are nested with tells.
without_cache as (

    select distinct case when is_inner_without_cache then node else outer_node end as node
    from nested_matches
    where
        is_inner_without_cache
        or is_outer_without_cache

),

members as (

    select
        clusters.*,
        coalesce(grouped_clusters.group_id, clusters.cluster_id) as group_id,
        without_cache.node is not null as is_without_cache
    from clusters
    left join grouped_clusters
        on clusters.cluster_id = grouped_clusters.cluster_id
    left join without_cache
        on clusters.node = without_cache.node

),

-- An outer call whose usage is not that of the one call inside it, though another scope saw that at the same time: a framework's
-- own count of it.
inner_calls as (

    select
        pairs.outer_node as node,
        min(inners.node) as inner_node,
        count(distinct inners.group_id) as inner_count,
        bool_and(
            pairs.do_ids_agree
            and pairs.is_view_of_model
            and pairs.starts_apart_ms <= 100
            and pairs.ends_apart_ms <= 100
        ) as is_view
    from nested_pairs as pairs
    inner join members as inners
        on pairs.node = inners.node
    inner join members as outers
        on pairs.outer_node = outers.node
    where
        pairs.has_tokens
        and pairs.outer_has_tokens
        and inners.group_id <> outers.group_id
    group by pairs.outer_node

),

ranked as (

    select
        *,
        count(*) over (partition by group_id) as member_count,
        -- The place in a framework's tree wins over a trace that a client opened for want of one.
        row_number() over (
            partition by group_id
            order by
                has_tokens desc,
                is_in_trace_of_its_own asc,
                nearness desc,
                tree_depth desc,
                class_count desc,
                started_at asc,
                node asc
        ) as billing_place,
        row_number() over (
            partition by group_id
            order by
                has_tokens desc,
                is_without_cache asc,
                nearness desc,
                class_count desc,
                started_at asc,
                node asc
        ) as usage_place,
        row_number() over (
            partition by group_id
            order by
                coalesce(model, response_model) is not null desc,
                has_tokens desc,
                nearness desc,
                class_count desc,
                started_at asc,
                node asc
        ) as name_place
    from members

),

merged as (

    select
        group_id,
        max(case when billing_place = 1 then run_id end) as billed_run_id,
        max(case when billing_place = 1 then span_id end) as billed_span_id,
        max(case when billing_place = 1 then node end) as billed_node,
        {%- for name in names_of_calls() %}
            max(case when name_place = 1 then {{ name }} end) as {{ name }},
        {%- endfor %}
        {%- for name in words_of_calls() if name not in names_of_calls() %}
            {{ first_present(name, 'usage_place') }} as {{ name }},
        {%- endfor %}
        {%- for name in usage_classes() %}
            {% set is_whole = name in ['input_tokens', 'output_tokens'] -%}
            {{ first_present(name, 'usage_place') if is_whole else 'max(' ~ name ~ ')' }} as {{ name }},
        {%- endfor %}
        {%- for name in usage_classes() %}
            count(distinct nullif({{ name }}, 0)) > 1{{ ' or' if not loop.last else ' as has_conflict' }}
        {%- endfor %}
    from ranked
    where member_count > 1
    group by group_id

),

ids_of_billed as (

    select
        node,
        response_id
    from numbered

),

of_groups as (

    select
        ranked.usage_date,
        ranked.workspace_id,
        ranked.run_id,
        ranked.span_id,
        case when ranked.billing_place = 1 then 'call' else 'duplicate' end as billing_role,
        case
            when ranked.billing_place = 1 then 'model call, seen by several'
            when ranked.response_id = ids_of_billed.response_id then 'same response id as the billed call'
            when ranked.run_id = merged.billed_run_id and not ranked.has_tokens then 'the billed call without its usage'
            when ranked.cluster_id <> billed.cluster_id then 'same model, usage and time as the billed call'
            else 'same usage as the billed call it is nested with'
        end as billing_reason,
        merged.billed_run_id,
        merged.billed_span_id,
        ranked.billing_place = 1 as is_merged,
        case
            when merged.has_conflict then 'usage_conflict'
        end as billing_flags,
        {{ columns(words_of_calls() + usage_classes(), 'merged') }}
    from ranked
    inner join merged
        on ranked.group_id = merged.group_id
    inner join clusters as billed
        on merged.billed_node = billed.node
    inner join ids_of_billed
        on merged.billed_node = ids_of_billed.node

),

views as (

    select
        outers.usage_date,
        outers.workspace_id,
        outers.run_id,
        outers.span_id,
        case when inner_calls.is_view and inner_calls.inner_count = 1 then 'rollup' else 'call' end as billing_role,
        case
            when inner_calls.is_view and inner_calls.inner_count = 1 then 'a view of the call inside it, with usage of its own'
        end as billing_reason,
        case when inner_calls.is_view and inner_calls.inner_count = 1 then inners.run_id end as billed_run_id,
        case when inner_calls.is_view and inner_calls.inner_count = 1 then inners.span_id end as billed_span_id,
        false as is_merged,
        'nested_usage_mismatch' as billing_flags,
        {{ columns(words_of_calls() + usage_classes(), 'outers') }}
    from inner_calls
    inner join ranked as outers
        on inner_calls.node = outers.node
    inner join numbered as inners
        on inner_calls.inner_node = inners.node
    where outers.member_count = 1

),

silent_views as (

    select
        clusters.usage_date,
        clusters.workspace_id,
        clusters.run_id,
        clusters.span_id,
        'rollup' as billing_role,
        'a call without usage around several that have some' as billing_reason,
        cast(null as string) as billed_run_id,
        cast(null as string) as billed_span_id,
        false as is_merged,
        cast(null as string) as billing_flags,
        {{ columns(words_of_calls() + usage_classes(), 'clusters') }}
    from silent_outers
    inner join clusters
        on silent_outers.node = clusters.node
    where silent_outers.inner_count > 1

),

unmarked as (

    select
        usage_date,
        workspace_id,
        run_id,
        span_id,
        'rollup' as billing_role,
        'repeats usage of what is below it' as billing_reason,
        cast(null as string) as billed_run_id,
        cast(null as string) as billed_span_id,
        false as is_merged,
        cast(null as string) as billing_flags,
        {{ columns(words_of_calls() + usage_classes()) }}
    from {{ ref('int_calls__candidates') }}
    where not is_call

),

judged as (

    select *
    from of_groups

    union all

    select *
    from views

    union all

    select *
    from silent_views

    union all

    select *
    from unmarked

)

select
    usage_date,
    workspace_id,
    run_id,
    span_id,
    billing_role,
    billing_reason,
    billed_run_id,
    billed_span_id,
    is_merged,
    billing_flags,
    {{ columns(words_of_calls() + usage_classes()) }}
from judged
where {{ touched('usage_date') }}
order by
    usage_date,
    workspace_id,
    run_id,
    span_id
