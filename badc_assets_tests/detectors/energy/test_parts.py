"""Cells to parts: the streaming labelling against a slow, plain one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.detectors.energy.contrast import Contrast
from badc_assets.detectors.energy.parts import Part, PartFinder

BANDS = 5
WEAK_DB = 5.0

grids = st.lists(st.lists(st.booleans(), min_size=BANDS, max_size=BANDS), min_size=1, max_size=40)


def _parts(excess_db: np.ndarray, *, longest: int = 10_000, least: float = 0.0, cuts: Sequence[int] = ()) -> list[Part]:
    finder = PartFinder(longest_cells=longest, least_strength=least)
    parts, first = [], 0
    for piece in np.split(excess_db.astype(np.float32), sorted(cuts)):
        horizon = finder.horizon
        found = finder.add(Contrast(first, piece, np.full_like(piece, WEAK_DB), piece >= WEAK_DB))
        assert all(part.start >= horizon for part in found)
        parts += found
        first += len(piece)
    return [*parts, *finder.close()]


def _flood_fill(mask: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """(start, end, lowest band, highest band, cells) of each set of active cells that touch, cell by cell."""
    left = {(int(cell), int(band)) for cell, band in np.argwhere(mask)}
    found = []
    while left:
        todo, cells = [left.pop()], []
        while todo:
            cell, band = todo.pop()
            cells.append((cell, band))
            near = {(c, b) for c in (cell - 1, cell, cell + 1) for b in (band - 1, band, band + 1)}
            todo += near & left
            left -= near
        rows, bands = zip(*cells, strict=True)
        found.append((min(rows), max(rows) + 1, min(bands), max(bands), len(cells)))
    return sorted(found)


@settings(max_examples=300, deadline=None)
@given(grids, st.lists(st.integers(0, 40), max_size=4))
def test_parts_are_the_cells_that_touch(rows: list[list[bool]], cuts: list[int]) -> None:
    mask = np.array(rows)
    parts = _parts(np.where(mask, 20.0, 0.0), cuts=cuts)
    found = sorted((part.start, part.end, part.low_band, part.high_band, part.cells) for part in parts)
    assert found == _flood_fill(mask)
    for part in parts:
        assert part.energy == pytest.approx(100 * part.cells)
        assert part.strength == pytest.approx((20 - WEAK_DB) * part.cells)


@settings(max_examples=100, deadline=None)
@given(grids, st.integers(3, 10), st.lists(st.integers(0, 40), max_size=4))
def test_parts_grow_no_longer_than_allowed(rows: list[list[bool]], longest: int, cuts: list[int]) -> None:
    mask = np.array(rows)
    parts = _parts(np.where(mask, 20.0, 0.0), longest=longest, cuts=cuts)
    assert all(part.end - part.start <= longest for part in parts)
    assert sum(part.cells for part in parts) == mask.sum()


def test_weak_parts_are_left_out() -> None:
    excess = np.zeros((20, BANDS))
    excess[2:6, 1] = 7
    excess[12:16, 1] = 9
    assert [(part.start, part.end) for part in _parts(excess, least=12, cuts=[4, 13])] == [(12, 16)]


def test_the_box_and_the_peak_are_where_the_energy_is() -> None:
    excess = np.zeros((10, BANDS))
    excess[3:7, 1:5] = 6
    excess[3:7, 2:4] = 30
    excess[5, 3] = 33
    (part,) = _parts(excess)
    assert (part.low_band, part.high_band, part.best) == (2, 3, 33)
    assert part.best_band == pytest.approx(3 - 10**3 / (10**3 + 10**3.3 + 10**0.6), abs=0.01)
