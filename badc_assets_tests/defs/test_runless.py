"""What commands made is seen by Dagster: it calls nothing missing or stale that the files hold, and nothing is made again."""

from __future__ import annotations

import time

import dagster as dg
import pytest
from dagster._core.event_api import PartitionKeyFilter

from badc_assets.cli.outstanding import recordings_without_bundle, work_to_do
from badc_assets.defs.runless import report_files
from badc_assets.project import Project
from badc_assets.recordings.current import update_catalog
from badc_assets.stages import stages
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.defs.test_staleness import changed, stale
from badc_assets_tests.sounds import noise, write_sound


@pytest.fixture
def made(tmp_path) -> Dataset:
    """Three recordings, the second of which cannot be read, with everything that commands make of them."""
    dataset = make_dataset(tmp_path, 3, bad=(1,))
    dataset.chunk()
    dataset.analyse()
    stages.bundled(dataset.project, [dataset.recording_ids[0], dataset.recording_ids[2]])
    return dataset


def latest(instance: dg.DagsterInstance, asset: str, recording: str) -> dg.AssetMaterialization:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[recording]), limit=1
    ).records
    assert records[0].asset_materialization is not None
    return records[0].asset_materialization


def test_what_commands_made_is_on_record_up_to_date_and_not_made_again(made, instance):
    first, bad, last = made.recording_ids
    reported = report_files(made.project, instance)
    assert reported.recordings == 3
    assert reported.materializations == 3 * 3 + 2 * 2
    assert instance.get_dynamic_partitions("recordings") == [first, bad, last]
    assert stale(made.project, instance, [first, last]) == set()
    assert work_to_do(made.project, instance).recordings == []
    assert work_to_do(made.project, instance).unusable == [bad]
    assert recordings_without_bundle(made.project, instance) == []
    assert report_files(made.project, instance).materializations == 0, "told once"


def test_the_record_is_the_one_that_the_assets_would_make(tmp_path, instance):
    made = make_dataset(tmp_path, 3, bad=(1,))
    made.chunk()
    made.analyse()
    first, bad, last = made.recording_ids
    report_files(made.project, instance)
    of_commands = {
        (asset, key): latest(instance, asset, key) for asset in PER_RECORDING[:3] for key in (first, bad, last)
    }
    of_commands |= {("detections", key): latest(instance, "detections", key) for key in (first, last)}
    run_assets(made.project, instance, ["recording_catalog"])
    run_assets(made.project, instance, PER_RECORDING, made.recording_ids)
    assert report_files(made.project, instance).materializations == 0, "Dagster's own runs are no news"
    for (asset, key), before in of_commands.items():
        after = latest(instance, asset, key)
        added = {"made by"}
        assert before.metadata.keys() - added == after.metadata.keys() - added
        unchanged = {"unchanged"} if key == bad else set()  # what failed is tried again
        assert all(before.metadata[name] == after.metadata[name] for name in after.metadata.keys() - unchanged)
        same = ("dagster/data_version", "dagster/code_version")
        assert [before.tags[name] for name in same] == [after.tags[name] for name in same]


def test_the_checks_are_stored_with_it(made, instance):
    first, bad, last = made.recording_ids
    report_files(made.project, instance)
    key = dg.AssetCheckKey(dg.AssetKey("chunk_status"), "chunking_completed")
    for recording, has_passed in ((first, True), (bad, False), (last, True)):
        (record,) = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=1, partition_filter=dg_partition(recording)
        )
        evaluation = record.event.dagster_event.event_specific_data  # pyright: ignore[reportOptionalMemberAccess]
        assert evaluation.passed is has_passed
        assert evaluation.target_materialization_data is not None
    inside = dg.AssetCheckKey(dg.AssetKey("detections"), "detections_inside_chunks")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(inside, limit=1)
    assert record.event.dagster_event.event_specific_data.passed


def dg_partition(recording: str):
    return PartitionKeyFilter(key=recording)


def test_what_a_command_made_anew_follows_what_dagster_made(finished, finished_instance):
    second = finished.recording_ids[1]
    write_sound(finished.layout.source(f"audio/{second}.wav"), noise(5, seed=99))
    time.sleep(0.02)
    finished.chunk()
    finished.analyse()
    assert report_files(finished.project, finished_instance).materializations == 4
    assert stale(finished.project, finished_instance, finished.recording_ids) == {("report_bundle", second)}


def test_sound_that_only_a_scan_found_changed_makes_its_recording_stale(finished, finished_instance):
    second = finished.recording_ids[1]
    report_files(finished.project, finished_instance)
    write_sound(finished.layout.source(f"audio/{second}.wav"), noise(5, seed=99))
    update_catalog(finished.layout)
    assert report_files(finished.project, finished_instance).changed == 1
    assert stale(finished.project, finished_instance, finished.recording_ids) == {("recordings", second)}
    assert report_files(finished.project, finished_instance).changed == 0


def test_other_limits_that_change_no_verdict_leave_nothing_stale(finished, finished_instance):
    project = changed(finished.project, chunking={"length_s": 2, "quality": {"low_level_dbfs": -95}})
    assert {asset for asset, _ in stale(project, finished_instance, finished.recording_ids)} == {"chunk_status"}
    list(stages.chunked(project, finished.recording_ids))
    report_files(project, finished_instance)
    assert stale(project, finished_instance, finished.recording_ids) == set()


def test_results_of_another_detector_are_shown_as_stale_until_it_is_chosen(finished, finished_instance):
    first = finished.recording_ids[0]
    other = changed(finished.project, detector="stub")
    list(stages.analysed(other, [first], "another-run", lambda _: None))
    report_files(finished.project, finished_instance)
    assert ("detections", first) in stale(finished.project, finished_instance, finished.recording_ids)
    report_files(other, finished_instance)
    assert ("detections", first) not in stale(other, finished_instance, finished.recording_ids)


def test_nothing_is_said_of_a_dataset_that_was_never_scanned(tmp_path, instance):
    project = Project.model_validate({"dataset": tmp_path})
    assert report_files(project, instance).materializations == 0


def test_each_of_several_datasets_has_its_own_record(tmp_path, instance):
    datasets = [make_dataset(tmp_path / name, count, name=name) for name, count in (("north", 1), ("south", 2))]
    for dataset in datasets:
        dataset.chunk()
        dataset.analyse()
    assert [report_files(each.project, instance).materializations for each in datasets] == [4, 8]
    assert len(instance.get_dynamic_partitions("south/recordings")) == 2
    assert len(instance.get_materialized_partitions(dg.AssetKey(["north", "detections"]))) == 1
    assert work_to_do(datasets[1].project, instance).recordings == []
