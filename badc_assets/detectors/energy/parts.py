"""Active cells to parts: cells that touch belong together, across the borders of the pieces they come in.

The *strength* of a part says by how much its cells exceed the threshold, summed. Chance makes parts that are high or large,
but hardly both, so the strength tells faint long sounds from noise better than any threshold for single cells
(Bullmore et al. 1999, IEEE Trans. Med. Imaging 18:32-42, introduce the statistic, a cluster's mass, for brain images).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.energy.contrast import Contrast
from badc_assets.detectors.protocol import Float32

_EDGE_SHARE = 0.02
"""Share of a part's energy that may lie below its box, and above it: keeps the skirts of loud sounds out."""

_TOUCHING = np.ones((3, 3), dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that hang together, from cell `start` to before `end`, bands `low_band` to `high_band` inclusive.

    `energy` sums the power of its `cells` relative to the floor, `strength` their dB above the threshold; `best` is the
    highest level above the floor in dB, at the band position `best_band`, which may lie between two bands.
    """

    start: int
    end: int
    low_band: int
    high_band: int
    cells: int
    energy: float
    strength: float
    best: float
    best_band: float


class PartFinder:
    """Takes pieces and gives out the parts that cannot grow any more.

    Parts weaker than `least_strength` are dropped. Parts longer than `longest_cells` are cut.
    """

    def __init__(self, *, longest_cells: int, least_strength: float) -> None:
        self._longest = longest_cells
        self._least = least_strength
        self._rest: Contrast | None = None
        self.horizon = 0
        """No part that is still to come begins before this cell."""

    def add(self, contrast: Contrast) -> list[Part]:
        """Take the next piece; returns the parts now complete, by start."""
        cells = self._joined(contrast)
        return self._parts(cells, is_last=len(cells.excess_db) > self._longest)

    def close(self) -> list[Part]:
        """The recording has ended: returns what was still open."""
        return self._parts(self._rest, is_last=True) if self._rest is not None else []

    def _joined(self, contrast: Contrast) -> Contrast:
        rest = self._rest
        if rest is None or not len(rest.excess_db):
            return contrast
        return Contrast(
            rest.first_cell,
            np.concatenate([rest.excess_db, contrast.excess_db]),
            np.concatenate([rest.weak_db, contrast.weak_db]),
            np.concatenate([rest.is_active, contrast.is_active]),
        )

    def _parts(self, cells: Contrast, *, is_last: bool) -> list[Part]:
        from scipy.ndimage import label

        labels = np.empty(cells.is_active.shape, dtype=np.int32)
        label(cells.is_active, structure=_TOUCHING, output=labels)
        row, band = np.nonzero(labels)
        owner = labels[row, band].astype(np.intp) - 1
        is_done = np.ones(labels.max(initial=0) + 1, dtype=bool)
        if not is_last:
            is_done[labels[-1:]] = False
        is_done[0] = True
        still_open = ~is_done[owner + 1]
        keep_from = int(row[still_open].min(initial=len(labels)))
        self._rest = Contrast(
            cells.first_cell + keep_from,
            cells.excess_db[keep_from:],
            cells.weak_db[keep_from:],
            ~is_done[labels[keep_from:]],
        )
        self.horizon = cells.first_cell + keep_from
        row, band, owner = row[~still_open], band[~still_open], owner[~still_open]
        return _measured(cells, row, band, _cut(row, owner, self._longest), self._least)


def _cut(row: NDArray[np.intp], owner: NDArray[np.intp], longest: int) -> NDArray[np.intp]:
    """`owner` with the parts that are too long taken apart; `row` is sorted."""
    starts = np.zeros(owner.max(initial=0) + 1, dtype=np.intp)
    starts[owner[::-1]] = row[::-1]
    piece = (row - starts[owner]) // longest
    return owner * (piece.max(initial=0) + 1) + piece


def _measured(
    cells: Contrast, row: NDArray[np.intp], band: NDArray[np.intp], owner: NDArray[np.intp], least: float
) -> list[Part]:
    """The parts of at least this strength; `owner` says which part the cell at (row, band) belongs to."""
    over = cells.excess_db[row, band] - cells.weak_db[row, band]
    is_strong = np.bincount(owner, over) >= least
    chosen = is_strong[owner]
    if not chosen.any():
        return []
    _, owner = np.unique(owner[chosen], return_inverse=True)
    row, band, over = row[chosen], band[chosen], over[chosen]
    order = np.lexsort((row, owner))
    row, band, over, owner = row[order], band[order], over[order], owner[order]
    excess = cells.excess_db[row, band]
    number = int(owner[-1]) + 1
    firsts = np.searchsorted(owner, np.arange(number))
    ratio = 10 ** (excess.astype(np.float64) / 10)
    bands = cells.excess_db.shape[1]
    by_band = np.bincount(owner * bands + band, ratio, number * bands).reshape(number, bands)
    energy = by_band.sum(axis=1)
    shares = np.cumsum(by_band, axis=1) / energy[:, None]
    low = np.minimum((shares <= _EDGE_SHARE).sum(axis=1), bands - 1)
    high = np.minimum((shares < 1 - _EDGE_SHARE).sum(axis=1), bands - 1)
    at = np.lexsort((-excess, owner))[firsts]
    columns = (
        cells.first_cell + row[firsts],
        cells.first_cell + np.maximum.reduceat(row, firsts) + 1,
        low, high, np.bincount(owner), energy, np.bincount(owner, over), excess[at].astype(np.float64),
        _balance(cells.excess_db, row[at], band[at]),
    )  # fmt: skip
    parts = [Part(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(parts, key=lambda part: (part.start, part.low_band, part.end))


def _balance(excess_db: Float32, row: NDArray, band: NDArray) -> NDArray[np.float64]:
    """The middle of the power in three bands around some cells, as a band position."""
    reach = np.arange(-1, 2)
    near = band[:, None] + reach
    is_there = (near >= 0) & (near < excess_db.shape[1])
    near = np.where(is_there, near, band[:, None])
    weights = 10 ** (excess_db[row[:, None], near].astype(np.float64) / 10) * is_there
    return (near * weights).sum(axis=1) / weights.sum(axis=1)
