"""BADC's `data.toml`: which datasets were connected on this machine, from where and how."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from badc_assets.errors import BadcError
from badc_assets.files import exclusive, write_text

CONFIG_VARIABLE = "BADC_DATA_CONFIG"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_FIELDS = ("path", "url", "method", "status", "last_connected", "last_disconnected")

Scalar = str | int | float | bool


@dataclass(frozen=True)
class ConnectedDataset:
    """One dataset of the registry. Times are ISO 8601; empty where it was never. `other` is what others wrote beside it."""

    path: str = ""
    url: str = ""
    method: str = ""
    status: str = ""
    last_connected: str = ""
    last_disconnected: str = ""
    other: Mapping[str, Scalar] = field(default_factory=dict)


def registry_file(environment: Mapping[str, str]) -> Path:
    """Where the registry is: BADC_DATA_CONFIG, else `~/.config/badc/data.toml`."""
    named = environment.get(CONFIG_VARIABLE)
    return Path(named).expanduser() if named else Path("~/.config/badc/data.toml").expanduser()


def read_registry(file: Path) -> dict[str, ConnectedDataset]:
    """Name -> dataset; empty when there is no registry yet. Raises BadcError when it cannot be understood."""
    if not file.is_file():
        return {}
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadcError(file, f"not valid TOML ({error})", "correct the file") from error
    tables = values.pop("datasets", {})
    if values or not isinstance(tables, dict):
        raise BadcError(file, "holds more than [datasets.<name>] tables", "move what else it holds to another file")
    return {name: _dataset(file, name, table) for name, table in tables.items()}


@contextmanager
def registry_update(file: Path) -> Iterator[dict[str, ConnectedDataset]]:
    """The registry to change; it is written when the block ends well. One at a time."""
    with exclusive(file.with_name(f".{file.name}.lock")):
        datasets = read_registry(file)
        yield datasets
        write_text(file, registry_text(datasets))


def registry_text(datasets: Mapping[str, ConnectedDataset]) -> str:
    """The registry as TOML, sorted by name. Whatever a name holds, the text can be read again."""
    return "\n".join(_table(name, datasets[name]) for name in sorted(datasets))


def _table(name: str, dataset: ConnectedDataset) -> str:
    known = {field: getattr(dataset, field) for field in _FIELDS}
    values = {key: value for key, value in {**known, **dataset.other}.items() if value != ""}
    return f"[datasets.{_key(name)}]\n" + "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    return name if _BARE_KEY.match(name) else _value(name)


def _value(value: Scalar) -> str:
    """JSON is TOML for these kinds, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _dataset(file: Path, name: str, table: Any) -> ConnectedDataset:
    if not isinstance(table, dict):
        raise BadcError(file, f"datasets.{name} is no table", "correct the file")
    for key, value in table.items():
        if not isinstance(value, str if key in _FIELDS else Scalar):
            raise BadcError(file, f"datasets.{name}.{key} has the wrong kind of value", "correct the file")
    known = {key: value for key, value in table.items() if key in _FIELDS}
    return ConnectedDataset(**known, other={key: value for key, value in table.items() if key not in _FIELDS})


def valid_name(name: str) -> str:
    """The name, which becomes a folder. Raises BadcError when it is none of one's own."""
    if name in ("", ".", "..") or name != Path(name).name or "\0" in name or name.startswith("-"):
        raise BadcError(repr(name), "is no name for a dataset", "use a plain word, such as site-2024")
    return name
