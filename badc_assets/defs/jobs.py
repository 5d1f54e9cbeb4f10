"""Jobs to start by hand, by a schedule or by a sensor. Each takes its checks along, so that the gate holds."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from badc_assets.defs import names
from badc_assets.defs.dataset import Dataset
from badc_assets.project import Project

PER_RECORDING = ("recordings", "chunk_manifest", "chunk_status", "detections")
DATASET_WIDE = ("detection_aggregates", "dataset_report")
SAVES = {"badc/saves": "yes"}
"""The tag of what saves results into their dataset. Where nothing does, a selection by it is empty."""
CATALOGUE, PROCESS, AGGREGATE, PUBLISH, FSCK = "catalogue", "process_recordings", "aggregate", "publish", "fsck"
KILLED_IS_RETRIED = {
    "dagster/max_retries": "3",
    "dagster/retry_strategy": "ALL_STEPS",
    "dagster/retry_on_asset_or_op_failure": "false",
}
"""A run whose process was killed is started again, and finds what was finished. One that failed waits for a person."""


def consistent(project: Project) -> dg.AssetCheckKey:
    """The check that looks through everything. It has a job of its own, and does not run whenever the tables are made."""
    return names.check_key(project, "detection_aggregates", "dataset_is_consistent")


def jobs_of(dataset: Dataset) -> dict[str, UnresolvedAssetJobDefinition]:
    """The jobs of a dataset, by their plain names above."""
    through = dg.AssetSelection.checks(consistent(dataset.project))
    saved = dg.AssetSelection.tag(*next(iter(SAVES.items()))) & dg.AssetSelection.groups(dataset.named("detections"))
    selections = {
        CATALOGUE: (dataset.selection("recording_catalog"), "Look for new, changed and vanished files."),
        AGGREGATE: (
            dataset.selection("detection_aggregates") - through,
            "Rebuild the dataset-wide tables and the database.",
        ),
        PUBLISH: (
            dataset.selection(*DATASET_WIDE) - through,
            "Rebuild the dataset-wide tables, the database and the report.",
        ),
        FSCK: (through, "Compare manifests with sound, results with manifests, and tables with results."),
    }
    jobs = {
        name: dg.define_asset_job(
            dataset.named(name), selection=selection, tags=KILLED_IS_RETRIED, description=description
        )
        for name, (selection, description) in selections.items()
    }
    process = dg.define_asset_job(
        dataset.named(PROCESS),
        selection=dataset.selection(*PER_RECORDING) | saved,
        partitions_def=dataset.recordings,
        tags=KILLED_IS_RETRIED,
        description="Examine, chunk and analyse recordings, and save the results. Start it for a range of recordings.",
    )
    return {**jobs, PROCESS: process}
