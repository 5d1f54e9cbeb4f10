"""The chunks of chunked recordings as WAV files, for programs that want files, with a manifest of them beside them.

They are copies: the graph never reads them, and they may be removed at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from badc_assets.audio.probe import BadSound
from badc_assets.chunks.manifest import Chunk, read_manifest, write_manifest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.wav_files import CutSound, cut_otherwise, planned, write_wav_chunks
from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, remove
from badc_assets.layout import Layout
from badc_assets.recordings.facts import missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts
from badc_assets.recordings.parallel import in_parallel


@dataclass(frozen=True)
class WavCopies:
    """What became of a recording: `files` are there, `reason` says why not all are."""

    recording_id: str
    files: int
    reason: str = ""
    was_reused: bool = False


def write_wav_copies(
    layout: Layout, recording_ids: Iterable[str], settings: ChunkSettings, workers: int = 1
) -> Iterator[WavCopies]:
    """Cut these recordings into files in their chunk folders; a recording whose files are there is left alone.

    Raises BadcError for trouble that is not the recording's, such as a full disk.
    """
    return in_parallel(lambda recording_id: _copies(layout, recording_id, settings), recording_ids, workers)


def copies_manifest(layout: Layout, recording_id: str) -> Path:
    """The manifest of the files, as BADC writes it: `badc infer run` takes it, and so does BADC."""
    return layout.chunk_dir(recording_id) / "wav_chunks.csv"


def _copies(layout: Layout, recording_id: str, settings: ChunkSettings) -> WavCopies:
    facts = read_facts(layout, recording_id)
    if facts is None:
        return WavCopies(recording_id, 0, missing_facts_reason(layout, recording_id))
    if facts.status == "quarantined":
        return WavCopies(recording_id, 0, facts.reason)
    try:
        return _cut(layout, facts, settings)
    except (BadSound, PlaceTaken) as error:
        return WavCopies(recording_id, 0, error.problem)


def _cut(layout: Layout, facts: RecordingFacts, settings: ChunkSettings) -> WavCopies:
    recording_id = facts.recording_id
    sound = CutSound(layout.source(facts.audio_path), settings, recording_id)
    target, folder = copies_manifest(layout, recording_id), layout.chunk_dir(recording_id)
    former = _former(target)
    if _are_current(layout, facts, sound, former):
        return WavCopies(recording_id, len(former), was_reused=True)
    # Without its manifest nothing counts as there, whatever happens meanwhile.
    remove(target)
    for path in cut_otherwise(sound, folder):
        remove(path)
    # What the files were cut from stands in `notes`, which BADC leaves empty and does not read.
    chunks = [replace(chunk, notes=facts.content_key) for chunk in write_wav_chunks(sound, folder, layout.output)]
    write_manifest(target, chunks)
    return WavCopies(recording_id, len(chunks))


def has_wav_copies(layout: Layout, recording_id: str, settings: ChunkSettings) -> bool:
    """Whether all files are there, of the present sound and settings."""
    facts = read_facts(layout, recording_id)
    if facts is None or facts.status == "quarantined":
        return False
    sound = CutSound(layout.source(facts.audio_path), settings, recording_id)
    try:
        return _are_current(layout, facts, sound, _former(copies_manifest(layout, recording_id)))
    except BadSound:
        return False


def _are_current(layout: Layout, facts: RecordingFacts, sound: CutSound, former: Sequence[Chunk]) -> bool:
    if not former or {chunk.notes for chunk in former} != {facts.content_key}:
        return False
    spans = [(span.start_ms, span.end_ms) for span in planned(sound)]
    folder = layout.chunk_dir(facts.recording_id)
    is_same = [(chunk.start_ms, chunk.end_ms) for chunk in former] == spans
    return is_same and all(_file(folder, chunk).is_file() for chunk in former)


def _file(folder: Path, chunk: Chunk) -> Path:
    return folder / f"{Path(chunk.chunk_id).name}.wav"


def _former(manifest: Path) -> tuple[Chunk, ...]:
    try:
        return read_manifest(manifest)
    except BadcError:
        return ()
