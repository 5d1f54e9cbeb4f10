"""The command line with which `datalad run` records a command of ours."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Sequence
from pathlib import Path


def datalad_run_line(
    root: Path, message: str, inputs: Sequence[str], outputs: Sequence[str], command: Sequence[str]
) -> str:
    """A line for a shell, to be given from any folder. Paths of `inputs`, `outputs` and `command` are relative to `root`."""
    words = ["datalad", "run", "-d", str(root), "-m", message]
    words += [word for path in inputs for word in ("--input", _filled(glob.escape(path)))]
    words += [word for path in outputs for word in ("--output", _filled(glob.escape(path)))]
    return shlex.join([*words, "--", *map(_filled, command)])


def _filled(text: str) -> str:
    """DataLad fills in what stands in braces, and takes brackets and stars of a path for patterns."""
    return text.replace("{", "{{").replace("}", "}}")
