"""What goes wrong in a detector: exceptions, death, silence, memory. Nothing is lost, nothing is done for ever."""

from __future__ import annotations

import time

import numpy as np
import pytest

from badc_assets.detections.verify import results_problems
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import LoudWindows, Nonsense, Trouble, Unloadable
from badc_assets_tests.inference.runs import effort, engine, found, rows, run


@pytest.fixture
def dataset(tmp_path):
    """Three recordings of five seconds; the tone, which is loud, lies in the first two of three chunks."""
    made = make_dataset(tmp_path, 3, seconds=5)
    made.chunk()
    return made


@pytest.fixture
def expected(tmp_path):
    made = make_dataset(tmp_path / "expected", 3, seconds=5)
    made.chunk()
    run(made, LoudWindows())
    return [found(made, recording) for recording in made.recording_ids]


def statuses(dataset):
    return [[row["status"] for row in effort(dataset, recording)] for recording in dataset.recording_ids]


@pytest.mark.parametrize("how", ["raise", "die"])
def test_a_chunk_that_fails_twice_is_tried_three_times_and_succeeds(dataset, tmp_path, expected, how):
    outcomes = run(dataset, Trouble(how, tmp_path / "diary", times=2), batch_windows=4)
    assert all(outcome.is_complete for outcome in outcomes)
    assert [found(dataset, recording) for recording in dataset.recording_ids] == expected
    assert max(row["attempts"] for row in effort(dataset, dataset.recording_ids[0])) > 1


@pytest.mark.parametrize(
    ("how", "said", "tries"),
    [
        ("raise", "the detector failed: ZeroDivisionError: too loud", 3),
        ("refuse", "is too loud for this model", 1),
        ("die", "killed by SIGKILL", 3),
    ],
)
def test_poison_is_recorded_and_the_other_chunks_have_their_results(dataset, tmp_path, expected, how, said, tries):
    outcomes = run(dataset, Trouble(how, tmp_path / "diary"), batch_windows=4, stop_after_failures=1000)
    assert not any(outcome.is_complete for outcome in outcomes)
    assert all(said in outcome.reason and "of 3 chunks failed" in outcome.reason for outcome in outcomes)
    # The tone goes from 1 to 2 s: what is heard of it in the second chunk is its last ripple.
    assert statuses(dataset) == [["failed", "ok", "empty"]] * 3
    assert {row["attempts"] for recording in dataset.recording_ids for row in effort(dataset, recording)[:1]} == {tries}
    kept = [[row for row in one if row[0] >= 2000] for one in expected]
    assert [found(dataset, recording) for recording in dataset.recording_ids] == kept
    problems = results_problems(dataset.layout, dataset.recording_ids)["chunks_accounted_for"]
    assert all(problem.startswith("1 of 3 chunks were not analysed") for problem in problems.values())


def test_only_what_failed_is_done_again(dataset, tmp_path, expected):
    diary = tmp_path / "diary"
    run(dataset, Trouble("raise", diary, times=9), batch_windows=4, max_retries=0)
    assert statuses(dataset)[0][0] == "failed"
    outcomes = run(dataset, Trouble("raise", diary, times=0), run_id="run-2")
    assert all(outcome.is_complete and not outcome.was_reused for outcome in outcomes)
    assert [found(dataset, recording) for recording in dataset.recording_ids] == expected
    assert not list(dataset.layout.output.glob("artifacts/journal/*"))


def test_a_worker_that_hangs_is_ended_and_its_chunk_recorded(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=5)
    dataset.chunk()
    began = time.monotonic()
    (outcome,) = run(dataset, Trouble("hang", tmp_path / "diary"), chunk_timeout_s=0.8, max_retries=1)
    assert time.monotonic() - began < 30
    assert "made no progress for 0.8 s" in outcome.reason
    assert [row["status"] for row in effort(dataset, dataset.recording_ids[0])] == ["failed", "ok", "empty"]


def test_a_batch_too_large_for_the_memory_is_halved_and_not_lost(dataset, tmp_path, expected):
    outcomes = run(dataset, Trouble("memory", tmp_path / "diary"), batch_windows=16)
    assert all(outcome.is_complete for outcome in outcomes)
    assert [found(dataset, recording) for recording in dataset.recording_ids] == expected
    assert {row["attempts"] for row in effort(dataset, dataset.recording_ids[0])} == {1}


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1, float("inf")])
def test_scores_that_are_none_are_failures_and_not_silence(dataset, value):
    outcomes = run(dataset, Nonsense(value), max_retries=0)
    assert all("scores are not all numbers in 0..1" in outcome.reason for outcome in outcomes)
    assert statuses(dataset) == [["failed"] * 3] * 3


def test_a_detector_that_fails_on_everything_stops_early_and_says_so(tmp_path):
    dataset = make_dataset(tmp_path, 12, seconds=5)
    dataset.chunk()
    said = []
    diary = tmp_path / "diary"
    made = engine(dataset, Trouble("raise", diary, above=0, times=1000), max_retries=0, stop_after_failures=5)
    outcomes = list(type(made)(**{**vars(made), "say": said.append}).run(dataset.recording_ids))
    assert {outcome.recording_id for outcome in outcomes} == set(dataset.recording_ids)
    assert not any(outcome.is_complete for outcome in outcomes)
    given_up = [outcome for outcome in outcomes if "failed on everything it was given" in outcome.reason]
    assert len(given_up) >= 9
    assert all("ZeroDivisionError: too loud" in outcome.reason for outcome in given_up)
    assert any(text.startswith("Giving up") for text in said)
    assert diary.stat().st_size < 12


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("refuse", "model: is not here; fetch it"),
        ("raise", "detector loud: cannot be used: KeyError: 'weights'; the log has its traceback"),
        ("die", "detector loud: cannot be loaded: its worker process was killed by SIGKILL"),
    ],
)
def test_a_detector_that_cannot_be_loaded_ends_the_run_with_one_line(dataset, how, line):
    with pytest.raises(BadcError) as caught:
        run(dataset, Unloadable(how))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_nothing_is_started_when_nothing_is_to_do(dataset):
    run(dataset, LoudWindows())
    outcomes = run(dataset, LoudWindows(), run_id="run-2")
    assert all(outcome.was_reused for outcome in outcomes)
    assert {row["run_id"] for row in rows(dataset, dataset.recording_ids[0])} == {"run-1"}
    assert np.all([outcome.result.run_id == "run-1" for outcome in outcomes])
