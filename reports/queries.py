# ruff: noqa: E501  (SQL is laid out by clause)
"""Every SQL statement of the reports, over one read-only connection. Reads schemas marts, dimensions and
meta, nothing else.

What belongs here: reading sets, for all workspaces at once, as JSON text that DuckDB writes. What does not:
decisions on what is shown, formatting, files. No statement loops over rows of runs, spans or the cube in Python; what comes back
is one text per chunk. Daily sums, thousands of rows a month, are put into columns here: planning that in SQL takes longer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from reports import columns as col

if TYPE_CHECKING:
    import duckdb

LOG_ROWS_PER_PART = 2_500
"""Rows of one log chunk: one or two megabytes, so the first page of the busiest day opens at once."""
SPANS_PER_SHARD = 1_500
"""Spans of one run-sheet chunk: under a megabyte, so a sheet opens at once."""
RUNS_PER_INDEX_SHARD = 4_000
"""Run ids of one index shard, about 250 kB."""
SPAN_NAMES_PER_MONTH = 200
"""Span names kept apart in a month's chunk; the others are summed under 'other' and said to be."""
USERS_PER_DAY = 300
"""Users kept apart on a day (the first of each of three rankings); the others are summed and said to be."""
USERS_PER_PART = 5_000
CUBE_ROWS_PER_PART = 12_000
"""Rows of one cube chunk: about a megabyte."""
CUBE_ROWS_AT_ONCE = 100_000
"""Rows whose cube chunks are made by one query, of all months of a batch together."""
LARGEST_NUMBER = 2**53 - 1
"""Up to which a browser's numbers are whole."""
VALUES_PER_MONTH = 60
"""Values of a dimension kept apart in a month (the first of each of three rankings); the others are summed and said
to be.
"""
FILTER_VALUES = 300
"""Distinct values offered as a list; a column with more gets a text filter instead."""


_DAY_MARTS = (
    *dict.fromkeys(table.mart for table in col.DAILY_TABLES),
    *(mart for _, mart, _, _ in col.HISTOGRAMS),
    "mart_analytics__span_performance",
    "mart_analytics__span_latency_histogram",
    "mart_analytics__usage_breakdown",
    "mart_analytics__top_users",
    "mart_users__activity",
    *(f"mart_logs__{kind}_runs" for kind in col.LOG_KINDS.values()),
    *(f"mart_details__{kind}_summary" for kind in col.LOG_KINDS.values()),
    "mart_details__spans",
)
"""Marts with a date that chunks are made of."""


class PublishedFileError(RuntimeError):
    """The published file lacks a table or column that the pages need."""


@dataclass(frozen=True)
class Workspace:
    """One row of dim_workspace."""

    workspace_id: str
    name: str
    time_zone: str | None
    has_credit_price: bool
    credit_price_days: tuple[tuple[str | None, str | None], ...] = ()
    """Stretches of days with a credit price, as ISO text: from, up to but without; None is open."""


Row = tuple[Any, ...]
DuckdbConfig = dict[str, str | bool | int | float | list[str]]
_BY_MONTH = "strftime(m.usage_date, '%Y-%m')"


def _json_rows(columns: Sequence[col.Column]) -> str:
    return f"json_array({', '.join(column.sql for column in columns)})::varchar"


def _sums(columns: Sequence[col.Column], relation: str = "") -> str:
    """Sums of columns under their own names, in the types of the marts."""

    def kind(column: col.Column) -> str:
        if column.kind == "int":
            return "bigint"
        return "decimal(38,6)" if column.name == "task_credits" else "decimal(38,12)"

    dot = f"{relation}." if relation else ""
    return ", ".join(
        f"coalesce(sum({dot}{column.name}), 0)::{kind(column)} as {column.name}" for column in columns
    )


def _whole(column: col.Column) -> str:
    """A measure of `m` as a whole number: amounts in 10^-12, as the pages add them."""
    if column.kind == "money":  # a decimal of 12 places without its point
        return f"replace(m.{column.name}::decimal(38,12)::varchar, '.', '')::hugeint"
    return f"m.{column.name}"


def _of_shards(wanted: range | None) -> str:
    """The clause that keeps some shards."""
    return "" if wanted is None else f"where shard >= {wanted.start} and shard < {wanted.stop}"


def _packed(columns: Mapping[str, str], order: str) -> str:
    """Aggregates of a group's rows, in order, from which `_unpacked` makes a list of each column: sorted once for all."""
    fields = ", ".join(f"{name} := {expression}" for name, expression in columns.items())
    edges = ", ".join(
        f"min({expression}) as low_{name}, max({expression}) as high_{name}"
        for name, expression in columns.items()
    )
    return f"list(struct_pack({fields}) order by {order}) as packed, {edges}"


def _unpacked(columns: Iterable[str]) -> str:
    """Whole numbers as JSON lists; as text where a browser's numbers would not hold one of them. A list of equal numbers is
    that number.
    """
    return ", ".join(
        f"""case when greatest(abs(low_{name}), abs(high_{name})) > {LARGEST_NUMBER}
                then to_json(list_transform(packed, lambda row: row.{name}::varchar))::varchar
            when low_{name} = high_{name} then low_{name}::varchar
            else to_json(list_transform(packed, lambda row: try_cast(row.{name} as bigint)))::varchar end as {name}"""
        for name in columns
    )


def _packed_list(values: Sequence[int]) -> str:
    """As `_unpacked`, of values that are here already."""
    low, high = min(values), max(values)
    if max(-low, high) > LARGEST_NUMBER:
        return json.dumps([str(value) for value in values], separators=(",", ":"))
    return str(low) if low == high else json.dumps(values, separators=(",", ":"))


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}"


class Published:
    """The published file, open for reading. `config` is DuckDB's: what memory it may take, and where what does not fit goes."""

    def __init__(self, path: Path, config: DuckdbConfig | None = None) -> None:
        import duckdb  # noqa: PLC0415  (lazy: start-up of the command line)

        self._connection: duckdb.DuckDBPyConnection = duckdb.connect(
            str(path), read_only=True, config=config or {}
        )
        self._connection.execute("set timezone = 'UTC'")
        self._month_range = ("9999-01", "0001-01")
        self._days: tuple[date, date] | None = None
        self._has_kept_values = False
        self._rows_by_day: dict[str, dict[tuple[str, date], int]] = {}

    def __enter__(self) -> Published:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def _columns_of(self, table: str, schema: str = "marts") -> set[str]:
        found = self._all(
            "select column_name from duckdb_columns() where schema_name = ? and table_name = ? "
            "and database_name = current_database()",
            [schema, table],
        )
        if not found and schema == "marts":
            raise PublishedFileError(f"marts.{table} is missing: was the file published by another version?")
        return {str(name) for (name,) in found}

    def _known_columns(self, table: str, columns: Sequence[col.Column]) -> list[col.Column]:
        """The columns, those that an older publication lacks as NULL."""
        there = self._columns_of(table)
        return [
            column if (column.needs or column.name) in there else col.Column(column.name, "text", "null")
            for column in columns
        ]

    # --- dimensions and meta
    # ---------------------------------------------------------------------------------------

    def workspaces(self) -> list[Workspace]:
        """All workspaces, by id."""
        rows = self._all(
            """select w.workspace_id, any_value(w.workspace_name), any_value(w.time_zone), bool_or(w.has_credit_price),
                list([p.valid_from::varchar, p.valid_to::varchar] order by p.valid_from nulls first) filter (where p.workspace_id is not null)
            from dimensions.dim_workspace as w
            left join dimensions.dim_credit_price as p on p.workspace_id = w.workspace_id
            group by 1 order by 1"""
        )
        return [
            Workspace(str(key), str(name or key), zone, bool(priced), tuple(map(tuple, days or ())))
            for key, name, zone, priced, days in rows
        ]

    def publication(self) -> dict[str, str | None]:
        """The two stamps, in UTC, and the publication they belong to."""
        rows = self._all(
            "select publication_id, published_at, data_through_at, generated_by from meta.publication "
            "order by published_at desc, publication_id desc limit 1"
        )
        if not rows:
            raise PublishedFileError("meta.publication is empty: the file was not published by credit-usage")
        identity, published_at, data_through_at, generated_by = rows[0]

        def stamp(value: datetime | None) -> str | None:
            return None if value is None else value.strftime("%Y-%m-%d %H:%M:%S UTC")

        return {
            "publication_id": identity,
            "published_at": stamp(published_at),
            "data_through_at": stamp(data_through_at),
            "generated_by": generated_by,
        }

    def published_at(self) -> datetime:
        """When this file was published."""
        rows = self._all("select max(published_at) from meta.publication")
        if rows[0][0] is None:
            raise PublishedFileError("meta.publication is empty: the file was not published by credit-usage")
        return datetime.combine(rows[0][0].date(), rows[0][0].time(), UTC)

    # --- analytics
    # -------------------------------------------------------------------------------------------------

    def choose_months(self, months: Sequence[tuple[str, str]], days: tuple[date, date] | None = None) -> None:
        """What the next queries of daily figures read: months ('2026-03') of workspaces; of them, with `days`, only
        those days. Which values a month keeps apart is decided by the whole month in any case.
        """
        self._connection.execute(
            "create or replace temp table chosen as select unnest(?::varchar[]) as workspace_id, "
            "(unnest(?::varchar[]) || '-01')::date as month_date",
            [[workspace_id for workspace_id, _ in months], [month for _, month in months]],
        )
        names = [month for _, month in months]
        self._month_range = (min(names), max(names)) if names else ("9999-01", "0001-01")
        self._days = days
        self._has_kept_values = False

    def _of(self, mart: str) -> str:
        """A daily mart, the chosen months only."""
        first, last = self._month_range
        return (
            f"(select t.* from marts.{mart} as t semi join chosen on chosen.workspace_id = t.workspace_id "
            "and chosen.month_date = date_trunc('month', t.usage_date)::date "
            f"where t.usage_date >= date '{first}-01' and t.usage_date < date '{last}-01' + interval 1 month)"
        )

    def _of_days(self, relation: str = "m") -> str:
        """The condition that keeps the chosen days."""
        if self._days is None:
            return "true"
        first, last = self._days
        return f"{relation}.usage_date between date '{first}' and date '{last}'"

    def _columnar(self, source: str, keys: Sequence[str], measures: Sequence[col.Column]) -> list[Row]:
        """(workspace_id, month, JSON) of a keyed table, one row per day and keys in `source`: {keys: [[…], …], key: [place
        of each row's keys], day: [day of the month], and a list for each measure}.
        """
        order = ", ".join(f"{key} nulls last" for key in keys)
        rows = self._all(f"""with m as ({source})
            select m.workspace_id, strftime(m.usage_date, '%Y-%m') as month,
                dense_rank() over (partition by m.workspace_id, month order by {order}) - 1 as code, day(m.usage_date),
                {", ".join(_whole(measure) for measure in measures)}, {", ".join(f"m.{key}" for key in keys)}
            from m where {self._of_days()} order by m.workspace_id, m.usage_date, code""")
        found = []
        for (workspace_id, month), group in groupby(rows, key=itemgetter(0, 1)):
            columns = list(zip(*group, strict=True))
            named = dict(zip(columns[2], zip(*columns[4 + len(measures) :], strict=True), strict=True))
            lists = zip(("key", "day", *col.names(tuple(measures))), columns[2:], strict=False)
            texts = {name: _packed_list(values) for name, values in lists}
            keys_text = json.dumps([named[code] for code in range(len(named))], ensure_ascii=False)
            found.append((workspace_id, month, _object({"keys": keys_text, **texts})))
        return found

    def _histogram(self, source: str, keys: Sequence[str]) -> list[Row]:
        """(workspace_id, month, JSON) of histograms, one row per day, keys and bucket in `source`: {keys, key, day, size: [buckets
        of each row], bucket: [of all rows in turn, each as its distance from the one before it in its row], count}.
        """
        order = ", ".join(f"{key} nulls last" for key in keys)
        return self._all(f"""with m as ({source}),
            c as (
                select *, strftime(usage_date, '%Y-%m') as month,
                    dense_rank() over (partition by workspace_id, month order by {order}) - 1 as code
                from m where {self._of_days()}),
            d as (
                select *, bucket - coalesce(lag(bucket) over (partition by workspace_id, usage_date, code order by bucket), 0) as step from c),
            k as (
                select workspace_id, month, '[' || string_agg(json_array({", ".join(keys)})::varchar, ',' order by code) || ']' as keys_text
                from (select distinct workspace_id, month, code, {", ".join(keys)} from c) group by 1, 2),
            h as (
                select workspace_id, month, usage_date, code, count(*) as size, list(step order by bucket) as steps,
                    list(number order by bucket) as numbers
                from d group by all),
            r as (
                select workspace_id, month, list(day(usage_date) order by usage_date, code) as days, list(code order by usage_date, code) as codes,
                    list(size order by usage_date, code) as sizes, flatten(list(steps order by usage_date, code)) as steps,
                    flatten(list(numbers order by usage_date, code)) as numbers
                from h group by 1, 2)
            select r.workspace_id, r.month, '{{"keys":' || keys_text || ',"key":' || to_json(codes)::varchar || ',"day":' || to_json(days)::varchar
                || ',"size":' || to_json(sizes)::varchar || ',"bucket":' || to_json(steps)::varchar || ',"count":' || to_json(numbers)::varchar || '}}'
            from r join k on k.workspace_id = r.workspace_id and k.month = r.month""")

    def _rows(self, source: str, columns: Sequence[col.Column]) -> list[Row]:
        return self._all(
            f"select m.workspace_id, {_BY_MONTH}, '[' || string_agg({_json_rows(columns)}, ',\n' order by m.usage_date) || ']' "
            f"from {source} as m where {self._of_days()} group by 1, 2"
        )

    def daily_tables(self) -> dict[tuple[str, str], dict[str, dict[str, str]]]:
        """(workspace_id, month) → chunk → table name → JSON, for every daily mart, of the chosen months."""
        found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

        def add(chunk: str, name: str, rows: list[Row]) -> None:
            for workspace_id, month, text in rows:
                found.setdefault((str(workspace_id), str(month)), {}).setdefault(chunk, {})[name] = str(text)

        for table in col.DAILY_TABLES:
            if not table.is_keyed:
                add("analytics", table.name, self._rows(self._of(table.mart), table.columns))
                continue
            keys = ", ".join(table.keys)
            source = f"select workspace_id, {keys}, {_sums(table.measures)} from {self._of(table.mart)} group by all"
            add("analytics", table.name, self._columnar(source, table.keys[1:], table.measures))
        for name, mart, mart_keys, measure in col.HISTOGRAMS:
            source = (
                f"select usage_date, workspace_id, {', '.join(mart_keys)}, bucket_index::bigint as bucket, sum({measure})::bigint as number "
                f"from {self._of(mart)} group by all"
            )
            add("latency", name, self._histogram(source, mart_keys))
        kept = f"""kept as (
            select workspace_id, strftime(usage_date, '%Y-%m') as month, span_name, span_kind
            from {self._of("mart_analytics__span_performance")}
            where span_kind <> 'run'
            group by 1, 2, 3, 4
            qualify row_number() over (
                partition by workspace_id, month order by sum(span_duration_ms) desc nulls last, span_name, span_kind
            ) <= {SPAN_NAMES_PER_MONTH})"""
        is_kept = """k.workspace_id = s.workspace_id and k.month = strftime(s.usage_date, '%Y-%m')
                    and k.span_name = s.span_name and k.span_kind = s.span_kind"""
        add(
            "analytics",
            "spans",
            self._columnar(
                f"""with {kept}
                select s.usage_date, s.workspace_id, k.span_name, k.span_kind, {_sums(col.SPAN_SUMS_DAILY, "s")}
                from {self._of("mart_analytics__span_performance")} as s left join kept as k on {is_kept}
                where s.span_kind <> 'run' group by all""",
                col.SPAN_KEYS,
                col.SPAN_SUMS_DAILY,
            ),
        )
        days = f"""(select usage_date, workspace_id, coalesce(max(run_duration_ms), 0)::bigint as run_duration_ms
            from {self._of("mart_analytics__span_performance")} group by all)"""
        add("analytics", "span_days", self._rows(days, col.ROW_TABLES["span_days"]))
        add(
            "latency",
            "span_latency",
            self._histogram(
                f"""with {kept}
                select s.usage_date, s.workspace_id, s.span_name, s.span_kind, s.bucket_index::bigint as bucket, sum(s.span_count)::bigint as number
                from {self._of("mart_analytics__span_latency_histogram")} as s join kept as k on {is_kept} group by all""",
                col.SPAN_KEYS,
            ),
        )
        add("analytics", "users", self._user_rows())
        add("latency", "buckets", self._buckets())
        self._keep_values()
        for dimension in col.DIMENSIONS:
            add(f"by_{dimension.name}", f"by_{dimension.name}", self._breakdown_rows(dimension))
        return found

    def _keep_values(self) -> None:
        """Tables `usage` (sums by all dimensions together), and `kept_<dimension>`: the values that a month keeps apart, with
        their place in its list.
        """
        if self._has_kept_values:
            return
        self._has_kept_values = True
        has_flag = "is_model_call" in self._columns_of("mart_analytics__usage_breakdown")
        is_model_call = "is_model_call" if has_flag else "model is not null"  # publications before it
        columns = ", ".join(d.column for d in col.DIMENSIONS)
        self._connection.execute(
            f"""create or replace temp table usage as
            select usage_date, strftime(usage_date, '%Y-%m') as month, workspace_id, {columns}, ({is_model_call})::bigint as is_model_call,
                {_sums(col.CUBE_SUMS)}
            from {self._of("mart_analytics__usage_breakdown")} group by all"""
        )
        rank = "row_number() over (partition by workspace_id, month order by {} desc, value)"
        for d in col.DIMENSIONS:
            self._connection.execute(
                f"""create or replace temp table kept_{d.name} as
                with sums as (
                    select workspace_id, month, {d.column} as value, sum(total_cost_usd) as cost, sum(total_tokens) as tokens,
                        sum(call_count) as calls
                    from usage where {d.column} is not null group by all),
                ranks as (
                    select workspace_id, month, value,
                        least({rank.format("cost")}, {rank.format("tokens")}, {rank.format("calls")}) as best_rank
                    from sums)
                select workspace_id, month, value, row_number() over (partition by workspace_id, month order by value) - 1 as place
                from ranks where best_rank <= {VALUES_PER_MONTH}"""
            )

    def _breakdown_rows(self, dimension: col.Dimension) -> list[Row]:
        """Daily sums by the values of one dimension, the rare ones of a month together."""
        return self._columnar(
            f"""select u.usage_date, u.workspace_id,
                case when u.{dimension.column} is null then 'unsaid' when k.value is null then 'other' else 'value' end as who,
                k.value as value, count(distinct u.{dimension.column}) as value_count, {_sums(col.BREAKDOWN_SUMS, "u")}
            from usage as u
            left join kept_{dimension.name} as k on k.workspace_id = u.workspace_id and k.month = u.month and k.value = u.{dimension.column}
            group by all""",
            col.BREAKDOWN_KEYS,
            col.BREAKDOWN_MEASURES,
        )

    def cube(self) -> Iterator[tuple[str, str, int, date, date, str]]:
        """(workspace_id, month, part, first day, last day, JSON) of daily sums by all dimensions together, for what a reader filters
        by, of the chosen months. Each dimension's values are those of its breakdown, so that the two agree.
        """
        self._keep_values()
        joins = " ".join(
            f"left join kept_{d.name} as k_{d.name} on k_{d.name}.workspace_id = u.workspace_id "
            f"and k_{d.name}.month = u.month and k_{d.name}.value = u.{d.column}"
            for d in col.DIMENSIONS
        )
        places = ", ".join(
            f"case when u.{d.column} is null then -2 else coalesce(k_{d.name}.place, -1) end as {d.name}"
            for d in col.DIMENSIONS
        )
        values: dict[tuple[str, str], list[list[str]]] = {}
        for place, d in enumerate(col.DIMENSIONS):
            for workspace_id, month, named in self._all(
                f"select workspace_id, month, list(value order by place) from kept_{d.name} group by 1, 2"
            ):
                held = values.setdefault((str(workspace_id), str(month)), [[] for _ in col.DIMENSIONS])
                held[place] = [str(value) for value in named]
        names = ", ".join(col.CUBE_KEYS)
        columns = {
            "day": "day(n.usage_date)",
            **{c: f"n.{c}" for c in (*col.CUBE_KEYS, *col.names(col.CUBE_SUMS))},
        }
        self._connection.execute(f"""create or replace temp table cube_rows as
            with m as (
                select u.usage_date, u.month, u.workspace_id, {places}, u.is_model_call, {_sums(col.CUBE_SUMS, "u")}
                from usage as u {joins} group by all)
            select m.usage_date, m.month, m.workspace_id, {names}, {", ".join(f"{_whole(c)} as {c.name}" for c in col.CUBE_SUMS)},
                row_number() over (partition by workspace_id, month order by usage_date, {names}) - 1 as n
            from m where {self._of_days()}""")
        last, months = self._all(
            "select coalesce(max(n), -1), count(distinct (workspace_id, month)) from cube_rows"
        )[0]
        # Rows are turned into lists some parts at a time: of all rows of a busy month that took a gigabyte.
        step = max(1, CUBE_ROWS_AT_ONCE // (CUBE_ROWS_PER_PART * max(1, months))) * CUBE_ROWS_PER_PART
        for first_row in range(0, last + 1, step):
            cursor = self._connection.execute(f"""with r as (
                    select workspace_id, month, (n // {CUBE_ROWS_PER_PART})::bigint as part, min(usage_date) as first_day, max(usage_date) as last_day,
                        {_packed(columns, "n.n")}
                    from cube_rows as n where n between {first_row} and {first_row + step - 1} group by 1, 2, 3)
                select workspace_id, month, part, first_day, last_day, {_unpacked(columns)} from r order by 1, 2, 3""")
            while row := cursor.fetchone():
                workspace_id, month, part, first, last_day, *texts = row
                listed = json.dumps(
                    values.get((workspace_id, month), [[] for _ in col.DIMENSIONS]), ensure_ascii=False
                )
                text = _object({"values": listed, **dict(zip(columns, texts, strict=True))})
                yield str(workspace_id), str(month), int(part), first, last_day, text
        self._connection.execute("drop table cube_rows")

    def first_days(self) -> dict[tuple[str, str], dict[str, list[list[str]]]]:
        """(workspace_id, month) → dimension → its values with their first day of the month, earliest first, of the chosen months."""
        self._keep_values()
        found: dict[tuple[str, str], dict[str, list[list[str]]]] = {}
        for d in col.DIMENSIONS:
            for workspace_id, month, pairs in self._all(
                f"""select workspace_id, month, list([first_date::varchar, value] order by first_date, value) from (
                    select workspace_id, month, {d.column} as value, min(usage_date) as first_date
                    from usage where {d.column} is not null group by 1, 2, 3
                    qualify row_number() over (partition by workspace_id, month order by first_date, value) <= {FILTER_VALUES})
                group by 1, 2"""
            ):
                found.setdefault((str(workspace_id), str(month)), {})[d.name] = [list(pair) for pair in pairs]
        return found

    def _user_rows(self) -> list[Row]:
        return self._columnar(
            f"""select usage_date, workspace_id, who, case when who = 'user' then user_id end as user_id, {_sums(col.USER_SUMS_DAILY, "u")}
            from (select *, case when user_id is null then 'none'
                    when least(cost_rank, request_rank, token_rank) <= {USERS_PER_DAY} then 'user' else 'other' end as who
                from {self._of("mart_analytics__top_users")}) as u
            group by usage_date, workspace_id, who, case when who = 'user' then user_id end""",
            col.USER_KEYS,
            col.USER_SUMS_DAILY,
        )

    def _buckets(self) -> list[Row]:
        marts = ("model", "run", "span")
        union = " union ".join(
            f"select workspace_id, {_BY_MONTH} as month, bucket_index, bucket_lower_ms, bucket_upper_ms "
            f"from {self._of(f'mart_analytics__{name}_latency_histogram')} as m where {self._of_days()}"
            for name in marts
        )
        return self._all(f"""with b as ({union})
            select workspace_id, month, '[' || string_agg(
                json_array(bucket_index, floor((bucket_lower_ms + bucket_upper_ms) / 2 + 0.5)::bigint)::varchar, ',' order by bucket_index) || ']'
            from (select workspace_id, month, bucket_index, min(bucket_lower_ms) as bucket_lower_ms,
                    max(bucket_upper_ms) as bucket_upper_ms from b group by all)
            group by 1, 2""")

    # --- logs
    # ------------------------------------------------------------------------------------------------------

    def usage_days(self) -> dict[str, list[date]]:
        """workspace_id → its days with usage, ascending."""
        rows = self._all(
            "select workspace_id, list(usage_date order by usage_date) from marts.mart_analytics__total_cost group by 1"
        )
        return {str(workspace_id): list(days) for workspace_id, days in rows}

    def day_prints(self) -> dict[tuple[str, date], str]:
        """(workspace_id, day) → a text that changes with any row that the chunks of the day are made of: who built the day,
        where the publication tells it of each, else what the rows are.
        """
        sources: list[tuple[str, str]] = [(table, "usage_date") for table in _DAY_MARTS]
        sources.append(("mart_details__child_runs", "parent_usage_date"))
        days: dict[tuple[str, date], list[str]] = {}
        keys: dict[date, str] = (
            dict(self._all("select usage_date, build_key from meta.dates"))
            if self._columns_of("dates", "meta")
            else {}
        )
        counted = {
            key
            for table in (
                "mart_analytics__total_cost",
                *(f"mart_logs__{kind}_runs" for kind in col.LOG_KINDS.values()),
                "mart_details__spans",
            )
            for key in self.rows_by_day(table)
        }
        if all(day in keys for _, day in counted):
            return {key: str(keys[key[1]]) for key in sorted(counted)}
        for table, column in sources:
            for w, day, rows, mixed, summed in self._all(
                f"select t.workspace_id, t.{column}, count(*), bit_xor(hash(t)), sum(hash(t)::hugeint % 1152921504606846976) "
                f"from marts.{table} as t where t.{column} is not null group by 1, 2 order by 1, 2"
            ):
                days.setdefault((str(w), day), []).append(f"{table}:{rows}-{int(mixed):x}-{int(summed):x}")
        return {
            key: hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
            for key, parts in sorted(days.items())
        }

    def rows_by_day(self, table: str, day_column: str = "usage_date") -> dict[tuple[str, date], int]:
        """(workspace_id, day) → rows of a mart."""
        if table not in self._rows_by_day:
            rows = self._all(
                f"select workspace_id, {day_column}, count(*) from marts.{table} where {day_column} is not null group by 1, 2 order by 1, 2"
            )
            self._rows_by_day[table] = {(str(w), day): int(n) for w, day, n in rows}
        return self._rows_by_day[table]

    def log_totals(self, kind: str) -> dict[str, list[Row]]:
        """workspace_id → rows (day, runs, tokens, cost, credits, external, unpriced calls, their tokens) of one
        log, oldest day first.
        """
        money = ", ".join(
            f"rtrim(rtrim(coalesce(sum({name}), 0)::{kind_}::varchar, '0'), '.')"
            for name, kind_ in (
                ("total_cost_usd", "decimal(38,12)"),
                ("total_task_credits", "decimal(38,6)"),
                ("total_external_cost_usd", "decimal(38,12)"),
            )
        )
        rows = self._all(
            f"""select workspace_id, usage_date::varchar, count(*), coalesce(sum(total_tokens), 0)::bigint, {money},
                coalesce(sum(unpriced_call_count), 0)::bigint, coalesce(sum(unpriced_total_tokens), 0)::bigint
            from marts.mart_logs__{kind}_runs group by 1, 2 order by 1, 2"""
        )
        found: dict[str, list[Row]] = {}
        for workspace_id, *rest in rows:
            found.setdefault(str(workspace_id), []).append(tuple(rest))
        return found

    def filter_values(self, kind: str, column: str) -> dict[str, list[str]]:
        """workspace_id → the distinct values of one filter column, sorted; one more than the limit where
        there are more.
        """
        expression = next(c.sql for c in col.LOG_COLUMNS if c.name == column)
        rows = self._all(
            f"""select workspace_id, list(value order by value) from (
                select m.workspace_id, {expression} as value from marts.mart_logs__{kind}_runs as m
                group by 1, 2 having value is not null
                qualify row_number() over (partition by m.workspace_id order by value) <= {FILTER_VALUES + 1})
            group by 1"""
        )
        return {str(workspace_id): [str(v) for v in values] for workspace_id, values in rows}

    def metadata_keys(self, kind: str) -> dict[str, list[str]]:
        """workspace_id → keys seen in user_metadata, sorted, at most the limit (they are suggestions, not a
        closed list).
        """
        rows = self._all(
            f"""select workspace_id, list(key order by key) from (
                select workspace_id, key from (
                    select workspace_id, unnest(json_keys(user_metadata)) as key from (
                        select distinct workspace_id, user_metadata from marts.mart_logs__{kind}_runs
                        where json_valid(user_metadata) and json_type(user_metadata) = 'OBJECT'))
                group by 1, 2
                qualify row_number() over (partition by workspace_id order by key) <= {FILTER_VALUES})
            group by 1"""
        )
        return {str(workspace_id): [str(v) for v in values] for workspace_id, values in rows}

    def _plan(self, days: Sequence[tuple[str, date, int]]) -> None:
        """The days to make chunks of, with the shard count of each, as a temporary table to join with."""
        self._connection.execute(
            "create or replace temp table plan (workspace_id varchar, usage_date date, shards bigint)"
        )
        self._connection.execute(
            "insert into plan select unnest(?::varchar[]), unnest(?::date[]), unnest(?::bigint[])",
            [[w for w, _, _ in days], [d for _, d, _ in days], [n for _, _, n in days]],
        )

    def log_chunks(self, kind: str, days: Sequence[tuple[str, date]]) -> Iterator[tuple[str, date, int, str]]:
        """(workspace_id, day, part, JSON rows) of the given days, newest run first."""
        self._plan([(w, d, 1) for w, d in days])
        newest_first = "coalesce(m.completed_at, m.started_at) desc, m.run_id"
        cursor = self._connection.execute(
            f"""with numbered as (
                select m.workspace_id, m.usage_date, {_json_rows(col.LOG_COLUMNS)} as row_text,
                    row_number() over (partition by m.workspace_id, m.usage_date order by {newest_first}) - 1 as n
                from marts.mart_logs__{kind}_runs as m
                join plan as p on p.workspace_id = m.workspace_id and p.usage_date = m.usage_date)
            select workspace_id, usage_date, (n // {LOG_ROWS_PER_PART})::bigint as part,
                '[' || string_agg(row_text, ',\n' order by n) || ']'
            from numbered group by 1, 2, 3 order by 1, 2, 3"""
        )
        while row := cursor.fetchone():
            yield str(row[0]), row[1], int(row[2]), str(row[3])

    def run_chunks(
        self, days: Sequence[tuple[str, date, int]], wanted: range | None = None
    ) -> Iterator[tuple[str, date, int, dict[str, str]]]:
        """(workspace_id, day, shard, {runs, spans, children}) of the given days: all that a run sheet shows. `wanted` are the shards to
        make, all where it is None.
        """
        self._plan(days)

        def shard(run_id: str) -> str:
            return f"('0x' || substr(md5({run_id}), 1, 7))::bigint % p.shards"

        parts = []
        for kind in col.LOG_KINDS.values():
            detail = self._columns_of(f"mart_details__{kind}_summary")
            chosen = [
                col.Column(
                    c.name,
                    c.kind,
                    f"d.{c.name}" if not c.source and c.name in detail else c.source or f"m.{c.name}",
                )
                for c in col.SUMMARY_COLUMNS
            ]
            parts.append(
                f"""select m.workspace_id, m.usage_date, {shard("m.run_id")} as shard, 'runs' as part, m.run_id as k1, null::timestamp as k2,
                    '' as k3, {_json_rows([col.Column("run_type", "text", f"'{kind}'"), *chosen])} as row_text
                from marts.mart_logs__{kind}_runs as m
                join plan as p on p.workspace_id = m.workspace_id and p.usage_date = m.usage_date
                join marts.mart_details__{kind}_summary as d
                    on d.workspace_id = m.workspace_id and d.run_id = m.run_id and d.usage_date = m.usage_date"""
            )
        parts.append(
            f"""select m.workspace_id, m.usage_date, {shard("m.run_id")}, 'spans', m.run_id, m.started_at, m.span_id, {_json_rows(self._known_columns("mart_details__spans", col.SPAN_COLUMNS))}
            from marts.mart_details__spans as m
            join plan as p on p.workspace_id = m.workspace_id and p.usage_date = m.usage_date"""
        )
        parts.append(
            f"""select m.workspace_id, m.parent_usage_date, {shard("m.parent_run_id")}, 'children', m.parent_run_id, m.started_at, m.run_id,
                {_json_rows(col.CHILD_COLUMNS)}
            from marts.mart_details__child_runs as m
            join plan as p on p.workspace_id = m.workspace_id and p.usage_date = m.parent_usage_date"""
        )
        cursor = self._connection.execute(
            f"""select workspace_id, usage_date, shard, part, '[' || string_agg(row_text, ',\n' order by k1, k2, k3) || ']'
            from ({" union all ".join(parts)}) {_of_shards(wanted)} group by 1, 2, 3, 4 order by 1, 2, 3, 4"""
        )
        current: tuple[str, date, int] | None = None
        held: dict[str, str] = {}
        while row := cursor.fetchone():
            key = (str(row[0]), row[1], int(row[2]))
            if current is not None and key != current:
                yield (*current, held)
                held = {}
            current = key
            held[str(row[3])] = str(row[4])
        if current is not None:
            yield (*current, held)

    def price_sets(self) -> dict[str, str]:
        """workspace_id → JSON rows (id, stretches of time, sources, their versions, checked on, rates by meter) of the price
        sets that its calls were priced by. A rate is per unit, as text.
        """
        rates = ", ".join(f"any_value(s.{name}_usd)::varchar" for name, _ in col.METERS)
        rows = self._all(
            f"""with used as (
                select distinct workspace_id, price_set_id from marts.mart_details__spans where price_set_id is not null),
            keys as (
                select distinct price_key, catalogue_provider, catalogue_model, file_provider, file_pattern, variant
                from dimensions.dim_model_name where price_key is not null),
            origins as (
                select k.price_key,
                    any_value(concat_ws(', ', 'price file ' || nullif(concat_ws('/', nullif(k.file_provider, ''), k.file_pattern), ''),
                        'catalogue ' || nullif(concat_ws('/', k.catalogue_provider, k.catalogue_model), ''),
                        'tier ' || nullif(k.variant, ''))) as sources,
                    string_agg(distinct p.source_version, ', ' order by p.source_version) as versions, max(p.checked_at)::date::varchar as checked
                from keys as k
                left join dimensions.dim_price as p on (p.source = 'catalogue' and p.provider = k.catalogue_provider and p.model_rule = k.catalogue_model)
                    or (p.source <> 'catalogue' and p.provider = coalesce(k.file_provider, '') and p.model_rule = k.file_pattern)
                group by 1),
            sets as (
                select s.price_set_id, list(distinct [case when year(s.valid_from) > 1 then s.valid_from::date::varchar end,
                        case when year(s.valid_to) < 9999 then s.valid_to::date::varchar end]) as stretches,
                    any_value(coalesce(o.sources, '')) as sources, any_value(o.versions) as versions, any_value(o.checked) as checked, [{rates}] as rates
                from dimensions.dim_price_set as s left join origins as o on o.price_key = s.price_key group by 1)
            select u.workspace_id, '[' || string_agg(
                json_array(s.price_set_id, list_sort(s.stretches), s.sources, s.versions, s.checked, s.rates)::varchar, ',\n' order by s.price_set_id) || ']'
            from used as u join sets as s on s.price_set_id = u.price_set_id group by 1"""
        )
        return {str(workspace_id): str(text) for workspace_id, text in rows}

    def run_index(
        self, months: Sequence[tuple[str, date, int]], wanted: range | None = None
    ) -> Iterator[tuple[str, str, int, str]]:
        """(workspace_id, month, shard, JSON rows [run_id, kind, day]); kind 'orphan' for spans whose run
        never arrived. `wanted` are the shards to make, all where it is None.
        """
        self._plan(months)
        logs = " union all ".join(
            f"select workspace_id, usage_date, run_id, '{page}' as kind from marts.mart_logs__{kind}_runs"
            for page, kind in col.LOG_KINDS.items()
        )
        cursor = self._connection.execute(
            f"""with m as (
                {logs} union all
                select distinct workspace_id, usage_date, run_id, 'orphan' from marts.mart_details__spans where is_orphan),
            placed as (
                select m.workspace_id, {_BY_MONTH} as month, ('0x' || substr(md5(m.run_id), 1, 7))::bigint % p.shards as shard,
                    m.run_id, m.usage_date, m.kind
                from m join plan as p on p.workspace_id = m.workspace_id and p.usage_date = date_trunc('month', m.usage_date)::date)
            select workspace_id, month, shard,
                '[' || string_agg(json_array(run_id, kind, usage_date::varchar)::varchar, ',\n' order by run_id, usage_date, kind) || ']'
            from placed {_of_shards(wanted)} group by 1, 2, 3 order by 1, 2, 3"""
        )
        while row := cursor.fetchone():
            yield str(row[0]), str(row[1]), int(row[2]), str(row[3])

    # --- data quality
    # ----------------------------------------------------------------------------------------------

    def checks(self) -> list[Row]:
        """(name, severity, status, failures, message, status in the publication before) of this publication's checks."""
        before = "previous_publication_id" if self._tells_changes() else "null::varchar"
        return self._all(
            f"""with p as (select publication_id, {before} as previous_publication_id from meta.publication)
            select c.check_name, c.severity, c.status, c.failures, c.message, b.status
            from meta.check_results as c
            join p on p.publication_id = c.publication_id
            left join meta.check_results as b on b.publication_id = p.previous_publication_id and b.check_name = c.check_name
            order by c.check_name"""
        )

    def landing(self) -> list[Row]:
        """(batch, landed at, rows read, loaded, duplicate, superseded, quarantined) of every batch, newest first."""
        return self._all(
            "select batch_seq, loaded_at, rows_read, rows_loaded, rows_duplicate, rows_superseded, rows_quarantined "
            "from meta.batches order by batch_seq desc"
        )

    def unreadable_files(self) -> int:
        """Landing files of which nothing could be read."""
        return int(self._all("select count(*) from meta.files where status = 'unreadable'")[0][0])

    def quarantine(self) -> dict[str | None, list[Row]]:
        """workspace_id (None: not known) → rows (entity, reason, field, rows, batches), the most first."""
        rows = self._all(
            """select workspace_id, entity, reason, field, count(*), count(distinct batch_seq)
            from meta.quarantine group by 1, 2, 3, 4 order by 1, 5 desc, 2, 3, 4 nulls last"""
        )
        found: dict[str | None, list[Row]] = {}
        for workspace_id, *rest in rows:
            found.setdefault(None if workspace_id is None else str(workspace_id), []).append(tuple(rest))
        return found

    def _tells_changes(self) -> bool:
        """Whether the publication says what it changed; those of older versions, to which one may roll back, do not."""
        return bool(self._columns_of("changes", "meta")) and "previous_publication_id" in self._columns_of(
            "publication", "meta"
        )

    def changes(self) -> dict[str, list[Row]] | None:
        """workspace_id → rows (day, then before and after of runs, tokens, cost, unpriced calls), newest day first; None where
        the publication does not tell.
        """
        if not self._tells_changes():
            return None
        rows = self._all(
            """select workspace_id, usage_date, run_count_before, run_count_after, total_tokens_before, total_tokens_after,
                total_cost_usd_before, total_cost_usd_after, unpriced_call_count_before, unpriced_call_count_after
            from meta.changes order by workspace_id, usage_date desc"""
        )
        found: dict[str, list[Row]] = {}
        for workspace_id, *rest in rows:
            found.setdefault(str(workspace_id), []).append(tuple(rest))
        return found

    def previous_publication(self) -> tuple[str, str, datetime] | None:
        """This publication's id, and id and time of the one before; None for the first, and where it does not tell."""
        if not self._tells_changes():
            return None
        rows = self._all(
            "select publication_id, previous_publication_id, previous_published_at from meta.publication"
        )
        if not rows or rows[0][1] is None:
            return None
        at = rows[0][2]
        return str(rows[0][0]), str(rows[0][1]), datetime.combine(at.date(), at.time(), UTC)

    def unpriced_models(self) -> dict[str, list[Row]]:
        """workspace_id → rows (provider, model, reason, last day, calls, tokens) without a cost, over all days."""
        rows = self._all(
            """select workspace_id, provider, model, reason, max(usage_date), sum(call_count)::bigint, sum(total_tokens)::bigint
            from marts.mart_analytics__unpriced_usage where price_status = 'unpriced'
            group by 1, 2, 3, 4 order by 1, 7 desc, 6 desc, 2 nulls last, 3 nulls last, 4"""
        )
        found: dict[str, list[Row]] = {}
        for workspace_id, *rest in rows:
            found.setdefault(str(workspace_id), []).append(tuple(rest))
        return found

    def budgets(self) -> dict[str, list[dict[str, Any]]]:
        """workspace_id → its months with a budget, each by column."""
        return self._by_workspace("mart_analytics__budgets")

    def anomalies(self) -> dict[str, list[dict[str, Any]]]:
        """workspace_id → the things that left their band, each day and measure by column."""
        return self._by_workspace("mart_analytics__anomalies")

    def _by_workspace(self, mart: str) -> dict[str, list[dict[str, Any]]]:
        """All rows of a small mart; nothing where an older publication lacks it."""
        found: dict[str, list[dict[str, Any]]] = {}
        names = self._all(
            "select column_name from duckdb_columns() where schema_name = 'marts' and table_name = ? "
            "and database_name = current_database() order by column_index",
            [mart],
        )
        if names:
            for values in self._all(f"select * from marts.{mart}"):
                row = dict(zip((str(name) for (name,) in names), values, strict=True))
                found.setdefault(str(row["workspace_id"]), []).append(row)
        return found

    def newest_activity(self) -> dict[str, datetime]:
        """workspace_id → the latest start or end of any of its runs and spans, UTC."""
        sources = " union all ".join(
            f"select workspace_id, max(greatest(started_at, coalesce({end}, started_at))) as newest_at from marts.{mart} group by 1"
            for mart, end in (
                *((f"mart_logs__{kind}_runs", "completed_at") for kind in col.LOG_KINDS.values()),
                ("mart_details__spans", "ended_at"),
            )
        )
        rows = self._all(f"select workspace_id, max(newest_at) from ({sources}) group by 1")
        return {str(w): datetime.combine(at.date(), at.time(), UTC) for w, at in rows if at is not None}

    def detail_from(self) -> date | None:
        """The first day whose single runs and calls are published; None where those of all days are."""
        if "detail_from_date" not in self._columns_of("publication", "meta"):
            return None
        rows = self._all("select detail_from_date from meta.publication")
        return rows[0][0] if rows else None

    def sums(self) -> dict[str, list[Row]]:
        """workspace_id → rows (name, cost, tokens, credits) of everything that must add up to the same, over all days of which runs and
        calls are published. Log rows tell inclusive credits only, so theirs are None.
        """
        since = self.detail_from() or date.min
        where = f"where usage_date >= date '{since.isoformat()}'"
        total = f"marts.mart_analytics__total_cost {where}"
        plain = "sum(total_cost_usd), sum(total_tokens), sum(task_credits)"
        lost = f"select workspace_id, sum(unattributed_total_cost_usd), sum(unattributed_total_tokens), sum(unattributed_task_credits) from {total} group by 1"
        own = "sum(own_cost_usd + image_generation_cost_usd), sum(own_total_tokens + own_image_tokens), null"
        logs = " union all ".join(
            f"select workspace_id, {own} from marts.mart_logs__{kind}_runs {where} group by 1"
            for kind in col.LOG_KINDS.values()
        )
        sources = {
            "total": f"select workspace_id, {plain} from {total} group by 1",
            "services": f"select workspace_id, {plain} from marts.mart_analytics__service_costs {where} group by 1",
            "models": f"""select workspace_id, {plain} from marts.mart_analytics__model_costs {where} group by 1 union all
                select workspace_id, {plain} from marts.mart_analytics__service_costs {where} and not is_model_call group by 1""",
            "breakdown": f"select workspace_id, {plain} from marts.mart_analytics__usage_breakdown {where} group by 1",
            "logs": f"{logs} union all {lost}",
            "users": f"select workspace_id, {plain} from marts.mart_analytics__top_users {where} group by 1 union all {lost}",
            "spans": f"select workspace_id, {plain} from marts.mart_details__spans {where} group by 1",
        }
        found: dict[str, list[Row]] = {}
        for name, source in sources.items():
            for workspace_id, cost, tokens, credits in self._all(
                f"""select workspace_id, coalesce(sum(cost), 0)::decimal(38,12), coalesce(sum(tokens), 0)::bigint,
                    {"null" if name == "logs" else "sum(credits)::decimal(38,6)"}
                from ({source}) as s(workspace_id, cost, tokens, credits) group by 1"""
            ):
                found.setdefault(str(workspace_id), []).append((name, cost, tokens, credits))
        return found

    # --- users
    # -----------------------------------------------------------------------------------------------------

    def user_parts(self) -> dict[str, list[str]]:
        """workspace_id → JSON rows of all tracked users, highest cost first, in parts."""
        rows = self._all(
            f"""with n as (
                select m.workspace_id, {_json_rows(col.USER_COLUMNS)} as row_text,
                    row_number() over (partition by m.workspace_id order by m.total_cost_usd desc, m.user_id) - 1 as n
                from marts.mart_users__summary as m)
            select workspace_id, (n // {USERS_PER_PART})::bigint as part, '[' || string_agg(row_text, ',\n' order by n) || ']'
            from n group by 1, 2 order by 1, 2"""
        )
        found: dict[str, list[str]] = {}
        for workspace_id, _, text in rows:
            found.setdefault(str(workspace_id), []).append(str(text))
        return found

    def user_days(self) -> dict[tuple[str, str], str]:
        """(workspace_id, month) → JSON rows of its tracked users by day, of the chosen months."""
        rows = self._all(
            f"""select m.workspace_id, {_BY_MONTH} as month,
                '[' || string_agg({_json_rows(col.USER_DAY_COLUMNS)}, ',\n' order by m.usage_date, m.user_id) || ']'
            from {self._of("mart_users__activity")} as m where m.user_id is not null group by 1, 2"""
        )
        return {(str(w), str(month)): str(text) for w, month, text in rows}
