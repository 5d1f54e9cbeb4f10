"""Whether the dataset-wide tables are about the present state of the recordings."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.chunks.status import ChunkStatus
from badc_assets.files import stable_hash
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import read_evidence


def inputs_digest(layout: Layout, entries: Iterable[CatalogEntry]) -> str:
    """Changes when anything that the dataset-wide tables are made of does: catalogue, facts, chunking states, results."""
    parts = []
    for evidence in read_evidence(layout, entries):
        entry, facts, status, result = evidence.entry, evidence.facts, evidence.chunking, evidence.result
        parts.append(
            (
                (entry.recording_id, entry.audio_path, entry.state, entry.moved_from, evidence.moved_to),
                stable_hash(facts.to_json()) if facts else "",
                _chunking(status) if status else "",
                (result.status, result.key, result.error, result.finished_at) if result else "",
                evidence.results,
            )
        )
    return stable_hash(parts, length=32)


def _chunking(status: ChunkStatus) -> tuple[str | None, ...]:
    verdict = stable_hash(status.quality.to_json()) if status.quality else None
    return (status.status, status.content_key, status.manifest_digest, status.error, status.quality_digest, verdict)
