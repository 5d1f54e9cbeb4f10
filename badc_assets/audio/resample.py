"""Sample rate conversion of a stream of blocks, whatever their sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from soxr import ResampleStream

Float32 = NDArray[np.float32]


class Resampler:
    """Converts mono float32 from one rate to another (soxr, HQ), block by block; equal rates pass through unchanged.

    The result depends on the samples alone, not on how they were cut into blocks. One Resampler serves one recording.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int) -> None:
        self._stream = _stream(in_rate_hz, out_rate_hz)

    def push(self, block: Float32) -> Float32:
        """Take a block of shape (n,) and return the samples that are ready, shape (m,); often fewer than n, or none."""
        if self._stream is None:
            return block
        return self._stream.resample_chunk(block)

    def finish(self) -> Float32:
        """The samples that were held back; after this the resampler is spent."""
        if self._stream is None:
            return np.zeros(0, dtype=np.float32)
        return self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _stream(in_rate_hz: int, out_rate_hz: int) -> ResampleStream | None:
    if in_rate_hz == out_rate_hz:
        return None
    import soxr

    return soxr.ResampleStream(in_rate_hz, out_rate_hz, 1, dtype="float32", quality="HQ")
