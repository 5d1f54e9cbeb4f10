"""What runs by itself: what follows new recordings, tables, report, fsck. All of it is off until the project says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._utils.schedules import is_valid_cron_string

from badc_assets.defs.jobs import CONSISTENT, DATASET_WIDE
from badc_assets.errors import BadcError
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


def automation(settings: AutomationSettings) -> dg.Definitions:
    """The schedules and the sensor that starts what follows new recordings."""
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
                "follow_recordings",
                target=dg.AssetSelection.assets(*FOLLOWING),
                default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
                description="Chunks and analyses what was examined, where the blocking checks passed.",
            )
        ],
        schedules=[
            _aggregates(settings),
            dg.ScheduleDefinition(
                name="report_nightly",
                job_name="publish",
                cron_schedule=settings.report,
                execution_timezone=settings.zone,
                default_status=_status(running=running),
                description="Rebuilds tables and report.",
            ),
            dg.ScheduleDefinition(
                name="fsck_weekly",
                job_name="fsck",
                cron_schedule=settings.fsck,
                execution_timezone=settings.zone,
                run_config=_fsck_config(is_full=settings.fsck_full),
                default_status=_status(running=running),
                description="Compares manifests, results and tables, and looks for orphans and missing content.",
            ),
        ],
    )


def _aggregates(settings: AutomationSettings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="aggregates_hourly",
        job_name="aggregate",
        cron_schedule=settings.aggregates,
        execution_timezone=settings.zone,
        default_status=_status(running=settings.enabled),
        description="Rebuilds the dataset-wide tables when detections changed since they were made.",
    )
    def aggregates_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not detections_changed(context.instance):
            return dg.SkipReason("no detections changed since the tables were made")
        return dg.RunRequest()

    return aggregates_hourly


def detections_changed(instance: dg.DagsterInstance) -> bool:
    """Whether some recording was analysed after the tables were begun. Two lookups, however many recordings there are."""
    newest = instance.get_latest_materialization_event(dg.AssetKey("detections"))
    tables = instance.fetch_materializations(dg.AssetKey("detection_aggregates"), limit=1).records
    if newest is None:
        return False
    if not tables:
        return True
    stats = instance.get_run_record_by_id(tables[0].run_id)
    began = stats.start_time if stats is not None and stats.start_time else tables[0].timestamp
    return newest.timestamp >= began


def _fsck_config(*, is_full: bool) -> dict[str, object]:
    op = f"{CONSISTENT.asset_key.to_python_identifier()}_{CONSISTENT.name}"
    return {"ops": {op: {"config": {"full": is_full}}}}


def _status(*, running: bool) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
