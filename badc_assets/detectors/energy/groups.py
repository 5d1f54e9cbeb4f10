"""Parts to events: the notes of a phrase, the pulses of a trill and the overtones of a cry are one event.

Two parts belong together by the rules by which hearing groups sound (Bregman 1990, Auditory Scene Analysis, ch. 2 and 3):

- **in sequence**: they follow each other after a short pause, or overlap, in about the same range and at about the same
  level; where nothing else sounds, the pitch may leap;
- **in chorus**: they begin and end together, one above the other, like overtones.

A *click* fills many bands for an instant: a knock, a drop of rain, a fault of the microphone. Clicks join clicks, or
what has just their range, and one or two alone are no event.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from badc_assets.detectors.energy.parts import Part

_OVERLAP = 0.3
"""Share of the narrower range that sounds in sequence have in common."""

_LEVELS_DB = 10.0
"""Notes of one voice differ by less than this in level."""

_LEAP_OCTAVES = 1.0
_CHORUS_OCTAVES = 1.0
_BESIDE_OCTAVES = 0.1
"""A steady noise may cut a call in two, one right above the other; these need only sound at the same time."""

_TOGETHER = 0.75
"""Parts sound together when their common time is at least this share of the time that either of them sounds."""

_WITHIN = 0.7
"""A box is within another when this share of its length and of its range is."""

_ALIKE = 0.3
"""Clicks join other sounds only where they share this much of the wider range."""

_LATEST = 6
"""A new part is compared with so many of the latest parts of an event: songs wander in pitch."""

_CLICK_CELLS, _CLICK_BANDS, _CLICK_FILL = 5, 16, 0.5
_LEAST_CLICKS = 3
_FAINT = 1e-3

_SKIRT_OCTAVES, _SKIRT_SHARE = 1.0, 0.05


def is_click(part: Part) -> bool:
    """Whether a part is a short, wide and well-filled box."""
    length, bands = part.end - part.start, part.high_band - part.low_band + 1
    return length <= _CLICK_CELLS and bands >= _CLICK_BANDS and part.cells >= _CLICK_FILL * length * bands


class _Note:
    """A part with what is asked of it again and again."""

    __slots__ = ("end", "high", "is_click", "level", "low", "part", "start")

    def __init__(self, part: Part, low: float, high: float) -> None:
        self.part = part
        self.start, self.end = part.start, part.end
        self.low, self.high = low, high
        self.level = part.best
        self.is_click = is_click(part)


class Group:
    """An event in grid units, and the parts it is made of. `low` and `high` are in octaves."""

    __slots__ = ("end", "high", "low", "notes", "recent", "start")

    def __init__(self, note: _Note) -> None:
        self.start, self.end, self.low, self.high = note.start, note.end, note.low, note.high
        self.notes = [note]
        self.recent = [note]

    def absorb(self, other: Group) -> None:
        self.start, self.end = min(self.start, other.start), max(self.end, other.end)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.notes = sorted([*self.notes, *other.notes], key=lambda note: note.start)
        self.recent = sorted([*self.recent, *other.recent], key=lambda note: note.start)

    def add(self, note: _Note) -> None:
        self.start, self.end = min(self.start, note.start), max(self.end, note.end)
        self.low, self.high = min(self.low, note.low), max(self.high, note.high)
        self.notes.append(note)
        self.recent.append(note)

    def latest(self, since: int) -> list[_Note]:
        """The latest of the parts that went on until `since` or longer."""
        if len(self.notes) > _LATEST:
            self.recent = [note for note in self.recent if note.end >= since][-_LATEST:]
        return self.recent

    @property
    def parts(self) -> list[Part]:
        return [note.part for note in self.notes]

    @property
    def strength(self) -> float:
        return sum(note.part.strength for note in self.notes)

    @property
    def loudest(self) -> Part:
        """The part with the cell that stands out most."""
        return max((note.part for note in self.notes), key=lambda part: part.best)

    @property
    def is_stray(self) -> bool:
        """Whether it is but one or two clicks."""
        return len(self.notes) < _LEAST_CLICKS and all(note.is_click for note in self.notes)


class Grouper:
    """Collects parts and gives out the groups that cannot grow any more.

    `edges_hz`, shape (bands + 1,), are the borders of the bands. `gap_cells` is the longest pause within an event; groups
    longer than `longest_cells` are not made.
    """

    def __init__(self, edges_hz: np.ndarray, *, gap_cells: int, longest_cells: int) -> None:
        self._octave = np.log2(np.maximum(edges_hz, 1.0)).tolist()
        self._gap = gap_cells
        self._longest = longest_cells
        self._open: list[Group] = []
        self._waiting: list[Part] = []

    def add(self, parts: Sequence[Part], horizon: int) -> list[Group]:
        """Take the parts that are complete; none that starts before the cell `horizon` will follow.

        Parts are placed in the order of their starts, whenever they come.
        """
        self._waiting = sorted([*self._waiting, *parts], key=lambda part: (part.start, part.low_band, part.end))
        ready = [part for part in self._waiting if part.start < horizon]
        self._waiting = self._waiting[len(ready) :]
        done: list[Group] = []
        for part in ready:
            self._place(self._note(part))
        if any(group.end + self._gap < horizon for group in self._open):
            self._unite()
            done = [group for group in self._open if group.end + self._gap < horizon]
            self._open = [group for group in self._open if group.end + self._gap >= horizon]
        return done

    def close(self) -> list[Group]:
        """The recording has ended: returns what was still open."""
        for part in self._waiting:
            self._place(self._note(part))
        self._unite()
        ended, self._open, self._waiting = self._open, [], []
        return ended

    def _note(self, part: Part) -> _Note:
        return _Note(part, self._octave[part.low_band], self._octave[part.high_band + 1])

    def _place(self, note: _Note) -> None:
        """Put a part to the group that it goes with best, or begin a new group."""
        near = [group for group in self._open if self._is_near(group, note)]
        best, chosen = 0.0, None
        for group in near:
            for other in group.latest(note.start - self._gap):
                likeness = self._likeness(other, note)
                if likeness > best:
                    best, chosen = likeness, group
        if chosen is None:
            voices = [group for group in near if self._may_be_one_voice(group, note)]
            chosen = voices[0] if len(voices) == 1 else None
        if chosen is None:
            self._open.append(Group(note))
        else:
            chosen.add(note)

    def _is_near(self, group: Group, note: _Note) -> bool:
        length = max(group.end, note.end) - min(group.start, note.start)
        return note.start - group.end <= self._gap and length <= self._longest

    def _may_be_one_voice(self, group: Group, note: _Note) -> bool:
        """Whether a part that is the only one about follows the last of a group, and is not too far in pitch."""
        last = group.notes[-1]
        if note.is_click or last.is_click or abs(note.level - last.level) > _LEVELS_DB:
            return False
        distance = max(last.low, note.low) - min(last.high, note.high)
        return distance <= _LEAP_OCTAVES and note.start >= group.end - 2

    def _likeness(self, one: _Note, other: _Note) -> float:
        pause = max(one.start, other.start) - min(one.end, other.end)
        if pause > self._gap:
            return 0.0
        common = min(one.high, other.high) - max(one.low, other.low)
        widths = one.high - one.low, other.high - other.low
        share = common / max(widths)
        if one.is_click != other.is_click:
            return share if share >= _ALIKE else 0.0
        if common >= _OVERLAP * min(widths) and abs(one.level - other.level) <= _LEVELS_DB:
            return max(share, _FAINT)
        lengths = one.end - one.start, other.end - other.start
        is_beside = -common <= _BESIDE_OCTAVES and -pause >= _TOGETHER * min(lengths)
        in_chorus = -common <= _CHORUS_OCTAVES and -pause >= _TOGETHER * (pause + sum(lengths))
        return _FAINT if is_beside or in_chorus else 0.0

    def _unite(self) -> None:
        """Join groups that turn out to be one: a box within another, or two that begin and end together."""
        kept: list[Group] = []
        for group in sorted(self._open, key=lambda group: (group.start - group.end, group.start, group.low)):
            larger = next((larger for larger in kept if self._are_one(larger, group)), None)
            if larger is not None:
                larger.absorb(group)
            elif not any(_is_satellite(group, of=larger) for larger in kept):
                kept.append(group)
        self._open = kept

    def _are_one(self, larger: Group, group: Group) -> bool:
        together = min(larger.end, group.end) - max(larger.start, group.start)
        length = group.end - group.start
        common = min(larger.high, group.high) - max(larger.low, group.low)
        is_within = together >= _WITHIN * length and common >= _WITHIN * (group.high - group.low)
        union = larger.end - larger.start + length - together
        return union <= self._longest and (is_within or (together >= _TOGETHER * union and -common <= _CHORUS_OCTAVES))


def _is_satellite(group: Group, *, of: Group) -> bool:
    """Whether a group is but a faint patch right above, below or within a far stronger one: its skirt or its echo."""
    is_during = group.start >= of.start - 1 and group.end <= of.end + 1
    distance = max(of.low, group.low) - min(of.high, group.high)
    return is_during and distance <= _SKIRT_OCTAVES and group.strength <= _SKIRT_SHARE * of.strength
