"""Before a recording is analysed: the gate, the results that it has already, and the chunks that are left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from badc_assets.audio.probe import SoundFormat, probe
from badc_assets.chunks.gate import NotChunked, chunks_for_inference
from badc_assets.chunks.manifest import Chunk
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.detections.rules import DetectionRules
from badc_assets.detections.store import ResultStatus, read_result_status
from badc_assets.detectors.protocol import DetectorInfo
from badc_assets.errors import BadcError
from badc_assets.inference.journal import ChunkRecord, read_journal, remove_other_journals
from badc_assets.inference.keys import ResultKeys, result_keys
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.settings import InferenceSettings
from badc_assets.layout import Layout
from badc_assets.recordings.facts import has_changed, missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts

TASK_MS = 30 * 60 * 1000
"""A long recording is divided into tasks of about this length, so that several workers can share it."""

_DIVISIBLE = frozenset({"wav", "flac"})
"""Containers in which reading can begin anywhere at no cost."""


@dataclass(frozen=True)
class Wanted:
    """The settings that results must have been made with."""

    chunking: ChunkSettings
    inference: InferenceSettings
    detector: DetectorInfo
    rules: DetectionRules


@dataclass(frozen=True)
class Piece:
    """A sound file with chunks of a recording: mostly the recording itself, with all of them.

    `chunks` cover the file from its beginning, and their times count from there; the file begins at `starts_at_ms` of the
    recording. `number` is the position of its first chunk in the recording. Some may be there only to fill gaps. `content_key`
    is of a file that nothing else identifies.
    """

    source: Path
    sound: SoundFormat
    chunks: tuple[Chunk, ...]
    starts_at_ms: int = 0
    number: int = 0
    content_key: str = ""


@dataclass(frozen=True)
class Portion:
    """What a worker is given at a time: `todo` are positions in the chunks of the piece."""

    piece: Piece
    todo: tuple[int, ...]


@dataclass
class OpenRecording:
    """A recording that is being analysed. `journalled` are the chunks of an earlier attempt; `tasks` is what is under way.

    `unusable` are chunks whose sound is not there or not whole, with the reason; `is_changed` says whether the sound is not any
    more what was opened.
    """

    facts: RecordingFacts
    chunks: tuple[Chunk, ...]
    keys: ResultKeys
    journalled: dict[str, ChunkRecord]
    is_changed: Callable[[], bool]
    pieces: tuple[Piece, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)
    error: str = ""
    tasks: set[int] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=dict)
    waited_s: float = 0.0

    @property
    def recording_id(self) -> str:
        return self.facts.recording_id

    @property
    def by_file(self) -> list[tuple[Chunk, ...]]:
        """The chunks of each file. A detection stays with the file that it was found in, where files overlap."""
        if len(self.pieces) < 2:
            return [self.chunks]
        asked = {chunk.chunk_id: chunk for chunk in self.chunks}
        return [tuple(asked[one.chunk_id] for one in piece.chunks if one.chunk_id in asked) for piece in self.pieces]

    def todo(self, piece: Piece) -> list[int]:
        """Positions of the piece's chunks that no journal holds."""
        asked = {chunk.chunk_id for chunk in self.chunks} - self.done
        return [position for position, chunk in enumerate(piece.chunks) if chunk.chunk_id in asked]


@dataclass(frozen=True)
class OtherRules:
    """A recording that was analysed already, and whose detections are to be chosen by other rules."""

    facts: RecordingFacts
    chunks: tuple[Chunk, ...]
    keys: ResultKeys
    stored: ResultStatus


Found = DetectionOutcome | OpenRecording | OtherRules
"""What is to be done with a recording; an outcome where that is nothing."""


class Opening(Protocol):
    """Where recordings come from. The caller holds the recording's lock."""

    def find(self, recording_id: str, wanted: Wanted) -> Found: ...

    def anew(self, found: OtherRules) -> DetectionOutcome | OpenRecording:
        """Begin with a recording whatever results it has."""
        ...


@dataclass(frozen=True)
class DatasetOpening:
    """The recordings of a dataset, past the gate."""

    layout: Layout

    def find(self, recording_id: str, wanted: Wanted) -> Found:
        return open_recording(self.layout, recording_id, wanted)

    def anew(self, found: OtherRules) -> DetectionOutcome | OpenRecording:
        return open_anew(self.layout, found.facts, found.chunks, found.keys)


@dataclass(frozen=True)
class Unanalysed:
    """A recording that passes the gate and has no results of the wanted kind."""

    facts: RecordingFacts
    chunks: tuple[Chunk, ...]
    keys: ResultKeys


def open_recording(layout: Layout, recording_id: str, wanted: Wanted) -> Found:
    """What is to be done with a recording; an outcome where that is nothing. The caller holds the recording's lock."""
    found = look_at(layout, recording_id, wanted)
    return open_anew(layout, found.facts, found.chunks, found.keys) if isinstance(found, Unanalysed) else found


def look_at(layout: Layout, recording_id: str, wanted: Wanted) -> DetectionOutcome | Unanalysed | OtherRules:
    """The same, and nothing is touched: whoever analyses the recording opens it."""
    facts = read_facts(layout, recording_id)
    if facts is None:
        return DetectionOutcome(recording_id, None, refused=missing_facts_reason(layout, recording_id))
    allow_partial = wanted.inference.allow_partial_chunks
    try:
        chunks = chunks_for_inference(layout, recording_id, wanted.chunking, allow_partial=allow_partial)
    except NotChunked as closed:
        return DetectionOutcome(recording_id, None, refused=closed.problem, is_orphan=_is_not_expected(facts))
    keys = result_keys(chunks, wanted.detector, wanted.inference, wanted.rules)
    stored = read_result_status(layout, recording_id)
    if stored is not None and stored.is_complete:
        if stored.key == keys.result:
            return DetectionOutcome(recording_id, stored, was_reused=True, is_orphan=facts.is_vanished)
        if stored.raw_key == keys.raw:
            return OtherRules(facts, chunks, keys, stored)
    return without_sound(facts) or Unanalysed(facts, chunks, keys)


def open_anew(
    layout: Layout, facts: RecordingFacts, chunks: tuple[Chunk, ...], keys: ResultKeys
) -> DetectionOutcome | OpenRecording:
    """Begin with a recording, whatever results it has; goes on where its journal ends. An outcome where there is no sound."""
    absent = without_sound(facts)
    if absent is not None:
        return absent
    journalled = analysed_before(layout, facts.recording_id, keys)
    is_changed = partial(has_changed, layout, facts)
    recording = OpenRecording(facts, chunks, keys, journalled, is_changed, done=set(journalled))
    source = layout.source(facts.audio_path)
    try:
        recording.pieces = (Piece(source, probe(source), chunks),)
    except BadcError as trouble:
        recording.error = trouble.problem
    return recording


def analysed_before(layout: Layout, recording_id: str, keys: ResultKeys) -> dict[str, ChunkRecord]:
    """The chunks that an earlier attempt finished. What is journalled for other sound or settings is forgotten."""
    folder = layout.journal_dir(recording_id)
    remove_other_journals(folder, keys.raw)
    return {name: record for name, record in read_journal(folder, keys.raw).items() if not record.error}


def without_sound(facts: RecordingFacts) -> DetectionOutcome | None:
    """The outcome of a recording whose sound is not here; None for others."""
    if not facts.is_absent:
        return None
    return DetectionOutcome(facts.recording_id, None, refused=facts.reason, is_orphan=_is_not_expected(facts))


def _is_not_expected(facts: RecordingFacts) -> bool:
    return facts.is_vanished or facts.awaits_content


def divided(recording: OpenRecording, info: DetectorInfo) -> Iterator[Portion]:
    """The chunks that are left to do, in the portions that are given to workers."""
    for piece in recording.pieces:
        todo = recording.todo(piece)
        if todo and sees_whole_recordings(info):
            yield Portion(piece, tuple(range(len(piece.chunks))))
        elif todo:
            yield from (Portion(piece, part) for part in _parts(piece, todo))


def _parts(piece: Piece, todo: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if piece.sound.container not in _DIVISIBLE:
        yield tuple(todo)
        return
    portion: list[int] = []
    for position in todo:
        if portion and _length_ms(piece.chunks, portion[0], position) > TASK_MS:
            yield tuple(portion)
            portion = []
        portion.append(position)
    yield tuple(portion)


def sees_whole_recordings(info: DetectorInfo) -> bool:
    """Whether the detector must see a recording from its beginning to its end."""
    return info.kind == "stream" or (info.kind == "file" and info.unit == "recording")


def _length_ms(chunks: Sequence[Chunk], first: int, last: int) -> int:
    return chunks[last].end_ms - chunks[first].start_ms
