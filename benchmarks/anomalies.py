"""How well `mart_analytics__anomalies` tells planted anomalies from noise: recall and false alarms on generated days.

Runs the model's own SQL over made-up daily usage: workspaces with weekdays, growth, days that are busy as a whole, and calls whose prices
vary. `python -m benchmarks.anomalies` prints the figures; the same seed gives the same ones.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace

import duckdb
import jinja2

from orchestration.settings import REPOSITORY

FIRST_DAY, DAYS = date(2026, 1, 1), 150
WORKSPACES, RESOURCES, MODELS, KEYS = 6, 12, 5, 4
#: Kinds of planted anomalies, with how often each is planted.
KINDS = ("calls x2", "calls x4", "cost per call x3", "outage", "new runaway key")
PLANTS_PER_KIND = 12
#: Planted days have as much history as a fresh deployment lacks, and lie within the days that are judged.
FIRST_PLANT = DAYS - 85


@dataclass(frozen=True)
class Plant:
    """One planted anomaly: what is odd, and where it must be seen."""

    kind: str
    day: int
    workspace: int
    resource: int

    @property
    def usage_date(self) -> date:
        """Its day."""
        return FIRST_DAY + timedelta(days=self.day)


def plants(chance: random.Random) -> list[Plant]:
    """Planted anomalies, at most one per workspace and day."""
    found: dict[tuple[int, int], Plant] = {}
    for kind in KINDS:
        for _ in range(PLANTS_PER_KIND):
            while True:
                day, workspace = chance.randrange(FIRST_PLANT, DAYS - 1), chance.randrange(WORKSPACES)
                if (day, workspace) not in found:
                    break
            # The larger half of the resources: nobody is to be told of a doubling from two calls to four.
            found[day, workspace] = Plant(kind, day, workspace, chance.randrange(RESOURCES // 2))
    return list(found.values())


def usage(seed: int, planted: list[Plant]) -> Iterator[tuple[object, ...]]:
    """Rows of fct_usage_daily, as far as the model reads them."""
    chance = random.Random(seed)  # noqa: S311 - made-up data, the same for a seed
    odd = {(plant.day, plant.workspace): plant for plant in planted}
    for workspace in range(WORKSPACES):
        weekend = chance.choice((0.05, 0.3, 0.9))
        growth = chance.choice((-0.002, 0.0, 0.003, 0.006))
        for day in range(DAYS):
            usage_date = FIRST_DAY + timedelta(days=day)
            level = math.exp(growth * day) * (weekend if usage_date.isoweekday() > 5 else 1.0)
            busy = chance.lognormvariate(0, 0.12)
            plant = odd.get((day, workspace))
            for resource in range(RESOURCES):
                usual = 400 / (resource + 1) * level * busy * chance.lognormvariate(0, 0.12)
                calls = max(0, round(chance.gauss(usual, math.sqrt(usual) * 1.3)))
                price = 0.004 * (1 + resource % MODELS) * chance.lognormvariate(0, 0.1)
                key = resource % KEYS
                if plant is not None and plant.resource == resource:
                    if plant.kind.startswith("calls"):
                        calls = max(calls, round(usual)) * int(plant.kind[-1])
                    elif plant.kind.startswith("cost"):
                        price *= 3
                    elif plant.kind == "outage":
                        calls = 0
                    else:
                        calls += 1500
                        key = 99
                if calls:
                    cost = sum(price * chance.expovariate(1) for _ in range(min(calls, 400)))
                    cost *= calls / min(calls, 400)
                    yield (
                        usage_date, f"ws_{workspace}", "acme", f"model-{resource % MODELS}", "AI Model", f"r{resource}",
                        f"Resource {resource}", f"k{key}", f"Key {key}", calls, f"{cost:.12f}", "0",
                    )  # fmt: skip


def model_sql() -> str:
    """The model's SQL, its references as plain names."""
    project = REPOSITORY / "dbt_project"
    macros = "".join(
        (project / f"macros/{name}.sql").read_text(encoding="utf-8") for name in ("engine", "anomalies")
    )
    model = (project / "models/marts/analytics/mart_analytics__anomalies.sql").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - SQL
    # As dbt dispatches: the macro of the engine by its prefix.
    adapter = SimpleNamespace(dispatch=lambda name, _: getattr(of_engine, f"duckdb__{name}"))
    environment.globals["adapter"] = adapter
    of_engine = environment.from_string(macros).module
    return environment.from_string(macros + model).render(
        ref=lambda name: name, config=lambda **_: "", adapter=adapter
    )


def measure(seed: int = 7) -> dict[str, object]:
    """Plant, run the model, count."""
    chance = random.Random(seed)  # noqa: S311 - made-up data, the same for a seed
    planted = plants(chance)
    with duckdb.connect() as connection:
        connection.execute("""
            create table fct_usage_daily (
                usage_date date, workspace_id varchar, provider varchar, model varchar, service varchar, resource_id varchar,
                resource_name varchar, api_key_id varchar, api_key_name varchar, call_count bigint,
                total_cost_usd decimal(38, 12), external_cost_usd decimal(38, 12)
            )
        """)
        columns = [list(column) for column in zip(*usage(seed, planted), strict=True)]
        connection.execute(
            f"insert into fct_usage_daily select {', '.join(['unnest(?)'] * len(columns))}", columns
        )
        started = time.process_time()
        rows = connection.execute(
            f"select usage_date, workspace_id, dimension, dimension_key, measure from ({model_sql()})"
        ).fetchall()
        seconds = time.process_time() - started
    seen = {(row[0], row[1]) for row in rows}
    recall = {
        kind: sum(
            (plant.usage_date, f"ws_{plant.workspace}") in seen for plant in planted if plant.kind == kind
        )
        for kind in KINDS
    }
    odd = {(plant.usage_date, f"ws_{plant.workspace}") for plant in planted}
    judged = WORKSPACES * (DAYS - FIRST_PLANT)
    return {
        "planted": len(planted),
        "found": sum(recall.values()),
        "found_by_kind": {kind: f"{count} of {PLANTS_PER_KIND}" for kind, count in recall.items()},
        "workspace_days_without_plant": judged - len(odd),
        "false_alarm_days": len(seen - odd),
        "rows": len(rows),
        "cpu_seconds": round(seconds, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anomalies", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=[7])
    for number in parser.parse_args().seeds:
        print(json.dumps(measure(number), indent=2))
