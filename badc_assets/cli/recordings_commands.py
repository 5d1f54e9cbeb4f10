"""`badc recordings`: which there are, where and when they were made, and how that is known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from badc_assets.cli.options import JsonOption, print_json
from badc_assets.errors import BadcError, printable
from badc_assets.layout import Layout

recordings_app = typer.Typer(
    help="Which recordings there are, and where and when they were made.", no_args_is_help=True
)
templates_app = typer.Typer(help="The declared templates for file and folder names.", no_args_is_help=True)
recordings_app.add_typer(templates_app, name="templates")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(recordings_app, name="recordings")


@recordings_app.command("list")
def list_recordings(
    stage: Annotated[
        str | None, typer.Option(help="Only those that are so far, such as analysed or quarantined.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recordings of the dataset, how far each is, and what is broken about it.

    Example: badc recordings list --stage "chunking failed" --json
    """
    from badc_assets.project import load_project
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.progress import STAGES, listed_recordings

    if stage is not None and stage not in STAGES:
        raise BadcError("--stage", f"there is no stage {stage!r}", f"name one of: {', '.join(STAGES)}")
    layout = load_project().layout
    found = listed_recordings(layout, require_catalog(layout).entries)
    wanted = (each for each in found if stage in (None, each.stage))
    if as_json:
        print_json([asdict(each) for each in wanted])
        return
    for each in wanted:
        print("\t".join(printable(text) for text in (each.recording_id, each.stage, each.reason) if text))


@recordings_app.command()
def explain(file: Annotated[Path, typer.Argument(help="A sound file of the dataset.")]) -> None:
    """Show for one file what every source says of it, what was chosen, and why."""
    from badc_assets.project import load_project
    from badc_assets.recordings.explain import explain as explained
    from badc_assets.recordings.place_time import load_declared

    project = load_project()
    result = explained(project.layout, file, load_declared(project.recordings), project.recordings)
    console = Console()
    said = Table("source", "says", title=escape(f"{result.path} (template: {result.template or 'none matches'})"))
    for item in result.said:
        said.add_row(item.source, escape(item.text) or "-")
    console.print(said)
    chosen = Table("field", "value", "from", "why")
    for choice in result.chosen:
        chosen.add_row(choice.field, escape(choice.value) or "unknown", choice.source, escape(choice.reason))
    console.print(chosen)
    for flag in result.flags:
        console.print(f"flag {flag}", markup=False, highlight=False, soft_wrap=True)


@templates_app.command()
def check(
    tree: Annotated[
        Path | None, typer.Argument(help="A folder of recordings. Default: the project's audio folder.")
    ] = None,
) -> None:
    """Show what the templates would understand of a tree of recordings. Nothing is opened, nothing is written.

    Exit status 1 when a declared template matches nothing, a name is not understood, or a site has no deployment.
    """
    from badc_assets.project import load_project
    from badc_assets.recordings.coverage import path_coverage
    from badc_assets.recordings.facts import below_audio
    from badc_assets.recordings.place_time import load_declared
    from badc_assets.recordings.walk import DatasetWalk

    project = load_project()
    layout, prefix = (project.layout, "") if tree is None else _layout_of(tree, project.layout)
    walk = DatasetWalk(layout)
    paths = (prefix + below_audio(layout, found.audio_path) for found in walk.files())
    coverage = path_coverage(paths, load_declared(project.recordings))
    console = Console()
    table = Table("template", "paths", "such as", title=escape(f"Templates on {layout.audio}"))
    for name, count in coverage.matched.items():
        table.add_row(escape(name), str(count), escape("\n".join(coverage.examples[name])))
    console.print(table)
    console.print(f"{coverage.understood} understood, {coverage.not_understood} not; {len(coverage.sites)} sites")
    for problem in (*coverage.problems, *walk.problems):
        console.print(problem, markup=False, highlight=False, soft_wrap=True)
    if coverage.problems:
        raise typer.Exit(1)


def _layout_of(tree: Path, project: Layout) -> tuple[Layout, str]:
    """A folder as a dataset, and its place below the project's audio folder, by which study areas are declared."""
    folder = tree.expanduser().absolute()
    if not folder.is_dir():
        raise BadcError(tree, "is no folder", "name a folder of recordings")
    if folder == project.dataset:
        return project, ""
    is_part = folder != project.audio and folder.is_relative_to(project.audio)
    prefix = f"{folder.relative_to(project.audio).as_posix()}/" if is_part else ""
    return Layout(folder, folder, folder), prefix
