"""`badc detectors`: which detectors there are, and getting one ready that needs more than this package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.cli.options import JsonOption, print_json
from badc_assets.detectors.hawkears.setup import VERSION as HAWKEARS_VERSION
from badc_assets.detectors.registry import DETECTORS
from badc_assets.errors import BadcError

detectors_app = typer.Typer(help="List the detectors, or set one up.", invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(detectors_app, name="detectors")


@detectors_app.callback()
def detectors(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the detectors and what each needs."""
    if context.invoked_subcommand is not None:
        return
    if as_json:
        print_json([{"name": name, "summary": each.summary, "needs": each.needs} for name, each in DETECTORS.items()])
        return
    table = Table("detector", "what it does", "what it needs")
    for name, entry in DETECTORS.items():
        table.add_row(name, entry.summary, entry.needs)
    Console().print(table)


@detectors_app.command()
def setup(
    name: Annotated[str, typer.Argument(help="Which detector.")],
    python: Annotated[
        Path | None, typer.Option(help="hawkears: the interpreter to make its environment with. Default: this one.")
    ] = None,
    version: Annotated[str, typer.Option(help="hawkears: which version to install.")] = HAWKEARS_VERSION,
) -> None:
    """Install or download what a detector needs. What is there already is left as it is."""
    console = Console()

    def show(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    setups: dict[str, Callable[[], Path]] = {
        "hawkears": lambda: _set_up_hawkears(show, python or Path(sys.executable), version),
        "transformers": _download_transformers,
    }
    if name not in setups:
        problem = "needs no set-up" if name in DETECTORS else "there is no such detector"
        raise BadcError(f"detector {name}", problem, f"with a set-up there are: {', '.join(setups)}")
    show(f"{name} is ready: {setups[name]()}")


def _set_up_hawkears(show: Callable[[str], None], python: Path, version: str) -> Path:
    from badc_assets.detectors.hawkears.setup import RealPrograms, set_up

    return set_up(RealPrograms(show), python, version)


def _download_transformers() -> Path:
    from badc_assets.detectors.transformers.settings import TransformersSettings
    from badc_assets.detectors.transformers.source import download
    from badc_assets.project import load_project

    return download(TransformersSettings.model_validate(load_project().detectors.get("transformers", {})))
