from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.manifest import Chunk
from badc_assets.chunks.plan import chunk_plan
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.inference.windows import WindowPlan, cut_windows, span_of

plans = st.builds(
    WindowPlan,
    samples=st.integers(0, 700),
    window=st.integers(1, 60),
    hop=st.integers(1, 90),
    rate_hz=st.just(1000),
    tail=st.sampled_from(["align", "pad"]),
)


def blocks_of(samples, sizes):
    position = 0
    for size in sizes:
        yield samples[position : position + size]
        position += size
    yield samples[position:]


@given(plans, st.lists(st.integers(0, 90), max_size=15), st.data())
def test_windows_are_cut_where_the_plan_says_whatever_the_blocks(plan, sizes, data):
    samples = np.arange(1, plan.samples + 1, dtype=np.float32)
    first = data.draw(st.integers(0, plan.count))
    last = data.draw(st.integers(first, plan.count))
    start, stop = span_of(plan, first, last)
    cut = [
        (number, part.copy()) for number, part in cut_windows(blocks_of(samples[start:stop], sizes), plan, first, last)
    ]
    assert [number for number, _ in cut] == list(range(first, last))
    for number, part in cut:
        expected = samples[plan.start(number) : plan.start(number) + plan.window]
        assert len(part) == plan.window
        np.testing.assert_array_equal(part[: len(expected)], expected)
        assert not part[len(expected) :].any()
        assert (plan.note(number) == "padded") == (len(expected) < plan.window)


@given(plans)
def test_windows_cover_the_recording_in_order(plan):
    starts = [plan.start(number) for number in range(plan.count)]
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert all(start < plan.samples for start in starts)
    assert [start for start in starts[:-1] if start % plan.hop] == []
    if plan.hop <= plan.window:
        covered = {sample for start in starts for sample in range(start, start + plan.window)}
        assert covered >= set(range(plan.samples))
    if plan.samples >= plan.window and plan.tail == "align" and plan.count:
        assert starts[-1] + plan.window == plan.samples or plan.hop > plan.window
        assert all(start + plan.window <= plan.samples for start in starts)


@given(plans, st.integers(100, 400), st.integers(0, 99))
def test_each_window_belongs_to_the_last_chunk_that_has_begun(plan, length_ms, overlap_ms):
    settings = ChunkSettings(length_s=length_ms / 1000, overlap_s=overlap_ms / 1000)
    chunks = [
        Chunk("r", f"c{span.start_ms}", "r.wav", span.start_ms, span.end_ms, 0, "")
        for span in chunk_plan(plan.samples, plan.rate_hz, settings)
    ]
    firsts = plan.first_windows(chunks)
    if not chunks:
        assert plan.count == 0
        return
    assert firsts[0] == 0
    assert firsts[-1] == plan.count
    for position, (first, last) in enumerate(pairwise(firsts)):
        for number in range(first, last):
            begun = [one for one, chunk in enumerate(chunks) if chunk.start_ms <= plan.start_ms(number)]
            assert begun[-1] == position
