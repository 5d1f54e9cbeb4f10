"""Registering recordings as partitions."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from badc_assets.defs.names import partition_set
from badc_assets.project import Project

PAGE = 2000
"""Keys registered at once; some SQLite builds refuse more than 32,766 values in one statement."""


def register_recordings(project: Project, instance: dg.DagsterInstance, recording_ids: Sequence[str]) -> int:
    """Make the partitions of the dataset equal to the catalogue's recordings; returns how many were new.

    New ones are added in the given order. Partitions that the catalogue does not know belong to a dataset that this
    instance looked at before; they are taken away, their history stays.
    """
    name = partition_set(project)
    known = set(instance.get_dynamic_partitions(name))
    wanted = set(recording_ids)
    new = [recording_id for recording_id in recording_ids if recording_id not in known]
    for start in range(0, len(new), PAGE):
        instance.add_dynamic_partitions(name, new[start : start + PAGE])
    for foreign in known - wanted:
        instance.delete_dynamic_partition(name, foreign)
    return len(new)
