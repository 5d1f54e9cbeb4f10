"""Reading event logs: whole, at their end, or what was added since the last look. Nothing in a log is trusted."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from badc_assets.errors import BadcError

BLOCK = 1 << 20
MAX_LINE = 1 << 20
"""A longer line is no event; it is dropped without being kept in memory."""
PROOF = 64
"""This many bytes before the place where reading stopped must be the same at the next look."""
FARTHEST_TAIL = 64 * BLOCK


class TelemetryEvent(NamedTuple):
    """One line of a log of ours or of BADC. What is absent or of a wrong kind is empty, None or an empty mapping.

    A tuple, since a log may have millions of them, and these are made fastest.
    """

    chunk_id: str
    status: str
    gpu_index: int | None
    gpu_name: str
    timestamp: str
    runtime_s: float | None
    details: dict[str, Any]

    @property
    def worker(self) -> str:
        """`gpu-0`, `cpu-0`; BADC's events name only the GPU."""
        named = self.details.get("worker")
        if isinstance(named, str) and named:
            return named
        return "cpu" if self.gpu_index is None else f"gpu-{self.gpu_index}"

    @property
    def attempt(self) -> int:
        """Counted from 1; 1 where the event does not say."""
        value = self.details.get("attempt")
        return value if type(value) is int and value > 0 else 1

    @property
    def is_last_attempt(self) -> bool:
        """Of a failure: no other attempt follows."""
        return not number(self.details.get("backoff_s"))

    def metric(self, name: str) -> float | None:
        """A figure of the GPU, the one after the chunk where there are two."""
        metrics = self.details.get("gpu_metrics")
        for moment in ("after", "before"):
            figures = metrics.get(moment) if isinstance(metrics, dict) else None
            value = number(figures.get(name)) if isinstance(figures, dict) else None
            if value is not None:
                return value
        return None


def parse_event(line: bytes) -> TelemetryEvent | None:
    """The event on a line, None where there is none. Never raises."""
    try:
        values: Any = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("status"), str):
        return None
    details = values.get("details")
    index = values.get("gpu_index")
    return TelemetryEvent(
        chunk_id=_text(values.get("chunk_id")),
        status=values["status"],
        gpu_index=index if type(index) is int and 0 <= index < 2**31 else None,
        gpu_name=_text(values.get("gpu_name")),
        timestamp=_text(values.get("timestamp")),
        runtime_s=number(values.get("runtime_s")),
        details=details if isinstance(details, dict) else {},
    )


def number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and value.bit_length() > 64:
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class LogFollower:
    """Reads what was added to a log since the last time, in blocks: memory does not grow with the log.

    A line counts once its end is there. A log that was cut short, replaced or written anew is read from the start, and
    `restarts` goes up by one: what was counted before must be forgotten.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarts = 0
        self._begin()

    def _begin(self) -> None:
        self._offset = 0
        self._inode: int | None = None
        self._proof = b""
        self._partial = b""
        self._is_skipping = False

    def lines(self) -> Iterator[bytes]:
        """The lines that are new, without their ends. To be read to the end. Raises BadcError when the file is unreadable."""
        try:
            with self.path.open("rb") as log:
                self._start_over_if_changed(log.fileno())
                log.seek(self._offset)
                while block := log.read(BLOCK):
                    self._offset += len(block)
                    self._proof = (self._proof + block[-PROOF:])[-PROOF:]
                    yield from self._complete_lines(block)
        except FileNotFoundError:
            return  # it is being replaced, or will come
        except OSError as error:
            raise unreadable(self.path, error) from error

    def events(self) -> Iterator[TelemetryEvent | None]:
        """The events that are new; None for a line that is none. Empty lines do not count."""
        return (parse_event(line) for line in self.lines() if line)

    def _start_over_if_changed(self, descriptor: int) -> None:
        state = os.fstat(descriptor)
        start = self._offset - len(self._proof)
        is_same = state.st_ino == self._inode and os.pread(descriptor, len(self._proof), start) == self._proof
        if self._inode is not None and not is_same:
            self._begin()
            self.restarts += 1
        self._inode = state.st_ino

    def _complete_lines(self, block: bytes) -> Iterator[bytes]:
        first, *rest = block.split(b"\n")
        if not rest:
            self._keep(first)
            return
        if not self._is_skipping:
            yield self._partial + first
        self._partial, self._is_skipping = b"", False
        yield from rest[:-1]
        self._keep(rest[-1])

    def _keep(self, piece: bytes) -> None:
        """Remember the start of a line, unless it is too long to be an event."""
        if len(self._partial) + len(piece) > MAX_LINE:
            self._is_skipping = True
        self._partial = b"" if self._is_skipping else self._partial + piece


def last_events(path: Path, count: int) -> list[TelemetryEvent]:
    """The last events about chunks, oldest first; GPU samples are left out. Reads the end of the log only.

    Raises BadcError when the log cannot be read.
    """
    reach = BLOCK
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            while True:
                start = max(0, size - reach)
                log.seek(start)
                lines = log.read(size - start).split(b"\n")[1 if start else 0 :]
                parsed = (parse_event(line) for line in lines)
                events = [event for event in parsed if event and event.status != "sample"][-count:]
                if len(events) >= count or start == 0 or reach >= FARTHEST_TAIL:
                    return events
                reach *= 4
    except OSError as error:
        raise unreadable(path, error) from error


def count_lines(path: Path) -> int:
    """How many lines a log has. Raises BadcError when it cannot be read."""
    try:
        with path.open("rb") as log:
            return sum(block.count(b"\n") for block in iter(lambda: log.read(BLOCK), b""))
    except OSError as error:
        raise unreadable(path, error) from error


def newest_log(folder: Path) -> Path:
    """The log that was written to last. Raises BadcError where there is none."""
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.jsonl") if path.is_file()}
    if not times:
        raise BadcError(folder, "there is no log of a run yet", "start a run, or name a log with --log")
    return max(times, key=lambda path: (times[path], path.name))


def unreadable(path: Path, error: OSError) -> BadcError:
    return BadcError(path, f"cannot be read ({error.strerror or error})", "name another log with --log")
