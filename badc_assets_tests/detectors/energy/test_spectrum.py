"""Samples to band levels: the grid, the buffer and the spectrum of the energy detector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detectors.energy.spectrum import BandSpectrum, CellBuffer, band_grid
from badc_assets_tests.detectors.sounds import noise, tone


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
        levels_db = BandSpectrum(grid).cells(samples)
        total_db = 10 * np.log10((10 ** (levels_db.astype(float) / 10)).sum(axis=1).mean())
        assert levels_db.shape == (39, grid.bands)
        assert total_db == pytest.approx(-40, abs=0.2)

    def test_a_tone_shows_at_its_level_and_frequency(self) -> None:
        grid = band_grid(32_000, window_ms=23.2, low_hz=40, high_hz=16_000, min_band_hz=100, bands_per_octave=8)
        samples = tone(1, 32_000, 3_333, level_dbfs=-30)[: 40 * grid.window_samples]
        power = 10 ** (BandSpectrum(grid).cells(samples)[20].astype(float) / 10)
        edges = grid.edges_hz()
        assert edges[power.argmax()] <= 3_333 <= edges[power.argmax() + 1]
        assert 10 * np.log10(power.sum()) == pytest.approx(-30, abs=0.1)

    def test_an_offset_has_no_level(self) -> None:
        grid = band_grid(32_000, window_ms=23.2, low_hz=0, high_hz=16_000, min_band_hz=100, bands_per_octave=8)
        levels_db = BandSpectrum(grid).cells(np.full(10 * grid.window_samples, 0.9, dtype=np.float32))
        assert levels_db.max() < -110

    def test_an_offset_does_not_change_the_lowest_band(self) -> None:
        grid = band_grid(22_050, window_ms=23.2, low_hz=40, high_hz=10_000, min_band_hz=86, bands_per_octave=24)
        samples = noise(2, 22_050)[: 40 * grid.window_samples]
        plain, moved = BandSpectrum(grid).cells(samples), BandSpectrum(grid).cells(samples + np.float32(0.5))
        assert np.abs(plain - moved)[:, 1:].max() < 0.1
        assert np.abs(plain - moved)[:, 0].mean() < 0.5

    def test_broken_samples_count_as_zero(self) -> None:
        grid = band_grid(22_050, window_ms=23.2, low_hz=40, high_hz=10_000, min_band_hz=86, bands_per_octave=24)
        samples = noise(1, 22_050)[: 20 * grid.window_samples]
        broken, zeroed = samples.copy(), samples.copy()
        broken[3000:3005] = [np.nan, np.inf, -np.inf, 1e30, -3e38]
        zeroed[3000:3005] = 0
        np.testing.assert_array_equal(BandSpectrum(grid).cells(broken), BandSpectrum(grid).cells(zeroed))
