"""Run a program that starts others, and let none of them outlive it.

`dagster dev` that is told to stop during a run ends and leaves its code server behind, which waits for that run: for hours.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 20.0
"""How long what is left behind has to end by itself: a run then records that it was stopped."""
_POLL_S = 0.1


def run_supervised(command: Sequence[str], environment: Mapping[str, str], patience_s: float = PATIENCE_S) -> int:
    """Run the program until it ends; its exit status. Ctrl-C and SIGTERM are passed on to it, once each.

    What it leaves behind is asked to end (SIGTERM), and killed after `patience_s`. Linux only: elsewhere just the program is run.
    """
    _become_reaper()
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    # Signals that are handled here start as default in the child, also where a shell without a terminal had them ignored: Dagster
    # could not be stopped then. In a group of its own it gets the terminal's ctrl-C once, through this process.
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        process = subprocess.Popen(command, env=dict(environment), process_group=0)
        for number in early:
            process.send_signal(number)
        status = process.wait()
        end_descendants(patience_s)
        return status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_descendants(patience_s: float) -> None:
    """Return when this process has no children and children's children left."""
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + wait_s
        while descendants(os.getpid()) and time.monotonic() < deadline:
            _bury()
            time.sleep(_POLL_S)
    _bury()


def descendants(pid: int) -> list[int]:
    """Living processes below this one, by their numbers. Empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _become_reaper() -> None:
    """Processes whose parent dies become children of this one, so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _bury() -> None:
    """Take note of children that ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
