"""A landing file that should never have been there is taken out again with everything it brought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing.lake import Lake
from tests.disk_calls import DiskCalls, recorded
from tests.warehouse_fixture import Warehouse, at, call_row, differences, digests, run_row

pytestmark = pytest.mark.xdist_group("publication")

DAY = "2026-10-02"


def bad_rows() -> list[dict[str, Any]]:
    """What the bad file holds: a call of its own at 100 times the price, and two calls of run `req_x` that later files bring, too."""
    return [
        call_row("req_x", "s1", at(f"{DAY} 09:00:01"), provider_cost_usd="1.25"),
        call_row("req_x", "s2", at(f"{DAY} 09:00:02")),
        call_row("req_x", "s3", at(f"{DAY} 09:00:03"), ended_at=f"{DAY}T09:00:30Z"),
        call_row("req_x", "s9", at(f"{DAY} 09:00:09"), provider_cost_usd="1.25"),
        {"span_id": "broken"},
    ]


def night(warehouse: Warehouse, number: int, *, with_bad: bool) -> None:
    """The landing files of the first, second or third night; each night is one batch."""
    if number == 1:
        warehouse.drop("1/runs.jsonl", [run_row("req_x", at(f"{DAY} 09:00"))])
        if with_bad:
            warehouse.drop("1/spans-bad.jsonl", bad_rows())
        # Of the same batch: a duplicate of a bad row, and one that only this file has.
        good = [
            call_row("req_x", "s2", at(f"{DAY} 09:00:02")),
            call_row("req_x", "s4", at(f"{DAY} 09:00:04")),
        ]
        warehouse.drop("1/spans-good.jsonl", good)
    elif number == 2:
        # An older version of a bad row, which was superseded by it; and the real price of the first call.
        older = [
            call_row("req_x", "s3", at(f"{DAY} 09:00:03"), ended_at=f"{DAY}T09:00:05Z"),
            call_row("req_x", "s1", at(f"{DAY} 09:00:01"), provider_cost_usd="0.0125"),
        ]
        warehouse.drop("2/spans.jsonl", older)
    else:
        # The last word on s3 among equals of the second night: it wins by being later, wherever that one was read again.
        warehouse.drop(
            "3/spans.jsonl",
            [call_row("req_x", "s3", at(f"{DAY} 09:00:03"), ended_at=f"{DAY}T09:00:05Z", output_tokens=77)],
        )


def landed(warehouse: Warehouse, numbers: tuple[int, ...], *, with_bad: bool) -> None:
    for number in numbers:
        night(warehouse, number, with_bad=with_bad)
        warehouse.land()


def late_parts(disk: DiskCalls, lake: Lake) -> list[str]:
    """Parts of the newest batch with rows, and folders on the way to them, that were not on the disk when its manifest was."""
    newest = [manifest for manifest in lake.manifests() if manifest.parts][-1]
    assert newest.batch_seq > 1, "no batch of these nights has rows: nothing is proved"
    parts = [lake.root / name for part in newest.parts for name in part.files]
    folders = {folder for path in parts for folder in path.parents if folder.is_relative_to(lake.root)}
    return disk.late(f"{newest.batch_seq:06d}.json", [*parts, *folders])


def test_retraction_equals_a_lake_that_never_had_the_file(published: Warehouse, tmp_path: Path) -> None:
    """A bad file leaves rows behind, or takes rows of others with it, or comes back on the next night."""
    warehouse = published
    start = warehouse.save("start")
    landed(warehouse, (1, 2, 3), with_bad=False)
    warehouse.night(with_tests=False)
    calls = warehouse.one(
        f"select count(*) from facts.fct_span_usage where usage_date = date '{DAY}' and billing_role = 'call'"
    )
    never = tmp_path / "never.duckdb"
    never.write_bytes(warehouse.settings.published_path.read_bytes())

    warehouse.restore(start)
    with recorded() as disk:
        landed(warehouse, (1, 2, 3), with_bad=True)
        warehouse.night(with_tests=False)
    settings = warehouse.settings
    assert {"usage.duckdb", "manifest.json", "000004.json"} <= disk.targets(), (
        "the record misses what it is about"
    )
    faults = disk.faults(settings.published_dir, settings.lake_dir / "batches")
    assert not faults, f"after a power loss a commit may lack what it commits: {faults}"
    assert late_parts(disk, Lake(settings.lake_dir)) == [], "a power loss loses rows of a committed batch"
    assert differences(warehouse, warehouse.settings.published_path, never), "the bad file changes nothing"
    lake_before = digests(warehouse.settings.lake_dir)
    published_before = digests(warehouse.settings.published_dir)

    dry = warehouse.cli("retract", "1/spans-bad.jsonl", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    (change,) = dry.json()["changes"]
    assert (change["usage_date"], change["call_count_before"], change["call_count_after"]) == (
        DAY,
        calls + 1,
        calls,
    )
    assert dry.json()["retraction"]["rows_taken_out"] == 4
    assert dry.json()["retraction"]["rows_back"] == 3, "what the bad file had shadowed is not all back"
    after = {
        name: digest for name, digest in digests(warehouse.settings.lake_dir).items() if name != "seen.json"
    }
    assert after == {name: d for name, d in lake_before.items() if name != "seen.json"}, (
        "a dry run leaves something in the lake"
    )
    assert digests(warehouse.settings.published_dir) == published_before, "a dry run publishes"

    assert warehouse.cli("retract", "1/spans-bad.jsonl", stdin="n\n").code == 2, "a no is taken for a yes"
    assert Lake(warehouse.settings.lake_dir).revisions() == [], "a no is taken for a yes"
    (sha256,) = (f["sha256"] for f in dry.json()["retraction"]["files"])
    done = warehouse.cli("retract", sha256[:12], "--yes", "--json")
    assert done.code == 0, done.err + done.out
    assert done.json()["full_build"] == "landing files were retracted, or users forgotten"
    assert json.dumps(done.json()["changes"][0]["total_cost_usd_after"]) == json.dumps(
        change["total_cost_usd_after"]
    ), "the dry run promised another amount"
    assert differences(warehouse, warehouse.settings.published_path, never) == []
    assert warehouse.query("select path, is_allowed_again from meta.retractions") == [
        ("1/spans-bad.jsonl", False)
    ]
    assert warehouse.one("select count(*) from meta.quarantine") == 0, "its quarantined line is still there"
    assert warehouse.one("select count(*) from meta.files where path = '1/spans-bad.jsonl'") == 0
    now = digests(warehouse.settings.lake_dir)
    assert lake_before.items() - now.items() <= {("seen.json", lake_before["seen.json"])}, (
        "the lake was changed"
    )

    assert warehouse.land().manifest is None, "the retracted file comes back by itself"
    assert warehouse.cli("retract", "1/spans-bad.jsonl", "--undo").code == 0
    manifest = warehouse.land().manifest
    assert manifest is not None, "it cannot be landed again"
    assert [entry.path for entry in manifest.files] == ["1/spans-bad.jsonl"]


@pytest.mark.parametrize(
    "how", [("1/runs.jsonl", "1/spans-bad.jsonl", "1/spans-good.jsonl"), ("--batch", "2")]
)
def test_a_whole_batch_goes_with_its_quarantined_lines(published: Warehouse, how: tuple[str, ...]) -> None:
    """An export that was landed alone, and has a bad line, cannot be retracted."""
    before = published.settings.published_path.with_suffix(".before")
    before.write_bytes(published.settings.published_path.read_bytes())
    landed(published, (1,), with_bad=True)
    published.night(with_tests=False)
    assert published.one("select count(*) from meta.quarantine") == 1
    done = published.cli("retract", *how, "--yes", "--json")
    assert done.code == 0, done.err
    assert published.one("select count(*) from meta.quarantine") == 0
    assert differences(published, published.settings.published_path, before) == []
    assert published.cli("retract", "1/spans-bad.jsonl", "--undo").code == 0
    manifest = published.land().manifest
    assert manifest is not None
    assert manifest.total("rows_quarantined") == 1, "what was retracted does not come back as it was"


def test_files_that_are_gone_are_named_and_land_anew(warehouse: Warehouse) -> None:
    """Rows that cannot come back, because their file was cleared away, are lost without a word, or for good."""
    landed(warehouse, (1, 2), with_bad=True)
    second = warehouse.settings.landing_dir / "2/spans.jsonl"
    content = second.read_bytes()
    second.unlink()
    dry = warehouse.cli("retract", "1/spans-bad.jsonl", "--dry-run", "--json").json()["retraction"]
    assert [(item["path"], item["rows"]) for item in dry["files_gone"]] == [("2/spans.jsonl", 1)]
    from orchestration.landing import retraction

    lake = Lake(warehouse.settings.lake_dir)
    chosen = retraction.find(warehouse.settings, lake.manifests(), ["1/spans-bad.jsonl"])
    lake.commit_revision(retraction.prepare(warehouse.settings, chosen).revision)
    assert warehouse.land().manifest is None, "a retracted file lands again"
    warehouse.drop_bytes("again/spans.jsonl", content)
    manifest = warehouse.land().manifest
    assert manifest is not None, "delivered again, the file is taken for known"
    assert (manifest.total("rows_loaded"), manifest.total("rows_duplicate")) == (1, 1)
    assert warehouse.land().manifest is None, "it lands a third time"


def test_what_is_meant_must_be_clear(warehouse: Warehouse) -> None:
    """A typo or an ambiguous name takes something else out."""
    landed(warehouse, (1,), with_bad=True)
    for args, message in (
        (("retract",), "name a file"),
        (("retract", "1/spans-worse.jsonl", "--yes"), "no landed file"),
        (("retract", "%", "--yes"), "no landed file"),
        (("retract", "--batch", "9", "--yes"), "no batch 9"),
        (("retract", "1/spans-bad.jsonl", "--json"), "--yes or --dry-run"),
        (("retract", "1/spans-bad.jsonl", "--undo"), "fits 0 retracted files"),
    ):
        outcome = warehouse.cli(*args)
        assert outcome.code == 2, f"{args}: {outcome}"
        told = outcome.json()["error"] if "--json" in args else outcome.err
        assert message in told
        assert message in outcome.err
    assert not Lake(warehouse.settings.lake_dir).revisions()
