"""The verbs that put something right: take landing files out again, build everything anew, say what is wrong with the machine."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from orchestration import cli_night, progress
from orchestration.cli_shared import (
    DATA_FAILED,
    json_option,
    print_json,
    print_table,
    show_progress,
    wait_option,
)
from orchestration.settings import Settings, load

if TYPE_CHECKING:
    from orchestration.landing.erasure import Erasure
    from orchestration.landing.retraction import Retraction
    from orchestration.publication.preview import Preview


@click.command()
@wait_option
@cli_night.log_option
@json_option
@click.option(
    "--from-lake",
    is_flag=True,
    required=True,
    help="Say that you mean it: nothing of what is published is kept.",
)
def rebuild(from_lake: bool, wait: float, log_format: str | None, as_json: bool) -> None:
    """Build everything anew from the lake, audit, publish, render.

    The same as `credit-usage nightly --full`. Its rows equal those of any sequence of nights, so readers see a difference only where the
    published file was wrong.
    """
    del from_lake
    cli_night.run(load(), as_json=as_json, full=True, wait_seconds=wait, log_format=log_format)


@click.command()
@click.argument("files", nargs=-1)
@click.option(
    "--batch",
    "batches",
    type=int,
    multiple=True,
    metavar="N",
    help="All files of this batch; may be repeated.",
)
@click.option(
    "--undo", is_flag=True, help="Let retracted FILES land again, on the next night that finds them."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_option
@json_option
def retract(
    files: tuple[str, ...],
    batches: tuple[int, ...],
    undo: bool,
    dry_run: bool,
    yes: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Take landed FILES out again with everything they brought, and publish what is left.

    FILES are paths, as in the landing folder, or the first six or more digits of their SHA-256. What is published then equals what it
    would be had they never been landed: rows of other files that were duplicates of theirs, or older versions, come back. For that, these
    other files are read again in the landing folder; where one is gone, it is named, and lands anew when it is delivered again.

    The retracted files may stay in the landing folder: they are not loaded again, unless they change or the retraction is undone.
    """
    if not files and not batches:
        raise click.UsageError("name a file by its path or hash, or a batch with --batch")
    settings = load()
    if undo:
        if batches or dry_run:
            raise click.UsageError("--undo takes files only")
        _undo(settings, files, wait=wait, as_json=as_json)
        return
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nothing: add --yes or --dry-run")
    _retract(settings, files, batches, dry_run=dry_run, yes=yes, wait=wait, as_json=as_json)


def _retract(
    settings: Settings,
    files: Sequence[str],
    batches: Sequence[int],
    *,
    dry_run: bool,
    yes: bool,
    wait: float,
    as_json: bool,
) -> None:
    from orchestration.landing import retraction  # noqa: PLC0415
    from orchestration.landing.lake import Lake  # noqa: PLC0415
    from orchestration.night import now, preview_retraction  # noqa: PLC0415
    from orchestration.publication.lock import ensure_lock  # noqa: PLC0415

    ensure_lock(settings.data_dir, wait_seconds=wait)
    lake = Lake.of(settings)
    lake.refresh()
    with show_progress(quiet=as_json) as listener, progress.listening(listener):
        chosen = retraction.find(settings, lake.manifests(), files, batches)
        made = retraction.prepare(settings, chosen, now=now(), progress=listener)
    is_committed = False
    try:
        if dry_run:
            with show_progress(quiet=as_json) as listener, progress.listening(listener):
                preview = preview_retraction(settings, made.new)
            _print_dry_run(made, preview, as_json=as_json)
            return
        if not as_json:
            _print_files(made)
        if not yes:
            click.confirm("Take them out of the lake and publish what is left?", abort=True, err=True)
        lake.commit_revision(made.revision)
        is_committed = True
    finally:
        if not is_committed:
            retraction.discard(settings, made)
    cli_night.run(
        settings,
        as_json=as_json,
        extra=lambda: {"retraction": _document(made), "changes": _changes(settings)},
    )
    if not as_json:
        _print_changes(_changes(settings))


@click.command()
@click.option(
    "--user", "user_id", required=True, metavar="ID", help="The user's id, as given or as its hash is shown."
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_option
@json_option
def forget(user_id: str, dry_run: bool, yes: bool, wait: float, as_json: bool) -> None:
    """Erase a user everywhere, the lake included, and publish what is left. It cannot be undone.

    Runs, calls and amounts stay, as those of one user `forgotten`, so that no total changes. What goes is the id, and of the user's runs
    and spans the metadata, attributes, sessions and error messages; quarantined lines that name the user; and every kept file that still
    does: earlier publications, candidates that failed. Rows of the user that land later lose the same, also from files that are landed
    already. The landing folder is yours: delete what names the user there.
    """
    settings = load()
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nothing: add --yes or --dry-run")
    if not user_id.strip():
        raise click.UsageError("--user must not be empty")
    _forget(settings, user_id, dry_run=dry_run, yes=yes, wait=wait, as_json=as_json)


def _forget(
    settings: Settings, user_id: str, *, dry_run: bool, yes: bool, wait: float, as_json: bool
) -> None:
    from orchestration.landing import erasure  # noqa: PLC0415
    from orchestration.landing.lake import Lake  # noqa: PLC0415
    from orchestration.night import clear_for_forgetting, now  # noqa: PLC0415
    from orchestration.publication.lock import ensure_lock  # noqa: PLC0415

    ensure_lock(settings.data_dir, wait_seconds=wait)
    made = erasure.prepare(settings, user_id, write=False, now=now())
    if not as_json:
        _print_erasure(made)
    if dry_run:
        if as_json:
            print_json({"forgotten": _erasure_document(made)})
        else:
            click.echo("Nothing was changed.")
        return
    if not yes:
        click.confirm("Forget this user for good, and publish what is left?", abort=True, err=True)
    made = erasure.prepare(settings, user_id, now=now())
    Lake.of(settings).commit_revision(made.revision)
    clear_for_forgetting(settings)
    cli_night.run(settings, as_json=as_json, extra=lambda: {"forgotten": _erasure_document(made)})


def _erasure_document(made: Erasure) -> dict[str, Any]:
    return {
        "runs": made.runs,
        "run_rows": made.rows_by_entity["runs"],
        "span_rows": made.rows_by_entity["spans"],
        "lines_in_quarantine": made.lines_in_quarantine,
        "batches": made.batches,
    }


def _print_erasure(made: Erasure) -> None:
    rows = made.rows_by_entity
    click.echo(
        f"Forget     {made.runs:,} runs: {rows['runs']:,} rows of runs, {rows['spans']:,} of spans, "
        f"{made.lines_in_quarantine:,} lines in quarantine, in {len(made.batches):,} batches"
    )
    if not made.batches:
        click.echo("No row names this user. Rows that land later will not, either.", err=True)


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at environment, folders, disk, clock, lock, lake and published file, and say what to do.

    Changes nothing. Exits with 1 when something stops a night or must not be trusted.
    """
    from orchestration.doctor import examine  # noqa: PLC0415

    found = examine(load())
    is_well = all(finding.status != "fail" for finding in found)
    if as_json:
        print_json({"healthy": is_well, "findings": [finding.as_dict() for finding in found]})
    else:
        for finding in found:
            advice = f"\n      → {finding.advice}" if finding.advice else ""
            click.echo(f"{finding.status:<4}  {finding.name}: {finding.message}{advice}")
    if not is_well:
        raise click.exceptions.Exit(DATA_FAILED)


def _undo(settings: Settings, files: Sequence[str], *, wait: float, as_json: bool) -> None:
    from orchestration.landing import retraction  # noqa: PLC0415
    from orchestration.night import now  # noqa: PLC0415
    from orchestration.publication.lock import run_lock  # noqa: PLC0415
    from orchestration.quality.results import printable  # noqa: PLC0415

    with run_lock(settings.data_dir, wait_seconds=wait):
        allowed = retraction.allow(settings, files, now=now())
    if as_json:
        print_json({"allowed": [{"path": entry.path, "sha256": entry.sha256} for entry in allowed]})
    else:
        for entry in allowed:
            click.echo(
                f"{printable(entry.path)} ({entry.sha256[:12]}) lands again on the next night that finds it."
            )


def _document(made: Retraction) -> dict[str, Any]:
    return {
        "files": [
            {
                "batch_seq": entry.batch_seq,
                "path": entry.path,
                "sha256": entry.sha256,
                "rows_loaded": entry.rows_loaded,
                "rows_quarantined": entry.rows_quarantined,
            }
            for entry in made.revision.retracted
        ],
        "rows_taken_out": made.rows_taken_out,
        "rows_back": made.rows_back,
        "rows_by_date": made.rows_by_date,
        "files_gone": [
            {"path": entry.path, "sha256": entry.sha256, "rows": entry.rows_duplicate + entry.rows_superseded}
            for entry in made.gone
        ],
    }


def _print_files(made: Retraction) -> None:
    from orchestration.quality.results import printable  # noqa: PLC0415

    for entry in made.revision.retracted:
        click.echo(
            f"Retract    {printable(entry.path)} ({entry.sha256[:12]}, batch {entry.batch_seq}): {entry.rows_loaded:,} rows, "
            f"{entry.rows_quarantined:,} lines in quarantine"
        )
    click.echo(f"Rows       {made.rows_taken_out:,} go, {made.rows_back:,} of other files come back")
    for lost in made.gone:
        click.echo(
            f"Gone       {printable(lost.path)} ({lost.sha256[:12]}) is no longer in the landing folder: "
            f"{lost.rows_duplicate + lost.rows_superseded:,} rows of it were duplicates or older versions, "
            "some maybe of retracted rows. Delivered again, it lands anew.",
            err=True,
        )
    if rows := made.rows_by_date:
        head = ("date (UTC)", "entity", "rows", "new", "change")
        cells = [
            [row["lake_date"], row["entity"], *_difference(row["rows_before"], row["rows_after"])]
            for row in rows
        ]
        print_table(head, cells, left=2)


def _print_dry_run(made: Retraction, preview: Preview | None, *, as_json: bool) -> None:
    changes = [
        {
            "usage_date": row.usage_date,
            "workspace_id": row.workspace_id,
            **{
                f"{name}_{when}": side[name]
                for name in ("call_count", "total_cost_usd")
                for when, side in (("before", row.old), ("after", row.new))
            },
        }
        for row in sorted(
            preview.days if preview else (), key=lambda row: (str(row.usage_date), row.workspace_id)
        )
    ]
    if as_json:
        print_json(
            {"retraction": _document(made), "reason": preview.reason if preview else "", "changes": changes}
        )
        return
    _print_files(made)
    if preview is None:
        click.echo("Nothing is published yet.")
    else:
        _print_changes(changes)
    click.echo("Nothing was changed.")


def _changes(settings: Settings) -> list[dict[str, Any]]:
    """What the last publication changed, by date and workspace."""
    from orchestration import sql  # noqa: PLC0415

    if not settings.published_path.exists():
        return []
    with sql.connect(settings, settings.published_path, read_only=True) as connection:
        cursor = connection.execute("from meta.changes order by usage_date, workspace_id")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _print_changes(changes: Sequence[dict[str, Any]]) -> None:
    if not changes:
        click.echo("No published amount changes.")
        return
    head = ("usage date", "workspace", "calls", "new", "change", "total USD", "new", "change")
    rows = [
        [
            str(row["usage_date"]),
            str(row["workspace_id"]),
            *_difference(row["call_count_before"], row["call_count_after"]),
            *_difference(row["total_cost_usd_before"], row["total_cost_usd_after"]),
        ]
        for row in changes
    ]
    print_table(head, rows, left=2)


def _difference(before: Any, after: Any) -> list[str]:
    """Old, new and change; a side that has nothing counts as zero."""
    old, new = (Decimal(value or 0) for value in (before, after))
    return [f"{old:,f}", f"{new:,f}", f"{new - old:+,f}"]
