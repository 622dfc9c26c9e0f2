"""Values and rules of the contract, through the reader: what a field accepts, what it becomes, what is
refused.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import contract
from orchestration.landing.contract import RUNS, SPANS
from orchestration.settings import REPOSITORY
from tests.landing_helpers import Night, counts, run, span


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def landed(night: Night, **fields: Any) -> dict[str, Any]:
    """The lake row of one span."""
    night.land(span(**fields))
    return night.one()


def refusals(night: Night, *rows: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and reason of each quarantined row, after checking that every row was refused."""
    report = night.land(*rows)
    assert counts(report)["loaded"] == 0, f"a row was accepted: {night.rows(SPANS) + night.rows(RUNS)}"
    return [(row["field"], row["reason"]) for row in night.quarantine()]


def values(night: Night, field: str, given: list[Any]) -> list[Any]:
    """What a field of a span becomes for each given value; one file, so that many cases cost one landing."""
    report = night.land(*(span(f"{number:03d}", **{field: value}) for number, value in enumerate(given)))
    assert counts(report)["loaded"] == len(given), night.quarantine()
    return [row[field] for row in night.rows()]


def reasons(night: Night, field: str, given: list[Any]) -> list[str]:
    """Why a span is refused for each given value of the field."""
    got = refusals(night, *(span(f"{number:03d}", **{field: value}) for number, value in enumerate(given)))
    assert {name for name, _ in got} == {field}
    return [reason for _, reason in got]


def test_contract_page_is_the_contract() -> None:
    """docs/contract.md tells users another contract than the one that is applied."""
    page = (REPOSITORY / "docs" / "contract.md").read_text(encoding="utf-8")
    assert page == contract.markdown(), (
        "write docs/contract.md again from orchestration.landing.contract.markdown()"
    )


def test_contract_page_names_every_field() -> None:
    """A field, reason or kind could be left out of the documentation."""
    page = contract.markdown()
    for entity in contract.ENTITIES:
        for item in entity.fields:
            assert f"| {item.name}{'*' if item.required else ''} |" in page
    for reason in contract.Reason:
        assert f"| {reason} |" in page


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 4}, {"input_tokens": 10, "output_tokens": 4}, id="flat"
        ),
        pytest.param(
            {
                "input_tokens": {"total_tokens": 100, "audio_tokens": 7, "cached_tokens": 40},
                "output_tokens": {"total_tokens": 50, "audio_tokens": 3, "reasoning_tokens": 20},
            },
            {
                "input_tokens": 100,
                "audio_input_tokens": 7,
                "cached_tokens": 40,
                "output_tokens": 50,
                "audio_output_tokens": 3,
                "reasoning_tokens": 20,
            },
            id="nested input and output",
        ),
        pytest.param(
            {
                "prompt_tokens": {"total_tokens": "9", "cached_tokens": 1},
                "completion_tokens": {"total_tokens": 8, "reasoning_tokens": "2"},
            },
            {"input_tokens": 9, "cached_tokens": 1, "output_tokens": 8, "reasoning_tokens": 2},
            id="nested prompt and completion, numbers as strings",
        ),
        pytest.param({"input_tokens": 5, "prompt_tokens": 99}, {"input_tokens": 5}, id="own name first"),
        pytest.param(
            {"input_tokens": "", "prompt_tokens": 7}, {"input_tokens": 7}, id="empty text hides nothing"
        ),
        pytest.param(
            {"input_tokens": None, "prompt_tokens": 7}, {"input_tokens": 7}, id="null hides nothing"
        ),
        pytest.param(
            {"input_tokens": '{"total_tokens": 6}'}, {"input_tokens": 6}, id="an object as its text"
        ),
    ],
)
def test_historic_token_shapes(night: Night, given: dict[str, Any], expected: dict[str, int]) -> None:
    """Tokens of an older export shape would be lost or taken from the wrong place."""
    row = landed(night, **given)
    assert {name: row[name] for name in expected} == expected
    assert row["attributes"] is None, "what was read as tokens is kept a second time in attributes"


def test_unread_keys_of_a_token_object_are_kept(night: Night) -> None:
    """A key of a usage object that the contract does not know would be dropped."""
    row = landed(night, input_tokens={"total_tokens": 5, "text_tokens": 4})
    assert row["input_tokens"] == 5
    assert json.loads(row["attributes"]) == {"input_tokens": {"total_tokens": 5, "text_tokens": 4}}


def test_counts_accepted(night: Night) -> None:
    """A whole number in another spelling would be refused or changed."""
    cases = {
        "12": 12, 12: 12, 12.25e2: 1225, "12.0": 12, " 12 ": 12, "1e3": 1000, "+7": 7, 0: 0, "-0": 0,
        10**12: 10**12, "0012": 12,
    }  # fmt: skip
    assert dict(zip(cases, values(night, "input_tokens", list(cases)), strict=True)) == cases


def test_counts_refused(night: Night) -> None:
    """A number that is no count would be rounded, accepted, or refused for a misleading reason."""
    wrong = ["twelve", "12.5", 12.5, "1_000", "0x10", True, [1], "{bad", "NaN", float("nan"), "1e-3"]
    impossible = [-1, "-1", 10**12 + 1, "9" * 20, 10**40, "1e300", "-1e300", "1e999"]
    got = list(zip(wrong + impossible, reasons(night, "input_tokens", wrong + impossible), strict=True))
    assert [given for given, reason in got[: len(wrong)] if reason != "wrong_type"] == []
    assert [given for given, reason in got[len(wrong) :] if reason != "impossible_value"] == []


def test_object_without_a_total_counts_as_absent(night: Night) -> None:
    """A usage object without the keys we read would quarantine a row that says nothing wrong."""
    row = landed(night, input_tokens={"other": 1})
    assert row["input_tokens"] is None
    assert json.loads(row["attributes"]) == {"input_tokens": {"other": 1}}


MONEY = {
    "0.0174000000000000024": "0.017400000000",
    "0.0000000000005": "0.000000000000",  # ties go to the even digit
    "0.0000000000015": "0.000000000002",
    "0.0000000000025": "0.000000000002",
    "0.00000000000050000000000001": "0.000000000001",
    "1.3e-05": "0.000013000000",
    "1.3E-5": "0.000013000000",
    "123456789.123456789012": "123456789.123456789012",
    "100000000.1000000000049": "100000000.100000000005",
    "999999999.999999999999": "999999999.999999999999",
    "12.34567890123450001": "12.345678901235",
    "1000000000": "1000000000.000000000000",
    "0": "0.000000000000",
    "1e-40": "0.000000000000",
    "0.00000000000050000000000000000000001": "0.000000000001",  # no tie: there is something in the 35th place
    "0.00000000000149999999999999999999999": "0.000000000001",
}


@pytest.mark.parametrize("as_number", [False, True], ids=["string", "number"])
def test_money_is_exact(night: Night, as_number: bool) -> None:
    """Money would go through a binary float, be rounded twice, or round ties away from even."""
    lines = [
        json.dumps(span(f"{number:03d}")).removesuffix("}")
        + f', "provider_cost_usd": {given if as_number else json.dumps(given)}}}'
        for number, given in enumerate(MONEY)
    ]
    night.land(*lines)
    stored = [f"{row['provider_cost_usd']:.12f}" for row in night.rows()]
    assert dict(zip(MONEY, stored, strict=True)) == MONEY


def test_the_exact_digits_are_those_of_the_field(night: Night) -> None:
    """A number of the same name deeper in the row would replace the amount."""
    line = json.dumps(span()).removesuffix("}")
    line += ', "note": {"provider_cost_usd": 7.12345678901234567}, "provider_cost_usd": 0.123456789012345678}'
    night.land(line)
    assert night.one()["provider_cost_usd"] == Decimal("0.123456789012")


def test_credits_keep_six_decimals_half_even(night: Night) -> None:
    """Credits would be rounded away from even, or lose decimals."""
    night.land(
        span("a", task_credits="2.0000005"), span("b", task_credits=2.0000015), span("c", task_credits="1.5")
    )
    assert [row["task_credits"] for row in night.rows()] == [
        Decimal("2.000000"),
        Decimal("2.000002"),
        Decimal("1.500000"),
    ]


@pytest.mark.parametrize("field", ["provider_cost_usd", "task_credits"])
def test_amounts_refused(night: Night, field: str) -> None:
    """An amount that is none, or one that would overflow the sums, would be accepted."""
    wrong = ["free", "$1", "1,5", "1_000", True, {"usd": 1}, "NaN", "inf", "1e", ".", float("nan")]
    impossible = [-0.01, "1000000000.01", 1e300, "123456789012345678901234567890", "-1e50"]
    got = list(zip(wrong + impossible, reasons(night, field, wrong + impossible), strict=True))
    assert [given for given, reason in got[: len(wrong)] if reason != "wrong_type"] == []
    assert [given for given, reason in got[len(wrong) :] if reason != "impossible_value"] == []


TIMES = {
    "2026-05-01T10:00:00Z": "2026-05-01T10:00:00",
    "2026-05-01T10:00:00z": "2026-05-01T10:00:00",
    "2026-05-01t10:00:00z": "2026-05-01T10:00:00",
    "2026-05-01T10:00:00+02:00": "2026-05-01T08:00:00",
    "2026-05-01T10:00:00+0200": "2026-05-01T08:00:00",
    "2026-05-01T10:00:00+02": "2026-05-01T08:00:00",
    "2026-05-01T10:00:00 +02:00": "2026-05-01T08:00:00",
    "2026-05-01T10:00:00-05:30": "2026-05-01T15:30:00",
    "2026-05-01T10:00:00\u221205:30": "2026-05-01T15:30:00",
    "2026-05-01T10:00:00": "2026-05-01T10:00:00",
    "2026-05-01 10:00:00": "2026-05-01T10:00:00",
    "2026-05-01": "2026-05-01T00:00:00",
    "2026-05-01T10:00:00.5Z": "2026-05-01T10:00:00.500000",
    "2026-05-01T10:00:00,5Z": "2026-05-01T10:00:00.500000",
    "2026-05-01T10:00:00.123456+02:00": "2026-05-01T08:00:00.123456",
    "2026-05-01T10:00:00.123456789Z": "2026-05-01T10:00:00.123456",
    " 2026-05-01T10:00:00Z ": "2026-05-01T10:00:00",
    "2000-01-01T00:00:00Z": "2000-01-01T00:00:00",
    "2099-12-31T23:59:59.999999Z": "2099-12-31T23:59:59.999999",
}


def test_times_accepted(night: Night) -> None:
    """An offset would be dropped, or a legal spelling refused."""
    got = [value.isoformat() for value in values(night, "started_at", list(TIMES))]
    assert dict(zip(TIMES, got, strict=True)) == TIMES


def test_offset_decides_the_date_of_the_part(night: Night) -> None:
    """A row would lie under the date of its local time and be missed when that UTC date is rebuilt."""
    report = night.land(span(started_at="2026-05-02T01:00:00+02:00"))
    assert report.manifest
    assert report.manifest.dates_touched == ["2026-05-01"]


def test_times_refused(night: Night) -> None:
    """A time that is none, or one centuries away, would open dates that do not exist."""
    wrong = ["yesterday", "now", 1767225600000, "2026-13-01", "2026-02-30T00:00:00Z", {"at": 1}, True]
    impossible = [
        "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "infinity", "-infinity", "epoch", "2026-05-01 (BC)",
    ]  # fmt: skip
    got = list(zip(wrong + impossible, reasons(night, "started_at", wrong + impossible), strict=True))
    assert [given for given, reason in got[: len(wrong)] if reason != "wrong_type"] == []
    assert [given for given, reason in got[len(wrong) :] if reason != "impossible_value"] == []


def test_end_before_start_is_refused(night: Night) -> None:
    """A negative duration would reach the percentiles."""
    got = refusals(
        night,
        span(ended_at="2026-05-01T09:59:59.999Z"),
        run(completed_at="2026-05-01T10:00:00+00:01"),
    )
    assert got == [("ended_at", "impossible_value"), ("completed_at", "impossible_value")]


def test_end_at_start_is_accepted(night: Night) -> None:
    """A span of no duration would be refused."""
    assert landed(night, ended_at="2026-05-01T12:00:00+02:00")["ended_at"] == datetime(2026, 5, 1, 10)  # noqa: DTZ001


@pytest.mark.parametrize("given", [..., None, ""], ids=["absent", "null", "empty"])
def test_missing_fields(night: Night, given: Any) -> None:
    """A row without a required field would be loaded, or refused for another reason."""
    of_runs = list(RUNS.required)
    of_spans = [name for name in SPANS.required if name != "span_id"]
    rows = [run(f"r{name}", **{name: given}) for name in of_runs]
    rows += [span(f"s{name}", **{name: given}) for name in of_spans]
    assert refusals(night, *rows) == [(name, "missing_field") for name in of_runs + of_spans]


def test_missing_span_id_in_a_file_of_spans(night: Night) -> None:
    """A span without its id would be taken for a run and refused for what runs lack."""
    report = night.land(span("a"), span("b"), span(span_id=...), span(""))
    assert counts(report) == {"read": 4, "loaded": 2, "duplicate": 0, "superseded": 0, "quarantined": 2}
    got = [(row["line_number"], row["entity"], row["field"], row["reason"]) for row in night.quarantine()]
    assert got == [(3, "spans", "span_id", "missing_field"), (4, "spans", "span_id", "missing_field")]


def test_required_texts_must_be_texts(night: Night) -> None:
    """An object in place of an id would become an id nobody can join."""
    fields = ("run_id", "workspace_id", "name", "kind")
    cases = [(field, given) for field in fields for given in ({"a": 1}, ["x"], True, False)]
    rows = [span(f"s{number}", **{field: given}) for number, (field, given) in enumerate(cases)]
    rows += [span(span_id=[1]), run(run_type={}), run(status=True)]
    expected = [
        (field, "wrong_type") for field in [field for field, _ in cases] + ["span_id", "run_type", "status"]
    ]
    assert refusals(night, *rows) == expected


def test_texts_that_look_like_json_are_texts(night: Night) -> None:
    """A name like '{x}' or 'true' would be refused as if it were an object or a boolean."""
    night.land(span("true", name='{"a": 1}'), span("[1]", name="{x"), span("3", name=7))
    assert [(row["span_id"], row["name"]) for row in night.rows()] == [
        ("3", "7"),
        ("[1]", "{x"),
        ("true", '{"a": 1}'),
    ]


def test_optional_texts_keep_objects_as_text(night: Night) -> None:
    """A structured error message would cost the row that it explains."""
    assert landed(night, error_message={"code": 500})["error_message"] == '{"code":500}'


def test_closed_vocabularies(night: Night) -> None:
    """A word outside a closed vocabulary would split the reports."""
    got = refusals(
        night,
        run("a", run_type="job"),
        run("b", status="done"),
        run("c", charge_type="free"),
        span("d", status="done"),
        span("e", charge_type="free"),
    )
    assert got == [
        ("run_type", "unknown_value"),
        ("status", "unknown_value"),
        ("charge_type", "unknown_value"),
        ("status", "unknown_value"),
        ("charge_type", "unknown_value"),
    ]


def test_spellings_of_status(night: Night) -> None:
    """An older or capitalised spelling would be refused."""
    cases = {**contract.STATUS_SPELLINGS, " Completed ": "completed"}
    assert values(night, "status", list(cases)) == list(cases.values())


def test_spellings_of_delivery_and_open_source(night: Night) -> None:
    """Older deliveries would stand beside the new; an unknown source, which is an open list, would be
    refused.
    """
    night.land(run("a", delivery="sync", source="live"), run("b", delivery="ASYNC", source="Something New"))
    got = [(row["delivery"], row["source"]) for row in night.rows(RUNS)]
    assert got == [("direct", "live"), ("callback", "Something New")]


def test_unknown_kind_becomes_other_and_is_kept(night: Night) -> None:
    """A span of a kind we do not know would be lost, or its kind forgotten."""
    row = landed(night, kind="Guardrail")
    assert (row["kind"], row["quality_flags"]) == ("other", "unknown_kind")
    assert json.loads(row["attributes"]) == {"kind": "Guardrail"}


def test_known_kind_in_capitals_is_not_flagged(night: Night) -> None:
    """A spelling difference would be reported as a data fault."""
    row = landed(night, kind=" Tool ")
    assert (row["kind"], row["quality_flags"], row["attributes"]) == ("tool", None, None)


def test_a_subset_larger_than_its_whole_is_flagged_and_kept(night: Night) -> None:
    """More cached than sent would be clipped or refused instead of shown."""
    rows, expected = [], []
    for number, subset in enumerate(SPANS.subsets):
        # Enough of everything else, so that the whole of a part of a part is in order.
        plenty = {"input_tokens": 99} if subset.whole not in ("input_tokens", "output_tokens") else {}
        rows += [
            span(f"{number}a", **plenty, **{subset.part: 11, subset.whole: 10}),
            span(f"{number}b", **plenty, **{subset.part: 10, subset.whole: 10}),
            span(f"{number}c", **plenty, **{subset.part: 1}),
        ]
        expected += [(11, subset.flag), (10, None), (1, subset.flag)]
    report = night.land(*rows)
    parts = [subset.part for subset in SPANS.subsets for _ in range(3)]
    got = [(row[part], row["quality_flags"]) for row, part in zip(night.rows(), parts, strict=True)]
    assert got == expected, "a flag is missing or a flagged value was changed"
    assert report.manifest
    assert report.manifest.files[0].rows_flagged == 2 * len(SPANS.subsets)


def test_all_flags_of_a_row_are_told(night: Night) -> None:
    """Only the first flag of a row would be seen."""
    row = landed(night, kind="x", cached_tokens=2, input_tokens=1, reasoning_tokens=2, output_tokens=1)
    assert row["quality_flags"] == (
        "cached_tokens_exceed_input_tokens,reasoning_tokens_exceed_output_tokens,unknown_kind"
    )


NASTY_NAMES = [
    'q"uote',
    "sl/ash",
    "til~de",
    "~1",
    "/",
    "",
    "0",
    "a'b",
    "back\\slash",
    "naïve ☂",
    "$.x",
    "new\nline",
]


def test_unknown_fields_are_kept(night: Night) -> None:
    """A field that the contract does not name would be dropped or mangled."""
    extra: dict[str, Any] = {name: {"n": [1, None, name]} for name in NASTY_NAMES}
    extra |= {
        "nothing": None,
        "flag": True,
        "text": "it's",
        "number": 5,
        "list": [],
        "nan text": "NaN and inf",
    }
    assert json.loads(landed(night, **extra)["attributes"]) == extra


def test_own_attributes_stay_at_the_top(night: Night) -> None:
    """What a row says in its own attributes would be lost or buried."""
    row = landed(night, attributes={"a": 1, "b": {"c": None}}, region="eu")
    assert json.loads(row["attributes"]) == {"a": 1, "b": {"c": None}, "region": "eu"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"attributes": {"region": "us"}, "region": "eu"}, {"attributes": {"region": "us"}, "region": "eu"}),
        ({"attributes": {"kind": "us"}, "kind": "odd"}, {"attributes": {"kind": "us"}, "kind": "odd"}),
        (
            {"attributes": {"input_tokens": 1}, "input_tokens": {"x": 2}},
            {"attributes": {"input_tokens": 1}, "input_tokens": {"x": 2}},
        ),
        ({"attributes": "plain"}, {"attributes": "plain"}),
        ({"attributes": [1, {"a": 2}]}, {"attributes": [1, {"a": 2}]}),
        ({"attributes": '{"a": 1}'}, {"a": 1}),
        ({"attributes": "{broken"}, {"attributes": "{broken"}),
    ],
)
def test_colliding_and_odd_attributes(night: Night, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Two values of one name would make one of them disappear; attributes that are no object would vanish."""
    text = landed(night, **fields)["attributes"]

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), f"a name stands twice: {text}"
        return dict(pairs)

    assert json.loads(text, object_pairs_hook=unique) == expected


@pytest.mark.parametrize("attributes", [..., None, {}, ""])
def test_no_attributes_is_null(night: Night, attributes: Any) -> None:
    """Empty attributes would look like attributes."""
    assert landed(night, attributes=attributes)["attributes"] is None


def _no_constants(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_attributes_are_json_that_browsers_read(night: Night) -> None:
    """NaN, which Python writes into JSON, would make the page that shows the attributes fail."""
    row = landed(
        night, score=float("nan"), deep={"x": [float("-inf"), "NaN"]}, attributes={"y": float("inf")}
    )
    read = json.loads(row["attributes"], parse_constant=_no_constants)
    assert set(read) == {"score", "deep", "attributes"}
    assert all(isinstance(value, str) for value in read.values())


def test_user_metadata_is_an_object(night: Night) -> None:
    """Metadata that is no object would break every filter on it."""
    report = night.land(
        run("a", user_metadata={"plan": "pro", "n": 1, "x": None}),
        run("b", user_metadata='{"plan":  "free"}'),
        run("c", user_metadata="plan=pro"),
        run("d", user_metadata=[1]),
        run("e", user_metadata={"score": float("nan")}),
    )
    assert counts(report)["loaded"] == 2
    assert [row["user_metadata"] for row in night.rows(RUNS)] == [
        '{"plan":"pro","n":1,"x":null}',
        '{"plan":"free"}',
    ]
    assert [(row["field"], row["reason"]) for row in night.quarantine()] == [
        ("user_metadata", "wrong_type")
    ] * 3


def test_every_fault_of_a_row_is_in_its_message(night: Night) -> None:
    """The sender would mend one fault a night."""
    line = json.dumps(span(name=..., input_tokens="many", charge_type="free", workspace_id="w9"))
    night.land(line)
    (row,) = night.quarantine()
    assert row == {
        "batch_seq": 1,
        "file_no": 1,
        "path": "a.jsonl",
        "line_number": 1,
        "entity": "spans",
        "field": "name",
        "reason": "missing_field",
        "message": "required field 'name' is missing; 'charge_type' is none of hosted, personal: free; "
        "'input_tokens' is not a whole number: many",
        "workspace_id": "w9",
        "raw": line,
    }


@pytest.mark.parametrize("name", ["updated_at", "completed_at", "started_at"])
def test_version_falls_back(night: Night, name: str) -> None:
    """A run without updated_at would have no version and lose to everything."""
    times = {"updated_at": "2026-05-03T00:00:00Z", "completed_at": "2026-05-02T00:00:00Z"}
    order = ["updated_at", "completed_at", "started_at"]
    kept = {key: value for key, value in times.items() if order.index(key) >= order.index(name)}
    night.land(run(**kept))
    row = night.one(RUNS)
    assert row["version_at"] == row[name]
