"""Graphics cards for machines that have none: a gateway, and the functions of pynvml that the real gateway calls."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from badc_assets.inference.devices.gpus import MIB, FoundGpus, Gpu, GpuSample


def gpu(index: int, name: str = "Card", uuid: str = "", memory_mb: int = 8192) -> Gpu:
    return Gpu(index, uuid or f"GPU-{index:08x}-aaaa-bbbb-cccc-dddddddddddd", name, memory_mb)


@dataclass
class FakeGateway:
    """Cards that answer what they were told to, sample after sample; after the last one they repeat it."""

    found: FoundGpus = field(default_factory=FoundGpus)
    samples: dict[str, list[GpuSample]] = field(default_factory=dict)
    asked: int = 0

    def find(self) -> FoundGpus:
        return self.found

    def sample(self, uuids: Sequence[str]) -> list[GpuSample]:
        position = self.asked
        self.asked += 1
        lists = [self.samples[uuid] for uuid in uuids if self.samples.get(uuid)]
        return [samples[min(position, len(samples) - 1)] for samples in lists]


def nvml_errors() -> Any:
    """pynvml's exception class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pynvml import NVMLError
    return NVMLError


def nvml_error(number: int) -> Exception:
    return nvml_errors()(number)


class FakeNvml:
    """The functions of pynvml over cards in memory. `broken` maps a function's name to the error number it fails with."""

    def __init__(self, names: Sequence[str] = ("Card",), *, slices: int = 0) -> None:
        self.NVMLError = nvml_errors()
        self.names = list(names)
        self.slices = slices
        self.broken: dict[str, int] = {}
        self.lost: dict[int, int] = {}
        self.opened = 0
        self.energy_mj = 0

    def _check(self, function: str) -> None:
        if function in self.broken:
            raise nvml_error(self.broken[function])

    def __getattr__(self, function: str) -> Any:
        if not function.startswith("nvml"):
            raise AttributeError(function)

        def call(*arguments: Any) -> Any:
            self._check(function)
            return getattr(self, f"do_{function.removeprefix('nvml').lower()}")(*arguments)

        return call

    def do_init(self) -> None:
        self.opened += 1

    def do_shutdown(self) -> None:
        self.opened -= 1

    def do_devicegetcount(self) -> int:
        return len(self.names)

    def do_devicegethandlebyindex(self, index: int) -> tuple[int, int | None]:
        if index in self.lost:
            raise nvml_error(self.lost[index])
        return (index, None)

    def do_devicegethandlebyuuid(self, uuid: str) -> tuple[int, int | None]:
        for index in range(len(self.names)):
            for part in (None, *range(self.slices)):
                if self.do_devicegetuuid((index, part)) == uuid:
                    return self.do_devicegethandlebyindex(index) if part is None else (index, part)
        raise nvml_error(6)

    def do_devicegetuuid(self, handle: tuple[int, int | None]) -> str:
        index, part = handle
        return f"GPU-{index}" if part is None else f"MIG-{index}-{part}"

    def do_devicegetname(self, handle: tuple[int, int | None]) -> str:
        return self.names[handle[0]] + ("" if handle[1] is None else " MIG 1g.10gb")

    def do_devicegetmemoryinfo(self, handle: tuple[int, int | None]) -> SimpleNamespace:
        self._answer(handle)
        return SimpleNamespace(total=80_000 * MIB, used=500 * MIB)

    def do_devicegetutilizationrates(self, handle: tuple[int, int | None]) -> SimpleNamespace:
        self._answer(handle)
        if handle[1] is not None or self.slices:
            raise nvml_error(3)
        return SimpleNamespace(gpu=42, memory=7)

    def do_devicegetpowerusage(self, handle: tuple[int, int | None]) -> int:
        self._answer(handle)
        return 250_500

    def do_devicegettotalenergyconsumption(self, handle: tuple[int, int | None]) -> int:
        self._answer(handle)
        self.energy_mj += 1000
        return self.energy_mj

    def do_devicegetmaxmigdevicecount(self, handle: tuple[int, int | None]) -> int:
        if not self.slices:
            raise nvml_error(3)
        return self.slices + 1

    def do_devicegetmigdevicehandlebyindex(self, handle: tuple[int, int | None], slot: int) -> tuple[int, int | None]:
        if slot >= self.slices:
            raise nvml_error(6)
        return (handle[0], slot)

    def _answer(self, handle: tuple[int, int | None]) -> None:
        if handle[0] in self.lost:
            raise nvml_error(self.lost[handle[0]])
