"""How much memory processes take while they work, as Linux tells it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
INTERVAL_S = 0.1


class MemoryWatch:
    """The most memory (MiB) that a group of processes took together while the `with` block ran; None where nothing tells."""

    def __init__(self) -> None:
        self.group: int | None = None
        self.peak_mb: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._look()

    def _look(self) -> None:
        if self.group is not None and (taken := group_memory_mb(self.group)):
            self.peak_mb = max(self.peak_mb or 0.0, taken)


def group_memory_mb(group: int) -> float:
    """What the processes of a group take now; 0 when there are none."""
    pages_mb = 0.0
    for process in PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name of the program, in parentheses, may hold blanks.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                pages_mb += int(fields[21]) / 256
    return pages_mb


def available_mb() -> float | None:
    """What new work may take without swapping; None where nothing tells."""
    with suppress(OSError, ValueError, IndexError):
        for line in (PROC / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    return None
