"""Samples to band levels: the time-frequency grid on which the energy detector works.

The grid has cells. In time a cell advances by one FFT window and averages the power of three half-overlapping Hann
windows (Welch 1967, IEEE Trans. Audio Electroacoust. 15:70-73), so it looks at two window lengths. In frequency a cell
is a band: a fraction of an octave wide, but never narrower than `min_band_hz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.protocol import Float32

SILENT_DB = -150.0
"""Level given to a band without any power; far below what a recorder's converter can hold."""

_LARGEST_SAMPLE = 1000.0
_CELLS_AT_ONCE = 86


@dataclass(frozen=True)
class BandGrid:
    """The cells for one sample rate.

    Band i sums the FFT bins from `first_bins[i]` to before the first bin of the next; the last ends before `end_bin`.
    """

    sample_rate_hz: int
    window_samples: int
    first_bins: tuple[int, ...]
    end_bin: int

    @property
    def bands(self) -> int:
        return len(self.first_bins)

    @property
    def bin_hz(self) -> float:
        return self.sample_rate_hz / self.window_samples

    @property
    def cell_ms(self) -> float:
        """How far one cell is from the next."""
        return 1000 * self.window_samples / self.sample_rate_hz

    def edges_hz(self) -> NDArray[np.float64]:
        """The lower edge of each band and the upper edge of the last, shape (bands + 1,)."""
        # A bin reaches half a bin each way.
        edges = (np.array([*self.first_bins, self.end_bin]) - 0.5) * self.bin_hz
        return np.clip(edges, 0, self.sample_rate_hz / 2)


def band_grid(
    sample_rate_hz: int, *, window_ms: float, low_hz: float, high_hz: float, min_band_hz: float, bands_per_octave: float
) -> BandGrid:
    """Lay out the cells. The grid has no bands when `low_hz` lies above half the sample rate."""
    window = _fast_even_size(sample_rate_hz * window_ms / 1000)
    bin_hz = sample_rate_hz / window
    # Bin 0 holds what is left of the constant offset and is never used.
    edge = max(1, round(low_hz / bin_hz))
    end_bin = min(window // 2, round(high_hz / bin_hz)) + 1
    growth = 2 ** (1 / bands_per_octave) - 1
    first_bins = []
    while edge < end_bin:
        first_bins.append(edge)
        edge += max(1, round(max(min_band_hz, growth * edge * bin_hz) / bin_hz))
    return BandGrid(sample_rate_hz, window, tuple(first_bins), end_bin)


def _fast_even_size(samples: float) -> int:
    """The even number nearest to `samples`, at least 8, that has no prime factor above 5: the FFT is fast for these."""
    sizes = [
        2 * 2**a * 3**b * 5**c
        for a in range(16) for b in range(6) for c in range(6)
        if 8 <= 2 * 2**a * 3**b * 5**c <= 2 * samples + 8
    ]  # fmt: skip
    return min(sizes, key=lambda size: (abs(size - samples), size))


class CellBuffer:
    """Collects samples into pieces of a fixed number of cells, wherever the blocks that are fed happen to end.

    Each piece repeats the last window of the piece before it, because neighbouring cells share a window.
    """

    def __init__(self, window_samples: int, cells: int) -> None:
        self._window = window_samples
        self._samples = np.zeros((cells + 1) * window_samples, dtype=np.float32)
        self._filled = 0
        self._is_first = True

    def feed(self, block: Float32) -> Iterator[Float32]:
        """The pieces that `block` completes. A piece is valid until the next one is asked for."""
        taken = 0
        while taken < len(block):
            count = min(len(block) - taken, len(self._samples) - self._filled)
            self._samples[self._filled : self._filled + count] = block[taken : taken + count]
            self._filled += count
            taken += count
            if self._filled == len(self._samples):
                yield self._samples
                self._samples[: self._window] = self._samples[-self._window :]
                self._filled = self._window
                self._is_first = False

    def rest(self) -> Float32:
        """The whole cells that are left at the end, maybe none. What does not fill a cell is left out.

        A recording shorter than one cell is the exception: it is filled up with zeros to one cell.
        """
        least = 2 * self._window
        if self._is_first and 0 < self._filled < least:
            padded = np.zeros(least, dtype=np.float32)
            padded[: self._filled] = self._samples[: self._filled] - self._samples[: self._filled].mean()
            return padded
        whole = self._filled // self._window * self._window
        return self._samples[: whole if whole >= least else 0]


class BandSpectrum:
    """Turns samples into the level of each cell."""

    def __init__(self, grid: BandGrid) -> None:
        window = np.hanning(grid.window_samples + 1)[:-1]
        self._grid = grid
        self._window = window.astype(np.float32)
        # One-sided, and scaled so that a signal's bands sum to its mean square; 3 windows are averaged.
        self._scale = np.float32(2 / (3 * grid.window_samples * np.sum(window**2)))
        # Real and imaginary parts lie side by side.
        self._parts = slice(2 * grid.first_bins[0], 2 * grid.end_bin)
        self._firsts = 2 * (np.array(grid.first_bins) - grid.first_bins[0])
        self._has_lowest_bin = grid.first_bins[0] == 1

    def cells(self, samples: Float32) -> Float32:
        """Levels in dB re full scale (mean square 1), shape (cells, bands), for samples that hold (cells + 1) windows.

        Samples that are not numbers or are absurdly large, as broken float files have them, count as zero.
        """
        size = self._grid.window_samples
        if not (samples.min() >= -_LARGEST_SAMPLE and samples.max() <= _LARGEST_SAMPLE):
            samples = np.where(np.abs(samples) <= _LARGEST_SAMPLE, samples, np.float32(0))
        cells = len(samples) // size - 1
        bands = np.empty((cells, self._grid.bands), dtype=np.float32)
        # A few cells at a time, so that what is worked on stays in the processor's cache.
        for first in range(0, cells, _CELLS_AT_ONCE):
            end = min(first + _CELLS_AT_ONCE, cells)
            self._measure(samples[first * size : (end + 1) * size], bands[first:end])
        np.multiply(_blurred(bands), self._scale, out=bands)
        np.log10(np.maximum(bands, np.float32(10 ** (SILENT_DB / 10))), out=bands)
        bands *= 10
        return bands

    def _measure(self, samples: Float32, bands: Float32) -> None:
        """Set `bands`, shape (cells, bands), to the power of the three windows of each cell, without scale."""
        half = self._grid.window_samples // 2
        whole, between = self._power(samples), self._power(samples[half:-half])
        whole[:-1] += whole[1:]
        between += whole[:-1]
        np.add.reduceat(between, self._firsts, axis=1, out=bands)

    def _power(self, samples: Float32) -> Float32:
        """Squares of the real and imaginary parts of the wanted bins, for windows that follow each other."""
        import scipy.fft

        frames = samples.reshape(-1, self._grid.window_samples)
        spectrum = np.asarray(scipy.fft.rfft(frames * self._window, axis=1), dtype=np.complex64)
        if self._has_lowest_bin:
            # A constant offset, seen through a Hann window, lies in the bins 0 and 1 alone.
            spectrum[:, 1] += frames.mean(axis=1) * np.float32(self._grid.window_samples / 4)
        parts = spectrum.view(np.float32)[:, self._parts]
        return np.square(parts, out=parts)


def _blurred(power: Float32) -> Float32:
    """Each band with half of its power left in it and a quarter given to either side: noise becomes steadier."""
    blurred = power * 2
    blurred[:, 1:] += power[:, :-1]
    blurred[:, :-1] += power[:, 1:]
    blurred[:, 0] += power[:, 0]
    blurred[:, -1] += power[:, -1]
    blurred /= 4
    return blurred
