"""Dagster's history in SQLite files: for one machine, on a disk of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from badc_assets.files import exclusive


@dataclass(frozen=True)
class SqliteStorage:
    """Files in `folder`, relative to the current one."""

    folder: Path

    @property
    def description(self) -> str:
        """What it is and where."""
        return f"SQLite in {self.folder}"

    def reach(self) -> None:
        """Files need not be reached: the folder is made when it is set up."""

    def locked(self) -> AbstractContextManager[object]:
        """A file lock, which holds for the processes of this machine."""
        return exclusive(self.folder / ".migrate.lock")

    def is_set_up(self) -> bool:
        """Whether there is the mark."""
        return self._mark.exists()

    def mark_set_up(self) -> None:
        """Make the mark."""
        self._mark.touch()

    @property
    def _mark(self) -> Path:
        return self.folder / ".migrated"
