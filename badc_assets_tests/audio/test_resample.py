"""Resampling in blocks gives what resampling at once does."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.audio.resample import Resampler

SOUND = np.random.default_rng(3).standard_normal(20_000).astype(np.float32)


def in_blocks(sizes: list[int], in_rate_hz: int, out_rate_hz: int) -> np.ndarray:
    resampler, parts, position = Resampler(in_rate_hz, out_rate_hz), [], 0
    for size in [*sizes, len(SOUND)]:
        parts.append(resampler.push(SOUND[position : position + size]))
        position = min(position + size, len(SOUND))
    return np.concatenate([*parts, resampler.finish()])


@given(
    st.lists(st.integers(0, 6000), max_size=8), st.sampled_from([(48_000, 32_000), (22_050, 48_000), (44_100, 32_000)])
)
@settings(max_examples=40, deadline=None)
def test_independent_of_block_sizes(sizes: list[int], rates: tuple[int, int]):
    at_once = soxr.resample(SOUND, *rates, quality="HQ")
    result = in_blocks(sizes, *rates)
    assert result.dtype == np.float32
    assert len(result) == len(at_once)
    np.testing.assert_allclose(result, at_once, atol=1e-6)


@pytest.mark.parametrize("sizes", [[], [1], [100, 7, 5000]])
def test_equal_rates_pass_through(sizes: list[int]):
    np.testing.assert_array_equal(in_blocks(sizes, 32_000, 32_000), SOUND)
