"""What the engine and its worker processes say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from badc_assets.audio.probe import SoundFormat
from badc_assets.chunks.manifest import Chunk
from badc_assets.detectors.protocol import Detector, Device
from badc_assets.inference.settings import InferenceSettings


@dataclass(frozen=True)
class Setup:
    """All that a worker needs before its first task."""

    detector: Detector
    device: Device
    worker: str
    settings: InferenceSettings


@dataclass(frozen=True)
class Task:
    """Chunks of one recording to analyse: `todo` are positions in `chunks`, which are all chunks of the file.

    The file `source` begins at `starts_at_ms` of the recording; times in `chunks` count from its beginning.
    `journal` is the file that the worker appends to. `attempts` counts, by chunk id, how often a chunk took its worker down.
    `is_careful`: one chunk at a time, so that the one that does so can be told.
    """

    number: int
    recording_id: str
    source: Path
    sound: SoundFormat
    chunks: tuple[Chunk, ...]
    todo: tuple[int, ...]
    journal: Path
    keep_in: Path
    start_local: str | None = None
    starts_at_ms: int = 0
    attempts: Mapping[str, int] = field(default_factory=dict)
    is_careful: bool = False


@dataclass(frozen=True)
class Stop:
    """No more tasks."""


@dataclass(frozen=True)
class Ready:
    """The detector is loaded. `runtime` says what it chose."""

    runtime: Mapping[str, str]


@dataclass(frozen=True)
class Fatal:
    """The worker cannot go on: the detector cannot be loaded, the disk is full. One line for the user."""

    subject: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Working:
    """These chunks are in the detector's hands now."""

    task: int
    chunk_ids: tuple[str, ...]


@dataclass(frozen=True)
class Retrying:
    """A chunk failed and will be tried again after `delay_s`."""

    task: int
    chunk_id: str
    attempt: int
    error: str
    delay_s: float


@dataclass(frozen=True)
class ChunkDone:
    """A chunk is in the journal. `error` is empty when it was analysed. `is_detectors_fault`: not that of the sound."""

    task: int
    chunk_id: str
    seconds: float
    attempts: int
    detections: int
    error: str = ""
    is_detectors_fault: bool = False


@dataclass(frozen=True)
class TaskDone:
    """All chunks of a task are in the journal. `waited_s` of `busy_s` the detector had to wait for sound."""

    task: int
    busy_s: float
    waited_s: float


@dataclass(frozen=True)
class Died:
    """The worker process ended without being told to (made up by the pool). `reason` says how."""

    reason: str
    working_on: tuple[tuple[int, str], ...]
    """(task, chunk id) of what it had in hand."""
    tasks: tuple[Task, ...]
    """What it had been given and did not finish."""
    was_loading: bool


Message = Ready | Fatal | Working | Retrying | ChunkDone | TaskDone | Died
