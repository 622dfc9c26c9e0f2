"""Settings: where a value comes from, and for every wrong one the line to mend."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.quality.thresholds import DEFAULT_THRESHOLDS, thresholds_of
from orchestration.settings import REPOSITORY, CreditPrice, Settings, SettingsError, load
from orchestration.toml_places import lines_of_keys


def settings_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "credit_usage.toml"
    path.write_bytes(text.encode())
    return path


def told(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    return load(environment or {}, settings_file(tmp_path, text))


def refused(tmp_path: Path, text: str) -> str:
    """The message, without the folder of the file."""
    with pytest.raises(SettingsError) as caught:
        told(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_importing_settings_needs_the_standard_library_alone() -> None:
    """Every command waits for a package, because settings import it."""
    code = "import sys; before = set(sys.modules); import orchestration.settings; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    roots = {name.split(".")[0] for name in done.stdout.split()}
    # zoneinfo reads how Python was built, from a module named after the platform.
    foreign = {name for name in roots - sys.stdlib_module_names if not name.startswith("_sysconfigdata")}
    assert foreign == {"orchestration"}


# -- credit prices, rate card, budget ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ['"0.010"', '" 0.01 "', "0.01", "1e-2", "0.0100000000000000000000"])
def test_a_credit_price_is_read_exactly(tmp_path: Path, written: str) -> None:
    """A price of 0.01 is not the decimal 0.01, because it passed through a binary float."""
    settings = told(tmp_path, f"[workspaces.ws]\ncredit_price_usd = {written}\n")
    assert settings.workspaces["ws"].credit_prices == (CreditPrice(None, Decimal("0.01")),)


def test_a_number_of_toml_keeps_its_digits(tmp_path: Path) -> None:
    """0.123456789012 arrives as a float with noise, or is refused for it."""
    settings = told(
        tmp_path, "[workspaces.ws]\ncredit_price_usd = 0.123456789012\nmonthly_budget_usd = 99999999999.1\n"
    )
    entry = settings.workspaces["ws"]
    assert str(entry.credit_prices[0].credit_price_usd) == "0.123456789012"
    assert entry.monthly_budget_usd == Decimal("99999999999.1")


@pytest.mark.parametrize(
    "written",
    [
        'credit_prices = [{ credit_price_usd = "0.02" }, { valid_from = 2026-01-01, credit_price_usd = 0.01 }]',
        'credit_prices = [\n  { credit_price_usd = 0.02 },\n  { valid_from = "2026-01-01", credit_price_usd = "0.01" },\n]',
        "[[workspaces.ws.credit_prices]]\ncredit_price_usd = 0.02\n"
        "[[workspaces.ws.credit_prices]]\nvalid_from = 2026-01-01\ncredit_price_usd = 0.01",
    ],
)
def test_credit_prices_with_dates(tmp_path: Path, written: str) -> None:
    """A price that changed applies to no date, or to all."""
    settings = told(tmp_path, f"[workspaces.ws]\n{written}\n")
    assert settings.workspaces["ws"].credit_prices == (
        CreditPrice(None, Decimal("0.02")),
        CreditPrice(date(2026, 1, 1), Decimal("0.01")),
    )


def test_nothing_said_is_nothing_assumed(tmp_path: Path) -> None:
    """A workspace gets a credit price, a card or a budget that nobody gave it."""
    for settings in (told(tmp_path, '[workspaces.ws]\nname = "W"\n'), Settings()):
        entry = settings.workspace("ws")
        assert (entry.credit_prices, entry.rate_card, entry.monthly_budget_usd) == ((), None, None)


def test_a_free_credit_is_a_price(tmp_path: Path) -> None:
    """A credit price of 0 is taken for no price."""
    settings = told(tmp_path, "[workspaces.ws]\ncredit_price_usd = 0\n")
    assert settings.workspaces["ws"].credit_prices == (CreditPrice(None, Decimal(0)),)


@pytest.mark.parametrize(("written", "name"), [("none", "none"), ("Platform", "platform"), ("ours", "ours")])
def test_a_workspace_chooses_its_card(tmp_path: Path, written: str, name: str) -> None:
    """The chosen rate card is lost, or compared with case."""
    settings = told(tmp_path, f'[workspaces.ws]\nrate_card = "{written}"\n')
    assert settings.workspaces["ws"].rate_card == name


# -- wrong values --------------------------------------------------------------------------------------------------------------

IN_WORKSPACE = [
    ("name = 5", "'name' must be a text"),
    ('name = " "', "'name' must be a text"),
    ('time_zone = "Berlin"', "'time_zone' must be an IANA time zone like 'Europe/Berlin', got 'Berlin'"),
    ('default_charge_type = "wallet"', "'default_charge_type' must be one of hosted, personal, got 'wallet'"),
    ('credit_price = "0.01"', "'credit_price' is no setting of a workspace; known are name, time_zone"),
    ('credit_price_usd = "cheap"', "'credit_price_usd' must be US dollars: 'cheap' is not a plain number"),
    ('credit_price_usd = "0,01"', "write the decimal point as '.'"),
    ('credit_price_usd = "-0.01"', "must not be negative"),
    ("credit_price_usd = -0.01", "must not be negative"),
    ("credit_price_usd = nan", "is not a plain number"),
    ("credit_price_usd = inf", "is not a plain number"),
    ("credit_price_usd = true", 'must be US dollars such as "0.01"'),
    ("credit_price_usd = 0.0000000000001", "has 13 decimals, at most 12 are allowed"),
    ("credit_price_usd = 1000000", "must be below 1,000,000"),
    ('monthly_budget_usd = "0"', "'monthly_budget_usd' must be more than 0; leave it out for none"),
    ("monthly_budget_usd = []", 'must be US dollars such as "0.01"'),
    ('rate_card = ""', "'rate_card' must be a text that is not empty"),
    ("rate_card = false", "'rate_card' must be a text that is not empty"),
    ("credit_prices = 1", "'credit_prices' must be a list of prices like"),
    ("credit_prices = []", "'credit_prices' must be a list of prices like"),
    ("credit_prices = [1]", "'credit_prices' entry 1 must be a table with"),
    ("credit_prices = [{ valid_from = 2026-01-01 }]", "entry 1 has no 'credit_price_usd'"),
    ("credit_prices = [{ credit_price_usd = 1, from = 2026-01-01 }]", "entry 1 has unknown 'from'"),
    (
        'credit_prices = [{ valid_from = "soon", credit_price_usd = 1 }]',
        "entry 1: 'valid_from' 'soon' is not a date",
    ),
    (
        "credit_prices = [{ valid_from = 2026-01-01T00:00:00, credit_price_usd = 1 }]",
        "'valid_from' must be a date",
    ),
    (
        "credit_prices = [{ credit_price_usd = 1 }, { credit_price_usd = 2 }]",
        "entry 2 has no 'valid_from'; only the first may omit it",
    ),
    (
        "credit_prices = [{ valid_from = 2026-01-01, credit_price_usd = 1 }, { valid_from = 2026-01-01, credit_price_usd = 2 }]",
        "entry 2: 'valid_from' 2026-01-01 must be after that of the entry before, 2026-01-01",
    ),
    (
        "credit_prices = [{ valid_from = 2026-02-01, credit_price_usd = 1 }, { valid_from = 2026-01-01, credit_price_usd = 2 }]",
        "entry 2: 'valid_from' 2026-01-01 must be after that of the entry before, 2026-02-01",
    ),
]


@pytest.mark.parametrize(("written", "message"), IN_WORKSPACE)
def test_a_wrong_value_of_a_workspace_names_its_line(tmp_path: Path, written: str, message: str) -> None:
    """A wrong value is accepted, or its message does not say which line to mend and what is allowed."""
    decoy = written.split(" ", maxsplit=1)[0]
    text = f'# {written}\nthreads = 1\n\n[workspaces.other]\nname = """\n{written}\n"""\n[workspaces."w.s"]\n\n{written}\n'
    error = refused(tmp_path, text)
    assert error.startswith(f"credit_usage.toml, line 10: [workspaces.w.s] '{decoy}'"), error
    assert message in error


IN_FILE = [
    ('threads = "many"', "'threads' must be a whole number, got 'many'"),
    ("threads = 2.5", "'threads' must be a whole number"),
    ("threads = true", "'threads' must be a whole number"),
    ("threads = -1", "'threads' must not be negative"),
    ("settle_seconds = nan", "'settle_seconds' must be a number"),
    ('memory_limit = "lots"', "'memory_limit' must look like '2GB'"),
    ('landing_url = "exports"', "'landing_url' must be the URL of a folder, such as s3://bucket/exports"),
    ('lake_url = "://bucket"', "'lake_url' must be the URL of a folder"),
    ('lake_url = "s3://"', "'lake_url' must be the URL of a folder"),
    (f'data_dir = "{Path(__file__).as_posix()}"', "'data_dir' must be a folder, and there is a file:"),
    ('memory_limit = "150%"', "'memory_limit' must be more than 0 and at most 100%, got '150%'"),
    ('memory_limit = "0.0 GB"', "'memory_limit' must be more than 0"),
    ('time_zone = "Mars"', "'time_zone' must be an IANA time zone"),
    ('time_zone = "posix/Europe/Berlin"', "'time_zone' must be an IANA time zone"),
    ('default_charge_type = "x"', "'default_charge_type' must be one of hosted, personal"),
    ('schedule_cron = "daily"', "'schedule_cron' must be five fields"),
    ('schedule_cron = "61 2 * * *"', "got '61 2 * * *': the minute '61' is none from 0 to 59"),
    ('schedule_cron = "0 2 * 13 *"', "the month '13' is none from 1 to 12"),
    ('schedule_cron = "0 2 * * fri-mon"', "the weekday 'fri-mon' is none from 0 to 7"),
    ('schedule_cron = "*/0 2 * * *"', "the minute '*/0' is none from 0 to 59"),
    ('partitions_start_date = "x"', "'partitions_start_date' must be a date"),
    ("freshness_hours = 0", "'freshness_hours' must be more than a minute"),
    ("treads = 1", "unknown setting 'treads'; known are content_max_characters"),
    ('price_file = "none.csv"', "'price_file' must name a file, and there is none: "),
    ('rate_file = "."', "'rate_file' must name a file, and there is none: "),
    ("price_file = 1", "'price_file' must be a path, got '1'"),
    ("workspaces = 1", "'workspaces' must be tables like [workspaces.ws_1]"),
    ("workspaces.ws = 1", "[workspaces.ws] must be a table"),
    ("workspaces.ws.zone = 1", "[workspaces.ws] 'zone' is no setting of a workspace"),
]


@pytest.mark.parametrize(("name", "meant"), [("TIMEZONE", "TIME_ZONE"), ("THREAD", "THREADS")])
def test_a_misspelled_variable_is_refused(name: str, meant: str) -> None:
    """A night runs with another time zone than its operator believes."""
    with pytest.raises(SettingsError, match=f"CREDIT_USAGE_{name}: .*did you mean CREDIT_USAGE_{meant}"):
        load({f"CREDIT_USAGE_{name}": "x"})
    load({"CREDIT_USAGE_REAL_DATA": "x", "CREDIT_USAGE_NOW": "x"})


@pytest.mark.parametrize(("written", "message"), IN_FILE)
def test_a_wrong_value_of_the_file_names_its_line(tmp_path: Path, written: str, message: str) -> None:
    """A wrong setting is accepted, or its message does not say which line to mend and what is allowed."""
    error = refused(tmp_path, f"# Ours\r\nkeep_publications = 2\r\n{written}\r\n")
    assert error.startswith("credit_usage.toml, line 3: "), error
    assert message in error


def test_a_price_twice_is_no_price(tmp_path: Path) -> None:
    """Of `credit_price_usd` and `credit_prices` one silently wins."""
    text = "[workspaces.ws]\ncredit_prices = [{ credit_price_usd = 1 }]\ncredit_price_usd = 2\n"
    assert (
        "line 3: [workspaces.ws] 'credit_price_usd' and 'credit_prices' are both there: keep one of them"
        in refused(tmp_path, text)
    )


def test_an_entry_in_a_table_of_its_own_names_its_line(tmp_path: Path) -> None:
    """The third price is wrong, and the message points at the first."""
    entry = "[[workspaces.ws.credit_prices]]\nvalid_from = 2026-0{}-01\ncredit_price_usd = {}\n"
    text = "".join(entry.format(number, price) for number, price in ((1, 1), (2, 2), (3, '"x"')))
    assert refused(tmp_path, text).startswith("credit_usage.toml, line 7: ")


def test_what_is_no_toml_names_its_line(tmp_path: Path) -> None:
    """A broken settings file is an error without a place."""
    assert re.search(r"not valid TOML: .*line 2", refused(tmp_path, "threads = 1\nthreads\n"))
    path = settings_file(tmp_path, "")
    path.write_bytes("threads = 1\n# Grüße\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="line 2: not UTF-8"):
        load({}, path)


def test_hostile_text_is_shown_escaped(tmp_path: Path) -> None:
    """A wrong value repaints the terminal, or fills it."""
    error = refused(tmp_path, f'[workspaces.ws]\ncredit_price_usd = "\\u001b[2J{"9" * 1000}"\n')
    assert "\x1b" not in error
    assert len(error) < 300


# -- price and rate file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["price_file", "rate_file"])
def test_files_of_the_user_are_found(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is looked for in the wrong folder: the file's is not the current one."""
    beside, current = tmp_path / "settings", tmp_path / "current"
    for folder in (beside, current):
        folder.mkdir()
        (folder / "mine.csv").touch()
    monkeypatch.chdir(current)
    variable = f"CREDIT_USAGE_{name.upper()}"
    text = f'{name} = "mine.csv"\n'
    assert getattr(told(beside, text), name) == (beside / "mine.csv").resolve()
    assert getattr(told(beside, text, {variable: "mine.csv"}), name) == current / "mine.csv"
    assert getattr(told(beside, f'{name} = ""\n'), name) is None
    assert (
        getattr(load({}, settings_file(beside, ""), **{name: Path("mine.csv")}), name) == current / "mine.csv"
    )
    with pytest.raises(SettingsError, match=f"{variable}: '{name}' must name a file"):
        told(beside, text, {variable: "other.csv"})


# -- lines of a TOML file --------------------------------------------------------------------------------------------------------


def test_keys_are_found_where_they_stand() -> None:
    """A key is looked for in comments and texts, or under another table."""
    text = (
        "a = 1 # b = 2\n"
        "\n"
        '"b = c" = """\n'
        "[t]\n"
        'a = 3"""\n'
        "[t . 'x.y']\n"
        "a = [\n  # a = 5\n  { b = 1 },\n]\n"
        "c.d = { e = 1 }\n"
        "[[u.v]]\n"
        "f = 1\n"
        "[[u.v]]\n"
        "f = 2"
    )
    expected = {
        ("a",): 1,
        ("b = c",): 3,
        ("t",): 6,
        ("t", "x.y"): 6,
        ("t", "x.y", "a"): 7,
        ("t", "x.y", "c"): 11,
        ("t", "x.y", "c", "d"): 11,
        ("t", "x.y", "c", "d", "e"): 11,
        ("u",): 12,
        ("u", "v"): 12,
        ("u", "v", "0"): 12,
        ("u", "v", "0", "f"): 13,
        ("u", "v", "1"): 14,
        ("u", "v", "1", "f"): 15,
    }
    assert lines_of_keys(text) == expected
    assert lines_of_keys(text.replace("\n", "\r\n")) == expected


def test_where_settings_stand_does_not_make_them_differ(tmp_path: Path) -> None:
    """Settings count as changed because a line was added above them."""
    text = '[workspaces.ws]\nrate_card = "none"\n'
    one, other = told(tmp_path, text), told(tmp_path, f"\n{text}")
    assert one == other
    assert one.workspaces["ws"].places["rate_card"].endswith("line 2")
    assert dataclasses.replace(one.workspaces["ws"], rate_card=None) != one.workspaces["ws"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"engine": "sparc"}, "'engine' must be one of duckdb, spark, got 'sparc'"),
        ({"engine": "spark", "keep_detail_days": 30}, "leave out 'keep_detail_days'"),
        ({"spark_master": "elsewhere:7077"}, "'spark_master' must be 'local[*]', 'local[N]', 'yarn'"),
        ({"spark_master": "local[0]"}, "'spark_master' must be 'local[*]', 'local[N]', 'yarn'"),
        ({"spark_master": "sc://host:port"}, "'k8s://URL' or 'sc://HOST:PORT', got 'sc://host:port'"),
        ({"spark_master": "sc://host:15002/;use_ssl=true;token=abc"}, "as SPARK_CONNECT_AUTHENTICATE_TOKEN"),
        ({"spark_memory": "2GB"}, "'spark_memory' must look like '2g' or '512m'"),
    ],
)
def test_a_wrong_engine_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    """A misspelt engine builds on another one, or a night on Spark fails halfway because of a setting that does not go with it."""
    environment = {f"CREDIT_USAGE_{name.upper()}": str(value) for name, value in values.items()}
    with pytest.raises(SettingsError, match=re.escape(message)):
        load(environment, data_dir=tmp_path)


def test_limits_of_checks_are_settings(tmp_path: Path) -> None:
    """An installation whose usage is not usual has to change the code to be rid of a warning, or changes a limit and nothing happens."""
    found = told(tmp_path, "[thresholds]\nmax_unpriced_call_share = 0.2\nmax_usual_call_cost_usd = 5000\n")
    limits = thresholds_of(found)
    assert limits == dataclasses.replace(
        DEFAULT_THRESHOLDS, max_unpriced_call_share=0.2, max_usual_call_cost_usd=5000
    )
    assert thresholds_of(told(tmp_path, "freshness_hours = 5")).freshness_hours == 5


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("max_everything = 1", "line 3: [thresholds] 'max_everything' is no limit of a check"),
        ("freshness_hours = 5", "line 3: [thresholds] 'freshness_hours' is no limit of a check"),
        ("max_unpriced_call_share = 20", "line 3: [thresholds] 'max_unpriced_call_share': threshold"),
        ('max_unpriced_call_share = "a"', "line 3: [thresholds] 'max_unpriced_call_share' must be a number"),
        ("max_unpriced_call_share = true", "must be a number"),
        ("history_days = 2.5", "line 3: [thresholds] 'history_days' must be a whole number, got '2.5'"),
        ("history_days = -1", "is out of range: -1"),
    ],
)
def test_a_wrong_limit_names_its_line(tmp_path: Path, written: str, message: str) -> None:
    """A limit that was mistyped is silently left as it was."""
    assert message in refused(tmp_path, f"# limits\n[thresholds]\n{written}\n")
