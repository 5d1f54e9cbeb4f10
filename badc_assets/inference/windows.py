"""Cut a stream of samples into windows, score them in batches, turn scores into events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from badc_assets.detectors.protocol import DetectorInfo, Event, Float32, WindowDetector


def cut_windows(blocks: Iterable[Float32], window: int, hop: int) -> Iterator[tuple[int, Float32]]:
    """(first sample, samples) of each window, whatever the block sizes.

    Windows start every `hop` samples. The end of the recording is covered by a last window that ends with it; a recording
    shorter than one window gives one window, filled up with zeros.
    """
    kept = np.empty(0, np.float32)
    kept_from = next_start = 0
    for block in blocks:
        kept = np.concatenate([kept, block])
        while next_start + window <= kept_from + len(kept):
            offset = next_start - kept_from
            yield next_start, kept[offset : offset + window]
            next_start += hop
        # One window of history stays, for the window that ends with the recording.
        surplus = min(next_start - kept_from, len(kept) - window)
        if surplus > 0:
            kept, kept_from = kept[surplus:], kept_from + surplus
    end = kept_from + len(kept)
    covered = next_start - hop + window if next_start else 0
    if end and end < window:
        yield 0, np.pad(kept, (0, window - end))
    elif end > covered:
        yield end - window, kept[end - window - kept_from :]


def score_windows(
    windows: Iterable[tuple[int, Float32]], detector: WindowDetector, batch_windows: int
) -> Iterator[tuple[int, Float32]]:
    """(first sample, scores per label) of each window; results do not depend on `batch_windows`."""
    starts: list[int] = []
    batch: list[Float32] = []
    for start, window in windows:
        starts.append(start)
        batch.append(window)
        if len(batch) == batch_windows:
            yield from zip(starts, detector.score(np.stack(batch)), strict=True)
            starts, batch = [], []
    if batch:
        yield from zip(starts, detector.score(np.stack(batch)), strict=True)


def scores_to_events(
    scores: Iterable[tuple[int, Float32]], info: DetectorInfo, rate_hz: int, audio_ms: int, min_score: float
) -> list[Event]:
    """An event for each label of each window that scores at least `min_score`, cut at the end of the recording."""
    return [
        Event(
            start_ms=start * 1000 // rate_hz,
            end_ms=min(start * 1000 // rate_hz + info.window_ms, audio_ms),
            label=info.labels[index],
            confidence=float(row[index]),
        )
        for start, row in scores
        for index in np.flatnonzero(row >= min_score)
        if start * 1000 // rate_hz < audio_ms or audio_ms == 0
    ]
