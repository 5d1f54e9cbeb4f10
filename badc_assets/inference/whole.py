"""Detectors that see a recording, or a chunk, as a whole: streams and programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.tables import place
from badc_assets.detectors.protocol import Clip, Event, FileDetector, StreamDetector, StreamInfo
from badc_assets.errors import BadcError
from badc_assets.inference.journal import ChunkRecord
from badc_assets.inference.progress import Reporter, TaskProgress
from badc_assets.inference.scoring import described, retry_delay_s
from badc_assets.inference.scratch import chunk_as_wav
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.sound import MonoSound
from badc_assets.inference.work import Retrying, Task

Analyse = Callable[[], tuple[Sequence[Event], MonoSound | None]]


class WholeRunner:
    """Runs a stream or file detector over tasks, one after the other."""

    def __init__(
        self,
        detector: StreamDetector | FileDetector,
        settings: InferenceSettings,
        reporter: Reporter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._detector = detector
        self._settings = settings
        self._reporter = reporter
        self._sleep = sleep

    def run(self, task: Task) -> None:
        """All chunks of a task. Raises BadcError when results cannot be written."""
        progress = TaskProgress(task, self._reporter)
        chunks = [task.chunks[position] for position in task.todo]
        if isinstance(self._detector, StreamDetector):
            self._unit(progress, chunks, lambda: self._streamed(task))
        elif self._detector.info.unit == "recording":
            self._unit(progress, chunks, lambda: (self._detect(_whole_clip(task), 0), None))
        else:
            for chunk in chunks:
                self._unit(progress, [chunk], lambda chunk=chunk: (self._detect_chunk(task, chunk), None))

    def _unit(self, progress: TaskProgress, chunks: Sequence[Chunk], analyse: Analyse) -> None:
        """Analyse these chunks together, again where that fails, and write down what came out."""
        number = progress.task.number
        self._reporter.working_on([(number, chunk.chunk_id) for chunk in chunks])
        attempt = 1 + max((progress.task.attempts.get(chunk.chunk_id, 0) for chunk in chunks), default=0)
        began = time.monotonic()
        while True:
            try:
                events, sound = analyse()
                error = ""
                break
            except Exception as trouble:
                events, sound, error = (), None, described(trouble)
                is_final = isinstance(trouble, BadcError) or attempt > self._settings.max_retries
            if is_final:
                break
            delay_s = retry_delay_s(self._settings, attempt)
            self._reporter.send(Retrying(number, chunks[0].chunk_id, attempt, error, delay_s))
            self._sleep(delay_s)
            attempt += 1
        each_s = (time.monotonic() - began) / max(len(chunks), 1)
        records = _records(progress, chunks, events, sound, error=error, attempts=attempt, seconds=each_s)
        progress.finish(records, is_detectors_fault=bool(error))

    def _streamed(self, task: Task) -> tuple[Sequence[Event], MonoSound]:
        detector, settings = self._detector, self._settings
        assert isinstance(detector, StreamDetector)
        rate_hz = detector.info.sample_rate_hz or task.sound.sample_rate_hz
        sound = MonoSound(task.source, task.sound, rate_hz, block_s=settings.block_s, channel=settings.channel)
        session = detector.open(StreamInfo(task.recording_id, rate_hz, sound.samples))
        events: list[Event] = []
        heard = position = 0
        for block in sound.blocks():
            events += session.feed(block)
            heard += len(block)
            while position < len(task.chunks) and task.chunks[position].end_ms * rate_hz <= heard * 1000:
                position += 1
                # A sign of life for each chunk that was heard: the time limit is for a chunk.
                self._reporter.working_on([(task.number, chunk.chunk_id) for chunk in task.chunks[position:][:1]])
        return [*events, *session.close()], sound

    def _detect(self, clip: Clip, start_ms: int) -> Sequence[Event]:
        """The events in a clip that begins at `start_ms` of its file."""
        assert isinstance(self._detector, FileDetector)
        found = self._detector.detect(clip)
        return [replace(e, start_ms=e.start_ms + start_ms, end_ms=e.end_ms + start_ms) for e in found]

    def _detect_chunk(self, task: Task, chunk: Chunk) -> Sequence[Event]:
        with chunk_as_wav(task.source, task.sound, chunk) as path:
            clip = Clip(
                path=path,
                recording_id=task.recording_id,
                chunk_id=chunk.chunk_id,
                start_ms=task.starts_at_ms + chunk.start_ms,
                duration_ms=chunk.end_ms - chunk.start_ms,
                keep_in=task.keep_in,
                start_local=task.start_local,
            )
            return self._detect(clip, chunk.start_ms)


def _whole_clip(task: Task) -> Clip:
    return Clip(
        path=task.source,
        recording_id=task.recording_id,
        chunk_id="",
        start_ms=task.starts_at_ms,
        duration_ms=task.chunks[-1].end_ms,
        keep_in=task.keep_in,
        start_local=task.start_local,
    )


def _records(
    progress: TaskProgress,
    chunks: Sequence[Chunk],
    events: Sequence[Event],
    sound: MonoSound | None,
    *,
    error: str,
    attempts: int,
    seconds: float,
) -> list[ChunkRecord]:
    """A record for each chunk, with the events that start in it."""
    by_chunk: dict[str, list[Event]] = {chunk.chunk_id: [] for chunk in chunks}
    for event, chunk in place(events, chunks):
        by_chunk[chunk.chunk_id].append(event)
    power = sound.power if sound is not None and sound.power.channels else None
    return [
        progress.record(
            chunk.chunk_id,
            events=by_chunk[chunk.chunk_id],
            error=error,
            attempts=attempts,
            seconds=seconds,
            power=power if chunk is chunks[0] else None,
        )
        for chunk in chunks
    ]
