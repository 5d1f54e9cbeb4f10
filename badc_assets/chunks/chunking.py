"""One pass over a recording: verify that every sample can be read, hash each chunk, write manifest and status."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from badc_assets.audio.probe import BadSound, SoundFormat, probe
from badc_assets.audio.samples import SampleReader
from badc_assets.chunks.manifest import Chunk, chunk_id, manifest_digest, read_manifest, write_manifest
from badc_assets.chunks.plan import ChunkSpan, chunk_plan
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import (
    ChunkStatus,
    Clock,
    State,
    Writer,
    is_interrupted,
    lock_file,
    read_status,
    write_status,
)
from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, exclusive, remove
from badc_assets.layout import Layout
from badc_assets.recordings.facts import has_changed, missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts

BLOCK_FRAMES = 1 << 17
"""Frames read at a time: large enough that Python costs nothing, small enough to stay in cache (256 KiB of 16-bit mono)."""


class NotChunkable(BadcError):
    """The recording is quarantined, or is being written at this moment."""


@dataclass(frozen=True)
class ChunkOutcome:
    """What chunking did for one recording. `was_reused`: audio and settings were unchanged, nothing was read.

    `resumed_after_crash`: an earlier writer had died in the middle; its work was redone.
    """

    recording_id: str
    status: State
    reason: str
    chunks: int
    audio_ms: int
    manifest_digest: str
    was_reused: bool
    resumed_after_crash: bool = False
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"


def chunk_recordings(
    layout: Layout, recording_ids: Iterable[str], settings: ChunkSettings, clock: Clock
) -> Iterator[ChunkOutcome]:
    """Chunk recordings one after another; yields what became of each as soon as it is known."""
    for recording_id in recording_ids:
        facts = read_facts(layout, recording_id)
        if facts is None:
            yield _unrecorded_failure(recording_id, missing_facts_reason(layout, recording_id))
            continue
        try:
            yield chunk_recording(layout, facts, settings, clock)
        except PlaceTaken as error:
            yield _unrecorded_failure(recording_id, str(error))


def chunk_recording(layout: Layout, facts: RecordingFacts, settings: ChunkSettings, clock: Clock) -> ChunkOutcome:
    """Chunk one recording, or find that it has been done for this audio and these settings.

    What is wrong with the recording becomes status `failed` with the reason. Two callers at once: the second waits and reuses.
    Raises PlaceTaken when a folder is in the place of its status, BadcError for trouble that is not the recording's own,
    such as a full disk.
    """
    crashed = is_interrupted(layout, facts.recording_id)
    with exclusive(lock_file(layout, facts.recording_id)):
        done = _current_outcome(layout, facts, settings)
        if done is not None:
            return done
        if facts.awaits_content:
            # Nothing was tried, so nothing is written: a status that is there belongs to the sound that is not.
            return _unrecorded_failure(facts.recording_id, facts.reason)
        started = time.monotonic()
        opening = _opening_status(layout, facts, settings, clock)
        write_status(layout, opening)
        try:
            # Rows of other audio or settings must not be taken for this recording's if its chunking fails.
            remove(layout.manifest(facts.recording_id))
            chunks = _verified_chunks(layout, facts, settings)
            write_manifest(layout.manifest(facts.recording_id), chunks)
        except (BadSound, NotChunkable) as error:
            return _fail(layout, opening, clock, error.problem, started)
        except PlaceTaken as error:
            return _fail(layout, opening, clock, str(error), started)
        closing = replace(
            opening,
            status="completed",
            manifest_rows=len(chunks),
            manifest_digest=manifest_digest(chunks),
            **_closing_times(clock, started),
        )
        write_status(layout, closing)
        outcome = _outcome(closing, chunks, was_reused=False)
        return replace(outcome, resumed_after_crash=crashed, seconds=time.monotonic() - started)


def _current_outcome(layout: Layout, facts: RecordingFacts, settings: ChunkSettings) -> ChunkOutcome | None:
    """The stored outcome when it is about this audio and these settings and its manifest is intact."""
    status = read_status(layout, facts.recording_id)
    if status is None or status.status != "completed":
        return None
    if facts.status == "quarantined" and not facts.is_absent:
        return None
    if (status.content_key, status.settings_digest) != (facts.content_key, settings.digest):
        if not facts.is_absent:
            return None
        reason = f"{facts.reason}; its chunks are of a former state and are kept"
        return ChunkOutcome(facts.recording_id, "failed", reason, 0, 0, "", was_reused=True)
    with suppress(BadcError):
        chunks = read_manifest(layout.manifest(facts.recording_id))
        if manifest_digest(chunks) == status.manifest_digest:
            return _outcome(status, chunks, was_reused=True)
    return None


def _verified_chunks(layout: Layout, facts: RecordingFacts, settings: ChunkSettings) -> tuple[Chunk, ...]:
    if facts.status == "quarantined":
        raise NotChunkable(layout.source(facts.audio_path), facts.reason, "see the flags of the recording")
    source = layout.source(facts.audio_path)
    sound = probe(source)
    spans = chunk_plan(sound.frames, sound.sample_rate_hz, settings)
    hashes = _hash_spans(source, sound, spans)
    if has_changed(layout, facts):
        raise NotChunkable(
            source, "the file changed since it was examined", "materialize recordings again when it is complete"
        )
    return tuple(
        Chunk(
            recording_id=facts.recording_id,
            chunk_id=chunk_id(facts.recording_id, span.start_ms, span.end_ms),
            source_path=facts.audio_path,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            overlap_ms=settings.overlap_ms,
            sha256=digest,
            start_frame=span.start_frame,
            stop_frame=span.stop_frame,
            sample_rate_hz=sound.sample_rate_hz,
            channels=sound.channels,
            sample_dtype=str(hashes.dtype),
        )
        for span, digest in zip(spans, hashes.digests, strict=True)
    )


@dataclass(frozen=True)
class SpanHashes:
    """sha256 per span, and the sample type that was hashed."""

    digests: tuple[str, ...]
    dtype: str


def _hash_spans(source: Path, sound: SoundFormat, spans: Sequence[ChunkSpan]) -> SpanHashes:
    """Hash all spans in one pass; spans may overlap, and are in order of their start."""
    hashers = [hashlib.sha256() for _ in spans]
    first_open = 0
    position = 0
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(BLOCK_FRAMES):
            stop = position + len(block)
            index = first_open
            while index < len(spans) and spans[index].start_frame < stop:
                span = spans[index]
                if span.stop_frame > position:
                    part = block[max(span.start_frame - position, 0) : span.stop_frame - position]
                    hashers[index].update(part.data)
                index += 1
            while first_open < len(spans) and spans[first_open].stop_frame <= stop:
                first_open += 1
            position = stop
        return SpanHashes(tuple(hasher.hexdigest() for hasher in hashers), reader.dtype)


def hash_span(source: Path, span: ChunkSpan) -> str:
    """sha256 of one span, read alone: what the manifest must say of it."""
    sound = probe(source)
    if sound.container == "mp3":
        # After a seek an MP3 decoder may differ in the last bit, so the span is reached by reading.
        return _hash_spans(source, replace(sound, frames=span.stop_frame), [span]).digests[0]
    hasher = hashlib.sha256()
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(BLOCK_FRAMES, span.start_frame, span.stop_frame):
            hasher.update(block.data)
    return hasher.hexdigest()


def _opening_status(layout: Layout, facts: RecordingFacts, settings: ChunkSettings, clock: Clock) -> ChunkStatus:
    now = clock().isoformat()
    return ChunkStatus(
        recording_id=facts.recording_id,
        audio_path=facts.audio_path,
        chunk_output_dir=layout.chunk_dir(facts.recording_id).relative_to(layout.output).as_posix(),
        manifest_path=layout.manifest(facts.recording_id).relative_to(layout.output).as_posix(),
        chunk_duration=settings.length_s,
        overlap=settings.overlap_s,
        updated_at=now,
        status="in_progress",
        started_at=now,
        content_key=facts.content_key,
        settings_digest=settings.digest,
        writer=Writer(),
    )


def _unrecorded_failure(recording_id: str, reason: str) -> ChunkOutcome:
    """A failure for which no status can be written."""
    return ChunkOutcome(recording_id, "failed", reason, 0, 0, "", was_reused=False)


def _fail(layout: Layout, opening: ChunkStatus, clock: Clock, reason: str, started: float) -> ChunkOutcome:
    closing = replace(
        opening, status="failed", manifest_rows=0, error=reason or "no reason given", **_closing_times(clock, started)
    )
    write_status(layout, closing)
    return replace(_outcome(closing, (), was_reused=False), seconds=time.monotonic() - started)


def _closing_times(clock: Clock, started: float) -> dict[str, str | float]:
    now = clock().isoformat()
    return {"updated_at": now, "completed_at": now, "duration_s": round(time.monotonic() - started, 6)}


def _outcome(status: ChunkStatus, chunks: Sequence[Chunk], *, was_reused: bool) -> ChunkOutcome:
    return ChunkOutcome(
        recording_id=status.recording_id,
        status=status.status,
        reason=status.error or "",
        chunks=len(chunks),
        audio_ms=chunks[-1].end_ms if chunks else 0,
        manifest_digest=status.manifest_digest,
        was_reused=was_reused,
    )
