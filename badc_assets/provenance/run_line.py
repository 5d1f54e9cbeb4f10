"""The command line with which `datalad run` records a command of ours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def datalad_run_line(
    root: Path, message: str, inputs: Sequence[str], outputs: Sequence[str], command: Sequence[str]
) -> str:
    """A line for a shell, to be given from any folder. Paths of `inputs`, `outputs` and `command` are relative to `root`."""
    words = ["datalad", "run", "-d", str(root), "-m", message]
    words += [word for path in inputs for word in ("--input", path)]
    words += [word for path in outputs for word in ("--output", path)]
    # datalad fills in what stands in braces.
    filled = [word.replace("{", "{{").replace("}", "}}") for word in command]
    return shlex.join([*words, "--", *filled])
