"""`badc retry`: do again exactly what is broken."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from badc_assets.cli.instance import prepare_instance
from badc_assets.cli.materialize import Materializer, materializing
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    from badc_assets.project import Project
    from badc_assets.upkeep.failures import BrokenRecording


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(retry)


def retry(
    failed: Annotated[bool, typer.Option("--failed", help="Do again the recordings that are broken now.")] = False,
    as_list: Annotated[bool, typer.Option("--list", help="Only list them, with the reasons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List them as JSON for other programs.")] = False,
) -> None:
    """Do again exactly the recordings that are broken right now, whatever stage they are stuck in, and no others.

    Exit status 1 when some are broken afterwards.
    """
    from badc_assets.project import load_project

    project = load_project()
    if as_json:
        print(json.dumps([asdict(each) for each in _broken(project)], indent=2))
    elif as_list:
        _show(_broken(project), Console())
    elif failed:
        _again(project, Console())
    else:
        raise BadcError("badc retry", "does not say what", "`--failed` does what is broken again, `--list` shows it")


def _again(project: Project, console: Console) -> None:
    with materializing(prepare_instance(), console) as dagster:
        Materializer(project, dagster, console).retry(lambda: [each.recording_id for each in _broken(project)])
    left = _broken(project)
    if left:
        _show(left, console)
        raise typer.Exit(1)
    console.print("Nothing is broken. `badc run` rebuilds tables and report.")


def _broken(project: Project) -> tuple[BrokenRecording, ...]:
    from badc_assets.recordings.current import require_catalog
    from badc_assets.upkeep.failures import broken_recordings

    return broken_recordings(project.layout, require_catalog(project.layout).entries)


def _show(broken: tuple[BrokenRecording, ...], console: Console) -> None:
    for each in broken:
        console.print(f"{each.recording_id}: {each}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(broken)} recordings are broken", highlight=False)
