"""The borders of the house: which folder may import which, and which model may read which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse.manifest import read_manifest

PACKAGES = ("orchestration", "reports")
PURE = ("landing", "pricing", "quality", "publication", "warehouse", "sample")
DAGSTER_AT_IMPORT = ("orchestration.defs", "orchestration.definitions")
DAGSTER_LAZILY = ("orchestration.cli_night", "orchestration.status")
SLOW = ("dagster", "dbt", "duckdb", "great_expectations", "jinja2", "sqlalchemy", "pandas", "rich", "pyspark")


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of our packages with its syntax tree."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module, *, lazy: bool) -> set[str]:
    """Full names that a module imports; with `lazy` also those inside functions. Type-checking blocks do not count."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a border is crossed"
            assert node.module
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def reaches_dagster(name: str) -> bool:
    return within(name, "dagster", "dagster_dbt", "dagster_graphql", *DAGSTER_AT_IMPORT)


def test_the_trees_are_read() -> None:
    """The tests below pass because they look at nothing."""
    names = {name for name, _ in modules()}
    assert {"orchestration.night", "orchestration.cli", "orchestration.defs.run", "reports.build"} <= names
    tree = dict(modules())["orchestration.defs.run"]
    assert any(reaches_dagster(name) for name in imports(tree, lazy=False))


@pytest.mark.parametrize("package", [p for p in PURE if (REPOSITORY / "orchestration" / p).is_dir()])
def test_pure_packages_know_nothing_of_dagster_or_of_those_above(package: str) -> None:
    """Landing, pricing, quality, publication or dbt can no longer run, or be tested, without the orchestrator."""
    above = (
        "orchestration.cli",
        "orchestration.night",
        "orchestration.status",
        "orchestration.check",
        "reports",
    )
    for name, tree in modules():
        if within(name, f"orchestration.{package}"):
            wrong = {
                found for found in imports(tree, lazy=True) if reaches_dagster(found) or within(found, *above)
            }
            assert not wrong, f"{name} imports {sorted(wrong)}"


def test_dagster_lives_in_one_folder() -> None:
    """Dagster leaks into the stages, or the command line pays for its import on every call."""
    for name, tree in modules():
        if within(name, *DAGSTER_AT_IMPORT):
            continue
        at_import = {found for found in imports(tree, lazy=False) if reaches_dagster(found)}
        assert not at_import, f"{name} imports {sorted(at_import)} when it is imported"
        if name not in DAGSTER_LAZILY:
            ever = {found for found in imports(tree, lazy=True) if reaches_dagster(found)}
            assert not ever, (
                f"{name} imports {sorted(ever)}; only {', '.join(DAGSTER_LAZILY)} may, and lazily"
            )


def test_reports_know_the_published_file_alone() -> None:
    """Pages depend on how numbers are made, so they cannot be rendered from a published file alone."""
    for name, tree in modules():
        if within(name, "reports"):
            wrong = {found for found in imports(tree, lazy=True) if within(found, "orchestration")}
            assert wrong <= {"orchestration.settings"}, f"{name} imports {sorted(wrong)}"


def test_landing_comes_first() -> None:
    """Landing depends on what happens after the lake."""
    allowed = (
        "orchestration.landing",
        "orchestration.sql",
        "orchestration.durable",
        "orchestration.object_storage",
        "orchestration.settings",
    )
    for name, tree in modules():
        if within(name, "orchestration.landing"):
            own = {found for found in imports(tree, lazy=True) if within(found, "orchestration")}
            wrong = {
                found
                for found in own
                if found not in ("orchestration.sql", "orchestration.durable") and not within(found, *allowed)
            }
            assert not wrong, f"{name} imports {sorted(wrong)}"


def test_the_command_line_starts_light() -> None:
    """`credit-usage --help` takes seconds, because something imports an engine at the top of a module."""
    code = f"import sys, orchestration.cli; print([name for name in {SLOW!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]", f"importing orchestration.cli imports {done.stdout.strip()}"


# -- the models ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """dbt's manifest of the project."""
    return read_manifest(Settings(data_dir=tmp_path_factory.mktemp("manifest")))


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(found) > 30, "a manifest without models proves nothing"
    return found


def layer(manifest: dict[str, Any], unique_id: str) -> str:
    """Folder below models/ that a node is in; sources are a layer of their own."""
    return "source" if unique_id.startswith("source.") else str(manifest["nodes"][unique_id]["fqn"][1])


MAY_READ = {
    "staging": {"source"},
    # The plan says which dates and time zones; facts are never read back.
    "intermediate": {"source", "staging", "intermediate"},
    "dimensions": {"source", "intermediate"},
    "facts": {"intermediate", "dimensions", "facts"},
    "marts": {"facts", "dimensions"},
}


def test_layers_read_only_what_lies_below(manifest: dict[str, Any]) -> None:
    """A mart reads the lake past the facts, or a fact reads a mart, and totals no longer reconcile by construction."""
    for node in models(manifest):
        read = {layer(manifest, unique_id) for unique_id in node["depends_on"]["nodes"]}
        allowed = MAY_READ[node["fqn"][1]]
        assert read <= allowed, (
            f"{node['name']} reads {sorted(read - allowed)}; {node['fqn'][1]} may read {sorted(allowed)}"
        )


def test_every_model_is_described_owned_and_states_its_grain(manifest: dict[str, Any]) -> None:
    """A table that nobody explains, owns, or can sum safely."""
    groups = {group["name"]: group for group in manifest["groups"].values()}
    for node in models(manifest):
        name = node["name"]
        assert len(node["description"].split()) >= 4, f"{name} has no description"
        assert groups[node["config"]["group"]]["owner"]["email"], f"{name} has no owner"
        first = (
            (REPOSITORY / "dbt_project" / node["original_file_path"])
            .read_text(encoding="utf-8")
            .splitlines()[0]
        )
        assert re.match(r"-- Grain: .{20,}\.", first), f"{name} does not begin with its grain: {first!r}"


def test_facts_and_marts_keep_their_promises(manifest: dict[str, Any]) -> None:
    """A column of a fact or mart changes its type, or has no description, and nobody notices."""
    for node in models(manifest):
        if node["fqn"][1] in ("facts", "marts"):
            assert node["config"]["contract"]["enforced"], f"{node['name']} has no enforced contract"
            bare = [name for name, column in node["columns"].items() if len(column["description"]) < 3]
            assert not bare, f"{node['name']}: no description for {bare}"


ENGINE_WORDS = re.compile(
    r"\b(quantile_\w+|arg_max|arg_min|list_\w+|array_agg|json_extract\w*|strftime|epoch_\w+|date_diff|read_parquet|unnest|regexp_\w+"
    r"|at time zone|exclude|replace|try_cast|group by all|order by all|qualify|hugeint|ubigint|varchar|string_agg|isodow|quantile|by name"
    r"|collect_\w+|array_\w+|get_json_object|posexplode|explode|lateral|unix_\w+)\b|\[\]|//|::"
)


def test_every_table_has_a_key_that_is_tested(manifest: dict[str, Any]) -> None:
    """A join that doubles the rows of a new model passes, because nobody told which columns are its key."""
    keys = [node for node in manifest["nodes"].values() if node["name"] == "assert_keys_are_unique"]
    assert keys, "the test of all keys is gone"
    tested = {name for node in keys for name in node["depends_on"]["nodes"]}
    checks = [
        name for node in manifest["nodes"].values() for name in node["config"]["meta"].get("checks") or ()
    ]
    tested |= {
        model["unique_id"]
        for model in models(manifest)
        if any(
            f"{model['name']}__{kind}" in checks
            for kind in ("unique_key", "one_row_per_run", "one_row_per_span")
        )
    }
    # Views on the lake, and two lists of which `fct_span_usage` and the dates that are read make sure.
    without = {
        "int_spans__current",
        "int_spans__judged",
        "int_runs__current",
        "int_spans__repeated",
        "int_dates__family",
    }
    untested = [
        model["name"]
        for model in models(manifest)
        if model["unique_id"] not in tested
        and model["config"]["schema"] != "staging"
        and model["name"] not in without
    ]
    assert not untested, f"models without a tested key: {untested}"


def test_models_spell_nothing_that_only_one_engine_knows() -> None:
    """The models cannot be built on Spark, because a function of DuckDB stands outside the dispatched macros; or the other way round."""
    paths = sorted((REPOSITORY / "dbt_project" / "models").rglob("*.sql"))
    assert len(paths) > 30, "a lint of no models proves nothing"
    for path in paths:
        text = re.sub(
            r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|--[^\n]*|'[^']*'",
            "",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        found = {match.group(0) for match in ENGINE_WORDS.finditer(text.lower())}
        assert not found, f"{path.name} uses {sorted(found)} outside a macro"


def test_models_name_schemas_by_macro() -> None:
    """A model names a table of another with its schema: on Spark, where schemas have a prefix, only nights that come to that line fail."""
    literal = re.compile(r"\b(plan|staging|staged|intermediate|dimensions|facts|marts)[.][a-z]")
    models = sorted((REPOSITORY / "dbt_project" / "models").rglob("*.sql"))
    assert len(models) > 40
    found = {
        path.name: match[0]
        for path in models
        if (match := literal.search(re.sub(r"--.*", "", path.read_text(encoding="utf-8"))))
    }
    assert not found, "name it by ref, by source, or with the macro schema_name"


def test_every_dispatched_macro_has_a_text_for_spark() -> None:
    """A function was moved into a macro for DuckDB alone: the build on Spark fails at the first model that uses it."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted((REPOSITORY / "dbt_project" / "macros").glob("*.sql"))
    ]
    macros = {
        name: body
        for text in texts
        for name, body in re.findall(
            r"\{% macro (\w+)\(.*?\)\s*-?%\}(.*?)\{%-? endmacro", text, flags=re.DOTALL
        )
    }
    dispatched = {
        name for text in texts for name in re.findall(r"adapter\.dispatch\(\s*[\"'](\w+)[\"']", text)
    }
    assert len(dispatched) > 20, "a check of no macros proves nothing"
    for name in sorted(dispatched):
        assert f"duckdb__{name}" in macros or f"default__{name}" in macros, f"{name} has no text for DuckDB"
        fallback = macros.get(f"default__{name}", "raise_compiler_error")
        assert f"spark__{name}" in macros or "raise_compiler_error" not in fallback, (
            f"{name} has no text for Spark"
        )
