"""git, git-annex and datalad as programs. Everything that is asked of them goes through here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from badc_assets.errors import BadcError

LONG_S = 24 * 3600.0
"""For what moves content."""


@dataclass(frozen=True)
class Answer:
    """What a program said. `output` is as it came, `errors` its standard error in words."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output, without a last newline; undecodable bytes of file names are kept."""
        return os.fsdecode(self.output).rstrip("\n")

    @property
    def last_words(self) -> str:
        """The line that says what went wrong: the last that calls itself an error, else the last."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        named = [line for line in lines if re.search(r"\b(fatal|error)\b", line, re.IGNORECASE)]
        return [f"exit status {self.status}", *lines, *named][-1].removeprefix("fatal: ")


def has_program(name: str) -> bool:
    """Whether a program can be started by its name."""
    return shutil.which(name, path=_environment()["PATH"]) is not None


def try_git(repository: Path, *arguments: str, stdin: bytes = b"", timeout_s: float = 600) -> Answer:
    """Run `git ARGUMENTS` in a repository, whoever owns it; what it says is returned, failure too.

    Raises BadcError when git is not installed or takes longer than `timeout_s`.
    """
    return try_program(_in_repository(repository, arguments), cwd=repository, stdin=stdin, timeout_s=timeout_s)


def git(repository: Path, *arguments: str, stdin: bytes = b"", timeout_s: float = 600) -> Answer:
    """Like `try_git`, and raises BadcError when git reports failure."""
    answer = try_git(repository, *arguments, stdin=stdin, timeout_s=timeout_s)
    if answer.status:
        verb = next(word for word in arguments if not word.startswith("-"))
        raise BadcError(repository, f"git {verb} failed: {answer.last_words}", "mend what git complains of")
    return answer


def try_program(
    command: Sequence[str], *, cwd: Path | None = None, stdin: bytes = b"", timeout_s: float = 600
) -> Answer:
    """Run a program to its end. Raises BadcError when it is not installed or takes longer than `timeout_s`."""
    _require(command[0])
    try:
        done = subprocess.run(
            command, cwd=cwd, env=_environment(), input=stdin, capture_output=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise BadcError(" ".join(command[:4]), f"did not end in {timeout_s:.0f} s", "try it by hand") from error
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def git_lines(repository: Path, *arguments: str, stdin: bytes) -> Iterator[bytes]:
    """The output of `git ARGUMENTS` line by line while it runs. The program is ended when the caller stops early.

    Raises BadcError when it failed without a line of output; otherwise the lines tell what failed.
    """
    _require("git")
    # Files, since pipes would have to be filled and emptied while the output is read.
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(
            _in_repository(repository, arguments),
            cwd=repository,
            env=_environment(),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        is_silent = True
        try:
            with process.stdout:
                for line in process.stdout:
                    is_silent = is_silent and not line.strip()
                    yield line
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
        errors.seek(0)
        answer = Answer(process.returncode, b"", errors.read().decode("utf-8", "replace"))
        if answer.status and is_silent:
            raise BadcError(repository, f"git {arguments[0]} failed: {answer.last_words}", "mend what git complains of")


def _in_repository(repository: Path, arguments: Sequence[str]) -> list[str]:
    return ["git", "-c", f"safe.directory={repository.resolve()}", *arguments]


def _require(program: str) -> None:
    if not has_program(program):
        raise BadcError(program, "is not installed", f"install {program}")


def _environment() -> dict[str, str]:
    """English messages, no questions, and the folder of this interpreter first: git-annex is installed there.

    EMAIL is what git signs with where nobody is configured; without anybody git-annex cannot note where content is.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    quiet = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "DATALAD_UI_PROGRESSBAR": "none"}
    return {"EMAIL": "badc@localhost", **os.environ, **quiet, "PATH": path}
