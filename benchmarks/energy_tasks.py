"""The energy detector and reading alone, each run by name in a process of its own, on one core."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def read(path: str, preset: str) -> None:
    """Everything but the detector's own work: its first seconds are fed, so that everything is imported."""
    import soundfile

    from badc_assets.detectors.protocol import StreamInfo

    with soundfile.SoundFile(path) as sound:
        session = _detector(preset).open(StreamInfo(Path(path).stem, sound.samplerate, sound.frames))
        session.feed(sound.read(sound.samplerate // 2, dtype="float32"))
        session.close()
    with soundfile.SoundFile(path) as sound:
        for _ in sound.blocks(1 << 20, dtype="float32"):
            pass


def detect(path: str, preset: str) -> None:
    """Print how many events there are."""
    import soundfile

    from badc_assets.detectors.protocol import StreamInfo

    with soundfile.SoundFile(path) as sound:
        session = _detector(preset).open(StreamInfo(Path(path).stem, sound.samplerate, sound.frames))
        events = sum(len(session.feed(block)) for block in sound.blocks(1 << 20, dtype="float32"))
    print(events + len(session.close()))


def _detector(preset: str):
    from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings

    return EnergyDetector(EnergySettings.model_validate({"preset": preset}))


TASKS: dict[str, Callable[..., None]] = {task.__name__: task for task in (read, detect)}

if __name__ == "__main__":
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    TASKS[sys.argv[1]](*sys.argv[2:])
