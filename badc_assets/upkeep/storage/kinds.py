"""Where Dagster keeps its history, and what the commands need to know of that place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from badc_assets.errors import BadcError
from badc_assets.upkeep.storage.postgres import PostgresStorage
from badc_assets.upkeep.storage.sqlite import SqliteStorage

INSTANCE_FILE = "dagster.yaml"
SQLITE = "KeptSqliteStorage"
POSTGRES = "KeptPostgresStorage"


class InstanceStorage(Protocol):
    """One place for the history of runs."""

    @property
    def description(self) -> str:
        """What it is and where, without any password."""
        ...

    def reach(self) -> None:
        """Returns when it can be used. Raises BadcError that says what to do."""
        ...

    def locked(self) -> AbstractContextManager[object]:
        """Held while it is set up, by one process of all that use it, on whatever machine."""
        ...

    def is_set_up(self) -> bool:
        """Whether somebody has set it up to the end."""
        ...

    def mark_set_up(self) -> None:
        """Say that it is set up."""
        ...


def storage_of(file: Path, environment: Mapping[str, str], default: Path) -> InstanceStorage:
    """The storage that an instance file (dagster.yaml) names. Without one of ours it is taken for SQLite, which is Dagster's
    default, and `default` is where its mark is kept. Raises BadcError when the file cannot be read."""
    custom = _settings(file).get("storage", {}).get("custom", {})
    config = custom.get("config", {})
    if custom.get("class") == POSTGRES:
        return PostgresStorage(_value(config.get("postgres_url", ""), environment, file))
    if custom.get("class") == SQLITE:
        return SqliteStorage(Path(_value(config["base_dir"], environment, file)))
    return SqliteStorage(default)


def _settings(file: Path) -> dict[str, Any]:
    import yaml

    try:
        return yaml.safe_load(file.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BadcError(file, f"cannot be read ({reason})", "correct it, or copy the one of the repository") from error


def _value(stated: str | Mapping[str, str], environment: Mapping[str, str], file: Path) -> str:
    """A plain value, or that of the variable it names."""
    if isinstance(stated, str):
        return stated
    name = stated["env"]
    if not environment.get(name):
        raise BadcError(
            name,
            f"is not set, and {file} takes the address of the database from it",
            f"export {name}=postgresql://USER@HOST/DATABASE, or go back with `badc instance use sqlite`",
        )
    return environment[name]
