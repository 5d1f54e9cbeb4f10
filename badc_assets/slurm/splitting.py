"""Recordings divided over the tasks of an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from badc_assets.errors import BadcError


class Sized(NamedTuple):
    """A recording and how long it is."""

    recording_id: str
    seconds: float


@dataclass(frozen=True)
class ArrayLimits:
    """`max_array_size` is the cluster's, `max_tasks` the profile's; `seconds_per_task` is what a task should be given."""

    max_array_size: int
    max_tasks: int
    seconds_per_task: float

    @property
    def tasks(self) -> int:
        """Tasks are counted from 0, and their numbers stay below MaxArraySize."""
        return min(self.max_array_size, self.max_tasks)


def shares(recordings: Sequence[Sized], limits: ArrayLimits) -> list[tuple[str, ...]]:
    """The recordings of each task: neighbours, in their order, each in exactly one, none empty.

    There are as many tasks as give each about `seconds_per_task` of sound, or as many as the limits allow. No task gets more than
    an equal part and one recording. A recording is never divided. Raises BadcError where the cluster allows no arrays.
    """
    if limits.tasks < 1:
        raise BadcError("SLURM", "allows no array jobs here (MaxArraySize is 0)", "ask who runs the cluster")
    total = sum(each.seconds for each in recordings)
    wanted = -(-total // limits.seconds_per_task)
    count = int(max(1, min(wanted, limits.tasks, len(recordings))))
    parts: list[list[str]] = [[] for _ in range(count)]
    before = 0.0
    for position, (recording_id, seconds) in enumerate(recordings):
        # By the middle of each; where nothing has a length, by number.
        place = (before + seconds / 2) / total if total > 0 else position / len(recordings)
        parts[min(int(place * count), count - 1)].append(recording_id)
        before += seconds
    return [tuple(part) for part in parts if part]


def array_range(tasks: int, throttle: int) -> str:
    """The value of `--array`."""
    return f"0-{tasks - 1}" + (f"%{throttle}" if throttle else "")
