"""Measures a recording while its blocks pass by, in memory that grows by some 100 bytes per second of sound and channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badc_assets.audio.measures.spectrum import PICTURE_ROWS, Spectra, SpectrumPlan, spectra, spectrum_plan
from badc_assets.audio.measures.waveform import FULL_SCALE, Waveform, measure

SPECTRUM_EVERY_S = 4
_WINDOWS_AT_ONCE = 32
PICTURE_COLUMNS = 120
_SPECTRAL = tuple(name for name in Spectra.__dataclass_fields__ if name != "picture")


@dataclass(frozen=True)
class Measures:
    """What was measured of a recording. Second k covers the frames from k * rate; the last one may be shorter.

    `waveform` has fields of `Waveform`, each of shape (seconds, channels). `spectra` has one row for every SPECTRUM_EVERY_S
    seconds, of the mean of the channels. `picture` has shape (PICTURE_ROWS, columns), lowest frequencies first, dB of full scale
    per hertz, each column the mean of `seconds_per_column` seconds.
    """

    rate_hz: int
    waveform: dict[str, NDArray[Any]]
    spectra: dict[str, NDArray[np.float32]]
    picture: NDArray[np.float32]
    seconds_per_column: int

    @property
    def seconds(self) -> int:
        return len(self.waveform["samples"])


class Meter:
    """Feed it blocks of a whole number of seconds each, the last one excepted (`block_frames` says how many frames)."""

    def __init__(self, rate_hz: int, channels: int, frames: int) -> None:
        self.rate_hz = rate_hz
        self._channels = channels
        self._plan: SpectrumPlan = spectrum_plan(rate_hz)
        self._room = np.empty(0, np.float32)
        self._seconds = 0
        self._measured: list[list[Waveform]] = []
        self._windows = np.zeros((_WINDOWS_AT_ONCE, self._plan.window), np.float32)
        self._waiting = 0
        self._spectra: list[dict[str, NDArray[np.float32]]] = []
        self._picture = _Picture(-(-frames // rate_hz))

    @staticmethod
    def block_frames(rate_hz: int, about: int) -> int:
        """A whole number of seconds in frames, near `about` frames and at least one second."""
        return rate_hz * max(about // rate_hz, 1)

    def add(self, block: NDArray[Any]) -> None:
        """The next frames, shape (n, channels), as `SampleReader.blocks` gives them."""
        if block.dtype == np.float32 and not np.isfinite(block).all():
            block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
        if len(self._room) < len(block):
            self._room = np.empty(len(block), np.float32)
        whole = len(block) // self.rate_hz * self.rate_hz
        for part, length in ((block[:whole], self.rate_hz), (block[whole:], len(block) - whole)):
            if len(part):
                self._measure(part, length)

    def _measure(self, part: NDArray[Any], length: int) -> None:
        """Seconds of `length` frames each."""
        count = len(part) // length
        for second in range(count):
            if (self._seconds + second) % SPECTRUM_EVERY_S == 0:
                self._take_window(part[second * length :][:length])
        columns = (np.ascontiguousarray(part[:, channel]).reshape(count, length) for channel in range(self._channels))
        self._measured.append([measure(column, self.rate_hz, self._room) for column in columns])
        self._seconds += count

    def measures(self) -> Measures:
        """All that was measured; call it once, after the last block."""
        self._take_spectra()
        fields = Waveform.__dataclass_fields__
        waveform = {
            name: np.concatenate([np.stack([getattr(c, name) for c in each], axis=1) for each in self._measured])
            for name in fields
        }
        spectral = {name: np.concatenate([each[name] for each in self._spectra]) for name in _SPECTRAL}
        return Measures(self.rate_hz, waveform, spectral, self._picture.levels(), self._picture.seconds_per_column)

    def _take_window(self, second: NDArray[Any]) -> None:
        part = second[: self._plan.window]
        row = self._windows[self._waiting]
        row[: len(part)] = part[:, 0] if self._channels == 1 else part.mean(axis=1)
        row[len(part) :] = 0
        row *= 1 / FULL_SCALE[second.dtype.name]
        self._waiting += 1
        if self._waiting == _WINDOWS_AT_ONCE:
            self._take_spectra()

    def _take_spectra(self) -> None:
        if self._waiting:
            found = spectra(self._windows[: self._waiting], self._plan)
            self._picture.add(found.picture)
            self._spectra.append({name: getattr(found, name) for name in _SPECTRAL})
            self._waiting = 0


class _Picture:
    """Means of the windows' levels over at most PICTURE_COLUMNS spans of time."""

    def __init__(self, seconds: int) -> None:
        windows = -(-seconds // SPECTRUM_EVERY_S)
        self._windows_each = max(-(-windows // PICTURE_COLUMNS), 1)
        columns = max(-(-windows // self._windows_each), 1)
        self._sums = np.zeros((columns, PICTURE_ROWS))
        self._counts = np.zeros(columns)
        self._seen = 0

    @property
    def seconds_per_column(self) -> int:
        return self._windows_each * SPECTRUM_EVERY_S

    def add(self, levels: NDArray[np.float32]) -> None:
        columns = np.minimum((self._seen + np.arange(len(levels))) // self._windows_each, len(self._counts) - 1)
        np.add.at(self._sums, columns, levels)
        np.add.at(self._counts, columns, 1)
        self._seen += len(levels)

    def levels(self) -> NDArray[np.float32]:
        return (self._sums / np.maximum(self._counts, 1)[:, None]).T.astype(np.float32)
