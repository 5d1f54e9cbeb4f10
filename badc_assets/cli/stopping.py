"""What ctrl-C and SIGTERM do to a command that has others at work for it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.console import Console

PATIENCE_S = 10
"""How long a command has to end before it is asked again, and then before it is killed."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


@contextmanager
def stoppable(console: Console) -> Iterator[None]:
    """End the program with one line and the usual exit status when ctrl-C or SIGTERM arrives in the block."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        console.print("Stopped. What was finished is kept; run it again to go on.")
        raise typer.Exit(128 + number) from stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """The process does not outlive an interrupted block: left alone it would work on, unseen, and hold its slots.

    Its output is read to the end meanwhile, or it could hang while it says what stopped it.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        # Ctrl-C in a terminal has reached the process too; SIGTERM has not.
        if isinstance(stop, Terminated):
            process.terminate()
        for ask_again in (process.terminate, process.kill):
            try:
                process.communicate(timeout=PATIENCE_S)
                break
            except subprocess.TimeoutExpired:
                ask_again()
        raise
