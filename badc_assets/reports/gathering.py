"""A folder of BADC's detection JSON as one canonical table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.schema import BADC_COLUMNS, BADC_TYPES
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, write_text
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.detection_json import ChunkResult, Row, read_chunk_json

if TYPE_CHECKING:
    import pyarrow as pa

EFFORT_COLUMNS = ("recording_id", "chunk_id", "chunk_start_ms", "chunk_end_ms", "status", "detections")


@dataclass(frozen=True)
class Gathered:
    """Chunks in the order of recording and time, each once, and one sentence for each file that was left out."""

    chunks: tuple[ChunkResult, ...]
    problems: tuple[str, ...]

    @property
    def detections(self) -> list[Row]:
        return [row for chunk in self.chunks for row in chunk.detections]


def gather(folder: Path, manifest: Mapping[str, Chunk] | None = None) -> Gathered:
    """Read every `*.json` below `folder`. Of two files about one chunk the newer one counts, and the other is a problem.

    Raises BadcError when there is no such folder.
    """
    if not folder.is_dir():
        raise BadcError(folder, "there is no such folder", "name the folder with the detection JSON")
    chunks: dict[tuple[str, str], ChunkResult] = {}
    problems = []
    for path in sorted(path for path in folder.rglob("*.json") if not path.name.startswith(".")):
        try:
            read = read_chunk_json(path, manifest)
        except BadcError as error:
            problems.append(str(error))
            continue
        key = (read.recording_id, read.chunk_id)
        newer, older = _by_age(read, chunks.get(key))
        chunks[key] = newer
        if older is not None:
            problems.append(
                str(BadcError(older.path, f"is about the chunk of {newer.path}, which is newer", "remove one"))
            )
    return Gathered(tuple(sorted(chunks.values(), key=_place)), tuple(problems))


def _by_age(read: ChunkResult, other: ChunkResult | None) -> tuple[ChunkResult, ChunkResult | None]:
    if other is None:
        return read, None
    is_newer = read.path.stat().st_mtime_ns >= other.path.stat().st_mtime_ns
    return (read, other) if is_newer else (other, read)


def _place(chunk: ChunkResult) -> tuple[str, int, str]:
    return chunk.recording_id, -1 if chunk.start_ms is None else chunk.start_ms, chunk.chunk_id


def as_badc(gathered: Gathered) -> list[Row]:
    """With BADC's row of label `none` for each chunk in which nothing was found."""
    nothing = dict.fromkeys(BADC_COLUMNS) | {"label": "none"}
    return [row for chunk in gathered.chunks for row in chunk.detections or ({**nothing, **chunk.about},)]


def write_csv_table(target: Path, rows: Sequence[Row], *, quoted: bool = True) -> None:
    """The 18 columns, LF; without any quotes as BADC writes them if not `quoted`, whatever that does to commas."""
    cells = ([row.get(name) for name in BADC_COLUMNS] for row in rows)
    if quoted:
        write_csv(target, BADC_COLUMNS, cells)
        return
    lines = (",".join("" if cell is None else str(cell) for cell in row) for row in cells)
    write_text(target, "\n".join([",".join(BADC_COLUMNS), *lines, ""]))


def write_parquet_table(target: Path, rows: Iterable[Row]) -> None:
    """The same as Parquet, with BADC's types."""
    import pyarrow.parquet as pq

    with atomic_path(target) as temporary:
        pq.write_table(table_of(rows), temporary)


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table of the 18 columns."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in BADC_TYPES}
    for row in rows:
        for name, values in columns.items():
            values.append(row.get(name))
    types = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
    return pa.table({name: pa.array(values, types[BADC_TYPES[name]]) for name, values in columns.items()})


def write_effort(target: Path, gathered: Gathered) -> None:
    """Which chunks there were, and in how many something was found: what a table of detections alone cannot say."""
    rows = (
        (chunk.recording_id, chunk.chunk_id, chunk.start_ms, chunk.end_ms, chunk.status, len(chunk.detections))
        for chunk in gathered.chunks
    )
    write_csv(target, EFFORT_COLUMNS, rows)
