"""Whether the dataset-wide tables are about the present state of the recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from badc_assets.chunks.status import ChunkStatus
from badc_assets.files import stable_hash
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import Evidence, read_evidence


def inputs_digest(layout: Layout, entries: Iterable[CatalogEntry]) -> str:
    """Changes when anything that the dataset-wide tables are made of does: catalogue, facts, chunking states, results."""
    return digest_of_all(recording_digest(evidence) for evidence in read_evidence(layout, entries))


def digest_of_all(digests: Iterable[str]) -> str:
    """One digest for those of all recordings in their order."""
    return stable_hash(list(digests), length=32)


def recording_digest(evidence: Evidence) -> str:
    """Changes when the catalogue, the facts, the chunking or the results of a recording do."""
    entry, facts, status, result = evidence.entry, evidence.facts, evidence.chunking, evidence.result
    return stable_hash(
        (
            (entry.recording_id, entry.audio_path, entry.state, entry.moved_from, evidence.moved_to),
            facts.to_json() if facts else "",
            _chunking(status) if status else "",
            (result.status, result.key, result.error, result.finished_at) if result else "",
            evidence.results,
        ),
        length=32,
    )


def rows_digest(layout: Layout, evidence: Evidence, digest: str) -> str:
    """Changes also when a file with the numbers is another than it was, by its size and time: it may be damaged.

    Empty where the files are not all there to be compared; what there is to read then is little.
    """
    if evidence.facts is None or evidence.chunking is None:
        return ""
    recording_id = evidence.entry.recording_id
    files = (layout.effort(recording_id), layout.detections(recording_id), layout.quality(recording_id))
    return stable_hash((digest, [_state(path) for path in files]), length=32)


def _state(path: Path) -> tuple[int, ...]:
    if not path.is_file():
        return ()
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns, stat.st_ino)


def _chunking(status: ChunkStatus) -> tuple[str | None, ...]:
    verdict = stable_hash(status.quality.to_json()) if status.quality else None
    return (status.status, status.content_key, status.manifest_digest, status.error, status.quality_digest, verdict)
