"""Long recordings for benchmarks, made once."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
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


def many_files(folder: Path, count: int, *, bytes_each: int = 400_000) -> Path:
    """Sparse WAV files of different content, one site per 1000: their headers say 16 kHz mono, their samples are mostly holes."""
    for number in range(count):
        start = datetime(2023, 4, 1) + timedelta(seconds=97 * number)  # noqa: DTZ001 - the clock of a recorder
        site = f"{number // 1000:03d}"
        target = folder / site / f"GNWT-{site}_{start:%Y%m%d_%H%M%S}.wav"
        if target.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as handle:
            header = b"RIFF" + struct.pack("<I", bytes_each - 8) + b"WAVEfmt "
            header += struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
            handle.write(header + b"data" + struct.pack("<II", bytes_each - 44, number))
            handle.truncate(bytes_each)
    return folder
