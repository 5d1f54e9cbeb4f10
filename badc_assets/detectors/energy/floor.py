"""The noise floor of each band: what the band sounds like when nothing calls, followed through the recording.

For each second the floor comes from a window of time around it, before and after, so that it needs no warm-up: near the
start and the end of a recording the window is what there is of it. The floor is read from the quiet part of the
window's levels, so a call does not lift it until it fills most of the window; wind, rain and hum that last do. Memory
depends on the window, not on the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.protocol import Float32

_STEP_DB = 0.5
_TOP_DB = 10.0

# Quantiles of the levels, and their distance from the median of a normal distribution in standard deviations.
# Levels of steady noise in dB are close to normal; the lower part is used because calls only reach the upper one.
_QUANTILES = (0.1, 0.4)
_DEVIATES = (-1.2816, -0.2533)


@dataclass(frozen=True)
class Piece:
    """Some consecutive cells: their levels in dB and mean frequencies in Hz, both of shape (cells, bands)."""

    first_cell: int
    levels_db: Float32
    mean_hz: Float32


@dataclass(frozen=True)
class Floor:
    """Median level and spread (one standard deviation) of the noise in each band, in dB, shape (bands,)."""

    level_db: NDArray[np.float64]
    spread_db: NDArray[np.float64]


class FloorTracker:
    """Holds pieces back until the window around them is known, then gives each out with its floor.

    `lowest_db` is the lowest floor there can be. Levels at or below it are digital silence and say nothing about noise:
    they are left out as long as at least the share `_HEARD` of the window is above. Otherwise the floor is `lowest_db`.
    """

    _HEARD = 1 / 3

    def __init__(self, bands: int, *, pieces_each_side: int, lowest_db: float) -> None:
        self._side = pieces_each_side
        self._lowest_db = lowest_db
        self._bins = round((_TOP_DB - lowest_db) / _STEP_DB)
        self._window: deque[tuple[Piece, NDArray[np.int64]]] = deque()
        self._counts = np.zeros((bands, self._bins), dtype=np.int64)
        self._offsets = np.arange(bands) * self._bins
        self._next = 0

    def push(self, piece: Piece) -> Iterator[tuple[Piece, Floor]]:
        """Take the next piece; gives the one that is now complete, if any."""
        counts = self._histogram(piece.levels_db)
        self._window.append((piece, counts))
        self._counts += counts
        if len(self._window) > self._next + self._side:
            yield self._take()

    def drain(self) -> Iterator[tuple[Piece, Floor]]:
        """The recording has ended: gives the pieces that were held back."""
        while self._next < len(self._window):
            yield self._take()

    def _take(self) -> tuple[Piece, Floor]:
        piece, _ = self._window[self._next]
        floor = self._floor()
        if self._next == self._side:
            self._counts -= self._window.popleft()[1]
        else:
            self._next += 1
        return piece, floor

    def _histogram(self, levels_db: Float32) -> NDArray[np.int64]:
        """How often each band was at each level, shape (bands, bins); bin 0 is silence."""
        index = np.ceil((levels_db - self._lowest_db) / _STEP_DB).astype(np.int64)
        index = np.clip(index, 0, self._bins - 1) + self._offsets
        return np.bincount(index.ravel(), minlength=self._counts.size).reshape(self._counts.shape)

    def _floor(self) -> Floor:
        counts = self._counts.copy()
        total = counts.sum(axis=1)
        is_noise = total - counts[:, 0] >= self._HEARD * total
        counts[is_noise, 0] = 0
        low_db, mid_db = (self._quantile(counts, quantile) for quantile in _QUANTILES)
        spread_db = (mid_db - low_db) / (_DEVIATES[1] - _DEVIATES[0])
        level_db = np.maximum(mid_db - _DEVIATES[1] * spread_db, self._lowest_db)
        return Floor(np.where(is_noise, level_db, self._lowest_db), np.where(is_noise, spread_db, 0.0))

    def _quantile(self, counts: NDArray[np.int64], quantile: float) -> NDArray[np.float64]:
        """The level below which `quantile` of each band's counts lie, interpolated within a bin."""
        cumulated = np.cumsum(counts, axis=1)
        wanted = quantile * cumulated[:, -1]
        index = np.minimum((cumulated < wanted[:, None]).sum(axis=1), self._bins - 1)
        rows = np.arange(len(counts))
        inside = counts[rows, index]
        before = cumulated[rows, index] - inside
        fraction = (wanted - before) / np.maximum(inside, 1)
        return self._lowest_db + (index - 1 + fraction) * _STEP_DB
