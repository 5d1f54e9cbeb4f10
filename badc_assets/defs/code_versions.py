"""Which settings change the results of which asset: a change in one of them makes the asset stale, and nothing else does."""

from __future__ import annotations

from pydantic import BaseModel

from badc_assets.chunks.indices.indexing import INDICES_VERSION
from badc_assets.chunks.quality.file import quality_digest
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash
from badc_assets.inference.keys import engine_digest
from badc_assets.project import Project


def code_versions(project: Project) -> dict[str, str]:
    """Asset -> version of its code, with a hash of its settings. Raise the number when the code gives other results."""
    chunking = _version(1, project.chunking.digest)
    return {
        "recording_catalog": "1",
        "recordings": _version(2, project.recordings.digest),
        "chunk_manifest": chunking,
        "chunk_status": _version(2, project.chunking.digest + quality_digest(project.chunking.quality)),
        "acoustic_indices": _version(INDICES_VERSION, project.indices.digest),
        "detections": _version(1, _detections_digest(project)),
        "report_bundle": _version(1, project.report.bundle_digest),
        "detection_aggregates": _version(1, project.report.database_digest),
        "dataset_report": _version(1, project.report.page_digest),
    }


def _detections_digest(project: Project) -> str:
    """Without its model a detector cannot say what it would do. The page has to open all the same: the run then says why."""
    try:
        return engine_digest(project.detector_info, project.inference, project.detections)
    except BadcError as error:
        return f"unavailable: {error}"


def _version(number: int, settings: BaseModel | str) -> str:
    value = settings if isinstance(settings, str) else settings.model_dump(mode="json")
    return f"{number}-{stable_hash(value, length=12)}"
