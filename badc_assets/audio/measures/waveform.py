"""Measures of each second of one channel that need no spectrum: level, offset, clipping, where the sound stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
Counts = NDArray[np.int64]

STILL_MS = 10
"""Sound that keeps one value for so long does not come from a microphone: its own noise moves the last bit more often."""

CLIP_FROM = 0.25
"""Flat tops below this part of full scale are not clipping but a weak signal in coarse steps."""

_FLAT_TOP = 3
_LOOKS = 6
"""How many samples of the shortest run are looked at first: where those move, there is none."""

FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0}


@dataclass(frozen=True, slots=True)
class Waveform:
    """Sums over each second of one channel, in parts of full scale, so that they can be added up; all of shape (seconds,).

    `total` and `energy` are the sums of the samples and of their squares. `clipped` counts samples at full scale, and those at
    the second's highest or lowest value where three or more of them follow each other. `still` counts the samples in runs of
    one value that last STILL_MS or longer.
    """

    samples: Counts
    total: Sums
    energy: Sums
    peak: Sums
    clipped: Counts
    still: Counts


def measure(seconds: NDArray[Any], rate_hz: int, room: NDArray[np.float32]) -> Waveform:
    """The measures of `seconds`: shape (seconds, n), contiguous, int16, int32 or float32 without NaN; n is at most a second's.

    `room`, of at least as many values, is overwritten: new memory for every block would cost more than the measures.
    """
    scale = FULL_SCALE[seconds.dtype.name]
    lowest, highest = seconds.min(axis=1), seconds.max(axis=1)
    peak = np.maximum(-lowest.astype(np.float64), highest.astype(np.float64)) / scale
    values = room[: seconds.size].reshape(seconds.shape)
    np.copyto(values, seconds)
    clipped, still = (np.zeros(len(seconds), np.int64) for _ in range(2))
    for at in np.flatnonzero(peak >= CLIP_FROM):
        clipped[at] = sum(_at_limit(seconds[at], value, scale) for value in (lowest[at], highest[at]))
    shortest = max(STILL_MS * rate_hz // 1000, 2 * _LOOKS)
    for at in np.flatnonzero(_may_stand_still(seconds[:, :: shortest // _LOOKS])):
        still[at] = _still(seconds[at], shortest)
    return Waveform(
        samples=np.full(len(seconds), seconds.shape[1], np.int64),
        total=values.sum(axis=1).astype(np.float64) / scale,
        # Row by row, or the last bits depend on the number of rows. A BLAS product would be quicker, but starts threads for it.
        energy=np.array([float(np.einsum("i,i", row, row)) for row in values]) / scale**2,
        peak=peak,
        clipped=clipped,
        still=still,
    )


def _at_limit(samples: NDArray[Any], value: Any, scale: float) -> int:
    """How many samples are at `value`, the highest or lowest of them, if that looks like the recorder's limit."""
    height = abs(float(value)) / scale
    if height < CLIP_FROM:
        return 0
    at_limit = samples == value
    found = int(np.count_nonzero(at_limit))
    if height >= 1 - 2**-14:
        return found
    is_flat = found >= _FLAT_TOP and bool((at_limit[2:] & at_limit[1:-1] & at_limit[:-2]).any())
    return found if is_flat else 0


def _may_stand_still(looks: NDArray[Any]) -> NDArray[np.bool_]:
    """Which seconds have _LOOKS equal ones in a row among the samples looked at: (seconds, looks) -> (seconds,).

    Every run that is long enough holds so many; few others do.
    """
    same = looks[:, 1:] == looks[:, :-1]
    needed = _LOOKS - 1
    if same.shape[1] < needed:
        return np.zeros(len(looks), np.bool_)
    windows = [same[:, start : same.shape[1] - needed + 1 + start] for start in range(needed)]
    return np.logical_and.reduce(windows).any(axis=1)


def _still(samples: NDArray[Any], shortest: int) -> int:
    """How many samples lie in runs of at least `shortest` equal ones."""
    lengths = np.diff(np.flatnonzero(samples[1:] != samples[:-1]), prepend=-1, append=len(samples) - 1)
    return int(lengths[lengths >= shortest].sum())
