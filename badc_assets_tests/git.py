"""git, git-annex and DataLad for tests: an identity that needs no configuration, and the programs of this environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def git_environment(home: Path) -> dict[str, str]:
    """The environment of a user without any git configuration whose name is known."""
    identity = {f"GIT_{who}_{what}": "test@test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = os.pathsep.join([os.fspath(BIN), os.environ["PATH"]])
    return {**os.environ, **identity, "PATH": path, "HOME": os.fspath(home), "DATALAD_LOG_LEVEL": "error"}


def require_programs(*names: str) -> None:
    """Skip the test where one of these is not installed."""
    for name in names:
        if shutil.which(name) is None and not (BIN / name).exists():
            pytest.skip(f"{name} is not installed")


def run_in(folder: Path, *command: str, check: bool = True) -> str:
    """Run a command there; its output. A failure fails the test."""
    done = subprocess.run(
        command, cwd=folder, env=git_environment(folder.parent), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
