"""The storage that keeps its connections is Dagster's own in all but speed."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from badc_assets.defs.sqlite_storage import KEPT, KeptEventLogStorage
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.instances import new_instance

ASSET = dg.AssetKey("detections")


def report(instance: dg.DagsterInstance, partition: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, partition=partition))


def test_dagsters_own_storage_reads_it_and_goes_on_with_it(tmp_path):
    with new_instance(tmp_path) as instance:
        assert isinstance(instance.event_log_storage, KeptEventLogStorage)
        report(instance, "a")
    own = DagsterSqliteStorage(str(tmp_path / "storage"))
    settings = {"storage": {"sqlite": {"base_dir": str(tmp_path / "storage")}}}
    assert set(own.event_log_storage.get_materialized_partitions(ASSET)) == {"a"}
    with dg.instance_for_test(overrides=settings, temp_dir=str(tmp_path)) as instance:
        report(instance, "b")
    with new_instance(tmp_path) as instance:
        assert set(instance.get_materialized_partitions(ASSET)) == {"a", "b"}


def test_threads_and_a_forked_process_lose_nothing(tmp_path):
    with new_instance(tmp_path) as instance:
        report(instance, "first")
        child = os.fork()
        if child == 0:
            report(instance, "forked")
            os._exit(0)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: report(instance, str(number)), range(40)))
        assert os.waitpid(child, 0)[1] == 0
        expected = {"first", "forked", *map(str, range(40))}
        assert set(instance.get_materialized_partitions(ASSET)) == expected


def test_what_was_written_is_there_for_others_at_once(tmp_path):
    with new_instance(tmp_path) as writer, new_instance(tmp_path) as reader:
        report(writer, "a")
        assert set(reader.get_materialized_partitions(ASSET)) == {"a"}
        report(reader, "b")
        assert set(writer.get_materialized_partitions(ASSET)) == {"a", "b"}


def test_few_databases_stay_open_however_many_runs_there_are(tmp_path):
    with new_instance(tmp_path) as instance:
        runs = [dg.materialize([nothing], instance=instance).run_id for _ in range(KEPT + 2)]
        opened = {link.resolve() for link in Path("/proc/self/fd").iterdir()}
        history = tmp_path / "storage" / "history" / "runs"
        assert 0 < sum(path.parent == history and path.suffix == ".db" for path in opened) <= KEPT
        for run in runs:
            assert any(event.is_dagster_event for event in instance.all_logs(run))


@dg.asset
def nothing() -> None:
    """Made at once."""


def test_a_planned_check_of_many_partitions_takes_little_room(finished, finished_instance):
    """Each of the rows says what Dagster's own would, without the list of all the others."""
    instance, keys = finished_instance, finished.recording_ids
    run_assets(finished.project, instance, PER_RECORDING, keys)
    index = Path(instance.event_log_storage.path_for_shard("index"))
    with sqlite3.connect(index) as connection:
        rows = connection.execute(
            "SELECT partition, evaluation_event FROM asset_check_executions WHERE execution_status = 'PLANNED'"
            " AND check_name = 'chunks_accounted_for' ORDER BY id DESC LIMIT 3"
        ).fetchall()
    assert {partition for partition, _ in rows} == set(keys)
    assert not any(key in text for _, text in rows for key in keys)
    (record,) = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("chunk_status"), "chunking_completed"), limit=1
    )
    assert record.status == AssetCheckExecutionRecordStatus.SUCCEEDED
