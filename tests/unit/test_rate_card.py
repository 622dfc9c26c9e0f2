"""The rate card: the platform's own, fact by fact, and files that take its place."""

from __future__ import annotations

import dataclasses
import random
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.pricing import rate_card
from orchestration.pricing.files import UserFileError
from orchestration.pricing.prices import ServiceRate
from orchestration.settings import REPOSITORY, Settings, SettingsError, load

HEADER = ",".join(column.name for column in rate_card.COLUMNS)


def card(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[ServiceRate, ...]:
    path = tmp_path / "rates.csv"
    path.write_text("\n".join((header, *lines, "")), encoding="utf-8")
    return rate_card.read(path)


def rates_of(service: str, charge_type: str, day: date) -> dict[tuple[str, str], Decimal | None]:
    """What the platform's card says of a service on a day, by unit and what it applies to."""
    return {
        (rate.unit, rate.applies): rate.task_credits
        for rate in rate_card.read(None)
        if rate.service == service
        and rate.charge_type in ("", charge_type)
        and (rate.valid_from or date.min) <= day < (rate.valid_to or date.max)
    }


BEFORE, SINCE = date(2025, 12, 31), date(2026, 1, 1)
CALL, DEEP, UNIT, STEP = ("call", "always"), ("call", "deep"), ("unit", "always"), ("step", "always")
VARIES = None
FACTS = [
    # service, then hosted and personal since 2026, then hosted and personal before
    ("AI Model", {CALL: 1}, {CALL: 1}, {CALL: VARIES}, {CALL: 1}),
    ("Agent", {CALL: 1}, {CALL: 1}, {CALL: 1}, {CALL: 1}),
    ("Prompt", {CALL: 1}, {CALL: 1}, {CALL: VARIES}, {CALL: 1}),
    ("AI Prompt", {}, {}, {CALL: VARIES}, {CALL: 1}),
    ("Image Generation", {UNIT: 1}, {UNIT: 1}, {UNIT: 1}, {UNIT: 1}),
    ("Google Search", {CALL: 2, DEEP: 3}, {CALL: 0}, {CALL: 3}, {CALL: 1}),
    ("Bing Search", {CALL: 2, DEEP: 3}, {CALL: 0}, {CALL: 2, DEEP: 3}, {CALL: 0}),
    ("Google News", {CALL: 2, DEEP: 3}, {CALL: 0}, {CALL: 2, DEEP: 3}, {CALL: 0}),
    ("Google AI Mode", {CALL: 2}, {CALL: 0}, {CALL: 2}, {CALL: 0}),
    ("Google AI Overview", {CALL: 2}, {CALL: 0}, {CALL: 2}, {CALL: 0}),
    ("Google Grounding", {CALL: 1}, {CALL: 1}, {CALL: 1}, {CALL: 1}),
    ("Website Scrape", {CALL: 1}, {CALL: 1}, {CALL: 1}, {CALL: 1}),
    ("Exa Search", {CALL: VARIES}, {CALL: 1}, {CALL: 15}, {CALL: 1}),
    ("Exa Similar", {CALL: VARIES}, {CALL: 1}, {CALL: 15}, {CALL: 1}),
    ("Exa", {}, {}, {CALL: 15}, {CALL: 1}),
    ("Workflow Step", {}, {}, {STEP: 1}, {STEP: 1}),
]


@pytest.mark.parametrize(("service", "hosted", "personal", "old_hosted", "old_personal"), FACTS)
def test_the_platforms_card_states_its_facts(
    service: str,
    hosted: dict[tuple[str, str], int | None],
    personal: dict[tuple[str, str], int | None],
    old_hosted: dict[tuple[str, str], int | None],
    old_personal: dict[tuple[str, str], int | None],
) -> None:
    """A service is charged another number of credits than the platform's documentation says, or from another day on."""
    assert rates_of(service, "hosted", SINCE) == hosted
    assert rates_of(service, "personal", SINCE) == personal
    assert rates_of(service, "hosted", BEFORE) == old_hosted
    assert rates_of(service, "personal", BEFORE) == old_personal


def test_the_platforms_card_has_nothing_else() -> None:
    """A service is on the card that no test knows, or a row is of another card."""
    rates = rate_card.read(None)
    assert {rate.service for rate in rates} == {fact[0] for fact in FACTS}
    assert {(rate.rate_card, rate.source) for rate in rates} == {("platform", "default")}
    assert {rate.valid_from for rate in rates} | {rate.valid_to for rate in rates} == {None, SINCE}
    (version,) = {rate.source_version for rate in rates}
    assert version.startswith("sha256:")


def test_what_is_assumed_is_said() -> None:
    """The card applies today's value to old dates, and nobody who reads it can tell that this is an assumption."""
    for line in rate_card.DEFAULT_PATH.read_text(encoding="utf-8").splitlines():
        _, service, charge_type, _, _, valid_from, valid_to, *_ = line.split(",")
        if not valid_from and not valid_to:
            is_known = service.startswith("Exa") and charge_type == "personal"
            assert is_known or "Not named among the rules before 2026" in line, line


def test_an_installed_package_has_the_card() -> None:
    """Installed from a wheel, no call costs a credit: the card was left behind."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["orchestration.pricing"]
    assert any(rate_card.DEFAULT_PATH in rate_card.DEFAULT_PATH.parent.glob(pattern) for pattern in patterns)


# -- files of the user -----------------------------------------------------------------------------------------------------------


def test_every_column_counts(tmp_path: Path) -> None:
    """A column of the file is read as another, or not at all."""
    (rate,) = card(tmp_path, "Ours, Google Search ,Hosted,Step,Deep,2026-01-01,2026-02-01,1.50,a note")
    assert dataclasses.replace(rate, source_version="") == ServiceRate(
        rate_card="ours",
        service="Google Search",
        charge_type="hosted",
        unit="step",
        applies="deep",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 2, 1),
        task_credits=Decimal("1.5"),
        source="rate file",
        source_version="",
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """A short file is refused, or means something else than one that says it all."""
    short = card(tmp_path, "Scrape,0.000001", "Exa,Variable", header="service,task_credits")
    full = card(tmp_path, "platform,Exa,,call,always,,,variable,", "platform,Scrape,,call,always,,,0.000001,")
    assert short == full
    assert [rate.task_credits for rate in full] == [None, Decimal("0.000001")]


def test_a_file_replaces_the_whole_card(tmp_path: Path) -> None:
    """A service that the user's card leaves out is charged by the platform's."""
    assert [rate.service for rate in card(tmp_path, ",Scrape,,,,,,7,")] == ["Scrape"]


def test_the_order_of_rows_is_irrelevant(tmp_path: Path) -> None:
    """Whoever sorts the rate file gets another version, and everything is charged anew."""
    header, *lines = rate_card.DEFAULT_PATH.read_text(encoding="utf-8").splitlines()
    expected = card(tmp_path, *lines, header=header)
    random.Random(1).shuffle(lines)
    noted = [line.replace("platform,", "PLATFORM,", 1) for line in lines]
    assert card(tmp_path, *noted, header=header) == expected
    assert {rate.source_version for rate in expected} == {rate_card.read(None)[0].source_version}
    changed = card(tmp_path, *[line.replace(",15,", ",16,") for line in lines], header=header)
    assert {rate.source_version for rate in changed} != {rate.source_version for rate in expected}


def test_a_charge_type_may_differ_from_the_rate_for_both(tmp_path: Path) -> None:
    """The rate for one charge type is refused beside the one for both, although the specific one wins."""
    assert len(card(tmp_path, ",Scrape,,,,,,1,", ",Scrape,personal,,,,,0,", ",Scrape,,,deep,,,3,")) == 3


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (",,,,,,,1,", "service: service is empty: fill it in"),
        (
            ",S,wallet,,,,,1,",
            "charge_type: 'wallet' is not allowed; allowed are empty, 'hosted', 'personal'",
        ),
        (",S,,image,,,,1,", "unit: 'image' is not allowed; allowed are 'call', 'unit', 'step'"),
        (",S,,,depth,,,1,", "applies: 'depth' is not allowed; allowed are 'always', 'deep'"),
        (",S,,,,soon,,1,", "valid_from: 'soon' is not a date such as"),
        (",S,,,,2026-02-01,2026-01-01,1,", "valid_to: 2026-01-01 is not after valid_from 2026-02-01"),
        (",S,,,,,,,", "task_credits: task_credits is empty: fill in a number or 'variable'"),
        (",S,,,,,,-1,", "task_credits: '-1' must not be negative"),
        (",S,,,,,,varies,", "task_credits: 'varies' is not a plain number"),
        (",S,,,,,,0.0000001,", "task_credits: '0.0000001' has 7 decimals, at most 6 are allowed"),
        ("none,S,,,,,,1,", "rate_card: 'none' is how a workspace says that it has no card"),
        ("Platform,GOOD,,call,,2030-01-01,,1,", "valid_from: valid from 2030-01-01, which overlaps line 2"),
    ],
)
def test_a_wrong_cell_names_file_line_column_and_reason(tmp_path: Path, line: str, fault: str) -> None:
    """A wrong rate is charged, or its error does not say where it stands and what is allowed."""
    with pytest.raises(UserFileError) as caught:
        card(tmp_path, ",Good,,,,,,1,", line)
    assert str(caught.value).startswith(f"{tmp_path / 'rates.csv'}, line 3, {fault}")
    assert len(caught.value.faults) == 1


# -- workspaces --------------------------------------------------------------------------------------------------------------------


def test_a_card_that_does_not_exist_is_an_error_with_its_line(tmp_path: Path) -> None:
    """A workspace names a card with a typo, and its services cost nothing."""
    path = tmp_path / "credit_usage.toml"
    path.write_text('[workspaces.ws]\nname = "W"\nrate_card = "plattform"\n', encoding="utf-8")
    settings = load({}, path)
    with pytest.raises(SettingsError) as caught:
        rate_card.check_workspaces(settings, rate_card.read(None))
    assert str(caught.value) == (
        f"{path}, line 3: [workspaces.ws] 'rate_card' names the card 'plattform', which the default rate card does not have; "
        "allowed are 'platform', 'none'"
    )
    rate_card.check_workspaces(settings, card(tmp_path, "plattform,S,,,,,,1,"))


@pytest.mark.parametrize("name", ['"platform"', '"none"', None])
def test_cards_that_exist_may_be_chosen(tmp_path: Path, name: str | None) -> None:
    """A workspace cannot choose the platform's card, or none."""
    path = tmp_path / "credit_usage.toml"
    path.write_text(f"[workspaces.ws]\n{f'rate_card = {name}' if name else ''}\n", encoding="utf-8")
    rate_card.check_workspaces(load({}, path), rate_card.read(None))
    rate_card.check_workspaces(Settings(), ())
