"""An event in the overlap of chunks counts once, and no event is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.repeats import without_repeats
from badc_assets.detectors.protocol import Event, Label

OWL, WREN = Label("BADO", "Barred Owl"), Label("WIWR", "Winter Wren")


def chunk(start_ms: int, end_ms: int) -> Chunk:
    return Chunk("R", f"R_chunk_{start_ms}_{end_ms}", "audio/R.wav", start_ms, end_ms, 0, "")


FIRST, SECOND = chunk(0, 2000), chunk(1000, 3000)


def test_an_event_that_is_cut_by_the_end_of_a_chunk_is_whole_again():
    heard = Event(1500, 2000, OWL, 0.5), Event(1400, 2600, OWL, 0.9)
    assert without_repeats([(FIRST, heard[:1]), (SECOND, heard[1:])]) == [Event(1400, 2600, OWL, 0.9)]


def test_each_event_has_one_partner_and_only_of_another_chunk():
    calls = [Event(1000, 1100, OWL, 0.5), Event(1100, 1200, OWL, 0.6), Event(1100, 1200, OWL, 0.7)]
    assert without_repeats([(FIRST, calls), (SECOND, calls)]) == calls
    moment = [Event(1500, 1500, OWL, 0.5)]
    assert without_repeats([(FIRST, moment), (SECOND, moment)]) == moment


def test_other_labels_and_chunks_that_only_touch_are_left_alone():
    parts = [(FIRST, [Event(1900, 2000, OWL, 0.5)]), (chunk(2000, 4000), [Event(2000, 2100, OWL, 0.5)])]
    assert len(without_repeats(parts)) == 2
    parts = [(FIRST, [Event(1000, 2000, OWL, 0.5)]), (SECOND, [Event(1000, 2000, WREN, 0.5)])]
    assert len(without_repeats(parts)) == 2


lengths = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 900), st.sampled_from([OWL, WREN])), max_size=12)


@given(lengths)
def test_calls_one_after_another_count_as_without_an_overlap(calls):
    there, time_ms = [], 0
    for pause_ms, length_ms, label in calls:
        there.append(Event(time_ms + pause_ms, time_ms + pause_ms + length_ms, label, 0.5))
        time_ms += pause_ms + length_ms + 1
    chunks = [chunk(start, start + 2000) for start in range(0, 30_000, 1000)]
    heard = [(c, [e for e in there if c.start_ms <= e.start_ms and e.end_ms <= c.end_ms]) for c in chunks]
    assert without_repeats(heard) == there


def test_events_that_hardly_touch_are_two():
    parts = [(FIRST, [Event(600, 1002, OWL, 0.5)]), (SECOND, [Event(1001, 2500, OWL, 0.5)])]
    assert len(without_repeats(parts)) == 1, "half of what reaches into the overlap"
    parts = [(FIRST, [Event(600, 1102, OWL, 0.5)]), (SECOND, [Event(1101, 2500, OWL, 0.5)])]
    assert len(without_repeats(parts)) == 2
