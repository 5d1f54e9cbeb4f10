"""How far each recording of a dataset is, and what is broken right now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from badc_assets.chunks.quality.listing import QualityCounts
from badc_assets.chunks.status import is_interrupted
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import STALE_REASON, Evidence, read_evidence

Stage = Literal["moved", "vanished", "new", "content missing", "quarantined", "examined", "chunking", "interrupted",
                "chunking failed", "chunked", "stale", "analysis failed", "analysed"]  # fmt: skip
STAGES: tuple[str, ...] = get_args(Stage)


@dataclass(frozen=True)
class Progress:
    """Recordings by stage, and for each that is broken the reason."""

    counts: dict[Stage, int]
    broken: dict[str, str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def dataset_progress(layout: Layout, entries: Iterable[CatalogEntry]) -> Progress:
    """Read the status files of all recordings of the catalogue."""
    counts: Counter[Stage] = Counter()
    broken: dict[str, str] = {}
    for evidence in read_evidence(layout, entries):
        stage, reason = recording_stage(layout, evidence)
        counts[stage] += 1
        if reason:
            broken[evidence.entry.recording_id] = f"{stage}: {reason}"
    return Progress(dict(sorted(counts.items())), broken)


@dataclass(frozen=True)
class ListedRecording:
    """One recording: how far it is, what is broken about it (empty when nothing is), and where and when it was made."""

    recording_id: str
    audio_path: str
    stage: Stage
    reason: str
    site: str | None
    start_local: str | None
    start_utc: str | None
    duration_ms: int | None


def listed_recordings(layout: Layout, entries: Iterable[CatalogEntry]) -> Iterator[ListedRecording]:
    """The recordings of the catalogue, one after the other."""
    for evidence in read_evidence(layout, entries):
        entry, facts = evidence.entry, evidence.facts
        stage, reason = recording_stage(layout, evidence)
        yield ListedRecording(
            recording_id=entry.recording_id,
            audio_path=entry.audio_path,
            stage=stage,
            reason=reason,
            site=facts.site if facts else None,
            start_local=facts.start_local if facts else None,
            start_utc=facts.start_utc if facts else None,
            duration_ms=facts.duration_ms if facts else None,
        )


def suspect_recordings(layout: Layout, entries: Iterable[CatalogEntry]) -> QualityCounts:
    """Recordings by what is held against them, by the facts or by the sound; neither moved nor vanished ones."""
    ok = 0
    beyond: dict[str, dict[str, str]] = {"flagged": {}, "quarantined": {}}
    for evidence in read_evidence(layout, entries):
        if (
            evidence.moved_to
            or evidence.entry.state == "vanished"
            or evidence.status == "unknown"
            or evidence.is_awaited
        ):
            continue
        if evidence.status == "ok":
            ok += 1
        else:
            beyond[evidence.status][evidence.entry.recording_id] = evidence.reason
    return QualityCounts(ok, beyond["flagged"], beyond["quarantined"])


def recording_stage(layout: Layout, evidence: Evidence) -> tuple[Stage, str]:
    """How far a recording is, and what is broken about it (empty when nothing is)."""
    if evidence.moved_to:
        return "moved", ""
    if evidence.entry.state == "vanished":
        return "vanished", ""
    facts = evidence.facts
    if facts is None:
        return "new", ""
    if evidence.is_awaited and not evidence.has_effort:
        return "content missing", ""
    if evidence.status == "quarantined" and not evidence.has_effort:
        return "quarantined", evidence.reason
    return _chunking_stage(layout, evidence) or _analysis_stage(evidence)


def _chunking_stage(layout: Layout, evidence: Evidence) -> tuple[Stage, str] | None:
    """None when chunking has completed, or was never begun."""
    status = evidence.chunking
    if status is not None and status.status == "in_progress":
        if is_interrupted(layout, evidence.entry.recording_id):
            return "interrupted", "the process that chunked it died; run it again"
        return "chunking", ""
    if status is not None and status.status == "failed":
        return "chunking failed", status.error or "no reason given"
    return None


def _analysis_stage(evidence: Evidence) -> tuple[Stage, str]:
    results = evidence.results
    if results == "counted":
        return "analysed", ""
    if results == "stale":
        return "stale", STALE_REASON
    if results == "unreadable":
        return "analysis failed", "its results are not whole; run it again"
    if results == "failed" and evidence.result is not None:
        return "analysis failed", evidence.result.error
    return ("chunked" if evidence.chunking else "examined"), ""
