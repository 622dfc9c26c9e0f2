"""A data folder of its own and the stages of a night on it, for every test that runs nights.

What belongs here: dropping files, running stages (with Dagster or without), reading and comparing what came out. What does
not: expectations. dbt parses its project anew whenever the path of its database changes, which costs seconds, so all tests of
a process work in one folder that `Warehouse.clear` empties, dbt's parse cache excepted.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from orchestration import cli, night, sql
from orchestration.landing.ingest import IngestReport
from orchestration.publication import lock, publish
from orchestration.publication.candidate import Plan
from orchestration.publication.publish import Publication
from orchestration.quality import runner
from orchestration.quality.results import blocking_failures
from orchestration.settings import Settings
from orchestration.warehouse import dbt

Row = dict[str, Any]

COMPARED_SCHEMAS = ("dimensions", "facts", "marts")
DIRECTORY_COLUMNS = (
    "workspace_id, run_id, usage_date, has_run, parent_run_id, started_at, version_at, lake_date"
)
"""Of int_runs__directory: what follows from the data. Batch numbers and what was known the night before are bookkeeping."""
DATE_COLUMNS = {"mart_details__child_runs": "parent_usage_date"}
"""Where a row's date is not `usage_date`: a child's row in its parent's sheet belongs to the parent's day."""


def at(text: str) -> datetime:
    """A UTC time from '2026-10-01 12:30' (seconds optional)."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """A time as exports write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def jsonl(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON Lines; fields that are None are left out."""
    lines = [json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False) for row in rows]
    return "".join(line + "\n" for line in lines).encode()


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The document that `--json` printed."""
        return json.loads(self.out)


class Warehouse:
    """One data folder under test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = Settings(data_dir=root / "data", settle_seconds=0.0, threads=1)

    # -- files -----------------------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Empty the data folder; dbt's parse cache stays, for speed alone."""
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        for entry in self.settings.data_dir.iterdir():
            if entry == self.settings.dbt_target_dir:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def save(self, name: str) -> Path:
        """Copy the data folder aside, under a name."""
        target = self.root / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.settings.data_dir, target, ignore=shutil.ignore_patterns("dbt", ".lock"))
        return target

    def restore(self, saved: Path) -> None:
        """Put the data folder back to what `save` copied."""
        self.clear()
        shutil.copytree(saved, self.settings.data_dir, dirs_exist_ok=True)

    def drop(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Write rows as a landing file; `.gz` in the name compresses it."""
        content = jsonl(rows)
        return self.drop_bytes(name, gzip.compress(content, mtime=0) if name.endswith(".gz") else content)

    def drop_bytes(self, name: str, content: bytes) -> Path:
        """Write a landing file as it is."""
        path = self.settings.landing_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    # -- a night without Dagster -----------------------------------------------------------------------------------------------

    def land(self) -> IngestReport:
        """Land what is new."""
        return night.land(self.settings)

    def build(self, *, full: bool = False, dates: Sequence[date] = (), with_tests: bool = True) -> Plan:
        """Prepare a candidate and build it; without dbt's tests it takes half the time."""
        plan = night.prepare(self.settings, run_id="test", requested_dates=dates, full=full)
        if not plan.is_empty:
            args = dbt.NIGHTLY_ARGS if with_tests else ("run",)
            with mock.patch.object(dbt, "NIGHTLY_ARGS", args):
                built = night.build(self.settings)
            broken = [f"{node.name}: {node.message}" for node in built.nodes if node.is_blocking_failure]
            assert not broken, f"models or dbt tests fail on valid input: {broken}"
        return plan

    def publish(self, *, suites: bool = True) -> Publication:
        """Publish the candidate; without the suites where a test is not about them (they cost a second)."""
        if suites:
            return night.release(self.settings)
        with mock.patch.object(runner, "run_suites", lambda *_, **__: []):
            return night.release(self.settings)

    def night(
        self, *, full: bool = False, dates: Sequence[date] = (), with_tests: bool = True, suites: bool = False
    ) -> Publication | None:
        """All stages; None when there was nothing to do."""
        self.land()
        if self.build(full=full, dates=dates, with_tests=with_tests).is_empty:
            return None
        return self.publish(suites=suites)

    def render(self) -> None:
        """Render the site from what is published."""
        from orchestration.site import render_site

        render_site(self.settings)

    # -- a night as operators run it -------------------------------------------------------------------------------------------

    def nightly(self, **options: Any) -> Any:
        """The nightly Dagster job in this process: a NightResult."""
        from orchestration.defs.run import run_nightly

        return run_nightly(self.settings, **options)

    def environment(self, **more: str) -> dict[str, str]:
        """Variables for a process that works on this data folder."""
        own = {
            "CREDIT_USAGE_DATA_DIR": str(self.settings.data_dir),
            "CREDIT_USAGE_SETTLE_SECONDS": "0",
            "CREDIT_USAGE_THREADS": "1",
            "CREDIT_USAGE_CONFIG": "",
        }
        return {**os.environ, **own, **more}

    def cli(self, *args: str, stdin: str = "", **environment: str) -> Outcome:
        """`credit-usage` as an operator calls it, in this process: entry point, exit code, both streams."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(**environment), clear=True),
            mock.patch.object(sys, "argv", ["credit-usage", *args]),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                cli.main()
                code: Any = 0
            except SystemExit as done:
                code = done.code
            finally:
                self.release_lock()
        return Outcome(
            code if isinstance(code, int) else 0 if code is None else 1, out.getvalue(), err.getvalue()
        )

    def release_lock(self) -> None:
        """Give the lock back that a command holds until its process ends."""
        held = lock._held.pop(lock._path(self.settings.data_dir), None)
        if held is not None:
            held.close()

    # -- looking ---------------------------------------------------------------------------------------------------------------

    def query(self, statement: str, database: Path | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query on the published file."""
        with sql.connect(
            self.settings, database or self.settings.published_path, read_only=True
        ) as connection:
            return connection.execute(statement).fetchall()

    def one(self, statement: str) -> Any:
        """The single value of a query."""
        ((value,),) = self.query(statement)
        return value

    def with_settings(self, **changes: Any) -> Warehouse:
        """The same folder under other settings."""
        other = Warehouse(self.root)
        other.settings = replace(self.settings, **changes)
        return other

    def failed_checks(self) -> list[str]:
        """Names of blocking checks that failed beside the candidate."""
        checks = [
            *night._read(self.settings, "build.json"),
            *(night._read(self.settings, "audit.json") or []),
        ]
        return [check.name for check in blocking_failures(publish.CheckResult.from_dict(c) for c in checks)]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def times(folder: Path) -> dict[str, int]:
    """Modification time of every file below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def tables(warehouse: Warehouse, database: Path) -> dict[str, tuple[str, str]]:
    """Everything that must be equal between two warehouses: name → (query, date column)."""
    found = warehouse.query(
        "select table_schema, table_name, list(column_name order by ordinal_position) from information_schema.columns "
        f"where table_schema in {COMPARED_SCHEMAS} group by all order by all",
        database,
    )
    result = {}
    for schema, name, columns in found:
        day = DATE_COLUMNS.get(name, "usage_date" if "usage_date" in columns else "")
        result[name] = (f"select {', '.join(columns)} from {{db}}.{schema}.{name}", day)
    result["int_runs__directory"] = (
        f"select {DIRECTORY_COLUMNS} from {{db}}.intermediate.int_runs__directory",
        "usage_date",
    )
    return result


def differences(
    warehouse: Warehouse, left: Path, right: Path, *, outside: Sequence[date] | None = None
) -> list[str]:
    """Rows that only one of two warehouse files has, over all compared tables; with `outside`, only of other dates than these."""
    left_tables, right_tables = tables(warehouse, left), tables(warehouse, right)
    if left_tables != right_tables:
        return [
            f"the tables themselves differ: {sorted(set(left_tables.items()) ^ set(right_tables.items()))}"
        ]
    assert len(left_tables) > 20, "a comparison of no tables proves nothing"
    found = []
    with sql.connect(warehouse.settings) as connection:
        connection.execute(f"attach {sql.literal(left)} as l (read_only)")
        connection.execute(f"attach {sql.literal(right)} as r (read_only)")
        for name, (query, day) in left_tables.items():
            where = ""
            if outside is not None:
                if not day:
                    continue
                where = (
                    f" where {day} not in ({', '.join(f'date {sql.literal(d)}' for d in outside)})"
                    if outside
                    else ""
                )
            sides = {side: query.format(db=side) + where for side in ("l", "r")}
            for one, other in (("l", "r"), ("r", "l")):
                rows = connection.execute(f"({sides[one]}) except all ({sides[other]}) limit 3").fetchall()
                if rows:
                    found.append(f"{name}: only {'left' if one == 'l' else 'right'} has {rows}")
    return found


def changed_dates(warehouse: Warehouse, left: Path, right: Path) -> set[date]:
    """Dates on which any compared table differs."""
    result: set[date] = set()
    with sql.connect(warehouse.settings) as connection:
        connection.execute(f"attach {sql.literal(left)} as l (read_only)")
        connection.execute(f"attach {sql.literal(right)} as r (read_only)")
        for query, day in tables(warehouse, right).values():
            if day:
                a, b = query.format(db="l"), query.format(db="r")
                result |= {
                    row[0]
                    for row in connection.execute(
                        f"select distinct {day} from ((({a}) except all ({b})) union all (({b}) except all ({a})))"
                    ).fetchall()
                }
    return result


# -- rows ----------------------------------------------------------------------------------------------------------------------


def run_row(run_id: str, started: datetime, *, workspace: str = "ws_a", **fields: Any) -> Row:
    """A completed prompt run of 10 s, unless `fields` say otherwise."""
    row: Row = {
        "run_id": run_id,
        "workspace_id": workspace,
        "run_type": "prompt",
        "resource_id": "p1",
        "resource_name": "Greeting",
        "status": "completed",
        "started_at": stamp(started),
        "completed_at": stamp(datetime.fromtimestamp(started.timestamp() + 10, UTC)),
        "api_key_name": "default",
        "user_id": "user-1",
    }
    row.update(fields)
    row.setdefault("updated_at", row["completed_at"] or row["started_at"])
    return row


def call_row(run_id: str, span_id: str, started: datetime, *, workspace: str = "ws_a", **fields: Any) -> Row:
    """A priced completion of 2 s, unless `fields` say otherwise."""
    row: Row = {
        "run_id": run_id,
        "workspace_id": workspace,
        "span_id": span_id,
        "name": "chat",
        "kind": "completion",
        "service": "AI Model",
        "provider": "openai",
        "model": "gpt-5",
        "status": "completed",
        "started_at": stamp(started),
        "ended_at": stamp(datetime.fromtimestamp(started.timestamp() + 2, UTC)),
        "input_tokens": 1000,
        "output_tokens": 50,
        "provider_cost_usd": "0.0125",
        "task_credits": 1,
    }
    row.update(fields)
    return row


def three_days() -> tuple[list[Row], list[Row]]:
    """Runs and spans of 1 to 3 October 2026 in two workspaces: an agent with a child on the next day, an unpriced call, an orphan."""
    runs = [
        run_row("req_1", at("2026-10-01 09:00")),
        run_row("req_2", at("2026-10-02 09:00"), user_id="user-2"),
        run_row(
            "req_3", at("2026-10-03 09:00"), status="failed", error_message="boom", charge_type="personal"
        ),
        run_row(
            "req_agent",
            at("2026-10-01 23:50"),
            run_type="agent",
            resource_id="a1",
            resource_name="Researcher",
        ),
        run_row(
            "req_child",
            at("2026-10-02 00:10"),
            run_type="workflow",
            resource_id="w1",
            parent_run_id="req_agent",
        ),
        run_row("req_b", at("2026-10-03 02:00"), workspace="ws_b", user_id=None),
    ]
    spans = [
        call_row("req_1", "s1", at("2026-10-01 09:00:01")),
        call_row("req_2", "s1", at("2026-10-02 09:00:01"), provider_cost_usd=None),
        call_row("req_3", "s1", at("2026-10-03 09:00:01"), status="failed", charge_type="personal"),
        call_row("req_agent", "s1", at("2026-10-01 23:50:01"), provider_cost_usd="0.3"),
        call_row("req_child", "s1", at("2026-10-02 00:10:01"), provider_cost_usd="0.7"),
        call_row(
            "req_child",
            "s2",
            at("2026-10-02 00:10:02"),
            kind="tool",
            name="search",
            service="Google Search",
            model=None,
            input_tokens=None,
            output_tokens=None,
            provider_cost_usd=None,
            task_credits=2,
        ),
        call_row("req_b", "s1", at("2026-10-03 02:00:01"), workspace="ws_b"),
        call_row("req_lost", "s1", at("2026-10-02 12:00:00"), provider_cost_usd="0.05"),
    ]
    return runs, spans
