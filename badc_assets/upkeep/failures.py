"""What is broken right now, with reasons: what the standing check shows and what a retry does again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import Evidence, read_evidence
from badc_assets.reports.progress import recording_stage


@dataclass(frozen=True)
class BrokenRecording:
    """A recording that did not get through. `stage` is where it stands, `reason` why."""

    recording_id: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


def broken_recordings(layout: Layout, entries: Iterable[CatalogEntry]) -> tuple[BrokenRecording, ...]:
    """Recordings that are quarantined, whose chunking or analysis failed or was interrupted, or whose results do not count any
    more; sorted by id. Sound that has not been fetched is a state, not a failure.
    """
    broken = []
    for evidence in read_evidence(layout, entries):
        stage, reason = recording_stage(layout, evidence)
        if reason and not _is_only_absent(evidence):
            broken.append(BrokenRecording(evidence.entry.recording_id, stage, reason))
    return tuple(broken)


def _is_only_absent(evidence: Evidence) -> bool:
    return evidence.facts is not None and evidence.facts.is_absent and not evidence.has_effort
