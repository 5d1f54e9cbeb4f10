"""A SLURM of one node with two made-up GPUs, on the loopback interface, in a folder that goes away.

It needs neither root nor munge. Two partitions: tasks in `low` make room for those in `high`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
MAX_ARRAY_SIZE = 5
GPUS = 2
START_S = 40.0

# No cgroups (a container has no tree of its own), no accounting, no authentication beyond this folder.
_CONF = """
ClusterName=badc-tests
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
MaxArraySize={max_array_size}
MaxJobCount=1000
KillWait=2
NodeName=localhost NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=low Nodes=localhost Default=YES MaxTime=INFINITE State=UP PriorityTier=1 OverTimeLimit=0
PartitionName=high Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=9
"""


def why_not() -> str:
    """Why there can be no SLURM here; empty when there can."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    return f"SLURM is not installed ({', '.join(missing)}); scripts/install_system.sh does it" if missing else ""


@dataclass
class RealSlurm:
    """The commands find it by SLURM_CONF."""

    folder: Path
    controller: subprocess.Popen[bytes]
    node: subprocess.Popen[bytes]

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    def run(self, *command: str) -> str:
        """What one of SLURM's commands prints. Raises where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.conf), "PATH": _path()}

    def live_tasks(self) -> list[str]:
        """`job_index state` of tasks that wait or run. Those that are being cleared away are over."""
        listed = self.run("squeue", "--array", "--noheader", "--format=%F_%K %T").splitlines()
        return [line for line in listed if not line.endswith("COMPLETING")]

    def cancel_all(self) -> None:
        self.run("scancel", "--user", getpass.getuser())
        until(lambda: not self.live_tasks(), "the end of all tasks", self.folder)

    def stop_controller(self) -> None:
        _end(self.controller)

    def start_controller(self) -> None:
        self.controller = _started("slurmctld", self.folder, "-D", "-f", str(self.conf))
        until(lambda: _answers(self), "slurmctld", self.folder)


@contextmanager
def real_slurm(folder: Path) -> Iterator[RealSlurm]:
    """Running, and ready for jobs. Raises AssertionError with the end of its logs where it does not start."""
    for name in ("state", "spool", "dev"):
        (folder / name).mkdir(parents=True)
    controller_port, node_port = _free_ports(2)
    (folder / "slurm.conf").write_text(
        _CONF.format(
            user=getpass.getuser(), folder=folder, controller_port=controller_port, node_port=node_port,
            max_array_size=MAX_ARRAY_SIZE, gpus=GPUS,
        )
    )  # fmt: skip
    for number in range(GPUS):
        # It must be a device; the digit at the end becomes CUDA_VISIBLE_DEVICES.
        (folder / "dev" / f"gpu{number}").symlink_to("/dev/null")
    (folder / "gres.conf").write_text(f"NodeName=localhost Name=gpu File={folder}/dev/gpu[0-{GPUS - 1}]\n")
    controller = _started("slurmctld", folder, "-D", "-f", str(folder / "slurm.conf"))
    node = _started("slurmd", folder, "-D", "-f", str(folder / "slurm.conf"), "-N", "localhost")
    slurm = RealSlurm(folder, controller, node)
    try:
        until(lambda: _answers(slurm) and slurm.run("sinfo", "--noheader", "--format=%T").startswith("idle"),
              "SLURM", folder)  # fmt: skip
        yield slurm
    finally:
        subprocess.run(
            ["scancel", "--user", getpass.getuser()], env=slurm.environment, check=False, capture_output=True
        )
        for daemon in (slurm.node, slurm.controller):
            _end(daemon)


def until(is_so: Callable[[], object], what: str, logs: Path | None = None, at_most_s: float = START_S) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + at_most_s
    while not is_so():
        if time.monotonic() > deadline:
            texts = [path.read_text(errors="replace")[-2000:] for path in sorted(logs.glob("*.log"))] if logs else []
            raise AssertionError("\n".join([f"waited for {what} in vain", *texts]))
        time.sleep(0.1)


def _answers(slurm: RealSlurm) -> bool:
    asked = subprocess.run(["scontrol", "ping"], env=slurm.environment, capture_output=True, text=True, check=False)
    return " is UP" in asked.stdout


def _started(program: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    where = shutil.which(program, path=_path())
    assert where is not None
    with (folder / f"{program}.out.log").open("ab") as out:
        return subprocess.Popen([where, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
