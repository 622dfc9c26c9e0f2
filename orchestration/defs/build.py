"""Puts the definitions together: a function of the settings, so that tests pass their own paths."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.jobs import (
    build_job,
    build_landing_job,
    build_news_sensors,
    build_schedule,
    build_sensor,
)
from orchestration.defs.landing import build_landing
from orchestration.defs.publication import build_publication
from orchestration.defs.quality import build_quality
from orchestration.defs.warehouse import build_warehouse
from orchestration.settings import Settings, load


def build_definitions(settings: Settings | None = None, *, in_one_process: bool = False) -> dg.Definitions:
    """A fresh `Definitions` over the given settings (the environment's by default), for a caller who runs all steps in this process or for
    a deployment.
    """
    chosen = settings or load()
    warehouse = build_warehouse(chosen)
    model_keys = sorted(warehouse[1].keys, key=lambda key: list(key.path))
    # What readers see of the published file; staging and intermediate models are on the way to these.
    published_keys = [key for key in model_keys if key.path[-1].startswith(("fct_", "dim_", "mart_"))]
    return dg.Definitions(
        assets=[
            build_landing(chosen, in_one_process=in_one_process),
            *warehouse,
            *build_publication(chosen, published_keys),
        ],
        asset_checks=[build_quality(chosen, [key.path[-1] for key in model_keys])],
        jobs=[build_job(chosen), build_landing_job(chosen)],
        schedules=[build_schedule(chosen)],
        sensors=[build_sensor(chosen), *build_news_sensors(chosen)],
    )
