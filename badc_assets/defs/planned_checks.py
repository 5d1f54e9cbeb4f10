"""Planned checks of many partitions, without the list of all of them in each row."""

from __future__ import annotations

from dagster import EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._serdes import serialize_value
from dagster_shared.record import replace


def store_lean_plan(storage: SqlEventLogStorage, event: EventLogEntry, event_id: int | None) -> bool:
    """Store a planned check of a range; False when it is not of one, and nothing was stored.

    Dagster writes a row for each partition, and into each the event with the list of all partitions: for a range of 500
    recordings 16 kB a row, most of the whole database. Here a row has the event without the list.
    """
    planned = event.dagster_event.event_specific_data if event.dagster_event else None
    if not isinstance(planned, AssetCheckEvaluationPlanned) or planned.partitions_subset is None:
        return False
    assert event.dagster_event is not None
    lean = replace(planned, partitions_subset=None)
    text = serialize_value(event._replace(dagster_event=event.dagster_event._replace(event_specific_data=lean)))
    row = {
        "asset_key": planned.asset_key.to_string(),
        "check_name": planned.check_name,
        "run_id": event.run_id,
        "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
        "evaluation_event": text,
        "evaluation_event_timestamp": storage._event_insert_timestamp(event),
        "evaluation_event_storage_id": event_id,
    }
    rows = [{**row, "partition": key} for key in planned.partitions_subset.get_partition_keys()]
    with storage.index_connection() as connection:
        connection.execute(AssetCheckExecutionsTable.insert(), rows)
    return True
