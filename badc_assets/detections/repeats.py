"""What was heard in two chunks that overlap, by a detector that is given chunk by chunk, is one event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.rules import union
from badc_assets.detectors.protocol import Event

Span = tuple[int, int]

LEAST_SHARE = 0.5
"""Of the shorter of two events, as far as it lies in the overlap: with less in common they are two."""


def without_repeats(parts: Iterable[tuple[Chunk, Sequence[Event]]]) -> list[Event]:
    """The events of all chunks, which come in the order of time.

    An event is joined with that of an earlier chunk that has the same label and is most like it. Events of one chunk are never
    joined: what a detector reports twice of the same sound is its own affair.
    """
    found: list[Event] = []
    covered_to_ms = 0
    for chunk, events in parts:
        overlap = (chunk.start_ms, covered_to_ms)
        covered_to_ms = max(covered_to_ms, chunk.end_ms)
        partners = _partners(found, events, overlap) if overlap[0] < overlap[1] else {}
        for number, event in enumerate(events):
            if number in partners:
                place = partners[number]
                found[place] = union(found[place], event)
            else:
                found.append(event)
    return found


def _partners(found: Sequence[Event], events: Sequence[Event], overlap: Span) -> dict[int, int]:
    """Number of an event -> place of the one that it repeats; the most similar pairs first, each event once."""
    before = [place for place, event in enumerate(found) if event.end_ms >= overlap[0]]
    pairs = [
        (_likeness(found[place], event, overlap), number, place)
        for number, event in enumerate(events)
        for place in before
        if found[place].label == event.label
    ]
    partners: dict[int, int] = {}
    for likeness, number, place in sorted(pairs, key=lambda pair: -pair[0]):
        if likeness > 0 and number not in partners and place not in partners.values():
            partners[number] = place
    return partners


def _likeness(first: Event, second: Event, overlap: Span) -> float:
    """1 for equal spans, 0 for two that have too little in common."""
    spans = ((first.start_ms, first.end_ms), (second.start_ms, second.end_ms))
    if spans[0] == spans[1]:
        return 1.0
    shortest = min(_shared_ms(span, overlap) for span in spans)
    shared = _shared_ms(*spans)
    if shared <= 0 or shared < LEAST_SHARE * shortest:
        return 0.0
    return shared / (max(spans[0][1], spans[1][1]) - min(spans[0][0], spans[1][0]))


def _shared_ms(one: Span, other: Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])
