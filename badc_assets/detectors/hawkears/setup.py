"""Make HawkEars' own Python environment, and the folder with its configuration and checkpoints."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from badc_assets.detectors.hawkears.files import LOW_BAND_MODELS, MAIN_MODELS, default_python, default_root, models_in
from badc_assets.detectors.hawkears.process import clean_environment
from badc_assets.errors import BadcError
from badc_assets.files import exclusive

VERSION = "2.3.0"
"""The version that badc_assets was tried with."""

_IMPORT = "import hawkears; print(hawkears.__version__)"
_INITIALIZE = """
import pathlib, sys
from hawkears.core.initializer import initialize
try:
    initialize(pathlib.Path(sys.argv[1]))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
_TAIL_LINES = 5


@dataclass(frozen=True)
class Ended:
    """How a program ended, and the last lines that it printed."""

    exit_status: int
    last_lines: tuple[str, ...]

    @property
    def said(self) -> str:
        return self.last_lines[-1] if self.last_lines else "nothing was printed"


class Programs(Protocol):
    """The gateway to pip and to HawkEars' interpreter."""

    def run(self, command: Sequence[str]) -> Ended:
        """Run a program to its end. Raises BadcError when it cannot be started."""
        ...


class RealPrograms:
    """Runs programs, and hands each line that they print to `show`."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def run(self, command: Sequence[str]) -> Ended:
        lines: deque[str] = deque(maxlen=_TAIL_LINES)
        environment = clean_environment(is_gpu=False, threads=os.cpu_count() or 1)
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, errors="replace"
            )
        except OSError as error:
            raise BadcError(command[0], f"cannot be started ({error.strerror or error})", "correct --python") from error
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip():
                    lines.append(line.rstrip())
                    self._show(line.rstrip())
        return Ended(process.returncode, tuple(lines))


def set_up(programs: Programs, python: Path, version: str = VERSION) -> Path:
    """Make the environment with `python`, install HawkEars in it and fill its root, as far as that is not done yet.

    Returns the root. An interrupted set-up is completed by running it again. Raises BadcError when a step fails; when only the
    checkpoints cannot be downloaded, it says where to put them.
    """
    if not re.fullmatch(r"2\.[0-9A-Za-z.]{1,20}", version):
        raise BadcError(f"version {version}", "is no version of HawkEars 2", f"leave --version out ({VERSION})")
    environment, root = default_python().parents[1], default_root()
    with exclusive(environment.with_name(".hawkears.lock")):
        own_python = environment / "bin/python"
        if not _is_installed(programs, own_python, version):
            _install(programs, python, environment, version)
            if not _is_installed(programs, own_python, version):
                problem = f"hawkears {version} was installed, but cannot be imported"
                raise BadcError(own_python, problem, "remove the environment and try again with another --python")
        _fill(programs, own_python, root)
    return root


def _is_installed(programs: Programs, own_python: Path, version: str) -> bool:
    if not own_python.is_file():
        return False
    ended = programs.run([str(own_python), "-I", "-c", _IMPORT])
    return ended.exit_status == 0 and ended.said == version


def _install(programs: Programs, python: Path, environment: Path, version: str) -> None:
    made = programs.run([str(python), "-m", "venv", str(environment)])
    if made.exit_status:
        raise BadcError(environment, f"could not be made ({made.said})", "choose another interpreter with --python")
    pip = [str(environment / "bin/python"), "-I", "-m", "pip", "--no-input", "--disable-pip-version-check"]
    installed = programs.run([*pip, "install", f"hawkears=={version}"])
    if installed.exit_status:
        problem = f"hawkears {version} could not be installed ({installed.said})"
        raise BadcError(environment, problem, "see pip's messages above; it needs 7 GB and Python 3.10 or later")


def _fill(programs: Programs, own_python: Path, root: Path) -> None:
    """Get configuration and checkpoints. Where there are checkpoints nothing is done: HawkEars would replace what lies there."""
    folder = root / MAIN_MODELS
    if any(path.suffix == ".ckpt" for path in models_in(folder)):
        return
    ended = programs.run([str(own_python), "-I", "-c", _INITIALIZE, str(root)])
    if ended.exit_status:
        problem = f"HawkEars is installed, but its checkpoints could not be downloaded ({ended.said})"
        remedy = f"put its *.ckpt files there, and those for drumming grouse into {root / LOW_BAND_MODELS}"
        raise BadcError(folder, problem, remedy)
