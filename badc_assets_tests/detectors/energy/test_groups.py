"""Parts to events: what belongs together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.detectors.energy.groups import Group, Grouper
from badc_assets.detectors.energy.parts import Part

EDGES_HZ = 86.0 * np.arange(1, 122)


def _part(start: int, end: int, low: int, high: int, *, best: float = 20) -> Part:
    cells = (end - start) * (high - low + 1)
    return Part(start, end, low, high, cells, 100.0 * cells, 10.0 * cells, best, (low + high) / 2)


def _groups(parts: Sequence[Part], *, gap: int = 12, longest: int = 2000, horizons: Sequence[int] = ()) -> list[Group]:
    grouper = Grouper(EDGES_HZ, gap_cells=gap, longest_cells=longest)
    left, found = list(parts), []
    for horizon in sorted(horizons):
        # A part is known once it has ended; none that begins before the horizon is still to come.
        found += grouper.add([part for part in left if part.start < horizon], horizon)
        left = [part for part in left if part.start >= horizon]
    found += grouper.add(left, 1_000_000)
    return [*found, *grouper.close()]


def _spans(groups: Sequence[Group]) -> list[tuple[int, int, int]]:
    return sorted((group.start, group.end, len(group.parts)) for group in groups)


def test_notes_with_short_pauses_are_one_event_and_with_long_ones_several() -> None:
    notes = [_part(start, start + 10, 30, 36) for start in (0, 20, 40, 80)]
    assert _spans(_groups(notes)) == [(0, 50, 3), (80, 90, 1)]


def test_two_voices_in_different_ranges_are_two_events() -> None:
    low = [_part(start, start + 10, 8, 11) for start in (0, 16, 32)]
    high = [_part(start, start + 6, 70, 80) for start in (3, 13, 23, 33)]
    assert _spans(_groups(sorted([*low, *high], key=lambda part: part.start))) == [(0, 42, 3), (3, 39, 4)]


def test_overtones_are_one_event() -> None:
    assert _spans(_groups([_part(0, 20, 10, 12), _part(0, 20, 20, 23), _part(1, 20, 32, 34)])) == [(0, 20, 3)]


def test_one_voice_may_leap_where_nothing_else_sounds() -> None:
    assert _spans(_groups([_part(0, 10, 20, 24), _part(14, 24, 40, 44)])) == [(0, 24, 2)]


def test_a_far_louder_sound_is_another_voice() -> None:
    notes = [_part(0, 10, 30, 36, best=10), _part(14, 24, 30, 36, best=40)]
    assert len(_groups(notes)) == 2


def test_a_faint_patch_beside_a_strong_sound_is_part_of_it() -> None:
    song = [_part(start, start + 10, 30, 40) for start in range(0, 100, 12)]
    skirt = _part(30, 33, 44, 45, best=8)
    (group,) = _groups([*song[:3], skirt, *song[3:]])
    assert (group.start, group.end) == (0, 106)


def test_one_click_is_stray_and_a_rattle_is_not() -> None:
    (single,) = _groups([_part(0, 2, 20, 80)])
    (rattle,) = _groups([_part(start, start + 2, 20, 80) for start in range(0, 40, 5)])
    assert single.is_stray
    assert not rattle.is_stray and len(rattle.parts) == 8


def test_groups_grow_no_longer_than_allowed() -> None:
    groups = _groups([_part(start, start + 10, 30, 36) for start in range(0, 500, 12)], longest=100)
    assert all(group.end - group.start <= 100 for group in groups)
    assert sum(len(group.parts) for group in groups) == 42


boxes = st.tuples(st.integers(0, 200), st.integers(1, 30), st.integers(0, 100), st.integers(0, 15))


@settings(max_examples=200, deadline=None)
@given(st.lists(boxes, max_size=25), st.lists(st.integers(0, 240), max_size=5))
def test_every_part_is_in_one_group_or_dropped_as_faint(rows: list[tuple[int, int, int, int]], cuts: list[int]) -> None:
    parts = sorted(
        {_part(start, start + length, low, low + width) for start, length, low, width in rows},
        key=lambda part: (part.start, part.low_band, part.end),
    )
    grouped = [part for group in _groups(parts, horizons=cuts) for part in group.parts]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(parts)
    strongest = max((part.strength for part in parts), default=0)
    assert all(part in grouped for part in parts if part.strength > 0.05 * strongest * len(parts))
