"""The code location. It puts the stages together and nothing else."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs import chunks, detections, indices, jobs, recordings, reports
from badc_assets.defs.code_versions import code_versions
from badc_assets.defs.executors import executor_for
from badc_assets.project import Project, load_project


def build_definitions(project: Project) -> dg.Definitions:
    """All definitions for one project. Its settings are part of the code versions, so a change makes assets stale."""
    complete = dg.Definitions.merge(
        recordings.definitions,
        chunks.definitions,
        indices.definitions,
        detections.definitions,
        reports.definitions,
        jobs.definitions,
        dg.Definitions(resources={"project": project}, executor=executor_for(project)),
    )
    versions = code_versions(project)
    return complete.map_resolved_asset_specs(
        func=lambda spec: spec.replace_attributes(code_version=versions[spec.key.to_user_string()]),
        selection=dg.AssetSelection.all(include_sources=False),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Found by `dagster dev`, `dagster asset materialize -m badc_assets.definitions` and `dg`."""
    return build_definitions(load_project())
