"""The verb `check`: which data is checked, and in which forms the answer is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration import progress
from orchestration.cli_shared import DATA_FAILED, json_option, print_json, print_table, show_progress
from orchestration.settings import load

if TYPE_CHECKING:
    from orchestration.quality.results import CheckResult

MESSAGE_CHARACTERS = 160


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--database",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Check this warehouse file instead of the published one.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write the results as JUnit XML."
)
@click.option("--github", is_flag=True, help="Also print annotations of GitHub Actions for what failed.")
@json_option
def check(
    files: tuple[Path, ...], database: Path | None, junit: Path | None, github: bool, as_json: bool
) -> None:
    """Run every data test, suite and reconciliation, over the published file or over FILES.

    FILES are exports: they are landed and built in a scratch folder, and lines that do not conform to the landing contract fail, too.
    Nothing is published and no file is changed. Exits with 1 when a blocking check fails.
    """
    from orchestration import check as checks  # noqa: PLC0415
    from orchestration.publication.lock import run_lock  # noqa: PLC0415
    from orchestration.quality import output  # noqa: PLC0415
    from orchestration.quality.results import blocking_failures  # noqa: PLC0415

    if files and database:
        raise click.UsageError("give files or --database, not both")
    if github and as_json:
        raise click.UsageError("--github prints lines of its own: leave out --json")
    settings = load()
    with show_progress(quiet=as_json) as listener, progress.listening(listener), run_lock(settings.data_dir):
        if files:
            results = checks.check_exports(settings, files)
        elif database:
            results = checks.check_database(settings, database)
        else:
            results = checks.check_published(settings)
    if junit:
        junit.write_bytes(output.junit(results))
    failed = blocking_failures(results)
    if as_json:
        print_json({"passed": not failed, "checks": [result.as_dict() for result in results]})
    else:
        _print(results)
    if github:
        for line in output.github(results):
            click.echo(line)
    if failed:
        raise click.exceptions.Exit(DATA_FAILED)


def _print(results: list[CheckResult]) -> None:
    from orchestration.quality.results import printable  # noqa: PLC0415

    failed = [result for result in results if not result.passed]
    blocking = [result for result in failed if result.severity == "blocking"]
    if failed:
        ordered = sorted(failed, key=lambda result: result.severity != "blocking")
        print_table(
            ("result", "check", "rows", "what was found"),
            [
                [
                    "FAIL" if result.severity == "blocking" else "warn",
                    result.name,
                    f"{result.failures:,}",
                    printable(result.message, MESSAGE_CHARACTERS),
                ]
                for result in ordered
            ],
            left=4,
        )
    click.echo(
        f"{len(results) - len(failed)} checks passed, {len(failed) - len(blocking)} warnings, {len(blocking)} blocking failures."
    )
