"""Active cells to events: cells that touch belong together, across the borders of the pieces they come in.

A *run* is a stretch of active cells in one band. Two runs belong together when they lie in one band with at most
`gap_cells` quiet cells between them, or in neighbouring bands without a gap. An event is everything that belongs
together, as far as it does not grow longer than `longest_cells`: there it is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.protocol import Float32

_EDGE_SHARE = 0.02
"""Share of an event's energy that may lie below its box, and above it: keeps the skirts of loud sounds out."""


@dataclass(frozen=True)
class Run:
    """Active cells `start` to before `end` of a band.

    `energy` sums their power relative to the floor; `best` is the highest level above it in dB, at `best_hz`.
    """

    start: int
    end: int
    band: int
    energy: float
    best: float
    best_hz: float
    is_strong: bool


@dataclass(frozen=True)
class Blob:
    """An event in grid units: cells from `start` to before `end`, bands from `low_band` to `high_band` inclusive.

    `mean_ratio` is the mean power of its active cells relative to the noise floor, `peak_hz` the frequency in the cell
    that stands out most.
    """

    start: int
    end: int
    low_band: int
    high_band: int
    mean_ratio: float
    peak_hz: float


def find_runs(excess_db: Float32, weak_db: Float32, strong_db: Float32, mean_hz: Float32, first_cell: int) -> list[Run]:
    """The runs of one piece, ordered by start.

    `excess_db`, shape (cells, bands), is the level above the floor; `weak_db` and `strong_db`, shape (bands,), are the
    thresholds: cells at or above the weak one are active, and a run with a cell at or above the strong one is strong.
    """
    cells = len(excess_db)
    # A quiet column after each band ends every run within its own row.
    excess = np.full((excess_db.shape[1], cells + 1), -np.inf, dtype=np.float32)
    excess[:, :-1] = excess_db.T
    is_active = excess >= weak_db[:, None]
    changes = np.flatnonzero(np.diff(is_active.ravel().astype(np.int8), prepend=0))
    if not len(changes):
        return []
    starts, ends = changes[::2], changes[1::2]
    bands, offsets = np.divmod(starts, cells + 1)
    energies = np.add.reduceat(10 ** (excess.ravel().astype(np.float64) / 10), changes)[::2]
    bests = np.maximum.reduceat(excess.ravel(), changes)[::2]
    order = np.lexsort((bands, offsets))
    frequencies = _frequency_of_best(excess.ravel(), mean_hz, starts, ends, bests)
    columns = (
        first_cell + offsets, first_cell + offsets + ends - starts, bands, energies,
        bests.astype(np.float64), frequencies, bests >= strong_db[bands],
    )  # fmt: skip
    return [Run(*values) for values in zip(*(column[order].tolist() for column in columns), strict=True)]


def _frequency_of_best(
    excess: Float32, mean_hz: Float32, starts: NDArray[np.intp], ends: NDArray[np.intp], bests: Float32
) -> NDArray[np.float64]:
    """Mean frequency in the highest cell of each run, the first one of equals."""
    width = len(mean_hz) + 1
    lengths = ends - starts
    owner = np.repeat(np.arange(len(starts)), lengths)
    position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(starts, lengths)
    is_best = excess[position] == bests[owner]
    runs, first = np.unique(owner[is_best], return_index=True)
    band, cell = np.divmod(position[is_best][first], width)
    frequencies = np.zeros(len(starts))
    frequencies[runs] = mean_hz[cell, band]
    return frequencies


class _Open:
    """An event that may still grow."""

    __slots__ = ("bands", "best", "best_hz", "cells", "end", "energy", "is_strong", "start")

    def __init__(self, run: Run) -> None:
        self.start = run.start
        self.end = run.end
        self.cells = run.end - run.start
        self.energy = run.energy
        self.best = run.best
        self.best_hz = run.best_hz
        self.is_strong = run.is_strong
        self.bands = {run.band: run.energy}

    def absorb(self, other: _Open) -> None:
        self.start = min(self.start, other.start)
        self.end = max(self.end, other.end)
        self.cells += other.cells
        self.energy += other.energy
        if other.best > self.best:
            self.best, self.best_hz = other.best, other.best_hz
        self.is_strong = self.is_strong or other.is_strong
        for band, energy in other.bands.items():
            self.bands[band] = self.bands.get(band, 0.0) + energy

    def blob(self) -> Blob:
        bands = sorted(self.bands)
        shares = np.cumsum([self.bands[band] for band in bands]) / self.energy
        low = int(np.searchsorted(shares, _EDGE_SHARE, side="right"))
        high = int(np.searchsorted(shares, 1 - _EDGE_SHARE))
        last = len(bands) - 1
        return Blob(
            self.start, self.end, bands[min(low, last)], bands[min(high, last)], self.energy / self.cells, self.best_hz
        )


class EventBuilder:
    """Joins runs to events, piece by piece, and gives out the events that cannot grow any more.

    In each band it is enough to know the run that ended last and its event: an earlier run of that band which is near
    enough to join is near enough to the last one too, so both are in one event already.
    """

    def __init__(self, bands: int, *, gap_cells: int, longest_cells: int) -> None:
        self._gap = gap_cells
        self._longest = longest_cells
        self._last: list[tuple[int, _Open] | None] = [None] * bands
        self._open: list[_Open] = []

    def add(self, runs: Sequence[Run], end_cell: int) -> list[Blob]:
        """Take the runs of the next piece, which ends before `end_cell`; returns the strong events now complete."""
        for run in runs:
            self._join(run)
        ended = [event for event in self._open if event.end + self._gap < end_cell]
        self._open = [event for event in self._open if event.end + self._gap >= end_cell]
        return [event.blob() for event in ended if event.is_strong]

    def close(self) -> list[Blob]:
        """The recording has ended: returns what was still open."""
        ended, self._open = self._open, []
        return [event.blob() for event in ended if event.is_strong]

    def _join(self, run: Run) -> None:
        mine = _Open(run)
        neighbours = self._touching(run)
        for event in neighbours:
            if max(event.end, mine.end) - min(event.start, mine.start) > self._longest:
                continue
            event.absorb(mine)
            if mine in self._open:
                self._replace(mine, event)
            mine = event
        if mine not in self._open:
            self._open.append(mine)
        self._last[run.band] = (run.end, mine)

    def _touching(self, run: Run) -> list[_Open]:
        """The open events that `run` belongs to, each once, its own band's first."""
        found = []
        for band, gap in ((run.band, self._gap), (run.band - 1, 0), (run.band + 1, 0)):
            last = self._last[band] if 0 <= band < len(self._last) else None
            if last is not None and run.start <= last[0] + gap and last[1] not in found:
                found.append(last[1])
        return found

    def _replace(self, old: _Open, new: _Open) -> None:
        self._open.remove(old)
        self._last = [(last[0], new) if last is not None and last[1] is old else last for last in self._last]
