"""BADC's detection JSON: one object in one line for each chunk. Its keys and their order are BADC's.

Times in it are ms from the start of the chunk. `chunk` says which part of the recording that is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.tables import encodable
from badc_assets.errors import BadcError

Row = dict[str, Any]
"""A row of the canonical table, by BADC's 18 columns."""


@dataclass(frozen=True)
class ChunkResult:
    """What one file says. `detections` are canonical rows; empty where nothing was found."""

    path: Path
    recording_id: str
    chunk_id: str
    start_ms: int | None
    end_ms: int | None
    status: str
    detections: tuple[Row, ...]
    about: Mapping[str, Any]
    """The columns that all rows of the chunk share."""


def chunk_json(
    chunk: Chunk,
    detections: list[Row],
    *,
    status: str,
    runner: str,
    dataset_root: str | None,
    model_version: str | None = None,
    attempt: int | None = None,
    error: str = "",
) -> str:
    """The text for a chunk, as BADC's runners write it. `detections` have the keys of BADC's items; `attempt` is written for the
    stub alone, as there; `dataset_root` is left out where there is no dataset. Ours is `error`, of a chunk that could not be
    analysed."""
    value: dict[str, Any] = {
        "chunk_id": chunk.chunk_id,
        "recording_id": chunk.recording_id,
        "source_path": chunk.source_path,
        "status": status,
        "detections": detections,
    }
    if attempt is not None:
        value["meta"] = {"attempt": attempt}
    value["chunk"] = {
        "start_ms": chunk.start_ms,
        "end_ms": chunk.end_ms,
        "overlap_ms": chunk.overlap_ms,
        "sha256": chunk.sha256,
        "notes": chunk.notes or None,
    }
    value["runner"] = runner
    if dataset_root is not None:
        value["dataset_root"] = dataset_root
    if model_version is not None:
        value["model_version"] = model_version
    if error:
        value["error"] = error
    return json.dumps(value)


def read_chunk_json(path: Path, manifest: Mapping[str, Chunk] | None = None) -> ChunkResult:
    """Read one file. What it does not say comes from the row of its chunk in `manifest` (chunk id -> row), then from its folder.

    Raises BadcError when it is no detection JSON, or when an item cannot be understood.
    """
    value = _object(path)
    chunk_id = _text(path, value, "chunk_id")
    row = (manifest or {}).get(chunk_id)
    stated = value.get("chunk")
    block: dict[str, Any] = stated if isinstance(stated, dict) else {}
    start_ms = _first(_ms(path, block, "start_ms"), row and row.start_ms)
    end_ms = _first(_ms(path, block, "end_ms"), row and row.end_ms)
    recording_id = value.get("recording_id") or (row and row.recording_id) or path.parent.name
    about = {
        "recording_id": encodable(str(recording_id)),
        "chunk_id": chunk_id,
        "chunk_start_ms": start_ms,
        "chunk_end_ms": end_ms,
        "status": encodable(str(value.get("status") or "unknown")),
        "runner": _optional(value.get("runner")),
        "model_version": _optional(value.get("model_version")),
        "chunk_sha256": _optional(block.get("sha256") or (row and row.sha256)),
        "source_path": encodable(str(value.get("source_path") or (row and row.source_path) or path)),
        "dataset_root": _optional(value.get("dataset_root")),
    }
    items = value["detections"]
    rows = tuple(_row(path, f"detections[{number}]", item, about) for number, item in enumerate(items))
    return ChunkResult(path, about["recording_id"], chunk_id, start_ms, end_ms, about["status"], rows, about)


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", "make it readable") from error
    except (ValueError, RecursionError) as error:
        raise BadcError(path, f"is not valid JSON ({error})", "analyse its chunk again") from error
    if not isinstance(value, dict) or not isinstance(value.get("detections"), list) or not value.get("chunk_id"):
        raise BadcError(path, "is no detection JSON (chunk_id, detections)", "move it elsewhere")
    return value


def _row(path: Path, place: str, item: Any, about: Mapping[str, Any]) -> Row:
    if not isinstance(item, dict):
        raise BadcError(path, f"{place} is not an object", "analyse its chunk again")
    start_ms, end_ms = (_ms(path, item, name, place) for name in ("timestamp_ms", "end_ms"))
    confidence = item.get("confidence")
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool) and math.isfinite(confidence)
    if confidence is not None and not is_number:
        raise BadcError(path, f"{place}: confidence is not a number", "analyse its chunk again")
    code, name = _optional(item.get("label_code")), _optional(item.get("label_name"))
    offset = about["chunk_start_ms"]
    return {
        **about,
        "timestamp_ms": start_ms,
        "absolute_time_ms": None if start_ms is None or offset is None else offset + start_ms,
        "end_ms": end_ms,
        "absolute_end_ms": None if end_ms is None or offset is None else offset + end_ms,
        "label": _optional(item.get("label")) or code or name or "unknown",
        "label_code": code,
        "label_name": name,
        "confidence": None if confidence is None else float(confidence),
    }


def _ms(path: Path, values: Mapping[str, Any], name: str, place: str = "chunk") -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadcError(path, f"{place}: {name} is not a number", "analyse its chunk again")
    return int(value)


def _text(path: Path, value: Mapping[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str):
        raise BadcError(path, f"{name} is not a text", "analyse its chunk again")
    return encodable(text)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _optional(value: Any) -> str | None:
    return None if value is None or value == "" else encodable(str(value))
