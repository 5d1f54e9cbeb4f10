"""What an event log says so far: one row for each worker, and the last events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from badc_assets.inference.telemetry.reader import LogFollower, TelemetryEvent

PALETTE = " .:-=+*#%@"
HISTORY = 24
"""Values that a small plot shows."""
MAX_WORKERS = 256
"""More names than this are no workers but a damaged log. The rest shares one row."""
OTHERS = "others"


def sparkline(values: Sequence[float], low: float | None = None, high: float | None = None) -> str:
    """One character for each two values (their mean), light for `low` (else the smallest), dark for `high` (else the
    largest). A single one at the start stands alone, so that the newest never moves."""
    if not values:
        return ""
    lone = len(values) % 2
    pairs = zip(values[lone::2], values[lone + 1 :: 2], strict=True)
    values = [*values[:lone], *((first + second) / 2 for first, second in pairs)]
    bottom = min(values) if low is None else low
    top = max(values) if high is None else high
    steps = len(PALETTE) - 1
    if top <= bottom:
        return PALETTE[steps // 2] * len(values)
    shares = (min(1.0, max(0.0, (value - bottom) / (top - bottom))) for value in values)
    return "".join(PALETTE[round(share * steps)] for share in shares)


@dataclass
class Spread:
    """Smallest, mean and largest of the values seen, and the latest of them."""

    count: int = 0
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def add(self, value: float | None) -> None:
        if value is None:
            return
        self.count += 1
        self.total += value
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        self.recent.append(value)

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None


@dataclass
class WorkerRow:
    """One worker. `failures` are chunks that failed for good, `failed_attempts` all failures, `retries` attempts after a first.

    `runtime` in seconds per chunk, `utilisation` in percent, `memory_mb` in MiB.
    """

    worker: str
    gpu_name: str = ""
    events: int = 0
    successes: int = 0
    failures: int = 0
    retries: int = 0
    failed_attempts: int = 0
    runtime: Spread = field(default_factory=Spread)
    utilisation: Spread = field(default_factory=Spread)
    memory_mb: Spread = field(default_factory=Spread)
    last: TelemetryEvent | None = None

    def add(self, event: TelemetryEvent) -> None:
        self.gpu_name = event.gpu_name or self.gpu_name
        if "gpu_metrics" in event.details:
            self.utilisation.add(event.metric("utilization"))
            self.memory_mb.add(event.metric("memory_used_mb"))
        if event.status == "sample":
            return
        self.events += 1
        self.last = event
        if event.status == "start":
            self.retries += event.attempt > 1
        elif event.status == "success":
            self.successes += 1
            self.runtime.add(event.runtime_s)
        elif event.status == "failure":
            self.failed_attempts += 1
            self.failures += event.is_last_attempt


class Monitor:
    """The state of a log, kept up to date by reading only what is new. Memory does not grow with the log."""

    def __init__(self, follower: LogFollower, tail: int) -> None:
        self._follower = follower
        self._tail_length = tail
        self._restarts = follower.restarts
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[str, WorkerRow] = {}
        self.tail: deque[TelemetryEvent] = deque(maxlen=self._tail_length)
        self.damaged_lines = 0

    def refresh(self) -> None:
        """Take in what was added since the last time. Raises BadcError when the log cannot be read."""
        for event in self._follower.events():
            self._forget_if_restarted()
            self._add(event)
        self._forget_if_restarted()

    def _forget_if_restarted(self) -> None:
        """The log is another one than that which was counted."""
        if self._follower.restarts != self._restarts:
            self._restarts = self._follower.restarts
            self._clear()

    def _add(self, event: TelemetryEvent | None) -> None:
        if event is None:
            self.damaged_lines += 1
            return
        row = self.rows.get(event.worker) or self._new_row(event.worker)
        row.add(event)
        if event.status != "sample":
            self.tail.append(event)

    def _new_row(self, name: str) -> WorkerRow:
        if len(self.rows) >= MAX_WORKERS:
            name = OTHERS
        return self.rows.setdefault(name, WorkerRow(name))


def sorted_rows(rows: Iterable[WorkerRow]) -> list[WorkerRow]:
    """By kind and number: gpu-2 before gpu-10."""

    def place(row: WorkerRow) -> tuple[str, int, str]:
        kind, _, number = row.worker.partition("-")
        return (kind, int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else -1, row.worker)

    return sorted(rows, key=place)
