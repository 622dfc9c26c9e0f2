"""Nights for tests of the warehouse: land rows, build the candidate with dbt, publish it unaudited,
compare two warehouses.

The audit is left out, so that a test sees what the models alone do. What does not belong here: assertions
about single models, which are dbt unit tests.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from orchestration import sql
from orchestration.landing.ingest import ingest
from orchestration.landing.lake import Lake, Manifest
from orchestration.publication import candidate, publish
from orchestration.publication.candidate import Plan
from orchestration.settings import Settings, load
from orchestration.warehouse import dbt
from orchestration.warehouse.dbt import NodeResult

Row = Mapping[str, Any]

#: What readers see. Schema `intermediate` holds bookkeeping (which night changed a run) that may differ
#: between equal warehouses.
PUBLIC_SCHEMAS = ("dimensions", "facts", "marts")


@dataclass(frozen=True)
class Night:
    """One build and what dbt said of it."""

    plan: Plan
    results: list[NodeResult]
    touched_dates: list[date]

    @property
    def failures(self) -> list[str]:
        """Names and messages of models and tests that would have blocked publication."""
        return [f"{item.name}: {item.message}" for item in self.results if item.is_blocking_failure]


@dataclass
class Nights:
    """A data folder on which nights are run one after the other."""

    data_dir: Path
    config: str = ""
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.configure(self.config)

    def configure(self, config: str) -> None:
        """Change the settings file; the next night reads it."""
        self.config = config
        config_path = self.data_dir / "credit_usage.toml"
        config_path.write_text(config, encoding="utf-8")
        self.settings = load({}, config_path, data_dir=self.data_dir, settle_seconds=0.0)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """A query on the published file."""
        with sql.connect(self.settings, self.settings.published_path, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def land(self, name: str, *, runs: Iterable[Row] = (), spans: Iterable[Row] = ()) -> None:
        """Drop an export of runs and one of spans."""
        self.settings.landing_dir.mkdir(parents=True, exist_ok=True)
        for entity, rows in (("runs", runs), ("spans", spans)):
            lines = [json.dumps(row) + "\n" for row in rows]
            if lines:
                path = self.settings.landing_dir / f"{name}-{entity}.jsonl"
                path.write_text("".join(lines), encoding="utf-8")

    def night(
        self,
        *,
        requested_dates: Sequence[date] = (),
        full: bool = False,
        args: Sequence[str] = dbt.NIGHTLY_ARGS,
    ) -> Night:
        """Land what is there, build the candidate and publish it, whatever the tests in dbt say."""
        plan, manifests = self.prepare(requested_dates=requested_dates, full=full)
        results = dbt.invoke(self.settings, args)
        publication = publish.publish(self.settings, plan, manifests, checks=[])
        return Night(plan, results, [date.fromisoformat(day) for day in publication.touched_dates])

    def prepare(
        self, *, requested_dates: Sequence[date] = (), full: bool = False
    ) -> tuple[Plan, list[Manifest]]:
        """Land what is there and make a candidate that dbt can build in."""
        ingest(self.settings)
        manifests = Lake(self.settings.lake_dir).manifests()
        plan = candidate.make_plan(self.settings, manifests, requested_dates=requested_dates, full=full)
        candidate.prepare(self.settings, plan, manifests)
        return plan, manifests

    def rebuilt(self, data_dir: Path) -> Nights:
        """A second folder with the same lake, on which nothing was built yet."""
        shutil.copytree(self.settings.lake_dir, data_dir / "lake")
        shutil.copytree(self.settings.landing_dir, data_dir / "landing")
        return Nights(data_dir, self.config)


def differences(ours: Nights, theirs: Nights) -> dict[str, tuple[int, int]]:
    """Tables and views whose rows differ: name → (rows only in ours, rows only in theirs)."""
    with sql.connect(ours.settings) as connection:
        connection.execute(f"attach {sql.literal(ours.settings.published_path)} as ours (read_only)")
        connection.execute(f"attach {sql.literal(theirs.settings.published_path)} as theirs (read_only)")
        names = connection.execute(
            f"""
            select distinct table_schema, table_name
            from information_schema.tables
            where
                table_catalog in ('ours', 'theirs')
                and list_contains({sql.string_list(PUBLIC_SCHEMAS)}, table_schema)
            order by all
            """
        ).fetchall()
        result = {}
        for schema, table in names:
            name = f"{sql.identifier(schema)}.{sql.identifier(table)}"
            counts = [
                connection.execute(
                    f"select count(*) from (from {a}.{name} except all from {b}.{name})"
                ).fetchall()[0][0]
                for a, b in (("ours", "theirs"), ("theirs", "ours"))
            ]
            if any(counts):
                result[f"{schema}.{table}"] = (int(counts[0]), int(counts[1]))
        assert names, "two warehouses without a single table are not equal, they are missing"
        return result
