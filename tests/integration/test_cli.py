"""The command line as operators and scripts meet it: verbs, options, JSON keys, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration import cli_shared as codes
from orchestration.settings import REPOSITORY
from tests.warehouse_fixture import Outcome, Warehouse, at, call_row, digests, run_row

pytestmark = pytest.mark.xdist_group("commands")

VERBS = {
    "nightly",
    "backfill",
    "demo",
    "report",
    "check",
    "status",
    "sql",
    "quarantine",
    "rollback",
    "sample",
    "prices",
    "reconcile",
    "reprice",
    "serve",
    "forget",
    "publish",
}
NIGHT_KEYS = {
    "success", "error", "run_id", "published", "publication_id", "dates_touched", "warnings", "new_files", "known_files",
    "deferred_files", "rows", "unreadable_files", "database", "site", "totals", "stages", "full_build",
}  # fmt: skip
ROW_KEYS = {"rows_read", "rows_loaded", "rows_duplicate", "rows_superseded", "rows_quarantined"}


def process(warehouse: Warehouse, *args: str) -> Outcome:
    """The command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *args],
        env=warehouse.environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


# -- help and usage ----------------------------------------------------------------------------------------------------------------


def test_help_teaches_verbs_and_exit_codes(warehouse: Warehouse) -> None:
    """A verb or an exit code that others script against is missing from the help."""
    shown = process(warehouse, "--help")
    assert shown.code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in shown.out, f"--help does not list {verb}"
    for code, meaning in (
        (0, "good"),
        (1, "data failed"),
        (2, "wrong usage"),
        (3, "another run holds the lock"),
    ):
        assert f"{code}  {meaning}" in shown.out, f"--help does not explain exit code {code}"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_explains_itself(warehouse: Warehouse, verb: str) -> None:
    """A verb without help, or one that starts to work when asked for help."""
    shown = warehouse.cli(verb, "--help")
    assert shown.code == 0
    assert f"Usage: credit-usage {verb}" in shown.out or f"{verb} [OPTIONS]" in shown.out
    assert len(shown.out.splitlines()) > 4
    assert not warehouse.settings.landing_dir.exists()


def test_wrong_usage_ends_with_2_and_one_line(warehouse: Warehouse) -> None:
    """Scripts cannot tell a mistyped call from bad data, or a person gets a traceback."""
    calls = [
        ("nonsense",),
        ("nightly", "--nonsense"),
        ("backfill",),
        ("backfill", "--from", "2026-10-02", "--to", "2026-10-01"),
        ("backfill", "--from", "yesterday", "--to", "2026-10-01"),
        ("backfill", "--from", "0001-01-01", "--to", "2026-10-01"),
        ("backfill", "--from", "2026-10-01", "--to", "9999-12-31"),
        ("sql", "select 1"),
        ("report",),
        ("report", "--workspace", "w"),
        ("report", "--single-file"),
        ("serve",),
        ("check",),
        ("rollback",),
        ("prices", "missing"),
        ("reprice", "--dry-run"),
        ("reconcile", "invoice.csv"),
        ("reconcile", "invoice.csv", "--tolerance", "some"),
    ]
    for call in calls:
        ended = warehouse.cli(*call)
        assert ended.code == 2, f"{call} ends with {ended.code}: {ended.err}"
        assert "Error" in ended.err, call
        assert "Traceback" not in ended.err, call
    wrong_setting = warehouse.cli("status", CREDIT_USAGE_THREADS="many")
    assert wrong_setting.code == 2
    assert "CREDIT_USAGE_THREADS" in wrong_setting.err, "the wrong setting is not named"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("status", "--nonsense", "--json"), 2),
        (("sql", "select 1", "--json"), 2),
        (("check", "none.jsonl", "--json"), 2),
    ],
)
def test_an_error_is_json_where_that_was_asked_for(
    warehouse: Warehouse, call: tuple[str, ...], code: int
) -> None:
    """A script that reads JSON gets nothing at all where a command fails."""
    ended = warehouse.cli(*call)
    assert ended.code == code, ended.err
    document = ended.json()
    assert document["exit_code"] == code
    assert document["error"] in ended.err


def test_what_data_and_files_are_called_does_not_reach_the_terminal_as_it_is(warehouse: Warehouse) -> None:
    """A workspace or a file whose name holds an escape sequence colours, moves or forges an operator's screen."""
    name = "evil\x1b[31m\x07"
    warehouse.drop(
        f"{name}.jsonl", [call_row("r", "s", at("2026-10-01 09:00"), workspace=name), {"span_id": "no row"}]
    )
    warehouse.drop_bytes("torn\x1b[32m.parquet", b"PAR1 and nothing else")
    told = [
        warehouse.cli("nightly"),
        warehouse.cli("quarantine"),
        warehouse.cli("status"),
        warehouse.cli("report", "--single-file", "out.html", "--workspace", f"no {name}"),
        warehouse.cli("retract", f"{name}.jsonl", "--dry-run"),
    ]
    assert [ended.code for ended in told] == [0, 0, 0, 2, 0], [ended.err for ended in told]
    assert "evil" in told[0].out + told[1].out
    for ended in told:
        assert not [c for c in ended.out + ended.err if not c.isprintable() and c != "\n"], ended


def test_a_damaged_published_file_is_named_with_the_way_out(published: Warehouse) -> None:
    """Commands that read a damaged file end with a traceback."""
    published.settings.published_path.write_bytes(b"\0" * 4096)
    for call in (("sql", "select 1"), ("report", "--force"), ("prices", "missing")):
        ended = published.cli(*call)
        assert ended.code == 2, call
        assert "Traceback" not in ended.err, call
        assert "credit-usage nightly" in ended.err, f"{call}: {ended.err}"


def test_a_name_that_is_no_utf_8_is_spelled_out(warehouse: Warehouse, tmp_path: Path) -> None:
    """A file from another system cannot be checked, or breaks the JSON that says what is in it."""
    path = tmp_path / os.fsdecode(b"bad\xff.jsonl")
    path.write_text(json.dumps(call_row("r", "s", at("2026-10-01 09:00"))) + "\n", encoding="utf-8")
    inspected = warehouse.cli("inspect", str(path), "--json")
    assert inspected.code == 0, inspected.err
    inspected.out.encode()
    checked = warehouse.cli("check", str(path), "--json")
    assert checked.code in (0, 1), checked.err
    assert "bad\\xff.jsonl" in json.dumps(checked.json()).replace("\\\\", "\\")


def test_the_entry_point_hands_on_exit_codes(warehouse: Warehouse) -> None:
    """The process ends with another code than the command asked for."""
    assert process(warehouse, "sql", "select 1").code == 2
    assert process(warehouse, "status", "--json").code == 0


# -- status ------------------------------------------------------------------------------------------------------------------------


STATUS_KEYS = {
    "published",
    "age_hours",
    "freshness_hours",
    "is_fresh",
    "waiting",
    "rows",
    "unreadable_files",
    "retracted_files",
    "looked_at",
    "runs",
    "last_run",
    "forgotten_ids",
}


def test_status_before_the_first_night(warehouse: Warehouse) -> None:
    """A new installation answers the first question with an error."""
    assert "Nothing is published yet" in warehouse.cli("status").out
    document = warehouse.cli("status", "--json").json()
    assert document.keys() == STATUS_KEYS
    assert (document["published"], document["is_fresh"], document["runs"]) == (None, False, [])
    warehouse.drop("runs.jsonl", [run_row("req_1", at("2026-10-01 09:00"))])
    assert warehouse.cli("status", "--json").json()["waiting"] == {"files": 1, "batches": 0}


def test_status_after_a_night(published: Warehouse) -> None:
    """Status tells another story than the publication: its age, its rows, its runs."""
    now = {"CREDIT_USAGE_NOW": "2026-10-04T09:00:02+00:00"}
    document = published.cli("status", "--json", **now).json()
    assert document.keys() == STATUS_KEYS
    assert document["published"]["publication_id"] == "000001"
    assert document["published"]["data_through_at"] == "2026-10-03T09:00:10+00:00"
    assert round(document["age_hours"], 3) == 23.998
    assert document["is_fresh"] is True
    assert document["waiting"] == {"files": 0, "batches": 0}
    assert document["rows"] == {
        "rows_read": 14, "rows_loaded": 14, "rows_duplicate": 0, "rows_superseded": 0, "rows_quarantined": 0,
    }  # fmt: skip
    assert [run["status"] for run in document["runs"]] == ["success"]
    assert document["last_run"] == document["runs"][0] | {"age_hours": document["last_run"]["age_hours"]}
    assert document["last_run"]["seconds"] > 0
    assert (document["last_run"]["error"], document["forgotten_ids"]) == (None, 0)
    assert (
        published.cli("status", "--json", CREDIT_USAGE_NOW="2026-10-05T09:00:10+00:00").json()["is_fresh"]
        is False
    )
    shown = published.cli("status", **now).out
    assert "000001" in shown
    assert "24.0 hours (fresh)" in shown


# -- sql -----------------------------------------------------------------------------------------------------------------------------


def test_sql_answers_in_three_forms(published: Warehouse) -> None:
    """Amounts lose digits on the way out, or standard input is ignored."""
    query = "select usage_date, sum(total_cost_usd) as cost from facts.fct_span_usage group by all order by 1 limit 1"
    assert "0.312500000000" in published.cli("sql", query).out
    assert published.cli("sql", query, "--json").json() == [
        {"usage_date": "2026-10-01", "cost": "0.312500000000"}
    ]
    assert list(csv.reader(io.StringIO(published.cli("sql", query, "--csv").out))) == [
        ["usage_date", "cost"],
        ["2026-10-01", "0.312500000000"],
    ]
    assert published.cli("sql", "--json", stdin=query).json() == [
        {"usage_date": "2026-10-01", "cost": "0.312500000000"}
    ]


def test_sql_says_all_columns_in_json_that_everybody_reads(published: Warehouse) -> None:
    """Of two columns of one name one is lost without a word, or what is no number breaks the JSON."""
    shown = published.cli("sql", "select 1 as a, 2 as a, 'nan'::double as b, [1.5, null] as c", "--json")

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert json.loads(shown.out, parse_constant=refuse) == [
        {"a": 1, "a_1": 2, "b": "nan", "c": ["1.5", None]}
    ]
    assert published.cli("sql", "select [1.5, null] as c", "--csv").out.splitlines()[1] == '"[""1.5"", null]"'


@pytest.mark.parametrize("query", ["", ";", "/* nothing */"])
def test_an_empty_query_is_said_to_be_one(published: Warehouse, query: str) -> None:
    """A query that is none ends with a traceback."""
    ended = published.cli("sql", query)
    assert (ended.code, "there is no query" in ended.err) == (2, True), ended.err


def test_sql_can_read_the_published_file_and_nothing_else(published: Warehouse, tmp_path: Path) -> None:
    """A query writes, reads another file of the machine, loads code, or lifts the restriction again."""
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhunter2\n", encoding="utf-8")
    before = digests(published.settings.data_dir / "published")
    files_before = {path for path in published.settings.data_dir.rglob("*") if "tmp" not in path.parts}
    attempts = [
        "insert into facts.fct_span_usage select * from facts.fct_span_usage",
        "update facts.fct_run_usage set status = 'completed'",
        "delete from facts.fct_run_usage",
        "drop table facts.fct_run_usage",
        "create table facts.mine as select 1",
        f"attach '{tmp_path / 'other.duckdb'}' as other",
        f"attach '{published.settings.published_path}' as again (read_write)",
        f"copy facts.fct_run_usage to '{tmp_path / 'out.csv'}'",
        f"export database '{tmp_path / 'export'}'",
        f"select * from read_text('{secret}')",
        f"select * from read_csv('{secret}')",
        f"from '{secret}'",
        f"select * from glob('{tmp_path}/*')",
        f"select * from read_parquet('{published.settings.lake_dir}/*/*/*/*.parquet')",
        "select * from read_text('https://example.com')",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set temp_directory = '/tmp'",
        "pragma enable_profiling = 'json'",
        "select getenv('HOME')",
        f"select 1; attach '{tmp_path / 'other.duckdb'}' as other",
        f"select * from sniff_csv('{secret}')",
        f"explain analyze copy (select 1) to '{tmp_path / 'out.csv'}'",
        "create secret s (type s3, key_id 'a', secret 'b')",
        "import database '/tmp'",
        "set lock_configuration = false",
    ]
    for attempt in attempts:
        ended = published.cli("sql", attempt, "--json")
        assert ended.code == 2, f"allowed: {attempt}: {ended.out[:300]}"
        assert "hunter2" not in ended.out + ended.err
        assert "Traceback" not in ended.err
    assert digests(published.settings.data_dir / "published") == before
    assert {
        path for path in published.settings.data_dir.rglob("*") if "tmp" not in path.parts
    } == files_before
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"], "a query left a file behind"


def test_sql_shows_data_as_data(published: Warehouse) -> None:
    """A cell that looks like markup of the terminal disappears or colours the table."""
    shown = published.cli("sql", "select '[red]x[/red]' as \"[b]name[/b]\"").out
    assert "[red]x[/red]" in shown
    assert "[b]name[/b]" in shown


# -- quarantine ------------------------------------------------------------------------------------------------------------------------


def test_quarantine_filters(warehouse: Warehouse) -> None:
    """An operator cannot find the line that is missing, or sees other batches' lines."""
    good = run_row("req_1", at("2026-10-01 09:00"))
    warehouse.drop_bytes(
        "a/runs.jsonl",
        b"not json\n"
        + json.dumps({**good, "status": None}).encode()
        + b"\n"
        + json.dumps(good).encode()
        + b"\n",
    )
    warehouse.land()
    warehouse.drop("b/spans.jsonl", [call_row("req_1", "s1", at("2026-10-01 09:00"), input_tokens=-1)])
    warehouse.drop_bytes("b/broken.parquet", b"PAR1 this is no parquet file PAR1")
    warehouse.land()
    everything = warehouse.cli("quarantine", "--json").json()
    assert everything.keys() == {"row_count", "rows", "unreadable_files"}
    assert everything["row_count"] == 3
    keys = {"batch_seq", "path", "line_number", "entity", "field", "reason", "message", "workspace_id", "raw"}
    assert all(keys <= row.keys() for row in everything["rows"])
    assert [row["batch_seq"] for row in everything["rows"]] == [2, 1, 1], "the newest batch comes first"
    assert [entry["path"] for entry in everything["unreadable_files"]] == ["b/broken.parquet"]

    def reasons(*options: str) -> list[str]:
        return [row["reason"] for row in warehouse.cli("quarantine", "--json", *options).json()["rows"]]

    assert reasons("--batch", "1") == ["not_json", "missing_field"]
    assert reasons("--file", "b/") == ["impossible_value"]
    assert reasons("--reason", "missing_field") == ["missing_field"]
    assert reasons("--limit", "1") == ["impossible_value"]
    assert reasons("--reason", "nonsense") == []
    text = warehouse.cli("quarantine").out
    assert "a/runs.jsonl:1: -: not_json" in text
    assert "a/runs.jsonl:2: status: missing_field" in text
    assert "b/broken.parquet: unreadable" in text
    assert "3 of 3 quarantined lines, 1 unreadable files." in text


# -- nights ------------------------------------------------------------------------------------------------------------------------------


def test_nightly_says_what_it_did(published: Warehouse) -> None:
    """The summary's numbers are not those of the night, or a key that scripts read is gone."""
    published.drop(
        "second/runs.jsonl",
        [run_row("req_4", at("2026-10-04 09:00")), run_row("req_1", at("2026-10-01 09:00"))],
    )
    published.drop("second/spans.jsonl", [call_row("req_4", "s1", at("2026-10-04 09:00:01"))])
    document = published.cli("nightly", "--json").json()
    assert document.keys() == NIGHT_KEYS
    assert document["rows"].keys() == ROW_KEYS
    assert (
        document["success"],
        document["published"],
        document["publication_id"],
        document["dates_touched"],
    ) == (True, True, "000002", 1), document["error"]
    assert (document["new_files"], document["known_files"]) == (2, 2)
    assert (
        document["rows"]["rows_read"],
        document["rows"]["rows_loaded"],
        document["rows"]["rows_duplicate"],
    ) == (3, 2, 1)
    totals = {total["workspace_id"]: total for total in document["totals"]}
    assert totals["ws_a"]["run_count"] == 6
    assert totals["ws_a"]["total_cost_usd"] == "1.076750000000", "an amount lost digits"
    assert totals["ws_a"]["external_cost_usd"] == "0.012500000000"


def test_backfill_rebuilds_exactly_the_range(published: Warehouse) -> None:
    """A backfill leaves out a date of its range, or rebuilds one beside it."""
    ended = published.cli("backfill", "--from", "2026-10-02", "--to", "2026-10-03", "--json")
    assert ended.code == 0, ended.err
    document = ended.json()
    assert document.keys() == NIGHT_KEYS
    assert (document["published"], document["dates_touched"]) == (True, 2)
    manifest = json.loads(published.settings.manifest_path.read_text(encoding="utf-8"))
    assert manifest["touched_dates"] == ["2026-10-02", "2026-10-03"]
    assert manifest["is_full_build"] is False


def test_report_and_check(published: Warehouse) -> None:
    """`report` renders again what is there already; `check` changes the file or passes without checking."""
    before = digests(published.settings.published_dir)
    document = published.cli("report", "--json").json()
    assert document.keys() == {
        "site",
        "pages",
        "files_written",
        "files_unchanged",
        "files_removed",
        "seconds",
    }
    assert (document["files_written"], document["files_removed"]) == (0, 0)
    assert document["pages"] == 13
    target = published.settings.data_dir / "mail.html"
    one = published.cli(
        "report", "--single-file", "--workspace", "ws_a", "--from", "2026-10-01", "--to", "2026-10-02", "--output", str(target), "--json"
    )  # fmt: skip
    assert one.code == 0, one.err
    assert one.json() == {
        "file": str(target), "workspace_id": "ws_a", "first_date": "2026-10-01", "last_date": "2026-10-02", "bytes": target.stat().st_size,
    }  # fmt: skip
    assert published.cli("report", "--single-file", "--workspace", "nobody").code == 2
    late = published.cli("report", "--single-file", "--workspace", "ws_a", "--from", "2030-01-01")
    assert (late.code, late.err) == (
        2,
        "Error: workspace 'ws_a' has no usage from 2030-01-01 on: its newest is of 2026-10-03\n",
    )
    # A file of centuries would never be drawn.
    for option, day in (("--from", "0001-01-01"), ("--to", "9999-12-31")):
        endless = published.cli("report", "--single-file", "--workspace", "ws_a", option, day)
        assert (endless.code, endless.err) == (2, f"Error: {day}: usage is of the years 2000 to 2099\n")
    checked = published.cli("check", "--json")
    assert checked.code == 0, [c for c in checked.json()["checks"] if not c["passed"]]
    assert checked.json()["passed"] is True
    assert len(checked.json()["checks"]) > 80
    with published_tampered(published):
        failed = published.cli("check")
    assert failed.code == 1, failed.out
    assert "FAIL" in failed.out
    assert digests(published.settings.published_dir) == before
    assert not list(published.settings.warehouse_dir.glob("check*")), "the scratch copy is left behind"


class published_tampered:  # noqa: N801 - reads as a phrase
    """The published file with one amount changed, and put back."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.content = warehouse, warehouse.settings.published_path.read_bytes()

    def __enter__(self) -> None:
        from orchestration import sql

        with sql.connect(self.warehouse.settings, self.warehouse.settings.published_path) as connection:
            connection.execute(
                "update marts.mart_analytics__service_costs set wallet_cost_usd = 0, total_cost_usd = 0"
            )

    def __exit__(self, *_: object) -> None:
        self.warehouse.settings.published_path.write_bytes(self.content)


# -- demo and sample -------------------------------------------------------------------------------------------------------------------


def test_demo_refuses_a_folder_with_other_files(warehouse: Warehouse) -> None:
    """Invented usage is mixed with real usage."""
    warehouse.drop("real/runs.jsonl", [run_row("req_1", at("2026-10-01 09:00"))])
    refused = warehouse.cli("demo")
    assert refused.code == 2
    assert "holds other files" in refused.err
    assert [path.name for path in warehouse.settings.landing_dir.iterdir()] == ["real"]
    assert not warehouse.settings.published_path.exists()


def test_sample_is_deterministic(warehouse: Warehouse, tmp_path: Path) -> None:
    """The same options give other bytes, so that a demo cannot be compared with another."""
    options = ("--days", "2", "--runs-per-day", "5", "--workspaces", "2", "--json")
    first = warehouse.cli("sample", str(tmp_path / "a"), *options)
    assert first.code == 0, first.err
    document = first.json()
    assert document.keys() == {"folder", "files", "run_rows", "span_rows", "provider_cost_usd"}
    assert document["run_rows"] > 0 < document["span_rows"]
    warehouse.cli("sample", str(tmp_path / "b"), *options)
    assert digests(tmp_path / "a") == digests(tmp_path / "b") != {}
    warehouse.cli("sample", str(tmp_path / "c"), *options, "--seed", "8")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_documented_exit_codes_are_those_in_the_code() -> None:
    """The help promises other codes than the program uses."""
    assert (codes.GOOD, codes.DATA_FAILED, codes.USAGE_ERROR, codes.LOCK_HELD) == (0, 1, 2, 3)
