"""The generated documentation: `python -m orchestration.docs` writes it, `--check` exits with 1 where a file is stale.

Each fact has one home in the code (contract, settings, command line, dbt models, schema `meta`) and is only worded there; this module
places it. Whole files are generated, and the blocks between `<!-- generated: NAME -->` and `<!-- end -->` in docs/operations.md,
docs/money.md and docs/checks.md.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from orchestration import settings as settings_module
from orchestration.landing import contract, formats
from orchestration.pricing import price_file, rate_card
from orchestration.pricing.files import Column
from orchestration.pricing.meters import MEASURED
from orchestration.publication import books
from orchestration.quality import thresholds as thresholds_module
from orchestration.quality.reconciliation import IDENTITIES
from orchestration.quality.suites import declared_rules
from orchestration.quality.thresholds import DEFAULT_THRESHOLDS
from orchestration.settings import ENVIRONMENT_PREFIX, REPOSITORY, Settings, WorkspaceSettings, load
from orchestration.warehouse.manifest import read_manifest

EXAMPLE = "credit_usage.example.toml"
OPERATIONS = "docs/operations.md"
MONEY = "docs/money.md"
CHECKS = "docs/checks.md"
OF_THE_TESTS = "faults"
"""A block of docs/checks.md that the tests write (`tests/faults/table.py`): the product knows nothing of them."""
SCHEMAS = {
    "facts": "The border between warehouse and reports: spans, runs and two daily sums of them.",
    "dimensions": "What is known of workspaces.",
    "marts": "One table or view for each panel, log table and sheet. Marts read facts and dimensions only.",
    books.SCHEMA: "What the file itself is: publication, batches, landing files, quarantine, check results.",
}

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_UNITS = (
    ("_usd", "USD"),
    ("task_credits", "credits"),
    ("_tokens", "tokens"),
    ("_count", "count"),
    ("_requests", "count"),
    ("_ms", "ms"),
    ("_pct", "%"),
    ("_bytes", "bytes"),
    ("_at", "UTC"),
)


def generated(settings: Settings) -> dict[str, str]:
    """Every generated file as it should be, by path below the repository. Parses the dbt project where it changed."""
    blocks = {
        "settings": settings_tables(),
        "commands": commands(),
        "example": f"```toml\n{example()}```\n",
        "meters": meter_table(),
        "price-columns": column_table(price_file.COLUMNS),
        "rate-columns": column_table(rate_card.COLUMNS),
        "rate-card": rate_table(),
        "rules": rule_table(),
        "thresholds": threshold_table(),
    }
    return {
        "docs/contract.md": contract.markdown(),
        "docs/sources.md": formats.markdown(),
        "docs/data-dictionary.md": data_dictionary(read_manifest(settings)),
        EXAMPLE: example(),
        **{
            name: _BLOCK.sub(
                lambda found: (
                    found[0] if found[2] == OF_THE_TESTS else f"{found[1]}\n{blocks[found[2]]}\n{found[3]}"
                ),
                (REPOSITORY / name).read_text(encoding="utf-8"),
            )
            for name in (OPERATIONS, MONEY, CHECKS)
        },
    }


def stale(settings: Settings) -> list[str]:
    """Generated files that differ from what they should be."""
    return [
        name
        for name, text in generated(settings).items()
        if not (REPOSITORY / name).exists() or (REPOSITORY / name).read_text(encoding="utf-8") != text
    ]


# -- settings ------------------------------------------------------------------------------------------------------------------


def field_comments(class_name: str, module: ModuleType = settings_module) -> dict[str, str]:
    """The `#:` comment above each field of a class in `settings.py`, or another module, as one line."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    lines = source.splitlines()
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef) or node.name != class_name:
            continue
        for item in node.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            comment: list[str] = []
            number = item.lineno - 2
            while lines[number].strip().startswith("#:"):
                comment.insert(0, lines[number].strip().removeprefix("#:").strip())
                number -= 1
            found[item.target.id] = " ".join(comment)
    return found


def _defaults() -> dict[str, Any]:
    """Defaults of the plain settings, in the order of the class."""
    return {
        item.name: item.default
        for item in fields(Settings)
        if item.default is not MISSING and item.name != "sources"
    }


def settings_tables() -> str:
    """The settings and the settings of a workspace as tables."""
    meanings = field_comments("Settings")
    rows = [
        (f"`{name}`", f"`{ENVIRONMENT_PREFIX}{name.upper()}`", f"`{_shown(name, default)}`", meanings[name])
        for name, default in _defaults().items()
    ]
    of_workspace = field_comments("WorkspaceSettings")
    inherited = _defaults()
    workspace_rows = [
        (f"`{name}`", f"that of `{name}` above" if name in inherited else default, of_workspace[name])
        for name, default in _workspace_defaults().items()
    ]
    return (
        _table(("setting", "environment variable", "default", "meaning"), rows)
        + "\nIn a table `[workspaces.<id>]` of the file, for single workspaces:\n\n"
        + _table(("setting", "default", "meaning"), workspace_rows)
        + f"\nIn tables `[[sources]]`: {meanings['sources']}\n\n"
        + _table(
            ("setting", "meaning"),
            [(f"`{name}`", meaning) for name, meaning in field_comments("SourceMapping").items() if meaning],
        )
        + f"\nIn a table `[thresholds]`: {meanings['thresholds']}\n"
    )


def _workspace_defaults() -> dict[str, str]:
    """What holds for a workspace that says nothing, in the order of the class."""
    found = {item.name: "unset" for item in fields(WorkspaceSettings)}
    del found["workspace_id"], found["places"]
    return found | {"name": "the id"}


def _shown(name: str, default: Any) -> str:
    if default is None or default == "":
        return "unset"
    if isinstance(default, bool):
        return str(default).lower()
    return "data" if name == "data_dir" else f"{default}"


def example() -> str:
    """A settings file with every setting at its default, commented out, and one workspace."""
    lines = [
        "# Settings of Credit Usage: copy to credit_usage.toml and keep what differs from the defaults shown here.",
        "# A CREDIT_USAGE_* environment variable overrides each. Generated from orchestration/settings.py by `make docs`.",
    ]
    meanings = field_comments("Settings")
    for name, default in _defaults().items():
        value = f'"{_shown(name, default)}"' if isinstance(default, str | Path) else _shown(name, default)
        value = '""' if default is None or default == "" else value
        lines += ["", *_comment(meanings[name]), f"# {name} = {value}"]
    lines += ["", *_comment(meanings["sources"]), "[[sources]]", 'service_name = "checkout"']
    lines += ['workspace_id = "ws_acme"', 'charge_type = "personal"']
    lines += ["", *_comment(meanings["thresholds"]), "[thresholds]", "max_unpriced_call_share = 0.2"]
    lines += ["", *_comment(meanings["workspaces"]), "[workspaces.ws_acme]", 'name = "Acme"']
    lines += ['time_zone = "America/New_York"', 'default_charge_type = "hosted"', 'credit_price_usd = "0.01"']
    lines += ['rate_card = "platform"', 'monthly_budget_usd = "500"']
    return "\n".join(lines) + "\n"


def _comment(text: str, width: int = 108) -> Iterator[str]:
    import textwrap  # noqa: PLC0415

    return (f"# {line}" for line in textwrap.wrap(text, width))


# -- prices and rates ------------------------------------------------------------------------------------------------------------


def meter_table() -> str:
    """The meters that prices are given for; those that spans have a quantity for."""
    rows = []
    for meter in MEASURED:
        stand_in = f"`{meter.fallback}`" if meter.fallback else "costs nothing"
        if meter.name in ("uncached_input", "output", "web_search"):
            stand_in = "none: the call is `partial` or `unpriced`"
        elif meter.fallback_is_partial:
            stand_in += ", and the call is `partial`"
        rows.append((f"`{meter.name}`", f"{meter.unit_size:,}", meter.description, stand_in))
    return _table(("meter", "unit size", "counts", "without a price of its own"), rows)


def column_table(columns: Sequence[Column]) -> str:
    """The columns of a user's file."""
    rows = [
        (f"`{column.name}`", "yes" if column.is_required else "", column.description) for column in columns
    ]
    return _table(("column", "required", "meaning"), rows)


def rate_table() -> str:
    """The platform's rate card."""
    rows = [
        (
            rate.service,
            rate.charge_type or "both",
            f"{rate.unit}, {rate.applies}",
            str(rate.valid_from or ""),
            str(rate.valid_to or ""),
            "varies" if rate.task_credits is None else f"{rate.task_credits.normalize():f}",
        )
        for rate in rate_card.read(None)
    ]
    return _table(("service", "charge type", "per, applies", "from", "before", "credits"), rows)


# -- checks ----------------------------------------------------------------------------------------------------------------------


def rule_table() -> str:
    """Every rule of the suites and every identity, in the order in which they run."""
    rows = [
        # Declared for no night in particular, they name the moment of none.
        (
            f"`{rule.name}`",
            _THEN[rule.severity],
            re.sub(r"2000-01-01( 00:00 UTC)?", "the night", rule.statement),
        )
        for rule in declared_rules()
    ]
    rows += [(f"`{identity.name}`", _THEN["blocking"], identity.statement) for identity in IDENTITIES]
    return _table(("check", "a failure", "what must hold"), rows)


_THEN = {"blocking": "blocks", "warning": "warns"}


def threshold_table() -> str:
    """Every limit with its reason. Fields that share a comment share their reason."""
    reasons = field_comments("Thresholds", thresholds_module)
    rows, reason = [], ""
    for name, text in reasons.items():
        reason = text or reason
        rows.append((f"`{name}`", f"{getattr(DEFAULT_THRESHOLDS, name):,}", reason if text else "as above"))
    return _table(("limit", "value", "unit, severity, reason"), rows)


# -- command line --------------------------------------------------------------------------------------------------------------


def verbs() -> dict[str, click.Command]:
    """Every command that does something, by its words: `nightly`, `prices missing`. Sorted."""
    from orchestration.cli import cli  # noqa: PLC0415

    def walk(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from walk(command, f"{words}{name} ")
            else:
                yield words + name, command

    return dict(sorted(walk(cli, "")))


def commands() -> str:
    """Every command with its arguments and options, as `--help` tells them."""
    sections = [
        "`credit-usage --version` prints the version, `credit-usage --debug COMMAND …` the traceback of an error.\n"
    ]
    for name, command in verbs().items():
        usage = " ".join(command.collect_usage_pieces(click.Context(command)))
        text = "\n\n".join(_paragraphs(command.help or ""))
        rows = [
            (" ".join(f"`{piece}`" for piece in _spelling(option)), _option_meaning(option))
            for option in command.params
            if isinstance(option, click.Option)
        ]
        sections.append(
            f"### `credit-usage {name} {usage}`\n\n{text}\n\n{_table(('option', 'meaning'), rows)}"
        )
    return "\n".join(sections)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a help text; one that click shows as it is (marked by a backspace) becomes a code block."""
    for paragraph in text.strip().split("\n\n"):
        if paragraph.lstrip().startswith("\b"):
            yield "```sh\n" + paragraph.lstrip().removeprefix("\b").strip() + "\n```"
        else:
            yield " ".join(paragraph.split())


def _spelling(option: click.Option) -> list[str]:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        value = f" {'|'.join(map(str, option.type.choices))}"
    if isinstance(option.type, click.DateTime):
        value = " YYYY-MM-DD"
    if isinstance(option.type, click.IntRange):
        value = " N"
    return [option.opts[0] + value, *option.opts[1:]]


def _option_meaning(option: click.Option) -> str:
    parts = [option.help or ""]
    if option.required:
        parts.append("Required.")
    if option.show_default and option.default is not None and not option.is_flag:
        parts.append(f"Default {str(option.default).removesuffix('T00:00:00')}.")
    return " ".join(part for part in parts if part)


# -- data dictionary -----------------------------------------------------------------------------------------------------------


def data_dictionary(manifest: Mapping[str, Any]) -> str:
    """Tables of the published file with their columns: dbt's models and schema `meta`."""
    lines = [
        "# Data dictionary",
        "",
        "The tables of `published/usage.duckdb`. Generated from the dbt models and `orchestration/publication/books.py`; do not edit.",
        "`make docs` writes it. The same texts are in the file, as comments on tables and columns.",
        "",
        "A column marked * is never NULL. Amounts in USD are `decimal(38,12)`, timestamps are UTC, `usage_date` is the date of the",
        "run's start in the time zone of its workspace.",
        "",
    ]
    tables = {schema: list(_models(manifest, schema)) for schema in SCHEMAS}
    tables[books.SCHEMA] = [_meta_table(table) for table in books.TABLES]
    for schema, meaning in SCHEMAS.items():
        links = ", ".join(f"[{name}](#{schema}{name})" for name, _ in tables[schema])
        lines.append(f"- **{schema}**: {meaning} {links}")
    for schema in SCHEMAS:
        lines += ["", f"## {schema}"]
        for name, text in tables[schema]:
            lines += ["", f'<a id="{schema}{name}"></a>', "", f"### {schema}.{name}", "", text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _models(manifest: Mapping[str, Any], schema: str) -> Iterator[tuple[str, str]]:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    for node in sorted(nodes, key=lambda node: (len(node["fqn"]), node["fqn"])):
        if node["schema"] != schema:
            continue
        comment = str(node["raw_code"]).partition("\n")[0].removeprefix("--").strip()
        described = " ".join(str(node["description"] or comment).split())
        kind = "View" if node["config"]["materialized"].endswith("view") else "Table"
        rows = [
            (
                column["name"] + ("*" if _never_null(column) else ""),
                column["data_type"] or "",
                unit(column["name"]),
                " ".join(str(column["description"]).split()),
            )
            for column in node["columns"].values()
        ]
        table = _table(("column", "type", "unit", "meaning"), rows) if rows else ""
        yield str(node["name"]), f"{described} {kind}.\n\n{table}"


def _never_null(column: Mapping[str, Any]) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def _meta_table(table: books.Table) -> tuple[str, str]:
    rows = [(column.name, column.kind, unit(column.name), column.description) for column in table.columns]
    return table.name, f"{table.description}\n\n{_table(('column', 'type', 'unit', 'meaning'), rows)}"


def unit(column: str) -> str:
    """The unit that a column's name carries."""
    if column.startswith(("is_", "has_")):
        return ""
    return next((text for suffix, text in _UNITS if column.endswith(suffix)), "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or with `--check` name it and fail."""
    if set(arguments) - {"--check"}:
        click.echo("usage: python -m orchestration.docs [--check]", err=True)
        return 2
    settings = load()
    names = stale(settings)
    if "--check" in arguments:
        for name in names:
            click.echo(f"{name} is stale: run `make docs`", err=True)
        return 1 if names else 0
    texts = generated(settings)
    for name in names:
        (REPOSITORY / name).write_text(texts[name], encoding="utf-8")
        click.echo(f"{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
