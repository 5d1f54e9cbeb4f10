"""What chunking left on disk for one recording, read without touching the sound."""

from __future__ import annotations

from dataclasses import dataclass

from badc_assets.chunks.chunking import ChunkOutcome, outcome_of
from badc_assets.chunks.manifest import manifest_digest, read_manifest
from badc_assets.chunks.quality.file import quality_digest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import read_status
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts


@dataclass(frozen=True)
class StoredChunks:
    """`is_current`: it is about the sound, the settings and the limits of today."""

    outcome: ChunkOutcome
    is_current: bool


def stored_chunks(layout: Layout, recording_id: str, settings: ChunkSettings) -> StoredChunks | None:
    """The stored outcome; None where there is none, it is not finished, BADC made it, or it and the manifest disagree."""
    status = read_status(layout, recording_id)
    if status is None or status.status == "in_progress" or not status.content_key:
        return None
    is_complete = status.status == "completed"
    try:
        chunks = read_manifest(layout.manifest(recording_id)) if is_complete else ()
    except BadcError:
        return None
    if is_complete and manifest_digest(chunks) != status.manifest_digest:
        return None
    facts = read_facts(layout, recording_id)
    is_current = (
        facts is not None
        and (status.content_key, status.settings_digest) == (facts.content_key, settings.digest)
        and (not is_complete or status.quality_digest == quality_digest(settings.quality))
    )
    return StoredChunks(outcome_of(status, chunks, was_reused=True), is_current)
