"""Leases of GPUs whose run is dead, and that somebody still holds open."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from badc_assets.inference.devices.gpus import Gpu
from badc_assets.inference.devices.lease_files import lock_name
from badc_assets.inference.devices.leases import Holder, lease_holders
from badc_assets.processes import is_alive

PROCESSES = Path("/proc")


@dataclass(frozen=True)
class OrphanedLease:
    """A card that is taken, the run that took it, which is dead, and the processes (ids) that keep it; empty where unknown."""

    gpu: Gpu
    holder: Holder
    kept_by: tuple[int, ...]


def orphaned_leases(gpus: Iterable[Gpu], folder: Path) -> list[OrphanedLease]:
    """Leases whose holder was a process of this host that is gone. The lock of the kernel lasts as long as a child keeps it."""
    cards = {gpu.uuid: gpu for gpu in gpus}
    found = []
    for uuid, holder in lease_holders(cards.values(), folder).items():
        if holder.pid and holder.host == socket.gethostname() and not is_alive(holder.pid):
            kept_by = tuple(_processes_with(folder / lock_name(uuid)))
            found.append(OrphanedLease(cards[uuid], holder, kept_by))
    return found


def _processes_with(file: Path) -> Iterator[int]:
    """Ids of the processes that have this file open, as far as we may look."""
    if not PROCESSES.is_dir():
        return
    for process in sorted(PROCESSES.iterdir()):
        if not process.name.isdecimal():
            continue
        with suppress(OSError):
            links = (link.readlink() for link in (process / "fd").iterdir())
            if int(process.name) != os.getpid() and file in links:
                yield int(process.name)
