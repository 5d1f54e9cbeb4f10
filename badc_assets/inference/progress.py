"""A task in a worker's hands: which of its chunks are still open, its journal, and what the engine is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from badc_assets.detectors.protocol import Detector, Event, SelfReporting
from badc_assets.inference.journal import ChunkRecord, JournalWriter
from badc_assets.inference.work import ChunkDone, Message, Setup, Task, TaskDone, Working

Send = Callable[[Message], None]


class Reporter:
    """Tells the engine what this worker does, and knows what it runs on."""

    def __init__(self, setup: Setup, loaded: Mapping[str, str], send: Send) -> None:
        self.send = send
        self.worker = setup.worker
        self.device = setup.device.name or setup.device.kind
        self._detector: Detector = setup.detector
        self._loaded = loaded
        self._working_on: tuple[tuple[int, str], ...] = ()

    @property
    def precision(self) -> str:
        now = self._detector.runtime if isinstance(self._detector, SelfReporting) else self._loaded
        return now.get("precision", "")

    def working_on(self, chunks: Sequence[tuple[int, str]]) -> None:
        """Say which (task, chunk id) are in the detector's hands, where that changed."""
        new = tuple(chunk for chunk in dict.fromkeys(chunks) if chunk not in self._working_on)
        self._working_on = tuple(dict.fromkeys(chunks))
        for task in dict.fromkeys(task for task, _ in new):
            self.send(Working(task, tuple(chunk_id for of, chunk_id in new if of == task)))


class TaskProgress:
    """Writes each finished chunk into the journal, tells the engine, and says when the task is done."""

    def __init__(self, task: Task, reporter: Reporter) -> None:
        self.task = task
        self.waited_s = 0.0
        self._reporter = reporter
        self._busy_s = 0.0
        self._open = {task.chunks[position].chunk_id for position in task.todo}
        self._journal = JournalWriter(task.journal)
        self._journal.__enter__()

    @property
    def open_chunks(self) -> frozenset[str]:
        return frozenset(self._open)

    def finish(self, records: Sequence[ChunkRecord], *, is_detectors_fault: bool = False) -> None:
        """These chunks are done. Raises BadcError when they cannot be written down."""
        self._journal.append(records)
        for record in records:
            self._open.discard(record.chunk_id)
            self._busy_s += record.seconds
            self._reporter.send(
                ChunkDone(
                    self.task.number, record.chunk_id, record.seconds, record.attempts, len(record.events), record.error,
                    is_detectors_fault=is_detectors_fault,
                )
            )  # fmt: skip
        if not self._open:
            self._journal.__exit__(None, None, None)
            self._reporter.send(TaskDone(self.task.number, self._busy_s, self.waited_s))

    def record(self, chunk_id: str, *, events: Sequence[Event] = (), **values: object) -> ChunkRecord:
        """A record of this task, with where it was made. Times of `events` count from the start of the file."""
        reporter, shift = self._reporter, self.task.starts_at_ms
        events = [replace(e, start_ms=e.start_ms + shift, end_ms=e.end_ms + shift) for e in events] if shift else events
        made_on = {"worker": reporter.worker, "device": reporter.device, "precision": reporter.precision}
        return ChunkRecord(chunk_id, events, **made_on, **values)  # pyright: ignore[reportArgumentType]
