"""How well found events agree with known calls.

The rule counts overlap, not pairs, because a detector may find a call in several pieces, or two calls as one event:

- a call and an event *share a band* when their frequency ranges overlap by at least half of the narrower
  one;
- an event is **right** when at least half of its time is covered by calls that share a band with it;
- a call is **found** when right events that share a band with it cover at least a fifth of its time; the share is
  small because some calls are mostly pauses.

So an event that spans a whole recording is wrong although every call lies in it, and one click inside a call does not
find the call. Events are right or wrong as calls of any type: an energy detector does not tell types apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from badc_assets.samples.truth import TrueCall, read_truth

__all__ = ["Agreement", "FoundEvent", "TypeAgreement", "agreement", "read_truth"]


@dataclass(frozen=True)
class FoundEvent:
    """What a detector found. A frequency that is None is unknown and agrees with every call."""

    audio_path: str
    start_ms: int
    end_ms: int
    low_hz: float | None = None
    high_hz: float | None = None


@dataclass(frozen=True)
class TypeAgreement:
    """How many calls of one type there are, and how many were found."""

    calls: int
    found_calls: int

    @property
    def recall(self) -> float | None:
        """Share of the calls that were found; None without calls."""
        return self.found_calls / self.calls if self.calls else None


@dataclass(frozen=True)
class Agreement:
    """Counts over all recordings, and per call type."""

    calls: int
    found_calls: int
    events: int
    right_events: int
    by_type: Mapping[str, TypeAgreement]

    @property
    def recall(self) -> float | None:
        """Share of the calls that were found; None without calls."""
        return self.found_calls / self.calls if self.calls else None

    @property
    def precision(self) -> float | None:
        """Share of the events that are right; None without events."""
        return self.right_events / self.events if self.events else None


def agreement(
    truth: Sequence[TrueCall],
    found: Sequence[FoundEvent],
    *,
    least_event_share: float = 0.5,
    least_call_share: float = 0.2,
    least_band_share: float = 0.5,
) -> Agreement:
    """Compare calls and events by the rule above; the three shares are its half, fifth and half."""
    events_at = defaultdict(list)
    for event in found:
        events_at[event.audio_path].append(event)
    calls_at = defaultdict(list)
    for call in truth:
        calls_at[call.audio_path].append(call)

    right: dict[str, list[FoundEvent]] = {}
    for path, events in events_at.items():
        right[path] = [
            event
            for event in events
            if _cover(event, [call for call in calls_at[path] if _share_band(call, event, least_band_share)])
            >= least_event_share
        ]
    is_found = [
        _cover(call, [event for event in right.get(call.audio_path, ()) if _share_band(call, event, least_band_share)])
        >= least_call_share
        for call in truth
    ]
    return Agreement(
        calls=len(truth),
        found_calls=sum(is_found),
        events=len(found),
        right_events=sum(map(len, right.values())),
        by_type=_by_type(truth, is_found),
    )


def _by_type(truth: Sequence[TrueCall], is_found: Sequence[bool]) -> dict[str, TypeAgreement]:
    groups: dict[str, list[bool]] = {}
    for call, was_found in zip(truth, is_found, strict=True):
        groups.setdefault(call.call_type, []).append(was_found)
    return {name: TypeAgreement(len(hits), sum(hits)) for name, hits in sorted(groups.items())}


def _share_band(call: TrueCall, event: FoundEvent, least_share: float) -> bool:
    if event.low_hz is None or event.high_hz is None:
        return True
    overlap = min(call.high_hz, event.high_hz) - max(call.low_hz, event.low_hz)
    narrower = min(call.high_hz - call.low_hz, event.high_hz - event.low_hz)
    return overlap >= least_share * narrower


def _cover(span: TrueCall | FoundEvent, others: Iterable[TrueCall | FoundEvent]) -> float:
    """The share of `span`'s time that lies in at least one of `others`; 0 for a span without length."""
    covered, reached = 0, span.start_ms
    for other in sorted(others, key=lambda other: other.start_ms):
        start = max(other.start_ms, reached)
        end = min(other.end_ms, span.end_ms)
        if end > start:
            covered += end - start
            reached = end
    length = span.end_ms - span.start_ms
    return covered / length if length > 0 else 0.0
