"""The chunks of a manifest, whoever wrote it, and where their sound is on this computer.

A manifest may have been made elsewhere: its paths are absolute on another computer, or relative to a folder that is not the
present one. A file is known by the longest end of its path that exists here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from badc_assets.chunks.manifest import Chunk, read_manifest
from badc_assets.errors import BadcError

LONGEST_NAME = 200
"""Bytes of an id: with what is added to it, it has to be a file name."""


@dataclass(frozen=True)
class ManifestRecording:
    """One recording of a manifest: its chunks by their start, and the sound file of each chunk id.

    `root` is the dataset that the sound lies in (the nearest folder above with `.datalad`), None outside of one. `source_path` of
    the chunks is relative to it where the file is inside, else absolute.
    """

    recording_id: str
    root: Path | None
    chunks: tuple[Chunk, ...]
    files: Mapping[str, Path]


def manifest_recordings(manifests: Iterable[Path], base: Path) -> list[ManifestRecording]:
    """The recordings of these manifests, in the order in which they come; the rows of one recording belong together.

    Relative paths are looked up from `base`, then from the manifest's dataset, folder, and the folder above. Nothing is opened:
    a file that is not here is given where it should be. Raises BadcError when a manifest cannot be understood, holds no
    chunks, has an id that cannot be a file name, or two different rows of one chunk.
    """
    rows: dict[str, dict[str, tuple[Chunk, Path]]] = {}
    for manifest in manifests:
        chunks = read_manifest(manifest)
        if not chunks:
            raise BadcError(manifest, "holds no chunks", "chunk the recording again")
        places = _places(manifest.absolute(), base.absolute())
        for chunk in chunks:
            _require_sound_row(manifest, chunk)
            recording_id = chunk.recording_id or manifest.stem
            known = rows.setdefault(recording_id, {})
            row = (replace(chunk, recording_id=recording_id), _file(chunk.source_path, places))
            if known.setdefault(chunk.chunk_id, row) != row:
                problem = f"has two rows of the chunk {chunk.chunk_id} that differ"
                raise BadcError(manifest, problem, "remove one of them")
    return [_recording(recording_id, list(found.values())) for recording_id, found in rows.items()]


def root_above(path: Path) -> Path | None:
    """The nearest folder above a file that is a DataLad dataset."""
    return next((parent for parent in path.absolute().parents if (parent / ".datalad").exists()), None)


def _recording(recording_id: str, rows: Sequence[tuple[Chunk, Path]]) -> ManifestRecording:
    root = root_above(rows[0][1])
    ordered = sorted(rows, key=lambda row: (row[0].start_ms, row[0].end_ms, row[0].chunk_id))
    chunks = tuple(replace(chunk, source_path=_inside(path, root)) for chunk, path in ordered)
    return ManifestRecording(recording_id, root, chunks, {chunk.chunk_id: path for chunk, path in ordered})


def _inside(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.as_posix()


def _require_sound_row(manifest: Path, chunk: Chunk) -> None:
    for name in (chunk.chunk_id, chunk.recording_id or manifest.stem):
        is_name = "/" not in name and "\0" not in name and not name.startswith(".")
        if not is_name or len(os.fsencode(name)) > LONGEST_NAME:
            raise BadcError(manifest, f"has an id that cannot be a file name ({name[:80]!r})", "correct its row")
    if not 0 <= chunk.start_ms < chunk.end_ms:
        problem = f"the chunk {chunk.chunk_id} ends at {chunk.end_ms} ms and begins at {chunk.start_ms} ms"
        raise BadcError(manifest, problem, "correct its row")
    if not chunk.source_path.strip() or "\0" in chunk.source_path:
        raise BadcError(manifest, f"names no sound file for the chunk {chunk.chunk_id}", "correct its row")


def _places(manifest: Path, base: Path) -> list[Path]:
    root = root_above(manifest)
    return list(dict.fromkeys([base, *([root] if root else []), manifest.parent, manifest.parent.parent]))


def _file(source_path: str, places: Sequence[Path]) -> Path:
    """The file here; where there is none, the place that the manifest names."""
    stated = PurePosixPath(source_path)
    paths = _ends(stated, places)
    # Where there is a dataset, its root is the second place.
    first = Path(stated) if stated.is_absolute() else places[min(1, len(places) - 1)] / stated
    # A link to annexed content that is not here counts: it is the right file, and its content can be fetched.
    return next(
        (Path(os.path.normpath(path)) for path in paths if os.path.lexists(path)), Path(os.path.normpath(first))
    )


def _ends(stated: PurePosixPath, places: Sequence[Path]) -> Iterator[Path]:
    if stated.is_absolute():
        yield Path(stated)
    parts = stated.parts[1:] if stated.is_absolute() else stated.parts
    for start in range(len(parts)):
        # A bare name says too little to be looked for elsewhere than beside the manifest, unless the manifest has just that.
        is_bare = start == len(parts) - 1 and start > 0
        for place in places[1:] if is_bare else places:
            yield place.joinpath(*parts[start:])
