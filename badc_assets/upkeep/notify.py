"""Tell people that a run failed: in a log that they can read, by a web request, by a command."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from badc_assets.errors import BadcError, printable

PATIENCE_S = 20
"""How long a web request or a command may take: others wait to be told too."""


@dataclass(frozen=True)
class FailedStep:
    """What a step said when it failed, and what a person can do about it."""

    name: str
    why: str
    what_to_do: str


@dataclass(frozen=True)
class FailedRun:
    """A run that failed. `at` is ISO 8601 in UTC, `range` the recordings it was about, in words; empty for the whole dataset."""

    run_id: str
    job: str
    at: str
    range: str
    steps: tuple[FailedStep, ...]

    def as_text(self) -> str:
        """A paragraph to read."""
        about = f", {self.range}" if self.range else ""
        lines = [f"{self.at} {self.job} failed (run {self.run_id}{about})"]
        for step in self.steps:
            lines += [f"    {step.name}: {printable(step.why)}", f"        what to do: {printable(step.what_to_do)}"]
        return "\n".join(lines) + "\n"


def tell(failure: FailedRun, log: Path, webhook: str = "", command: str = "") -> list[str]:
    """Append the failure to the log, post it, and hand it to the command; what is empty is left out.

    Returns what went wrong in telling, which stands in the log too. Raises BadcError when the log cannot be written.
    """
    problems = []
    if webhook and (problem := _post(webhook, failure)):
        problems.append(f"the web request was not taken: {problem}")
    if command and (problem := _hand_over(command, failure.as_text())):
        problems.append(f"the command did not take it: {problem}")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(failure.as_text() + "".join(f"    {printable(problem)}\n" for problem in problems))
    except OSError as error:
        raise BadcError(log, f"cannot be written ({error.strerror or error})", "free space") from error
    return problems


def _post(address: str, failure: FailedRun) -> str:
    """Why it was not accepted; empty when it was. `text` is for chat programs that show only that."""
    body = json.dumps({"text": failure.as_text(), **asdict(failure)}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
            return ""
    except (urllib.error.URLError, OSError, ValueError) as error:
        return str(error)


def _hand_over(command: str, text: str) -> str:
    """Why the command failed; empty when it did not."""
    try:
        done = subprocess.run(
            shlex.split(command), input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or f"exit status {done.returncode}") if done.returncode else ""
