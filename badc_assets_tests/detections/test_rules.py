"""Thresholds, lists and merging: what was found becomes detections, and no analysis is needed for other rules."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detections.rules import DetectionRules, merged
from badc_assets.detectors.protocol import Event, Label
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import Levels
from badc_assets_tests.inference.runs import effort, found, run

OWL, WREN = Label("BADO", "Barred Owl"), Label("WIWR", "Winter Wren")
EVENTS = [
    Event(0, 1000, OWL, 0.9),
    Event(0, 1000, WREN, 0.4),
    Event(1000, 2000, OWL, 0.5, low_hz=300, high_hz=500),
    Event(5000, 6000, WREN, 0.8),
]

events = st.lists(
    st.builds(
        lambda start, length, label, confidence: Event(start, start + length, label, confidence),
        st.integers(0, 5000), st.integers(1, 900), st.sampled_from([OWL, WREN]), st.floats(0, 1),
    ),
    max_size=30,
)  # fmt: skip


def kept(**rules):
    return [(e.start_ms, e.end_ms, e.label.code, e.confidence) for e in DetectionRules(**rules).apply(EVENTS)]


def test_without_rules_everything_is_a_detection():
    rules = DetectionRules()
    assert rules.apply(EVENTS) == EVENTS
    assert rules.keeps_everything
    assert rules.digest == ""


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"min_confidence": 0.5}, [0, 2, 3]),
        ({"thresholds": {"Winter Wren": 0.9}}, [0, 2]),
        ({"min_confidence": 0.9, "thresholds": {"WIWR": 0.0}}, [0, 1, 3]),
        ({"include": ["WIWR"]}, [1, 3]),
        ({"exclude": ["Winter Wren"]}, [0, 2]),
        ({"top_k": 1}, [0, 2, 3]),
    ],
)
def test_each_rule_leaves_out_what_it_says(rules, left):
    chosen = DetectionRules(**rules)
    assert chosen.apply(EVENTS) == [EVENTS[number] for number in left]
    assert not chosen.keeps_everything
    assert chosen.digest


def test_merging_joins_what_touches():
    assert kept(merge_gap_ms=0) == [(0, 1000, "WIWR", 0.4), (0, 2000, "BADO", 0.9), (5000, 6000, "WIWR", 0.8)]
    assert kept(merge_gap_ms=4000) == [(0, 2000, "BADO", 0.9), (0, 6000, "WIWR", 0.8)]
    (_, joined, _) = DetectionRules(merge_gap_ms=0).apply(EVENTS)
    assert (joined.low_hz, joined.high_hz) == (300, 500)


@given(events, st.integers(0, 500))
def test_merged_events_lie_apart_and_cover_the_same_time(found_events, gap_ms):
    joined = merged(found_events, gap_ms)
    for label in (OWL, WREN):
        mine = sorted((e.start_ms, e.end_ms) for e in joined if e.label == label)
        assert all(later[0] > earlier[1] + gap_ms for earlier, later in pairwise(mine))
        for event in found_events:
            if event.label == label:
                assert any(start <= event.start_ms and event.end_ms <= end for start, end in mine)
    assert max((e.confidence for e in joined), default=0) == max((e.confidence for e in found_events), default=0)
    assert merged(joined, gap_ms) == joined


class TestOtherRules:
    """A recording that was analysed once."""

    @pytest.fixture
    def dataset(self, tmp_path):
        made = make_dataset(tmp_path, 2, seconds=5)
        made.chunk()
        return made

    def test_they_need_no_analysis_and_can_be_taken_back(self, dataset):
        first = dataset.recording_ids[0]
        run(dataset, Levels(), min_score=0.0)
        everything = found(dataset, first)
        some = run(dataset, Refusing(), min_score=0.0, rules=DetectionRules(exclude=("OTHER",)), run_id="run-2")
        assert all(outcome.is_complete and not outcome.was_reused for outcome in some)
        assert found(dataset, first) == [row for row in everything if row[2] == "TONE"]
        assert dataset.layout.raw_events(first).is_file()
        assert sum(row["detections"] for row in effort(dataset, first)) == len(everything) / 2
        none = DetectionRules(min_confidence=1.0, include=("NOTHING",))
        run(dataset, Refusing(), min_score=0.0, rules=none)
        assert found(dataset, first) == []
        assert {row["status"] for row in effort(dataset, first)} == {"empty"}
        run(dataset, Refusing(), min_score=0.0)
        assert found(dataset, first) == everything
        assert not dataset.layout.raw_events(first).exists()

    def test_the_same_rules_are_found_to_be_done(self, dataset):
        rules = DetectionRules(min_confidence=0.3)
        run(dataset, Levels(), rules=rules)
        assert all(outcome.was_reused for outcome in run(dataset, Levels(), rules=rules))

    def test_stored_results_that_are_damaged_are_made_again(self, dataset):
        first = dataset.recording_ids[0]
        run(dataset, Levels(), min_score=0.0)
        everything = found(dataset, first)
        path = dataset.layout.detections(first)
        path.write_bytes(b"PAR1" + bytes(path.stat().st_size - 4))
        rules = DetectionRules(exclude=("OTHER",))
        assert all(outcome.is_complete for outcome in run(dataset, Levels(), min_score=0.0, rules=rules))
        assert found(dataset, first) == [row for row in everything if row[2] == "TONE"]


class Refusing(Levels):
    """Must not be asked again."""

    def score(self, windows):
        raise AssertionError("it was analysed again")
