"""The parts of the energy detector against slow, plain versions of the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.detectors.energy.events import Blob, EventBuilder, find_runs
from badc_assets.detectors.energy.floor import FloorTracker, Piece
from badc_assets.detectors.energy.spectrum import BandSpectrum, CellBuffer, band_grid
from badc_assets_tests.detectors.sounds import noise, tone

BANDS = 5
WEAK = np.full(BANDS, 5, dtype=np.float32)
STRONG = np.full(BANDS, 10, dtype=np.float32)

grids = st.lists(st.lists(st.booleans(), min_size=BANDS, max_size=BANDS), min_size=1, max_size=40)


def _blobs(
    excess_db: np.ndarray,
    *,
    gap: int = 0,
    longest: int = 10_000,
    cuts: Sequence[int] = (),
    hz: np.ndarray | None = None,
) -> list[Blob]:
    builder = EventBuilder(BANDS, gap_cells=gap, longest_cells=longest)
    frequencies = np.zeros_like(excess_db) if hz is None else hz
    blobs, first = [], 0
    for piece, piece_hz in zip(np.split(excess_db, sorted(cuts)), np.split(frequencies, sorted(cuts)), strict=True):
        runs = find_runs(piece.astype(np.float32), WEAK, STRONG, piece_hz.astype(np.float32), first)
        first += len(piece)
        blobs += builder.add(runs, first)
    return [*blobs, *builder.close()]


def _flood_fill(mask: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """(start, end) of each set of active cells that hang together, cell by cell."""
    left = {(int(cell), int(band)) for cell, band in np.argwhere(mask)}
    spans = []
    while left:
        todo, cells = [left.pop()], []
        while todo:
            cell, band = todo.pop()
            cells.append(cell)
            near = {(c, band) for c in range(cell - gap - 1, cell + gap + 2)}
            near |= {(c, b) for c in (cell - 1, cell, cell + 1) for b in (band - 1, band + 1)}
            todo += near & left
            left -= near
        spans.append((min(cells), max(cells) + 1))
    return sorted(spans)


class TestEvents:
    @settings(max_examples=300, deadline=None)
    @given(grids, st.integers(0, 4), st.lists(st.integers(0, 40), max_size=4))
    def test_are_the_cells_that_hang_together(self, rows: list[list[bool]], gap: int, cuts: list[int]) -> None:
        mask = np.array(rows)
        blobs = _blobs(np.where(mask, 20.0, 0.0), gap=gap, cuts=cuts)
        assert sorted((blob.start, blob.end) for blob in blobs) == _flood_fill(mask, gap)
        assert all(blob.mean_ratio == pytest.approx(100) for blob in blobs)

    def test_without_a_strong_cell_are_left_out(self) -> None:
        excess = np.zeros((20, BANDS))
        excess[2:6, 1] = 9
        excess[12:16, 1] = 9
        excess[14, 1] = 10
        assert [(blob.start, blob.end) for blob in _blobs(excess, cuts=[4, 13])] == [(12, 16)]

    def test_take_band_and_frequency_from_where_the_energy_is(self) -> None:
        excess = np.zeros((10, BANDS))
        excess[3:7, 1:5] = 6
        excess[3:7, 2:4] = 30
        excess[5, 3] = 33
        hz = np.arange(50).reshape(10, BANDS)
        (blob,) = _blobs(excess, hz=hz)
        assert (blob.low_band, blob.high_band, blob.peak_hz) == (2, 3, hz[5, 3])

    @settings(max_examples=100, deadline=None)
    @given(grids, st.integers(3, 10), st.lists(st.integers(0, 40), max_size=4))
    def test_grow_no_longer_than_allowed_or_than_one_piece(
        self, rows: list[list[bool]], longest: int, cuts: list[int]
    ) -> None:
        mask = np.array(rows)
        pieces = np.diff([0, *sorted(min(cut, len(mask)) for cut in cuts), len(mask)])
        blobs = _blobs(np.where(mask, 20.0, 0.0), gap=1, longest=longest, cuts=cuts)
        assert all(blob.end - blob.start <= max(longest, pieces.max()) for blob in blobs)
        assert {cell for blob in blobs for cell in range(blob.start, blob.end)} >= set(np.flatnonzero(mask.any(axis=1)))


def _floors(levels_db: np.ndarray, *, side: int, lowest_db: float = -100, piece: int = 40):
    tracker = FloorTracker(levels_db.shape[1], pieces_each_side=side, lowest_db=lowest_db)
    out = []
    for first in range(0, len(levels_db), piece):
        levels = levels_db[first : first + piece].astype(np.float32)
        out += tracker.push(Piece(first, levels, levels))
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

    @pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
    def test_is_not_lifted_by_calls(self, share: float) -> None:
        levels = _steady(2000)
        calling = np.random.default_rng(1).random(2000) < share
        levels[calling] += 25
        assert max(floor.level_db.max() for _, floor in _floors(levels, side=10)) < -60 + 2.5

    def test_leaves_digital_silence_out_unless_there_is_hardly_anything_else(self) -> None:
        half, eighth = np.full((400, 1), -150.0), np.full((400, 1), -150.0)
        half[::2] = -60
        eighth[::8] = -60
        for _, floor in _floors(half, side=10):
            assert floor.level_db[0] == pytest.approx(-60, abs=0.5)
        for _, floor in _floors(eighth, side=10):
            assert floor.level_db[0] == -100


class TestCellBuffer:
    @given(st.integers(0, 120), st.lists(st.integers(0, 120), max_size=8))
    def test_pieces_follow_each_other_with_one_window_in_common(self, frames: int, cuts: list[int]) -> None:
        samples = np.arange(1, frames + 1, dtype=np.float32)
        buffer = CellBuffer(window_samples=4, cells=5)
        pieces = [piece.copy() for block in np.split(samples, sorted(cuts)) for piece in buffer.feed(block)]
        rest = buffer.rest()
        assert all(len(piece) == 24 for piece in pieces)
        pieces += [rest] if len(rest) else []
        joined = [piece if number == 0 else piece[4:] for number, piece in enumerate(pieces)]
        whole = frames // 4 * 4
        if frames >= 8:
            np.testing.assert_array_equal(np.concatenate(joined), samples[:whole])

    def test_a_recording_shorter_than_a_cell_is_filled_up(self) -> None:
        buffer = CellBuffer(window_samples=4, cells=5)
        assert len(buffer.rest()) == 0
        assert list(buffer.feed(np.array([3, 5, 7], dtype=np.float32))) == []
        np.testing.assert_array_equal(buffer.rest(), [-2, 0, 2, 0, 0, 0, 0, 0])


class TestSpectrum:
    @given(st.integers(4_000, 400_000), st.floats(0, 3000), st.floats(1, 48))
    def test_bands_follow_each_other_without_gaps_from_low_to_high(
        self, rate: int, low_hz: float, bands_per_octave: float
    ) -> None:
        grid = band_grid(
            rate, window_ms=23.2, low_hz=low_hz, high_hz=16_000, min_band_hz=100, bands_per_octave=bands_per_octave
        )
        edges = grid.edges_hz()
        assert grid.window_samples % 2 == 0
        assert grid.cell_ms == pytest.approx(23.2, rel=0.15)
        if grid.bands:
            assert (np.diff(edges) > 0).all()
            assert edges[0] == pytest.approx(max(low_hz, grid.bin_hz), abs=grid.bin_hz)
            assert edges[-1] == pytest.approx(min(16_000, rate / 2), abs=grid.bin_hz)

    @pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
    def test_bands_sum_to_the_mean_square(self, rate: int) -> None:
        grid = band_grid(rate, window_ms=23.2, low_hz=0, high_hz=1e6, min_band_hz=100, bands_per_octave=8)
        samples = noise(2, rate, level_dbfs=-40)[: 40 * grid.window_samples]
        levels_db, _ = BandSpectrum(grid).cells(samples)
        total_db = 10 * np.log10((10 ** (levels_db.astype(float) / 10)).sum(axis=1).mean())
        assert levels_db.shape == (39, grid.bands)
        assert total_db == pytest.approx(-40, abs=0.2)

    def test_a_tone_shows_at_its_level_and_frequency(self) -> None:
        grid = band_grid(32_000, window_ms=23.2, low_hz=40, high_hz=16_000, min_band_hz=100, bands_per_octave=8)
        samples = tone(1, 32_000, 3_333, level_dbfs=-30)[: 40 * grid.window_samples]
        levels_db, mean_hz = BandSpectrum(grid).cells(samples)
        band = int(levels_db[20].argmax())
        edges = grid.edges_hz()
        assert edges[band] <= 3_333 <= edges[band + 1]
        assert levels_db[20, band] == pytest.approx(-30, abs=1)
        assert mean_hz[20, band] == pytest.approx(3_333, abs=20)

    def test_an_offset_has_no_level(self) -> None:
        grid = band_grid(32_000, window_ms=23.2, low_hz=0, high_hz=16_000, min_band_hz=100, bands_per_octave=8)
        levels_db, _ = BandSpectrum(grid).cells(np.full(10 * grid.window_samples, 0.9, dtype=np.float32))
        assert levels_db.max() < -110
