"""Events of a recording -> columns of detections and rows of effort."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from badc_assets.chunks.manifest import Chunk
from badc_assets.detectors.protocol import DetectorInfo, Event
from badc_assets.recordings.model import RecordingFacts

Row = dict[str, Any]
Columns = dict[str, list[Any]]
Placed = tuple[Event, Chunk]


@dataclass(frozen=True)
class Trace:
    """What every row carries so that it can be traced: the detector, and the run that made it."""

    detector: DetectorInfo
    run_id: str


@dataclass(frozen=True)
class Analysed:
    """How the analysis of one chunk went. `error` is empty when it succeeded."""

    error: str = ""
    device: str = ""
    precision: str = ""
    attempts: int = 1


def place(events: Sequence[Event], chunks: Sequence[Chunk]) -> list[Placed]:
    """Each event with its chunk, sorted by start, end and label.

    An event belongs to the chunk in which it starts; where chunks overlap, to the last that has begun by then.
    """
    starts = [chunk.start_ms for chunk in chunks]
    ordered = sorted(events, key=lambda event: (event.start_ms, event.end_ms, event.label.code, event.low_hz or 0.0))
    return [(event, chunks[max(bisect_right(starts, event.start_ms) - 1, 0)]) for event in ordered]


def detection_columns(facts: RecordingFacts, placed: Sequence[Placed], trace: Trace) -> Columns:
    """The columns of `detections.schema.DETECTION_COLUMNS`, one value per event, in the given order."""
    info = trace.detector
    same = {
        "recording_id": facts.recording_id,
        "status": "stub" if info.is_stub else "ok",
        "runner": info.name,
        "model_version": info.model_version,
        "dataset_root": ".",
        "detector": info.name,
        "detector_version": info.version,
        "settings_hash": info.settings_hash,
        "weights_sha256": info.weights_sha256,
        "content_key": facts.content_key,
        "run_id": trace.run_id,
    }
    return {
        **{name: [value] * len(placed) for name, value in same.items()},
        # The manifest's path where chunks are files of their own: elsewhere a recording may have moved since.
        "source_path": [encodable(facts.audio_path or chunk.source_path) for _, chunk in placed],
        "chunk_id": [chunk.chunk_id for _, chunk in placed],
        "chunk_start_ms": [chunk.start_ms for _, chunk in placed],
        "chunk_end_ms": [chunk.end_ms for _, chunk in placed],
        "chunk_sha256": [chunk.sha256 for _, chunk in placed],
        "timestamp_ms": [event.start_ms - chunk.start_ms for event, chunk in placed],
        "end_ms": [event.end_ms - chunk.start_ms for event, chunk in placed],
        "absolute_time_ms": [event.start_ms for event, _ in placed],
        "absolute_end_ms": [event.end_ms for event, _ in placed],
        "label": [event.label.code or event.label.name for event, _ in placed],
        "label_code": [event.label.code for event, _ in placed],
        "label_name": [event.label.name for event, _ in placed],
        "confidence": [event.confidence for event, _ in placed],
        "low_hz": [event.low_hz for event, _ in placed],
        "high_hz": [event.high_hz for event, _ in placed],
        "peak_hz": [event.peak_hz for event, _ in placed],
        "snr_db": [event.snr_db for event, _ in placed],
        "note": [event.note for event, _ in placed],
    }


def effort_rows(
    chunks: Sequence[Chunk], found: Mapping[str, int], trace: Trace, analysed: Mapping[str, Analysed]
) -> list[Row]:
    """One row per chunk, in order. `found` counts the detections by chunk id, `analysed` says how each chunk went."""
    rows: list[Row] = []
    covered_to_ms = 0
    for chunk in chunks:
        effort_ms = chunk.end_ms - max(chunk.start_ms, covered_to_ms)
        covered_to_ms = chunk.end_ms
        how = analysed[chunk.chunk_id]
        rows.append(
            {
                "recording_id": chunk.recording_id,
                "chunk_id": chunk.chunk_id,
                "chunk_start_ms": chunk.start_ms,
                "chunk_end_ms": chunk.end_ms,
                "effort_ms": effort_ms,
                "status": chunk_status(found.get(chunk.chunk_id, 0), how.error, is_stub=trace.detector.is_stub),
                "detections": found.get(chunk.chunk_id, 0),
                "error": how.error or None,
                "detector": trace.detector.name,
                "model_version": trace.detector.model_version,
                "chunk_sha256": chunk.sha256,
                "run_id": trace.run_id,
                "device": how.device,
                "precision": how.precision,
                "attempts": how.attempts,
            }
        )
    return rows


def chunk_status(detections: int, error: str, *, is_stub: bool) -> str:
    """The word for a chunk in the effort table."""
    if error:
        return "failed"
    if is_stub:
        return "stub"
    return "ok" if detections else "empty"


def encodable(text: str) -> str:
    """`text` with bytes of a file name that are not UTF-8 written as escapes: tables hold only Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
