"""Every command explains itself: a line for each option, and an example where there is something to give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from badc_assets.cli.main import app

BADC_GROUPS = ("chunk", "infer", "report", "pipeline", "data")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of everything below."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from commands(each, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_option_has_a_line_and_every_command_of_badc_an_example(path, command):
    unexplained = [each.name for each in command.params if each.name != "help" and not getattr(each, "help", None)]
    assert unexplained == []
    assert command.help
    if path[0] in BADC_GROUPS:
        assert f"Example: badc {' '.join(path)}" in command.help
