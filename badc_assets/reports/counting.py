"""Whether the results of a recording count. Tables, totals, lists and stages all follow from this one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from badc_assets.chunks.quality.verdict import Verdict
from badc_assets.chunks.status import ChunkStatus, read_status
from badc_assets.detections.store import ResultStatus, read_result_status
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.identity import comparable_part
from badc_assets.recordings.model import CatalogEntry, RecordingFacts

ResultState = Literal["none", "moved", "set aside", "unreadable", "stale", "failed", "counted"]

STALE_REASON = "its results are from an earlier state of the recording or of the chunking; run it again"


@dataclass(frozen=True)
class Evidence:
    """All that is known of one recording. `moved_to` is the path under which its sound is counted now, or empty."""

    entry: CatalogEntry
    moved_to: str
    facts: RecordingFacts | None
    chunking: ChunkStatus | None
    result: ResultStatus | None
    has_result_files: bool

    @property
    def is_barred(self) -> bool:
        """Something is wrong with the sound itself. That it is not here now is nothing against it."""
        if self.sound is not None and self.sound.status == "quarantined":
            return True
        return self.facts is not None and self.facts.status == "quarantined" and not self.facts.is_absent

    @property
    def is_awaited(self) -> bool:
        """Its content is not here now, and nothing is known against it."""
        return self.facts is not None and self.facts.awaits_content and not self.is_barred

    @property
    def sound(self) -> Verdict | None:
        """What the limits of quality say of the content that the facts name; None when it was not read."""
        if self.facts is None or self.chunking is None or self.chunking.content_key != self.facts.content_key:
            return None
        return self.chunking.quality

    @property
    def status(self) -> str:
        """`ok`, `flagged` or `quarantined`, by the facts and by the sound; `unknown` without facts."""
        found = {self.facts.status if self.facts else "unknown", self.sound.status if self.sound else "ok"}
        return next(status for status in ("unknown", "quarantined", "flagged", "ok") if status in found)

    @property
    def reason(self) -> str:
        """All flags of the facts and of the sound in one line."""
        reasons = (self.facts.reason if self.facts else "", self.sound.reason if self.sound else "")
        return "; ".join(reason for reason in reasons if reason)

    @property
    def results(self) -> ResultState:
        """What the results are worth.

        `counted`: completed, for the content that the facts name and for the present chunks of it. `failed`: the same, but
        the analysis failed, which counts as failed effort. `stale`: of other content or other chunks. `moved`: counted
        under another path. `set aside`: left from before the recording was quarantined. `unreadable`: not whole.
        """
        if not self.has_result_files:
            return "none"
        if self.moved_to:
            return "moved"
        if self.is_barred:
            return "set aside"
        if self.result is None:
            return "unreadable"
        if not self._is_current(self.result):
            return "stale"
        return "counted" if self.result.is_complete else "failed"

    @property
    def has_effort(self) -> bool:
        """Whether the results are part of the dataset's tables."""
        return self.results in ("counted", "failed")

    def _is_current(self, result: ResultStatus) -> bool:
        return is_current(self.facts, self.chunking, result)


def is_current(facts: RecordingFacts | None, chunking: ChunkStatus | None, result: ResultStatus) -> bool:
    """Whether results are about the content that the facts name and about the present chunks of it.

    Without completed chunking only results count that were allowed to be made without, from the same content.
    """
    if facts is None:
        return False
    if chunking is None or chunking.status != "completed":
        return result.is_partial and result.content_key == facts.content_key
    return chunking.content_key == facts.content_key and chunking.manifest_digest == result.manifest_digest


def read_evidence(layout: Layout, entries: Iterable[CatalogEntry]) -> Iterator[Evidence]:
    """What is known of each recording of the catalogue, sorted by id. `entries` must be all of it, to see moves."""
    by_id = {entry.recording_id: entry for entry in entries}
    moves = _Moves(layout, by_id.values())
    for _, entry in sorted(by_id.items()):
        yield _evidence(layout, entry, moves.moved_to(entry))


def _evidence(layout: Layout, entry: CatalogEntry, moved_to: str = "") -> Evidence:
    recording_id = entry.recording_id
    files = (layout.effort(recording_id), layout.detections(recording_id))
    return Evidence(
        entry=entry,
        moved_to=moved_to,
        facts=read_facts(layout, recording_id),
        chunking=read_status(layout, recording_id),
        result=read_result_status(layout, recording_id),
        has_result_files=any(path.exists() or path.is_symlink() for path in files),
    )


class _Moves:
    """Which files are former and later places of one sound. A path is joined to an older one, so there are no rings."""

    def __init__(self, layout: Layout, entries: Iterable[CatalogEntry]) -> None:
        self._layout = layout
        self._by_path = {entry.audio_path: entry for entry in entries}
        self._next = {entry.moved_from: entry for entry in self._by_path.values() if entry.moved_from}

    def moved_to(self, entry: CatalogEntry) -> str:
        """The path that the sound of a vanished recording has now; empty when its results count as its own.

        The last place that is there; else, when it was deleted after its move, the last one with results that count.
        """
        if entry.state != "vanished":
            return ""
        returned = (other for other in self._earlier(entry) if other.state != "vanished" and _is_same(other, entry))
        later = (
            other
            for other in reversed(list(self._later(entry)))
            if other.state != "vanished" or _evidence(self._layout, other).has_effort
        )
        found = next(returned, None) or next(later, None)
        return found.audio_path if found else ""

    def _earlier(self, entry: CatalogEntry) -> Iterator[CatalogEntry]:
        place = self._by_path.get(entry.moved_from)
        while place is not None:
            yield place
            place = self._by_path.get(place.moved_from)

    def _later(self, entry: CatalogEntry) -> Iterator[CatalogEntry]:
        place = self._next.get(entry.audio_path)
        while place is not None:
            yield place
            place = self._next.get(place.audio_path)


def _is_same(first: CatalogEntry, second: CatalogEntry) -> bool:
    """Whether a file that is back at a former place is that sound, and not a new one with its name."""
    part = comparable_part(first.content_key)
    return part is not None and part == comparable_part(second.content_key)
