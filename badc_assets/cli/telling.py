"""After a command that made results: tell Dagster, where an instance of the project is set up. Without one nothing of Dagster is
loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console

from badc_assets.cli.instance import instance_environment, instance_storage
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    import dagster as dg

    from badc_assets.project import Project

LATER = "`badc recover` or the next `badc run` does it"


def tell_dagster(project: Project, console: Console) -> None:
    """Report what is new in the dataset of this project. That it cannot be told is said and fails nothing: results are results.

    Not told of are datasets that the instance does not look at, and not from tasks of an array job: many at once would wait for
    each other, and the next `badc run` tells of all of them.
    """
    from badc_assets.project import load_projects

    if "SLURM_ARRAY_TASK_ID" in os.environ or not _has_instance():
        return
    watched = next((each for each in load_projects() if each.layout == project.layout), None)
    if watched is None:
        return
    os.environ.update(instance_environment())
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with dg.DagsterInstance.get() as instance:
            report_to(instance, watched, console)
    except (SQLAlchemyError, dg.DagsterError, OSError, BadcError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        console.print(f"Dagster was not told ({reason}); {LATER}", markup=False, highlight=False, soft_wrap=True)


def report_to(instance: dg.DagsterInstance, project: Project, console: Console) -> None:
    """Report what is new of this dataset to this instance, and say how much that was."""
    from badc_assets.defs.runless import report_files

    with console.status("Telling Dagster what was made without it") as status:
        told = report_files(
            project, instance, progress=lambda count: status.update(f"Telling Dagster: {count} recordings")
        )
    if told.materializations or told.changed:
        console.print(f"Dagster was told of {told}", markup=False, highlight=False, soft_wrap=True)


def _has_instance() -> bool:
    try:
        return instance_storage(instance_environment()).is_set_up()
    except BadcError:
        return False
