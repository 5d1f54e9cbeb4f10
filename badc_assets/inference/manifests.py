"""Recordings that a chunk manifest names, for the engine: no dataset has to know of them.

A manifest's chunks are files of their own, as BADC cut them, or spans of one file. Both may occur in one manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from badc_assets.audio.probe import SoundFormat, probe
from badc_assets.chunks.located import ManifestRecording
from badc_assets.chunks.manifest import Chunk
from badc_assets.detections.store import read_result_status
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash
from badc_assets.inference.keys import ResultKeys, result_keys
from badc_assets.inference.opening import Found, OpenRecording, OtherRules, Piece, Wanted, analysed_before
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.layout import ManifestLayout
from badc_assets.recordings.identity import content_key
from badc_assets.recordings.model import RecordingFacts

TOLERANCE_MS = 10
"""A manifest's times are whole ms, rounded by whoever wrote it."""


@dataclass(frozen=True)
class ManifestOpening:
    """The recordings of a manifest, by id. `starts` are the recorder's clock at their start, where it is known."""

    layout: ManifestLayout
    recordings: Mapping[str, ManifestRecording]
    starts: Mapping[str, str]

    def find(self, recording_id: str, wanted: Wanted) -> Found:
        """Results of the same detector, settings and sound are kept; a journal is gone on with."""
        recording = self.recordings[recording_id]
        pieces, unusable = pieces_of(recording)
        files = [piece.source for piece in pieces]
        contents = [piece.content_key for piece in pieces if piece.content_key]
        keys = _keys(recording.chunks, contents, wanted)
        stored = read_result_status(self.layout, recording_id)
        if stored is not None and stored.is_complete and stored.key == keys.result:
            return DetectionOutcome(recording_id, stored, was_reused=True)
        journalled = analysed_before(self.layout, recording_id, keys)
        facts = RecordingFacts(
            recording_id=recording_id,
            audio_path="",
            content_key=contents[0] if len(contents) == 1 else f"MANIFEST-{keys.raw}",
            size_bytes=0,
            start_local=self.starts.get(recording_id),
        )
        return OpenRecording(
            facts,
            recording.chunks,
            keys,
            journalled,
            partial(_have_changed, {file: _signature(file) for file in files}),
            pieces,
            unusable,
            done=set(journalled),
        )

    def anew(self, found: OtherRules) -> DetectionOutcome | OpenRecording:
        raise NotImplementedError("the results of a manifest are not chosen anew")


def pieces_of(recording: ManifestRecording) -> tuple[tuple[Piece, ...], dict[str, str]]:
    """The files of a recording as pieces, and chunk id -> why for the chunks whose sound is not there, not whole, or not
    what the manifest says."""
    by_file: dict[Path, list[tuple[int, Chunk]]] = {}
    for number, chunk in enumerate(recording.chunks):
        by_file.setdefault(recording.files[chunk.chunk_id], []).append((number, chunk))
    pieces: list[Piece] = []
    unusable: dict[str, str] = {}
    for file, rows in by_file.items():
        chunks = [chunk for _, chunk in rows]
        try:
            piece, problems = _looked_at(file, chunks)
        except BadcError as trouble:
            piece, problems = None, {chunk.chunk_id: f"{trouble.problem} ({file})" for chunk in chunks}
        except OSError as trouble:
            problem = f"cannot be read: {trouble.strerror or trouble} ({file})"
            piece, problems = None, {chunk.chunk_id: problem for chunk in chunks}
        unusable |= problems
        pieces += [replace(piece, number=rows[0][0])] if piece is not None else []
    return tuple(pieces), unusable


def _looked_at(file: Path, chunks: Sequence[Chunk]) -> tuple[Piece | None, dict[str, str]]:
    """A file with the chunks that can be used, and what is wrong with the others."""
    sound = probe(file)
    problems = _problems(file, sound, chunks)
    usable = [chunk for chunk in chunks if chunk.chunk_id not in problems]
    if not usable:
        return None, problems
    # A file whose hash is in the manifest, and was found right, is known by that.
    is_vouched_for = is_own_file(usable, sound.duration_ms) and _states_hash(usable[0])
    content = "" if is_vouched_for else content_key(file, file.stat())
    return replace(_piece(file, sound, usable), content_key=content), problems


def _problems(file: Path, sound: SoundFormat, chunks: Sequence[Chunk]) -> dict[str, str]:
    if sound.is_truncated and is_own_file(chunks, sound.declared_frames * 1000 // sound.sample_rate_hz):
        return {chunks[0].chunk_id: f"ends early: it holds {sound.duration_ms} ms"}
    if is_own_file(chunks, sound.duration_ms):
        is_other = _states_hash(chunks[0]) and _sha256(file) != chunks[0].sha256.lower()
        return (
            {chunks[0].chunk_id: "is not the file that the manifest was written for (its sha256)"} if is_other else {}
        )
    return {chunk.chunk_id: problem for chunk in chunks if (problem := _problem(sound, chunk))}


def _problem(sound: SoundFormat, chunk: Chunk) -> str:
    if chunk.end_ms > sound.duration_ms + TOLERANCE_MS:
        return f"holds {sound.duration_ms} ms; by the manifest the chunk is {chunk.start_ms} to {chunk.end_ms} ms"
    if chunk.sample_rate_hz not in (None, sound.sample_rate_hz):
        return f"has {sound.sample_rate_hz} Hz, by the manifest {chunk.sample_rate_hz} Hz"
    return ""


def is_own_file(chunks: Sequence[Chunk], duration_ms: int) -> bool:
    """Whether a file of this length is the chunk that it is named for, and not the whole recording."""
    return len(chunks) == 1 and abs(duration_ms - (chunks[0].end_ms - chunks[0].start_ms)) <= TOLERANCE_MS


def _piece(file: Path, sound: SoundFormat, chunks: Sequence[Chunk]) -> Piece:
    if is_own_file(chunks, sound.duration_ms):
        whole = replace(chunks[0], start_ms=0, end_ms=sound.duration_ms, start_frame=0, stop_frame=sound.frames)
        return Piece(file, sound, (whole,), starts_at_ms=chunks[0].start_ms)
    return Piece(file, sound, _without_gaps(chunks, sound))


def _without_gaps(chunks: Sequence[Chunk], sound: SoundFormat) -> tuple[Chunk, ...]:
    """The chunks, and one for each part of the file that no chunk covers: what is found there belongs to none of them."""
    filled: list[Chunk] = []
    position = 0
    for chunk in chunks:
        if chunk.start_ms > position:
            filled.append(_gap(position, chunk.start_ms))
        is_last = abs(chunk.end_ms - sound.duration_ms) <= TOLERANCE_MS
        exact = {"end_ms": sound.duration_ms, "stop_frame": sound.frames} if is_last else {}
        filled.append(replace(chunk, **exact))
        position = max(position, filled[-1].end_ms)
    if position < sound.duration_ms:
        filled.append(_gap(position, sound.duration_ms))
    return tuple(filled)


def _gap(start_ms: int, end_ms: int) -> Chunk:
    # No id of a manifest begins with a dot.
    return Chunk("", f".gap_{start_ms}_{end_ms}", "", start_ms, end_ms, 0, "")


def _states_hash(chunk: Chunk) -> bool:
    """Whether `sha256` is that of a file: with `sample_dtype` it is that of samples, and BADC may have left it open."""
    return chunk.sample_dtype is None and re.fullmatch("[0-9A-Fa-f]{64}", chunk.sha256) is not None


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _keys(chunks: Sequence[Chunk], contents: Sequence[str], wanted: Wanted) -> ResultKeys:
    """Other than a dataset's manifest, one from elsewhere may say nothing of the samples: then the files' content counts too."""
    raw = stable_hash([result_keys(chunks, wanted.detector, wanted.inference, wanted.rules).raw, list(contents)])
    return ResultKeys(raw, stable_hash([raw, wanted.rules.digest]))


def _signature(file: Path) -> tuple[int, int] | None:
    """Size and time of a file; None when it is gone."""
    if not file.is_file():
        return None
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _have_changed(signatures: Mapping[Path, tuple[int, int] | None]) -> bool:
    return any(known is None or _signature(file) != known for file, known in signatures.items())
