"""Looking through what is stored, and doing again what is broken."""

import time

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from badc_assets.defs.chunks import chunking
from badc_assets.defs.detections import detections
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.jobs import CONSISTENT, PER_RECORDING
from badc_assets.defs.recordings import recordings
from badc_assets.defs.recovery import free_leaked_slots, mend_dead_runs
from badc_assets.defs.settings import ProjectResource

_GRAPH = AssetGraph.from_assets([recordings, chunking, detections])
"""The stages that a retry goes through."""


class FsckConfig(dg.Config):
    """How thoroughly to look."""

    full: bool = False


@dg.asset_check(asset=CONSISTENT.asset_key, name=CONSISTENT.name)
def dataset_is_consistent(
    context: dg.AssetCheckExecutionContext, config: FsckConfig, project: ProjectResource
) -> dg.AssetCheckResult:
    """Manifests, results and tables agree; with `full` also with all sound that is here. The same as `badc fsck`."""
    from badc_assets.upkeep.fsck import fsck

    with problems_as_failures():
        result = fsck(
            project.layout,
            is_full=config.full,
            readers=project.recordings.readers,
            progress=lambda count: context.log.info("%d recordings looked through", count),
        )
    lines = [f"- {'**damage**' if f.is_damage else 'notice'} {f.subject}: {f.problem}; {f.remedy}"
             for f in (*result.damage, *result.notices)[:100]]  # fmt: skip
    return dg.AssetCheckResult(
        passed=not result.damage,
        metadata={
            "recordings": result.recordings,
            "damage": len(result.damage),
            "notices": len(result.notices),
            "full": result.is_full,
            "list": dg.MetadataValue.md("\n".join(lines) or "none"),
        },
    )


@dg.op
def request_retry(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    """Ask the daemon for runs over exactly the recordings that are broken now."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.upkeep.failures import broken_recordings

    with problems_as_failures():
        broken = broken_recordings(project.layout, require_catalog(project.layout).entries)
    known = set(context.instance.get_dynamic_partitions("recordings"))
    keys = [each.recording_id for each in broken if each.recording_id in known]
    if not keys:
        context.log.info("Nothing is broken.")
        return
    for each in broken:
        context.log.info("%s: %s", each.recording_id, each)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=_GRAPH,
        partition_names=keys,
        asset_selection=[dg.AssetKey(name) for name in PER_RECORDING],
        backfill_timestamp=time.time(),
        tags={"badc/retry": "failed"},
        dynamic_partitions_store=context.instance,
        all_partitions=False,
        title="retry of what is broken",
        description=f"{len(keys)} recordings, requested by run {context.run_id}",
        run_config=None,
    )
    context.instance.add_backfill(backfill)
    context.add_output_metadata({"recordings": len(keys), "backfill": backfill.backfill_id})


@dg.job(description="Do again exactly the recordings that the check `failed_recordings` lists. Needs the daemon.")
def retry_failed() -> None:
    """One backfill over what is broken."""
    request_retry()


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed: they would hold their places and pool slots for ever. Those of our jobs are "
    "then started again.",
)
def mend_killed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Always on: it starts nothing itself. Dagster does not look whether the process of a run still lives."""
    mended = mend_dead_runs(context.instance)
    free_leaked_slots(context.instance)
    return dg.SkipReason(f"ended {len(mended)} killed runs" if mended else "no run was killed")


definitions = dg.Definitions(asset_checks=[dataset_is_consistent], jobs=[retry_failed], sensors=[mend_killed_runs])
