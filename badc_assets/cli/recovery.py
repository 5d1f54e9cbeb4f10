"""Clean up after runs whose process was killed: Dagster keeps them as started, and their pool slots taken, for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


def mend_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark started runs whose process is gone as failed and free their slots; returns their ids.

    Only for an instance on this host's own disk: of a process on another host nothing can be known here.
    """
    import dagster as dg

    if not isinstance(instance.event_log_storage, _local_storage()):
        return []
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]))
    dead = [run for run in started if _is_dead(instance, run.run_id)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed. What it had finished is kept.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def _local_storage() -> type:
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    return SqliteEventLogStorage


def _is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    """True when the run said which process it runs in, and that process is gone."""
    import dagster as dg

    events = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in reversed(events):
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event and event.is_engine_event else None
        if pid is not None:
            return not _is_alive(int(str(pid.value)), since=record.timestamp)
    return False


def _is_alive(pid: int, since: float) -> bool:
    """Whether a process with this number runs that is not younger than `since` (numbers are used again)."""
    folder = Path("/proc") / str(pid)
    if Path("/proc/self").exists():
        return folder.exists() and folder.stat().st_ctime <= since + 1
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
