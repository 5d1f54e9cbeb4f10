"""How long the chunks of a recording may be, for the detector of a project: measured where it can be run, else estimated."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from badc_assets.audio.probe import probe
from badc_assets.errors import BadcError
from badc_assets.files import write_text
from badc_assets.inference.chunk_length.estimate import estimated_mb
from badc_assets.inference.chunk_length.probe import Asked, ChunkLength, estimate, measure
from badc_assets.inference.chunk_length.trials import Trial
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.devices.places import WorkPlaces
from badc_assets.project import Project


@dataclass
class ProbeLog:
    """BADC's log of a search: a JSON object a line for each length. What was measured stands at the end of a line."""

    path: Path
    audio: Path
    lines: list[str] = field(default_factory=list)

    def add(self, trial: Trial, limit_mb: float | None, place: LeasedDevice | None) -> None:
        """Write the log with one more line, whole: a link to annexed content is replaced, never written through."""
        value: dict[str, Any] = {
            "timestamp": datetime.now(UTC).isoformat(),
            "audio": str(self.audio),
            "duration_s": trial.duration_s,
            "estimated_vram_mb": estimated_mb(probe(self.audio), trial.duration_s),
            "fits": trial.fits,
            "reason": trial.reason,
            "gpu_index": place.device.index if place else None,
            "gpu_name": (place.device.name or None) if place else None,
            "memory_limit_mb": limit_mb,
        }
        if place is not None:
            value |= {"seconds": trial.seconds, "peak_memory_mb": trial.peak_memory_mb, "precision": trial.precision}
        self.lines.append(json.dumps(value))
        write_text(self.path, "\n".join([*self.lines, ""]))


def log_path(audio: Path, now: datetime) -> Path:
    """BADC's place, from the present folder."""
    return Path("artifacts/telemetry/chunk_probe") / f"{audio.stem}_{now:%Y%m%dT%H%M%SZ}.jsonl"


def probed(
    project: Project,
    asked: Asked,
    *,
    gpu_index: int | None = None,
    log: Path | None = None,
    only_estimate: bool = False,
    again: bool = False,
) -> ChunkLength:
    """The longest chunk that fits. It is estimated when that is asked for, when the detector is the stub, or cannot be made here.

    Raises BadcError when the sound cannot be read, a length means nothing, there is no such GPU, or the detector cannot be run.
    """
    note = "an estimate was asked for" if only_estimate else ""
    detector = None
    if project.detector == "stub":
        note = note or "the stub needs nothing, so there is nothing to measure"
    elif not note:
        try:
            detector = project.make_detector()
        except BadcError as missing:
            note = f"there is no detector to measure ({missing})"
    told = ProbeLog(log or log_path(asked.source, datetime.now(UTC)), asked.source).add
    if detector is None:
        return estimate(asked, gpu_index, note, told)
    one_gpu = min(1, 1 if project.inference.max_gpus is None else project.inference.max_gpus)
    settings = project.inference.model_copy(update={"max_gpus": one_gpu, "cpu_workers": 0})
    return measure(asked, detector, settings, WorkPlaces(gpu_index), told, again=again)
