"""Sound files for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000


def noise(seconds: float, *, seed: int = 0, level: float = 0.01, rate_hz: int = RATE_HZ) -> np.ndarray:
    """White noise, float32, mono."""
    random = np.random.default_rng(seed)
    return (level * random.standard_normal(round(seconds * rate_hz))).astype(np.float32)


def with_tone(sound: np.ndarray, start_s: float, end_s: float, hz: float, *, rate_hz: int = RATE_HZ) -> np.ndarray:
    """`sound` with a loud tone from `start_s` to `end_s`."""
    first, last = round(start_s * rate_hz), round(end_s * rate_hz)
    time_s = np.arange(last - first) / rate_hz
    result = sound.copy()
    result[first:last] += 0.3 * np.sin(2 * np.pi * hz * time_s).astype(np.float32)
    return result


def write_sound(path: Path, sound: np.ndarray, *, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
    """Write samples; the format follows from the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate_hz, subtype=subtype)
    return path
