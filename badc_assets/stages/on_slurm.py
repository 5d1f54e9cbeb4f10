"""The analysis of a dataset on SLURM: by a run that waits for it, or by a script that a person submits."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.files import write_text
from badc_assets.inference.engine import Engine
from badc_assets.project import Project
from badc_assets.slurm.abandoned import cancel_abandoned
from badc_assets.slurm.array_engine import ArrayEngine
from badc_assets.slurm.array_script import ArrayJob, SlurmOptions, array_script
from badc_assets.slurm.gateway import SlurmCommands
from badc_assets.slurm.profiles import read_profile

if TYPE_CHECKING:
    from badc_assets.chunks.status import Clock


def engine_for(
    project: Project, clock: Clock, run_id: str, options: Mapping[str, str], *, say: Callable[[str], None]
) -> Engine | ArrayEngine:
    """The engine that the project asks for: its detector here, or in the tasks of an array job.

    `options` are for sbatch, and go over those of the profile. Raises BadcError for a profile that cannot be used.
    """
    if project.slurm.profile is None:
        return project.make_engine(clock, run_id, say=say)
    profile = read_profile(project.slurm.profile)
    uses_gpu = project.detector_info.uses_gpu and project.inference.device == "auto"
    asked = profile.options(uses_gpu=uses_gpu).merged(options)
    return ArrayEngine(project, profile, asked, SlurmCommands(), clock, run_id, say)


def cancel_left_behind(projects: Iterable[Project]) -> list[str]:
    """Cancel the array jobs of runs that were killed; their names."""
    return [
        name
        for project in projects
        if project.slurm.is_on
        for name in cancel_abandoned(project.layout, SlurmCommands())
    ]


def write_array_script(
    project: Project, recording_ids: Sequence[str], target: Path, options: SlurmOptions, bucket_minutes: int | None
) -> None:
    """Write a script that analyses these recordings. With `bucket_minutes` reports and totals are made when all tasks have ended.

    Each task is `badc infer run` with the manifests of its recordings: the gate holds for each of them, and journals let a
    requeued task go on. Settings come from `badc.toml` and the environment of the tasks, except for dataset, detector, and what
    options of the command can change.
    Raises BadcError when there is nothing to do.
    """
    layout = project.layout
    environment = {
        "BADC_DATASET": str(layout.dataset),
        "BADC_OUTPUT": str(layout.output),
        "BADC_DETECTOR": project.detector,
        "BADC_CHUNKING__LENGTH_S": str(project.chunking.length_s),
        "BADC_CHUNKING__OVERLAP_S": str(project.chunking.overlap_s),
        "BADC_INFERENCE__CPU_WORKERS": str(project.inference.cpu_workers),
    }
    if extra_args := getattr(project.detector_settings, "extra_args", ()):
        environment["BADC_DETECTORS__HAWKEARS__EXTRA_ARGS"] = shlex.join(extra_args)
    if project.inference.max_gpus is not None:
        environment["BADC_INFERENCE__MAX_GPUS"] = str(project.inference.max_gpus)
    job = ArrayJob(
        folder=layout.output,
        manifests=[layout.manifest(each).relative_to(layout.output).as_posix() for each in recording_ids],
        command=["badc", "infer", "run"],
        after=[] if bucket_minutes is None else ["badc", "report", "dataset", "--bucket-minutes", str(bucket_minutes)],
        environment=environment,
        options=options,
    )
    write_text(target, array_script(job))
    target.chmod(0o755)
