"""The engine: gate, reuse, isolation of failures, and rows that can be traced."""

from __future__ import annotations

import json

import numpy as np
import pytest

from badc_assets.detections.store import read_result_status
from badc_assets.detections.verify import results_problems
from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.stub import StubDetector, StubSettings
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import LoudWindows, WholeFile
from badc_assets_tests.inference.runs import effort, rows, run
from badc_assets_tests.sounds import noise, with_tone, write_sound


@pytest.fixture
def dataset(tmp_path):
    made = make_dataset(tmp_path, 3, seconds=5)
    made.chunk()
    return made


@pytest.mark.parametrize("detector", [LoudWindows(), EnergyDetector(EnergySettings())], ids=["windows", "stream"])
def test_the_tone_is_found_where_it_is(dataset, detector):
    outcomes = run(dataset, detector, min_score=0.5)
    assert all(outcome.is_complete and not outcome.was_reused for outcome in outcomes)
    for recording in dataset.recording_ids:
        found = rows(dataset, recording)
        assert found
        for row in found:
            assert 900 <= row["absolute_time_ms"] <= 2000
            assert row["absolute_end_ms"] <= 2200
            assert row["absolute_time_ms"] == row["chunk_start_ms"] + row["timestamp_ms"]
            assert row["chunk_id"].endswith(f"_{row['chunk_start_ms']}_{row['chunk_end_ms']}")
            assert row["run_id"] == "run-1"
            assert row["model_version"] == detector.info.model_version
    assert results_problems(dataset.layout, dataset.recording_ids) == {
        "chunks_accounted_for": {}, "detections_inside_chunks": {}, "confidence_in_range": {}
    }  # fmt: skip


@pytest.mark.parametrize("detector", [LoudWindows(), EnergyDetector(EnergySettings())], ids=["windows", "stream"])
def test_results_do_not_depend_on_blocks_batches_or_chunks(tmp_path, detector):
    kept = []
    for number, (length_s, settings) in enumerate(
        [(2, {}), (60, {"block_s": 0.37}), (1.3, {"batch_windows": 3, "block_s": 1.0})]
    ):
        dataset = make_dataset(tmp_path / str(number), 1, seconds=5, chunking={"length_s": length_s})
        dataset.chunk()
        run(dataset, detector, **settings)
        columns = ("absolute_time_ms", "absolute_end_ms", "label", "confidence", "low_hz", "high_hz", "snr_db")
        kept.append([tuple(row[name] for name in columns) for row in rows(dataset, dataset.recording_ids[0])])
    assert kept[0]
    assert kept[0] == kept[1] == kept[2]


def test_effort_counts_every_chunk_once_and_overlap_not_twice(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=5, chunking={"length_s": 2, "overlap_s": 1})
    dataset.chunk()
    run(dataset, LoudWindows(), min_score=0.5)
    found = effort(dataset, dataset.recording_ids[0])
    assert [row["effort_ms"] for row in found] == [2000, 1000, 1000, 1000]
    assert sum(row["detections"] for row in found) == len(rows(dataset, dataset.recording_ids[0]))
    assert {row["status"] for row in found} == {"ok", "empty"}


def test_a_chunk_without_detections_is_effort_and_no_detection(tmp_path):
    dataset = make_dataset(tmp_path, 0)
    write_sound(tmp_path / "audio" / "quiet.wav", noise(4))
    quiet = type(dataset)(dataset.project, ("quiet",))
    quiet.chunk()
    run(quiet, LoudWindows(), min_score=0.5)
    assert rows(quiet, "quiet") == []
    assert [row["status"] for row in effort(quiet, "quiet")] == ["empty", "empty"]


def test_stub_results_are_marked_as_such(dataset):
    run(dataset, StubDetector(StubSettings()))
    recording = dataset.recording_ids[0]
    assert rows(dataset, recording) == []
    assert {row["status"] for row in effort(dataset, recording)} == {"stub"}
    assert {row["detector"] for row in effort(dataset, recording)} == {"stub"}


def test_a_detector_that_fails_on_one_recording_does_not_stop_the_others(dataset):
    first, second, third = run(dataset, WholeFile())
    assert first.is_complete
    assert third.is_complete
    assert not second.is_complete
    assert "ZeroDivisionError: the model did not expect this" in second.reason
    assert {row["status"] for row in effort(dataset, second.recording_id)} == {"failed"}
    assert rows(dataset, second.recording_id) == []
    problems = results_problems(dataset.layout, dataset.recording_ids)["chunks_accounted_for"]
    assert list(problems) == [second.recording_id]


def test_a_failed_recording_is_tried_again_and_finished_ones_are_not(dataset):
    run(dataset, WholeFile())
    assert [outcome.was_reused for outcome in run(dataset, WholeFile(), run_id="run-2")] == [True, False, True]


def test_another_detector_replaces_the_results(dataset):
    run(dataset, StubDetector(StubSettings()))
    outcomes = run(dataset, LoudWindows(), min_score=0.5)
    assert not any(outcome.was_reused for outcome in outcomes)
    assert {row["detector"] for row in effort(dataset, dataset.recording_ids[0])} == {"loud"}


def test_results_without_a_status_file_are_made_again(dataset):
    run(dataset, LoudWindows())
    folder = dataset.layout.infer_dir(dataset.recording_ids[1])
    (folder / ".infer_status.json").unlink()
    assert [outcome.was_reused for outcome in run(dataset, LoudWindows())] == [True, False, True]


def test_a_vanished_recording_keeps_its_results_and_is_not_a_failure(dataset):
    run(dataset, LoudWindows())
    gone = dataset.recording_ids[1]
    dataset.layout.source(f"audio/{gone}.wav").unlink()
    dataset.chunk()
    outcomes = {outcome.recording_id: outcome for outcome in run(dataset, LoudWindows())}
    assert outcomes[gone].is_orphan
    assert outcomes[gone].is_complete
    assert rows(dataset, gone)


def test_the_status_says_what_the_files_hold(dataset):
    (outcome, *_) = run(dataset, LoudWindows(), min_score=0.5)
    status = read_result_status(dataset.layout, outcome.recording_id)
    assert status == outcome.result
    assert status is not None
    assert status.detections == len(rows(dataset, outcome.recording_id))
    assert (
        json.loads((dataset.layout.infer_dir(outcome.recording_id) / ".infer_status.json").read_text())["key"]
        == status.key
    )


class TestChannels:
    """Two channels with the tone in opposite phase, or in one of them."""

    def analysed(self, folder, left, right, quality=None, **settings):
        dataset = make_dataset(folder, 0, chunking={"length_s": 2, "quality": quality or {}})
        write_sound(folder / "audio" / "two.wav", np.stack([left, right], axis=1))
        dataset = type(dataset)(dataset.project, ("two",))
        dataset.chunk()
        (outcome,) = run(dataset, EnergyDetector(EnergySettings()), **settings)
        return outcome

    def test_a_tone_in_one_channel_is_found(self, tmp_path):
        sound = noise(5)
        outcome = self.analysed(tmp_path, with_tone(sound, 1, 2, 3000), noise(5, seed=1))
        assert outcome.is_complete
        assert outcome.result.detections > 0

    def test_channels_that_cancel_each_other_are_a_failure_and_no_silence(self, tmp_path):
        sound = with_tone(noise(5), 1, 2, 3000)
        outcome = self.analysed(tmp_path, sound, -sound)
        assert not outcome.is_complete
        assert "cancel each other" in outcome.reason

    def test_one_of_them_can_be_chosen(self, tmp_path):
        sound = with_tone(noise(5), 1, 2, 3000)
        outcome = self.analysed(tmp_path, sound, -sound, channel=1)
        assert outcome.is_complete
        assert outcome.result.detections > 0

    def test_a_channel_that_is_not_there_is_a_failure(self, tmp_path):
        outcome = self.analysed(tmp_path, noise(5), noise(5, seed=1), channel=2)
        assert outcome.reason.startswith("has 2 channels and no channel 2")

    def test_digital_silence_in_two_channels_is_no_failure(self, tmp_path):
        silence = np.zeros(16_000, np.float32)
        assert self.analysed(tmp_path, silence, silence).refused.startswith("no_sound")
        assert self.analysed(tmp_path, silence, silence, quality={"quarantine": []}).is_complete
