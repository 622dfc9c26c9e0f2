"""What must hold for the data at each boundary: expectation suites as plain declarations, one suite per
table.

What belongs here: shape, ranges, sets, volume, freshness. What does not: keys, relations and exact identities
(dbt tests and `reconciliation` own those), limits (`thresholds`), and how an expectation runs (`runner`).
Nothing heavy is imported, so that an orchestrator can list the checks without paying for Great Expectations.

Adding a rule: put it into its table's function; its name must be `<table>__<what must hold>`, an identifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from orchestration.landing.contract import SPANS as LANDED_SPANS
from orchestration.quality import history
from orchestration.quality.database import dates_predicate
from orchestration.quality.results import Severity
from orchestration.quality.thresholds import DEFAULT_THRESHOLDS, Thresholds

TOKENS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "image_tokens",
    "citation_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "total_tokens",
)
MONEY = (
    "provider_cost_usd",
    "wallet_cost_usd",
    "external_cost_usd",
    "task_credits",
    "task_credit_cost_usd",
    "total_cost_usd",
)
COUNTS = (
    "call_count",
    "failed_call_count",
    "unpriced_call_count",
    "unknown_usage_call_count",
    "unpriced_total_tokens",
)
CHARGE_TYPES = ("hosted", "personal")
STATUSES = ("queued", "running", "completed", "failed", "cancelled")
RUN_TYPES = ("prompt", "workflow", "agent")
BILLING_ROLES = ("call", "duplicate", "rollup", "none")
COST_SOURCES = ("reported", "priced", "unpriced")
PRICE_STATUSES = ("priced", "partial", "unpriced", "free")
UNPRICED_REASONS = ("no_model_named", "no_price", "no_price_for_its_usage", "unknown_usage")
CREDIT_SOURCES = ("reported", "rated", "unrated")
SPAN_KINDS = (
    "run",
    "completion",
    "tool",
    "retrieval",
    "embedding",
    "image_generation",
    "step",
    "agent",
    "other",
)
#: `live` comes from older exports and is kept as its own value.
SOURCES = ("dashboard", "api", "scheduled", "webhook", "agent", "experiment", "live")
DELIVERIES = ("direct", "callback")
PERCENTILES = ("latency_p50_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms")


@dataclass(frozen=True)
class ShareAtMost:
    """A boolean column is true on at most this share of the rows on which it is not NULL, and of a single workspace's on at most
    `workspace_share`, where there are `workspace_rows` of them.
    """

    column: str
    share: float
    workspace_share: float
    workspace_rows: int


@dataclass(frozen=True)
class NoRows:
    """No row satisfies a condition. `shown` are the columns that a person needs to find the row."""

    condition: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class NoResult:
    """A query over the batch (`{batch}`) has no result row: for what concerns the batch as a whole."""

    query: str


Expectation = ShareAtMost | NoRows | NoResult


@dataclass(frozen=True)
class Rule:
    """One expectation with its name, its weight, and the sentence that must be true."""

    name: str
    severity: Severity
    statement: str
    expectation: Expectation


@dataclass(frozen=True)
class Suite:
    """The rules over one batch: the rows that `query` selects."""

    table: str
    query: str
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """The table without its schema."""
        return self.table.rpartition(".")[2]


@dataclass(frozen=True)
class _Table:
    """Builds the rules of one table with its name and row keys filled in."""

    table: str
    keys: tuple[str, ...]

    def suite(
        self, dates: Sequence[date] | None, rules: Iterator[Rule], derived: Sequence[str] = ()
    ) -> Suite:
        columns = ", ".join(("*", *derived))
        # Great Expectations wants upper or lower `select` followed by a blank, at the very beginning.
        query = f"select {columns} from {self.table} where {dates_predicate(dates)}"
        return Suite(self.table, query, tuple(rules))

    def rule(self, what: str, severity: Severity, statement: str, expectation: Expectation) -> Rule:
        return Rule(f"{self.table.rpartition('.')[2]}__{what}", severity, statement, expectation)

    def no_rows(self, what: str, severity: Severity, statement: str, condition: str, *shown: str) -> Rule:
        return self.rule(what, severity, statement, NoRows(condition, (*self.keys, *shown)))

    def not_negative(self, what: str, statement: str, columns: Sequence[str]) -> Rule:
        """least() ignores NULL, so one comparison covers all columns of a row in one pass."""
        return self.no_rows(what, "blocking", statement, f"least({', '.join(columns)}) < 0", *columns)

    def in_set(self, column: str, severity: Severity, values: tuple[str, ...]) -> Rule:
        """NULL is not judged here: whether a column may be NULL is its contract."""
        listed = ", ".join(f"'{value}'" for value in values)
        statement = f"{column} is one of {', '.join(values)}"
        return self.no_rows(f"{column}_known", severity, statement, f"{column} not in ({listed})", column)

    def share(self, what: str, statement: str, column: str, share: float, limits: Thresholds) -> Rule:
        one = min(share * limits.workspace_share_factor, 1.0)
        return self.rule(
            what, "warning", statement, ShareAtMost(column, share, one, limits.min_workspace_rows)
        )

    def no_result(self, what: str, severity: Severity, statement: str, query: str) -> Rule:
        # Great Expectations prints to standard output where a query does not name the batch at all.
        named = query if "{batch}" in query else f"{query} /* not only {{batch}} */"
        return self.rule(what, severity, statement, NoResult(named))

    def volume(self, dates: Sequence[date] | None) -> Rule:
        """A touched date without a row may be right (its data moved), but somebody should know."""
        if dates is None:
            return self.rule(
                "has_rows",
                "warning",
                f"{self.table} has rows",
                NoResult("select 'whole file' as empty where not exists (select 1 from {batch})"),
            )
        expected = ", ".join(f"(date '{day:%Y-%m-%d}')" for day in sorted(set(dates))) or "(null::date)"
        return self.rule(
            "has_rows",
            "warning",
            f"each touched date has rows in {self.table}",
            NoResult(
                f"select cast(touched.usage_date as varchar) as usage_date "
                f"from (values {expected}) as touched(usage_date) where touched.usage_date is not null and touched.usage_date not in "
                "(select usage_date from {batch} where usage_date is not null)"
            ),
        )


def build_suites(
    *,
    dates: Sequence[date] | None,
    as_of: datetime | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> list[Suite]:
    """All suites for the touched dates (None = the whole file).

    `as_of` is the moment against which freshness is judged (taken as UTC if it has no zone); without it no
    freshness rule exists, because a check must not depend on a hidden clock.
    """
    if as_of is not None and as_of.tzinfo is not None:
        as_of = as_of.astimezone(UTC).replace(tzinfo=None)  # as the timestamps of the file are
    return [
        _landing_suite(thresholds),
        _price_suite(as_of, thresholds),
        _span_suite(dates, as_of, thresholds),
        _call_suite(dates, thresholds),
        _run_suite(dates, as_of, thresholds),
        _daily_suite(dates, thresholds),
        _total_cost_suite(dates, as_of, thresholds),
        _service_costs_suite(dates, thresholds),
        _model_costs_suite(dates, thresholds),
        _token_usage_suite(dates),
        _model_observability_suite(dates, thresholds),
        _trace_performance_suite(dates),
        _span_performance_suite(dates),
        _tool_usage_suite(dates),
        _top_users_suite(dates),
        _anomalies_suite(thresholds),
        _budgets_suite(),
        _unpriced_usage_suite(dates, thresholds),
        _histogram_suite(dates, "model_latency_histogram", ("provider", "model"), "call_count"),
        _histogram_suite(dates, "run_latency_histogram", ("run_type",), "run_count"),
        _histogram_suite(dates, "span_latency_histogram", ("span_name", "span_kind"), "span_count"),
    ]


def declared_rules(*, with_freshness: bool = True) -> list[Rule]:
    """Every rule by name and severity, without opening a file: what an orchestrator declares beforehand."""
    as_of = datetime(2000, 1, 1, tzinfo=UTC) if with_freshness else None  # the name matters, not the time
    return [rule for suite in build_suites(dates=None, as_of=as_of) for rule in suite.rules]


def _landing_suite(limits: Thresholds) -> Suite:
    """Of the files that no publication holds yet: what of them did not become rows. Where there is no lake, there is no file."""
    table = _Table("plan.landing_files", ("path",))

    def rules() -> Iterator[Rule]:
        yield table.no_rows(
            "readable",
            "warning",
            "every landing file can be read",
            "status <> 'loaded'",
            "source_format",
            "reason",
        )
        yield table.no_rows(
            "has_rows", "warning", "a landing file has rows", "status = 'loaded' and rows_read = 0"
        )
        yield table.no_rows(
            "quarantined_share",
            "warning",
            f"at most {limits.max_quarantined_file_share:.0%} of a landing file's rows are quarantined",
            f"rows_quarantined > {limits.max_quarantined_file_share} * rows_read",
            "rows_read",
            "rows_quarantined",
        )
        yield table.no_rows(
            "brings_news",
            "warning",
            "a landing file brings a row that was not known before",
            "rows_read > 0 and rows_loaded = 0 and rows_quarantined < rows_read",
            "rows_read",
            "rows_duplicate",
            "rows_superseded",
        )

    return Suite(table.table, f"select * from {table.table} where is_new", tuple(rules()))


def _price_suite(as_of: datetime | None, limits: Thresholds) -> Suite:
    table = _Table("dimensions.dim_price", ("source",))

    def rules() -> Iterator[Rule]:
        if as_of is None:
            return
        oldest = as_of - timedelta(days=limits.max_price_age_days)
        yield table.no_result(
            "checked_lately",
            "warning",
            f"a price of the catalogue was checked within the {limits.max_price_age_days} days before {as_of:%Y-%m-%d}",
            "select source, source_version, cast(max(checked_at) as varchar) as newest_checked_at from {batch} "
            "where source = 'catalogue' group by source, source_version "
            f"having max(checked_at) < date '{oldest:%Y-%m-%d}'",
        )

    return Suite(table.table, f"select * from {table.table}", tuple(rules()))


def _daily_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    """Days against the weeks before; the batch is the whole table, because history is not touched."""
    table = _Table(history.DAILY, ("workspace_id",))

    def rules() -> Iterator[Rule]:
        yield table.no_result(
            "tokens_per_call_usual",
            "warning",
            f"input and output tokens per call are within {limits.usual_tokens_factor:g} times what they were in the weeks before, "
            "and no class is gone",
            history.tokens_per_call(dates, limits),
        )
        yield table.no_result(
            "cost_per_token_usual",
            "warning",
            f"a model's cost per token is within {limits.usual_cost_per_token_factor:g} times what it was in the weeks before",
            history.cost_per_token(dates, limits, limits.usual_cost_per_token_factor),
        )
        yield table.no_result(
            "cost_per_token_possible",
            "blocking",
            f"a model's cost per token is within {limits.max_cost_factor:g} times what it was in the weeks before",
            history.cost_per_token(dates, limits, limits.max_cost_factor),
        )
        yield table.no_result(
            "null_shares_usual",
            "warning",
            "no field of calls or runs is left empty far more often than in the weeks before",
            history.null_shares(dates, limits),
        )
        yield table.no_result(
            "payer_usual",
            "warning",
            f"at most {limits.max_payer_share_shift:.0%} of a workspace's calls are paid by another than in the weeks before",
            history.payers(dates, limits),
        )

    return Suite(table.table, f"select * from {table.table}", tuple(rules()))


def _unpriced_usage_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    table = _mart("unpriced_usage", "provider", "model")
    rule = table.no_result(
        "no_new_unpriced_model",
        "warning",
        "no model without a price is new in the last days",
        history.new_unpriced_models(limits),
    )
    return table.suite(dates, iter((rule,)))


def _span_suite(dates: Sequence[date] | None, as_of: datetime | None, limits: Thresholds) -> Suite:
    table = _Table("facts.fct_span_usage", ("workspace_id", "run_id", "span_id"))
    # What a span reported stays beside its role: an agent, or a gateway that answered from its cache, tells a cost that is not billed.
    measures = (*TOKENS, "units", *MONEY)

    def rules() -> Iterator[Rule]:
        yield table.volume(dates)
        yield table.in_set("span_kind", "blocking", SPAN_KINDS)
        yield table.in_set("charge_type", "blocking", CHARGE_TYPES)
        yield table.in_set("status", "blocking", STATUSES)
        yield table.in_set("billing_role", "blocking", BILLING_ROLES)
        yield table.in_set("cost_source", "blocking", COST_SOURCES)
        yield table.in_set("price_status", "blocking", PRICE_STATUSES)
        yield table.in_set("unpriced_reason", "blocking", UNPRICED_REASONS)
        yield table.in_set("credit_source", "blocking", CREDIT_SOURCES)
        yield table.not_negative(
            "tokens_not_negative", "token counts and units are never negative", (*TOKENS, "units")
        )
        yield table.not_negative(
            "money_not_negative",
            "costs and credits are never negative",
            ("reported_provider_cost_usd", "computed_provider_cost_usd", "computed_task_credits", *MONEY),
        )
        yield table.no_rows(
            "measures_on_calls_only",
            "blocking",
            "a span that is not a billed call has no measures",
            "billing_role is distinct from 'call' and ("
            + " or ".join(f"{name} is not null" for name in measures)
            + ")",
            "billing_role",
        )
        yield table.no_rows(
            "cost_source_on_calls_only",
            "blocking",
            "a span that is not a billed call has no cost source, and is never unknown or unpriced usage",
            "billing_role is distinct from 'call' "
            "and (cost_source is not null or coalesce(is_usage_unknown, false))",
            "billing_role",
            "cost_source",
        )
        yield table.no_rows(
            "cost_matches_source",
            "blocking",
            "a reported or priced call has a provider cost, an unpriced one has none",
            "cost_source in ('reported', 'priced') and provider_cost_usd is null "
            "or cost_source = 'unpriced' and provider_cost_usd is not null",
            "cost_source",
            "provider_cost_usd",
        )
        yield table.no_rows(
            "duration_not_negative",
            "blocking",
            "a duration is never negative",
            "duration_ms < 0",
            "duration_ms",
        )
        yield table.no_rows(
            "duration_usual",
            "warning",
            f"a span takes at most {limits.max_usual_span_duration_ms} ms",
            f"duration_ms > {limits.max_usual_span_duration_ms}",
            "duration_ms",
        )
        yield table.no_rows(
            "started_at_plausible",
            "blocking",
            f"a span starts in the years {limits.first_plausible_year} to {limits.last_plausible_year}",
            f"year(started_at) not between {limits.first_plausible_year} and {limits.last_plausible_year} "
            f"or year(usage_date) not between {limits.first_plausible_year} and {limits.last_plausible_year}",
            "started_at",
            "usage_date",
        )
        yield table.no_rows(
            "subsets_flagged",
            "warning",
            "a token class larger than the whole it is part of carries a quality flag",
            "(cached_tokens > input_tokens or cache_write_tokens > input_tokens "
            "or reasoning_tokens > output_tokens) and coalesce(quality_flags, '') = ''",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
        )
        yield table.share(
            "orphan_share",
            "spans whose run never arrived are rare",
            "is_orphan",
            limits.max_orphan_span_share,
            limits,
        )
        yield table.share(
            "missing_parent_share",
            "spans whose parent span never arrived are rare",
            "is_parent_missing",
            limits.max_missing_parent_share,
            limits,
        )
        yield table.share(
            "flagged_share",
            "spans with quality flags are rare",
            "has_quality_flags",
            limits.max_flagged_share,
            limits,
        )
        # The share above hides few among many; each fault has its own cause, so each is counted by name.
        for flag, meaning in LANDED_SPANS.flags.items():
            yield table.no_rows(
                f"no_{flag}",
                "warning",
                f"no span is flagged {flag}: {meaning.replace('`', '')}",
                f"contains(',' || quality_flags || ',', ',{flag},')",
                "quality_flags",
            )
        if as_of is not None:
            oldest = as_of - timedelta(hours=limits.freshness_hours)
            newest = as_of + timedelta(hours=limits.future_hours)
            # The newest span of the whole file, not of the batch: a backfill of old dates is not stale data.
            # Great Expectations prints to standard output where a query does not name the batch at all.
            newest_span = (
                f"select max(started_at) as newest_started_at from {table.table} /* not only {{batch}} */"
            )
            yield table.rule(
                "fresh",
                "warning",
                f"the newest span started within the {limits.freshness_hours:g} hours "
                f"before {as_of:%Y-%m-%d %H:%M} UTC",
                # The comment names the batch because Great Expectations prints a warning to standard output
                # for a query that does not, in the middle of the JSON of the command line.
                NoResult(
                    "select cast(newest_started_at as varchar) as newest_started_at "
                    "/* of the whole file, not of {batch} */ "
                    f"from ({newest_span}) as newest where coalesce("
                    f"newest_started_at < timestamp '{oldest:%Y-%m-%d %H:%M}:00', true)"
                ),
            )
            yield table.no_rows(
                "started_in_future",
                "warning",
                f"no span starts more than {limits.future_hours:g} hours after {as_of:%Y-%m-%d %H:%M} UTC",
                f"started_at > timestamp '{newest:%Y-%m-%d %H:%M}:00'",
                "started_at",
            )

    flags = "coalesce(quality_flags, '') <> '' as has_quality_flags"
    return table.suite(dates, rules(), (flags,))


def _call_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    """Rules about billed calls alone, whose shares would be diluted by other spans."""
    table = _Table("facts.fct_span_usage", ("workspace_id", "run_id", "span_id"))

    def rules() -> Iterator[Rule]:
        yield table.no_rows(
            "call_cost_possible",
            "blocking",
            f"one call costs at most {limits.max_call_cost_usd} USD",
            f"greatest(reported_provider_cost_usd, {', '.join(MONEY)}) > {limits.max_call_cost_usd}",
            "provider_cost_usd",
            "total_cost_usd",
        )
        yield table.no_rows(
            "call_cost_usual",
            "warning",
            f"one call costs at most {limits.max_usual_call_cost_usd} USD",
            f"greatest(provider_cost_usd, total_cost_usd) > {limits.max_usual_call_cost_usd}",
            "provider_cost_usd",
            "total_cost_usd",
        )
        yield table.no_rows(
            "call_credits_usual",
            "warning",
            f"one call takes at most {limits.max_usual_call_credits} credits",
            f"task_credits > {limits.max_usual_call_credits}",
            "task_credits",
        )
        yield table.no_rows(
            "call_tokens_possible",
            "blocking",
            f"one call has at most {limits.max_call_tokens} tokens of a class",
            f"greatest({', '.join(TOKENS)}) > {limits.max_call_tokens}",
            *TOKENS,
        )
        factor, least = limits.max_cost_factor, limits.min_calls_for_cost_unit
        yield table.no_result(
            "call_cost_unit",
            "blocking",
            f"most calls of a workspace's day report a cost within {factor:g} times their price, in USD and not in another unit",
            "select workspace_id, cast(usage_date as varchar) as usage_date, count(*) as calls, "
            "count(*) filter (where is_cost_off) as calls_off, "
            "cast(sum(reported_provider_cost_usd) as varchar) as reported_usd, "
            "cast(sum(computed_provider_cost_usd) as varchar) as priced_usd "
            "from {batch} where is_cost_off is not null group by workspace_id, usage_date "
            f"having count(*) >= {least} and 2 * count(*) filter (where is_cost_off) > count(*) order by usage_date, workspace_id",
        )
        yield table.no_result(
            "no_twin_calls",
            "warning",
            "calls of one run with the same times, model and tokens are rare: they are one call under several ids",
            "select workspace_id, cast(usage_date as varchar) as usage_date, count(*) as calls, "
            "count(*) - count(distinct seen) as twin_calls from (select workspace_id, usage_date, "
            "hash(run_id, started_at, ended_at, model, input_tokens, output_tokens) as seen "
            "from {batch} where is_model_call and ended_at > started_at and total_tokens > 0) group by workspace_id, usage_date "
            f"having count(*) >= {least} and count(*) - count(distinct seen) > {limits.max_twin_call_share} * count(*) "
            "order by usage_date, workspace_id",
        )
        yield table.share(
            "unpriced_share",
            "calls with a provider charge to expect but without a price are rare",
            "is_unpriced",
            limits.max_unpriced_call_share,
            limits,
        )
        yield table.share(
            "unknown_usage_share",
            "model calls that report no token count are rare",
            "is_model_usage_unknown",
            limits.max_unknown_usage_share,
            limits,
        )
        yield table.share(
            "unknown_service_share",
            "billed calls that do not say their service are rare",
            "is_service_unknown",
            limits.max_unknown_service_share,
            limits,
        )

    suite = table.suite(
        dates,
        rules(),
        (
            # NULL where the question does not arise, so that the share is one of the calls concerned.
            "cost_source = 'unpriced' as is_unpriced",
            "case when reported_provider_cost_usd > 0 and computed_provider_cost_usd > 0 then "
            "cast(reported_provider_cost_usd as double) / cast(computed_provider_cost_usd as double) "
            f"not between 1 / {limits.max_cost_factor} and {limits.max_cost_factor} end as is_cost_off",
            "case when is_model_call then coalesce(is_usage_unknown, false) end as is_model_usage_unknown",
            "coalesce(service, '') in ('', 'Unknown') as is_service_unknown",
        ),
    )
    return Suite(suite.table, f"{suite.query} and billing_role = 'call'", suite.rules)


def _run_suite(dates: Sequence[date] | None, as_of: datetime | None, limits: Thresholds) -> Suite:
    table = _Table("facts.fct_run_usage", ("workspace_id", "run_id"))
    own_tokens = tuple(f"own_{name}" for name in TOKENS)
    own_money = tuple(f"own_{name}" for name in MONEY)
    total_tokens = tuple("total_tokens" if name == "total_tokens" else f"total_{name}" for name in TOKENS)
    total_money = tuple("total_cost_usd" if name == "total_cost_usd" else f"total_{name}" for name in MONEY)
    pairs = list(zip((*own_tokens, *own_money), (*total_tokens, *total_money), strict=True))

    def rules() -> Iterator[Rule]:
        yield table.volume(dates)
        yield table.in_set("run_type", "blocking", RUN_TYPES)
        yield table.in_set("status", "blocking", STATUSES)
        yield table.in_set("charge_type", "blocking", (*CHARGE_TYPES, "mixed"))
        yield table.in_set("source", "warning", SOURCES)
        yield table.in_set("delivery", "warning", DELIVERIES)
        yield table.not_negative("tokens_not_negative", "own token counts are never negative", own_tokens)
        yield table.not_negative(
            "money_not_negative",
            "own costs and credits are never negative",
            (*own_money, "own_image_generation_cost_usd"),
        )
        yield table.not_negative(
            "counts_not_negative",
            "counts are never negative",
            ("span_count", *COUNTS, "tool_call_count", "child_run_count", "descendant_run_count"),
        )
        yield table.no_rows(
            "measures_present",
            "blocking",
            "own and inclusive measures are never NULL",
            " or ".join(f"{column} is null" for pair in pairs for column in pair),
        )
        yield table.no_rows(
            "total_covers_own",
            "blocking",
            "an inclusive total is at least the own amount",
            " or ".join(f"{total} < {own}" for own, total in pairs),
            "own_total_tokens",
            "total_tokens",
            "own_total_cost_usd",
            "total_cost_usd",
        )
        yield table.no_rows(
            "counts_nested",
            "blocking",
            "failed and unpriced calls are calls, calls are spans, children are descendants",
            "greatest(failed_call_count, unpriced_call_count, unknown_usage_call_count) > call_count "
            "or call_count > span_count or child_run_count > descendant_run_count",
            "span_count",
            *COUNTS[:-1],
            "child_run_count",
            "descendant_run_count",
        )
        yield table.no_rows(
            "duration_not_negative",
            "blocking",
            "a duration is never negative",
            "duration_ms < 0",
            "duration_ms",
        )
        yield table.no_rows(
            "duration_usual",
            "warning",
            f"a run takes at most {limits.max_usual_run_duration_ms} ms",
            f"duration_ms > {limits.max_usual_run_duration_ms}",
            "duration_ms",
        )
        yield table.no_rows(
            "started_at_plausible",
            "blocking",
            f"a run starts in the years {limits.first_plausible_year} to {limits.last_plausible_year}",
            f"year(started_at) not between {limits.first_plausible_year} and {limits.last_plausible_year}",
            "started_at",
        )
        yield table.no_rows(
            "usage_date_near_start",
            "blocking",
            "a usage date is the start's date in some time zone, so at most one day off the UTC date",
            "abs(date_diff('day', cast(started_at as date), usage_date)) > 1",
            "started_at",
            "usage_date",
        )
        off = limits.max_start_off_id_minutes
        yield table.no_result(
            "started_at_matches_id",
            "warning",
            f"most runs of a workspace's day start within {off} minutes of the time that is in their id",
            "select workspace_id, cast(usage_date as varchar) as usage_date, count(*) as run_count, "
            "cast(median(minutes_off_id) as bigint) as minutes_off "
            "from {batch} where minutes_off_id is not null group by workspace_id, usage_date "
            f"having count(*) >= {limits.min_rows_for_majority} "
            f"and 2 * count(*) filter (where abs(minutes_off_id) >= {off}) > count(*) order by usage_date, workspace_id",
        )
        if as_of is not None:
            begun = as_of - timedelta(hours=limits.stuck_run_hours)
            # The newest days of a batch are not over; a batch of old dates is judged whole.
            yield table.share(
                "stuck_share",
                f"runs that began more than {limits.stuck_run_hours:g} hours before {as_of:%Y-%m-%d %H:%M} UTC and go on are rare",
                f"case when started_at < timestamp '{begun:%Y-%m-%d %H:%M}:00' then status in ('queued', 'running') end",
                limits.max_stuck_run_share,
                limits,
            )
        yield table.no_rows(
            "cost_usual",
            "warning",
            f"one run costs at most {limits.max_usual_run_cost_usd} USD with its descendants",
            f"total_cost_usd > {limits.max_usual_run_cost_usd}",
            "total_cost_usd",
        )
        yield table.share(
            "missing_parent_share",
            "runs whose parent run never arrived are rare",
            "is_parent_missing",
            limits.max_missing_parent_share,
            limits,
        )
        yield table.share(
            "spanless_share",
            "runs without any span are rare",
            "is_spanless",
            limits.max_spanless_run_share,
            limits,
        )
        yield table.share(
            "unfinished_share",
            "completed runs without a completion time are rare",
            "is_unfinished",
            limits.max_unfinished_completed_share,
            limits,
        )
        yield table.share(
            "reported_tokens_mismatch_share",
            "runs whose reported total differs from the counted tokens are rare",
            "is_reported_tokens_mismatch",
            limits.max_reported_tokens_mismatch_share,
            limits,
        )
        yield table.share(
            "flagged_share",
            "runs with quality flags are rare",
            "has_quality_flags",
            limits.max_flagged_share,
            limits,
        )

    return table.suite(
        dates,
        rules(),
        (
            "span_count = 0 as is_spanless",
            # `req_` and a UUIDv7 without dashes: its first 48 bits are the time of the request (domain of the platform).
            "case when regexp_matches(run_id, '^req_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$') "
            "then (epoch_ms(started_at) - cast('0x' || substr(run_id, 5, 12) as bigint)) / 60000 end as minutes_off_id",
            "case when status = 'completed' then completed_at is null end as is_unfinished",
            # Exports differ in whether their total includes child runs: only a total that fits neither is a
            # mismatch.
            "case when reported_total_tokens is not null "
            "then reported_total_tokens not in (own_total_tokens, total_tokens) end "
            "as is_reported_tokens_mismatch",
            "coalesce(quality_flags, '') <> '' as has_quality_flags",
        ),
    )


def _mart(name: str, *keys: str) -> _Table:
    return _Table(f"marts.mart_analytics__{name}", ("usage_date", "workspace_id", *keys))


def _measure_rules(table: _Table, *more_columns: str) -> Iterator[Rule]:
    """What holds for each mart that carries the common measures."""
    yield table.not_negative(
        "measures_not_negative",
        "counts, tokens, costs and credits are never negative",
        (*COUNTS, *TOKENS, *MONEY, *more_columns),
    )
    yield table.no_rows(
        "counts_nested",
        "blocking",
        "failed, unpriced and unknown-usage calls are calls, unpriced tokens are tokens",
        "greatest(failed_call_count, unpriced_call_count, unknown_usage_call_count) > call_count "
        "or unpriced_total_tokens > total_tokens",
        *COUNTS,
        "total_tokens",
    )


def _total_cost_suite(dates: Sequence[date] | None, as_of: datetime | None, limits: Thresholds) -> Suite:
    table = _mart("total_cost")
    unattributed = {
        "unattributed_call_count": "call_count",
        "unattributed_unpriced_call_count": "unpriced_call_count",
        "unattributed_unpriced_total_tokens": "unpriced_total_tokens",
        "unattributed_total_tokens": "total_tokens",
        "unattributed_task_credits": "task_credits",
        "unattributed_total_cost_usd": "total_cost_usd",
        "unattributed_external_cost_usd": "external_cost_usd",
        "unattributed_provider_cost_usd": "provider_cost_usd",
    }

    def rules() -> Iterator[Rule]:
        yield table.volume(dates)
        yield table.no_result(
            "volume_usual",
            "warning",
            f"a workspace has between {limits.min_usual_volume:g} and {limits.max_usual_volume:g} times the runs of such a weekday",
            history.volume(dates, as_of, limits),
        )
        yield from _measure_rules(table, "run_count", "failed_run_count", *unattributed)
        yield table.no_rows(
            "parts_within_whole",
            "blocking",
            "failed runs are runs, and unattributed amounts are part of the total",
            " or ".join(
                (
                    "failed_run_count > run_count",
                    *(f"{part} > {whole}" for part, whole in unattributed.items()),
                )
            ),
            "run_count",
            "failed_run_count",
            "unattributed_total_cost_usd",
            "total_cost_usd",
        )

    return table.suite(dates, rules())


def _service_costs_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    table = _mart("service_costs", "service")

    def rules() -> Iterator[Rule]:
        yield table.volume(dates)
        yield from _measure_rules(table, "units")
        yield table.no_rows(
            "service_named",
            "blocking",
            "a service has a name, if only 'Unknown'",
            "coalesce(service, '') = ''",
        )
        yield table.no_rows(
            "cost_possible",
            "blocking",
            f"a service costs at most {limits.max_call_cost_usd} USD per call",
            f"total_cost_usd > call_count * {limits.max_call_cost_usd}",
            "call_count",
            "total_cost_usd",
        )

    return table.suite(dates, rules())


def _model_costs_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    table = _mart("model_costs", "provider", "model")

    def rules() -> Iterator[Rule]:
        yield from _measure_rules(table)
        yield table.no_rows(
            "rate_not_negative",
            "blocking",
            "a cost per million tokens is never negative",
            "cost_per_million_tokens_usd < 0",
            "cost_per_million_tokens_usd",
        )
        yield table.no_rows(
            "rate_usual",
            "warning",
            f"a million tokens cost at most {limits.max_usual_cost_per_million_tokens_usd} USD",
            f"cost_per_million_tokens_usd > {limits.max_usual_cost_per_million_tokens_usd}",
            "cost_per_million_tokens_usd",
        )

    return table.suite(dates, rules())


def _token_usage_suite(dates: Sequence[date] | None) -> Suite:
    table = _mart("token_usage")
    classes = (
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "image_tokens",
        "citation_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
    )
    derived = ("uncached_input_tokens", "visible_output_tokens")

    def rules() -> Iterator[Rule]:
        yield table.not_negative("tokens_not_negative", "token counts are never negative", classes)
        # A day can honestly get there: a subset larger than its whole is flagged and kept, not clipped.
        yield table.no_rows(
            "exclusive_classes_not_negative",
            "warning",
            "a day's cached, cache-write and reasoning tokens are not more than the whole they are part of",
            f"least({', '.join(derived)}) < 0",
            *derived,
        )

    return table.suite(dates, rules())


def _increasing(columns: Sequence[str]) -> str:
    return " or ".join(f"{low} > {high}" for low, high in pairwise(columns))


def _model_observability_suite(dates: Sequence[date] | None, limits: Thresholds) -> Suite:
    table = _mart("model_observability", "provider", "model")

    def rules() -> Iterator[Rule]:
        yield table.no_rows(
            "error_rate_in_range",
            "blocking",
            "an error rate is between 0 and 100 percent",
            "error_rate_pct not between 0 and 100",
            "error_rate_pct",
        )
        yield table.no_rows(
            "percentiles_ordered",
            "blocking",
            "latency percentiles are not negative and do not decrease from p50 to p99",
            f"latency_p50_ms < 0 or {_increasing(PERCENTILES)}",
            *PERCENTILES,
        )
        yield table.no_result(
            "latency_usual",
            "warning",
            f"a model's median latency is within {limits.usual_latency_factor:g} times what it was in the weeks before",
            history.latency(dates, limits),
        )
        yield table.no_rows(
            "counts_nested",
            "blocking",
            "completed and failed calls are calls",
            "least(completed_call_count, failed_call_count) < 0 "
            "or completed_call_count + failed_call_count > call_count",
            "call_count",
            "completed_call_count",
            "failed_call_count",
        )

    return table.suite(dates, rules())


def _trace_performance_suite(dates: Sequence[date] | None) -> Suite:
    table = _mart("trace_performance", "run_type")

    def rules() -> Iterator[Rule]:
        yield table.in_set("run_type", "blocking", RUN_TYPES)
        yield table.no_rows(
            "percentiles_ordered",
            "blocking",
            "latency percentiles are not negative and do not decrease from p50 to p99",
            f"latency_p50_ms < 0 or {_increasing(PERCENTILES)}",
            *PERCENTILES,
        )
        yield table.no_rows(
            "counts_nested",
            "blocking",
            "completed and failed runs are runs, and their time is not negative",
            "least(completed_run_count, failed_run_count, run_duration_ms) < 0 "
            "or completed_run_count + failed_run_count > run_count",
            "run_count",
            "completed_run_count",
            "failed_run_count",
            "run_duration_ms",
        )

    return table.suite(dates, rules())


def _span_performance_suite(dates: Sequence[date] | None) -> Suite:
    table = _mart("span_performance", "span_name", "span_kind")

    def rules() -> Iterator[Rule]:
        yield table.in_set("span_kind", "blocking", SPAN_KINDS)
        yield table.not_negative(
            "measures_not_negative",
            "counts and durations are never negative",
            ("span_count", "failed_span_count", "span_duration_ms", "latency_p95_ms", "run_duration_ms"),
        )
        yield table.no_rows(
            "counts_nested",
            "blocking",
            "failed spans are spans",
            "failed_span_count > span_count",
            "span_count",
            "failed_span_count",
        )

    return table.suite(dates, rules())


def _tool_usage_suite(dates: Sequence[date] | None) -> Suite:
    table = _mart("tool_usage", "tool_name")

    def rules() -> Iterator[Rule]:
        yield table.not_negative(
            "measures_not_negative",
            "counts, durations, costs and credits are never negative",
            (
                "call_count",
                "failed_call_count",
                "duration_ms",
                "latency_p95_ms",
                "total_cost_usd",
                "task_credits",
            ),
        )
        yield table.no_rows(
            "counts_nested",
            "blocking",
            "failed tool calls are tool calls",
            "failed_call_count > call_count",
            "call_count",
            "failed_call_count",
        )

    return table.suite(dates, rules())


def _top_users_suite(dates: Sequence[date] | None) -> Suite:
    table = _mart("top_users", "user_id")
    ranks = ("cost_rank", "request_rank", "token_rank")

    def rules() -> Iterator[Rule]:
        yield table.not_negative(
            "measures_not_negative",
            "requests, tokens, costs and credits are never negative",
            ("run_count", "total_tokens", *MONEY),
        )
        yield table.no_rows(
            "ranks_of_users_only",
            "blocking",
            "a tracked user has ranks from 1, usage without a user has none",
            f"case when user_id is null then coalesce({', '.join(ranks)}) is not null "
            f"else coalesce(least({', '.join(ranks)}), 0) < 1 end",
            *ranks,
        )

    return table.suite(dates, rules())


def _anomalies_suite(limits: Thresholds) -> Suite:
    """Of the newest days only: an odd day of last month was told then."""
    table = _mart("anomalies", "dimension", "dimension_name", "measure")
    rule = table.no_rows(
        "no_recent_anomaly",
        "warning",
        f"in the last {limits.anomaly_days} days nothing left the band of its weekday",
        "true",
        "actual",
        "expected",
        "at_stake_usd",
    )
    newest = "(select max(usage_date) from marts.mart_analytics__total_cost)"
    query = f"select * from {table.table} where usage_date > {newest} - {limits.anomaly_days}"
    return Suite(table.table, query, (rule,))


def _budgets_suite() -> Suite:
    """Of the newest month only: a month that has ended cannot be helped."""
    table = _Table("marts.mart_analytics__budgets", ("month_start_date", "workspace_id"))
    rule = table.no_rows(
        "no_budget_exceeded",
        "warning",
        "no workspace is over its monthly budget, or will be at its pace",
        "budget_status <> 'within'",
        "budget_status",
        "monthly_budget_usd",
        "spent_usd",
        "projected_usd",
    )
    newest = "(select max(month_start_date) from marts.mart_analytics__budgets)"
    return Suite(table.table, f"select * from {table.table} where month_start_date = {newest}", (rule,))


def _histogram_suite(dates: Sequence[date] | None, name: str, keys: tuple[str, ...], count: str) -> Suite:
    table = _mart(name, *keys, "bucket_index")

    def rules() -> Iterator[Rule]:
        yield table.no_rows(
            "buckets_sound",
            "blocking",
            "a bucket has an index from 0, bounds in order, and at least one entry",
            f"bucket_index < 0 or bucket_lower_ms > bucket_upper_ms or {count} < 1",
            "bucket_lower_ms",
            "bucket_upper_ms",
            count,
        )

    return table.suite(dates, rules())
