"""The gate between chunking and inference: nothing is analysed whose chunking has not completed."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.chunks.manifest import Chunk, manifest_digest, read_manifest
from badc_assets.chunks.quality.file import quality_digest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import read_status
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts


class NotChunked(BadcError):
    """The recording may not be analysed. `problem` says why."""


def chunking_problem(layout: Layout, recording_id: str, settings: ChunkSettings) -> str:
    """Why the chunking of this recording does not count as completed; empty when it does.

    It counts when the status is `completed`, for the recording's present content, with the present settings, the sound is not
    quarantined, and the manifest holds the rows that the status was written for.
    """
    status = read_status(layout, recording_id)
    if status is None:
        return "it has not been chunked"
    if status.status == "failed":
        return status.error or "chunking failed"
    if status.status == "in_progress":
        return "chunking is not finished"
    facts = read_facts(layout, recording_id)
    if facts is None or facts.content_key != status.content_key:
        return "the audio changed after it was chunked"
    if facts.status == "quarantined" and not facts.is_absent:
        return facts.reason
    if status.settings_digest != settings.digest:
        return "it was chunked with other settings"
    if status.quality_digest != quality_digest(settings.quality):
        return "its sound was not held against the present limits"
    if status.is_quarantined:
        return status.quality_reason
    try:
        chunks = read_manifest(layout.manifest(recording_id))
    except BadcError as error:
        return error.problem
    if manifest_digest(chunks) != status.manifest_digest:
        return "the manifest was changed after chunking"
    return ""


def chunking_problems(layout: Layout, recording_ids: Iterable[str], settings: ChunkSettings) -> dict[str, str]:
    """The recordings whose chunking does not count as completed, each with the reason."""
    found = ((recording_id, chunking_problem(layout, recording_id, settings)) for recording_id in recording_ids)
    return {recording_id: problem for recording_id, problem in found if problem}


def chunks_for_inference(
    layout: Layout, recording_id: str, settings: ChunkSettings, *, allow_partial: bool = False
) -> tuple[Chunk, ...]:
    """The chunks of a recording that may be analysed. Raises NotChunked when the gate is closed.

    `allow_partial` forgives that chunking has not completed, if there is a manifest for the recording's present content
    and settings (or one whose status was lost). It forgives nothing else.
    """
    problem = chunking_problem(layout, recording_id, settings)
    if problem and not (allow_partial and _is_only_incomplete(layout, recording_id, settings)):
        raise NotChunked(recording_id, problem, "materialize chunk_manifest and chunk_status for it first")
    return read_manifest(layout.manifest(recording_id))


def _is_only_incomplete(layout: Layout, recording_id: str, settings: ChunkSettings) -> bool:
    facts, status = read_facts(layout, recording_id), read_status(layout, recording_id)
    if facts is None or facts.status == "quarantined" or not layout.manifest(recording_id).is_file():
        return False
    if status is None:
        return True
    is_present_state = (status.content_key, status.settings_digest) == (facts.content_key, settings.digest)
    return status.status != "completed" and is_present_state
