"""Chunks of different lengths through a detector, one after the other, in one worker as the engine has them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from badc_assets.audio.probe import SoundFormat
from badc_assets.chunks.manifest import Chunk, chunk_id
from badc_assets.detectors.protocol import Detector
from badc_assets.errors import BadcError
from badc_assets.files import scratch_prefix
from badc_assets.inference.chunk_length.memory import MemoryWatch
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.devices.gpus import GpuGateway, NvmlGateway
from badc_assets.inference.devices.usage import UsageSampler
from badc_assets.inference.journal import read_journal
from badc_assets.inference.scratch import chunk_as_wav
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.work import ChunkDone, Died, Fatal, Message, Task
from badc_assets.inference.worker_pool import WorkerPool

POLL_S = 0.5
SAMPLE_S = 0.2


@dataclass(frozen=True)
class Trial:
    """What became of a chunk of `duration_s`. `reason` says why it does not fit; `peak_memory_mb` is of the GPU where one is
    used, else of the worker's processes. `precision` is what the detector calculated in."""

    duration_s: float
    fits: bool
    reason: str = ""
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    precision: str = ""


class Bench:
    """A worker on one device that is given chunks from the beginning of a recording; use it in a `with` statement."""

    def __init__(
        self,
        detector: Detector,
        settings: InferenceSettings,
        place: LeasedDevice,
        limit_mb: float | None,
        gateway: GpuGateway | None = None,
    ) -> None:
        self._detector = detector
        # What does not fit will not fit the second time either.
        self._settings = settings.model_copy(update={"max_retries": 0})
        self._place = place
        self._limit_mb = limit_mb
        self._gateway = gateway
        self._numbers = count()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix=scratch_prefix()))
        self._folder = Path(folder)
        if self._place.device.uuid:
            self._gateway = self._gateway or self._stack.enter_context(NvmlGateway())
        self._pool = self._stack.enter_context(WorkerPool(self._detector, self._settings, [self._place]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def attempt(self, source: Path, sound: SoundFormat, duration_s: float) -> Trial:
        """Analyse the first `duration_s` of a recording as one chunk. Raises BadcError when the detector cannot be used."""
        frames = min(round(duration_s * sound.sample_rate_hz), sound.frames)
        part = replace(sound, frames=frames, declared_frames=frames)
        chunk = Chunk(
            source.stem, chunk_id(source.stem, 0, part.duration_ms), str(source), 0, part.duration_ms, 0, "",
            start_frame=0, stop_frame=frames,
        )  # fmt: skip
        info = self._detector.info
        with ExitStack() as stack:
            if info.kind == "file" and info.unit == "recording":
                # A program reads whatever is in the file that it is given.
                source = stack.enter_context(chunk_as_wav(source, part, chunk))
            return self._measured(source, part, chunk, duration_s)

    def _measured(self, source: Path, sound: SoundFormat, chunk: Chunk, duration_s: float) -> Trial:
        number, uuid = next(self._numbers), self._place.device.uuid
        journals = self._folder / f"{number}"
        task = Task(
            number, chunk.recording_id, source, sound, (chunk,), (0,), journals / "j.0.jsonl", self._folder / "kept"
        )
        with ExitStack() as stack:
            watch = stack.enter_context(MemoryWatch())
            sampler = None
            if uuid and self._gateway is not None:
                sampler = stack.enter_context(UsageSampler(self._gateway, [uuid], SAMPLE_S))
            error = self._run(task, watch)
        peak_mb = watch.peak_mb if sampler is None else sampler.usage()[uuid].peak_memory_mb
        if not error and self._limit_mb is not None and (peak_mb or 0) > self._limit_mb:
            error = f"takes {peak_mb:.0f} MiB, more than {self._limit_mb:.0f} MiB"
        record = read_journal(journals, "j").get(chunk.chunk_id)
        seconds, precision = (record.seconds, record.precision) if record is not None else (0.0, "")
        return Trial(duration_s, not error, error, round(seconds, 4), peak_mb, precision)

    def _run(self, task: Task, watch: MemoryWatch) -> str:
        """Why it failed; empty when it did not."""
        error = ""
        self._pool.give(task)
        while self._pool.is_busy:
            for worker, message in self._pool.messages(POLL_S):
                watch.group = worker.process.pid
                error = self._error_of(message) or error
        return error

    def _error_of(self, message: Message) -> str:
        if isinstance(message, Fatal):
            raise BadcError(message.subject, message.problem, message.remedy)
        if isinstance(message, Died):
            if message.was_loading:
                raise BadcError(
                    f"detector {self._detector.info.name}", f"cannot be loaded: {message.reason}", "see its log"
                )
            return message.reason
        return message.error if isinstance(message, ChunkDone) else ""
