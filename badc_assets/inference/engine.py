"""Run a detector over recordings: gate, reuse, analyse, write. One recording's trouble never stops the others.

Every chunk that is done is in its recording's journal before the next begins, written by the worker that did it. So
whatever is killed, and when, the next run goes on from there. The recording's tables are made from the journal at its end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count

from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import Clock
from badc_assets.detections.rules import DetectionRules
from badc_assets.detections.tables import Trace
from badc_assets.detectors.protocol import Detector
from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, exclusive
from badc_assets.inference.closing import Closing
from badc_assets.inference.devices.places import Places, WorkPlaces
from badc_assets.inference.journal import ChunkRecord, JournalWriter, journal_file
from badc_assets.inference.opening import (
    DatasetOpening,
    Opening,
    OpenRecording,
    OtherRules,
    Portion,
    Wanted,
    divided,
    sees_whole_recordings,
)
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.telemetry.run_log import NoLog, RunLog
from badc_assets.inference.work import ChunkDone, Died, Fatal, Message, Task, TaskDone
from badc_assets.inference.worker_pool import WorkerPool
from badc_assets.layout import Layout

logger = logging.getLogger(__name__)

POLL_S = 0.5
CRASHES_COUNT_AS = 5
"""How many failed chunks a dead or hung worker stands for: each costs a start and perhaps a time limit."""


@dataclass(frozen=True)
class Engine:
    """A detector and all that is needed to run it over recordings: those of a dataset, unless `opening` gives others."""

    layout: Layout
    detector: Detector
    chunking: ChunkSettings
    settings: InferenceSettings
    clock: Clock
    run_id: str
    rules: DetectionRules = field(default_factory=DetectionRules)  # pyright: ignore[reportCallIssue, reportArgumentType]
    places: Places = field(default_factory=WorkPlaces)
    log: RunLog = field(default_factory=NoLog)
    say: Callable[[str], None] = logger.info
    opening: Opening | None = None

    def run(self, recording_ids: Iterable[str]) -> Iterator[DetectionOutcome]:
        """Analyse the recordings; yields what became of each as soon as it is known, in whatever order.

        What is wrong with a recording is in its outcome. Raises BadcError when results cannot be written (full disk), or when
        the detector cannot be used at all; what was finished until then is kept.
        """
        with ExitStack() as stack:
            yield from _Run(self, stack).outcomes(recording_ids)


class _Run:
    """One call of `Engine.run`: recordings that are open, tasks that wait, and the workers."""

    def __init__(self, engine: Engine, stack: ExitStack) -> None:
        self._engine = engine
        self._stack = stack
        self._opening = engine.opening or DatasetOpening(engine.layout)
        self._wanted = Wanted(engine.chunking, engine.settings, engine.detector.info, engine.rules)
        self._pool: WorkerPool | None = None
        self._closing: Closing | None = None
        self._locks: dict[str, ExitStack] = {}
        self._open: dict[str, OpenRecording] = {}
        self._by_task: dict[int, OpenRecording] = {}
        self._waiting: deque[Task] = deque()
        self._numbers = count()
        self._failed = 0
        self._succeeded = 0
        self._last_error = ""

    def outcomes(self, recording_ids: Iterable[str]) -> Iterator[DetectionOutcome]:
        pending = deque(recording_ids)
        busy: deque[str] = deque()
        while pending or busy or self._open:
            yield from self._fill(pending, busy)
            if self._pool is not None and self._pool.is_busy:
                for worker, message in self._pool.messages(POLL_S):
                    self._engine.log.heard(worker.place, message, self._recording_of(message))
                    yield from self._handle(message)
                    if self._is_hopeless:
                        yield from self._given_up([*pending, *busy])
                        return

    @property
    def _is_hopeless(self) -> bool:
        return not self._succeeded and self._failed >= self._engine.settings.stop_after_failures

    def _fill(self, pending: deque[str], busy: deque[str]) -> Iterator[DetectionOutcome]:
        """Open recordings and hand out their tasks while workers have room."""
        while self._pool is None or self._pool.has_room:
            if self._waiting:
                self._start_pool().give(self._waiting.popleft())
            elif pending:
                yield from self._begin(pending.popleft(), busy, wait=False)
            elif busy and not self._open:
                # Nothing of ours is held now, so waiting for another run cannot lock up both.
                yield from self._begin(busy.popleft(), busy, wait=True)
            else:
                return

    def _begin(self, recording_id: str, busy: deque[str], *, wait: bool) -> Iterator[DetectionOutcome]:
        lock = self._engine.layout.locks / "infer" / f"{recording_id}.lock"
        held = ExitStack()
        if not held.enter_context(exclusive(lock, wait=wait)):
            busy.append(recording_id)
            return
        with held:
            outcome = self._opened(recording_id)
            if outcome is None:
                self._locks[recording_id] = self._stack.enter_context(held.pop_all())
            else:
                yield outcome
                return
        if not self._open[recording_id].tasks:
            yield self._finish(self._open[recording_id])

    def _opened(self, recording_id: str) -> DetectionOutcome | None:
        """The outcome of a recording that needs no worker; None when it was opened and its tasks wait."""
        try:
            found = self._opening.find(recording_id, self._wanted)
            if isinstance(found, OtherRules):
                stored = self._close_with().choose_again(found)
                if stored is not None:
                    return DetectionOutcome(recording_id, stored, is_orphan=found.facts.is_vanished)
                found = self._opening.anew(found)
        except PlaceTaken as error:
            return DetectionOutcome(recording_id, None, refused=str(error))
        if isinstance(found, DetectionOutcome):
            return found
        self._open[recording_id] = found
        if not found.error:
            for portion in divided(found, self._engine.detector.info):
                self._waiting.append(self._new_task(found, portion))
        return None

    def _new_task(self, recording: OpenRecording, portion: Portion) -> Task:
        layout, piece, recording_id = self._engine.layout, portion.piece, recording.recording_id
        first = piece.number + portion.todo[0]
        task = Task(
            number=next(self._numbers),
            recording_id=recording_id,
            source=piece.source,
            sound=piece.sound,
            chunks=piece.chunks,
            todo=portion.todo,
            journal=journal_file(layout.journal_dir(recording_id), recording.keys.raw, first),
            keep_in=layout.kept_outputs(recording_id),
            start_local=recording.facts.start_local,
            starts_at_ms=piece.starts_at_ms,
        )
        return self._registered(recording, task)

    def _registered(self, recording: OpenRecording, task: Task) -> Task:
        recording.tasks.add(task.number)
        self._by_task[task.number] = recording
        return task

    def _start_pool(self) -> WorkerPool:
        if self._pool is None:
            engine = self._engine
            places = self._stack.enter_context(
                engine.places.taken(engine.detector.info, engine.settings, engine.run_id, engine.say)
            )
            self._stack.enter_context(engine.log.opened(places))
            self._pool = self._stack.enter_context(WorkerPool(engine.detector, engine.settings, places))
        return self._pool

    def _recording_of(self, message: Message) -> str:
        number = getattr(message, "task", None)
        return self._by_task[number].recording_id if number in self._by_task else ""

    def _handle(self, message: Message) -> Iterator[DetectionOutcome]:
        if isinstance(message, Fatal):
            raise BadcError(message.subject, message.problem, message.remedy)
        if isinstance(message, ChunkDone):
            self._by_task[message.task].done.add(message.chunk_id)
            self._count(message)
        elif isinstance(message, TaskDone):
            recording = self._by_task[message.task]
            recording.waited_s += message.waited_s
            yield from self._task_ended(recording, message.task)
        elif isinstance(message, Died):
            yield from self._replace(message)

    def _count(self, message: ChunkDone) -> None:
        if not message.error:
            self._succeeded += 1
        elif message.is_detectors_fault:
            self._failed += 1
            self._last_error = message.error

    def _task_ended(self, recording: OpenRecording, number: int) -> Iterator[DetectionOutcome]:
        recording.tasks.discard(number)
        del self._by_task[number]
        if not recording.tasks:
            yield self._finish(recording)

    def _replace(self, died: Died) -> Iterator[DetectionOutcome]:
        """A worker was lost. What it had in hand has failed once; the rest goes to another."""
        if died.was_loading:
            name = self._engine.detector.info.name
            raise BadcError(f"detector {name}", f"cannot be loaded: {died.reason}", "the log may say more")
        self._failed += CRASHES_COUNT_AS
        self._last_error = died.reason
        in_hand = dict.fromkeys(died.working_on)
        for task in died.tasks:
            recording = self._by_task[task.number]
            left = [p for p in task.todo if task.chunks[p].chunk_id not in recording.done]
            blamed = [p for p in left if (task.number, task.chunks[p].chunk_id) in in_hand]
            if not in_hand:
                blamed = left[:1]  # it died while it read sound
            for position in blamed:
                chunk_id = task.chunks[position].chunk_id
                recording.attempts[chunk_id] = recording.attempts.get(chunk_id, 0) + 1
            left = self._without_hopeless(recording, task, left, died.reason)
            if left:
                self._waiting.appendleft(self._again(recording, task, left))
            yield from self._task_ended(recording, task.number)

    def _again(self, recording: OpenRecording, task: Task, left: list[int]) -> Task:
        rest = replace(
            task, number=next(self._numbers), todo=tuple(left), attempts=dict(recording.attempts), is_careful=True
        )
        return self._registered(recording, rest)

    def _without_hopeless(self, recording: OpenRecording, task: Task, left: list[int], reason: str) -> list[int]:
        """The chunks to try again; those that took down their worker too often are recorded as failed."""
        most = self._engine.settings.max_retries
        hopeless = [p for p in left if recording.attempts.get(task.chunks[p].chunk_id, 0) > most]
        if hopeless and sees_whole_recordings(self._engine.detector.info):
            hopeless = left
        if hopeless:
            with JournalWriter(task.journal) as journal:
                journal.append(ChunkRecord(task.chunks[p].chunk_id, error=reason, attempts=most + 1) for p in hopeless)
            recording.done.update(task.chunks[p].chunk_id for p in hopeless)
        return [position for position in left if position not in hopeless]

    def _finish(self, recording: OpenRecording) -> DetectionOutcome:
        recording_id = recording.recording_id
        try:
            stored = self._close_with().close(recording)
            return DetectionOutcome(recording_id, stored)
        except PlaceTaken as error:
            return DetectionOutcome(recording_id, None, refused=str(error))
        finally:
            del self._open[recording_id]
            self._locks.pop(recording_id).close()

    def _close_with(self) -> Closing:
        if self._closing is None:
            engine = self._engine
            trace = Trace(engine.detector.info, engine.run_id)
            self._closing = Closing(engine.layout, engine.rules, trace, engine.clock, engine.log.gpu_use)
        return self._closing

    def _given_up(self, rest: list[str]) -> Iterator[DetectionOutcome]:
        """The detector fails on everything: say so for every recording that is left, and stop."""
        reason = f"not analysed: the detector failed on everything it was given; the last error was: {self._last_error}"
        self._engine.say(f"Giving up: {reason}")
        for recording in list(self._open.values()):
            yield DetectionOutcome(recording.recording_id, None, refused=reason)
        for recording_id in rest:
            yield DetectionOutcome(recording_id, None, refused=reason)
