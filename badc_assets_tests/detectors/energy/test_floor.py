"""The noise floor: what it follows, and what does not lift it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detectors.energy.floor import FloorTracker, Piece


def _floors(
    levels_db: np.ndarray, *, side: int, lowest_db: float = -100, piece: int = 40, least_blocks: float = math.inf
):
    tracker = FloorTracker(
        levels_db.shape[1], pieces_each_side=side, lowest_db=lowest_db, block_cells=10, least_blocks=least_blocks
    )
    out = []
    for first in range(0, len(levels_db), piece):
        levels = levels_db[first : first + piece].astype(np.float32)
        out += tracker.push(Piece(first, levels))
    return [*out, *tracker.drain()]


def _steady(cells: int, *, bands: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-60, 2, (cells, bands))


class TestFloor:
    @given(st.integers(0, 12), st.integers(1, 4))
    def test_every_piece_comes_out_once_and_in_order(self, pieces: int, side: int) -> None:
        first_cells = [piece.first_cell for piece, _ in _floors(_steady(40 * pieces), side=side)]
        assert first_cells == list(range(0, 40 * pieces, 40))

    def test_of_steady_noise_is_its_median_and_spread(self) -> None:
        for _, floor in _floors(_steady(2000), side=10):
            assert floor.level_db == pytest.approx(np.full(3, -60), abs=0.5)
            assert floor.spread_db == pytest.approx(np.full(3, 2), abs=0.5)

    def test_looks_at_the_window_around_a_piece_and_no_further(self) -> None:
        levels = _steady(2000)
        levels[1000:] += 20
        found = [floor.level_db.mean() for _, floor in _floors(levels, side=5)]
        assert found[:20] == pytest.approx([-60] * 20, abs=1)
        assert found[30:] == pytest.approx([-40] * 20, abs=1)

    @pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
    def test_is_not_lifted_by_calls(self, share: float) -> None:
        levels = _steady(2000)
        calling = np.random.default_rng(1).random(2000) < share
        levels[calling] += 25
        assert max(floor.level_db.max() for _, floor in _floors(levels, side=10)) < -60 + 2.5

    def test_follows_slow_change(self) -> None:
        levels = _steady(6000) + np.linspace(0, 30, 6000)[:, None]
        for piece, floor in _floors(levels, side=5):
            assert floor.level_db == pytest.approx(np.full(3, piece.levels_db.mean()), abs=2.5)

    def test_is_lifted_by_what_sounds_all_the_time_where_that_is_wanted(self) -> None:
        levels = _steady(2000)
        levels[::5] += 25
        for _, floor in _floors(levels, side=10):
            assert floor.level_db.max() < -60 + 2.5
        for _, floor in _floors(levels, side=10, least_blocks=20):
            assert floor.level_db.min() > -60 + 20

    def test_is_not_lifted_by_a_song_of_a_third_of_the_window(self) -> None:
        levels = _steady(800)
        levels[300:560:2] += 25
        for _, floor in _floors(levels, side=10, least_blocks=20):
            assert floor.level_db.max() < -60 + 2.5

    def test_leaves_digital_silence_out_unless_there_is_hardly_anything_else(self) -> None:
        half, eighth = np.full((400, 1), -150.0), np.full((400, 1), -150.0)
        half[::2] = -60
        eighth[::8] = -60
        for _, floor in _floors(half, side=10):
            assert floor.level_db[0] == pytest.approx(-60, abs=0.5)
        for _, floor in _floors(eighth, side=10):
            assert floor.level_db[0] == -100
