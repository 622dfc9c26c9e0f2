"""Batches: duplicates, versions, crashes, files that move while they are read, a machine in trouble."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import sql
from orchestration.landing import dates, readers
from orchestration.landing import ingest as ingest_module
from orchestration.landing.contract import CONTRACT_VERSION
from orchestration.landing.files import discover
from orchestration.landing.ingest import IngestError, ingest
from orchestration.landing.lake import LakeError
from orchestration.publication import candidate
from orchestration.settings import REPOSITORY
from tests.landing_helpers import RUNS, Night, compressed, counts, jsonl, run, span


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def totals(
    read: int = 0, loaded: int = 0, duplicate: int = 0, superseded: int = 0, quarantined: int = 0
) -> Any:
    return {
        "read": read,
        "loaded": loaded,
        "duplicate": duplicate,
        "superseded": superseded,
        "quarantined": quarantined,
    }


# -- dates
# -----------------------------------------------------------------------------------


def test_a_file_whose_ends_are_of_one_date(night: Night) -> None:
    """A guess from the ends of a file would put rows of its middle under a wrong date."""
    rows = [span(f"s{number}", attributes={"filler": "x" * 300}) for number in range(1200)]
    rows[600] |= {"started_at": "2026-05-05T10:00:00Z", "ended_at": "2026-05-05T10:00:01Z"}
    night.write("a.jsonl", rows)
    files, _, _ = discover(night.landing, settle_seconds=0.0, known=set(), cache_path=night.folder / "seen")
    assert dates.looks_like_one_date(files), "the file is meant to be guessed wrongly"
    assert counts(night.land()) == totals(1200, 1200)
    (manifest,) = night.lake.manifests()
    assert sorted(part.row_count for part in manifest.parts) == [1, 1199]
    (moved,) = [part for part in manifest.parts if part.row_count == 1]
    assert moved.lake_date == "2026-05-05"
    names = duckdb.read_parquet(str(night.lake.root / moved.files[0])).columns
    assert "unit" not in names, "a folder of the scratch space became a column of the lake"


# -- duplicates and versions
# -----------------------------------------------------------------------------------


def test_copies_within_a_file(night: Night) -> None:
    """A line that stands three times would be counted three times."""
    assert counts(night.land(span("a"), span("b"), span("a"), span("a"))) == totals(4, 2, 2)


def test_copies_across_files_of_a_night(night: Night) -> None:
    """Overlapping exports of one night would be counted twice; the copy belongs to the later file."""
    night.write("a.jsonl", [span("a"), span("b")])
    night.write("b.jsonl", [span("b"), span("c")])
    report = night.land()
    assert counts(report) == totals(4, 3, 1)
    assert report.manifest
    assert [entry.rows_duplicate for entry in report.manifest.files] == [0, 1]


def test_copies_of_earlier_nights(night: Night) -> None:
    """An export that overlaps last night's would be counted again."""
    night.land(span("a"), span("b"), run("r"))
    assert counts(night.land(span("b"), run("r"), span("c"))) == totals(3, 1, 2)
    assert len(night.rows()) == 3


def test_a_night_of_copies_only_brings_no_parts(night: Night) -> None:
    """Empty parts would pile up, and dates be rebuilt for nothing."""
    night.land(span("a"))
    report = night.land(span("a"), "", name="b.jsonl")
    assert counts(report) == totals(1, 0, 1)
    assert report.manifest
    assert (report.manifest.parts, report.manifest.dates_touched) == ([], [])


def test_same_id_in_another_workspace_or_run_is_another_row(night: Night) -> None:
    """One tenant's span would replace another's."""
    rows = [
        span("a"),
        span("a", workspace_id="w2"),
        span("a", run_id="r2"),
        run("a"),
        run("a", workspace_id="w2"),
    ]
    assert counts(night.land(*rows)) == totals(5, 5)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
@pytest.mark.parametrize("split", ["one file", "files", "nights"])
def test_the_newest_version_wins(night: Night, order: list[int], split: str) -> None:
    """A run would show as running for ever, or go back to an older state, by order of arrival."""
    versions = [
        run(status="queued", updated_at="2026-05-01T10:00:00Z"),
        run(status="running", updated_at="2026-05-01T10:00:01.5+00:00"),
        run(status="completed", updated_at="2026-05-01T12:00:02+02:00"),
    ]
    rows = [versions[number] for number in order]
    if split == "one file":
        assert counts(night.land(*rows)) == totals(3, 1, 0, 2)
    else:
        for number, row in enumerate(rows):
            night.write(f"{number}.jsonl", [row])
            if split == "nights":
                night.land()
        night.land()
        if split == "files":
            assert len(night.rows(RUNS)) == 1, "older versions of one night are kept"
    (winner,) = night.winners().values()
    assert winner["status"] == "completed"


def test_an_older_version_that_comes_later_is_superseded(night: Night) -> None:
    """A late copy of an older state would be loaded for nothing, or win."""
    night.land(run(status="completed", updated_at="2026-05-01T11:00:00Z"))
    report = night.land(run(status="running", updated_at="2026-05-01T10:30:00Z"), name="b.jsonl")
    assert counts(report) == totals(1, 0, 0, 1)


def test_ties_are_won_by_the_later_file_and_the_later_night(night: Night) -> None:
    """Of two versions with the same time the correction would lose."""
    for number, name in enumerate(["first", "second", "third"]):
        night.write(f"{number}.jsonl", [run(resource_name=name)])
    assert counts(night.land()) == totals(3, 1, 0, 2)
    assert night.one(RUNS)["resource_name"] == "third"
    night.land(run(resource_name="fourth"), name="z.jsonl")
    (winner,) = night.winners().values()
    assert winner["resource_name"] == "fourth"


@pytest.mark.parametrize("split", ["files", "nights"])
def test_a_tie_is_won_by_the_later_file_also_where_it_says_what_was_said_before(
    night: Night, split: str
) -> None:
    """A run that was renamed and named back keeps the name in between, unless all of it lands in one night."""
    for number, name in enumerate(["first", "second", "first", "first"]):
        # Each file has other bytes: one that is known by its bytes is not read again.
        night.write(f"{number}.jsonl", [run(resource_name=name), span(f"s{number}")])
        if split == "nights":
            report = night.land()
            assert counts(report) == (totals(2, 1, 1) if number == 3 else totals(2, 2)), number
    night.land()
    (winner,) = (row for key, row in night.winners().items() if key[0] == "runs")
    assert winner["resource_name"] == "first"


@pytest.mark.parametrize("before", [["first"], ["second", "first"]])
def test_what_is_said_anew_twice_is_there_once(night: Night, before: list[str]) -> None:
    """What changes a run, or changes it back, comes in two files of one night: both rows are kept, and the run counts twice."""
    for name in before:
        night.write(f"{name}.jsonl", [run(resource_name=name)])
        night.land()
    for number in (1, 2):
        night.write(f"{number}.jsonl", [run(resource_name="second"), span(f"s{number}")])
    assert counts(night.land()) == totals(4, 3, 1)


def test_ties_within_a_file_do_not_depend_on_chance(tmp_path: Path) -> None:
    """Two lines of the same key and time would give one row tonight and another after a rebuild."""
    rows = [run(resource_name=f"name {number}") for number in range(50)]
    winners = set()
    for number, threads in enumerate((1, 2, 2)):
        night = Night(tmp_path / str(number), threads=threads)
        night.land(*(rows if number < 2 else reversed(rows)))
        winners.add(night.one(RUNS)["resource_name"])
    assert len(winners) == 1


def test_a_run_that_moved_across_midnight(night: Night) -> None:
    """A version under another date would not be found: the older one would be loaded beside the newer."""
    newer = run(started_at="2026-05-02T00:00:01Z", updated_at="2026-05-02T01:00:00Z")
    older = run(started_at="2026-05-01T23:59:59Z", updated_at="2026-05-02T00:30:00Z")
    night.land(newer)
    assert counts(night.land(older, name="b.jsonl")) == totals(1, 0, 0, 1)
    assert counts(night.land(older, newer, name="c.jsonl")) == totals(2, 0, 1, 1)


def test_a_newer_version_beside_the_older_of_another_date(night: Night) -> None:
    """A moved run would be lost with its old date."""
    night.land(run(started_at="2026-05-01T23:59:59Z", updated_at="2026-05-02T00:30:00Z"))
    report = night.land(
        run(started_at="2026-05-02T00:00:01Z", updated_at="2026-05-02T01:00:00Z"), name="b.jsonl"
    )
    assert counts(report) == totals(1, 1)
    (winner,) = night.winners().values()
    assert str(winner["started_at"]) == "2026-05-02 00:00:01"


def test_null_and_the_word_null_differ(night: Night) -> None:
    """Two versions would count as copies because absent and 'NULL', or two splits of one text, look alike."""
    rows = [
        span("a", service=None, model="NULL"),
        span("a", service="NULL", model=None),
        span("a", service="x, y", model=None),
        span("a", service="x", model="y"),
    ]
    assert counts(night.land(*rows)) == totals(4, 1, 0, 3)


def test_committed_parts_are_never_changed(night: Night) -> None:
    """The lake is the source of truth; a night that rewrites it could lose it."""
    night.land(span("a"), span("b", name="old"), run("r"))
    before = {path: path.read_bytes() for path in night.lake.root.rglob("*.parquet")}
    night.land(span("a"), span("b", name="new", ended_at="2026-05-01T11:00:00Z"), "bad", name="b.jsonl")
    assert {path: path.read_bytes() for path in before} == before


def test_dates_touched(night: Night) -> None:
    """A date that received rows would not be rebuilt."""
    report = night.land(
        span("a"), span("b", started_at="2026-04-01"), run("r", started_at="2026-06-01T01:00:00+02:00")
    )
    assert report.manifest
    assert report.manifest.dates_touched == ["2026-04-01", "2026-05-01", "2026-05-31"]


# -- many files
# ------------------------------------------------------------------------------------------------


def test_many_small_files_and_bad_ones_among_them(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is damaged would cost the files that are read together with it, or each one a statement."""
    for number in range(600):
        night.write(f"{number // 100}/spans-{number:03d}.jsonl", [span(f"s{number}"), span("same")])
    night.write("2/spans-251.jsonl", jsonl(span("s251")) + b"\xff\n" + jsonl(span("same")))
    night.write("3/spans-300.jsonl", b"%PDF-1.7\n")
    night.write("4/spans-400.jsonl.gz", compressed(jsonl(span("z")), "gz")[:-6])
    landings = 0
    real = ingest_module.Batch._land

    def counting(*arguments: Any, **keywords: Any) -> None:
        nonlocal landings
        landings += 1
        real(*arguments, **keywords)

    monkeypatch.setattr(ingest_module.Batch, "_land", counting)
    report = night.land()
    assert landings < 80, "the good files are read one by one because of the bad"
    assert counts(report) == totals(1199, 600, 598, 0, 1)
    assert sorted(entry.path for entry in report.unreadable) == ["3/spans-300.jsonl", "4/spans-400.jsonl.gz"]
    (row,) = night.quarantine()
    assert (row["path"], row["line_number"], row["reason"]) == ("2/spans-251.jsonl", 2, "not_utf8")


def test_bad_lines_in_files_that_are_read_together(night: Night) -> None:
    """Quarantined lines would be booked on a neighbour."""
    for number in range(20):
        night.write(f"{number:02d}.jsonl", [span(f"s{number}"), *["bad"] * (number % 3)])
    report = night.land()
    assert report.manifest
    assert [entry.rows_quarantined for entry in report.manifest.files] == [number % 3 for number in range(20)]


# -- files that move
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("companions", [0, 3])
@pytest.mark.parametrize("fate", ["replaced", "appended", "deleted", "overwritten alike"])
def test_a_file_that_changes_while_it_is_read(
    night: Night, monkeypatch: pytest.MonkeyPatch, fate: str, companions: int
) -> None:
    """Half of the old and half of the new file would land under the old file's hash."""
    moving = night.write("moving.jsonl", [span("old")])
    for number in range(companions):
        night.write(f"{number}.jsonl", [span(f"s{number}")])
    real = readers.open_source
    done = False

    def change_once(*arguments: Any, **keywords: Any) -> readers.TextRows:
        nonlocal done
        rows = real(*arguments, **keywords)
        if not done:
            done = True
            if fate == "overwritten alike":  # as long as before, and its time is set back
                time_ns = moving.stat().st_mtime_ns
                with moving.open("r+b") as stream:
                    stream.write(jsonl(span("odd")))
                os.utime(moving, ns=(time_ns, time_ns))
            elif fate == "appended":
                with moving.open("ab") as stream:
                    stream.write(jsonl(span("more")))
            else:
                moving.unlink()
            if fate == "replaced":
                moving.write_bytes(jsonl(span("new"), span("newer")))
        return rows

    monkeypatch.setattr(readers, "open_source", change_once)
    report = night.land()
    assert ("moving.jsonl", True) in [(item.name, item.deferred) for item in report.skipped]
    assert len(night.rows()) == companions, "rows of the moving file are in the lake"
    assert bool(report.manifest) == bool(companions)
    night.land()
    ids = {row["span_id"] for row in night.rows()} - {"s0", "s1", "s2"}
    expected = {
        "replaced": {"new", "newer"},
        "appended": {"old", "more"},
        "deleted": set(),
        "overwritten alike": {"odd"},
    }
    assert ids == expected[fate]
    landed = {entry.sha256 for manifest in night.lake.manifests() for entry in manifest.files}
    assert fate == "deleted" or hashlib.sha256(moving.read_bytes()).hexdigest() in landed, (
        "the manifest has the hash of another content than that which landed"
    )


# -- crashes
# ---------------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from orchestration.landing import ingest as module, lake
from orchestration.settings import Settings
stage = sys.argv[2]
def die(*args, **keywords):
    os._exit(9)
if stage == "before the manifest":
    lake.durable.write_json = die
elif stage == "between the parts":
    real = module.Batch._place
    def half(self, entity):
        for part in real(self, entity):
            die()
    module.Batch._place = half
elif stage == "before the quarantine":
    module.Batch._place_quarantine = die
elif stage == "while reading":
    module.Batch._take_out_known = die
module.ingest(Settings(data_dir=Path(sys.argv[1]), settle_seconds=0.0))
"""


@pytest.mark.parametrize(
    "stage", ["while reading", "between the parts", "before the quarantine", "before the manifest"]
)
def test_a_killed_batch_leaves_nothing_behind(tmp_path: Path, stage: str) -> None:
    """Parts of a crashed night would be counted beside those of its repetition."""
    reference, night = Night(tmp_path / "whole"), Night(tmp_path / "killed")
    for one in (reference, night):
        one.land(span("a"), run("r"), "bad")
        one.write("b.jsonl", [span("a"), span("b"), run("s", started_at="2026-05-03"), "bad"])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(night.folder), stage],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert killed.returncode == 9, "the night was not killed where it should be"
    assert len(night.lake.manifests()) == 1, "a killed batch is committed"
    assert night.winners().keys() == {("spans", "w1", "r1", "a"), ("runs", "w1", "r")}
    # What the repetition brings may differ: the file of the bad night is taken away, another is there.
    report = night.land()
    reference.land()
    assert counts(report) == totals(4, 2, 1, 0, 1)
    assert night.winners() == reference.winners()

    def parts(one: Night) -> list[str]:
        return sorted(path.relative_to(one.lake.root).as_posix() for path in one.lake.root.rglob("*.parquet"))

    assert parts(night) == parts(reference), "leftovers of the killed batch are in the lake"
    assert not (night.lake.root / "building").exists()


def test_a_night_without_news_clears_what_a_killed_one_was_building(night: Night) -> None:
    """A night that was killed right after its commit leaves its folder, and no later night with files may come for weeks."""
    night.land(span("a"))
    (night.lake.root / "building" / "in").mkdir(parents=True)
    assert night.land().manifest is None
    assert not (night.lake.root / "building").exists()


def test_leftovers_of_other_dates_are_removed(night: Night) -> None:
    """A killed night's parts under dates that its repetition does not touch would come back to life."""
    stray = night.lake.root / "spans" / "lake_date=2020-01-01" / "batch_seq=000001"
    stray.mkdir(parents=True)
    (stray / "000001.parquet").write_bytes(b"left over")
    night.land(span())
    assert not stray.exists()


DAMAGE = {
    "truncated": b'{"batch_seq": 1, "fil',
    "empty": b"",
    "not an object": b"[1]",
    "a field is missing": b'{"batch_seq": 1, "manifest_version": 1}',
    "another batch": b"renumbered",
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_manifest_stops_the_night(night: Night, damage: str) -> None:
    """A batch that cannot be read would be taken as absent, and its files loaded a second time."""
    night.land(span())
    path = night.lake.batches_dir / "000001.json"
    renumbered = path.read_bytes().replace(b'"batch_seq": 1', b'"batch_seq": 7')
    path.write_bytes(renumbered if damage == "another batch" else DAMAGE[damage])
    night.write("b.jsonl", [span("b")])
    with pytest.raises(LakeError, match=r"000001\.json.*restore it from a backup"):
        ingest(night.settings)


def test_a_manifest_of_a_later_release_stops_the_night(night: Night) -> None:
    """A lake written by a later release would be misread."""
    night.land(span())
    path = night.lake.batches_dir / "000001.json"
    path.write_text(path.read_text().replace('"manifest_version": 1', '"manifest_version": 99'))
    with pytest.raises(LakeError, match="version 99 is not 1; use the release that wrote it"):
        ingest(night.settings)


def test_rows_of_a_later_contract_stop_the_night(night: Night) -> None:
    """The manifest can be read, but its parts would be taken for those of this version."""
    night.land(span())
    path = night.lake.batches_dir / "000001.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "contract_version": CONTRACT_VERSION + 1}))
    with pytest.raises(LakeError, match=r"batches 1 .* newer version"):
        candidate.make_plan(night.settings, night.lake.manifests())
    night.write("b.jsonl", [span("b")])
    with pytest.raises(LakeError, match=r"batches 1 .* newer version"):
        ingest(night.settings)


def test_a_missing_part_stops_the_night(night: Night) -> None:
    """A part that was deleted by hand would show as a database's message, or copies be loaded."""
    night.land(span("a"))
    (part,) = night.lake.root.glob("spans/*/*/*.parquet")
    part.unlink()
    night.write("b.jsonl", [span("a"), span("b")])
    with pytest.raises(LakeError, match="this part of the lake is missing"):
        ingest(night.settings)
    assert len(night.lake.manifests()) == 1


# -- the machine in trouble
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"),
        duckdb.IOException('IO Error: Could not write file "/x": No space left on device'),
        duckdb.IOException("IO Error: Could not read from file: Input/output error"),
        duckdb.IOException('IO Error: Cannot open file "/x": Too many open files'),
        duckdb.IOException('IO Error: Cannot open file "/x": Permission denied'),
        duckdb.InternalException("INTERNAL Error: assertion"),
        duckdb.InterruptException("INTERRUPT Error: Interrupted!"),
        duckdb.BinderException("Binder Error: our own mistake"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:60],
)
def test_trouble_of_the_machine_marks_no_file(
    night: Night, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A full disk would mark good files as unreadable, and they would never be read again."""
    night.write("a.jsonl", [span("a")])
    night.write("b.jsonl", [span("b")])

    def fail(*_: Any) -> int:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(ingest_module.Batch, "_write_typed", fail)
        with pytest.raises(type(error)):
            ingest(night.settings)
    assert night.lake.manifests() == [], "a batch was committed"
    assert counts(night.land()) == totals(2, 2), "the files were not read on the next night"


def test_words_of_the_file_do_not_look_like_a_full_disk() -> None:
    """A file whose own lines speak of a full disk would stop every night."""
    error = duckdb.InvalidInputException("CSV Error on Line: 1\nOriginal Line: No space left on device")
    assert sql.is_about_data(error)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """The words of the engine for a full disk may change: here a file-size limit stops its writing."""
    night = Night(tmp_path)
    night.write("a.jsonl", [span(f"{n}-{os.urandom(300).hex()}") for n in range(3000)])
    script = """
import resource, signal, sys
from pathlib import Path
from orchestration.landing.ingest import ingest
from orchestration.settings import Settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    ingest(Settings(data_dir=Path(sys.argv[1]), settle_seconds=0.0))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(7)
"""
    failed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 7, failed.stdout + failed.stderr
    assert night.lake.manifests() == [], "the file was marked"
    assert counts(night.land()) == totals(3000, 3000)


def test_books_that_do_not_balance_are_never_committed(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that loses rows would go unnoticed."""
    night.write("a.jsonl", [span("a"), span("b")])
    real = ingest_module.Batch._write_typed

    def lose_one(self: Any, *arguments: Any) -> int:
        return real(self, *arguments) - 1

    monkeypatch.setattr(ingest_module.Batch, "_write_typed", lose_one)
    with pytest.raises(IngestError):
        ingest(night.settings)
    assert night.lake.manifests() == []


# -- the report
# ------------------------------------------------------------------------------------------------


def test_progress_and_time(night: Night) -> None:
    """A long night would be silent; a batch would carry a time of the machine's zone."""
    night.write("a.jsonl", [span("a")])
    night.write("b.csv", "x,y\n1,2\n")
    told: list[tuple[str, int, int]] = []
    moment = datetime(2026, 5, 2, 3, 4, 5, tzinfo=UTC)
    report = ingest(night.settings, now=moment, progress=lambda *step: told.append(step))
    assert {what for what, _, _ in told} == {"Landing a.jsonl", "Landing b.csv", "Recognising known rows"}
    assert all(0 <= done <= total for _, done, total in told)
    assert report.manifest
    assert report.manifest.loaded_at == "2026-05-02T03:04:05+00:00"
    assert [entry.path for entry in report.unreadable] == ["b.csv"]


def test_the_manifest_document(night: Night) -> None:
    """What others script against would lose a key."""
    night.land(span("a"), span("a"), "bad", run("r"))
    document = json.loads((night.lake.batches_dir / "000001.json").read_text())
    assert {
        key: document[key] for key in ("rows_read", "rows_loaded", "rows_duplicate", "rows_quarantined")
    } == {
        "rows_read": 4,
        "rows_loaded": 2,
        "rows_duplicate": 1,
        "rows_quarantined": 1,
    }
    assert document["dates_touched"] == ["2026-05-01"]
    assert {part["entity"]: part["row_count"] for part in document["parts"]} == {"runs": 1, "spans": 1}


def test_a_file_is_described_as_it_was(night: Night) -> None:
    """A quarantined line could not be matched with the file that was sent."""
    path = night.write("a.jsonl", [span()])
    report = night.land()
    assert report.manifest
    (entry,) = report.manifest.files
    assert (entry.size_bytes, entry.modified_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
