"""Prices, rates and resolved names as tables of schema `plan`, where dbt reads them; and what changed since the last publication.

What belongs here: the tables' columns and how they are filled. Which price applies is decided in `resolve`, `price_sets` and
`rate_sets`; the arithmetic is dbt's (`macros/pricing.sql`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.pricing import catalogue, price_file, rate_card
from orchestration.pricing.meters import MEASURED
from orchestration.pricing.price_sets import PriceBook, PriceSet
from orchestration.pricing.prices import Price, ServiceRate
from orchestration.pricing.rate_sets import RateSet, rate_sets
from orchestration.pricing.resolve import Names, Resolution, resolve_all
from orchestration.sql import identifier

if TYPE_CHECKING:
    import duckdb

    from orchestration.settings import Settings

_PRICE_COLUMNS = {
    "provider": "varchar",
    "model_rule": "varchar",
    "meter": "varchar",
    "variant": "varchar",
    "above_input_tokens": "bigint",
    "valid_from": "date",
    "valid_to": "date",
    "daily_from": "time",
    "daily_to": "time",
    "unit_size": "bigint",
    "unit_price_usd": "decimal(38, 12)",
    "source": "varchar",
    "source_version": "varchar",
    "checked_at": "date",
}
_NAME_KEY = ("provider_name", "model_name", "response_model_name", "service_tier")
_NAME_COLUMNS = {
    **dict.fromkeys(_NAME_KEY, "varchar"),
    "price_key": "varchar",
    "priced_provider": "varchar",
    "priced_model": "varchar",
    "price_rule": "varchar",
    "is_tier_unknown": "boolean",
    "catalogue_provider": "varchar",
    "catalogue_model": "varchar",
    "file_provider": "varchar",
    "file_pattern": "varchar",
    "variant": "varchar",
}
# Each guess is told apart, because a call that uses none of a guessed meter is priced in full.
GUESSABLE = tuple(meter.name for meter in MEASURED if meter.fallback_is_partial)
_PRICE_SET_COLUMNS = {
    "price_set_id": "varchar",
    "price_key": "varchar",
    "valid_from": "timestamp",
    "valid_to": "timestamp",
    "daily_from_s": "integer",
    "daily_to_s": "integer",
    "above_input_tokens": "bigint",
    "up_to_input_tokens": "bigint",
    **{f"{meter.name}_usd": "decimal(38, 18)" for meter in MEASURED},
    **{f"is_{name}_guessed": "boolean" for name in GUESSABLE},
    "is_free": "boolean",
}
_RATE_COLUMNS = {
    "rate_card": "varchar",
    "service": "varchar",
    "charge_type": "varchar",
    "unit": "varchar",
    "applies": "varchar",
    "valid_from": "date",
    "valid_to": "date",
    "task_credits": "decimal(18, 6)",
    "source": "varchar",
    "source_version": "varchar",
}
_RATE_SET_COLUMNS = {
    "service_rate_id": "varchar",
    "rate_card": "varchar",
    "service_key": "varchar",
    "charge_type": "varchar",
    "is_deep": "boolean",
    "valid_from": "timestamp",
    "valid_to": "timestamp",
    "unit": "varchar",
    "task_credits": "decimal(18, 6)",
}
_CREDIT_PRICE_COLUMNS = {
    "workspace_id": "varchar",
    "valid_from": "date",
    "valid_to": "date",
    "credit_price_usd": "decimal(20, 12)",
}
# Dimension of the published file that holds what a plan table said last time, and the columns that decide a span's money.
_COMPARED = {
    "model_name": ("dim_model_name", (*_NAME_KEY, "price_key", "priced_provider", "priced_model", "is_tier_unknown")),
    "price_set": ("dim_price_set", tuple(name for name in _PRICE_SET_COLUMNS if name != "is_free")),
    "rate_set": ("dim_rate_set", tuple(_RATE_SET_COLUMNS)),
    "credit_price": ("dim_credit_price", tuple(_CREDIT_PRICE_COLUMNS)),
}  # fmt: skip


@dataclass(frozen=True)
class PriceTables:
    """Everything that money depends on beside the spans."""

    prices: tuple[Price, ...]
    resolutions: tuple[Resolution, ...]
    price_sets: tuple[PriceSet, ...]
    rates: tuple[ServiceRate, ...]
    rate_sets: tuple[RateSet, ...]
    #: (workspace_id, valid_from, valid_to, credit_price_usd)
    credit_prices: tuple[tuple[str, date | None, date | None, Decimal], ...]


@dataclass(frozen=True)
class UserFiles:
    """The operator's own prices and rates, read and checked."""

    prices: tuple[Price, ...]
    rates: tuple[ServiceRate, ...]


def read_files(settings: Settings) -> UserFiles:
    """Read the price file and the rate card. Raises the readers' errors, which name file, line and reason."""
    prices = price_file.read(settings.price_file) if settings.price_file else ()
    rates = rate_card.read(settings.rate_file)
    rate_card.check_workspaces(settings, rates)
    return UserFiles(prices, rates)


def version(settings: Settings, files: UserFiles) -> dict[str, str]:
    """Which prices and rates are in force, for manifests: catalogue, price file, rate card, credit prices."""
    credit = "\n".join(map(str, credit_prices(settings)))
    return {
        "catalogue": catalogue.version(),
        "price_file": files.prices[0].source_version if files.prices else "",
        "rate_card": files.rates[0].source_version if files.rates else "",
        "credit_prices": hashlib.sha256(credit.encode()).hexdigest()[:12] if credit else "",
        "rules": _code_fingerprint(),
    }


def _code_fingerprint() -> str:
    """The rules of this package decide prices as much as the prices do."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def credit_prices(settings: Settings) -> tuple[tuple[str, date | None, date | None, Decimal], ...]:
    """What a task credit is worth in each workspace; a workspace without a price is absent."""
    rows = []
    for workspace_id in sorted(settings.workspaces):
        prices = settings.workspaces[workspace_id].credit_prices
        rows += [
            (workspace_id, price.valid_from, end, price.credit_price_usd)
            for price, end in zip_longest(prices, [following.valid_from for following in prices[1:]])
        ]
    return tuple(rows)


def build(
    settings: Settings, files: UserFiles, names: Iterable[Names], resolved: Iterable[Resolution] = ()
) -> PriceTables:
    """Resolve the names and lay out every table. `resolved` are taken as they are."""
    known = list(resolved)
    new = set(names) - {item.names for item in known}
    resolutions = (*known, *resolve_all(new, files.prices))
    book = PriceBook(catalogue.prices(), files.prices)
    return PriceTables(
        prices=(*files.prices, *catalogue.prices()),
        resolutions=resolutions,
        price_sets=tuple(book.price_sets(resolutions)),
        rates=files.rates,
        rate_sets=tuple(rate_sets(files.rates)),
        credit_prices=credit_prices(settings),
    )


def names_of_spans(connection: duckdb.DuckDBPyConnection, span_parts: Sequence[str]) -> set[Names]:
    """Combinations of names in these lake parts. Wants `plan.spans_shape`."""
    if not span_parts:
        return set()
    names = connection.execute(
        """
        select distinct
            coalesce(provider, ''),
            coalesce(model, ''),
            coalesce(response_model, ''),
            coalesce(service_tier, '')
        from (
            -- the empty table brings columns that parts of an earlier contract lack
            select * from plan.spans_shape
            union all by name
            select * from read_parquet(?, union_by_name = true)
        )
        where model is not null or response_model is not null
        """,
        [list(span_parts)],
    ).fetchall()
    return {Names(*row) for row in names}


def published_resolutions(connection: duckdb.DuckDBPyConnection) -> list[Resolution]:
    """How the last publication read its names. They hold as long as its prices do, and looking up a name anew costs up to 1 ms."""
    if not _exists(connection, "dim_model_name"):
        return []
    columns = ", ".join(map(identifier, _NAME_COLUMNS))
    found = []
    for row in connection.execute(f"select {columns} from dimensions.dim_model_name order by all").fetchall():
        value = dict(zip(_NAME_COLUMNS, row, strict=True))
        found.append(
            Resolution(
                names=Names(*(value[name] for name in _NAME_KEY)),
                price_key=value["price_key"],
                provider=value["priced_provider"],
                model=value["priced_model"],
                rule=value["price_rule"],
                is_tier_unknown=value["is_tier_unknown"],
                listed=_pair(value["catalogue_provider"], value["catalogue_model"]),
                filed=_pair(value["file_provider"], value["file_pattern"]),
                variant=value["variant"],
            )
        )
    return found


def _pair(provider: str | None, model: str | None) -> tuple[str, str] | None:
    return None if model is None else (provider or "", model)


def write(connection: duckdb.DuckDBPyConnection, tables: PriceTables) -> None:
    """Fill schema `plan` with the tables, and with what changed since the publication that the candidate was copied from."""
    _insert(connection, "price", _PRICE_COLUMNS, [_fields(price, _PRICE_COLUMNS) for price in tables.prices])
    _insert(
        connection,
        "model_name",
        _NAME_COLUMNS,
        [
            (
                r.names.provider,
                r.names.model,
                r.names.response_model,
                r.names.service_tier,
                r.price_key,
                r.provider,
                r.model,
                r.rule,
                r.is_tier_unknown,
                *(r.listed or (None, None)),
                *(r.filed or (None, None)),
                r.variant,
            )
            for r in tables.resolutions
        ],
    )
    _insert(
        connection,
        "price_set",
        _PRICE_SET_COLUMNS,
        [
            (
                s.price_set_id,
                s.price_key,
                s.valid_from,
                s.valid_to,
                s.daily_from_s,
                s.daily_to_s,
                s.above_input_tokens,
                s.up_to_input_tokens,
                *(None if rate is None else f"{rate:f}" for rate in s.rates),
                *(name in s.guessed for name in GUESSABLE),
                s.is_free,
            )
            for s in tables.price_sets
        ],
    )
    _insert(
        connection, "service_rate", _RATE_COLUMNS, [_fields(rate, _RATE_COLUMNS) for rate in tables.rates]
    )
    _insert(
        connection,
        "rate_set",
        _RATE_SET_COLUMNS,
        [_fields(rate, _RATE_SET_COLUMNS) for rate in tables.rate_sets],
    )
    _insert(connection, "credit_price", _CREDIT_PRICE_COLUMNS, tables.credit_prices)
    for name, (dimension, columns) in _COMPARED.items():
        _write_changes(connection, name, dimension, columns)


def has_changes(connection: duckdb.DuckDBPyConnection) -> bool:
    """True where prices or rates of earlier spans may differ from what was published."""
    return any(
        connection.execute(f"select count(*) from plan.changed_{name}").fetchall()[0][0] for name in _COMPARED
    )


def _write_changes(
    connection: duckdb.DuckDBPyConnection, name: str, dimension: str, columns: Sequence[str]
) -> None:
    """`plan.changed_<name>`: rows that are new, gone or different. Names seen for the first time change nothing published."""
    listed = ", ".join(map(identifier, columns))
    target = f"plan.changed_{name}"
    if not _exists(connection, dimension):
        connection.execute(f"create table {target} as select {listed} from plan.{name} limit 0")
        return
    gone = f"select {listed} from dimensions.{dimension} except select {listed} from plan.{name}"
    new = f"select {listed} from plan.{name} except select {listed} from dimensions.{dimension}"
    if name == "model_name":
        changes = gone  # a name without its like in the last publication has no span there
    elif name == "price_set":
        new = f"select {listed} from plan.{name} where price_key in (select price_key from dimensions.dim_model_name)"
        changes = f"({gone}) union all ({new} except select {listed} from dimensions.{dimension})"
    else:
        changes = f"({gone}) union all ({new})"
    connection.execute(f"create table {target} as {changes}")


def _exists(connection: duckdb.DuckDBPyConnection, dimension: str) -> bool:
    query = "select count(*) from duckdb_tables() where schema_name = 'dimensions' and table_name = ?"
    return bool(connection.execute(query, [dimension]).fetchall()[0][0])


def _fields(row: object, columns: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in columns)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    """Create `plan.<table>` and fill it. Values travel as text, column by column: exact, and 20 times as fast as row by row."""
    declared = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"create table plan.{table} ({declared})")
    if not rows:
        return
    texts = [
        [None if value is None else str(value) for value in column] for column in zip(*rows, strict=True)
    ]
    values = ", ".join(f"unnest(?::varchar[])::{kind}" for kind in columns.values())
    connection.execute(f"insert into plan.{table} select {values}", texts)
