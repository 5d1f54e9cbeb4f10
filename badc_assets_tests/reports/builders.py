"""Small datasets on disk for the tests of reports: what the stages before write for a recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from badc_assets.chunks.status import ChunkStatus, write_status
from badc_assets.detections.schema import DETECTION_COLUMNS
from badc_assets.detections.store import ResultStatus, write_results
from badc_assets.files import write_json
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry, RecordingFacts

CHUNK_MS = 60_000
ROWS = "digest of the manifest"
VERSION = "energy-1.0+abc123"


def dataset(root: Path) -> Layout:
    return Layout(dataset=root, audio=root / "audio", output=root)


def add_recording(
    layout: Layout, recording_id: str, *, chunking: str | None = "completed", **facts: Any
) -> RecordingFacts:
    """Write the facts and the chunk status of one recording; `chunking` None leaves the status out."""
    values: dict[str, Any] = {
        "audio_path": f"audio/{recording_id}.wav",
        "content_key": f"sha256:{recording_id}",
        "size_bytes": 1000,
        "sample_rate_hz": 22_050,
        "channels": 1,
        "duration_ms": 2 * CHUNK_MS,
        "site": "Pond",
        "start_local": "2024-05-01T05:00:00",
    }
    made = RecordingFacts(recording_id=recording_id, **(values | facts))
    write_json(layout.facts(recording_id), made.to_json())
    if chunking is not None:
        add_chunking(layout, made, chunking)
    return made


def add_chunking(layout: Layout, facts: RecordingFacts, status: Any = "completed", manifest_digest: str = ROWS) -> None:
    """Write the chunk status of a recording for the content that its facts name."""
    made = ChunkStatus(
        facts.recording_id, facts.audio_path, chunk_output_dir="", manifest_path="", chunk_duration=60.0, overlap=0.0,
        updated_at="", status=status, started_at="", error="disk went away" if status == "failed" else None,
        manifest_rows=2, content_key=facts.content_key, manifest_digest=manifest_digest,
    )  # fmt: skip
    write_status(layout, made)


def entry(recording_id: str, **values: Any) -> CatalogEntry:
    """A catalogue entry of a recording that is there."""
    known: dict[str, Any] = {
        "audio_path": f"audio/{recording_id}.wav", "alias": recording_id, "size_bytes": 1000, "mtime_ns": 1,
        "content_key": f"MD5E-{recording_id}", "state": "present",
    }  # fmt: skip
    return CatalogEntry(recording_id, **(known | values))


def entries(recording_ids: Iterable[str]) -> list[CatalogEntry]:
    return [entry(recording_id) for recording_id in recording_ids]


def add_results(
    layout: Layout,
    recording_id: str,
    chunks: list[tuple[int, int, str]],
    found: list[tuple[int, str, float | None]],
    *,
    manifest_digest: str = ROWS,
    model_version: str = VERSION,
    status: Any = "completed",
    **columns: Any,
) -> None:
    """Write effort from (start_ms, end_ms, status) and detections from (absolute start in ms, label, confidence)."""
    effort = [_effort_row(recording_id, chunk, found) | {"model_version": model_version} for chunk in chunks]
    rows = [_detection_row(recording_id, chunks, event) | columns for event in found]
    detections = {name: [row.get(name) for row in rows] for name in DETECTION_COLUMNS}
    written = ResultStatus(
        recording_id, status, key="key", manifest_digest=manifest_digest, detections=len(found),
        audio_ms=max((end for _, end, _ in chunks), default=0), detector="energy", model_version=model_version,
        run_id="run-1", finished_at="2024-06-01T00:00:00+00:00", seconds=1.0,
        error="out of memory" if status == "failed" else "",
    )  # fmt: skip
    write_results(layout, written, [detections], effort)


def _effort_row(
    recording_id: str, chunk: tuple[int, int, str], found: list[tuple[int, str, float | None]]
) -> dict[str, Any]:
    start, end, status = chunk
    return {
        "recording_id": recording_id, "chunk_id": f"{recording_id}_chunk_{start}_{end}", "chunk_start_ms": start,
        "chunk_end_ms": end, "effort_ms": end - start, "status": status,
        "detections": sum(start <= at < end for at, _, _ in found),
        "error": "out of memory" if status == "failed" else None, "detector": "energy",
        "model_version": VERSION, "chunk_sha256": None, "run_id": "run-1",
    }  # fmt: skip


def _detection_row(
    recording_id: str, chunks: list[tuple[int, int, str]], event: tuple[int, str, float | None]
) -> dict[str, Any]:
    at, label, confidence = event
    start, end, _ = next(chunk for chunk in chunks if chunk[0] <= at < chunk[1])
    return {
        "recording_id": recording_id, "chunk_id": f"{recording_id}_chunk_{start}_{end}", "chunk_start_ms": start,
        "chunk_end_ms": end, "timestamp_ms": at - start, "absolute_time_ms": at, "end_ms": at - start + 1500,
        "absolute_end_ms": at + 1500, "label": label, "label_code": label, "label_name": f"{label} bird",
        "confidence": confidence, "status": "ok", "runner": "energy", "model_version": VERSION,
        "source_path": f"audio/{recording_id}.wav", "dataset_root": ".", "detector": "energy",
        "detector_version": "1.0", "settings_hash": "abc123",
    }  # fmt: skip
