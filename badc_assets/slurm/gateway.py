"""SLURM's commands, behind a few typed functions. Accounting (slurmdbd) is used where there is some and not needed."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from badc_assets.errors import BadcError, printable
from badc_assets.slurm.states import TaskId, TaskState, state_name

DEFAULT_MAX_ARRAY_SIZE = 1001
_FINAL = re.compile(
    r"invalid|not available|cannot be satisfied|can not be satisfied|not permitted|unrecognized option|more processors"
    r"|unable to open|no such file|access denied|permission denied|user.*not found|exceeds? .*limit for partition",
    re.IGNORECASE,
)
_FOR_NOW = re.compile(
    r"invalid authentication|inactive or drain|timed out|unable to contact|temporarily|max.*submit|limit.*submit",
    re.IGNORECASE,
)


class SlurmSilent(Exception):
    """SLURM gave no answer: its controller is busy, restarts, or cannot be reached just now."""


class SubmitRefused(Exception):
    """`sbatch` did not take a script. `is_final`: asking again would not help."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True)
class Partition:
    """A partition as `sinfo` shows it."""

    name: str
    is_up: bool
    nodes: int
    gres: str
    time_limit: str


class SlurmGateway(Protocol):
    """What we ask SLURM for."""

    def submit(self, script: Path) -> str:
        """Hand in a batch script; the number of the job. Raises SubmitRefused, or SlurmSilent when it may have been taken."""
        ...

    def find(self, name: str) -> str | None:
        """The newest job of ours with this name. Raises SlurmSilent."""
        ...

    def tasks(self, jobs: Sequence[str]) -> dict[TaskId, TaskState]:
        """The tasks of these array jobs that SLURM still knows, ended ones included. Raises SlurmSilent."""
        ...

    def detail(self, task: TaskId) -> TaskState | None:
        """All that is known of one task; None when nothing is. Raises SlurmSilent."""
        ...

    def cancel(self, names: Sequence[str]) -> None:
        """Cancel our jobs with these names; those that have ended are no trouble. Raises SlurmSilent."""
        ...

    def max_array_size(self) -> int:
        """MaxArraySize: the largest number of a task is one below it."""
        ...

    def partitions(self) -> list[Partition]:
        """Raises SlurmSilent."""
        ...


@dataclass(frozen=True)
class SlurmCommands:
    """The real SLURM of this machine."""

    timeout_s: float = 60.0

    def submit(self, script: Path) -> str:
        done = self._run(["sbatch", "--parsable", str(script)])
        if done.returncode == 0:
            return done.stdout.strip().partition(";")[0]
        message = _last_line(done.stderr)
        if "timed out" in message.lower():
            raise SlurmSilent(message)
        raise SubmitRefused(message, is_final=is_final_refusal(done.stderr))

    def find(self, name: str) -> str | None:
        text = self._queue(["--user", getpass.getuser(), "--name", name], "%F")
        return max(text.split(), key=int, default=None)

    def tasks(self, jobs: Sequence[str]) -> dict[TaskId, TaskState]:
        if not jobs:
            return {}
        return parse_queue(self._queue(["--jobs", ",".join(jobs)], "%F|%K|%T|%r"))

    def detail(self, task: TaskId) -> TaskState | None:
        done = self._run(["scontrol", "--oneliner", "show", "job", str(task)])
        if done.returncode == 0:
            return parse_job(done.stdout)
        if not _is_unknown_job(done.stderr):
            raise SlurmSilent(_last_line(done.stderr))
        fields = "--format=State,ExitCode,NodeList"
        done = self._run(["sacct", "--allocations", "--noheader", "--parsable2", fields, "--jobs", str(task)])
        return parse_accounting(done.stdout) if done.returncode == 0 else None

    def cancel(self, names: Sequence[str]) -> None:
        for name in names:
            done = self._run(["scancel", "--user", getpass.getuser(), "--name", name])
            if done.returncode and not _is_unknown_job(done.stderr):
                raise SlurmSilent(_last_line(done.stderr))

    def max_array_size(self) -> int:
        done = self._run(["scontrol", "show", "config"])
        match = re.search(r"^MaxArraySize\s*=\s*(\d+)", done.stdout, re.MULTILINE)
        return int(match[1]) if match else DEFAULT_MAX_ARRAY_SIZE

    def partitions(self) -> list[Partition]:
        done = self._run(["sinfo", "--noheader", "--format=%R|%a|%D|%G|%l"])
        if done.returncode:
            raise SlurmSilent(_last_line(done.stderr))
        return [Partition(name, state == "up", int(nodes), "" if gres == "(null)" else gres, limit)
                for name, state, nodes, gres, limit in _rows(done.stdout, 5)]  # fmt: skip

    def _queue(self, which: Sequence[str], columns: str) -> str:
        done = self._run(["squeue", "--array", "--noheader", "--states=all", f"--format={columns}", *which])
        if done.returncode == 0:
            return done.stdout
        if _is_unknown_job(done.stderr):
            return ""
        raise SlurmSilent(_last_line(done.stderr))

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not _changes_output(name)}
        try:
            return subprocess.run(
                command,
                env={**environment, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SlurmSilent(f"{command[0]} gave no answer for {self.timeout_s:g} s") from error
        except OSError as error:
            remedy = "run this where SLURM's commands are, or leave out `profile` in [slurm]"
            raise BadcError(command[0], f"cannot be started ({error.strerror or error})", remedy) from error


def is_final_refusal(text: str) -> bool:
    """Whether what `sbatch` said is about the script or the account, and not about this moment."""
    return bool(_FINAL.search(text)) and not _FOR_NOW.search(text)


def parse_queue(text: str) -> dict[TaskId, TaskState]:
    """Lines of `job|index|state|reason`. Lines that are not about a task of an array are left out."""
    return {
        TaskId(job, int(index)): TaskState(state_name(state), "" if reason == "None" else reason)
        for job, index, state, reason in _rows(text, 4)
        if index.isdecimal()
    }


def parse_job(text: str) -> TaskState | None:
    """The state in a line of `scontrol --oneliner show job`; None when there is none in it."""
    fields = dict(re.findall(r"(\w+)=(\S*)", text))
    if "JobState" not in fields:
        return None
    code, signal = _exit(fields.get("ExitCode", ""))
    reason, node = fields.get("Reason", "None"), fields.get("NodeList", "")
    restarts = fields.get("Restarts", "")
    return TaskState(
        state_name(fields["JobState"]),
        "" if reason == "None" else reason,
        code,
        signal,
        "" if node == "(null)" else node,
        int(restarts) if restarts.isdecimal() else 0,
    )


def parse_accounting(text: str) -> TaskState | None:
    """The state in a line of `state|exit code|node` of sacct; None when there is none."""
    for state, ended, node in _rows(text, 3):
        code, signal = _exit(ended)
        return TaskState(state_name(state), state.partition(" ")[2], code, signal, node)
    return None


def _rows(text: str, columns: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|", columns - 1)]
        if len(fields) == columns:
            yield fields


def _exit(text: str) -> tuple[int, int]:
    code, _, signal = text.partition(":")
    return int(code) if code.isdecimal() else 0, int(signal) if signal.isdecimal() else 0


def _last_line(text: str) -> str:
    return printable((text.strip().splitlines() or ["no reason was given"])[-1])


def _is_unknown_job(text: str) -> bool:
    return "invalid job id" in text.lower()


def _changes_output(name: str) -> bool:
    """Variables that would add options to what is asked, or say that we are a task ourselves."""
    return name.startswith(("SQUEUE_", "SINFO_", "SACCT_", "SLURM_ARRAY", "SLURM_JOB"))
