"""Recordings of one place at the same time are found, whatever order they come in."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.layout import Layout
from badc_assets.recordings.overlaps import TOLERANCE_MS, overlaps
from badc_assets_tests.reports.builders import add_recording, dataset, entries, entry


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


def add(layout: Layout, name: str, start: str, minutes: float = 10, **facts) -> None:
    add_recording(layout, name, start_local=start, duration_ms=round(minutes * 60_000), chunking=None, **facts)


def found(layout: Layout, *names: str) -> list[tuple[str, str, int]]:
    return [(each.earlier, each.later, each.by_ms) for each in overlaps(layout, entries(names))]


def test_an_overlap_is_named_once(layout: Layout) -> None:
    add(layout, "a", "2024-05-01T05:00:00")
    add(layout, "b", "2024-05-01T05:08:00")
    add(layout, "c", "2024-05-01T05:18:00")
    assert found(layout, "c", "b", "a") == [("a", "b", 120_000)]


def test_one_that_holds_another_overlaps_by_the_shorter(layout: Layout) -> None:
    add(layout, "day", "2024-05-01T00:00:00", minutes=1440)
    add(layout, "x", "2024-05-01T05:00:00")
    add(layout, "y", "2024-05-01T06:00:00")
    assert found(layout, "day", "x", "y") == [("day", "x", 600_000), ("day", "y", 600_000)]


def test_rounded_seconds_do_not_overlap(layout: Layout) -> None:
    add(layout, "a", "2024-05-01T05:00:00", minutes=10 + 0.9 / 60)
    add(layout, "b", "2024-05-01T05:10:00")
    assert found(layout, "a", "b") == []


def test_other_sites_and_sides_may_record_at_once(layout: Layout) -> None:
    for name, facts in {"a": {}, "b": {"site": "Bog"}, "c": {"side": "B"}, "d": {"site": None}}.items():
        add(layout, name, "2024-05-01T05:00:00", **facts)
    assert found(layout, "a", "b", "c", "d") == []


def test_times_are_compared_as_utc_where_it_is_known(layout: Layout) -> None:
    """The hour that comes twice in autumn is no overlap."""
    add(layout, "first", "2024-11-03T01:30:00", start_utc="2024-11-03T07:30:00+00:00")
    add(layout, "second", "2024-11-03T01:30:00", start_utc="2024-11-03T08:30:00+00:00")
    assert found(layout, "first", "second") == []


def test_what_is_unknown_or_gone_is_left_out(layout: Layout) -> None:
    add(layout, "a", "2024-05-01T05:00:00")
    add(layout, "b", "2024-05-01T05:00:00")
    add_recording(layout, "no length", start_local="2024-05-01T05:00:00", duration_ms=None, chunking=None)
    add_recording(layout, "no time", start_local=None, chunking=None)
    assert overlaps(layout, [entry("a"), entry("b", state="vanished"), *entries(["no length", "no time", "new"])]) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), min_size=1, max_size=12))
def test_every_pair_is_found(tmp_path_factory, spans: list[tuple[int, int]]) -> None:
    layout = dataset(tmp_path_factory.mktemp("spans"))
    origin = datetime(2024, 5, 1)
    names = [f"r{number:02d}" for number in range(len(spans))]
    for name, (start, minutes) in zip(names, spans, strict=True):
        add(layout, name, (origin + timedelta(minutes=start)).isoformat(), minutes)
    by_hand = {
        frozenset((names[i], names[j]))
        for (i, (a, la)), (j, (b, lb)) in combinations(enumerate(spans), 2)
        if min(a + la, b + lb) - max(a, b) > TOLERANCE_MS / 60_000
    }
    assert {frozenset(pair[:2]) for pair in found(layout, *names)} == by_hand
