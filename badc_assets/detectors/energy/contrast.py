"""Which cells stand out: levels against the noise floor, and against what happens around them.

Five things happen to the level above the floor, all local in time and frequency:

1. Wind, rain and passing cars swell within seconds, faster than the noise floor can follow, but over a wide range of
   frequencies at once. The *swell*, the level that most bands around a cell hold for most of two seconds, is taken off.
   Most calls fill few bands, or last shorter, and have no part in it. Lasseck (2013, LifeCLEF bird identification) compares
   cells with the medians of their row and column to the same end; here the column's part is local in frequency and slow
   in time, so that knocks, which fill a column for an instant, stay.
2. Cells count from a threshold that is set in dB and in standard deviations of the band's noise: the larger one holds.
3. In *clutter*, a distant chorus that fills several neighbouring bands most of the time, the threshold rises with the median
   level around (the order statistic of Rohling 1983, IEEE Trans. Aerosp. Electron. Syst. 19:608-621, made for radar).
4. A cell far below the loudest one near it does not count: an echo, the skirt of a loud sound, or what nobody could tell
   from these.
5. A cell counts only where enough of the nine around it come half as high (single cells are chance), and gaps of one cell are
   filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.energy.floor import Floor, Piece
from badc_assets.detectors.protocol import Float32

BLOCK_CELLS = 4
"""Swell is worked out for so many cells at once; pieces hold a whole number of such blocks."""

_MARGIN_BLOCKS = 4
"""How far beyond a piece the cells are looked at; levels in blocks are looked at further."""

_SWELL_BLOCKS = 10
_SWELL_RANK = 4
"""Of 21 blocks in two seconds, the fifth lowest median counts: four fifths of the time hold that level."""

_ANCHOR_BANDS = 8
_SWELL_BANDS = 16

_CLUTTER_BANDS = 2
_CLUTTER_DB = 8.0

_NEAR_BLOCKS = 3
_NEAR_BANDS = 6
_LEAST_NEIGHBOURS = 4
_SUPPORT = 0.5
_SILENT_EXCESS_DB = np.float32(-60)


@dataclass(frozen=True)
class Contrast:
    """The cells of one piece: excess over floor and swell, threshold, both in dB, and which count; all (cells, bands)."""

    first_cell: int
    excess_db: Float32
    weak_db: Float32
    is_active: NDArray[np.bool_]


@dataclass(frozen=True)
class _Rows:
    excess_db: Float32
    weak_db: Float32
    means_db: Float32
    medians_db: Float32
    """Median excess of the bands around each anchor, per block, shape (blocks, anchors)."""


class ContrastFinder:
    """Takes pieces with their floors, and gives each out when the piece after it is known.

    A cell can count from `weak_db` above the floor, or `weak_spreads` standard deviations, and at most `range_db` below
    the loudest cell near it.
    """

    def __init__(self, bands: int, *, weak_db: float, weak_spreads: float, range_db: float) -> None:
        self._weak = np.float32(weak_db), np.float32(weak_spreads)
        self._range_db = np.float32(range_db)
        anchors = np.arange(min(_ANCHOR_BANDS // 2, bands - 1), bands, _ANCHOR_BANDS)
        # Near the lowest and highest band the neighbourhood is moved inwards, as far as there are bands.
        middle = np.clip(anchors, _SWELL_BANDS, max(bands - 1 - _SWELL_BANDS, 0))
        reach = np.arange(-_SWELL_BANDS, _SWELL_BANDS + 1)
        self._around = np.clip(middle[:, None] + reach, 0, bands - 1)
        position = np.interp(np.arange(bands), anchors, np.arange(len(anchors)))
        self._left = np.minimum(position.astype(np.intp), len(anchors) - 1)
        self._right = np.minimum(self._left + 1, len(anchors) - 1)
        self._share = (position - self._left).astype(np.float32)
        self._before: _Rows | None = None
        self._current: tuple[int, _Rows] | None = None

    def push(self, piece: Piece, floor: Floor) -> Iterator[Contrast]:
        """Take the next piece; gives the one before it, if any."""
        after = self._rows(piece, floor)
        if self._current is not None:
            yield self._contrast(after)
            self._before = self._current[1]
        self._current = piece.first_cell, after

    def drain(self) -> Iterator[Contrast]:
        """The recording has ended: gives the last piece."""
        if self._current is not None:
            yield self._contrast(None)
        self._before = self._current = None

    def _rows(self, piece: Piece, floor: Floor) -> _Rows:
        excess = np.maximum(piece.levels_db - floor.level_db, _SILENT_EXCESS_DB)
        weak = np.maximum(self._weak[0], self._weak[1] * floor.spread_db)
        firsts = np.arange(0, len(excess), BLOCK_CELLS)
        means = np.empty((len(firsts), excess.shape[1]), dtype=np.float32)
        np.add.reduceat(excess, firsts, axis=0, out=means)
        means /= np.diff(firsts, append=len(excess))[:, None]
        medians = np.partition(means[:, self._around], _SWELL_BANDS, axis=2)[:, :, _SWELL_BANDS]
        return _Rows(excess, np.broadcast_to(weak, excess.shape), means, medians)

    def _contrast(self, after: _Rows | None) -> Contrast:
        assert self._current is not None
        first_cell, current = self._current
        before = self._before
        lead = 0 if before is None else _MARGIN_BLOCKS
        near = [rows for rows in (_last(before, lead), current, _first(after, _MARGIN_BLOCKS)) if rows is not None]
        swell = self._swell(before, current, after)
        weak = np.concatenate([rows.weak_db for rows in near]) + self._clutter(before, current, after)
        excess = np.concatenate([rows.excess_db for rows in near])
        excess -= swell[: len(excess)]
        is_active = self._active(excess, weak)
        inner = slice(lead * BLOCK_CELLS, lead * BLOCK_CELLS + len(current.excess_db))
        return Contrast(first_cell, excess[inner], weak[inner], is_active[inner])

    def _clutter(self, before: _Rows | None, current: _Rows, after: _Rows | None) -> Float32:
        """By how much each band is above its floor most of the time around a piece, shape (bands,)."""
        means = np.concatenate([rows.means_db for rows in (before, current, after) if rows is not None])
        from scipy.ndimage import median_filter

        middle = len(means) // 2
        typical = np.partition(np.ascontiguousarray(means.T), middle, axis=1)[:, middle]
        level = median_filter(typical, 2 * _CLUTTER_BANDS + 1, mode="constant")
        return np.clip(level, 0, np.float32(_CLUTTER_DB))

    def _swell(self, before: _Rows | None, current: _Rows, after: _Rows | None) -> Float32:
        """The level that most of the bands around hold for most of two seconds, from the margin before the piece on.

        Shape (cells, bands); there may be some cells more at the end.
        """
        reach = _MARGIN_BLOCKS + _SWELL_BLOCKS
        near = [rows.medians_db for rows in (_last(before, reach), current, _first(after, reach)) if rows is not None]
        medians = np.concatenate(near)
        # Where the recording begins or ends, its first or last block goes on.
        ahead = _SWELL_BLOCKS if before is None else 0
        behind = max(0, _SWELL_BLOCKS + _MARGIN_BLOCKS - (0 if after is None else len(after.medians_db)))
        padded = np.pad(medians, ((ahead, behind), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _SWELL_BLOCKS + 1, axis=0)
        swell = np.maximum(np.partition(windows, _SWELL_RANK, axis=2)[:, :, _SWELL_RANK], 0)
        wide = swell[:, self._left] * (1 - self._share) + swell[:, self._right] * self._share
        return np.repeat(wide, BLOCK_CELLS, axis=0)

    def _active(self, excess_db: Float32, weak_db: Float32) -> NDArray[np.bool_]:
        from scipy.ndimage import maximum_filter1d

        firsts = np.arange(0, len(excess_db), BLOCK_CELLS)
        loudest = np.maximum.reduceat(excess_db, firsts, axis=0)
        loudest = maximum_filter1d(loudest, 2 * _NEAR_BLOCKS + 1, axis=0, mode="nearest")
        loudest = maximum_filter1d(loudest, 2 * _NEAR_BANDS + 1, axis=1, mode="nearest")
        loudest = np.repeat(loudest, BLOCK_CELLS, axis=0)[: len(excess_db)]
        is_high = excess_db >= np.maximum(weak_db, loudest - self._range_db)
        count = np.pad(excess_db >= _SUPPORT * weak_db, 1, mode="edge").astype(np.uint8)
        count = count[:-2] + count[1:-1] + count[2:]
        count = count[:, :-2] + count[:, 1:-1] + count[:, 2:]
        is_active = is_high & (count >= _LEAST_NEIGHBOURS)
        is_active[1:-1] |= is_active[:-2] & is_active[2:]
        return is_active


def _last(rows: _Rows | None, blocks: int) -> _Rows | None:
    """The last blocks of a piece that is followed by another, and so is whole."""
    return None if rows is None else _part(rows, slice(-blocks * BLOCK_CELLS, None), slice(-blocks, None))


def _first(rows: _Rows | None, blocks: int) -> _Rows | None:
    return None if rows is None else _part(rows, slice(blocks * BLOCK_CELLS), slice(blocks))


def _part(rows: _Rows, cells: slice, blocks: slice) -> _Rows:
    return _Rows(rows.excess_db[cells], rows.weak_db[cells], rows.means_db[blocks], rows.medians_db[blocks])
