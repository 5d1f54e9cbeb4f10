"""Recordings of one site that claim to have been made at the same time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.model import CatalogEntry, RecordingFacts

TOLERANCE_MS = 1000
"""Names and headers give whole seconds: two recordings that follow each other may seem to overlap by less."""


@dataclass(frozen=True)
class Overlap:
    """`later` begins `by_ms` before `earlier` ends; both are ids of recordings of `site`."""

    site: str
    earlier: str
    later: str
    by_ms: int


def overlaps(layout: Layout, entries: Iterable[CatalogEntry]) -> list[Overlap]:
    """Overlapping recordings of one site and side, by site and time.

    Two sides (recorders, cards or channels that stood at one site) may record at once. Vanished recordings, and those without
    site, start or length, are not looked at. Times are UTC where both know it, else the recorder's clock.
    """
    groups: defaultdict[tuple[str, str, bool], list[_Span]] = defaultdict(list)
    for entry in entries:
        facts = read_facts(layout, entry.recording_id) if entry.state != "vanished" else None
        span = _span(facts) if facts is not None else None
        if facts is not None and span is not None and facts.site is not None:
            groups[facts.site, facts.side or "", facts.start_utc is not None].append(span)
    found = []
    for (site, _, _), spans in sorted(groups.items()):
        found += [Overlap(site, *pair) for pair in _overlapping(sorted(spans))]
    return found


@dataclass(frozen=True, order=True)
class _Span:
    start_ms: int
    end_ms: int
    recording_id: str


def _span(facts: RecordingFacts) -> _Span | None:
    start = facts.start_utc or facts.start_local
    if start is None or not facts.duration_ms:
        return None
    moment = datetime.fromisoformat(start)
    origin = datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    start_ms = round((moment - origin).total_seconds() * 1000)
    return _Span(start_ms, start_ms + facts.duration_ms, facts.recording_id)


def _overlapping(spans: list[_Span]) -> Iterator[tuple[str, str, int]]:
    """Each span with every earlier one that it begins in. `spans` are sorted by start."""
    running: list[tuple[int, str]] = []
    for span in spans:
        while running and running[0][0] <= span.start_ms + TOLERANCE_MS:
            heapq.heappop(running)
        for end_ms, earlier in sorted(running):
            yield earlier, span.recording_id, min(end_ms, span.end_ms) - span.start_ms
        heapq.heappush(running, (span.end_ms, span.recording_id))
