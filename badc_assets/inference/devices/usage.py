"""How busy the GPUs of a run are: a thread that looks at them once a second, and what it adds up to."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from badc_assets.inference.devices.gpus import GpuGateway, GpuSample

MAX_POINTS = 240
"""Points of a plot. A longer run has points that stand for more time."""


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """A stretch of a run: its end in seconds since the run began, mean utilisation (%) and power (W), most memory (MiB)."""

    at_s: float
    utilisation: float | None
    memory_mb: int | None
    power_w: float | None


@dataclass(frozen=True)
class GpuUsage:
    """One card over a run. What it never told is None.

    `seconds` lie between the first sample and the last. `energy_wh` is by the card's own meter where it has one, else mean
    power times time. It is all that the card used, whoever used it.
    """

    seconds: float = 0.0
    mean_utilisation: float | None = None
    peak_memory_mb: int | None = None
    mean_power_w: float | None = None
    energy_wh: float | None = None
    samples: int = 0
    series: tuple[UsagePoint, ...] = ()


class UsageSampler:
    """Samples the cards `uuids` every `interval_s` seconds while its `with` block runs, and once at either end.

    A card that stops answering, or a driver that goes away, costs samples and nothing else. Memory does not grow with the
    length of the run.
    """

    def __init__(self, gateway: GpuGateway, uuids: Sequence[str], interval_s: float = 1.0) -> None:
        self._gateway = gateway
        self._tallies = {uuid: _Tally() for uuid in uuids}
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu-usage", daemon=True)
        self._cpu_s = 0.0

    def __enter__(self) -> Self:
        if self._tallies:
            self.sample_now()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._tallies:
            self._thread.join()
            self.sample_now()

    def usage(self) -> dict[str, GpuUsage]:
        """UUID -> usage until now, of every card asked for."""
        with self._lock:
            return {uuid: tally.usage() for uuid, tally in self._tallies.items()}

    def latest(self, uuid: str) -> GpuSample | None:
        """The newest sample of a card, None before the first."""
        with self._lock:
            tally = self._tallies.get(uuid)
            return tally.latest if tally else None

    @property
    def overhead_s(self) -> float:
        """CPU seconds that the sampling itself has cost."""
        return self._cpu_s

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self.sample_now()

    def sample_now(self) -> None:
        """Take a sample, beside those of the thread."""
        started = time.thread_time()
        samples = self._gateway.sample(list(self._tallies))
        with self._lock:
            for sample in samples:
                self._tallies[sample.uuid].add(sample)
        self._cpu_s += time.thread_time() - started


class _Mean:
    """A running mean of the values that are there."""

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total += value
            self.count += 1

    def merge(self, other: _Mean) -> None:
        self.total += other.total
        self.count += other.count

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


class _Stretch:
    """The samples that become one point."""

    __slots__ = ("at", "memory_mb", "power", "utilisation")

    def __init__(self) -> None:
        self.at = 0.0
        self.utilisation = _Mean()
        self.power = _Mean()
        self.memory_mb: int | None = None

    def add(self, sample: GpuSample) -> None:
        self.at = sample.at
        self.utilisation.add(sample.utilisation)
        self.power.add(sample.power_w)
        self.memory_mb = _larger(self.memory_mb, sample.memory_used_mb)

    def merge(self, later: _Stretch) -> _Stretch:
        self.at = later.at
        self.utilisation.merge(later.utilisation)
        self.power.merge(later.power)
        self.memory_mb = _larger(self.memory_mb, later.memory_mb)
        return self

    def point(self, start: float) -> UsagePoint:
        return UsagePoint(self.at - start, self.utilisation.value, self.memory_mb, self.power.value)


class _Tally:
    """Everything about one card. When there are too many points, each two neighbours become one."""

    def __init__(self) -> None:
        self.first: GpuSample | None = None
        self.latest: GpuSample | None = None
        self._metered_j: float | None = None
        self._whole = _Stretch()
        self._stretches: list[_Stretch] = []
        self._in_last = 0
        self._per_stretch = 1
        self._count = 0

    def add(self, sample: GpuSample) -> None:
        if self.first is None:
            self.first = sample
        elif self.latest and sample.energy_j is not None and self.latest.energy_j is not None:
            # A meter that goes backwards was reset: a new driver, or the card was.
            used = max(0.0, sample.energy_j - self.latest.energy_j)
            self._metered_j = (self._metered_j or 0.0) + used
        self.latest = sample
        self._count += 1
        self._whole.add(sample)
        if not self._stretches or self._in_last == self._per_stretch:
            if len(self._stretches) == MAX_POINTS:
                pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
                self._stretches = [earlier.merge(later) for earlier, later in pairs]
                self._per_stretch *= 2
            self._stretches.append(_Stretch())
            self._in_last = 0
        self._stretches[-1].add(sample)
        self._in_last += 1

    def usage(self) -> GpuUsage:
        if self.first is None or self.latest is None:
            return GpuUsage()
        start = self.first.at
        seconds = self.latest.at - start
        power_w = self._whole.power.value
        joules = self._metered_j if self._metered_j is not None else None if power_w is None else power_w * seconds
        return GpuUsage(
            seconds,
            self._whole.utilisation.value,
            self._whole.memory_mb,
            power_w,
            None if joules is None else joules / 3600,
            self._count,
            tuple(stretch.point(start) for stretch in self._stretches),
        )


def _larger(first: int | None, second: int | None) -> int | None:
    return max((value for value in (first, second) if value is not None), default=None)
