"""Who may use which GPU: one lock file for each card, in a folder that all users of this machine share.

The lock is the kernel's (flock) and belongs to the open file, not to a process. It lasts until every process that has the
file open is dead or has closed it: a run hands it to its worker, and the card is free when both are gone, however they
went. What stands in the file is for people to read; only the lock counts. Lock files stay: removing one would let two
holders in.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from badc_assets.errors import printable
from badc_assets.inference.devices.gpus import Gpu
from badc_assets.inference.devices.lease_files import LeaseFiles

FOLDER = "badc-gpu-leases"
MAX_HOLDER_BYTES = 8192


def lease_folder() -> Path:
    """The folder of the lock files: below /run/lock, or the temporary folder where that is closed to ordinary users.

    /run/lock comes first since TMPDIR often differs from user to user, and since old files in a temporary folder are
    tidied away, with their locks.
    """
    shared = Path("/run/lock")
    is_open_to_all = shared.is_dir() and shared.stat().st_mode & 0o1777 == 0o1777
    return (shared if is_open_to_all else Path(tempfile.gettempdir())) / FOLDER


@dataclass(frozen=True)
class Holder:
    """Who holds a card, for display. `since` is ISO 8601 in UTC. Empty and 0 where the file does not say."""

    pid: int = 0
    host: str = ""
    user: str = ""
    run_id: str = ""
    since: str = ""
    command: str = ""

    def __str__(self) -> str:
        run = f" (run {self.run_id})" if self.run_id else ""
        return printable(f"{self.user or 'somebody'}, process {self.pid or '?'}{run}, since {self.since or 'unknown'}")


def this_process(run_id: str = "") -> Holder:
    """The present process as a holder."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # containers often run under a number that has no name
        user = str(os.getuid())
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(os.getpid(), socket.gethostname(), user, run_id, since, shlex.join(sys.argv)[:500])


class Lease:
    """The right to use one card, until `release`, the end of the `with` block, or the death of all who have its file.

    Hand `fileno()` to the worker process (`subprocess.Popen(pass_fds=...)`).
    """

    def __init__(self, gpu: Gpu, descriptor: int) -> None:
        self.gpu = gpu
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def fileno(self) -> int:
        """The open lock file. Raises ValueError after `release`."""
        if self._descriptor < 0:
            raise ValueError("this lease was given back")
        return self._descriptor

    def release(self) -> None:
        """Give up this process's part. Closes and does not unlock: unlocking would take the lock from the worker too."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def lease_gpus(gpus: Sequence[Gpu], at_most: int | None, folder: Path, holder: Holder) -> list[Lease]:
    """Leases of the first cards that are free, without waiting. Raises BadcError where the folder cannot be used."""
    leases: list[Lease] = []
    with LeaseFiles.opened(folder, make=True) as files, ExitStack() as on_failure:
        for gpu in gpus:
            if at_most is not None and len(leases) >= at_most:
                break
            descriptor = files.locked(gpu.uuid)
            if descriptor is not None:
                leases.append(on_failure.enter_context(Lease(gpu, descriptor)))
                _write_holder(descriptor, holder)
        on_failure.pop_all()
    return leases


def lease_holders(gpus: Iterable[Gpu], folder: Path) -> dict[str, Holder]:
    """UUID -> holder of those cards that are leased at this moment. Needs no right to write."""
    holders: dict[str, Holder] = {}
    if not folder.is_dir():
        return holders
    with LeaseFiles.opened(folder, make=False) as files:
        for gpu in gpus:
            with files.held(gpu.uuid) as descriptor:
                if descriptor is not None:
                    holders[gpu.uuid] = _read_holder(descriptor)
    return holders


def free_gpus(gpus: Sequence[Gpu], folder: Path) -> tuple[Gpu, ...]:
    """The cards that nobody leases at this moment."""
    holders = lease_holders(gpus, folder)
    return tuple(gpu for gpu in gpus if gpu.uuid not in holders)


def _write_holder(descriptor: int, holder: Holder) -> None:
    text = json.dumps(asdict(holder)).encode() + b"\n"
    with suppress(OSError):  # a full disk must not cost the lease
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text[:MAX_HOLDER_BYTES], 0)


def _read_holder(descriptor: int) -> Holder:
    """What the file says, which anybody may have written."""
    try:
        values: Any = json.loads(os.pread(descriptor, MAX_HOLDER_BYTES, 0).decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return Holder()
    if not isinstance(values, dict):
        return Holder()
    texts = {name: str(values.get(name, ""))[:500] for name in ("host", "user", "run_id", "since", "command")}
    pid = values.get("pid")
    return Holder(pid=pid if isinstance(pid, int) and 0 < pid < 2**31 else 0, **texts)
