"""What the modules of the command line share: exit codes, common options, and how results and progress are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from orchestration import progress

if TYPE_CHECKING:
    from orchestration.settings import Settings

GOOD, DATA_FAILED, USAGE_ERROR, LOCK_HELD = 0, 1, 2, 3

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
wait_option = click.option(
    "--wait",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Wait this long for another run to end before giving up.",
)


def require_published(settings: Settings) -> None:
    """Raise a usage error where nothing was published yet."""
    if not settings.published_path.exists():
        raise click.UsageError(
            f"nothing is published in {settings.published_dir}: run `credit-usage nightly` first"
        )


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[progress.Listener]:
    """A progress bar on a terminal, a line per stage elsewhere, nothing beside JSON output."""
    if quiet:
        yield lambda label, done, total: None
    elif sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Starting", total=None)
            yield lambda label, done, total: bar.update(
                task, description=f"{label[:60]:<60}", completed=done, total=total or None
            )
    else:
        stages: list[str] = []

        def tell(label: str, done: int, total: int) -> None:
            stage = label.split(" ", 1)[0]
            if not stages or stages[-1] != stage:
                stages.append(stage)
                click.echo(f"{stage}…", err=True)

        yield tell


def print_either(document: dict[str, Any], as_json: bool, text: str) -> None:
    """The document as JSON, or the text in its place."""
    if as_json:
        print_json(document)
    else:
        click.echo(text)


def print_json(document: Any) -> None:
    """One JSON document on standard output; amounts as plain digits in quotes."""
    click.echo(json.dumps(document, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> None:
    """Aligned columns, the first `left` of them to the left, the others to the right. Never folded: scripts cut these lines."""
    from orchestration.quality.results import printable  # noqa: PLC0415

    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
