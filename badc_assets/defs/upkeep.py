"""Looking through what is stored, and doing again what is broken."""

import time

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from badc_assets.defs import chunks, detections, recordings
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.jobs import PER_RECORDING
from badc_assets.defs.names import asset_key, partition_set
from badc_assets.defs.recovery import free_leaked_slots, mend_dead_runs
from badc_assets.project import Project


class FsckConfig(dg.Config):
    """How thoroughly to look."""

    full: bool = False


def dataset_is_consistent(
    context: dg.AssetCheckExecutionContext, config: FsckConfig, project: Project
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


def request_retry(context: dg.OpExecutionContext, project: Project) -> None:
    """Ask the daemon for runs over exactly the recordings that are broken now."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.upkeep.failures import broken_recordings

    with problems_as_failures():
        broken = broken_recordings(project.layout, require_catalog(project.layout).entries)
    known = set(context.instance.get_dynamic_partitions(partition_set(project)))
    keys = [each.recording_id for each in broken if each.recording_id in known]
    if not keys:
        context.log.info("Nothing is broken.")
        return
    for each in broken:
        context.log.info("%s: %s", each.recording_id, each)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=_stages(project),
        partition_names=keys,
        asset_selection=[asset_key(project, name) for name in PER_RECORDING],
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


def _stages(project: Project) -> AssetGraph:
    """What a retry goes through."""
    dataset = Dataset(project)
    stages = (each.definitions_for(dataset).assets or () for each in (recordings, chunks, detections))
    return AssetGraph.from_assets(
        [asset for stage in stages for asset in stage if isinstance(asset, dg.AssetsDefinition)]
    )


def _retry_failed(dataset: Dataset) -> dg.JobDefinition:
    request = dataset.op(request_retry)

    @dg.job(
        name=dataset.named("retry_failed"),
        description="Do again exactly the recordings that the check `failed_recordings` lists. Needs the daemon.",
    )
    def retry_failed() -> None:
        request()

    return retry_failed


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


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The check that looks through everything, and the job that does again what is broken."""
    return dg.Definitions(
        asset_checks=[dataset.check(dataset_is_consistent, asset="detection_aggregates")], jobs=[_retry_failed(dataset)]
    )
