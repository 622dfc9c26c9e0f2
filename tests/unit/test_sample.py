"""The sample generator: same arguments, same bytes; every row within the landing contract; every advertised
situation there."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.sample import SampleReport, generate
from orchestration.sample.export import FileFormat

START = date(2026, 3, 2)
DAYS = 5
Row = dict[str, Any]

RUN_REQUIRED = ("run_id", "workspace_id", "run_type", "status", "started_at")
SPAN_REQUIRED = ("span_id", "run_id", "workspace_id", "name", "kind", "started_at")
STATUSES = {"queued", "running", "completed", "failed", "cancelled"}
SOURCES = {"dashboard", "api", "scheduled", "webhook", "agent", "experiment", "live"}
DELIVERIES = {"direct", "callback", "sync", "async"}
KINDS = {"run", "completion", "tool", "retrieval", "embedding", "image_generation", "step", "agent", "other"}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, f"{text} has no offset"
    return moment.astimezone(UTC)


def _read(folder: Path, entity: str, suffix: str = "jsonl") -> list[Row]:
    """All rows of an entity, with the day of the export that they came in."""
    rows = []
    for path in sorted(folder.glob(f"*/{entity}.{suffix}")):
        for line in path.read_text(encoding="utf-8").splitlines():
            rows.append(
                {**json.loads(line), "export_day": date.fromisoformat(path.parent.name), "line": line}
            )
    return rows


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _usage(span: Row) -> dict[str, int | None]:
    """Canonical input, cached, output, reasoning and audio tokens of a span in any of the shapes."""
    sent = span.get("input_tokens", span.get("prompt_tokens"))
    made = span.get("output_tokens", span.get("completion_tokens"))
    usage = {"audio": _integer(span.get("audio_input_tokens"))}
    for name, whole, part in (("input", sent, "cached"), ("output", made, "reasoning")):
        nested = (
            whole
            if isinstance(whole, dict)
            else {"total_tokens": whole, f"{part}_tokens": span.get(f"{part}_tokens")}
        )
        usage[name] = _integer(nested.get("total_tokens"))
        usage[part] = _integer(nested.get(f"{part}_tokens"))
        if name == "input" and isinstance(whole, dict) and "audio_tokens" in whole:
            usage["audio"] = _integer(whole["audio_tokens"])
    return usage


def _hashes(folder: Path, days: Iterable[int] = range(DAYS)) -> dict[str, str]:
    names = {(START + timedelta(days=number)).isoformat() for number in days}
    return {
        f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*"))
        if path.parent.name in names
    }


class Sample:
    """One generated folder, read once for all tests."""

    def __init__(self, folder: Path, report: SampleReport) -> None:
        self.folder = folder
        self.report = report
        self.runs = _read(folder, "runs")
        self.spans = _read(folder, "spans")


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("late")
    return Sample(folder, generate(folder, start=START, days=DAYS))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("clean")
    return Sample(folder, generate(folder, start=START, days=DAYS, late=False))


@pytest.fixture(params=["late", "clean"])
def sample(request: pytest.FixtureRequest) -> Sample:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Sample)
    return found


def test_same_arguments_same_bytes(late: Sample, tmp_path: Path) -> None:
    """Two generations with equal arguments must not differ in a byte, or the demo's numbers cannot be
    documented."""
    again = generate(tmp_path, start=START, days=DAYS)
    assert _hashes(tmp_path) == _hashes(late.folder)
    assert (again.provider_cost_usd, again.span_rows) == (
        late.report.provider_cost_usd,
        late.report.span_rows,
    )


def test_fewer_days_are_a_prefix(late: Sample, tmp_path: Path) -> None:
    """Asking for more days must not rewrite the exports of earlier days."""
    generate(tmp_path, start=START, days=3)
    assert _hashes(tmp_path) == _hashes(late.folder, range(3))


def test_seed_changes_the_data(late: Sample, tmp_path: Path) -> None:
    """Another seed gives other ids: none may be shared."""
    generate(tmp_path, start=START, days=1, seed=8)
    assert not {row["span_id"] for row in _read(tmp_path, "spans")} & {row["span_id"] for row in late.spans}


def test_late_off_changes_no_first_delivery(late: Sample, clean: Sample) -> None:
    """`late` moves, drops and repeats rows; the calls of an ordinary prompt run are the same with and
    without it."""
    prompts = {row["run_id"]: row["line"] for row in clean.runs if row["run_type"] == "prompt"}
    shared = [row for row in late.runs if row["run_id"] in prompts]
    assert len(shared) > 0.9 * len(prompts)
    assert all(prompts[row["run_id"]] == row["line"] for row in shared)


def test_runs_keep_the_contract(sample: Sample) -> None:
    """A run row outside the contract would be quarantined, and a sample must load whole."""
    for row in sample.runs:
        assert all(row.get(name) for name in RUN_REQUIRED), f"missing required field: {row}"
        assert row["run_type"] in {"prompt", "workflow", "agent"}
        assert row["status"] in STATUSES
        assert row["source"] in SOURCES
        assert row["delivery"] in DELIVERIES
        assert row.get("charge_type") in {None, "hosted", "personal"}
        started = _moment(row["started_at"])
        assert row["run_id"].startswith("req_")
        hexadecimal = row["run_id"].removeprefix("req_")
        assert len(hexadecimal) == 32
        assert hexadecimal[12] == "7", "not a version 7 UUID"
        assert hexadecimal[16] in "89ab", "not an RFC 9562 variant"
        milliseconds = round((started - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
        assert int(hexadecimal[:12], 16) == milliseconds, "the id's first 48 bits are not the request time"
        assert len(row["trace_id"]) == 32
        assert _moment(row["updated_at"]) >= started
        assert ("completed_at" in row) == (row["status"] != "running")
        if "completed_at" in row:
            assert _moment(row["completed_at"]) >= started
            assert _moment(row["updated_at"]) >= _moment(row["completed_at"])
        for value in row.get("user_metadata", {}).values():
            assert value is None or isinstance(value, str | int | bool)


def test_spans_keep_the_contract(sample: Sample) -> None:
    """A span row outside the contract, or a subset larger than its whole, would be quarantined or flagged."""
    for row in sample.spans:
        assert all(row.get(name) for name in SPAN_REQUIRED), f"missing required field: {row}"
        assert row["kind"] in KINDS
        assert row["status"] in STATUSES
        assert len(row["span_id"]) == 16
        assert len(row["trace_id"]) == 32
        assert _moment(row["ended_at"]) >= _moment(row["started_at"]), f"ends before it starts: {row}"
        usage = _usage(row)
        written = _integer(row.get("cache_write_tokens")) or 0
        assert (usage["cached"] or 0) + written + (usage["audio"] or 0) <= (usage["input"] or 0)
        assert (usage["reasoning"] or 0) <= (usage["output"] or 0)
        assert min(value or 0 for value in usage.values()) >= 0
        cost = row.get("provider_cost_usd")
        if cost is not None:
            assert isinstance(cost, str), "money as a JSON number passes through a double"
            assert Decimal(cost) >= 0
            assert -int(Decimal(cost).as_tuple().exponent) <= 12
        assert Decimal(str(row.get("task_credits", 0))) >= 0


def test_spans_form_trees_within_their_run(clean: Sample) -> None:
    """Without late effects each run arrives, each parent is a span of the same run, and a child lies within
    its parent."""
    runs = {row["run_id"]: row for row in clean.runs}
    spans = {row["span_id"]: row for row in clean.spans}
    roots: Counter[str] = Counter()
    for row in clean.spans:
        assert row["workspace_id"] == runs[row["run_id"]]["workspace_id"]
        if "parent_span_id" not in row:
            roots[row["run_id"]] += 1
            continue
        parent = spans[row["parent_span_id"]]
        assert parent["run_id"] == row["run_id"]
        assert _moment(parent["started_at"]) <= _moment(row["started_at"])
        assert _moment(parent["ended_at"]) >= _moment(row["ended_at"])
    assert set(roots.values()) == {1}
    assert len(roots) == len(runs), "a run without spans"
    for row in clean.runs:
        if "parent_run_id" in row:
            assert runs[row["parent_run_id"]]["workspace_id"] == row["workspace_id"]
            assert _moment(runs[row["parent_run_id"]]["completed_at"]) >= _moment(row["completed_at"])


def test_clean_sample_has_nothing_twice_late_or_lost(clean: Sample) -> None:
    """`late=False` is for benchmarks: each row loads, none is a duplicate."""
    assert (
        len({row["run_id"] for row in clean.runs})
        == len(clean.runs)
        == clean.report.runs
        == clean.report.run_rows
    )
    assert len({row["span_id"] for row in clean.spans}) == len(clean.spans) == clean.report.spans
    assert not [row for row in clean.runs if row["status"] in ("running", "queued")]
    roots = [row for row in clean.runs if "parent_run_id" not in row]
    assert all(_moment(row["started_at"]).date() == row["export_day"] for row in roots)


def test_report_equals_the_files(sample: Sample) -> None:
    """The report is what a reader checks the warehouse against: its sums must be those of the files, to the
    last digit."""
    spans = {row["span_id"]: row for row in sample.spans}.values()
    usage = [_usage(row) for row in spans]
    report = sample.report
    assert report.files == len(list(sample.folder.glob("*/*"))) == 2 * DAYS
    assert report.size_bytes == sum(path.stat().st_size for path in sample.folder.glob("*/*"))
    assert (report.run_rows, report.span_rows) == (len(sample.runs), len(sample.spans))
    assert (report.runs, report.spans) == (len({row["run_id"] for row in sample.runs}), len(spans))
    assert report.provider_cost_usd == sum(Decimal(row.get("provider_cost_usd", "0")) for row in spans)
    assert report.provider_cost_usd > 0
    assert report.task_credits == sum(Decimal(str(row.get("task_credits", 0))) for row in spans)
    assert report.input_tokens == sum(item["input"] or 0 for item in usage)
    assert report.output_tokens == sum(item["output"] or 0 for item in usage)
    assert report.image_tokens == sum(int(row.get("image_tokens", 0)) for row in spans)
    assert report.total_tokens == report.input_tokens + report.output_tokens + report.image_tokens


def test_mix_is_realistic(clean: Sample) -> None:
    """About six spans a run, and the three run types in their proportions, or benchmarks measure another
    product."""
    types = Counter(row["run_type"] for row in clean.runs)
    assert types["prompt"] / len(clean.runs) == pytest.approx(0.6, abs=0.06)
    assert types["workflow"] / len(clean.runs) == pytest.approx(0.25, abs=0.05)
    assert types["agent"] / len(clean.runs) == pytest.approx(0.15, abs=0.04)
    assert 5.2 < len(clean.spans) / len(clean.runs) < 6.8
    users = Counter(row["user_id"] for row in clean.runs if "user_id" in row).most_common()
    assert users[0][1] > 10 * users[len(users) // 2][1], "no heavy users"
    assert {row["workspace_id"] for row in clean.runs} == {"ws_acme", "ws_globex", "ws_initech"}


def test_everyday_situations_occur(sample: Sample) -> None:
    """What the demo is to show must be in the data: models, services, charge types, shapes, spellings,
    faults."""
    spans, runs = sample.spans, sample.runs
    assert {row["model"] for row in spans if "model" in row} == {
        "gpt-4o", "gpt-4o-mini", "o3", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5",
        "gemini-2.5-pro",
        "gemini-2.5-flash", "sonar", "house-llm", "gpt-image-1", "text-embedding-3-small",
    }  # fmt: skip
    assert {"Google Search", "Website Scrape", "Exa Search", "Image Generation", "AI Model", "Agent"} <= {
        row.get("service") for row in spans
    }
    assert {row["kind"] for row in spans} == KINDS - {"other"}
    assert all("provider_cost_usd" not in row for row in spans if row.get("model") == "house-llm")
    by_model = {
        name: [row for row in spans if row.get("model") == name] for name in ("o3", "sonar", "gpt-image-1")
    }
    assert any(_usage(row)["reasoning"] for row in by_model["o3"])
    assert any("citation_tokens" in row for row in by_model["sonar"])
    assert any("image_tokens" in row and int(row["units"]) > 0 for row in by_model["gpt-image-1"])
    assert all("input_tokens" not in row and "output_tokens" not in row for row in by_model["gpt-image-1"])

    situations = {
        "retried completion": any(row.get("attempt") == 2 for row in spans),
        "failed call with tokens": any(row["status"] == "failed" and _usage(row)["input"] for row in spans),
        "failed call without tokens": any(
            row["status"] == "failed" and row["kind"] == "completion" and _usage(row)["input"] is None
            for row in spans
        ),
        "priced model without a cost": any(
            row.get("model") == "gpt-4o" and row["status"] == "completed" and "provider_cost_usd" not in row
            for row in spans
        ),
        "cancelled run": any(row["status"] == "cancelled" for row in runs),
        "failed run": any(row["status"] == "failed" and row.get("error_message") for row in runs),
        "personal Google Search free of credits": any(
            row.get("service") == "Google Search"
            and row["charge_type"] == "personal"
            and row["task_credits"] in (0, "0")
            for row in spans
        ),
        "deep Google Search": any(row.get("attributes", {}).get("depth", 0) > 40 for row in spans),
        "heavy caching": any((_usage(row)["cached"] or 0) * 2 > (_usage(row)["input"] or 1) for row in spans),
        "cache write": any(int(row.get("cache_write_tokens", 0)) > 0 for row in spans),
        "flat shape": any(isinstance(row.get("input_tokens"), int) for row in spans),
        "flat prompt shape": any(isinstance(row.get("prompt_tokens"), int) for row in spans),
        "nested input shape": any(isinstance(row.get("input_tokens"), dict) for row in spans),
        "nested prompt shape": any(isinstance(row.get("prompt_tokens"), dict) for row in spans),
        "audio in a nested shape or flat": any(_usage(row)["audio"] for row in spans),
        "number as text": any(isinstance(row.get("input_tokens"), str) for row in spans),
        "unknown extra span field": any("region" in row for row in spans),
        "unknown extra run field": any("client_version" in row for row in runs),
        "older source": any(row["source"] == "live" for row in runs),
        "older delivery": {"sync", "async"} <= {row["delivery"] for row in runs},
        "Z": any(row["started_at"].endswith("Z") for row in runs),
        "offsets": {"+00:00", "+02:00", "-05:00", "+05:30"} <= {row["started_at"][-6:] for row in runs},
        "reported total": any("reported_total_tokens" in row for row in runs),
        "metadata of every type": {str, int, bool, type(None)}
        <= {type(value) for row in runs for value in row.get("user_metadata", {}).values()},
        "run without a user": any("user_id" not in row for row in runs),
        "API key": any("api_key_id" in row and "api_key_name" in row for row in runs),
        "name to escape": any("<" in row["resource_name"] for row in runs)
        and any('"' in row["resource_name"] for row in runs),
    }
    assert [name for name, found in situations.items() if not found] == []

    charges: dict[str, set[str]] = {}
    workflows = {row["run_id"] for row in runs if row["run_type"] == "workflow"}
    for row in spans:
        if row["run_id"] in workflows and "charge_type" in row:
            charges.setdefault(row["run_id"], set()).add(row["charge_type"])
    assert any(len(found) == 2 for found in charges.values()), "no workflow with mixed charge types"

    started = {row["run_id"]: _moment(row["started_at"]).date() for row in runs}
    assert any(_moment(row["started_at"]).date() > started.get(row["run_id"], date.max) for row in spans), (
        "none after midnight"
    )
    parents = {row["run_id"]: row.get("parent_run_id") for row in runs}
    children = [row for row in runs if parents[row["run_id"]]]
    assert {row["run_type"] for row in children} == {"agent", "workflow"}
    assert all(row["source"] == "agent" for row in children)
    assert any(parents.get(str(parents[row["run_id"]])) for row in children), "no child of a child"


def test_late_situations_occur(late: Sample) -> None:
    """Late, repeated, unfinished and orphaned rows are what incremental nights are tested with."""
    versions: dict[str, list[Row]] = {}
    for row in late.runs:
        versions.setdefault(row["run_id"], []).append(row)
    finished_later = [
        (first, last)
        for first, last in (rows for rows in versions.values() if len(rows) == 2)
        if first["status"] == "running"
    ]
    assert finished_later, "no running run that completes in a later export"
    for first, last in finished_later:
        assert last["status"] != "running"
        assert last["export_day"] == first["export_day"] + timedelta(days=1)
        assert _moment(last["updated_at"]) > _moment(first["updated_at"])

    for entity, key in ((late.runs, "run_id"), (late.spans, "span_id")):
        lines = Counter((row[key], row["line"]) for row in entity)
        assert max(lines.values()) == 2, f"no exact duplicate by {key}, or one sent three times"
    assert len({row["line"] for row in late.spans}) == late.report.spans, (
        "a span id with two different contents"
    )

    started = {row["run_id"]: _moment(row["started_at"]).date() for row in late.runs}
    late_spans = [row for row in late.spans if row["export_day"] > started.get(row["run_id"], date.max)]
    assert len(late_spans) >= 10
    assert {row["export_day"] - started[row["run_id"]] for row in late_spans} == {timedelta(days=1)}

    orphans = {
        row["run_id"] for row in late.spans if row["export_day"] < START + timedelta(days=DAYS - 1)
    } - set(versions)
    assert orphans, "no span whose run never arrives"
    late_children = [
        row
        for row in late.runs
        if "parent_run_id" in row
        and started[row["parent_run_id"]] < started[row["run_id"]] <= row["export_day"]
    ]
    assert late_children, "no child run a day after its parent"


def test_formats_hold_the_same_rows(clean: Sample, tmp_path: Path) -> None:
    """The file format must not change what is said: ids, times, tokens, money and credits are equal in all
    five."""
    import duckdb

    columns = ("span_id", "started", "input_tokens", "cached", "output_tokens", "cost", "credits")
    first_day = [row for row in clean.spans if row["export_day"] == START]
    expected = sorted(
        (
            row["span_id"],
            _moment(row["started_at"]).replace(tzinfo=None),
            _usage(row)["input"],
            _usage(row)["cached"],
            _usage(row)["output"],
            None if row.get("provider_cost_usd") is None else Decimal(row["provider_cost_usd"]),
            None if row.get("task_credits") is None else Decimal(str(row["task_credits"])),
        )
        for row in first_day
    )
    formats: tuple[FileFormat, ...] = ("jsonl.gz", "jsonl.zst", "csv", "parquet")
    for file_format in formats:
        generate(tmp_path, start=START, days=1, late=False, file_format=file_format)
    folder = tmp_path / START.isoformat()
    plain = (clean.folder / START.isoformat() / "spans.jsonl").read_bytes()
    assert gzip.decompress((folder / "spans.jsonl.gz").read_bytes()) == plain
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        zst = connection.execute(
            "select line from read_csv($1, columns = {'line': 'varchar'}, header = false, delim = E'\\x1f',"
            " quote = '',"
            " escape = '', compression = 'zstd')",
            [str(folder / "spans.jsonl.zst")],
        ).fetchall()
        assert [line for (line,) in zst] == plain.decode().splitlines()
        parquet = connection.execute(
            "select span_id, started_at, input_tokens, cached_tokens, output_tokens, provider_cost_usd,"
            " task_credits from read_parquet($1)",
            [str(folder / "spans.parquet")],
        ).fetchall()
    assert sorted(parquet) == expected, f"Parquet differs in {columns}"
    with (folder / "spans.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{name: value or None for name, value in row.items()} for row in csv.DictReader(stream)]
    assert expected == sorted(
        (
            str(row["span_id"]),
            _moment(str(row["started_at"])).replace(tzinfo=None),
            _integer(row["input_tokens"]),
            _integer(row["cached_tokens"]),
            _integer(row["output_tokens"]),
            None if row["provider_cost_usd"] is None else Decimal(row["provider_cost_usd"]),
            None if row["task_credits"] is None else Decimal(row["task_credits"]),
        )
        for row in rows
    ), f"CSV differs in {columns}"
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as stream:
        runs = {row["run_id"]: row for row in csv.DictReader(stream)}
    for row in clean.runs:
        if row["export_day"] == START:
            assert json.loads(runs[row["run_id"]]["user_metadata"] or "{}") == row.get("user_metadata", {})
            assert runs[row["run_id"]]["resource_name"] == row["resource_name"]


def test_workspaces_and_growth(tmp_path: Path) -> None:
    """Fifty workspaces are there to be had, and a weekend is quieter than a weekday."""
    generate(tmp_path, start=date(2026, 3, 5), days=3, workspaces=50, runs_per_day=400, late=False)
    runs = _read(tmp_path, "runs")
    assert len({row["workspace_id"] for row in runs}) > 40
    by_day = Counter(row["export_day"] for row in runs)
    assert by_day[date(2026, 3, 7)] < 0.75 * by_day[date(2026, 3, 5)]


def test_progress_is_reported(tmp_path: Path) -> None:
    """The command line shows a bar: each day is announced once it is written."""
    seen: list[tuple[str, int, int]] = []
    generate(tmp_path, start=START, days=2, runs_per_day=1, progress=lambda *step: seen.append(step))
    assert seen == [("2026-03-02", 1, 2), ("2026-03-03", 2, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"days": 0}, "days"),
        ({"runs_per_day": 0}, "runs_per_day"),
        ({"workspaces": 51}, "workspaces"),
        ({"file_format": "xlsx"}, "file_format"),
        ({"start": date(1969, 12, 31)}, "start"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A wrong argument must fail before a file is written, naming the argument."""
    with pytest.raises(ValueError, match=message):
        generate(tmp_path, **{"start": START, "days": 1, **arguments})
    assert list(tmp_path.iterdir()) == []
