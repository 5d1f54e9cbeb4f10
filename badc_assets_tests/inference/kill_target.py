"""A run of the engine in a process of its own, to be killed: `python -m ... DATASET DIARY SECONDS`."""

from __future__ import annotations

import sys
from pathlib import Path

from badc_assets.inference.engine import Engine
from badc_assets.inference.settings import InferenceSettings
from badc_assets.project import Project
from badc_assets_tests.datasets import fixed_clock
from badc_assets_tests.inference.detectors import Slow

CHUNK_S = 4
WINDOWS = 8
"""In a chunk, and in a batch."""
WORKERS = 2


def project_of(folder: Path) -> Project:
    return Project.model_validate({"dataset": folder, "chunking": {"length_s": CHUNK_S}})


def engine_of(folder: Path, diary: Path | None, seconds: float) -> Engine:
    project = project_of(folder)
    settings = InferenceSettings(batch_windows=WINDOWS, cpu_workers=WORKERS, min_score=0.0)
    return Engine(project.layout, Slow(diary, seconds), project.chunking, settings, fixed_clock, "run")


if __name__ == "__main__":
    dataset = Path(sys.argv[1])
    recordings = sorted(path.stem for path in (dataset / "audio").iterdir())
    for outcome in engine_of(dataset, Path(sys.argv[2]), float(sys.argv[3])).run(recordings):
        assert outcome.is_complete, outcome
