"""Where the windows of a recording lie, which chunk each belongs to, and their samples."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from badc_assets.chunks.manifest import Chunk
from badc_assets.detectors.protocol import DetectorInfo, Float32


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a recording of `samples` samples; positions and lengths are in samples at the detector's rate.

    Windows start every `hop`. With the tail rule `align` a last window ends with the recording where whole windows leave
    something over; with `pad` the last window starts on the grid and is filled up with zeros. A recording shorter than one
    window gives one window, filled up.
    """

    samples: int
    window: int
    hop: int
    rate_hz: int
    tail: str = "align"

    @classmethod
    def of(cls, info: DetectorInfo, samples: int, rate_hz: int) -> WindowPlan:
        window, hop = info.window_ms * rate_hz // 1000, info.hop_ms * rate_hz // 1000
        return cls(samples, window, hop, rate_hz, info.tail)

    @property
    def whole(self) -> int:
        """Windows on the grid that the recording fills."""
        return (self.samples - self.window) // self.hop + 1 if self.samples >= self.window else 0

    @property
    def count(self) -> int:
        if self.samples <= 0:
            return 0
        covered = (self.whole - 1) * self.hop + self.window if self.whole else 0
        return self.whole + (covered < self.samples and not (self.tail == "pad" and self._next >= self.samples))

    @property
    def _next(self) -> int:
        return self.whole * self.hop

    def start(self, number: int) -> int:
        """First sample of a window."""
        if number < self.whole or self.tail == "pad":
            return number * self.hop
        return max(self.samples - self.window, 0)

    def start_ms(self, number: int) -> int:
        return self.start(number) * 1000 // self.rate_hz

    def note(self, number: int) -> str:
        """`tail` for a window that was moved to end with the recording, `padded` for one filled up with zeros."""
        if number < self.whole:
            return ""
        return "padded" if self.start(number) + self.window > self.samples else "tail"

    def first_windows(self, chunks: Sequence[Chunk]) -> list[int]:
        """For each chunk the number of its first window, and at the end the count of all windows.

        A window belongs to the last chunk that has begun when it starts; the windows before the first chunk to that one.
        """
        numbers = range(self.count)
        firsts = [bisect_left(numbers, chunk.start_ms, key=self.start_ms) for chunk in chunks]
        return [0, *firsts[1:], self.count] if chunks else []


def cut_windows(blocks: Iterable[Float32], plan: WindowPlan, first: int, last: int) -> Iterator[tuple[int, Float32]]:
    """(number, samples) of the windows `first` up to `last`. `blocks` are the samples from `plan.start(first)` on.

    The samples are a view, good until the next window is asked for. A window that reaches past the end is filled up.
    """
    kept = np.empty(0, np.float32)
    kept_from = plan.start(first) if first < last else 0
    source = iter(blocks)
    for number in range(first, last):
        start = plan.start(number)
        stop = min(start + plan.window, plan.samples)
        while kept_from + len(kept) < stop:
            block = next(source, None)
            if block is None:
                raise RuntimeError(f"sound ended at sample {kept_from + len(kept)}, window {number} ends at {stop}")
            surplus = min(max(start - kept_from, 0), len(kept))
            kept, kept_from = np.concatenate([kept[surplus:], block]), kept_from + surplus
        window = kept[start - kept_from : stop - kept_from]
        yield number, window if len(window) == plan.window else np.pad(window, (0, plan.window - len(window)))


def span_of(plan: WindowPlan, first: int, last: int) -> tuple[int, int]:
    """The samples that the windows `first` up to `last` need: start and stop."""
    if first >= last:
        return 0, 0
    return plan.start(first), min(plan.start(last - 1) + plan.window, plan.samples)
