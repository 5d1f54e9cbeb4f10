"""The NVIDIA cards of this machine, as NVML sees them: which there are, how busy they are, and why NVML refuses."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

MIB = 1024 * 1024

Value = TypeVar("Value")


@dataclass(frozen=True)
class Gpu:
    """One card, or one MIG slice of a card. `index` is NVML's (that of nvidia-smi), `memory_mb` in MiB, 0 where unknown.

    `slices` are the MIG slices of a card that is divided; their `index` is the card's.
    """

    index: int
    uuid: str
    name: str
    memory_mb: int
    slices: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class FoundGpus:
    """Cards in NVML's order, which is that of the PCI bus, and what is wrong with the others, in plain words."""

    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class GpuSample:
    """One look at a card. What the card does not tell is None: MIG slices have no utilisation, old cards no energy.

    `utilisation` is in percent, memory in MiB, `power_w` in watts, `energy_j` in joules since the driver was loaded,
    `at` in seconds since 1970.
    """

    uuid: str
    at: float
    utilisation: int | None = None
    memory_used_mb: int | None = None
    memory_total_mb: int | None = None
    power_w: float | None = None
    energy_j: float | None = None


class GpuGateway(Protocol):
    """What the rest of the program asks of NVML. Neither method raises."""

    def find(self) -> FoundGpus: ...

    def sample(self, uuids: Sequence[str]) -> list[GpuSample]:
        """A sample of each card that answers; the others are left out."""
        ...


class NvmlGateway:
    """NVML itself, set up at the first question and shut down at the end of the `with` block. Safe to use from threads.

    `library` is for tests; it has the functions of `pynvml`. A process that is forked needs a gateway of its own.
    """

    def __init__(self, library: Any = None, clock: Callable[[], float] = time.time) -> None:
        self._library = library
        self._clock = clock
        self._is_open = False
        self._handles: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Shut NVML down. The gateway may be used again."""
        if self._is_open:
            self._is_open = False
            self._handles.clear()
            self._ask("nvmlShutdown")

    def find(self) -> FoundGpus:
        """All cards that this process may use; MIG slices are listed under their card."""
        problem = self._open()
        if problem:
            return FoundGpus((), problem)
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            return FoundGpus((), _in_words(error.value, str(error)))
        gpus: list[Gpu] = []
        problems: list[str] = []
        for index in range(count):
            try:
                gpus.append(self._card(index))
            except self._nvml.NVMLError as error:
                problems.append(f"GPU {index}: {_in_words(error.value, str(error))}")
        if not count:
            problems.append("the NVIDIA driver finds no GPU")
        return FoundGpus(tuple(gpus), "; ".join(problems))

    def sample(self, uuids: Sequence[str]) -> list[GpuSample]:
        if self._open():
            return []
        return [sample for uuid in uuids if (sample := self._sample(uuid))]

    @property
    def _nvml(self) -> Any:
        if self._library is None:
            with warnings.catch_warnings():
                # The package says at import that its successor is called nvidia-ml-py. It installs that itself.
                warnings.simplefilter("ignore", FutureWarning)
                import pynvml
            self._library = pynvml
        return self._library

    def _open(self) -> str:
        """Set NVML up. Returns what is wrong, or nothing."""
        if not self._is_open:
            try:
                self._nvml.nvmlInit()
            except self._nvml.NVMLError as error:
                return _in_words(error.value, str(error))
            self._is_open = True
        return ""

    def _card(self, index: int) -> Gpu:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        card = self._describe(handle, index)
        slots = self._ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
        found = (self._ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot) for slot in range(slots))
        slices = tuple(self._describe(part, index) for part in found if part is not None)
        return Gpu(index, card.uuid, card.name, card.memory_mb, slices)

    def _describe(self, handle: Any, index: int) -> Gpu:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        name = self._ask("nvmlDeviceGetName", handle) or "GPU"
        return Gpu(index, self._nvml.nvmlDeviceGetUUID(handle), name, memory.total // MIB if memory else 0)

    def _sample(self, uuid: str) -> GpuSample | None:
        if uuid not in self._handles:
            handle = self._ask("nvmlDeviceGetHandleByUUID", uuid)
            if handle is None:
                return None
            self._handles[uuid] = handle
        handle = self._handles[uuid]
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        milliwatts = self._ask("nvmlDeviceGetPowerUsage", handle)
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption", handle)
        if memory is None and rates is None and milliwatts is None:
            # A card that fell off the bus: its handle is worth nothing any more.
            del self._handles[uuid]
            return None
        return GpuSample(
            uuid,
            self._clock(),
            utilisation=rates.gpu if rates else None,
            memory_used_mb=memory.used // MIB if memory else None,
            memory_total_mb=memory.total // MIB if memory else None,
            power_w=milliwatts / 1000 if milliwatts is not None else None,
            energy_j=millijoules / 1000 if millijoules is not None else None,
        )

    def _ask(self, function: str, *arguments: Any) -> Any:
        """The answer of an NVML function, None when the card or the driver does not give one."""
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._nvml.NVMLError:
            return None


REASONS = {
    4: "this user may not use it (no permission for /dev/nvidia*)",
    9: "the NVIDIA driver is installed but not loaded",
    12: "there is no NVIDIA driver (libnvidia-ml.so.1 is missing)",
    13: "the NVIDIA driver is too old for this version of pynvml",
    15: "the GPU is lost: it fell off the bus or overheated; restart the machine",
    16: "the GPU must be reset or the machine restarted",
    18: "the NVIDIA driver was updated while the old one is still loaded (version mismatch); restart the machine",
}
"""NVML's error numbers that users meet, in plain words."""


def _in_words(number: int, text: str) -> str:
    return REASONS.get(number) or f"NVML says: {text}"
