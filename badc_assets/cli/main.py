"""`badc`: the commands, and how an error reaches the person who typed one."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from badc_assets.cli import (
    aggregate_command,
    batch_commands,
    chunk_commands,
    data_commands,
    detector_commands,
    device_commands,
    doctor_commands,
    fsck_commands,
    infer_commands,
    infer_run,
    instance_commands,
    orchestrate_commands,
    project_commands,
    recordings_commands,
    report_commands,
    retry_commands,
    run_commands,
    sample_commands,
    service_commands,
    trace_commands,
)
from badc_assets.errors import BadcError

app = typer.Typer(
    name="badc",
    help="Field recordings in, checked detections and reports out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
project_commands.add_to(app)
run_commands.add_to(app)
recordings_commands.add_to(app)
chunk_commands.add_to(app)
data_commands.add_to(app)
sample_commands.add_to(app)
detector_commands.add_to(app)
device_commands.add_to(app)
infer_commands.add_to(app)
infer_run.add_to(infer_commands.infer_app)
aggregate_command.add_to(infer_commands.infer_app)
orchestrate_commands.add_to(app, chunk_commands.chunk_app, infer_commands.infer_app, report_commands.report_app)
report_commands.add_to(app)
trace_commands.add_to(app)
fsck_commands.add_to(app)
retry_commands.add_to(app)
doctor_commands.add_to(app)
instance_commands.add_to(app)
batch_commands.add_to(app)
service_commands.add_to(app)


@app.callback()
def choose(
    dataset_name: Annotated[
        str | None, typer.Option(help="Which of several datasets of badc.toml.", envvar="BADC_DATASET_NAME")
    ] = None,
) -> None:
    """Field recordings in, checked detections and reports out."""
    if dataset_name is not None:
        # What is started from here, Dagster too, must choose the same.
        os.environ["BADC_DATASET_NAME"] = dataset_name


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed_version

    print(f"badc_assets {installed_version('badc-assets')}")


def main() -> None:
    """Run the command line; a problem that a user can mend is one line and exit status 1."""
    try:
        app()
    except BadcError as error:
        Console(stderr=True).print(
            f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True, markup=True
        )
        sys.exit(1)
