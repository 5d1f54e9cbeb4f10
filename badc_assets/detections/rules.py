"""Which of the things that a detector found become detections. Changing a rule costs no analysis: what was found is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from badc_assets.files import stable_hash

if TYPE_CHECKING:
    from badc_assets.detectors.protocol import Event


class DetectionRules(BaseModel):
    """Thresholds, species lists and merging. Labels are named by their code, or by their name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: float = Field(0.0, ge=0, le=1, description="Leave out everything below this confidence.")
    thresholds: Mapping[str, float] = Field(
        default_factory=dict, description="Least confidence for single labels, in place of min_confidence."
    )
    include: tuple[str, ...] = Field((), description="Keep only these labels. Empty: all.")
    exclude: tuple[str, ...] = Field((), description="Leave out these labels.")
    top_k: int | None = Field(None, ge=1, description="Keep only so many labels, the surest, of each window.")
    merge_gap_ms: int | None = Field(
        None, ge=0, description="Join detections of one label that overlap or lie at most this far apart."
    )

    @property
    def keeps_everything(self) -> bool:
        return self == DetectionRules.model_construct()

    @property
    def digest(self) -> str:
        return "" if self.keeps_everything else stable_hash(self.model_dump(mode="json"))

    def apply(self, events: Iterable[Event]) -> list[Event]:
        """The detections among `events`: first the best of each window, then thresholds and lists, then merging."""
        chosen = list(events)
        if self.top_k is not None:
            chosen = _best_of_each_span(chosen, self.top_k)
        chosen = [event for event in chosen if self._is_kept(event)]
        return chosen if self.merge_gap_ms is None else merged(chosen, self.merge_gap_ms)

    def _is_kept(self, event: Event) -> bool:
        names = {event.label.code, event.label.name} - {""}
        if self.include and not names & set(self.include):
            return False
        if names & set(self.exclude):
            return False
        own = [self.thresholds[name] for name in names if name in self.thresholds]
        return event.confidence >= (min(own) if own else self.min_confidence)


def merged(events: Sequence[Event], gap_ms: int) -> list[Event]:
    """Events of one label that overlap, touch, or lie at most `gap_ms` apart, as one: the union of their spans and bands.

    Its confidence, peak frequency and level are those of the surest part. Sorted by start, end and label.
    """
    joined: list[Event] = []
    open_ends: dict[object, int] = {}
    for event in sorted(events, key=_order):
        place = open_ends.get(event.label)
        if place is None or event.start_ms > joined[place].end_ms + gap_ms:
            open_ends[event.label] = len(joined)
            joined.append(event)
        else:
            joined[place] = union(joined[place], event)
    return sorted(joined, key=_order)


def _order(event: Event) -> tuple[int, int, str, str]:
    return event.start_ms, event.end_ms, event.label.code, event.label.name


def union(first: Event, second: Event) -> Event:
    """Two events of one label as one; all but spans and bands are those of the surer one."""
    surest = max(first, second, key=lambda event: event.confidence)
    lows = [e.low_hz for e in (first, second) if e.low_hz is not None]
    highs = [e.high_hz for e in (first, second) if e.high_hz is not None]
    return replace(
        surest,
        start_ms=min(first.start_ms, second.start_ms),
        end_ms=max(first.end_ms, second.end_ms),
        low_hz=min(lows, default=None),
        high_hz=max(highs, default=None),
    )


def _best_of_each_span(events: Sequence[Event], count: int) -> list[Event]:
    spans: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in events:
        spans[event.start_ms, event.end_ms].append(event)
    return [
        event
        for span in spans.values()
        for event in sorted(span, key=lambda one: (-one.confidence, one.label.code, one.label.name))[:count]
    ]
