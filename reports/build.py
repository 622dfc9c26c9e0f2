"""Renders the site from a published file: reads sets, makes pages, writes what changed.

What belongs here: the order of work. The site is made beside the one that readers see and takes its place when it
is whole.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import columns as col
from reports import context as ctx
from reports import pages, quality
from reports import queries as q
from reports.writer import SiteWriter, chunk, slug, to_json

if TYPE_CHECKING:
    import jinja2

Progress = Callable[[str, int, int], None]

_HERE = Path(__file__).resolve().parent
STATIC = _HERE / "static"
_ASSETS = (
    "app.css", "theme.js", "core.js", "format.js", "range.js", "charts.js", "analytics.js", "explore.js", "trace.js",
    "sheet.js", "logs.js", "users.js",
)  # fmt: skip
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What pages may load. `'self'` is the folder when it is served, `file:` when it is opened from disk; nothing inline, no eval."""
ROWS_PER_BATCH = 150_000
"""Rows whose chunks are made by one query: bounds memory, a full build of any size runs in the same."""


@dataclass(frozen=True)
class BuildResult:
    """What one build did. `pages` counts HTML pages, the other counts are files of any kind."""

    pages: int
    files_written: int
    files_unchanged: int
    files_removed: int
    seconds: float


@cache
def renderer_version() -> str:
    """Hash of everything that decides what a chunk looks like; after a change all chunks are made again."""
    import duckdb  # noqa: PLC0415  (lazy: start-up of the command line)

    digest = hashlib.sha256(duckdb.__version__.encode())  # its hash() is part of the fingerprints
    for path in sorted([*_HERE.glob("*.py"), *_HERE.glob("templates/*.html"), *_HERE.glob("static/*")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def environment() -> jinja2.Environment:
    """The templates, with everything from data escaped."""
    import jinja2  # noqa: PLC0415  (lazy: start-up of the command line)

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


_STAMPS = "assets/publication.js"
STAMPS_PREFIX = "window.CU_PUBLICATION="


def _shards(rows: int, per_shard: int) -> int:
    """The smallest power of two of shards that holds the rows; few changes of it as a day fills up."""
    shards = 1
    while shards * per_shard < rows:
        shards *= 2
    return shards


def _batches(days: Sequence[tuple[Any, int]]) -> Iterator[list[Any]]:
    """Split (item, rows) into lists of items of bounded total rows."""
    held: list[Any] = []
    rows = 0
    for item, size in days:
        if held and rows + size > ROWS_PER_BATCH:
            yield held
            held, rows = [], 0
        held.append(item)
        rows += size
    if held:
        yield held


def part_name(key: str, part: int, letter: str) -> str:
    """Key of the n-th piece of a day: '2026-10-01', then '2026-10-01.p1'. The page's scripts use the same
    rule.
    """
    return key if part == 0 else f"{key}.{letter}{part}"


class _Build:
    """One build in progress."""

    def __init__(
        self, published: q.Published, site: SiteWriter, progress: Progress | None, force: bool
    ) -> None:
        self.published = published
        self.site = site
        self.force = force
        self._progress = progress
        self.data: dict[str, pages.WorkspaceData] = {}

    def report(self, stage: str, done: int, total: int) -> None:
        """Tell the caller how far a stage is."""
        if self._progress is not None:
            self._progress(stage, done, total)

    def _keep(self, group: str, key: str, fingerprint: str, names: list[str]) -> bool:
        return self.site.keep_if_same(group, key, fingerprint, names, force=self.force)

    def run(self) -> int:
        """Write everything; the number of HTML pages."""
        for workspace in self.published.workspaces():
            folder = slug(workspace.workspace_id)
            if any(other.slug == folder for other in self.data.values()):
                raise RuntimeError(f"two workspaces share the folder {folder!r}")
            self.data[workspace.workspace_id] = pages.WorkspaceData(
                workspace, folder, self.published.published_at()
            )
        self._assets()
        self._analytics_chunks()
        prints = self._log_chunks()
        self._run_chunks(prints)
        self._price_chunks()
        self._index_chunks(prints)
        self._user_chunks()
        return self._pages()

    def _assets(self) -> None:
        for name in _ASSETS:
            self.site.write(f"assets/{name}", (STATIC / name).read_bytes())

    def _known(self, workspace_id: str) -> pages.WorkspaceData:
        try:
            return self.data[workspace_id]
        except KeyError:
            raise q.PublishedFileError(
                f"workspace {workspace_id!r} has rows but is not in dimensions.dim_workspace"
            ) from None

    def _analytics_chunks(self) -> None:
        tables = self.published.daily_tables()
        for done, (workspace_id, month) in enumerate(sorted(tables)):
            self.report("analytics", done, len(tables))
            data = self._known(workspace_id)
            texts = tables[workspace_id, month]
            data.months[month] = texts
            body = ",\n".join(f'"{name}":{texts[name]}' for name in sorted(texts))
            self.site.write(
                f"{data.slug}/data/analytics/{month}.js", chunk("analytics", month, "{" + body + "}")
            )
        for (workspace_id, month), text in sorted(self.published.cube().items()):
            self.site.write(
                f"{self._known(workspace_id).slug}/data/cube/{month}.js", chunk("cube", month, text)
            )
        for workspace_id, values in self.published.colours().items():
            self._known(workspace_id).colours = values

    def _log_chunks(self) -> dict[tuple[str, date], list[str]]:
        """Write the log chunks of changed days; the fingerprints of every day, for what else depends on its
        runs.
        """
        prints: dict[tuple[str, date], list[str]] = {}
        for name, kind in col.LOG_KINDS.items():
            changed = []
            for found in self.published.fingerprints(f"mart_logs__{kind}_runs"):
                data = self._known(found.workspace_id)
                prints.setdefault((found.workspace_id, found.day), []).append(f"{name}:{found.fingerprint}")
                parts = -(-found.rows // q.LOG_ROWS_PER_PART)
                names = [
                    f"{data.slug}/data/{name}/{part_name(found.day.isoformat(), part, 'p')}.js"
                    for part in range(parts)
                ]
                if not self._keep(f"{data.slug}/{name}", found.day.isoformat(), found.fingerprint, names):
                    changed.append(((found.workspace_id, found.day), found.rows))
            done = 0
            for batch in _batches(changed):
                self.report(name, done, len(changed))
                for workspace_id, day, part, text in self.published.log_chunks(kind, batch):
                    key = part_name(day.isoformat(), part, "p")
                    self.site.write(
                        f"{self._known(workspace_id).slug}/data/{name}/{key}.js", chunk(name, key, text)
                    )
                done += len(batch)
            for workspace_id, rows in self.published.log_totals(kind).items():
                self._known(workspace_id).log_totals[name] = rows
            for column, _ in ctx.LOGS[name].filters:
                for workspace_id, values in self.published.filter_values(kind, column).items():
                    self._known(workspace_id).filter_values.setdefault(name, {})[column] = values
            for workspace_id, keys in self.published.metadata_keys(kind).items():
                self._known(workspace_id).metadata_keys[name] = keys
        return prints

    def _run_chunks(self, log_prints: dict[tuple[str, date], list[str]]) -> None:
        """Write the run-sheet chunks of days on which any run, span or child run changed."""
        prints = {key: list(values) for key, values in log_prints.items()}
        sizes = dict.fromkeys(prints, 0)
        sources = [(f"mart_details__{kind}_summary", "usage_date") for kind in col.LOG_KINDS.values()]
        for table, column in (
            *sources,
            ("mart_details__spans", "usage_date"),
            ("mart_details__child_runs", "parent_usage_date"),
        ):
            for found in self.published.fingerprints(table, column):
                key = (found.workspace_id, found.day)
                prints.setdefault(key, []).append(f"{table}:{found.fingerprint}")
                sizes[key] = sizes.get(key, 0) + found.rows
        changed = []
        for (workspace_id, day), parts in sorted(prints.items()):
            data = self._known(workspace_id)
            rows = sizes[workspace_id, day]
            shards = _shards(rows, q.SPANS_PER_SHARD)
            if shards > 1:
                data.shards[day.isoformat()] = shards
            folder = f"{data.slug}/data/runs"
            names = [f"{folder}/{part_name(day.isoformat(), shard, 's')}.js" for shard in range(shards)]
            if not self._keep(f"{data.slug}/runs", day.isoformat(), "|".join(parts), names):
                changed.append(((workspace_id, day, shards), rows))
        done = 0
        for batch in _batches(changed):
            self.report("run sheets", done, len(changed))
            wanted = {(w, d, shard) for w, d, shards in batch for shard in range(shards)}
            for workspace_id, day, shard, texts in self.published.run_chunks(batch):
                body = ",\n".join(
                    f'"{part}":{texts.get(part, "[]")}' for part in ("children", "runs", "spans")
                )
                self._write_runs(workspace_id, day, shard, "{" + body + "}")
                wanted.discard((workspace_id, day, shard))
            for workspace_id, day, shard in sorted(
                wanted
            ):  # a shard that no run fell into is still asked for
                self._write_runs(workspace_id, day, shard, '{"children":[],"runs":[],"spans":[]}')
            done += len(batch)

    def _price_chunks(self) -> None:
        """Write the rates of the price sets that a workspace's calls were priced by."""
        for workspace_id, text in sorted(self.published.price_sets().items()):
            self.site.write(
                f"{self._known(workspace_id).slug}/data/prices/sets.js", chunk("prices", "sets", text)
            )

    def _write_runs(self, workspace_id: str, day: date, shard: int, text: str) -> None:
        key = part_name(day.isoformat(), shard, "s")
        self.site.write(f"{self._known(workspace_id).slug}/data/runs/{key}.js", chunk("runs", key, text))

    def _index_chunks(self, prints: dict[tuple[str, date], list[str]]) -> None:
        """Write the shards that say on which day and in which log a run id is."""
        months: dict[tuple[str, date], tuple[int, list[str]]] = {}
        orphans = {
            (f.workspace_id, f.day): f.fingerprint for f in self.published.fingerprints("mart_details__spans")
        }
        for key in sorted(prints.keys() | orphans.keys()):
            workspace_id, day = key
            values = [*prints.get(key, []), orphans.get(key, "")]
            rows, texts = months.setdefault((workspace_id, day.replace(day=1)), (0, []))
            runs = sum(int(value.split(":")[1].split("-")[0]) for value in prints.get(key, []))
            months[workspace_id, day.replace(day=1)] = (rows + runs, [*texts, f"{day}:{'|'.join(values)}"])
        changed = []
        for (workspace_id, first), (rows, texts) in sorted(months.items()):
            data = self._known(workspace_id)
            shards = _shards(rows, q.RUNS_PER_INDEX_SHARD)
            month = first.isoformat()[:7]
            data.index_shards[month] = shards
            fingerprint = hashlib.sha256("\n".join(texts).encode()).hexdigest()
            names = [f"{data.slug}/data/index/{part_name(month, shard, 's')}.js" for shard in range(shards)]
            if not self._keep(f"{data.slug}/index", month, fingerprint, names):
                changed.append(((workspace_id, first, shards), rows))
        for batch in _batches(changed):
            wanted = {
                (w, first.isoformat()[:7], shard) for w, first, shards in batch for shard in range(shards)
            }
            for workspace_id, month, shard, text in self.published.run_index(batch):
                self._write_index(workspace_id, month, shard, text)
                wanted.discard((workspace_id, month, shard))
            for workspace_id, month, shard in sorted(wanted):
                self._write_index(workspace_id, month, shard, "[]")

    def _write_index(self, workspace_id: str, month: str, shard: int, text: str) -> None:
        key = part_name(month, shard, "s")
        self.site.write(f"{self._known(workspace_id).slug}/data/index/{key}.js", chunk("index", key, text))

    def _user_chunks(self) -> None:
        for workspace_id, parts in self.published.user_parts().items():
            data = self._known(workspace_id)
            data.user_parts = parts
            for number, text in enumerate(parts):
                self.site.write(f"{data.slug}/data/users/{number}.js", chunk("users", str(number), text))
        for (workspace_id, month), text in sorted(self.published.user_days().items()):
            data = self._known(workspace_id)
            data.user_days[month] = text
            self.site.write(f"{data.slug}/data/userdays/{month}.js", chunk("userdays", month, text))

    def _pages(self) -> int:
        templates = environment()
        written = 0

        def render(name: str, template: str, context: object) -> None:
            nonlocal written
            values = {field: getattr(context, field) for field in context.__dataclass_fields__}  # type: ignore[attr-defined]
            self.site.write(name, templates.get_template(template).render(policy=POLICY, **values).encode())
            written += 1

        publication = quality.read(self.published)
        for workspace_id, found in self.published.unpriced_models().items():
            self._known(workspace_id).unpriced_models = found
        rows = []
        for done, data in enumerate(self.data.values()):
            self.report("pages", done, len(self.data))
            shown = pages.analytics_view(data)
            render(f"{data.slug}/analytics.html", "analytics.html", pages.analytics_page(data, shown))
            for name in col.LOG_KINDS:
                render(f"{data.slug}/{name}.html", "log.html", pages.log_page(data, name))
            render(f"{data.slug}/users.html", "users.html", pages.users_page(data))
            render(f"{data.slug}/quality.html", "quality.html", pages.quality_page(data, publication))
            rows.append(pages.index_row(data, shown, publication))
        rows.sort(key=lambda row: (row.name.casefold(), row.workspace_id))
        texts = self.published.publication()
        render("index.html", "index.html", ctx.IndexPage(tuple(rows), texts))
        stamps = to_json(texts)
        self.site.write(_STAMPS, f"{STAMPS_PREFIX}{stamps};\n".encode())
        self.report("pages", len(self.data), len(self.data))
        return written


def is_rendered(published: Path, site_dir: Path) -> bool:
    """Whether the site shows exactly this publication, to the end."""
    path = site_dir / _STAMPS
    if not path.exists():
        return False
    with q.Published(published) as source:
        return path.read_text(encoding="utf-8") == f"{STAMPS_PREFIX}{to_json(source.publication())};\n"


def build_site(
    published: Path, site_dir: Path, *, progress: Progress | None = None, force: bool = False
) -> BuildResult:
    """Render the site of `published` into `site_dir`, rewriting only files whose bytes change.

    `force` makes every chunk again, also of days whose data is as it was.
    The same published content gives the same bytes.
    """
    started = time.perf_counter()
    if not published.is_file():
        raise FileNotFoundError(f"nothing is published at {published}")
    site = SiteWriter(site_dir, renderer_version())
    try:
        with q.Published(published) as source:
            page_count = _Build(source, site, progress, force).run()
        site.finish()
    except BaseException:
        site.abandon()
        raise
    return BuildResult(page_count, site.written, site.unchanged, site.removed, time.perf_counter() - started)
