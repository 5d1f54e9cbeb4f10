"""Where a detection came from: the sound, the chunk, the detector and its settings, the run, and the commits that hold it all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from badc_assets.chunks.status import read_status
from badc_assets.detections.run_record import RunRecord, read_run_record, run_record_path
from badc_assets.detections.store import ResultStatus, read_result_status, read_table, status_path
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.provenance.history import last_commit
from badc_assets.recordings.facts import has_changed, read_facts
from badc_assets.recordings.model import CatalogEntry, RecordingFacts
from badc_assets.reports.counting import is_current

_ANNEX_SHA256 = re.compile(r"SHA256E?-s[0-9]+--([0-9a-f]{64})")


@dataclass(frozen=True)
class AudioTrace:
    """The sound that was analysed. `sha256` is of the whole file; empty where the file is not here (or is another by now) and
    its key does not tell. `commit` last changed the file; empty outside a repository."""

    path: str
    content_key: str
    sha256: str
    commit: str


@dataclass(frozen=True)
class ChunkTrace:
    """A chunk that was analysed, how, and by which run. Times in ms from the start of the recording."""

    chunk_id: str
    start_ms: int
    end_ms: int
    sha256: str
    status: str
    error: str
    device: str
    precision: str
    attempts: int
    run_id: str


@dataclass(frozen=True)
class DetectionTrace:
    """One detection, with what its row says of its origin. Times in ms from the start of the recording."""

    start_ms: int
    end_ms: int
    label: str
    label_name: str
    confidence: float
    chunk: ChunkTrace
    detector: str
    detector_version: str
    model_version: str
    weights_sha256: str
    settings_hash: str
    run_id: str


@dataclass(frozen=True)
class RecordingTrace:
    """A recording's results and where they came from.

    `chunks` are those at the time that was asked for (all, without one); `run` is the record of the run, None where it is lost.
    `settings` are the detector's, and `rules` those that chose the detections; None where the run's record is not about them.
    `commit` holds the results as they are; empty when they are not saved in a repository. `is_current`: they are about the
    present sound and chunks.
    """

    recording_id: str
    audio: AudioTrace
    analysed_at: str
    result_key: str
    rules_digest: str
    is_current: bool
    is_partial: bool
    commit: str
    run: RunRecord | None
    settings: dict[str, Any] | None
    rules: dict[str, Any] | None
    chunks: tuple[ChunkTrace, ...]
    detections: tuple[DetectionTrace, ...]


def trace_recording(layout: Layout, entry: CatalogEntry, at_ms: int | None = None) -> RecordingTrace:
    """All detections of a recording, or those at one moment (ms from its start), each with its origin.

    A detection is at a moment when it has begun and not ended by then. Raises BadcError when the recording has no whole results,
    or ends before that moment.
    """
    recording_id = entry.recording_id
    result = read_result_status(layout, recording_id)
    if result is None:
        raise BadcError(recording_id, "has no results to trace", "materialize detections for it")
    if at_ms is not None and not 0 <= at_ms < max(result.audio_ms, 1):
        raise BadcError(f"--at {at_ms}", f"the recording has {result.audio_ms} ms", "give ms from its start")
    facts, chunking = read_facts(layout, recording_id), read_status(layout, recording_id)
    chunks = _chunks(layout, recording_id)
    detections = _detections(layout, recording_id, {chunk.chunk_id: chunk for chunk in chunks})
    run = read_run_record(run_record_path(layout, result.run_id))
    is_same_detector = run is not None and all(
        (found.settings_hash, found.weights_sha256) == (run.settings_hash, run.weights_sha256) for found in detections
    )
    return RecordingTrace(
        recording_id=recording_id,
        audio=_audio(layout, entry, facts, result),
        analysed_at=result.finished_at,
        result_key=result.key,
        rules_digest=result.rules_digest,
        is_current=is_current(facts, chunking, result),
        is_partial=result.is_partial,
        commit=last_commit(status_path(layout, recording_id)),
        run=run,
        settings=run.settings["detectors"].get(result.detector) if run and is_same_detector else None,
        rules=run.settings["detections"] if run and run.rules_digest == result.rules_digest else None,
        chunks=tuple(chunk for chunk in chunks if _is_at(chunk.start_ms, chunk.end_ms, at_ms)),
        detections=tuple(found for found in detections if _is_at(found.start_ms, found.end_ms, at_ms)),
    )


def _is_at(start_ms: int, end_ms: int, at_ms: int | None) -> bool:
    return at_ms is None or start_ms <= at_ms < max(end_ms, start_ms + 1)


def _audio(layout: Layout, entry: CatalogEntry, facts: RecordingFacts | None, result: ResultStatus) -> AudioTrace:
    key = result.content_key
    source = layout.source(entry.audio_path)
    stated = _ANNEX_SHA256.match(key)
    sha256 = stated[1] if stated else ""
    is_that_sound = facts is not None and facts.content_key == key and not has_changed(layout, facts)
    if not sha256 and is_that_sound and has_content(source):
        with source.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return AudioTrace(entry.audio_path, key, sha256, last_commit(source))


def _chunks(layout: Layout, recording_id: str) -> list[ChunkTrace]:
    rows: Sequence[dict[str, Any]] = read_table(layout.effort(recording_id)).to_pylist()
    return [
        ChunkTrace(
            chunk_id=row["chunk_id"],
            start_ms=row["chunk_start_ms"],
            end_ms=row["chunk_end_ms"],
            sha256=row["chunk_sha256"] or "",
            status=row["status"],
            error=row["error"] or "",
            device=row["device"] or "",
            precision=row["precision"] or "",
            attempts=row["attempts"] or 1,
            run_id=row["run_id"] or "",
        )
        for row in rows
    ]


def _detections(layout: Layout, recording_id: str, chunks: dict[str, ChunkTrace]) -> list[DetectionTrace]:
    """Raises BadcError when a detection is of a chunk that the effort does not know."""
    path = layout.detections(recording_id)
    rows: Sequence[dict[str, Any]] = read_table(path).to_pylist()
    if any(row["chunk_id"] not in chunks for row in rows):
        raise BadcError(path, "has detections of chunks that the effort does not have", "`badc fsck` says more")
    return [
        DetectionTrace(
            start_ms=row["absolute_time_ms"],
            end_ms=row["absolute_end_ms"],
            label=row["label"],
            label_name=row["label_name"] or "",
            confidence=row["confidence"],
            chunk=chunks[row["chunk_id"]],
            detector=row["detector"],
            detector_version=row["detector_version"] or "",
            model_version=row["model_version"] or "",
            weights_sha256=row["weights_sha256"] or "",
            settings_hash=row["settings_hash"] or "",
            run_id=row["run_id"] or "",
        )
        for row in rows
    ]
