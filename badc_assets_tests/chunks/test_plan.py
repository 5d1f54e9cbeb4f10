from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.plan import chunk_plan
from badc_assets.chunks.settings import ChunkSettings

RATES = st.sampled_from([8000, 11_025, 22_050, 44_100, 48_000, 96_000, 384_000])


@st.composite
def settings(draw):
    length_ms = draw(st.integers(100, 120_000))
    overlap_ms = draw(st.integers(0, length_ms - 1))
    return ChunkSettings(length_s=length_ms / 1000, overlap_s=overlap_ms / 1000)


def test_ten_minutes_in_chunks_of_one():
    spans = chunk_plan(600 * 44_100, 44_100, ChunkSettings(length_s=60))
    assert [(span.start_ms, span.end_ms) for span in spans] == [(i * 60_000, (i + 1) * 60_000) for i in range(10)]


def test_overlap_leaves_no_redundant_tail():
    spans = chunk_plan(600 * 1000, 1000, ChunkSettings(length_s=3, overlap_s=1.5))
    assert spans[-1].end_ms == 600_000
    assert spans[-2].end_ms < 600_000
    assert len(spans) == 399


def test_a_remainder_below_a_millisecond_joins_the_last_chunk():
    spans = chunk_plan(60 * 44_100 + 20, 44_100, ChunkSettings(length_s=60))
    assert len(spans) == 1
    assert spans[0].stop_frame == 60 * 44_100 + 20


def test_no_frames_no_chunks():
    assert chunk_plan(0, 44_100, ChunkSettings()) == ()


@given(st.integers(1, 3_000_000), RATES, settings())
def test_chunks_hold_every_frame_in_order_and_none_is_redundant(frames, rate, chosen):
    if frames * 1000 // rate // chosen.step_ms > 2000:
        frames = 2000 * chosen.step_ms * rate // 1000 or 1
    spans = chunk_plan(frames, rate, chosen)
    assert spans[0].start_frame == 0
    assert spans[-1].stop_frame == frames
    assert spans[-1].end_ms == frames * 1000 // rate
    for before, after in pairwise(spans):
        assert before.start_frame < after.start_frame <= before.stop_frame < after.stop_frame
        assert after.start_ms - before.start_ms == chosen.step_ms
        assert before.end_ms - before.start_ms == chosen.length_ms
