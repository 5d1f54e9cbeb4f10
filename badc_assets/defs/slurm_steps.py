"""Steps whose work is done on a cluster: which there are, and what they ask SLURM for."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from badc_assets.defs.dataset import Dataset
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.slurm.options import options_in_tag
from badc_assets.stages.on_slurm import cancel_left_behind

SLURM_TAG = "badc/slurm"
"""On an asset, or on a run: sbatch options as a JSON object. Those of the run go over those of the asset."""
WHEN_KILLED = dg.RetryPolicy(max_retries=2, delay=10)


def placed(project: Project, asset: str, tags: dict[str, str]) -> dict[str, Any]:
    """Options of an asset that needs a GPU. Those here are counted by a pool; those of a cluster are SLURM's to give out.

    A step that waits for a cluster may wait for days: when its process is killed, another one goes on.
    """
    if not project.slurm.is_on:
        return {"pool": "gpu", "op_tags": tags}
    options = {SLURM_TAG: json.dumps(project.slurm.steps.get(asset, {}))}
    return {"op_tags": {**tags, **options}, "retry_policy": WHEN_KILLED}


def sbatch_options(context: dg.AssetExecutionContext) -> dict[str, str]:
    """What the tags of the asset and of the run say. Raises BadcError for a tag that makes no sense."""
    tags = (context.op_execution_context.op_def.tags, context.run.tags)
    options: dict[str, str] = {}
    for place in tags:
        if SLURM_TAG in place:
            options |= options_in_tag(place[SLURM_TAG], SLURM_TAG)
    return options


def cancel_abandoned_tasks(context: dg.SensorEvaluationContext, project: Project) -> dg.SkipReason:
    """Always on where a project uses a cluster: it starts nothing. Tasks would work, and be paid for, with nobody waiting."""
    try:
        cancelled = cancel_left_behind([project])
    except BadcError as error:
        return dg.SkipReason(str(error))
    return dg.SkipReason(f"cancelled {', '.join(cancelled)}" if cancelled else "no task was left behind")


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """What looks after the cluster, for a dataset that uses one."""
    if not dataset.project.slurm.is_on:
        return dg.Definitions()
    sensor = dataset.sensor(
        cancel_abandoned_tasks,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Cancels SLURM tasks of runs that were killed.",
    )
    return dg.Definitions(sensors=[sensor])
