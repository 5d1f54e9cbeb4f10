"""Clean up after runs whose process was killed: Dagster keeps them as started, and their pool slots taken, for ever."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from badc_assets.processes import is_alive


def mend_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark started runs whose process is gone as failed and free their slots; returns their ids."""
    dead = dead_runs(instance)
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed. What it had finished is kept.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that count as started and whose process is gone.

    Only for an instance on this host's own disk: of a process on another host nothing can be known here.
    """
    if not isinstance(instance.event_log_storage, _local_storage()):
        return []
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]))
    return [run for run in started if _is_dead(instance, run.run_id)]


def leaked_slots(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """Run id -> pools in which it holds a slot or a place in the queue, of runs that have ended or are not known any more."""
    held: dict[str, list[str]] = {}
    storage = instance.event_log_storage
    for pool in sorted(storage.get_concurrency_keys()):
        info = storage.get_concurrency_info(pool)
        for run_id in sorted({slot.run_id for slot in (*info.claimed_slots, *info.pending_steps)}):
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                held.setdefault(run_id, []).append(pool)
    return held


def free_leaked_slots(instance: dg.DagsterInstance) -> None:
    """Give back what such runs hold."""
    for run_id in leaked_slots(instance):
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _local_storage() -> type:
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    return SqliteEventLogStorage


def _is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    process = process_of(instance, run_id)
    return process is not None and not _is_alive(*process)


def process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The process that a run said it runs in, and when it said so (seconds since the epoch); None when it has not."""
    events = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in reversed(events):
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event and event.is_engine_event else None
        if pid is not None:
            return int(str(pid.value)), record.timestamp
    return None


def _is_alive(pid: int, since: float) -> bool:
    """Whether a process with this number runs that started before `since` (numbers are used again)."""
    stat = Path("/proc") / str(pid) / "stat"
    if Path("/proc/self/stat").exists():
        return stat.exists() and _started_at(stat) <= since + 1
    return is_alive(pid)


def _started_at(stat: Path) -> float:
    """Seconds since the epoch at which a process started: field 22 of its stat, in clock ticks since boot (proc(5))."""
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
