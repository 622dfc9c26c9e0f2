"""One landing in several processes: what is new is divided into groups of files, each read by whoever takes it, and united to one batch.

The three steps share nothing but the lake folder, so each may run in a process, or on a machine, of its own. A group that is read twice,
because a worker was thought dead, counts once: the first that puts its result in place wins. What is united is the same, byte for byte,
as if one process had read it. What does not belong here: reading (`ingest`), or who runs the steps.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import durable
from orchestration.landing import ingest as landing
from orchestration.landing.files import Fingerprint, LandingFile, Skipped
from orchestration.landing.ingest import BUILDING, Batch, IngestReport, Progress
from orchestration.landing.lake import FileEntry, Lake

if TYPE_CHECKING:
    from orchestration.settings import Settings

_PLAN = "plan.json"
_RESULT = "result.json"


class OvertakenError(RuntimeError):
    """Another landing began meanwhile: this one has no part in the lake any more, and nothing of it was committed."""


@dataclass(frozen=True)
class Division:
    """A landing that was divided: the token that names it, and the bytes of each group; they are numbered from 1."""

    token: str
    bytes_of_groups: tuple[int, ...]

    @property
    def groups(self) -> int:
        """How many there are."""
        return len(self.bytes_of_groups)


def ingest(
    settings: Settings, *, now: datetime | None = None, progress: Progress | None = None
) -> IngestReport:
    """The same as `ingest.ingest`, with as many processes at once as the settings say. The caller holds the run lock."""
    division = divide(settings)
    if not division.groups:
        return unite(settings, division.token)
    if division.groups == 1:  # it gains nothing by another process
        return landing.ingest(settings, now=now, progress=progress)
    workers = min(settings.landing_workers, division.groups)
    total = sum(division.bytes_of_groups)
    done = 0
    # Not forked: DuckDB's threads do not survive that.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        reading = {
            pool.submit(read_group, settings, division.token, number): number
            for number in range(1, division.groups + 1)
        }
        for finished in as_completed(reading):
            finished.result()
            done += division.bytes_of_groups[reading[finished] - 1]
            if progress:
                progress(f"Landing in {workers} processes", done, total)
    return unite(settings, division.token, now=now, progress=progress)


def divide(settings: Settings) -> Division:
    """Find what is new and say who may read what. The caller holds the run lock, and has refreshed a shared lake."""
    lake = Lake.of(settings)
    files, report = landing.look(settings, lake)
    shutil.rmtree(lake.root / BUILDING, ignore_errors=True)
    token = uuid.uuid4().hex
    groups = landing.groups(list(enumerate(files, start=1)))
    plan = {
        "last_batch_seq": lake.last_batch_seq,
        "last_revision": lake.last_revision,
        "known_files": report.known_files,
        "skipped": [asdict(item) for item in report.skipped],
        "groups": [
            [{"file_no": file_no, **asdict(file), "path": str(file.path)} for file_no, file in group]
            for group in groups
        ],
    }
    durable.write_json(_folder(lake, token) / _PLAN, plan)
    sizes = tuple(sum(file.fingerprint.size_bytes for _, file in group) for group in groups)
    return Division(token, sizes)


def read_group(settings: Settings, token: str, number: int) -> None:
    """Read the files of one group aside. Harmless to repeat, also while another process reads the same group.

    Raises OvertakenError where another landing began meanwhile.
    """
    lake = Lake.of(settings)
    with _overtaken_where_gone(lake, token):
        plan = _plan(lake, token)
        group = [(item.pop("file_no"), _landing_file(item)) for item in plan["groups"][number - 1]]
        place = _place(lake, token, number)
        if place.exists():
            return
        aside = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
        manifests = [m for m in lake.manifests() if m.batch_seq <= plan["last_batch_seq"]]
        own = settings.share(settings.landing_workers)
        batch = Batch(own, lake, plan["last_batch_seq"] + 1, manifests, scratch=aside)
        skipped: list[Skipped] = []
        try:
            batch.read(group, skipped, None)
            result = {
                "entries": [asdict(entry) for entry in batch.entries.values()],
                "skipped": [asdict(item) for item in skipped],
                "units": batch.units,
            }
            durable.write_json(aside / _RESULT, result)
            try:
                aside.rename(place)
            except OSError:
                if not place.exists():
                    raise
        finally:
            batch.close()


def unite(
    settings: Settings, token: str, *, now: datetime | None = None, progress: Progress | None = None
) -> IngestReport:
    """Make the groups that were read one batch and commit it. The caller holds the run lock.

    Raises OvertakenError where another landing began meanwhile, or the lake changed.
    """
    lake = Lake.of(settings)
    with _overtaken_where_gone(lake, token):
        plan = _plan(lake, token)
        read = [_place(lake, token, number) for number in range(1, len(plan["groups"]) + 1)]
        results = [json.loads((place / _RESULT).read_text(encoding="utf-8")) for place in read]
    if (lake.last_batch_seq, lake.last_revision) != (plan["last_batch_seq"], plan["last_revision"]):
        raise OvertakenError(
            f"the lake {lake.root} changed while its new files were read; run the night again"
        )
    report = IngestReport(
        known_files=plan["known_files"], skipped=[Skipped(**item) for item in plan["skipped"]]
    )
    if read:
        batch = landing.begin(settings, lake, _folder(lake, token) / "united")
        try:
            for place, result in zip(read, results, strict=True):
                report.skipped += [Skipped(**item) for item in result["skipped"]]
                entries = [FileEntry(**item) for item in result["entries"]]
                batch.take_over(place, entries, result["units"])
            landing.commit(batch, report, now, progress)
        finally:
            batch.close()
    shutil.rmtree(lake.root / BUILDING)
    return report


def _folder(lake: Lake, token: str) -> Path:
    return lake.root / BUILDING / token


def _place(lake: Lake, token: str, number: int) -> Path:
    return _folder(lake, token) / f"group-{number:05d}"


def _plan(lake: Lake, token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_folder(lake, token) / _PLAN).read_text(encoding="utf-8"))
    return found


@contextmanager
def _overtaken_where_gone(lake: Lake, token: str) -> Iterator[None]:
    """Within the block, an error says that another landing began where it cleared this one's folder away."""
    try:
        yield
    except OvertakenError:
        raise
    except Exception as error:
        if _folder(lake, token).exists():
            raise
        raise OvertakenError(
            f"another landing began in {lake.root} before this one was at its end; nothing of this one was committed"
        ) from error


def _landing_file(item: dict[str, Any]) -> LandingFile:
    return LandingFile(
        **{**item, "path": Path(item["path"]), "fingerprint": Fingerprint(**item["fingerprint"])}
    )
