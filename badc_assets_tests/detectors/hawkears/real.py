"""The real HawkEars 2, where the environment variable BADC_HAWKEARS_PYTHON names an interpreter that has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

VARIABLE = "BADC_HAWKEARS_PYTHON"
needs_real_hawkears = pytest.mark.skipif(
    VARIABLE not in os.environ,
    reason=f"{VARIABLE} names no interpreter with HawkEars (`badc detectors setup hawkears`)",
)


def real_python() -> Path:
    return Path(os.environ[VARIABLE])


def make_real_root(folder: Path, sounds: Path) -> Path:
    """A root with the configuration that comes with the package, and the tiny checkpoint that lies beside the sounds."""
    installed = next(real_python().parent.parent.glob("lib/python3*/site-packages/hawkears/install/canada"))
    shutil.copytree(installed / "yaml", folder / "yaml")
    (folder / "data/ckpt").mkdir(parents=True)
    for name in ("exclude.txt", "taxonomy.csv"):
        shutil.copy(installed / "data" / name, folder / "data")
    shutil.copy(sounds / "tiny_hawkears.ckpt", folder / "data/ckpt")
    return folder
