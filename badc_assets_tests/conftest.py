"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from badc_assets_tests.postgres import Server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and reference files, kept beside the project (or at BADC_TEST_DATA); never copied into it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BADC_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set BADC_TEST_DATA to use a copy elsewhere")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of its own for this session of tests."""
    from badc_assets_tests.postgres import programs, running_server

    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's server is not installed; scripts/install_system.sh installs it on Debian")
    with running_server(folder) as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> str:
    """The address of an empty database."""
    return postgres.new_database()


LONGEST = (
    "test_month",
    "test_bad_input_processes",
    "test_clone_without_content",
    "test_commands",
    "test_kill",
    "test_saving_commands",
    "test_real_recordings",
    "test_doctor_commands",
    "test_postgres",
)
"""Modules whose tests take a minute each: begun first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)
