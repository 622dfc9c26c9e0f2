"""Formats: that each of them gives the same rows, what is refused of them, and where."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zstandard

from orchestration.landing import streams
from orchestration.landing.lake import FileEntry
from tests.landing_helpers import (
    RUNS,
    SPANS,
    Night,
    compressed,
    counts,
    csv_bytes,
    jsonl,
    parquet_bytes,
    run,
    span,
    text_parquet,
)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def entry(night: Night) -> FileEntry:
    report = night.land()
    assert report.manifest
    (only,) = report.manifest.files
    return only


def why_unreadable(night: Night, name: str, data: bytes) -> str:
    """The reason for which a file is refused as a whole; nothing of it may land."""
    night.write(name, data)
    night.write("good.jsonl", [span("good")])
    report = night.land()
    assert report.manifest
    status = {item.path: item for item in report.manifest.files}
    assert status["good.jsonl"].rows_loaded == 1, "the night did not go on"
    assert status[name].status == "unreadable", status[name]
    assert len(night.rows()) == 1
    assert status[name].reason
    return str(status[name].reason)


def places(night: Night) -> list[tuple[int, str]]:
    return [(row["line_number"], row["reason"]) for row in night.quarantine()]


FULL = [
    span(
        "a",
        trace_id="t",
        parent_span_id="p",
        name='quo"te, comma\nand line',
        kind="tool",
        service="Google Search",
        provider="openai",
        model="gpt-x",
        charge_type="hosted",
        status="completed",
        ended_at="2026-05-01T12:00:01.5+02:00",
        attempt=2,
        input_tokens={"total_tokens": 100, "cached_tokens": 40},
        completion_tokens=7,
        units="3",
        provider_cost_usd="0.0174000000000000024",
        task_credits="1.5",
        error_message="café ☂",
        region="eu",
        attributes={"k": [1, {"x": None}]},
    ),
    span("b", name="short"),
]
FORMS: dict[str, Any] = {
    "jsonl": ("a.jsonl", lambda rows, folder: jsonl(*rows)),
    "jsonl.gz": ("a.jsonl.gz", lambda rows, folder: gzip.compress(jsonl(*rows))),
    "jsonl.zst": ("a.jsonl.zst", lambda rows, folder: compressed(jsonl(*rows), "zst")),
    "jsonl crlf": ("a.jsonl", lambda rows, folder: jsonl(*rows).replace(b"\n", b"\r\n")),
    "jsonl cr": ("a.jsonl", lambda rows, folder: jsonl(*rows).replace(b"\n", b"\r")),
    "jsonl bom": ("a.jsonl", lambda rows, folder: b"\xef\xbb\xbf" + jsonl(*rows)),
    "jsonl no last newline": ("a.jsonl", lambda rows, folder: jsonl(*rows)[:-1]),
    "jsonl spaced": (
        "a.jsonl",
        lambda rows, folder: b"\n  \n \t" + jsonl(*rows).replace(b"\n", b" \t\n\r\n\n"),
    ),
    "jsonl reordered": (
        "a.jsonl",
        lambda rows, folder: jsonl(*(dict(reversed(row.items())) for row in reversed(rows))),
    ),
    "ndjson": ("a.ndjson", lambda rows, folder: jsonl(*rows)),
    "csv": ("a.csv", lambda rows, folder: csv_bytes(*rows)),
    "csv semicolon bom crlf": (
        "a.csv",
        lambda rows, folder: csv_bytes(*rows, delimiter=";", newline="\r\n", bom=True).replace(
            b"and line", b"and line"
        ),
    ),
    "csv tab": ("a.csv", lambda rows, folder: csv_bytes(*rows, delimiter="\t")),
    "csv pipe gz": ("a.csv.gz", lambda rows, folder: gzip.compress(csv_bytes(*rows, delimiter="|"))),
    "csv zst": ("a.csv.zst", lambda rows, folder: compressed(csv_bytes(*rows), "zst")),
    "csv with blank lines": ("a.csv", lambda rows, folder: csv_bytes(*rows) + b"\n\n"),
    "parquet text": ("a.parquet", text_parquet),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    """The same rows in another format would land as other rows."""
    reference = Night(tmp_path / "reference")
    reference.land(*FULL)
    night = Night(tmp_path / "night")
    name, make = FORMS[form]
    night.write(name, make(FULL, tmp_path))
    report = night.land()
    assert counts(report) == {"read": 2, "loaded": 2, "duplicate": 0, "superseded": 0, "quarantined": 0}
    expected, got = reference.winners(), night.winners()
    for rows in (expected, got):  # the order of keys in an object is the format's own
        for row in rows.values():
            row["attributes"] = row["attributes"] and json.loads(row["attributes"])
    assert got == expected


@pytest.mark.parametrize("form", ["csv", "parquet text", "jsonl.zst"])
def test_the_same_rows_in_another_format_are_duplicates(night: Night, tmp_path: Path, form: str) -> None:
    """A file that is converted and sent again would be counted twice."""
    rows = [run("a", user_metadata={"plan": "pro"}, reported_total_cost_usd="1.10"), run("b")]
    night.land(*rows, name="first.jsonl")
    name, make = FORMS[form]
    night.write(name, make(rows, tmp_path))
    assert counts(night.land()) == {"read": 2, "loaded": 0, "duplicate": 2, "superseded": 0, "quarantined": 0}


def test_typed_parquet(night: Night, tmp_path: Path) -> None:
    """Types of a real warehouse export would be refused, or lose their offset, digits or structure."""
    query = """
        select
            'a' as span_id, 'r1' as run_id, 'w1' as workspace_id, 'n' as name, 'tool' as kind,
            timestamptz '2026-05-01 12:00:00+02' as started_at,
            timestamp '2026-05-01 10:00:01.25' as ended_at,
            {'total_tokens': 5, 'cached_tokens': null, 'audio_tokens': 1} as input_tokens,
            12.0::double as completion_tokens,
            3::hugeint as units,
            0.017400000000000002::double as task_credits,
            123456789.123456789012::decimal(38, 12) as provider_cost_usd,
            map {'k': [1, 2]} as attributes,
            [1, 2] as listed,
            date '2026-05-01' as day,
            true as flag,
            'x''y' as "od""d, 'name'",
            null::integer as nothing
    """
    night.write("a.parquet", parquet_bytes(query, tmp_path))
    night.land()
    row = night.one()
    assert row["started_at"].isoformat() == "2026-05-01T10:00:00"
    assert row["ended_at"].isoformat() == "2026-05-01T10:00:01.250000"
    assert (row["input_tokens"], row["cached_tokens"], row["audio_input_tokens"]) == (5, None, 1)
    assert (row["output_tokens"], row["units"]) == (12, 3)
    assert row["provider_cost_usd"] == Decimal("123456789.123456789012")
    assert row["task_credits"] == Decimal("0.017400")
    assert json.loads(row["attributes"]) == {
        "k": [1, 2],
        "listed": [1, 2],
        "day": "2026-05-01",
        "flag": "true",
        "od\"d, 'name'": "x'y",
    }


def test_parquet_rows_are_quarantined_with_their_number(night: Night, tmp_path: Path) -> None:
    """A bad row of a table could not be found again."""
    query = """
        select * from (values
            ('a', 'r1', 'w1', 'n', 'tool', '2026-05-01', 1.0),
            (null, 'r1', 'w1', 'n', 'tool', '2026-05-01', 1.0),
            ('c', 'r1', 'w1', 'n', 'tool', '2026-05-01', 'nan'::double)
        ) as t (span_id, run_id, workspace_id, name, kind, started_at, input_tokens)
    """
    night.write("a.parquet", parquet_bytes(query, tmp_path))
    assert counts(night.land())["loaded"] == 1
    rows = night.quarantine()
    assert [(row["line_number"], row["field"], row["reason"]) for row in rows] == [
        (2, "span_id", "missing_field"),
        (3, "input_tokens", "wrong_type"),
    ]
    assert json.loads(rows[0]["raw"])["workspace_id"] == "w1"


def test_parquet_with_an_object_for_a_name(night: Night, tmp_path: Path) -> None:
    """A struct or a boolean in place of a required text would be taken as its text."""
    query = """
        select 'a' as span_id, 'r1' as run_id, 'w1' as workspace_id, {'n': 1} as name, true as kind,
            '2026-05-01' as started_at
    """
    night.write("a.parquet", parquet_bytes(query, tmp_path))
    night.land()
    (row,) = night.quarantine()
    assert (row["field"], row["reason"]) == ("name", "wrong_type")
    assert "'kind' is not a text" in row["message"]


RESERVED = [
    "file_no",
    "line_number",
    "raw",
    "problem",
    "extra",
    "not_text",
    "unknown_keys",
    "filename",
    "c0",
    "line",
    "r",
]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet text"])
def test_fields_named_like_our_own_columns(night: Night, tmp_path: Path, form: str) -> None:
    """A field called `raw` or `file_no` would replace a column of ours."""
    row = span(**{name: f"given {name}" for name in RESERVED})
    name, make = FORMS[form]
    night.write(name, make([row], tmp_path))
    assert entry(night).rows_loaded == 1
    assert json.loads(night.one()["attributes"]) == {name: f"given {name}" for name in RESERVED}


def test_table_columns_in_other_case(night: Night, tmp_path: Path) -> None:
    """`RUN_ID`, as warehouses export it, would be an unknown column."""
    night.write("a.csv", csv_bytes({name.upper(): value for name, value in span(region="eu").items()}))
    night.write("b.parquet", text_parquet([{name.title(): value for name, value in run().items()}], tmp_path))
    assert counts(night.land())["loaded"] == 2
    assert json.loads(night.one(SPANS)["attributes"]) == {"REGION": "eu"}


# -- lines ---------------------------------------------------------------------------------------------------


def test_each_bad_line_is_told_with_number_and_text(night: Night) -> None:
    """A bad line could not be found in the export, or would take its neighbours with it."""
    lines = [
        json.dumps(span("a")),
        "not json",
        "",
        json.dumps(span("b"))[:-5],
        "[1, 2]",
        '"text"',
        "null",
        "42",
        json.dumps(span("c")) + " trailing",
        json.dumps(span("d")) + json.dumps(span("e")),
        '{"span_id": "\ud800"}'.encode("ascii", "backslashreplace").decode(),
        "a,b,c",
        "\x00\x00",
        "x\x01\x02\x03y",
        json.dumps(run("z")),
    ]
    report = night.land(*lines)
    assert counts(report) == {"read": 14, "loaded": 2, "duplicate": 0, "superseded": 0, "quarantined": 12}
    got = [(row["line_number"], row["reason"], row["raw"]) for row in night.quarantine()]
    bad = [number for number in range(2, 15) if number != 3]
    assert got == [(number, "not_json", lines[number - 1]) for number in bad]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "mixed"])
def test_line_numbers(night: Night, ends: str) -> None:
    """The line named in the quarantine would be another than in the sender's editor."""
    rows = [span("a"), "", "bad 3", span("b"), "", "", "bad 7", span("c"), "bad 9"]
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    cycle = ["\n", "\r\n", "\r", "\n", "\n", "\r\n", "\r\n"]
    data = "".join(
        text + (cycle[n % len(cycle)] if ends == "mixed" else ends) for n, text in enumerate(texts)
    )
    night.write("a.jsonl", data)
    report = night.land()
    assert counts(report)["loaded"] == 3
    assert [(row["line_number"], row["raw"]) for row in night.quarantine()] == [
        (3, "bad 3"),
        (7, "bad 7"),
        (9, "bad 9"),
    ]


def test_line_numbers_in_files_read_together(night: Night) -> None:
    """Numbers of one file would run on from another, or suffer from the other's line ends."""
    night.write("a.jsonl", [span("a"), "bad 2"])
    night.write("b.jsonl", jsonl(span("b"), span("c"), "bad 3").replace(b"\n", b"\r\n"))
    night.write("c.jsonl", jsonl("bad 1", span("d")) + b"\r\nbad 4\r\n")
    night.write("d.jsonl", b"\n\n\nbad 4\n" + jsonl(span("e")))
    night.land()
    got = [(row["path"][0], row["line_number"], row["raw"]) for row in night.quarantine()]
    assert got == [
        ("a", 2, "bad 2"),
        ("b", 3, "bad 3"),
        ("c", 1, "bad 1"),
        ("c", 4, "bad 4"),
        ("d", 4, "bad 4"),
    ]


def test_runs_and_spans_in_one_file(night: Night) -> None:
    """A file with both would lose one kind, or need two files."""
    report = night.land(run("a"), span("s"), run("b"), "bad", span("t"), {"hello": 1}, run("c"))
    assert counts(report) == {"read": 7, "loaded": 5, "duplicate": 0, "superseded": 0, "quarantined": 2}
    assert len(night.rows(RUNS)), len(night.rows(SPANS)) == (3, 2)
    assert report.manifest
    assert sorted(report.manifest.files[0].entity.split(",")) == ["runs", "spans"]
    assert places(night) == [(4, "not_json"), (6, "missing_field")]


def test_late_minority_in_a_large_file(night: Night) -> None:
    """The kind is guessed by the first lines: rows of the other kind far behind would be refused."""
    rows = [run(f"r{number}") for number in range(300)] + [span(f"s{number}") for number in range(300)]
    assert counts(night.land(*rows))["loaded"] == 600


def test_a_line_that_is_no_utf8(night: Night) -> None:
    """One byte in another encoding would cost the whole file."""
    good = jsonl(span("a"), span("b", name="café"))
    night.write("a.jsonl", good + b'{"span_id": "c\xe9"}\n' + jsonl("bad", span("d")) + b"\xff\xff")
    report = night.land()
    assert counts(report) == {"read": 6, "loaded": 3, "duplicate": 0, "superseded": 0, "quarantined": 3}
    rows = night.quarantine()
    assert [(row["line_number"], row["reason"]) for row in rows] == [
        (3, "not_utf8"),
        (4, "not_json"),
        (5 + 1, "not_utf8"),
    ]
    assert rows[0]["raw"] == '{"span_id": "c\ufffd"}'
    assert {row["span_id"]: row["name"] for row in night.rows()}["b"] == "café"


def test_exact_money_in_a_salvaged_file(night: Night) -> None:
    """The slower way to read a file would round where the fast one does not."""
    night.write(
        "a.jsonl", jsonl(span(provider_cost_usd="P")).replace(b'"P"', b"100000000.1000000000049") + b"\xff\n"
    )
    night.land()
    assert night.one()["provider_cost_usd"] == Decimal("100000000.100000000005")


def test_a_truncated_last_line(night: Night) -> None:
    """A writer that died would cost the lines before."""
    night.write("a.jsonl", jsonl(span("a"), span("b"), span("c"))[:-30])
    assert counts(night.land())["loaded"] == 2
    assert places(night) == [(3, "not_json")]


def test_lines_of_30_mb(night: Night) -> None:
    """A huge line would be cut, cost its file, or take more memory than the setting allows."""
    huge = "x" * 30_000_000
    odd = {"nan": float("nan"), 'q"/': [1.50, None], "run_type": "?", "b": {"NaN": 1}}
    report = night.land(
        span("a"),
        span("b", blob=huge, attributes={"blob": 1}, provider_cost_usd="0.5", **odd),
        span("c", name=huge),
        "bad",
        span("d", blob=huge, input_tokens="many"),
    )
    assert counts(report) == {"read": 5, "loaded": 3, "duplicate": 0, "superseded": 0, "quarantined": 2}
    rows = {row["span_id"]: row for row in night.rows()}
    attributes = json.loads(rows["b"]["attributes"], parse_constant=lambda name: 1 / 0)
    assert attributes == {"attributes": {"blob": 1}, "blob": huge, **odd, "nan": "NaN"}
    assert rows["b"]["provider_cost_usd"] == Decimal("0.5")
    assert rows["c"]["name"] == huge
    assert [(row["line_number"], row["reason"]) for row in night.quarantine()] == [
        (4, "not_json"),
        (5, "wrong_type"),
    ]
    assert huge in night.quarantine()[1]["raw"], "the raw text was cut"


def test_huge_lines_land_like_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that huge lines take would read a field otherwise."""
    plain = Night(tmp_path / "plain")
    rows = [
        *FULL,
        span("c", **{name: [name, None] for name in ("", "a/b", "~", "run_type", 'quo"te')}),
        run("r"),
    ]
    plain.land(
        *rows, json.dumps(span("e")) + "x", json.dumps(span("f"))[:-1] + ', "z" : 1.50 , "z": 2 }', "{}", "{"
    )
    monkeypatch.setattr("orchestration.landing.salvage.HUGE_LINE_BYTES", 1)
    huge = Night(tmp_path / "huge")
    huge.land(
        *rows, json.dumps(span("e")) + "x", json.dumps(span("f"))[:-1] + ', "z" : 1.50 , "z": 2 }', "{}", "{"
    )
    assert len(huge.winners()) == 5
    for key, expected in plain.winners().items():
        got = huge.winners()[key]
        for row in (expected, got):
            row["attributes"] = row["attributes"] and json.loads(row["attributes"])
        if key[-1] == "f":  # of a key that stands twice, the plain way keeps the first value twice
            expected["attributes"] = {"z": 1.5}
        assert got == expected
    assert huge.quarantine() == plain.quarantine()


def test_a_line_beyond_the_limit(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end would fill the memory, or its file be refused without a word."""
    monkeypatch.setattr(streams, "MAX_LINE_BYTES", 1 << 20)
    reason = why_unreadable(night, "a.jsonl", jsonl(span("a"), span("b", blob="x" * (3 << 20))))
    assert reason == "line 2 is longer than 1 MiB, the most that is read"


def test_deep_nesting(night: Night) -> None:
    """A hundred thousand brackets would overflow the stack."""
    deep = json.dumps(span("a"))[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert counts(night.land(deep, span("b"), "[" * 100_000))["loaded"] == 2


def test_doubled_keys(night: Night) -> None:
    """A key that stands twice would make attributes that no parser reads alike."""
    night.land(json.dumps(span())[:-1] + ', "run_id": "r2", "x": 1, "x": 1}')
    assert night.one()["span_id"] == "s1"


ONE_DOCUMENT = "it is one JSON document, not JSON Lines"


# -- whole files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jsonl", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n", "it is a PDF document, not jsonl"),
        ("a.csv", b"PK\x03\x04\x14\x00rest", "it is a ZIP archive, not csv"),
        ("a.jsonl", b"SQLite format 3\x00", "it is a SQLite database, not jsonl"),
        ("a.jsonl", "\ufeff{}".encode("utf-16-le"), "it is UTF-16 text (save it as UTF-8), not jsonl"),
        ("a.jsonl", b"Dear all,\nhello\n", "no line is a JSON object; it begins with 'Dear all,'"),
        ("a.jsonl", b"<html>\n<body>\n", "no line is a JSON object; it begins with '<html>'"),
        ("a.jsonl", json.dumps([run(), run("b")]).encode(), ONE_DOCUMENT),
        ("a.jsonl", json.dumps([run(), run("b")], indent=1).encode(), ONE_DOCUMENT),
        ("a.json", json.dumps({"runs": [run()]}, indent=2).encode(), ONE_DOCUMENT),
        (
            "a.jsonl",
            b"[\n" + b",\n".join(json.dumps(run(f"{n}")).encode() for n in range(3)) + b"\n]\n",
            ONE_DOCUMENT,
        ),
        ("a.jsonl", jsonl({"level": "info"}, {"level": "warn"}), "this is no export of runs or spans"),
        ("a.csv", b"", "its first line is empty"),
        ("a.csv", b"\nrun_id,x\n", "its first line is empty"),
        ("a.csv", b"a,b\n1,2\n", "it lacks the required columns run_id, workspace_id, run_type, status"),
        ("a.csv", b"run_id,,x\n1,2,3\n", "its header has an empty column name"),
        ("a.csv", b"run_id,RUN_ID,x\n1,2,3\n", "the column 'run_id' stands twice"),
        ("a.csv", b"run_id,caf\xe9\n1,2\n", "its header is not valid UTF-8"),
        (
            "a.csv",
            csv_bytes(span(kind=...)),
            "as spans it lacks the required column kind",
        ),
        ("a.parquet", b"", ""),
        ("a.parquet", b"PAR1 and nothing else", ""),
        ("a.parquet", jsonl(run()), ""),
        ("a.jsonl.gz", b"", "the gzip stream is empty"),
        ("a.jsonl.zst", b"", "the zstd stream is empty"),
    ],
)  # fmt: skip
def test_wholly_unreadable_files(night: Night, name: str, data: bytes, words: str) -> None:
    """A file that is no export would stop the night, or land as thousands of bad lines."""
    reason = why_unreadable(night, name, data)
    assert words in reason
    assert "\n" not in reason


def test_parquet_without_the_columns(night: Night, tmp_path: Path) -> None:
    """A table of something else would land as rows of nothing."""
    reason = why_unreadable(night, "a.parquet", parquet_bytes("select 1 as run_id, 2 as other", tmp_path))
    assert reason == "as runs it lacks the required columns workspace_id, run_type, status, started_at"


def test_truncated_parquet(night: Night, tmp_path: Path) -> None:
    """A table that was cut would stop the night."""
    whole = text_parquet([span(f"s{n}") for n in range(100)], tmp_path)
    assert "a.parquet" in why_unreadable(night, "a.parquet", whole[: len(whole) // 2])


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_an_empty_file_is_a_file_without_rows(night: Night, name: str) -> None:
    """A quiet night's empty export would be reported as damaged."""
    night.write(name, b"")
    only = entry(night)
    assert (only.status, only.rows_read) == ("loaded", 0)


@pytest.mark.parametrize("data", [b"\n\n", b" \t\r\n", b"\xef\xbb\xbf\n"])
def test_a_blank_file_is_a_file_without_rows(night: Night, data: bytes) -> None:
    """Blank lines would be counted as rows."""
    night.write("a.jsonl", data)
    only = entry(night)
    assert (only.status, only.rows_read) == ("loaded", 0)


def test_a_csv_with_only_a_header_is_a_file_without_rows(night: Night, tmp_path: Path) -> None:
    """A quiet night's export would be reported as damaged."""
    night.write("a.csv", csv_bytes(span()).splitlines(keepends=True)[0])
    columns = ", ".join(f"'x' as {name}" for name in SPANS.required)
    night.write("b.parquet", parquet_bytes(f"select {columns} limit 0", tmp_path))
    report = night.land()
    assert report.manifest
    assert [(item.status, item.rows_read) for item in report.manifest.files] == [("loaded", 0)] * 2


def test_the_row_numbers_of_pandas_are_one_more_column(night: Night) -> None:
    """A table that pandas wrote as it does by default is refused whole."""
    header, row = csv_bytes(span()).decode().splitlines()
    night.write("a.csv", f",{header}\n7,{row}\n")
    night.land()
    assert json.loads(night.one()["attributes"])["Unnamed: 0"] == "7"


# -- compression ---------------------------------------------------------------------------------------------

MANY = jsonl(*(span(f"s{number}", provider_cost_usd=f"0.{number:06d}") for number in range(300)))


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_truncated_compression(tmp_path: Path, compression: str) -> None:
    """A file that was cut while it was copied would land up to the cut, and the rest be lost silently."""
    whole = compressed(MANY, compression)
    night = Night(tmp_path)
    cuts = sorted({1, 3, 4, 5, 9, 12, len(whole) // 3, len(whole) // 2, *range(len(whole) - 9, len(whole))})
    for cut in cuts:
        night.write(f"{cut}.jsonl.{compression}", whole[:cut])
    report = night.land()
    assert report.manifest
    short = {f"{cut}.jsonl.{compression}" for cut in cuts if cut < 4}  # too short to be told from text
    readable = {item.path for item in report.manifest.files if item.status == "loaded"}
    assert readable <= short, "a truncated file was read"
    assert night.rows() == []
    assert sum("truncated" in str(item.reason) for item in report.manifest.files) >= len(cuts) - 4


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_flipped_bits(tmp_path: Path, compression: str) -> None:
    """DuckDB does not verify checksums: a flipped bit would become another amount."""
    whole = compressed(MANY, compression)
    night = Night(tmp_path)
    for number in range(60):
        damaged = bytearray(whole)
        damaged[12 + number * (len(whole) - 12) // 60] ^= 1 << number % 8
        night.write(f"{number}.jsonl.{compression}", bytes(damaged))
    report = night.land()
    assert report.manifest
    assert {item.status for item in report.manifest.files} == {"unreadable"}


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_concatenated_streams(night: Night, compression: str) -> None:
    """Logs that are appended as compressed pieces would be read up to the first piece."""
    pieces = [compressed(jsonl(span(f"{number}")), compression) for number in range(3)]
    night.write(f"a.jsonl.{compression}", b"".join(pieces))
    assert entry(night).rows_loaded == 3


def test_rest_behind_a_gzip(night: Night) -> None:
    """Something else behind the stream would be dropped without a word."""
    assert "damaged" in why_unreadable(night, "a.jsonl.gz", gzip.compress(MANY) + b"garbage")


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_bomb_is_measured_in_little_memory(tmp_path: Path, compression: str) -> None:
    """A small file that becomes huge would be held in memory at once."""
    from orchestration.landing.files import discover

    night = Night(tmp_path)
    if compression == "gz":
        packer = zlib.compressobj(wbits=31)
        data = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(256)) + packer.flush()
    else:
        data = zstandard.ZstdCompressor(level=1).compress(b" " * (256 << 20))
    night.write(f"a.jsonl.{compression}", data)
    (file,), _, _ = discover(night.landing, settle_seconds=0, known=set(), cache_path=tmp_path / "c.json")
    assert max(len(chunk) for chunk in streams.chunks(file)) <= 128 << 20
    with pytest.raises(streams.UnreadableFileError, match="line 1 is longer than 64 MiB"):
        streams.measure(file)


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_bomb_of_short_lines_is_refused(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file of endless lines keeps the night busy, and its disk full."""
    monkeypatch.setattr(streams, "_HARMLESS_BYTES", 1 << 20)
    night = Night(tmp_path)
    line = jsonl(span("s1", name="x" * 200))
    night.write(f"bomb.jsonl.{compression}", compressed(line * 40_000, compression))
    honest = [span(f"s{number}", name="x" * 200) for number in range(10_000)]
    night.write(f"good.jsonl.{compression}", compressed(jsonl(*honest), compression))
    report = night.land()
    assert report.manifest
    bomb, good = report.manifest.files
    assert "more than 200 times its" in str(bomb.reason)
    assert good.rows_loaded == 10_000, "an honest export of similar rows is taken for a bomb"


def test_a_parquet_file_of_rows_without_bytes_is_refused(night: Night, tmp_path: Path) -> None:
    """A few bytes that stand for a billion rows keep the night busy."""
    row = "'s' as span_id, 'r' as run_id, 'w' as workspace_id, 'n' as name, 'tool' as kind, timestamp '2026-05-01' as started_at"
    night.write("a.parquet", parquet_bytes(f"select {row} from range(1100000)", tmp_path))
    reason = entry(night).reason
    assert "it says that it has 1,100,000 rows in" in str(reason)


# -- CSV -----------------------------------------------------------------------------------------------------


def csv_lines(*lines: str) -> str:
    return "span_id,run_id,workspace_id,name,kind,started_at,input_tokens\n" + "".join(
        line + "\n" for line in lines
    )


def row_text(span_id: str, name: str = "n", tokens: str = "") -> str:
    return f"{span_id},r1,w1,{name},tool,2026-05-01T10:00:00Z,{tokens}"


def test_csv_values_are_quarantined_with_their_line(night: Night) -> None:
    """Cells over several lines and blank lines would shift the line that is named."""
    night.write(
        "a.csv",
        csv_lines(
            row_text("a"),  # 2
            row_text("b", '"two\nlines"'),  # 3
            row_text("c", tokens="many"),  # 5
            "",
            row_text("d", '"three\n\nlines, ""quoted"""', "more"),  # 7
            row_text("e", tokens="-1"),  # 10
        ),
    )
    report = night.land()
    assert counts(report) == {"read": 5, "loaded": 2, "duplicate": 0, "superseded": 0, "quarantined": 3}
    rows = night.quarantine()
    assert [(row["line_number"], row["reason"]) for row in rows] == [
        (5, "wrong_type"),
        (7, "wrong_type"),
        (10, "impossible_value"),
    ]
    assert json.loads(rows[1]["raw"])["name"] == 'three\n\nlines, "quoted"'


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_csv_rows_that_do_not_fit(night: Night, ends: str) -> None:
    """A row with a column too many or an open quote would cost the file, or swallow the rows behind it."""
    text = csv_lines(
        row_text("a"),  # 2
        row_text("b") + ",more",  # 3
        "c,r1",  # 4
        row_text("d", '"open'),  # 5
        row_text("e"),  # 6
        row_text("f", '"x"y'),  # 7
        row_text("g", '"two\nlines"'),  # 8, 9
        row_text("h", '5" pipe'),  # 10
        "",
        row_text("i", tokens="many"),  # 12
        row_text("j", tokens='"{""total_tokens"": 5}"'),  # 13
    )
    night.write("a.csv", text.replace("\n", ends))
    report = night.land()
    assert counts(report) == {"read": 10, "loaded": 5, "duplicate": 0, "superseded": 0, "quarantined": 5}
    assert places(night) == [
        (3, "malformed_row"),
        (4, "malformed_row"),
        (5, "malformed_row"),
        (7, "malformed_row"),
        (12, "wrong_type"),
    ]
    assert night.quarantine()[2]["raw"] == row_text("d", '"open')
    names = {row["span_id"]: row["name"] for row in night.rows()}
    assert {row["span_id"]: row["input_tokens"] for row in night.rows()}["j"] == 5
    assert names == {"a": "n", "e": "n", "g": f"two{ends}lines", "h": '5" pipe', "j": "n"}


def test_csv_with_a_stray_quote_keeps_its_line_numbers(night: Night) -> None:
    """Counting quotes to find the lines of rows would go wrong where a quote is only a character."""
    rows = [row_text("a", '5" pipe'), row_text("b", tokens="x")]
    rows += [row_text("c", '6" pipe'), row_text("d", tokens="y")]
    night.write("a.csv", csv_lines(*rows))
    assert counts(night.land())["loaded"] == 2
    assert places(night) == [(3, "wrong_type"), (5, "wrong_type")]


@pytest.mark.parametrize("column", ["span_id", "name", "input_tokens"])
def test_csv_line_that_is_no_utf8(night: Night, column: str) -> None:
    """One byte in any column would cost the whole file."""
    bad = {"span_id": "b\xff", "name": "n", "tokens": ""} if column == "span_id" else {"span_id": "b"}
    bad |= {"name": "\xff"} if column == "name" else {}
    bad |= {"tokens": "\xff"} if column == "input_tokens" else {}
    text = csv_lines(row_text("a"), row_text(**bad), row_text("c", "\u00e9")).encode()
    night.write("a.csv", text.replace("\u00ff".encode(), b"\xff"))
    assert counts(night.land()) == {"read": 3, "loaded": 2, "duplicate": 0, "superseded": 0, "quarantined": 1}
    assert places(night) == [(3, "not_utf8")]


def test_csv_mixed_line_ends(night: Night) -> None:
    """A file put together from two systems would be refused."""
    night.write(
        "a.csv",
        csv_lines(row_text("a"), row_text("b")) + row_text("c") + "\r\n" + row_text("d", tokens="x") + "\n",
    )
    assert counts(night.land()) == {"read": 4, "loaded": 3, "duplicate": 0, "superseded": 0, "quarantined": 1}
    assert places(night) == [(5, "wrong_type")]


@pytest.mark.parametrize("ends", ["\r", "\r\n"])
def test_csv_line_ends_of_other_systems(night: Night, ends: str) -> None:
    """A header that ends in CR would be read together with the first row, or crash the night."""
    text = csv_lines(row_text("a", '"two\nlines"'), row_text("b"), row_text("c", tokens="x"))
    night.write("a.csv", text.replace("\n", ends))
    assert counts(night.land())["loaded"] == 2
    assert places(night) == [(5, "wrong_type")]
    assert night.rows()[0]["name"] == f"two{ends}lines"


def test_csv_header_cut_by_a_stray_cr(night: Night) -> None:
    """A CR in the middle of the header would crash the night."""
    data = csv_bytes(span()).replace(b",kind", b"\r,kind")
    assert "lacks the required column" in why_unreadable(night, "a.csv", data)


def test_csv_wide_cell(night: Night) -> None:
    """A cell beyond the standard library's 128 KiB would be refused when the file has to be salvaged."""
    night.write("a.csv", csv_lines(row_text("a", "x" * 300_000), "short"))
    assert counts(night.land())["loaded"] == 1
    assert places(night) == [(3, "malformed_row")]


def test_csv_damaged_gzip_is_unreadable_not_salvaged(night: Night) -> None:
    """The rows before the damage would land, and the rest be lost."""
    data = gzip.compress(csv_lines(*(row_text(f"s{n}") for n in range(500))).encode())
    assert "truncated" in why_unreadable(night, "a.csv.gz", data[: len(data) // 2])


# -- measure -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "lines", "is_uniform"),
    [
        (b"", 0, True), (b"a", 1, True), (b"a\n", 1, True), (b"a\nb", 2, True), (b"a\r\nb\r\n", 2, True),
        (b"a\rb\r", 2, True), (b"a\nb\r\n", 2, False), (b"\n\n", 2, True), (b"a\r\n\n", 2, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("chunk", [1, 2, 1 << 20])
def test_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, lines: int, is_uniform: bool, chunk: int
) -> None:
    """A line end across two reads would be counted twice: the books would not balance."""
    from orchestration.landing.files import Fingerprint, LandingFile

    monkeypatch.setattr(streams, "_READ_BYTES", chunk)
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    file = LandingFile(path, path.name, "jsonl", "none", Fingerprint.of(path), "")
    measured = streams.measure(file)
    assert (measured.lines, measured.is_uniform) == (lines, is_uniform)
    longest = max(map(len, data.splitlines(keepends=True)), default=0)
    assert longest <= measured.longest_bytes + 2, "DuckDB would refuse the file for a line that is too long"


@pytest.mark.parametrize("chunk", [1, 3, 8, 1 << 20])
@pytest.mark.parametrize(
    ("data", "may_name_usage"),
    [
        (b'{"usage": {}}', True), (b'{"a": 1}\n{"b": 2, "usage" : {}}\n', True), (b'{"\\u0075sage": {}}', True),
        (b'{"us\\u0061ge": {}}', True), (b'{"input_tokens": 1, "use": "usages \\u00e9"}', False), (b"", False),
    ],
)  # fmt: skip
def test_measure_sees_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, may_name_usage: bool, chunk: int
) -> None:
    """A usage body is read as an unknown field, and its tokens are lost, because its name fell between two reads or is escaped."""
    from orchestration.landing.files import Fingerprint, LandingFile

    monkeypatch.setattr(streams, "_READ_BYTES", chunk)
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    file = LandingFile(path, path.name, "jsonl", "none", Fingerprint.of(path), "")
    assert streams.measure(file).may_name_usage is may_name_usage


def test_streams_read_what_was_written(tmp_path: Path) -> None:
    """The reader of compressed bytes would drop or repeat some at the border of a piece."""
    from orchestration.landing.files import Fingerprint, LandingFile

    data = os.urandom(3_000_000) + b"x" * 3_000_000
    for name, compression in (("gz", "gzip"), ("zst", "zstd"), ("", "none")):
        path = tmp_path / f"a{name}"
        path.write_bytes(compressed(data, name))
        file = LandingFile(path, path.name, "jsonl", compression, Fingerprint.of(path), "")  # type: ignore[arg-type]
        with streams.open_bytes(file) as stream:
            assert stream.read() == data
