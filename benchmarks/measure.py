"""Run a piece of work in its own process and say what it cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Median CPU and wall seconds, largest memory in MB, of `runs` processes; `said` is what the last of them printed."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    runs: int
    said: str = ""


def cost_of(task: str, *arguments: str, runs: int = 3, module: str = "benchmarks.tasks") -> Cost:
    """The cost of `python -m MODULE TASK ARGUMENTS`, by the kernel's accounting of the process and its children."""
    samples = [_run([sys.executable, "-m", module, task, *arguments]) for _ in range(runs)]
    cpu, wall, peak, said = zip(*samples, strict=True)
    return Cost(statistics.median(cpu), statistics.median(wall), max(peak), runs, said[-1])


def cost_of_command(command: list[str]) -> Cost:
    """The cost of running a command once."""
    cpu, wall, peak, said = _run(command)
    return Cost(cpu, wall, peak, 1, said)


def _run(command: list[str]) -> tuple[float, float, float, str]:
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE)
        assert process.stderr is not None
        problem = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        said = output.read().decode(errors="replace")
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{problem.decode()}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024, said
