"""Jobs to start by hand, by a schedule or by a sensor. Each takes its checks along, so that the gate holds."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs.partitions import recordings_partitions


def definitions() -> dg.Definitions:
    """The jobs of the project."""
    per_recording = dg.AssetSelection.assets("recordings", "chunk_manifest", "chunk_status", "detections")
    dataset_wide = dg.AssetSelection.assets("detection_aggregates", "dataset_report")
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                "catalogue",
                selection=dg.AssetSelection.assets("recording_catalog"),
                description="Look for new, changed and vanished files.",
            ),
            dg.define_asset_job(
                "process_recordings",
                selection=per_recording,
                partitions_def=recordings_partitions,
                description="Examine, chunk and analyse recordings. Start it for a range of recordings.",
            ),
            dg.define_asset_job(
                "publish",
                selection=dataset_wide,
                description="Rebuild the dataset-wide tables, the database and the report.",
            ),
        ]
    )
