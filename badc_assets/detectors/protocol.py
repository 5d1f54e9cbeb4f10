"""What a detector is: a frozen description and one of three ways to be run.

- A **window** detector scores batches of windows: neural networks. The engine cuts the windows and fills
batches across recordings.
- A **stream** detector sees a recording from its first sample to its last, in blocks, and keeps its own state.
- A **file** detector is given the path of a sound file: programs that read sound themselves.

Detectors return scores or events. Thresholds, merging and species lists come later, where changing them costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Label:
    """What a detector can find. `code` is short and stable (`RUGR`), `name` is for people (`Ruffed Grouse`)."""

    code: str
    name: str


@dataclass(frozen=True)
class DetectorInfo:
    """Everything about a detector that decides its results, known before any sound is read.

    `sample_rate_hz` None means the recording's own rate. `window_ms` and `hop_ms` are 0 where they have no meaning.
    `settings_hash` changes when any setting that changes a result does; `weights_sha256` is None without weights.
    `is_stub` marks results that mean nothing: they are labelled so everywhere.
    """

    name: str
    version: str
    kind: Literal["window", "stream", "file"]
    labels: tuple[Label, ...]
    settings_hash: str
    sample_rate_hz: int | None = None
    window_ms: int = 0
    hop_ms: int = 0
    weights_sha256: str | None = None
    needs_gpu: bool = False
    is_stub: bool = False

    @property
    def model_version(self) -> str:
        """Name, version and settings in one word, as it stands in each detection."""
        return f"{self.name}-{self.version}+{self.settings_hash}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing found. Times are ms from the start of the recording; unknown frequencies and levels are None.

    `confidence` lies in 0..1. `label` is the code when there is one, else the name.
    """

    start_ms: int
    end_ms: int
    label: Label
    confidence: float
    low_hz: float | None = None
    high_hz: float | None = None
    peak_hz: float | None = None
    snr_db: float | None = None


@dataclass(frozen=True)
class StreamInfo:
    """The sound that a stream detector is about to be fed: mono float32 in -1..1 at `sample_rate_hz`."""

    recording_id: str
    sample_rate_hz: int
    frames: int


class Detector(Protocol):
    """Common to all detectors."""

    @property
    def info(self) -> DetectorInfo: ...


@runtime_checkable
class WindowDetector(Detector, Protocol):
    def score(self, windows: Float32) -> Float32:
        """Scores in 0..1, shape (batch, labels), for mono windows of shape (batch, samples) at `info.sample_rate_hz`."""
        ...


class StreamSession(Protocol):
    def feed(self, block: Float32) -> Sequence[Event]:
        """Take the next samples, any number of them; return the events that are complete by now."""
        ...

    def close(self) -> Sequence[Event]:
        """The recording has ended: return what was still open."""
        ...


@runtime_checkable
class StreamDetector(Detector, Protocol):
    def open(self, stream: StreamInfo) -> StreamSession: ...


@runtime_checkable
class FileDetector(Detector, Protocol):
    def detect(self, source: Path) -> Sequence[Event]: ...
