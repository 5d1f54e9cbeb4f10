"""Runs whose process was killed do not hold up those that come after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry

from badc_assets.defs.dataset import Dataset
from badc_assets.defs.executors import executor_for
from badc_assets.defs.jobs import jobs_of
from badc_assets.defs.recovery import mend_dead_runs
from badc_assets.defs.upkeep import mend_killed_runs
from badc_assets.project import Project
from badc_assets_tests.instances import new_instance

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


def test_the_daemon_ends_killed_runs_and_frees_what_they_held(tmp_path, instance):
    limited(instance)
    process = holder(instance, tmp_path / "started")
    process.kill()
    process.wait()

    said = mend_killed_runs(dg.build_sensor_context(instance))

    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "ended 1 killed runs"
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []
    assert mend_killed_runs.default_status == dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize(
    ("reason", "is_retried"), [(RunFailureReason.UNKNOWN, True), (RunFailureReason.STEP_FAILURE, False)]
)
def test_killed_runs_of_our_jobs_are_started_again_and_failed_ones_are_not(tmp_path, reason, is_retried):
    settings = yaml.safe_load((Path(__file__).parents[2] / "dagster.yaml").read_text())["run_retries"]
    with new_instance(run_retries=settings) as instance:
        for job in jobs_of(Dataset(Project.model_validate({"dataset": tmp_path}))).values():
            run = dg.DagsterRun(job_name=job.name, status=dg.DagsterRunStatus.FAILURE, tags=dict(job.tags or {}))
            instance.add_run(run)
            instance.add_run_tags(run.run_id, {RUN_FAILURE_REASON_TAG: reason.value})
            failed = instance.get_run_by_id(run.run_id)
            assert failed is not None
            assert should_retry(failed, instance) == is_retried


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
