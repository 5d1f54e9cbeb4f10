"""The chunk manifest: a CSV file per recording, one row per chunk, readable by BADC.

Chunks are virtual: a row names the recording and the span to read. No audio is copied. BADC's eight columns
come first; ours follow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.files import csv_text, stable_hash, write_text

BOM = b"\xef\xbb\xbf"
"""What spreadsheet programs begin a CSV file with."""

BADC_COLUMNS = ("recording_id", "chunk_id", "source_path", "start_ms", "end_ms", "overlap_ms", "sha256", "notes")
OUR_COLUMNS = ("start_frame", "stop_frame", "sample_rate_hz", "channels", "sample_dtype")


@dataclass(frozen=True)
class Chunk:
    """One chunk of a recording.

    `source_path` is relative to the dataset. `sha256` is over the samples of the span, interleaved, little-endian, as
    `sample_dtype` (int16, int32 or float32). The fields from `start_frame` on are None in manifests that BADC wrote.
    """

    recording_id: str
    chunk_id: str
    source_path: str
    start_ms: int
    end_ms: int
    overlap_ms: int
    sha256: str
    notes: str = ""
    start_frame: int | None = None
    stop_frame: int | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    sample_dtype: str | None = None


def chunk_id(recording_id: str, start_ms: int, end_ms: int) -> str:
    return f"{recording_id}_chunk_{start_ms}_{end_ms}"


def manifest_digest(chunks: Sequence[Chunk]) -> str:
    """Changes when any row does: the data version of a manifest."""
    return stable_hash([asdict(chunk) for chunk in chunks], length=32)


def write_manifest(path: Path, chunks: Sequence[Chunk]) -> None:
    """Write the rows in the given order: quoted where needed, LF, atomically."""
    columns = BADC_COLUMNS + OUR_COLUMNS
    write_text(path, csv_text(columns, ([getattr(chunk, name) for name in columns] for chunk in chunks)))


def read_manifest(path: Path) -> tuple[Chunk, ...]:
    """Read a manifest of ours or of BADC's (LF or CRLF, with or without quotes, with or without our columns).

    Raises BadcError when the file is missing, is not a manifest, or has a row that cannot be understood.
    """
    if not path.is_file():
        raise BadcError(path, "there is no chunk manifest", "materialize chunk_manifest for this recording")
    try:
        text = path.read_bytes().removeprefix(BOM).decode("utf-8", "surrogateescape")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        missing = [name for name in BADC_COLUMNS[:7] if name not in (reader.fieldnames or ())]
        if missing:
            raise BadcError(path, f"not a chunk manifest (no column {missing[0]})", "materialize chunk_manifest again")
        return tuple(_chunk(row, path, number) for number, row in enumerate(reader, start=2))
    except csv.Error as error:
        raise BadcError(path, f"not a chunk manifest ({error})", "materialize chunk_manifest again") from error


def _chunk(row: dict[str, str | None], path: Path, line: int) -> Chunk:
    def number(name: str) -> int | None:
        text = row.get(name)
        if not text:
            return None
        return int(text) if text.isdecimal() else int(float(text))

    try:
        start_ms, end_ms = number("start_ms"), number("end_ms")
        if not row["chunk_id"] or start_ms is None or end_ms is None:
            raise ValueError("a chunk needs an id, start_ms and end_ms")
        return Chunk(
            recording_id=row["recording_id"] or "",
            chunk_id=row["chunk_id"],
            source_path=row["source_path"] or "",
            start_ms=start_ms,
            end_ms=end_ms,
            overlap_ms=number("overlap_ms") or 0,
            sha256=row["sha256"] or "",
            notes=row.get("notes") or "",
            start_frame=number("start_frame"),
            stop_frame=number("stop_frame"),
            sample_rate_hz=number("sample_rate_hz"),
            channels=number("channels"),
            sample_dtype=row.get("sample_dtype") or None,
        )
    except (ValueError, OverflowError) as error:
        raise BadcError(path, f"line {line} is not a chunk ({error})", "materialize chunk_manifest again") from error
