"""The tables [datasets.NAME] of a project file: the settings of each dataset, completed by those at the top of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from badc_assets.provenance.registry import read_registry, registry_file

TABLE = "datasets"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
PLACES = ("dataset", "audio", "name")
"""What can be said of a single dataset only."""


def each_dataset(values: Mapping[str, Any], environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The settings of each dataset; `values` itself where the project declares none by name.

    A table that does not say where its dataset is means the one of this name that was connected. With an `output` at the top
    each has a folder of its name in it. Raises ValueError.
    """
    tables = values.get(TABLE)
    if tables is None:
        return [dict(values)]
    common = {name: value for name, value in values.items() if name != TABLE}
    if said := [name for name in PLACES if name in common]:
        raise ValueError(f"`{said[0]}` at the top and tables [datasets.NAME] exclude each other: move it into a table")
    if not isinstance(tables, dict) or not tables or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError("`datasets` must hold tables [datasets.NAME]")
    _check_names(list(tables))
    return [_completed(name, table, common, environment) for name, table in tables.items()]


def _check_names(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not _NAME.match(name):
            raise ValueError(f"datasets.{name}: a name is a letter, then letters, digits, - and _")
        same = seen.setdefault(name.replace("-", "_").lower(), name)
        if same != name:
            raise ValueError(f"datasets.{name}: too like datasets.{same}")


def _completed(
    name: str, table: Mapping[str, Any], common: Mapping[str, Any], environment: Mapping[str, str]
) -> dict[str, Any]:
    whole = merged(common, table) | {"name": name}
    if "dataset" not in whole:
        whole["dataset"] = _connected(name, environment)
    if "output" in common and "output" not in table:
        whole["output"] = Path(common["output"]) / name
    return whole


def _connected(name: str, environment: Mapping[str, str]) -> str:
    connected = read_registry(registry_file(environment)).get(name)
    if connected is None or not connected.path:
        raise ValueError(f"datasets.{name}: say where it is (`dataset = ...`), or `badc data connect {name}` first")
    return connected.path


def merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `common`, table by table."""
    result = dict(common)
    for name, value in own.items():
        if isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result
