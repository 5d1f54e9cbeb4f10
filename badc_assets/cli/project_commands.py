"""`badc config`, `badc status`: what is set, and how far the work is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.project import Project, load_projects


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(config)
    app.command()(status)


def config() -> None:
    """Show every setting with its present value, as it stands in badc.toml and the environment."""
    for project in load_projects():
        _show_settings(project)


def _show_settings(project: Project) -> None:
    table = Table("setting", "value", title=f"Dataset {project.name}" if project.name else "Project")
    values = project.model_dump(mode="json")
    values["detectors"] = {project.detector: project.detector_settings.model_dump(mode="json")}
    for name, value in _flat(values):
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


def status() -> None:
    """Count the recordings by how far they are, and list what is broken."""
    for project in load_projects():
        _show_progress(project)


def _show_progress(project: Project) -> None:
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.progress import dataset_progress

    progress = dataset_progress(project.layout, require_catalog(project.layout).entries)
    console = Console()
    title = f"{project.name}: {progress.total} recordings" if project.name else f"{progress.total} recordings"
    table = Table("recordings", "count", title=title)
    for stage, count in progress.counts.items():
        table.add_row(stage, str(count))
    console.print(table)
    for recording_id, reason in progress.broken.items():
        console.print(f"{recording_id}: {reason}", highlight=False, markup=False, soft_wrap=True)
