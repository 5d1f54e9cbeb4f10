"""Which cells stand out."""

from __future__ import annotations

import numpy as np
import pytest

from badc_assets.detectors.energy.contrast import Contrast, ContrastFinder
from badc_assets.detectors.energy.floor import Floor, Piece

BANDS = 60
PIECE = 172
FLOOR = Floor(np.full(BANDS, -60, dtype=np.float32), np.full(BANDS, 1.5, dtype=np.float32))


def _contrasts(levels_db: np.ndarray, *, range_db: float = 18) -> list[Contrast]:
    finder = ContrastFinder(BANDS, weak_db=4, weak_spreads=1.5, range_db=range_db)
    found = []
    for first in range(0, len(levels_db), PIECE):
        found += finder.push(Piece(first, levels_db[first : first + PIECE].astype(np.float32)), FLOOR)
    return [*found, *finder.drain()]


def _active(levels_db: np.ndarray, *, range_db: float = 18) -> np.ndarray:
    return np.concatenate([contrast.is_active for contrast in _contrasts(levels_db, range_db=range_db)])


@pytest.mark.parametrize("cells", [1, 3, 100, 172, 173, 500])
def test_every_piece_comes_out_once_and_in_order(cells: int) -> None:
    contrasts = _contrasts(np.full((cells, BANDS), -60.0))
    assert [contrast.first_cell for contrast in contrasts] == list(range(0, cells, PIECE))
    assert sum(len(contrast.excess_db) for contrast in contrasts) == cells
    assert not any(contrast.is_active.any() for contrast in contrasts)


@pytest.mark.parametrize("start", [0, 60, 165, 170, 340])
def test_a_call_is_active_wherever_the_pieces_meet(start: int) -> None:
    levels = np.full((400, BANDS), -60.0)
    levels[start : start + 12, 20:24] = -45
    expected = np.zeros(levels.shape, dtype=bool)
    expected[start : start + 12, 20:24] = True
    np.testing.assert_array_equal(_active(levels), expected)


def test_a_swell_over_many_bands_is_taken_off_and_a_call_in_it_stays() -> None:
    levels = np.full((700, BANDS), -60.0)
    levels[200:500] += 12
    levels[300:320, 30:34] += 15
    active = _active(levels)
    assert active[300:320, 30:34].all()
    # For a second at either end nobody can tell a swell from a call.
    assert not active[230:290].any() and not active[330:470].any()


def test_a_knock_is_no_swell() -> None:
    levels = np.full((400, BANDS), -60.0)
    levels[200:203] += 20
    assert _active(levels)[200:203].all()


def test_what_is_far_below_a_loud_sound_close_by_does_not_count() -> None:
    levels = np.full((400, BANDS), -60.0)
    levels[200:210, 20:24] = -20
    levels[210:214, 20:24] = -50
    levels[300:304, 20:24] = -50
    active = _active(levels)
    assert active[200:210, 20:24].all() and active[300:304, 20:24].all()
    assert not active[210:214].any()
    assert _active(levels, range_db=40)[210:214, 20:24].all()


def test_single_cells_are_chance_and_gaps_of_one_cell_are_filled() -> None:
    levels = np.full((400, BANDS), -60.0)
    levels[100, 30] = -45
    levels[200:210, 20:24] = -45
    levels[204, 20:24] = -60
    active = _active(levels)
    assert not active[100].any()
    assert active[200:210, 20:24].all()
