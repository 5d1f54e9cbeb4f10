"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and reference files, kept beside the project (or at BADC_TEST_DATA); never copied into it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BADC_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set BADC_TEST_DATA to use a copy elsewhere")
    return folder
