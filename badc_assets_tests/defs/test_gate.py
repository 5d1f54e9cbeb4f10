"""The gate: nothing is analysed whose chunking has not completed, however the run was started."""

from __future__ import annotations

import dagster as dg

from badc_assets.chunks.settings import ChunkSettings
from badc_assets.recordings.current import require_catalog
from badc_assets.reports.counting import read_evidence
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, materialized, run_assets
from badc_assets_tests.sounds import noise, write_sound


def catalogued(tmp_path, instance, **settings):
    dataset = make_dataset(tmp_path, 3, bad=(1,), **settings)
    assert run_assets(dataset.project, instance, ["recording_catalog"]).success
    return dataset


def test_in_one_run_of_one_recording_the_blocking_check_stops_detections(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    result = run_assets(dataset.project, instance, PER_RECORDING, [dataset.recording_ids[1]])
    assert not result.success
    steps = {event.step_key for event in result.all_events if event.is_step_start}
    assert "chunking" in steps
    assert "detections" not in steps
    assert materialized(instance, "chunk_status") == {dataset.recording_ids[1]}
    assert materialized(instance, "detections") == set()


def test_a_later_run_of_detections_alone_is_refused(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    bad = dataset.recording_ids[1]
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], [bad])
    result = run_assets(dataset.project, instance, ["detections"], [bad], checks=False)
    assert not result.success
    assert bad in failure_text(result)
    assert materialized(instance, "detections") == set()


def test_a_recording_that_was_never_chunked_is_refused(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    good = dataset.recording_ids[0]
    run_assets(dataset.project, instance, ["recordings"], [good])
    result = run_assets(dataset.project, instance, ["detections"], [good], checks=False)
    assert not result.success
    assert not dataset.layout.detections(good).exists()


def test_in_a_range_the_others_finish_and_the_run_ends_red_and_names_the_bad_one(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    first, bad, last = dataset.recording_ids
    result = run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids)
    assert not result.success
    assert materialized(instance, "chunk_status") == {first, bad, last}
    assert materialized(instance, "detections") == {first, last}
    assert bad in failure_text(result)
    assert first not in failure_text(result)


def test_in_a_range_the_check_is_stored_for_each_recording(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    first, bad, last = dataset.recording_ids
    result = run_assets(
        dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], dataset.recording_ids
    )
    assert result.success
    evaluations = [e for e in result.get_asset_check_evaluations() if e.check_name == "chunking_completed"]
    assert {e.partition: e.passed for e in evaluations if e.partition} == {first: True, bad: False, last: True}
    overall = [e for e in evaluations if e.partition is None]
    assert [(e.passed, e.severity) for e in overall] == [(False, dg.AssetCheckSeverity.WARN)]


def test_a_range_in_which_all_failed_is_blocked(tmp_path, instance):
    dataset = make_dataset(tmp_path, 2, bad=(0, 1))
    run_assets(dataset.project, instance, ["recording_catalog"])
    result = run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids)
    assert not result.success
    assert "detections" not in {event.step_key for event in result.all_events if event.is_step_start}


def test_partial_chunks_pass_only_when_the_project_allows_it(tmp_path, instance):
    dataset = catalogued(tmp_path, instance, inference={"allow_partial_chunks": True})
    good = dataset.recording_ids[0]
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], [good])
    dataset.layout.chunk_status(good).unlink()
    strict = dataset.project.model_copy(
        update={"inference": dataset.project.inference.model_copy(update={"allow_partial_chunks": False})}
    )
    assert not run_assets(strict, instance, ["detections"], [good], checks=False).success
    assert run_assets(dataset.project, instance, ["detections"], [good], checks=False).success


def test_partial_results_count_until_the_recording_changes(tmp_path, instance):
    dataset = catalogued(tmp_path, instance, inference={"allow_partial_chunks": True})
    good = dataset.recording_ids[0]
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], [good])
    dataset.layout.chunk_status(good).unlink()
    run_assets(dataset.project, instance, ["detections"], [good], checks=False)
    assert stages(dataset)[good] == "counted"
    write_sound(dataset.layout.source(f"audio/{good}.wav"), noise(9, seed=5))
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings"], [good])
    assert stages(dataset)[good] == "stale"


def test_partial_forgives_neither_changed_audio_nor_other_settings(tmp_path, instance):
    dataset = catalogued(tmp_path, instance, inference={"allow_partial_chunks": True})
    good = dataset.recording_ids[0]
    assert run_assets(dataset.project, instance, PER_RECORDING, [good]).success
    other = dataset.project.model_copy(update={"chunking": ChunkSettings(length_s=1)})
    assert not run_assets(other, instance, ["detections"], [good], checks=False).success
    write_sound(dataset.layout.source(f"audio/{good}.wav"), noise(9, seed=5))
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings"], [good])
    result = run_assets(dataset.project, instance, ["detections"], [good], checks=False)
    assert not result.success
    assert "the audio changed after it was chunked" in str(
        [e.step_failure_data.user_failure_data.metadata for e in result.all_events if e.is_step_failure]
    )


def test_a_stale_result_gets_no_bundle(tmp_path, instance):
    dataset = catalogued(tmp_path, instance)
    good = dataset.recording_ids[0]
    assert run_assets(dataset.project, instance, PER_RECORDING, [good]).success
    other = dataset.project.model_copy(update={"chunking": ChunkSettings(length_s=1)})
    run_assets(other, instance, ["chunk_manifest", "chunk_status"], [good])
    result = run_assets(other, instance, ["report_bundle"], [good])
    assert not result.success
    assert materialized(instance, "report_bundle") == set()


def stages(dataset) -> dict[str, str]:
    entries = require_catalog(dataset.layout).entries
    return {evidence.entry.recording_id: evidence.results for evidence in read_evidence(dataset.layout, entries)}
