"""The project in the record of a run, and back: what a run was made with can be made again, on whatever computer."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from badc_assets.detections.run_record import RunRecord
from badc_assets.detectors.registry import DETECTORS
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.provenance.git import dataset_commit

if TYPE_CHECKING:
    from badc_assets.chunks.status import Clock

PACKAGES = ("badc-assets", "dagster", "torch")


def run_record(project: Project, run_id: str, clock: Clock, recording_ids: Sequence[str]) -> RunRecord:
    """What a run over these recordings is asked to do. The settings name the chosen detector and no other."""
    layout, info = project.layout, project.detector_info
    settings = project.model_dump(
        mode="json", exclude={"dataset", "audio", "output", "detectors", "automation", "slurm"}
    )
    settings["detectors"] = {project.detector: project.detector_settings.model_dump(mode="json")}
    is_near = layout.dataset.is_relative_to(layout.output) or layout.output.is_relative_to(layout.dataset)
    return RunRecord(
        run_id=run_id,
        started_at=clock().isoformat(),
        host=socket.gethostname(),
        versions={name: version(name) for name in PACKAGES},
        dataset=os.path.relpath(layout.dataset, layout.output) if is_near else str(layout.dataset),
        audio=layout.audio.relative_to(layout.dataset).as_posix(),
        dataset_commit=dataset_commit(layout.dataset) or "",
        recording_ids=tuple(recording_ids),
        settings=settings,
        settings_hash=info.settings_hash,
        weights_sha256=info.weights_sha256 or "",
        rules_digest=project.detections.digest,
    )


def recorded_project(record: RunRecord, output: Path) -> Project:
    """The project of a former run whose results are in this folder. Raises BadcError when this version cannot read it."""
    places = {"dataset": Path(os.path.normpath(output / record.dataset)), "audio": record.audio, "output": output}
    settings = dict(record.settings)
    detectors = {
        name: _without_defaults(DETECTORS[name].settings, table) if name in DETECTORS else table
        for name, table in settings.pop("detectors", {}).items()
    }
    try:
        return Project.model_validate(_without_defaults(Project, settings) | places | {"detectors": detectors})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        problem = f"has a setting that this version does not know ({name}: {first['msg']})"
        raise BadcError(f"run {record.run_id}", problem, "use the version that the record names") from error


def _without_defaults(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what differs from the defaults. Hashes of settings tell a default of 40 from 40.0, which JSON makes of it."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        default = field.get_default(call_default_factory=True) if field is not None else None
        if isinstance(default, BaseModel) and isinstance(value, dict):
            kept[name] = _without_defaults(type(default), value)
        elif field is None or value != default:
            kept[name] = value
    return kept
