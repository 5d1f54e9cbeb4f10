"""A change makes exactly the right assets of the right recordings stale; no change makes none stale and redoes nothing."""

from __future__ import annotations

import os

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from badc_assets.definitions import build_definitions
from badc_assets.project import Project
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.sounds import noise, write_sound

EVERYTHING = (*PER_RECORDING, "report_bundle")


def stale(project: Project, instance: dg.DagsterInstance, recordings) -> set[tuple[str, str]]:
    """(asset, recording) of what Dagster calls stale."""
    graph = build_definitions(project).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return {
        (asset, recording)
        for asset in EVERYTHING
        for recording in recordings
        if resolver.get_status(dg.AssetKey(asset), recording).value != "FRESH"
    }


@pytest.fixture
def instance(finished_instance):
    return finished_instance


def changed(project: Project, **tables) -> Project:
    return Project.model_validate({**project.model_dump(), **tables})


def test_nothing_is_stale_after_a_run(finished, instance):
    assert stale(finished.project, instance, finished.recording_ids) == set()


def test_running_again_redoes_nothing_and_leaves_nothing_stale(finished, instance):
    before = {
        path: path.stat().st_mtime_ns for path in finished.layout.output.rglob("*.parquet") if "infer" in path.parts
    }
    run_assets(finished.project, instance, ["recording_catalog"])
    result = run_assets(finished.project, instance, PER_RECORDING, finished.recording_ids[:2])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    unchanged = [e.metadata["unchanged"].value for e in result.asset_materializations_for_node("detections")]
    assert unchanged == [True, True]
    assert stale(finished.project, instance, finished.recording_ids) == set()


def test_other_detector_settings_make_the_detections_stale_and_nothing_before_them(finished, instance):
    project = changed(finished.project, detector="stub")
    assert {asset for asset, _ in stale(project, instance, finished.recording_ids)} == {"detections"}
    run_assets(project, instance, ["detections"], finished.recording_ids)
    assert {asset for asset, _ in stale(project, instance, finished.recording_ids)} == {"report_bundle"}


def test_other_chunking_makes_chunks_stale_and_then_what_follows(finished, instance):
    project = changed(finished.project, chunking={"length_s": 3})
    assert {asset for asset, _ in stale(project, instance, finished.recording_ids)} == {
        "chunk_manifest",
        "chunk_status",
    }
    run_assets(project, instance, ["chunk_manifest", "chunk_status"], finished.recording_ids)
    assert {asset for asset, _ in stale(project, instance, finished.recording_ids)} == {"detections"}


def test_settings_that_change_no_result_make_nothing_stale(finished, instance):
    project = changed(finished.project, inference={"batch_windows": 7, "block_s": 3})
    assert stale(project, instance, finished.recording_ids) == set()


def test_changed_audio_makes_only_its_own_recording_stale(finished, instance):
    second = finished.recording_ids[1]
    write_sound(finished.layout.source(f"audio/{second}.wav"), noise(5, seed=99))
    run_assets(finished.project, instance, ["recording_catalog"])
    assert stale(finished.project, instance, finished.recording_ids) == {("recordings", second)}
    run_assets(finished.project, instance, PER_RECORDING, [second])
    assert stale(finished.project, instance, finished.recording_ids) == {("report_bundle", second)}


def test_a_touched_file_is_verified_again_and_makes_no_detection_stale(finished, instance):
    second = finished.recording_ids[1]
    os.utime(finished.layout.source(f"audio/{second}.wav"), ns=(1, 1))
    run_assets(finished.project, instance, ["recording_catalog"])
    assert stale(finished.project, instance, finished.recording_ids) == {("recordings", second)}
    run_assets(finished.project, instance, ["recordings", "chunk_manifest", "chunk_status"], [second])
    assert stale(finished.project, instance, finished.recording_ids) == set()


def test_a_range_run_makes_one_materialization_of_each_recording(finished, instance):
    for asset in EVERYTHING:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
        assert sorted(record.partition_key for record in records) == list(finished.recording_ids)
