"""Forgetting a user in the lake: exactly their rows, by either form of their id, for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.landing import erasure, privacy, retraction
from tests.landing_helpers import RUNS, Night, run, span
from tests.traces import traces

SALT = "a salt of the tests"
USER = "anna-4711"


def forget(night: Night, user_id: str) -> erasure.Erasure:
    made = erasure.prepare(night.settings, user_id)
    night.lake.commit_revision(made.revision)
    erasure.sweep(night.settings)
    return made


@pytest.mark.parametrize("known_as", [USER, privacy.pseudonym(SALT, USER)], ids=["id", "hash"])
def test_hashed_users_are_forgotten_by_either_form(tmp_path: Path, known_as: str) -> None:
    """Who knows the id cannot find the hash in the lake, or who sees the hash on a page cannot name the id."""
    night = Night(tmp_path, user_id_salt=SALT)
    night.land(run("r1", user_id=USER), run("r2", user_id="other"))
    made = forget(night, known_as)
    assert made.rows_by_entity == {"runs": 1, "spans": 0}
    night.land(run("r3", user_id=USER), name="later.jsonl")
    other = privacy.pseudonym(SALT, "other")
    assert [row["user_id"] for row in night.rows(RUNS)] == ["forgotten", other, "forgotten"]
    assert traces(night.settings.lake_dir, [USER, privacy.pseudonym(SALT, USER)]) == []


def test_exactly_their_rows_change(tmp_path: Path) -> None:
    """The rows of somebody else are emptied with them: of the same file, of a child with a user of its own, of a user whose id contains
    theirs; or parts are written anew for nothing.
    """
    night = Night(tmp_path)
    words = {"user_metadata": {"plan": "pro"}, "error_message": "why", "status": "failed"}
    night.land(
        run("parent", user_id=USER, **words),
        run("child", parent_run_id="parent", **words),
        run("grandchild", parent_run_id="child", **words),
        run("child_of_another", parent_run_id="parent", user_id="bob", **words),
        run("longer", user_id=f"{USER}-b", **words),
        run("nobody", **words),
        span("s1", run_id="grandchild", error_message="why"),
        span("s1", run_id="longer", error_message="why"),
        f"{USER}-b is no row",
        f'{{"run_id": "broken", "user_id": "{USER}"}}',
        name="1.jsonl",
    )
    night.land(run("untouched", user_id="bob", started_at="2026-05-02T10:00:00Z"), name="2.jsonl")
    untouched = [part.files for part in night.lake.manifests()[1].parts]
    made = forget(night, USER)
    assert (made.runs, made.rows_by_entity, made.lines_in_quarantine, made.batches) == (
        3, {"runs": 3, "spans": 1}, 1, [1],
    )  # fmt: skip
    emptied = {row["run_id"] for row in night.rows(RUNS) if row["user_metadata"] is None}
    assert emptied == {"parent", "child", "grandchild", "untouched"}
    users = {row["run_id"]: row["user_id"] for row in night.rows(RUNS) if row["user_id"]}
    assert users == {
        "parent": "forgotten",
        "child_of_another": "bob",
        "longer": f"{USER}-b",
        "untouched": "bob",
    }
    assert {row["run_id"]: row["error_message"] for row in night.rows()} == {
        "grandchild": None,
        "longer": "why",
    }
    (path,) = night.lake.quarantine_paths(night.lake.manifests())
    raws = [row[0] for row in night.query(f"select raw from read_parquet('{path}') order by line_number")]
    assert raws == [f"{USER}-b is no row", privacy.ERASED]
    assert [part.files for part in night.lake.manifests()[1].parts] == untouched
    for manifest in night.lake.manifests():
        assert sum(part.row_count for part in manifest.parts) == manifest.total("rows_loaded")
    assert forget(night, USER).batches == [], "a second time finds them again"


def test_forgetting_and_retracting_go_together(tmp_path: Path) -> None:
    """What is read again for a retraction brings the user back; or a retraction's old parts keep them."""
    night = Night(tmp_path)
    night.land(run("bad", user_id=USER), span("s1", run_id="bad"), name="bad.jsonl")
    night.land(run("bad", user_id=USER), run("good", user_id=USER), name="good.jsonl")
    forget(night, USER)
    chosen = retraction.find(night.settings, night.lake.manifests(), ["bad.jsonl"])
    made = retraction.prepare(night.settings, chosen)
    night.lake.commit_revision(made.revision)
    assert {row["run_id"]: row["user_id"] for row in night.rows(RUNS)} == {
        "bad": "forgotten",
        "good": "forgotten",
    }
    assert traces(night.settings.lake_dir, [USER]) == []
    erasure.sweep(night.settings)
    assert len(night.rows(RUNS)) == 2, "the sweep takes what the retraction made"
