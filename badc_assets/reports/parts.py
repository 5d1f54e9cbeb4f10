"""Read what one recording left behind: its detections, its effort, its facts and its chunk status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from badc_assets.errors import BadcError

DETECTION_ORDER = ("absolute_time_ms", "label", "absolute_end_ms", "chunk_id")
EFFORT_ORDER = ("chunk_start_ms", "chunk_id")


def read_part(path: Path, schema: pa.Schema, recording_id: str, order: tuple[str, ...]) -> pa.Table:
    """The rows of one recording's Parquet file in the columns and types of `schema`, sorted by `order`.

    Extra columns are dropped. Raises BadcError when the file is missing, cannot be read, lacks a column, or holds rows
    of another recording.
    """
    if not path.is_file():
        raise BadcError(path, "is missing", "fetch it, or run the detections of this recording again")
    again = "remove it and run the detections of this recording again"
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            present = set(file.schema_arrow.names)
            missing = [name for name in schema.names if name not in present]
            if missing:
                raise BadcError(path, f"has no column {', '.join(missing)}", again)
            table = file.read(columns=schema.names).select(schema.names).cast(schema)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        raise BadcError(path, f"cannot be read as Parquet ({reason})", again) from error
    if any(name != recording_id for name in table["recording_id"].unique().to_pylist()):
        raise BadcError(path, "holds rows of another recording", again)
    return table.sort_by([(name, "ascending") for name in order])


def read_json_object(path: Path, remedy: str) -> dict[str, Any] | None:
    """The JSON object in `path`; None when there is no such file. Raises BadcError when it is not a JSON object."""
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadcError(path, f"cannot be read as JSON ({error})", remedy) from error
    if not isinstance(value, dict):
        raise BadcError(path, "does not hold a JSON object", remedy)
    return value
