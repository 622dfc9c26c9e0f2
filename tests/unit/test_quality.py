"""The audit catches what it promises: a clean warehouse passes, each planted fault fails the named check.

One file is built per module and copied per fault. Great Expectations is loaded once; suites are
narrowed to the table that a fault concerns, because the checks of other tables cannot see it anyway.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from orchestration.landing import contract
from orchestration.quality import results as quality_results
from orchestration.quality.reconciliation import IDENTITIES, reconcile
from orchestration.quality.results import CheckResult, blocking_failures
from orchestration.quality.runner import run_suites
from orchestration.quality.suites import NoRows, Suite, build_suites, declared_rules
from orchestration.quality.thresholds import Thresholds
from reports import quality as quality_page
from tests import quality_fixture

Copy = Callable[..., Path]
SPANS = "facts.fct_span_usage"
RUNS = "facts.fct_run_usage"
TOTAL = "marts.mart_analytics__total_cost"
TOKEN_USAGE = "marts.mart_analytics__token_usage"
USERS = "marts.mart_users__activity"
UNPRICED = "marts.mart_analytics__unpriced_usage"
SERVICES = "marts.mart_analytics__service_costs"
MODELS = "marts.mart_analytics__model_costs"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file without a fault."""
    return quality_fixture.build(tmp_path_factory.mktemp("quality") / "clean.duckdb")


@pytest.fixture
def faulty(clean: Path, tmp_path: Path) -> Copy:
    """A copy of the clean file after some SQL; at least one row or object must really have changed."""

    def make(*statements: str) -> Path:
        path = tmp_path / "faulty.duckdb"
        shutil.copyfile(clean, path)
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                row = connection.execute(statement).fetchone()
                if statement.startswith(("update", "delete", "insert")):
                    assert row, f"the fault was not planted: {statement}"
                    assert row[0] > 0, f"the fault was not planted: {statement}"
        return path

    return make


def _suites_of(table: str) -> list[Suite]:
    return [suite for suite in build_suites(dates=None) if suite.table == table]


def _failed(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results if not result.passed}


def test_clean_file_passes_every_check(clean: Path) -> None:
    """A sound warehouse must not stop the night, neither as a whole nor for the touched dates."""
    for dates in (None, list(quality_fixture.DATES), [quality_fixture.FIRST_DATE]):
        results = run_suites(clean, dates=dates) + reconcile(clean, dates=dates)
        assert {name: result.message for name, result in _failed(results).items()} == {}
        assert len(results) == len(declared_rules(with_freshness=False)) + len(IDENTITIES)


def test_pages_cut_messages_where_rows_are_named() -> None:
    """A page of one workspace shows a row of another, because a message names it behind other words than the page looks for."""
    assert quality_page._EXAMPLE == quality_results.EXAMPLE


def test_declared_rules_are_what_runs(clean: Path) -> None:
    """Checks are declared by name beforehand, so names and severities must agree with the results."""
    declared = [(rule.name, rule.severity) for rule in declared_rules(with_freshness=True)]
    assert len(set(declared)) == len(declared), "a rule name occurs twice"
    assert all(name.isidentifier() for name, _ in declared), "a rule name is no identifier"
    ran = run_suites(clean, dates=None, as_of=datetime(2026, 3, 4, tzinfo=UTC))
    assert [(result.name, result.severity) for result in ran] == declared


SUITE_FAULTS = [
    ("negative token", SPANS, "input_tokens = -1", "fct_span_usage__tokens_not_negative", "blocking"),
    ("negative units", SPANS, "units = -1", "fct_span_usage__tokens_not_negative", "blocking"),
    ("negative cost", SPANS, "wallet_cost_usd = -0.01", "fct_span_usage__money_not_negative", "blocking"),
    ("negative credits", SPANS, "task_credits = -1", "fct_span_usage__money_not_negative", "blocking"),
    ("unknown charge type", SPANS, "charge_type = 'free'", "fct_span_usage__charge_type_known", "blocking"),
    ("unknown status", SPANS, "status = 'done'", "fct_span_usage__status_known", "blocking"),
    ("unknown role", SPANS, "billing_role = 'echo'", "fct_span_usage__billing_role_known", "blocking"),
    ("unknown kind", SPANS, "span_kind = 'llm'", "fct_span_usage__span_kind_known", "blocking"),
    ("unknown source", SPANS, "cost_source = 'guess'", "fct_span_usage__cost_source_known", "blocking"),
    (
        "unknown price status",
        SPANS,
        "price_status = 'guess'",
        "fct_span_usage__price_status_known",
        "blocking",
    ),
    (
        "unknown reason",
        SPANS,
        "unpriced_reason = 'guess'",
        "fct_span_usage__unpriced_reason_known",
        "blocking",
    ),
    (
        "unknown credit source",
        SPANS,
        "credit_source = 'guess'",
        "fct_span_usage__credit_source_known",
        "blocking",
    ),
    (
        "reported without cost",
        SPANS,
        "provider_cost_usd = null",
        "fct_span_usage__cost_matches_source",
        "blocking",
    ),
    ("negative duration", SPANS, "duration_ms = -5", "fct_span_usage__duration_not_negative", "blocking"),
    ("endless span", SPANS, "duration_ms = 2000000000", "fct_span_usage__duration_usual", "warning"),
    (
        "seconds as ms",
        SPANS,
        "started_at = timestamp '1970-01-21'",
        "fct_span_usage__started_at_plausible",
        "blocking",
    ),
    ("unflagged subset", SPANS, "cached_tokens = 99999", "fct_span_usage__subsets_flagged", "warning"),
    ("micro-dollars", SPANS, "total_cost_usd = 13000000", "fct_span_usage__call_cost_possible", "blocking"),
    *(
        (flag, SPANS, f"quality_flags = 'other,{flag}'", f"fct_span_usage__no_{flag}", "warning")
        for flag in contract.SPANS.flags
    ),
    ("dear call", SPANS, "total_cost_usd = 5000", "fct_span_usage__call_cost_usual", "warning"),
    ("credit flood", SPANS, "task_credits = 5000", "fct_span_usage__call_credits_usual", "warning"),
    (
        "token overflow",
        SPANS,
        "output_tokens = 2000000000",
        "fct_span_usage__call_tokens_possible",
        "blocking",
    ),
    ("unknown run type", RUNS, "run_type = 'chat'", "fct_run_usage__run_type_known", "blocking"),
    ("unknown run status", RUNS, "status = 'ok'", "fct_run_usage__status_known", "blocking"),
    ("unknown run charge", RUNS, "charge_type = 'both'", "fct_run_usage__charge_type_known", "blocking"),
    ("unknown run source", RUNS, "source = 'cron'", "fct_run_usage__source_known", "warning"),
    ("unknown delivery", RUNS, "delivery = 'sync'", "fct_run_usage__delivery_known", "warning"),
    ("negative own token", RUNS, "own_total_tokens = -1", "fct_run_usage__tokens_not_negative", "blocking"),
    ("negative own cost", RUNS, "own_total_cost_usd = -1", "fct_run_usage__money_not_negative", "blocking"),
    ("missing measure", RUNS, "total_cost_usd = null", "fct_run_usage__measures_present", "blocking"),
    ("total below own", RUNS, "total_tokens = 0", "fct_run_usage__total_covers_own", "blocking"),
    ("more failures than calls", RUNS, "failed_call_count = 50", "fct_run_usage__counts_nested", "blocking"),
    (
        "time zone shift",
        RUNS,
        "usage_date = usage_date + 2",
        "fct_run_usage__usage_date_near_start",
        "blocking",
    ),
    ("dear run", RUNS, "total_cost_usd = 20000", "fct_run_usage__cost_usual", "warning"),
    (
        "negative mart cost",
        TOTAL,
        "wallet_cost_usd = -1",
        "mart_analytics__total_cost__measures_not_negative",
        "blocking",
    ),
    (
        "more unattributed than there is",
        TOTAL,
        "unattributed_total_cost_usd = 1000",
        "mart_analytics__total_cost__parts_within_whole",
        "blocking",
    ),
    (
        "nameless service",
        SERVICES,
        "service = ''",
        "mart_analytics__service_costs__service_named",
        "blocking",
    ),
    (
        "absurd rate",
        MODELS,
        "cost_per_million_tokens_usd = 99999",
        "mart_analytics__model_costs__rate_usual",
        "warning",
    ),
    (
        "error rate as permille",
        "marts.mart_analytics__model_observability",
        "error_rate_pct = 250",
        "mart_analytics__model_observability__error_rate_in_range",
        "blocking",
    ),
    (
        "percentiles swapped",
        "marts.mart_analytics__trace_performance",
        "latency_p50_ms = 99",
        "mart_analytics__trace_performance__percentiles_ordered",
        "blocking",
    ),
    (
        "bucket bounds swapped",
        "marts.mart_analytics__run_latency_histogram",
        "bucket_upper_ms = 1",
        "mart_analytics__run_latency_histogram__buckets_sound",
        "blocking",
    ),
    (
        "rank of nobody",
        "marts.mart_analytics__top_users",
        "user_id = null",
        "mart_analytics__top_users__ranks_of_users_only",
        "blocking",
    ),
    (
        "more cached than sent in a day",
        "marts.mart_analytics__token_usage",
        "uncached_input_tokens = -1",
        "mart_analytics__token_usage__exclusive_classes_not_negative",
        "warning",
    ),
]


@pytest.mark.parametrize(
    ("table", "assignment", "check", "severity"),
    [fault[1:] for fault in SUITE_FAULTS],
    ids=[fault[0] for fault in SUITE_FAULTS],
)
def test_one_wrong_row_is_caught(
    faulty: Copy, table: str, assignment: str, check: str, severity: str
) -> None:
    """One wrong row among all must fail the check named for it, with its severity and exactly one failure."""
    condition = "billing_role = 'call' and cost_source = 'reported'" if table == SPANS else "true"
    path = faulty(
        f"update {table} set {assignment} where rowid = (select min(rowid) from {table} where {condition})"
    )
    failed = _failed(run_suites(path, dates=None, suites=_suites_of(table)))
    assert check in failed, f"{check} missed it; failed instead: {sorted(failed)}"
    assert (failed[check].severity, failed[check].failures) == (severity, 1), failed[check].message
    assert "example" in failed[check].message, "the message does not help to find the row"


@pytest.mark.parametrize(
    ("table", "statement", "check"),
    [
        (
            "marts.mart_analytics__anomalies",
            "insert into marts.mart_analytics__anomalies select max(usage_date) - {days}, 'ws', 'model', 'acme/m', 'm', "
            "'total_cost_usd', 'above', 9, 1, 8 from marts.mart_analytics__total_cost",
            "mart_analytics__anomalies__no_recent_anomaly",
        ),
        (
            "marts.mart_analytics__budgets",
            "update marts.mart_analytics__budgets set budget_status = 'heading_over'",
            "mart_analytics__budgets__no_budget_exceeded",
        ),
    ],
)
def test_odd_days_and_budgets_warn(faulty: Copy, table: str, statement: str, check: str) -> None:
    """An odd day or a spent budget is told nobody, holds back the night, or is told for ever."""
    failed = _failed(run_suites(faulty(statement.format(days=0)), dates=None, suites=_suites_of(table)))
    assert failed.keys() == {check}
    assert failed[check].severity == "warning"
    if "{days}" in statement:
        assert not _failed(run_suites(faulty(statement.format(days=7)), dates=None, suites=_suites_of(table)))


@pytest.mark.parametrize("role", ["rollup", "none"])
def test_measure_on_span_that_is_no_call_is_caught(faulty: Copy, role: str) -> None:
    """A roll-up that keeps its tokens would count a call twice."""
    path = faulty(f"update {SPANS} set output_tokens = 7 where billing_role = '{role}' and run_id = 'req_1'")
    failed = _failed(run_suites(path, dates=None, suites=_suites_of(SPANS)))
    assert failed["fct_span_usage__measures_on_calls_only"].failures == 1


SHARE_FAULTS = [
    ("orphan flood", SPANS, "is_orphan = true", "fct_span_usage__orphan_share"),
    ("lost parents", SPANS, "is_parent_missing = true", "fct_span_usage__missing_parent_share"),
    ("flags everywhere", SPANS, "quality_flags = 'x'", "fct_span_usage__flagged_share"),
    (
        "prices lost",
        SPANS,
        "cost_source = 'unpriced', provider_cost_usd = null where billing_role = 'call'",
        "fct_span_usage__unpriced_share",
    ),
    (
        "usage lost",
        SPANS,
        "is_usage_unknown = true where billing_role = 'call' and is_model_call",
        "fct_span_usage__unknown_usage_share",
    ),
    ("services lost", SPANS, "service = 'Unknown'", "fct_span_usage__unknown_service_share"),
    ("lost parent runs", RUNS, "is_parent_missing = true", "fct_run_usage__missing_parent_share"),
    (
        "spans lost",
        RUNS,
        "span_count = 0, call_count = 0, failed_call_count = 0, unpriced_call_count = 0, "
        "unknown_usage_call_count = 0",
        "fct_run_usage__spanless_share",
    ),
    ("ends lost", RUNS, "completed_at = null", "fct_run_usage__unfinished_share"),
    ("totals disagree", RUNS, "reported_total_tokens = 1", "fct_run_usage__reported_tokens_mismatch_share"),
]


@pytest.mark.parametrize(
    ("table", "assignment", "check"),
    [fault[1:] for fault in SHARE_FAULTS],
    ids=[fault[0] for fault in SHARE_FAULTS],
)
def test_flood_warns_and_does_not_block(faulty: Copy, table: str, assignment: str, check: str) -> None:
    """Legal but unusual shares are told, never a reason to withhold the night."""
    results = run_suites(faulty(f"update {table} set {assignment}"), dates=None, suites=_suites_of(table))
    failed = _failed(results)
    assert check in failed, sorted(failed)
    assert failed[check].severity == "warning"
    assert blocking_failures(results) == []
    assert failed[check].details["unexpected_share"] > failed[check].details["allowed_share"]  # type: ignore[operator]


MEASURE_FAULTS = [
    (
        "class counted twice",
        f"update {TOKEN_USAGE} set visible_output_tokens = output_tokens where rowid = 0",
        {"reconcile__token_classes_add_up"},
    ),
    (
        "class lost on its page",
        f"update {TOKEN_USAGE} set citation_tokens = citation_tokens - 1 where rowid = 0",
        {"reconcile__token_usage_equals_total_cost"},
    ),
    (
        "user left out",
        f"delete from {USERS} where rowid = 0",
        {"reconcile__users_equal_runs"},
    ),
    (
        "unpriced calls of a user forgotten",
        f"update {USERS} set unpriced_call_count = unpriced_call_count + 1 where rowid = 0",
        {"reconcile__users_equal_runs"},
    ),
    (
        "unpriced calls left out",
        f"update {UNPRICED} set call_count = call_count - 1 where rowid = 0",
        {"reconcile__unpriced_usage_equals_total_cost"},
    ),
    (
        "drift in the twelfth decimal of one mart",
        f"update {TOTAL} set wallet_cost_usd = wallet_cost_usd + 0.000000000001 where rowid = 0",
        {
            "reconcile__total_cost_equals_spans",
            "reconcile__total_cost_equals_runs_and_orphans",
            "reconcile__service_costs_equal_total_cost",
            "reconcile__model_and_other_services_equal_total_cost",
        },
    ),
    (
        "lost service row",
        f"delete from {SERVICES} where rowid = (select min(rowid) from {SERVICES} where not is_model_call)",
        {
            "reconcile__service_costs_equal_total_cost",
            "reconcile__model_and_other_services_equal_total_cost",
        },
    ),
    (
        "lost model row",
        f"delete from {MODELS} where rowid = 0",
        {
            "reconcile__model_and_other_services_equal_total_cost",
            "reconcile__model_costs_equal_model_services",
        },
    ),
    (
        "doubled mart row",
        f"insert into {MODELS} select * from {MODELS} limit 1",
        {
            "reconcile__model_and_other_services_equal_total_cost",
            "reconcile__model_costs_equal_model_services",
        },
    ),
    (
        "dropped day in the total",
        f"delete from {TOTAL} where usage_date = date '2026-03-03'",
        {
            identity.name
            for identity in IDENTITIES
            if any(side == "total_cost" for side in (*identity.left, *identity.right))
        }
        | {"reconcile__unattributed_equals_orphans"},
    ),
    (
        "own tokens counted twice",
        f"update {RUNS} set own_reasoning_tokens = 2 * own_reasoning_tokens where rowid = 0",
        {"reconcile__spans_equal_runs_and_orphans", "reconcile__total_cost_equals_runs_and_orphans"},
    ),
    (
        "own credits off by a millionth",
        f"update {RUNS} set own_task_credits = own_task_credits + 0.000001 where rowid = 0",
        {
            "reconcile__spans_equal_runs_and_orphans",
            "reconcile__total_cost_equals_runs_and_orphans",
            "reconcile__users_equal_runs",
            "reconcile__top_users_equal_runs",
        },
    ),
    (
        "unattributed cost forgotten",
        f"update {TOTAL} set unattributed_total_cost_usd = 0 where unattributed_total_cost_usd > 0",
        {"reconcile__unattributed_equals_orphans", "reconcile__total_cost_equals_log_rows"},
    ),
    (
        "unpriced calls of lost runs forgotten",
        f"update {TOTAL} set unattributed_unpriced_call_count = unattributed_unpriced_call_count + 1 where rowid = 0",
        {"reconcile__unattributed_equals_orphans"},
    ),
    (
        "run lost from its log",
        "create or replace view marts.mart_logs__agent_runs as "
        "select * from marts.mart_logs__prompt_runs where false",
        {"reconcile__total_cost_equals_log_rows", "reconcile__run_counts_equal_log_rows"},
    ),
    (
        "span moved to another workspace",
        f"update {SPANS} set workspace_id = 'ws_9' where span_id = 'span_7'",
        {
            "reconcile__spans_equal_runs_and_orphans",
            "reconcile__total_cost_equals_spans",
        },
    ),
    (
        "usage without a workspace",
        f"update {TOTAL} set workspace_id = null "
        "where usage_date = date '2026-03-03' and workspace_id = 'ws_0'",
        (
            {
                identity.name
                for identity in IDENTITIES
                if any(side == "total_cost" for side in (*identity.left, *identity.right))
            }
            | {"reconcile__unattributed_equals_orphans"}
        )
        - {"reconcile__unpriced_usage_equals_total_cost"},
    ),
]


@pytest.mark.parametrize(
    ("statement", "checks"),
    [fault[1:] for fault in MEASURE_FAULTS],
    ids=[fault[0] for fault in MEASURE_FAULTS],
)
def test_difference_is_caught_by_exactly_the_identities_it_breaks(
    faulty: Copy, statement: str, checks: set[str]
) -> None:
    """A sum that is off by any amount breaks each identity over it, and no other, and blocks."""
    path = faulty(statement)
    results = reconcile(path, dates=None)
    assert set(_failed(results)) == checks
    assert {result.name for result in blocking_failures(results)} == checks


def test_difference_names_the_first_place_and_both_values(faulty: Copy) -> None:
    """Whoever is woken up needs workspace, date, measure and both exact values, not just a red light."""
    path = faulty(
        f"update {TOTAL} set total_cost_usd = total_cost_usd + 0.000000000001 "
        "where usage_date >= date '2026-03-02' and workspace_id = 'ws_1'"
    )
    result = _failed(reconcile(path, dates=None))["reconcile__total_cost_equals_spans"]
    assert result.failures == 2, "both days differ"
    details = result.details
    assert (details["workspace_id"], details["usage_date"]) == ("ws_1", "2026-03-02"), (
        "not the first difference"
    )
    assert (details["measure"], details["difference"]) == ("total_cost_usd", "0.000000000001")
    assert str(details["left"]) in result.message
    assert str(details["right"]) in result.message
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(
            f"select sum(total_cost_usd)::varchar from {SPANS} "
            "where workspace_id = 'ws_1' and usage_date = date '2026-03-02'"
        ).fetchone()
    assert row is not None
    assert str(details["right"]) == row[0].rstrip("0"), "the value shown is not exact"


def test_float_measures_are_refused(faulty: Copy) -> None:
    """A mart that holds money in binary floats must not count as reconciled, however small the difference."""
    path = faulty(f"alter table {MODELS} alter column total_cost_usd type double")
    failed = _failed(reconcile(path, dates=None))
    assert "DOUBLE" in failed["reconcile__model_costs_equal_model_services"].message


def test_only_touched_dates_are_looked_at(faulty: Copy) -> None:
    """Cost follows new data: a fault is found on a touched date, and not looked for elsewhere."""
    path = faulty(
        f"update {SPANS} set input_tokens = -1 where span_id = 'span_7'",  # on 2026-03-02
    )
    for dates, caught in (([date(2026, 3, 1), date(2026, 3, 3)], False), ([date(2026, 3, 2)], True)):
        suites = [suite for suite in build_suites(dates=dates) if suite.table == SPANS]
        failed = _failed(run_suites(path, dates=dates, suites=suites) + reconcile(path, dates=dates))
        assert ("fct_span_usage__tokens_not_negative" in failed) is caught
        assert ("reconcile__total_cost_equals_spans" in failed) is caught


def test_touched_date_without_rows_warns(clean: Path) -> None:
    """A touched date that ended up empty may be right, but somebody should know which."""
    dates = [quality_fixture.FIRST_DATE, date(2026, 4, 1)]
    results = run_suites(clean, dates=dates)
    failed = _failed(results)
    assert {name.rpartition("__")[2] for name in failed} == {"has_rows"}
    assert "2026-04-01" in failed["fct_run_usage__has_rows"].message
    assert blocking_failures(results) == []


def test_what_is_not_about_dates_is_judged_without_a_touched_one(faulty: Copy) -> None:
    """A night that brought nothing but a file that cannot be read, from an exporter that broke days ago, says that all is well."""
    path = faulty(
        "update plan.landing_files set status = 'unreadable', reason = 'truncated'",
        f"update {SPANS} set input_tokens = -1 where span_id = 'span_7'",
    )
    results = run_suites(path, dates=[], as_of=datetime(2026, 4, 1, tzinfo=UTC))
    assert len(results) == len(declared_rules())
    assert set(_failed(results)) == {"landing_files__readable", "fct_span_usage__fresh"}


def test_empty_tables_warn_and_do_not_break(faulty: Copy) -> None:
    """An empty warehouse divides nothing by zero; it warns that there is nothing."""
    tables = [suite.table for suite in build_suites(dates=None)]
    path = faulty(*(f"truncate {table}" for table in dict.fromkeys([*tables, USERS, UNPRICED])))
    results = run_suites(path, dates=None) + reconcile(path, dates=None)
    assert {name.rpartition("__")[2] for name in _failed(results)} == {"has_rows"}
    assert blocking_failures(results) == []


def test_null_only_measures_pass_the_suites(faulty: Copy) -> None:
    """NULL means "not said", which is no value out of range; a differing total is reconciliation's."""
    assignments = ", ".join(f"{name} = null" for name in quality_fixture.TOKENS)
    path = faulty(f"update {SPANS} set {assignments}, status = null, duration_ms = null")
    assert blocking_failures(run_suites(path, dates=None, suites=_suites_of(SPANS))) == []
    assert "reconcile__total_cost_equals_spans" in _failed(reconcile(path, dates=None))


def test_broken_query_is_a_blocking_failure_with_its_reason(clean: Path) -> None:
    """What could not be checked may be wrong: it blocks even where the rule only warns, and says why."""
    suite = next(suite for suite in build_suites(dates=None) if suite.table == TOTAL)
    wrong = replace(
        suite.rules[0],
        name="broken",
        severity="warning",
        expectation=NoRows("no_column > 1", ("usage_date",)),
    )
    results = run_suites(clean, dates=None, suites=[replace(suite, rules=(wrong, *suite.rules[1:]))])
    (failure,) = [result for result in results if not result.passed]
    assert (failure.name, failure.severity) == ("broken", "blocking")
    assert "no_column" in failure.message
    assert len(results) == len(suite.rules), "the other rules must still run"


def test_missing_table_and_missing_column_are_reported(faulty: Copy) -> None:
    """A mart that was not built, or lost a column, fails its own checks and blocks; others still run."""
    path = faulty(f"drop table {MODELS}", f"alter table {SERVICES} drop column task_credits")
    suites = [*_suites_of(MODELS), *_suites_of(SERVICES), *_suites_of(TOTAL)]
    results = run_suites(path, dates=None, suites=suites) + reconcile(path, dates=None)
    failed = _failed(results)
    assert {name for name in failed if name.startswith("mart_analytics__model_costs")} == {
        rule.name for suite in _suites_of(MODELS) for rule in suite.rules
    }
    assert "model_costs" in failed["mart_analytics__model_costs__rate_usual"].message
    assert "task_credits" in failed["mart_analytics__service_costs__measures_not_negative"].message
    assert "reconcile__model_costs_equal_model_services" in failed
    assert not any("total_cost__" in name for name in failed)
    assert {result.severity for result in failed.values()} == {"blocking"}


def test_freshness_is_judged_against_the_given_time(clean: Path) -> None:
    """Stale data and clocks from the future are told, measured against the time given, in any zone."""
    suites = {
        as_of: [s for s in build_suites(dates=None, as_of=as_of) if s.table == SPANS][:1]
        for as_of in (
            # The last span is at 02:29 UTC on 3 March; 36 hours later is 14:29 UTC, 16:29 two hours east.
            datetime(2026, 3, 4, 16, 20, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 3, 4, 16, 20, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        )
    }
    failed = [set(_failed(run_suites(clean, dates=None, suites=chosen))) for chosen in suites.values()]
    assert failed == [set(), {"fct_span_usage__fresh"}, {"fct_span_usage__started_in_future"}]


def test_thresholds_are_settable_and_validated(clean: Path) -> None:
    """A team with other habits changes a limit in one place; a nonsense limit is refused."""
    suites = [
        suite
        for suite in build_suites(dates=None, thresholds=Thresholds(max_orphan_span_share=0.0))
        if suite.table == SPANS
    ]
    assert "fct_span_usage__orphan_share" in _failed(run_suites(clean, dates=None, suites=suites))
    with pytest.raises(ValueError, match="max_orphan_span_share"):
        Thresholds(max_orphan_span_share=1.5)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("the audit reached for the network or a temporary folder")


def test_file_is_only_read_and_closed(
    clean: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit leaves no trace: same bytes, no new file, no socket, no output, and no open handle."""
    folder = tmp_path / "odd $name {x}?a=1 %41"
    folder.mkdir()
    path = Path(shutil.copyfile(clean, folder / "usage.duckdb"))
    before = path.read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(socket, "socket", _refuse)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", _refuse)
    monkeypatch.chdir(scratch)
    capfd.readouterr()
    assert _failed(run_suites(path, dates=None, threads=1, memory_limit="500MB")) == {}
    assert _failed(reconcile(path, dates=None, threads=1, memory_limit="500MB")) == {}
    assert capfd.readouterr() == ("", ""), "the audit printed something"
    assert path.read_bytes() == before
    assert [item.name for item in folder.iterdir()] == ["usage.duckdb"]
    assert list(scratch.iterdir()) == [], "something was left in the working or temporary folder"
    with duckdb.connect(str(path)) as connection:  # fails while another configuration still holds the file
        connection.execute("select 1")


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    """A wrong path must not audit an empty database that opening it would create."""
    for check in (run_suites, reconcile):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.duckdb"):
            check(tmp_path / "nowhere.duckdb", dates=None)
    assert list(tmp_path.iterdir()) == []


def test_hostile_text_from_data_is_one_short_line(faulty: Copy) -> None:
    """Ids come from outside: no control characters, line breaks or endless values in a message."""
    path = faulty(
        f"update {SPANS} set status = 'x' || chr(10) || chr(27) || '[31m' || repeat('y', 5000), "
        "run_id = '{batch} :name %s' where span_id = 'span_8'"
    )
    failed = _failed(run_suites(path, dates=None, suites=_suites_of(SPANS)))
    message = failed["fct_span_usage__status_known"].message
    assert message.isprintable()
    assert len(message) < 500
    assert "{batch} :name %s" in message


def test_result_json_round_trip_and_rules() -> None:
    """Results survive JSON unchanged; a value that is no JSON scalar, or a contradiction, is refused."""
    results = [
        CheckResult("a", "warning", False, 2, "two", {"z": "0.10", "b": None, "c": 1.5}),
        CheckResult("b", "blocking", True, 0, "fine"),
        quality_results.check_error("c", "line\nbreak"),
    ]
    text = quality_results.to_json(results)
    assert quality_results.from_json(text) == results
    assert list(json.loads(text)[0]["details"]) == ["b", "c", "z"], "keys must have one order"
    assert [result.name for result in blocking_failures(results)] == ["c"]
    with pytest.raises(ValueError, match="contradicts"):
        CheckResult("d", "warning", True, 1, "")
    with pytest.raises(TypeError, match="date"):
        CheckResult("d", "warning", True, 0, "", {"day": date(2026, 1, 1)})  # type: ignore[dict-item]
