"""The columns of detections and effort. BADC's 18 come first with its names, order and types; ours follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BADC_TYPES = {
    "recording_id": "string", "chunk_id": "string", "chunk_start_ms": "int64", "chunk_end_ms": "int64",
    "timestamp_ms": "int64", "absolute_time_ms": "int64", "end_ms": "int64", "absolute_end_ms": "int64",
    "label": "string", "label_code": "string", "label_name": "string", "confidence": "double", "status": "string",
    "runner": "string", "model_version": "string", "chunk_sha256": "string", "source_path": "string",
    "dataset_root": "string",
}  # fmt: skip
"""Column -> type. `timestamp_ms` and `end_ms` count from the start of the chunk, `absolute_*` from that of the recording.

A detection belongs to the chunk in which it starts; it may end in a later one. `dataset_root` is always "." here:
the files can move.
"""

BADC_COLUMNS = tuple(BADC_TYPES)

OUR_COLUMNS = {
    "low_hz": "double", "high_hz": "double", "peak_hz": "double", "snr_db": "double", "detector": "string",
    "detector_version": "string", "settings_hash": "string", "weights_sha256": "string", "content_key": "string",
    "run_id": "string", "note": "string",
}  # fmt: skip

DETECTION_COLUMNS = BADC_TYPES | OUR_COLUMNS

JOINED_COLUMNS = {"site": "string", "start_utc": "string"}
"""What the dataset-wide table adds from the facts of each recording, so that better facts need no new analysis.

`start_utc` is the detection's own wall-clock start, null where the recording's is unknown.
"""

EFFORT_COLUMNS = {
    "recording_id": "string", "chunk_id": "string", "chunk_start_ms": "int64", "chunk_end_ms": "int64",
    "effort_ms": "int64", "status": "string", "detections": "int64", "error": "string", "detector": "string",
    "model_version": "string", "chunk_sha256": "string", "run_id": "string", "device": "string", "precision": "string",
    "attempts": "int64",
}  # fmt: skip
"""One row per chunk. `effort_ms` is the part of the chunk that no earlier chunk covered, so that sums never count time twice.

`status`: `ok` (something found), `empty` (analysed, nothing found), `failed` (not analysed; `error` says why), `stub`; in the
dataset-wide table also `unusable` (the sound of the chunk is quarantined: whatever the detector found, it could not hear).
"""

RAW_COLUMNS = {
    "start_ms": "int64", "end_ms": "int64", "label_code": "string", "label_name": "string", "confidence": "double",
    "low_hz": "double", "high_hz": "double", "peak_hz": "double", "snr_db": "double", "note": "string",
}  # fmt: skip
"""What a detector found, before thresholds and lists; times from the start of the recording."""

DESCRIPTIONS = {
    "timestamp_ms": "start, from the start of the chunk",
    "end_ms": "end, from the start of the chunk",
    "absolute_time_ms": "start, from the start of the recording",
    "absolute_end_ms": "end, from the start of the recording",
    "confidence": "0 to 1; what it means is the detector's to say",
    "status": "`ok`, or `stub` for results that mean nothing",
    "start_utc": "wall-clock start; empty where the recording's is unknown",
    "snr_db": "level above the noise floor",
    "settings_hash": "changes with every setting of the detector that changes results",
    "content_key": "the content of the recording when it was analysed",
    "run_id": "the Dagster run that made the row",
    "note": "`tail`: the window was moved to end with the recording; `padded`: it was filled up with zeros",
    "device": "what the detector ran on",
    "precision": "in which it calculated, where it has a choice",
    "attempts": "how often the chunk was tried",
    "effort_ms": "the part of the chunk that no earlier chunk covered",
}


def detection_schema() -> pa.Schema:
    """The Arrow schema of `detections.parquet`."""
    return _schema(DETECTION_COLUMNS)


def effort_schema() -> pa.Schema:
    """The Arrow schema of `effort.parquet`."""
    return _schema(EFFORT_COLUMNS)


def raw_schema() -> pa.Schema:
    """The Arrow schema of `raw_events.parquet`."""
    return _schema(RAW_COLUMNS)


def _schema(columns: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])
