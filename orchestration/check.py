"""`credit-usage check`: every data test, suite and reconciliation over the whole published file, without touching it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from orchestration import progress
from orchestration.landing.lake import Lake
from orchestration.night import as_check, now
from orchestration.publication import candidate
from orchestration.quality.audit import audit
from orchestration.quality.results import CheckResult
from orchestration.warehouse import dbt

if TYPE_CHECKING:
    from orchestration.settings import Settings


def check_published(settings: Settings) -> list[CheckResult]:
    """Check a copy of the published file over all its dates. Raises FileNotFoundError when nothing is published."""
    if not settings.published_path.exists():
        raise FileNotFoundError(
            f"nothing is published in {settings.published_dir}: run `credit-usage nightly` first"
        )
    manifests = Lake(settings.lake_dir).manifests()
    plan = candidate.make_plan(settings, manifests, full=True)
    scratch = settings.warehouse_dir / "check" / settings.candidate_path.name
    scratch.parent.mkdir(parents=True, exist_ok=True)
    candidate.copy_file(settings.published_path, scratch)
    try:
        published = candidate.read_manifest(settings) or {}
        applied = set(published.get("applied_batches", []))
        candidate.write_plan(scratch, settings, plan, [m for m in manifests if m.batch_seq in applied])

        def on_node(name: str, done: int, total: int) -> None:
            progress.report(f"Checking {name}", done, total)

        # Views on the lake, and the tables of touched dates (empty here), which no published file has.
        helpers = ["staging", "int_dates__touched", "int_dates__family"]
        dbt.invoke(settings, ["run", "--select", *helpers], database=scratch)
        nodes = dbt.invoke(
            settings,
            ["test", "--select", "test_type:data"],
            database=scratch,
            on_node=on_node,
        )
        return [*(as_check(node) for node in nodes), *audit(settings, scratch, None, as_of=now())]
    finally:
        shutil.rmtree(scratch.parent, ignore_errors=True)
