"""One pass over a recording: verify that every sample can be read, hash each chunk, measure the sound; manifest and status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from badc_assets.audio.measures.meter import Meter
from badc_assets.audio.probe import BadSound, probe
from badc_assets.chunks.manifest import Chunk, chunk_id, manifest_digest, read_manifest, write_manifest
from badc_assets.chunks.plan import chunk_plan
from badc_assets.chunks.quality.file import (
    RecordingQuality,
    quality_digest,
    read_quality,
    recording_quality,
    write_quality,
)
from badc_assets.chunks.quality.verdict import Verdict
from badc_assets.chunks.reading import hash_spans
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
from badc_assets.files import PlaceTaken, exclusive, remove, stable_hash
from badc_assets.layout import Layout
from badc_assets.recordings.facts import has_changed, missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts
from badc_assets.recordings.parallel import in_parallel


class NotChunkable(BadcError):
    """The recording is quarantined, or is being written at this moment."""


@dataclass(frozen=True)
class ChunkOutcome:
    """What chunking did for one recording. `was_reused`: audio and settings were unchanged, nothing was read.

    `quality` is what the limits say of the sound; None when it was not read to its end. `resumed_after_crash`: an earlier writer
    had died in the middle; its work was redone.
    """

    recording_id: str
    status: State
    reason: str
    chunks: int
    audio_ms: int
    manifest_digest: str
    was_reused: bool
    quality: Verdict | None = None
    unusable_chunks: int = 0
    resumed_after_crash: bool = False
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"

    @property
    def manifest_version(self) -> str:
        """Changes when the rows of the manifest do."""
        return stable_hash([self.status, self.manifest_digest])

    @property
    def status_version(self) -> str:
        """Changes when the chunks, what is wrong, or what the limits say of the sound do."""
        verdict = self.quality.to_json() if self.quality else None
        return stable_hash([self.status, self.reason, self.manifest_digest, verdict])


def chunk_recordings(
    layout: Layout, recording_ids: Iterable[str], settings: ChunkSettings, clock: Clock, workers: int = 1
) -> Iterator[ChunkOutcome]:
    """Chunk recordings one after another, or so many `workers` at a time; yields what became of each, in their order."""
    if workers > 1:
        yield from in_parallel(lambda each: _chunked(layout, each, settings, clock), recording_ids, workers)
        return
    for recording_id in recording_ids:
        yield _chunked(layout, recording_id, settings, clock)


def _chunked(layout: Layout, recording_id: str, settings: ChunkSettings, clock: Clock) -> ChunkOutcome:
    facts = read_facts(layout, recording_id)
    if facts is None:
        return _unrecorded_failure(recording_id, missing_facts_reason(layout, recording_id))
    try:
        return chunk_recording(layout, facts, settings, clock)
    except PlaceTaken as error:
        return _unrecorded_failure(recording_id, str(error))


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
            remove(layout.quality(facts.recording_id))
            chunks, quality = _verified_chunks(layout, facts, settings)
            write_manifest(layout.manifest(facts.recording_id), chunks)
            read = replace(
                opening, status="completed", manifest_rows=len(chunks), manifest_digest=manifest_digest(chunks)
            )
            judged = _judged(layout, read, quality, settings)
        except (BadSound, NotChunkable) as error:
            return _fail(layout, opening, clock, error.problem, started)
        except PlaceTaken as error:
            return _fail(layout, opening, clock, str(error), started)
        closing = replace(judged, **_closing_times(clock, started))
        write_status(layout, closing)
        outcome = outcome_of(closing, chunks, was_reused=False)
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
            if status.quality_digest != quality_digest(settings.quality):
                # Other limits, the same sound: its numbers are at hand.
                quality = read_quality(layout, facts.recording_id)
                status = _judged(layout, status, quality, settings)
                write_status(layout, status)
            return outcome_of(status, chunks, was_reused=True)
    return None


def _judged(layout: Layout, status: ChunkStatus, quality: RecordingQuality, settings: ChunkSettings) -> ChunkStatus:
    """The status with what the limits say of the sound; the numbers are written, the status is not."""
    judged = quality.judged(settings.quality)
    write_quality(layout, status.recording_id, quality, judged)
    return replace(
        status,
        quality_digest=quality_digest(settings.quality),
        quality=judged.recording,
        unusable_chunks=len(judged.unusable),
    )


def _verified_chunks(
    layout: Layout, facts: RecordingFacts, settings: ChunkSettings
) -> tuple[tuple[Chunk, ...], RecordingQuality]:
    """Read the recording from its first sample to its last."""
    if facts.status == "quarantined":
        raise NotChunkable(layout.source(facts.audio_path), facts.reason, "see the flags of the recording")
    source = layout.source(facts.audio_path)
    sound = probe(source)
    spans = chunk_plan(sound.frames, sound.sample_rate_hz, settings)
    meter = Meter(sound.sample_rate_hz, sound.channels, sound.frames)
    hashes = hash_spans(source, sound, spans, meter.add)
    if has_changed(layout, facts):
        raise NotChunkable(
            source, "the file changed since it was examined", "materialize recordings again when it is complete"
        )
    chunks = tuple(
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
    return chunks, recording_quality(meter.measures(), chunks)


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
    return replace(outcome_of(closing, (), was_reused=False), seconds=time.monotonic() - started)


def _closing_times(clock: Clock, started: float) -> dict[str, str | float]:
    now = clock().isoformat()
    return {"updated_at": now, "completed_at": now, "duration_s": round(time.monotonic() - started, 6)}


def outcome_of(status: ChunkStatus, chunks: Sequence[Chunk], *, was_reused: bool) -> ChunkOutcome:
    """A stored status and the rows of its manifest as an outcome."""
    return ChunkOutcome(
        recording_id=status.recording_id,
        status=status.status,
        reason=status.error or "",
        chunks=len(chunks),
        audio_ms=chunks[-1].end_ms if chunks else 0,
        manifest_digest=status.manifest_digest,
        was_reused=was_reused,
        quality=status.quality,
        unusable_chunks=status.unusable_chunks,
    )
