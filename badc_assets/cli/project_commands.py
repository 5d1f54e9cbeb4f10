"""`badc config`, `badc status`: what is set, and how far the work is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.cli.options import JsonOption, print_json

if TYPE_CHECKING:
    from badc_assets.project import Project
    from badc_assets.reports.progress import Progress


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(config)
    app.command()(status)


def config(as_json: JsonOption = False) -> None:
    """Show every setting with its present value, as it stands in badc.toml and the environment."""
    from badc_assets.project import load_projects

    projects = load_projects()
    if as_json:
        print_json([_settings(project) for project in projects])
        return
    for project in projects:
        _show_settings(project)


def _settings(project: Project) -> dict[str, Any]:
    values = project.model_dump(mode="json")
    values["detectors"] = {project.detector: project.detector_settings.model_dump(mode="json")}
    return values


def _show_settings(project: Project) -> None:
    table = Table("setting", "value", title=f"Dataset {project.name}" if project.name else "Project")
    for name, value in _flat(_settings(project)):
        table.add_row(name, str(value))
    console = Console()
    console.print(table)
    layout = project.layout
    console.print(f"dataset {layout.dataset}\naudio   {layout.audio}\noutput  {layout.output}", soft_wrap=True)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def status(as_json: JsonOption = False) -> None:
    """Count the recordings by how far they are, and list what is broken."""
    from badc_assets.project import load_projects

    projects = load_projects()
    if as_json:
        print_json([_as_json(project, _progress(project)) for project in projects])
        return
    for project in projects:
        _show_progress(project, _progress(project))


def _progress(project: Project) -> Progress:
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.progress import dataset_progress

    return dataset_progress(project.layout, require_catalog(project.layout).entries)


def _as_json(project: Project, progress: Progress) -> dict[str, Any]:
    return {
        "name": project.name,
        "dataset": str(project.layout.dataset),
        "recordings": progress.total,
        "counts": progress.counts,
        "broken": progress.broken,
    }


def _show_progress(project: Project, progress: Progress) -> None:
    console = Console()
    title = f"{project.name}: {progress.total} recordings" if project.name else f"{progress.total} recordings"
    table = Table("recordings", "count", title=title)
    for stage, count in progress.counts.items():
        table.add_row(stage, str(count))
    console.print(table)
    for recording_id, reason in progress.broken.items():
        console.print(f"{recording_id}: {reason}", highlight=False, markup=False, soft_wrap=True)
