"""The engine on a GPU, from FLAC files, against the detector alone on windows that are ready in memory: part `gpu`.

Says what fraction of the detector's own speed is reached, multiples of real time, and how long the GPU waited for sound.
Where there is no GPU it says why and measures nothing.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks.models import MelCnn, saved_model
from benchmarks.sounds import recording

HOURS = {"wav2vec2": 4, "ast": 4, "mel": 8}
WANTED = ">= 0.90"


def gpu(bench) -> None:
    """wav2vec2-base, AST and a light CNN; about ten minutes."""
    from badc_assets.inference.devices.gpus import NvmlGateway

    with NvmlGateway() as gateway:
        found = gateway.find()
    if not found.gpus:
        bench.row("GPU", f"not measured: {found.problem}")
        return
    for kind, hours in HOURS.items():
        detector = _detector(kind, bench.folder / "models")
        limit = _forward_only(kind, detector, found.gpus[0])
        speed, waited = _engine(detector, _dataset(bench.folder / f"gpu-{hours}", hours), bench.output())
        text = f"{speed / limit:.3f}: {speed:,.0f} times real time of {limit:,.0f}; {100 * waited:.1f} % of it waiting for sound"
        bench.row(f"engine / model alone on {found.gpus[0].name}: {kind}", text, WANTED)


def _detector(kind: str, models: Path):
    if kind == "mel":
        return MelCnn()
    from badc_assets.detectors.transformers.detector import TransformersDetector
    from badc_assets.detectors.transformers.settings import TransformersSettings

    return TransformersDetector(TransformersSettings(model=str(saved_model(models, kind))))  # pyright: ignore


def _forward_only(kind: str, detector, card) -> float:
    """Multiples of real time of the loaded model on one batch, again and again for ten seconds."""
    from badc_assets.detectors.protocol import Device, PipelinedDetector

    detector.load(Device("cuda", 4, card.index, card.uuid, card.name, card.memory_mb))
    samples = detector.info.window_ms * detector.info.sample_rate_hz // 1000
    ready = (0.1 * np.random.default_rng(1).standard_normal((detector.best_batch, samples))).astype(np.float32)
    depth = detector.depth if isinstance(detector, PipelinedDetector) else 1
    pending = []
    began, windows = time.monotonic(), 0
    while time.monotonic() - began < 10:
        pending.append(detector.submit(ready) if depth > 1 else (lambda: detector.score(ready)))
        if len(pending) >= depth:
            windows += len(pending.pop(0)())
    windows += sum(len(one()) for one in pending)
    spent_s = time.monotonic() - began
    if hasattr(detector, "close"):
        detector.close()
    return windows * detector.info.hop_ms / 1000 / spent_s


def _dataset(folder: Path, hours: int) -> Path:
    """An hour a file; the files differ in their names alone, which the engine does not know."""
    first = recording(folder / "h0.flac", seconds=3600, rate_hz=44_100)
    for number in range(1, hours):
        if not (folder / f"h{number}.flac").is_file():
            shutil.copy(first, folder / f"h{number}.flac")
    return folder


def _engine(detector, dataset: Path, output: str) -> tuple[float, float]:
    """Multiples of real time of whole recordings, loading left out, and the share of the time spent waiting for sound."""
    from datetime import UTC, datetime

    from badc_assets.inference.engine import Engine
    from badc_assets.inference.settings import InferenceSettings
    from badc_assets.project import Project
    from badc_assets.recordings.current import require_catalog
    from benchmarks.tasks import chunk

    chunk(str(dataset), output)
    project = Project.model_validate({"dataset": dataset, "output": output})
    settings = InferenceSettings(min_score=0.5, decode_threads=8)
    engine = Engine(project.layout, detector, project.chunking, settings, lambda: datetime.now(UTC), "bench")
    audio_s = busy_s = waited_s = 0.0
    for outcome in engine.run(require_catalog(project.layout).all_ids):
        assert outcome.result is not None and outcome.is_complete, outcome
        audio_s += outcome.result.audio_ms / 1000
        busy_s += outcome.result.seconds
        waited_s += outcome.result.waited_s
    return audio_s / (busy_s + waited_s), waited_s / (busy_s + waited_s)
