"""Steps whose work is done on a cluster: which there are, and what they ask SLURM for."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from badc_assets.project import Project
from badc_assets.slurm.options import options_in_tag

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
