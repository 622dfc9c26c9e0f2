"""How the verbs about money show what they found: amounts with every digit, hostile names as data, the greatest change first."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from orchestration.cli_money import ROWS_SHOWN, print_preview
from orchestration.publication.preview import (
    MEASURES,
    Change,
    Preview,
    SourceChange,
    changed_sources,
    unchanged,
)


def amounts(usd: str, credits: str = "0", unpriced: int = 0) -> dict[str, Decimal | int]:
    return {
        **dict.fromkeys(MEASURES, 0),
        "total_cost_usd": Decimal(usd),
        "provider_cost_usd": Decimal(usd),
        "task_credits": Decimal(credits),
        "unpriced_call_count": unpriced,
    }


def change(model: str | None, old: str, new: str, *, day: date | None = date(2026, 10, 1)) -> Change:
    service = None if model or day is None else "Website Scrape"
    return Change(
        day, "ws_a" if day else None, service, "house", model, amounts(old, "1.5", 2), amounts(new, "1.5")
    )


def preview(*rows: Change, reason: str = "", waiting: int = 0) -> Preview:
    return Preview(
        publication_id="000007",
        reason=reason,
        sources=(SourceChange("price_file", "", "sha256:abc"),),
        dates_rebuilt=(date(2026, 10, 1), date(2026, 10, 2)),
        calls_changed=3,
        rows=rows,
        workspaces=(),
        total=change(None, "0", "1.000013", day=None),
        waiting_batches=waiting,
    )


def test_a_preview_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A change of a thousandth of a cent reads as none, or a name from data repaints the terminal."""
    rows = (change("evil\x1b[31m\nname", "1234.5", "0.000013000000"), change(None, "0", "1"))
    print_preview(preview(*rows, waiting=2), as_json=False)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == "Changed    price_file: none → sha256:abc"
    assert lines[3].split() == [
        "2026-10-01", "ws_a", "evil", "[31m", "name", "1,234.50", "0.000013", "-1,234.499987",
        "1,234.50", "0.000013", "-1,234.499987", "1.5", "1.5", "0", "2", "0",
    ]  # fmt: skip
    assert "Website Scrape" in lines[4]
    assert lines[5].split()[:5] == ["all", "all", "0.00", "1.000013", "1.000013"]
    assert "3 calls on 1 dates change; 2 dates are rebuilt. Nothing was published" in shown.out
    assert "2 batches of the lake are not published yet" in shown.err
    assert "\x1b" not in shown.out


def test_a_long_preview_says_that_it_is_longer(capsys: pytest.CaptureFixture[str]) -> None:
    """The rows that are not shown seem not to be there, or are missing from the JSON."""
    long = preview(*(change(f"m{number}", "0", "1") for number in range(ROWS_SHOWN + 3)))
    print_preview(long, as_json=False)
    assert "3 smaller changes are not shown" in capsys.readouterr().out
    print_preview(long, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert len(document["rows"]) == ROWS_SHOWN + 3
    assert document["rows"][0]["difference"]["total_cost_usd"] == "1"


@pytest.mark.parametrize(
    ("since", "is_said"), [(None, False), (date(2026, 10, 1), False), (date(2026, 10, 2), True)]
)
def test_calls_that_cannot_be_counted_are_not_none(
    capsys: pytest.CaptureFixture[str], since: date | None, is_said: bool
) -> None:
    """Where single calls were dropped, "0 calls change" stands beside amounts that do; or the remark stands where nothing was left out."""
    print_preview(replace(preview(change("m", "0", "1")), calls_counted_from=since), as_json=False)
    assert ("Calls before 2026-10-02 are not counted" in capsys.readouterr().out) == is_said


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (unchanged("000007", sources=(), waiting_batches=0), "no price or rate changed"),
        (
            unchanged("000007", sources=(SourceChange("workspaces", "a", "b"),), waiting_batches=0),
            "whatever changed moves no amount",
        ),
        (preview(reason="models changed"), "whatever changed moves no amount"),
    ],
)
def test_nothing_to_reprice_is_said(capsys: pytest.CaptureFixture[str], found: Preview, told: str) -> None:
    """An operator takes an empty answer for a preview that went wrong."""
    print_preview(found, as_json=False)
    assert f"Nothing to reprice: {told} since publication 000007." in capsys.readouterr().out


def test_sources_that_changed_are_told_with_both_versions() -> None:
    """A source that is new or gone does not count as changed."""
    assert changed_sources({"a": "1", "b": "1", "gone": "1"}, {"a": "1", "b": "2", "new": "1"}) == (
        SourceChange("b", "1", "2"),
        SourceChange("new", "", "1"),
        SourceChange("gone", "1", ""),
    )
