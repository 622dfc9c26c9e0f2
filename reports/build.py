"""Renders the site from a published file: reads sets, makes pages, writes what changed.

What belongs here: the order of work. The site is made beside the one that readers see and takes its place when it
is whole.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import columns as col
from reports import context as ctx
from reports import pages, quality
from reports import queries as q
from reports.writer import SiteWriter, chunk, chunk_data, has_leftovers, slug, to_json

if TYPE_CHECKING:
    import jinja2

Progress = Callable[[str, int, int], None]

_HERE = Path(__file__).resolve().parent
STATIC = _HERE / "static"
_ASSETS = (
    "app.css", "theme.js", "core.js", "format.js", "range.js", "charts.js", "store.js", "analytics.js", "explore.js", "trace.js",
    "sheet.js", "logs.js", "users.js",
)  # fmt: skip
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What pages may load. `'self'` is the folder when it is served, `file:` when it is opened from disk; nothing inline, no eval."""
MONTH_ROWS = 50_000
"""What a month of a workspace counts among the rows of a batch: three are made by one query."""
ROWS_PER_BATCH = 150_000
"""Rows whose chunks are made by one query: bounds memory, a full build of any size runs in the same."""
INDEX_ROWS_PER_BATCH = 600_000
"""The same of an index, whose rows are small. Each query reads all run ids of its months."""


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
    return _digest(digest, "*.py")


@cache
def surface_version() -> str:
    """Hash of the templates and of what the pages load beside their data."""
    return _digest(hashlib.sha256(), "templates/*.html", "static/*")


def _digest(digest: hashlib._Hash, *patterns: str) -> str:
    for path in sorted(path for pattern in patterns for path in _HERE.glob(pattern)):
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


def _batches(days: Sequence[tuple[Any, int]], most: int) -> Iterator[list[Any]]:
    """Split (item, rows) into lists of items of bounded total rows."""
    held: list[Any] = []
    rows = 0
    for item, size in days:
        if held and rows + size > most:
            yield held
            held, rows = [], 0
        held.append(item)
        rows += size
    if held:
        yield held


def _shards_at_once(batch: Sequence[tuple[str, date, int]], most: int) -> list[range | None]:
    """The shards of each query: all of a batch (None), but of a single day or month that has more than `most` some at a time, as evenly
    as can be. Each query reads the whole day or month again.
    """
    (_, _, shards), *others = batch
    if others or shards <= most:
        return [None]
    step = -(-shards // -(-shards // most))
    return [range(first, first + step) for first in range(0, shards, step)]


MONTH_CHUNKS = ("analytics", "latency", *(f"by_{dimension.name}" for dimension in col.DIMENSIONS))
"""What a month's daily figures are kept in: what every view needs, and what a grouping needs."""


def tables_text(texts: Mapping[str, str]) -> str:
    """A chunk's tables by name, as JSON."""
    return "{" + ",\n".join(f'"{name}":{texts[name]}' for name in sorted(texts)) + "}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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

    def run(self) -> int:
        """Write everything; the number of HTML pages."""
        days = self.published.usage_days()
        detail_from = self.published.detail_from()
        for workspace in self.published.workspaces():
            folder = slug(workspace.workspace_id)
            if any(other.slug == folder for other in self.data.values()):
                raise RuntimeError(f"two workspaces share the folder {folder!r}")
            data = pages.WorkspaceData(workspace, folder, self.published.published_at())
            data.detail_from = detail_from
            if found := days.get(workspace.workspace_id):
                data.usage_days = found[0], found[-1]
                data.month_names = sorted({day.isoformat()[:7] for day in found})
            self.data[workspace.workspace_id] = data
        for workspace_id in days:
            self._known(workspace_id)
        self._assets()
        prints = self.published.day_prints()
        self._month_chunks(prints)
        self._log_chunks(prints)
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

    def _kept(self, group: str, key: str, fingerprint: str) -> Any:
        return self.site.kept(group, key, fingerprint, force=self.force)

    def _month_chunks(self, prints: Mapping[tuple[str, date], str]) -> None:
        """Write the daily figures of changed months, and hold those that the pages open with."""
        months: dict[tuple[str, str], list[str]] = {}
        for (workspace_id, day), value in sorted(prints.items()):
            months.setdefault((workspace_id, day.isoformat()[:7]), []).append(f"{day}:{value}")
        noted: dict[tuple[str, str], dict[str, Any]] = {}
        changed = {}
        for (workspace_id, month), texts in months.items():
            fingerprint = _hash("\n".join(texts))
            note = self._kept(f"{self._known(workspace_id).slug}/months", month, fingerprint)
            if note is None:
                changed[workspace_id, month] = fingerprint
            else:
                noted[workspace_id, month] = note
        done = 0
        for batch in _batches(
            [(key, MONTH_ROWS) for key in sorted(changed, key=lambda key: key[::-1])], ROWS_PER_BATCH
        ):
            self.report("analytics", done, len(changed))
            for key, note in self._write_months(batch, changed):
                noted[key] = note
            done += len(batch)
        for (workspace_id, month), note in sorted(noted.items()):
            data = self._known(workspace_id)
            data.cube_parts[month] = note["cube"]
            if note["users"]:
                data.user_months.append(month)
        for data in self.data.values():
            for month in pages.months_shown(data):
                folder = f"{data.slug}/data"
                data.months[month] = {
                    name: table
                    for kind in ("analytics", "latency")
                    if month in data.month_names
                    for name, table in chunk_data(self.site.read(f"{folder}/{kind}/{month}.js")).items()
                }
                if month in data.user_months:
                    data.user_days[month] = chunk_data(self.site.read(f"{folder}/userdays/{month}.js"))
        for data in self.data.values():
            data.colours = pages.colours(
                noted[key]["first_days"] for key in sorted(noted) if key[0] == data.workspace.workspace_id
            )

    def _write_months(
        self, batch: list[tuple[str, str]], prints: Mapping[tuple[str, str], str]
    ) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
        """The chunks of some months; of each what is to be noted."""
        names: dict[tuple[str, str], list[str]] = {key: [] for key in batch}
        notes: dict[tuple[str, str], dict[str, Any]] = {
            key: {"cube": [], "users": False, "first_days": {}} for key in batch
        }

        def write(workspace_id: str, month: str, kind: str, key: str, text: str) -> None:
            name = f"{self._known(workspace_id).slug}/data/{kind}/{key}.js"
            self.site.write(name, chunk(kind, key, text))
            names[workspace_id, month].append(name)

        self.published.choose_months(batch)
        found = self.published.daily_tables()
        for workspace_id, month in batch:
            chunks = found.get((workspace_id, month), {})
            for kind in MONTH_CHUNKS:
                write(workspace_id, month, kind, month, tables_text(chunks.get(kind, {})))
        for workspace_id, month, part, first, last, text in self.published.cube():
            write(workspace_id, month, "cube", part_name(month, part, "p"), text)
            notes[workspace_id, month]["cube"].append([first.isoformat(), last.isoformat()])
        for key, values in self.published.first_days().items():
            notes[key]["first_days"] = values
        for (workspace_id, month), text in sorted(self.published.user_days().items()):
            write(workspace_id, month, "userdays", month, text)
            notes[workspace_id, month]["users"] = True
        for key in batch:
            workspace_id, month = key
            group = f"{self._known(workspace_id).slug}/months"
            self.site.made(group, month, prints[key], names[key], notes[key])
            yield key, notes[key]

    def _log_chunks(self, prints: Mapping[tuple[str, date], str]) -> None:
        """Write the log chunks of changed days."""
        for name, kind in col.LOG_KINDS.items():
            changed = []
            for (workspace_id, day), rows in self.published.rows_by_day(f"mart_logs__{kind}_runs").items():
                group = f"{self._known(workspace_id).slug}/{name}"
                if self._kept(group, day.isoformat(), prints[workspace_id, day]) is None:
                    changed.append(((workspace_id, day), rows))
            done = 0
            for batch in _batches(changed, ROWS_PER_BATCH):
                self.report(name, done, len(changed))
                names: dict[tuple[str, date], list[str]] = {}
                for workspace_id, day, part, text in self.published.log_chunks(kind, batch):
                    key = part_name(day.isoformat(), part, "p")
                    path = f"{self._known(workspace_id).slug}/data/{name}/{key}.js"
                    self.site.write(path, chunk(name, key, text))
                    names.setdefault((workspace_id, day), []).append(path)
                for (workspace_id, day), written in names.items():
                    group = f"{self._known(workspace_id).slug}/{name}"
                    self.site.made(group, day.isoformat(), prints[workspace_id, day], written, True)
                done += len(batch)
            for workspace_id, totals in self.published.log_totals(kind).items():
                self._known(workspace_id).log_totals[name] = totals
            for column, _ in ctx.LOGS[name].filters:
                for workspace_id, values in self.published.filter_values(kind, column).items():
                    self._known(workspace_id).filter_values.setdefault(name, {})[column] = values
            for workspace_id, keys in self.published.metadata_keys(kind).items():
                self._known(workspace_id).metadata_keys[name] = keys

    def _run_chunks(self, prints: Mapping[tuple[str, date], str]) -> None:
        """Write the run-sheet chunks of days on which any run, span or child run changed."""
        sizes: dict[tuple[str, date], int] = {}
        for table, column in (
            *((f"mart_details__{kind}_summary", "usage_date") for kind in col.LOG_KINDS.values()),
            ("mart_details__spans", "usage_date"),
            ("mart_details__child_runs", "parent_usage_date"),
        ):
            for day_of, rows in self.published.rows_by_day(table, column).items():
                sizes[day_of] = sizes.get(day_of, 0) + rows
        changed = []
        for (workspace_id, day), rows in sorted(sizes.items()):
            data = self._known(workspace_id)
            shards = _shards(rows, q.SPANS_PER_SHARD)
            if shards > 1:
                data.shards[day.isoformat()] = shards
            if self._kept(f"{data.slug}/runs", day.isoformat(), prints[workspace_id, day]) is None:
                changed.append(((workspace_id, day, shards), rows))
        done = 0
        for batch in _batches(changed, ROWS_PER_BATCH):
            self.report("run sheets", done, len(changed))
            wanted = {(w, d, shard) for w, d, shards in batch for shard in range(shards)}
            for some in _shards_at_once(batch, 2 * ROWS_PER_BATCH // q.SPANS_PER_SHARD):
                for workspace_id, day, shard, texts in self.published.run_chunks(batch, some):
                    body = ",\n".join(
                        f'"{part}":{texts.get(part, "[]")}' for part in ("children", "runs", "spans")
                    )
                    self._write_runs(workspace_id, day, shard, "{" + body + "}")
                    wanted.discard((workspace_id, day, shard))
            for workspace_id, day, shard in sorted(
                wanted
            ):  # a shard that no run fell into is still asked for
                self._write_runs(workspace_id, day, shard, '{"children":[],"runs":[],"spans":[]}')
            for workspace_id, day, shards in batch:
                folder = self._known(workspace_id).slug
                keys = (part_name(day.isoformat(), shard, "s") for shard in range(shards))
                names = [f"{folder}/data/runs/{key}.js" for key in keys]
                self.site.made(f"{folder}/runs", day.isoformat(), prints[workspace_id, day], names, True)
            done += len(batch)

    def _price_chunks(self) -> None:
        """Write the rates of the price sets that a workspace's calls were priced by; run sheets ask for them where there are none, too."""
        sets = self.published.price_sets()
        for workspace_id, data in self.data.items():
            if data.usage_days:
                text = sets.get(workspace_id, "[]")
                self.site.write(f"{data.slug}/data/prices/sets.js", chunk("prices", "sets", text))

    def _write_runs(self, workspace_id: str, day: date, shard: int, text: str) -> None:
        key = part_name(day.isoformat(), shard, "s")
        self.site.write(f"{self._known(workspace_id).slug}/data/runs/{key}.js", chunk("runs", key, text))

    def _index_chunks(self, prints: Mapping[tuple[str, date], str]) -> None:
        """Write the shards that say on which day and in which log a run id is."""
        runs: dict[tuple[str, date], int] = {}
        for kind in col.LOG_KINDS.values():
            for key, rows in self.published.rows_by_day(f"mart_logs__{kind}_runs").items():
                runs[key] = runs.get(key, 0) + rows
        months: dict[tuple[str, date], tuple[int, list[str]]] = {}
        for key in sorted(runs.keys() | self.published.rows_by_day("mart_details__spans").keys()):
            workspace_id, day = key
            rows, texts = months.setdefault((workspace_id, day.replace(day=1)), (0, []))
            months[workspace_id, day.replace(day=1)] = (
                rows + runs.get(key, 0),
                [*texts, f"{day}:{prints[key]}"],
            )
        changed = []
        fingerprints = {}
        for (workspace_id, first), (rows, texts) in sorted(months.items()):
            data = self._known(workspace_id)
            shards = _shards(rows, q.RUNS_PER_INDEX_SHARD)
            month = first.isoformat()[:7]
            data.index_shards[month] = shards
            fingerprints[workspace_id, month] = fingerprint = _hash("\n".join(texts))
            if self._kept(f"{data.slug}/index", month, fingerprint) is None:
                changed.append(((workspace_id, first, shards), rows))
        for batch in _batches(changed, INDEX_ROWS_PER_BATCH):
            wanted = {
                (w, first.isoformat()[:7], shard) for w, first, shards in batch for shard in range(shards)
            }
            for some in _shards_at_once(batch, INDEX_ROWS_PER_BATCH // q.RUNS_PER_INDEX_SHARD):
                for workspace_id, month, shard, text in self.published.run_index(batch, some):
                    self._write_index(workspace_id, month, shard, text)
                    wanted.discard((workspace_id, month, shard))
            for workspace_id, month, shard in sorted(wanted):
                self._write_index(workspace_id, month, shard, "[]")
            for workspace_id, first, shards in batch:
                month, folder = first.isoformat()[:7], self._known(workspace_id).slug
                names = [f"{folder}/data/index/{part_name(month, shard, 's')}.js" for shard in range(shards)]
                self.site.made(f"{folder}/index", month, fingerprints[workspace_id, month], names, True)

    def _write_index(self, workspace_id: str, month: str, shard: int, text: str) -> None:
        key = part_name(month, shard, "s")
        self.site.write(f"{self._known(workspace_id).slug}/data/index/{key}.js", chunk("index", key, text))

    def _user_chunks(self) -> None:
        for workspace_id, parts in self.published.user_parts().items():
            data = self._known(workspace_id)
            data.user_parts = parts
            for number, text in enumerate(parts):
                self.site.write(f"{data.slug}/data/users/{number}.js", chunk("users", str(number), text))

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
        for workspace_id, months in self.published.budgets().items():
            self._known(workspace_id).budgets = months
        for workspace_id, days in self.published.anomalies().items():
            self._known(workspace_id).anomalies = days
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
    """Whether the site shows exactly this publication, to the end, and nothing of a killed build is left."""
    path = site_dir / _STAMPS
    if not path.exists() or has_leftovers(site_dir):
        return False
    with q.Published(published) as source:
        return path.read_text(encoding="utf-8") == f"{STAMPS_PREFIX}{to_json(source.publication())};\n"


def build_site(
    published: Path,
    site_dir: Path,
    *,
    progress: Progress | None = None,
    force: bool = False,
    config: q.DuckdbConfig | None = None,
    source_sha256: str | None = None,
) -> BuildResult:
    """Render the site of `published` into `site_dir`, rewriting only files whose bytes change.

    `force` makes every chunk again, also of days whose data is as it was. `config` is DuckDB's: memory, threads, where to spill.
    `source_sha256` is the hash of `published`, where it is known already.
    The same published content gives the same bytes.
    """
    started = time.perf_counter()
    if not published.is_file():
        raise FileNotFoundError(f"nothing is published at {published}")
    site = SiteWriter(site_dir, renderer_version())
    if source_sha256 is None:
        with published.open("rb") as file:
            source_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    site.source = f"{source_sha256}-{surface_version()}"
    try:
        if site.is_same(site.source) and not force:
            return BuildResult(site.page_count, 0, site.keep_all(), 0, time.perf_counter() - started)
        with q.Published(published, config) as source:
            page_count = _Build(source, site, progress, force).run()
        site.finish()
    except BaseException:
        site.abandon()
        raise
    return BuildResult(page_count, site.written, site.unchanged, site.removed, time.perf_counter() - started)
