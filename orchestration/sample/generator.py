"""The day loop of the sample generator: set the day, run the SQL, write two files, carry late rows over.

What belongs here: order of work, arguments, counting. What does not: what rows look like (`rows.py`) and
how they are spelled (`export.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from orchestration.sample import catalogue, export, reference, rows
from orchestration.sample.export import FileFormat

if TYPE_CHECKING:
    import duckdb

_EPOCH = date(1970, 1, 1)
# Ids and keys leave room for this many families of runs a day.
_MAX_RUNS_PER_DAY = 10_000_000


@dataclass(frozen=True)
class SampleReport:
    """What was written. Rows count what the files hold; runs, spans, tokens and cost count every id once."""

    out_dir: Path
    files: int
    size_bytes: int
    run_rows: int
    span_rows: int
    #: Distinct run ids.
    runs: int
    #: Distinct span ids.
    spans: int
    #: Sum of the reported provider cost over distinct spans, exact; late and orphan spans included.
    provider_cost_usd: Decimal
    #: Sum of the task credits over distinct spans.
    task_credits: Decimal
    input_tokens: int
    output_tokens: int
    image_tokens: int

    @property
    def total_tokens(self) -> int:
        """Input + output + image tokens over distinct spans."""
        return self.input_tokens + self.output_tokens + self.image_tokens


def generate(
    out_dir: Path,
    *,
    start: date,
    days: int,
    runs_per_day: int = 200,
    workspaces: int = 3,
    seed: int = 7,
    file_format: FileFormat = "jsonl",
    late: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> SampleReport:
    """Write the nightly exports of `days` days from `start` to `out_dir/<day>/runs.<ext>` and `spans.<ext>`.

    The same arguments give the same bytes (on one DuckDB version), and more days never change the files of
    earlier days.
    `late=False` leaves out everything that arrives late, twice or never: each row loads, none is a duplicate.
    `progress` is called with (day, days done, days in all) after each day. Existing files of the same names
    are replaced. Raises ValueError for an argument out of range.
    """
    import duckdb  # noqa: PLC0415 - the command line must start without it

    _check(start, days, runs_per_day, workspaces, file_format)
    totals = [Decimal(0)] * 9
    size_bytes = 0
    with duckdb.connect(":memory:") as connection:
        # Parallel sorts and writers would be free to split files differently; two threads gain nothing on a
        # day's rows.
        connection.execute("set threads = 1")
        connection.execute("set TimeZone = 'UTC'")
        reference.load(connection, workspaces=workspaces, seed=seed)
        for name, value in (
            ("late", late),
            ("workspaces", workspaces),
            ("users", catalogue.USERS_PER_WORKSPACE),
        ):
            connection.execute(f"set variable {name} = {value}")
        for number in range(days):
            day = start + timedelta(days=number)
            connection.execute(f"set variable epoch_day = {(day - _EPOCH).days}")
            connection.execute(f"set variable root_runs = {_root_runs(day, number, runs_per_day)}")
            for statement in rows.DAY_STATEMENTS:
                connection.execute(statement)
            _take_delivery(connection, is_first=number == 0)
            folder = out_dir / day.isoformat()
            folder.mkdir(parents=True, exist_ok=True)
            for entity in export.ENTITIES:
                path = folder / f"{entity}.{file_format}"
                export.write(connection, entity, path, file_format)
                size_bytes += path.stat().st_size
            row = connection.execute(_COUNT).fetchone()
            assert row is not None  # noqa: S101 - an aggregate always returns a row
            totals = [total + Decimal(value) for total, value in zip(totals, row, strict=True)]
            if progress is not None:
                progress(day.isoformat(), number + 1, days)
    return SampleReport(
        out_dir=out_dir,
        files=2 * days,
        size_bytes=size_bytes,
        run_rows=int(totals[0]),
        span_rows=int(totals[1]),
        runs=int(totals[2]),
        spans=int(totals[3]),
        provider_cost_usd=totals[4],
        task_credits=totals[5],
        input_tokens=int(totals[6]),
        output_tokens=int(totals[7]),
        image_tokens=int(totals[8]),
    )


def _check(start: date, days: int, runs_per_day: int, workspaces: int, file_format: str) -> None:
    if start < _EPOCH:
        raise ValueError(f"start must not be before {_EPOCH}, got {start}")
    if days < 1:
        raise ValueError(f"days must be at least 1, got {days}")
    if not 1 <= runs_per_day <= _MAX_RUNS_PER_DAY:
        raise ValueError(f"runs_per_day must be 1 to {_MAX_RUNS_PER_DAY}, got {runs_per_day}")
    if not 1 <= workspaces <= len(catalogue.WORKSPACES):
        raise ValueError(f"workspaces must be 1 to {len(catalogue.WORKSPACES)}, got {workspaces}")
    if file_format not in get_args(FileFormat):
        raise ValueError(f"file_format must be one of {', '.join(get_args(FileFormat))}, got {file_format!r}")


def _root_runs(day: date, number: int, runs_per_day: int) -> int:
    """How many runs start a family that day: the weekday's share, growing slowly from the first day."""
    factor = catalogue.WEEKDAY_FACTORS[day.weekday()] * (1 + catalogue.DAILY_GROWTH * number)
    return max(1, round(runs_per_day * catalogue.ROOT_RUN_SHARE * factor))


def _take_delivery(connection: duckdb.DuckDBPyConnection, *, is_first: bool) -> None:
    """Split the day's rows into this night's export (with what the day before held back) and the next."""
    for entity in ("run", "span"):
        carried = "" if is_first else f" union all select * from carried_{entity}"
        connection.execute(
            f"create or replace temp table export_{entity} as"
            f" select * from day_{entity} where deliver = 0{carried};"
            f"create or replace temp table carried_{entity} as select * from day_{entity} where deliver = 1"
        )


_COUNT = """
select
    (select count(*) from export_run),
    count(*),
    (select count(*) from export_run where not is_repeat),
    count(*) filter (where not is_repeat),
    coalesce(sum(provider_cost_usd) filter (where not is_repeat), 0)::decimal(38, 12),
    coalesce(sum(task_credits) filter (where not is_repeat), 0)::decimal(38, 6),
    coalesce(sum(input_tokens) filter (where not is_repeat), 0)::bigint,
    coalesce(sum(output_tokens) filter (where not is_repeat), 0)::bigint,
    coalesce(sum(image_tokens) filter (where not is_repeat), 0)::bigint,
from export_span
"""
