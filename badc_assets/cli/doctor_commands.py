"""`badc doctor`: what is wrong with this installation, and mending it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from badc_assets.cli.instance import STORAGE, instance_environment, instance_storage, migrate_once, passed_over_home
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    from badc_assets.inference.devices.gpus import Gpu
    from badc_assets.project import Project
    from badc_assets.upkeep.examination import Diagnosis, Examination

SET_UP = "Dagster home"


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(doctor)


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")] = False,
) -> None:
    """Look for what is wrong with this installation: Dagster's home, killed runs and what they hold, pools, disk, git, versions.

    Exit status 1 when something is wrong afterwards.
    """
    from badc_assets.project import load_project

    diagnoses = _examined(load_project(), fix=fix)
    if as_json:
        print(json.dumps([asdict(diagnosis) for diagnosis in diagnoses], indent=2))
    else:
        _show(diagnoses, Console())
    if any(diagnosis.state == "problem" for diagnosis in diagnoses):
        raise typer.Exit(1)


def _examined(project: Project, *, fix: bool) -> list[Diagnosis]:
    """First the instance is set up: nothing else of Dagster can be looked at before."""
    from badc_assets.inference.devices.leases import lease_folder
    from badc_assets.upkeep.doctor import Surroundings, examinations
    from badc_assets.upkeep.examination import examine

    gpus = _gpus()
    of_home = examine(_of_home(), fix=fix)
    surroundings = Surroundings(gpus, lease_folder(), (STORAGE,))
    of_machine = examinations(
        project.layout, surroundings, lambda: datetime.now(UTC), least_free_gb=project.automation.least_free_gb
    )
    if project.slurm.profile is not None:
        from badc_assets.slurm.gateway import SlurmCommands
        from badc_assets.slurm.health import cluster_examinations

        of_machine = [*of_machine, *cluster_examinations(project.slurm.profile, project.layout, SlurmCommands())]
    is_usable = all(one.state != "problem" for one in of_home if one.name == SET_UP)
    of_instance = _of_instance(project, len(gpus), fix=fix) if is_usable else []
    return [*of_home, *of_instance, *examine(of_machine, fix=fix)]


def _of_home() -> Iterator[Examination]:
    """One after the other: without a home there is no storage to look at."""
    from badc_assets.upkeep.examination import Ailment, Examination
    from badc_assets.upkeep.storage.health import storage_examination

    def set_up() -> list[Ailment]:
        storage = instance_storage(instance_environment())
        return (
            [] if storage.is_set_up() else [Ailment(f"{storage.description} has not been set up", "badc doctor --fix")]
        )

    yield Examination(SET_UP, set_up, lambda: migrate_once(instance_environment()))
    with suppress(BadcError):
        environment = instance_environment()
        yield storage_examination(instance_storage(environment), str(passed_over_home(environment) or ""))


def _of_instance(project: Project, cards: int, *, fix: bool) -> list[Diagnosis]:
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    from badc_assets.defs.instance_health import gpu_slots, instance_examinations
    from badc_assets.upkeep.examination import examine

    os.environ.update(instance_environment())
    slots = gpu_slots(cards, project.inference.max_gpus)
    try:
        with dg.DagsterInstance.get() as instance:
            return examine(instance_examinations(instance, slots, needs_daemon=project.automation.enabled), fix=fix)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        place = instance_storage(os.environ).description
        raise BadcError(place, f"Dagster cannot read it ({reason})", "move it away; results are not in it") from error


def _gpus() -> tuple[Gpu, ...]:
    """The cards that runs from here would use."""
    from badc_assets.inference.devices.gpus import NvmlGateway
    from badc_assets.inference.devices.visible import visible_gpus

    with NvmlGateway() as gateway:
        return visible_gpus(gateway.find(), os.environ).gpus


def _show(diagnoses: list[Diagnosis], console: Console) -> None:
    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    for diagnosis in diagnoses:
        line(f"{diagnosis.state:<8} {diagnosis.name}" + (f": {diagnosis.note}" if diagnosis.note else ""))
        for ailment in diagnosis.ailments:
            line(f"           {ailment.problem}" + ("" if diagnosis.state == "fixed" else f"; {ailment.remedy}"))
    if any(diagnosis.state == "problem" and diagnosis.can_be_fixed for diagnosis in diagnoses):
        line("`badc doctor --fix` mends what it can.")
