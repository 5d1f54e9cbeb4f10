"""Measures of one second of one channel that need no spectrum: level, offset, clipping, and where the sound stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """Sums over one second of one channel, in parts of full scale, so that they can be added up.

    `total` and `energy` are the sums of the samples and of their squares. `clipped` counts samples at full scale, and those at
    the second's highest or lowest value where three or more of them follow each other. `still` counts the samples in runs of
    one value that last STILL_MS or longer.
    """

    samples: int
    total: float
    energy: float
    peak: float
    clipped: int
    still: int


def measure(samples: NDArray[Any], rate_hz: int, room: NDArray[np.float32]) -> Waveform:
    """The measures of `samples`: shape (n,), contiguous, int16, int32 or float32 without NaN; n is at most a second's.

    `room`, of at least n, is overwritten: new memory for every second would cost more than the measures.
    """
    scale = FULL_SCALE[samples.dtype.name]
    lowest, highest = samples.min(), samples.max()
    peak = max(-float(lowest), float(highest)) / scale
    values = room[: len(samples)]
    np.copyto(values, samples)
    return Waveform(
        samples=len(samples),
        total=float(values.sum()) / scale,
        # A BLAS product would be quicker, but starts threads for it.
        energy=float(np.einsum("i,i", values, values)) / scale**2,
        peak=peak,
        clipped=sum(_at_limit(samples, value, scale) for value in (lowest, highest)) if peak >= CLIP_FROM else 0,
        still=_still(samples, max(STILL_MS * rate_hz // 1000, 2 * _LOOKS)),
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


def _still(samples: NDArray[Any], shortest: int) -> int:
    """How many samples lie in runs of at least `shortest` equal ones."""
    stride = shortest // _LOOKS
    if _longest_run(samples[::stride]) < _LOOKS:
        return 0
    lengths = np.diff(np.flatnonzero(samples[1:] != samples[:-1]), prepend=-1, append=len(samples) - 1)
    return int(lengths[lengths >= shortest].sum())


def _longest_run(samples: NDArray[Any]) -> int:
    """The most equal samples in a row."""
    moves = np.flatnonzero(samples[1:] != samples[:-1])
    if len(moves) == len(samples) - 1:
        return 1
    return int(np.diff(moves, prepend=-1, append=len(samples) - 1).max())
