"""The nightly job, its schedule, the landing sensor and the hook that names what failed."""

from __future__ import annotations

import hashlib

import dagster as dg

from orchestration import hooks
from orchestration.defs import dead_runs
from orchestration.defs.common import RAW_RUNS, RAW_SPANS, TOLD_TAG, failure_of
from orchestration.hooks import News
from orchestration.landing import mirror
from orchestration.settings import Settings

NIGHTLY = "nightly"
LANDING = "landing"


@dg.failure_hook(name="name_the_failure")
def name_the_failure(context: dg.HookContext) -> None:
    """Log one line that says which stage failed and why, for whoever reads only the last lines."""
    reason = str(context.op_exception).strip().splitlines()
    context.log.error(f"The night failed in {context.op.name}: {reason[0] if reason else 'no message'}")


def build_job(settings: Settings) -> dg.UnresolvedAssetJobDefinition:  # type: ignore[name-defined,unused-ignore]
    """Everything: land, build the touched dates, audit, publish, render. In one process, unless landing has several."""
    return dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        executor_def=_executor(settings),
        hooks={name_the_failure},
        description="Lands whatever is new, rebuilds exactly the touched usage dates in a candidate, audits it, publishes it and renders "
        "the reports. Publishes nothing when a blocking check fails.",
    )


def build_landing_job(settings: Settings) -> dg.UnresolvedAssetJobDefinition:  # type: ignore[name-defined,unused-ignore]
    """Landing alone: large exports need not wait for the night, which publishes what landed since."""
    return dg.define_asset_job(
        LANDING,
        selection=dg.AssetSelection.assets(RAW_RUNS, RAW_SPANS).without_checks(),
        executor_def=_executor(settings),
        hooks={name_the_failure},
        description="Lands whatever is new, and no more: the next nightly run builds and publishes it.",
    )


def _executor(settings: Settings) -> dg.ExecutorDefinition:
    if settings.landing_workers > 1:
        return dg.multiprocess_executor.configured({"max_concurrent": settings.landing_workers})
    return dg.in_process_executor


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


def build_news_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Tell the settings' webhooks and commands how runs ended that Dagster started; those of the command line tell it themselves.

    They run in Dagster's daemon, and are on where there is somebody to tell.
    """
    sensors: list[dg.SensorDefinition] = []

    def tell(context: dg.RunStatusSensorContext, *, success: bool, error: str, data_failed: bool) -> None:
        run = context.dagster_run
        if TOLD_TAG in run.tags:
            return
        record = context.instance.get_run_record_by_id(run.run_id)
        started, ended = (record.start_time, record.end_time) if record else (None, None)
        seconds = ended - started if started and ended else 0.0
        hooks.tell(
            settings,
            News(
                success=success,
                run_id=run.run_id,
                error=error,
                data_failed=data_failed,
                seconds=round(seconds, 3),
            ),
        )

    if settings.on_failure_webhook or settings.on_failure_command:

        @dg.run_failure_sensor(
            name="tell_failure",
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Tells the webhook or command of the settings that a run failed, and why.",
        )
        def tell_failure(context: dg.RunFailureSensorContext) -> None:
            error, data_failed = failure_of(context.get_step_failure_events()) or (
                context.failure_event.message or "the run failed before its first stage",
                False,
            )
            tell(context, success=False, error=error, data_failed=data_failed)

        sensors.append(tell_failure)
    if settings.on_success_webhook or settings.on_success_command:

        @dg.run_status_sensor(
            run_status=dg.DagsterRunStatus.SUCCESS,
            name="tell_success",
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Tells the webhook or command of the settings that a run ended well.",
        )
        def tell_success(context: dg.RunStatusSensorContext) -> None:
            tell(context, success=True, error="", data_failed=False)

        sensors.append(tell_success)
    return sensors


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
        listing = mirror.listing(settings)
        state = hashlib.sha256(repr(listing).encode()).hexdigest()
        if not listing or state == context.cursor:
            return dg.SkipReason("nothing new in the landing folder")
        dead_runs.close_if_idle(context.instance, settings)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=state)], cursor=state)

    return landing_sensor
