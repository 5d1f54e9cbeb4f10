"""How far each recording of a dataset is, and what is broken right now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from badc_assets.chunks.status import is_interrupted, read_status
from badc_assets.detections.store import read_result_status
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.model import CatalogEntry

Stage = Literal["vanished", "new", "quarantined", "examined", "chunking", "interrupted", "chunking failed", "chunked",
                "analysis failed", "analysed"]  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """Recordings by stage, and for each that is broken the reason."""

    counts: dict[Stage, int]
    broken: dict[str, str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def dataset_progress(layout: Layout, entries: Iterable[CatalogEntry]) -> Progress:
    """Read the status files of all recordings."""
    counts: Counter[Stage] = Counter()
    broken: dict[str, str] = {}
    for entry in entries:
        stage, reason = recording_stage(layout, entry)
        counts[stage] += 1
        if reason:
            broken[entry.recording_id] = f"{stage}: {reason}"
    return Progress(dict(sorted(counts.items())), broken)


def recording_stage(layout: Layout, entry: CatalogEntry) -> tuple[Stage, str]:
    """How far a recording is, and what is broken about it (empty when nothing is)."""
    if entry.state == "vanished":
        return "vanished", ""
    facts = read_facts(layout, entry.recording_id)
    if facts is None:
        return "new", ""
    if facts.status == "quarantined":
        return "quarantined", facts.reason
    return _chunking_stage(layout, entry.recording_id)


def _chunking_stage(layout: Layout, recording_id: str) -> tuple[Stage, str]:
    status = read_status(layout, recording_id)
    if status is None:
        return "examined", ""
    if status.status == "in_progress":
        if is_interrupted(layout, recording_id):
            return "interrupted", "the process that chunked it died; run it again"
        return "chunking", ""
    if status.status == "failed":
        return "chunking failed", status.error or "no reason given"
    result = read_result_status(layout, recording_id)
    if result is None:
        return "chunked", ""
    return ("analysed", "") if result.is_complete else ("analysis failed", result.error)
