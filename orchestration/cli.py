"""The command line `credit-usage`. Only options, output and exit codes; the work is elsewhere and imported when a command needs it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from orchestration import cli_check, cli_extract, cli_money, cli_night, cli_repair, collector, progress
from orchestration.cli_shared import (
    GOOD,
    LOCK_HELD,
    USAGE_ERROR,
    json_option,
    print_either,
    print_json,
    require_published,
    show_progress,
    wait_option,
)
from orchestration.settings import ENGINES, Settings, SettingsError, load

EXIT_CODES = """\b
Exit codes:
  0  good
  1  data failed a blocking check; nothing was published. `reconcile`: the two sides differ; `doctor`: something is broken
  2  wrong usage, settings, files or environment
  3  another run holds the lock"""

DEMO_START, DEMO_DAYS, DEMO_RUNS_PER_DAY = date(2026, 10, 1), 30, 200
DEMO_FOLDER = "demo"

Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> None:
    """Entry point: turns every expected error into one line on stderr and an exit code."""
    from orchestration.publication.lock import LockHeldError  # noqa: PLC0415

    def end(message: str, code: int) -> NoReturn:
        """The message for people, and for machines where they asked."""
        from orchestration.quality.results import printable_lines  # noqa: PLC0415

        click.echo(f"Error: {printable_lines(message)}", err=True)
        if "--json" in sys.argv:
            print_json({"error": message, "exit_code": code})
        sys.exit(code)

    try:
        code = cli.main(standalone_mode=False)
        if isinstance(code, int):  # click hands the code of an Exit back instead of raising it
            sys.exit(code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(USAGE_ERROR)
    except click.UsageError as error:
        if error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
            click.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
        end(error.format_message(), USAGE_ERROR)
    except click.ClickException as error:
        end(error.format_message(), USAGE_ERROR)
    except LockHeldError as error:
        end(str(error), LOCK_HELD)
    except (SettingsError, OSError, LookupError, RuntimeError, ValueError) as error:
        if "--debug" in sys.argv:
            raise
        end(str(error), USAGE_ERROR)
    except Exception as error:
        # A bug, a damaged file or one that another program has; Python's own code 1 would say that the data failed a check.
        if _is_damaged_database(error):
            end(
                f"{error}. Of the published file: run `credit-usage nightly`, which rebuilds it from the lake",
                USAGE_ERROR,
            )
        if _is_about_the_machine(error):
            end(" ".join(str(error).split()), USAGE_ERROR)
        traceback.print_exc()
        sys.exit(USAGE_ERROR)


def _is_damaged_database(error: Exception) -> bool:
    """Whether DuckDB says of a file that it is none of its own, or not what was written."""
    if "duckdb" not in sys.modules:
        return False
    import duckdb  # noqa: PLC0415 - it is there already

    told = str(error)
    return isinstance(error, duckdb.Error) and any(
        sign in told for sign in ("not a valid DuckDB database file", "checksum", "Corrupt", "corrupt")
    )


def _is_about_the_machine(error: Exception) -> bool:
    """Whether DuckDB could not do its work for want of room or rights, or because another program writes to the file."""
    if "duckdb" not in sys.modules:
        return False
    import duckdb  # noqa: PLC0415 - it is there already

    from orchestration import sql  # noqa: PLC0415 - only who met an error needs it

    return isinstance(error, duckdb.Error) and sql.is_about_machine(error)


def run() -> NoReturn:
    """The console script: `main` in a process of its own, quick to end."""
    collector.relax()
    code: str | int | None = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    collector.leave(code if isinstance(code, int) else GOOD if code is None else USAGE_ERROR)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="credit-usage")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Where LLM tokens, dollars and credits go, and whether the number can be trusted.

    \b
    Every night:   drop exports below data/landing/, then run `credit-usage nightly`.
    Look:          open data/site/index.html, or `credit-usage sql "from marts.mart_analytics__total_cost"`.
    When in doubt: `credit-usage status`, `credit-usage quarantine`, `credit-usage check`, `credit-usage doctor`.
    Put it right:  `credit-usage retract FILE --dry-run`, `credit-usage rebuild --from-lake`, `credit-usage rollback`.
    Give away:     `credit-usage publish --workspace ID --to DIR`; erase a user: `credit-usage forget --user ID`.
    Prices:        `credit-usage prices missing`, `credit-usage reprice --dry-run`, `credit-usage reconcile invoice.csv`.
    Try it first:  `credit-usage demo` generates 30 days of sample exports and runs the night on them.

    Settings come from CREDIT_USAGE_* variables over credit_usage.toml; see docs/operations.md.
    """


@cli.command()
@click.option(
    "--full", is_flag=True, help="Build everything anew from the lake instead of only the touched dates."
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="What builds the tables; the setting `engine` where this is left out.",
)
@wait_option
@cli_night.log_option
@json_option
def nightly(full: bool, engine: str | None, wait: float, log_format: str | None, as_json: bool) -> None:
    """Land new files, rebuild the touched dates, audit, publish, render.

    Safe to run at any time and any number of times: what is known is not loaded again, and when a blocking check fails yesterday's
    publication stays as it is.
    """
    cli_night.run(load(engine=engine), as_json=as_json, full=full, wait_seconds=wait, log_format=log_format)


@cli.command()
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First usage date.")
@click.option(
    "--to", "last", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last usage date, included."
)
@wait_option
@cli_night.log_option
@json_option
def backfill(first: datetime, last: datetime, wait: float, log_format: str | None, as_json: bool) -> None:
    """Rebuild a range of usage dates from the lake, audit and publish them."""
    from orchestration import night  # noqa: PLC0415

    if last < first:
        raise click.UsageError(f"--to {last:%Y-%m-%d} lies before --from {first:%Y-%m-%d}")
    night.dates_between(first.date(), last.date())
    cli_night.run(
        load(),
        as_json=as_json,
        backfill=(first.date(), last.date()),
        wait_seconds=wait,
        log_format=log_format,
    )


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, and publish nothing.")
@wait_option
@json_option
def reprice(dry_run: bool, wait: float, as_json: bool) -> None:
    """Apply changed prices, rates and credit prices to what is published.

    With --dry-run, the change of each date, workspace and model is computed in a scratch file and shown; nothing is landed or published.
    Without it, this is `credit-usage nightly`, which reprices by itself: exactly the dates whose amounts change are rebuilt, and what
    landed meanwhile is published with them.
    """
    settings = load()
    require_published(settings)
    if not dry_run:
        cli_night.run(settings, as_json=as_json, wait_seconds=wait)
        return
    from orchestration.night import preview_repricing  # noqa: PLC0415
    from orchestration.publication.lock import run_lock  # noqa: PLC0415

    with (
        run_lock(settings.data_dir, wait_seconds=wait),
        show_progress(quiet=as_json) as listener,
        progress.listening(listener),
    ):
        preview = preview_repricing(settings)
    cli_money.print_preview(preview, as_json=as_json)


@cli.command()
@json_option
def demo(as_json: bool) -> None:
    """Generate 30 days of sample exports into the landing folder and run the night on them."""
    from orchestration.sample import generate  # noqa: PLC0415

    settings = load()
    folder = settings.landing_dir / DEMO_FOLDER
    if settings.landing_dir.exists() and any(
        p != folder for p in settings.landing_dir.iterdir() if not p.name.startswith(".")
    ):
        raise click.UsageError(
            f"{settings.landing_dir} holds other files: samples and real usage do not belong in one warehouse. "
            "Set CREDIT_USAGE_DATA_DIR to an empty folder for the demo."
        )
    if not folder.exists():
        with show_progress(quiet=as_json) as listener:
            generate(
                folder, start=DEMO_START, days=DEMO_DAYS, runs_per_day=DEMO_RUNS_PER_DAY, progress=listener
            )
    cli_night.run(settings, as_json=as_json)


@cli.command()
@click.option("--force", is_flag=True, help="Render every file, also those whose data did not change.")
@click.option(
    "--single-file", is_flag=True, help="Write the analytics of one workspace as one file, for mailing."
)
@click.option("--workspace", "workspace_id", help="The workspace of the single file, by its id.")
@click.option(
    "--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First usage date of the single file."
)
@click.option(
    "--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last usage date of the single file, included."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the single file goes; in the current folder where this is left out.",
)
@json_option
def report(
    force: bool,
    single_file: bool,
    workspace_id: str | None,
    first: datetime | None,
    last: datetime | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Render the site from the published file, or the analytics of one workspace as one file.

    The site is made beside the one that readers see and takes its place when it is whole. The single file needs --workspace; without
    --from and --to it covers the last 30 days of usage.
    """
    settings = load()
    require_published(settings)
    if single_file:
        if workspace_id is None:
            raise click.UsageError("--single-file needs --workspace")
        _single_file(settings, workspace_id, first, last, output, as_json=as_json)
        return
    if workspace_id or first or last or output:
        raise click.UsageError("--workspace, --from, --to and --output go with --single-file")
    from orchestration.publication.lock import run_lock  # noqa: PLC0415
    from orchestration.site import render_site  # noqa: PLC0415

    with run_lock(settings.data_dir), show_progress(quiet=as_json) as listener:
        result = render_site(settings, progress=listener, force=force)
    document = {
        "site": str(settings.site_dir / "index.html"),
        "pages": result.pages,
        "files_written": result.files_written,
        "files_unchanged": result.files_unchanged,
        "files_removed": result.files_removed,
        "seconds": round(result.seconds, 3),
    }
    print_either(
        document, as_json, f"{result.pages} pages, {result.files_written} files written: {document['site']}"
    )


def _single_file(
    settings: Settings,
    workspace_id: str,
    first: datetime | None,
    last: datetime | None,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    from orchestration.landing import contract  # noqa: PLC0415
    from reports import single  # noqa: PLC0415
    from reports.writer import slug  # noqa: PLC0415

    if first and last and last < first:
        raise click.UsageError(f"--to {last:%Y-%m-%d} lies before --from {first:%Y-%m-%d}")
    contract.refuse_dates_without_usage(*(day.date() for day in (first, last) if day))
    first_day, last_day, content = single.render(
        settings.published_path, workspace_id, first.date() if first else None, last.date() if last else None
    )
    path = output or Path(f"credit-usage-{slug(workspace_id)}-{first_day}-{last_day}.html")
    path.write_bytes(content)
    document = {
        "file": str(path),
        "workspace_id": workspace_id,
        "first_date": first_day,
        "last_date": last_day,
        "bytes": len(content),
    }
    print_either(document, as_json, f"{first_day} to {last_day}, {len(content):,} bytes: {path}")


@cli.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one."
)
def serve(port: int) -> None:
    """Offer the site on this machine, for browsers that may not open files. Ends with Ctrl-C."""
    from reports.serve import HOST, server  # noqa: PLC0415

    settings = load()
    if not (settings.site_dir / "index.html").exists():
        raise click.UsageError(f"there is no site in {settings.site_dir}: run `credit-usage nightly` first")
    try:
        listening = server(settings.site_dir, port)
    except OSError as error:
        raise click.UsageError(
            f"port {port} cannot be used: {error.strerror}; choose another with --port"
        ) from error
    with listening:
        click.echo(f"http://{HOST}:{listening.server_address[1]}/  (end with Ctrl-C)")
        try:
            listening.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rows", default=5, show_default=True, help="Rows to show as they would land.")
@click.option("--problems", default=50, show_default=True, help="Problems to show.")
@json_option
def inspect(files: tuple[Path, ...], rows: int, problems: int, as_json: bool) -> None:
    """Say what FILES are and how they would land, without loading anything.

    Shows the format, the first rows as they would land, how token counts were read, and every problem. Exits with 1 where a file has
    any.
    """
    from orchestration.landing.inspection import inspect as run_inspect  # noqa: PLC0415

    found = run_inspect(load(), files, rows=rows, problems=problems)
    if as_json:
        print_json({"files": found})
    else:
        for document in found:
            _print_inspected(document)
    if any(document["status"] != "loaded" or document["rows_quarantined"] for document in found):
        sys.exit(1)


def _print_inspected(document: dict[str, Any]) -> None:
    from orchestration.quality.results import printable  # noqa: PLC0415

    click.echo(printable(document["path"]))
    if document["status"] != "loaded":
        click.echo(f"  {document['status']}: {document['reason']}")
        return
    click.echo(f"  {document['title']} ({document['source_format']}, {document['format']})")
    click.echo(
        f"  {document['rows_read']:,} rows read = {document['rows_loaded']:,} would be loaded + {document['rows_duplicate']:,} duplicate "
        f"+ {document['rows_superseded']:,} superseded + {document['rows_quarantined']:,} quarantined"
    )
    for entity, of in document["entities"].items():
        for label, key in (
            ("read as", "token_conventions"),
            ("flags", "quality_flags"),
            ("scopes", "scopes"),
        ):
            if of.get(key):
                counts = ", ".join(f"{printable(name)} {count:,}" for name, count in of[key].items())
                click.echo(f"  {entity}: {label}: {counts}")
        for row in of["first_rows"]:
            click.echo("    " + "  ".join(f"{name}={printable(value)}" for name, value in row.items()))
    for problem in document["problems"]:
        click.echo(f"  line {problem['line_number']}: {problem['reason']}: {printable(problem['message'])}")


@cli.command()
@json_option
def status(as_json: bool) -> None:
    """Show the last runs, what is published, how fresh it is, and what is in quarantine."""
    from orchestration.status import read_status  # noqa: PLC0415

    document = read_status(load())
    if as_json:
        print_json(document)
        return
    published = document["published"]
    if published is None:
        click.echo(
            "Nothing is published yet: drop exports into the landing folder and run `credit-usage nightly`."
        )
    else:
        click.echo(f"Published     {published['publication_id']} at {published['published_at']}")
        click.echo(f"Data through  {published['data_through_at'] or 'no data'}")
        age = document["age_hours"]
        fresh = "fresh" if document["is_fresh"] else f"STALE, more than {document['freshness_hours']:g} hours"
        click.echo(f"Age           {'unknown' if age is None else f'{age:.1f} hours'} ({fresh})")
        click.echo(
            f"Warnings      {published['warnings']} of {published['passed'] + published['warnings']} checks"
        )
    waiting = document["waiting"]
    click.echo(
        f"Waiting       {waiting['files']} landing files, {waiting['batches']} batches in the lake not yet published"
    )
    rows = document["rows"]
    click.echo(
        f"Rows          {rows['rows_read']:,} read = {rows['rows_loaded']:,} loaded + {rows['rows_duplicate']:,} duplicate "
        f"+ {rows['rows_superseded']:,} superseded + {rows['rows_quarantined']:,} quarantined"
    )
    click.echo(f"Unreadable    {document['unreadable_files']} files")
    if document["retracted_files"]:
        click.echo(f"Retracted     {document['retracted_files']} files")
    if document["looked_at"]:
        click.echo(f"Looked        {document['looked_at']}: nothing to do, so nothing was run")
    for run in document["runs"]:
        click.echo(
            f"Run           {run['started_at']}  {run['status']:<8} {run['seconds']:>7.1f} s  {run['run_id']}"
        )


@cli.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
def sql(query: str | None, as_csv: bool, as_json: bool) -> None:
    """Query the published file, read-only. Without QUERY, a prompt (or the query from standard input).

    \b
    credit-usage sql "select usage_date, total_cost_usd from marts.mart_analytics__total_cost order by 1"
    """
    from orchestration.query import open_published, print_result, prompt  # noqa: PLC0415

    settings = load()
    require_published(settings)
    style = "json" if as_json else "csv" if as_csv else "table"
    with open_published(settings) as connection:
        if query is None and sys.stdin.isatty():
            prompt(connection, style)
        else:
            print_result(connection, query if query is not None else sys.stdin.read(), style)


@cli.command()
@click.option("--batch", type=int, help="Only this batch.")
@click.option("--file", "file_contains", help="Only files whose path contains this.")
@click.option("--reason", help="Only this reason, e.g. missing_field.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most this many lines."
)
@json_option
def quarantine(
    batch: int | None, file_contains: str | None, reason: str | None, limit: int, as_json: bool
) -> None:
    """Show quarantined lines and unreadable files: where, which field, why, and the raw text."""
    from orchestration.landing.quarantine import read_quarantine  # noqa: PLC0415
    from orchestration.quality.results import printable  # noqa: PLC0415

    found = read_quarantine(load(), batch=batch, file_contains=file_contains, reason=reason, limit=limit)
    if as_json:
        print_json(found)
        return
    for entry in found["unreadable_files"]:
        click.echo(f"{printable(entry['path'])}: unreadable: {printable(entry['reason'])}")
    for row in found["rows"]:
        click.echo(
            f"{printable(row['path'])}:{row['line_number']}: {printable(row['field'] or '-')}: {printable(row['reason'])}: "
            f"{printable(row['message'])}"
        )
        click.echo(f"    {printable(row['raw'], 300)}")
    shown = len(found["rows"])
    click.echo(
        f"{shown:,} of {found['row_count']:,} quarantined lines, {len(found['unreadable_files'])} unreadable files."
    )


@cli.command()
@json_option
def rollback(as_json: bool) -> None:
    """Publish the previous publication again and render its pages.

    The lake keeps every batch, so the next nightly run applies those of the publication that was rolled back once more.
    """
    from orchestration.publication.lock import run_lock  # noqa: PLC0415
    from orchestration.publication.publish import rollback as roll_back  # noqa: PLC0415
    from orchestration.site import render_site  # noqa: PLC0415

    settings = load()
    with run_lock(settings.data_dir), show_progress(quiet=as_json) as listener:
        publication = roll_back(settings)
        render_site(settings, progress=listener)
    print_either(
        {"publication_id": publication.publication_id, "published_at": publication.published_at},
        as_json,
        f"Publication {publication.publication_id} of {publication.published_at} is published again.",
    )


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    default=DEMO_START.isoformat(),
    show_default=True,
    help="First day.",
)
@click.option("--days", type=click.IntRange(min=1), default=DEMO_DAYS, show_default=True)
@click.option("--runs-per-day", type=click.IntRange(min=1), default=DEMO_RUNS_PER_DAY, show_default=True)
@click.option("--workspaces", type=click.IntRange(1, 50), default=3, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
)
@click.option("--clean", is_flag=True, help="No late, repeated, orphaned or unfinished rows.")
@json_option
def sample(
    folder: Path,
    start: datetime,
    days: int,
    runs_per_day: int,
    workspaces: int,
    seed: int,
    file_format: Any,
    clean: bool,
    as_json: bool,
) -> None:
    """Write deterministic sample exports into FOLDER, one subfolder a day. The same options give the same bytes."""
    from orchestration.sample import generate  # noqa: PLC0415

    with show_progress(quiet=as_json) as listener:
        result = generate(
            folder,
            start=start.date(),
            days=days,
            runs_per_day=runs_per_day,
            workspaces=workspaces,
            seed=seed,
            file_format=file_format,
            late=not clean,
            progress=listener,
        )
    document = {
        "folder": str(folder),
        "files": len(result.files) if isinstance(result.files, Sequence) else result.files,
        "run_rows": result.run_rows,
        "span_rows": result.span_rows,
        "provider_cost_usd": str(result.provider_cost_usd),
    }
    print_either(
        document, as_json, f"{result.run_rows:,} run rows and {result.span_rows:,} span rows in {folder}"
    )


cli.add_command(cli_money.prices)
cli.add_command(cli_money.reconcile)
cli.add_command(cli_check.check)
cli.add_command(cli_extract.publish)
cli.add_command(cli_repair.doctor)
cli.add_command(cli_repair.forget)
cli.add_command(cli_repair.retract)
cli.add_command(cli_repair.rebuild)

if __name__ == "__main__":
    run()
