"""What we counted and priced, as lines to lay beside a provider's invoice, and that invoice in our names.

What belongs here: which of our calls a provider bills, under which date, provider and model. The comparison is `invoice`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from orchestration.pricing import catalogue, patterns
from orchestration.pricing.invoice import InvoiceLine, OurLine
from orchestration.pricing.resolve import Names, Resolver

if TYPE_CHECKING:
    import duckdb

    from orchestration.pricing.prices import Price

DATES = {"call-date": "cast(started_at as date)", "usage-date": "usage_date"}
"""By what a line is dated: the UTC date of the call, as providers bill, or the usage date of its run, as our pages do."""


def detail_from(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The first date whose calls are published; None where those of all dates are."""
    told = connection.execute(
        "select count(*) from duckdb_columns() where schema_name = 'meta' and column_name = 'detail_from_date'"
    ).fetchone()
    if told is None or not told[0]:  # published by a version that kept everything
        return None
    row = connection.execute("select any_value(detail_from_date) from meta.publication").fetchone()
    return row[0] if row else None


def our_lines(
    connection: duckdb.DuckDBPyConnection,
    first: date,
    last: date,
    *,
    by: str = "call-date",
    workspace_id: str | None = None,
    providers: Iterable[str] = (),
) -> list[OurLine]:
    """Our calls of models in a range of dates, hosted and personal alike: the provider bills both. No providers: of all.

    Models go by the name they are priced as, which is one for all their dated and prefixed spellings.
    """
    rows = connection.execute(
        f"""
        select
            {DATES[by]} as call_date,
            coalesce(priced_provider, provider, ''),
            coalesce(priced_model, response_model, model, ''),
            cast(coalesce(sum(input_tokens), 0) as bigint),
            cast(coalesce(sum(output_tokens), 0) as bigint),
            cast(coalesce(sum(total_tokens), 0) as bigint),
            cast(coalesce(sum(provider_cost_usd), 0) as decimal(38, 12)),
            count(*) filter (where cost_source = 'unpriced')
        from facts.fct_span_usage
        where
            price_status is not null
            and call_date between $first and $last
            and workspace_id = coalesce($workspace_id, workspace_id)
        group by all
        order by all
        """,
        {"first": first, "last": last, "workspace_id": workspace_id},
    ).fetchall()
    lines = [OurLine(row[0], provider_name(row[1]), patterns.normal(row[2]), *row[3:]) for row in rows]
    wanted = {provider_name(provider) for provider in providers}
    return [line for line in lines if not wanted or line.provider in wanted]


def in_our_names(
    lines: Sequence[InvoiceLine], file_prices: Sequence[Price], provider: str | None = None
) -> list[InvoiceLine]:
    """The lines of an invoice with providers and models as ours are named; `provider` is that of lines that name none."""
    resolver = Resolver(file_prices)
    found = []
    for line in lines:
        seller = line.provider or provider
        resolution = resolver.resolve(Names(seller or "", line.model, "", "")) if line.model else None
        model = line.model if resolution is None else patterns.normal(resolution.model or line.model)
        found.append(replace(line, provider=provider_name(seller or "") or None, model=model))
    return found


def provider_name(name: str) -> str:
    """A provider by the catalogue's name for it, where it has one."""
    name = patterns.normal(name)
    return (catalogue.provider_of(name) if name else None) or name
