"""The verbs about money: `prices missing`, `prices show`, `reconcile`, and how a previewed repricing is shown.

What belongs here: options, output and exit codes. Which price applies and what differs is decided in `pricing` and `publication`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli_shared import (
    DATA_FAILED,
    json_option,
    print_json,
    print_table,
    require_published,
)
from orchestration.settings import Settings, load

if TYPE_CHECKING:
    import duckdb

    from orchestration.pricing.invoice import Difference, Usage
    from orchestration.pricing.missing import Findings
    from orchestration.pricing.prices import Price
    from orchestration.publication.preview import Change, Preview

DEFAULT_TOLERANCE = "0.5"
ROWS_SHOWN = 40

workspace_option = click.option("--workspace", "workspace_id", metavar="ID", help="Only this workspace.")


def _percentage(_: click.Context, __: click.Parameter, value: str) -> Decimal:
    """The text of an option as an exact number, not negative."""
    from orchestration import exact  # noqa: PLC0415

    try:
        return exact.number(value, decimals=6, below=1_000_000)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group()
def prices() -> None:
    """Which prices are missing, and which ones a model gets."""


# -- prices missing ------------------------------------------------------------------------------------------------------------


@prices.command()
@workspace_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the price file there instead of printing it. A file that exists is never overwritten.",
)
@json_option
def missing(workspace_id: str | None, output: Path | None, as_json: bool) -> None:
    """Print a price file with a row for each price that published calls lack, to be filled in.

    \b
    credit-usage prices missing > prices.csv

    Fill in unit_price_usd, name the file in `price_file` (or add its rows to the file named there), and run the night: it prices
    exactly these calls. Everything but the file itself is said on standard error.
    """
    from orchestration.pricing.missing import find  # noqa: PLC0415
    from orchestration.pricing.skeleton import skeleton  # noqa: PLC0415

    settings = load()
    require_published(settings)
    file_prices = _file_prices(settings)
    with _published(settings, workspace_id) as connection:
        findings = find(connection, file_prices, workspace_id=workspace_id)
    text = skeleton(findings.missing) if findings.missing else ""
    if as_json:
        print_json(
            {
                "models": [asdict(model) for model in findings.models],
                "calls_without_usage": findings.calls_without_usage,
                "calls_without_model": findings.calls_without_model,
                "calls_of_next_night": findings.calls_of_next_night,
                "price_file": text,
            }
        )
    else:
        _say_what_is_missing(findings, settings)
    if output is not None and text:
        try:
            with output.open("x", encoding="utf-8", newline="") as stream:
                stream.write(text)
        except FileExistsError:
            raise click.UsageError(
                f"{output} exists already: choose another name, or remove it first"
            ) from None
        click.echo(f"Written to {output}.", err=True)
    elif text and not as_json:
        click.echo(text, nl=False)


def _say_what_is_missing(findings: Findings, settings: Settings) -> None:
    from orchestration.quality.results import printable  # noqa: PLC0415

    for model in findings.models:
        name = "/".join(part for part in (model.provider, model.model) if part)
        tier = f" (tier {model.service_tier})" if model.service_tier else ""
        click.echo(
            f"{printable(name)}{printable(tier)}: {model.call_count:,} calls, {model.total_tokens:,} tokens since "
            f"{model.first_date}, {', '.join(model.reasons)}",
            err=True,
        )
    if not findings.models:
        click.echo("No price is missing.", err=True)
    for count, what in (
        (findings.calls_of_next_night, "have a price by now and get it with the next night"),
        (findings.calls_without_usage, "do not say what they used: no price file can price them"),
        (findings.calls_without_model, "name nothing that a price file could name"),
    ):
        if count:
            click.echo(f"{count:,} unpriced calls {what}.", err=True)
    if findings.models and settings.price_file:
        click.echo(f"Add these rows to {settings.price_file}, which `price_file` names.", err=True)


# -- prices show ---------------------------------------------------------------------------------------------------------------


@prices.command()
@click.argument("model")
@click.option("--provider", default="", metavar="NAME", help="Provider as the spans name it.")
@click.option("--tier", default="", metavar="NAME", help="Processing tier of the request, such as flex.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="Date (UTC) of the call; today when left out.")
@json_option
def show(model: str, provider: str, tier: str, at: datetime | None, as_json: bool) -> None:
    """Show how the name of a model is read, and which prices it has on a date.

    The catalogue and the price file are asked as they are now; what published calls were priced with is in `dimensions.dim_price_set`.
    """
    from orchestration.night import now  # noqa: PLC0415
    from orchestration.pricing import catalogue  # noqa: PLC0415
    from orchestration.pricing.price_sets import PriceBook  # noqa: PLC0415
    from orchestration.pricing.resolve import Names, Resolver  # noqa: PLC0415

    file_prices = _file_prices(load())
    day = at.date() if at else now().date()
    resolution = Resolver(file_prices).resolve(Names(provider, model, "", tier))
    applied = PriceBook(catalogue.prices(), file_prices).applied(resolution, day)
    rows = [
        {
            "meter": item.meter,
            "above_input_tokens": item.above_input_tokens,
            "unit_price_usd": item.price.unit_price_usd,
            "unit_size": item.price.unit_size,
            "priced_as": item.price.meter,
            "is_guess": item.is_guess,
            "valid_from": item.price.valid_from,
            "valid_to": item.price.valid_to,
            "daily_from": item.price.daily_from,
            "daily_to": item.price.daily_to,
            "source": item.price.source,
            "source_version": item.price.source_version,
        }
        for item in applied
    ]
    if as_json:
        print_json(
            {
                "model": model,
                "provider": provider,
                "service_tier": tier,
                "date": day,
                "priced_provider": resolution.provider,
                "priced_model": resolution.model,
                "rule": resolution.rule,
                "is_tier_unknown": resolution.is_tier_unknown,
                "prices": rows,
            }
        )
        return
    _print_prices(model, resolution.rule, day, rows, is_tier_unknown=resolution.is_tier_unknown)


def _print_prices(
    model: str, rule: str, day: date, rows: list[dict[str, Any]], *, is_tier_unknown: bool
) -> None:
    from orchestration.quality.results import printable  # noqa: PLC0415

    click.echo(f"{printable(model)} on {day}: {printable(rule)}")
    if is_tier_unknown:
        click.echo("The tier is not known: its calls are charged at the standard price and marked partial.")
    if not rows:
        click.echo("It has no price then: its calls are unpriced. A price file can give it one.")
        return
    has_hours = any(row["daily_from"] or row["daily_to"] for row in rows)
    head = ["meter", "source", "USD", "per units", "input tokens", "from", "to", *(["UTC hours"] * has_hours)]
    click.echo()
    print_table(
        head,
        [_price_cells(row, has_hours=has_hours) for row in rows if row["priced_as"] == row["meter"]],
        left=2,
    )
    click.echo()
    others: dict[tuple[str, bool], dict[str, None]] = {}
    for row in rows:
        if row["priced_as"] != row["meter"]:
            others.setdefault((row["priced_as"], row["is_guess"]), {})[row["meter"]] = None
    for (meter, is_guess), charged in others.items():
        note = ", for want of a better price: calls that use them are partial" if is_guess else ""
        click.echo(f"Charged as {meter}{note}: {', '.join(charged)}.")


def _price_cells(row: dict[str, Any], *, has_hours: bool) -> list[str]:
    above = row["above_input_tokens"]
    hours = f"{row['daily_from'] or '00:00:00'}-{row['daily_to'] or '24:00:00'}"
    return [
        row["meter"],
        f"{row['source']} {row['source_version']}",
        f"{row['unit_price_usd'].normalize():f}",
        f"{row['unit_size']:,}",
        f"above {above:,}" if above else "any",
        str(row["valid_from"] or "always"),
        str(row["valid_to"] or "no end"),
        *([hours] * has_hours),
    ]


# -- reconcile -----------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
@click.option(
    "--provider",
    metavar="NAME",
    help="Only calls of this provider; left out: of those that FILE names, or of all.",
)
@click.option(
    "--by",
    type=click.Choice(["call-date", "usage-date"]),
    default="call-date",
    show_default=True,
    help="Date of our side: the UTC date of the call, as providers bill, or the usage date of the pages.",
)
@click.option(
    "--tolerance",
    metavar="PCT",
    callback=_percentage,
    default=DEFAULT_TOLERANCE,
    show_default=True,
    help="Difference in percent of the greater side that is still good. Amounts may then differ by a cent, too; with 0, nothing may.",
)
@click.option("--all", "show_all", is_flag=True, help="Show also the days and models that agree.")
@json_option
def reconcile(
    file: Path,
    workspace_id: str | None,
    provider: str | None,
    by: str,
    tolerance: Decimal,
    show_all: bool,
    as_json: bool,
) -> None:
    """Lay a provider's invoice or usage export beside what is published, by day and model.

    FILE is CSV or YAML with the columns date and model, and tokens, amounts or both (total_tokens, or input_tokens and output_tokens;
    amount_usd). Exits with 1 when a day and model, or the total, differs by more than the tolerance, and with 2 when FILE cannot be read.
    """
    from orchestration.pricing import invoice, ledger  # noqa: PLC0415

    settings = load()
    require_published(settings)
    file_prices = _file_prices(settings)
    theirs = ledger.in_our_names(invoice.read(file), file_prices, provider)
    period = invoice.period(theirs)
    if period is None:
        raise click.UsageError(f"{file} has no rows: nothing to compare")
    providers = {provider} if provider else {line.provider for line in theirs if line.provider}
    if provider:
        theirs = [line for line in theirs if line.provider == ledger.provider_name(provider)]
    with _published(settings, workspace_id) as connection:
        since = ledger.detail_from(connection)
        if since is not None and period[0] < since:
            raise click.UsageError(
                f"{file} begins on {period[0]}; calls are kept from {since} on (keep_detail_days): leave out what is older"
            )
        ours = ledger.our_lines(connection, *period, by=by, workspace_id=workspace_id, providers=providers)
    differences = invoice.compare(ours, theirs)
    totals = invoice.total(differences)
    good = [invoice.is_within(tolerance, item.ours, item.theirs, item.difference) for item in differences]
    is_good = all(good) and invoice.is_within(tolerance, *totals, lines=len(differences))
    unpriced = sum(item.unpriced_call_count for item in differences)
    if as_json:
        print_json(
            {
                "is_within_tolerance": is_good,
                "tolerance_pct": tolerance,
                "first_date": period[0],
                "last_date": period[1],
                "by": by,
                "providers": sorted(filter(None, providers)),
                "unpriced_call_count": unpriced,
                "total": dict(zip(("ours", "theirs", "difference"), map(asdict, totals), strict=True)),
                "rows": [
                    {**asdict(item), "is_within_tolerance": within}
                    for item, within in zip(differences, good, strict=True)
                ],
            }
        )
    else:
        shown = [item for item, within in zip(differences, good, strict=True) if show_all or not within]
        _print_differences(shown, dict(zip(map(id, differences), good, strict=True)), totals)
        click.echo(
            f"{sum(good)} of {len(good)} days and models agree within {tolerance} %, {period[0]} to {period[1]} by {by}, "
            f"providers: {', '.join(sorted(filter(None, providers))) or 'all'}."
        )
        if unpriced:
            click.echo(f"{unpriced:,} of our calls have no price, so our amounts lack them.")
        if not is_good:
            click.echo("The two sides differ by more than the tolerance.", err=True)
        if not is_good and not any(providers) and any(item.status == "only ours" for item in shown):
            click.echo(
                "FILE names no provider, so all our calls are compared: --provider NAME leaves out the others.",
                err=True,
            )
    if not is_good:
        raise click.exceptions.Exit(DATA_FAILED)


def _print_differences(
    shown: list[Difference], is_within: dict[int, bool], totals: tuple[Usage, Usage, Usage]
) -> None:
    # Invoices state tokens in one way; the first of these that this one states is shown, all of them are compared.
    ways = ("total_tokens", "input_tokens", "output_tokens")
    way = next((name for name in ways if getattr(totals[2], name) is not None), ways[0])
    title = way.replace("_", " ")
    head = (
        "date",
        "model",
        "status",
        f"our {title}",
        "theirs",
        "difference",
        "our USD",
        "theirs",
        "difference",
        "unpriced calls",
    )

    def cells(*sides: Usage | None) -> list[str]:
        tokens = [_tokens(getattr(side, way) if side else None) for side in sides]
        return tokens + [_usd(side.amount_usd if side else None) for side in sides]

    rows = [
        [
            str(item.date),
            item.model or "(no model)",
            item.status if item.status != "both" else "equal" if item.is_equal else "close" if is_within[id(item)] else "differs",
            *cells(item.ours, item.theirs, item.difference),
            f"{item.unpriced_call_count:,}" if item.unpriced_call_count else "",
        ]
        for item in shown
    ]  # fmt: skip
    print_table(head, [*rows, ["total", "", "", *cells(*totals), ""]], left=3)


# -- reprice -------------------------------------------------------------------------------------------------------------------


def print_preview(preview: Preview, *, as_json: bool) -> None:
    """What a repricing would change, before it is published."""
    if as_json:
        print_json(preview.as_dict())
        return
    for source in preview.sources:
        click.echo(f"Changed    {source.source}: {source.old or 'none'} → {source.new or 'none'}")
    if preview.reason:
        click.echo(f"Full build {preview.reason}")
    if not preview.rows:
        because = (
            "whatever changed moves no amount"
            if preview.sources or preview.reason
            else "no price or rate changed"
        )
        click.echo(f"Nothing to reprice: {because} since publication {preview.publication_id}.")
    else:
        _print_changes(preview)
    if preview.waiting_batches:
        click.echo(
            f"{preview.waiting_batches} batches of the lake are not published yet: the next night applies them, too.",
            err=True,
        )


def _print_changes(preview: Preview) -> None:
    head = ("date", "workspace", "model or service", "total USD", "new", "change", "provider USD", "new", "change",
            "credits", "new", "change", "unpriced calls", "new")  # fmt: skip

    def cells(change: Change) -> list[str]:
        cells = []
        for name in ("total_cost_usd", "provider_cost_usd", "task_credits"):
            old, new = Decimal(change.old[name]), Decimal(change.new[name])
            write = _credits if name == "task_credits" else _usd
            cells += [write(old), write(new), write(new - old)]
        return [*cells, *(f"{side['unpriced_call_count']:,}" for side in (change.old, change.new))]

    shown = preview.rows[:ROWS_SHOWN]
    click.echo()
    print_table(
        head,
        [
            *([str(row.usage_date), row.workspace_id or "", row.model or row.service or "", *cells(row)] for row in shown),
            *(["all", row.workspace_id or "", "", *cells(row)] for row in preview.workspaces),
            ["all", "all", "", *cells(preview.total)],
        ],
        left=3,
    )  # fmt: skip
    if len(preview.rows) > len(shown):
        click.echo(
            f"{len(preview.rows) - len(shown):,} smaller changes are not shown: --json has all of them."
        )
    click.echo()
    since = preview.calls_counted_from
    if since and any(changed < since for changed in preview.dates_changed):
        click.echo(f"Calls before {since} are not counted: the published file keeps their sums only.")
    click.echo(
        f"{preview.calls_changed:,} calls on {len(preview.dates_changed)} dates change; {len(preview.dates_rebuilt)} dates are rebuilt. "
        "Nothing was published: `credit-usage reprice` does that."
    )


# -- shared --------------------------------------------------------------------------------------------------------------------


def _file_prices(settings: Settings) -> tuple[Price, ...]:
    """The rows of the user's price file, as they are now."""
    from orchestration.pricing import price_file  # noqa: PLC0415

    return price_file.read(settings.price_file) if settings.price_file else ()


@contextmanager
def _published(settings: Settings, workspace_id: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only. A workspace that it does not know is a usage error."""
    from orchestration.query import open_published  # noqa: PLC0415

    with open_published(settings) as connection:
        rows = connection.execute("select workspace_id from dimensions.dim_workspace order by all").fetchall()
        known = [row[0] for row in rows]
        if workspace_id is not None and workspace_id not in known:
            named = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")  # noqa: PLR2004
            raise click.UsageError(f"there is no workspace {workspace_id!r}; published are {named or 'none'}")
        yield connection


def _tokens(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _usd(value: Decimal | None) -> str:
    """At least cents, and every digit that says something."""
    if value is None:
        return "-"
    digits = max(2, -int(value.normalize().as_tuple().exponent))
    return f"{value:,.{digits}f}"


def _credits(value: Decimal) -> str:
    return f"{value.normalize():,f}"
