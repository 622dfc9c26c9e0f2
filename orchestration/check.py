"""`credit-usage check`: every data test, suite and reconciliation, over the published file, another warehouse file, or given exports.

Nothing is changed and nothing published: a warehouse file is copied first, exports are landed and built in a scratch data folder.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import night, progress, sql
from orchestration.landing.files import valid_text
from orchestration.landing.ingest import IngestReport
from orchestration.landing.lake import Lake, Manifest
from orchestration.landing.quarantine import read_quarantine
from orchestration.pricing import ledger
from orchestration.publication import candidate, copies
from orchestration.quality.audit import audit
from orchestration.quality.results import CheckResult, printable
from orchestration.warehouse import dbt, manifest
from orchestration.warehouse.checks import check_results

if TYPE_CHECKING:
    from orchestration.settings import Settings

_MAX_LINES = 50
"""Lines in quarantine that are named one by one; the rest is counted."""
_NEEDS_THE_LAKE = "assert_every_landed_span_is_one_fact_row"
"""The data test that reads the lake, which a warehouse file alone does not have."""


def check_published(settings: Settings) -> list[CheckResult]:
    """Check a copy of the published file over all its dates. Raises FileNotFoundError when nothing is published."""
    if not settings.published_path.exists():
        raise FileNotFoundError(
            f"nothing is published in {settings.published_dir}: run `credit-usage nightly` first"
        )
    published = candidate.read_manifest(settings) or {}
    applied = set(published.get("applied_batches", []))
    manifests = [m for m in Lake.of(settings).manifests() if m.batch_seq in applied]
    return _check_file(settings, settings.published_path, manifests)


def check_database(settings: Settings, database: Path) -> list[CheckResult]:
    """Check a copy of a warehouse file that need not be ours: without its lake, so without comparing it with what was landed."""
    return _check_file(settings, database, None)


def check_exports(settings: Settings, paths: Sequence[Path]) -> list[CheckResult]:
    """Check exports: what of them does not conform to the landing contract, and everything that is built from them alone.

    How old they are is not judged. Raises LookupError for a path that is no file.
    """
    if wrong := [path for path in paths if not path.is_file()]:
        raise LookupError(f"{wrong[0]} is no file")
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    manifest.parsed(settings)  # known to this process from then on; a new folder would parse the project anew
    with tempfile.TemporaryDirectory(prefix="check-", dir=settings.temp_dir) as folder:
        # Some files are no matter for Spark, which takes longer to start than they do.
        scratch = settings.alone(Path(folder))
        names: dict[str, str] = {}
        for number, path in enumerate(paths, start=1):
            target = scratch.landing_dir / f"{number:06d}" / path.name
            target.parent.mkdir(parents=True)
            names[valid_text(target.relative_to(scratch.landing_dir))] = valid_text(path)
            try:
                os.link(path.resolve(), target)
            except OSError:  # another filesystem
                shutil.copyfile(path, target)
        landed = _landing_results(scratch, night.land(scratch), names)
        plan = night.prepare(scratch, run_id="check", full=True)
        if plan.is_empty:
            return landed
        built = night.build(scratch).checks
        judged = [*built, *audit(scratch, scratch.candidate_path, None)]
        return [*landed, *(_of_given_files(result, names) for result in judged)]


def _of_given_files(result: CheckResult, names: Mapping[str, str]) -> CheckResult:
    """The result with the names that the files were given by, in place of those that they had in the scratch folder."""
    # In one pass: a name that was given may hold one of ours.
    ours = "|".join(map(re.escape, names))
    return replace(result, message=re.sub(ours, lambda found: names[found[0]], result.message))


def _check_file(
    settings: Settings, database: Path, manifests: Sequence[Manifest] | None
) -> list[CheckResult]:
    scratch = candidate.scratch_path(settings, "check")
    # Said of the file that was named, and not of its copy.
    sql.connect(settings, database, read_only=True).close()
    scratch.parent.mkdir(parents=True, exist_ok=True)
    copies.copy_file(database, scratch)
    try:
        plan = candidate.make_plan(settings, manifests or [], full=True)
        # Daily figures of dates whose runs and calls were dropped have nothing to be compared with.
        since, dates = _dates_with_detail(settings, scratch)
        if since is not None:
            plan = replace(
                plan,
                is_full_build=False,
                new_batches=(),
                requested_dates=tuple(dates),
                detail_from_date=since,
            )
        candidate.write_plan(scratch, settings, plan, manifests or [])

        def on_node(name: str, done: int, total: int) -> None:
            progress.report(f"Checking {name}", done, total)

        # Views on the lake, and the tables of touched dates (empty here, unless detail was dropped), which no published file has.
        helpers = ["staging", "int_dates__touched", "int_dates__family"]
        dbt.invoke(settings, ["run", "--select", *helpers], database=scratch)
        if since is not None:
            _touch_no_older(settings, scratch, since)
        left_out = [] if manifests is not None else ["--exclude", _NEEDS_THE_LAKE]
        nodes = dbt.invoke(
            settings,
            ["test", "--select", "test_type:data", *left_out],
            database=scratch,
            on_node=on_node,
        )
        as_of = night.now() if manifests is not None else None
        return [
            *check_results(settings, scratch, nodes),
            *audit(settings, scratch, None if since is None else dates, as_of=as_of),
        ]
    finally:
        shutil.rmtree(scratch.parent, ignore_errors=True)


def _dates_with_detail(settings: Settings, database: Path) -> tuple[date | None, list[date]]:
    """The first date of which a warehouse file has runs and calls, and all such dates; None and none where it has those of all."""
    with sql.connect(settings, database, read_only=True) as connection:
        since = ledger.detail_from(connection)
        if since is None:
            return None, []
        query = "select distinct usage_date from marts.mart_analytics__total_cost where usage_date >= ? order by all"
        return since, [row[0] for row in connection.execute(query, [since]).fetchall()]


def _touch_no_older(settings: Settings, database: Path, since: date) -> None:
    """A night would rebuild older dates where runs have descendants there; a check has only what was published."""
    with sql.connect(settings, database) as connection:
        connection.execute("delete from intermediate.int_dates__touched where usage_date < ?", [since])


def _landing_results(settings: Settings, report: IngestReport, names: dict[str, str]) -> list[CheckResult]:
    """A check for each file, and one more for each line in quarantine."""
    results = []
    for skipped in report.skipped:
        path = names.get(skipped.name, skipped.name)
        results.append(_landing_failure("landing__file_is_read", path, f"{path}: {skipped.reason}"))
    for entry in report.manifest.files if report.manifest else []:
        path = names[entry.path]
        if entry.status != "loaded":
            results.append(
                _landing_failure("landing__file_is_read", path, f"{path}: {entry.status}: {entry.reason}")
            )
            continue
        told = f"{path}: {entry.rows_read:,} rows read, {entry.rows_quarantined:,} do not conform to the contract"
        results.append(
            CheckResult(
                "landing__file_conforms",
                "blocking",
                entry.rows_quarantined == 0,
                entry.rows_quarantined,
                printable(told),
                {"file": path, "rows": entry.rows_read},
            )
        )
    for row in read_quarantine(settings, limit=_MAX_LINES)["rows"]:
        path = names[row["path"]]
        told = f"{path}:{row['line_number']}: {row['field'] or 'the line'}: {row['reason']}: {row['message']}"
        results.append(_landing_failure("landing__line_conforms", path, told, line=row["line_number"]))
    return results


def _landing_failure(name: str, path: str, message: str, *, line: int | None = None) -> CheckResult:
    details: dict[str, str | int] = {"file": path} if line is None else {"file": path, "line": line}
    return CheckResult(name, "blocking", False, 1, printable(message), details)
