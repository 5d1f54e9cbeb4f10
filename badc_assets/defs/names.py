"""What assets, partitions and jobs of a dataset are called: with its name where there are several datasets."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from badc_assets.project import Project

RECORDINGS = "recordings"


def prefix_of(project: Project) -> list[str]:
    """What stands before the name of each asset: nothing for an only dataset."""
    return [project.identifier] if project.name else []


def asset_key(project: Project, asset: str) -> dg.AssetKey:
    """The key of one of our assets in this dataset."""
    return dg.AssetKey([*prefix_of(project), asset])


def check_key(project: Project, asset: str, check: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(project, asset), check)


def selected(project: Project, assets: Sequence[str]) -> str:
    """These assets as `--select` takes them."""
    return ",".join(asset_key(project, asset).to_user_string() for asset in assets)


def in_dataset(project: Project, name: str) -> str:
    """The name of a job, schedule, sensor or group of this dataset."""
    return f"{name}_{project.identifier}" if project.name else name


def partition_set(project: Project) -> str:
    """The name of the dynamic partitions that are the recordings of this dataset."""
    return "/".join([*prefix_of(project), RECORDINGS])
