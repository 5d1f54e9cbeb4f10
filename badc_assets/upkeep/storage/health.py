"""What the doctor says of the place in which Dagster's history is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from badc_assets.upkeep.examination import Ailment, Examination
from badc_assets.upkeep.storage.kinds import InstanceStorage
from badc_assets.upkeep.storage.network_files import MOUNTS, network_file_system
from badc_assets.upkeep.storage.sqlite import SqliteStorage


def storage_examination(storage: InstanceStorage, passed_over: str = "", mounts: Path = MOUNTS) -> Examination:
    """Can it be reached, and is it fit for that. `passed_over`: the home that was chosen, where another one is in use."""
    return Examination("storage", lambda: _ailments(storage, passed_over, mounts), note=storage.description)


def _ailments(storage: InstanceStorage, passed_over: str, mounts: Path) -> Iterator[Ailment]:
    if passed_over:
        yield Ailment(
            f"DAGSTER_HOME is set, so the storage that was chosen ({passed_over}) is not the one in use",
            f"unset DAGSTER_HOME, or export DAGSTER_HOME={passed_over}",
        )
    storage.reach()
    if isinstance(storage, SqliteStorage) and (kind := network_file_system(storage.folder, mounts)):
        yield Ailment(
            f"SQLite lies on a network file system ({kind}), which breaks the database sooner or later",
            "put it on a local disk, or use PostgreSQL (`badc instance use postgres`, docs/beyond-one-machine.md)",
        )
