"""Jobs to start by hand, by a schedule or by a sensor. Each takes its checks along, so that the gate holds."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs.partitions import recordings_partitions

PER_RECORDING = ("recordings", "chunk_manifest", "chunk_status", "detections")
DATASET_WIDE = ("detection_aggregates", "dataset_report")

catalogue = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.assets("recording_catalog"),
    description="Look for new, changed and vanished files.",
)
process_recordings = dg.define_asset_job(
    "process_recordings",
    selection=dg.AssetSelection.assets(*PER_RECORDING),
    partitions_def=recordings_partitions,
    description="Examine, chunk and analyse recordings. Start it for a range of recordings.",
)
publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.assets(*DATASET_WIDE),
    description="Rebuild the dataset-wide tables, the database and the report.",
)

definitions = dg.Definitions(jobs=[catalogue, process_recordings, publish])
