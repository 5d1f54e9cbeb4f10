"""Recordings are divided over tasks without losing one, and within the limits of the cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.slurm.splitting import ArrayLimits, Sized, array_range, shares

lengths = st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=1, max_size=60)
limits = st.builds(
    ArrayLimits, max_array_size=st.integers(1, 40), max_tasks=st.integers(1, 40), seconds_per_task=st.floats(1, 1e7)
)


@given(lengths, limits)
def test_each_recording_is_in_one_task_and_in_its_place(seconds, limit):
    recordings = [Sized(f"r{number}", each) for number, each in enumerate(seconds)]
    parts = shares(recordings, limit)
    assert [each for part in parts for each in part] == [each.recording_id for each in recordings]
    assert all(parts)
    assert len(parts) <= min(limit.max_array_size, limit.max_tasks)


@given(lengths, limits)
def test_no_task_has_much_more_than_its_part(seconds, limit):
    by_id = {f"r{number}": each for number, each in enumerate(seconds)}
    parts = shares([Sized(*each) for each in by_id.items()], limit)
    total = sum(seconds)
    count = max(1, min(-(-total // limit.seconds_per_task), limit.tasks, len(seconds)))
    for part in parts:
        assert sum(by_id[each] for each in part) <= (total / count + max(seconds)) * (1 + 1e-9)


def test_sizes_and_not_numbers_are_shared_out():
    recordings = [Sized("long", 3600.0), *(Sized(f"short{number}", 600.0) for number in range(6))]
    parts = shares(recordings, ArrayLimits(1001, 1000, 3600))
    assert [len(part) for part in parts] == [1, 6]


def test_recordings_of_unknown_length_are_shared_out_by_number():
    parts = shares([Sized(str(number), 0.0) for number in range(10)], ArrayLimits(1001, 1000, 1))
    assert [len(part) for part in parts] == [10]


def test_a_cluster_without_arrays_is_named():
    with pytest.raises(BadcError, match="MaxArraySize is 0"):
        shares([Sized("a", 1.0)], ArrayLimits(0, 10, 60))


def test_the_range_of_an_array():
    assert (array_range(1, 0), array_range(7, 2)) == ("0-0", "0-6%2")
