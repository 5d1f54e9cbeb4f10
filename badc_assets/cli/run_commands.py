"""`badc run` and `badc ui`: the whole graph over what is outstanding, and the web page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from badc_assets.cli.instance import prepare_instance
from badc_assets.cli.materialize import Materializer, materializing
from badc_assets.cli.stopping import stoppable
from badc_assets.cli.supervision import run_supervised


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(run)
    app.command()(recover)
    app.command()(ui)


def run(
    bundles: Annotated[bool, typer.Option(help="Also write BADC's report files for each recording.")] = False,
) -> None:
    """Catalogue the dataset, process the recordings that are new or changed, and rebuild the report.

    The same as running `dagster asset materialize` for each stage. Of several datasets one after the other, unless one was
    chosen. Exit status 1 when a recording was left out.
    """
    from badc_assets.project import load_projects

    console = Console()
    projects = load_projects()
    environment = prepare_instance()
    are_complete = []
    with materializing(environment, console) as dagster:
        for project in projects:
            if project.name:
                console.print(f"Dataset {project.name}", style="bold")
            are_complete.append(Materializer(project, dagster, console).run_all(bundles=bundles))
    if not all(are_complete):
        raise typer.Exit(1)


def recover(
    machine: Annotated[
        str, typer.Option(help="Runs on this machine are over too: it will not come back. Only with PostgreSQL.")
    ] = "",
) -> None:
    """Bring Dagster up to date: free what killed runs still hold, and tell it of results that were made without it.

    `badc run` does both by itself, `badc ui` the first; commands that make results tell of them where an instance is set up.
    """
    import dagster as dg

    from badc_assets.cli.telling import report_to
    from badc_assets.project import load_projects

    console = Console()
    projects = load_projects()
    prepare_instance(lost_machine=machine)
    with stoppable(console), dg.DagsterInstance.get() as instance:
        for project in projects:
            report_to(instance, project, console)


def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000) -> None:
    """Open Dagster's web page on this project, reachable from this machine only, until ctrl-C. Runs end with it."""
    from badc_assets.project import load_projects

    load_projects()
    environment = prepare_instance()
    environment.pop("DAGSTER_MODULE_NAME", None)  # `dagster dev` refuses it beside a workspace
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-w",
        str(workspace_file(environment)),
    ]
    raise typer.Exit(run_supervised(command, environment))


def workspace_file(environment: Mapping[str, str]) -> Path:
    """The file that says what the page shows: of this folder, else of the instance's home, as in a container."""
    here = Path("workspace.yaml")
    return here if here.is_file() else Path(environment["DAGSTER_HOME"]) / here
