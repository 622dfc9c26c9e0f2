"""A published file that another version wrote is told apart and rebuilt from the lake; what is rebuilt equals what nights made, whatever
their clocks said.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest

from orchestration import night, sql
from orchestration.landing.lake import Lake
from orchestration.publication import candidate, publish
from orchestration.warehouse import dbt
from tests.integration.test_publication import drop_fourth_day
from tests.warehouse_fixture import Warehouse, differences

pytestmark = pytest.mark.xdist_group("publication")

NEWER_KEYS = ("prices", "lake_revision")
"""Of the manifest: what the first versions did not write."""


def age(warehouse: Warehouse) -> None:
    """Make the published file one of an older version: a column less, tables less, another fingerprint, a shorter manifest."""
    settings = warehouse.settings
    with sql.connect(settings, settings.published_path) as connection:
        for statement in (
            "alter table marts.mart_analytics__total_cost drop column unpriced_call_count",
            "drop table marts.mart_analytics__service_costs",
            "drop table meta.dates",
            "drop table meta.changes",
            "drop table meta.retractions",
        ):
            connection.execute(statement)
        ((text,),) = connection.execute("select manifest from meta.publication").fetchall()
        manifest = {key: value for key, value in json.loads(text).items() if key not in NEWER_KEYS}
        manifest["fingerprint"] = "of another version"
        connection.execute("update meta.publication set manifest = ?", [json.dumps(manifest, sort_keys=True)])
    publish._write_manifest(settings, manifest, candidate.hash_of(settings.published_path))


def test_a_clock_that_goes_backwards_then_an_older_warehouse_are_made_good(
    published: Warehouse, tmp_path: Path
) -> None:
    """Publications or versions are put in order by the clock, so that a wrong one hides what is new. A night builds on tables of another
    version, a look at them ends in a traceback, or a rebuild gives other rows than nights.
    """
    drop_fourth_day(published)
    with mock.patch.dict(os.environ, CREDIT_USAGE_NOW="2020-02-29T00:00:00+00:00"):
        publication = published.night(with_tests=False, suites=True)
    assert publication is not None
    assert (publication.publication_id, publication.published_at[:10]) == ("000002", "2020-02-29")
    assert published.one("select published_at < previous_published_at from meta.publication"), (
        "the clock did not go backwards: nothing is proved"
    )
    assert published.one("select count(*) from facts.fct_run_usage where run_id = 'req_4'") == 1
    by_nights = tmp_path / "by_nights.duckdb"
    by_nights.write_bytes(published.settings.published_path.read_bytes())
    age(published)
    assert differences(published, by_nights, published.settings.published_path), "nothing is older"

    plan = candidate.make_plan(published.settings, Lake(published.settings.lake_dir).manifests())
    assert plan.is_full_build
    assert plan.reason.startswith("models changed")
    assert plan.applied_batches == plan.new_batches == (1, 2)
    status = published.cli("status", "--json")
    assert status.code == 0, status.err
    assert status.json()["published"]["publication_id"] == "000002"
    findings = {item["name"]: item for item in published.cli("doctor", "--json").json()["findings"]}
    assert findings["published file"]["status"] == "warn", findings["published file"]

    refused = published.cli("rebuild")
    assert (refused.code, refused.out) == (2, ""), "a rebuild starts although nobody said --from-lake"
    with mock.patch.object(dbt, "NIGHTLY_ARGS", ("run",)):
        done = published.cli("rebuild", "--from-lake", "--json")
    assert done.code == 0, done.err + done.out
    assert (done.json()["full_build"], done.json()["publication_id"]) == ("asked for", "000003")
    assert differences(published, by_nights, published.settings.published_path) == []
    assert published.one("select count(*) from meta.batches") == 2
    assert night.prepare(published.settings, run_id="test").is_empty, "the rebuilt file is taken for old"
