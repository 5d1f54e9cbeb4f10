"""The noise floor of each band: what the band sounds like when nothing calls, followed through the recording.

For each second the floor comes from a histogram of the band's levels in a window of time around it, before and after, so
that it needs no warm-up; near the start and the end of a recording the window is what there is of it. Three steps:

1. Median and spread of the noise are read from two low quantiles, which calls hardly reach, after Martin's minimum
   statistics (2001, IEEE Trans. Speech Audio Process. 9:504-512).
2. The share of levels that stand far above is taken to be calls, and the quantiles are read again from the rest, as in
   iterative sigma clipping (Lamel et al. 1981, IEEE Trans. Acoust. Speech Signal Process. 29:777-785, and Towsey 2013,
   QUT ePrints 61399, do the like with the histogram's mode). So long song does not lift the floor.
3. A band in which hardly half a second goes by without a loud moment, all through a long window, is an insect, a frog
   chorus or a stream, not a song: there the floor moves up to the peaks of what it does all the time.

Memory depends on the window, not on the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.protocol import Float32

_STEP_DB = 0.5
_TOP_DB = 10.0

# Quantiles of the levels, and their distance from the median of a normal distribution in standard deviations.
# Levels of steady noise in dB are close to normal.
_QUANTILES = (0.1, 0.35)
_DEVIATES = (-1.2816, -0.3853)
_CLIPPINGS = 2
_CLIP_SPREADS = 3.0
_CLIP_DB = 4.0
_LEAST_SPREAD_DB = 0.5

# A moment is loud from 7 to 10 dB above the median, depending on the spread. A band begins to be a chorus when three quarters
# of its half-seconds have one, and wholly is one at 95 %; the floor then is at the 60 % quantile of their peaks.
_BUSY_DB = 7.0, 10.0
_BUSY_SHARE = 0.75, 0.95
_BUSY_PEAK = 0.6


@dataclass(frozen=True)
class Piece:
    """Some consecutive cells: their levels in dB, shape (cells, bands)."""

    first_cell: int
    levels_db: Float32


@dataclass(frozen=True)
class Floor:
    """Median level and spread (one standard deviation) of the noise in each band, in dB, shape (bands,)."""

    level_db: Float32
    spread_db: Float32


class FloorTracker:
    """Holds pieces back until the window around them is known, then gives each out with its floor.

    `lowest_db` is the lowest floor there can be. Levels at or below it are digital silence and say nothing about noise:
    they are left out as long as at least the share `_HEARD` of the window is above. Otherwise the floor is `lowest_db`.
    Pieces are cut into blocks of `block_cells`; a window of fewer than `least_blocks` is too short to tell a chorus from a song.
    """

    _HEARD = 1 / 3

    def __init__(
        self,
        bands: int,
        *,
        pieces_each_side: int,
        lowest_db: float,
        block_cells: int,
        least_blocks: float,
    ) -> None:
        self._side = pieces_each_side
        self._lowest_db = lowest_db
        self._block_cells = block_cells
        self._least_blocks = least_blocks
        self._bins = round((_TOP_DB - lowest_db) / _STEP_DB)
        # Of all cells, and of the peaks of blocks.
        self._window: deque[tuple[Piece, NDArray[np.int32], NDArray[np.int32]]] = deque()
        self._counts = np.zeros((bands, self._bins), dtype=np.int32)
        self._peaks = np.zeros((bands, self._bins), dtype=np.int32)
        self._offsets = (np.arange(bands) * self._bins).astype(np.int32)
        self._next = 0

    def push(self, piece: Piece) -> Iterator[tuple[Piece, Floor]]:
        """Take the next piece; gives the one that is now complete, if any."""
        counts = self._histogram(piece.levels_db)
        firsts = np.arange(0, len(piece.levels_db), self._block_cells)
        peaks = self._histogram(np.maximum.reduceat(piece.levels_db, firsts, axis=0))
        self._window.append((piece, counts, peaks))
        self._counts += counts
        self._peaks += peaks
        if len(self._window) > self._next + self._side:
            yield self._take()

    def drain(self) -> Iterator[tuple[Piece, Floor]]:
        """The recording has ended: gives the pieces that were held back."""
        while self._next < len(self._window):
            yield self._take()

    def _take(self) -> tuple[Piece, Floor]:
        piece = self._window[self._next][0]
        floor = self._floor()
        if self._next == self._side:
            _, counts, peaks = self._window.popleft()
            self._counts -= counts
            self._peaks -= peaks
        else:
            self._next += 1
        return piece, floor

    def _histogram(self, levels_db: Float32) -> NDArray[np.int32]:
        """How often each band was at each level, shape (bands, bins); bin 0 is silence."""
        index = np.ceil((levels_db - np.float32(self._lowest_db)) * np.float32(1 / _STEP_DB)).astype(np.int32)
        index = np.clip(index, 0, self._bins - 1) + self._offsets
        counts = np.bincount(index.ravel(), minlength=self._counts.size)
        return counts.reshape(self._counts.shape).astype(np.int32)

    def _floor(self) -> Floor:
        silent = self._counts[:, 0]
        cumulated = np.cumsum(self._counts, axis=1, dtype=np.int32)
        total = cumulated[:, -1]
        is_noise = total - silent >= self._HEARD * total
        levels = _Levels(cumulated - np.where(is_noise, silent, 0)[:, None], self._lowest_db)
        level_db, spread_db = levels.median_and_spread(levels.total)
        for _ in range(_CLIPPINGS):
            edge_db = level_db + np.maximum(_CLIP_SPREADS * spread_db, _CLIP_DB)
            level_db, spread_db = levels.median_and_spread(levels.count_to(edge_db))
        level_db = level_db + self._chorus(level_db, spread_db)
        level_db = np.where(is_noise, np.maximum(level_db, self._lowest_db), self._lowest_db)
        return Floor(level_db.astype(np.float32), np.where(is_noise, spread_db, 0.0).astype(np.float32))

    def _chorus(self, level_db: NDArray[np.float64], spread_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much the floor of each band is to be moved up for what goes on all the time, in dB."""
        total = self._peaks[0].sum()
        if total < self._least_blocks:
            return np.zeros(len(level_db))
        edge_db = level_db + np.clip(_CLIP_SPREADS * spread_db + 3, *_BUSY_DB)
        is_loud = np.arange(self._bins) > _bin_of(edge_db, self._lowest_db, self._bins)[:, None]
        share = (self._peaks * is_loud).sum(axis=1) / total
        busy = np.clip((share - _BUSY_SHARE[0]) / (_BUSY_SHARE[1] - _BUSY_SHARE[0]), 0, 1)
        if not busy.any():
            return busy
        peaks = _Levels(np.cumsum(self._peaks, axis=1, dtype=np.int32), self._lowest_db)
        return busy * np.maximum(peaks.quantile(_BUSY_PEAK * peaks.total) - level_db, 0)


def _bin_of(level_db: NDArray[np.float64], lowest_db: float, bins: int) -> NDArray[np.intp]:
    """The bin of each level: bin i holds the levels up to and with `lowest_db + i * _STEP_DB`."""
    index = np.ceil((level_db - lowest_db) / _STEP_DB).astype(np.intp)
    return np.minimum(np.maximum(index, 0), bins - 1)


class _Levels:
    """How many levels of each band lie in or below each bin, shape (bands, bins)."""

    def __init__(self, cumulated: NDArray[np.integer[Any]], lowest_db: float) -> None:
        self.total = cumulated[:, -1]
        self._lowest_db = lowest_db
        self._rows = np.arange(len(cumulated))
        self._bins = cumulated.shape[1]
        # One search goes through all bands: each is moved up beyond the one before it, and begins with a zero.
        self._above = (self._rows * (int(self.total.max()) + 1)).astype(np.int32)
        self._stairs = np.zeros((len(cumulated), self._bins + 1), dtype=np.int32)
        self._stairs[:, 1:] = cumulated
        self._stairs += self._above[:, None]
        self._stairs = self._stairs.ravel()

    def count_to(self, edge_db: NDArray[np.float64]) -> NDArray[np.int32]:
        """How many levels of each band lie at or below `edge_db`."""
        index = _bin_of(edge_db, self._lowest_db, self._bins)
        return self._stairs[self._rows * (self._bins + 1) + index + 1] - self._above

    def quantile(self, wanted: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The level below which `wanted` levels of each band lie, interpolated within a bin."""
        found = np.searchsorted(self._stairs, np.ceil(wanted).astype(np.int32) + self._above)
        # Nothing wanted is found at the zero that a band begins with.
        found = np.maximum(found, self._rows * (self._bins + 1) + 1)
        before, reached = self._stairs[found - 1] - self._above, self._stairs[found] - self._above
        fraction = (wanted - before) / np.maximum(reached - before, 1)
        return self._lowest_db + (found - self._rows * (self._bins + 1) - 2 + fraction) * _STEP_DB

    def median_and_spread(self, number: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and standard deviation in dB, from the low quantiles of the lowest `number` levels of each band."""
        low_db, mid_db = (self.quantile(quantile * number) for quantile in _QUANTILES)
        spread_db = np.maximum((mid_db - low_db) / (_DEVIATES[1] - _DEVIATES[0]), _LEAST_SPREAD_DB)
        return mid_db - _DEVIATES[1] * spread_db, spread_db
