"""Every detection leads back to its sound, chunk, detector, settings, run and commit."""

from __future__ import annotations

import hashlib
import json

import pytest

from badc_assets.chunks.manifest import read_manifest
from badc_assets.errors import BadcError
from badc_assets.recordings.lookup import find_recording
from badc_assets.reports.trace import trace_recording
from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import home
from badc_assets_tests.datasets import NOW, make_dataset
from badc_assets_tests.git import require_programs, run_in
from badc_assets_tests.sounds import noise, write_sound

__all__ = ["home"]


@pytest.fixture
def dataset(tmp_path):
    made = make_dataset(tmp_path / "data", 2)
    made.chunk()
    made.analyse("run-1")
    return made


def traced(dataset, name=None, at_ms=None):
    return trace_recording(dataset.layout, find_recording(dataset.layout, name or dataset.recording_ids[0]), at_ms)


def test_a_detection_is_traced_to_its_sound_chunk_detector_run_and_device(dataset):
    found = traced(dataset)
    assert found.detections
    (entry_path,) = {found.audio.path}
    assert found.audio.sha256 == hashlib.sha256(dataset.layout.source(entry_path).read_bytes()).hexdigest()
    manifest = {chunk.chunk_id: chunk for chunk in read_manifest(dataset.layout.manifest(found.recording_id))}
    info = dataset.project.detector_info
    for each in found.detections:
        assert each.chunk.sha256 == manifest[each.chunk.chunk_id].sha256
        assert each.chunk.device == "cpu"
        assert (each.detector, each.settings_hash, each.weights_sha256) == (
            info.name,
            info.settings_hash,
            info.weights_sha256 or "",
        )
        assert each.run_id == each.chunk.run_id == "run-1"
    assert found.analysed_at == NOW.isoformat()
    assert found.is_current
    assert found.settings == dataset.project.detector_settings.model_dump(mode="json")
    assert found.run is not None
    assert found.run.recording_ids == dataset.recording_ids
    assert found.run.settings["chunking"]["length_s"] == 2


def test_a_moment_shows_what_was_found_then_and_which_chunk_was_heard(dataset):
    inside = traced(dataset, at_ms=1500)
    assert inside.detections
    assert all(each.start_ms <= 1500 < each.end_ms for each in inside.detections)
    silent = traced(dataset, at_ms=4500)
    assert silent.detections == ()
    assert [(chunk.start_ms, chunk.end_ms) for chunk in silent.chunks] == [(4000, 5000)]
    with pytest.raises(BadcError, match="has 5000 ms"):
        traced(dataset, at_ms=5000)


def test_results_of_former_sound_say_so_and_do_not_take_the_new_hash(dataset):
    key = traced(dataset).audio.content_key
    name = dataset.recording_ids[0]
    write_sound(dataset.layout.source(f"audio/{name}.wav"), noise(3, seed=9))
    dataset.examine()
    found = traced(dataset)
    assert not found.is_current
    assert found.audio.content_key == key
    assert found.audio.sha256 == ""


def test_other_settings_than_those_of_the_run_are_not_claimed(dataset):
    record = dataset.layout.runs_dir / "run-1.json"
    value = json.loads(record.read_text())
    record.write_text(json.dumps(value | {"settings_hash": "other", "rules_digest": "other"}))
    assert traced(dataset).settings is None
    assert traced(dataset).rules is None
    record.unlink()
    assert traced(dataset).run is None


def test_commits_are_those_that_hold_the_sound_and_the_results(tmp_path, dataset):
    require_programs("git")
    root = dataset.layout.dataset
    assert traced(dataset).commit == ""
    run_in(root, "git", "init", "-q")
    run_in(root, "git", "add", "audio")
    run_in(root, "git", "commit", "-q", "-m", "sound")
    sound = run_in(root, "git", "rev-parse", "HEAD")
    found = traced(dataset)
    assert (found.audio.commit, found.commit) == (sound, "")
    run_in(root, "git", "add", "artifacts", "manifests")
    run_in(root, "git", "commit", "-q", "-m", "results")
    results = run_in(root, "git", "rev-parse", "HEAD")
    found = traced(dataset)
    assert (found.audio.commit, found.commit) == (sound, results)
    status = dataset.layout.infer_dir(found.recording_id) / ".infer_status.json"
    status.write_text(status.read_text() + "\n")
    assert traced(dataset).commit == ""


def test_a_run_that_finds_everything_done_leaves_no_record(dataset):
    dataset.analyse("run-2")
    assert [file.name for file in dataset.layout.runs_dir.iterdir()] == ["run-1.json"]


@pytest.mark.parametrize(
    "name", ["SITE-1_20230508_000000", "SITE-1_20230508_000000.wav", "audio/SITE-1_20230508_000000.wav"]
)
def test_a_recording_is_found_by_id_and_by_path(dataset, name):
    assert find_recording(dataset.layout, name).recording_id == dataset.recording_ids[0]
    assert find_recording(dataset.layout, str(dataset.layout.source("audio/SITE-1_20230508_000000.wav"))).alias


def test_an_unknown_or_ambiguous_recording_is_refused_in_words(tmp_path, dataset):
    with pytest.raises(BadcError, match="did you mean SITE-1_20230508_001500"):
        find_recording(dataset.layout, "SITE-1_20230508_00150")
    name = dataset.recording_ids[0]
    write_sound(dataset.layout.source(f"audio/a/{name}.wav"), noise(1, seed=7))
    write_sound(dataset.layout.source(f"audio/b/{name}.wav"), noise(1, seed=8))
    dataset.examine()
    dataset.layout.source(f"audio/{name}.wav").unlink()
    with pytest.raises(BadcError, match="is the name of 2 recordings"):
        _find_alias(dataset, name)


def _find_alias(dataset, name):
    from badc_assets.recordings.catalog_file import Catalog, read_catalog, write_catalog

    catalog = read_catalog(dataset.layout.catalog)
    assert catalog is not None
    write_catalog(dataset.layout.catalog, Catalog(tuple(e for e in catalog.entries if e.recording_id != name)))
    return find_recording(dataset.layout, name)


def test_the_command_prints_json_and_a_table(home, dataset):
    shell = SameProcess(home, dataset.layout.dataset)
    status, output = shell("badc", "trace", dataset.recording_ids[0], "--json", "--at", "1500")
    assert status == 0
    value = json.loads(output)
    assert value["detections"][0]["run_id"] == "run-1"
    assert value["run"]["run_id"] == "run-1"
    status, output = shell("badc", "trace", dataset.recording_ids[0])
    assert status == 0
    assert dataset.project.detector_info.settings_hash in output
    status, output = shell("badc", "trace", "nothing")
    assert status == 1
    assert "Traceback" not in output
