"""How well events agree with the truth: one event for one call, by intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.energy_truth import Box

LEAST_IOU = 0.3


@dataclass(frozen=True)
class Score:
    """Counts that can be added up."""

    calls: int = 0
    events: int = 0
    hits: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.calls + other.calls, self.events + other.events, self.hits + other.hits)

    @property
    def precision(self) -> float:
        return self.hits / self.events if self.events else 1.0

    @property
    def recall(self) -> float:
        return self.hits / self.calls if self.calls else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.hits / (self.calls + self.events) if self.calls + self.events else 1.0


def _spans(boxes: Sequence[Box], low: str, high: str) -> np.ndarray:
    return np.array([[getattr(box, low), getattr(box, high)] for box in boxes], dtype=float).reshape(-1, 2)


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Length that each of `one` shares with each of `other`, shape (one, other)."""
    ends = np.minimum(one[:, None, 1], other[None, :, 1])
    return np.maximum(0, ends - np.maximum(one[:, None, 0], other[None, :, 0]))


def ious(truth: Sequence[Box], found: Sequence[Box], *, with_frequency: bool) -> np.ndarray:
    """Intersection over union in time, or of the boxes in time and frequency; shape (truth, found)."""
    times = _spans(truth, "start_s", "end_s"), _spans(found, "start_s", "end_s")
    shared = _overlap(*times)
    size = [np.diff(spans, axis=1)[:, 0] for spans in times]
    if with_frequency:
        bands = _spans(truth, "low_hz", "high_hz"), _spans(found, "low_hz", "high_hz")
        shared = shared * _overlap(*bands)
        size = [length * np.diff(spans, axis=1)[:, 0] for length, spans in zip(size, bands, strict=True)]
    return shared / np.maximum(size[0][:, None] + size[1][None, :] - shared, 1e-9)


def matches(truth: Sequence[Box], found: Sequence[Box], *, with_frequency: bool = False) -> list[tuple[int, int]]:
    """Pairs (call, event) with at least `LEAST_IOU`: as many as possible, and of these the best overlapping."""
    from scipy.optimize import linear_sum_assignment

    if not truth or not found:
        return []
    overlap = ious(truth, found, with_frequency=with_frequency)
    rows, columns = linear_sum_assignment(np.where(overlap >= LEAST_IOU, 1 + overlap / 1000, 0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= LEAST_IOU]


def score(truth: Sequence[Box], found: Sequence[Box], *, with_frequency: bool = False) -> Score:
    """The score of one recording."""
    return Score(len(truth), len(found), len(matches(truth, found, with_frequency=with_frequency)))
