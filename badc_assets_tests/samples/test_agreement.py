"""Agreement of found events with known calls, by rule on small cases and for the energy detector on the sample dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.protocol import StreamInfo
from badc_assets.errors import BadcError
from badc_assets.samples.agreement import Agreement, FoundEvent, agreement, read_truth
from badc_assets.samples.synthesis import SampleDataset
from badc_assets.samples.truth import TrueCall, truth_text

A, B = "audio/a.wav", "audio/b.wav"


def _call(start_ms: int, end_ms: int, low_hz: float = 2000, high_hz: float = 4000, path: str = A) -> TrueCall:
    return TrueCall(path, start_ms, end_ms, low_hz, high_hz, "whistle", 12.0)


def test_a_call_found_in_pieces_counts_once_and_every_piece_is_right() -> None:
    found = [FoundEvent(A, start, start + 100, 2500, 3000) for start in (1000, 1400, 1800)]
    result = agreement([_call(1000, 2000)], found)
    assert (result.found_calls, result.right_events) == (1, 3)
    assert (result.recall, result.precision) == (1.0, 1.0)


def test_one_event_over_two_near_calls_is_right_and_finds_both() -> None:
    result = agreement([_call(1000, 2000), _call(2200, 3000)], [FoundEvent(A, 950, 3050, 2000, 4000)])
    assert (result.found_calls, result.right_events) == (2, 1)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(FoundEvent(A, 0, 60_000, 2000, 4000), id="spans the recording"),
        pytest.param(FoundEvent(A, 1000, 2000, 100, 300), id="another band"),
        pytest.param(FoundEvent(A, 1000, 2000, 3900, 9000), id="hardly the same band"),
        pytest.param(FoundEvent(A, 1900, 2500, 2000, 4000), id="mostly after the call"),
        pytest.param(FoundEvent(B, 1000, 2000, 2000, 4000), id="another recording"),
    ],
)
def test_wrong_events_find_nothing(event: FoundEvent) -> None:
    result = agreement([_call(1000, 2000)], [event])
    assert (result.found_calls, result.right_events) == (0, 0)


def test_a_click_inside_a_call_is_right_but_does_not_find_it() -> None:
    result = agreement([_call(0, 10_000)], [FoundEvent(A, 500, 560, 2000, 4000)])
    assert (result.found_calls, result.right_events) == (0, 1)


def test_overlapping_pieces_are_not_counted_twice() -> None:
    pieces = [FoundEvent(A, 0, 150, 2000, 4000)] * 3
    assert agreement([_call(0, 1000)], pieces).found_calls == 0


def test_unknown_frequencies_agree_with_any_call() -> None:
    assert agreement([_call(1000, 2000)], [FoundEvent(A, 1000, 2000)]).found_calls == 1


def test_nothing_to_divide_by_is_unknown() -> None:
    result = agreement([], [])
    assert (result.recall, result.precision) == (None, None)


def test_types_are_counted_apart() -> None:
    drum = TrueCall(A, 5000, 9000, 60, 200, "drum", 10.0)
    result = agreement([_call(0, 1000), drum], [FoundEvent(A, 5000, 9000, 40, 190)])
    assert {name: (kind.calls, kind.found_calls) for name, kind in result.by_type.items()} == {
        "drum": (1, 1),
        "whistle": (1, 0),
    }


spans = st.tuples(st.integers(0, 5000), st.integers(1, 2000), st.sampled_from([A, B]))


@given(st.lists(spans, max_size=6))
def test_the_truth_agrees_fully_with_itself(cuts: list[tuple[int, int, str]]) -> None:
    calls = [_call(start, start + length, path=path) for start, length, path in cuts]
    found = [FoundEvent(call.audio_path, call.start_ms, call.end_ms, call.low_hz, call.high_hz) for call in calls]
    result = agreement(calls, found)
    assert (result.found_calls, result.right_events) == (len(calls), len(calls))


@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6), spans)
def test_one_more_event_never_loses_a_call(
    cuts: list[tuple[int, int, str]], finds: list[tuple[int, int, str]], more: tuple[int, int, str]
) -> None:
    calls = [_call(start, start + length, path=path) for start, length, path in cuts]
    found = [FoundEvent(path, start, start + length, 2000, 4000) for start, length, path in [*finds, more]]
    assert agreement(calls, found).found_calls >= agreement(calls, found[:-1]).found_calls


def test_truth_survives_writing_and_reading(tmp_path: Path) -> None:
    calls = (_call(5, 10, path='audio/x, "y".wav'), _call(0, 3, path=B))
    path = tmp_path / "truth.csv"
    path.write_text(truth_text(calls).replace("\n", "\r\n"), newline="")
    assert set(read_truth(path)) == set(calls)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("audio_path,start_ms\na,1\n", "has no column end_ms"),
        (f"{truth_text([])}a.wav,one,2,3,4,drum,5\n", "line 2"),
        (f"{truth_text([])}a.wav,1,2\n", "line 2"),
    ],
)
def test_a_broken_truth_table_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(BadcError, match=problem):
        read_truth(path)


def test_a_missing_truth_table_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadcError, match="no such file"):
        read_truth(tmp_path / "truth.csv")


def _found(dataset: SampleDataset, settings: EnergySettings) -> list[FoundEvent]:
    detector = EnergyDetector(settings)
    found = []
    for path in dataset.audio_paths:
        samples, rate = soundfile.read(dataset.folder / path, dtype="float32", always_2d=True)
        mono = np.ascontiguousarray(samples.mean(axis=1))
        session = detector.open(StreamInfo(path, rate, len(mono)))
        events = [*session.feed(mono), *session.close()]
        found += [FoundEvent(path, event.start_ms, event.end_ms, event.low_hz, event.high_hz) for event in events]
    return found


def test_energy_detector_finds_the_calls_of_the_sample_dataset(sample_dataset: SampleDataset) -> None:
    found = _found(sample_dataset, EnergySettings())
    result: Agreement = agreement(sample_dataset.calls, found)
    assert result.recall is not None and result.recall >= 0.9
    assert result.precision is not None and result.precision >= 0.8
    for call_type, kind in result.by_type.items():
        assert kind.recall is not None and kind.recall >= 0.85, call_type
    called = {call.audio_path for call in sample_dataset.calls}
    assert not [event for event in found if event.audio_path not in called], "events where nothing calls"
