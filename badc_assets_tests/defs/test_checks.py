"""Each check, and what makes it fail."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from badc_assets.definitions import build_definitions
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.instances import new_instance
from badc_assets_tests.sounds import noise, write_sound


@pytest.fixture
def dataset(finished):
    return finished


@pytest.fixture
def instance(finished_instance):
    return finished_instance


def check(dataset, instance, asset: str, name: str, recordings=()) -> dg.AssetCheckEvaluation:
    """Run one check alone and return what it said of all its recordings."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    partitions = {"partitions_def": dg.DynamicPartitionsDefinition(name="recordings")} if recordings else {}
    job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key), **partitions)
    resolved = dg.Definitions.merge(build_definitions(dataset.project), dg.Definitions(jobs=[job]))
    tags = {}
    if recordings:
        tags = {
            "dagster/asset_partition_range_start": recordings[0],
            "dagster/asset_partition_range_end": recordings[-1],
        }
    result = resolved.resolve_job_def("one_check").execute_in_process(instance=instance, tags=tags)
    (evaluation,) = [e for e in result.get_asset_check_evaluations() if e.check_name == name and e.partition is None]
    return evaluation


def change(path, **columns):
    """Replace columns of a Parquet file by `function(column)`."""
    table = pq.ParquetFile(path).read()
    for name, function in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, function(table[name]))
    pq.write_table(table, path)


@pytest.mark.parametrize("name", ["chunks_accounted_for", "detections_inside_chunks", "confidence_in_range"])
def test_checks_of_detections_pass_on_good_results(dataset, instance, name):
    assert check(dataset, instance, "detections", name, dataset.recording_ids).passed


@pytest.mark.parametrize(
    ("name", "file", "columns"),
    [
        ("confidence_in_range", "detections", {"confidence": lambda column: pc.add(column, 1.0)}),
        ("confidence_in_range", "detections", {"confidence": lambda column: pa.array([float("nan")] * len(column))}),
        ("detections_inside_chunks", "detections", {"absolute_end_ms": lambda column: pc.add(column, 60_000)}),
        ("detections_inside_chunks", "detections", {"absolute_time_ms": lambda column: pc.subtract(column, 5_000)}),
        ("chunks_accounted_for", "effort", {"detections": lambda column: pc.add(column, 1)}),
        ("chunks_accounted_for", "effort", {"chunk_id": lambda column: pa.array(["other"] * len(column))}),
        ("chunks_accounted_for", "effort", {"status": lambda column: pa.array(["failed"] * len(column))}),
    ],
)
def test_checks_of_detections_fail_and_name_the_recording(dataset, instance, name, file, columns):
    bad = dataset.recording_ids[1]
    status = dataset.layout.infer_dir(bad) / ".infer_status.json"
    change(getattr(dataset.layout, file)(bad), **columns)
    # The status knows the sizes of the files it was written for.
    text = status.read_text()
    for kind in ("detections", "effort"):
        size = getattr(dataset.layout, kind)(bad).stat().st_size
        text = "\n".join(
            f'  "{kind}_bytes": {size},' if f'"{kind}_bytes"' in line else line for line in text.splitlines()
        )
    status.write_text(text.replace(",\n}", "\n}"))
    evaluation = check(dataset, instance, "detections", name, dataset.recording_ids)
    assert not evaluation.passed
    assert bad in str(evaluation.metadata["broken"].value)
    assert dataset.recording_ids[0] not in str(evaluation.metadata["broken"].value)


def test_chunked_and_not_analysed_is_unaccounted(dataset, instance):
    bad = dataset.recording_ids[1]
    (dataset.layout.infer_dir(bad) / ".infer_status.json").unlink()
    assert not check(dataset, instance, "detections", "chunks_accounted_for", dataset.recording_ids).passed


def test_manifest_hashes_match_fails_on_changed_sound(dataset, instance):
    assert check(dataset, instance, "chunk_manifest", "manifest_hashes_match", dataset.recording_ids).passed
    path = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    evaluation = check(dataset, instance, "chunk_manifest", "manifest_hashes_match", dataset.recording_ids)
    assert not evaluation.passed
    assert dataset.recording_ids[0] in str(evaluation.metadata["mismatches"].value)


def test_no_duplicate_recordings(dataset, instance):
    assert check(dataset, instance, "recording_catalog", "no_duplicate_recordings").passed
    source = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    source.with_name("copy.wav").write_bytes(source.read_bytes())
    run_assets(dataset.project, instance, ["recording_catalog"])
    evaluation = check(dataset, instance, "recording_catalog", "no_duplicate_recordings")
    assert not evaluation.passed
    assert "copy.wav" in str(evaluation.metadata["list"].value)


def test_names_are_understood(dataset, instance):
    assert check(dataset, instance, "recording_catalog", "names_are_understood").passed
    source = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    source.rename(source.with_name("whatever.wav"))
    run_assets(dataset.project, instance, ["recording_catalog"])
    evaluation = check(dataset, instance, "recording_catalog", "names_are_understood")
    assert not evaluation.passed
    assert "whatever.wav" in str(evaluation.metadata["problems"].value)


def test_aggregates_match_parts(dataset, instance):
    assert check(dataset, instance, "detection_aggregates", "aggregates_match_parts").passed
    table = dataset.layout.aggregate_table("detections")
    pq.write_table(pq.ParquetFile(table).read().slice(1), table)
    assert not check(dataset, instance, "detection_aggregates", "aggregates_match_parts").passed


def test_sound_is_usable(dataset, instance):
    assert check(dataset, instance, "chunk_status", "sound_is_usable", dataset.recording_ids).passed
    mute, faint, _ = dataset.recording_ids
    write_sound(dataset.layout.source(f"audio/{mute}.wav"), noise(5, level=0))
    write_sound(dataset.layout.source(f"audio/{faint}.wav"), noise(5, level=0.00006))
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], dataset.recording_ids)
    evaluation = check(dataset, instance, "chunk_status", "sound_is_usable", dataset.recording_ids)
    assert (evaluation.passed, evaluation.description) == (False, "1 ok, 1 flagged, 1 quarantined")
    assert f"**{mute}**: no_sound" in str(evaluation.metadata["list of quarantined"].value)
    assert f"**{faint}**: low_level" in str(evaluation.metadata["list of flagged"].value)
    standing = check(dataset, instance, "detection_aggregates", "recordings_are_usable")
    assert standing.description == evaluation.description
    assert mute in str(standing.metadata["list of quarantined"].value)


def test_recordings_are_usable_passes_on_good_ones(dataset, instance):
    assert check(dataset, instance, "detection_aggregates", "recordings_are_usable").passed


def test_effort_adds_up(dataset, instance):
    assert check(dataset, instance, "detection_aggregates", "effort_adds_up").passed
    table = dataset.layout.aggregate_table("recordings")
    pq.write_table(pq.ParquetFile(table).read().slice(1), table)
    evaluation = check(dataset, instance, "detection_aggregates", "effort_adds_up")
    assert not evaluation.passed
    assert "SITE-1" in str(evaluation.metadata["differences"].value)


def test_no_overlapping_recordings(dataset, instance):
    assert check(dataset, instance, "detection_aggregates", "no_overlapping_recordings").passed
    first = dataset.recording_ids[0]
    other = f"{first[:-2]}02"  # two seconds later
    write_sound(dataset.layout.source(f"audio/{other}.wav"), noise(5, seed=7))
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings"], [other])
    evaluation = check(dataset, instance, "detection_aggregates", "no_overlapping_recordings")
    assert not evaluation.passed
    assert "begins 3 s before" in str(evaluation.metadata["list"].value)


def test_failed_recordings(dataset, instance):
    assert check(dataset, instance, "detection_aggregates", "failed_recordings").passed
    bad = dataset.recording_ids[1]
    dataset.layout.source(f"audio/{bad}.wav").write_bytes(b"broken")
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], [bad])
    evaluation = check(dataset, instance, "detection_aggregates", "failed_recordings")
    assert not evaluation.passed
    assert bad in str(evaluation.metadata["list"].value)


def test_a_red_range_checks_what_it_finished(tmp_path):
    dataset = make_dataset(tmp_path, 3, bad=(1,))
    with new_instance() as instance:
        run_assets(dataset.project, instance, ["recording_catalog"])
        result = run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids)
    assert not result.success
    names = {e.check_name for e in result.get_asset_check_evaluations() if e.asset_key == dg.AssetKey("detections")}
    assert names == {"chunks_accounted_for", "detections_inside_chunks", "confidence_in_range"}
