"""Kills `credit-usage nightly` at chosen moments, looks at what is left, and lets the next night make it good.

A night is watched once: what it opens, renames, removes and forces to the disk, which models it builds, how much processor time each
stage takes. Each of these is a moment at which another night, in a process of its own, is killed with SIGKILL: before the n-th event of a
stage, or by the kernel after so much processor time, which may be in the middle of a statement.

What belongs here: the moments, the killing, the rules of what a kill may leave. The short form is `tests/integration/test_kills.py`, the
long one `python -m tests.soak kills`.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from orchestration import night, progress, sql
from orchestration.publication import candidate
from orchestration.quality.results import CheckResult, from_json
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import dbt
from tests.integration import test_litellm_night as litellm
from tests.warehouse_fixture import Warehouse, at, call_row, digests, run_row

NOW = "2026-10-05T03:00:00+00:00"
RECORDINGS = Path(__file__).parent.parent / "recordings"
LANDED_AT = 1_790_000_000
"""Modification time of landing files: manifests repeat it, and equal nights must have equal manifests."""

# -- a night that is watched, or killed ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """Where a night is killed: before event `event` of a stage, or after `cpu_ms` milliseconds of its processor time."""

    stage: str
    event: int = 0
    cpu_ms: int = 0
    what: str = ""

    def __str__(self) -> str:
        where = f"after {self.cpu_ms} ms of processor time" if self.cpu_ms else f"before {self.what}"
        return f"{self.stage}: {where}"


@dataclass(frozen=True)
class Watched:
    """What an uninterrupted night does, in order, and the processor time of its stages."""

    events: list[tuple[str, str]]
    cpu_ms: dict[str, int]

    def moments(self, stage: str) -> list[Moment]:
        """Each event of a stage as a moment."""
        told = [what for name, what in self.events if name == stage]
        return [Moment(stage, event=number, what=what) for number, what in enumerate(told, start=1)]


_FILE_EVENTS = {
    "open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
}  # fmt: skip
_NOT_OURS = ("dagster/", "dbt/", ".lock")


class _Watch:
    """Counts the events of the present stage, and kills where it is told to."""

    def __init__(self, data_dir: Path, moment: Moment | None) -> None:
        self.data_dir, self.moment = f"{data_dir}/", moment
        self.stage = "before land"
        self.events: list[tuple[str, str]] = []
        self.count = 0
        self.cpu_ms: dict[str, int] = {}

    def event(self, what: str) -> None:
        self.count += 1
        self.events.append((self.stage, what))
        wanted = self.moment
        if wanted and not wanted.cpu_ms and (wanted.stage, wanted.event) == (self.stage, self.count):
            os.kill(os.getpid(), signal.SIGKILL)

    def enter(self, stage: str) -> None:
        self.stage, self.count = stage, 0
        if self.moment and self.moment.cpu_ms and self.moment.stage == stage:
            kill_after(self.moment.cpu_ms)

    def audit_hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in _FILE_EVENTS or not isinstance(args[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(args[0])
        if path.startswith(self.data_dir):
            path = path.removeprefix(self.data_dir)
        elif path.startswith("/") or event not in ("os.remove", "os.rmdir"):
            return  # without a folder, these two are a tree's removal
        if not path.startswith(_NOT_OURS):
            self.event(f"{event.removeprefix('os.')} {path}")

    def install(self) -> None:
        """From here on this process is watched; there is no way back."""
        from reports import swap

        fsync, report, stage, exchange = os.fsync, progress.report, progress.stage, swap._exchange

        def watched_fsync(descriptor: Any) -> None:
            self.event("fsync")
            fsync(descriptor)

        def watched_report(label: str, done: int, total: int) -> None:
            self.event(label)
            report(label, done, total)

        def watched_exchange(one: Path, other: Path) -> bool:
            self.event("exchange of the site")
            done = exchange(one, other)
            self.event("the removal of the old site")
            return done

        @contextlib.contextmanager
        def watched_stage(name: str) -> Iterator[dict[str, int]]:
            self.enter(name)
            started = time.process_time()
            with stage(name) as counts:
                yield counts
            self.cpu_ms[name] = int((time.process_time() - started) * 1000)
            self.enter(f"after {name}")

        os.fsync = watched_fsync
        progress.report, progress.stage = watched_report, watched_stage
        swap._exchange = watched_exchange
        sys.addaudithook(self.audit_hook)


def kill_after(cpu_ms: int) -> None:
    """Have the kernel kill this process once it has used so much more processor time, all threads together."""

    class Event(ctypes.Structure):  # struct sigevent, padded to its size
        _fields_ = (
            ("value", ctypes.c_void_p),
            ("signo", ctypes.c_int),
            ("notify", ctypes.c_int),
            ("rest", ctypes.c_byte * 48),
        )

    libc = ctypes.CDLL(None, use_errno=True)
    timer = ctypes.c_void_p()
    event = Event(signo=signal.SIGKILL, notify=0)
    seconds, rest = divmod(cpu_ms, 1000)
    when = (ctypes.c_long * 4)(0, 0, seconds, rest * 1_000_000)
    if libc.timer_create(time.CLOCK_PROCESS_CPUTIME_ID, ctypes.byref(event), ctypes.byref(timer)) or (
        libc.timer_settime(timer, 0, ctypes.byref(when), None)
    ):
        raise OSError(ctypes.get_errno(), "no timer")


@dataclass(frozen=True)
class _Order:
    """What a process of its own is to do."""

    root: Path
    moment: Moment | None
    builds: Path
    dbt_args: tuple[str, ...] = dbt.NIGHTLY_ARGS
    watched: Path | None = None


def _obey(order: _Order) -> None:
    """Body of that process: the nightly command as an operator runs it."""
    warehouse = Warehouse(order.root)
    os.environ.update(warehouse.environment(CREDIT_USAGE_NOW=NOW))
    from orchestration import cli

    watch = _Watch(warehouse.settings.data_dir, order.moment)
    dbt.NIGHTLY_ARGS = order.dbt_args
    stage = order.moment.stage if order.moment else ""
    _Remembered(order.builds).install(build=stage != "build", audit=stage not in ("build", "audit"))
    watch.install()
    output = order.root / "night.json"
    with output.open("w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        sys.argv = ["credit-usage", "nightly", "--json"]
        code: Any = 0
        try:
            cli.main()
        except SystemExit as done:
            code = done.code
    if order.watched:
        told = {"events": watch.events, "cpu_ms": watch.cpu_ms}
        order.watched.write_text(json.dumps(told), encoding="utf-8")
    os._exit(code or 0)


class _Remembered:
    """Builds and audits that were made before, of the same lake, published file and plan: their files are put in place instead."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saved: Path | None = None

    def install(self, *, build: bool, audit: bool) -> None:
        """From here on this process makes nothing anew that is remembered."""
        self.real_build, self.real_audit = night.build, night.audit
        if build:
            night.build = self.build
        if audit:
            night.audit = self.audit

    def build(self, settings: Settings) -> night.Build:
        plan = json.loads((settings.warehouse_dir / "plan.json").read_text(encoding="utf-8"))["plan"]
        made_of = [plan, lake_of(settings.lake_dir), digests(settings.published_dir).get("usage.duckdb")]
        self.saved = self.folder / hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        names = (settings.candidate_path.name, "build.json", "nodes.json")
        if not self.saved.exists():
            built = self.real_build(settings)
            self.saved.mkdir(parents=True)
            for name in names:
                shutil.copyfile(settings.warehouse_dir / name, self.saved / name)
            nodes = [asdict(node) for node in built.nodes]
            (self.saved / "results.json").write_text(json.dumps(nodes), encoding="utf-8")
            return built
        with progress.stage("build"):
            for name in names:
                shutil.copyfile(self.saved / name, settings.warehouse_dir / name)
        checks = from_json((self.saved / "build.json").read_text(encoding="utf-8"))
        nodes = json.loads((self.saved / "results.json").read_text(encoding="utf-8"))
        return night.Build(tuple(dbt.NodeResult(**node) for node in nodes), tuple(checks))

    def audit(self, settings: Settings) -> list[CheckResult]:
        there = settings.warehouse_dir / "audit.json"
        assert self.saved is not None
        kept = self.saved / there.name
        if not kept.exists():
            results = self.real_audit(settings)
            shutil.copyfile(there, kept)
            return results
        with progress.stage("audit"):
            shutil.copyfile(kept, there)
        return from_json(kept.read_text(encoding="utf-8"))


def run(order: _Order) -> int:
    """Run an order in a process that is forked from one that has the imports behind it; its exit code, negative for a signal."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "dagster",
            "dagster_dbt",
            "dbt.cli.main",
            "great_expectations",
            "orchestration.defs.run",
            "reports.build",
            __name__,
        ]
    )
    process = context.Process(target=_obey, args=(order,))
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"a night killed {order.moment} hangs")
    return process.exitcode


# -- what there is on the disk ---------------------------------------------------------------------------------------------------


def lake_of(lake_dir: Path) -> dict[str, str]:
    """Files of the lake by name, without what may be there or not: scratch files, the hashes of landing files."""
    return {
        name: digest
        for name, digest in (digests(lake_dir) if lake_dir.exists() else {}).items()
        if name != "seen.json" and not name.startswith("building/") and not name.endswith(".writing")
    }


def site_of(site_dir: Path) -> dict[str, str]:
    """Files of the site by name. Its list of files holds the hash of the published file, and DuckDB writes no two files alike."""
    found = digests(site_dir) if site_dir.exists() else {}
    listed = site_dir / "site-manifest.json"
    if listed.exists():
        told = json.loads(listed.read_text(encoding="utf-8"))
        missing = set(told["files"]) - set(found)
        assert not missing, f"the site lacks files that it names: {sorted(missing)[:3]}"
        del told["source"]
        found["site-manifest.json"] = json.dumps(told, sort_keys=True)
    return found


def rows_of(database: Path) -> dict[str, tuple[int, int]]:
    """Of each table and view of a warehouse file, the number of rows and a sum of their hashes."""
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_catalog() order by all"
        ).fetchall()
        found = {}
        for schema, name in names:
            relation = f"{sql.identifier(schema)}.{sql.identifier(name)}"
            ((count, total),) = connection.execute(
                f"select count(*), coalesce(sum(hash(t)::hugeint), 0) from {relation} as t"
            ).fetchall()
            found[f"{schema}.{name}"] = (int(count), int(total))
    assert len(found) > 40, "a comparison of no tables proves nothing"
    return found


@dataclass(frozen=True)
class State:
    """What readers and the next night find: complete at one publication."""

    publication_id: str
    file: str
    rows: dict[str, tuple[int, int]]
    manifest: dict[str, Any]
    site: dict[str, str]
    lake: dict[str, str]
    others: frozenset[str]


def state_of(warehouse: Warehouse) -> State:
    """The state of a data folder after a night that went well."""
    settings = warehouse.settings
    manifest = candidate.read_manifest(settings)
    assert manifest is not None
    beside = candidate.read_manifest_beside(settings)
    file = digests(settings.published_dir)["usage.duckdb"]
    assert beside == {**manifest, "file_sha256": file}, "the manifest beside the file is not that of the file"
    return State(
        publication_id=str(manifest["publication_id"]),
        file=file,
        rows=rows_of(settings.published_path),
        manifest=manifest,
        site=site_of(settings.site_dir),
        lake=lake_of(settings.lake_dir),
        others=_others(warehouse),
    )


def _others(warehouse: Warehouse) -> frozenset[str]:
    """Names of what else lies in the data folder, leftovers among them; of a scratch folder only that it is there."""
    settings = warehouse.settings
    apart = ("landing", "dagster", "dbt", "site")
    scratch = (".site-next", "lake/building", "tmp")
    known = {f"lake/{name}" for name in lake_of(settings.lake_dir)}
    found = set()
    for path in settings.data_dir.rglob("*"):
        name = path.relative_to(settings.data_dir).as_posix()
        if name in known or path.is_dir() or name.split("/", 1)[0] in apart:
            continue
        inside = [folder for folder in scratch if name.startswith(f"{folder}/")]
        found.add(inside[0] if inside else name)
    return frozenset(found)


# -- the sweep -------------------------------------------------------------------------------------------------------------------


@dataclass
class Sweep:
    """One workspace with history and new files, and what became of the nights that were killed on it.

    Where two kills leave the same state, the next night is made once. `is_strict` tells apart also what every night throws away or makes
    anew: names in `warehouse/`, links in the history.
    """

    warehouse: Warehouse
    builds: Path
    dbt_args: tuple[str, ...] = dbt.NIGHTLY_ARGS
    is_strict: bool = True
    seen: set[str] = field(default_factory=set)
    killed: Counter[str] = field(default_factory=Counter)
    ended_first: int = 0

    def watch(self) -> None:
        """Save the present data folder as where all nights start, and make the uninterrupted night."""
        for path in sorted(self.warehouse.settings.landing_dir.rglob("*")):
            os.utime(path, (LANDED_AT, LANDED_AT))
        self.start = self.warehouse.save("killed-start")
        self.old = state_of(self.warehouse)
        told = self.builds / "watched.json"
        code = self.run(watched=told)
        assert code == 0, f"the uninterrupted night fails: {self.said()}"
        self.watched = Watched(**json.loads(told.read_text(encoding="utf-8")))
        self.new = state_of(self.warehouse)
        assert self.new.publication_id != self.old.publication_id, "the night has nothing to publish"

    def beside(self, root: Path) -> Sweep:
        """The same in another folder, for another process at the same time."""
        other = replace(self, warehouse=Warehouse(root), killed=Counter(), ended_first=0)
        other.start, other.old, other.new, other.watched = self.start, self.old, self.new, self.watched
        shutil.copytree(self.warehouse.settings.dbt_target_dir, other.warehouse.settings.dbt_target_dir)
        return other

    def run(self, moment: Moment | None = None, watched: Path | None = None) -> int:
        """A night in a process of its own; its exit code, negative for a signal."""
        return run(_Order(self.warehouse.root, moment, self.builds, self.dbt_args, watched))

    def said(self) -> str:
        """What the last night printed."""
        return self.said_whole()[:2000]

    def said_whole(self) -> str:
        return (self.warehouse.root / "night.json").read_text(encoding="utf-8")

    def kill(self, moment: Moment) -> list[str]:
        """Kill a night at a moment; what is wrong with what it leaves, and with what the next night makes of it."""
        self.warehouse.restore(self.start)
        code = self.run(moment)
        if code == 0 and moment.cpu_ms:  # it was quicker than the one that was watched
            self.ended_first += 1
        elif code != -signal.SIGKILL:
            return [f"{moment}: not killed, it ended with {code}: {self.said()}"]
        else:
            self.killed[moment.stage] += 1
        return [f"{moment}: {fault}" for fault in [*self.left(), *self.made_good()]]

    def kill_the_command(self, seconds: float) -> list[str]:
        """The same with the command as a program of its own, which nobody watches, killed after some seconds."""
        self.warehouse.restore(self.start)
        process = self.start_command()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.killed["command"] += 1
            faults = [*self.left(), *self.made_good()]
        else:
            # No night after it: it would note that it had nothing to do.
            self.ended_first += 1
            faults = self.differs()
        return [f"the command after {seconds:.1f} s: {fault}" for fault in faults]

    def start_command(self, *options: str) -> subprocess.Popen[bytes]:
        """The nightly command as a program of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "nightly", "--json", *options],
            cwd=REPOSITORY,
            env=self.warehouse.environment(CREDIT_USAGE_NOW=NOW),
            stdout=subprocess.DEVNULL,
        )

    def two_at_once(self) -> list[str]:
        """What is wrong after two nights that were started together, one of which waits for the other."""
        self.warehouse.restore(self.start)
        both = [self.start_command("--wait", "600") for _ in range(2)]
        codes = [process.wait() for process in both]
        # The second one finds nothing to do, and says when it looked.
        (self.warehouse.settings.warehouse_dir / night.LOOKED).unlink(missing_ok=True)
        faults = [f"of two nights at once: {fault}" for fault in self.differs()]
        return faults if codes == [0, 0] else [f"two nights at once end with {codes}", *faults]

    def left(self) -> list[str]:
        """What is wrong with what readers find now: neither the old publication nor the new one, as a whole."""
        settings, faults = self.warehouse.settings, []
        try:
            manifest = candidate.read_manifest(settings)
        except candidate.DamagedFileError as error:
            return [str(error)]
        is_new = manifest == self.new.manifest
        if manifest is None or not (is_new or manifest == self.old.manifest):
            return [f"the published file is neither publication: {manifest}"]
        if is_new and rows_of(settings.published_path) != self.new.rows:
            faults.append("the published file has other rows than that of an uninterrupted night")
        if not is_new and digests(settings.published_dir)["usage.duckdb"] != self.old.file:
            faults.append("the published file is the old one with other bytes")
        if list(settings.published_dir.glob("*.wal")):
            faults.append("the published file has a write-ahead log")
        beside = candidate.read_manifest_beside(settings) or {}
        if beside.get("publication_id") not in {self.old.publication_id, manifest["publication_id"]}:
            faults.append("the manifest beside the file is that of neither publication")
        site = site_of(settings.site_dir)
        if site != self.old.site and not (is_new and site == self.new.site):
            faults.append("the site is neither the old one nor, with the new file, the new one")
        lake = lake_of(settings.lake_dir)
        if any(lake.get(name) != digest for name, digest in self.old.lake.items()):
            faults.append("earlier batches were touched")
        is_committed = any(name.startswith("batches/") for name in lake.keys() - self.old.lake.keys())
        if is_committed and lake != self.new.lake:
            faults.append("the new batch is committed and not whole")
        return faults

    def made_good(self) -> list[str]:
        """What is wrong after the next night, unless one was made from such a state before."""
        settings = self.warehouse.settings
        others = sorted(_others(self.warehouse))
        if not self.is_strict:
            others = [name for name in others if not name.startswith(("warehouse/", "published/history/"))]
        published = (candidate.read_manifest(settings) or {}).get("publication_id")
        left = [lake_of(settings.lake_dir), published, site_of(settings.site_dir), others]
        kind = hashlib.sha256(json.dumps(left, sort_keys=True).encode()).hexdigest()
        if kind in self.seen:
            return []
        self.seen.add(kind)
        if code := self.run():
            return [f"the next night ends with {code}: {self.said()}"]
        return self.differs()

    def damaged(self, damage: Callable[[Path], None]) -> list[str]:
        """The same where somebody also damages the published file of a night that was killed before its pages were made."""
        self.warehouse.restore(self.start)
        moment = next(m for m in self.watched.moments("render"))
        if self.run(moment) != -signal.SIGKILL:
            return [f"{moment}: not killed: {self.said()}"]
        self.killed[moment.stage] += 1
        damage(self.warehouse.settings.published_path)
        if code := self.run():
            return [f"after {damage.__name__} the next night ends with {code}: {self.said()}"]
        now = rows_of(self.warehouse.settings.published_path)
        public = [name for name in self.new.rows if name.startswith(("dimensions.", "facts.", "marts."))]
        wrong = [name for name in public if now.get(name) != self.new.rows[name]]
        faults = [f"after {damage.__name__} the rows differ: {wrong}"] if wrong else []
        if "published file" not in (json.loads(self.said_whole())["full_build"] or ""):
            faults.append(f"after {damage.__name__} the night does not say that it repaired the file")
        return faults

    def differs(self) -> list[str]:
        """In what the present state is not that after an uninterrupted night."""
        from orchestration.defs.run import last_runs

        now, wanted = state_of(self.warehouse), self.new
        faults = []
        if now.manifest != wanted.manifest:
            faults.append(f"the next night publishes {now.manifest} instead of {wanted.manifest}")
        for what in ("rows", "site", "lake"):
            ours, theirs = getattr(now, what), getattr(wanted, what)
            if ours != theirs:
                names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
                faults.append(f"after the next night the {what} differ: {names[:5]}")
        if now.others != wanted.others:
            names = sorted(now.others ^ wanted.others)
            faults.append(f"after the next night something is left or missing: {names[:5]}")
        running = [item for item in last_runs(self.warehouse.settings, 10) if item["status"] == "started"]
        if running:
            faults.append(f"a killed run is shown as running: {running}")
        return faults


# -- the workspace, and where to kill --------------------------------------------------------------------------------------------


def drop_new_files(warehouse: Warehouse) -> None:
    """What lands on the night that is killed: a new day, a new call on an old one, a line that is no row, a file that cannot be read."""
    new = [run_row("req_4", at("2026-10-04 09:00")), {"run_id": "half"}]
    warehouse.drop("second/runs.jsonl.gz", new)
    calls = [
        call_row("req_4", "s1", at("2026-10-04 09:00:01")),
        call_row("req_2", "s2", at("2026-10-02 09:00:04")),
    ]
    warehouse.drop("second/spans.jsonl", calls)
    warehouse.drop_bytes("second/broken.jsonl.gz", b"\x1f\x8b\x08no gzip")


def drop_recordings(warehouse: Warehouse, folder: str, *recordings: str) -> None:
    """Traces of OpenTelemetry, as they were recorded."""
    for name in recordings:
        content = (RECORDINGS / f"{name}.otlp.jsonl.gz").read_bytes()
        warehouse.drop_bytes(f"{folder}/{name}.jsonl.gz", content)


def drop_spend_logs(warehouse: Warehouse, folder: str) -> None:
    """A gateway's logs, as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, litellm.COLUMNS)
    writer.writeheader()
    writer.writerows(litellm._log(number) for number in range(12))
    warehouse.drop_bytes(f"{folder}/spend.csv", text.getvalue().encode())


def delete(path: Path) -> None:
    path.unlink()


def overwrite(path: Path) -> None:
    """Some bytes in the middle: the file still opens."""
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(b"\xff" * 4096)


def crucial(watched: Watched) -> list[Moment]:
    """One moment in each stage, two where something becomes visible to readers: before it does, and right after."""

    def before(stage: str, what: str) -> Moment:
        found = [moment for moment in watched.moments(stage) if what in moment.what]
        assert found, f"no {what} in {stage}"
        return found[-1]

    return [
        before("land", "rename lake/batches/"),
        before("prepare", "rename warehouse/plan.json"),
        before("build", "Building fct_run_usage"),
        before("audit", "mkdir tmp"),
        before("publish", "rename warehouse/candidate.duckdb"),
        before("publish", "rename published/manifest.json"),
        before("render", "exchange of the site"),
        before("render", "the removal of the old site"),
    ]


def many(watched: Watched, random: Random, share: float = 1.0) -> list[Moment]:
    """Moments of all stages: each event of a publication, of the other stages some, and some by processor time."""

    def some(stage: str, events: int, times: int) -> list[Moment]:
        found = watched.moments(stage)
        chosen = random.sample(found, min(len(found), max(1, round(events * share))))
        cpu = [Moment(stage, cpu_ms=random.randrange(1, max(2, watched.cpu_ms[stage]))) for _ in range(times)]
        return [*sorted(chosen, key=lambda moment: moment.event), *(cpu if share == 1 else cpu[:1])]

    publish = watched.moments("publish")
    return [
        *some("land", 8, 1),
        *some("prepare", 3, 1),
        *some("build", 4, 2),
        *some("audit", 2, 1),
        *(publish if share == 1 else some("publish", len(publish), 0)),
        *some("render", 5, 1),
        *(crucial(watched)[-1:] if share == 1 else []),
    ]
