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

_RECONCILED = "mart_analytics__total_cost"


def build_quality(settings: Settings, model_names: Sequence[str]) -> dg.AssetChecksDefinition:
    """One op that runs every suite and identity; blocking ones stop what comes after.

    It may be selected in part, as Dagster does for a model that is materialised alone: everything runs, and
    the selected results are told.
    """
    specs = [
        dg.AssetCheckSpec(
            rule.name,
            asset=_asset_of(rule.name, model_names),
            blocking=rule.severity == "blocking",
            description=rule.statement,
        )
        for rule in suites.declared_rules(with_freshness=True)
    ]
    specs += [
        dg.AssetCheckSpec(identity.name, asset=_RECONCILED, blocking=True, description=identity.statement)
        for identity in reconciliation.IDENTITIES
    ]
    assets = {spec.name: spec.key.asset_key for spec in specs}

    @dg.multi_asset_check(specs=specs, name="audit_candidate", pool=POOL, can_subset=True)
    def audit_candidate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        take_lock(settings)
        try:
            results = night.audit(settings)
        except LookupError as error:
            stop(str(error))
        for result in results:
            if dg.AssetCheckKey(assets[result.name], result.name) in context.selected_asset_check_keys:
                yield _as_dagster(result, assets[result.name])
        if failed := blocking_failures(results):
            stop(str(night.AuditFailedError(failed, keep_failed(settings))), data_failed=True)

    return audit_candidate


def _asset_of(check_name: str, model_names: Sequence[str]) -> dg.AssetKey:
    """The model a check is named after: the longest model name that the check's name begins with. Landing files are what the raw assets
    are made of.
    """
    if check_name.startswith("landing_files__"):
        return RAW_SPANS
    return dg.AssetKey(max((name for name in model_names if check_name.startswith(name)), key=len))


def _as_dagster(result: CheckResult, asset_key: dg.AssetKey) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=result.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.severity == "blocking" else dg.AssetCheckSeverity.WARN,
        metadata={"message": result.message, "failures": result.failures, **result.details},
    )
