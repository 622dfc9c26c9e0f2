"""A foreign format for tests of the models alone: JSON lines whose keys are the contract's columns, as a module of `formats` makes them."""

from __future__ import annotations

import json
from typing import Any

from orchestration.landing.contract import CANONICAL, SPANS
from orchestration.landing.formats import Convert, Sniff, SourceFormat

MARK = "plain_test_row"


def _spans(records: str, convert: Convert) -> str:
    names = [item.name for item in SPANS.plain.columns]
    structure = json.dumps(dict.fromkeys([*names, "attributes", "project", "service_name"], "VARCHAR"))
    columns = ", ".join(f'r."{name}"' for name in [*names, "attributes", "project", "service_name"])
    return f"""
        select
            file_no, line_number, record as raw,
            coalesce(problem, case when r is null then 'not_json' end) as problem,
            null::varchar[] as not_text, 'canonical' as token_convention, null::varchar as flags, {columns}
        from (select *, try(from_json(record, '{structure}')) as r from ({records}))
    """


FORMAT = SourceFormat(
    name="plain",
    title="Plain rows for tests",
    detect=lambda sniff: MARK in sniff.paths,
    spans=_spans,
    row_count=lambda records: f"select file_no, count(*) from ({records}) group by file_no",
    conventions=(CANONICAL,),
)


def row(span_id: str, **more: Any) -> dict[str, Any]:
    """A call of model m in trace t, seen by scope s, unless told otherwise."""
    return {
        MARK: 1,
        "span_id": span_id,
        "run_id": "t",
        "trace_id": more.get("run_id", "t"),
        "workspace_id": "w",
        "name": span_id,
        "kind": "completion",
        "call_marker": "call",
        "scope": "s",
        "provider": "openai",
        "model": "gpt-4o",
        "status": "completed",
        "started_at": "2026-03-01T10:00:00.000Z",
        "ended_at": "2026-03-01T10:00:01.000Z",
        **more,
    }


def sniffed(sniff: Sniff) -> bool:
    """Whether a file is one of these."""
    return FORMAT.detect(sniff)
