"""What is left to do, from the files and from what Dagster knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

    from badc_assets.project import Project


@dataclass(frozen=True)
class Work:
    """Recordings to process, and those that cannot be used and have not changed since that was found."""

    recordings: list[str]
    unusable: list[str]


def work_to_do(project: Project, instance: dg.DagsterInstance) -> Work:
    """What the files leave open, and what is done of which Dagster does not know."""
    from badc_assets.defs.names import asset_key
    from badc_assets.inference.outstanding import outstanding
    from badc_assets.recordings.current import require_catalog

    entries = require_catalog(project.layout).entries
    found = outstanding(project.layout, entries, project.recordings, project.wanted_results)
    present = {entry.recording_id for entry in entries if entry.state != "vanished"}
    analysed = instance.get_materialized_partitions(asset_key(project, "detections"))
    examined = instance.get_materialized_partitions(asset_key(project, "recordings"))
    unknown = (present - found.unusable - analysed) | (found.unusable - examined)
    missing = {entry.recording_id for entry in entries if entry.state == "content_missing"}
    to_fetch = found.unusable & missing if project.content.policy == "fetch" else frozenset()
    return Work(sorted(found.open | unknown | to_fetch), sorted((found.unusable & examined) - to_fetch))


def recordings_without_bundle(project: Project, instance: dg.DagsterInstance) -> list[str]:
    """Recordings with results that have no report bundle made from them with the present settings."""
    from badc_assets.defs.names import asset_key
    from badc_assets.reports.bundles import bundles_to_write

    analysed = sorted(instance.get_materialized_partitions(asset_key(project, "detections")))
    written = _data_versions(instance, asset_key(project, "report_bundle"))
    return bundles_to_write(project.layout, analysed, written, project.report)


def _data_versions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, str]:
    """Recording -> data version of its latest materialization."""
    import dagster as dg

    keys = sorted(instance.get_materialized_partitions(asset))
    if not keys:
        return {}
    name = "dagster/data_version"
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, [name], asset_partitions=keys
    )
    return {key: value.get(name, "") for key, value in tags.items()}


def is_published(project: Project, instance: dg.DagsterInstance) -> bool:
    """True when the tables and the report are made from the present results with the present settings."""
    from badc_assets.defs.code_versions import code_versions
    from badc_assets.defs.names import asset_key
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.inputs import inputs_digest

    entries = require_catalog(project.layout).entries
    versions = code_versions(project)
    tables = _latest_tags(instance, asset_key(project, "detection_aggregates"))
    report = _latest_tags(instance, asset_key(project, "dataset_report"))
    return (
        tables.get("dagster/data_version") == inputs_digest(project.layout, entries)
        and tables.get("dagster/code_version") == versions["detection_aggregates"]
        and report.get("dagster/code_version") == versions["dataset_report"]
        and project.layout.database.is_file()
        and (project.layout.report_dir / "index.html").is_file()
    )


def _latest_tags(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Mapping[str, str]:
    event = instance.get_latest_materialization_event(asset)
    return (event.asset_materialization.tags or {}) if event and event.asset_materialization else {}
