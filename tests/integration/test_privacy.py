"""Secrets are in no file, a workspace that is given away tells of no other, a user who asks to be forgotten is nowhere any more.

One night serves all three.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import erasure
from orchestration.landing.lake import Lake
from tests.traces import traces
from tests.warehouse_fixture import Outcome, Warehouse, at, call_row, run_row

pytestmark = pytest.mark.xdist_group("publication")

USER = "anna.smith-4711"
TOLD = ("Anna Smith", "anna@example.com", "her own words")
KEY, AWS_KEY, BEARER = "sk-proj-Zq81LmXw03RtYv55KbNd", "AKIAZZ81LMXW03RTYV55", "Zq81LmXw03RtYv55KbNdToken"
PLANTED = "planted-environment-secret-93"
HOOK = "planted-hook-secret-57"
"""Part of a webhook's address, where chat programs put the password."""
DAY = "2026-10-02"


def rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """An agent's run of the user with a child, both on one day; texts that tell the user stand in every place that takes any."""
    told = {"email": TOLD[1], "name": TOLD[0]}
    runs = [
        run_row(
            "req_anna", at(f"{DAY} 10:00"), run_type="agent", user_id=USER, user_metadata=told, status="failed",
            error_message=f"{USER}: {TOLD[2]} {KEY}", api_key_name=KEY, api_key_id=AWS_KEY,
        ),
        run_row("req_anna_child", at(f"{DAY} 10:01"), user_id=None, parent_run_id="req_anna", user_metadata=told),
    ]  # fmt: skip
    spans = [
        call_row("req_anna", "s1", at(f"{DAY} 10:00:01"), error_message=TOLD[2], note=USER),
        call_row("req_anna_child", "s1", at(f"{DAY} 10:01:01"), note=TOLD[1], header=f"Bearer {BEARER}"),
        call_row("req_anna", "s2", at(f"{DAY} 10:00:03"), service="Google Search", model=None, kind="tool",
                 attributes={"depth": 60, "asked": TOLD[2]}, provider_cost_usd=None, task_credits=None),
    ]  # fmt: skip
    return runs, spans


OTHERS = (
    "ws_zebra", "Zebra Industries", "req_zebra", "zebra-user", "zebra-key", "zebra-llm", "zebra-batch", "zebra-prompt", "7.654321", "98765",
    "zebra words", "zebra*",
)  # fmt: skip
"""What only the other workspace has: ids, names, a model, a landing path, amounts."""


def of_another_workspace() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    runs = [
        run_row(
            "req_zebra", at(f"{DAY} 12:00"), workspace="ws_zebra", user_id="zebra-user", api_key_name="zebra-key",
            resource_id="zebra-prompt", resource_name="zebra-prompt",
        )
    ]  # fmt: skip
    amounts = {"model": "zebra-llm", "provider": "zebra", "input_tokens": 98765}
    spans = [
        call_row(
            "req_zebra",
            "s1",
            at(f"{DAY} 12:00:01"),
            workspace="ws_zebra",
            provider_cost_usd="7.654321",
            **amounts,
        ),
        call_row(
            "req_zebra", "s2", at(f"{DAY} 12:00:02"), workspace="ws_zebra", provider_cost_usd=None, **amounts
        ),
        call_row("req_zebra", "s3", at(f"{DAY} 12:00:03"), workspace="ws_zebra", error_message="zebra words"),
    ]
    return runs, spans


def totals(warehouse: Warehouse) -> dict[str, Any]:
    """Every total of a day or of a workspace that anybody may have noted down."""
    return {
        "by_day": warehouse.query("from marts.mart_analytics__total_cost order by all"),
        "services": warehouse.query("from marts.mart_analytics__service_costs order by all"),
        "runs": warehouse.query(
            "select run_id, own_total_tokens, total_cost_usd, total_task_credits, status from facts.fct_run_usage order by all"
        ),
        "of_users": warehouse.query(
            "select usage_date, workspace_id, count(*), sum(total_cost_usd) from marts.mart_users__activity group by all order by all"
        ),
    }


def alone_is_alone(warehouse: Warehouse, folder: Path) -> None:
    """What is given away of `ws_a` has all of it and no trace of the others."""
    missed = set(OTHERS) - {
        place.rpartition(": ")[2]
        for place in traces(warehouse.settings.data_dir, OTHERS, without=["landing", "lake"])
    }
    assert not missed, f"these are nowhere, so that looking for them means nothing: {missed}"
    given = warehouse.cli("publish", "--workspace", "ws_a", "--to", str(folder), "--json")
    assert given.code == 0, given.err
    assert traces(folder, [*OTHERS, "ws_b", "req_b"]) == []
    for table in (
        "facts.fct_span_usage",
        "marts.mart_logs__agent_runs",
        "marts.mart_users__summary",
        "meta.dates",
    ):
        one = "where workspace_id = 'ws_a'" if not table.startswith("meta.") else ""
        assert warehouse.query(f"from {table} {one} order by all") == warehouse.query(
            f"from {table} order by all", folder / "usage.duckdb"
        ), f"{table} of the workspace is not whole"
    assert warehouse.query("select 1 from dimensions.dim_price limit 1", folder / "usage.duckdb")
    (index,) = [path for path in (folder / "site").iterdir() if path.name == "index.html"]
    assert "ws_a" in index.read_text(encoding="utf-8")
    again = warehouse.cli("publish", "--workspace", "ws_a", "--to", str(folder), "--json")
    assert (again.code, again.json()["files_written"]) == (0, 0), (
        "the same workspace again writes other pages"
    )
    for workspace, target in (
        ("ws_b", folder),
        ("ws_nobody", folder.parent / "other"),
        ("ws_a", warehouse.settings.published_dir),
    ):
        refused = warehouse.cli("publish", "--workspace", workspace, "--to", str(target))
        assert (refused.code, refused.out) == (2, ""), f"{workspace} is written to {target}"


def secrets_are_nowhere(warehouse: Warehouse, night: Outcome) -> None:
    """Keys of the landing files and secrets of environment and settings are in no file, the quarantine included, nor in what is printed."""
    told = [word.removeprefix("sk-proj-") for word in (KEY, BEARER, PLANTED, HOOK)] + [AWS_KEY]
    assert "the webhook for success could not be reached" in night.err, (
        "nobody tried to use the secret of the settings"
    )
    assert traces(warehouse.settings.data_dir, told, without=["landing"]) == []
    assert [word for word in told if word in night.out + night.err] == []
    assert warehouse.one("select count(*) from facts.fct_run_usage where api_key_name = 'sk-...KbNd'") == 1
    warned = warehouse.query(
        "select severity, status from meta.check_results where check_name = 'fct_span_usage__no_masked_key' "
        "order by publication_id desc limit 1"
    )
    assert warned == [("warning", "fail")], "nobody is told that an export holds keys"


def forgotten_is_forgotten(warehouse: Warehouse, environment: dict[str, str]) -> None:
    """The user is in every place before, in none after, and no amount changes."""
    settings = warehouse.settings
    told = [USER, *TOLD]
    places = traces(settings.data_dir, told, without=["landing"])
    assert {"lake", "published", "site"} <= {place.partition(":")[0].split("/")[0] for place in places}
    before = totals(warehouse)
    lake = Lake(settings.lake_dir)
    dry = warehouse.cli("forget", "--user", USER, "--dry-run", "--json", **environment)
    assert dry.code == 0, dry.err
    counted = {"runs": 2, "run_rows": 2, "span_rows": 3, "lines_in_quarantine": 1, "batches": [2]}
    assert dry.json() == {"forgotten": counted}
    refused = warehouse.cli("forget", "--user", USER, stdin="n\n", **environment)
    assert refused.code == 2, "a no is taken for a yes"
    assert lake.revisions() == [], "a dry run, or a no, leaves something behind"

    done = warehouse.cli("forget", "--user", USER, "--yes", "--json", **environment)
    assert done.code == 0, done.err + done.out
    assert done.json()["forgotten"] == counted
    assert USER not in done.out + done.err
    assert traces(settings.data_dir, told, without=["landing"]) == []
    assert totals(warehouse) == before, "forgetting somebody changes amounts"
    users = warehouse.query("select distinct user_id from facts.fct_run_usage where run_id = 'req_anna'")
    assert users == [("forgotten",)]
    attributes = warehouse.query(
        "select attributes from facts.fct_span_usage where run_id = 'req_anna' and span_id = 's2'"
    )
    assert attributes == [('{"depth":60}',)], "what the rate card reads is gone, or more than that is left"
    assert warehouse.cli("rollback").code == 2, "a kept publication still names the user"


def test_nothing_is_told_that_must_not_be(published: Warehouse, tmp_path: Path) -> None:
    """A secret is written down; a workspace alone tells of another; a user who was erased is still in some file, comes back with a file
    that is sent again, takes amounts along, or stays where the machine dies in the middle.
    """
    warehouse = published
    settings = warehouse.settings
    others, their_spans = of_another_workspace()
    broken = {"span_id": "broken", "workspace_id": "ws_zebra"}
    warehouse.drop("zebra-batch/runs.jsonl", others)
    warehouse.drop("zebra-batch/spans.jsonl", [*their_spans, broken])
    runs, spans = rows()
    warehouse.drop("anna/runs.jsonl", runs)
    warehouse.drop("anna/spans.jsonl", [*spans, {"span_id": "broken", "note": USER, "key": KEY}])
    prices, told = tmp_path / "prices.csv", tmp_path / "settings.toml"
    prices.write_text(
        "provider,model,meter,unit_price_usd\nzebra,zebra*,uncached_input,2\n", encoding="utf-8"
    )
    told.write_text(
        f'on_success_webhook = "http://127.0.0.1:9/{HOOK}"\n[workspaces.ws_zebra]\nname = "Zebra Industries"\n',
        encoding="utf-8",
    )
    environment = {"CREDIT_USAGE_PRICE_FILE": str(prices), "CREDIT_USAGE_CONFIG": str(told)}
    night = warehouse.cli(
        "nightly",
        "--json",
        "--log-format",
        "json",
        OPENAI_API_KEY=PLANTED,
        AWS_SECRET_ACCESS_KEY=PLANTED,
        **environment,
    )
    assert night.code == 0, night.err + night.out
    secrets_are_nowhere(warehouse, night)
    alone_is_alone(warehouse, tmp_path / "alone")
    forgotten_is_forgotten(warehouse, environment)

    # The same rows again, in another file, with a new run of the user.
    lake = Lake(settings.lake_dir)
    again = run_row("req_anna_2", at(f"{DAY} 11:00"), user_id=USER, user_metadata={"email": TOLD[1]})
    warehouse.drop("anna/again.jsonl", [*spans, again, *runs])
    warehouse.land()
    back = traces(settings.data_dir, [USER, *TOLD], without=["landing"])
    assert back == [], "the user comes back with a file that is sent again"
    duplicates = [manifest.total("rows_duplicate") for manifest in lake.manifests()]
    assert duplicates == [0, 0, 5], "rows of the forgotten user are news"

    # A crash right after the commit.
    made = erasure.prepare(settings, "user-2")
    lake.commit_revision(made.revision)
    assert made.rows_by_entity == {"runs": 1, "spans": 1}
    assert traces(settings.lake_dir, ["user-2"]), "the old parts are gone already: nothing is left to do"
    (settings.warehouse_dir / "failed.duckdb").write_bytes(b"an attempt of before")
    os.utime(settings.warehouse_dir / "failed.duckdb", (1, 1))
    warehouse.land()
    assert traces(settings.lake_dir, ["user-2"]) == [], "a crash before the sweeping leaves the old parts"
    assert not (settings.warehouse_dir / "failed.duckdb").exists()
    assert json.loads(lake.revision_path(2).read_text())["forget_salt"] == lake.revisions()[0].forget_salt
