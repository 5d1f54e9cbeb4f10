"""Run a program to its end: no shell, bounded memory, and nothing of it left behind, whatever happens to it or to us."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from badc_assets.detectors.command.guard import ADDED_PREFIX
from badc_assets.errors import BadcError, printable

TAIL_CHARACTERS = 500
"""How much of the end of a program's messages is shown, as in BADC."""
MAX_STDOUT_BYTES = 8 << 20
"""A result on standard output may be this long."""

_GUARD = Path(__file__).with_name("guard.py")
_BLOCK_BYTES = 1 << 16
_LAST_BLOCKS = 64
"""What a pipe may still hold after its writers died is at most this many blocks."""


class ProgramFailed(Exception):
    """A program ended badly, or not in time. It may do better when tried again, which a BadcError would not."""

    def __init__(self, program: str, problem: str, said: str = "") -> None:
        super().__init__(printable(f"{program}: {problem}" + (f"; it said: {said}" if said else "")))


@dataclass(frozen=True)
class Ended:
    """What a program left. A negative `exit_status` is the signal that killed it.

    `stdout` is the beginning of its output, up to MAX_STDOUT_BYTES, and all of it when `stdout_is_whole`. `said` is the end of
    its messages on one line: of stderr if it wrote there, else of stdout.
    """

    exit_status: int
    stdout: bytes
    stdout_is_whole: bool
    said: str


def run_program(command: Sequence[str], added: Mapping[str, str], timeout_s: float | None = None) -> Ended:
    """Run `command` and wait for it; the first word is a path. `added` is added to its environment, its input is empty.

    When it ends, whatever it started in its process group is killed too, and so is all of it when this process dies.
    Raises BadcError when it cannot be started, ProgramFailed after `timeout_s` or when it was killed with its guard.
    """
    stdout, stderr, report = _Kept(MAX_STDOUT_BYTES), _Kept(), _Kept(_BLOCK_BYTES)
    report_fd, guards_end = os.pipe()
    try:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), str(guards_end), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[guards_end],
            process_group=0,
            # Marked, so that a library path meant for the program does not befall the guard.
            env={**os.environ, **{ADDED_PREFIX + name: value for name, value in added.items()}},
            bufsize=0,
        )
    except BaseException:
        os.close(report_fd)
        raise
    finally:
        os.close(guards_end)
    with guard, os.fdopen(report_fd, "rb", buffering=0), selectors.DefaultSelector() as selector:
        assert guard.stdout is not None
        assert guard.stderr is not None
        for source, kept in ((guard.stdout.fileno(), stdout), (guard.stderr.fileno(), stderr), (report_fd, report)):
            selector.register(source, selectors.EVENT_READ, kept)
        try:
            is_in_time = _read_until_end(selector, report_fd, timeout_s)
        finally:
            # Before the guard is waited for: until then no other process can get its number.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(guard.pid, signal.SIGKILL)
        _read_rest(selector)
    said = stderr.tail() or stdout.tail()
    if not is_in_time:
        raise ProgramFailed(command[0], f"was ended because it ran longer than timeout_s = {timeout_s:g} s", said)
    return Ended(_exit_status(command[0], report, said), bytes(stdout.head), stdout.is_whole, said)


def _exit_status(program: str, report: _Kept, said: str) -> int:
    kind, _, number = report.head.decode().partition(" ")
    if kind == "errno":
        raise BadcError(program, f"cannot be started ({os.strerror(int(number))})", "a script needs a `#!` line")
    if kind != "exit":
        raise ProgramFailed(program, "was killed from outside, together with its guard", said)
    return int(number)


@dataclass
class _Kept:
    """The first `limit` bytes and the last few of a stream of any length."""

    limit: int = 0
    head: bytearray = field(default_factory=bytearray)
    end: bytes = b""
    total: int = 0

    def add(self, block: bytes) -> None:
        self.head += block[: self.limit - len(self.head)]
        # A character has up to four bytes.
        self.end = (self.end + block)[-4 * TAIL_CHARACTERS :]
        self.total += len(block)

    @property
    def is_whole(self) -> bool:
        return self.total == len(self.head)

    def tail(self) -> str:
        """The last TAIL_CHARACTERS, lines joined by ` | `."""
        text = self.end.decode("utf-8", "replace").rstrip()[-TAIL_CHARACTERS:]
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())


def _read_until_end(selector: selectors.BaseSelector, report_fd: int, timeout_s: float | None) -> bool:
    """Take what comes until the guard has ended: a program may leave others behind that keep its pipes open."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while report_fd in selector.get_map():
        left_s = None if deadline is None else deadline - time.monotonic()
        if left_s is not None and left_s <= 0:
            return False
        _read_ready(selector, left_s)
    return True


def _read_rest(selector: selectors.BaseSelector) -> None:
    for _ in range(_LAST_BLOCKS):
        if not selector.get_map() or not _read_ready(selector, 0):
            return


def _read_ready(selector: selectors.BaseSelector, wait_s: float | None) -> bool:
    ready = selector.select(wait_s)
    for key, _ in ready:
        block = os.read(key.fd, _BLOCK_BYTES)
        key.data.add(block)
        if not block:
            selector.unregister(key.fd)
    return bool(ready)
