"""Clean up after runs whose process was killed: Dagster keeps them as started, and their pool slots taken, for ever."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from badc_assets.processes import Machine, is_alive

MACHINE_TAG = "badc/machine"
"""Of a run in a storage that machines share: the one on which it runs, as text of `Machine`."""


def mend_dead_runs(instance: dg.DagsterInstance, lost: str = "") -> list[str]:
    """Mark started runs whose process is gone as failed and free their slots; returns their ids."""
    dead = dead_runs(instance, lost)
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed. What it had finished is kept.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def dead_runs(instance: dg.DagsterInstance, lost: str = "") -> list[dg.DagsterRun]:
    """Runs that count as started and whose process is gone.

    Of a process on another machine nothing can be known here: its runs are left alone, unless it is named as `lost`.
    """
    here = Machine.here()
    return [run for run in _started(instance) if _is_dead(instance, run, here, lost)]


def runs_elsewhere(instance: dg.DagsterInstance) -> list[tuple[dg.DagsterRun, str, float]]:
    """Started runs of which nothing can be known here, the name of their machine, and when they last said something (seconds
    since the epoch)."""
    here = Machine.here()
    found = []
    for run in _started(instance):
        machine = _machine_of(instance, run, here)
        if machine is None or machine.shares_processes_with(here) or machine.was_restarted_as(here):
            continue
        last = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        found.append((run, machine.name, last[0].timestamp if last else 0.0))
    return found


def is_shared(instance: dg.DagsterInstance) -> bool:
    """Whether other machines may use the storage too: all but SQLite."""
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    return not isinstance(instance.event_log_storage, SqliteEventLogStorage)


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


def _started(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]))


def _machine_of(instance: dg.DagsterInstance, run: dg.DagsterRun, here: Machine) -> Machine | None:
    return Machine.parse(run.tags.get(MACHINE_TAG, "")) if is_shared(instance) else here


def _is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun, here: Machine, lost: str) -> bool:
    machine = _machine_of(instance, run, here)
    if machine is None:
        return False
    if machine.was_restarted_as(here):
        return True
    if machine != here and not machine.shares_processes_with(here):
        return bool(lost) and machine.name == lost
    process = process_of(instance, run.run_id)
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
