"""One batch of windows: halved where memory is short, tried again where something fails, and nothing scored twice for it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from badc_assets.detectors.protocol import DetectorInfo, Label
from badc_assets.inference.scoring import Scorer
from badc_assets.inference.settings import InferenceSettings

INFO = DetectorInfo("trial", "1", "window", (Label("A", "A"),), "hash", sample_rate_hz=10, window_ms=1000, hop_ms=1000)
CHUNKS = [(0, "first")] * 8 + [(0, "second")] * 8


class Recorder:
    """Scores a window by its first sample, /100. `fits` says how many windows memory holds at the n-th call."""

    info = INFO

    def __init__(self, fits=lambda call: 1000) -> None:
        self.fits = fits
        self.calls = 0
        self.scored: Counter[int] = Counter()

    def score(self, windows):
        self.calls += 1
        if len(windows) > self.fits(self.calls):
            raise MemoryError
        self.scored.update(windows[:, 0].astype(int).tolist())
        return windows[:, :1] / 100


class Faulty(Recorder):
    """Fails `times` times on batches that hold window 3."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def score(self, windows):
        if 3 in windows[:, 0] and self.times > 0:
            self.times -= 1
            raise RuntimeError("a cosmic ray")
        return super().score(windows)


def settled(detector: Recorder, **settings):
    retries = []
    scorer = Scorer(detector, InferenceSettings(**settings), lambda *told: retries.append(told), sleep=lambda _: None)
    windows = np.repeat(np.arange(16, dtype=np.float32)[:, None], 10, axis=1)
    return scorer, scorer.settle(scorer.submit(windows), windows, CHUNKS), retries


def test_memory_that_holds_few_windows_costs_no_window_twice():
    detector = Recorder(lambda call: 2)
    scorer, found, retries = settled(detector)
    assert found.scores[:, 0].tolist() == pytest.approx([n / 100 for n in range(16)])
    assert (found.errors, retries) == ({}, [])
    assert set(detector.scored.values()) == {1}
    calls = detector.calls
    windows = np.zeros((16, 10), np.float32)
    scorer.settle(scorer.submit(windows), windows, CHUNKS)
    assert detector.calls - calls == 8  # what fits is remembered


def test_memory_that_shrinks_on_the_way_costs_no_window_twice():
    detector = Recorder(lambda call: {1: 8, 2: 8}.get(call, 2))  # 16 fail, the first 8 fit, the rest only two by two
    _, found, _ = settled(detector)
    assert found.scores[:, 0].tolist() == pytest.approx([n / 100 for n in range(16)])
    assert detector.scored == Counter(range(16))


def test_one_window_that_does_not_fit_is_a_failure_of_its_chunk_alone():
    detector = Recorder()
    score = detector.score

    def hungry(windows):
        if 12 in windows[:, 0]:
            raise MemoryError("window 12")
        return score(windows)

    detector.score = hungry
    _, found, retries = settled(detector, max_retries=1)
    assert found.errors == {(0, "second"): "the detector failed: MemoryError: window 12"}
    assert found.scores[:8, 0].tolist() == pytest.approx([n / 100 for n in range(8)])
    assert len(retries) == 1


def test_what_fails_once_is_tried_again():
    _, found, retries = settled(Faulty(2), max_retries=2)  # the batch, then the chunk alone
    assert found.errors == {}
    assert found.scores[:, 0].tolist() == pytest.approx([n / 100 for n in range(16)])
    assert [(owner, attempt) for owner, attempt, _, _ in retries] == [((0, "first"), 1)]


def test_the_chunk_to_blame_is_named_and_the_others_have_their_scores():
    _, found, _ = settled(Faulty(100), max_retries=1)
    assert found.errors == {(0, "first"): "the detector failed: RuntimeError: a cosmic ray"}
    assert found.attempts[0, "first"] == 2
    assert found.scores[8:, 0].tolist() == pytest.approx([n / 100 for n in range(8, 16)])
    assert not found.scores[:8].any()
