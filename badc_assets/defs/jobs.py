"""Jobs to start by hand, by a schedule or by a sensor. Each takes its checks along, so that the gate holds."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs.partitions import recordings_partitions

PER_RECORDING = ("recordings", "chunk_manifest", "chunk_status", "detections")
DATASET_WIDE = ("detection_aggregates", "dataset_report")
SAVES = {"badc/saves": "yes"}
"""The tag of what saves results into their dataset. Where nothing does, a selection by it is empty."""
CONSISTENT = dg.AssetCheckKey(dg.AssetKey("detection_aggregates"), "dataset_is_consistent")
"""The check that looks through everything. It has a job of its own, and does not run whenever the tables are made."""
KILLED_IS_RETRIED = {
    "dagster/max_retries": "3",
    "dagster/retry_strategy": "ALL_STEPS",
    "dagster/retry_on_asset_or_op_failure": "false",
}
"""A run whose process was killed is started again, and finds what was finished. One that failed waits for a person."""

catalogue = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.assets("recording_catalog"),
    tags=KILLED_IS_RETRIED,
    description="Look for new, changed and vanished files.",
)
process_recordings = dg.define_asset_job(
    "process_recordings",
    selection=dg.AssetSelection.assets(*PER_RECORDING) | dg.AssetSelection.tag(*next(iter(SAVES.items()))),
    partitions_def=recordings_partitions,
    tags=KILLED_IS_RETRIED,
    description="Examine, chunk and analyse recordings, and save the results. Start it for a range of recordings.",
)
aggregate = dg.define_asset_job(
    "aggregate",
    selection=dg.AssetSelection.assets("detection_aggregates") - dg.AssetSelection.checks(CONSISTENT),
    tags=KILLED_IS_RETRIED,
    description="Rebuild the dataset-wide tables and the database.",
)
publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.assets(*DATASET_WIDE) - dg.AssetSelection.checks(CONSISTENT),
    tags=KILLED_IS_RETRIED,
    description="Rebuild the dataset-wide tables, the database and the report.",
)

fsck = dg.define_asset_job(
    "fsck",
    selection=dg.AssetSelection.checks(CONSISTENT),
    tags=KILLED_IS_RETRIED,
    description="Compare manifests with sound, results with manifests, and tables with results.",
)

definitions = dg.Definitions(jobs=[catalogue, process_recordings, aggregate, publish, fsck])
