"""Runs whose process was killed do not hold up those that come after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob

from badc_assets.defs.executors import executor_for
from badc_assets.defs.recovery import mend_dead_runs
from badc_assets.project import Project

HOLD_THE_SLOT = """
import pathlib, sys, time
import dagster as dg

@dg.asset(pool="gpu")
def holder():
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(120)

with dg.DagsterInstance.get() as instance:
    dg.materialize([holder], instance=instance)
"""


def holder(instance: dg.DagsterInstance, marker: Path) -> subprocess.Popen:
    """A process whose run holds the only slot of the pool."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_SLOT, str(marker)],
        env={**os.environ, "DAGSTER_HOME": instance.root_directory},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def limited(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 1)


def test_a_live_run_is_left_alone_and_a_dead_one_is_not(tmp_path, instance):
    limited(instance)
    process = holder(instance, tmp_path / "started")
    try:
        time.sleep(1)
        assert mend_dead_runs(instance) == []
        assert len(instance.event_log_storage.get_concurrency_info("gpu").claimed_slots) == 1
    finally:
        process.kill()
        process.wait()
    (run_id,) = mend_dead_runs(instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []
    assert mend_dead_runs(instance) == []


def test_every_run_begins_with_it(tmp_path, instance):
    limited(instance)
    process = holder(instance, tmp_path / "started")
    process.kill()
    process.wait()
    executor = executor_for(Project.model_validate({"dataset": tmp_path}))

    @dg.job(executor_def=executor)
    def nothing() -> None: ...

    create = executor.executor_creation_fn
    assert create is not None
    create(dg.InitExecutorContext(InMemoryJob(nothing), executor, {"retries": {"enabled": {}}}, instance))
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []
