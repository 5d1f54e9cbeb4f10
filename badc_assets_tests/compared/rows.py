"""Rows of the comparison with BADC: each stands at the test that shows it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest

import badc_assets_tests.compared as package

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Row:
    """What happens, what BADC does then and what badc_assets does. F was tried with BADC, B is a bug of it."""

    ids: tuple[str, ...]
    situation: str
    badc: str
    ours: str

    @property
    def place(self) -> tuple[str, int, str]:
        """F before B, each by its number."""
        return _place(self.ids[0])


def compared(*ids: str, situation: str, badc: str, ours: str) -> Callable[[Test], Test]:
    """The test shows this row."""
    row = Row(tuple(sorted(ids, key=_place)), situation, badc, ours)
    return pytest.mark.compared(row)


def declared_rows() -> list[Row]:
    """The rows of all tests of this package, in their order."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name.startswith("test_")]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    found = {row for module in modules for thing in vars(module).values() for row in rows_at(thing)}
    return sorted(found, key=lambda row: row.place)


def rows_at(test: object) -> Iterator[Row]:
    """The rows at one test function; none at anything else."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "compared":
            yield mark.args[0]


def _place(identifier: str) -> tuple[str, int, str]:
    found = re.fullmatch(r"([FB])(\d+)([a-z]?)", identifier)
    assert found, f"{identifier} is no number of a row"
    letter, number, part = found.groups()
    return {"F": "1", "B": "2"}[letter], int(number), part
