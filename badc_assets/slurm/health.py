"""What the doctor asks about a cluster: does SLURM answer, does it know the partitions, is anything left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from badc_assets.files import exclusive
from badc_assets.layout import Layout
from badc_assets.slurm.abandoned import cancel_abandoned, open_submissions
from badc_assets.slurm.gateway import SlurmGateway, SlurmSilent
from badc_assets.slurm.profiles import read_profile
from badc_assets.upkeep.examination import Ailment, Examination


def cluster_examinations(profile: Path, layout: Layout, slurm: SlurmGateway) -> list[Examination]:
    """For a project that uses this profile."""
    return [
        Examination("SLURM", lambda: _answers(profile, slurm)),
        Examination("SLURM tasks", lambda: _left_behind(layout), lambda: _cancel(layout, slurm)),
    ]


def _answers(profile: Path, slurm: SlurmGateway) -> Iterator[Ailment]:
    """Raises BadcError for a profile that cannot be used, and where SLURM's commands are not here."""
    tables = read_profile(profile)
    try:
        known = {partition.name: partition for partition in slurm.partitions()}
    except SlurmSilent as silent:
        yield Ailment(f"SLURM gives no answer: {silent}", "`scontrol ping` says whether its controller is up")
        return
    for uses_gpu in (True, False):
        wanted = tables.options(uses_gpu=uses_gpu).values.get("partition", "")
        for name in filter(None, wanted.split(",")):
            if name not in known:
                yield Ailment(f"there is no partition {name}", f"correct {profile} (there are: {', '.join(known)})")
            elif not known[name].is_up:
                yield Ailment(f"partition {name} is down", "wait, or name another one in the profile")


def _left_behind(layout: Layout) -> Iterator[Ailment]:
    for submission in open_submissions(layout):
        with exclusive(submission.lock, wait=False) as is_abandoned:
            if is_abandoned:
                yield Ailment(f"{submission.name} was left behind by a run that was killed", "badc doctor --fix")


def _cancel(layout: Layout, slurm: SlurmGateway) -> None:
    cancel_abandoned(layout, slurm)
