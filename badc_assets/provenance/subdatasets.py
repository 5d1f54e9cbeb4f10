"""Datasets inside a dataset, and whether they are here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from badc_assets.provenance.git import dataset_commit

_PATH_LINE = re.compile(r"^\s*path\s*=\s*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Subdataset:
    """`path` is relative to the outermost dataset. `commit` is what is checked out; None when it is not installed, or empty."""

    path: str
    is_installed: bool
    commit: str | None


def subdatasets(dataset: Path, prefix: str = "") -> Iterator[Subdataset]:
    """All datasets below a dataset, also inside one another, by their declaration in `.gitmodules`; git is hardly asked."""
    declaration = dataset / ".gitmodules"
    if not declaration.is_file():
        return
    for path in declared_paths(declaration.read_text("utf-8", "surrogateescape")):
        folder = dataset / path
        is_installed = (folder / ".git").exists()
        yield Subdataset(prefix + path, is_installed, dataset_commit(folder) if is_installed else None)
        if is_installed:
            yield from subdatasets(folder, f"{prefix}{path}/")


def declared_paths(text: str) -> list[str]:
    """The paths in the text of `.gitmodules`, sorted; those that lead out of the dataset are left out."""
    values = (_unquoted(value) for value in _PATH_LINE.findall(text))
    paths = {PurePosixPath(value).as_posix() for value in values if value}
    return sorted(path for path in paths if not path.startswith("/") and ".." not in PurePosixPath(path).parts)


def by_repository(paths: Iterable[str], installed: Iterable[str]) -> dict[str, list[str]]:
    """Paths grouped by the innermost of the installed subdatasets that holds them ("" for none), relative to it."""
    folders = frozenset(installed)
    groups: dict[str, list[str]] = {}
    for path in paths:
        parents = (parent.as_posix() for parent in PurePosixPath(path).parents)
        owner = next((parent for parent in parents if parent in folders), "")
        groups.setdefault(owner, []).append(path[len(owner) + 1 :] if owner else path)
    return groups


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
