"""The code location. It puts the stages of every dataset together and nothing else."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs import (
    chunks,
    detections,
    indices,
    recordings,
    reports,
    saving,
    schedules,
    sensors,
    slurm_steps,
    upkeep,
)
from badc_assets.defs.code_versions import code_versions
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.executors import executor_for
from badc_assets.defs.failure_sensor import failure_sensor
from badc_assets.project import Project, load_projects

STAGES = (recordings, chunks, indices, detections, reports, saving, slurm_steps, upkeep, schedules, sensors)


def build_definitions(*projects: Project) -> dg.Definitions:
    """All definitions for these projects, one for each dataset. Where there are several, each has a name."""
    return dg.Definitions.merge(
        *(_dataset_definitions(project) for project in projects),
        dg.Definitions(sensors=[upkeep.mend_killed_runs], executor=executor_for(*projects)),
    )


def _dataset_definitions(project: Project) -> dg.Definitions:
    """Settings are part of the code versions, so a change makes assets stale."""
    dataset = Dataset(project)
    complete = dg.Definitions.merge(
        *(stage.definitions_for(dataset) for stage in STAGES), dg.Definitions(sensors=[failure_sensor(project)])
    )
    versions = code_versions(project)
    attributes = schedules.attributes(project.automation)

    def completed(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.path[-1]
        return spec.replace_attributes(code_version=versions[name], **attributes.get(name, {}))

    return complete.map_resolved_asset_specs(
        func=completed,
        selection=dg.AssetSelection.all(include_sources=False),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Found by `dagster dev`, `dagster asset materialize -m badc_assets.definitions` and `dg`."""
    return build_definitions(*load_projects())
