"""What was measured of the sound of a recording, as columns of the dataset-wide tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from badc_assets.chunks.quality.file import RecordingQuality, read_quality
from badc_assets.chunks.quality.numbers import SoundQuality
from badc_assets.errors import BadcError
from badc_assets.layout import Layout

_NUMBERS = {
    name: pa.int64() if name in ("seconds", "dropout_s", "clipped_s") else pa.float64()
    for name in SoundQuality.__dataclass_fields__
}

RECORDING_COLUMNS = {f"sound_{name}": kind for name, kind in _NUMBERS.items()}
"""What the table `recordings` says of the sound; null where it was not read."""


def chunk_quality_schema() -> pa.Schema:
    """The table `chunk_quality`: a row for each chunk, with what the limits say (`status`, `reason`), and the numbers."""
    words = {name: pa.string() for name in ("recording_id", "chunk_id", "status", "reason")}
    return pa.schema(list((words | _NUMBERS).items()))


def stored_quality(layout: Layout, recording_id: str) -> RecordingQuality | BadcError:
    """The numbers of a recording, or why there are none."""
    try:
        return read_quality(layout, recording_id)
    except BadcError as error:
        return error


def recording_columns(quality: RecordingQuality) -> dict[str, Any]:
    """The values of RECORDING_COLUMNS."""
    return {f"sound_{name}": value for name, value in quality.recording.to_json().items()}


def chunk_rows(recording_id: str, quality: RecordingQuality) -> pa.Table:
    """The rows of `chunk_quality` of one recording."""
    ids = list(quality.chunks)
    columns: dict[str, list[Any]] = {
        "recording_id": [recording_id] * len(ids),
        "chunk_id": ids,
        "status": [quality.verdicts[name][0] for name in ids],
        "reason": [quality.verdicts[name][1] for name in ids],
        **{name: [getattr(each, name) for each in quality.chunks.values()] for name in _NUMBERS},
    }
    schema = chunk_quality_schema()
    arrays = [pa.array(columns[name], schema.field(name).type) for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)
