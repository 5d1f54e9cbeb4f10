"""The acoustic indices of one recording on disk: a Parquet file with a row per chunk, in the order of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badc_assets.chunks.indices.measure import INDEX_NAMES, AcousticIndices
from badc_assets.chunks.manifest import Chunk
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {
    "recording_id": "string", "chunk_id": "string", "chunk_start_ms": "int64", "chunk_end_ms": "int64",
    "sample_rate_hz": "int64", **dict.fromkeys(INDEX_NAMES, "double"), "note": "string",
}  # fmt: skip

DESCRIPTIONS = {
    "chunk_start_ms": "from the start of the recording",
    "chunk_end_ms": "from the start of the recording",
    "aci": "acoustic complexity, >= 0; depends on sample rate and window",
    "ndsi": "normalised difference soundscape index, -1 (machines) to 1 (animals)",
    "adi": "acoustic diversity, 0 to the logarithm of the number of bands",
    "aei": "acoustic evenness, 0 (all bands alike) to 1",
    "bi": "bioacoustic index, >= 0",
    "h": "acoustic entropy, 0 (pure tone) to 1 (noise)",
    "note": "why an index is empty",
}

_KEY = b"badc_key"
Row = dict[str, Any]


def index_row(chunk: Chunk, sample_rate_hz: int, indices: AcousticIndices) -> Row:
    """One row of `COLUMNS`."""
    place = [chunk.recording_id, chunk.chunk_id, chunk.start_ms, chunk.end_ms, sample_rate_hz]
    return dict(zip(COLUMNS, place, strict=False)) | asdict(indices)


def write_indices(path: Path, key: str, rows: Sequence[Row]) -> None:
    """Write the rows atomically. `key` names what they were made from. Raises like `atomic_path`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()], {_KEY: key.encode()})
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema), temporary, compression="zstd")


def stored_key(path: Path) -> str:
    """The key that the file was written with; empty when there is no file, or it is damaged or another's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return ""
    try:
        found = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return ""
    return found.get(_KEY, b"").decode(errors="replace")


def read_indices(path: Path) -> pa.Table:
    """The table. Raises BadcError when it is missing, damaged, or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    again = "materialize acoustic_indices for this recording"
    if not path.is_file():
        raise BadcError(path, "there are no acoustic indices", again)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        raise BadcError(path, f"cannot be read as Parquet ({reason})", again) from error
    if table.column_names != list(COLUMNS):
        raise BadcError(path, "is not a table of acoustic indices", again)
    return table
