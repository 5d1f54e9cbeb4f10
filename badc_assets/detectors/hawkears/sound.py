"""What HawkEars does not look at in a sound file: whether all of it is there, and where it is digital silence.

It normalises each window before it scores it, so it gives high scores to stretches in which nothing was recorded; it takes a
file that ends early for a short one; and it says nothing about samples that are no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badc_assets.audio.samples import SampleReader
from badc_assets.errors import BadcError

CELL_MS = 250
LACKING_MS = 50
"""Two ways to count the length of a file may differ by this much (MP3 frames)."""
_CELLS_AT_A_TIME = 40


@dataclass(frozen=True)
class HeardClip:
    """Which parts of a clip are flat: all samples of a cell of about CELL_MS have one value, in every channel."""

    flat_cells: NDArray[np.bool_]
    cell_frames: int
    rate_hz: int

    @property
    def is_flat(self) -> bool:
        return bool(self.flat_cells.all())

    def is_flat_between(self, start_ms: int, end_ms: int) -> bool:
        """Whether nothing was recorded in this part."""
        first = start_ms * self.rate_hz // 1000 // self.cell_frames
        last = -(-end_ms * self.rate_hz // 1000 // self.cell_frames)
        return bool(self.flat_cells[first : max(last, first + 1)].all())


def listen(path: Path, duration_ms: int) -> HeardClip:
    """Read a clip that should last `duration_ms` from end to end.

    Raises BadSound where it cannot be read, BadcError when it is shorter than that or holds samples that are no numbers.
    """
    with SampleReader(path) as reader:
        sound = reader.format
        if sound.duration_ms + LACKING_MS < duration_ms:
            problem = f"holds {sound.duration_ms} ms of sound, {duration_ms} ms were expected"
            raise BadcError(path, problem, "copy it again from the card or archive, or catalogue it anew")
        cell_frames = max(sound.sample_rate_hz * CELL_MS // 1000, 1)
        cells: list[NDArray[np.bool_]] = []
        for block in reader.blocks(cell_frames * _CELLS_AT_A_TIME):
            starts = np.arange(0, len(block), cell_frames)
            low, high = np.minimum.reduceat(block, starts), np.maximum.reduceat(block, starts)
            if not (np.isfinite(low).all() and np.isfinite(high).all()):
                raise BadcError(path, "holds samples that are not numbers", "write the file again from its source")
            cells.append((low == high).all(axis=1))
    return HeardClip(np.concatenate(cells), cell_frames, sound.sample_rate_hz)
