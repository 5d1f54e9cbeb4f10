"""The columns of detections and effort. BADC's 18 come first with its names, order and types; ours follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BADC_COLUMNS = (
    "recording_id", "chunk_id", "chunk_start_ms", "chunk_end_ms", "timestamp_ms", "absolute_time_ms", "end_ms",
    "absolute_end_ms", "label", "label_code", "label_name", "confidence", "status", "runner", "model_version",
    "chunk_sha256", "source_path", "dataset_root",
)  # fmt: skip
"""`timestamp_ms` and `end_ms` count from the start of the chunk, `absolute_*` from the start of the recording.

A detection belongs to the chunk in which it starts; it may end in a later one. `dataset_root` is always "."
here: the files can move.
"""

OUR_COLUMNS = {
    "site": "string", "start_utc": "string", "low_hz": "double", "high_hz": "double", "peak_hz": "double", "snr_db": "double",
    "detector": "string", "detector_version": "string", "settings_hash": "string", "weights_sha256": "string",
    "content_key": "string", "run_id": "string",
}  # fmt: skip
"""Column -> type. `start_utc` is the detection's own wall-clock start (ISO 8601), null where the recording's is unknown."""

_INTEGERS = {"chunk_start_ms", "chunk_end_ms", "timestamp_ms", "absolute_time_ms", "end_ms", "absolute_end_ms"}

EFFORT_COLUMNS = {
    "recording_id": "string", "chunk_id": "string", "chunk_start_ms": "int64", "chunk_end_ms": "int64", "effort_ms": "int64",
    "status": "string", "detections": "int64", "error": "string", "detector": "string", "model_version": "string",
    "chunk_sha256": "string", "run_id": "string",
}  # fmt: skip
"""One row per chunk. `effort_ms` is the part of the chunk that no earlier chunk covered, so that sums never count time twice.

`status`: `ok` (something found), `empty` (analysed, nothing found), `failed` (not analysed; `error` says why), `stub`.
"""


def detection_schema() -> pa.Schema:
    """The Arrow schema of `detections.parquet`."""
    import pyarrow as pa

    types = {"string": pa.string(), "double": pa.float64()}
    ours = [(name, types[kind]) for name, kind in OUR_COLUMNS.items()]
    return pa.schema([(name, _badc_type(name)) for name in BADC_COLUMNS] + ours)


def effort_schema() -> pa.Schema:
    """The Arrow schema of `effort.parquet`."""
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64()}
    return pa.schema([(name, types[kind]) for name, kind in EFFORT_COLUMNS.items()])


def _badc_type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in _INTEGERS:
        return pa.int64()
    return pa.float64() if name == "confidence" else pa.string()
