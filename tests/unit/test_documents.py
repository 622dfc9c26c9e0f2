"""Layouts of JSON files, and cutting them up where DuckDB cannot read them whole."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.landing import documents
from orchestration.landing.documents import _Cutter, paths_of
from orchestration.landing.streams import UnreadableFileError

OTLP = ("resourceSpans[]", "resourceSpans[].scopeSpans[]", "resourceSpans[].scopeSpans[].spans[]")


def _cut(text: str, split_at: tuple[str, ...] = (), *, step: int = 7) -> list[tuple[str, str | None]]:
    """Records of a text that arrives in small pieces."""
    stream = io.StringIO(text)
    return list(_Cutter(lambda _: stream.read(step), split_at).records())


def test_paths_are_keys_and_not_texts() -> None:
    """Keys within strings are none, a top-level list is like its elements, and a broken end is an end."""
    assert paths_of('{"a": [{"b": "{\\"c\\": 1}"}], "d": {"e": 1}}') == {"a", "a[].b", "d", "d.e"}
    assert paths_of('[{"a": 1}, {"b": [1, {"c"') == {"a", "b"}


@pytest.mark.parametrize(
    ("head", "layout"),
    [
        ('{"a": 1}\n{"a": 2}\n', "lines"),
        ('{"a": 1}', "lines"),
        ('{"a": 1, "b"\n{"a": 2}\n', "lines"),
        ('{\n  "a": 1\n}\n', "document"),
        ('{"a": {\n  "b": 1}}', "document"),
        (' [\n{"a": 1}]', "array"),
    ],
)
def test_layouts(head: str, layout: str) -> None:
    """Lines, a document over several lines, and a list are told apart; a broken first line is still a line."""
    assert documents._layout(head) == layout


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
_SPANS = st.lists(_JSON, max_size=5)


@given(
    st.lists(st.dictionaries(st.text(max_size=5), _JSON, max_size=3), max_size=5),
    st.integers(1, 40),
    st.booleans(),
)
def test_records_are_what_the_document_says(rows: list[dict[str, object]], step: int, is_list: bool) -> None:
    """Whatever the pieces that it is read in, each object comes out once, unchanged, in order."""
    text = json.dumps(rows, indent=1) if is_list else "\n".join(json.dumps(row, indent=2) for row in rows)
    found = _cut(text, step=step)
    assert [json.loads(record) for record, _ in found] == rows
    assert all(problem is None for _, problem in found)


@given(st.lists(st.lists(_SPANS, max_size=3), max_size=3), st.integers(1, 60))
def test_cutting_loses_no_span(resources: list[list[list[object]]], step: int) -> None:
    """A request cut at its lists has the same spans, each with its resource and scope."""
    request = {
        "resourceSpans": [
            {
                "resource": number,
                "scopeSpans": [{"scope": f"s{place}", "spans": spans} for place, spans in enumerate(scopes)],
            }
            for number, scopes in enumerate(resources)
        ]
    }

    def flat(document: dict[str, list[dict[str, object]]]) -> list[tuple[object, object, str]]:
        return [
            (resource["resource"], scope["scope"], json.dumps(span))
            for resource in document.get("resourceSpans", [])
            for scope in resource.get("scopeSpans", [])
            for span in scope.get("spans", [])
        ]  # type: ignore[attr-defined]

    found = [
        json.loads(record)
        for record, problem in _cut(json.dumps(request), OTLP, step=step)
        if problem is None
    ]
    assert [item for piece in found for item in flat(piece)] == flat(request)


@given(st.lists(st.dictionaries(st.text(max_size=5), _JSON, max_size=3), min_size=1, max_size=5), st.data())
def test_damage_costs_what_is_damaged(rows: list[dict[str, object]], data: st.DataObject) -> None:
    """A list that breaks off yields its whole elements and then one record that says so."""
    text = json.dumps(rows)
    broken = text[: data.draw(st.integers(1, len(text) - 1))]
    *whole, (_, problem) = _cut(broken)
    assert problem == "broken_document", "a broken end must be told"
    assert [json.loads(record) for record, _ in whole] == rows[: len(whole)], (
        "whole elements must come out unchanged"
    )


def test_what_stands_after_its_list_is_refused() -> None:
    """A resource behind its spans would be lost on the pieces before it: better no file than spans of nobody."""
    text = '{"resourceSpans": [{"scopeSpans": [{"spans": [1]}], "resource": {"a": 1}}]}'
    with pytest.raises(UnreadableFileError, match="stands after the list"):
        _cut(text, OTLP)
