"""The nightly job, its schedule, the landing sensor and the hook that names what failed."""

from __future__ import annotations

import hashlib

import dagster as dg

from orchestration.defs import dead_runs
from orchestration.settings import Settings

NIGHTLY = "nightly"


@dg.failure_hook(name="name_the_failure")
def name_the_failure(context: dg.HookContext) -> None:
    """Log one line that says which stage failed and why, for whoever reads only the last lines."""
    reason = str(context.op_exception).strip().splitlines()
    context.log.error(f"The night failed in {context.op.name}: {reason[0] if reason else 'no message'}")


def build_job() -> dg.UnresolvedAssetJobDefinition:  # type: ignore[name-defined,unused-ignore]
    """Everything, in one process: land, build the touched dates, audit, publish, render."""
    return dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        hooks={name_the_failure},
        description="Lands whatever is new, rebuilds exactly the touched usage dates in a candidate, audits it, publishes it and renders "
        "the reports. Publishes nothing when a blocking check fails.",
    )


def build_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The nightly schedule; cron and time zone are settings."""

    def start(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        dead_runs.close_if_idle(context.instance, settings)
        return dg.RunRequest()

    return dg.ScheduleDefinition(
        name="nightly_schedule",
        job_name=NIGHTLY,
        cron_schedule=settings.schedule_cron,
        execution_timezone=settings.schedule_time_zone,
        execution_fn=start,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Runs the nightly job. Turn it on here, or run `credit-usage nightly` from cron instead.",
    )


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """Starts the nightly job when the landing folder changed; off by default."""

    @dg.sensor(
        name="landing_sensor",
        job_name=NIGHTLY,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Runs the nightly job as soon as files arrive, for those who want their numbers before the night.",
    )
    def landing_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        listing = sorted(
            (path.relative_to(settings.landing_dir).as_posix(), stat.st_size, stat.st_mtime_ns)
            for path in settings.landing_dir.rglob("*")
            if path.is_file()
            for stat in [path.stat()]
        )
        state = hashlib.sha256(repr(listing).encode()).hexdigest()
        if not listing or state == context.cursor:
            return dg.SkipReason("nothing new in the landing folder")
        dead_runs.close_if_idle(context.instance, settings)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=state)], cursor=state)

    return landing_sensor
