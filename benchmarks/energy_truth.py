"""Recordings with known events for the benchmark of event detection: calls mixed into backgrounds at a set ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from badc_assets.samples.sounds import Background, background, band_power, coloured_noise, energy_band_hz, gusts
from benchmarks.energy_calls import HELD_OUT, MAIN, Call, Samples

RATE_HZ = 22_050
SECONDS = 60
RATIOS_DB = (-5, 0, 5, 10, 20, 30)
CALLS_EACH = 10
LEAST_BAND_HZ = 300

Family = Literal["main", "held_out", "crowd"]
Scene = Callable[[int, int, np.random.Generator], Samples]


@dataclass(frozen=True)
class Box:
    """One event, in seconds and Hz."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    call: str = ""


@dataclass(frozen=True)
class Case:
    """One recording of the benchmark: mono samples at `rate_hz` and what is in them."""

    name: str
    scene: str
    group: str
    samples: Samples
    rate_hz: int
    truth: tuple[Box, ...]


def _noise(slope: float, **extra: float) -> Scene:
    return lambda seconds, rate, rng: background(Background(-50, slope, **extra), seconds, rate, rng)


def _drops(count: int, rate: int, per_second: float, rng: np.random.Generator) -> Samples:
    """Rain drops: short broadband clicks of random loudness at random times."""
    sound = np.zeros(count)
    length = round(0.012 * rate)
    fade = np.exp(-np.arange(length) / (0.002 * rate))
    for start in rng.integers(0, count - length, rng.poisson(per_second * count / rate)):
        sound[start : start + length] += rng.standard_normal(length) * fade * rng.lognormal(0, 0.7)
    return sound


def _wind(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    return background(Background(-52, 1.0, gust_db=20), seconds, rate, rng)


def _rain(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    base = background(Background(-50, 0.5), seconds, rate, rng)
    return base * (1 + gusts(len(base), rate, rng)) + 0.004 * _drops(len(base), rate, 60, rng)


def _insects(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    base = background(Background(-52, 1.0), seconds, rate, rng)
    time_s = np.arange(len(base)) / rate
    tone = np.sin(2 * np.pi * rng.uniform(4500, 7500) * time_s + 4 * np.sin(2 * np.pi * 9 * time_s))
    return base + 0.01 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 45 * time_s))


def _everything(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    parts = [scene(seconds, rate, rng) for scene in (_wind, _rain, _insects, _noise(1.0, hum_hz=50))]
    return np.sum(parts, axis=0) / 2


def _stream(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    """Running water: noise of the middle bands that boils several times a second."""
    count = seconds * rate
    steps = np.arange(0, seconds + 1, 0.15)
    boil = np.interp(np.arange(count) / rate, steps, rng.uniform(0.6, 1.4, len(steps)))
    return 0.003 * coloured_noise(count, rate, 0.5, rng) * boil + 0.002 * coloured_noise(count, rate, 1.5, rng)


def _aircraft(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    """A plane that comes and goes once in the minute, 25 dB up at its nearest."""
    count = seconds * rate
    near = np.exp(-(((np.arange(count) / count - rng.uniform(0.3, 0.7)) / 0.18) ** 2))
    rumble = coloured_noise(count, rate, 1.5, rng, highest_hz=2500)
    return 0.002 * coloured_noise(count, rate, 0.8, rng) + 0.002 * rumble * 10 ** (25 * near / 20)


def _crickets(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    """Two crickets that chirp without end, 2 to 3 a second."""
    count = seconds * rate
    time_s = np.arange(count) / rate
    sound = background(Background(-54, 1.2), seconds, rate, rng)
    for _ in range(2):
        chirps = np.maximum(0, np.sin(2 * np.pi * rng.uniform(2, 3) * time_s + rng.uniform(0, 6))) ** 2
        pulses = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(25, 35) * time_s)
        sound += 0.004 * np.sin(2 * np.pi * rng.uniform(4000, 9000) * time_s) * chirps * pulses
    return sound


def _squalls(seconds: int, rate: int, rng: np.random.Generator) -> Samples:
    """Turbulent wind up to 1 kHz and bursts of rain."""
    count = seconds * rate
    turbulence = np.interp(np.arange(count), np.linspace(0, count, seconds * 2), rng.lognormal(0, 0.8, seconds * 2))
    wind = coloured_noise(count, rate, 2.0, rng, highest_hz=1000) * turbulence
    rain = _drops(count, rate, 25, rng) * (gusts(count, rate, rng) > 0.3)
    return 0.003 * coloured_noise(count, rate, 1.0, rng) + 0.01 * wind + 0.003 * rain


MAIN_SCENES: Mapping[str, Scene] = {
    "white": _noise(0.0),
    "pink": _noise(1.0),
    "wind": _wind,
    "rain": _rain,
    "insects": _insects,
    "hum": _noise(0.8, hum_hz=60),
    "all": _everything,
}
HELD_OUT_SCENES: Mapping[str, Scene] = {
    "brown": _noise(1.8),
    "stream": _stream,
    "aircraft": _aircraft,
    "crickets": _crickets,
    "squalls": _squalls,
}


CROWD_SCENES = ("pink", "wind", "stream", "brown")
CROWD_CALLS = (15, 30, 50)
CROWD_DB = 3, 25


def cases(family: Family, seed: int = 0) -> list[Case]:
    """The recordings of a family, of 60 s each.

    `main` and `held_out`: one for each background and ratio, each call with half a second to itself. `crowd`: many voices at
    once, of both families, at ratios between 3 and 25 dB; only in its own range each has 0.3 s to itself.
    """
    if family == "crowd":
        return [
            _crowd(name, calls, np.random.default_rng((seed, 2, index)))
            for index, (name, calls) in enumerate(product(CROWD_SCENES, CROWD_CALLS))
        ]
    calls, scenes = (MAIN, MAIN_SCENES) if family == "main" else (HELD_OUT, HELD_OUT_SCENES)
    number = 0 if family == "main" else 1
    return [
        _case(name, ratio_db, scene, calls, np.random.default_rng((seed, number, index)))
        for index, ((name, scene), ratio_db) in enumerate(product(scenes.items(), RATIOS_DB))
    ]


def _case(name: str, ratio_db: int, scene: Scene, calls: Mapping[str, Call], rng: np.random.Generator) -> Case:
    mix = _Mix(scene(SECONDS, RATE_HZ, rng))
    for call in (list(calls) * 3)[:CALLS_EACH]:
        mix.add(call, calls[call](RATE_HZ, rng), ratio_db + rng.uniform(-2, 2), rng, apart_s=0.5)
    return mix.case(name, f"{ratio_db} dB")


def _crowd(name: str, count: int, rng: np.random.Generator) -> Case:
    scenes, calls = {**MAIN_SCENES, **HELD_OUT_SCENES}, {**MAIN, **HELD_OUT}
    mix = _Mix(scenes[name](SECONDS, RATE_HZ, rng))
    for call in rng.choice(list(calls), count).tolist():
        mix.add(call, calls[call](RATE_HZ, rng), rng.uniform(*CROWD_DB), rng, apart_s=0.3, only_in_range=True)
    return mix.case(name, f"{count} voices")


class _Mix:
    """A background that calls are mixed into. Ratios are mean power in the band of the call, against the background there."""

    def __init__(self, noise: Samples) -> None:
        self._noise = noise
        self._samples = noise.copy()
        self._truth: list[Box] = []

    def add(
        self,
        call: str,
        sound: Samples,
        ratio_db: float,
        rng: np.random.Generator,
        *,
        apart_s: float,
        only_in_range: bool = False,
    ) -> None:
        """Mix a call in where it is `apart_s` from the others, or from those that share its range; else leave it out."""
        low_hz, high_hz = _at_least(LEAST_BAND_HZ, *energy_band_hz(sound, RATE_HZ))
        for _ in range(200):
            start = int(rng.integers(0, SECONDS * RATE_HZ - len(sound)))
            box = Box(start / RATE_HZ, (start + len(sound)) / RATE_HZ, low_hz, high_hz, call)
            if not any(_are_close(box, other, apart_s, only_in_range) for other in self._truth):
                break
        else:
            return
        stretch = slice(start, start + len(sound))
        noise_power = band_power(self._noise[stretch], RATE_HZ, low_hz, high_hz)
        self._samples[stretch] += sound * np.sqrt(noise_power * 10 ** (ratio_db / 10) / np.mean(sound**2))
        self._truth.append(box)

    def case(self, scene: str, group: str) -> Case:
        samples = self._samples * min(1.0, 0.9 / np.abs(self._samples).max())
        return Case(f"{scene} {group}", scene, group, samples, RATE_HZ, tuple(self._truth))


def _are_close(one: Box, other: Box, apart_s: float, only_in_range: bool) -> bool:
    is_near = one.start_s - apart_s < other.end_s and other.start_s < one.end_s + apart_s
    return is_near and (not only_in_range or (one.low_hz < other.high_hz and other.low_hz < one.high_hz))


def _at_least(width_hz: float, low_hz: float, high_hz: float) -> tuple[float, float]:
    """The band, widened about its middle: nobody draws a box around a pure tone a few hertz high."""
    more = max(0.0, width_hz - (high_hz - low_hz)) / 2
    return max(0.0, low_hz - more), high_hz + more
