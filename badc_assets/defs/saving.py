"""Results as commits of the DataLad dataset that they lie in. Part of the graph only where there is one."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.jobs import SAVES
from badc_assets.defs.versions import RecordingVersions
from badc_assets.project import Project

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end", "dagster/partition")


def saved_results(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult]:
    """The results of the batch as one commit of the dataset. Its version is the commit that last changed a recording's results.

    The commit is a record that `datalad rerun` does again. Only results are committed; other changes stay as they are.
    """
    from badc_assets.provenance.saving import DataladGateway
    from badc_assets.upkeep.saved import save_results

    with problems_as_failures():
        versions = RecordingVersions.begin(context, "saved_results")
        saved = save_results(project.layout, context.partition_keys, DataladGateway())
        if saved.commit:
            context.log.info("%d files are saved in commit %s", saved.files, saved.commit)
        for recording_id, commit in saved.commits.items():
            yield saved_event(project, versions, recording_id, commit, is_new=commit == saved.commit)
        yield versions.finish()


def saved_event(
    project: Project, versions: RecordingVersions, recording_id: str, commit: str, *, is_new: bool
) -> dg.AssetMaterialization:
    """The commit with the results of one recording, for Dagster."""
    metadata = {"commit": commit, "dataset": str(project.layout.output), "is new": is_new}
    return versions.materialization(recording_id, commit, metadata)


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """Nothing where results are not saved: the graph of a plain folder has no such asset."""
    if not dataset.project.saves_results:
        return dg.Definitions()
    saved = dataset.asset(
        saved_results,
        group="detections",
        deps=["detections"],
        per_recording=True,
        pool="datalad",
        kinds={"python", "git"},
        tags=SAVES,
    )
    save_results = dg.define_asset_job(
        dataset.named("save_results"),
        selection=dg.AssetSelection.assets(saved),
        partitions_def=dataset.recordings,
        description="Save results that are not saved yet, as one commit. Start it for a range of recordings.",
    )
    return dg.Definitions(assets=[saved], jobs=[save_results], sensors=[_save_after_failure(dataset, save_results)])


def _save_after_failure(dataset: Dataset, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    running = dataset.project.automation.enabled
    analysis = dataset.key("detections").to_python_identifier()

    @dg.run_failure_sensor(
        name=dataset.named("save_after_failure"),
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        request_job=job,
        description="Saves what a run finished although it failed: a range with one bad recording ends red.",
    )
    def save_after_failure(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        tags = {name: run.tags[name] for name in RANGE_TAGS if name in run.tags}
        started = context.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_START).records
        if not tags or not any(record.event_log_entry.step_key == analysis for record in started):
            return dg.SkipReason("the run analysed nothing")
        return dg.RunRequest(run_key=run.run_id, job_name=job.name, tags=tags)

    return save_after_failure
