"""The analysis of a dataset as a SLURM array job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from badc_assets.files import write_text
from badc_assets.project import Project
from badc_assets.slurm.array_script import ArrayJob, SlurmOptions, array_script


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
