"""What the tasks of an array tell whoever waits for them: a file of lines for each task, appended as things happen.

Nodes need no database and no connection for it, only the file system that the results are on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from badc_assets.detections.store import ResultStatus
from badc_assets.files import detach
from badc_assets.inference.outcome import DetectionOutcome


@dataclass(frozen=True)
class Started:
    """The task has begun, perhaps not for the first time. `gpus` is its CUDA_VISIBLE_DEVICES."""

    host: str
    gpus: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class Stopped:
    """The task cannot go on, and no other could: the detector cannot be loaded, the disk is full. One line for the user."""

    subject: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Ended:
    """There is an outcome for each recording of the task."""


Event = Started | Stopped | Ended | DetectionOutcome


def append_event(path: Path, event: Event) -> None:
    """Add an event, in one piece, on a line of its own even where a torn one was left."""
    line = json.dumps({"event": type(event).__name__, **asdict(event)}, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    detach(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, f"\n{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class EventFile:
    """Reads what was added to a file of events since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def news(self) -> Iterator[Event]:
        """Only whole lines; what makes no sense is left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        whole, newline, _ = data.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.split(b"\n"):
            event = _from_line(line)
            if event is not None:
                yield event


def _from_line(line: bytes) -> Event | None:
    try:
        value: dict[str, Any] = json.loads(line)
        kind = value.pop("event")
        if kind == "DetectionOutcome":
            result = value.pop("result")
            return DetectionOutcome(result=None if result is None else ResultStatus(**result), **value)
        return {"Started": Started, "Stopped": Stopped, "Ended": Ended}[kind](**value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
