"""What is left to do, from the files and from what Dagster knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badc_assets.project import Project

if TYPE_CHECKING:
    import dagster as dg


def outstanding_recordings(project: Project, instance: dg.DagsterInstance) -> list[str]:
    """Recordings that are there and have no results for their present state, or of whose results Dagster does not know."""
    import dagster as dg

    from badc_assets.inference.outstanding import outstanding
    from badc_assets.recordings.current import require_catalog

    known = instance.get_materialized_partitions(dg.AssetKey("detections"))
    catalog = require_catalog(project.layout)
    open_ids = outstanding(project.layout, catalog.entries, project.chunking, project.detector_info, project.inference)
    present = {entry.recording_id for entry in catalog.entries if entry.state != "vanished"}
    return sorted(open_ids | (present - known))


def recordings_without_bundle(project: Project, instance: dg.DagsterInstance) -> list[str]:
    """Recordings with results of which Dagster knows no report bundle made from them."""
    import dagster as dg

    from badc_assets.detections.store import read_result_status

    bundled = _versions(instance, "report_bundle")
    analysed = instance.get_materialized_partitions(dg.AssetKey("detections"))
    results = [read_result_status(project.layout, recording_id) for recording_id in sorted(analysed)]
    return [r.recording_id for r in results if r is not None and r.is_complete and bundled.get(r.recording_id) != r.key]


def _versions(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    import dagster as dg

    keys = sorted(instance.get_materialized_partitions(dg.AssetKey(asset)))
    if not keys:
        return {}
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"], asset_partitions=keys
    )
    return {key: value.get("dagster/data_version", "") for key, value in tags.items()}


def is_published(project: Project, instance: dg.DagsterInstance) -> bool:
    """True when the tables and the report are made from the present results with the present settings."""
    import dagster as dg

    from badc_assets.defs.code_versions import code_versions
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.inputs import inputs_digest

    tables = instance.get_latest_materialization_event(dg.AssetKey("detection_aggregates"))
    report = instance.get_latest_materialization_event(dg.AssetKey("dataset_report"))
    if not (tables and tables.asset_materialization and report and report.asset_materialization):
        return False
    digest = inputs_digest(project.layout, require_catalog(project.layout).all_ids)
    return (
        (tables.asset_materialization.tags or {}).get("dagster/data_version") == digest
        and (report.asset_materialization.tags or {}).get("dagster/code_version")
        == code_versions(project)["dataset_report"]
        and project.layout.database.is_file()
        and (project.layout.report_dir / "index.html").is_file()
    )
