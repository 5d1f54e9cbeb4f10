"""What inference is measured against, each piece of work run by name in a process of its own, on one core."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np


def _detector(kind: str, folder: str, backend: str, precision: str):
    if kind == "mel":
        from benchmarks.models import MelCnn

        return MelCnn()
    from badc_assets.detectors.transformers.detector import TransformersDetector
    from badc_assets.detectors.transformers.settings import TransformersSettings
    from benchmarks.models import saved_model

    model = saved_model(Path(folder), kind)
    return TransformersDetector(
        TransformersSettings(model=str(model), backend=backend, precision=precision)  # pyright: ignore
    )


def forward(kind: str, folder: str, backend: str, precision: str, windows: str) -> None:
    """The detector alone on windows that are ready: the limit for the engine."""
    from badc_assets.detectors.protocol import Device

    detector = _detector(kind, folder, backend, precision)
    detector.load(Device(threads=1))
    samples = detector.info.window_ms * detector.info.sample_rate_hz // 1000
    ready = np.random.default_rng(1).standard_normal((detector.best_batch, samples)).astype(np.float32) * 0.1
    left = int(windows)
    while left > 0:
        detector.score(ready[:left])
        left -= len(ready)


def engine(kind: str, folder: str, backend: str, precision: str, dataset: str) -> None:
    """The engine, from sound files to tables; how long the detector waited for sound is printed."""
    from badc_assets.inference.engine import Engine
    from badc_assets.inference.settings import InferenceSettings
    from badc_assets.project import Project
    from badc_assets.recordings.current import require_catalog
    from benchmarks.tasks import chunk

    with tempfile.TemporaryDirectory() as output:
        project = Project.model_validate({"dataset": dataset, "output": output})
        chunk(dataset, output)
        detector = _detector(kind, folder, backend, precision)
        settings = InferenceSettings(min_score=0.5, device="cpu")
        ids = require_catalog(project.layout).all_ids
        made = Engine(project.layout, detector, project.chunking, settings, lambda: datetime.now(UTC), "bench")
        busy_s = waited_s = 0.0
        for outcome in made.run(ids):
            assert outcome.result is not None and outcome.is_complete, outcome
            busy_s += outcome.result.seconds
            waited_s += outcome.result.waited_s
        print(waited_s / (waited_s + busy_s))


def process_per_chunk(kind: str, folder: str, backend: str, precision: str, dataset: str) -> None:
    """The predecessor's way: each minute is written as a WAV file and given to a process that loads the model."""
    import soundfile

    (recording,) = Path(dataset).glob("*.flac")
    with tempfile.TemporaryDirectory() as scratch, soundfile.SoundFile(recording) as sound:
        for number in range(sound.frames // (60 * sound.samplerate)):
            path = Path(scratch) / f"{number}.wav"
            soundfile.write(path, sound.read(60 * sound.samplerate, dtype="int16"), sound.samplerate)
            arguments = ["one_chunk", kind, folder, backend, precision, str(path)]
            subprocess.run([sys.executable, "-m", "benchmarks.inference_tasks", *arguments], check=True)


def one_chunk(kind: str, folder: str, backend: str, precision: str, path: str) -> None:
    """What such a process does."""
    import soundfile
    import soxr

    from badc_assets.detectors.protocol import Device

    detector = _detector(kind, folder, backend, precision)
    sound, rate_hz = soundfile.read(path, dtype="float32")
    sound = soxr.resample(sound, rate_hz, detector.info.sample_rate_hz)
    window = detector.info.window_ms * detector.info.sample_rate_hz // 1000
    detector.load(Device(threads=1))
    detector.score(sound[: len(sound) // window * window].reshape(-1, window))


def pipeline_per_clip(kind: str, folder: str, dataset: str, clips: str) -> None:
    """transformers.pipeline, the model loaded once, a clip of five seconds at a time."""
    import soundfile
    import soxr
    import torch
    from transformers import pipeline

    from benchmarks.models import WINDOW_S, saved_model

    torch.set_num_threads(1)
    classify = pipeline("audio-classification", model=str(saved_model(Path(folder), kind)), device="cpu")
    (recording,) = Path(dataset).glob("*.flac")
    with soundfile.SoundFile(recording) as sound:
        for _ in range(int(clips)):
            clip = soxr.resample(sound.read(WINDOW_S * sound.samplerate, dtype="float32"), sound.samplerate, 16_000)
            classify({"raw": clip, "sampling_rate": 16_000}, top_k=5)


def read_resampled(path: str, rate_hz: str) -> None:
    """Sound at another rate, and nothing done with it."""
    from badc_assets.audio.probe import probe
    from badc_assets.inference.sound import MonoSound

    for _ in MonoSound(Path(path), probe(Path(path)), int(rate_hz)).blocks():
        pass


def read_bare(path: str, rate_hz: str) -> None:
    """The least that the same can cost: libsndfile's blocks through one soxr stream."""
    import soundfile
    import soxr

    with soundfile.SoundFile(path) as sound:
        stream = soxr.ResampleStream(sound.samplerate, int(rate_hz), 1, dtype="float32")
        while len(block := sound.read(1 << 17, dtype="int16")):
            part = block.astype(np.float32)
            part *= 1 / 2**15
            stream.resample_chunk(part)


def export(kind: str, folder: str, backend: str, precision: str) -> None:
    """Load once, so that what is cached is cached."""
    forward(kind, folder, backend, precision, "1")


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task
    for task in (forward, engine, process_per_chunk, one_chunk, pipeline_per_clip, read_resampled, read_bare, export)
}

if __name__ == "__main__":
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    TASKS[sys.argv[1]](*sys.argv[2:])
