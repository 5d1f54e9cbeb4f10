"""Long recordings for benchmarks, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile


def recording(path: Path, *, seconds: int, rate_hz: int, call_every_s: float = 20) -> Path:
    """Pink-like noise with whistles, mono, 16 bit; a file of this name is taken as it is."""
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished{path.suffix}")
    random = np.random.default_rng(1)
    with soundfile.SoundFile(unfinished, "w", rate_hz, 1, "PCM_16") as file:
        for start in range(0, seconds, 60):
            length = min(60, seconds - start) * rate_hz
            sound = 0.002 * random.standard_normal(length)
            sound += 0.004 * np.convolve(random.standard_normal(length), np.ones(32) / 32, "same")
            time_s = np.arange(length) / rate_hz
            sound += 0.05 * np.sin(2 * np.pi * 3000 * time_s) * (time_s % call_every_s < min(0.5, call_every_s / 3))
            file.write(sound)
    return unfinished.rename(path)
