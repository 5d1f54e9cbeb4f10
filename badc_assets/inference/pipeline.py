"""Window detectors: threads that read sound fill batches, the main thread has them scored.

Reading threads (libsndfile and soxr release the GIL) cut windows straight into the rows of a few batch buffers that are used in
turn; a full batch goes to the detector, across the borders of chunks and recordings. Buffers are all that is held of the
sound, so memory does not grow with the length of a recording, and a slow detector holds up the readers.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from badc_assets.detectors.protocol import (
    DetectorInfo,
    Event,
    Float32,
    Pending,
    PipelinedDetector,
    SizedDetector,
    WindowDetector,
)
from badc_assets.errors import BadcError, printable
from badc_assets.inference.progress import Reporter, TaskProgress
from badc_assets.inference.scoring import Owner, Scorer
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.sound import MixPower, MonoSound
from badc_assets.inference.windows import WindowPlan, cut_windows, span_of
from badc_assets.inference.work import Retrying, Task

DEFAULT_BATCH = 32


@dataclass
class OpenChunk:
    """A chunk on its way: how many of its windows have no scores yet, and what was found so far."""

    task: int
    chunk_id: str
    audio_ms: int
    missing: int
    events: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""
    power: MixPower | None = None

    @property
    def owner(self) -> Owner:
        return self.task, self.chunk_id


@dataclass
class TaskState:
    """A task that is being read and scored."""

    progress: TaskProgress
    plan: WindowPlan
    chunks: dict[int, OpenChunk]
    firsts: list[int]


@dataclass
class Batch:
    """Windows of any chunks: `windows[:len(rows)]` are filled, `rows` says whose they are and which."""

    windows: Float32
    rows: list[tuple[TaskState, OpenChunk, int]] = field(default_factory=list)

    @property
    def filled(self) -> Float32:
        return self.windows[: len(self.rows)]


@dataclass(frozen=True)
class Begun:
    """A reader has begun with a task."""

    state: TaskState


@dataclass(frozen=True)
class Ended:
    """A reader has handed in all windows of a task, or could not: `error`."""

    state: TaskState
    error: str = ""


@dataclass(frozen=True)
class ReaderStopped:
    """There are no more tasks. `error` is what a reader could not survive."""

    error: BaseException | None = None


Item = Batch | Begun | Ended | ReaderStopped


class WindowPipeline:
    """Runs a window detector over the tasks of a queue (None ends it)."""

    def __init__(
        self,
        detector: WindowDetector,
        settings: InferenceSettings,
        tasks: queue.Queue[Task | None],
        reporter: Reporter,
        readers: int,
    ) -> None:
        self._info: DetectorInfo = detector.info
        self._settings = settings
        self._tasks = tasks
        self._reporter = reporter
        self._readers = readers
        self._scorer = Scorer(detector, settings, self._retrying)
        best = detector.best_batch if isinstance(detector, SizedDetector) else DEFAULT_BATCH
        self._batch = settings.batch_windows or best
        self._depth = max(detector.depth, 1) if isinstance(detector, PipelinedDetector) else 1
        self._ready: queue.Queue[Item] = queue.Queue()
        self._free: queue.Queue[Float32] = queue.Queue()
        self._in_flight: deque[tuple[Batch, Pending]] = deque()
        self._settled_at = time.monotonic()

    def run(self) -> None:
        """Until the tasks end. Raises BadcError when results cannot be written."""
        self._make_buffers()
        for _ in range(self._readers):
            threading.Thread(target=self._read_tasks, daemon=True).start()
        running = self._readers
        while running:
            item = self._next_item()
            if item is None:
                self._settle()
            elif isinstance(item, Batch):
                self._submit(item)
            elif isinstance(item, Begun):
                self._close(item.state, [chunk for chunk in item.state.chunks.values() if not chunk.missing])
            elif isinstance(item, Ended):
                self._end(item)
            else:
                running -= 1
                if item.error is not None:
                    raise item.error
        while self._in_flight:
            self._settle()

    def _make_buffers(self) -> None:
        if self._info.sample_rate_hz is None or self._info.window_ms < 1 or self._info.hop_ms < 1:
            raise BadcError(self._info.name, "is a window detector without rate, window or hop", "correct its info")
        samples = self._info.window_ms * self._info.sample_rate_hz // 1000
        for _ in range(self._depth + self._readers + 1):
            self._free.put(np.zeros((self._batch, samples), np.float32))

    def _next_item(self) -> Item | None:
        """What the readers have for us; None when nothing is ready and the detector's results can be taken meanwhile."""
        if self._in_flight:
            try:
                return self._ready.get_nowait()
            except queue.Empty:
                return None
        began = time.monotonic()
        item = self._ready.get()
        if isinstance(item, Batch):
            item.rows[0][0].progress.waited_s += time.monotonic() - began
        self._settled_at = time.monotonic()
        return item

    def _submit(self, batch: Batch) -> None:
        while len(self._in_flight) >= self._depth:
            self._settle()
        self._in_flight.append((batch, self._scorer.submit(batch.filled)))
        self._reporter.working_on([chunk.owner for held, _ in self._in_flight for _, chunk, _ in held.rows])

    def _settle(self) -> None:
        batch, pending = self._in_flight.popleft()
        settled = self._scorer.settle(pending, batch.filled, [chunk.owner for _, chunk, _ in batch.rows])
        now = time.monotonic()
        each_s, self._settled_at = (now - self._settled_at) / len(batch.rows), now
        for (state, chunk, number), row in zip(batch.rows, settled.scores, strict=True):
            chunk.missing -= 1
            chunk.seconds += each_s
            chunk.attempts = max(chunk.attempts, settled.attempts.get(chunk.owner, 1))
            chunk.error = chunk.error or settled.errors.get(chunk.owner, "")
            if not chunk.error:
                self._collect(state.plan, chunk, number, row)
        done = {id(chunk): (state, chunk) for state, chunk, _ in batch.rows if not chunk.missing}
        for state, chunk in done.values():
            self._close(state, [chunk])
        self._free.put(batch.windows)

    def _collect(self, plan: WindowPlan, chunk: OpenChunk, number: int, row: Float32) -> None:
        found = np.flatnonzero(row >= self._settings.min_score)
        if not len(found):
            return
        start_ms = plan.start_ms(number)
        end_ms = min(start_ms + self._info.window_ms, chunk.audio_ms)
        labels, note = self._info.labels, plan.note(number)
        chunk.events += [Event(start_ms, end_ms, labels[i], float(row[i]), note=note) for i in found]

    def _close(self, state: TaskState, chunks: Sequence[OpenChunk]) -> None:
        for chunk in chunks:
            record = state.progress.record(
                chunk.chunk_id,
                events=() if chunk.error else chunk.events,
                error=chunk.error,
                attempts=chunk.attempts,
                seconds=chunk.seconds,
                power=chunk.power,
            )
            state.progress.finish([record], is_detectors_fault=bool(chunk.error))

    def _end(self, item: Ended) -> None:
        """The sound of a task is at its end; what could not be read has failed."""
        if not item.error:
            return
        while self._in_flight:
            self._settle()
        progress = item.state.progress
        unread = [chunk for chunk in item.state.chunks.values() if chunk.chunk_id in progress.open_chunks]
        progress.finish([progress.record(chunk.chunk_id, error=item.error) for chunk in unread])

    def _retrying(self, owner: Owner, attempt: int, error: str, delay_s: float) -> None:
        self._reporter.send(Retrying(*owner, attempt, error, delay_s))

    # What follows runs in the readers.

    def _read_tasks(self) -> None:
        try:
            batch = self._empty_batch()
            while (task := self._tasks.get()) is not None:
                batch = self._read_task(task, batch)
                if batch.rows and self._tasks.empty():
                    batch = self._hand_in(batch)
            if batch.rows:
                self._ready.put(batch)
            self._ready.put(ReaderStopped())
        except BaseException as error:
            self._ready.put(ReaderStopped(error))

    def _read_task(self, task: Task, batch: Batch) -> Batch:
        rate_hz = self._info.sample_rate_hz
        assert rate_hz is not None
        progress = TaskProgress(task, self._reporter)
        try:
            sound = MonoSound(
                task.source, task.sound, rate_hz, block_s=self._settings.block_s, channel=self._settings.channel
            )
        except BadcError as error:
            state = TaskState(progress, WindowPlan.of(self._info, 0, rate_hz), _open(task, []), [])
            self._ready.put(Ended(state, error.problem))
            return batch
        plan = WindowPlan.of(self._info, sound.samples, rate_hz)
        firsts = plan.first_windows(task.chunks)
        state = TaskState(progress, plan, _open(task, firsts), firsts)
        self._ready.put(Begun(state))
        error = ""
        try:
            for chunk, number, window in self._windows(state, task, sound):
                batch.windows[len(batch.rows)] = window
                batch.rows.append((state, chunk, number))
                is_border = task.is_careful and number + 1 == self._last(state, chunk, task)
                if len(batch.rows) == len(batch.windows) or is_border:
                    batch = self._hand_in(batch)
        except BadcError as trouble:
            error = trouble.problem
        except Exception as trouble:
            error = printable(f"the sound cannot be read: {type(trouble).__name__}: {trouble}")
        if error and batch.rows:
            batch = self._hand_in(batch)
        self._ready.put(Ended(state, error))
        return batch

    def _windows(self, state: TaskState, task: Task, sound: MonoSound) -> Iterator[tuple[OpenChunk, int, Float32]]:
        for first, last in _spans(task.todo):
            windows = (state.firsts[first], state.firsts[last])
            blocks = sound.blocks(*span_of(state.plan, *windows))
            position = first
            for number, window in cut_windows(blocks, state.plan, *windows):
                while number >= state.firsts[position + 1]:
                    position += 1
                chunk = state.chunks[position]
                yield chunk, number, window
                if number + 1 == state.firsts[position + 1] and sound.power.channels:
                    chunk.power, sound.power = sound.power, MixPower()

    def _last(self, state: TaskState, chunk: OpenChunk, task: Task) -> int:
        """One past the last window of a chunk."""
        position = next(place for place, of in state.chunks.items() if of is chunk)
        return state.firsts[position + 1]

    def _hand_in(self, batch: Batch) -> Batch:
        self._ready.put(batch)
        return self._empty_batch()

    def _empty_batch(self) -> Batch:
        return Batch(self._free.get())


def _open(task: Task, firsts: Sequence[int]) -> dict[int, OpenChunk]:
    audio_ms = task.chunks[-1].end_ms
    return {
        position: OpenChunk(
            task.number,
            task.chunks[position].chunk_id,
            audio_ms,
            missing=firsts[position + 1] - firsts[position] if firsts else 0,
            attempts=1 + task.attempts.get(task.chunks[position].chunk_id, 0),
        )
        for position in task.todo
    }


def _spans(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbouring positions: first, and one past the last."""
    start = 0
    for index in range(1, len(positions) + 1):
        if index == len(positions) or positions[index] != positions[index - 1] + 1:
            yield positions[start], positions[index - 1] + 1
            start = index
