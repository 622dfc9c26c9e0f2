"""Great Expectations suites and reconciliations as asset checks on the models they judge.

The rules are in `orchestration.quality`.
"""

# No postponed annotations here: Dagster checks the real annotation of `context`.

from collections.abc import Iterator, Sequence

import dagster as dg

from orchestration import night
from orchestration.defs.common import POOL, RAW_SPANS, stop, take_lock
from orchestration.publication.publish import keep_failed
from orchestration.quality import reconciliation, suites
from orchestration.quality.results import CheckResult, blocking_failures
from orchestration.settings import Settings

SUITE, RECONCILIATION = "suite", "reconciliation"
_RECONCILED = "mart_analytics__total_cost"
_COLUMNS = dg.TableSchema(
    [
        dg.TableColumn("check", "string"),
        dg.TableColumn("passed", "bool"),
        dg.TableColumn("severity", "string"),
        dg.TableColumn("failures", "int"),
        dg.TableColumn("message", "string"),
    ]
)


def build_quality(settings: Settings, model_names: Sequence[str]) -> dg.AssetChecksDefinition:
    """One op that runs every suite and identity; blocking ones stop what comes after. A check for each asset: its rules are in the
    check's description, and in a table of its metadata with what they found.

    It may be selected in part, as Dagster does for a model that is materialised alone: everything runs, and
    the selected results are told.
    """
    statements: dict[dg.AssetCheckKey, list[str]] = {}
    blocking: set[dg.AssetCheckKey] = set()
    keys: dict[str, dg.AssetCheckKey] = {}
    for rule in suites.declared_rules(with_freshness=True):
        keys[rule.name] = dg.AssetCheckKey(_asset_of(rule.name, model_names), SUITE)
        statements.setdefault(keys[rule.name], []).append(
            _described(rule.name, rule.severity, rule.statement)
        )
    for identity in reconciliation.IDENTITIES:
        keys[identity.name] = dg.AssetCheckKey(dg.AssetKey(_RECONCILED), RECONCILIATION)
        statements.setdefault(keys[identity.name], []).append(
            _described(identity.name, "blocking", identity.statement)
        )
        blocking.add(keys[identity.name])
    # What is downstream of an asset waits for its blocking checks: that of the landing files warns only, or nothing would be built.
    specs = [
        dg.AssetCheckSpec(
            key.name, asset=key.asset_key, blocking=key in blocking, description="\n".join(lines)
        )
        for key, lines in statements.items()
    ]

    @dg.multi_asset_check(specs=specs, name="audit_candidate", pool=POOL, can_subset=True)
    def audit_candidate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        take_lock(settings, context.run.run_id)
        try:
            results = night.audit(settings)
        except LookupError as error:
            stop(str(error))
        by_key: dict[dg.AssetCheckKey, list[CheckResult]] = {}
        for result in results:
            by_key.setdefault(keys[result.name], []).append(result)
        for key, of_key in by_key.items():
            if key in context.selected_asset_check_keys:
                yield as_dagster(key, of_key)
        if failed := blocking_failures(results):
            stop(str(night.AuditFailedError(failed, keep_failed(settings))), data_failed=True)

    return audit_candidate


def as_dagster(key: dg.AssetCheckKey, results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    """Several results as one of Dagster: failed where one of them did, as an error where a blocking one did; in full in its metadata."""
    failed = [result for result in results if not result.passed]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocking_failures(results) else dg.AssetCheckSeverity.WARN,
        metadata={
            "failed": dg.MetadataValue.text(", ".join(result.name for result in failed) or "none"),
            "checks": dg.MetadataValue.int(len(results)),
            "results": dg.MetadataValue.table(
                records=[
                    dg.TableRecord(
                        {
                            "check": result.name,
                            "passed": result.passed,
                            "severity": result.severity,
                            "failures": result.failures,
                            "message": result.message,
                        }
                    )
                    # What failed first.
                    for result in sorted(results, key=lambda result: result.passed)
                ],
                schema=_COLUMNS,
            ),
        },
    )


def _described(name: str, severity: str, statement: str) -> str:
    return f"- `{name}` ({severity}): {statement}"


def _asset_of(check_name: str, model_names: Sequence[str]) -> dg.AssetKey:
    """The model a check is named after: the longest model name that the check's name begins with. Landing files are what the raw assets
    are made of.
    """
    if check_name.startswith("landing_files__"):
        return RAW_SPANS
    return dg.AssetKey(max((name for name in model_names if check_name.startswith(name)), key=len))
