"""A lake and a landing folder on object storage: two machines take turns, and nothing is lost or landed twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from orchestration import durable, sql
from orchestration.landing import erasure, ingest, retraction, shared_lake
from orchestration.landing.lake import Lake
from orchestration.landing.shared_lake import SharedLakeError
from orchestration.object_storage import ObjectStorage, ObjectStorageError
from tests.object_storage_fixture import make_bucket, objects, remove_object, s3_server, write_object
from tests.warehouse_fixture import Warehouse, at, differences, jsonl, run_row, three_days

BUCKET = "s3://usage"
LAKE = f"{BUCKET}/team/lake"
EXPORTS = f"{BUCKET}/exports"
RUNS, SPANS = three_days()


@pytest.fixture(scope="module")
def _server() -> Iterator[None]:
    with s3_server():
        yield


@pytest.fixture(autouse=True)
def _bucket(_server: None) -> Iterator[None]:
    """An empty bucket for each test."""
    make_bucket("usage")
    yield
    for name in objects(BUCKET):
        remove_object(f"{BUCKET}/{name}")


def machine(folder: Path, name: str, **settings: str) -> Warehouse:
    """A machine with a data folder of its own that shares the lake."""
    return Warehouse(folder / name).with_settings(**{"lake_url": LAKE, **settings})


def batches(warehouse: Warehouse) -> list[tuple[int, int]]:
    """Number and loaded rows of each batch of a machine's lake."""
    return [(m.batch_seq, m.total("rows_loaded")) for m in Lake.of(warehouse.settings).manifests()]


def test_two_machines_publish_the_same(tmp_path: Path) -> None:
    """What one machine landed from object storage must be known to the other, and give the same marts there."""
    one, two = (machine(tmp_path, name, landing_url=EXPORTS) for name in ("one", "two"))
    write_object(f"{EXPORTS}/october/runs.jsonl", jsonl(RUNS))
    write_object(f"{EXPORTS}/october/spans.jsonl", jsonl(SPANS))
    assert one.night(with_tests=False)
    write_object(f"{EXPORTS}/late/runs.jsonl", jsonl([run_row("req_late", at("2026-10-03 10:00"))]))
    landed = two.land()
    assert landed.manifest is not None
    assert [entry.path for entry in landed.manifest.files] == ["late/runs.jsonl"], (
        "the second machine lands what the first one landed"
    )
    assert two.night(with_tests=False)
    assert one.night(with_tests=False), "the first machine does not see what the second one landed"
    assert batches(one) == batches(two) == [(1, 14), (2, 1)]
    assert not differences(one, one.settings.published_path, two.settings.published_path)
    assert ingest.survey(one.settings) is not None, "a third look finds something new where there is nothing"


def naming(warehouse: Warehouse, user_id: str) -> list[str]:
    """Parquet files of a machine's lake in which a text names the user."""
    found = []
    with sql.connect(warehouse.settings) as connection:
        for path in sorted(warehouse.settings.lake_dir.rglob("*.parquet")):
            if user_id in str(connection.execute("select * from read_parquet(?)", [str(path)]).fetchall()):
                found.append(path.name)
    return found


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_who_comes_second_is_refused_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    """Two nights that saw the same lake must not both commit to it: rows would be judged by a lake that is not the newest."""
    url = LAKE if kind == "s3" else str(tmp_path / "nfs" / "lake")
    one, two = (machine(tmp_path, name, lake_url=url) for name in ("one", "two"))
    one.drop("runs.jsonl", [*RUNS, {"run_id": 7}])
    two.drop("runs-again.jsonl", [*RUNS, run_row("req_two", at("2026-10-03 11:00"))])
    shared = shared_lake.SharedLake
    original = shared.commit

    def overtaken(self: shared_lake.SharedLake, *args: object) -> None:
        with mock.patch.object(shared, "commit", original):
            two.land()
        original(self, *args)  # type: ignore[arg-type]

    with (
        mock.patch.object(shared, "commit", overtaken),
        pytest.raises(SharedLakeError, match="another machine committed"),
    ):
        one.land()
    assert not Lake(one.settings.lake_dir).manifests(), (
        "a refused batch stays on the machine that was refused"
    )
    lake = Lake.of(one.settings)
    lake.refresh()
    assert not lake.quarantine_paths(lake.manifests()), (
        "refused lines count as those of the other machine's batch"
    )
    report = one.land()
    assert report.manifest is not None
    assert batches(one) == [(1, 7), (2, 0)], "the refused rows are not judged against those that came first"
    assert report.manifest.total("rows_duplicate") == len(RUNS)
    two.land()
    assert batches(two) == batches(one)
    assert [path.read_bytes() for path in sorted(one.settings.lake_dir.rglob("*.parquet"))] == [
        path.read_bytes() for path in sorted(two.settings.lake_dir.rglob("*.parquet"))
    ], "the copies are not the same"


def test_a_crash_between_both_commits_is_made_good(tmp_path: Path) -> None:
    """A machine that dies after the shared commit and before its own must not land the batch a second time."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    original = durable.write_json

    def dying(path: Path, document: object) -> None:
        if path.parent.name == "batches":
            raise KeyboardInterrupt
        original(path, document)

    with mock.patch.object(durable, "write_json", dying), pytest.raises(KeyboardInterrupt):
        one.land()
    assert not Lake(one.settings.lake_dir).manifests()
    assert one.land().manifest is None, "the batch is landed twice"
    assert batches(one) == [(1, len(RUNS))]


@pytest.mark.parametrize("dies_at", ["put", "create"])
def test_a_machine_that_dies_before_the_shared_commit_leaves_nothing(tmp_path: Path, dies_at: str) -> None:
    """Files without an entry of the log must not count, and the next night must land theirs."""
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    one.drop("runs.jsonl", RUNS)
    two.drop("spans.jsonl", SPANS)
    one.land()
    one.drop("more.jsonl", [run_row("req_more", at("2026-10-03 12:00"))])
    with (
        mock.patch.object(ObjectStorage, dies_at, side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        one.land()
    two.land()
    one.land()
    two.land()
    assert batches(one) == batches(two) == [(1, len(RUNS)), (2, len(SPANS)), (3, 1)]


def test_an_answer_that_got_lost_is_not_a_refusal(tmp_path: Path) -> None:
    """A commit whose answer was lost is sent again, and then finds itself: that must not count as another machine's."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    original = ObjectStorage.create

    def twice(self: ObjectStorage, name: str, content: bytes) -> None:
        original(self, name, content)
        original(self, name, content)

    with mock.patch.object(ObjectStorage, "create", twice):
        one.land()
    assert batches(one) == [(1, len(RUNS))]


def test_a_lake_that_was_never_shared_is_handed_over(tmp_path: Path) -> None:
    """Who sets a lake_url later must find what had landed before there, revisions included."""
    one = Warehouse(tmp_path / "one")
    one.drop("runs.jsonl", RUNS)
    one.land()
    one.drop("spans.jsonl", [*SPANS, {"run_id": "req_1"}])
    one.land()
    chosen = retraction.find(one.settings, Lake.of(one.settings).manifests(), ["runs.jsonl"])
    Lake.of(one.settings).commit_revision(retraction.prepare(one.settings, chosen).revision)
    one.drop("more.jsonl", [run_row("req_more", at("2026-10-03 12:00"))])
    one.land()
    one = one.with_settings(lake_url=LAKE)
    one.land()
    assert sorted(name for name in objects(LAKE) if name.endswith(".json")) == [
        f"log/0000000{n}.json" for n in (1, 2, 3, 4)
    ]
    two = machine(tmp_path, "two")
    two.land()
    assert batches(two) == batches(one) == [(1, 0), (2, len(SPANS)), (3, 1)]
    quarantined = Lake.of(two.settings).quarantine_paths(Lake.of(two.settings).manifests())
    assert len(quarantined) == 1, "quarantined lines are not handed over"
    assert Lake.of(two.settings).retracted(), "the retraction is not handed over"


def test_a_lake_that_landed_on_its_own_is_refused(tmp_path: Path) -> None:
    """Batches that a shared lake does not know must not be mixed with it: their numbers stand for other rows there."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.land()
    for rows, said in (
        ([run_row("req_x", at("2026-10-01 08:00"))], "another one than in"),
        (RUNS[:1], "another one than in"),
    ):
        alone = Warehouse(tmp_path / f"alone-{len(rows[0])}-{rows[0]['run_id']}")
        alone.drop("runs.jsonl", rows)
        alone.land()
        with pytest.raises(SharedLakeError, match=said):
            alone.with_settings(lake_url=LAKE).land()
    two = Warehouse(tmp_path / "two")
    two.drop("a.jsonl", RUNS)
    two.land()
    two.drop("b.jsonl", SPANS)
    two.land()
    with pytest.raises(SharedLakeError, match="it was landed without lake_url"):
        two.with_settings(lake_url=LAKE).land()


def test_files_of_the_copy_that_are_gone_are_fetched_again(tmp_path: Path) -> None:
    """The folder is a copy: who empties it, or loses a part of it, must get it back."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.drop("spans.jsonl", SPANS)
    one.land()
    parts = sorted(one.settings.lake_dir.rglob("*.parquet"))
    parts[0].unlink()
    one.land()
    assert parts[0].exists(), "a lost part is not fetched"
    before = {path: path.read_bytes() for path in parts}
    shutil.rmtree(one.settings.lake_dir)
    assert one.land().manifest is None, "an emptied copy lands everything again"
    assert {path: path.read_bytes() for path in sorted(one.settings.lake_dir.rglob("*.parquet"))} == before


def test_damaged_or_replaced_storage_is_told(tmp_path: Path) -> None:
    """Bytes that are not those that were committed must stop the night, with the object's name, and change nothing here."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.land()
    (stored,) = [name for name in objects(LAKE) if "lake_date=2026-10-02" in name]
    content = objects(LAKE)[stored]
    write_object(f"{LAKE}/{stored}", content[:-1] + b"?")
    two = machine(tmp_path, "two")
    with pytest.raises(SharedLakeError, match="is damaged: restore it"):
        two.land()
    assert not Lake(two.settings.lake_dir).manifests()
    write_object(f"{LAKE}/{stored}", content)
    two.land()
    two.drop("spans.jsonl", SPANS)
    two.land()
    first = objects(LAKE)["log/00000001.json"]
    remove_object(f"{LAKE}/log/00000001.json")
    with pytest.raises(SharedLakeError, match="commit 1 is missing"):
        one.land()
    write_object(
        f"{LAKE}/log/00000001.json",
        first.replace(b"req", b"rea").replace(b'"batch_seq": 1', b'"batch_seq": 7'),
    )
    with pytest.raises(SharedLakeError, match="not the one that this machine has seen"):
        one.land()
    for name in objects(LAKE):
        remove_object(f"{LAKE}/{name}")
    with pytest.raises(SharedLakeError, match="another lake lies there, or an older copy"):
        one.land()


def test_paths_of_a_log_stay_below_the_lake(tmp_path: Path) -> None:
    """Who can write to the storage must not be able to write anywhere on this machine."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.land()
    entry = json.loads(objects(LAKE)["log/00000001.json"])
    for name, path in (
        ("../../escaped.json", "runs/x.parquet"),
        ("batches/000002.json", "../../../escaped.parquet"),
        ("/escaped.json", "a"),
    ):
        forged = {**entry, "name": name, "files": [{"path": path, "object": "x", "sha256": "0"}]}
        write_object(f"{LAKE}/log/00000002.json", json.dumps(forged).encode())
        with pytest.raises(SharedLakeError, match="is not below the lake"):
            one.land()


def test_a_forgotten_user_is_in_no_object(tmp_path: Path) -> None:
    """`forget` must reach the shared lake, and a machine that fetches it later must still be able to."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.drop("spans.jsonl", [*SPANS, {"run_id": "x", "user_id": "user-2", "span_id": 1}])
    one.land()
    named = {name for name in objects(LAKE) if name.endswith(".parquet")}
    made = erasure.prepare(one.settings, "user-2")
    assert made.runs
    Lake.of(one.settings).commit_revision(made.revision)
    erasure.sweep(one.settings)
    present = {name for name in objects(LAKE) if name.endswith(".parquet")}
    assert named - present, "the files that name the user are still there"
    two = machine(tmp_path, "two")
    two.land()
    assert not naming(two, "user-2")
    assert naming(two, "user-1"), "a search that finds nobody proves nothing"
    assert batches(two) == batches(one)


def test_a_sweep_leaves_another_machines_night_alone(tmp_path: Path) -> None:
    """Files that a machine has written for a commit to come are named by nothing yet, and must stay; old ones are left over."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)
    one.land()
    write_object(f"{LAKE}/runs/lake_date=2026-10-09/batch_seq=000002/000001-aaaa.parquet", b"at work")
    lake = Lake.of(one.settings)
    assert lake.shared is not None
    assert lake.shared.sweep(lake) == 0
    with mock.patch.object(shared_lake, "datetime") as clock:
        clock.now.return_value = datetime.now(UTC) + timedelta(days=3)
        assert lake.shared.sweep(lake) == 1
    assert batches(one) == [(1, len(RUNS))]


def test_a_sweep_by_a_machine_that_is_behind_removes_nothing_that_stands(tmp_path: Path) -> None:
    """A copy that has not seen another machine's batch yet must not take that batch's files for left over: they would be lost."""
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    one.drop("runs.jsonl", RUNS)
    one.land()
    Lake.of(one.settings).commit_revision(erasure.prepare(one.settings, "user-2").revision)
    erasure.sweep(one.settings)
    two.drop("spans.jsonl", SPANS)
    two.land()
    present = set(objects(LAKE))
    erasure.sweep(one.settings)
    assert set(objects(LAKE)) == present, "files of a batch that stands are removed"
    three = machine(tmp_path, "three")
    three.land()
    assert batches(three) == [(1, len(RUNS)), (2, len(SPANS))]
    lake = Lake(three.settings.lake_dir)
    parts = [name for manifest in lake.manifests() for part in manifest.parts for name in part.files]
    assert all((lake.root / name).exists() for name in parts)


def test_who_was_forgotten_elsewhere_is_gone_after_one_night(tmp_path: Path) -> None:
    """Another machine's copy must not keep a forgotten user's rows for a night longer than it takes to hear of it."""
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    one.drop("runs.jsonl", RUNS)
    one.land()
    two.land()
    assert naming(two, "user-2"), "a search that finds nothing before proves nothing after"
    Lake.of(one.settings).commit_revision(erasure.prepare(one.settings, "user-2").revision)
    two.land()
    assert not naming(two, "user-2")


def test_storage_that_replaces_what_was_to_be_created_is_refused(tmp_path: Path) -> None:
    """Where a second writer silently wins, commits would be lost: such storage must be refused before the first one."""
    one = machine(tmp_path, "one")
    one.drop("runs.jsonl", RUNS)

    def replacing(self: ObjectStorage, name: str, content: bytes) -> None:
        write_object(f"{self.url}/{name}", content)

    with (
        mock.patch.object(ObjectStorage, "create", replacing),
        pytest.raises(ObjectStorageError, match="lose each other's commits"),
    ):
        one.land()
    assert not Lake(one.settings.lake_dir).manifests()


def test_the_landing_copy_follows_the_storage(tmp_path: Path) -> None:
    """A changed object must land as a new file, a gone one must go, a re-sent one must land nothing, and names must stay names."""
    one = Warehouse(tmp_path / "one").with_settings(landing_url=EXPORTS)
    write_object(f"{EXPORTS}/a/runs.jsonl", jsonl(RUNS[:2]))
    write_object(f"{EXPORTS}/notes.txt", b"no export")
    write_object(f"{EXPORTS}/odd [1]*?.jsonl", jsonl(RUNS[2:3]))
    hostile = [
        "x/../../../out.jsonl",
        "x//y.jsonl",
        "/etc/z.jsonl",
        "back\\slash.jsonl",
        "n" * 300 + ".jsonl",
        "a",
    ]
    for name in hostile:
        write_object(f"{EXPORTS}/{name}", jsonl(RUNS[3:4]))
    report = one.land()
    assert report.manifest is not None
    assert sorted(entry.path for entry in report.manifest.files) == ["a/runs.jsonl", "odd [1]*?.jsonl"]
    assert {item.name for item in report.skipped} == {"notes.txt", *hostile}
    assert not list(tmp_path.rglob("out.jsonl"))
    assert not (one.settings.landing_dir / "notes.txt").exists(), "what is no export is fetched all the same"
    assert one.land().manifest is None
    write_object(f"{EXPORTS}/a/runs.jsonl", jsonl(RUNS[:3]))
    write_object(f"{EXPORTS}/b/copy.jsonl", jsonl(RUNS[:2]))
    remove_object(f"{EXPORTS}/odd [1]*?.jsonl")
    report = one.land()
    assert report.manifest is not None
    assert [entry.path for entry in report.manifest.files] == ["a/runs.jsonl"]
    assert report.known_files == ["b/copy.jsonl"]
    assert not (one.settings.landing_dir / "odd [1]*?.jsonl").exists()
    (one.settings.lake_dir / "fetched.json").write_text("not JSON")
    assert one.land().manifest is None, "a damaged index lands everything again"


def test_storage_that_cannot_be_used_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bucket, no permission, no driver and no such protocol must each end in a message that names the URL, and land nothing."""
    one = Warehouse(tmp_path / "one")
    with pytest.raises(ObjectStorageError, match="s3://nowhere/x cannot be used: there is no 'nowhere'"):
        one.with_settings(landing_url="s3://nowhere/x").land()
    with pytest.raises(ObjectStorageError, match="s3://nowhere/x cannot be used"):
        one.with_settings(lake_url="s3://nowhere/x").land()
    with pytest.raises(ObjectStorageError, match="pip install gcsfs"):
        one.with_settings(lake_url="gs://bucket/x").land()
    with pytest.raises(ObjectStorageError, match="ftp is none of"):
        one.with_settings(lake_url="ftp://host/x").land()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ObjectStorageError, match="cannot be used"):
        one.with_settings(landing_url=f"{BUCKET}/exports").land()
    monkeypatch.undo()
    s3fs.S3FileSystem.clear_instance_cache()


def test_doctor_looks_at_both_folders(tmp_path: Path) -> None:
    """`doctor` must say what it finds at each URL, and fail where one cannot be reached."""
    one = machine(tmp_path, "one", landing_url=EXPORTS)
    write_object(f"{EXPORTS}/runs.jsonl", jsonl(RUNS))
    one.land()
    found = {
        item["name"]: item
        for item in one.cli(
            "doctor", "--json", CREDIT_USAGE_LAKE_URL=LAKE, CREDIT_USAGE_LANDING_URL=EXPORTS
        ).json()["findings"]
    }
    assert found["lake_url"]["message"] == f"1 commits in {LAKE}"
    assert found["landing_url"]["message"] == f"1 objects in {EXPORTS}"
