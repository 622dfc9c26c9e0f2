"""A provider's invoice: what it says, every fault with its place, and what differs from ours by day and model."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.pricing import invoice
from orchestration.pricing.files import UserFileError
from orchestration.pricing.invoice import Difference, InvoiceLine, OurLine, Usage

DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)


def read(tmp_path: Path, text: str) -> tuple[InvoiceLine, ...]:
    path = tmp_path / "invoice.csv"
    path.write_text(text, encoding="utf-8")
    return invoice.read(path)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(UserFileError) as caught:
        read(tmp_path, text)
    return [str(fault) for fault in caught.value.faults]


def theirs(model: str = "m", day: date = DAY, **values: Any) -> InvoiceLine:
    empty = dict.fromkeys(("provider", *invoice.MEASURES))
    return InvoiceLine(**{**empty, "date": day, "model": model, **values})


def ours(model: str = "m", day: date = DAY, tokens: int = 0, amount: str = "0", **values: Any) -> OurLine:
    return OurLine(
        **{
            "date": day,
            "provider": "openai",
            "model": model,
            "input_tokens": tokens,
            "output_tokens": 0,
            "total_tokens": tokens,
            "amount_usd": Decimal(amount),
            **values,
        }
    )


# -- reading -----------------------------------------------------------------------------------------------------------------------


def test_rows_of_a_day_and_model_are_added_up(tmp_path: Path) -> None:
    """Two rows of an export for one day and model are taken for one, or compared one by one."""
    text = (
        "Date,Project,MODEL,Provider,Input Tokens,output_tokens,Cost (USD)\n"
        "2026-03-02,a,GPT-X,OpenAI,1,2,0.1\n"
        "2026-03-01T23:59:59Z,b, gpt-x ,openai,10,20,0.2\n"
        "2026-03-01 08:00:00,c,gpt-x,OPENAI,100,200,0.0000000000004\n"
        "2026-03-02T01:00:00+02:00,d,gpt-x,openai,1000,2000.0,$1e-2\n"
        "2026-03-01,e,,openai,,,-5\n"
    )
    assert read(tmp_path, text) == (
        theirs("", provider="openai", amount_usd=Decimal(-5)),
        theirs(
            "gpt-x",
            provider="openai",
            input_tokens=1110,
            output_tokens=2220,
            total_tokens=3330,
            amount_usd=Decimal("0.21"),
        ),
        theirs(
            "gpt-x",
            NEXT,
            provider="openai",
            input_tokens=1,
            output_tokens=2,
            total_tokens=3,
            amount_usd=Decimal("0.1"),
        ),
    )


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ("tokens", "5", {"total_tokens": 5}),
        ("total_tokens", "5.0", {"total_tokens": 5}),
        ("amount", "1.5", {"amount_usd": Decimal("1.5")}),
        ("cost_usd", ".5", {"amount_usd": Decimal("0.5")}),
        ("cost", "0.0174000000000000024", {"amount_usd": Decimal("0.0174")}),
        ("cost", "0.0000000000005", {"amount_usd": Decimal(0)}),
        ("cost", "0.0000000000015", {"amount_usd": Decimal("0.000000000002")}),
        ("amount_usd,currency", "1,usd", {"amount_usd": Decimal(1)}),
        (
            "tokens,input_tokens,output_tokens",
            "9,1,2",
            {"total_tokens": 9, "input_tokens": 1, "output_tokens": 2},
        ),
        ("input_tokens,tokens", "7,", {"input_tokens": 7}),
    ],
)
def test_columns_and_spellings_of_providers(
    tmp_path: Path, columns: str, values: str, expected: dict[str, Any]
) -> None:
    """An export cannot be read because it names or prints its numbers in its own way."""
    assert read(tmp_path, f"date,model,{columns}\n2026-03-01,m,{values}\n") == (theirs(**expected),)


def test_many_small_amounts_add_up_exactly(tmp_path: Path) -> None:
    """The sum of an invoice is rounded to 28 digits, or goes through a float."""
    lines = "2026-03-01,m,0.1\n" * 10 + "2026-03-01,m,999999999999999.000000000001\n" * 30
    (line,) = read(tmp_path, f"date,model,cost\n{lines}")
    assert str(line.amount_usd) == "29999999999999971.000000000030"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",m,1,1,", "line 3, date: date is empty: fill it in"),
        ("March 1,m,1,1,", "line 3, date: 'March 1' is not a date such as 2026-01-31, nor a time"),
        ("0001-01-01T00:00:00+02:00,m,1,1,", "line 3, date: '0001-01-01T00:00:00+02:00' is not a date"),
        (
            "2026-03-01,m,many,1,",
            "line 3, input_tokens: 'many' is not a number of tokens: only digits are allowed",
        ),
        ("2026-03-01,m,-1,1,", "line 3, input_tokens: '-1' is not a number of tokens"),
        ("2026-03-01,m,1.5,1,", "line 3, input_tokens: '1.5' is not a number of tokens"),
        ('2026-03-01,m,1,"1,234.50",', "line 3, amount_usd: '1,234.50' is not an amount such as 12.34"),
        ("2026-03-01,m,1,free,", "line 3, amount_usd: 'free' is not an amount"),
        ("2026-03-01,m,1,nan,", "line 3, amount_usd: 'nan' is not an amount"),
        ("2026-03-01,m,1,1e99,", "line 3, amount_usd: '1e99' must be below"),
        ("2026-03-01,m,1,1,EUR", "line 3, currency: 'EUR' is not USD: convert the amounts first"),
        ("2026-03-01,m,1", "line 3: 3 values where the header has 5"),
    ],
)
def test_a_wrong_row_names_its_line(tmp_path: Path, row: str, fault: str) -> None:
    """A row of the invoice is left out of the comparison, or the error does not say which one it is."""
    text = f"date,model,input_tokens,amount,currency\n2026-03-01,m,1,1,USD\n{row}\n"
    (found,) = faults(tmp_path, text)
    assert found.startswith(fault)


def test_an_invoice_needs_something_to_compare(tmp_path: Path) -> None:
    """A file of another kind is compared, and everything seems to agree."""
    assert faults(tmp_path, "date,model,price\n2026-03-01,m,1\n")[0].startswith("line 1: nothing to compare")
    assert faults(tmp_path, "day,name\n2026-03-01,m\n") == ["line 1: missing column model"]
    assert faults(tmp_path, "date,model,cost,amount\n") == [
        "line 1, amount_usd: columns 'cost' and 'amount' say the same"
    ]


# -- comparing ---------------------------------------------------------------------------------------------------------------------


def test_every_day_and_model_of_either_side_is_compared() -> None:
    """A day or model that only one side has is left out."""
    found = invoice.compare(
        [ours("Both", tokens=10, amount="1"), ours("ours", NEXT, 7, "0.5", unpriced_call_count=3)],
        [
            theirs("both ", total_tokens=12, amount_usd=Decimal("1.5")),
            theirs("theirs", total_tokens=1, amount_usd=Decimal("0.1")),
        ],
    )
    both_ours = Usage(10, 0, 10, Decimal(1))
    both_theirs = Usage(None, None, 12, Decimal("1.5"))
    assert found == [
        Difference(
            DAY, "both", "both", both_ours, both_theirs, Usage(None, None, -2, Decimal("-0.5")), 0
        ),
        Difference(
            DAY, "theirs", "only theirs", None, Usage(None, None, 1, Decimal("0.1")),
            Usage(None, None, -1, Decimal("-0.1")), 0,
        ),
        Difference(
            NEXT, "ours", "only ours", Usage(7, 0, 7, Decimal("0.5")), None, Usage(None, None, 7, Decimal("0.5")), 3
        ),
    ]  # fmt: skip
    assert not any(difference.is_equal for difference in found)


def test_what_the_invoice_does_not_state_is_no_difference() -> None:
    """An invoice without tokens differs from ours by all of our tokens."""
    (found,) = invoice.compare([ours(tokens=10, amount="1")], [theirs(amount_usd=Decimal("1.000000"))])
    assert found.is_equal
    assert found.difference == Usage(amount_usd=Decimal(0))


def test_an_empty_invoice_agrees_with_nothing() -> None:
    """Our usage of a month without an invoice seems to be confirmed."""
    (found,) = invoice.compare([ours(tokens=10, amount="1")], [])
    assert not found.is_equal
    assert invoice.compare([], []) == []


def test_providers_are_added_up() -> None:
    """A model that two providers serve is compared with one of them."""
    lines = [
        theirs(provider="azure", amount_usd=Decimal("0.4")),
        theirs(provider="openai", amount_usd=Decimal("0.6")),
    ]
    (found,) = invoice.compare([ours(amount="0.7"), ours(amount="0.3", provider="azure")], lines)
    assert found.is_equal


def test_the_period_of_an_invoice() -> None:
    """Our usage of other months is laid beside an invoice of March."""
    assert invoice.period([theirs(day=NEXT), theirs(day=DAY), theirs(day=NEXT)]) == (DAY, NEXT)
    assert invoice.period([]) is None


@given(
    st.lists(st.tuples(st.sampled_from([DAY, NEXT]), st.sampled_from("ABab"), st.integers(0, 9), st.booleans()))
)  # fmt: skip
def test_differences_add_up_to_the_difference_of_the_totals(
    lines: list[tuple[date, str, int, bool]],
) -> None:
    """Money of one side is lost, or counted twice, on its way into the comparison."""
    mine = [ours(model, day, count, f"0.{count}") for day, model, count, is_ours in lines if is_ours]
    other = [
        theirs(model, day, total_tokens=count, amount_usd=Decimal(f"0.{count}"))
        for day, model, count, is_ours in lines
        if not is_ours
    ]
    found = invoice.compare(mine, other)
    for measure in ("total_tokens", "amount_usd"):
        expected = sum(getattr(line, measure) for line in mine) - sum(
            getattr(line, measure) for line in other
        )
        assert sum(getattr(one.difference, measure) for one in found) == expected
    assert invoice.compare(mine[::-1], other[::-1]) == found


def difference(mine: Usage | None, other: Usage | None, apart: Usage) -> Difference:
    return Difference(DAY, "m", "both", mine, other, apart, 0)


@pytest.mark.parametrize(
    ("tolerance", "mine", "other", "expected"),
    [
        ("0.5", Usage(total_tokens=1000), Usage(total_tokens=1005), True),
        ("0.5", Usage(total_tokens=1000), Usage(total_tokens=1006), False),
        ("0.5", Usage(total_tokens=1), Usage(total_tokens=2), False),
        ("0.5", Usage(amount_usd=Decimal("0.004")), Usage(amount_usd=Decimal("0.01")), True),
        ("0.5", Usage(amount_usd=Decimal("0.011")), Usage(amount_usd=Decimal(0)), False),
        ("0.5", Usage(amount_usd=Decimal("10.00")), Usage(amount_usd=Decimal("10.06")), False),
        ("0", Usage(amount_usd=Decimal("0.004")), Usage(amount_usd=Decimal("0.01")), False),
        ("0", Usage(total_tokens=7), Usage(total_tokens=7), True),
        ("100", Usage(total_tokens=7), None, True),
        ("0.5", Usage(total_tokens=7), None, False),
    ],
)
def test_the_tolerance_is_a_share_of_the_greater_side_or_a_cent(
    tolerance: str, mine: Usage | None, other: Usage | None, expected: bool
) -> None:
    """A difference that matters is good, or the rounding of an invoice is not."""
    apart = {
        name: getattr(mine, name) - (getattr(other, name) or 0 if other else 0)
        for name in invoice.MEASURES
        if mine and getattr(mine, name) is not None
    }
    for one, two, sign in ((mine, other, 1), (other, mine, -1)):
        signed = Usage(**{name: sign * value for name, value in apart.items()})
        assert invoice.is_within(Decimal(tolerance), one, two, signed) == expected


def test_many_rounded_lines_may_differ_by_half_a_cent_each() -> None:
    """The total of an invoice of tiny lines, each rounded, never agrees."""
    mine, other = Usage(amount_usd=Decimal("0.12")), Usage(amount_usd=Decimal(0))
    apart = Usage(amount_usd=Decimal("0.12"))
    assert invoice.is_within(Decimal("0.5"), mine, other, apart, lines=30)
    assert not invoice.is_within(Decimal("0.5"), mine, other, apart, lines=20)


def test_the_total_leaves_out_what_the_invoice_does_not_state() -> None:
    """The difference of the totals is not that of the two totals beside it."""
    stated = difference(Usage(total_tokens=5), Usage(total_tokens=3), Usage(total_tokens=2))
    unstated = difference(Usage(total_tokens=9), Usage(), Usage())
    mine, other, apart = invoice.total([stated, unstated])
    assert (mine.total_tokens, other.total_tokens, apart.total_tokens) == (5, 3, 2)
    assert (mine.amount_usd, apart.amount_usd) == (None, None)
