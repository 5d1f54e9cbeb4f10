"""Which workers a run gets: GPUs that nobody else uses, CPU workers, and the environment each of them is started in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from badc_assets.detectors.protocol import Device
from badc_assets.inference.devices.cores import usable_cores
from badc_assets.inference.devices.gpus import FoundGpus, Gpu
from badc_assets.inference.devices.leases import Holder, Lease, lease_gpus, lease_holders
from badc_assets.inference.devices.visible import ORDER, VARIABLE

POLL_S = 2.0
"""How often a run that waits for a GPU looks again."""


@dataclass(frozen=True)
class DeviceRequest:
    """What a run asks for. `max_gpus` None takes all that are free. `cpu_workers` come on top of GPUs.

    `cores` are shared out among all workers.
    """

    uses_gpu: bool
    max_gpus: int | None = None
    cpu_workers: int = 0
    cores: int = field(default_factory=usable_cores)


@dataclass(frozen=True)
class LeasedDevice:
    """One worker: where it runs, its name (`gpu-0`, `cpu-0`), and what to set in its environment before it starts.

    The worker process should inherit `lease.fileno()`, so that the card stays taken as long as the worker lives.
    """

    device: Device
    worker: str
    environment: Mapping[str, str]
    lease: Lease | None = None


@dataclass(frozen=True)
class Workers:
    """The workers of a run, and why there is no GPU among them, where one was wanted. Gives its leases back at the end of
    the `with` block."""

    devices: tuple[LeasedDevice, ...]
    note: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give all leases back."""
        for leased in self.devices:
            if leased.lease:
                leased.lease.release()


def acquire(
    request: DeviceRequest,
    visible: FoundGpus,
    folder: Path,
    holder: Holder,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Workers:
    """The workers for a run. `visible` are the cards it may use (`visible_gpus`), `folder` holds the leases.

    Without a GPU to use there are `cpu_workers`, but at least one. Where all GPUs are leased by others it goes on with its
    CPU workers; when it was given none, it waits, and `say` is told for whom. Raises BadcError where the folder of the
    leases cannot be used.
    """
    if not request.uses_gpu or (request.max_gpus is not None and request.max_gpus < 1):
        return _workers(request, [], "")
    if not visible.gpus:
        return _workers(request, [], f"no GPU is used: {visible.problem}" if visible.problem else "")
    told = ""
    while not (leases := lease_gpus(visible.gpus, request.max_gpus, folder, holder)):
        waited_for = _in_words(visible, folder)
        if request.cpu_workers:
            return _workers(request, [], f"all GPUs are in use, so it runs on the CPU: {waited_for}")
        if waited_for != told:
            say(f"Waiting for a GPU: {waited_for}")
            told = waited_for
        sleep(POLL_S)
    return _workers(request, leases, visible.problem)


def _in_words(visible: FoundGpus, folder: Path) -> str:
    holders = lease_holders(visible.gpus, folder)
    return "; ".join(f"{worker_name(gpu)} is held by {holders.get(gpu.uuid, Holder())}" for gpu in visible.gpus)


def _workers(request: DeviceRequest, leases: list[Lease], note: str) -> Workers:
    cpu_workers = request.cpu_workers if leases else max(request.cpu_workers, 1)
    threads = max(1, request.cores // (len(leases) + cpu_workers))
    on_gpus = [_gpu_worker(lease, threads) for lease in leases]
    on_cpu = [
        LeasedDevice(Device("cpu", threads), f"cpu-{number}", {VARIABLE: "", **_thread_settings(threads)})
        for number in range(cpu_workers)
    ]
    return Workers((*on_gpus, *on_cpu), note)


def _gpu_worker(lease: Lease, threads: int) -> LeasedDevice:
    gpu = lease.gpu
    device = Device("cuda", threads, gpu.index, gpu.uuid, gpu.name, gpu.memory_mb)
    environment = {VARIABLE: gpu.uuid, ORDER: "PCI_BUS_ID", **_thread_settings(threads)}
    return LeasedDevice(device, worker_name(gpu), environment, lease)


def worker_name(gpu: Gpu) -> str:
    """`gpu-<index>`; slices of one card are told apart by the end of their UUID."""
    is_slice = gpu.uuid.startswith("MIG-")
    return f"gpu-{gpu.index}" + (f"-{gpu.uuid[-8:].replace('/', '-')}" if is_slice else "")


def _thread_settings(threads: int) -> dict[str, str]:
    """Threads that wait must sleep: beside other work on the same cores, spinning costs three to four times the time."""
    return {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": str(threads)}
