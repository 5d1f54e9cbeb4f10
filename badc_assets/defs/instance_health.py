"""What the doctor looks at inside a Dagster instance: dead runs, leaked slots, pool limits, and the daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg

from badc_assets.defs.recovery import (
    dead_runs,
    free_leaked_slots,
    is_shared,
    leaked_slots,
    mend_dead_runs,
    runs_elsewhere,
)
from badc_assets.upkeep.examination import Ailment, Examination

FIX = "badc doctor --fix"
ONE_AT_A_TIME = ("datalad", "duckdb")
"""Pools whose steps write one thing that has one writer."""
SILENT_AFTER_S = 300
SILENT_RUN_AFTER_S = 24 * 3600


def instance_examinations(instance: dg.DagsterInstance, gpu_slots: int, *, needs_daemon: bool) -> list[Examination]:
    """All examinations of an instance. `gpu_slots` is how many steps may use the GPUs at a time."""
    limits = {"gpu": gpu_slots, **dict.fromkeys(ONE_AT_A_TIME, 1)}
    return [
        Examination("dead runs", lambda: _dead_runs(instance), lambda: _mend(instance)),
        Examination("runs elsewhere", lambda: _silent_elsewhere(instance)),
        Examination("pool slots", lambda: _leaked(instance), lambda: free_leaked_slots(instance)),
        Examination("pool limits", lambda: _limits(instance, limits), lambda: _set_limits(instance, limits)),
        Examination("daemon", lambda: _daemon(instance, needs_daemon=needs_daemon)),
    ]


def gpu_slots(cards: int, max_gpus: int | None) -> int:
    """How many steps fit on this many cards, when each takes `max_gpus` of them (None: all that are free)."""
    return max(1, cards // max_gpus) if max_gpus else 1


def _dead_runs(instance: dg.DagsterInstance) -> Iterator[Ailment]:
    for run in dead_runs(instance):
        yield Ailment(f"run {run.run_id} of {run.job_name} counts as started, and its process is gone", FIX)


def _silent_elsewhere(instance: dg.DagsterInstance) -> Iterator[Ailment]:
    for run, machine, last_s in runs_elsewhere(instance):
        if (silent_s := time.time() - last_s) > SILENT_RUN_AFTER_S:
            yield Ailment(
                f"run {run.run_id} on {machine} counts as started, and said nothing for {silent_s / 3600:.0f} hours",
                f"if {machine} will not come back: badc recover --machine {machine}",
            )


def _mend(instance: dg.DagsterInstance) -> None:
    mend_dead_runs(instance)


def _leaked(instance: dg.DagsterInstance) -> Iterator[Ailment]:
    for run_id, pools in leaked_slots(instance).items():
        yield Ailment(f"run {run_id} is over and still holds a slot of {', '.join(pools)}", FIX)


def _limits(instance: dg.DagsterInstance, limits: dict[str, int]) -> Iterator[Ailment]:
    for pool, wanted in limits.items():
        limit = _limit(instance, pool)
        if not _is_right(instance, pool, limit, wanted):
            stated = "has no limit" if limit is None else f"lets {limit} steps run at a time"
            yield Ailment(f"pool {pool} {stated}, and should let {wanted}", FIX)


def _set_limits(instance: dg.DagsterInstance, limits: dict[str, int]) -> None:
    for pool, wanted in limits.items():
        if not _is_right(instance, pool, _limit(instance, pool), wanted):
            instance.event_log_storage.set_concurrency_slots(pool, wanted)


def _is_right(instance: dg.DagsterInstance, pool: str, limit: int | None, wanted: int) -> bool:
    # The GPUs of other machines count too, and only they know how many they are.
    has_more = limit is not None and limit > wanted and pool == "gpu" and is_shared(instance)
    return limit == wanted or has_more


def _limit(instance: dg.DagsterInstance, pool: str) -> int | None:
    """The limit that holds for a pool: its own, else the default of dagster.yaml."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    return info.limit if info.limit is not None else info.slot_count or None


def _daemon(instance: dg.DagsterInstance, *, needs_daemon: bool) -> Iterator[Ailment]:
    if not needs_daemon:
        return
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    if not beats or time.time() - max(beats) > SILENT_AFTER_S:
        yield Ailment("automation is enabled, and no daemon runs", "start `badc ui`, or the service in deploy/")
