"""Compare manifests with the sound they describe."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.audio.probe import BadSound
from badc_assets.chunks.manifest import Chunk, read_manifest
from badc_assets.chunks.plan import ChunkSpan
from badc_assets.chunks.reading import hash_span
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts


def manifest_mismatches(layout: Layout, recording_id: str, *, at_most: int | None = None) -> list[str]:
    """What the samples of a recording contradict in its manifest, a sentence each; empty when all is well.

    `at_most` chunks, evenly spread, are read again; None reads all of them.
    """
    try:
        chunks = read_manifest(layout.manifest(recording_id))
    except BadcError as error:
        return [error.problem]
    return [problem for chunk in _spread(chunks, at_most) if (problem := _mismatch(layout, chunk))]


def changed_chunks(layout: Layout, recording_ids: Iterable[str], chunks_each: int) -> dict[str, str]:
    """The recordings whose samples contradict their manifest, with the first contradiction; those without
    manifest, or whose sound is not here, are left out.
    """
    present = (recording_id for recording_id in recording_ids if _can_be_verified(layout, recording_id))
    found = {recording_id: manifest_mismatches(layout, recording_id, at_most=chunks_each) for recording_id in present}
    return {recording_id: problems[0] for recording_id, problems in found.items() if problems}


def _can_be_verified(layout: Layout, recording_id: str) -> bool:
    facts = read_facts(layout, recording_id)
    return facts is not None and not facts.is_absent and layout.manifest(recording_id).is_file()


def _spread(chunks: tuple[Chunk, ...], at_most: int | None) -> list[Chunk]:
    if at_most is None or at_most >= len(chunks):
        return list(chunks)
    return [chunks[round((position + 0.5) * len(chunks) / at_most - 0.5)] for position in range(at_most)]


def _mismatch(layout: Layout, chunk: Chunk) -> str:
    if chunk.start_frame is None or chunk.stop_frame is None:
        return f"{chunk.chunk_id}: the manifest gives no frames to compare"
    span = ChunkSpan(chunk.start_ms, chunk.end_ms, chunk.start_frame, chunk.stop_frame)
    try:
        found = hash_span(layout.source(chunk.source_path), span)
    except BadSound as error:
        return f"{chunk.chunk_id}: {error.problem}"
    return "" if found == chunk.sha256 else f"{chunk.chunk_id}: the samples are not those that were chunked"
