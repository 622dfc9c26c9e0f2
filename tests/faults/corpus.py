"""The faults: what goes wrong, how it is planted, and the check that must find it.

What belongs here: one entry per fault. What does not: nights and verdicts (`harness.py`). A fault of an export is a change of what one
workspace sends tonight; the others send what they should, so a check that fails has to name that workspace. A fault of the build is SQL
that leaves the candidate as a wrong model would. What a check can know depends on what it can compare with: conditions are said.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.faults.exports import HOUSE, TONIGHT, Export, clean, cost_of, zipped
from tests.warehouse_fixture import Row, jsonl, stamp


@dataclass(frozen=True)
class ExportFault:
    """A fault of what lands. `plant` changes a workspace's clean export of tonight."""

    name: str
    what: str
    check: str
    plant: Callable[[Export], None]
    #: The workspace that it needs; any other where it is empty.
    workspace: str = ""


@dataclass(frozen=True)
class BuildFault:
    """A fault of what is built, as SQL on the candidate; `{night}` is tonight's date as a literal."""

    name: str
    what: str
    check: str
    sql: tuple[str, ...]


@dataclass(frozen=True)
class TimeFault:
    """A fault that is only time that went by: the audit is held so many days later."""

    name: str
    what: str
    check: str
    days: int


Fault = ExportFault | BuildFault | TimeFault


def _shift(row: Row, **by: float) -> None:
    for name in ("started_at", "ended_at", "completed_at", "updated_at"):
        if row.get(name):
            row[name] = stamp(datetime.fromisoformat(row[name]) + timedelta(**by))


def _each(rows: list[Row], change: Callable[[Row], None]) -> None:
    for row in rows:
        change(row)


def _set(**values: object) -> Callable[[Row], None]:
    return lambda row: row.update(values)


# -- changes that take more than a line -------------------------------------------------------------------------------------------


def _cut_transfer(export: Export) -> None:
    whole = zipped(export.spans)
    export.files["spans-late.jsonl.gz"] = whole[: len(whole) // 2]


def _renamed_field(export: Export) -> None:
    for row in export.spans:
        row["start_time"] = row.pop("started_at")


def _half(export: Export) -> None:
    export.runs = export.runs[::3]
    kept = {row["run_id"] for row in export.runs}
    export.spans = [row for row in export.spans if row["run_id"] in kept]


def _nothing(export: Export) -> None:
    export.runs, export.spans = [], []


def _again_under_new_ids(export: Export) -> None:
    for rows in (export.runs, export.spans):
        again = copy.deepcopy(rows)
        for row in again:
            row["run_id"] = row["run_id"][:-4] + "beef"
        rows.extend(again)


def _calls_again(export: Export) -> None:
    again = copy.deepcopy(export.calls)
    for row in again:
        row["span_id"] = row["span_id"][::-1]
    export.spans += again


def _swap_input_and_output(row: Row) -> None:
    row["input_tokens"], row["output_tokens"] = row["output_tokens"], row["input_tokens"]


def _times(factor: int) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        if "provider_cost_usd" in row:
            row["provider_cost_usd"] = f"{Decimal(row['provider_cost_usd']) * factor:f}"

    return change


def _negative(row: Row) -> None:
    row["provider_cost_usd"] = "-" + row["provider_cost_usd"]


def _endless(row: Row) -> None:
    begun = datetime.fromisoformat(row["started_at"])
    row["ended_at"] = stamp(begun + (datetime.fromisoformat(row["ended_at"]) - begun) * 1000)


def _epoch_in_seconds(row: Row) -> None:
    row["started_at"] = stamp(datetime.fromtimestamp(1_790_000, tz=UTC))


def _unknown_model(row: Row) -> None:
    row["model"] = "gpt-17-ultra"
    del row["provider_cost_usd"]


def _reasoning_twice(row: Row) -> None:
    row["output_tokens"] += row["reasoning_tokens"]


def _without_usage(row: Row) -> None:
    for name in (
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "reasoning_tokens",
        "provider_cost_usd",
    ):
        del row[name]


def _without_cached(row: Row) -> None:
    row["cached_tokens"] = 0
    row["provider_cost_usd"] = cost_of(row["model"], row)
    del row["cached_tokens"]


def _without_service(row: Row) -> None:
    row["kind"] = "other"
    del row["service"], row["model"]


def _zone(export: Export) -> None:
    _each(export.runs, lambda row: _shift(row, hours=2))
    _each(export.spans, lambda row: _shift(row, hours=2))


def _future(export: Export) -> None:
    _each(export.spans, lambda row: _shift(row, days=3))


def _late_clock(export: Export) -> None:
    _each(export.calls, lambda row: _shift(row, hours=-1))


def _roots_lost(export: Export) -> None:
    export.spans = [row for row in export.spans if row["kind"] != "run"]


def _parent_runs_lost(export: Export) -> None:
    named = {row.get("parent_run_id") for row in export.runs}
    export.runs = [row for row in export.runs if row["run_id"] not in named]
    export.spans = [row for row in export.spans if row["run_id"] not in named]


def _first_versions_again(export: Export) -> None:
    """Runs of three days ago arrive as running, under a later time of writing."""
    for row in clean(export.workspace, TONIGHT - timedelta(days=3)).runs:
        row |= {"status": "running", "completed_at": None, "updated_at": stamp(_NIGHT)}
        export.runs.append(row)


def _broken_lines(export: Export) -> None:
    lines = [line[: len(line) * 2 // 3] for line in _lines(export.spans)]
    export.spans = []
    export.files["spans.jsonl"] = b"\n".join(lines) + b"\n"


def _latin_1(export: Export) -> None:
    for row in export.spans:
        row["name"] = "Übersicht"
    export.files["spans.jsonl"] = b"\n".join(_lines(export.spans)).decode().encode("latin-1") + b"\n"
    export.spans = []


def _pdf(export: Export) -> None:
    export.files["invoice.jsonl"] = b"%PDF-1.7\n" + bytes(range(256)) * 20


def _lines(rows: list[Row]) -> list[bytes]:
    return jsonl(rows).splitlines()


def _one(**values: object) -> Callable[[Export], None]:
    return lambda export: export.calls[0].update(values)


def _add_empty_file(export: Export) -> None:
    export.files["more.jsonl"] = b""


def _add_same_file(export: Export) -> None:
    export.files["again.jsonl.gz"] = zipped(export.spans)


_NIGHT = datetime.fromisoformat(f"{TONIGHT}T23:30:00+00:00")
_SHARE = "landing_files__quarantined_share"
_VOLUME = "mart_analytics__total_cost__volume_usual"
_TOKENS = "fct_usage_daily__tokens_per_call_usual"
_NULLS = "fct_usage_daily__null_shares_usual"

EXPORT_FAULTS = (
    ExportFault("empty file", "a file of no bytes arrives", "landing_files__has_rows", _add_empty_file),
    ExportFault("cut transfer", "half of a compressed file arrives", "landing_files__readable", _cut_transfer),
    ExportFault("foreign document", "a PDF lies among the exports", "landing_files__readable", _pdf),
    ExportFault("schema drift", "a required field has another name from tonight on", _SHARE, _renamed_field),
    ExportFault("unknown word", "a status that the contract does not know", _SHARE,
                lambda e: _each(e.runs, _set(status="finished"))),
    ExportFault("cut lines", "every line of a file ends in its middle", _SHARE, _broken_lines),
    ExportFault("wrong encoding", "a file is written as Latin-1", _SHARE, _latin_1),
    ExportFault("negative cost", "costs have a minus sign", _SHARE, lambda e: _each(e.calls, _negative)),
    ExportFault("seconds for milliseconds", "epochs in seconds are read as milliseconds: the year 1970", _SHARE,
                lambda e: _each(e.spans, _epoch_in_seconds)),
    ExportFault("impossible count", "a token counter overflowed", _SHARE,
                lambda e: _each(e.calls, _set(input_tokens=2**63))),
    ExportFault("doubled file", "a file comes twice, compressed the second time", "landing_files__brings_news", _add_same_file),
    ExportFault("runs lost", "the file of the runs is missing: their spans are orphans", "fct_span_usage__orphan_share",
                lambda e: e.runs.clear()),
    ExportFault("spans lost", "the file of the spans is missing", "fct_run_usage__spanless_share", lambda e: e.spans.clear()),
    ExportFault("dropped day", "nothing comes from a workspace", _VOLUME, _nothing),
    ExportFault("cut export", "a third of a workspace's runs comes", _VOLUME, _half),
    ExportFault("doubled under new ids", "every run comes twice, the second time under another id", _VOLUME, _again_under_new_ids),
    ExportFault("calls doubled in their runs", "every call comes twice, the second time under another span id",
                "fct_span_usage__no_twin_calls", _calls_again),
    ExportFault("swapped columns", "input and output tokens are in each other's column", _TOKENS,
                lambda e: _each(e.calls, _swap_input_and_output)),
    ExportFault("class lost", "cached tokens are no longer exported", _TOKENS, lambda e: _each(e.calls, _without_cached)),
    ExportFault("cents for dollars", "costs are a hundred times what the price makes of the tokens", "fct_span_usage__call_cost_unit",
                lambda e: _each(e.calls, _times(100))),
    ExportFault("cents for dollars, no price known", "the same of a model without a price: its own history tells",
                "fct_usage_daily__cost_per_token_possible", lambda e: _each(e.calls, _times(100)), HOUSE),
    ExportFault("dear day", "costs are ten times what they were: it may be true", "fct_usage_daily__cost_per_token_usual",
                lambda e: _each(e.calls, _times(10))),
    ExportFault("milliseconds for seconds", "calls last a thousand times as long as in the weeks before",
                "mart_analytics__model_observability__latency_usual", lambda e: _each(e.calls, _endless)),
    ExportFault("million-dollar call", "one call of two million dollars", "fct_span_usage__call_cost_possible",
                _one(provider_cost_usd="2000000")),
    ExportFault("billions of tokens", "one call of two billion tokens", "fct_span_usage__call_tokens_possible",
                _one(input_tokens=2_000_000_000)),
    ExportFault("unknown model", "calls of a model without a price come without a cost",
                "mart_analytics__unpriced_usage__no_new_unpriced_model", lambda e: _each(e.calls, _unknown_model)),
    ExportFault("prices lost", "calls come without cost and without a model that has a price", "fct_span_usage__unpriced_share",
                lambda e: _each(e.calls, _unknown_model)),
    ExportFault("cached beyond input", "cached tokens are more than the input that they are part of",
                "fct_span_usage__no_cached_tokens_exceed_input_tokens", lambda e: _each(e.calls[:2], _set(cached_tokens=5000))),
    ExportFault("reasoning counted twice", "reasoning tokens are added to an output that holds them; the run's own total tells",
                "fct_run_usage__reported_tokens_mismatch_share", lambda e: _each(e.calls, _reasoning_twice)),
    ExportFault("usage lost", "calls come without tokens", "fct_span_usage__unknown_usage_share",
                lambda e: _each(e.calls, _without_usage)),
    ExportFault("model names lost", "calls do not say their model", _NULLS, lambda e: _each(e.calls, lambda row: row.pop("model"))),
    ExportFault("users lost", "runs do not say their user", _NULLS, lambda e: _each(e.runs, lambda row: row.pop("user_id"))),
    ExportFault("services lost", "calls do not say what they are", "fct_span_usage__unknown_service_share",
                lambda e: _each(e.calls, _without_service)),
    ExportFault("payer flipped", "calls on the platform's account come as paid by the customer",
                "fct_usage_daily__payer_usual", lambda e: _each(e.spans + e.runs, _set(charge_type="personal"))),
    ExportFault("time zone shift", "times are local and do not say so; run ids tell", "fct_run_usage__started_at_matches_id", _zone),
    ExportFault("clock ahead", "spans start three days from now", "fct_span_usage__started_in_future", _future),
    ExportFault("clock behind", "calls start an hour before the span that they are part of", "fct_span_usage__flagged_share", _late_clock),
    ExportFault("span tree cut", "the root spans are missing", "fct_span_usage__missing_parent_share", _roots_lost),
    ExportFault("parent runs lost", "runs that started others are missing", "fct_run_usage__missing_parent_share", _parent_runs_lost),
    ExportFault("ends lost", "completed runs do not say when", "fct_run_usage__unfinished_share",
                lambda e: _each(e.runs, _set(completed_at=None))),
    ExportFault("second versions lost", "runs of days ago are still running", "fct_run_usage__stuck_share", _first_versions_again),
    ExportFault("credits in thousandths", "credits are a thousand times what a call takes", "fct_span_usage__call_credits_usual",
                lambda e: _each(e.calls[:2], _set(task_credits=2000))),
)  # fmt: skip

_SPANS = "facts.fct_span_usage"
_RUNS = "facts.fct_run_usage"
_IS_NIGHT = "usage_date = {night}"


def _first_row(table: str, condition: str = "true") -> str:
    return f"rowid = (select min(rowid) from {table} where {_IS_NIGHT} and {condition})"


def _without_a_row(name: str, what: str, check: str, table: str, condition: str = "true") -> BuildFault:
    return BuildFault(name, what, check, (f"delete from {table} where {_first_row(table, condition)}",))


def _changed(
    name: str, what: str, check: str, table: str, change: str, condition: str = "true"
) -> BuildFault:
    return BuildFault(name, what, check, (f"update {table} set {change} where {_IS_NIGHT} and {condition}",))


def _view(table: str, change: str) -> tuple[str, ...]:
    """A view, edited: as a table, because a view cannot be read while it is replaced."""
    schema, _, name = table.partition(".")
    return (
        f"create table {schema}.edited as select * from {table}",
        f"drop view {table}",
        f"alter table {schema}.edited rename to {name}",
        change.format(table=table, night="{night}"),
    )


_M = "marts.mart_analytics__"
BUILD_FAULTS = (
    _without_a_row("span lost", "the span fact loses a row to a join", "assert_every_landed_span_is_one_fact_row", _SPANS),
    BuildFault("span multiplied", "a join multiplies a row of the span fact", "fct_span_usage__unique_key",
               (f"insert into {_SPANS} select * from {_SPANS} where {_first_row(_SPANS)}",)),
    _changed("reasoning added to the total", "total tokens count reasoning beside the output that holds it", "fct_span_usage__rules",
             _SPANS, "total_tokens = total_tokens + reasoning_tokens", "reasoning_tokens > 0"),
    _changed("cached added to the input", "input tokens get the cached ones once more, everywhere alike", "assert_facts_say_what_landed",
             _SPANS, "input_tokens = input_tokens + cached_tokens, total_tokens = total_tokens + cached_tokens", "billing_role = 'call'"),
    _changed("roll-up billed", "a span that repeats its calls keeps their tokens", "fct_span_usage__measures_on_calls_only",
             _SPANS, "input_tokens = 7", "span_kind = 'run'"),
    _changed("unpriced shown as free", "usage without a price costs nothing instead of something unknown",
             "fct_span_usage__cost_matches_source", _SPANS, "provider_cost_usd = 0", "cost_source = 'unpriced'"),
    _changed("orphans attributed", "spans of lost runs count as those of runs", "assert_orphans_are_spans_without_run",
             _SPANS, "is_orphan = false", "is_orphan"),
    _changed("negative tokens", "a difference of classes is taken the wrong way round", "fct_span_usage__tokens_not_negative",
             _SPANS, "cached_tokens = -cached_tokens", "cached_tokens > 0"),
    _without_a_row("run lost", "the run fact loses a row", "fct_run_usage__one_row_per_run", _RUNS),
    _changed("children in own amounts", "a run's own cost has that of its children in it", "reconcile__spans_equal_runs_and_orphans",
             _RUNS, "own_total_cost_usd = total_cost_usd", "child_run_count > 0"),
    _changed("child counted twice", "inclusive totals hold each child twice", "assert_inclusive_totals_are_own_and_childrens",
             _RUNS, "total_cost_usd = 2 * total_cost_usd - own_total_cost_usd, "
             "total_wallet_cost_usd = 2 * total_wallet_cost_usd - own_wallet_cost_usd", "child_run_count > 0"),
    _changed("children left out", "inclusive totals are the own amounts", "fct_run_usage__rules",
             _RUNS, "total_input_tokens = own_input_tokens", "child_run_count > 0"),
    BuildFault("dates by another clock", "usage dates are those of another time zone than the workspace's",
               "assert_usage_dates_are_local_dates",
               ("update dimensions.dim_workspace set time_zone = 'Pacific/Kiritimati' where workspace_id = 'ws_house'",)),
    BuildFault("day lost in the total", "the total cost mart is edited to lose a day of a workspace",
               "reconcile__total_cost_equals_spans", (f"delete from {_M}total_cost where {_first_row(_M + 'total_cost')}",)),
    _without_a_row("service lost", "a service is filtered out of its panel", "reconcile__service_costs_equal_total_cost",
                   f"{_M}service_costs"),
    BuildFault("model multiplied", "a join with two rows for one model doubles it", "reconcile__model_costs_equal_model_services",
               (f"insert into {_M}model_costs select * from {_M}model_costs where {_first_row(_M + 'model_costs')}",)),
    _changed("reasoning in two classes", "visible output still holds the reasoning", "reconcile__token_classes_add_up",
             f"{_M}token_usage", "visible_output_tokens = output_tokens"),
    _changed("wrong divisor", "the cost per million tokens is one per thousand",
             "mart_analytics__model_costs__cost_per_million_is_cost_by_tokens", f"{_M}model_costs",
             "cost_per_million_tokens_usd = cost_per_million_tokens_usd / 1000"),
    _changed("failures of the failed", "the error rate divides by the wrong count",
             "mart_analytics__model_observability__error_rate_is_failed_share", f"{_M}model_observability", "error_rate_pct = 50"),
    _changed("percentiles swapped", "p50 and p99 are in each other's column", "mart_analytics__model_observability__percentiles_ordered",
             f"{_M}model_observability", "latency_p50_ms = latency_p99_ms + 1"),
    _changed("percentile of all calls", "p50 is taken of failed and cancelled calls, too", "assert_percentiles_lie_in_their_buckets",
             f"{_M}model_observability", "latency_p50_ms = latency_p50_ms / 2", "latency_p50_ms > 100"),
    _changed("tokens of the unpriced forgotten", "the list of unpriced usage counts calls and not their tokens",
             "mart_analytics__unpriced_usage__equals_pricing", f"{_M}unpriced_usage", "input_tokens = 0"),
    _without_a_row("calls left out of latency", "a bucket of the latency histogram is lost",
                   "mart_analytics__model_latency_histogram__counts_every_completed_call", f"{_M}model_latency_histogram"),
    BuildFault("top users only", "the users' list keeps the first five", "reconcile__top_users_equal_runs",
               _view(f"{_M}top_users", "delete from {table} where cost_rank > 5")),
    BuildFault("ranks upside down", "who spends least is first", "assert_ranks_follow_their_measures",
               _view(f"{_M}top_users", "update {table} set cost_rank = -cost_rank where user_id is not null")),
    BuildFault("untracked usage lost", "runs without a user are left out of the users' page", "reconcile__users_equal_runs",
               _view("marts.mart_users__activity", "delete from {table} where user_id is null")),
    BuildFault("failed runs hidden", "a log leaves out runs that did not complete", "reconcile__run_counts_equal_log_rows",
               _view("marts.mart_logs__prompt_runs", "delete from {table} where usage_date = {night} and status <> 'completed'")),
    BuildFault("run in no log", "a log leaves out runs of one resource", "assert_logs_cover_every_run_once",
               _view("marts.mart_logs__agent_runs", "delete from {table} where usage_date = {night} and resource_id = 'agent_0'")),
    _without_a_row("unpriced calls hidden", "the list of unpriced usage loses a model", "reconcile__unpriced_usage_equals_total_cost",
                   f"{_M}unpriced_usage", "price_status = 'unpriced'"),
    _changed("unattributed forgotten", "usage of lost runs is in no part of the total", "reconcile__unattributed_equals_orphans",
             f"{_M}total_cost", "unattributed_total_cost_usd = 0, unattributed_task_credits = 0, unattributed_call_count = 0",
             "unattributed_call_count > 0"),
    BuildFault("money in floats", "a mart holds money as binary floats", "reconcile__service_costs_equal_total_cost",
               (f"alter table {_M}service_costs alter column total_cost_usd type double",)),
    BuildFault("mart not built", "a mart is missing", "mart_analytics__token_usage__tokens_not_negative",
               (f"drop table {_M}token_usage",)),
    BuildFault("leak between workspaces", "a user's row is in another workspace", "reconcile__users_equal_runs",
               _view("marts.mart_users__activity", "update {table} set workspace_id = 'ws_house' where usage_date = {night} "
                     "and workspace_id <> 'ws_house' and user_id = 'user_1'")),
    BuildFault("group lost", "a group is lost from the first panel's breakdown", "mart_analytics__usage_breakdown__equals_total_cost",
               _view(f"{_M}usage_breakdown", "delete from {table} where usage_date = {night} and api_key = 'Key 0'")),
    BuildFault("sheet without its spans", "run sheets lose the spans of tools", "mart_details__spans__one_row_per_span",
               _view("marts.mart_details__spans", "delete from {table} where usage_date = {night} and span_kind = 'tool'")),
    BuildFault("child lost in its parent's sheet", "a sheet leaves out a child run", "mart_details__child_runs__counts_every_direct_child",
               _view("marts.mart_details__child_runs", "delete from {table} where parent_usage_date = {night}")),
    _without_a_row("tool lost", "a tool is missing in its panel", "mart_analytics__tool_usage__equals_tool_spans", f"{_M}tool_usage"),
    BuildFault("user twice", "a user's sum over all days holds tonight twice", "mart_users__summary__equals_daily_of_tracked_users",
               ("update marts.mart_users__summary set total_cost_usd = total_cost_usd + 1 "
                "where rowid = (select min(rowid) from marts.mart_users__summary)",)),
    BuildFault("old day rewritten", "a day that nothing touched is emptied while the candidate is built",
               "assert_days_keep_their_runs",
               (f"delete from {_RUNS} where usage_date = {{night}} - 7",)),
)  # fmt: skip

TIME_FAULTS = (
    TimeFault("stale data", "exports stopped coming days ago", "fct_span_usage__fresh", 5),
    TimeFault(
        "old prices",
        "the price catalogue was not updated for more than half a year",
        "dim_price__checked_lately",
        365,
    ),
)

FAULTS: tuple[Fault, ...] = (*EXPORT_FAULTS, *BUILD_FAULTS, *TIME_FAULTS)
