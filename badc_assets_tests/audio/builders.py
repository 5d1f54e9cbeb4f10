"""Small sound files, good and bad, for tests of whatever reads sound."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000


def tones(frames: int, channels: int = 1) -> np.ndarray:
    """A different tone in each channel, float64 of shape (frames, channels), with a little noise on it."""
    time = np.arange(frames)[:, None] / RATE_HZ
    pitch = 400.0 * (1 + np.arange(channels))[None, :]
    noise = np.random.default_rng(7).standard_normal((frames, channels))
    return 0.4 * np.sin(2 * np.pi * pitch * time) + 0.01 * noise


def write_sound(path: Path, frames: int = RATE_HZ, channels: int = 1, subtype: str | None = None, **options) -> Path:
    """A sound file; the container follows the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        kind = options.pop("format", path.suffix[1:].upper())
        soundfile.write(handle, tones(frames, channels), RATE_HZ, subtype=subtype, format=kind, **options)
    return path


def cut(path: Path, keep: float) -> Path:
    """Keep the first part of a file, as a card that was pulled out does."""
    os.truncate(path, int(path.stat().st_size * keep))
    return path


def chunk(name: bytes, payload: bytes, size: int | None = None, pad: bool = True) -> bytes:
    """One RIFF chunk, with a false `size` or without its padding if asked for."""
    padding = b"\0" if pad and len(payload) % 2 else b""
    return name + struct.pack("<I", len(payload) if size is None else size) + payload + padding


def format_chunk(channels: int = 1, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", 1, channels, RATE_HZ, RATE_HZ * block, block, bits))


def riff(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", 0xFFFFFFFF if form == b"RF64" else len(body)) + body
