"""Dagster instances with the storage of the project, made quickly: setting up a database takes seconds, copying one does not."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg


@contextmanager
def new_instance(home: Path | None = None, **settings: Any) -> Iterator[dg.DagsterInstance]:
    """An instance in `home`, the one that is there already if there is one; without `home` it goes away. `settings` are those of
    dagster.yaml."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = home or Path(temporary)
        if not (folder / "storage").exists():
            set_up(folder / "storage")
        with _opened(folder, settings) as instance:
            yield instance


def set_up(storage: Path) -> None:
    """The folder becomes the storage of an instance that has done nothing."""
    shutil.copytree(_empty() / "storage", storage, dirs_exist_ok=True)


@lru_cache
def _empty() -> Path:
    """An instance that is set up and has done nothing; once for each process of the tests."""
    home = Path(tempfile.mkdtemp(prefix="badc-instance-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with _opened(home, {}):
        pass
    return home


@contextmanager
def _opened(home: Path, settings: dict[str, Any]) -> Iterator[dg.DagsterInstance]:
    storage = {
        "module": "badc_assets.defs.sqlite_storage",
        "class": "KeptSqliteStorage",
        "config": {"base_dir": str(home / "storage")},
    }
    overrides = {"storage": {"custom": storage}, **settings}
    with dg.instance_for_test(overrides=overrides, temp_dir=str(home)) as instance:
        yield instance
