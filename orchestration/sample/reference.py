"""Loads the catalogue into small DuckDB tables and defines the macros that the generating SQL shares.

What belongs here: everything that is the same for all days of one export. What does not: rows of runs and
spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orchestration.sample import catalogue

if TYPE_CHECKING:
    import duckdb

# The pseudo-randomness of everything: a pure function of (seed, salt, a, b), so that a row never depends on
# how many rows were made before it. One hash() is not enough: it combines its arguments linearly, and
# neighbouring keys come out correlated.
MACROS = """
create macro h(a, b, salt) as
    hash(hash(getvariable('seed')::bigint, salt, a::bigint, b::bigint));
create macro u(a, b, salt) as
    (h(a, b, salt) >> 11)::double / 9007199254740992.0;
create macro gauss(a, b, salt) as
    sqrt(-2 * ln(1 - u(a, b, salt || '/radius'))) * cos(2 * pi() * u(a, b, salt || '/angle'));
create macro zipf(n, x) as
    least(n, floor(pow(n + 1, x))::bigint);
create macro pick(list, x) as
    list[1 + floor(x * len(list))::bigint];
create macro hex16(a, b, salt) as
    format('{:016x}', h(a, b, salt));
create macro exact(amount) as
    rtrim(rtrim(amount::varchar, '0'), '.');
create macro iso(moment, style) as
    case
        when style < 74 then strftime(moment, '%Y-%m-%dT%H:%M:%S.%g') || 'Z'
        when style < 88 then strftime(moment + interval 2 hour, '%Y-%m-%dT%H:%M:%S.%g') || '+02:00'
        when style < 94 then strftime(moment - interval 5 hour, '%Y-%m-%dT%H:%M:%S.%f') || '-05:00'
        when style < 97 then strftime(moment + interval 330 minute, '%Y-%m-%dT%H:%M:%S.%g') || '+05:30'
        else strftime(moment, '%Y-%m-%dT%H:%M:%S.%g') || '+00:00'
    end;
"""

# Which (workspace, supplier) pairs run on the customer's own key: a fixed lattice rather than a draw, so
# that three workspaces already show hosted, personal and, through workflows that use several suppliers,
# mixed runs.
_PERSONAL = "(ref_workspace.workspace_no * 7 + {supplier} * 3) % 10 < 3"

_DERIVED = f"""
create temp table ref_charge as
select
    ref_workspace.workspace_no,
    supplier.supplier,
    case when supplier.has_personal and {_PERSONAL.format(supplier="supplier.supplier_no")}
        then 'personal' else 'hosted' end as charge_type,
from ref_workspace
cross join (
    select provider as supplier, provider_no as supplier_no, provider <> 'house' as has_personal
    from (select distinct provider, provider_no from ref_model)
    union all
    select service, service_no + 4, personal_cost_usd is not null from ref_service
) as supplier;

create temp table ref_workspace_resource as
select
    ref_workspace.workspace_no,
    ref_resource.run_type,
    ref_resource.resource_no,
    ref_workspace.workspace_no * 1000 + ref_resource.type_no * 100 + ref_resource.resource_no as resource_key,
    ref_resource.prefix || '_' || left(hex16(ref_workspace.workspace_no,
        ref_resource.type_no * 100 + ref_resource.resource_no, 'resource id'), 12) as resource_id,
    ref_resource.resource_name,
from ref_workspace
cross join ref_resource;

create temp table ref_workspace_key as
select
    ref_workspace.workspace_no,
    ref_key.key_no,
    'key_' || left(hex16(ref_workspace.workspace_no, ref_key.key_no, 'key id'), 12) as api_key_id,
    ref_key.api_key_name,
from ref_workspace
cross join ref_key;

-- One entry per unit of weight: a weighted pick is then one list look-up.
set variable hours = (select list(hour order by hour) from ref_hour, range(weight));
set variable completion_models =
    (select list(model_no order by model_no) from ref_model, range(weight) where kind = 'completion');
set variable services = (select list(service_no order by service_no) from ref_service, range(weight));
"""


def load(connection: duckdb.DuckDBPyConnection, *, workspaces: int, seed: int) -> None:
    """Create macros and reference tables for an export of this many workspaces."""
    connection.execute(f"set variable seed = {seed}::bigint")
    connection.execute(MACROS)
    _table(
        connection,
        "ref_workspace(workspace_no bigint, workspace_id varchar)",
        ((number, entry[0]) for number, entry in enumerate(catalogue.WORKSPACES[:workspaces], 1)),
    )
    _table(
        connection,
        "ref_resource(type_no bigint, run_type varchar, prefix varchar, resource_no bigint,"
        " resource_name varchar)",
        (
            (type_no, run_type, catalogue.RESOURCE_ID_PREFIXES[run_type], number, name)
            for type_no, (run_type, names) in enumerate(catalogue.RESOURCES.items(), 1)
            for number, name in enumerate(names, 1)
        ),
    )
    _table(connection, "ref_key(key_no bigint, api_key_name varchar)", enumerate(catalogue.API_KEYS, 1))
    _table(connection, "ref_hour(hour bigint, weight bigint)", enumerate(catalogue.HOUR_WEIGHTS))
    _load_models(connection)
    _table(
        connection,
        "ref_service(service_no bigint, service varchar, span_name varchar, weight bigint,"
        " hosted_credits bigint,"
        " personal_credits bigint, personal_cost_usd decimal(38, 12), median_ms bigint)",
        (
            (
                number, item.name, item.span_name, item.weight, item.hosted_credits, item.personal_credits,
                item.personal_cost_usd, item.median_ms,
            )
            for number, item in enumerate(catalogue.SERVICES, 1)
        ),
    )  # fmt: skip
    for name in ("collaborators", "internal_tools", "plans", "campaigns"):
        connection.execute(f"set variable {name} = $1", [list(getattr(catalogue, name.upper()))])
    connection.execute(_DERIVED)


def _load_models(connection: duckdb.DuckDBPyConnection) -> None:
    providers = list(dict.fromkeys(item.provider for item in catalogue.MODELS))
    prices = (
        "input_price",
        "cached_price",
        "cache_write_price",
        "output_price",
        "citation_price",
        "image_price",
        "audio_price",
    )
    _table(
        connection,
        "ref_model(model_no bigint, provider_no bigint, provider varchar, model varchar, kind varchar,"
        " weight bigint,"
        " cached_pct bigint, cache_write_pct bigint, reasoning_pct bigint, base_ms bigint, token_ms double,"
        " is_priced boolean, " + ", ".join(f"{name} decimal(38, 12)" for name in prices) + ")",
        (
            (
                number, providers.index(item.provider), item.provider, item.name, item.kind, item.weight,
                item.cached_pct, item.cache_write_pct, item.reasoning_pct, item.base_ms, item.token_ms,
                item.input_price is not None, *(item.price_per_token(getattr(item, name) or "0") for name in
                prices),
            )
            for number, item in enumerate(catalogue.MODELS, 1)
        ),
    )  # fmt: skip


def _table(connection: duckdb.DuckDBPyConnection, definition: str, rows: Iterable[Sequence[object]]) -> None:
    """Create a reference table and fill it; a handful of rows each."""
    connection.execute(f"create temp table {definition}")
    values = [list(row) for row in rows]
    name = definition.split("(", 1)[0]
    connection.executemany(f"insert into {name} values ({', '.join('?' * len(values[0]))})", values)
