"""Sounds for the tests of the energy detector, and a way to run it over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.protocol import Event, Float32, StreamInfo


def noise(seconds: float, rate: int, *, level_dbfs: float = -50, seed: int = 0) -> Float32:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (samples * 10 ** (level_dbfs / 20)).astype(np.float32)


def tone(seconds: float, rate: int, hz: float, *, level_dbfs: float = -30) -> Float32:
    count = round(seconds * rate)
    ramp = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.01 * rate))
    wave = ramp * np.sin(2 * np.pi * hz * np.arange(count) / rate)
    return (wave * 10 ** (level_dbfs / 20) * 2**0.5).astype(np.float32)


def add(samples: Float32, sound: Float32, start_s: float, rate: int) -> Float32:
    """`samples` with `sound` mixed in from `start_s`."""
    mix = samples.copy()
    start = round(start_s * rate)
    mix[start : start + len(sound)] += sound
    return mix


def events_in(
    samples: Float32, rate: int, settings: EnergySettings | None = None, *, cuts: Sequence[int] = ()
) -> list[Event]:
    """The events in feeding order, with the samples cut into blocks at `cuts`."""
    session = EnergyDetector(settings or EnergySettings()).open(StreamInfo("recording", rate, len(samples)))
    events: list[Event] = []
    for block in np.split(samples, sorted(cuts)):
        events += session.feed(block)
    return [*events, *session.close()]


def other_value(value: float | bool | str) -> float | bool | str:
    """Another valid value for a setting of the energy detector that has this one."""
    if isinstance(value, bool):
        return not value
    return "frogs" if isinstance(value, str) else value * 1.01 or 1.0
