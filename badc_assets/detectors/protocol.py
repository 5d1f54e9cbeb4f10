"""What a detector is, and exactly what a new one must do.

A detector has a frozen description, `info`, and one of three ways to be run:

- A **window** detector scores batches of windows: neural networks. The engine reads and resamples the sound, cuts the
  windows and fills batches across chunks and recordings.
- A **stream** detector sees a recording from its first sample to its last, in blocks, and keeps its own state.
- A **file** detector is given the path of a sound file: programs that read sound themselves. `info.unit` says whether it gets
  whole recordings or chunks.

What the engine does with it, in this order:

1. It makes the detector from its settings. This must be cheap: no weights are loaded, no program is started, nothing is
   imported that takes long (torch). `info` must be complete now, since every Dagster process reads it; what it says must not
   change later. Whatever changes a result belongs into `info.settings_hash` or `info.weights_sha256`.
2. It sends the detector to a worker process, one for each device: a detector must survive `pickle`.
3. In the worker it calls `load` once, if there is one (`Loadable`), before any sound. What `load` cannot do is a BadcError:
   it ends the run with that line. It returns what it chose; `precision` and `backend` are shown with the results.
4. It calls `score`, `open` or `detect` for as long as there is sound, from one thread. Scores and events must depend on the
   sound and on `info` alone, not on what came before or what else is in the batch.
5. It calls `close`, if there is one. A worker may also be killed at any time, with all processes that it started.

A detector that raises fails on the chunks at hand: a BadcError is final, anything else is tried again. A detector that runs out
of memory should let that exception through (MemoryError, torch.OutOfMemoryError): a batch is then tried again in halves.

Detectors return scores or events. Thresholds, merging and species lists come later (`detections/rules.py`), where changing
them costs nothing: a detector should return everything down to a low score.

`badc_assets_tests/detector_contract.py` holds the tests that every detector, and yours, has to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    `labels` may be empty for detectors whose events bring their own. `sample_rate_hz` None means the recording's own rate.
    `window_ms` and `hop_ms` are 0 where they have no meaning. `tail` says what becomes of the end of a recording that no
    whole window covers: a last window that ends with it (`align`), or one filled up with zeros (`pad`).
    `unit` is what a file detector is given. `settings_hash` changes when any setting that changes a result does;
    `weights_sha256` is None without weights. `uses_gpu`: it runs on a GPU where there is one.
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
    tail: Literal["align", "pad"] = "align"
    unit: Literal["recording", "chunk"] = "recording"
    weights_sha256: str | None = None
    uses_gpu: bool = False
    is_stub: bool = False

    @property
    def model_version(self) -> str:
        """Name, version and settings in one word, as it stands in each detection."""
        return f"{self.name}-{self.version}+{self.settings_hash}"


@dataclass(frozen=True)
class Device:
    """Where a worker runs its detector: on the CPU, or on one GPU.

    A worker on a GPU sees that one alone (CUDA_VISIBLE_DEVICES), so to torch it is `cuda:0`; `index` and `uuid` are NVML's.
    `threads` is how many CPU threads the detector may use.
    """

    kind: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    index: int | None = None
    uuid: str = ""
    name: str = ""
    memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing found. Times are ms from the start of the recording; unknown frequencies and levels are None.

    `confidence` lies in 0..1. `label` is the code when there is one, else the name. `note` says what is special about the
    window of a window detector (`tail`, `padded`), and is empty otherwise.
    """

    start_ms: int
    end_ms: int
    label: Label
    confidence: float
    low_hz: float | None = None
    high_hz: float | None = None
    peak_hz: float | None = None
    snr_db: float | None = None
    note: str = ""


class Detector(Protocol):
    """Common to all detectors."""

    @property
    def info(self) -> DetectorInfo: ...


@runtime_checkable
class Loadable(Protocol):
    """A detector with something to load or start."""

    def load(self, device: Device) -> Mapping[str, str]:
        """Get ready on `device`. Returns what was chosen (backend, precision, ...) as it should stand in the record."""
        ...


@runtime_checkable
class SelfReporting(Protocol):
    """A detector whose choices can change while it runs (a fall back to another precision)."""

    @property
    def runtime(self) -> Mapping[str, str]:
        """What `load` returned, as it stands now."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A detector with something to end: a process, a session."""

    def close(self) -> None: ...


@runtime_checkable
class WindowDetector(Detector, Protocol):
    def score(self, windows: Float32) -> Float32:
        """Scores in 0..1, shape (batch, labels), for mono windows of shape (batch, samples) at `info.sample_rate_hz`.

        The engine overwrites `windows` afterwards. Batches differ in size.
        """
        ...


@runtime_checkable
class SizedDetector(Protocol):
    """A window detector that knows, once loaded, how many windows it is best given at once."""

    @property
    def best_batch(self) -> int: ...


Pending = Callable[[], Float32]
"""Waits for the scores of a batch that was handed in, and returns them or raises what went wrong."""


@runtime_checkable
class PipelinedDetector(WindowDetector, Protocol):
    """A window detector that works on a batch while the next one is made ready: GPUs, asynchronous runtimes.

    The engine hands in up to `depth` batches before it asks for the first result, takes results in order, and leaves the
    memory of a batch alone until its result was taken.
    """

    @property
    def depth(self) -> int: ...

    def submit(self, windows: Float32) -> Pending: ...


@dataclass(frozen=True)
class StreamInfo:
    """The sound that a stream detector is about to be fed: mono float32 in -1..1 at `sample_rate_hz`."""

    recording_id: str
    sample_rate_hz: int
    frames: int


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


@dataclass(frozen=True)
class Clip:
    """A sound file for a file detector: a recording, or one of its chunks written out as WAV.

    `path` is to be read, never written. A recording's path has its own name, also where it is a git-annex link.
    `chunk_id` is empty for a whole recording. `start_ms` is where the clip begins in its recording; `keep_in` is a folder
    for what the program wrote and should be kept (it may not exist yet). `start_local` is the recorder's clock at the start of
    the recording, ISO 8601, None where unknown.
    """

    path: Path
    recording_id: str
    chunk_id: str
    start_ms: int
    duration_ms: int
    keep_in: Path
    start_local: str | None = None


@runtime_checkable
class FileDetector(Detector, Protocol):
    def detect(self, clip: Clip) -> Sequence[Event]:
        """The events in one file; their times count from the start of the clip."""
        ...
