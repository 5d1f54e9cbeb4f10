"""Run assets in a test, as a person would from the web page."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from badc_assets.definitions import build_definitions
from badc_assets.project import Project

PER_RECORDING = ("recordings", "chunk_manifest", "chunk_status", "detections")


def run_assets(
    project: Project,
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    recordings: Sequence[str] = (),
    *,
    checks: bool = True,
) -> dg.ExecuteInProcessResult:
    """Materialize `assets`; for one recording, or for the range from the first to the last of `recordings`."""
    definitions = build_definitions(project)
    selection = dg.AssetSelection.assets(*assets)
    if not checks:
        selection = selection.without_checks()
    job = dg.define_asset_job("test_job", selection=selection)
    resolved = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("test_job")
    tags, key = {}, None
    if len(recordings) == 1:
        key = recordings[0]
    elif recordings:
        tags = {
            "dagster/asset_partition_range_start": recordings[0],
            "dagster/asset_partition_range_end": recordings[-1],
        }
    return resolved.execute_in_process(instance=instance, tags=tags, partition_key=key, raise_on_error=False)


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """The recordings of which Dagster knows a materialization."""
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def failure_text(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps said."""
    texts = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            texts.append(str(data.user_failure_data.description if data.user_failure_data else data.error))
    return "\n".join(texts)
