"""Which landing files are read tonight, which wait, which are no exports, and by what they are recognised."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from pathlib import Path

import pytest

from orchestration.landing import files
from orchestration.landing.files import Skipped, discover
from tests.landing_helpers import SPANS, Night, counts, jsonl, run, span


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def skipped(night: Night) -> dict[str, Skipped]:
    return {item.name: item for item in night.land().skipped}


NAMES = [
    "it's.jsonl",
    'quo"te.jsonl',
    "[a-z].jsonl",
    "star*.jsonl",
    "what?.jsonl",
    "{a,b}.jsonl",
    "with space.jsonl",
    "naïve ☂.jsonl",
    "new\nline.jsonl",
    "semi;colon--.jsonl",
    "per%20cent.jsonl",
    "back\\slash.jsonl",
    "~home.jsonl",
    "$HOME.jsonl",
    "deep/er/[x]/a.jsonl",
    "UPPER.JSONL",
    "export.2026-05-01.jsonl",
]


def test_any_file_name_is_only_a_name(night: Night) -> None:
    """A quote, a glob or a line break in a file name would end a statement or read other files."""
    for number, name in enumerate(NAMES):
        night.write(name, [span(f"s{number}"), "broken"])
    report = night.land()
    assert counts(report) == {
        "read": 2 * len(NAMES),
        "loaded": len(NAMES),
        "duplicate": 0,
        "superseded": 0,
        "quarantined": len(NAMES),
    }
    assert report.manifest
    assert [entry.path for entry in report.manifest.files] == NAMES
    assert [row["path"] for row in night.quarantine()] == NAMES


def test_name_that_is_no_utf8(night: Night) -> None:
    """A file name in another encoding would stop the night: no database takes it as text."""
    path = os.fsencode(night.landing) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_bytes(jsonl(span(), "broken"))
    report = night.land()
    assert report.manifest
    assert [entry.path for entry in report.manifest.files] == ["caf\\xe9.jsonl"]
    assert night.quarantine()[0]["path"] == "caf\\xe9.jsonl"


@pytest.mark.parametrize("folder", ["it's [x]", "a b", 'q"', "x=1"])
def test_any_data_folder(tmp_path: Path, folder: str) -> None:
    """A data folder with a bracket, a quote or an equals sign in its name would be unusable."""
    night = Night(tmp_path / folder)
    night.land(span("a"), span("b", name="old"), "broken")
    report = night.land(span("b", name="new", ended_at="2026-05-01T11:00:00Z"), span("a"), name="b.jsonl")
    assert counts(report) == {"read": 2, "loaded": 1, "duplicate": 1, "superseded": 0, "quarantined": 0}


def test_links_out_of_the_folder_are_not_followed(night: Night, tmp_path: Path) -> None:
    """A link in the landing folder would read any file of the machine into the lake."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jsonl").write_bytes(jsonl(span("secret")))
    (night.landing / "file.jsonl").symlink_to(outside / "secret.jsonl")
    (night.landing / "folder").symlink_to(outside)
    (night.landing / "up.jsonl").symlink_to("../outside/secret.jsonl")
    (night.landing / "loop.jsonl").symlink_to("loop.jsonl")
    (night.landing / "broken.jsonl").symlink_to("nowhere.jsonl")
    got = skipped(night)
    assert got["file.jsonl"].reason == "points outside the landing folder"
    assert got["up.jsonl"].reason == "points outside the landing folder"
    assert got["folder"].reason == "a link to a folder is not followed"
    assert got["loop.jsonl"].deferred
    assert got["broken.jsonl"].deferred
    assert night.rows() == []


def test_links_within_the_folder_are_files(night: Night) -> None:
    """A `latest.jsonl` that points to a dated file would be loaded twice, or refused."""
    night.write("2026-05-01.jsonl", [span()])
    (night.landing / "latest.jsonl").symlink_to("2026-05-01.jsonl")
    report = night.land()
    assert counts(report)["loaded"] == 1
    assert len(report.known_files) == 1


def test_a_landing_folder_that_is_a_link_is_read(tmp_path: Path) -> None:
    """A landing folder on another disk, reached by a link, would be taken for one big way out."""
    night = Night(tmp_path / "data")
    night.landing.rmdir()
    (tmp_path / "disk").mkdir()
    night.landing.symlink_to(tmp_path / "disk")
    assert counts(night.land(span()))["loaded"] == 1


def test_pipes_and_folders_named_as_exports(night: Night) -> None:
    """Opening a pipe waits for its writer: the night would never end."""
    os.mkfifo(night.landing / "pipe.jsonl")
    (night.landing / "folder.jsonl").mkdir()
    night.write("folder.jsonl/a.jsonl", [span()])
    report = night.land()
    assert counts(report)["loaded"] == 1
    assert [(item.name, item.reason) for item in report.skipped] == [("pipe.jsonl", "not a regular file")]


@pytest.mark.parametrize("suffix", [*files.UNFINISHED_SUFFIXES, ".TMP"])
def test_unfinished_names_wait(night: Night, suffix: str) -> None:
    """Half a file would be read while it is uploaded."""
    night.write("a.jsonl" + suffix, [span()])
    (item,) = skipped(night).values()
    assert item.deferred
    assert item.reason == "named as an unfinished file"


def test_hidden_files_and_other_files(night: Night) -> None:
    """Other people's files in the folder would be read as exports or stop the night."""
    for name in (".a.jsonl", "README.md", "notes", "b.jsonl.bz2", ".git/x.jsonl", "b.gz"):
        night.write(name, [span()])
    got = skipped(night)
    assert {name: item.deferred for name, item in got.items()} == {
        ".a.jsonl": True,
        "README.md": False,
        "notes": False,
        "b.jsonl.bz2": False,
        "b.gz": False,
    }


def test_compression_is_told_by_the_bytes(night: Night) -> None:
    """A gzip named .jsonl, or a plain file named .gz, would be unreadable."""
    night.write("a.jsonl", gzip.compress(jsonl(span("a"))))
    night.write("b.jsonl.gz", jsonl(span("b")))
    report = night.land()
    assert counts(report)["loaded"] == 2
    assert report.manifest
    assert [entry.format for entry in report.manifest.files] == ["jsonl.gzip", "jsonl"]


def test_a_file_that_is_open_for_writing_waits(night: Night) -> None:
    """A file that a program still writes, slowly, would be read before its end."""
    path = night.write("a.jsonl", [span("a")])
    with path.open("ab") as writer:
        writer.write(b'{"span_id": "b", "run')
        writer.flush()
        os.utime(path, (1, 1))
        report = night.land()
        assert [(item.name, item.reason, item.deferred) for item in report.skipped] == [
            ("a.jsonl", "open for writing in another program", True)
        ]
        assert report.manifest is None
        writer.write(b'_id": "r1", "workspace_id": "w1", "name": "n", "kind": "tool", ')
        writer.write(b'"started_at": "2026-05-01"}\n')
    assert counts(night.land())["loaded"] == 2


def test_a_file_that_is_open_for_reading_does_not_wait(night: Night) -> None:
    """A viewer that keeps a file open would hold it back for ever."""
    path = night.write("a.jsonl", [span()])
    with path.open("rb"):
        assert counts(night.land())["loaded"] == 1


def test_a_file_that_changes_while_it_is_watched_waits(tmp_path: Path) -> None:
    """A file that is written in bursts, opened each time anew, would be read between two of them."""
    night = Night(tmp_path, settle_seconds=0.6)
    path = night.landing / "a.jsonl"
    path.write_bytes(jsonl(span("a")))

    def burst() -> None:
        time.sleep(0.2)
        with path.open("ab") as stream:
            stream.write(jsonl(span("b")))

    writer = threading.Thread(target=burst)
    writer.start()
    report = night.land()
    writer.join()
    assert [(item.reason, item.deferred) for item in report.skipped] == [("still being written", True)]
    time.sleep(0.1)
    assert counts(night.land())["loaded"] == 2


def test_old_files_are_not_watched(tmp_path: Path) -> None:
    """Every night would wait, even when nothing was written for days."""
    night = Night(tmp_path, settle_seconds=30)
    night.write("a.jsonl", [span()])
    os.utime(night.landing / "a.jsonl", (1_700_000_000, 1_700_000_000))
    started = time.monotonic()
    assert counts(night.land())["loaded"] == 1
    assert time.monotonic() - started < 20


def test_a_file_that_vanishes_while_it_is_hashed_waits(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file taken away in the middle of the night would stop it."""
    night.write("a.jsonl", [span("a")])
    night.write("b.jsonl", [span("b")])
    hashed = files._sha256

    def vanishing(path: Path) -> str:
        digest = hashed(path)
        if path.name == "a.jsonl":
            path.unlink()
        return digest

    monkeypatch.setattr(files, "_sha256", vanishing)
    report = night.land()
    assert [(item.name, item.deferred) for item in report.skipped] == [("a.jsonl", True)]
    assert counts(report)["loaded"] == 1


def test_renamed_and_sent_again_is_recognised(night: Night) -> None:
    """A file under another name, or in another folder, would be counted a second time."""
    path = night.write("a.jsonl", [span()])
    night.land()
    path.rename(night.landing / "renamed.jsonl")
    night.write("sub/again.jsonl", [span()])
    report = night.land()
    assert report.manifest is None
    assert sorted(report.known_files) == ["renamed.jsonl", "sub/again.jsonl"]


def test_twice_in_one_night_is_read_once(night: Night) -> None:
    """Two copies in one night would both be read."""
    night.write("a.jsonl", [span()])
    night.write("b.jsonl", [span()])
    report = night.land()
    assert counts(report)["read"] == 1
    assert report.known_files == ["b.jsonl"]


def test_same_name_with_other_content_is_a_new_file(night: Night) -> None:
    """An export that is written anew under its old name would be ignored."""
    night.land(span("a"))
    assert counts(night.land(span("b")))["loaded"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"a.jsonl": 5}',
        b'{"a.jsonl": [1, 2, 3, 4]}',
        b'{"a.jsonl": [1]}',
        b"\xff\xfe",
        b"null",
    ],
)
def test_a_damaged_memory_of_hashes_costs_nothing(night: Night, damage: bytes) -> None:
    """A cache that was damaged would stop every night, or make files look known."""
    night.land(span("a"))
    night.write("b.jsonl", [span("b")])
    (night.lake.root / "seen.json").write_bytes(damage)
    report = night.land()
    assert counts(report)["loaded"] == 1
    assert report.known_files == ["a.jsonl"]


def test_known_files_are_not_read_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night with nothing new would read every byte of every year."""
    night.land(span())

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was hashed again")

    monkeypatch.setattr(files, "_sha256", refuse)
    assert night.land().known_files == ["a.jsonl"]


def test_order_is_by_time_then_name(night: Night) -> None:
    """Ties between versions would be won by chance."""
    for name in ("c.jsonl", "a.jsonl", "b.jsonl"):
        night.write(name, [span(name)])
    for name in ("a.jsonl", "b.jsonl"):
        os.utime(night.landing / name, (1_790_000_000, 1_790_000_000))
    new, _, _ = discover(night.landing, settle_seconds=0, known=set(), cache_path=night.folder / "cache.json")
    assert [file.name for file in new] == ["c.jsonl", "a.jsonl", "b.jsonl"]


def test_landing_is_never_written_to(night: Night) -> None:
    """The exports, which belong to the platform, would be changed by reading them."""
    night.write("a.jsonl", [span(), "broken"])
    night.write("b.csv", b"no,columns\n1,2\n")
    night.write("c.jsonl.gz", gzip.compress(jsonl(run()))[:-5])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in night.landing.iterdir()}
    night.land()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in night.landing.iterdir()} == before


def test_an_empty_folder_makes_no_batch(tmp_path: Path) -> None:
    """An empty night would leave an empty batch behind, or fail on a folder that is not there yet."""
    night = Night(tmp_path)
    night.landing.rmdir()
    report = night.land()
    assert report.manifest is None
    assert night.lake.manifests() == []


def test_the_manifest_tells_where_each_row_came_from(night: Night) -> None:
    """A number could not be traced to the file that brought it."""
    night.write("x/a.jsonl", [span()])
    night.land()
    document = json.loads((night.lake.batches_dir / "000001.json").read_text())
    (entry,) = document["files"]
    assert (entry["path"], entry["format"], entry["entity"], entry["status"]) == (
        "x/a.jsonl",
        "jsonl",
        "spans",
        "loaded",
    )
    assert night.rows(SPANS)[0]["file_no"] == entry["file_no"]
