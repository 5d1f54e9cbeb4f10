"""Generated calls and backgrounds: simple enough to know the truth, close enough to the field to be a fair test.

Amplitudes are relative to full scale; all functions return float64 at the sample rate they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

_EDGE_SHARE = 0.01


@dataclass(frozen=True)
class Background:
    """What a recording sounds like without calls.

    The power of the noise is proportional to frequency ** -slope (0 white, 1 pink, 2 brown). `gust_db` is the level, above
    that noise, of the strongest gust of wind there can be, which sounds below 400 Hz. `hum_hz` is the ground
    frequency of a steady hum with two overtones. Either may be None.
    """

    level_dbfs: float
    slope: float
    gust_db: float | None = None
    hum_hz: float | None = None


def background(sound: Background, seconds: float, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """`sound` for a length of time."""
    count = round(seconds * sample_rate_hz)
    level = 10 ** (sound.level_dbfs / 20)
    samples = coloured_noise(count, sample_rate_hz, sound.slope, rng) * level
    if sound.gust_db is not None:
        wind = coloured_noise(count, sample_rate_hz, 2.0, rng, highest_hz=400)
        samples += wind * level * 10 ** (sound.gust_db / 20) * gusts(count, sample_rate_hz, rng)
    if sound.hum_hz is not None:
        time_s = np.arange(count) / sample_rate_hz
        for overtone, share in ((1, 0.5), (2, 0.3), (3, 0.1)):
            samples += level * share * np.sin(2 * np.pi * (sound.hum_hz * overtone * time_s + rng.random()))
    return samples


def coloured_noise(
    count: int, sample_rate_hz: int, slope: float, rng: np.random.Generator, *, highest_hz: float | None = None
) -> Samples:
    """Gaussian noise of mean square 1 with power proportional to frequency ** -slope, level below 20 Hz."""
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / sample_rate_hz), 20)
    gain = (frequency / 1000) ** (-slope / 2)
    gain[0] = 0
    if highest_hz is not None:
        gain /= np.sqrt(1 + (frequency / highest_hz) ** 8)
    phase = rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))
    samples = np.fft.irfft(phase * gain, count)
    return samples / np.sqrt(np.mean(samples**2))


def gusts(count: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """An envelope in 0..1 that swells and ebbs over 5 to 15 seconds."""
    times = np.cumsum(np.concatenate(([0.0], rng.uniform(5, 15, 2 + count // (5 * sample_rate_hz)))))
    heights = rng.uniform(0, 1, len(times)) ** 2
    position = np.arange(count) / sample_rate_hz
    index = np.searchsorted(times, position, side="right") - 1
    share = (position - times[index]) / (times[index + 1] - times[index])
    blend = (1 - np.cos(np.pi * share)) / 2
    return heights[index] * (1 - blend) + heights[index + 1] * blend


def drum(sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """Low thumps that come faster and faster, like a drumming Ruffed Grouse: about 40 in 7 to 10 seconds."""
    pitch_hz = rng.uniform(55, 95)
    intervals = np.maximum(rng.uniform(0.6, 0.8) * 0.92 ** np.arange(42), 0.075)
    starts = np.round(np.concatenate(([0.0], np.cumsum(intervals))) * sample_rate_hz).astype(int)
    time_s = np.arange(round(0.07 * sample_rate_hz)) / sample_rate_hz
    swing = np.sin(2 * np.pi * pitch_hz * time_s) + 0.4 * np.sin(4 * np.pi * pitch_hz * time_s)
    thump = np.hanning(len(time_s)) * swing
    samples = np.zeros(starts[-1] + len(thump))
    loudness = np.interp(np.arange(len(starts)), [0, 12, 32, 42], [0.5, 1, 0.9, 0.5])
    for start, gain in zip(starts, loudness, strict=True):
        samples[start : start + len(thump)] += gain * thump
    return samples


def whistle(sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """One to three notes of 0.25 to 0.7 seconds between 2 and 4.5 kHz, each sweeping at least 500 Hz."""
    notes = []
    for _ in range(rng.integers(1, 4)):
        count = round(rng.uniform(0.25, 0.7) * sample_rate_hz)
        low_hz, sweep_hz = rng.uniform(2000, 3000), rng.uniform(500, 1500)
        course = low_hz + sweep_hz * np.linspace(0, 1, count) ** rng.uniform(0.5, 2)
        course = course if rng.random() < 0.5 else course[::-1]
        course = course * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(5, 20) * np.arange(count) / sample_rate_hz))
        attack = round(0.02 * sample_rate_hz)
        envelope = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / attack)
        notes += [envelope * np.sin(2 * np.pi * np.cumsum(course) / sample_rate_hz)]
    pause = np.zeros(round(rng.uniform(0.05, 0.12) * sample_rate_hz))
    parts = [notes[0]]
    for _, note in pairwise(notes):
        parts += [pause, note]
    return np.concatenate(parts)


def energy_band_hz(samples: Samples, sample_rate_hz: int) -> tuple[float, float]:
    """The frequencies between which all but 1 % of the energy at either end lies."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    shares = np.cumsum(power) / np.sum(power)
    low, high = np.searchsorted(shares, [_EDGE_SHARE, 1 - _EDGE_SHARE])
    return float(low * sample_rate_hz / len(samples)), float(high * sample_rate_hz / len(samples))


def band_power(samples: Samples, sample_rate_hz: int, low_hz: float, high_hz: float) -> float:
    """Mean square of the part of `samples` between two frequencies."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / sample_rate_hz)
    return float(2 * power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / len(samples) ** 2)
