"""Events of a recording -> rows of detections and of effort."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from badc_assets.chunks.manifest import Chunk
from badc_assets.detectors.protocol import DetectorInfo, Event
from badc_assets.recordings.model import RecordingFacts

Row = dict[str, Any]


@dataclass(frozen=True)
class Trace:
    """What every row carries so that it can be traced: the detector, and the run that made it."""

    detector: DetectorInfo
    run_id: str


def detection_rows(facts: RecordingFacts, chunks: Sequence[Chunk], events: Sequence[Event], trace: Trace) -> list[Row]:
    """One row per event, sorted by start, end and label, with the columns of `detections.schema`.

    An event belongs to the chunk in which it starts; where chunks overlap, to the last that has begun by then.
    """
    starts = [chunk.start_ms for chunk in chunks]
    ordered = sorted(events, key=lambda event: (event.start_ms, event.end_ms, event.label.code, event.low_hz or 0.0))
    constant = _constant_columns(facts, trace)
    return [
        _detection_row(event, chunks[max(bisect_right(starts, event.start_ms) - 1, 0)], facts, constant)
        for event in ordered
    ]


def _constant_columns(facts: RecordingFacts, trace: Trace) -> Row:
    info = trace.detector
    return {
        "recording_id": facts.recording_id,
        "status": "stub" if info.is_stub else "ok",
        "runner": info.name,
        "model_version": info.model_version,
        "source_path": encodable(facts.audio_path),
        "dataset_root": ".",
        "site": facts.site,
        "detector": info.name,
        "detector_version": info.version,
        "settings_hash": info.settings_hash,
        "weights_sha256": info.weights_sha256,
        "content_key": facts.content_key,
        "run_id": trace.run_id,
    }


def _detection_row(event: Event, chunk: Chunk, facts: RecordingFacts, constant: Row) -> Row:
    return {
        **constant,
        "chunk_id": chunk.chunk_id,
        "chunk_start_ms": chunk.start_ms,
        "chunk_end_ms": chunk.end_ms,
        "timestamp_ms": event.start_ms - chunk.start_ms,
        "absolute_time_ms": event.start_ms,
        "end_ms": event.end_ms - chunk.start_ms,
        "absolute_end_ms": event.end_ms,
        "label": event.label.code or event.label.name,
        "label_code": event.label.code,
        "label_name": event.label.name,
        "confidence": event.confidence,
        "chunk_sha256": chunk.sha256,
        "start_utc": _wall_clock(facts.start_utc, event.start_ms),
        "low_hz": event.low_hz,
        "high_hz": event.high_hz,
        "peak_hz": event.peak_hz,
        "snr_db": event.snr_db,
    }


def encodable(text: str) -> str:
    """`text` with bytes of a file name that are not UTF-8 written as escapes: tables hold only Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _wall_clock(start_utc: str | None, offset_ms: int) -> str | None:
    if start_utc is None:
        return None
    moment = datetime.fromisoformat(start_utc) + timedelta(milliseconds=offset_ms)
    return moment.isoformat(timespec="milliseconds")


def effort_rows(chunks: Sequence[Chunk], detections: Sequence[Row], trace: Trace, *, error: str = "") -> list[Row]:
    """One row per chunk, in order. `error` marks all of them as not analysed."""
    found = Counter(row["chunk_id"] for row in detections)
    rows: list[Row] = []
    covered_to_ms = 0
    for chunk in chunks:
        effort_ms = chunk.end_ms - max(chunk.start_ms, covered_to_ms)
        covered_to_ms = chunk.end_ms
        rows.append(
            {
                "recording_id": chunk.recording_id,
                "chunk_id": chunk.chunk_id,
                "chunk_start_ms": chunk.start_ms,
                "chunk_end_ms": chunk.end_ms,
                "effort_ms": effort_ms,
                "status": _chunk_status(found[chunk.chunk_id], trace.detector, error),
                "detections": found[chunk.chunk_id],
                "error": error or None,
                "detector": trace.detector.name,
                "model_version": trace.detector.model_version,
                "chunk_sha256": chunk.sha256,
                "run_id": trace.run_id,
            }
        )
    return rows


def _chunk_status(detections: int, detector: DetectorInfo, error: str) -> str:
    if error:
        return "failed"
    if detector.is_stub:
        return "stub"
    return "ok" if detections else "empty"
