{#
    One call, one bill: what tells that two spans saw the same model call. The rule is in docs/sources.md; `int_calls__candidates`
    gathers the evidence, `int_calls__judged` decides.
#}

{#- The names by which a call is priced: always those of one span, because names are resolved together. -#}
{% macro names_of_calls() -%}
    {{ return(["provider", "model", "response_model", "service_tier"]) }}
{%- endmacro %}

{#- What one span of a call may know and another not, beside its usage. -#}
{% macro words_of_calls() -%}
    {{ return(names_of_calls() + [
        "reported_provider_cost_usd", "charge_type", "session_id", "user_id", "api_key_id", "api_key_name", "collaborator", "deployment",
    ]) }}
{%- endmacro %}

{#- Spans are walked upward this far: a chain of parents that is longer, or a circle, ends there. -#}
{% macro max_depth_of_calls() -%} 64 {%- endmacro %}

{#- Clocks of one machine, read one after the other (milliseconds). -#}
{% macro same_moment_ms() -%} 5 {%- endmacro %}

{#- A response id that is long enough to be no coincidence: local servers number their answers (`chatcmpl-342`). -#}
{% macro is_strong_id(column) -%} (length({{ column }}) >= 20) {%- endmacro %}

{#- A span that is a model call by its source's own word. -#}
{% macro is_marked_call() -%}
    (
        coalesce(call_marker = 'call', false)
        or (source_format = 'native' and span_kind in ('completion', 'embedding', 'image_generation'))
    )
{%- endmacro %}

{#- A model's name without vendor prefix, date and version: what two sources may write differently of the same model. -#}
{% macro model_key(name) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace(lower(trim({{ name }})), '^.*/', ''),
            '^([a-z]{2,6}[.])?(anthropic|meta|amazon|mistral|cohere|ai21|openai|google|deepseek|qwen)[.]', ''
        ),
        '([@:-](v[0-9]+(:[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|latest|[0-9]{4}))+$', ''
    )
{%- endmacro %}

{#-
    The keys of the model that a call was asked of and of that which answered, in order: an alias, a deployment of Azure's or a router is in
    one of two sources and not in the other. Empty where no model is named.
-#}
{% macro model_keys(asked, answered) -%}
    {%- set one = "nullif(" ~ model_key(asked) ~ ", '')" -%}
    {%- set other = "nullif(" ~ model_key(answered) ~ ", '')" -%}
    case
        when {{ one }} is null and {{ other }} is null then {{ no_texts() }}
        when {{ other }} is null or {{ one }} = {{ other }} then {{ texts([one]) }}
        when {{ one }} is null then {{ texts([other]) }}
        else {{ texts(["least(" ~ one ~ ", " ~ other ~ ")", "greatest(" ~ one ~ ", " ~ other ~ ")"]) }}
    end
{%- endmacro %}

{#- Condition: two calls name a model in common. Null where one of them names none. -#}
{% macro same_model(one, other) -%}
    case
        when {{ one }}.model_keys <> {{ no_texts() }} and {{ other }}.model_keys <> {{ no_texts() }}
            then {{ lists_overlap(one ~ ".model_keys", other ~ ".model_keys") }}
    end
{%- endmacro %}

{#- Condition: they may be one call. Who makes an image makes it for whoever writes: only by the same model they are one. -#}
{% macro may_be_one_call(one, other) -%}
    ({{ one }}.makes_images = {{ other }}.makes_images or coalesce({{ same_model(one, other) }}, false))
{%- endmacro %}

{#- How near a scope is to the provider: 2 the provider's own SDK, 1 an instrumentation of its client, 0 a framework or gateway. -#}
{% macro nearness_of_scope(scope) -%}
    case
        when
            {{ whole_text_matches(
                "lower(" ~ scope ~ ")",
                "(com[.])?(openai|anthropic|google[._]genai|google_genai|mistralai|cohere|groq)([.]sdk([.].*)?)?"
            ) }}
            then 2
        when
            {{ text_matches(
                "lower(" ~ scope ~ ")",
                "(^|[._/-])(openai|anthropic|google[._-]?gen(erative)?[._-]?ai|vertexai|bedrock|botocore|mistralai|cohere|groq|together|ollama|watsonx)"
            ) }}
            and not ({{ text_matches("lower(" ~ scope ~ ")", "agents?($|[._-])|langchain|litellm") }})
            then 1
        else 0
    end
{%- endmacro %}

{#- Condition: a span tells usage. Nought is what a framework writes that was told nothing, of a stream for one. -#}
{% macro tells_tokens() -%} (coalesce(input_tokens, 0) > 0 or coalesce(output_tokens, 0) > 0) {%- endmacro %}

{#- Condition: two spans report the same usage. A stream may be one token off. -#}
{% macro same_usage(one, other) -%}
    (
        abs(coalesce({{ one }}.input_tokens, 0) - coalesce({{ other }}.input_tokens, 0)) <= 1
        and abs(coalesce({{ one }}.output_tokens, 0) - coalesce({{ other }}.output_tokens, 0)) <= 1
        and coalesce(abs({{ one }}.image_tokens - {{ other }}.image_tokens) <= 1, true)
    )
{%- endmacro %}

{#- Condition: the other's input is that of the one without what the cache took part in, of which the other knows nothing. -#}
{% macro is_without_cache_of(other, one) -%}
    (
        coalesce({{ other }}.cached_tokens, 0) + coalesce({{ other }}.cache_write_tokens, 0) = 0
        and coalesce({{ one }}.cached_tokens, 0) + coalesce({{ one }}.cache_write_tokens, 0) > 1
        and abs(
            {{ one }}.input_tokens - coalesce({{ one }}.cached_tokens, 0) - coalesce({{ one }}.cache_write_tokens, 0)
            - {{ other }}.input_tokens
        ) <= 1
        and abs(coalesce({{ one }}.output_tokens, 0) - coalesce({{ other }}.output_tokens, 0)) <= 1
    )
{%- endmacro %}

{#- Condition: their ids, where both have one, are not of two calls. -#}
{% macro ids_agree(one, other) -%}
    ({{ one }}.response_id is null or {{ other }}.response_id is null or {{ one }}.response_id = {{ other }}.response_id)
{%- endmacro %}

{#- Condition: one lies within the other, give or take a moment. -#}
{% macro one_within_other(one, other, tolerance_ms) -%}
    (
        (
            {{ one }}.started_at >= {{ shifted_ms(other ~ ".started_at", -tolerance_ms) }}
            and {{ one }}.ended_at <= {{ shifted_ms(other ~ ".ended_at", tolerance_ms) }}
        )
        or (
            {{ other }}.started_at >= {{ shifted_ms(one ~ ".started_at", -tolerance_ms) }}
            and {{ other }}.ended_at <= {{ shifted_ms(one ~ ".ended_at", tolerance_ms) }}
        )
    )
{%- endmacro %}

{#- Milliseconds that two spans start and end apart, added. -#}
{% macro apart_ms(one, other) -%}
    (
        abs({{ milliseconds_from(one ~ ".started_at", other ~ ".started_at") }})
        + abs({{ milliseconds_from(one ~ ".ended_at", other ~ ".ended_at") }})
    )
{%- endmacro %}

{#- Ten seconds of time as a number: an equality that keeps a join by time from comparing everything with everything. -#}
{% macro time_bucket(utc_timestamp) -%}
    {{ adapter.dispatch("time_bucket", "credit_usage")(utc_timestamp) }}
{%- endmacro %}

{% macro duckdb__time_bucket(utc_timestamp) -%}
    (epoch_ms({{ utc_timestamp }}) // 10000)
{%- endmacro %}

{#- A UTC timestamp, that many milliseconds later. -#}
{% macro shifted_ms(utc_timestamp, ms) -%}
    {{ adapter.dispatch("shifted_ms", "credit_usage")(utc_timestamp, ms) }}
{%- endmacro %}

{% macro duckdb__shifted_ms(utc_timestamp, ms) -%}
    ({{ utc_timestamp }} + interval ({{ ms }}) millisecond)
{%- endmacro %}

{#- Rows of a relation, one for each ten seconds that a span lasts, in `bucket`, and for each key of its model, in `pair_key`. -#}
{% macro by_time_bucket(relation) -%}
    {{ adapter.dispatch("by_time_bucket", "credit_usage")(relation) }}
{%- endmacro %}

{% macro duckdb__by_time_bucket(relation) -%}
    (
        select
            *,
            unnest(
                range(
                    {{ time_bucket(shifted_ms("started_at", -5)) }},
                    {{ time_bucket(shifted_ms("ended_at", 5)) }} + 1
                )
            ) as bucket
        from {{ by_model_key(relation) }} as keyed
        where
            has_tokens
            and ended_at is not null
    )
{%- endmacro %}

{#- Rows of a relation, one for each key of its model, in `pair_key`. -#}
{% macro by_model_key(relation) -%}
    {{ adapter.dispatch("by_model_key", "credit_usage")(relation) }}
{%- endmacro %}

{% macro duckdb__by_model_key(relation) -%}
    (
        select
            *,
            unnest(model_keys) as pair_key
        from {{ relation }}
    )
{%- endmacro %}

{#- Condition: a list of texts holds a text. -#}
{% macro list_holds(list, value) -%}
    {{ adapter.dispatch("list_holds", "credit_usage")(list, value) }}
{%- endmacro %}

{% macro duckdb__list_holds(list, value) -%}
    list_contains({{ list }}, {{ value }})
{%- endmacro %}

{% macro is_same_span(one, other) -%}
    ({{ one }}.workspace_id = {{ other }}.workspace_id and {{ one }}.run_id = {{ other }}.run_id and {{ one }}.span_id = {{ other }}.span_id)
{%- endmacro %}

{#-
    Pairs of calls that may be one, both ways round: by a strong id whenever they were; by a weak one where different scopes saw them at
    once, or where the same was delivered twice; and by model, usage and time, for which `one_call` pairs are chosen one to one later.
    Both relations have the columns of int_calls__candidates.
-#}
{% macro pairs_by_id(one, other) -%}
    select
        a.workspace_id,
        a.run_id,
        a.span_id,
        b.run_id as other_run_id,
        b.span_id as other_span_id
    from {{ one }} as a
    inner join {{ other }} as b
        on
            a.workspace_id = b.workspace_id
            and a.response_id = b.response_id
    where
        not {{ is_same_span("a", "b") }}
        and (
            {{ is_strong_id("a.response_id") }}
            or (a.scope <> b.scope and {{ one_within_other("a", "b", 1000) }})
            or (a.started_at = b.started_at and {{ same_usage("a", "b") }})
        )
{%- endmacro %}

{% macro pairs_by_usage(one, other) -%}
    {%- for longer, shorter in [(one, other), (other, one)] %}
    select
        {% if loop.first %}a.workspace_id, a.run_id, a.span_id, b.run_id as other_run_id, b.span_id as other_span_id,
        {%- else %}b.workspace_id, b.run_id, b.span_id, a.run_id as other_run_id, a.span_id as other_span_id,
        {%- endif %}
        a.pair_key
    from {{ by_time_bucket(longer) }} as a
    inner join {{ by_model_key(shorter) }} as b
        on
            a.workspace_id = b.workspace_id
            and a.pair_key = b.pair_key
            and a.bucket = b.start_bucket
    where
        a.scope <> b.scope
        and b.has_tokens
        and {{ same_usage("a", "b") }}
        and {{ ids_agree("a", "b") }}
        and b.started_at >= {{ shifted_ms("a.started_at", -5) }}
        and b.ended_at <= {{ shifted_ms("a.ended_at", 5) }}
    {{ "union all" if loop.first }}
    {%- endfor %}
{%- endmacro %}

{% macro pairs_by_nesting(one, other) -%}
    select
        a.workspace_id,
        a.run_id,
        a.span_id,
        b.run_id as other_run_id,
        b.span_id as other_span_id
    from {{ one }} as a
    inner join {{ other }} as b
        on
            a.workspace_id = b.workspace_id
            and a.run_id = b.run_id
    where
        {{ list_holds("a.call_ancestors", "b.span_id") }}
        or {{ list_holds("b.call_ancestors", "a.span_id") }}
{%- endmacro %}

{#- The calls of `among` that may be one with a call of `of`, in any of the three ways; keys only. -#}
{% macro neighbours(of, among) -%}
    select distinct
        workspace_id,
        other_run_id as run_id,
        other_span_id as span_id
    from (
        {{ pairs_by_id(of, among) }}
        union all
        select
            workspace_id,
            run_id,
            span_id,
            other_run_id,
            other_span_id
        from (
            {{ pairs_by_usage(of, among) }}
        ) as pairs_by_usage
        union all
        {{ pairs_by_nesting(of, among) }}
    ) as pairs
{%- endmacro %}

{#- The columns of int_calls__candidates by which pairs are found. -#}
{% macro evidence_of_claims() -%}
    {{ return([
        "workspace_id", "run_id", "span_id", "response_id", "scope", "model_keys", "start_bucket", "started_at", "ended_at", "has_tokens",
        "input_tokens", "output_tokens", "image_tokens", "call_ancestors",
    ]) }}
{%- endmacro %}

{#- True when tonight's spans may be of calls that are published: something is, and it keeps evidence. -#}
{% macro may_have_twins() -%}
    {%- set rows = plan_rows_once(
        "intermediate", "int_calls__candidates", "select count(*) > 0 from (select 1 from intermediate.int_calls__candidates limit 1)"
    ) -%}
    {{ return(rows | length > 0 and rows[0][0] and not is_full_build()) }}
{%- endmacro %}
