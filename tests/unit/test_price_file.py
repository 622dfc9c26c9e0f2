"""The user's price file: what it says in either format, every fault with its place, and the skeleton that is made for it."""

from __future__ import annotations

import csv
import dataclasses
import io
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.pricing import patterns, price_file
from orchestration.pricing.files import MAX_BYTES, UserFileError
from orchestration.pricing.meters import MEASURED, METERS
from orchestration.pricing.prices import Price
from orchestration.pricing.skeleton import Missing, skeleton

HEADER = ",".join(column.name for column in price_file.COLUMNS)
UNIT_SIZE = {meter.name: meter.unit_size for meter in METERS}


def price(**values: Any) -> Price:
    defaults: dict[str, Any] = {
        "provider": "",
        "model_rule": "gpt-x",
        "meter": "output",
        "variant": "",
        "above_input_tokens": 0,
        "valid_from": None,
        "valid_to": None,
        "daily_from": None,
        "daily_to": None,
        "unit_size": 1_000_000,
        "unit_price_usd": Decimal("0.15"),
        "source": "price file",
        "source_version": "",
        "checked_at": None,
    }
    return Price(**{**defaults, **values})


def read(text: str | bytes, suffix: str = "csv") -> tuple[Price, ...]:
    """Without the version, which has tests of its own."""
    return tuple(dataclasses.replace(found, source_version="") for found in versioned(text, suffix))


def versioned(text: str | bytes, suffix: str = "csv") -> tuple[Price, ...]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"prices.{suffix}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return price_file.read(path)


def faults(text: str | bytes, suffix: str = "csv") -> list[str]:
    """The lines of the message, each after the name of the file."""
    with pytest.raises(UserFileError) as caught:
        versioned(text, suffix)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(str(caught.value.path)) for line in lines), "a line does not name the file"
    return [line.removeprefix(str(caught.value.path)).lstrip(",: ") for line in lines]


def rows(*lines: str, header: str = "model,meter,unit_price_usd") -> str:
    return "\n".join((header, *lines, ""))


# -- what it says --------------------------------------------------------------------------------------------------------------


def test_every_column_counts() -> None:
    """A column of the file is read as another, or not at all."""
    text = (
        f"{HEADER}\n OpenAI , GPT-* ,Output,0.150,1000,2026-01-01,2026-02-01,200000,Flex,2026-01-15,a note\n"
    )
    assert read(text) == (
        price(
            provider="openai",
            model_rule="gpt-*",
            unit_size=1000,
            valid_from=date(2026, 1, 1),
            valid_to=date(2026, 2, 1),
            above_input_tokens=200_000,
            variant="flex",
            checked_at=date(2026, 1, 15),
        ),
    )


def test_yaml_says_the_same_as_csv() -> None:
    """The same prices are others when they are written as YAML."""
    text = """
# Agreed in March.
- model: gpt-x
  meter: output
  unit_price_usd: 0.15          # a number
- {Model: gpt-y, meter: image, unit_price_usd: "0.040", valid_from: 2026-01-01, note: ~}
- model: 'o3'
  meter: request
  unit_price_usd: 0.123456789012
  provider: null
"""
    listed = rows(
        "gpt-x,output,0.15,", "gpt-y,image,0.04,2026-01-01", "o3,request,0.123456789012,",
        header="model,meter,unit_price_usd,valid_from",
    )  # fmt: skip
    assert versioned(text, "yaml") == versioned(text, "yml") == versioned(listed)
    assert [found.unit_size for found in versioned(listed)] == [1_000_000, 1, 1000]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfModel,METER,Unit Price USD\r\n\r\ngpt-x,output,0.15\r\n,,\r\n",
        b'"model","meter","unit_price_usd"\n"gpt-x","output","0.15"',
        b"model,meter,unit_price_usd\rgpt-x,output,0.15\r",
        b"unit_price_usd, model, meter\n 0.15 , gpt-x , output \n",
    ],
    ids=["spreadsheet", "quoted", "carriage returns", "other order"],
)
def test_spellings_of_csv(text: bytes) -> None:
    """A file that a spreadsheet saved cannot be read."""
    assert read(text) == (price(),)


@pytest.mark.parametrize("meter", [meter.name for meter in MEASURED])
def test_a_unit_size_that_is_not_given_is_that_of_the_meter(meter: str) -> None:
    """A price per million is charged per token."""
    assert read(rows(f"gpt-x,{meter},0.15")) == (price(meter=meter, unit_size=UNIT_SIZE[meter]),)


@pytest.mark.parametrize("text", [f"{HEADER}\n", f"{HEADER}\n\n{',' * HEADER.count(',')}\n"])
def test_a_file_without_rows_prices_nothing(text: str) -> None:
    """Whoever keeps only the header gets an error."""
    assert read(text) == read("[]", "yaml") == ()


def test_a_price_may_change_from_one_day_to_the_next() -> None:
    """Two rows that meet are taken to overlap, although valid_to is the first day without the row."""
    text = rows(
        "o3,output,40,,2025-06-10", "o3,output,8,2025-06-10,2026-01-01", "o3,output,4,2026-01-01,",
        header="model,meter,unit_price_usd,valid_from,valid_to",
    )  # fmt: skip
    assert [found.unit_price_usd for found in read(text)] == [40, 8, 4]


def test_what_differs_in_its_key_does_not_overlap() -> None:
    """A tier, a variant or another provider's price is refused as an overlap."""
    header = "provider,model,meter,unit_price_usd,above_input_tokens,variant"
    lines = ("a,m,output,1,,", "b,m,output,2,,", ",m,output,3,,", "a,m,output,4,200000,", "a,m,output,5,,flex",
             "a,m,reasoning,6,,", "a,m*,output,7,,")  # fmt: skip
    assert len(read(rows(*lines, header=header))) == len(lines)


# -- order and version -----------------------------------------------------------------------------------------------------------

DAY = date(2026, 1, 1)


@st.composite
def price_rows(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows that do not overlap: for each key, dates that follow one another."""
    keys = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["", "openai", "azure"]),
                st.sampled_from(["gpt-x", "gpt-*", "o?", "[*]"]),
                st.sampled_from(["output", "uncached_input", "image"]),
                st.sampled_from(["", "flex"]),
                st.sampled_from(["", "200000"]),
            ),
            max_size=5,
            unique=True,
        )
    )
    found = []
    for provider, model, meter, variant, above in keys:
        cuts = draw(st.lists(st.integers(0, 900), max_size=3, unique=True).map(sorted))
        starts: list[int | None] = [None, *cuts]
        for start, end in zip(starts, [*cuts, None], strict=True):
            found.append(
                {
                    "provider": provider,
                    "model": model,
                    "meter": meter,
                    "variant": variant,
                    "above_input_tokens": above,
                    "unit_price_usd": str(draw(st.decimals(0, 999, places=6))),
                    "valid_from": "" if start is None else (DAY + timedelta(start)).isoformat(),
                    "valid_to": "" if end is None else (DAY + timedelta(end)).isoformat(),
                    "note": draw(st.text("ab,\"'\n", max_size=5)),
                }
            )
    return found


def csv_of(lines: list[dict[str, str]], columns: list[str]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


@settings(max_examples=100, deadline=None)
@given(lines=price_rows(), seed=st.integers(0, 2**32))
def test_the_order_of_rows_is_irrelevant(lines: list[dict[str, str]], seed: int) -> None:
    """Whoever sorts the price file gets other prices, or a version that reprices everything."""
    columns = [column.name for column in price_file.COLUMNS]
    expected = versioned(csv_of(lines, columns))
    shuffler = random.Random(seed)
    shuffled = [dict(line) for line in lines]
    shuffler.shuffle(shuffled)
    shuffler.shuffle(columns)
    for line in shuffled:
        line["note"] = "another"
        line["model"] = f" {line['model'].upper()} "
        line["unit_price_usd"] += "0" if "." in line["unit_price_usd"] else ".0"
    assert versioned(csv_of(shuffled, columns)) == expected
    assert versioned(yaml.safe_dump(shuffled), "yaml") == expected
    assert len(expected) == len(lines)
    assert len({found.source_version for found in expected}) <= 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("provider", "azure"),
        ("model", "gpt-y"),
        ("meter", "reasoning"),
        ("unit_price_usd", "0.16"),
        ("unit_size", "1000"),
        ("valid_from", "2026-01-02"),
        ("valid_to", "2026-02-02"),
        ("above_input_tokens", "1"),
        ("variant", "flex"),
    ],
)
def test_the_version_tells_what_is_charged(column: str, value: str) -> None:
    """A price changes under the same version, so nothing says which one a row was priced with."""
    line = {"model": "gpt-x", "meter": "output", "unit_price_usd": "0.15", "valid_from": "2026-01-01"}
    columns = [item.name for item in price_file.COLUMNS]
    (before,) = versioned(csv_of([line], columns))
    (after,) = versioned(csv_of([line | {column: value}], columns))
    assert before.source_version != after.source_version
    assert before.source_version.startswith("sha256:")
    assert len(before.source_version) == len("sha256:") + 12
    (noted,) = versioned(csv_of([line | {"note": "n", "checked_at": "2026-03-01"}], columns))
    assert noted.source_version == before.source_version


# -- wrong rows ------------------------------------------------------------------------------------------------------------------

WRONG = [
    ("model", "", "model is empty: fill it in"),
    ("meter", "", "meter is empty: fill it in"),
    ("meter", "outptu", "there is no meter 'outptu'; did you mean 'output'? Known are uncached_input, "),
    ("meter", "zebra", "there is no meter 'zebra'; known are uncached_input, "),
    ("meter", "video_input", "spans carry no quantity for 'video_input'"),
    ("unit_price_usd", "", "unit_price_usd is empty: fill it in, or remove the row"),
    ("unit_price_usd", "-0.15", "'-0.15' must not be negative"),
    ("unit_price_usd", "$0.15", "'$0.15' is not a plain number such as 0.15"),
    ("unit_price_usd", "0,15", "write the decimal point as '.', and no thousands separators"),
    ("unit_price_usd", "1.5e-7", "write it without an exponent"),
    ("unit_price_usd", "NaN", "is not a plain number"),
    ("unit_price_usd", "inf", "is not a plain number"),
    ("unit_price_usd", "٣", "is not a plain number"),
    ("unit_price_usd", "0.15000000000000002", "has 17 decimals, at most 12 are allowed"),
    ("unit_price_usd", "1000000", "must be below 1,000,000"),
    ("unit_price_usd", "9" * 5000, "must be below 1,000,000"),
    ("unit_size", "0", "'0' is not a whole number from 1 to"),
    ("unit_size", "-1", "'-1' is not a whole number from 1 to"),
    ("unit_size", "1.5", "'1.5' is not a whole number"),
    ("unit_size", "1M", "'1M' is not a whole number"),
    ("unit_size", "7", "0.15 divided by 7 is not exact in 18 decimals"),
    ("valid_from", "01.02.2026", "'01.02.2026' is not a date such as 2026-01-31"),
    ("valid_from", "2026-02-30", "'2026-02-30' is not a date: day is out of range"),
    ("valid_from", "20260101", "'20260101' is not a date such as"),
    ("valid_to", "2026-01-01", "2026-01-01 is not after valid_from 2026-01-01"),
    ("valid_to", "2025-12-31", "2025-12-31 is not after valid_from 2026-01-01"),
    ("above_input_tokens", "-1", "'-1' is not a whole number from 0 to"),
    ("above_input_tokens", "200k", "'200k' is not a whole number"),
    (
        "variant",
        "service_tier=flex",
        "'service_tier=flex' is not a processing tier such as 'flex' or 'batch'",
    ),
    ("checked_at", "today", "'today' is not a date"),
]


@pytest.mark.parametrize(("column", "value", "reason"), WRONG)
def test_a_wrong_cell_names_file_line_column_and_reason(column: str, value: str, reason: str) -> None:
    """A wrong price is charged, or its error does not say where it stands and what to do."""
    line = {
        "model": "gpt-x",
        "meter": "output",
        "unit_price_usd": "0.15",
        "valid_from": "2026-01-01",
        column: value,
    }
    good = {"model": "good", "meter": "output", "unit_price_usd": "1", "note": "two\nlines"}
    (fault,) = faults(csv_of([good, line], [item.name for item in price_file.COLUMNS]))
    assert fault.startswith(f"line 4, {column}: "), fault
    assert reason in fault
    text = "- {model: good, meter: output, unit_price_usd: 1}\n\n-\n" + "".join(
        f"  {name}: {yaml.safe_dump(text).splitlines()[0]}\n" for name, text in line.items()
    )
    (fault,) = faults(text, "yaml")
    assert fault.startswith(f"line {4 + list(line).index(column)}, {column}: "), fault
    assert reason in fault


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        ((None, None), ("2026-01-01", "2026-01-02"), ("2026-01-02", None)),
        (("2026-01-01", None), (None, "2026-01-02"), ("2030-01-01", None)),
        (("2026-01-01", "2027-01-01"), ("2026-02-01", "2026-03-01"), ("2026-04-01", None)),
    ],
)
def test_overlapping_rows_are_both_named(
    first: tuple[str | None, str | None],
    second: tuple[str | None, str | None],
    third: tuple[str | None, str | None],
) -> None:
    """A day has two prices, or the error names only one of the rows: neither of the last two meets its neighbour."""
    lines = [
        {"model": model, "meter": "output", "unit_price_usd": "", "valid_from": ends[0], "valid_to": ends[1]}
        for model, ends in (("gpt-x", first), (" GPT-X", second), ("Gpt-x", third))
    ]
    found = faults(csv_of(lines, [item.name for item in price_file.COLUMNS]))  # type: ignore[arg-type]
    overlaps = [fault for fault in found if "overlaps" in fault]
    assert [fault.split(":")[0] for fault in overlaps] == ["line 3, valid_from", "line 4, valid_from"]
    assert all(
        "overlaps line 2 (valid" in fault and "let one end where the other begins" in fault
        for fault in overlaps
    )
    assert len(found) == 5, "an overlap hides the other faults of its rows"


def test_all_faults_are_told_at_once() -> None:
    """A user mends a file fault by fault, running the command for each."""
    text = rows("a,output", "b,nothing,-1", ",output,", "c,output,1,1")
    found = faults(text)
    assert [fault.split(": ")[0] for fault in found] == [
        "line 2", "line 3, meter", "line 3, unit_price_usd", "line 4, model", "line 4, unit_price_usd", "line 5"
    ]  # fmt: skip
    assert "2 values where the header has 3" in found[0]
    assert found[5].endswith("a value that contains a comma needs double quotes")


def test_a_thousand_faults_do_not_fill_the_terminal() -> None:
    """The first fault scrolls out of sight."""
    found = faults(rows(*["m,output,x"] * 1000))
    assert found[0].startswith("line 2, unit_price_usd")
    assert len(found) == 21
    assert found[20] == "and 1979 more"


def test_hostile_values_are_shown_escaped() -> None:
    """A cell repaints the terminal of whoever reads the error."""
    found = faults(rows(f'm,"\x1b[2J\n",{"1" * 2000}x', "=cmd,output,\x00"))
    assert not any("\x1b" in fault or "\x00" in fault or len(fault) > 400 for fault in found)
    assert len(found) == 3


# -- wrong files -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        (b"", "csv", "the file is empty"),
        (b"\n \n", "csv", "the file is empty"),
        (b"\xef\xbb\xbf", "yaml", "the file is empty"),
        (
            rows("m,output,1", header="model,meter,price"),
            "csv",
            "line 1: unknown column 'price'; known are provider, ",
        ),
        (rows("m", header="model"), "csv", "line 1: missing columns meter, unit_price_usd"),
        (
            rows("m,m,output,1", header="model,Model ,meter,unit_price_usd"),
            "csv",
            "line 1, model: columns 'model' and 'Model ' say the same",
        ),
        (
            "model;meter;unit_price_usd\nm;output;0,15\n",
            "csv",
            "line 1: the columns are separated by ';': separate them by commas",
        ),
        (
            b"model,meter,unit_price_usd\nm,output,1\nM\xfcller,output,1\n",
            "csv",
            "line 3: not UTF-8 text: save it with the encoding UTF-8",
        ),
        ("model,meter,unit_price_usd\n".encode("utf-16"), "csv", "not UTF-8 text"),
        (rows('"m,output,1'), "csv", "line 2: not CSV: unexpected end of data"),
        (rows("a,output,1", 'a"b,output,1', '"a"b,output,1'), "csv", "line 4: not CSV: "),
        ("- model: a\n  meter: [output\n", "yaml", "not YAML: "),
        ("- model: a\n- model: b\n\tx", "yaml", "line 3: not YAML: "),
        ("- model: a\n- model: \x07\n", "yaml", "line 2: not YAML: the character '\\x07' is not allowed"),
        ("model: a\nmeter: output\n", "yaml", "line 1: must be a list of entries"),
        ("# nothing\n", "yaml", "line 1: must be a list of entries"),
        ("--- []\n--- []\n", "yaml", "line 2: not YAML: "),
        ("[" * 5000 + "]" * 5000, "yaml", "not a table: nested too deeply"),
        ("- a\n", "yaml", "line 1: an entry must be a mapping of columns to values"),
        ("- model: a\n  prize: 1\n", "yaml", "line 2: unknown column 'prize'; known are provider, "),
        (
            "- model: a\n  meter: output\n  unit_price_usd: 1\n  model: b\n",
            "yaml",
            "line 4, model: is there twice",
        ),
        (
            "- model: [a, b]\n  meter: output\n  unit_price_usd: 1\n",
            "yaml",
            "line 1, model: must be a single value",
        ),
        ("- &a {model: a}\n- {? {b: 1} : 1, <<: *a}\n", "yaml", "line 2: unknown column '<<'"),
        (rows("m,output,1"), "txt", "the name must end in .csv, .yaml, .yml"),
        (b" " * (MAX_BYTES + 1), "csv", "larger than 64 MiB: is it the right file?"),
    ],
)
def test_a_wrong_file_is_a_clear_error(text: str | bytes, suffix: str, message: str) -> None:
    """A file that is no price file is taken for one without prices, or its error does not say what it is."""
    found = faults(text, suffix)
    assert any(
        fault.startswith(message) or (message in fault and "line" not in message) for fault in found
    ), found


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The error for a missing file, or a folder, does not name it."""
    (tmp_path / "folder.csv").mkdir()
    for name, reason in (("none.csv", "No such file"), ("folder.csv", "Is a directory")):
        with pytest.raises(UserFileError, match=rf"{name}: cannot be read: {reason}"):
            price_file.read(tmp_path / name)


# -- names of models -------------------------------------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=12).filter(str.strip) | st.text("*?[]!-a=^\\\n", min_size=1, max_size=8).filter(
    str.strip
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(name=NAMES, other=NAMES)
def test_an_escaped_name_covers_itself_alone(name: str, other: str) -> None:
    """A model whose name has a star prices other models, or not itself."""
    rule = patterns.escape(name)
    assert patterns.matches(rule, name)
    assert patterns.matches(rule, f" {name.upper().lower()} ") or name.upper().lower() != name.lower()
    assert patterns.exact_name(rule) == patterns.normal(name)
    assert patterns.matches(rule, other) == (patterns.normal(name) == patterns.normal(other))
    assert rule[:1] not in "=+-@", "a spreadsheet takes it for a formula"


@pytest.mark.parametrize(
    ("rule", "name", "is_covered"),
    [
        ("gpt-4*", "GPT-4o", True),
        ("gpt-4?", "gpt-4o", True),
        ("gpt-4?", "gpt-4oo", False),
        ("gpt-4", "gpt-4o", False),
        ("a[*]", "a*", True),
        ("a[*]", "ab", False),
        ("gpt-[45]*", "gpt-5-mini", True),
        ("gpt-[!4]*", "gpt-4o", False),
    ],
)
def test_patterns(rule: str, name: str, is_covered: bool) -> None:
    """A pattern prices models that it does not name."""
    assert patterns.matches(rule, name) is is_covered


def test_patterns_of_several_names_are_no_names() -> None:
    """A pattern is taken for an exact name, which goes before patterns."""
    for rule in ("gpt*", "gpt-?", "gpt-[45]", "gpt-[!4]", "[a-z]", "a[*]*"):
        assert patterns.exact_name(rule) is None
    assert patterns.exact_name("a[*]b[?]") == "a*b?"


# -- the skeleton ----------------------------------------------------------------------------------------------------------------


def missing(provider: str, model: str, *meters: str, first_date: date = DAY) -> Missing:
    return Missing(provider, model, meters or ("output",), first_date, 418, 1_234_567)


def test_a_skeleton_is_a_price_file_without_prices() -> None:
    """A skeleton lacks a row, or what it needs beside the price."""
    text = skeleton(
        [missing("openai", "gpt-9", "output", "uncached_input"), missing("", "house", "image", "output")]
    )
    assert text.splitlines() == [
        "provider,model,meter,unit_price_usd,unit_size,valid_from,note",
        ",house,output,,1000000,2026-01-01,418 calls and 1234567 tokens unpriced",
        ",house,image,,1,2026-01-01,418 calls and 1234567 tokens unpriced",
        "openai,gpt-9,uncached_input,,1000000,2026-01-01,418 calls and 1234567 tokens unpriced",
        "openai,gpt-9,output,,1000000,2026-01-01,418 calls and 1234567 tokens unpriced",
    ]
    assert faults(text) == [
        f"line {line}, unit_price_usd: unit_price_usd is empty: fill it in, or remove the row"
        for line in (2, 3, 4, 5)
    ]


HOSTILE = ["a,b", 'a"b', "a\nb", "a\rb", "a*", "a?", "[a]", "a'b", "=1+1", "@x", "-x", "drop table;", "ä\x85b", "\\", "a b"]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(names=st.lists(NAMES | st.sampled_from(HOSTILE), max_size=6), prices=st.data())
def test_a_filled_skeleton_prices_exactly_its_models(names: list[str], prices: st.DataObject) -> None:
    """A name with a comma, a quote, a newline or a star breaks the skeleton, or prices another model."""
    text = skeleton([missing(name, name, "output", "cached_input") for name in names])
    if not names:
        assert read(text) == ()
        return
    expected = {patterns.normal(name) for name in names}
    found = faults(text)
    shown = [fault for fault in found if "more" not in fault]
    assert all("fill it in, or remove the row" in fault for fault in shown)
    assert len(shown) == min(2 * len(expected), 20)
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    for line in lines:
        line["unit_price_usd"] = str(prices.draw(st.integers(0, 99)))
    filled = read(csv_of(lines, list(lines[0])))
    assert len(filled) == 2 * len(expected)
    assert {patterns.exact_name(found.model_rule) for found in filled} == expected
    assert {found.provider for found in filled} == expected


def test_names_that_a_price_file_takes_for_one_are_one() -> None:
    """A skeleton cannot be filled in, because two of its rows overlap."""
    text = skeleton(
        [
            missing("OpenAI", "GPT-9"),
            missing("openai", " gpt-9", "output", "reasoning", first_date=date(2025, 12, 1)),
        ]
    )
    assert [line.split(",")[2:6:3] for line in text.splitlines()[1:]] == [
        ["output", "2025-12-01"],
        ["reasoning", "2025-12-01"],
    ]
    assert "836 calls and 2469134 tokens" in text


def test_a_skeleton_says_until_when_and_for_which_tier() -> None:
    """A price for a gap or for a tier is charged to everybody for ever."""
    text = skeleton(
        [
            Missing("openai", "gpt-9", ("output",), DAY, 1, 2, variant="flex"),
            Missing("openai", "gpt-9", ("output",), DAY, 1, 2, valid_to=date(2026, 2, 1)),
            Missing("openai", "gpt-9", ("output",), DAY, 1, 2, rule=("", "gpt-*")),
        ]
    )
    lines = [[*line.values()][:8] for line in csv.DictReader(io.StringIO(text))]
    assert lines == [
        ["", "gpt-*", "output", "", "1000000", "2026-01-01", "", ""],
        ["openai", "gpt-9", "output", "", "1000000", "2026-01-01", "2026-02-01", ""],
        ["openai", "gpt-9", "output", "", "1000000", "2026-01-01", "", "flex"],
    ]


def test_a_call_without_a_model_cannot_be_priced_by_a_file() -> None:
    """A row without a model is printed, which no file may have."""
    with pytest.raises(ValueError, match="without a model's name"):
        skeleton([missing("openai", " ")])
