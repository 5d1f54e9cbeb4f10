"""When a run fails, whoever started it: a paragraph in the failure log, and word to whom the project names."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from badc_assets.defs.names import in_dataset
from badc_assets.project import Project
from badc_assets.upkeep.notify import FailedRun, FailedStep, tell

LOOK = "see what is broken with `badc retry --list`; `badc retry --failed` does exactly that again"
RUN_AGAIN = "start it again: what was finished is kept. `badc doctor` says whether something else is wrong"


def failure_sensor(project: Project) -> dg.SensorDefinition:
    """The sensor. It is switched with everything else that runs by itself."""
    running = project.automation.enabled

    @dg.run_failure_sensor(
        name=in_dataset(project, "tell_of_failures"),
        monitor_all_code_locations=True,  # runs of the command line belong to none
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description=f"Writes what failed, why, and what to do into {project.layout.failure_log}.",
    )
    def tell_of_failures(context: dg.RunFailureSensorContext) -> None:
        if not _is_of(project, context):
            return
        settings = project.automation
        failure = failed_run(context)
        for problem in tell(failure, project.layout.failure_log, settings.failure_webhook, settings.failure_command):
            context.log.warning(problem)

    return tell_of_failures


def _is_of(project: Project, context: dg.RunFailureSensorContext) -> bool:
    """Whether the run was about this dataset: by its job, or by an asset that it was asked for."""
    if not project.name:
        return True
    run = context.dagster_run
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return run.job_name.endswith(f"_{project.identifier}") or any(key.path[0] == project.identifier for key in keys)


def failed_run(context: dg.RunFailureSensorContext) -> FailedRun:
    """What the run's own events say of its failure."""
    run = context.dagster_run
    steps = tuple(_failed_steps(context))
    if not steps:
        message = context.failure_event.message or "the run gave no reason"
        steps = (FailedStep("run", message.splitlines()[0], RUN_AGAIN),)
    record = context.instance.get_run_record_by_id(run.run_id)
    ended = record.end_time if record is not None and record.end_time else datetime.now(UTC).timestamp()
    return FailedRun(
        run_id=run.run_id,
        job="dagster asset materialize" if run.job_name.startswith("__") else run.job_name,
        at=datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
        range=_range(run.tags),
        steps=steps,
    )


def _failed_steps(context: dg.RunFailureSensorContext) -> Iterator[FailedStep]:
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        failure = data.user_failure_data
        if failure is not None:
            why = (failure.description or "no reason given").splitlines()[0]
            remedy = failure.metadata.get("what to do")
            yield FailedStep(event.step_key or "a step", why, str(remedy.value) if remedy is not None else LOOK)
        elif data.error is not None:
            innermost = data.error
            while innermost.cause is not None:
                innermost = innermost.cause
            lines = [line for line in innermost.message.splitlines() if line.strip()]
            yield FailedStep(event.step_key or "a step", lines[0] if lines else "no reason given", RUN_AGAIN)


def _range(tags: Mapping[str, str]) -> str:
    first, last = tags.get("dagster/asset_partition_range_start"), tags.get("dagster/asset_partition_range_end")
    if first and last:
        return f"recordings {first} to {last}"
    only = tags.get("dagster/partition")
    return f"recording {only}" if only else ""
