"""The analytics of one workspace as one HTML file that carries all it needs, for mailing.

What belongs here: cutting the data to the range, putting styles, scripts and data into the page, and a content
security policy that names exactly these scripts. What does not: what the page says.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from markupsafe import Markup

from reports import analytics, build, pages, writer
from reports import queries as q

_SCRIPTS_BEFORE = ("theme.js",)
_SCRIPTS = ("format.js", "core.js", "range.js", "charts.js", "store.js", "analytics.js", "explore.js")


class UnknownWorkspaceError(LookupError):
    """There is no such workspace in the published file."""


class NoUsageError(LookupError):
    """There is no usage on the days asked for."""


def render(
    published: Path, workspace_id: str, first: date | None, last: date | None
) -> tuple[date, date, bytes]:
    """The file for the days `first` to `last`, both included; left out they are the last 30 days of usage."""
    with q.Published(published) as source:
        known = {found.workspace_id: found for found in source.workspaces()}
        if workspace_id not in known:
            raise UnknownWorkspaceError(
                f"workspace {workspace_id!r} is not in the published file; it has {', '.join(sorted(known)) or 'none'}"
            )
        data = pages.WorkspaceData(known[workspace_id], writer.slug(workspace_id), source.published_at())
        days = source.usage_days().get(workspace_id)
        if not days:
            raise UnknownWorkspaceError(f"workspace {workspace_id!r} has no usage yet")
        last = last or days[-1]
        first = first or last - timedelta(days=analytics.DEFAULT_DAYS - 1)
        if first > last:
            raise NoUsageError(
                f"workspace {workspace_id!r} has no usage from {first} on: its newest is of {last}"
            )
        earliest = first - timedelta(days=(last - first).days + 1)
        data = replace(
            data,
            month_names=sorted({day.isoformat()[:7] for day in days if earliest <= day <= last}),
            usage_days=(days[0], days[-1]),
            fixed_range=(first, last),
        )
        source.choose_months(
            [(workspace_id, month) for month in sorted({day.isoformat()[:7] for day in days})]
        )
        data.colours = pages.colours(values for _, values in sorted(source.first_days().items()))
        source.choose_months([(workspace_id, month) for month in data.month_names], (earliest, last))
        found = source.daily_tables()
        cubes = list(source.cube())
        # A page hides what its range does not reach; a file that is given away must not hold it.
        data.budgets = [
            row
            for row in source.budgets().get(workspace_id, [])
            if first.replace(day=1) <= row["month_start_date"] <= last
        ]
        data.anomalies = [
            row for row in source.anomalies().get(workspace_id, []) if first <= row["usage_date"] <= last
        ]
        stamps = source.publication()
    months = analytics.Months()
    chunks = []
    for month in data.month_names:
        tables = found.get((workspace_id, month), {})
        for kind in build.MONTH_CHUNKS:
            text = build.tables_text(tables.get(kind, {}))
            chunks.append(_chunk(kind, month, text))
            if kind in ("analytics", "latency"):
                months.add(month, json.loads(text))
    for _, month, part, begins, ends, text in cubes:
        chunks.append(_chunk("cube", build.part_name(month, part, "p"), text))
        data.cube_parts.setdefault(month, []).append((begins.isoformat(), ends.isoformat()))
    view = analytics.build_view(months, first, last, data.credit_prices, data.edges)
    context = pages.analytics_page(data, (view, first, last))
    scripts = [_asset(name) for name in _SCRIPTS]
    body = [f"{build.STAMPS_PREFIX}{writer.to_json(stamps)};\n", *scripts[:2], *chunks, *scripts[2:]]
    head = [_asset(name) for name in _SCRIPTS_BEFORE]
    style = _asset("app.css")
    hashes = " ".join(_hash(text) for text in (*head, *body))
    values = {field: getattr(context, field) for field in context.__dataclass_fields__}
    html = (
        build.environment()
        .get_template("single.html")
        .render(
            policy=f"default-src 'none'; script-src {hashes}; style-src {_hash(style)}; img-src data:; "
            "base-uri 'none'; form-action 'none'",
            style=Markup(style),  # noqa: S704  (our own file)
            head_scripts=[Markup(text) for text in head],  # noqa: S704  (our own files)
            body_scripts=[Markup(text) for text in body],  # noqa: S704  (our own files, and data that is escaped for scripts)
            **values,
        )
    )
    return first, last, html.encode()


def _chunk(name: str, key: str, text: str) -> str:
    return writer.chunk(name, key, text).decode()


def _asset(name: str) -> str:
    return (build.STATIC / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
