{#-
    What tonight's build covers. The plan is data: schema `plan` is written into the candidate before dbt starts, and
    `int_dates__touched` adds the dates. Macros read it at execution and render literals, so that zone maps and file lists prune;
    variables on the command line would force dbt to parse the project anew every night.
-#}

{#-
    Rows of a query at execution, an empty list while parsing or where the relation does not exist (linting, docs). Schemas are named here as
    they are configured.
-#}
{% macro plan_rows(relation_schema, relation_name, query) -%}
    {%- set rows = [] -%}
    {%- if execute and adapter.get_relation(target.database, schema_name(relation_schema), relation_name) is not none -%}
        {%- for row in run_query(with_schema_names(query)) -%}
            {%- do rows.append(row) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rows) }}
{%- endmacro %}

{#-
    The same, remembered for the rest of this dbt run: every model and test asks for these, several times each, and they do not change
    once they are there. `graph` is the one object of a run that all its nodes share; an absent relation is not remembered.
-#}
{% macro plan_rows_once(relation_schema, relation_name, query) -%}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- if "credit_usage_plan" not in graph -%}
        {%- do graph.update({"credit_usage_plan": {}}) -%}
    {%- endif -%}
    {%- set known = graph["credit_usage_plan"] -%}
    {%- if query not in known -%}
        {%- set rows = plan_rows(relation_schema, relation_name, query) -%}
        {%- if rows | length == 0 -%}
            {{ return(rows) }}
        {%- endif -%}
        {%- do known.update({query: rows}) -%}
    {%- endif -%}
    {{ return(known[query]) }}
{%- endmacro %}

{#- True when everything is built from the lake, nothing is taken over from an earlier publication. -#}
{% macro is_full_build() -%}
    {%- set rows = plan_rows_once("plan", "night", "select is_full_build from plan.night") -%}
    {{ return(rows | length == 0 or rows[0][0]) }}
{%- endmacro %}

{#- True when prices or rates of spans that are already published may have changed. -#}
{% macro is_repricing() -%}
    {%- set rows = plan_rows_once(
        "plan", "changed_price_set",
        "select (select count(*) from plan.changed_model_name) + (select count(*) from plan.changed_price_set) "
        ~ "+ (select count(*) from plan.changed_rate_set) + (select count(*) from plan.changed_credit_price) > 0"
    ) -%}
    {{ return(rows | length > 0 and rows[0][0] and not is_full_build()) }}
{%- endmacro %}

{#- True when the lake has files of a foreign format: then calls of the contract may have been seen by them, too. -#}
{% macro has_foreign_sources() -%}
    {%- set rows = plan_rows_once("plan", "night", "select has_foreign_sources from plan.night") -%}
    {{ return(rows | length > 0 and rows[0][0]) }}
{%- endmacro %}

{#- The first date whose runs and calls are in the file that this night starts from, as a literal; none where those of all dates are. -#}
{% macro detail_from() -%}
    {%- set rows = plan_rows_once("plan", "night", "select cast(detail_from_date as string) from plan.night") -%}
    {{ return("date '" ~ rows[0][0] ~ "'" if rows | length > 0 and rows[0][0] is not none and not is_full_build() else none) }}
{%- endmacro %}

{#- Predicate: the column's date is rebuilt tonight. `true` on a full build. -#}
{% macro touched(column) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ in_dates(column, plan_rows_once(
            "intermediate", "int_dates__touched",
            "select cast(usage_date as string) from intermediate.int_dates__touched order by 1"
        )) }}
    {%- endif -%}
{%- endmacro %}

{#- Predicate: the column's date is rebuilt tonight or holds descendants of runs that are. -#}
{% macro touched_family(column) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ in_dates(column, plan_rows_once(
            "intermediate", "int_dates__family",
            "select cast(usage_date as string) from intermediate.int_dates__family order by 1"
        )) }}
    {%- endif -%}
{%- endmacro %}

{% macro in_dates(column, rows) -%}
    {%- if rows | length == 0 -%}
        false
    {%- else -%}
        {{ column }} in ({% for row in rows %}date '{{ row[0] }}'{{ ", " if not loop.last }}{% endfor %})
    {%- endif -%}
{%- endmacro %}

{#- Predicate on a staging view: rows of batches that no publication holds yet. `true` on a full build. -#}
{% macro in_new_batches() -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ in_parts(plan_rows("plan", "parts", "select distinct null, batch_seq from plan.parts where is_new order by 2")) }}
    {%- endif -%}
{%- endmacro %}

{#- Predicate on a staging view: the lake parts of these (lake_date, batch_seq) pairs, rendered so that files are pruned by path. -#}
{% macro in_parts(rows, relation=none) -%}
    {%- set prefix = relation ~ "." if relation else "" -%}
    {%- set dates = rows | map(attribute=0) | reject("none") | map("string") | unique | sort -%}
    {%- set batches = rows | map(attribute=1) | unique | sort -%}
    {%- if rows | length == 0 -%}
        false
    {%- else -%}
        {{ prefix }}batch_seq in ({{ batches | join(", ") }})
        {%- if dates | length > 0 %} and {{ prefix }}lake_date in ({% for day in dates %}date '{{ day }}'{{ ", " if not loop.last }}{% endfor %}){% endif -%}
    {%- endif -%}
{%- endmacro %}

{#- Predicate on stg_native__spans: every part that can hold spans of the touched dates. -#}
{% macro in_touched_span_parts() -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ in_parts(plan_rows(
            "intermediate", "int_spans__parts",
            "select distinct cast(lake_date as string), batch_seq from intermediate.int_spans__parts where " ~ touched("usage_date")
        )) }}
    {%- endif -%}
{%- endmacro %}

{#- Predicate on stg_native__spans: parts that held spans of the touched dates before tonight, and every new part. -#}
{% macro in_span_parts_to_locate() -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {%- set rows = plan_rows(
            "intermediate", "int_spans__parts",
            "select distinct cast(lake_date as string), batch_seq from intermediate.int_spans__parts where " ~ touched("usage_date")
        ) -%}
        {%- set new_rows = plan_rows(
            "plan", "parts",
            "select distinct cast(lake_date as string), batch_seq from plan.parts where is_new and entity = 'spans'"
        ) -%}
        {{ in_parts(rows + new_rows) }}
    {%- endif -%}
{%- endmacro %}

{#- Predicate on stg_native__spans: new parts, and those that hold older spans of runs which have not arrived but got spans tonight. -#}
{% macro in_span_parts_of_placeholders(relation) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {%- set old_rows = plan_rows(
            "intermediate", "int_spans__parts",
            "select distinct cast(parts.lake_date as string), parts.batch_seq from intermediate.int_spans__parts as parts "
            ~ "where parts.usage_date in (select usage_date from intermediate.int_runs__directory where not has_run and "
            ~ "(workspace_id, run_id) in (select workspace_id, run_id from staging.stg_native__spans where " ~ in_new_batches() ~ "))"
        ) -%}
        {%- set new_rows = plan_rows(
            "plan", "parts",
            "select distinct cast(lake_date as string), batch_seq from plan.parts where is_new and entity = 'spans'"
        ) -%}
        {{ in_parts(old_rows + new_rows, relation) }}
    {%- endif -%}
{%- endmacro %}

{#- Predicate on stg_native__runs: the parts that hold the winning versions of the runs of the touched dates. -#}
{% macro in_touched_run_parts() -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ in_parts(plan_rows(
            "intermediate", "int_runs__directory",
            "select distinct cast(lake_date as string), batch_seq from intermediate.int_runs__directory where has_run and " ~ touched("usage_date")
        )) }}
    {%- endif -%}
{%- endmacro %}

{#- Bounds that every date is within: what `in_chunk` renders, and a chunked materialization replaces by a chunk's own. -#}
{% macro open_bounds() -%}
    {{ return(["date '0001-01-01'", "date '9999-12-31'"]) }}
{%- endmacro %}

{#-
    Predicate of a model that is written in chunks of dates (`chunked` of `by_usage_date`): rows of the chunk at hand, all rows outside
    of it. What is read has a usage_date; with `on_lake` also a lake_date, by which files of other dates stay closed.
-#}
{% macro in_chunk(on_lake=false) -%}
    {%- set bounds = open_bounds() -%}
    usage_date between {{ bounds | join(" /* usage */ and ") }} /* usage */
    {%- if on_lake %}
    and lake_date between {{ bounds | join(" /* lake */ and ") }} /* lake */
    {%- endif -%}
{%- endmacro %}

{#- The model's SQL for one chunk, a row of `chunks_of_dates`. -#}
{% macro of_chunk(sql, chunk) -%}
    {%- set bounds = open_bounds() -%}
    {%- set ns = namespace(sql=sql) -%}
    {%- for place, first, last in [("usage", chunk[0], chunk[1]), ("lake", chunk[2], chunk[3])] -%}
        {%- for bound, value in [(bounds[0], first), (bounds[1], last)] -%}
            {%- set ns.sql = ns.sql | replace(bound ~ " /* " ~ place ~ " */", "date '" ~ value ~ "'") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if ns.sql == sql -%}
        {{ exceptions.raise_compiler_error(model.name ~ " is chunked, but in_chunk() is not in it: each chunk would hold all rows") }}
    {%- endif -%}
    {{ return(ns.sql) }}
{%- endmacro %}

{#-
    The touched dates in chunks of about so many spans: (first and last usage_date, first and last lake_date of their parts).
    Sorting 1.9 million full rows under a limit of 2 GB took 12 s of processor time, in chunks of half a million 3 s, and what does not
    fit spills. Together the chunks hold every date: runs may lie on one without any span.
-#}
{% macro chunks_of_dates(span_count) -%}
    {{ return(plan_rows(
        "intermediate", "int_spans__parts",
        "select cast(coalesce(lag(last_date) over (order by last_date) + 1, date '0001-01-01') as string), "
        ~ "cast(case when lead(last_date) over (order by last_date) is null then date '9999-12-31' else last_date end as string), "
        ~ "cast(first_lake_date as string), cast(last_lake_date as string) from ("
        ~ "select max(usage_date) as last_date, min(first_lake_date) as first_lake_date, max(last_lake_date) as last_lake_date "
        ~ "from (select *, (sum(span_count) over (order by usage_date) - span_count) // " ~ span_count ~ " as chunk from ("
        ~ "select usage_date, sum(span_count) as span_count, min(lake_date) as first_lake_date, max(lake_date) as last_lake_date "
        ~ "from intermediate.int_spans__parts where " ~ touched("usage_date") ~ " group by usage_date)) group by chunk) order by 1"
    )) }}
{%- endmacro %}
