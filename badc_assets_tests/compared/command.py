"""`badc` as a user types it, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from badc_assets.cli.main import main


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it printed."""

    status: int
    text: str
    json_text: str = ""

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.json_text)

    def line(self, *words: str) -> str:
        """The one line that has all these words. A traceback is no answer."""
        assert "Traceback" not in self.text, self.text
        found = [line for line in self.text.splitlines() if all(word in line for word in words)]
        assert len(found) == 1, self.text
        return found[0]

    def is_refusal(self, *words: str) -> bool:
        """Whether all it said is one line of error with these words, and its exit status says so."""
        return self.status == 1 and self.line("error:", *words) == self.text.strip()


def badc(*arguments: object) -> Said:
    """Run a command here; anything but an answer is an exception of the test."""
    output, messages = io.StringIO(), io.StringIO()
    words = ["badc", *(str(argument) for argument in arguments)]
    status = 0
    with redirect_stdout(output), redirect_stderr(messages), patch.object(sys, "argv", words):
        try:
            main()
        except SystemExit as end:
            assert isinstance(end.code, int), end.code
            status = end.code
    return Said(status, messages.getvalue() + output.getvalue(), output.getvalue())


def start(*arguments: object, program: str = "") -> subprocess.Popen[str]:
    """Start a command in a process of its own; with `program` that Python text runs instead, and has to call `main`."""
    begin = ["-c", program] if program else ["-m", "badc_assets.cli"]
    return subprocess.Popen(
        [sys.executable, *begin, *(str(argument) for argument in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    )


def ended(process: subprocess.Popen[str]) -> Said:
    """Wait for a command that was started."""
    text, _ = process.communicate(timeout=120)
    return Said(process.returncode, text)


def kill_when(process: subprocess.Popen[str], is_time: Callable[[], bool]) -> None:
    """`kill -9` at that moment."""
    deadline = time.monotonic() + 60
    while not is_time():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.01)
    process.kill()
    process.communicate()


def badc_on_path(folder: Path) -> None:
    """A program `badc` in `folder`, for scripts that call it by name."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "badc"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m badc_assets.cli "$@"\n')
    program.chmod(0o755)
