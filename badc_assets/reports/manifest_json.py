"""The results of a manifest's recording as BADC's detection JSON, a file for each chunk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from badc_assets.chunks.located import ManifestRecording
from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.store import read_table
from badc_assets.files import remove, write_text
from badc_assets.layout import ManifestLayout
from badc_assets.reports.detection_json import chunk_json

RUNNERS = {"command": "custom"}
"""Where BADC has another word for a detector."""
ITEM = ("timestamp_ms", "end_ms", "label_code", "label_name", "label", "confidence")


def write_manifest_json(layout: ManifestLayout, recording: ManifestRecording) -> dict[str, str]:
    """Write the JSON of each chunk from the tables of the recording; returns chunk id -> why for those that failed.

    A failed chunk has no JSON, also none of an earlier run with other results, but a file `.failed`. What is there already as it
    should be is left alone. Raises BadcError when a table cannot be read or a file not written.
    """
    items = _items(layout, recording.recording_id)
    chunks = {chunk.chunk_id: chunk for chunk in recording.chunks}
    failed: dict[str, str] = {}
    for effort in read_table(layout.effort(recording.recording_id)).to_pylist():
        chunk_id, error = effort["chunk_id"], effort["error"] or ""
        good = layout.chunk_json(recording.recording_id, chunk_id)
        bad = layout.failed_chunk(recording.recording_id, chunk_id)
        if error:
            failed[chunk_id] = error
        target, other = (bad, good) if error else (good, bad)
        text = _text(recording, chunks[chunk_id], effort, items[chunk_id])
        if not target.is_file() or target.read_bytes() != text.encode():
            write_text(target, text)
        if other.is_symlink() or other.is_file():
            remove(other)
    return failed


def _items(layout: ManifestLayout, recording_id: str) -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_table(layout.detections(recording_id), ("chunk_id", *ITEM)).to_pylist():
        values = {name: row[name] for name in ITEM}
        # BADC has null for what a recogniser does not say.
        values |= {name: values[name] or None for name in ("label_code", "label_name")}
        found[row["chunk_id"]].append(values)
    return found


def _text(recording: ManifestRecording, chunk: Chunk, effort: Mapping[str, Any], items: list[dict[str, Any]]) -> str:
    detector: str = effort["detector"]
    runner = RUNNERS.get(detector, detector)
    is_stub = runner == "stub"
    status = effort["status"]
    if status == "empty":
        status = "ok" if runner == "custom" else "no_detections"
    return chunk_json(
        replace(chunk, source_path=str(recording.files[chunk.chunk_id])),
        items,
        status=status,
        runner=runner,
        dataset_root=str(recording.root) if recording.root else None,
        model_version=None if is_stub else effort["model_version"],
        attempt=effort["attempts"] if is_stub else None,
        error=effort["error"] or "",
    )
