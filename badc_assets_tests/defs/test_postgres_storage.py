"""PostgreSQL as the storage of an instance, with a real server."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster_postgres import DagsterPostgresStorage

from badc_assets.defs.instance_health import instance_examinations
from badc_assets.defs.recovery import MACHINE_TAG, dead_runs, mend_dead_runs, runs_elsewhere
from badc_assets.processes import Machine
from badc_assets.upkeep.examination import examine
from badc_assets.upkeep.storage.postgres import database_url
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.defs.test_recovery import holder, limited
from badc_assets_tests.defs.test_sqlite_storage import ASSET, nothing, report
from badc_assets_tests.instances import postgres_instance

pytestmark = pytest.mark.system


@pytest.fixture
def instance(database, tmp_path):
    with postgres_instance(database, tmp_path / "home") as opened:
        yield opened


def connections(postgres, database: str) -> int:
    (row,) = postgres.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name_of(database)}'")
    return row[0]


def name_of(database: str) -> str:
    return urlsplit(database).path[1:]


def test_dagsters_own_storage_reads_it_and_goes_on_with_it(instance, database, tmp_path):
    report(instance, "a")
    own = DagsterPostgresStorage(database_url(database).render_as_string(hide_password=False))
    assert set(own.event_log_storage.get_materialized_partitions(ASSET)) == {"a"}
    report(instance, "b")
    with postgres_instance(database, tmp_path / "another machine") as other:
        assert set(other.get_materialized_partitions(ASSET)) == {"a", "b"}


def test_threads_and_a_forked_process_lose_nothing(instance):
    report(instance, "first")
    child = os.fork()
    if child == 0:
        report(instance, "forked")
        os._exit(0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: report(instance, str(number)), range(40)))
    assert os.waitpid(child, 0)[1] == 0
    assert set(instance.get_materialized_partitions(ASSET)) == {"first", "forked", *map(str, range(40))}


def test_a_process_keeps_one_connection_however_much_it_does(instance, postgres, database):
    for _ in range(3):
        assert dg.materialize([nothing], instance=instance).success
    assert connections(postgres, database) == 1


def test_a_server_that_crashes_and_starts_anew_loses_nothing(instance, postgres):
    report(instance, "before")
    postgres.stop()
    postgres.start()
    report(instance, "after")
    assert set(instance.get_materialized_partitions(ASSET)) == {"before", "after"}


def test_a_planned_check_of_many_partitions_takes_little_room(instance, postgres, database, tmp_path):
    dataset = make_dataset(tmp_path / "data", 3)
    assert run_assets(dataset.project, instance, ["recording_catalog"]).success
    assert run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids).success
    rows = postgres.execute(
        "SELECT partition, evaluation_event FROM asset_check_executions"
        " WHERE check_name = 'chunks_accounted_for' AND execution_status = 'PLANNED'",
        name_of(database),
    )
    assert {key for key, _ in rows} == set(dataset.recording_ids)
    assert not any(key in text for _, text in rows for key in dataset.recording_ids)


def test_a_live_run_is_left_alone_and_a_dead_one_is_not(tmp_path, instance):
    limited(instance)
    process = holder(instance, tmp_path / "started")
    try:
        assert mend_dead_runs(instance) == []
        (run,) = instance.get_runs()
        assert run.tags[MACHINE_TAG] == str(Machine.here())
    finally:
        process.kill()
        process.wait()
    assert mend_dead_runs(instance) == [run.run_id]
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []


def started_on(instance: dg.DagsterInstance, machine: Machine) -> dg.DagsterRun:
    """A run that counts as started on this machine, by a process whose number is taken here by nobody."""
    run = instance.create_run_for_job(dg.job(name="nothing")(lambda: None))
    instance.report_engine_event("Started", run, EngineEventData({"pid": dg.MetadataValue.text("4194303")}))
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
    instance.add_run_tags(run.run_id, {MACHINE_TAG: str(machine)})
    return run


def test_runs_on_other_machines_are_left_alone_unless_those_are_lost(instance):
    here = Machine.here()
    other = Machine("far", "another-id", "another-boot", here.processes)
    far = started_on(instance, other)
    container = started_on(instance, replace(here, name="box", processes="pid:[1]"))
    before = started_on(instance, replace(here, boot="before-the-power-cut"))
    killed = started_on(instance, here)
    assert {run.run_id for run in dead_runs(instance)} == {before.run_id, killed.run_id}
    assert {run.run_id: name for run, name, _ in runs_elsewhere(instance)} == {
        far.run_id: "far",
        container.run_id: "box",
    }
    assert set(mend_dead_runs(instance)) == {before.run_id, killed.run_id}
    assert mend_dead_runs(instance, "far") == [far.run_id]
    assert dead_runs(instance) == []


def test_the_doctor_names_runs_elsewhere_that_are_silent(instance, monkeypatch):
    run = started_on(instance, Machine("far", "another-id", "another-boot", "pid:[1]"))

    def found():
        every = instance_examinations(instance, 1, needs_daemon=False)
        return next(one for one in examine(every, fix=False) if one.name == "runs elsewhere")

    assert found().state == "ok"
    monkeypatch.setattr("badc_assets.defs.instance_health.SILENT_RUN_AFTER_S", -1)
    (ailment,) = found().ailments
    assert run.run_id in ailment.problem
    assert "badc recover --machine far" in ailment.remedy


def test_gpus_of_other_machines_may_raise_the_pools_limit(instance):
    def limits(slots: int, *, fix: bool = False):
        every = instance_examinations(instance, slots, needs_daemon=False)
        return next(one for one in examine(every, fix=fix) if one.name == "pool limits")

    limits(1, fix=True)
    instance.event_log_storage.set_concurrency_slots("gpu", 6)
    assert limits(2).state == "ok"
    assert limits(8).state == "problem"
    instance.event_log_storage.set_concurrency_slots("duckdb", 2)
    assert limits(2).state == "problem"
