"""Compiled templates of dbt are taken from an earlier process only as that process left them."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt_common.clients import jinja

from orchestration.warehouse import templates

SOURCE = "{% set n = 21 %}{{ n * 2 }}"
NUMBER = "{{ '42' | as_number }}"


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been compiled yet."""
    forget(monkeypatch)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources that are really compiled."""
    sources: list[str] = []
    parse = jinja.MacroFuzzEnvironment._parse

    def noted(self: object, source: str, *more: object) -> object:
        sources.append(source)
        return parse(self, source, *more)

    monkeypatch.setattr(jinja.MacroFuzzEnvironment, "_parse", noted)
    return sources


def render() -> str:
    return str(jinja.get_template(SOURCE, {}).render({}))


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_known", {})
    monkeypatch.setattr(templates, "_files", {})


def test_a_template_is_compiled_once(
    tmp_path: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each night compiles every macro anew, or what is taken from the file is not what was compiled."""
    templates.keep(tmp_path)
    assert render() == render()
    templates.save(tmp_path)
    forget(monkeypatch)
    templates.keep(tmp_path)
    assert render() == "42"
    assert compiled == [SOURCE]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"other" + data, lambda data: data[:-9] + bytes(9)]
)
def test_a_damaged_file_is_not_taken(
    tmp_path: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch, damage: object
) -> None:
    """A file that a crash cut short, or that another version wrote, ends the process: code is not checked when it is read."""
    templates.keep(tmp_path)
    render()
    templates.save(tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    forget(monkeypatch)
    templates.keep(tmp_path)
    assert render() == "42"
    assert compiled == [SOURCE, SOURCE]
    templates.save(tmp_path)
    assert path.read_bytes() == whole, "it is not made good"


def test_a_native_template_is_another(tmp_path: Path) -> None:
    """The same source gives a text where a value is asked for."""
    templates.keep(tmp_path)
    assert jinja.get_template(NUMBER, {}).render({}) == "42"
    assert jinja.get_template(NUMBER, {}, native=True).render({}) == 42
