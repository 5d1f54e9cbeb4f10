"""A folder to work in, and settings of nobody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SETTINGS = {
    "BADC_CHUNKING__LENGTH_S": "2",
    "BADC_INFERENCE__DEVICE": "cpu",
    "BADC_INFERENCE__RETRY_DELAY_S": "0",
    "COLUMNS": "250",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the dataset of the project will be. Its folder is the working folder; chunks of two seconds."""
    for name in [name for name in os.environ if name.startswith(("BADC_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    places = {
        "BADC_DATASET": str(folder),
        "BADC_DATA_CONFIG": str(tmp_path / "data.toml"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in {**SETTINGS, **places}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return folder
