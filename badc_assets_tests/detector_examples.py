"""Sounds to try a detector on, and what must hold for the events that it returns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from badc_assets.detectors.protocol import Clip, DetectorInfo, Event, Float32

DEFAULT_RATE_HZ = 22_050


@dataclass(frozen=True)
class Sound:
    """A recording: mono float32 samples in -1..1."""

    samples: Float32
    rate_hz: int = DEFAULT_RATE_HZ

    @property
    def duration_ms(self) -> int:
        return math.ceil(len(self.samples) * 1000 / self.rate_hz)


def example_sounds(rate_hz: int | None) -> list[Sound]:
    """Calls in noise, and what tends to break detectors: other calls, silence, full scale, hardly any sound."""
    rate_hz = rate_hz or DEFAULT_RATE_HZ
    calls = _calls(20, rate_hz, [(5, 0.5, 2500), (9, 0.3, 1000), (12, 1.0, 4000), (12.2, 0.4, 600)])
    others = _calls(12, rate_hz, [(2, 0.4, 1500), (8, 0.7, 3000)], seed=1)
    silence = np.zeros(5 * rate_hz, dtype=np.float32)
    full = np.sign(_noise(5, rate_hz, seed=2)).astype(np.float32)
    return [Sound(part, rate_hz) for part in (calls, others, silence, full, calls[:200])]


def example_windows(info: DetectorInfo) -> Float32:
    """Eight different windows for a window detector, shape (8, samples)."""
    rate_hz = info.sample_rate_hz or DEFAULT_RATE_HZ
    samples = info.window_ms * rate_hz // 1000
    seconds = samples / rate_hz
    noise = _noise(seconds + 1, rate_hz)[:samples]
    time_s = np.arange(samples) / rate_hz
    click = np.zeros(samples)
    click[samples // 2] = 1
    tones = [0.5 * np.sin(2 * np.pi * hz * time_s) for hz in (700, 2500)]
    rising = 0.5 * np.sin(2 * np.pi * (500 + 1000 * time_s / seconds) * time_s)
    windows = [np.zeros(samples), noise, np.sign(noise), *tones, rising + noise, np.full(samples, 0.8), click]
    return np.stack(windows).astype(np.float32)


def example_clips(folder: Path, sounds: Sequence[Sound], unit: Literal["recording", "chunk"]) -> list[Clip]:
    """The sounds as WAV files, one beside the other in `folder`/clips; what is kept goes to `folder`/kept."""
    import soundfile

    (folder / "clips").mkdir()
    clips = []
    for number, sound in enumerate(sounds):
        path = folder / "clips" / f"R{number}.wav"
        soundfile.write(path, sound.samples, sound.rate_hz, subtype="PCM_16")
        chunk_id = f"R{number}_chunk_0_{sound.duration_ms}" if unit == "chunk" else ""
        clips.append(Clip(path, f"R{number}", chunk_id, 0, sound.duration_ms, folder / "kept" / f"R{number}"))
    return clips


def block_cuts(samples: Float32, size: int, *, seed: int = 0) -> Iterator[Float32]:
    """`samples` in blocks of up to `size`, of any length, also none; each is a copy in memory of its own."""
    random = np.random.default_rng(seed)
    first = 0
    while first < len(samples):
        length = int(random.integers(0, size + 1))
        yield samples[first : first + length].copy()
        first += length


def assert_possible(events: Sequence[Event], duration_ms: int, info: DetectorInfo) -> None:
    """Every event lies within the recording or clip, and its label and values can stand in a table."""
    for event in events:
        assert isinstance(event.start_ms, int) and isinstance(event.end_ms, int), f"times must be int: {event}"
        assert 0 <= event.start_ms <= event.end_ms <= duration_ms, f"outside of 0..{duration_ms} ms: {event}"
        assert 0 <= event.confidence <= 1, f"confidence is not in 0..1: {event}"
        assert event.label.code or event.label.name, f"has no label: {event}"
        assert not info.labels or event.label in info.labels, f"the label is not one of info.labels: {event}"
        known = [value for value in (event.low_hz, event.high_hz, event.peak_hz, event.snr_db) if value is not None]
        assert all(map(math.isfinite, known)), f"not a number: {event}"
        assert (event.low_hz or 0) >= 0, f"negative frequency: {event}"
        if event.low_hz is not None and event.high_hz is not None:
            assert event.low_hz <= event.high_hz, f"high_hz is below low_hz: {event}"


def assert_same(found: Sequence[Event], expected: Sequence[Event], tolerance: float, why: str) -> None:
    """Both have the same events, whatever their order; confidences may differ by `tolerance`."""
    found, expected = _sorted(found), _sorted(expected)
    spans = [[(event.start_ms, event.end_ms, event.label) for event in events] for events in (found, expected)]
    assert spans[0] == spans[1], f"other events {why}: {found} instead of {expected}"
    for one, other in zip(found, expected, strict=True):
        assert abs(one.confidence - other.confidence) <= tolerance, f"another confidence {why}: {one}, {other}"


def _sorted(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda e: (e.start_ms, e.end_ms, e.label.code, e.label.name, e.low_hz or 0, e.confidence))


def _noise(seconds: float, rate_hz: int, *, seed: int = 0) -> Float32:
    return (0.003 * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))).astype(np.float32)


def _calls(seconds: float, rate_hz: int, calls: Sequence[tuple[float, float, float]], *, seed: int = 0) -> Float32:
    """Noise with tones: (start in s, length in s, Hz)."""
    sound = _noise(seconds, rate_hz, seed=seed)
    for start_s, length_s, hz in calls:
        first, count = round(start_s * rate_hz), round(length_s * rate_hz)
        fade = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.01 * rate_hz))
        tone = 0.2 * fade * np.sin(2 * np.pi * hz * np.arange(count) / rate_hz)
        sound[first : first + count] += tone.astype(np.float32)
    return sound
