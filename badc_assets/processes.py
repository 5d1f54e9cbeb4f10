"""Whether a process runs on this machine, and which machine this is."""

from __future__ import annotations

import os
import platform
from dataclasses import astuple, dataclass
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether there is a process with this number, whoever owns it. Numbers are used again after a while."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class Machine:
    """Where a process runs: `identity` stays when the machine starts anew, `boot` does not, and `processes` tells containers
    apart, in which numbers of processes mean others. An empty part is not known."""

    name: str
    identity: str
    boot: str
    processes: str

    def __str__(self) -> str:
        return " ".join(part or "-" for part in astuple(self))

    @staticmethod
    def parse(text: str) -> Machine | None:
        """What `str` made; None when it is something else."""
        parts = ["" if part == "-" else part for part in text.split(" ")]
        return Machine(*parts) if len(parts) == 4 else None

    @staticmethod
    def here() -> Machine:
        """This one."""
        space = Path("/proc/self/ns/pid")
        return Machine(
            platform.node().replace(" ", "_"),
            _first_line(Path("/etc/machine-id")),
            _first_line(Path("/proc/sys/kernel/random/boot_id")),
            str(space.readlink()) if space.is_symlink() else "",
        )

    def shares_processes_with(self, other: Machine) -> bool:
        """Whether a number of a process means the same process on both."""
        is_known = bool(self.boot and self.processes)
        return is_known and (self.boot, self.processes) == (other.boot, other.processes)

    def was_restarted_as(self, other: Machine) -> bool:
        """Whether `other` is this machine after it started anew, so that nothing of before runs any more."""
        is_known = bool(self.identity and self.boot and other.boot)
        return is_known and (self.name, self.identity) == (other.name, other.identity) and self.boot != other.boot


def _first_line(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
