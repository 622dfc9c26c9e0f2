"""The night as commands run it: with progress, a summary in words or JSON, and the exit code."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from orchestration import hooks, logs, progress
from orchestration.cli_shared import DATA_FAILED, USAGE_ERROR, print_json, show_progress
from orchestration.hooks import News
from orchestration.settings import LOG_FORMATS

if TYPE_CHECKING:
    from orchestration.night import NightResult
    from orchestration.settings import Settings

_logger = logging.getLogger(__name__)


log_option = click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    help="How the log on standard error is written; the setting `log_format` where this is left out.",
)


def run(
    settings: Settings,
    *,
    as_json: bool,
    extra: Callable[[], dict[str, Any]] = dict,
    log_format: str | None = None,
    **options: Any,
) -> None:
    """Run the nightly job with a progress bar, say how it ended, and exit accordingly. `extra` is asked for more keys at the end."""
    from orchestration.publication.lock import ensure_lock  # noqa: PLC0415

    log_format = log_format or settings.log_format
    # Before Dagster is imported: a second run should not wait seconds to hear that it is one.
    ensure_lock(settings.data_dir, wait_seconds=options.pop("wait_seconds", 0.0))
    quiet = as_json or log_format == "json"
    started = time.monotonic()
    with logs.written(log_format, quiet=as_json):
        try:
            with (
                show_progress(quiet=quiet) as listener,
                progress.listening(listener),
                progress.stages() as stages,
            ):
                listener("Starting", 0, 1)
                result = None if any(options.values()) else _without_news(settings)
                if result is None:
                    from orchestration.quality import ahead  # noqa: PLC0415

                    ahead.start()
                    with progress.stage("start"):
                        from orchestration.defs.run import run_nightly  # noqa: PLC0415

                    result = run_nightly(settings, **options)
                if result.success:
                    _render_if_missing(settings, listener)
            document = {**summary(settings, result, stages), **extra()}
        except Exception as error:
            _tell(settings, News(success=False, error=str(error)), started)
            raise
        names = ("run_id", "published", "publication_id", "dates_touched", "warnings", "rows")
        news = News(
            success=result.success,
            error=result.failure,
            data_failed=result.data_failed,
            **{name: document[name] for name in names},
        )
        _tell(settings, news, started)
    if as_json:
        print_json(document)
    else:
        _print_summary(document)
    if not result.success:
        raise click.exceptions.Exit(DATA_FAILED if result.data_failed else USAGE_ERROR)


def _tell(settings: Settings, news: News, started: float) -> None:
    """The last line of the log, and the news to whom the settings name."""
    news = replace(news, seconds=round(time.monotonic() - started, 3))
    how = "ended well" if news.success else f"failed: {hooks.without_secrets(settings, news.error)}"
    document = news.as_json(settings)
    level = logging.INFO if news.success else logging.ERROR
    logs.log(_logger, level, "night", f"the night {how} ({news.seconds:.1f} s)", **{
        "status": document.pop("event"), **document,
    })  # fmt: skip
    hooks.tell(settings, news)


def _without_news(settings: Settings) -> NightResult | None:
    """The end of a night that has nothing to do, without Dagster, whose import alone takes seconds; None where there is something."""
    from orchestration import night  # noqa: PLC0415

    with progress.stage("look"):
        report = night.look(settings)
    if report is None:
        return None
    landed = {
        "known_files": len(report.known_files),
        "deferred_files": sum(item.deferred for item in report.skipped),
    }
    return night.NightResult(None, True, "", False, {"raw_runs": landed})


def _render_if_missing(settings: Settings, listener: progress.Listener) -> None:
    """A night without news builds nothing; the site is still made good where it is missing or shows another publication."""
    from orchestration.site import render_site  # noqa: PLC0415
    from reports.build import is_rendered  # noqa: PLC0415

    if settings.published_path.exists() and not is_rendered(settings.published_path, settings.site_dir):
        with progress.stage("render"):
            render_site(settings, progress=listener)


def summary(settings: Settings, result: NightResult, stages: Sequence[progress.Stage]) -> dict[str, Any]:
    landed = result.materialized.get("raw_runs", {})
    planned = result.materialized.get("candidate", {})
    names = ("rows_read", "rows_loaded", "rows_duplicate", "rows_superseded", "rows_quarantined")
    published = result.materialized.get("published_warehouse")
    return {
        "success": result.success,
        "error": result.failure or None,
        "full_build": str(planned["reason"]) if planned.get("full_build") else None,
        "run_id": result.run_id,
        "published": published is not None,
        "publication_id": published["publication"] if published else None,
        "dates_touched": published["dates_touched"] if published else 0,
        "warnings": published["warnings"] if published else 0,
        "new_files": landed.get("new_files", 0),
        "known_files": landed.get("known_files", 0),
        "deferred_files": landed.get("deferred_files", 0),
        "rows": {name: landed.get(f"batch_{name}", 0) for name in names},
        "unreadable_files": landed.get("unreadable_files"),
        "database": str(settings.published_path),
        "site": str(settings.site_dir / "index.html"),
        "totals": _totals(settings, result),
        "stages": [
            {
                "stage": item.name,
                "seconds": round(item.seconds, 3),
                "cpu_seconds": round(item.cpu_seconds, 3),
                "peak_memory_bytes": item.peak_memory_bytes,
                "counts": dict(item.counts),
            }
            for item in stages
        ],
    }


def _totals(settings: Settings, result: NightResult) -> list[dict[str, Any]]:
    """What is published, also after a night that failed; none where that is what failed it, being read."""
    import duckdb  # noqa: PLC0415

    from orchestration.status import read_totals  # noqa: PLC0415

    try:
        return read_totals(settings)
    except duckdb.Error as error:
        if result.success:
            raise
        _logger.info("no totals of what is published: %s", error)
        return []


def _print_summary(document: dict[str, Any]) -> None:
    from orchestration.quality.results import printable, printable_lines  # noqa: PLC0415

    rows = document["rows"]
    click.echo(
        f"Landed     {document['new_files']} new files, {document['known_files']} known, {document['deferred_files']} left for later: "
        f"{rows['rows_read']:,} rows read = {rows['rows_loaded']:,} loaded + {rows['rows_duplicate']:,} duplicate "
        f"+ {rows['rows_superseded']:,} superseded + {rows['rows_quarantined']:,} quarantined"
    )
    if document["unreadable_files"]:
        click.echo(f"Unreadable\n{printable_lines(document['unreadable_files'])}")
    if document["full_build"]:
        click.echo(f"Rebuilt    everything, from the lake: {document['full_build']}")
    if not document["success"]:
        click.echo(f"Failed     {printable_lines(document['error'])}", err=True)
        return
    if document["published"]:
        warnings = f", {document['warnings']} warnings" if document["warnings"] else ""
        click.echo(
            f"Published  {document['publication_id']}, {document['dates_touched']} dates rebuilt{warnings}"
        )
    else:
        click.echo("Published  nothing new; the publication stands")
    for total in document["totals"]:
        unpriced = (
            f" + {total['unpriced_call_count']:,} unpriced calls" if total["unpriced_call_count"] else ""
        )
        click.echo(
            f"  {printable(total['workspace_id'])}: {total['run_count']:,} runs, {total['total_tokens']:,} tokens, "
            f"${Decimal(total['total_cost_usd']):,.6f}{unpriced}, {Decimal(total['task_credits']).normalize():f} credits"
        )
    click.echo(
        "Seconds    " + ", ".join(f"{item['stage']} {item['seconds']:.1f}" for item in document["stages"])
    )
    click.echo(f"Database   {document['database']}")
    click.echo(f"Pages      {document['site']}")
