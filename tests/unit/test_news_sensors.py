"""Runs that Dagster starts tell how they ended, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration import hooks
from orchestration.defs.common import TOLD_TAG, stop
from orchestration.defs.jobs import build_news_sensors
from orchestration.settings import Settings


@dg.op
def fails() -> None:
    stop("3 blocking checks failed", data_failed=True)


@dg.op
def works() -> None:
    pass


@dg.job
def bad_night() -> None:
    fails()


@dg.job
def good_night() -> None:
    works()


@pytest.mark.parametrize("tags", [{}, {TOLD_TAG: "command line"}], ids=["from Dagster", "from the command"])
def test_runs_tell_how_they_ended(
    tags: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the schedule fails and nobody hears of it; or of a run of the command line one hears twice."""
    told: list[hooks.News] = []
    monkeypatch.setattr(hooks, "tell", lambda _, news: told.append(news))
    settings = Settings(
        data_dir=tmp_path, on_failure_command="true", on_success_webhook="https://example.com"
    )
    sensors: dict[str, Any] = {sensor.name: sensor for sensor in build_news_sensors(settings)}
    with dg.DagsterInstance.ephemeral() as instance:
        for job, name in ((bad_night, "tell_failure"), (good_night, "tell_success")):
            result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
            context = dg.build_run_status_sensor_context(
                sensor_name=name,
                dagster_instance=instance,
                dagster_run=result.dagster_run,
                dagster_event=result.get_run_failure_event()
                if not result.success
                else result.get_run_success_event(),
            )
            sensors[name](context if result.success else context.for_run_failure())
            ended = result.run_id
            if not tags:
                assert (told[-1].run_id, told[-1].success) == (ended, result.success)
    assert [(news.success, news.error, news.data_failed) for news in told] == (
        [] if tags else [(False, "3 blocking checks failed", True), (True, "", False)]
    )


def test_without_hooks_there_is_no_sensor(tmp_path: Path) -> None:
    """Dagster's daemon looks at every run for nothing."""
    assert build_news_sensors(Settings(data_dir=tmp_path)) == []
