"""The acoustic indices of recordings: each is read once, a chunk at a time; what is done already is not done again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from badc_assets.audio.probe import BadSound
from badc_assets.audio.samples import SampleReader, to_mono
from badc_assets.chunks.gate import NotChunked, chunks_for_inference
from badc_assets.chunks.indices.file import Row, index_row, stored_key, write_indices
from badc_assets.chunks.indices.measure import INDEX_NAMES, TOO_LONG, AcousticIndices, acoustic_indices, is_too_long
from badc_assets.chunks.indices.scikit_maad import maad_version
from badc_assets.chunks.indices.settings import IndexSettings
from badc_assets.chunks.indices.spectra import Float32
from badc_assets.chunks.manifest import Chunk, manifest_digest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, exclusive, remove, stable_hash
from badc_assets.layout import Layout
from badc_assets.recordings.facts import has_changed, missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts

INDICES_VERSION = 1
"""Raise it when the same sound and settings give other indices."""

LEAST_MIX = 0.01
"""A mix with less than this share of the power of its channels is not the sound that was recorded: 20 dB are lost."""

_BLOCK_FRAMES = 1 << 17


class NotIndexed(BadcError):
    """The recording has no indices. `problem` says why."""


@dataclass(frozen=True)
class IndexOutcome:
    """What became of one recording. `key` names its indices, and is empty where there are none; `reason` then says why.

    `without_index` counts the chunks for which no index at all could be calculated. `is_orphan`: the recording is gone from
    the dataset; nothing is expected of it.
    """

    recording_id: str
    key: str = ""
    reason: str = ""
    chunks: int = 0
    without_index: int = 0
    was_reused: bool = False
    is_orphan: bool = False
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        return bool(self.key)


def index_recordings(
    layout: Layout, recording_ids: Iterable[str], chunking: ChunkSettings, settings: IndexSettings
) -> Iterator[IndexOutcome]:
    """Calculate the indices of recordings one after another; yields what became of each as soon as it is known.

    What is wrong with one recording is its outcome. Raises BadcError when scikit-maad is not installed, and for trouble that
    is not one recording's, such as a full disk.
    """
    version = [INDICES_VERSION, maad_version(), settings.digest]
    for recording_id in recording_ids:
        facts = read_facts(layout, recording_id)
        if facts is None:
            yield IndexOutcome(recording_id, reason=missing_facts_reason(layout, recording_id))
            continue
        try:
            chunks = chunks_for_inference(layout, recording_id, chunking)
            # Equal samples in equal chunks are named by the digest, and the gate has it that they are those of the file.
            key = stable_hash([manifest_digest(chunks), *version])
            yield _index_recording(layout, facts, chunks, key, settings)
        except (BadSound, NotChunked, NotIndexed) as trouble:
            yield IndexOutcome(recording_id, reason=trouble.problem, is_orphan=facts.is_vanished)
        except PlaceTaken as trouble:
            yield IndexOutcome(recording_id, reason=str(trouble))


def _index_recording(
    layout: Layout, facts: RecordingFacts, chunks: Sequence[Chunk], key: str, settings: IndexSettings
) -> IndexOutcome:
    """Two callers at once: the second waits and reuses."""
    path = layout.indices(facts.recording_id)
    with exclusive(layout.locks / "indices" / f"{facts.recording_id}.lock"):
        if stored_key(path) == key:
            return IndexOutcome(facts.recording_id, key, chunks=len(chunks), was_reused=True)
        if facts.is_absent:
            raise NotIndexed(facts.recording_id, facts.reason, "fetch it")
        started = time.monotonic()
        # Rows of other sound or settings must not be taken for this recording's if it cannot be read.
        remove(path)
        rows = list(_rows(layout, facts, chunks, settings))
        write_indices(path, key, rows)
        empty = sum(all(row[name] is None for name in INDEX_NAMES) for row in rows)
        seconds = time.monotonic() - started
    return IndexOutcome(facts.recording_id, key, chunks=len(chunks), without_index=empty, seconds=seconds)


def _rows(layout: Layout, facts: RecordingFacts, chunks: Sequence[Chunk], settings: IndexSettings) -> Iterator[Row]:
    """Raises BadSound where the sound cannot be read, NotIndexed when it is not what was chunked."""
    source = layout.source(facts.audio_path)
    with SampleReader(source) as reader:
        for chunk in chunks:
            yield index_row(chunk, reader.format.sample_rate_hz, _indices(reader, chunk, settings))
    if has_changed(layout, facts):
        raise NotIndexed(source, "the file changed after it was chunked", "materialize recordings again")


def _indices(reader: SampleReader, chunk: Chunk, settings: IndexSettings) -> AcousticIndices:
    rate_hz = reader.format.sample_rate_hz
    start, stop = chunk.start_frame, chunk.stop_frame
    if start is None or stop is None:
        start, stop = (ms * rate_hz // 1000 for ms in (chunk.start_ms, chunk.end_ms))
    stop = min(stop, reader.format.frames)
    if is_too_long(stop - start, settings):
        return AcousticIndices(note=TOO_LONG)
    samples, channel_power = _mixed(reader, start, stop)
    if float(np.dot(samples, samples)) < LEAST_MIX * channel_power:
        return AcousticIndices(note="its channels cancel each other")
    return acoustic_indices(samples, rate_hz, settings)


def _mixed(reader: SampleReader, start_frame: int, stop_frame: int) -> tuple[Float32, float]:
    """The mean of the channels, of shape (n,), and the mean of their summed powers; 0 where there is only one."""
    samples = np.empty(max(stop_frame - start_frame, 0), np.float32)
    filled, power = 0, 0.0
    for block in reader.blocks(_BLOCK_FRAMES, start_frame, stop_frame):
        samples[filled : filled + len(block)] = to_mono(block)
        filled += len(block)
        if block.shape[1] > 1:
            channels = (to_mono(block[:, [one]]) for one in range(block.shape[1]))
            power += sum(float(np.dot(channel, channel)) for channel in channels) / block.shape[1]
    return samples, power
