"""Generated calls for the benchmark of event detection, in two families that share no call shape.

`MAIN` is for choosing settings, `HELD_OUT` only for checking them. A call is what a person would draw one box around:
a note, a phrase, a series or a whole song. Every function gives float64 samples with a peak near 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
Call = Callable[[int, np.random.Generator], Samples]


def _envelope(count: int, rate: int, attack_s: float = 0.01) -> Samples:
    edge = np.minimum(np.arange(count), np.arange(count)[::-1]) / max(attack_s * rate, 1)
    return np.minimum(1, edge)


def _voice(course_hz: Samples, rate: int) -> Samples:
    return np.sin(2 * np.pi * np.cumsum(course_hz) / rate)


def _note(course_hz: Samples, rate: int, attack_s: float = 0.01) -> Samples:
    return _voice(course_hz, rate) * _envelope(len(course_hz), rate, attack_s)


def _series(notes: list[Samples], pauses_s: list[float], rate: int) -> Samples:
    parts = [notes[0]]
    for note, pause_s in zip(notes[1:], pauses_s, strict=True):
        parts += [np.zeros(round(pause_s * rate)), note]
    return np.concatenate(parts)


def _hiss(count: int, rate: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> Samples:
    """Noise of peak 1 between two frequencies."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / rate)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    noise = np.fft.irfft(spectrum, count)
    return noise / max(np.abs(noise).max(), 1e-9)


def whistle(rate: int, rng: np.random.Generator) -> Samples:
    """A steady tone of 0.2 to 1.5 s."""
    count = round(rng.uniform(0.2, 1.5) * rate)
    return _note(np.full(count, rng.uniform(800, 7000)), rate, 0.02)


def sweep(rate: int, rng: np.random.Generator) -> Samples:
    """A note of 0.1 to 0.6 s that rises or falls by 1 to 4 kHz."""
    count = round(rng.uniform(0.1, 0.6) * rate)
    low_hz = rng.uniform(1500, 5000)
    course = low_hz + rng.uniform(1000, 4000) * np.linspace(0, 1, count) ** rng.uniform(0.5, 2)
    return _note(course if rng.random() < 0.5 else course[::-1].copy(), rate)


def trill(rate: int, rng: np.random.Generator) -> Samples:
    """8 to 30 equal short notes, 8 to 20 a second."""
    period_s, high_hz = 1 / rng.uniform(8, 20), rng.uniform(3000, 7000)
    count = round(period_s * rng.uniform(0.4, 0.7) * rate)
    note = _note(np.linspace(high_hz, high_hz - rng.uniform(500, 2000), count), rate, 0.005)
    notes = [note] * int(rng.integers(8, 30))
    return _series(notes, [period_s - count / rate] * (len(notes) - 1), rate)


def harmonic(rate: int, rng: np.random.Generator) -> Samples:
    """A nasal note of 0.15 to 0.7 s with 4 to 8 overtones."""
    count = round(rng.uniform(0.15, 0.7) * rate)
    course = rng.uniform(400, 1200) * (1 + rng.uniform(0.05, 0.2) * np.sin(np.pi * np.linspace(0, 1, count)))
    overtones = [k for k in range(1, int(rng.integers(4, 9)) + 1) if k * course.max() < 0.45 * rate]
    sound = sum((_voice(k * course, rate) * k ** -rng.uniform(0.3, 1.0) for k in overtones), np.zeros(count))
    return sound * _envelope(count, rate, 0.02) / np.abs(sound).max()


def clicks(rate: int, rng: np.random.Generator) -> Samples:
    """10 to 40 broadband clicks of 2 to 5 ms, 6 to 25 a second."""
    click = _hiss(round(rng.uniform(0.002, 0.005) * rate), rate, 1000, 9000, rng)
    period_s = 1 / rng.uniform(6, 25)
    notes = [click * rng.uniform(0.6, 1) for _ in range(int(rng.integers(10, 40)))]
    return _series(notes, [period_s - len(click) / rate] * (len(notes) - 1), rate)


def drumming(rate: int, rng: np.random.Generator) -> Samples:
    """A woodpecker's roll: 10 to 30 knocks of wood, 10 to 22 a second."""
    time_s = np.arange(round(0.025 * rate)) / rate
    tones = sum(np.sin(2 * np.pi * hz * time_s) for hz in rng.uniform(600, 3000, 4))
    knock = tones * np.exp(-time_s / 0.006) / 4
    period_s = 1 / rng.uniform(10, 22)
    notes = [knock * loudness for loudness in np.linspace(1, 0.5, int(rng.integers(10, 30)))]
    return _series(notes, [period_s - len(knock) / rate] * (len(notes) - 1), rate)


def long_song(rate: int, rng: np.random.Generator) -> Samples:
    """Warbling of 5 to 12 s without pauses of more than 0.12 s."""
    notes, pauses, length_s, wanted_s = [], [], 0.0, rng.uniform(5, 12)
    while length_s < wanted_s:
        count = round(rng.uniform(0.06, 0.35) * rate)
        start_hz, end_hz = rng.uniform(2000, 5500, 2)
        bend = rng.uniform(0, 400) * np.sin(2 * np.pi * rng.uniform(5, 30) * np.arange(count) / rate)
        notes.append(_note(np.linspace(start_hz, end_hz, count) + bend, rate) * rng.uniform(0.5, 1))
        pauses.append(rng.uniform(0.02, 0.12))
        length_s += count / rate + pauses[-1]
    return _series(notes, pauses[:-1], rate)


def hoots(rate: int, rng: np.random.Generator) -> Samples:
    """3 to 6 deep notes of an owl in one phrase, 0.12 to 0.25 s apart."""
    notes, pitch_hz = [], rng.uniform(250, 600)
    for _ in range(int(rng.integers(3, 7))):
        count = round(rng.uniform(0.15, 0.35) * rate)
        course = pitch_hz * (1 + 0.06 * np.sin(np.pi * np.linspace(0, 1, count)))
        notes.append((_note(course, rate, 0.04) + 0.15 * _note(2 * course, rate, 0.04)) / 1.15)
    return _series(notes, [float(rng.uniform(0.12, 0.25)) for _ in notes[1:]], rate)


def buzz(rate: int, rng: np.random.Generator) -> Samples:
    """A buzzing note of 0.3 to 1.2 s: noise of a band, beating 40 to 120 times a second."""
    count = round(rng.uniform(0.3, 1.2) * rate)
    low_hz = rng.uniform(2500, 5500)
    beat = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(40, 120) * np.arange(count) / rate)
    return _hiss(count, rate, low_hz, low_hz + rng.uniform(800, 2500), rng) * beat * _envelope(count, rate, 0.03)


def croak(rate: int, rng: np.random.Generator) -> Samples:
    """A frog's croak of 0.3 to 0.9 s: pulses 25 to 60 a second, in two bands."""
    count = round(rng.uniform(0.3, 0.9) * rate)
    time_s = np.arange(count) / rate
    pulses = np.maximum(0, np.sin(2 * np.pi * rng.uniform(25, 60) * time_s)) ** 3
    low_hz = rng.uniform(500, 1200)
    voice = np.sin(2 * np.pi * low_hz * time_s) + 0.5 * np.sin(2 * np.pi * low_hz * rng.uniform(1.8, 2.4) * time_s)
    return voice * pulses * _envelope(count, rate, 0.05) / 1.5


def slurs(rate: int, rng: np.random.Generator) -> Samples:
    """A phrase of 3 to 7 slurred notes of different pitch with pauses of 0.04 to 0.18 s: a thrush or a vireo."""
    notes = []
    for _ in range(int(rng.integers(3, 8))):
        count = round(rng.uniform(0.08, 0.3) * rate)
        knots = rng.uniform(1800, 4500) + rng.uniform(-700, 700, 4)
        course = np.interp(np.linspace(0, 3, count), range(4), knots)
        notes.append(_note(course, rate, 0.015) * rng.uniform(0.4, 1))
    return _series(notes, [float(rng.uniform(0.04, 0.18)) for _ in notes[1:]], rate)


def chip(rate: int, rng: np.random.Generator) -> Samples:
    """One sharp call of 60 to 120 ms, an inverted V."""
    count = round(rng.uniform(0.06, 0.12) * rate)
    top_hz = rng.uniform(4000, 8500)
    course = top_hz - rng.uniform(800, 2500) * np.abs(np.linspace(-1, 1, count))
    return _note(course, rate, 0.008)


def rattle(rate: int, rng: np.random.Generator) -> Samples:
    """A rattle of 0.6 to 2 s: broadband knocks 14 to 35 a second that swell and fade."""
    period = round(rate / rng.uniform(14, 35))
    number = int(rng.uniform(0.6, 2) * rate / period)
    low_hz = rng.uniform(1200, 2500)
    knock = _hiss(round(0.4 * period), rate, low_hz, low_hz + rng.uniform(1500, 4000), rng)
    knock *= np.exp(-np.linspace(0, 4, len(knock)))
    sound = np.zeros(number * period)
    for index, loudness in enumerate(0.3 + 0.7 * np.sin(np.pi * (np.arange(number) + 0.5) / number)):
        sound[index * period : index * period + len(knock)] = loudness * knock
    return sound


def vibrato_song(rate: int, rng: np.random.Generator) -> Samples:
    """8 to 20 s of one voice that never pauses: its pitch trembles and glides, its loudness drifts."""
    count = round(rng.uniform(8, 20) * rate)
    time_s = np.arange(count) / rate
    steps = np.arange(0, time_s[-1] + 2)
    glide = np.interp(time_s, steps, rng.uniform(2200, 4200, len(steps)))
    course = glide * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(8, 25) * time_s))
    return _note(course, rate, 0.1) * np.interp(time_s, steps, rng.uniform(0.5, 1, len(steps)))


def scream(rate: int, rng: np.random.Generator) -> Samples:
    """A hoarse falling cry of 0.5 to 1.6 s: overtones of a falling pitch, roughened by noise."""
    count = round(rng.uniform(0.5, 1.6) * rate)
    pitch = np.linspace(1, rng.uniform(0.6, 0.8), count) * rng.uniform(900, 1800)
    rough = np.cumsum(rng.standard_normal(count)) * 0.0015
    voices = [np.sin(2 * np.pi * k * np.cumsum(pitch) / rate + k * rough) / k for k in range(1, 5)]
    sound = np.sum([voice for k, voice in enumerate(voices, 1) if k * pitch.max() < 0.45 * rate], axis=0)
    return sound * _envelope(count, rate, 0.08) / np.abs(sound).max()


MAIN: Mapping[str, Call] = {
    call.__name__: call for call in (whistle, sweep, trill, harmonic, clicks, drumming, long_song)
}
HELD_OUT: Mapping[str, Call] = {
    call.__name__: call for call in (hoots, buzz, croak, slurs, chip, rattle, vibrato_song, scream)
}
