"""The engine's side of its worker processes: start them, give them tasks, notice when one hangs or dies."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType

from badc_assets.detectors.protocol import Detector
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.work import Died, Fatal, Message, Ready, Setup, Stop, Task, TaskDone, Working

logger = logging.getLogger(__name__)

# sys.path is handed over, so that a detector's class is found wherever the engine found it.
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from badc_assets.inference.worker import main
main(int(sys.argv[1]))
"""

PATIENCE_S = 5.0
"""How long a worker has to end by itself."""


@dataclass
class Worker:
    """One worker process and what it has in hand."""

    place: LeasedDevice
    process: subprocess.Popen[bytes]
    connection: Connection
    tasks: dict[int, Task] = field(default_factory=dict)
    working_on: list[tuple[int, str]] = field(default_factory=list)
    heard_at: float = field(default_factory=time.monotonic)
    is_loaded: bool = False
    is_stopped: bool = False

    @property
    def name(self) -> str:
        return self.place.worker


class WorkerPool:
    """A worker process for each place, started when there is a task for it; use it in a `with` statement."""

    def __init__(self, detector: Detector, settings: InferenceSettings, places: Sequence[LeasedDevice]) -> None:
        self._detector = detector
        self._settings = settings
        self._idle_places = list(places)
        self._running: list[Worker] = []
        self._tasks_each = 2 if detector.info.kind == "window" else 1

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._running:
            worker.is_stopped = True
            with suppress(OSError):
                if kind is None:
                    worker.connection.send(Stop())
                else:
                    worker.connection.close()
        deadline = time.monotonic() + (PATIENCE_S if kind is None else 0.5)
        for worker in self._running:
            self._end(worker, max(deadline - time.monotonic(), 0))
        self._running = []

    @property
    def has_room(self) -> bool:
        """Whether a task given now would be begun soon."""
        return bool(self._idle_places) or any(self._room(worker) > 0 for worker in self._running)

    @property
    def is_busy(self) -> bool:
        return any(worker.tasks for worker in self._running)

    def give(self, task: Task) -> None:
        """Hand a task to the worker with the least to do; starts one where none is free."""
        free = [worker for worker in self._running if not worker.tasks]
        if not free and self._idle_places:
            free = [self._start(self._idle_places.pop(0))]
        worker = free[0] if free else min(self._running, key=lambda one: len(one.tasks))
        if not worker.tasks:
            worker.heard_at = time.monotonic()
        worker.tasks[task.number] = task
        with suppress(OSError):  # it died: noticed when its socket is read
            worker.connection.send(task)

    def messages(self, at_most_s: float) -> Iterator[tuple[Worker, Message]]:
        """What the workers say, until nothing more is there; waits `at_most_s` for the first. Dead and hung ones are `Died`."""
        by_connection = {worker.connection: worker for worker in self._running}
        for connection in wait(list(by_connection), timeout=at_most_s):
            worker = by_connection[connection]  # pyright: ignore[reportArgumentType]
            yield from self._heard(worker)
        for worker in list(self._running):
            if self._is_hung(worker):
                yield worker, self._bury(worker, f"it made no progress for {self._limit_s(worker):g} s and was ended")

    def _heard(self, worker: Worker) -> Iterator[tuple[Worker, Message]]:
        try:
            while worker.connection.poll():
                message: Message = worker.connection.recv()
                worker.heard_at = time.monotonic()
                self._note(worker, message)
                yield worker, message
        except (EOFError, OSError):
            yield worker, self._bury(worker, "")

    def _note(self, worker: Worker, message: Message) -> None:
        if isinstance(message, Ready):
            worker.is_loaded = True
        elif isinstance(message, TaskDone):
            del worker.tasks[message.task]
            worker.working_on = [one for one in worker.working_on if one[0] != message.task]
        elif isinstance(message, Working):
            worker.working_on = [(message.task, chunk_id) for chunk_id in message.chunk_ids]
        elif isinstance(message, Fatal):
            worker.is_stopped = True

    def _is_hung(self, worker: Worker) -> bool:
        waits_for_it = bool(worker.tasks) or not worker.is_loaded
        return waits_for_it and time.monotonic() - worker.heard_at > self._limit_s(worker)

    def _limit_s(self, worker: Worker) -> float:
        if not worker.is_loaded:
            return self._settings.load_timeout_s
        is_whole = self._detector.info.kind == "file" and self._detector.info.unit == "recording"
        return self._settings.chunk_timeout_s * (max(len(worker.working_on), 1) if is_whole else 1)

    def _room(self, worker: Worker) -> int:
        return self._tasks_each - len(worker.tasks)

    def _start(self, place: LeasedDevice) -> Worker:
        ours, theirs = socket.socketpair()
        descriptors = [theirs.fileno()] + ([place.lease.fileno()] if place.lease else [])
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(sys.path)],
                env={**os.environ, **place.environment},
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=descriptors,
                start_new_session=True,
            )
        worker = Worker(place, process, Connection(ours.detach()))
        self._running.append(worker)
        with suppress(OSError):
            worker.connection.send(Setup(self._detector, place.device, place.worker, self._settings))
        return worker

    def _bury(self, worker: Worker, reason: str) -> Died:
        """A worker is lost: take what it had, and make its place free for another."""
        worker.connection.close()
        self._end(worker, 0.5 if not reason else 0)
        self._running.remove(worker)
        self._idle_places.insert(0, worker.place)
        return Died(
            reason=reason or _how_it_ended(worker.process),
            working_on=tuple(worker.working_on),
            tasks=tuple(worker.tasks.values()),
            was_loading=not worker.is_loaded,
        )

    def _end(self, worker: Worker, patience_s: float) -> None:
        try:
            worker.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()
        with suppress(ProcessLookupError, PermissionError):
            # Whatever a detector started does not outlive it.
            os.killpg(worker.process.pid, signal.SIGKILL)
        if not worker.connection.closed:
            worker.connection.close()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    if status is not None and status < 0:
        hint = " (perhaps the machine was out of memory)" if -status == signal.SIGKILL else ""
        return f"its worker process was killed by {signal.Signals(-status).name}{hint}"
    return f"its worker process ended with exit status {status}"
