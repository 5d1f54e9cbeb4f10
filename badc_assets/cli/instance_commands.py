"""`badc instance`: where Dagster keeps its history, and choosing between SQLite and PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from badc_assets.cli.instance import STORAGE, instance_environment, instance_storage, migrate_once, passed_over_home
from badc_assets.upkeep.storage.chosen import PROFILES, choose
from badc_assets.upkeep.storage.kinds import storage_of

instance_app = typer.Typer(help="Where Dagster keeps the history of runs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(instance_app, name="instance")


@instance_app.command()
def show() -> None:
    """Print which storage is in use, and whether it is set up. Exit status 1 when it cannot be reached."""
    environment = instance_environment()
    storage = instance_storage(environment)
    print(f"storage: {storage.description}")
    print(f"DAGSTER_HOME: {environment['DAGSTER_HOME']}")
    if (passed_over := passed_over_home(environment)) is not None:
        print(f"{passed_over} was chosen, but DAGSTER_HOME is set")
    storage.reach()
    print("it is set up" if storage.is_set_up() else "it is not set up yet; the first `badc run` does that")


@instance_app.command()
def use(
    kind: Annotated[str, typer.Argument(help="sqlite (this machine only) or postgres (BADC_POSTGRES_URL says where).")],
) -> None:
    """Choose where Dagster keeps its history from now on, and set it up. What is elsewhere stays there.

    Results are files and do not depend on it: the next `badc run` tells Dagster of those that it does not know.
    """
    folder = Path.cwd()
    if kind == "postgres":
        # Nothing is chosen that cannot be used.
        storage_of(folder / PROFILES[kind], os.environ, STORAGE).reach()
    home = choose(folder, kind)
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    migrate_once(environment)
    print(f"From here badc now uses {instance_storage(environment).description}.")
    print(f"For Dagster's own commands: export DAGSTER_HOME={home}")
    if os.environ.get("DAGSTER_HOME") and passed_over_home(os.environ):
        print(f"DAGSTER_HOME is set to {os.environ['DAGSTER_HOME']}, which is used instead until you unset it.")
