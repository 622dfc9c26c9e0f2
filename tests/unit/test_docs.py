"""The documentation says what the code does: generated parts are fresh, and what the prose names exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestration import docs
from orchestration.cli import cli
from orchestration.cli_night import summary
from orchestration.landing.quarantine import read_quarantine
from orchestration.publication import books
from orchestration.settings import REPOSITORY, Settings, load
from orchestration.status import read_status
from orchestration.warehouse.manifest import read_manifest

PROSE = ("README.md", "docs/operations.md", "docs/decisions.md")
MAX_IMAGE_BYTES = 300_000
# Between our own processes, never set by people.
INTERNAL_VARIABLES = {
    "CREDIT_USAGE_SPARK_SCHEMA_PREFIX",
    "CREDIT_USAGE_SPARK_TABLES",
    "CREDIT_USAGE_CANDIDATE",
    "CREDIT_USAGE_TEMP_DIR",
    "CREDIT_USAGE_PROPERTY_EXAMPLES",
    "CREDIT_USAGE_FUZZ_CASES",
    "CREDIT_USAGE_FUZZ_SEED",
    "CREDIT_USAGE_FAULT_NIGHTS",
    "CREDIT_USAGE_NIGHT_EXAMPLES",
    "CREDIT_USAGE_CALL_PROGRAMS",
}

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
_TABLE = re.compile(r"\b(facts|dimensions|marts|meta)\.([a-z]\w+)")
_FILE = r"[\w-]+\.(?:py|sql|toml|yaml|md|json|duckdb|js|html|png)\b"
_PATH = re.compile(rf"(?<![\w$~/<>.-])(?:[\w.-]+(?:/[\w.<>-]+)+/?|[\w-]+/(?!\w)|{_FILE})")
# First parts of paths on the reader's own machine.
_READERS_OWN = {"srv", ".venv", "http:", "https:"}


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def code_of(name: str) -> Iterator[tuple[str, str]]:
    """Language and text of each code block of a page, and of each piece of code within a sentence."""
    text = text_of(name)
    for found in _FENCE.finditer(text):
        yield found[1], found[2]
    for found in _INLINE.finditer(_FENCE.sub("", text)):
        yield "inline", found[1]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("docs"))


def test_generated_documentation_is_fresh(settings: Settings) -> None:
    """A generated page or block says something else than the code: `make docs` was not run."""
    assert docs.stale(settings) == [], "run `make docs`"


def test_blocks_are_generated(settings: Settings) -> None:
    """The freshness test passes because the markers in docs/operations.md went missing."""
    page = docs.generated(settings)[docs.OPERATIONS]
    assert re.findall(r"<!-- generated: ([a-z-]+) -->", page) == ["settings", "example", "commands"]


def test_a_stale_page_is_noticed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m orchestration.docs --check` is content with an edited page."""
    for name in docs.generated(settings):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text_of(name).replace("CREDIT_USAGE_THREADS", "CREDIT_USAGE_THREAD"))
    monkeypatch.setattr(docs, "REPOSITORY", tmp_path)
    assert docs.stale(settings) == [docs.OPERATIONS]


@pytest.mark.parametrize("name", docs.verbs())
def test_commands_and_options_are_documented(name: str) -> None:
    """An operator cannot find a command or an option of it in docs/operations.md."""
    sections = text_of("docs/operations.md").split(f"### `credit-usage {name} ")
    assert len(sections) == 2, f"`credit-usage {name}` has no section"
    section = sections[1].split("\n### ")[0]
    for option in docs.verbs()[name].params:
        if isinstance(option, click.Option):
            assert f"`{option.opts[0]}" in section, f"`credit-usage {name} {option.opts[0]}` is not described"


def test_every_setting_means_something() -> None:
    """A setting has no `#:` comment, so its meaning in docs/operations.md is empty."""
    for owner in ("Settings", "WorkspaceSettings"):
        comments = docs.field_comments(owner)
        assert len(comments) > 3
        assert [name for name, comment in comments.items() if not comment] == []


def test_every_environment_variable_is_documented() -> None:
    """The code reads a variable that docs/operations.md does not know."""
    sources = [
        *REPOSITORY.glob("orchestration/**/*.py"),
        *REPOSITORY.glob("reports/**/*.py"),
        REPOSITORY / "Makefile",
    ]
    read = {
        name
        for path in sources
        for name in re.findall(r"\bCREDIT_USAGE_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert "CREDIT_USAGE_NOW" in read, "nothing was found to look for"
    documented = set(re.findall(r"\bCREDIT_USAGE_[A-Z_]*[A-Z]\b", text_of("docs/operations.md")))
    assert read - documented - INTERNAL_VARIABLES == set()


def test_the_example_settings_can_be_used(tmp_path: Path) -> None:
    """Who uncomments a line of credit_usage.example.toml gets an error, or another default than the one shown."""
    text = text_of(docs.EXAMPLE)
    assert set(load({}, REPOSITORY / docs.EXAMPLE).workspaces) == {"ws_acme"}
    path = tmp_path / "credit_usage.toml"
    path.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    uncommented, defaults = load({}, path), Settings()
    shown = re.findall(r"^# (\w+) = ", text, re.MULTILINE)
    assert shown == [
        name
        for name in docs.field_comments("Settings")
        if name not in ("workspaces", "sources", "thresholds")
    ]
    assert uncommented.data_dir == tmp_path / "data"
    for name in set(shown) - {"data_dir"}:
        assert getattr(uncommented, name) == getattr(defaults, name), (
            f"'{name}' is not shown with its default"
        )


# -- what code in the prose names exists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROSE)
def test_commands_in_the_prose_exist(name: str) -> None:
    """A reader types a command of the documentation and gets a usage error."""
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    seen = 0
    for language, code in code_of(name):
        for line in code.splitlines():
            if language not in ("sh", "cron", "inline"):
                continue
            words = (
                shlex.split(line.replace("…", ""), comments=True)
                if line.count('"') % 2 == 0
                else line.split()
            )
            if "make" in words[:1]:
                seen += 1
                assert words[1] in targets, f"{name}: there is no `{line}`"
            found = [number for number, word in enumerate(words) if word.split("/")[-1] == "credit-usage"]
            if not found or len(words) <= found[0] + 1 or words[found[0]].startswith("cd"):
                continue
            seen += 1
            verb, rest = words[found[0] + 1], words[found[0] + 2 :]
            if verb in ("&&", "--version", "--debug"):
                continue
            if isinstance(cli.commands.get(verb), click.Group) and rest:
                verb, rest = f"{verb} {rest[0]}", rest[1:]
            assert verb in docs.verbs(), f"{name}: there is no `{line}`"
            known = {text for option in docs.verbs()[verb].params for text in option.opts}
            assert {word for word in rest if word.startswith("--")} <= known, f"{name}: an option of `{line}`"
    assert seen or name == "docs/decisions.md", f"no command was found in {name}"


@pytest.mark.parametrize("name", PROSE)
def test_tables_in_the_prose_exist(name: str, settings: Settings) -> None:
    """A query of the documentation fails, because a table of it does not exist."""
    nodes = read_manifest(settings)["nodes"].values()
    known = {f"{node['schema']}.{node['name']}" for node in nodes if node["resource_type"] == "model"}
    known |= {table.relation for table in books.TABLES}
    named = {f"{schema}.{table}" for _, code in code_of(name) for schema, table in _TABLE.findall(code)}
    assert named <= known
    assert named or name == "docs/decisions.md", f"no table was found in {name}"


def paths_of(name: str) -> set[str]:
    """Paths that code in the prose names, without those of the reader's machine."""
    found = {
        path.strip("/")
        for language, code in code_of(name)
        if language != "toml"
        for path in _PATH.findall(code)
    }
    return {path for path in found if path.split("/")[0] not in _READERS_OWN}


def missing_paths(paths: set[str]) -> set[str]:
    """Those that are neither in the repository nor anything that the program makes in the data folder."""
    places = [place.fget for place in vars(Settings).values() if isinstance(place, property)]
    below_data = {place(Settings(data_dir=Path("data"))).parts[1] for place in places if place is not None}
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("orchestration", "reports")
        for path in (REPOSITORY / package).rglob("*.py")
    )
    missing = set()
    for path in paths:
        *folders, last = path.removeprefix("data/").split("/")
        if folders and folders[0] in below_data:
            known = f"/{last}" in code or f'"{last}"' in code or last in ("runs", "spans", "<batch>.json")
        elif folders:
            known = (REPOSITORY / path).exists()
        else:  # a name alone: of a file anywhere in the repository, or one that the program makes or reads
            known = any(REPOSITORY.glob(f"**/{last}")) or last in code
        if not known:
            missing.add(path)
    return missing


@pytest.mark.parametrize("name", PROSE)
def test_files_in_the_prose_exist(name: str) -> None:
    """The documentation sends a reader to a file or folder that is not there."""
    paths = paths_of(name)
    assert len(paths) > 2, f"hardly a path was found in {name}"
    assert missing_paths(paths) == set()


def test_missing_files_are_noticed() -> None:
    """The test above is content with any path."""
    wrong = {
        "orchestration/landings",
        "published/usage.db",
        "data/lake/bats",
        "docs/operation.md",
        "setings.py",
    }
    assert missing_paths(wrong | {"orchestration/landing", "published/usage.duckdb"}) == wrong


@pytest.mark.parametrize("name", [*PROSE, "docs/data-dictionary.md", "docs/contract.md"])
def test_links_lead_somewhere(name: str) -> None:
    """A link or an image of the documentation is broken, or an image is too large to load."""
    for target, _ in _LINK.findall(text_of(name)):
        if target.startswith("http"):
            continue
        path = (REPOSITORY / name).parent / target
        assert path.exists(), f"{name}: {target}"
        assert path.suffix != ".png" or path.stat().st_size < MAX_IMAGE_BYTES, f"{target} is too large"


def test_anchors_lead_somewhere() -> None:
    """A link into a page, such as docs/operations.md#settings, leads to its top."""
    for name in (*PROSE, "docs/data-dictionary.md"):
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]*)\)", text_of(name)):
            page = text_of(str((Path(name).parent / target) if target else name))
            headings = {
                re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-")
                for head in re.findall(r"^#+ (.*)$", page, re.M)
            }
            assert anchor in headings | set(re.findall(r'<a id="(\w+)">', page)), f"{name}: {target}#{anchor}"


def test_json_keys_are_documented(settings: Settings) -> None:
    """A key of `--json` is missing from the README's table of keys, or was removed from the output."""
    from orchestration.night import NightResult

    rows = dict(
        re.findall(
            r"^\| (`.*?`) \| (.*) \|$", text_of("README.md").split("**Keys of `--json`**")[1], re.MULTILINE
        )
    )
    night = summary(settings, NightResult("", True, "", False, {}), [])
    for commands, document in {
        "`nightly`, `backfill`, `demo`, `reprice`, `rebuild`": night,
        "`status`": read_status(settings),
        "`quarantine`": read_quarantine(settings),
    }.items():
        assert re.findall(r"`(\w+)`", rows[commands]) == list(document)


def test_decisions_are_whole() -> None:
    """A decision lacks what was decided, why, what follows, or when to look at it again."""
    decisions = text_of("docs/decisions.md").split("\n### ")[1:]
    assert len(decisions) > 20
    for decision in decisions:
        body = decision.split("\n## ")[0]
        assert re.findall(r"^- \*\*(\w+)\*\*: ", body, re.MULTILINE) == [
            "What",
            "Why",
            "Consequence",
            "Revisit",
        ], decision.splitlines()[0]
