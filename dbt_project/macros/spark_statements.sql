{#-
    How a model's one statement becomes several on Spark. A named part of a query is worked out anew at each mention there, and the parts of
    int_calls__judged mention each other so often that its plan would hold some hundred thousand scans; DuckDB keeps what is mentioned twice.
    And Spark's recursion knows no `union distinct`. So the parts that are mentioned twice become tables in schema `staged`, and a recursive
    part becomes one table for each step, until a step finds nothing. The models' text is the same for both engines.
-#}

{#- The parts of a query: `ctes`, in order, each with name and body, and what follows them in `final`. Comments are left out. -#}
{% macro parts_of_query(sql) -%}
    {%- set re = modules.re -%}
    {%- set text = re.sub("--[^\n]*|/[*].*?[*]/", "", sql, flags=re.DOTALL) | trim -%}
    {%- set head = re.match("with\\s+(recursive\\s+)?", text) -%}
    {%- set ctes = [] -%}
    {%- if head is none -%}
        {{ return({"ctes": ctes, "final": text}) }}
    {%- endif -%}
    {%- set at = namespace(depth=0, start=head.end(), body=0, name="", is_over=false, final="") -%}
    {%- for mark in re.finditer("'(?:[^']|'')*'|[()]", text) -%}
        {%- if not at.is_over and mark.group() == "(" -%}
            {%- if at.depth == 0 -%}
                {%- set at.name = re.match("\\s*(\\w+)\\s+as\\s*$", text[at.start:mark.start()]).group(1) -%}
                {%- set at.body = mark.end() -%}
            {%- endif -%}
            {%- set at.depth = at.depth + 1 -%}
        {%- elif not at.is_over and mark.group() == ")" -%}
            {%- set at.depth = at.depth - 1 -%}
            {%- if at.depth == 0 -%}
                {%- do ctes.append({"name": at.name, "body": text[at.body:mark.start()]}) -%}
                {%- set comma = re.match("\\s*,", text[mark.end():]) -%}
                {%- set at.start = mark.end() + (comma.end() if comma else 0) -%}
                {%- set at.is_over = comma is none -%}
                {%- set at.final = text[at.start:] -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({"ctes": ctes, "final": at.final}) }}
{%- endmacro %}

{#- The names after `from` and `join` in a text, as often as they stand there. Qualified names are relations, not parts. -#}
{% macro mentions(sql) -%}
    {{ return(modules.re.findall("\\b(?:from|join)\\s+(\\w+)\\b(?![.(])", sql)) }}
{%- endmacro %}

{#- A query with those of the parts before it that it needs, at any remove. -#}
{% macro with_parts(sql, known) -%}
    {%- set needed = {} -%}
    {%- set wanted = {} -%}
    {%- for name in mentions(sql) -%}{%- do wanted.update({name: true}) -%}{%- endfor -%}
    {%- for name in known.keys() | list | reverse if name in wanted -%}
        {%- do needed.update({name: known[name]}) -%}
        {%- for other in mentions(known[name]) -%}{%- do wanted.update({other: true}) -%}{%- endfor -%}
    {%- endfor -%}
    {%- set parts = [] -%}
    {%- for name in needed.keys() | list | reverse -%}{%- do parts.append(name ~ " as (" ~ needed[name] ~ ")") -%}{%- endfor -%}
    {{ return(("with " ~ parts | join(",\n") ~ "\n" if parts else "") ~ sql) }}
{%- endmacro %}

{#- The folder of a table that this build writes. -#}
{% macro spark_location(schema, name) -%}
    '{{ env_var("CREDIT_USAGE_SPARK_TABLES") | replace("\\", "\\\\") | replace("'", "\\'") }}/{{ schema }}/{{ name }}'
{%- endmacro %}

{#- A query's rows in a table of schema `staged`; its name comes back. -#}
{% macro staged(name, sql) -%}
    {%- set table = schema_name("staged") ~ "." ~ model.name ~ "__" ~ name -%}
    {%- do run_query("drop table if exists " ~ table) -%}
    {%- do run_query(
        "create table " ~ table ~ " using parquet location " ~ spark_location("staged", model.name ~ "__" ~ name) ~ " as\n" ~ sql
    ) -%}
    {{ return(table) }}
{%- endmacro %}

{#- A recursive part, step by step: each is worked out from the rows that the one before it found. A query of all rows comes back. -#}
{% macro staged_recursion(name, body, known) -%}
    {%- set at = namespace(depth=0, union=none, all=[], is_over=false) -%}
    {%- for mark in modules.re.finditer("'(?:[^']|'')*'|[()]|\\bunion\\s+(?:all|distinct)\\b", body) -%}
        {%- if mark.group() == "(" -%}{%- set at.depth = at.depth + 1 -%}
        {%- elif mark.group() == ")" -%}{%- set at.depth = at.depth - 1 -%}
        {%- elif at.union is none and at.depth == 0 and mark.group().startswith("union") -%}{%- set at.union = mark -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set first = body[:at.union.start()] -%}
    {%- set step = body[at.union.end():] -%}
    {%- set is_distinct = at.union.group().endswith("distinct") -%}
    {%- do at.all.append("select * from " ~ staged(
        name ~ "__0", with_parts("select " ~ ("distinct " if is_distinct else "") ~ "* from (" ~ first ~ ") as found", known)
    )) -%}
    {%- for number in range(1, 10000) -%}
        {%- if at.is_over -%}
        {%- elif run_query(at.all[-1] ~ " limit 1") | length == 0 -%}
            {%- set at.is_over = true -%}
        {%- else -%}
            {%- set found = "select * from (" ~ step ~ ") as found" -%}
            {%- if is_distinct -%}
                {%- set found = found ~ "\nexcept\n(" ~ at.all | join(" union all ") ~ ")" -%}
            {%- endif -%}
            {%- set before = dict(known, **{name: at.all[-1]}) -%}
            {%- do at.all.append("select * from " ~ staged(name ~ "__" ~ number, with_parts(found, before))) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(at.all | join("\nunion all\n")) }}
{%- endmacro %}

{#-
    A model's statement with what it mentions twice, or what is recursive, staged. A part that only reads a table is not: it would be copied.
    Views on the lake, in schema `staging`, are worked out at each mention, so parts that read one are staged like the rest.
-#}
{% macro with_staged_parts(sql) -%}
    {%- set query = parts_of_query(sql) -%}
    {%- set known = {} -%}
    {%- for cte in query.ctes -%}
        {%- set later = query.ctes[loop.index:] | map(attribute="body") | join("\n") ~ "\n" ~ query.final -%}
        {%- set is_import = not modules.re.search("\\b(join|group by|over|union|distinct|explode)\\b|staging[.]", cte.body)
            and not (mentions(cte.body) | select("in", known) | list) -%}
        {%- if cte.name in mentions(cte.body) -%}
            {%- do known.update({cte.name: staged_recursion(cte.name, cte.body, known)}) -%}
        {%- elif (mentions(later) | select("equalto", cte.name) | list | length) > 1 and not is_import -%}
            {%- do known.update({cte.name: "select * from " ~ staged(cte.name, with_parts(cte.body, known))}) -%}
        {%- else -%}
            {%- do known.update({cte.name: cte.body}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(with_parts(query.final, known)) }}
{%- endmacro %}
