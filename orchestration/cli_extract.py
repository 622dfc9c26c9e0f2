"""The verb that gives one workspace away: a file and pages without a trace of the others."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration import sql
from orchestration.cli_shared import json_option, print_either, require_published, show_progress, wait_option
from orchestration.settings import load


@click.command()
@click.option("--workspace", "workspace_id", required=True, help="The workspace, by its id.")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder that gets usage.duckdb and site/; made where it does not exist.",
)
@wait_option
@json_option
def publish(workspace_id: str, folder: Path, wait: float, as_json: bool) -> None:
    """Write one workspace of what is published into a folder of its own: a DuckDB file and its pages.

    Nothing in them tells of other workspaces: of tables that all share, only what this workspace's calls used is there, and what sums over
    all of them (batches, landing files, checks) is left out. Run it after a night; files whose data did not change stay as they are.
    """
    from orchestration.publication.extract import extract  # noqa: PLC0415
    from orchestration.publication.lock import run_lock  # noqa: PLC0415
    from reports.build import build_site  # noqa: PLC0415

    settings = load()
    require_published(settings)
    with run_lock(settings.data_dir, wait_seconds=wait), show_progress(quiet=as_json) as listener:
        made = extract(settings, workspace_id, folder)
        site = build_site(made.path, folder / "site", progress=listener, config=sql.limits(settings))
    document = {
        "workspace_id": workspace_id,
        "database": str(made.path),
        "site": str(folder / "site" / "index.html"),
        "rows": made.rows,
        "pages": site.pages,
        "files_written": site.files_written,
        "files_unchanged": site.files_unchanged,
    }
    print_either(
        document, as_json, f"{made.rows:,} rows, {site.pages} pages: {made.path}, {document['site']}"
    )
