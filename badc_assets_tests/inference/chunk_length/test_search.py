"""The search for the longest chunk, and BADC's estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.audio.probe import SoundFormat
from badc_assets.errors import BadcError
from badc_assets.inference.chunk_length.estimate import estimated_mb, memory_limit_mb
from badc_assets.inference.chunk_length.search import Lengths, longest_that_fits

SECONDS = st.floats(0.1, 90_000)


@given(SECONDS, SECONDS, st.floats(0.5, 60), st.floats(0, 200_000))
def test_what_is_found_fits_and_is_as_long_as_the_tolerance_allows(initial, longest, tolerance, limit):
    tried = []

    def fits(length: float) -> bool:
        tried.append(length)
        return length <= limit

    found = longest_that_fits(Lengths(initial, longest, tolerance), fits)
    assert len(tried) < 60
    assert max(tried) <= longest
    if found is None:
        assert limit < max(min(tolerance, longest), 0.1)
    else:
        assert found <= min(limit, longest)
        assert found + tolerance + 0.02 >= min(limit, longest)


@pytest.mark.parametrize("values", [(0, 10, 1), (60, 0, 1), (60, 10, 0), (float("nan"), 10, 1), (60, float("inf"), 1)])
def test_lengths_that_mean_nothing_are_refused(values):
    with pytest.raises(BadcError, match="must be at least"):
        Lengths(*values)


def test_the_estimate_is_badcs():
    sound = SoundFormat("wav", "PCM_16", 48_000, 1, 48_000 * 600, 48_000 * 600)
    assert estimated_mb(sound, 60) == pytest.approx(48_000 * 1 * 2 * 4 * 1.35 * 60 / 1048576)
    assert memory_limit_mb(None) == 4096
    assert memory_limit_mb(10_000) == 8000
