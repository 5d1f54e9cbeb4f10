"""Plans: which recordings are to be chunked, as a file that can be looked at, moved and given to other commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from badc_assets.chunks.settings import ChunkSettings
from badc_assets.errors import BadcError
from badc_assets.files import csv_text, write_json, write_text
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry


@dataclass(frozen=True)
class PlannedRecording:
    """One row. Paths are relative to the dataset, or to the output folder for what is written there."""

    recording_id: str
    audio_path: str
    manifest_path: str
    chunk_output_dir: str
    chunk_duration: float
    overlap: float


COLUMNS = tuple(field.name for field in fields(PlannedRecording))


def planned(layout: Layout, entries: Iterable[CatalogEntry], settings: ChunkSettings) -> list[PlannedRecording]:
    """The rows for these recordings."""
    return [
        PlannedRecording(
            recording_id=entry.recording_id,
            audio_path=entry.audio_path,
            manifest_path=layout.manifest(entry.recording_id).relative_to(layout.output).as_posix(),
            chunk_output_dir=layout.chunk_dir(entry.recording_id).relative_to(layout.output).as_posix(),
            chunk_duration=settings.length_s,
            overlap=settings.overlap_s,
        )
        for entry in entries
    ]


def write_plan(path: Path, rows: Sequence[PlannedRecording]) -> None:
    """JSON where the name ends in `.json`, else CSV; quoted where needed."""
    if path.suffix.lower() == ".json":
        write_json(path, [asdict(row) for row in rows])
    else:
        write_text(path, csv_text(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows)))


def read_plan(path: Path, entries: Iterable[CatalogEntry]) -> list[str]:
    """The recordings that a plan names, ours or BADC's, in its order and each once.

    BADC's plans hold absolute paths of the machine where they were made: a row is known by the end of its audio path, else by the
    name of its manifest. Raises BadcError when it is no plan, or names a recording that the catalogue does not have.
    """
    known = list(entries)
    ids = {entry.recording_id for entry in known}
    by_path = {entry.audio_path: entry.recording_id for entry in known}
    found = (_recording(path, row, ids, by_path) for row in _rows(path))
    return list(dict.fromkeys(found))


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise BadcError(path, "there is no such plan", "make one with `badc chunk orchestrate --plan-json`")
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    try:
        is_json = path.suffix.lower() == ".json"
        rows = json.loads(text) if is_json else list(csv.DictReader(io.StringIO(text, newline="")))
    except (ValueError, RecursionError, csv.Error) as error:
        raise BadcError(path, f"is no plan ({error})", "make it again") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadcError(path, "is no plan (a list of recordings)", "make it again")
    return rows


def _recording(path: Path, row: dict[str, Any], ids: set[str], by_path: dict[str, str]) -> str:
    audio = PurePosixPath(str(row.get("audio_path") or ""))
    for start in range(len(audio.parts)):
        tail = PurePosixPath(*audio.parts[start:]).as_posix()
        if tail in by_path:
            return by_path[tail]
    named = str(row.get("manifest_path") or row.get("manifest") or "")
    for recording_id in (str(row.get("recording_id") or ""), PurePosixPath(named).stem):
        if recording_id in ids:
            return recording_id
    subject = named or str(audio) or "a row"
    raise BadcError(
        path, f"names a recording that is not in the catalogue ({subject})", "scan the dataset, or plan again"
    )
