from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detectors.protocol import DetectorInfo, Label
from badc_assets.inference.windows import cut_windows, score_windows, scores_to_events

INFO = DetectorInfo("t", "1", "window", (Label("A", "a"), Label("B", "b")), "x", 1000, window_ms=100, hop_ms=50)


class Peak:
    """Scores: the largest sample, and one half."""

    info = INFO

    def score(self, windows):
        return np.stack([windows.max(axis=1), np.full(len(windows), 0.5)], axis=1).astype(np.float32)


def blocks_of(samples, sizes):
    position = 0
    for size in sizes:
        yield samples[position : position + size]
        position += size
    yield samples[position:]


@given(st.integers(0, 700), st.lists(st.integers(0, 90), max_size=15), st.integers(1, 60), st.integers(1, 90))
def test_windows_do_not_depend_on_blocks_and_cover_the_recording(length, sizes, window, hop):
    samples = np.arange(1, length + 1, dtype=np.float32)
    cut = [(start, part.copy()) for start, part in cut_windows(blocks_of(samples, sizes), window, hop)]
    whole = list(cut_windows([samples], window, hop))
    assert [start for start, _ in cut] == [start for start, _ in whole]
    for (start, part), (_, expected) in zip(cut, whole, strict=True):
        assert len(part) == window
        np.testing.assert_array_equal(part, expected)
        np.testing.assert_array_equal(part[: length - start], samples[start : start + window])
    if hop <= window:
        seen = {int(sample) for _, part in cut for sample in part} - {0}
        assert seen == set(range(1, length + 1))


@given(st.integers(1, 9), st.integers(0, 40))
def test_scores_do_not_depend_on_the_batch(batch, count):
    random = np.random.default_rng(count)
    windows = [(number * 50, random.random(100).astype(np.float32)) for number in range(count)]
    one = list(score_windows(windows, Peak(), 1))
    many = list(score_windows(windows, Peak(), batch))
    assert [start for start, _ in one] == [start for start, _ in many]
    for (_, left), (_, right) in zip(one, many, strict=True):
        np.testing.assert_array_equal(left, right)


def test_scores_become_events_above_the_least_score_and_end_with_the_recording():
    scores = [(0, np.array([0.9, 0.05], np.float32)), (50, np.array([0.2, 0.7], np.float32))]
    events = scores_to_events(scores, INFO, 1000, audio_ms=120, min_score=0.5)
    assert [(e.start_ms, e.end_ms, e.label.code) for e in events] == [(0, 100, "A"), (50, 120, "B")]
