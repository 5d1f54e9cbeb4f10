"""The code location. It puts the stages together and nothing else."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs import chunks, detections, indices, jobs, recordings, reports, saving, schedules, sensors, upkeep
from badc_assets.defs.code_versions import code_versions
from badc_assets.defs.executors import executor_for
from badc_assets.defs.failure_sensor import failure_sensor
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
        sensors.definitions,
        saving.definitions_for(project),
        upkeep.definitions,
        schedules.automation(project.automation),
        dg.Definitions(sensors=[failure_sensor(project)]),
        dg.Definitions(resources={"project": project}, executor=executor_for(project)),
    )
    versions = code_versions(project)
    attributes = schedules.attributes(project.automation)

    def completed(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        return spec.replace_attributes(code_version=versions[name], **attributes.get(name, {}))

    return complete.map_resolved_asset_specs(
        func=completed,
        selection=dg.AssetSelection.all(include_sources=False),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Found by `dagster dev`, `dagster asset materialize -m badc_assets.definitions` and `dg`."""
    return build_definitions(load_project())
