"""What runs by itself: what follows new recordings, tables, report, fsck. All of it is off until the project says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._utils.schedules import is_valid_cron_string

from badc_assets.defs.dataset import Dataset
from badc_assets.defs.jobs import AGGREGATE, DATASET_WIDE, FSCK, PUBLISH, consistent
from badc_assets.defs.names import asset_key
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.upkeep.settings import AutomationSettings

FOLLOWING = ("chunk_manifest", "chunk_status", "detections")
"""What is made by itself when recordings were examined."""


def follow_when_sound() -> dg.AutomationCondition:
    """Made when an input changed and none is missing or being made, if every blocking check on the inputs passed: for each
    recording by itself, since the checks are partitioned."""
    return dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


def attributes(settings: AutomationSettings) -> dict[str, dict[str, Any]]:
    """Asset -> what automation adds to its spec. While automation is off nobody promises fresh tables, so none are missed."""
    conditions = {name: {"automation_condition": follow_when_sound()} for name in FOLLOWING}
    if not settings.enabled:
        return conditions
    fresh = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=settings.fresh_within_h))
    return conditions | {name: {"freshness_policy": fresh} for name in DATASET_WIDE}


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The schedules and the sensor that starts what follows new recordings."""
    settings = dataset.project.automation
    crons = {
        "automation.aggregates": settings.aggregates,
        "automation.report": settings.report,
        "automation.fsck": settings.fsck,
    }
    for name, cron in crons.items():
        if not is_valid_cron_string(cron):
            raise BadcError(name, f"{cron!r} is no cron expression", "write five fields, such as '0 3 * * *'")
    running = settings.enabled
    return dg.Definitions(
        sensors=[
            dg.AutomationConditionSensorDefinition(
                dataset.named("follow_recordings"),
                target=dataset.selection(*FOLLOWING),
                default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
                description="Chunks and analyses what was examined, where the blocking checks passed.",
            )
        ],
        schedules=[
            _aggregates(dataset),
            dg.ScheduleDefinition(
                name=dataset.named("report_nightly"),
                job_name=dataset.named(PUBLISH),
                cron_schedule=settings.report,
                execution_timezone=settings.zone,
                default_status=_status(running=running),
                description="Rebuilds tables and report.",
            ),
            dg.ScheduleDefinition(
                name=dataset.named("fsck_weekly"),
                job_name=dataset.named(FSCK),
                cron_schedule=settings.fsck,
                execution_timezone=settings.zone,
                run_config=_fsck_config(dataset.project, is_full=settings.fsck_full),
                default_status=_status(running=running),
                description="Compares manifests, results and tables, and looks for orphans and missing content.",
            ),
        ],
    )


def _aggregates(dataset: Dataset) -> dg.ScheduleDefinition:
    settings = dataset.project.automation

    @dg.schedule(
        name=dataset.named("aggregates_hourly"),
        job_name=dataset.named(AGGREGATE),
        cron_schedule=settings.aggregates,
        execution_timezone=settings.zone,
        default_status=_status(running=settings.enabled),
        description="Rebuilds the dataset-wide tables when detections changed since they were made.",
    )
    def aggregates_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not detections_changed(dataset.project, context.instance):
            return dg.SkipReason("no detections changed since the tables were made")
        return dg.RunRequest()

    return aggregates_hourly


def detections_changed(project: Project, instance: dg.DagsterInstance) -> bool:
    """Whether some recording was analysed after the tables were begun. Two lookups, however many recordings there are."""
    newest = instance.get_latest_materialization_event(asset_key(project, "detections"))
    tables = instance.fetch_materializations(asset_key(project, "detection_aggregates"), limit=1).records
    if newest is None:
        return False
    if not tables:
        return True
    stats = instance.get_run_record_by_id(tables[0].run_id)
    began = stats.start_time if stats is not None and stats.start_time else tables[0].timestamp
    return newest.timestamp >= began


def _fsck_config(project: Project, *, is_full: bool) -> dict[str, object]:
    check = consistent(project)
    op = f"{check.asset_key.to_python_identifier()}_{check.name}"
    return {"ops": {op: {"config": {"full": is_full}}}}


def _status(*, running: bool) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
