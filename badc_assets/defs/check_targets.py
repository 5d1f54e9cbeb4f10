"""Which materialization a stored check result is about: without it Dagster's automation takes the result for an outdated one."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from badc_assets.defs.partitions import PAGE


def latest_materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, recording_ids: Sequence[str]
) -> dict[str, Target]:
    """Recording -> its latest materialization of this asset; those without one are left out."""
    found: dict[str, Target] = {}
    for start in range(0, len(recording_ids), PAGE):
        page = set(recording_ids[start : start + PAGE])
        ids = instance.event_log_storage.get_latest_storage_id_by_partition(
            asset, dg.DagsterEventType.ASSET_MATERIALIZATION, page
        )
        if not ids:
            continue
        wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(ids.values()))
        records = instance.fetch_materializations(wanted, limit=len(ids)).records
        found |= {
            record.partition_key: Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
            for record in records
            if record.partition_key is not None
        }
    return found
